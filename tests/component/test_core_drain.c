/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parked queues of documents, retried and given up on request: in order,
 * once, and with nothing gone before what replaced it is durable.
 */
#include "tests/component/drain_steps.h"

static bool
audited(const char *text)
{
	for (size_t i = 0; i < scripted.n_audit; i++)
		if (strcmp(scripted.audit[i], text) == 0)
			return true;
	return false;
}

/* ---- In order -------------------------------------------------------------
 */

static void
a_queue_is_drained_in_order_and_nothing_is_left(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	mend();
	assert_true(retry(st));
	assert_no_answer(st);
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 3, discarded 0, nothing is left");
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
	assert_no_queue("keyed.1", "a", STEPS);
	assert_int_equal(scripted.n_rows, 0);
	assert_int_equal(scripted.n_audit, 3);
	assert_true(audited("retried keyed.1 document a steps/0@1 reason "
			    "somebody"));
	assert_true(audited("retried keyed.1 document a steps/0@3 reason "
			    "somebody"));
	assert_int_equal(keyed->n_units_parked, 0);
	assert_int_equal(keyed->n_retried, 3);
	assert_int_equal(core_counts(st->core).retried, 3);
	/* And the source flows again. */
	feed(st, STEPS, 4, "a", 4, "");
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 15234);
}

static void
rows_go_only_after_the_document_has_landed(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	park_three(st);
	mend();
	assert_true(retry(st));
	finish(st, next_rows(st), FINE);
	job = next_apply(st);
	assert_true(writes(job, "a"));
	assert_int_equal(job->batch.n_unparks, 0);
	run(job, FINE);
	st->now += 60000;
	assert_null(next(st));
	assert_no_answer(st);
	assert_int_equal(scripted.n_rows, 3);
	back(st, job);
	job = next_apply(st);
	assert_int_equal(job->batch.n_unparks, 3);
	/* Nor is it said to be done before they are gone. */
	assert_no_answer(st);
	finish(st, job, AWAY);
	assert_no_answer(st);
	st->now += 10000;
	job = next_apply(st);
	assert_int_equal(job->batch.n_unparks, 3);
	run(job, FINE);
	assert_int_equal(scripted.n_rows, 0);
	assert_no_answer(st);
	back(st, job);
	(void)answer(st, STORE_REQ_DONE);
	settle(st);
}

static void
live_records_queue_behind_what_is_being_drained(void **state)
{
	struct stage *st = *state;
	struct job *rows, *apply;

	stage_begin(st);
	park_three(st);
	mend();
	assert_true(retry(st));
	rows = next_rows(st);
	feed(st, STEPS, 4, "a", 4, "");
	run(rows, FINE);
	feed(st, STEPS, 5, "a", 6, "");
	back(st, rows);
	feed(st, STEPS, 6, "a", 7, "");
	apply = next_apply(st);
	feed(st, STEPS, 7, "a", 8, "");
	feed(st, WORDS, 0, "a", 9, "");
	if (apply)
		finish(st, apply, FINE);
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	/* All of them, each once, in the log's order. */
	assert_int_equal(stored(keyed, "a", "_steps"), 15234678);
	assert_int_equal(stored(keyed, "a", "_words"), 9);
	assert_no_queue("keyed.1", "a", STEPS);
	assert_int_equal(scripted.n_rows, 0);
	assert_int_equal(checkpoint(keyed, STEPS), 8);
}

static void
a_long_queue_is_drained_in_pieces(void **state)
{
	enum { N = JOB_ROWS_MAX * 2 + 50 };
	struct stage *st = *state;

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	for (int64_t i = 1; i < N; i++)
		feed(st, STEPS, i * 3, "a", 1, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 0, (N - 1) * 3, N);
	mend();
	assert_true(request(st, keyed, STEPS, "retry", "document", "a", 0));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 450, discarded 0, nothing is left");
	assert_int_equal(stored(keyed, "a", "count"), N);
	assert_int_equal(stored(keyed, "a", "sum"), 5 + N - 1);
	assert_int_equal(scripted.n_rows, 0);
}

