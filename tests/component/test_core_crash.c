/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that ended the process: no code gets to see them again, they are
 * parked where they belong, and what may end the process is announced before.
 */
#include "tests/component/core_stage.h"

static struct stage stage;

/* ---- Modules that know when they may be called ----------------------------
 */

enum { KEYED, SPREAD, LANES };

static struct {
	unsigned keys, folds;
	int64_t at[16]; /* offsets of the folds, in their order */
} called[LANES];

static void
assert_announced(enum step step, unsigned lane)
{
	assert_true(stage.begun.open);
	assert_int_equal(stage.begun.step, step);
	assert_int_equal(stage.begun.lane->index, lane);
}

static enum pj_fold
fold_of(unsigned lane, const struct pj_options *options,
	const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err)
{
	assert_announced(STEP_FOLD, lane);
	assert_true(called[lane].folds < COUNT(called[lane].at));
	called[lane].at[called[lane].folds++] = stage.begun.offset;
	return stage_fold(options, ev, doc, err);
}

static void
watched_keyed_key(const struct pj_options *options, const struct pj_event *ev,
		  struct pj_keys *keys)
{
	assert_announced(STEP_KEY, KEYED);
	called[KEYED].keys++;
	keyed_key(options, ev, keys);
}

static void
watched_spread_key(const struct pj_options *options, const struct pj_event *ev,
		   struct pj_keys *keys)
{
	assert_announced(STEP_KEY, SPREAD);
	called[SPREAD].keys++;
	spread_key(options, ev, keys);
}

static enum pj_fold
watched_keyed_fold(const struct pj_options *options, const struct pj_event *ev,
		   struct pj_doc *doc, struct pj_error *err)
{
	return fold_of(KEYED, options, ev, doc, err);
}

static enum pj_fold
watched_spread_fold(const struct pj_options *options, const struct pj_event *ev,
		    struct pj_doc *doc, struct pj_error *err)
{
	return fold_of(SPREAD, options, ev, doc, err);
}

static struct lane *keyed, *spread;

