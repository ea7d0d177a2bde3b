/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of test_store.c that is about sources, generations and live
 * pointers, and who wins when several want the same.
 */
#ifndef TESTS_STORE_CONTRACT_ROWS_H
#define TESTS_STORE_CONTRACT_ROWS_H

#include "tests/component/store_race.h"

/* ---- Sources ----------------------------------------------------------- */

static void *
race_sources(void *arg)
{
	struct racer *r = arg;
	int i;

	(void)pthread_barrier_wait(r->together);
	/* All want the same ones, each beginning somewhere else. */
	for (i = 0; i < RACE_SOURCES; i++) {
		int p = (i + r->rank) % RACE_SOURCES;

		if (store_source(r->ses, "stock", p, &r->indexes[p], &r->err))
			r->failed = 1;
	}
	return NULL;
}

static void
racing_threads_get_one_index_per_source_and_one_source_per_index(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[RACERS] = {0};
	struct store_source_row *rows;
	size_t n, i, k;

	race(fx, racers, RACERS, race_sources);
	OK(fx, store_sources(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, RACE_SOURCES);
	for (i = 0; i < n; i++) {
		assert_int_equal(rows[i].index, i);
		assert_string_equal(rows[i].topic, "stock");
		for (k = 0; k < RACERS; k++)
			assert_int_equal(racers[k].indexes[rows[i].partition],
					 rows[i].index);
	}
	free(rows);
}

static void
a_source_keeps_its_index_over_a_reopen(void **state)
{
	struct fixture *fx = *state;
	int32_t a, b, again;

	OK(fx, store_source(fx->ses, "stock", 1, &a, &fx->err));
	OK(fx, store_source(fx->ses, "stock", 11, &b, &fx->err));
	assert_int_not_equal(a, b);
	fixture_close(fx);
	fixture_open(fx);
	OK(fx, store_source(fx->ses, "stock", 11, &again, &fx->err));
	assert_int_equal(again, b);
	OK(fx, store_source(fx->ses, "stock", 1, &again, &fx->err));
	assert_int_equal(again, a);
}

/* ---- Generations and live pointers ------------------------------------- */

static struct store_generation
generation_of(const char *projection, int32_t number)
{
	struct store_generation gen = {
		.number = number,
		.version = 3,
		.code_hash = "abc",
		.created_at_ms = 1700000000123,
		.reader_json = (char *)(uintptr_t) "{\"summary\":\"s\","
						   "\"filters\":[\"shopId\"]}",
	};

	strcpy(gen.projection, projection);
	readmodel_generation_id(gen.collection, projection, number);
	return gen;
}

static void
generations_are_made_once_and_listed_in_order(void **state)
{
	struct fixture *fx = *state;
	struct store_generation *rows, gen = generation_of("stock", 10);
	bool created;
	size_t n;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	assert_true(created);
	gen = generation_of("stock", 2);
	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	gen.version = 99;
	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	assert_false(created);
	gen = generation_of("sales", 11);
	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	OK(fx, store_generation_set_state(fx->ses, "stock", 2, STORE_GEN_READY,
					  &fx->err));
	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 3);
	assert_string_equal(rows[0].projection, "sales");
	assert_string_equal(rows[1].collection, "stock.2");
	assert_int_equal(rows[1].number, 2);
	assert_int_equal(rows[1].version, 3);
	assert_int_equal(rows[1].state, STORE_GEN_READY);
	assert_string_equal(rows[1].code_hash, "abc");
	assert_int_equal(rows[1].created_at_ms, 1700000000123);
	assert_string_equal(rows[1].reader_json, gen.reader_json);
	assert_int_equal(rows[2].number, 10);
	assert_int_equal(rows[2].state, STORE_GEN_BUILDING);
	store_generations_free(rows, n);
	assert_int_equal(store_generation_set_state(fx->ses, "stock", 3,
						    STORE_GEN_READY, &fx->err),
			 -1);
}

static void *
race_generation(void *arg)
{
	struct racer *r = arg;
	struct store_generation gen = generation_of("stock", 1);

	gen.version = r->rank;
	(void)pthread_barrier_wait(r->together);
	if (store_generation_create(r->ses, &gen, &r->moved, &r->err))
		r->failed = 1;
	return NULL;
}

static void
one_of_racing_creators_makes_the_generation(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[4] = {0};
	struct store_generation *rows;
	size_t n;
	int i, made = 0;

	race(fx, racers, 4, race_generation);
	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	for (i = 0; i < 4; i++) {
		made += racers[i].moved;
		if (racers[i].moved)
			assert_int_equal(rows[0].version, i);
	}
	assert_int_equal(made, 1);
	store_generations_free(rows, n);
}

static void *
race_live(void *arg)
{
	struct racer *r = arg;

	(void)pthread_barrier_wait(r->together);
	if (store_live_move(r->ses, "stock", 1, 2 + r->rank, &r->moved,
			    &r->err))
		r->failed = 1;
	return NULL;
}

static void
the_live_pointer_moves_from_where_it_is_and_for_one_mover_only(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[2] = {0};
	struct store_live *rows;
	bool moved;
	size_t n;

	OK(fx, store_live(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 0);
	free(rows);
	OK(fx, store_live_move(fx->ses, "stock", 7, 8, &moved, &fx->err));
	assert_false(moved);
	OK(fx, store_live_move(fx->ses, "stock", 0, 1, &moved, &fx->err));
	assert_true(moved);
	OK(fx, store_live_move(fx->ses, "stock", 0, 5, &moved, &fx->err));
	assert_false(moved);
	race(fx, racers, 2, race_live);
	assert_int_equal(racers[0].moved + racers[1].moved, 1);
	OK(fx, store_live(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].projection, "stock");
	assert_int_equal(rows[0].number, racers[0].moved ? 2 : 3);
	free(rows);
}

#endif