/* A new process knows of it what the store says. */
static void
a_queue_of_an_earlier_owner_is_drained(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	mend();
	stage_begin(st);
	assert_true(retry(st));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
}

/* ---- Refused --------------------------------------------------------------
 */

static void
a_head_that_is_refused_again_keeps_everything_as_it_was(void **state)
{
	struct stage *st = *state;
	const char *text;

	stage_begin(st);
	park_three(st);
	assert_true(retry(st));
	settle(st);
	text = answer(st, STORE_REQ_FAILED);
	assert_non_null(strstr(text, "applied 0, discarded 0"));
	assert_non_null(strstr(text, "the record at 1 was refused"));
	assert_non_null(strstr(text, "no 5"));
	assert_queue("keyed.1", "a", STEPS, 1, 3, 3);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_int_equal(scripted.n_rows, 3);
	assert_int_equal(scripted.n_audit, 0);
	assert_int_equal(keyed->n_units_parked, 1);
	/* And it may be asked again. */
	mend();
	assert_true(retry(st));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
}

/* Why it stays is why it was refused last. */
static void
what_is_refused_once_more_says_why_in_its_row(void **state)
{
	struct stage *st = *state;
	const struct store_parked *row;

	stage_begin(st);
	park_three(st);
	row = parked(keyed, "document", "a", 2);
	assert_string_equal(row->cause, "behind a parked record");
	assert_int_equal(row->n_refused, 0);
	mend();
	refuse_number(2);
	st->now = 70000;
	assert_true(retry(st));
	/* The answer says what is durable. */
	while (!parked(keyed, "document", "a", 2)->n_refused) {
		struct job *job = next(st);

		assert_non_null(job);
		run(job, FINE);
		assert_no_answer(st);
		back(st, job);
	}
	row = parked(keyed, "document", "a", 2);
	assert_string_equal(row->cause, "rejected by fold");
	assert_string_equal(row->detail, "no 2");
	assert_int_equal(row->refused_at_ms, STAGE_AT_MS + 70000);
	/* Those behind it were not tried. */
	assert_int_equal(parked(keyed, "document", "a", 3)->n_refused, 0);
	settle(st);
	(void)answer(st, STORE_REQ_FAILED);
	assert_true(request(st, keyed, STEPS, "retry", "document", "a", 2));
	settle(st);
	(void)answer(st, STORE_REQ_FAILED);
	assert_int_equal(parked(keyed, "document", "a", 2)->n_refused, 2);
}

static void
what_is_refused_further_on_keeps_itself_and_what_is_behind(void **state)
{
	struct stage *st = *state;
	const char *text;

	stage_begin(st);
	park_three(st);
	mend();
	refuse_number(2);
	assert_true(retry(st));
	settle(st);
	text = answer(st, STORE_REQ_FAILED);
	assert_non_null(strstr(text, "applied 1, discarded 0"));
	assert_non_null(strstr(text, "the record at 2 was refused"));
	assert_queue("keyed.1", "a", STEPS, 2, 3, 2);
	assert_int_equal(stored(keyed, "a", "_steps"), 15);
	assert_int_equal(scripted.n_rows, 2);
	assert_int_equal(scripted.n_audit, 1);
}

static void
what_would_make_the_document_too_large_stays_with_what_is_behind(void **state)
{
	struct stage *st = *state;
	char more[1200];

	(void)snprintf(more, sizeof(more), ",\"text\":\"%01000d\"", 1);
	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, STEPS, 1, "a", 5, "");
	feed(st, STEPS, 2, "a", 2, more);
	feed(st, STEPS, 3, "a", 3, "");
	feed(st, STEPS, 4, "a", 4, "");
	settle(st);
	mend();
	assert_true(retry(st));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "the record at 2 was refused"));
	assert_int_equal(stored(keyed, "a", "_steps"), 15);
	assert_queue("keyed.1", "a", STEPS, 2, 4, 3);
	assert_int_equal(scripted.n_rows, 3);
	assert_non_null(parked(keyed, "document", "a", 2));
}

/*
 * Two are at fault: the one behind is seen at once, the one before it only when
 * the write is refused that has all before the first.
 */
