/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records whose document nobody knows, in a view whose key is not the record
 * key: they wait by record key, or alone, in units that are no documents.
 */
#include "tests/component/spread_stage.h"

/* ---- What waits ------------------------------------------------------------
 */

static void
later_records_of_the_key_wait_and_other_keys_flow(void **state)
{
	struct stage *st = *state;
	const struct store_parked *row;

	undecodable(st, 1);
	stage_begin(st);
	feed_to(st, STEPS, 0, "k", "x", 1);
	feed_to(st, STEPS, 1, "k", "x", 2);
	feed_to(st, STEPS, 2, "k", "x", 3);
	feed_to(st, STEPS, 3, "other", "x", 4);
	feed_to(st, STEPS, 4, "k", "y", 5);
	/* The same key elsewhere is another source's. */
	feed_to(st, STEPS_1, 0, "k", "x", 6);
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), 1 + 4 + 6);
	assert_int_equal(stored(spread, "y", "sum"), -1);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 1, 4,
		     3);
	assert_no_queue("spread.1", "x", STEPS);
	row = parked(spread, "key", "k", 1);
	assert_string_equal(row->cause, "ends the process");
	assert_string_equal(row->type, "");
	row = parked(spread, "key", "k", 2);
	assert_string_equal(row->cause, "behind a parked record");
	assert_string_equal(row->type, "Step");
	assert_non_null(parked(spread, "key", "k", 4));
	assert_int_equal(scripted.n_rows, 3);
	assert_int_equal(checkpoint(spread, STEPS), 5);
	assert_int_equal(spread->n_units_parked, 1);
}

static void
what_nobody_can_read_and_has_no_key_waits_alone(void **state)
{
	struct stage *st = *state;
	const struct store_parked *row;

	stage_begin(st);
	feed_raw(st, STEPS, 0, NULL, "no json");
	feed_raw(st, STEPS, 1, NULL,
		 "{\"eventType\":\"Step\",\"data\":{\"n\":1,\"to\":\"x\"}}");
	feed_raw(st, STEPS, 2, "", "no json either");
	feed_raw(st, STEPS, 3, "",
		 "{\"eventType\":\"Step\",\"data\":{\"n\":2,\"to\":\"x\"}}");
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), 3);
	row = parked(spread, "record", "", 0);
	assert_non_null(row);
	assert_true(row->key_null);
	assert_queue(READMODEL_UNITS, lone_id(spread, STEPS, 0), STEPS, 0, 0,
		     1);
	row = parked(spread, "record", "", 2);
	assert_non_null(row);
	assert_false(row->key_null);
	assert_queue(READMODEL_UNITS, lone_id(spread, STEPS, 2), STEPS, 2, 2,
		     1);
	assert_int_equal(checkpoint(spread, STEPS), 4);
	assert_int_equal(spread->n_units_parked, 2);
}

static void
a_document_key_that_is_not_there_is_waited_for_by_record_key(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed(st, STEPS, 0, "k", 1, ""); /* of nobody */
	feed_to(st, STEPS, 1, "k", "x", 2);
	settle(st);
	assert_string_equal(parked(spread, "key", "k", 0)->cause,
			    "unknown document key");
	assert_string_equal(parked(spread, "key", "k", 1)->cause,
			    "behind a parked record");
	assert_int_equal(stored(spread, "x", "sum"), -1);
}

static void
pair_key(const struct pj_options *options, const struct pj_event *ev,
	 struct pj_keys *keys)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)options;
	pj_key2(keys, pj_string(data, STEP__TO), pj_string(data, STEP__ALSO));
}

/* Known, and yet no document can have it: nothing else is in doubt. */
static void
a_document_key_that_is_too_long_waits_alone(void **state)
{
	struct stage *st = *state;
	struct pj_projection pair = spread_projection;
	struct lane *lane;
	char more[512];

	pair.name = "pair";
	pair.key = pair_key;
	lane = stage_lane(st, &pair);
	stage_begin(st);
	/* Each colon takes three bytes of the key. */
	(void)snprintf(more, sizeof(more), ",\"to\":\"%0200d\",\"also\":\"y\"",
		       0);
	for (char *at = more; *at; at++)
		if (*at == '0')
			*at = ':';
	feed(st, STEPS, 0, "k", 1, more);
	feed(st, STEPS, 1, "k", 2, ",\"to\":\"x\",\"also\":\"y\"");
	settle(st);
	assert_string_equal(parked(lane, "record", "k", 0)->cause,
			    "long document key");
	assert_queue(READMODEL_UNITS, lone_id(lane, STEPS, 0), STEPS, 0, 0, 1);
	assert_int_equal(stored(lane, "x:y", "sum"), 2);
	assert_int_equal(stored(spread, "x", "sum"), 2);
	assert_int_equal(scripted.n_rows, 1);
}

