/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes of documents: in doubt, in vain, refused, too late, and of documents
 * that others write, too.
 */
#include "tests/component/core_stage.h"

static struct stage stage;
static struct lane *keyed;

static int
open_stage(void **state)
{
	stage_open(&stage);
	keyed = stage_lane(&stage, &keyed_projection);
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

/* ---- In doubt -------------------------------------------------------------
 */

static void
what_became_of_a_write_is_read_and_never_guessed(void **state)
{
	static const enum mood moods[] = {AWAY, LOST, IN_DOUBT, IN_VAIN};

	for (size_t i = 0; i < COUNT(moods); i++) {
		struct stage *st = *state;
		struct job *job;

		stage_begin(st);
		feed(st, STEPS, 0, "a", 1, "");
		settle(st);
		feed(st, STEPS, 1, "a", 2, "");
		feed(st, STEPS, 2, "b", 3, "");
		job = next_apply(st);
		assert_int_equal(job->batch.n_writes, 2);
		finish(st, job, moods[i]);
		/* Meanwhile it is folded on, and not sent. */
		feed(st, STEPS, 3, "a", 4, "");
		settle(st);
		assert_int_equal(stored(keyed, "a", "_steps"), 124);
		assert_int_equal(stored(keyed, "b", "_steps"), 3);
		assert_int_equal(core_counts(st->core).conflicts, 0);
		assert_int_equal(core_counts(st->core).verified, 2);
		assert_int_equal(checkpoint(keyed, STEPS), 4);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

/* Rule 4: not made again from a document that has changed. */
static void
a_write_without_effect_is_sent_again_byte_for_byte(void **state)
{
	struct stage *st = *state;
	struct store_write *w;
	uint8_t *bytes;
	struct job *job;
	size_t len;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	job = next_apply(st);
	w = &job->batch.writes[0];
	len = w->len;
	bytes = mem_alloc(len);
	memcpy(bytes, w->bson, len);
	finish(st, job, IN_VAIN);
	feed(st, STEPS, 1, "a", 2, "");
	job = next_apply(st);
	w = &job->batch.writes[0];
	assert_int_equal(w->len, len);
	assert_memory_equal(w->bson, bytes, len);
	assert_true(w->insert);
	finish(st, job, FINE);
	free(bytes);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 12);
}

/* Jobs until none is given at this time; no write has an effect. */
static unsigned
run_in_vain(struct stage *st)
{
	struct job *job;
	unsigned n = 0;

	while (n < 100 && (job = next(st))) {
		finish(st, job, IN_VAIN);
		n++;
	}
	return n;
}

/* A store that never says what keeps a document out says nothing of it. */
static void
a_write_that_never_has_an_effect_is_repeated_with_pauses(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	/* Load, write, verify, the same bytes again at once, verify. */
	assert_int_equal(run_in_vain(st), 5);
	for (int i = 0; i < 3; i++) {
		st->now += 10000;
		assert_int_equal(run_in_vain(st), 2);
	}
	assert_int_equal(st->out, 1);
	assert_int_equal(checkpoint(keyed, STEPS), -1);
	/* The index is gone: nothing was lost. */
	st->now += 10000;
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
}

/* ---- Refused ---------------------------------------------------------------
 */

/*
 * The second event is in memory when the third repeats its number, but then the
 * store refuses it: the third is the one that counts, and waits behind it.
 */
static void
a_repeat_shares_the_fate_of_what_it_repeats(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed_numbered(st, STEPS, 0, "a", 1, 1);
	feed_raw(st, STEPS, 1, "a",
		 "{\"eventType\":\"Step\",\"data\":{\"id\":\"a\",\"n\":2,"
		 "\"text\":\"" SCRIPTED_POISON "\"},\"sequence\":2}");
	feed_numbered(st, STEPS, 2, "a", 3, 2);
	feed_raw(st, STEPS, 3, "a",
		 "{\"eventType\":\"Unheard\",\"data\":{},\"sequence\":3}");
	feed_numbered(st, STEPS, 4, "a", 4, 5);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_string_equal(parked(keyed, "document", "a", 1)->cause,
			    "document cannot be stored");
	assert_string_equal(parked(keyed, "document", "a", 1)->detail,
			    "with this event the document cannot be stored: "
			    "its index does not take it");
	assert_queue("keyed.1", "a", STEPS, 1, 4, 4);
	assert_int_equal(checkpoint(keyed, STEPS), 5);
	assert_true(request(st, keyed, STEPS, "discard", "document", "a", 1));
	settle(st);
	/* 2 was given up, so the repeat of 2 is one, too; 4 never came. */
	assert_non_null(
		strstr(answer(st, STORE_REQ_DONE), "got 5, expected 4"));
	assert_queue("keyed.1", "a", STEPS, 4, 4, 1);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
}

/*
 * A document that is refused is folded again, record by record; what of it was
 * unchanged or repeated hangs on the same write.
 */
static void
an_event_counts_when_it_is_durable_and_once(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	feed_numbered(st, STEPS, 0, "a", 1, 1);
	feed_raw(st, STEPS, 1, "a",
		 "{\"eventType\":\"Step\",\"data\":{\"id\":\"a\",\"n\":2,"
		 "\"text\":\"" SCRIPTED_POISON "\"}}");
	feed_numbered(st, WORDS, 0, "a", 3, 1);
	feed_numbered(st, WORDS, 1, "a", 4, 1);
	feed_raw(st, WORDS, 2, "a",
		 "{\"eventType\":\"Idle\",\"data\":{\"id\":\"a\"}}");
	while ((job = next_apply(st)) && !writes(job, "a"))
		finish(st, job, FINE);
	assert_non_null(job);
	assert_int_equal(keyed->n_applied, 0);
	assert_int_equal(keyed->n_repeated, 0);
	assert_int_equal(keyed->n_unchanged, 0);
	finish(st, job, FINE);
	settle(st);
	assert_int_equal(keyed->n_applied, 2);
	assert_int_equal(keyed->n_repeated, 1);
	assert_int_equal(keyed->n_unchanged, 1);
	assert_int_equal(keyed->n_parked, 1);
	/* Where nothing is under way there is nothing to wait for. */
	feed_numbered(st, WORDS, 3, "a", 4, 1);
	assert_int_equal(keyed->n_repeated, 2);
	settle(st);
}

static void
one_document_that_cannot_be_stored_holds_back_no_other(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, ",\"text\":\"" SCRIPTED_POISON "\"");
	feed(st, STEPS, 1, "b", 2, "");
	feed(st, WORDS, 0, "a", 3, "");
	feed(st, STEPS, 2, "c", 4, "");
	settle(st);
	assert_int_equal(stored(keyed, "a", "_words"), 3);
	assert_int_equal(stored(keyed, "b", "_steps"), 2);
	assert_int_equal(stored(keyed, "c", "_steps"), 4);
	assert_queue("keyed.1", "a", STEPS, 0, 0, 1);
	assert_int_equal(scripted.n_rows, 1);
}

/* ---- Too late
 * ---------------------------------------------------------------- */

/* Rule 3: the store's word that there is none is good for five minutes. */
static void
an_insert_is_sent_within_five_minutes_of_its_load_or_not_at_all(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	finish(st, next(st), FINE);
	st->now += BATCH_INSERT_MS;
	job = next(st);
	assert_true(writes(job, "a"));
	finish(st, job, FINE);
	settle(st);
	feed(st, STEPS, 1, "b", 1, "");
	finish(st, next(st), FINE);
	st->now += BATCH_INSERT_MS + 1;
	/* Meanwhile somebody else has made it. */
	another_writes(keyed, "b", 100);
	while ((job = next(st)) && job->kind != JOB_LOAD) {
		assert_false(writes(job, "b"));
		finish(st, job, FINE);
	}
	assert_non_null(job);
	assert_int_equal(job->n_entries, 1);
	finish(st, job, FINE);
	settle(st);
	assert_int_equal(core_counts(st->core).conflicts, 0);
	assert_int_equal(stored(keyed, "b", "sum"), 101);
}

static void
an_insert_that_is_sent_again_is_as_young(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	job = next_apply(st);
	assert_true(writes(job, "a"));
	finish(st, job, IN_VAIN);
	job = next(st);
	assert_int_equal(job->kind, JOB_LOAD); /* verify: it is not there */
	finish(st, job, FINE);
	/* The process was stopped for a while. */
	st->now += BATCH_INSERT_MS + 1;
	job = next(st);
	assert_non_null(job);
	assert_int_equal(job->kind, JOB_LOAD);
	finish(st, job, FINE);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
}

/* A known document has a token to compare: however old that is. */
static void
a_replacement_is_never_too_late(void **state)
{
	struct stage *st = *state;
	struct job *job;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	feed(st, STEPS, 1, "a", 2, "");
	st->now += 10 * BATCH_INSERT_MS;
	job = next(st);
	assert_true(writes(job, "a"));
	assert_false(job->batch.writes[0].insert);
	finish(st, job, FINE);
	settle(st);
}

/* ---- Documents that others write (rule 7)
 * ------------------------------------ */

/* `a` is lost to another owner; its re-fold is ready to be sent. */
static void
lose(struct stage *st, int64_t offset, int64_t n)
{
	struct job *job;

	feed(st, STEPS, offset, "a", n, "");
	while (!(job = next_apply(st)) || !writes(job, "a")) {
		if (job)
			finish(st, job, FINE);
		st->now += 10;
	}
	another_writes(keyed, "a", 0);
	finish(st, job, FINE);
	job = next(st);
	assert_int_equal(job->kind, JOB_LOAD);
	finish(st, job, FINE);
}

static void
a_document_lost_to_another_owner_goes_alone_and_first(void **state)
{
	struct stage *st = *state;
	struct job *job;

	st->set.max_apply_jobs = 1;
	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, STEPS, 1, "b", 1, "");
	feed(st, STEPS, 2, "c", 1, "");
	settle(st);
	feed(st, STEPS, 3, "b", 2, "");
	feed(st, STEPS, 4, "a", 2, "");
	job = next_apply(st);
	assert_int_equal(job->batch.n_writes, 2);
	feed(st, STEPS, 5, "c", 3, "");
	another_writes(keyed, "a", 0);
	finish(st, job, FINE);
	job = next(st); /* what became of it is read */
	assert_int_equal(job->kind, JOB_LOAD);
	finish(st, job, FINE);
	job = next(st);
	assert_true(writes(job, "a"));
	assert_int_equal(job->batch.n_writes, 1);
	finish(st, job, FINE);
	job = next(st);
	assert_true(writes(job, "c"));
	finish(st, job, FINE);
	settle(st);
	assert_int_equal(core_counts(st->core).conflicts, 1);
	assert_int_equal(stored(keyed, "a", "_steps"), 12);
}

