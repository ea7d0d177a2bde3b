/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drains that are disturbed: an answer is lost, somebody else writes, the
 * process or the projection ends in the middle. Each record counts once.
 */
#include "tests/component/drain_steps.h"

static void
a_lost_answer_does_not_apply_twice(void **state)
{
	static const enum mood moods[] = {LOST, IN_DOUBT, IN_VAIN, AWAY};

	for (size_t i = 0; i < COUNT(moods); i++) {
		struct stage *st = *state;
		struct job *job;

		stage_begin(st);
		park_three(st);
		mend();
		assert_true(retry(st));
		finish(st, next_rows(st), FINE);
		job = next_apply(st);
		assert_true(writes(job, "a"));
		finish(st, job, moods[i]);
		settle(st);
		assert_string_equal(answer(st, STORE_REQ_DONE),
				    "applied 3, discarded 0, nothing is left");
		assert_int_equal(stored(keyed, "a", "_steps"), 1523);
		assert_int_equal(scripted.n_rows, 0);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

static void
a_conflict_drains_again_on_what_is_there(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	park_three(st);
	mend();
	assert_true(retry(st));
	finish(st, next_rows(st), FINE);
	job = next_apply(st);
	another_writes(keyed, "a", 100);
	finish(st, job, FINE);
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(core_counts(st->core).conflicts, 1);
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
	assert_int_equal(stored(keyed, "a", "sum"), 1 + 5 + 2 + 3 + 100);
	assert_int_equal(scripted.n_rows, 0);
}

static void
a_refusal_that_comes_with_a_conflict_keeps_what_is_behind(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	park_three(st);
	mend();
	assert_true(retry(st));
	finish(st, next_rows(st), FINE);
	job = next_apply(st);
	another_writes(keyed, "a", 100);
	refuse_number(2); /* by what the other wrote */
	finish(st, job, FINE);
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "the record at 2 was refused"));
	assert_int_equal(stored(keyed, "a", "_steps"), 15);
	assert_queue("keyed.1", "a", STEPS, 2, 3, 2);
	assert_int_equal(scripted.n_rows, 2);
}

/* The process ends after any number of jobs; who follows is asked once more. */
static void
a_crash_after_any_job_changes_nothing_in_the_result(void **state)
{
	for (unsigned jobs = 0; jobs < 24; jobs++) {
		struct stage *st = *state;
		struct core_answer a;

		stage_begin(st);
		park_three(st);
		mend();
		assert_true(retry(st));
		for (unsigned i = 0; i < jobs / 2; i++) {
			struct job *job = next(st);

			if (i == 1)
				feed(st, STEPS, 4, "a", 4, "");
			st->now += 250;
			if (job)
				finish(st, job, FINE);
		}
		if (jobs % 2) { /* one more, whose answer nobody hears */
			struct job *job = next(st);

			if (job) {
				run(job, FINE);
				core_drop(st->core);
				back(st, job);
			}
		}
		stage_begin(st);
		replay(st);
		settle(st);
		assert_true(retry(st));
		settle(st);
		while (core_take_answer(st->core, &a))
			;
		if (jobs < 4) /* not fed before */
			feed(st, STEPS, 4, "a", 4, "");
		settle(st);
		assert_int_equal(stored(keyed, "a", "_steps"), 15234);
		assert_no_queue("keyed.1", "a", STEPS);
		assert_int_equal(scripted.n_rows, 0);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

/* The document was written and the process gone before the rows were. */
static void
drain_and_end(struct stage *st, const char *action)
{
	struct job *job;

	assert_true(request(st, keyed, STEPS, action, "document", "a", 1));
	finish(st, next_rows(st), FINE);
	job = next_apply(st);
	assert_true(writes(job, "a"));
	run(job, FINE);
	core_drop(st->core);
	back(st, job);
	stage_begin(st);
	replay(st);
	settle(st);
}

static void
rows_that_a_crash_left_behind_are_kept_in_the_audit_and_go(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	mend();
	drain_and_end(st, "retry");
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
	assert_int_equal(scripted.n_rows, 3);
	/* The request is still there for the next owner. */
	assert_true(retry(st));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_DONE),
			       "cleared 3 that had left the queue before"));
	assert_int_equal(stored(keyed, "a", "_steps"), 1523);
	assert_int_equal(scripted.n_rows, 0);
	assert_int_equal(scripted.n_audit, 3);
	assert_int_equal(strncmp(scripted.audit[0], "cleared ", 8), 0);
}

