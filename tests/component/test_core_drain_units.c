/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues of record keys and lone records, retried and given up: first the
 * documents, then the unit moves on; what was applied is in `_m.o`.
 */
#include "tests/component/spread_stage.h"

/*
 * Of key k: 1 applied to x; 2 undecodable, for x; 3 for y and 4 for x wait. Of
 * other keys: 5 for x.
 */
static void
park_three(struct stage *st)
{
	undecodable(st, 1);
	feed_to(st, STEPS, 0, "k", "x", 1);
	feed_to(st, STEPS, 1, "k", "x", 2);
	feed_to(st, STEPS, 2, "k", "y", 3);
	feed_to(st, STEPS, 3, "k", "x", 4);
	feed_to(st, STEPS, 4, "o", "x", 5);
	settle(st);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 1, 3,
		     3);
	assert_int_equal(stored(spread, "x", "_steps"), 15);
	assert_int_equal(stored(spread, "y", "sum"), -1);
}

static bool
retry(struct stage *st)
{
	return request(st, spread, STEPS, "retry", "key", "k", 1);
}

static struct job *
next_rows(struct stage *st)
{
	struct job *job;

	while ((job = next(st)) && job->kind != JOB_ROWS)
		finish(st, job, FINE);
	return job;
}

/* The position of a lane as if none had ever been written: it may be that old.
 */
static void
forget_position(void)
{
	scripted_point("spread.1", FIRST_SOURCE)->next = -1;
	scripted_point("spread.1", FIRST_SOURCE)->anchor_offset = -1;
}

static void
assert_drained(struct stage *st, int64_t x, int64_t y)
{
	assert_int_equal(stored(spread, "x", "_steps"), x);
	assert_int_equal(stored(spread, "y", "_steps"), y);
	assert_no_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS);
	assert_int_equal(st->out, 0);
}

/* The unit of key k knows of so many that it can keep no more. */
static void
fill_unit(void)
{
	static const struct pj_shape unit_shape[] = {{.name = NULL}};
	struct pj_str id = {unit_id(spread, STEPS, "k"), 0};
	struct store_token token = {{0xbb}};
	struct buf bytes = BUF_INIT;
	struct scripted_doc *has;
	struct pj_error err;
	struct pj_doc *doc;

	id.len = strlen(id.ptr);
	has = scripted_doc(READMODEL_UNITS, id);
	if (doc_load(unit_shape, id, has->bson, has->len, &doc, &err))
		fail_msg("%s", err.text);
	for (int64_t i = 0; i < DOC_LATE_MAX; i++)
		doc_set_late(doc, FIRST_SOURCE + STEPS, 1000000 + i);
	doc_encode(doc, &token, &bytes);
	scripted_put(has, &(struct store_write){
				  .collection = READMODEL_UNITS,
				  .key = id,
				  .bson = (uint8_t *)bytes.data,
				  .len = bytes.len,
			  });
	buf_release(&bytes);
	doc_free(doc);
}

/* ---- Retried ----------------------------------------------------------------
 */

static void
a_key_is_drained_in_order_and_never_applied_by_a_replay(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	st->n_undecodable = 0;
	assert_true(retry(st));
	assert_no_answer(st);
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 3, discarded 0, nothing is left");
	/* Behind what other keys had brought meanwhile, in their own order. */
	assert_drained(st, 1524, 3);
	assert_int_equal(scripted.n_rows, 0);
	assert_int_equal(scripted.n_audit, 3);
	assert_int_equal(spread->n_units_parked, 0);
	feed_to(st, STEPS, 5, "k", "x", 6);
	settle(st);
	assert_int_equal(stored(spread, "x", "_steps"), 15246);
	forget_position();
	stage_begin(st);
	replay(st);
	settle(st);
	assert_drained(st, 15246, 3);
	assert_int_equal(scripted.n_rows, 0);
}

static void
a_unit_that_can_remember_no_more_lets_none_out(void **state)
{
	static const char *const actions[] = {"retry", "discard"};
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	fill_unit();
	stage_begin(st);
	replay(st);
	settle(st);
	st->n_undecodable = 0;
	for (size_t i = 0; i < COUNT(actions); i++) {
		assert_true(
			request(st, spread, STEPS, actions[i], "key", "k", 1));
		settle(st);
		assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
				       "rebuild the projection"));
	}
	assert_int_equal(stored(spread, "x", "_steps"), 15);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 1, 3,
		     3);
	assert_int_equal(scripted.n_rows, 3);
}