static void
what_the_store_refuses_is_found_before_what_the_module_refused(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, STEPS, 1, "a", 5, "");
	feed(st, STEPS, 2, "a", 2, ",\"text\":\"" SCRIPTED_POISON "\"");
	feed(st, STEPS, 3, "a", 7, "");
	settle(st);
	mend();
	refuse_number(7);
	assert_true(retry(st));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "applied 1, discarded 0; then the record at 2 "
			       "was refused"));
	assert_int_equal(stored(keyed, "a", "_steps"), 15);
	assert_queue("keyed.1", "a", STEPS, 2, 3, 2);
}

static void
what_is_not_there_is_said_to_be_not_there(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	assert_true(retry(st));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_FAILED), "nothing is parked");
	assert_true(request(st, keyed, STEPS, "retry", "document", "none", 0));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_FAILED), "nothing is parked");
	assert_null(scripted_doc("keyed.1", PJ_STR("none")));
	assert_true(request(st, keyed, STEPS, "retry", "key", "a", 0));
	assert_string_equal(answer(st, STORE_REQ_FAILED), "nothing is parked");
	assert_true(request(st, keyed, STEPS, "discard", "record", "", 7));
	assert_string_equal(answer(st, STORE_REQ_FAILED), "nothing is parked");
}

/* A promotion, or another owner, has claimed one of two generations. */
static void
a_generation_that_was_let_go_of_answers_nothing(void **state)
{
	static const struct pj_reads words_only[] = {
		{&words_topic, PJ_BIT(STEP)}, {NULL, 0}};
	struct stage *st = *state;
	struct pj_projection projection = keyed_projection;
	struct lane *words;

	projection.name = "words";
	projection.reads = words_only;
	words = stage_lane(st, &projection);
	stage_begin(st);
	park_three(st);
	mend();
	keyed->let_go = true;
	assert_false(retry(st));
	assert_true(request(st, words, WORDS, "retry", "document", "a", 1));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_FAILED), "nothing is parked");
	/* It is live still: the request is there still. */
	keyed->let_go = false;
	assert_true(retry(st));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 3, discarded 0, nothing is left");
}

static void
rows_that_are_gone_are_told_and_the_queue_stays(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	while (scripted.n_rows)
		scripted_row_free(&scripted.rows[--scripted.n_rows]);
	assert_true(retry(st));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "its rows are not in the store"));
	assert_queue("keyed.1", "a", STEPS, 1, 3, 3);
}

static void
one_request_for_a_queue_at_a_time(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	mend();
	assert_true(retry(st));
	assert_false(retry(st));
	finish(st, next_rows(st), FINE);
	assert_false(retry(st));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
}

/* ---- Given up --------------------------------------------------------------
 */

static void
a_discarded_head_is_passed_and_the_rest_is_applied(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 1));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 2, discarded 1, nothing is left");
	assert_int_equal(stored(keyed, "a", "_steps"), 123);
	assert_int_equal(scripted.n_rows, 0);
	assert_true(audited("discarded keyed.1 document a steps/0@1 reason "
			    "somebody"));
	assert_true(audited("retried keyed.1 document a steps/0@2 reason "
			    "somebody"));
	assert_int_equal(keyed->n_discarded, 1);
	assert_int_equal(keyed->n_retried, 2);
	assert_int_equal(core_counts(st->core).discarded, 1);
	/* It stays given up. */
	mend();
	scripted_point("keyed.1", FIRST_SOURCE)->next = -1;
	scripted_point("keyed.1", FIRST_SOURCE)->anchor_offset = -1;
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 123);
}