/* Somebody may park there again, before the rows of old are gone. */
static void
rows_that_a_crash_left_behind_are_not_those_that_wait_now(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	mend();
	drain_and_end(st, "retry");
	refuse_number(6);
	feed(st, STEPS, 4, "a", 6, "");
	feed(st, STEPS, 5, "a", 7, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 4, 5, 2);
	assert_int_equal(scripted.n_rows, 5);
	mend();
	assert_true(retry(st));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_DONE), "applied 2"));
	assert_int_equal(stored(keyed, "a", "_steps"), 152367);
	assert_int_equal(scripted.n_rows, 0);
}

static void
a_discard_that_a_crash_cut_short_goes_on_with_the_rest(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	park_three(st);
	refuse_number(2);
	drain_and_end(st, "discard");
	assert_queue("keyed.1", "a", STEPS, 2, 3, 2);
	mend();
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 1));
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_DONE), "applied 2"));
	assert_int_equal(stored(keyed, "a", "_steps"), 123);
	assert_int_equal(scripted.n_rows, 0);
}

static void
a_retry_in_a_stopped_lane_fails_and_says_why(void **state)
{
	struct stage *st = *state;
	struct pj_error why;

	stage_begin(st);
	park_three(st);
	(void)pj_error_set(&why, PJ_ERROR_STOP, "the topic is another one");
	core_stop_lane(st->core, keyed, &why);
	assert_true(retry(st));
	assert_string_equal(answer(st, STORE_REQ_FAILED),
			    "the topic is another one");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 1, 3, 3);
	assert_int_equal(scripted.n_rows, 3);
}

/* Whatever was under way, the rows and the queue are those of before or after.
 */
