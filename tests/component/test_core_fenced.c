/* SPDX-License-Identifier: Apache-2.0 */
/* An owner that was replaced, and jobs that outlive what they were for. */
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
offers(struct stage *st)
{
	struct job *job = next(st);

	if (job)
		finish(st, job, FINE);
	return job != NULL;
}

static void
who_was_replaced_writes_no_position_and_does_nothing_more(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	struct job *job;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	assert_false(core_is_fenced(st->core));
	(void)scripted_claim("keyed.1", FIRST_SOURCE);
	feed(st, STEPS, 1, "a", 2, "");
	feed(st, WORDS, 0, "b", 2, "");
	for (int i = 0; i < 100 && !core_is_fenced(st->core); i++) {
		job = next(st);
		if (job)
			finish(st, job, FINE);
		st->now += 300;
	}
	assert_true(core_is_fenced(st->core));
	assert_int_equal(checkpoint(keyed, STEPS), 1);
	feed(st, STEPS, 2, "c", 1, "");
	st->now += 60000;
	assert_null(next(st));
	assert_int_equal(core_jobs_out(st->core), 0);
	/* Everything goes with the claim; under a new one it starts afresh. */
	core_drop(st->core);
	assert_int_equal(st->out, 0);
	assert_false(core_is_fenced(st->core));
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 12);
	assert_int_equal(stored(keyed, "c", "count"), 1);
	assert_int_equal(checkpoint(keyed, STEPS), 3);
}

static void
jobs_that_come_back_after_everything_was_dropped_do_no_harm(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	struct job *load, *apply;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	finish(st, next(st), FINE);
	refuse_number(5);
	feed(st, STEPS, 1, "b", 5, "");
	load = next(st);
	assert_int_equal(load->kind, JOB_LOAD);
	apply = next(st);
	assert_true(writes(apply, "a"));
	core_drop(st->core);
	assert_int_equal(st->out, 0);
	run(apply, FINE);
	run(load, FINE);
	back(st, apply);
	back(st, load);
	assert_false(offers(st));
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_queue("keyed.1", "b", STEPS, 1, 1, 1);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_was_replaced_writes_no_position_and_does_nothing_more),
		TEST(jobs_that_come_back_after_everything_was_dropped_do_no_harm),
	};

	return cmocka_run_group_tests_name("core_fenced", tests, NULL, NULL);
}