static void
only_the_record_that_was_named_is_ever_discarded(void **state)
{
	static const int64_t behind[] = {2, 3, 4};
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	for (size_t i = 0; i < COUNT(behind); i++) {
		assert_true(request(st, keyed, STEPS, "discard", "document",
				    "a", behind[i]));
		settle(st);
		assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
				       "not the one to be discarded"));
		assert_queue("keyed.1", "a", STEPS, 1, 3, 3);
		assert_int_equal(stored(keyed, "a", "_steps"), 1);
		assert_int_equal(scripted.n_rows, 3);
	}
	/*
	 * It is out of the queue already. So it was given up by an owner that
	 * ended before it had said so, and the same request goes on with what
	 * was behind; or a retry came between. A retry gives nothing up, so
	 * whichever it was, to try the rest is right, and what was asked for is
	 * done. In the log it may be below what is parked: nothing is given up.
	 */
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 0));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_DONE),
			       "the record at 0 had left the queue before, "
			       "applied 0, discarded 0; the queue goes on with "
			       "a record that stays: the record at 1"));
	assert_queue("keyed.1", "a", STEPS, 1, 3, 3);
	mend();
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 0));
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 3, discarded 0, nothing is left");
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
}

static void
behind_a_discarded_head_a_refused_record_stays(void **state)
{
	struct stage *st = *state;
	const char *text;

	stage_begin(st);
	park_three(st);
	refuse_number(3);
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 1));
	settle(st);
	/* What was asked for is done. */
	text = answer(st, STORE_REQ_DONE);
	assert_non_null(strstr(text, "discard done: applied 1, discarded 1"));
	assert_non_null(strstr(text, "the record at 3 was refused"));
	assert_queue("keyed.1", "a", STEPS, 3, 3, 1);
	assert_int_equal(stored(keyed, "a", "_steps"), 12);
	assert_int_equal(scripted.n_rows, 1);
}

static void
a_discarded_record_counts_in_its_keys_sequence(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	refuse_number(5);
	feed_numbered(st, STEPS, 0, "a", 1, 1);
	feed_numbered(st, STEPS, 1, "a", 5, 2);
	feed_numbered(st, STEPS, 2, "a", 2, 3);
	settle(st);
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 1));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 12);
	feed_numbered(st, STEPS, 3, "a", 3, 4);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 123);
	assert_int_equal(scripted.n_rows, 0);
}

static void
behind_a_discarded_record_that_nobody_can_read_any_sequence_may_follow(
	void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed_numbered(st, STEPS, 0, "a", 1, 1);
	feed_raw(st, STEPS, 1, "a", "no json");
	feed_numbered(st, STEPS, 2, "a", 2, 9);
	feed_numbered(st, STEPS, 3, "a", 3, 10);
	settle(st);
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 1));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 123);
	/* The same where all but the number can be read. */
	feed_raw(st, STEPS, 4, "a",
		 "{\"eventType\":\"Step\",\"data\":{\"id\":\"a\",\"n\":4},"
		 "\"sequence\":\"eleven\"}");
	feed_numbered(st, STEPS, 5, "a", 5, 12);
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 4, 5, 2);
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 4));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 1235);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_queue_is_drained_in_order_and_nothing_is_left),
		TEST(rows_go_only_after_the_document_has_landed),
		TEST(live_records_queue_behind_what_is_being_drained),
		TEST(a_long_queue_is_drained_in_pieces),
		TEST(a_queue_of_an_earlier_owner_is_drained),
		TEST(a_head_that_is_refused_again_keeps_everything_as_it_was),
		TEST(what_is_refused_once_more_says_why_in_its_row),
		TEST(what_is_refused_further_on_keeps_itself_and_what_is_behind),
		TEST(what_would_make_the_document_too_large_stays_with_what_is_behind),
		TEST(what_the_store_refuses_is_found_before_what_the_module_refused),
		TEST(what_is_not_there_is_said_to_be_not_there),
		TEST(a_generation_that_was_let_go_of_answers_nothing),
		TEST(rows_that_are_gone_are_told_and_the_queue_stays),
		TEST(one_request_for_a_queue_at_a_time),
		TEST(a_discarded_head_is_passed_and_the_rest_is_applied),
		TEST(only_the_record_that_was_named_is_ever_discarded),
		TEST(behind_a_discarded_head_a_refused_record_stays),
		TEST(a_discarded_record_counts_in_its_keys_sequence),
		TEST(behind_a_discarded_record_that_nobody_can_read_any_sequence_may_follow),
	};

	return cmocka_run_group_tests_name("core_drain", tests, NULL, NULL);
}
