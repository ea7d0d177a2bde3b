/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that cannot be applied: what is durable when, what waits behind them,
 * what flows, and what becomes of it all when somebody else wrote meanwhile.
 */
#include "tests/component/core_stage.h"

static struct stage stage;

static int
open_stage(void **state)
{
	stage_open(&stage);
	*state = &stage;
	return 0;
}

static int
close_stage(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

static bool
has_point(const struct job *job, const struct lane *lane, int part)
{
	for (size_t i = 0; i < job->batch.n_checkpoints; i++)
		if (job->batch.checkpoints[i].source == FIRST_SOURCE + part &&
		    strcmp(job->batch.checkpoints[i].generation,
			   lane->generation) == 0)
			return true;
	return false;
}

/* ---- Row, marker, checkpoint --------------------------------------------- */

static void
a_record_is_durable_in_its_row_before_its_document_says_so(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	struct job *row, *marker;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	refuse_number(5);
	feed(st, STEPS, 1, "a", 5, "");
	row = next_apply(st);
	assert_int_equal(row->batch.n_parked, 1);
	assert_false(writes(row, "a"));
	/* Neither the marker nor the position goes while the row is out. */
	st->now += 60000;
	assert_null(next(st));
	run(row, FINE);
	assert_null(next(st));
	assert_int_equal(st->told_parked, 0);
	back(st, row);
	assert_int_equal(st->told_parked, 1);
	marker = next_apply(st);
	assert_true(writes(marker, "a"));
	assert_false(has_point(marker, keyed, STEPS));
	st->now += 60000;
	assert_null(next(st));
	finish(st, marker, FINE);
	assert_queue("keyed.1", "a", STEPS, 1, 1, 1);
	assert_int_equal(checkpoint(keyed, STEPS), 1);
	settle(st);
	assert_int_equal(checkpoint(keyed, STEPS), 2);
	assert_int_equal(stored(keyed, "a", "count"), 1);
}

static void
a_row_that_is_not_known_to_be_durable_is_sent_again(void **state)
{
	static const enum mood moods[] = {AWAY, LOST};
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	struct job *row;

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	for (size_t i = 0; i < COUNT(moods); i++) {
		row = next_apply(st);
		assert_int_equal(row->batch.n_parked, 1);
		assert_int_equal(row->batch.n_writes, 0);
		finish(st, row, moods[i]);
		assert_int_equal(st->outage.cls, PJ_ERROR_RETRY);
		assert_null(next(st));
		st->now += 10000;
	}
	assert_int_equal(checkpoint(keyed, STEPS), -1);
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 0, 0, 1);
	assert_int_equal(scripted.n_rows, 1);
	assert_int_equal(checkpoint(keyed, STEPS), 1);
	assert_int_equal(core_counts(st->core).parked, 1);
	assert_int_equal(st->told_parked, 1);
}

/* Another owner writes the document whenever its marker is about to land. */
static void
a_record_is_told_and_counted_once_however_often_its_marker_is_lost(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	unsigned sent = 0;

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, STEPS, 1, "a", 5, "");
	feed(st, STEPS, 2, "a", 2, "");
	for (int losses = 0; losses < 4;) {
		struct job *job = next_apply(st);

		if (!job) {
			st->now += 100;
			continue;
		}
		sent += (unsigned)job->batch.n_parked;
		if (writes(job, "a")) {
			another_writes(keyed, "a", 0);
			losses++;
		}
		finish(st, job, FINE);
		assert_int_equal(keyed->n_parked, 0);
		assert_int_equal(keyed->n_applied, 0);
		assert_int_equal(core_counts(st->core).parked, 0);
	}
	settle(st);
	assert_true(sent > 2);
	assert_queue("keyed.1", "a", STEPS, 1, 2, 2);
	assert_int_equal(core_counts(st->core).conflicts, 4);
	assert_int_equal(st->told_parked, 2);
	assert_int_equal(keyed->n_applied, 1);
	assert_int_equal(keyed->n_parked, 2);
	assert_int_equal(keyed->n_queued, 1);
	assert_int_equal(keyed->n_units_parked, 1);
	assert_int_equal(core_counts(st->core).parked, 2);
	assert_int_equal(core_counts(st->core).queued, 1);
	/* What comes later is news. */
	feed(st, STEPS, 3, "a", 3, "");
	settle(st);
	assert_int_equal(st->told_parked, 3);
	assert_int_equal(keyed->n_parked, 3);
}