/* One record key, however it is written (docs: keys are normalised). */
static void
a_key_in_quotes_is_the_same_key(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed_raw(st, STEPS, 0, "\"k\"", "no json");
	feed_to(st, STEPS, 1, "k", "x", 2);
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), -1);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 0, 1,
		     2);
}

/* Never half applied: one of its documents is not known. */
static void
an_event_of_a_known_and_an_unknown_document_waits_for_both(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	feed_to(st, STEPS, 0, "k", "x", 1);
	feed(st, STEPS, 1, "k", 2, ",\"to\":\"x\",\"also\":null");
	feed(st, STEPS, 2, "m", 3, ",\"also\":\"x\"");
	feed(st, STEPS, 3, "l", 4, ",\"to\":\"x\",\"also\":\"y\"");
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), 1 + 2 + 4);
	assert_int_equal(stored(spread, "y", "sum"), 4);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "m"), STEPS, 2, 2,
		     1);
	assert_int_equal(scripted.n_rows, 1);
}

/* ---- Crashes ---------------------------------------------------------------
 */

/* A crash with the unit not yet written: nothing may have passed it. */
static void
what_a_crash_leaves_of_a_unit_is_done_again(void **state)
{
	for (unsigned jobs = 0; jobs < 30; jobs++) {
		struct stage *st = *state;

		stage_begin(st);
		undecodable(st, 1);
		feed_to(st, STEPS, 0, "k", "x", 1);
		feed_to(st, STEPS, 1, "k", "x", 2);
		feed_to(st, STEPS, 2, "k", "y", 3);
		feed_to(st, STEPS, 3, "o", "x", 4);
		feed_to(st, STEPS, 4, "k", "x", 5);
		for (unsigned i = 0; i < jobs; i++) {
			struct job *job = next(st);

			st->now += 250;
			if (job)
				finish(st, job, FINE);
		}
		stage_begin(st);
		replay(st);
		settle(st);
		assert_int_equal(stored(spread, "x", "_steps"), 14);
		assert_int_equal(stored(spread, "y", "sum"), -1);
		assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"),
			     STEPS, 1, 4, 3);
		assert_int_equal(scripted.n_rows, 3);
		assert_int_equal(checkpoint(spread, STEPS), 5);
		(void)close_stage(state);
		(void)open_stage(state);
	}
}

/* ---- Under one owner after the other ----------------------------------------
 */

/* The position of a lane as if none had ever been written: it may be that old.
 */
static void
forget_position(void)
{
	scripted_point("spread.1", FIRST_SOURCE)->next = -1;
	scripted_point("spread.1", FIRST_SOURCE)->anchor_offset = -1;
}

static void
a_unit_goes_on_where_the_last_owner_left_it(void **state)
{
	struct stage *st = *state;

	undecodable(st, 0);
	stage_begin(st);
	feed_to(st, STEPS, 0, "k", "x", 1);
	settle(st);
	st->n_undecodable = 0;
	stage_begin(st);
	replay(st);
	feed_to(st, STEPS, 1, "k", "x", 2);
	settle(st);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 0, 1,
		     2);
	assert_int_equal(stored(spread, "x", "sum"), -1);
	assert_int_equal(spread->n_units_parked, 1);
	/* And with no position written, from the start. */
	forget_position();
	stage_begin(st);
	replay(st);
	settle(st);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 0, 1,
		     2);
	assert_int_equal(stored(spread, "x", "sum"), -1);
	assert_int_equal(scripted.n_rows, 2);
}

/* Other code was adopted before its position was written: it has a key now. */
static void
a_lone_record_that_has_a_key_by_now_stays_where_it_waits(void **state)
{
	struct stage *st = *state;

	undecodable(st, 100);
	stage_begin(st);
	feed_raw(st, STEPS, 100, NULL,
		 "{\"eventType\":\"Step\",\"data\":{\"n\":7,\"to\":\"x\"}}");
	settle(st);
	assert_queue(READMODEL_UNITS, lone_id(spread, STEPS, 100), STEPS, 100,
		     100, 1);
	forget_position();
	st->n_undecodable = 0;
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), -1);
	assert_true(request(st, spread, STEPS, "retry", "record", "", 100));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(stored(spread, "x", "sum"), 7);
	/* Nor is it applied once more when it has left. */
	forget_position();
	stage_begin(st);
	replay(st);
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), 7);
}

