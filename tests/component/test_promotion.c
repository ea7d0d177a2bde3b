/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation takes the live one's place on a real LMDB store: when, and over
 * whom not. The log is what the test says it is.
 */
#include "tests/support/generation_fixture.h"
#include "lib/clock.h"
#include "projector/promotion.h"

/* Generation 1 of stock is live, 2 is the candidate; both read stock/0. */
struct scene {
	struct fixture *fx;
	struct lane candidate;
	struct promotion pro;
	struct promotion_end end; /* of stock/0 */
};

static void
scene_open(struct scene *s, struct fixture *fx)
{
	struct lane live;
	bool resumed;
	int32_t number;

	memset(s, 0, sizeof(*s));
	s->fx = fx;
	OK(fx, store_source(fx->ses, "stock", 0, &s->end.source, &fx->err));
	(void)attach_live(fx, &live);
	assert_int_equal(
		attach_candidate(fx, &mine, &s->candidate, &number, &resumed),
		2);
	promotion_init(&s->pro, fx->ses, &s->candidate, 1);
	s->pro.grace_ms = 0;
}

/* The end is asked for after whatever the step does first. */
static int
try_step(struct scene *s, bool near)
{
	return promotion_step(&s->pro, &s->end, 1, INT64_MAX, near,
			      &s->fx->err);
}

static void
step(struct scene *s, bool near)
{
	OK(s->fx, try_step(s, near));
}

static void
step_asked_at(struct scene *s, int64_t asked_mono_ms)
{
	OK(s->fx, promotion_step(&s->pro, &s->end, 1, asked_mono_ms, true,
				 &s->fx->err));
}

/* The candidate has applied all below `next` of stock/0. */
static void
candidate_at(struct scene *s, int64_t next)
{
	fixture_checkpoint(s->fx, "stock.2", s->end.source, next);
}

static void
assert_live(struct fixture *fx, int32_t number, int32_t previous)
{
	struct store_live live = live_of(fx);

	assert_int_equal(live.number, number);
	assert_int_equal(live.previous, previous);
}

/* ---- As it should be ------------------------------------------------------
 */

static void
with_nothing_live_a_complete_candidate_becomes_it(void **state)
{
	struct scene s;
	struct lane lane;
	bool resumed;
	int32_t live;

	memset(&s, 0, sizeof(s));
	s.fx = *state;
	OK(s.fx,
	   store_source(s.fx->ses, "stock", 0, &s.end.source, &s.fx->err));
	assert_int_equal(attach_candidate(s.fx, &mine, &lane, &live, &resumed),
			 1);
	assert_int_equal(live, 0);
	promotion_init(&s.pro, s.fx->ses, &lane, 0);
	s.end.next = 5;
	fixture_checkpoint(s.fx, "stock.1", s.end.source, 4);
	step(&s, true);
	assert_int_equal(live_number(s.fx), 0);
	fixture_checkpoint(s.fx, "stock.1", s.end.source, 5);
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_DONE);
	assert_live(s.fx, 1, 0);
	assert_int_equal(state_of(s.fx, 1), STORE_GEN_READY);
	promotion_release(&s.pro);
}

static void
the_live_one_is_fenced_when_the_candidate_is_near(void **state)
{
	struct scene s;
	struct store_checkpoint owner;

	scene_open(&s, *state);
	owner = fixture_claim(s.fx, "stock.1", s.end.source);
	s.end.next = 100;
	step(&s, false);
	owner.next = 90;
	assert_false(fixture_save(s.fx, &owner));
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_REACHING);
	owner.next = 91;
	assert_true(fixture_save(s.fx, &owner));
	promotion_release(&s.pro);
}

static void
the_pointer_moves_when_the_end_after_the_fence_is_reached(void **state)
{
	struct scene s;

	scene_open(&s, *state);
	fixture_checkpoint(s.fx, "stock.1", s.end.source, 10);
	candidate_at(&s, 12);
	s.end.next = 20;
	/* Beyond the live one's position, but its documents may be further. */
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_REACHING);
	assert_live(s.fx, 1, 0);
	candidate_at(&s, 19);
	step(&s, true);
	assert_live(s.fx, 1, 0);
	/* What comes meanwhile nobody can have seen: it is not waited for. */
	s.end.next = 30;
	candidate_at(&s, 20);
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_DONE);
	assert_live(s.fx, 2, 1);
	assert_int_equal(state_of(s.fx, 2), STORE_GEN_READY);
	assert_int_equal(s.pro.n_fences, 1);
	promotion_release(&s.pro);
}