/* At least once: who is gone may not have come to say it. */
static void
after_a_crash_before_the_marker_a_record_is_told_again(void **state)
{
	struct stage *st = *state;

	(void)stage_lane(st, &keyed_projection);
	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	finish(st, next_apply(st), FINE);
	assert_int_equal(st->told_parked, 1);
	core_drop(st->core);
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(st->told_parked, 2);
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(st->told_parked, 2);
}

static void
a_position_waits_for_the_marker_however_long_it_takes(void **state)
{
	static const enum mood moods[] = {AWAY, IN_VAIN, AWAY, IN_VAIN,
					  IN_DOUBT};
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	feed(st, STEPS, 1, "b", 1, "");
	finish(st, next_apply(st), FINE); /* the row, and b */
	for (size_t i = 0; i < COUNT(moods); i++) {
		struct job *job;

		st->now += 10000;
		while (!(job = next_apply(st)) || !writes(job, "a")) {
			if (job)
				finish(st, job, FINE);
			st->now += 1000;
		}
		assert_int_equal(checkpoint(keyed, STEPS), -1);
		finish(st, job, moods[i]);
	}
	settle(st);
	assert_int_equal(checkpoint(keyed, STEPS), 2);
	assert_queue("keyed.1", "a", STEPS, 0, 0, 1);
}

static void
a_row_keeps_the_record_whole_and_says_why(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	const struct store_parked *row;

	stage_begin(st);
	refuse_number(5);
	st->now = 4321;
	feed(st, STEPS, 7, "a", 5, ",\"to\":\"x\"");
	settle(st);
	row = parked(keyed, "document", "a", 7);
	assert_non_null(row);
	assert_string_equal(row->type, "Step");
	assert_string_equal(row->cause, "rejected by fold");
	assert_string_equal(row->detail, "no 5");
	assert_int_equal(row->parked_at_ms, STAGE_AT_MS + 4321);
	assert_int_equal(row->timestamp_ms, STAGE_AT_MS + 7);
	assert_int_equal(row->key.len, 1);
	assert_memory_equal(row->key.ptr, "a", 1);
	assert_int_equal(row->value.len, strlen(st->log[0].value));
	assert_memory_equal(row->value.ptr, st->log[0].value, row->value.len);
	assert_false(row->key_null || row->value_null);
}

/* ---- What waits and what flows --------------------------------------------
 */

static void
later_records_of_the_source_wait_and_all_else_flows(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	const struct store_parked *row;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	refuse_number(5);
	feed(st, STEPS, 1, "a", 5, "");
	feed(st, STEPS, 2, "a", 2, "");
	feed(st, WORDS, 0, "a", 3, "");
	feed(st, STEPS_1, 0, "a", 4, "");
	feed(st, STEPS, 3, "b", 6, "");
	feed(st, STEPS, 4, "a", 5, "");
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 14);
	assert_int_equal(stored(keyed, "a", "_words"), 3);
	assert_int_equal(stored(keyed, "b", "_steps"), 6);
	assert_queue("keyed.1", "a", STEPS, 1, 4, 3);
	assert_no_queue("keyed.1", "a", STEPS_1);
	assert_no_queue("keyed.1", "a", WORDS);
	assert_int_equal(scripted.n_rows, 3);
	row = parked(keyed, "document", "a", 2);
	assert_string_equal(row->cause, "behind a parked record");
	assert_non_null(strstr(row->detail, "1"));
	assert_string_equal(parked(keyed, "document", "a", 4)->cause,
			    "behind a parked record");
	assert_int_equal(checkpoint(keyed, STEPS), 5);
	assert_int_equal(checkpoint(keyed, WORDS), 1);
	assert_int_equal(core_counts(st->core).parked, 3);
	assert_int_equal(core_counts(st->core).queued, 2);
	assert_int_equal(keyed->n_parked, 3);
	assert_int_equal(keyed->n_queued, 2);
	assert_int_equal(keyed->n_units_parked, 1);
	assert_int_equal(st->told_parked, 3);
}

static void
two_sources_of_a_document_may_wait_at_once(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 3, "a", 5, "");
	feed(st, WORDS, 9, "a", 5, "");
	feed(st, STEPS_1, 0, "a", 1, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 3, 3, 1);
	assert_queue("keyed.1", "a", WORDS, 9, 9, 1);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_int_equal(keyed->n_units_parked, 2);
}

