/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Projections that are stopped by name, over too much that cannot be applied.
 * Their siblings go on, their position stays.
 */
#include "tests/component/core_stops.h"

/* ---- Limits ----------------------------------------------------------------
 */

static void
over_so_many_queues_the_projection_stops_and_parks_no_more(void **state)
{
	struct stage *st = *state;

	st->set.limits.park_units = 2;
	refuse_number(5);
	stage_begin(st);
	feed(st, STEPS, 0, "a", 5, "");
	feed(st, STEPS, 1, "b", 5, "");
	feed(st, STEPS, 2, "a", 1, "");
	feed(st, WORDS, 0, "e", 1, "");
	settle(st);
	assert_false(lane_is_stopped(keyed));
	assert_int_equal(checkpoint(keyed, STEPS), 3);
	feed(st, STEPS, 3, "c", 1, "");
	settle(st);
	feed(st, STEPS, 4, "d", 5, "");
	feed(st, STEPS, 5, "c", 2, "");
	feed(st, WORDS, 1, "e", 2, "");
	settle(st);
	assert_stopped(st, keyed, "steps/0@4", "projector.park_units");
	assert_non_null(strstr(keyed->stop.text, "keyed"));
	assert_int_equal(st->told_stopped, 1);
	assert_null(parked(keyed, "document", "d", 4));
	assert_int_equal(scripted.n_rows, 3);
	assert_int_equal(checkpoint(keyed, STEPS), 4);
	assert_int_equal(checkpoint(keyed, WORDS), 1);
	/* The sibling has all of it. */
	assert_false(lane_is_stopped(calm));
	assert_int_equal(checkpoint(calm, STEPS), 6);
	assert_int_equal(checkpoint(calm, WORDS), 2);
	assert_int_equal(stored(calm, "c", "count"), 2);
	assert_int_equal(stored(calm, "e", "count"), 2);
}

static void
what_a_stopped_projection_left_is_all_there_when_it_starts_again(void **state)
{
	struct stage *st = *state;

	st->set.limits.park_units = 1;
	refuse_number(5);
	stage_begin(st);
	feed(st, STEPS, 0, "a", 5, "");
	settle(st);
	feed(st, STEPS, 1, "b", 1, "");
	feed(st, STEPS, 2, "b", 5, "");
	feed(st, STEPS, 3, "b", 2, "");
	feed(st, STEPS, 4, "c", 3, "");
	settle(st);
	assert_true(lane_is_stopped(keyed));
	mend();
	stage_begin(st);
	assert_false(lane_is_stopped(keyed));
	replay(st);
	settle(st);
	assert_int_equal(stored(keyed, "b", "_steps"), 152);
	assert_int_equal(stored(keyed, "c", "_steps"), 3);
	assert_queue("keyed.1", "a", STEPS, 0, 0, 1);
	assert_int_equal(checkpoint(keyed, STEPS), 5);
	assert_int_equal(stored(calm, "b", "count"), 3);
}

static void
over_so_many_records_in_one_queue_the_projection_stops(void **state)
{
	struct stage *st = *state;

	st->set.limits.park_per_unit = 3;
	refuse_number(5);
	stage_begin(st);
	feed(st, STEPS, 0, "a", 5, "");
	feed(st, STEPS, 1, "a", 1, "");
	feed(st, STEPS, 2, "a", 1, "");
	feed(st, STEPS, 3, "b", 5, "");
	settle(st);
	assert_false(lane_is_stopped(keyed));
	feed(st, STEPS, 4, "a", 1, "");
	feed(st, STEPS, 5, "b", 1, "");
	settle(st);
	assert_stopped(st, keyed, "steps/0@4", "projector.park_per_unit");
	assert_queue("keyed.1", "a", STEPS, 0, 2, 3);
	assert_int_equal(scripted.n_rows, 4);
	assert_int_equal(checkpoint(keyed, STEPS), 4);
	assert_int_equal(checkpoint(calm, STEPS), 6);
}

/* Averaged over ten seconds; what waits behind others is no fault of its own.
 */
static void
over_so_many_faults_a_second_the_projection_stops(void **state)
{
	struct stage *st = *state;
	int64_t offset = 0;
	char key[16];

	st->set.limits.park_per_second = 2;
	refuse_number(5);
	stage_begin(st);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		feed(st, STEPS, offset++, key, 5, "");
		feed(st, STEPS, offset++, key, 5, "");
	}
	rest(st);
	assert_false(lane_is_stopped(keyed));
	/* Two a second are let through for good. */
	for (int i = 20; i < 30; i++) {
		st->now += 500;
		(void)snprintf(key, sizeof(key), "k%d", i);
		feed(st, STEPS, offset++, key, 5, "");
		rest(st);
		assert_false(lane_is_stopped(keyed));
	}
	st->now += 499;
	feed(st, STEPS, offset++, "one too many", 5, "");
	rest(st);
	assert_stopped(st, keyed, "steps/0@50", "projector.park_per_second");
	assert_null(scripted_doc("keyed.1", PJ_STR("one too many")));
	settle(st);
	assert_int_equal(checkpoint(calm, STEPS), offset);
}