static void
the_unit_moves_on_only_when_the_document_has_landed(void **state)
{
	struct stage *st = *state;
	struct job *doc, *unit;
	char id[256];

	stage_begin(st);
	park_three(st);
	(void)snprintf(id, sizeof(id), "%s", unit_id(spread, STEPS, "k"));
	st->n_undecodable = 0;
	assert_true(retry(st));
	finish(st, next_rows(st), FINE);
	doc = next_apply(st);
	assert_true(writes(doc, "x"));
	assert_false(writes(doc, id));
	run(doc, FINE);
	st->now += 60000;
	assert_null(next(st));
	back(st, doc);
	unit = next_apply(st);
	assert_true(writes(unit, id));
	assert_int_equal(unit->batch.n_unparks, 0);
	assert_int_equal(scripted.n_rows, 3);
	finish(st, unit, FINE);
	assert_queue(READMODEL_UNITS, id, STEPS, 2, 3, 2);
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_drained(st, 1524, 3);
}

/* At every moment of a drain one more may come. */
static void
live_records_of_the_key_queue_behind_meanwhile(void **state)
{
	for (unsigned at = 0; at < 16; at++) {
		struct stage *st = *state;
		struct job *job;

		stage_begin(st);
		park_three(st);
		st->n_undecodable = 0;
		assert_true(retry(st));
		for (unsigned i = 0; i < at; i++)
			if ((job = next(st)))
				finish(st, job, FINE);
		job = next(st);
		if (job)
			run(job, FINE);
		feed_to(st, STEPS, 5, "k", "x", 6);
		if (job)
			back(st, job);
		feed_to(st, STEPS, 6, "k", "y", 7);
		settle(st);
		(void)answer(st, STORE_REQ_DONE);
		assert_drained(st, 15246, 37);
		assert_int_equal(scripted.n_rows, 0);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

static void
a_lone_record_is_drained_too(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	st->undecodable[0] = 2;
	st->n_undecodable = 1;
	feed_to(st, STEPS, 0, "k", "x", 1);
	feed_to(st, STEPS, 1, "k", "x", 3);
	feed_raw(st, STEPS, 2, NULL,
		 "{\"eventType\":\"Step\",\"data\":{\"n\":2,\"to\":\"x\"}}");
	settle(st);
	assert_int_equal(stored(spread, "x", "_steps"), 13);
	st->n_undecodable = 0;
	assert_true(request(st, spread, STEPS, "retry", "record", "", 2));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(spread, "x", "_steps"), 132);
	assert_no_queue(READMODEL_UNITS, lone_id(spread, STEPS, 2), STEPS);
	assert_int_equal(scripted.n_rows, 0);
	/* Its document remembers it, behind its position. */
	forget_position();
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(spread, "x", "_steps"), 132);
	assert_int_equal(scripted.n_rows, 0);
}

static void
what_nobody_reads_any_more_is_done_with(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	st->undecodable[0] = 0;
	st->n_undecodable = 1;
	feed_raw(st, STEPS, 0, "k", "{\"eventType\":\"Unheard\",\"data\":{}}");
	feed_raw(st, STEPS, 1, "k",
		 "{\"eventType\":\"Idle\",\"data\":{\"id\":\"k\",\"to\":\"x\"}"
		 "}");
	feed_to(st, STEPS, 2, "k", "x", 1);
	settle(st);
	st->n_undecodable = 0;
	assert_true(request(st, spread, STEPS, "retry", "key", "k", 0));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 3, discarded 0, nothing is left");
	assert_int_equal(stored(spread, "x", "_steps"), 1);
	assert_int_equal(scripted.n_rows, 0);
}

static void
an_event_of_two_documents_is_drained_into_both(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	st->undecodable[0] = 0;
	st->n_undecodable = 1;
	feed(st, STEPS, 0, "k", 1, ",\"to\":\"x\",\"also\":\"y\"");
	settle(st);
	st->n_undecodable = 0;
	refuse_number(9);
	assert_true(request(st, spread, STEPS, "retry", "key", "k", 0));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(spread, "x", "_steps"), 1);
	assert_int_equal(stored(spread, "y", "_steps"), 1);
}