static void
what_waits_still_waits_after_the_owner_was_replaced(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	settle(st);
	mend();
	stage_begin(st);
	replay(st);
	feed(st, STEPS, 1, "a", 1, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 0, 1, 2);
	assert_int_equal(stored(keyed, "a", "count"), -1);
	/* Even when no position had been written. */
	scripted_point("keyed.1", FIRST_SOURCE)->next = -1;
	scripted_point("keyed.1", FIRST_SOURCE)->anchor_offset = -1;
	stage_begin(st);
	replay(st);
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 0, 1, 2);
	assert_int_equal(scripted.n_rows, 2);
	assert_int_equal(stored(keyed, "a", "count"), -1);
}

/* Nothing stays in memory but what has to. */
static void
what_waits_still_waits_when_its_document_was_evicted(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);

	st->set.memory_bytes = 2;
	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	settle(st);
	for (int64_t i = 1; i < 6; i++) {
		feed(st, STEPS, 2 * i, "b", 1, "");
		settle(st);
		feed(st, STEPS, 2 * i + 1, "a", 1, "");
		settle(st);
		assert_queue("keyed.1", "a", STEPS, 0, 2 * i + 1, i + 1);
	}
	mend();
	assert_true(request(st, keyed, STEPS, "retry", "document", "a", 0));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 511111);
	assert_int_equal(stored(keyed, "b", "count"), 5);
}

/* ---- Unknown documents ----------------------------------------------------
 */

static void
an_unknown_document_that_is_parked_exists_as_metadata(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	const struct scripted_doc *doc;

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	settle(st);
	doc = scripted_doc("keyed.1", PJ_STR("a"));
	assert_non_null(doc);
	assert_int_equal(doc->meta.state, READMODEL_META_ONLY);
	assert_int_equal(doc->meta.revision, 0);
	assert_int_equal(doc->meta.n_positions, 0);
	assert_int_equal(stored(keyed, "a", "count"), -1);
	/* It lives by what comes from elsewhere. */
	feed(st, WORDS, 0, "a", 1, "");
	settle(st);
	doc = scripted_doc("keyed.1", PJ_STR("a"));
	assert_int_equal(doc->meta.state, READMODEL_LIVE_DOC);
	assert_int_equal(doc->meta.revision, 1);
	assert_queue("keyed.1", "a", STEPS, 0, 0, 1);
}

static void
what_nobody_can_read_waits_in_the_document_of_its_key(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	const struct store_parked *row;

	stage_begin(st);
	feed_raw(st, STEPS, 0, "a", "{\"eventType\":");
	feed(st, STEPS, 1, "a", 1, "");
	feed(st, STEPS, 2, "b", 1, "");
	/* The key is the same one in quotes. */
	feed_raw(st, STEPS, 3, "\"c\"", "no json");
	feed(st, STEPS, 4, "c", 1, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 0, 1, 2);
	assert_queue("keyed.1", "c", STEPS, 3, 4, 2);
	assert_int_equal(stored(keyed, "b", "count"), 1);
	row = parked(keyed, "document", "a", 0);
	assert_non_null(row);
	assert_string_equal(row->type, "");
	assert_true(strlen(row->cause) > 0 && strlen(row->detail) > 0);
	assert_int_equal(scripted_doc("keyed.1", PJ_STR("a"))->meta.state,
			 READMODEL_META_ONLY);
}

static void
what_queues_by_record_key_does_so_in_quotes_and_without(void **state)
{
	struct stage *st = *state;
	struct lane *spread = stage_lane(st, &spread_projection);

	stage_begin(st);
	feed_raw(st, STEPS, 0, "a", "no json");
	feed_raw(st, STEPS, 1, "\"a\"",
		 "{\"eventType\":\"Step\",\"data\":{\"id\":\"a\",\"n\":1,"
		 "\"to\":\"x\"}}");
	feed_to(st, STEPS, 2, "b", "x", 2);
	/* Nothing within quotes is no key. */
	feed_raw(st, STEPS, 3, "\"\"", "no json");
	settle(st);
	assert_int_equal(stored(spread, "x", "_steps"), 2);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "a"), STEPS, 0, 1,
		     2);
	assert_string_equal(parked(spread, "key", "a", 1)->cause,
			    "behind a parked record");
	assert_non_null(parked(spread, "record", "", 3));
}

/* ---- Conflicts ------------------------------------------------------------
 */

