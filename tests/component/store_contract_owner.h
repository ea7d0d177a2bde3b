/* SPDX-License-Identifier: Apache-2.0 */
/* The part of test_store.c that is about checkpoints and who may move them. */
#ifndef TESTS_STORE_CONTRACT_OWNER_H
#define TESTS_STORE_CONTRACT_OWNER_H

#include "tests/component/store_race.h"

/* The only row of the generation. */
static struct store_checkpoint
only_checkpoint(struct fixture *fx, const char *generation)
{
	struct store_checkpoint *rows, row;
	size_t n;

	OK(fx, store_checkpoints(fx->ses, generation, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	row = rows[0];
	free(rows);
	return row;
}

/* ---- Claims ------------------------------------------------------------ */

static void
a_claim_makes_absent_rows_and_counts_the_epoch_of_all(void **state)
{
	struct fixture *fx = *state;
	const int32_t sources[] = {7, 0, 12};
	struct store_owner owner = {{1}};
	struct store_checkpoint rows[3];
	bool mine = false;
	size_t i;

	(void)fixture_claim(fx, "stock.1", 0);
	(void)fixture_claim(fx, "stock.1", 0);
	OK(fx, store_claim(fx->ses, "stock.1", sources, 3, &owner, rows, &mine,
			   &fx->err));
	assert_true(mine);
	for (i = 0; i < 3; i++) {
		assert_string_equal(rows[i].generation, "stock.1");
		assert_int_equal(rows[i].source, sources[i]);
		assert_int_equal(rows[i].epoch, sources[i] == 0 ? 3 : 1);
		assert_int_equal(rows[i].next, -1);
		assert_int_equal(rows[i].anchor_offset, -1);
	}
	mine = false;
	OK(fx, store_claim(fx->ses, "stock.1", sources, 0, &owner, rows, &mine,
			   &fx->err));
	assert_true(mine);
}

static void
a_claim_finds_position_and_anchor_as_they_were_left(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint cp = fixture_claim(fx, "stock.1", 3);

	cp.next = 20;
	cp.anchor_offset = 18;
	cp.anchor_timestamp_ms = 1700000000000;
	cp.anchor_crc = UINT32_MAX;
	assert_false(fixture_save(fx, &cp));
	cp = fixture_claim(fx, "stock.1", 3);
	assert_int_equal(cp.epoch, 2);
	assert_int_equal(cp.next, 20);
	assert_int_equal(cp.anchor_offset, 18);
	assert_int_equal(cp.anchor_timestamp_ms, 1700000000000);
	assert_int_equal(cp.anchor_crc, UINT32_MAX);
}

enum { CLAIMERS = 6 };

/* Claims, and when all have, tries to write. racer.indexes[0]: fenced. */
static void *
race_claims(void *arg)
{
	struct racer *r = arg;
	struct store_owner owner = {{(uint8_t)(r->rank + 1)}};
	struct store_checkpoint row = {.epoch = -1};
	struct store_batch batch = {.checkpoints = &row, .n_checkpoints = 1};
	int32_t source = 0;

	(void)pthread_barrier_wait(r->together);
	if (store_claim(r->ses, "stock.1", &source, 1, &owner, &row, &r->moved,
			&r->err))
		r->failed = 1;
	(void)pthread_barrier_wait(r->together);
	row.next = r->rank;
	/* Who was told that it lost does not write: that is the contract. */
	if (r->moved && store_apply(r->ses, &batch, &r->err))
		r->failed = 1;
	r->indexes[0] = !r->moved || batch.fenced;
	return NULL;
}

static void
of_racing_claimers_the_last_one_writes_and_no_other(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[CLAIMERS] = {0};
	struct store_checkpoint row;
	int i, unfenced = 0, writer = -1;

	OK(fx, store_check(fx->ses, &fx->err));
	race(fx, racers, CLAIMERS, race_claims);
	for (i = 0; i < CLAIMERS; i++)
		if (!racers[i].indexes[0]) {
			unfenced++;
			writer = i;
		}
	assert_int_equal(unfenced, 1);
	row = only_checkpoint(fx, "stock.1");
	assert_int_equal(row.next, writer);
	assert_true(row.epoch >= CLAIMERS);
}

/* ---- Writing ----------------------------------------------------------- */

static void
a_checkpoint_of_an_older_epoch_is_fenced_and_changes_nothing(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint old = fixture_claim(fx, "stock.1", 0), now, row;

	old.next = 10;
	assert_false(fixture_save(fx, &old));
	now = fixture_claim(fx, "stock.1", 0);
	old.next = 20;
	old.anchor_offset = 19;
	assert_true(fixture_save(fx, &old));
	row = only_checkpoint(fx, "stock.1");
	assert_int_equal(row.next, 10);
	assert_int_equal(row.anchor_offset, -1);
	assert_int_equal(row.epoch, now.epoch);
	/* The owner goes on from what it was given. */
	now.next = 15;
	assert_false(fixture_save(fx, &now));
	assert_int_equal(only_checkpoint(fx, "stock.1").next, 15);
}

static void
a_checkpoint_that_nobody_claimed_is_fenced_and_makes_no_row(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint cp = {.generation = "stock.1", .next = 5};
	struct store_checkpoint *rows;
	size_t n;

	assert_true(fixture_save(fx, &cp));
	OK(fx, store_checkpoints(fx->ses, NULL, &rows, &n, &fx->err));
	assert_int_equal(n, 0);
	free(rows);
}

static void
a_fenced_checkpoint_holds_back_nothing_else(void **state)
{
	struct fixture *fx = *state;
	bson_t *doc = doc_new(PJ_STR("a"), 1, 0, 1);
	struct store_write write = insert_of("stock.1", PJ_STR("a"), doc);
	struct store_parked parked = {.generation = "stock.1",
				      .unit_type = "key",
				      .topic = "stock",
				      .type = "",
				      .cause = "",
				      .detail = ""};
	struct store_checkpoint cps[3] = {fixture_claim(fx, "stock.1", 0),
					  fixture_claim(fx, "stock.1", 1),
					  fixture_claim(fx, "stock.1", 2)};
	struct store_batch batch = {.writes = &write,
				    .n_writes = 1,
				    .parked = &parked,
				    .n_parked = 1,
				    .checkpoints = cps,
				    .n_checkpoints = 3};
	struct store_checkpoint *rows;
	int64_t n_parked;
	size_t n, i;

	(void)fixture_claim(fx, "stock.1", 1);
	for (i = 0; i < 3; i++)
		cps[i].next = 7;
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_true(batch.fenced);
	assert_int_equal(write.outcome, STORE_APPLIED);
	OK(fx, store_parked_count(fx->ses, "stock.1", &n_parked, &fx->err));
	assert_int_equal(n_parked, 1);
	OK(fx, store_checkpoints(fx->ses, "stock.1", &rows, &n, &fx->err));
	assert_int_equal(n, 3);
	assert_int_equal(rows[0].next, 7);
	assert_int_equal(rows[1].next, -1);
	assert_int_equal(rows[2].next, 7);
	free(rows);
	bson_destroy(doc);
}

static void
checkpoints_never_go_down_and_that_is_no_fence(void **state)
{
	struct fixture *fx = *state;
	const int64_t nexts[] = {10, 20, 20, 15};
	struct store_checkpoint cp = fixture_claim(fx, "stock.1", 0), row;
	size_t i;

	for (i = 0; i < 4; i++) {
		cp.next = nexts[i];
		cp.anchor_offset = nexts[i] - 1;
		assert_false(fixture_save(fx, &cp));
	}
	row = only_checkpoint(fx, "stock.1");
	assert_string_equal(row.generation, "stock.1");
	assert_int_equal(row.source, 0);
	assert_int_equal(row.next, 20);
	assert_int_equal(row.anchor_offset, 19);
}

static void
checkpoints_are_listed_by_generation_exactly(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint *rows;
	size_t n;

	(void)fixture_claim(fx, "stock.1", 2);
	(void)fixture_claim(fx, "stock.1", 10);
	(void)fixture_claim(fx, "stock.10", 2);
	(void)fixture_claim(fx, "stock_x.1", 2);
	OK(fx, store_checkpoints(fx->ses, "stock.1", &rows, &n, &fx->err));
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].source, 2);
	assert_int_equal(rows[1].source, 10);
	free(rows);
	OK(fx, store_checkpoints(fx->ses, NULL, &rows, &n, &fx->err));
	assert_int_equal(n, 4);
	free(rows);
	OK(fx, store_checkpoints(fx->ses, "none.1", &rows, &n, &fx->err));
	assert_int_equal(n, 0);
	free(rows);
}