/* ---- Refused ----------------------------------------------------------------
 */

static void
a_key_that_is_refused_again_stays_as_it_was(void **state)
{
	struct stage *st = *state;
	const char *text;

	stage_begin(st);
	park_three(st);
	assert_true(retry(st)); /* it still cannot be decoded */
	settle(st);
	text = answer(st, STORE_REQ_FAILED);
	assert_non_null(strstr(text, "applied 0, discarded 0"));
	assert_non_null(strstr(text, "the record at 1 was refused"));
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 1, 3,
		     3);
	assert_int_equal(stored(spread, "x", "_steps"), 15);
	assert_int_equal(scripted.n_rows, 3);
	/* Now it can, but the next one is refused by the module. */
	st->n_undecodable = 0;
	refuse_number(3);
	assert_true(retry(st));
	settle(st);
	text = answer(st, STORE_REQ_FAILED);
	assert_non_null(strstr(text, "applied 1, discarded 0"));
	assert_non_null(strstr(text, "the record at 2 was refused"));
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 2, 3,
		     2);
	assert_int_equal(stored(spread, "x", "_steps"), 152);
	assert_int_equal(stored(spread, "y", "sum"), -1);
	assert_int_equal(scripted.n_rows, 2);
	mend();
	assert_true(retry(st));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_drained(st, 1524, 3);
}

static void
a_document_with_a_queue_of_its_own_goes_first(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	refuse_number(7);
	feed_to(st, STEPS, 5, "o", "y", 7);
	feed_to(st, STEPS, 6, "k", "y", 8);
	settle(st);
	assert_queue("spread.1", "y", STEPS, 5, 5, 1);
	st->n_undecodable = 0;
	assert_true(retry(st));
	settle(st);
	/* 2, 3 and 4 are from before it; 8 is from behind. */
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "the record at 6 was refused"));
	assert_int_equal(stored(spread, "y", "_steps"), 3);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 4, 6,
		     1);
	mend();
	assert_true(request(st, spread, STEPS, "retry", "document", "y", 5));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_true(retry(st));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_drained(st, 1524, 378);
}

static void
a_record_that_one_of_its_documents_refuses_is_not_lost(void **state)
{
	struct stage *st = *state;
	char more[1300];

	stage_begin(st);
	st->undecodable[0] = 0;
	st->n_undecodable = 1;
	(void)snprintf(more, sizeof(more), ",\"to\":\"x\",\"text\":\"%01000d\"",
		       1);
	feed(st, STEPS, 0, "k", 1, more);
	feed_to(st, STEPS, 1, "k", "x", 2);
	settle(st);
	st->n_undecodable = 0;
	assert_true(request(st, spread, STEPS, "retry", "key", "k", 0));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "the record at 0 was refused"));
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 0, 1,
		     2);
	assert_int_equal(stored(spread, "x", "sum"), -1);
	assert_int_equal(scripted.n_rows, 2);
	assert_true(request(st, spread, STEPS, "discard", "key", "k", 0));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 1, discarded 1, nothing is left");
	assert_int_equal(stored(spread, "x", "_steps"), 2);
}

/* ---- Given up
 * ---------------------------------------------------------------- */

static void
a_discarded_head_of_a_key_is_passed_and_stays_so(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	assert_true(request(st, spread, STEPS, "discard", "key", "k", 2));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED), "moved on"));
	assert_true(request(st, spread, STEPS, "discard", "key", "k", 1));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 2, discarded 1, nothing is left");
	assert_drained(st, 154, 3);
	assert_int_equal(scripted.n_rows, 0);
	st->n_undecodable = 0;
	forget_position();
	stage_begin(st);
	replay(st);
	settle(st);
	assert_drained(st, 154, 3);
}

static void
a_discarded_lone_record_is_passed_and_stays_so(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed_raw(st, STEPS, 0, NULL, "no json");
	feed_to(st, STEPS, 1, "k", "x", 1);
	settle(st);
	assert_true(request(st, spread, STEPS, "discard", "record", "", 0));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 0, discarded 1, nothing is left");
	assert_int_equal(scripted.n_rows, 0);
	forget_position();
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(scripted.n_rows, 0);
	assert_int_equal(spread->n_units_parked, 0);
}