static int
open_stage(void **state)
{
	static struct pj_projection by_record, by_data;

	by_record = keyed_projection;
	by_record.key = watched_keyed_key;
	by_record.fold = watched_keyed_fold;
	by_data = spread_projection;
	by_data.key = watched_spread_key;
	by_data.fold = watched_spread_fold;
	memset(called, 0, sizeof(called));
	stage_open(&stage);
	keyed = stage_lane(&stage, &by_record);
	spread = stage_lane(&stage, &by_data);
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
condemn(struct stage *st, enum step step, const struct lane *lane,
	int64_t offset)
{
	st->condemned[st->n_condemned++] =
		(struct stage_condemned){step, lane, offset};
}

static const char ENDS[] = "ends the process";

static void
assert_cause(const struct store_parked *row, const char *cause)
{
	assert_non_null(row);
	assert_string_equal(row->cause, cause);
}

/* Offsets 0 to 3: key a to x, key b to y, key a to x, key b to x. */
static void
feed_four(struct stage *st)
{
	feed_to(st, STEPS, 0, "a", "x", 1);
	feed_to(st, STEPS, 1, "b", "y", 2);
	feed_to(st, STEPS, 2, "a", "x", 3);
	feed_to(st, STEPS, 3, "b", "x", 4);
	settle(st);
}

/* ---- Tests -----------------------------------------------------------------
 */

static void
each_step_is_announced_before_it_is_taken_and_over_afterwards(void **state)
{
	struct stage *st = *state;

	stage_begin(st);
	/* Into documents that have to be loaded, then into those here. */
	feed_four(st);
	assert_false(st->begun.open);
	assert_int_equal(called[KEYED].keys, 4);
	assert_int_equal(called[SPREAD].keys, 4);
	assert_int_equal(called[KEYED].folds, 4);
	assert_int_equal(called[SPREAD].folds, 4);
	/* Once when fed, and again for each document that came later. */
	assert_true(st->n_begun[STEP_DECODE] >= 4);
	assert_int_equal(st->n_begun[STEP_FOLD], 8);
}

static void
a_condemned_fold_waits_in_its_document_and_all_else_flows(void **state)
{
	struct stage *st = *state;

	condemn(st, STEP_FOLD, spread, 0);
	stage_begin(st);
	feed_four(st);
	/* x waits from offset 0 on, whatever the record key; y does not. */
	assert_queue("spread.1", "x", STEPS, 0, 3, 3);
	assert_cause(parked(spread, "document", "x", 0), ENDS);
	assert_int_equal(stored(spread, "y", "sum"), 2);
	assert_int_equal(called[SPREAD].folds, 1);
	assert_int_equal(called[SPREAD].at[0], 1);
	/* The lane beside it has everything. */
	assert_int_equal(stored(keyed, "a", "sum"), 4);
	assert_int_equal(stored(keyed, "b", "sum"), 6);
	assert_int_equal(checkpoint(spread, STEPS), 4);
	assert_int_equal(checkpoint(keyed, STEPS), 4);
}

static void
a_condemned_key_function_is_not_called_and_its_record_key_waits(void **state)
{
	struct stage *st = *state;

	condemn(st, STEP_KEY, spread, 0);
	stage_begin(st);
	feed_four(st);
	assert_int_equal(called[SPREAD].keys, 3);
	assert_int_equal(called[KEYED].keys, 4);
	assert_cause(parked(spread, "key", "a", 0), ENDS);
	assert_queue(READMODEL_UNITS, unit_id(spread, STEPS, "a"), STEPS, 0, 2,
		     2);
	/* Of the other record key all is applied, to x too. */
	assert_int_equal(stored(spread, "x", "sum"), 4);
	assert_int_equal(stored(spread, "y", "sum"), 2);
	assert_int_equal(stored(keyed, "a", "sum"), 4);
	assert_int_equal(checkpoint(spread, STEPS), 4);
}

static void
where_the_record_key_is_the_documents_a_condemned_key_waits_there(void **state)
{
	struct stage *st = *state;

	condemn(st, STEP_KEY, keyed, 2);
	stage_begin(st);
	feed_four(st);
	assert_cause(parked(keyed, "document", "a", 2), ENDS);
	assert_queue("keyed.1", "a", STEPS, 2, 2, 1);
	assert_int_equal(stored(keyed, "a", "sum"), 1);
	assert_int_equal(stored(keyed, "b", "sum"), 6);
	assert_int_equal(stored(spread, "x", "sum"), 8);
}

static void
a_record_condemned_while_decoded_waits_in_every_lane(void **state)
{
	struct stage *st = *state;

	condemn(st, STEP_DECODE, NULL, 0);
	stage_begin(st);
	feed_four(st);
	assert_cause(parked(keyed, "document", "a", 0), ENDS);
	assert_cause(parked(spread, "key", "a", 0), ENDS);
	assert_int_equal(stored(keyed, "b", "sum"), 6);
	assert_int_equal(stored(spread, "y", "sum"), 2);
	assert_int_equal(called[KEYED].folds, 2);
	/* Nothing of it is decoded, neither at first nor out of a backlog. */
	assert_int_equal(called[KEYED].at[0], 1);
	assert_int_equal(called[KEYED].at[1], 3);
}

static void
a_retry_out_of_a_unit_calls_its_own_module_alone(void **state)
{
	struct stage *st = *state;
	unsigned keys;

	condemn(st, STEP_KEY, spread, 0);
	stage_begin(st);
	feed_four(st);
	keys = called[KEYED].keys;
	st->n_begun[STEP_DECODE] = 0;
	assert_true(request(st, spread, STEPS, "retry", "key", "a", 0));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_int_equal(called[KEYED].keys, keys);
	assert_int_equal(called[SPREAD].keys, 3 + 2);
	assert_true(st->n_begun[STEP_DECODE] >= 2);
	assert_int_equal(stored(spread, "x", "sum"), 8);
	assert_no_queue(READMODEL_UNITS, unit_id(spread, STEPS, "a"), STEPS);
}

/* What was counted goes when the record is out of its queue, before its row. */
static void
a_retried_record_is_absolved_in_its_own_generation_and_of_its_decoding(
	void **state)
{
	struct stage *st = *state;

	condemn(st, STEP_FOLD, spread, 0);
	stage_begin(st);
	feed_four(st);
	assert_true(request(st, spread, STEPS, "retry", "document", "x", 0));
	settle(st);
	(void)answer(st, STORE_REQ_DONE);
	assert_true(scripted_call_of("absolved spread.1 steps/0@0"));
	assert_true(scripted_call_of("absolved spread.1:key steps/0@0"));
	assert_true(scripted_call_of("absolved  steps/0@0"));
	assert_true(scripted_call_of("absolved spread.1 steps/0@0") <=
		    scripted_call_of("unpark steps/0@0"));
	/* Of those behind it there was nothing to forget. */
	assert_false(scripted_call_of("absolved spread.1 steps/0@2"));
}

/* To be given up, a record need not be looked at, and is not. */
static void
a_condemned_record_is_given_up_without_being_decoded(void **state)
{
	static const struct {
		const char *unit_type, *unit;
	} queues[] = {{"document", "a"}, {"key", "a"}};
	struct stage *st = *state;
	struct lane *const lanes[] = {keyed, spread};

	condemn(st, STEP_DECODE, NULL, 0);
	stage_begin(st);
	feed_to(st, STEPS, 0, "a", "x", 1);
	settle(st);
	memset(st->n_begun, 0, sizeof(st->n_begun));
	for (size_t i = 0; i < COUNT(lanes); i++) {
		assert_true(request(st, lanes[i], STEPS, "discard",
				    queues[i].unit_type, queues[i].unit, 0));
		settle(st);
		(void)answer(st, STORE_REQ_DONE);
	}
	assert_int_equal(st->n_begun[STEP_DECODE], 0);
	assert_int_equal(st->n_begun[STEP_KEY], 0);
	assert_int_equal(called[KEYED].folds + called[SPREAD].folds, 0);
	assert_int_equal(scripted.n_rows, 0);
	/* It may end the process in others still. */
	assert_true(scripted_call_of("absolved keyed.1 steps/0@0"));
	assert_true(scripted_call_of("absolved spread.1:key steps/0@0"));
	assert_false(scripted_call_of("absolved  steps/0@0"));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_step_is_announced_before_it_is_taken_and_over_afterwards),
		TEST(a_condemned_fold_waits_in_its_document_and_all_else_flows),
		TEST(a_condemned_key_function_is_not_called_and_its_record_key_waits),
		TEST(where_the_record_key_is_the_documents_a_condemned_key_waits_there),
		TEST(a_record_condemned_while_decoded_waits_in_every_lane),
		TEST(a_retry_out_of_a_unit_calls_its_own_module_alone),
		TEST(a_retried_record_is_absolved_in_its_own_generation_and_of_its_decoding),
		TEST(a_condemned_record_is_given_up_without_being_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