/* When the next write of `a` is sent after a win that took `took`. */
static int64_t
held_for(struct stage *st, int64_t offset, int64_t took)
{
	struct job *job = next_apply(st);
	int64_t won;

	assert_true(writes(job, "a"));
	run(job, FINE);
	st->now += took;
	back(st, job);
	won = st->now;
	feed(st, STEPS, offset, "a", 1, "");
	feed(st, STEPS_1, offset, "other", 1, "");
	for (;;) {
		job = next(st);
		if (job && job->kind == JOB_APPLY && writes(job, "a"))
			break;
		if (job)
			finish(st, job, FINE);
		else
			st->now++;
		assert_true(st->now < won + 10000);
	}
	/* Others did not wait for it. */
	if (st->now > won)
		assert_true(stored(keyed, "other", "count") > 0);
	finish(st, job, FINE);
	return st->now - won;
}

static void
after_a_win_the_others_get_a_turn(void **state)
{
	static const struct {
		int64_t took, held;
	} cases[] = {{0, 20}, {3, 20}, {5, 20}, {6, 24}, {50, 200}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stage *st = *state;

		stage_begin(st);
		feed(st, STEPS, 0, "a", 1, "");
		settle(st);
		lose(st, 1, 2);
		assert_int_equal(held_for(st, 2, cases[i].took), cases[i].held);
		settle(st);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

static void
a_document_of_ones_own_is_never_held(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	assert_int_equal(held_for(st, 1, 500), 0);
	settle(st);
}

static void
turns_get_longer_while_more_than_half_is_lost_and_then_end(void **state)
{
	struct stage *st = *state;
	int64_t before, held = 0, offset = 0;

	stage_begin(st);
	feed(st, STEPS, offset++, "a", 1, "");
	settle(st);
	for (int round = 0; round < 4; round++) {
		before = held;
		for (int i = 0; i < 6; i++)
			lose(st, offset++, 1);
		held = held_for(st, offset++, 0);
		assert_true(held >= (before ? 2 * before : 20));
		assert_true(held <= 2000);
	}
	/* The others are gone: it is one's own again. */
	for (int i = 0; i < 12; i++) {
		feed(st, STEPS, offset++, "a", 1, "");
		st->now += 5000;
		settle(st);
	}
	feed(st, STEPS, offset++, "a", 1, "");
	assert_int_equal(held_for(st, offset, 100), 0);
	settle(st);
}

static void
an_owner_that_always_loses_says_so(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed(st, STEPS, 0, "a", 1, "");
	settle(st);
	for (int64_t i = 1; i <= 19; i++)
		lose(st, i, 1);
	assert_int_equal(st->told_losing, 0);
	lose(st, 20, 1);
	assert_int_equal(st->told_losing, 1);
	settle(st);
	assert_int_equal(stored(keyed, "a", "count"), 21);
}

/* ---- Revoked --------------------------------------------------------------
 */

/* Rule 9: nothing tests a decision that nothing changes but the cache. */
static void
what_another_owner_wrote_between_two_assignments_is_seen(void **state)
{
	struct stage *st = *state;
	struct core *revoked;

	stage_begin(st);
	feed_set(st, STEPS, 0, "a", 1);
	settle(st);
	revoked = st->core;
	core_drop(revoked);
	st->core = NULL;
	stage_begin(st);
	replay(st);
	feed_set(st, STEPS, 1, "a", 2);
	settle(st);
	core_free(st->core);
	st->core = revoked;
	stage_take_on(st);
	assert_int_equal(st->from[STEPS], 1);
	replay(st);
	feed_set(st, STEPS, 2, "a", 1);
	settle(st);
	assert_int_equal(stored(keyed, "a", "_set"), 1);
	assert_int_equal(checkpoint(keyed, STEPS), 3);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_became_of_a_write_is_read_and_never_guessed),
		TEST(a_write_without_effect_is_sent_again_byte_for_byte),
		TEST(a_write_that_never_has_an_effect_is_repeated_with_pauses),
		TEST(a_repeat_shares_the_fate_of_what_it_repeats),
		TEST(an_event_counts_when_it_is_durable_and_once),
		TEST(one_document_that_cannot_be_stored_holds_back_no_other),
		TEST(an_insert_is_sent_within_five_minutes_of_its_load_or_not_at_all),
		TEST(an_insert_that_is_sent_again_is_as_young),
		TEST(a_replacement_is_never_too_late),
		TEST(a_document_lost_to_another_owner_goes_alone_and_first),
		TEST(after_a_win_the_others_get_a_turn),
		TEST(a_document_of_ones_own_is_never_held),
		TEST(turns_get_longer_while_more_than_half_is_lost_and_then_end),
		TEST(an_owner_that_always_loses_says_so),
		TEST(what_another_owner_wrote_between_two_assignments_is_seen),
	};

	return cmocka_run_group_tests_name("core_write", tests, NULL, NULL);
}