static void
without_limits_nothing_stops(void **state)
{
	struct stage *st = *state;
	char key[16];

	refuse_number(5);
	stage_begin(st);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		feed(st, STEPS, 2 * i, key, 5, "");
		feed(st, STEPS, 2 * i + 1, "k0", 5, "");
	}
	settle(st);
	assert_false(lane_is_stopped(keyed));
	assert_int_equal(keyed->n_units_parked, 200);
	assert_int_equal(scripted.n_rows, 400);
}

/* Drained queues make room again. */
static void
a_queue_that_is_drained_counts_no_more(void **state)
{
	struct stage *st = *state;

	st->set.limits.park_units = 2;
	refuse_number(5);
	stage_begin(st);
	for (int64_t i = 0; i < 5; i++) {
		feed(st, STEPS, 2 * i, "a", 5, "");
		feed(st, WORDS, i, "b", 5, "");
		settle(st);
		assert_false(lane_is_stopped(keyed));
		assert_int_equal(keyed->n_units_parked, 2);
		assert_true(request(st, keyed, STEPS, "discard", "document",
				    "a", 2 * i));
		settle(st);
		(void)answer(st, STORE_REQ_DONE);
		assert_true(request(st, keyed, WORDS, "discard", "document",
				    "b", i));
		settle(st);
		(void)answer(st, STORE_REQ_DONE);
		assert_int_equal(keyed->n_units_parked, 0);
	}
}

/* ---- Not even the marker -------------------------------------------------
 */

/* A validator that takes no document at all, or one that was there before it.
 */
static void
where_the_store_takes_not_even_a_marker_the_projection_stops(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	scripted.barred = "keyed.1";
	feed(st, STEPS, 1, "a", 2, "");
	feed(st, STEPS, 2, "a", 3, "");
	settle(st);
	assert_stopped(st, keyed, "document a", "its index does not take it");
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_int_equal(checkpoint(keyed, STEPS), 1);
	assert_false(lane_is_stopped(calm));
	assert_int_equal(stored(calm, "a", "count"), 3);
	assert_int_equal(checkpoint(calm, STEPS), 3);
	/* The validator is gone: nothing was lost. */
	scripted.barred = NULL;
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 123);
	assert_no_queue("keyed.1", "a", STEPS);
}

static void
where_the_store_does_not_take_a_unit_the_projection_stops(void **state)
{
	struct stage *st = *state;
	struct lane *spread = stage_lane(st, &spread_projection);

	stage_begin(st);
	scripted.barred = READMODEL_UNITS;
	feed_raw(st, STEPS, 0, "a", "no json");
	feed_to(st, STEPS, 1, "b", "x", 1);
	settle(st);
	feed_raw(st, STEPS, 2, "a", "no json either");
	settle(st);
	assert_stopped(st, spread, "the queue", "its index does not take it");
	assert_null(scripted_doc("spread.1", PJ_STR("x")));
	assert_int_equal(checkpoint(spread, STEPS), -1);
	/* Their documents have the record's key. */
	assert_false(lane_is_stopped(keyed));
	assert_queue("keyed.1", "a", STEPS, 0, 2, 2);
	scripted.barred = NULL;
	stage_begin(st);
	replay(st);
	settle(st);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "a"), STEPS, 0, 2,
		     2);
	assert_int_equal(stored(spread, "x", "_steps"), 1);
}

/* ---- At any moment
 * ----------------------------------------------------------- */

/*
 * However much was under way: the sibling gets everything, and when the stopped
 * one is started again, it does, too.
 */
