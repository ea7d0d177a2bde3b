/* SPDX-License-Identifier: Apache-2.0 */
/* Documents wait for the units that records before them are to be in. */
#include "tests/component/spread_stage.h"

static void
no_document_of_the_lane_goes_while_a_unit_is_written(void **state)
{
	struct stage *st = *state;
	struct job *row, *unit;
	const char *id;

	stage_begin(st);
	feed_to(st, STEPS, 0, "o", "x", 1);
	settle(st);
	undecodable(st, 1);
	feed_to(st, STEPS, 1, "k", "x", 2);
	feed_to(st, STEPS, 2, "o", "x", 3);
	feed_to(st, STEPS, 3, "p", "y", 4);
	row = next_apply(st);
	assert_int_equal(row->batch.n_parked, 1);
	assert_int_equal(row->batch.n_writes, 0);
	run(row, FINE);
	/* y is loaded, and no more than that. */
	assert_null(next_apply(st));
	st->now += 60000;
	assert_null(next(st));
	back(st, row);
	id = unit_id(spread, STEPS, "k");
	unit = next_apply(st);
	assert_true(writes(unit, id));
	assert_int_equal(unit->batch.n_writes, 1);
	assert_null(next(st));
	run(unit, LOST);
	back(st, unit);
	assert_null(next(st));
	assert_int_equal(stored(spread, "x", "sum"), 1);
	assert_int_equal(checkpoint(spread, STEPS), 1);
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), 4);
	assert_int_equal(stored(spread, "y", "sum"), 4);
	assert_int_equal(checkpoint(spread, STEPS), 4);
	assert_queue(READMODEL_UNITS, id, STEPS, 1, 1, 1);
}

static void
another_lane_does_not_wait_for_the_unit(void **state)
{
	struct stage *st = *state;
	struct lane *keyed = stage_lane(st, &keyed_projection);
	struct job *row;

	stage_begin(st);
	feed(st, STEPS, 1, "k", 1, ""); /* unknown to spread alone */
	feed_to(st, STEPS, 2, "o", "x", 2);
	row = next_apply(st);
	while (row && row->batch.n_parked == 0) {
		finish(st, row, FINE);
		row = next_apply(st);
	}
	assert_non_null(row);
	run(row, FINE);
	rest(st);
	/* The unit's row is out: keyed is written, spread is not. */
	assert_int_equal(stored(keyed, "k", "sum"), 1);
	assert_int_equal(stored(keyed, "o", "sum"), 2);
	assert_int_equal(stored(spread, "x", "sum"), -1);
	back(st, row);
	settle(st);
	assert_int_equal(stored(spread, "x", "sum"), 2);
}

/* It holds up only what could pass one of its records. */
static void
a_document_without_anything_later_does_not_wait_for_the_unit(void **state)
{
	struct stage *st = *state;
	struct job *row, *doc;

	undecodable(st, 2);
	stage_begin(st);
	feed_to(st, STEPS, 0, "o", "x", 1);
	feed_to(st, STEPS, 1, "o", "y", 1);
	finish(st, next(st), FINE); /* both are loaded */
	feed_to(st, STEPS, 2, "k", "x", 2);
	feed_to(st, STEPS, 3, "o", "y", 3);
	row = next_apply(st);
	assert_int_equal(row->batch.n_parked, 1);
	assert_true(writes(row, "x"));
	assert_false(writes(row, "y"));
	finish(st, row, FINE);
	assert_int_equal(stored(spread, "x", "sum"), 1);
	doc = next_apply(st);
	assert_true(writes(doc, unit_id(spread, STEPS, "k")));
	assert_int_equal(doc->batch.n_writes, 1);
	finish(st, doc, FINE);
	settle(st);
	assert_int_equal(stored(spread, "y", "sum"), 4);
	assert_int_equal(checkpoint(spread, STEPS), 4);
}