static void
a_lost_marker_is_folded_again_to_the_same(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	struct job *job;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	refuse_number(5);
	feed(st, STEPS, 1, "a", 5, "");
	feed(st, STEPS, 2, "a", 2, "");
	finish(st, next_apply(st), FINE); /* the row */
	job = next_apply(st);
	assert_true(writes(job, "a"));
	another_writes(keyed, "a", 30);
	finish(st, job, FINE);
	settle(st);
	assert_int_equal(core_counts(st->core).conflicts, 1);
	assert_int_equal(stored(keyed, "a", "sum"), 31);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_queue("keyed.1", "a", STEPS, 1, 2, 2);
	assert_int_equal(scripted.n_rows, 2);
	assert_int_equal(checkpoint(keyed, STEPS), 3);
	/* One queue, however often it was begun. */
	assert_int_equal(keyed->n_units_parked, 1);
}

static void
a_refusal_that_falls_away_with_the_conflict_leaves_no_queue(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	struct job *job;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	refuse_number(5);
	feed(st, STEPS, 1, "a", 5, "");
	finish(st, next_apply(st), FINE);
	job = next_apply(st);
	another_writes(keyed, "a", 30);
	mend(); /* what the other wrote makes it possible */
	finish(st, job, FINE);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 15);
	assert_no_queue("keyed.1", "a", STEPS);
	assert_int_equal(keyed->n_units_parked, 0);
	/* The row is there, and is none for the protocol. */
	refuse_number(6);
	feed(st, STEPS, 2, "a", 6, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 2, 2, 1);
}

/* ---- Too large -------------------------------------------------------------
 */

static char *
long_text(size_t len)
{
	char *more = mem_alloc(len + 16);

	(void)snprintf(more, len + 16, ",\"text\":\"%0*d\"", (int)len, 1);
	return more;
}

static void
what_makes_a_document_too_large_is_parked_alone(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	char *more = long_text(2000);

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, STEPS, 1, "a", 2, more);
	feed(st, STEPS, 2, "a", 3, "");
	feed(st, WORDS, 0, "a", 4, "");
	feed(st, STEPS, 3, "b", 1, "");
	settle(st);
	free(more);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_int_equal(stored(keyed, "a", "_words"), 4);
	assert_int_equal(stored(keyed, "b", "count"), 1);
	assert_queue("keyed.1", "a", STEPS, 1, 2, 2);
	assert_string_equal(parked(keyed, "document", "a", 1)->cause,
			    "document cannot be stored");
	assert_string_equal(parked(keyed, "document", "a", 2)->cause,
			    "behind a parked record");
	assert_int_equal(checkpoint(keyed, STEPS), 4);
}

static void
a_queue_finds_room_in_a_document_that_is_full(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	size_t len = 500, full = 0;
	char *more;

	/* As long as it may be, found out by trying. */
	while (full + 5 < STAGE_BYTES) {
		stage_close(st);
		stage_open(st);
		keyed = stage_lane(st, &keyed_projection);
		stage_begin(st);
		more = long_text(len++);
		feed(st, STEPS, 0, "a", 1, more);
		free(more);
		settle(st);
		full = scripted_doc("keyed.1", PJ_STR("a"))->len;
	}
	assert_true(full <= STAGE_BYTES);
	refuse_number(5);
	feed(st, STEPS, 1, "a", 5, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 1, 1, 1);
	assert_true(scripted_doc("keyed.1", PJ_STR("a"))->len > STAGE_BYTES);
	assert_int_equal(checkpoint(keyed, STEPS), 2);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_durable_in_its_row_before_its_document_says_so),
		TEST(a_row_that_is_not_known_to_be_durable_is_sent_again),
		TEST(a_record_is_told_and_counted_once_however_often_its_marker_is_lost),
		TEST(after_a_crash_before_the_marker_a_record_is_told_again),
		TEST(a_position_waits_for_the_marker_however_long_it_takes),
		TEST(a_row_keeps_the_record_whole_and_says_why),
		TEST(later_records_of_the_source_wait_and_all_else_flows),
		TEST(two_sources_of_a_document_may_wait_at_once),
		TEST(what_waits_still_waits_after_the_owner_was_replaced),
		TEST(what_waits_still_waits_when_its_document_was_evicted),
		TEST(an_unknown_document_that_is_parked_exists_as_metadata),
		TEST(what_nobody_can_read_waits_in_the_document_of_its_key),
		TEST(what_queues_by_record_key_does_so_in_quotes_and_without),
		TEST(a_lost_marker_is_folded_again_to_the_same),
		TEST(a_refusal_that_falls_away_with_the_conflict_leaves_no_queue),
		TEST(what_makes_a_document_too_large_is_parked_alone),
		TEST(a_queue_finds_room_in_a_document_that_is_full),
	};

	return cmocka_run_group_tests_name("core_park", tests, NULL, NULL);
}