enum { CHECKPOINT_RACES = 40 };

static void *
race_checkpoints(void *arg)
{
	struct racer *r = arg;
	int i;

	for (i = 0; i < CHECKPOINT_RACES; i++) {
		struct store_checkpoint cp = {.generation = "stock.1",
					      .source = i,
					      .next = 10 + r->rank,
					      .epoch = 1,
					      .anchor_offset = -1};
		struct store_batch batch = {.checkpoints = &cp,
					    .n_checkpoints = 1};

		(void)pthread_barrier_wait(r->together);
		if (store_apply(r->ses, &batch, &r->err) || batch.fenced)
			r->failed = 1;
	}
	return NULL;
}

static void
racing_checkpoints_end_at_the_highest(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[4] = {0};
	struct store_checkpoint *rows;
	size_t n, i;

	for (i = 0; i < CHECKPOINT_RACES; i++)
		(void)fixture_claim(fx, "stock.1", (int32_t)i);
	race(fx, racers, 4, race_checkpoints);
	OK(fx, store_checkpoints(fx->ses, "stock.1", &rows, &n, &fx->err));
	assert_int_equal(n, CHECKPOINT_RACES);
	for (i = 0; i < n; i++)
		assert_int_equal(rows[i].next, 13);
	free(rows);
}

#endif
