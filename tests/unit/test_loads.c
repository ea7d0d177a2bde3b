/* SPDX-License-Identifier: Apache-2.0 */
/* What is read ahead of who asks: what was of use lately,
 * beside those who wait (loads.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "queryapi/job.h"
#include "queryapi/loads.h"

enum { LATELY_MS = 20000, WAITING_MAX = 2 };

static struct served_list *list;
static struct served *gen;
static struct cache *cache;
static struct queue *jobs;
static struct loads *loads;

static int
setup(void **state)
{
	const struct loads_limits limits = {.waiting = WAITING_MAX};

	(void)state;
	list = served_list_new();
	gen = served_find(list, "shop.1");
	served_follow(gen, 1);
	cache = cache_new(1 << 20, 1);
	jobs = queue_new(8);
	loads = loads_new(cache, jobs, &limits, 256);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loads_free(loads);
	for (void *job = queue_try_pop(jobs); job; job = queue_try_pop(jobs))
		free(job);
	queue_free(jobs);
	cache_free(cache);
	served_list_free(list);
	return 0;
}

static uint64_t
hash_of(struct pj_str key)
{
	return cache_hash(cache, gen, key);
}

/* An entry as a load leaves it, of use so long ago, and hit so often since. */
static void
keep(struct pj_str key, int64_t ago_ms, uint8_t hits)
{
	const struct entry_parts parts = {
		.served = gen,
		.hash = hash_of(key),
		.key = key,
		.state = ENTRY_DOCUMENT,
		.revision = 7,
		.generation = 1,
		.json = {"{}", 2},
		.since = atomic_load(&gen->since),
	};
	struct entry *ent = entry_new(&parts);

	ent->used_mono_ms = clock_mono_ms() - ago_ms;
	atomic_store(&ent->freq, hits);
	entry_unref(cache_put_take(cache, ent));
}

static void
tell(struct pj_str key, int64_t revision)
{
	loads_note(loads, gen,
		   &(struct store_news){.kind = STORE_NEWS_DOCUMENT,
					.key = key,
					.revision = revision});
}

static bool
is_kept(struct pj_str key)
{
	bool kept;

	cache_turn_begin(cache, 0);
	kept = cache_get(cache, gen, key, hash_of(key)) != NULL;
	cache_turn_end(cache, 0);
	return kept;
}

static uint64_t
n_ahead(void)
{
	struct loads_figures figures;

	loads_figures(loads, &figures);
	return figures.ahead;
}

static void
what_was_of_use_lately_is_read_ahead(void **state)
{
	(void)state;
	keep(PJ_STR("a"), 0, 0);
	tell(PJ_STR("a"), 8);
	assert_int_equal(n_ahead(), 1);
	assert_true(is_kept(PJ_STR("a")));
	/* A load is enough for what comes meanwhile. */
	tell(PJ_STR("a"), 9);
	assert_int_equal(n_ahead(), 1);
}

static void
what_was_of_no_use_for_longer_goes(void **state)
{
	(void)state;
	keep(PJ_STR("a"), LATELY_MS + 1, 0);
	tell(PJ_STR("a"), 8);
	assert_int_equal(n_ahead(), 0);
	assert_false(is_kept(PJ_STR("a")));
}

static void
a_hit_since_then_is_of_use(void **state)
{
	(void)state;
	keep(PJ_STR("a"), LATELY_MS + 1, 1);
	tell(PJ_STR("a"), 8);
	assert_int_equal(n_ahead(), 1);
}

static void
what_is_not_older_stays_as_it_is(void **state)
{
	(void)state;
	keep(PJ_STR("a"), 0, 0);
	tell(PJ_STR("a"), 7);
	assert_int_equal(n_ahead(), 0);
	assert_true(is_kept(PJ_STR("a")));
}

static enum load_join
join(struct pj_str key, struct load_wait *wait)
{
	static const struct entry_want whole = {false, 0};
	struct entry *ent;

	*wait = (struct load_wait){.ids = {"", ""}};
	return loads_join(loads, gen, key, hash_of(key), &whole, true, true, 0,
			  wait, &ent);
}

/* And the other way round: each has as much room. */
static void
what_is_read_ahead_takes_no_room_of_those_who_wait(void **state)
{
	struct load_wait wait[WAITING_MAX + 1];
	struct loads_figures figures;

	(void)state;
	keep(PJ_STR("a"), 0, 0);
	keep(PJ_STR("b"), 0, 0);
	keep(PJ_STR("c"), 0, 0);
	tell(PJ_STR("a"), 8);
	tell(PJ_STR("b"), 8);
	tell(PJ_STR("c"), 8);
	assert_int_equal(n_ahead(), WAITING_MAX);
	assert_false(is_kept(PJ_STR("c")));
	assert_int_equal(join(PJ_STR("x"), &wait[0]), LOAD_JOINED);
	/* One of them is somebody's now. */
	assert_int_equal(join(PJ_STR("a"), &wait[1]), LOAD_JOINED);
	assert_int_equal(join(PJ_STR("y"), &wait[2]), LOAD_FULL);
	assert_int_equal(join(PJ_STR("b"), &wait[2]), LOAD_FULL);
	loads_figures(loads, &figures);
	assert_int_equal(figures.waiting, 2);
	assert_int_equal(figures.waiting_ahead, 1);
	assert_true(loads_leave(loads, &wait[0]));
	assert_true(loads_leave(loads, &wait[1]));
	/* It is read ahead still. */
	loads_figures(loads, &figures);
	assert_int_equal(figures.waiting, 0);
	assert_int_equal(figures.waiting_ahead, 2);
}

/* Who leaves takes the load along that it began, not one that others need. */
static void
what_somebody_began_goes_on_for_who_asks_next(void **state)
{
	struct load_wait wait;
	struct loads_figures figures;

	(void)state;
	keep(PJ_STR("a"), 0, 0);
	wait = (struct load_wait){.ids = {"", ""}};
	assert_int_equal(loads_join(loads, gen, PJ_STR("a"),
				    hash_of(PJ_STR("a")),
				    &(struct entry_want){true, 0}, false, true,
				    0, &wait, &(struct entry *){NULL}),
			 LOAD_JOINED);
	tell(PJ_STR("a"), 8);
	assert_true(is_kept(PJ_STR("a")));
	assert_true(loads_leave(loads, &wait));
	loads_figures(loads, &figures);
	assert_int_equal(figures.waiting_ahead, 1);
}

/* A store that stays behind makes no load for ever. */
static void
what_was_tried_in_vain_is_of_no_more_use(void **state)
{
	(void)state;
	keep(PJ_STR("a"), LATELY_MS + 1, 1);
	tell(PJ_STR("a"), 8);
	assert_int_equal(n_ahead(), 1);
	cache_turn_begin(cache, 0);
	assert_int_equal(atomic_load(&cache_get(cache, gen, PJ_STR("a"),
						hash_of(PJ_STR("a")))
					      ->freq),
			 0);
	cache_turn_end(cache, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_of_use_lately_is_read_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_of_no_use_for_longer_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hit_since_then_is_of_use,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_not_older_stays_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_read_ahead_takes_no_room_of_those_who_wait,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_somebody_began_goes_on_for_who_asks_next, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_was_tried_in_vain_is_of_no_more_use, setup,
			teardown),
	};

	return cmocka_run_group_tests_name("loads", tests, NULL, NULL);
}