static void
an_end_that_was_asked_for_within_the_grace_is_none(void **state)
{
	struct scene s;
	int64_t before;

	scene_open(&s, *state);
	fixture_checkpoint(s.fx, "stock.1", s.end.source, 10);
	candidate_at(&s, 10);
	s.end.next = 10;
	s.pro.grace_ms = 60000;
	before = clock_mono_ms();
	step_asked_at(&s, before);
	step_asked_at(&s, clock_mono_ms());
	assert_int_equal(s.pro.phase, PROMOTION_FENCED);
	/* It is the time of asking that counts, not of looking at it. */
	step_asked_at(&s, s.pro.fenced_mono_ms + s.pro.grace_ms - 1);
	assert_int_equal(s.pro.phase, PROMOTION_FENCED);
	assert_live(s.fx, 1, 0);
	assert_true(s.pro.fenced_mono_ms >= before);
	step_asked_at(&s, s.pro.fenced_mono_ms + s.pro.grace_ms);
	assert_int_equal(s.pro.phase, PROMOTION_DONE);
	promotion_release(&s.pro);
}

static void
a_partition_without_records_is_no_obstacle(void **state)
{
	struct scene s;

	scene_open(&s, *state);
	(void)fixture_claim(s.fx, "stock.1", s.end.source);
	(void)fixture_claim(s.fx, "stock.2", s.end.source);
	step(&s, true); /* both at -1, the log's end is 0 */
	assert_int_equal(s.pro.phase, PROMOTION_DONE);
	promotion_release(&s.pro);
}

static void
topics_that_the_candidate_no_longer_reads_are_not_waited_for(void **state)
{
	struct scene s;
	int32_t gone;

	scene_open(&s, *state);
	assert_false(module_reads_topic(mine.mod, "gone"));
	OK(s.fx, store_source(s.fx->ses, "gone", 0, &gone, &s.fx->err));
	fixture_checkpoint(s.fx, "stock.1", gone, 10);
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_DONE);
	promotion_release(&s.pro);
}

/* ---- Others ----------------------------------------------------------------
 */

static void
a_claim_that_breaks_the_fence_has_it_put_up_again(void **state)
{
	struct scene s;
	struct store_checkpoint owner;

	scene_open(&s, *state);
	owner = fixture_claim(s.fx, "stock.1", s.end.source);
	s.end.next = 10;
	step(&s, true);
	/* Somebody was assigned the partition, and may apply up to 20. */
	owner = fixture_claim(s.fx, "stock.1", s.end.source);
	candidate_at(&s, 10);
	step(&s, true);
	assert_live(s.fx, 1, 0);
	assert_int_equal(s.pro.phase, PROMOTION_CATCHING_UP);
	owner.next = 20;
	assert_false(fixture_save(s.fx, &owner));
	s.end.next = 20;
	step(&s, true);
	assert_int_equal(s.pro.n_fences, 2);
	assert_live(s.fx, 1, 0);
	assert_true(fixture_save(s.fx, &owner));
	candidate_at(&s, 20);
	step(&s, true);
	assert_live(s.fx, 2, 1);
	promotion_release(&s.pro);
}

static void
a_new_partition_of_the_live_one_breaks_the_fence_too(void **state)
{
	struct scene s;
	int32_t second;

	scene_open(&s, *state);
	OK(s.fx, store_source(s.fx->ses, "stock", 1, &second, &s.fx->err));
	fixture_checkpoint(s.fx, "stock.1", s.end.source, 10);
	s.end.next = 10;
	step(&s, true);
	(void)fixture_claim(s.fx, "stock.1", second);
	candidate_at(&s, 10);
	step(&s, true);
	assert_live(s.fx, 1, 0);
	assert_int_equal(s.pro.phase, PROMOTION_CATCHING_UP);
	promotion_release(&s.pro);
}

/* Between the last look at the rows and the move there is a moment. */
static void
the_pointer_does_not_move_over_a_claim(void **state)
{
	struct fixture *fx = *state;
	struct store_live seen;
	struct lane live;
	bool moved;

	(void)attach_live(fx, &live);
	(void)fixture_claim(fx, "stock.1", 0);
	seen = live_of(fx);
	(void)fixture_claim(fx, "stock.1", 0);
	OK(fx,
	   store_live_promote(fx->ses, "stock", &seen, 2, &moved, &fx->err));
	assert_false(moved);
	assert_live(fx, 1, 0);
	seen = live_of(fx);
	/* Of the candidate, or of another projection, it does not matter. */
	(void)fixture_claim(fx, "stock.2", 0);
	(void)fixture_claim(fx, "stocks.1", 0);
	(void)fixture_claim(fx, "stock.11", 0);
	OK(fx,
	   store_live_promote(fx->ses, "stock", &seen, 2, &moved, &fx->err));
	assert_true(moved);
	assert_live(fx, 2, 1);
}