/* ---- Disturbed
 * --------------------------------------------------------------- */

static void
lost_answers_on_the_way_apply_nothing_twice(void **state)
{
	static const enum mood moods[] = {LOST, IN_DOUBT, IN_VAIN, AWAY};

	for (unsigned at = 0; at < 12 * COUNT(moods); at++) {
		struct stage *st = *state;
		struct job *job;

		stage_begin(st);
		park_three(st);
		st->n_undecodable = 0;
		assert_true(retry(st));
		for (unsigned i = 0; i < at / COUNT(moods); i++)
			if ((job = next(st)))
				finish(st, job, FINE);
		job = next(st);
		if (job)
			finish(st, job, moods[at % COUNT(moods)]);
		settle(st);
		assert_string_equal(answer(st, STORE_REQ_DONE),
				    "applied 3, discarded 0, nothing is left");
		assert_drained(st, 1524, 3);
		assert_int_equal(scripted.n_rows, 0);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

static void
a_conflict_in_a_document_drains_again_on_what_is_there(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	park_three(st);
	st->n_undecodable = 0;
	assert_true(retry(st));
	finish(st, next_rows(st), FINE);
	job = next_apply(st);
	assert_true(writes(job, "x"));
	another_writes(spread, "x", 100);
	finish(st, job, FINE);
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_drained(st, 1524, 3);
	assert_int_equal(stored(spread, "x", "sum"), 1 + 5 + 2 + 4 + 100);
}

/*
 * What came before the head, or between it and the last, may have to be read
 * again, and has to be folded before what is behind it in the log.
 */
static void
a_key_is_drained_only_when_all_before_its_last_has_been_handed_in(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	st->n_undecodable = 0;
	forget_position();
	stage_begin(st);
	for (size_t i = 0; i < 3; i++) {
		assert_false(retry(st));
		stage_hand_in(st, &st->log[i]);
	}
	assert_true(retry(st));
	for (size_t i = 3; i < st->n_log; i++)
		stage_hand_in(st, &st->log[i]);
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_drained(st, 1524, 3);
}

static void
a_crash_after_any_job_changes_nothing_in_the_result(void **state)
{
	for (unsigned jobs = 0; jobs < 40; jobs++) {
		struct stage *st = *state;
		struct core_answer a;
		struct job *job;

		stage_begin(st);
		park_three(st);
		st->n_undecodable = 0;
		assert_true(retry(st));
		for (unsigned i = 0; i < jobs / 2; i++) {
			st->now += 250;
			if ((job = next(st)))
				finish(st, job, FINE);
		}
		if (jobs % 2 && (job = next(st))) {
			run(job, FINE); /* nobody hears of it */
			core_drop(st->core);
			back(st, job);
		}
		forget_position();
		stage_begin(st);
		replay(st);
		settle(st);
		assert_true(retry(st));
		settle(st);
		while (core_take_answer(st->core, &a))
			;
		assert_drained(st, 1524, 3);
		assert_int_equal(scripted.n_rows, 0);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_is_drained_in_order_and_never_applied_by_a_replay),
		TEST(a_unit_that_can_remember_no_more_lets_none_out),
		TEST(the_unit_moves_on_only_when_the_document_has_landed),
		TEST(live_records_of_the_key_queue_behind_meanwhile),
		TEST(a_lone_record_is_drained_too),
		TEST(what_nobody_reads_any_more_is_done_with),
		TEST(an_event_of_two_documents_is_drained_into_both),
		TEST(a_key_that_is_refused_again_stays_as_it_was),
		TEST(a_document_with_a_queue_of_its_own_goes_first),
		TEST(a_record_that_one_of_its_documents_refuses_is_not_lost),
		TEST(a_discarded_head_of_a_key_is_passed_and_stays_so),
		TEST(a_discarded_lone_record_is_passed_and_stays_so),
		TEST(lost_answers_on_the_way_apply_nothing_twice),
		TEST(a_conflict_in_a_document_drains_again_on_what_is_there),
		TEST(a_key_is_drained_only_when_all_before_its_last_has_been_handed_in),
		TEST(a_crash_after_any_job_changes_nothing_in_the_result),
	};

	return cmocka_run_group_tests_name("core_drain_units", tests, NULL,
					   NULL);
}