static void
a_stop_at_any_moment_loses_nothing(void **state)
{
	for (unsigned at = 0; at < 20; at++) {
		struct stage *st = *state;
		struct job *out[3] = {NULL, NULL, NULL};
		struct pj_error why;

		refuse_number(5);
		stage_begin(st);
		feed(st, STEPS, 0, "a", 1, "");
		feed(st, STEPS, 1, "a", 5, "");
		feed(st, WORDS, 0, "b", 2, "");
		for (unsigned i = 0; i < at / 2; i++) {
			struct job *job = next(st);

			st->now += 250;
			if (i == 2) {
				feed(st, STEPS, 2, "a", 2, "");
				feed(st, STEPS, 3, "b", 3, "");
			}
			if (job)
				finish(st, job, i % 3 == 2 ? LOST : FINE);
		}
		for (size_t i = 0; i < COUNT(out); i++)
			if ((out[i] = next(st)))
				run(out[i], at % 2 ? FINE : AWAY);
		(void)pj_error_set(&why, PJ_ERROR_STOP, "stopped");
		core_stop_lane(st->core, keyed, &why);
		for (size_t i = 0; i < COUNT(out); i++)
			if (out[i])
				back(st, out[i]);
		if (at / 2 <= 2) {
			feed(st, STEPS, 2, "a", 2, "");
			feed(st, STEPS, 3, "b", 3, "");
		}
		settle(st);
		assert_int_equal(checkpoint(calm, STEPS), 4);
		assert_int_equal(checkpoint(calm, WORDS), 1);
		assert_int_equal(stored(calm, "a", "count"), 3);
		assert_int_equal(stored(calm, "b", "count"), 2);
		stage_begin(st);
		replay(st);
		settle(st);
		assert_int_equal(stored(keyed, "a", "_steps"), 1);
		assert_queue("keyed.1", "a", STEPS, 1, 2, 2);
		assert_int_equal(stored(keyed, "b", "_steps"), 3);
		assert_int_equal(stored(keyed, "b", "_words"), 2);
		assert_int_equal(stored(calm, "a", "count"), 3);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

/* A record is parked while it is not known what became of a write. */
static void
a_stop_with_a_row_and_a_write_to_send_again_comes_to_rest(void **state)
{
	struct stage *st = *state;
	struct pj_error why;
	struct job *job;

	refuse_number(5);
	stage_begin(st);
	core_stop_lane(st->core, calm, stopped(&why));
	feed(st, STEPS, 0, "a", 1, "");
	job = next_apply(st);
	assert_true(writes(job, "a"));
	finish(st, job, IN_VAIN);
	job = next(st);
	assert_int_equal(job->kind, JOB_LOAD);
	feed(st, STEPS, 1, "a", 5, "");
	finish(st, job, FINE);
	core_stop_lane(st->core, keyed, stopped(&why));
	settle(st);
	assert_true(core_is_saved(st->core));
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_queue("keyed.1", "a", STEPS, 1, 1, 1);
}

static void
a_stopped_projection_is_given_nothing_and_writes_nothing(void **state)
{
	struct stage *st = *state;
	struct pj_error why;
	unsigned calls;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	(void)pj_error_set(&why, PJ_ERROR_STOP, "first");
	core_stop_lane(st->core, keyed, &why);
	(void)pj_error_set(&why, PJ_ERROR_STOP, "second");
	core_stop_lane(st->core, keyed, &why);
	assert_string_equal(keyed->stop.text, "first");
	assert_int_equal(st->told_stopped, 1);
	core_stop_lane(st->core, calm, &why);
	calls = scripted.calls;
	feed(st, STEPS, 1, "a", 2, "");
	feed_raw(st, STEPS, 2, "b", "no json");
	assert_int_equal(st->out, 0);
	core_reached(st->core, &st->parts[STEPS], 10);
	st->now += 60000;
	assert_null(next(st));
	assert_true(core_is_saved(st->core));
	assert_int_equal(scripted.calls, calls);
}

static void
a_partition_that_is_another_one_stops_those_that_read_its_topic(void **state)
{
	static const struct pj_reads words_only[] = {
		{&words_topic, PJ_BIT(STEP)}, {NULL, 0}};
	struct stage *st = *state;
	struct pj_projection projection = keyed_projection;
	struct lane *words;
	struct pj_error why;

	projection.name = "words";
	projection.reads = words_only;
	words = stage_lane(st, &projection);
	stage_begin(st);
	(void)pj_error_set(&why, PJ_ERROR_STOP, "steps/1: more partitions");
	assert_false(core_stop_partition(st->core, &st->parts[STEPS_1], &why));
	assert_true(lane_is_stopped(keyed));
	assert_true(lane_is_stopped(calm));
	assert_false(lane_is_stopped(words));
	assert_int_equal(st->told_stopped, 2);
	feed(st, WORDS, 0, "a", 1, "");
	settle(st);
	assert_int_equal(stored(words, "a", "_words"), 1);
	assert_int_equal(stored(keyed, "a", "_words"), -1);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(over_so_many_queues_the_projection_stops_and_parks_no_more),
		TEST(what_a_stopped_projection_left_is_all_there_when_it_starts_again),
		TEST(over_so_many_records_in_one_queue_the_projection_stops),
		TEST(over_so_many_faults_a_second_the_projection_stops),
		TEST(without_limits_nothing_stops),
		TEST(a_queue_that_is_drained_counts_no_more),
		TEST(where_the_store_takes_not_even_a_marker_the_projection_stops),
		TEST(where_the_store_does_not_take_a_unit_the_projection_stops),
		TEST(a_stop_at_any_moment_loses_nothing),
		TEST(a_stop_with_a_row_and_a_write_to_send_again_comes_to_rest),
		TEST(a_stopped_projection_is_given_nothing_and_writes_nothing),
		TEST(a_partition_that_is_another_one_stops_those_that_read_its_topic),
	};

	return cmocka_run_group_tests_name("core_stop", tests, NULL, NULL);
}