/* Nothing stays in memory but what has to, and units do. */
static void
a_unit_is_known_however_little_memory_there_is(void **state)
{
	struct stage *st = *state;

	st->set.memory_bytes = 2;
	stage_begin(st);
	for (int64_t i = 0; i < 4; i++) {
		st->undecodable[0] = 10 * i;
		st->n_undecodable = 1;
		feed_to(st, STEPS, 10 * i, "k", "x", 1);
		settle(st);
		assert_false(core_must_reread(st->core));
		feed_to(st, STEPS, 10 * i + 1, "o", "y", 2);
		settle(st);
		feed_to(st, STEPS, 10 * i + 2, "k", "x", 3);
		settle(st);
		assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"),
			     STEPS, 10 * i, 10 * i + 2, 2);
		st->n_undecodable = 0;
		assert_true(request(st, spread, STEPS, "retry", "key", "k",
				    10 * i));
		settle(st);
		(void)answer(st, STORE_REQ_DONE);
		feed_to(st, STEPS, 10 * i + 3, "o", "y", 4);
		settle(st);
	}
	assert_int_equal(stored(spread, "x", "_steps"), 13131313);
	assert_int_equal(stored(spread, "y", "_steps"), 24242424);
}

static void
a_unit_that_somebody_else_wrote_means_reading_again(void **state)
{
	struct stage *st = *state;
	struct stage other;
	struct job *job;
	char id[256];

	undecodable(st, 0);
	stage_begin(st);
	(void)snprintf(id, sizeof(id), "%s", unit_id(spread, STEPS, "k"));
	feed_to(st, STEPS, 0, "k", "x", 1);
	feed_to(st, STEPS, 1, "o", "y", 1);
	while (!(job = next_apply(st)) || !writes(job, id))
		if (job)
			finish(st, job, FINE);
	/* Who thinks that this is his, does as much. */
	other = *st;
	other.core = NULL;
	other.n_log = 0;
	other.out = 0;
	stage_begin(&other);
	undecodable(&other, 0);
	feed_to(&other, STEPS, 0, "k", "x", 1);
	settle(&other);
	core_free(other.core);
	free(other.log[0].key);
	free(other.log[0].value);
	assert_false(core_must_reread(st->core));
	finish(st, job, FINE);
	for (int i = 0; i < 20 && !core_must_reread(st->core); i++) {
		job = next(st);
		if (job)
			finish(st, job, FINE);
		st->now += 300;
	}
	assert_true(core_must_reread(st->core));
	st->now += 60000;
	assert_null(next(st));
	assert_int_equal(stored(spread, "y", "sum"), -1);
	core_drop(st->core);
	assert_false(core_must_reread(st->core));
	stage_begin(st);
	replay(st);
	settle(st);
	assert_queue(READMODEL_UNITS, id, STEPS, 0, 0, 1);
	assert_int_equal(stored(spread, "y", "sum"), 1);
}

/* Long enough for the store's word that there is none to be worth nothing. */
static void
a_unit_that_could_not_be_written_for_long_means_reading_again(void **state)
{
	struct stage *st = *state;
	struct job *job;

	undecodable(st, 0);
	stage_begin(st);
	feed_to(st, STEPS, 0, "k", "x", 1);
	finish(st, next_apply(st), FINE); /* the row */
	st->now += BATCH_INSERT_MS + 1;
	while ((job = next(st))) {
		assert_false(writes(job, unit_id(spread, STEPS, "k")));
		finish(st, job, FINE);
	}
	assert_true(core_must_reread(st->core));
	stage_begin(st);
	replay(st);
	settle(st);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 0, 0,
		     1);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(later_records_of_the_key_wait_and_other_keys_flow),
		TEST(what_nobody_can_read_and_has_no_key_waits_alone),
		TEST(a_document_key_that_is_not_there_is_waited_for_by_record_key),
		TEST(a_document_key_that_is_too_long_waits_alone),
		TEST(a_key_in_quotes_is_the_same_key),
		TEST(an_event_of_a_known_and_an_unknown_document_waits_for_both),
		TEST(what_a_crash_leaves_of_a_unit_is_done_again),
		TEST(a_unit_goes_on_where_the_last_owner_left_it),
		TEST(a_lone_record_that_has_a_key_by_now_stays_where_it_waits),
		TEST(a_unit_is_known_however_little_memory_there_is),
		TEST(a_unit_that_somebody_else_wrote_means_reading_again),
		TEST(a_unit_that_could_not_be_written_for_long_means_reading_again),
	};

	return cmocka_run_group_tests_name("core_units", tests, NULL, NULL);
}