static void
a_pointer_that_somebody_moved_is_a_named_stop(void **state)
{
	struct scene s;

	scene_open(&s, *state);
	s.end.next = 10;
	move_live(s.fx, 1, 7);
	assert_int_equal(try_step(&s, true), -1);
	assert_int_equal(s.fx->err.cls, PJ_ERROR_STOP);
	assert_non_null(strstr(s.fx->err.text, "stock"));
	assert_int_equal(live_number(s.fx), 7);
	promotion_release(&s.pro);
}

static void
a_pointer_that_somebody_moves_under_the_fence_is_a_named_stop(void **state)
{
	struct scene s;

	scene_open(&s, *state);
	s.end.next = 10;
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_REACHING);
	move_live(s.fx, 1, 7);
	candidate_at(&s, 10);
	assert_int_equal(try_step(&s, true), -1);
	assert_int_equal(s.fx->err.cls, PJ_ERROR_STOP);
	assert_int_equal(live_number(s.fx), 7);
	assert_int_equal(state_of(s.fx, 2), STORE_GEN_BUILDING);
	promotion_release(&s.pro);
}

static void
a_move_whose_answer_was_lost_is_found_done(void **state)
{
	struct scene s;

	scene_open(&s, *state);
	s.end.next = 10;
	step(&s, true);
	candidate_at(&s, 10);
	move_live(s.fx, 1, 2);
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_DONE);
	assert_int_equal(state_of(s.fx, 2), STORE_GEN_READY);
	promotion_release(&s.pro);
}

static void
whoever_comes_after_one_that_died_goes_on(void **state)
{
	struct scene s;

	scene_open(&s, *state);
	fixture_checkpoint(s.fx, "stock.1", s.end.source, 10);
	s.end.next = 10;
	step(&s, true);
	promotion_release(&s.pro); /* it died with the fence up */
	promotion_init(&s.pro, s.fx->ses, &s.candidate, 1);
	s.pro.grace_ms = 0;
	candidate_at(&s, 10);
	step(&s, true);
	assert_int_equal(s.pro.phase, PROMOTION_DONE);
	assert_live(s.fx, 2, 1);
	promotion_release(&s.pro);
}

/* ---- A log that is not what it was -----------------------------------------
 */

static void
what_the_live_one_has_applied_must_be_in_the_log(void **state)
{
	struct scene s;

	scene_open(&s, *state);
	fixture_checkpoint(s.fx, "stock.1", s.end.source, 50);
	candidate_at(&s, 20);
	s.end.next = 20;
	assert_int_equal(try_step(&s, true), -1);
	assert_int_equal(s.fx->err.cls, PJ_ERROR_STOP);
	assert_non_null(strstr(s.fx->err.text, "stock/0 up to 50"));
	assert_non_null(strstr(s.fx->err.text, "up to 20"));
	assert_live(s.fx, 1, 0);
	promotion_release(&s.pro);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_LMDB(with_nothing_live_a_complete_candidate_becomes_it),
		ON_LMDB(the_live_one_is_fenced_when_the_candidate_is_near),
		ON_LMDB(the_pointer_moves_when_the_end_after_the_fence_is_reached),
		ON_LMDB(an_end_that_was_asked_for_within_the_grace_is_none),
		ON_LMDB(a_partition_without_records_is_no_obstacle),
		ON_LMDB(topics_that_the_candidate_no_longer_reads_are_not_waited_for),
		ON_LMDB(a_claim_that_breaks_the_fence_has_it_put_up_again),
		ON_LMDB(a_new_partition_of_the_live_one_breaks_the_fence_too),
		ON_LMDB(the_pointer_does_not_move_over_a_claim),
		ON_LMDB(a_pointer_that_somebody_moved_is_a_named_stop),
		ON_LMDB(a_pointer_that_somebody_moves_under_the_fence_is_a_named_stop),
		ON_LMDB(a_move_whose_answer_was_lost_is_found_done),
		ON_LMDB(whoever_comes_after_one_that_died_goes_on),
		ON_LMDB(what_the_live_one_has_applied_must_be_in_the_log),
	};

	return cmocka_run_group_tests_name("promotion", tests, make_codes,
					   free_codes);
}
