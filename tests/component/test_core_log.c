/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs that are not what they were (rule 10): who has something missing stops
 * by name, the others go on.
 */
#include "tests/component/core_stops.h"

static void
begin_with_three(struct stage *st)
{
	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, STEPS, 1, "a", 2, "");
	feed(st, STEPS, 2, "b", 3, "");
	settle(st);
	assert_int_equal(checkpoint(keyed, STEPS), 3);
}

static void
a_log_that_goes_on_as_it_was_is_read_on(void **state)
{
	struct stage *st = *state;

	begin_with_three(st);
	stage_begin(st);
	assert_int_equal(st->from[STEPS], 2);
	replay(st);
	feed(st, STEPS, 3, "a", 4, "");
	settle(st);
	assert_false(lane_is_stopped(keyed));
	assert_int_equal(stored(keyed, "a", "_steps"), 124);
	assert_int_equal(stored(keyed, "b", "_steps"), 3);
}

static void
another_record_where_the_last_one_was_stops_before_anything_is_applied(
	void **state)
{
	struct stage *st = *state;

	begin_with_three(st);
	stage_begin(st);
	st->n_log--; /* another history from here on */
	free(st->log[st->n_log].key);
	free(st->log[st->n_log].value);
	feed(st, STEPS, 2, "b", 4, "");
	feed(st, STEPS, 3, "a", 4, "");
	settle(st);
	assert_stopped(st, keyed, "steps/0", "another one now");
	assert_stopped(st, calm, "at 2", "another one now");
	assert_int_equal(stored(keyed, "a", "_steps"), 12);
	assert_int_equal(stored(keyed, "b", "_steps"), 3);
	assert_int_equal(checkpoint(keyed, STEPS), 3);
}

static void
a_last_record_that_is_gone_stops(void **state)
{
	struct stage *st = *state;

	begin_with_three(st);
	stage_begin(st);
	feed(st, STEPS, 3, "a", 4, "");
	settle(st);
	assert_stopped(st, keyed, "at 2", "gone");
	assert_int_equal(stored(keyed, "a", "_steps"), 12);
	assert_int_equal(checkpoint(keyed, STEPS), 3);
}

static void
a_log_that_ends_before_the_last_record_stops(void **state)
{
	struct stage *st = *state;

	begin_with_three(st);
	stage_begin(st);
	core_reached(st->core, &st->parts[STEPS], 2);
	settle(st);
	assert_stopped(st, keyed, "ends at 2", "steps/0");
	assert_int_equal(checkpoint(keyed, STEPS), 3);
}

/* Only who had come that far has lost anything. */
static void
a_sibling_that_is_not_as_far_reads_what_there_is(void **state)
{
	struct stage *st = *state;

	begin_with_three(st);
	*scripted_point("calm.1", FIRST_SOURCE) = (struct store_checkpoint){
		.generation = "calm.1",
		.source = FIRST_SOURCE,
		.next = -1,
		.epoch = scripted_point("calm.1", FIRST_SOURCE)->epoch,
		.anchor_offset = -1,
	};
	stage_begin(st);
	st->n_log--;
	free(st->log[st->n_log].key);
	free(st->log[st->n_log].value);
	replay(st);
	feed(st, STEPS, 5, "c", 4, "");
	settle(st);
	assert_stopped(st, keyed, "at 2", "gone");
	assert_false(lane_is_stopped(calm));
	assert_int_equal(st->told_stopped, 1);
	assert_int_equal(stored(calm, "a", "count"), 2);
	assert_int_equal(stored(calm, "c", "count"), 1);
	assert_int_equal(checkpoint(calm, STEPS), 6);
	assert_int_equal(checkpoint(keyed, STEPS), 3);
}

/*
 * Records that it has yet to read were removed. Those that are further on read
 * what there is, once they have seen what they applied last.
 */
static void
records_that_were_removed_stop_only_who_had_them_to_read(void **state)
{
	struct stage *st = *state;
	struct store_checkpoint before;
	struct pj_error why;

	stage_begin(st);
	feed(st, STEPS, 499, "a", 1, "");
	settle(st);
	before = *scripted_point("calm.1", FIRST_SOURCE);
	feed(st, STEPS, 999, "a", 2, "");
	settle(st);
	before.epoch = scripted_point("calm.1", FIRST_SOURCE)->epoch;
	*scripted_point("calm.1", FIRST_SOURCE) = before;
	stage_begin(st);
	assert_int_equal(st->from[STEPS], 499);
	(void)pj_error_set(&why, PJ_ERROR_STOP, "499 is outside the log");
	assert_true(core_stop_partition(st->core, &st->parts[STEPS], &why));
	assert_stopped(st, calm, "499", "outside");
	assert_false(lane_is_stopped(keyed));
	core_drop(st->core);
	stage_take_on(st);
	assert_int_equal(st->from[STEPS], 999);
	replay(st);
	feed(st, STEPS, 1000, "a", 3, "");
	settle(st);
	assert_false(lane_is_stopped(keyed));
	assert_int_equal(stored(keyed, "a", "_steps"), 123);
	assert_int_equal(checkpoint(keyed, STEPS), 1001);
	assert_int_equal(stored(calm, "a", "count"), 2);
	assert_int_equal(checkpoint(calm, STEPS), 500);
	assert_int_equal(st->told_stopped, 1);
	/* That it goes on is no reason to believe that the log is the same. */
	stage_begin(st);
	calm->stop = why;
	core_drop(st->core);
	stage_take_on(st);
	assert_int_equal(st->from[STEPS], 1000);
	feed(st, STEPS, 1001, "a", 4, "");
	settle(st);
	assert_stopped(st, keyed, "at 1000", "gone");
	assert_int_equal(checkpoint(keyed, STEPS), 1001);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_log_that_goes_on_as_it_was_is_read_on),
		TEST(another_record_where_the_last_one_was_stops_before_anything_is_applied),
		TEST(a_last_record_that_is_gone_stops),
		TEST(a_log_that_ends_before_the_last_record_stops),
		TEST(a_sibling_that_is_not_as_far_reads_what_there_is),
		TEST(records_that_were_removed_stop_only_who_had_them_to_read),
	};

	return cmocka_run_group_tests_name("core_log", tests, NULL, NULL);
}