static void
a_lane_that_stops_during_a_drain_leaves_it_whole(void **state)
{
	for (unsigned jobs = 0; jobs < 8; jobs++) {
		struct stage *st = *state;
		struct pj_error why;
		struct job *out;

		stage_begin(st);
		park_three(st);
		mend();
		assert_true(retry(st));
		for (unsigned i = 0; i < jobs; i++)
			if ((out = next(st)))
				finish(st, out, FINE);
		out = next(st);
		if (out)
			run(out, FINE);
		(void)pj_error_set(&why, PJ_ERROR_STOP, "stopped");
		core_stop_lane(st->core, keyed, &why);
		if (out)
			back(st, out);
		settle(st);
		stage_begin(st);
		replay(st);
		assert_true(retry(st));
		settle(st);
		assert_int_equal(stored(keyed, "a", "_steps"), 1523);
		assert_no_queue("keyed.1", "a", STEPS);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

/*
 * Of 300 rows 200 are written and on their way out of the store, when the lane
 * stops. The others are being fetched, or folded and not yet sent.
 */
static void
stop_in_the_second_piece(struct stage *st, bool folded)
{
	struct job *rows, *unparks, *load = NULL;
	struct pj_error why;

	finish(st, next_rows(st), FINE);
	finish(st, next_apply(st), FINE);
	rows = next_rows(st);
	unparks = next_apply(st);
	assert_int_equal(unparks->batch.n_unparks, JOB_ROWS_MAX);
	run(rows, FINE);
	run(unparks, FINE);
	if (folded) {
		back(st, rows);
		feed(st, STEPS, 1000, "b", 1, "");
		load = next(st);
		assert_int_equal(load->kind, JOB_LOAD);
		run(load, FINE);
	}
	(void)pj_error_set(&why, PJ_ERROR_STOP, "stopped");
	core_stop_lane(st->core, keyed, &why);
	back(st, folded ? load : rows);
	assert_no_answer(st);
	back(st, unparks);
}

static void
a_drain_that_a_stop_cuts_short_never_says_that_nothing_is_left(void **state)
{
	enum { N = JOB_ROWS_MAX + 100 };

	for (int folded = 0; folded < 2; folded++) {
		struct stage *st = *state;

		stage_begin(st);
		refuse_number(5);
		feed(st, STEPS, 0, "a", 5, "");
		for (int64_t i = 1; i < N; i++)
			feed(st, STEPS, i, "a", 1, "");
		settle(st);
		mend();
		assert_true(
			request(st, keyed, STEPS, "retry", "document", "a", 0));
		stop_in_the_second_piece(st, folded);
		assert_string_equal(answer(st, STORE_REQ_FAILED),
				    "applied 200, discarded 0; then stopped");
		assert_int_equal(scripted.n_rows, N - JOB_ROWS_MAX);
		assert_queue("keyed.1", "a", STEPS, JOB_ROWS_MAX, N - 1,
			     N - JOB_ROWS_MAX);
		settle(st);
		stage_begin(st);
		replay(st);
		assert_true(retry(st));
		settle(st);
		assert_int_equal(stored(keyed, "a", "count"), N);
		assert_int_equal(scripted.n_rows, 0);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

/* Whoever gives a partition back waits for that, and then has the answer. */
static void
nothing_is_saved_before_the_rows_of_a_drain_have_gone(void **state)
{
	struct stage *st = *state;
	struct job *job;

	for (int drop = 0; drop < 2; drop++) {
		stage_begin(st);
		park_three(st);
		mend();
		assert_true(retry(st));
		while ((job = next(st)) && !job->n_unparks)
			finish(st, job, FINE);
		assert_non_null(job);
		assert_int_equal(job->batch.n_writes, 0);
		assert_null(next(st));
		run(job, FINE);
		assert_false(core_is_saved(st->core));
		assert_no_answer(st);
		if (drop) { /* too late for it: nothing is waited for */
			core_drop(st->core);
			assert_true(core_is_saved(st->core));
		}
		back(st, job);
		assert_true(core_is_saved(st->core));
		if (!drop)
			assert_string_equal(
				answer(st, STORE_REQ_DONE),
				"applied 3, discarded 0, nothing is left");
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

/* A refusal writes nothing that could meet the other's write (rule 1). */
static void
a_retry_is_tried_on_what_the_store_holds_now(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed_numbered(st, STEPS, 0, "a", 1, 1);
	feed_numbered(st, STEPS, 1, "a", 3, 3);
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 1, 1, 1);
	/* The one that is missing comes by another owner's partition. */
	another_counts(keyed, "a", 0, 2);
	assert_true(retry(st));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 13);
	assert_int_equal(scripted.n_rows, 0);
}

/* 5 is refused; a process ends with rows of all, but for one, and no marker. */
static void
leave_rows_without(struct stage *st, int64_t offset)
{
	struct job *job;

	stage_begin(st);
	refuse_number(5);
	feed(st, STEPS, 0, "a", 5, "");
	feed(st, STEPS, 1, "a", 1, "");
	feed(st, STEPS, 2, "a", 2, "");
	while ((job = next_apply(st)) && job->n_parked == 0)
		finish(st, job, FINE);
	assert_int_equal(job->n_parked, 3);
	run(job, FINE);
	core_drop(st->core);
	back(st, job);
	for (size_t i = 0; i < scripted.n_rows; i++)
		if (scripted.rows[i].row.offset == offset) {
			scripted_row_free(&scripted.rows[i]);
			scripted.rows[i] = scripted.rows[--scripted.n_rows];
		}
	assert_int_equal(scripted.n_rows, 2);
	stage_begin(st);
}

/*
 * Who follows is asked to retry before it has read any of it, and reads it
 * while the rows are fetched: they are those of before the queue that it has
 * begun.
 */
static void
a_look_from_before_the_queue_began_says_nothing_of_it(void **state)
{
	struct stage *st = *state;
	struct job *job;

	leave_rows_without(st, 0);
	assert_true(request(st, keyed, STEPS, "retry", "document", "a", 0));
	job = next_rows(st);
	run(job, FINE);
	replay(st);
	back(st, job);
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "the record at 0 was refused"));
	assert_queue("keyed.1", "a", STEPS, 0, 2, 3);
	mend();
	assert_true(request(st, keyed, STEPS, "retry", "document", "a", 0));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 512);
	assert_int_equal(scripted.n_rows, 0);
}

/* The queue grows before it can be looked for in the store. */
static void
rows_are_looked_for_when_all_of_them_are_durable(void **state)
{
	struct stage *st = *state;
	struct job *load;

	leave_rows_without(st, 1);
	feed(st, STEPS, 0, "a", 5, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 0, 0, 1);
	mend();
	assert_true(request(st, keyed, STEPS, "retry", "document", "a", 0));
	load = next(st);
	assert_int_equal(load->kind, JOB_LOAD);
	finish(st, load, FINE);
	feed(st, STEPS, 1, "a", 1, "");
	feed(st, STEPS, 2, "a", 2, "");
	settle(st);
	assert_string_equal(answer(st, STORE_REQ_DONE),
			    "applied 3, discarded 0, nothing is left");
	assert_int_equal(stored(keyed, "a", "_steps"), 512);
}

/*
 * Asked for while a write is out, before which nothing was parked: when it
 * lands, the queue that has begun meanwhile is in memory, its row is not yet in
 * the store. It is waited for, not missed.
 */
static void
rows_that_are_on_their_way_are_waited_for(void **state)
{
	struct stage *st = *state;
	struct job *write;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	write = next_apply(st);
	assert_true(writes(write, "a"));
	run(write, FINE);
	assert_true(retry(st));
	refuse_number(5);
	feed(st, STEPS, 1, "a", 5, "");
	back(st, write);
	assert_no_answer(st);
	settle(st);
	assert_non_null(strstr(answer(st, STORE_REQ_FAILED),
			       "the record at 1 was refused"));
	assert_queue("keyed.1", "a", STEPS, 1, 1, 1);
	mend();
	assert_true(retry(st));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(keyed, "a", "_steps"), 15);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_look_from_before_the_queue_began_says_nothing_of_it),
		TEST(rows_are_looked_for_when_all_of_them_are_durable),
		TEST(rows_that_are_on_their_way_are_waited_for),
		TEST(a_retry_is_tried_on_what_the_store_holds_now),
		TEST(a_lost_answer_does_not_apply_twice),
		TEST(a_conflict_drains_again_on_what_is_there),
		TEST(a_refusal_that_comes_with_a_conflict_keeps_what_is_behind),
		TEST(a_crash_after_any_job_changes_nothing_in_the_result),
		TEST(rows_that_a_crash_left_behind_are_kept_in_the_audit_and_go),
		TEST(rows_that_a_crash_left_behind_are_not_those_that_wait_now),
		TEST(a_discard_that_a_crash_cut_short_goes_on_with_the_rest),
		TEST(nothing_is_saved_before_the_rows_of_a_drain_have_gone),
		TEST(a_retry_in_a_stopped_lane_fails_and_says_why),
		TEST(a_lane_that_stops_during_a_drain_leaves_it_whole),
		TEST(a_drain_that_a_stop_cuts_short_never_says_that_nothing_is_left),
	};

	return cmocka_run_group_tests_name("core_drain_again", tests, NULL,
					   NULL);
}