/* What came while its rows were on their way is in no unit yet. */
static void
a_document_waits_for_what_the_unit_has_yet_to_take(void **state)
{
	struct stage *st = *state;
	struct job *job;

	undecodable(st, 0);
	stage_begin(st);
	feed_to(st, STEPS, 0, "k", "x", 1);
	job = next_apply(st);
	assert_int_equal(job->batch.n_parked, 1);
	feed_to(st, STEPS, 1, "k", "x", 2);
	feed_to(st, STEPS, 2, "o", "y", 3);
	finish(st, job, FINE);
	for (int64_t tail = 0; tail < 2; tail++) {
		job = next_apply(st);
		assert_int_equal(job->batch.n_parked, tail);
		if (tail) {
			assert_int_equal(job->batch.n_writes, 0);
			finish(st, job, FINE);
			job = next_apply(st);
		}
		assert_int_equal(job->batch.n_writes, 1);
		finish(st, job, FINE);
		assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"),
			     STEPS, 0, tail, tail + 1);
		assert_int_equal(stored(spread, "y", "sum"), -1);
	}
	settle(st);
	assert_int_equal(stored(spread, "y", "sum"), 3);
}

/* One more whenever a job is out: the unit is never without one. */
static void
a_key_whose_records_keep_coming_holds_up_no_other_one(void **state)
{
	struct stage *st = *state;
	int64_t offset = 1;
	struct job *job;

	undecodable(st, 0);
	stage_begin(st);
	feed_to(st, STEPS, 0, "k", "x", 1);
	settle(st);
	feed_to(st, STEPS, offset++, "k", "x", 1);
	feed_to(st, STEPS, offset++, "o", "y", 2);
	while (stored(spread, "y", "sum") != 2) {
		assert_true(offset < 20);
		st->now += 250;
		job = next(st);
		feed_to(st, STEPS, offset++, "k", "x", 1);
		if (job)
			finish(st, job, FINE);
	}
	settle(st);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "k"), STEPS, 0,
		     offset - 1, offset - 1);
}

/* What is folded while it waits would have it wait for later records, too. */
static void
a_document_that_waits_for_a_unit_is_written_however_much_comes(void **state)
{
	struct stage *st = *state;
	int64_t offset = 1, written = 0, sum;
	unsigned times = 0;
	struct job *job;

	undecodable(st, 0);
	stage_begin(st);
	feed_to(st, STEPS, 0, "k", "x", 1);
	settle(st);
	while (times < 5) {
		assert_true(offset < 200);
		st->now += 250;
		job = next(st);
		feed_to(st, STEPS, offset++, "k", "x", 1);
		feed_to(st, STEPS, offset++, "o", "y", 1);
		if (job)
			finish(st, job, FINE);
		sum = stored(spread, "y", "sum");
		times += sum > written;
		written = sum > written ? sum : written;
	}
	assert_true(checkpoint(spread, STEPS) > 2);
	sum = offset / 2;
	settle(st);
	assert_int_equal(stored(spread, "y", "sum"), sum);
	assert_int_equal(checkpoint(spread, STEPS), offset);
}

/* A document of its own, where those are keyed by the record. */
static void
feed_another(struct stage *st, int64_t offset)
{
	char key[16];

	(void)snprintf(key, sizeof(key), "o%d", (int)offset);
	feed_to(st, STEPS, offset, key, "x", 1);
}

/* With more to write than can be, of projections that do not wait for it. */
static void
a_unit_is_written_when_it_is_its_turn_however_much_comes(void **state)
{
	struct stage *st = *state;
	int64_t offset = 0;
	struct job *job;
	bool sent;

	(void)stage_lane(st, &keyed_projection);
	st->set.batch.max_documents = 1;
	undecodable(st, 10);
	stage_begin(st);
	while (offset < 10)
		feed_another(st, offset++);
	feed_to(st, STEPS, offset++, "k", "x", 1);
	do {
		assert_true(offset < 100);
		job = next_apply(st);
		assert_non_null(job);
		sent = writes(job, unit_id(spread, STEPS, "k"));
		feed_another(st, offset++);
		feed_another(st, offset++);
		finish(st, job, FINE);
		feed_to(st, STEPS, offset++, "k", "x", 1);
	} while (!sent);
	settle(st);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_document_of_the_lane_goes_while_a_unit_is_written),
		TEST(another_lane_does_not_wait_for_the_unit),
		TEST(a_document_without_anything_later_does_not_wait_for_the_unit),
		TEST(a_document_waits_for_what_the_unit_has_yet_to_take),
		TEST(a_key_whose_records_keep_coming_holds_up_no_other_one),
		TEST(a_document_that_waits_for_a_unit_is_written_however_much_comes),
		TEST(a_unit_is_written_when_it_is_its_turn_however_much_comes),
	};

	return cmocka_run_group_tests_name("core_units_wait", tests, NULL,
					   NULL);
}
