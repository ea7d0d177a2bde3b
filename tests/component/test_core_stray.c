/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that producers place in more than one partition of a topic. */
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

static void
a_key_that_changes_its_partition_is_told_and_loses_nothing(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, WORDS, 0, "a", 2, "");
	feed(st, STEPS, 1, "a", 3, "");
	feed(st, STEPS_1, 0, "b", 4, "");
	settle(st);
	assert_int_equal(core_counts(st->core).strayed, 0);
	feed(st, STEPS_1, 1, "a", 5, "");
	settle(st);
	assert_int_equal(core_counts(st->core).strayed, 1);
	assert_int_equal(st->told_strayed, 1);
	assert_int_equal(stored(keyed, "a", "count"), 4);
	/* Where it belongs now is known; told once, another process included.
	 */
	feed(st, STEPS_1, 2, "a", 6, "");
	feed(st, STEPS, 2, "a", 7, "");
	settle(st);
	stage_begin(st);
	replay(st);
	feed(st, STEPS_1, 3, "a", 8, "");
	settle(st);
	assert_int_equal(core_counts(st->core).strayed, 0);
	assert_int_equal(st->told_strayed, 1);
	assert_int_equal(stored(keyed, "a", "count"), 7);
}

static void
documents_that_any_key_may_feed_have_no_partition_to_leave(void **state)
{
	struct stage *st = *state;

	(void)stage_lane(st, &spread_projection);
	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "x");
	feed(st, WORDS, 0, "b", 2, "x");
	feed(st, STEPS_1, 0, "c", 3, "x");
	settle(st);
	assert_int_equal(core_counts(st->core).strayed, 0);
	assert_int_equal(st->told_strayed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_key_that_changes_its_partition_is_told_and_loses_nothing,
			open_stage, close_stage),
		cmocka_unit_test_setup_teardown(
			documents_that_any_key_may_feed_have_no_partition_to_leave,
			open_stage, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
