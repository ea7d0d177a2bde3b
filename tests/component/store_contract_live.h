/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of test_store.c that is about live pointers against claims, and
 * about code that is adopted.
 */
#ifndef TESTS_STORE_CONTRACT_LIVE_H
#define TESTS_STORE_CONTRACT_LIVE_H

#include "tests/component/store_race.h"

static struct store_live
only_live(struct fixture *fx)
{
	struct store_live *rows, row;
	size_t n;

	OK(fx, store_live(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	row = rows[0];
	free(rows);
	return row;
}

static void
point_live(struct fixture *fx, int32_t from, int32_t to)
{
	bool moved;

	OK(fx, store_live_move(fx->ses, "stock", from, to, &moved, &fx->err));
	assert_true(moved);
}

static bool
promote(struct fixture *fx, const struct store_live *seen, int32_t number)
{
	bool moved;

	OK(fx, store_live_promote(fx->ses, "stock", seen, number, &moved,
				  &fx->err));
	return moved;
}

static void
claims_of_what_is_live_are_counted_in_its_pointer(void **state)
{
	struct fixture *fx = *state;
	struct store_owner owner = {{1}};
	bool mine;

	point_live(fx, 0, 2);
	assert_int_equal(only_live(fx).claims, 0);
	(void)fixture_claim(fx, "stock.2", 0);
	(void)fixture_claim(fx, "stock.2", 7);
	assert_int_equal(only_live(fx).claims, 2);
	/* Of nothing at all, too: whoever claims no row may yet get one. */
	OK(fx, store_claim(fx->ses, "stock.2", NULL, 0, &owner, NULL, &mine,
			   &fx->err));
	assert_int_equal(only_live(fx).claims, 3);
	(void)fixture_claim(fx, "stock.1", 0);
	(void)fixture_claim(fx, "stock.22", 0);
	(void)fixture_claim(fx, "stock_x.2", 0);
	assert_int_equal(only_live(fx).claims, 3);
}

static void
a_promotion_moves_the_pointer_over_no_claim(void **state)
{
	struct fixture *fx = *state;
	struct store_live none = {.number = 0}, seen;

	assert_true(promote(fx, &none, 1));
	assert_false(promote(fx, &none, 2));
	seen = only_live(fx);
	assert_int_equal(seen.number, 1);
	assert_int_equal(seen.previous, 0);
	(void)fixture_claim(fx, "stock.1", 0);
	assert_false(promote(fx, &seen, 2));
	assert_int_equal(only_live(fx).number, 1);
	seen = only_live(fx);
	(void)fixture_claim(fx, "stock.2", 0);
	assert_true(promote(fx, &seen, 2));
	/* What was seen of another pointer is nothing. */
	assert_false(promote(fx, &seen, 3));
	seen = only_live(fx);
	assert_int_equal(seen.number, 2);
	assert_int_equal(seen.previous, 1);
}

/* ---- Racing ------------------------------------------------------------ */

/* Rank 0 promotes what it has seen; the others claim the live generation. */
static void *
race_promotion(void *arg)
{
	struct racer *r = arg;
	struct store_live seen = {.number = 1, .claims = 0};
	struct store_owner owner = {{(uint8_t)(r->rank + 1)}};
	struct store_checkpoint row;
	int32_t source = r->rank;
	bool mine;

	(void)pthread_barrier_wait(r->together);
	if (r->rank == 0 ? store_live_promote(r->ses, "stock", &seen, 2,
					      &r->moved, &r->err)
			 : store_claim(r->ses, "stock.1", &source, 1, &owner,
				       &row, &mine, &r->err))
		r->failed = 1;
	return NULL;
}

static void
a_promotion_that_races_with_claims_moves_before_or_not_at_all(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[3] = {0};
	struct store_live now;

	point_live(fx, 0, 1);
	race(fx, racers, 3, race_promotion);
	now = only_live(fx);
	assert_int_equal(now.number, racers[0].moved ? 2 : 1);
	/* Those that came before it are counted; it moved over none of them. */
	if (racers[0].moved)
		assert_int_equal(now.claims, 0);
	else
		assert_true(now.claims > 0);
}

/* ---- Adopted code -------------------------------------------------------- */

static bool
note_adoption(void *arg, const struct store_audit *entry)
{
	int *n = arg;

	assert_string_equal(entry->action, "adopted");
	assert_string_equal(entry->reason, "a comment was changed");
	assert_string_equal(entry->by, "kim@host");
	assert_int_equal(entry->at_ms, 1700000000000);
	assert_string_equal(entry->row.unit_type, "generation");
	assert_string_equal(entry->row.detail, "old to new");
	(*n)++;
	return true;
}

static void
adopted_code_is_in_the_generation_and_in_the_audit(void **state)
{
	struct fixture *fx = *state;
	struct store_adoption adoption = {
		.projection = "stock",
		.number = 1,
		.from_hash = "old",
		.code_hash = "new",
		.reader_json = "{\"summary\":\"new\"}",
		.reason = "a comment was changed",
		.by = "kim@host",
		.at_ms = 1700000000000,
	};
	char reader[] = "{\"summary\":\"old\"}";
	struct store_generation gen = {.projection = "stock",
				       .number = 1,
				       .version = 3,
				       .code_hash = "old",
				       .collection = "stock.1",
				       .reader_json = reader};
	struct store_generation *rows;
	bool created;
	size_t n;
	int audited = 0;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	OK(fx, store_generation_adopt(fx->ses, &adoption, &fx->err));
	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].code_hash, "new");
	assert_string_equal(rows[0].reader_json, adoption.reader_json);
	assert_int_equal(rows[0].version, 3);
	store_generations_free(rows, n);
	OK(fx, store_audit_scan(fx->ses, "stock.1", note_adoption, &audited,
				&fx->err));
	assert_int_equal(audited, 1);
	adoption.number = 2;
	assert_int_equal(store_generation_adopt(fx->ses, &adoption, &fx->err),
			 -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
	assert_non_null(strstr(fx->err.text, "stock.2"));
}

#endif
