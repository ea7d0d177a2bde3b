/* SPDX-License-Identifier: Apache-2.0 */
/* The cache's promises (cache.h), and positions (served.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/mem.h"
#include "queryapi/cache.h"
#include "queryapi/position.h"

enum { BIG = 1 << 20 };

static struct served_list *list;
static struct served *gen;
static struct cache *cache;
static char body[4096];

static int
setup(void **state)
{
	(void)state;
	memset(body, 'x', sizeof(body));
	list = served_list_new();
	gen = served_find(list, "shop.1");
	served_follow(gen, 1);
	cache = cache_new(BIG, 2);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	cache_free(cache);
	served_list_free(list);
	return 0;
}

static struct pj_str
text(const char *s)
{
	return (struct pj_str){s, strlen(s)};
}

static struct entry *
make(const char *key, int64_t revision, size_t len)
{
	struct entry_position pos = {3, revision, {"shop/0", 6}};
	struct entry_parts parts = {
		.served = gen,
		.hash = cache_hash(cache, gen, text(key)),
		.key = text(key),
		.state = revision < 0 ? ENTRY_ABSENT : ENTRY_DOCUMENT,
		.revision = revision,
		.generation = 1,
		.positions = &pos,
		.n_positions = revision >= 0,
		.json = {body, len},
		.coded = true,
		.since = atomic_load(&gen->since),
	};

	return entry_new(&parts);
}

/* Puts, and lets go of what came back. */
static void
put(const char *key, int64_t revision, size_t len)
{
	entry_unref(cache_put_take(cache, make(key, revision, len)));
}

/* The revision that the cache has; -2: none. */
static int64_t
revision_of(const char *key)
{
	struct entry *ent;
	int64_t revision;

	cache_turn_begin(cache, 0);
	ent = cache_get(cache, gen, text(key),
			cache_hash(cache, gen, text(key)));
	revision = ent ? ent->revision : -2;
	if (ent)
		cache_touch(ent);
	cache_turn_end(cache, 0);
	return revision;
}

static void
drop(const char *key, int64_t revision)
{
	struct entry *ent = cache_supersede_take(
		cache, gen, text(key), cache_hash(cache, gen, text(key)),
		revision, 1);

	if (ent)
		cache_drop(cache, ent);
	entry_unref(ent);
}

/* By sets of that id, of which it has none. */
static void
put_by_sets(const char *key, int64_t revision, uint64_t id)
{
	struct entry *ent = make(key, revision, 10);

	ent->sets_id = id;
	entry_unref(cache_put_take(cache, ent));
}

static uint64_t
sets_of(const char *key)
{
	struct entry *ent;
	uint64_t id;

	cache_turn_begin(cache, 0);
	ent = cache_get(cache, gen, text(key),
			cache_hash(cache, gen, text(key)));
	assert_non_null(ent);
	id = ent->sets_id;
	cache_turn_end(cache, 0);
	return id;
}

static void
what_other_sets_rendered_takes_the_place_of_the_same_document(void **state)
{
	(void)state;
	put_by_sets("a", 5, 1);
	put_by_sets("a", 5, 2);
	assert_int_equal(sets_of("a"), 2);
	/* But never that of a newer one. */
	put_by_sets("a", 4, 3);
	assert_int_equal(sets_of("a"), 2);
}

static void
the_higher_revision_stays_whoever_comes_last(void **state)
{
	(void)state;
	put("a", 5, 10);
	put("a", 7, 10);
	assert_int_equal(revision_of("a"), 7);
	put("a", 6, 10);
	assert_int_equal(revision_of("a"), 7);
}

static void
what_nobody_followed_gives_way_to_what_was_read_last(void **state)
{
	(void)state;
	put("a", 7, 10);
	served_follow(gen, 0);
	served_follow(gen, 2);
	put("a", 6, 10);
	assert_int_equal(revision_of("a"), 6);
}

static void
a_change_takes_out_only_what_is_older(void **state)
{
	struct entry *kept;

	(void)state;
	put("a", 7, 10);
	drop("a", 7);
	drop("a", 6);
	assert_int_equal(revision_of("a"), 7);
	kept = cache_put_take(cache, make("a", 7, 10));
	assert_true(entry_is_current(kept));
	drop("a", 8);
	assert_int_equal(revision_of("a"), -2);
	/* Whoever holds it knows. */
	assert_false(entry_is_current(kept));
	entry_unref(kept);
	put("b", -1, 0);
	drop("b", 1);
	assert_int_equal(revision_of("b"), -2);
	put("c", 9, 10);
	drop("c", -1);
	assert_int_equal(revision_of("c"), -2);
}

static void
keys_of_other_generations_are_others(void **state)
{
	struct served *before = gen;

	(void)state;
	put("a", 7, 10);
	gen = served_find(list, "shop.2");
	served_follow(gen, 2);
	assert_int_equal(revision_of("a"), -2);
	put("a", 1, 10);
	assert_int_equal(revision_of("a"), 1);
	gen = before;
	assert_int_equal(revision_of("a"), 7);
}

static uint64_t
bytes(void)
{
	struct cache_figures fig;

	cache_figures(cache, &fig);
	return fig.bytes;
}

static void
memory_is_bounded_and_a_scan_leaves_what_is_asked_for(void **state)
{
	char key[32];
	int kept = 0;

	(void)state;
	for (int i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "hot%d", i);
		put(key, 1, 2000);
		assert_int_equal(revision_of(key), 1);
	}
	/* Each once: four times what fits. */
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(key, sizeof(key), "scan%d", i);
		put(key, 1, 2000);
		assert_true(bytes() <= BIG);
		(void)snprintf(key, sizeof(key), "hot%d", i % 50);
		(void)revision_of(key);
	}
	for (int i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "hot%d", i);
		kept += revision_of(key) == 1;
	}
	assert_int_equal(kept, 50);
}

static void
made_up_keys_push_out_nothing_but_their_like(void **state)
{
	char key[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "shop%d", i);
		put(key, 1, 2000);
	}
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(key, sizeof(key), "none%d", i);
		put(key, -1, 0);
	}
	assert_true(bytes() <= 100 * 3000 + BIG / 16 + 1000);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "shop%d", i);
		assert_int_equal(revision_of(key), 1);
	}
}

static void
an_entry_outlives_its_place_until_the_turn_ends(void **state)
{
	struct entry *ent;

	(void)state;
	put("a", 1, 100);
	cache_turn_begin(cache, 1);
	ent = cache_get(cache, gen, text("a"),
			cache_hash(cache, gen, text("a")));
	assert_non_null(ent);
	for (int64_t r = 2; r < 50; r++)
		put("a", r, 100);
	/* A sanitizer would tell. */
	assert_int_equal(ent->revision, 1);
	assert_memory_equal(ent->json.ptr, body, 100);
	assert_false(entry_is_current(ent));
	cache_turn_end(cache, 1);
}

static void
a_position_is_the_entrys_own_or_the_checkpoint_before_it(void **state)
{
	struct buf out = BUF_INIT;
	struct entry *ent;

	(void)state;
	ent = cache_put_take(cache, make("a", 7, 10));
	assert_true(position_write(&out, &ent, 1));
	assert_string_equal(out.data, "Projection-Position: \"shop/0@7\"\r\n");
	assert_true(served_advance(gen, 3, 100));
	assert_false(served_advance(gen, 3, 50));
	buf_clear(&out);
	assert_true(position_write(&out, &ent, 1));
	assert_string_equal(out.data, "Projection-Position: \"shop/0@99\"\r\n");
	/* A newer one is known: of this one checkpoints count no more. */
	drop("a", 8);
	assert_true(served_advance(gen, 3, 200));
	buf_clear(&out);
	assert_false(position_write(&out, &ent, 1));
	assert_string_equal(out.data, "Projection-Position: \"shop/0@99\"\r\n");
	entry_unref(ent);
	buf_release(&out);
}

/* ---- Readers and writers at once --------------------------------------- */

enum { KEYS = 8, ROUNDS = 20000 };
static atomic_bool over;
/* What the feed's part has made sure of, by key. */
static _Atomic int64_t sure[KEYS];

static void *
read_on(void *arg)
{
	size_t reader = *(size_t *)arg;
	long wrong = 0;

	while (!atomic_load(&over)) {
		for (int k = 0; k < KEYS; k++) {
			char key[2] = {(char)('a' + k), '\0'};
			int64_t least = atomic_load(&sure[k]);
			struct entry *ent;

			cache_turn_begin(cache, reader);
			ent = cache_get(cache, gen, text(key),
					cache_hash(cache, gen, text(key)));
			if (ent && entry_is_current(ent) &&
			    ent->revision < least)
				wrong++;
			if (ent && ent->json.ptr[ent->json.len - 1] != 'x')
				wrong++;
			cache_turn_end(cache, reader);
		}
	}
	return wrong ? arg : NULL;
}

static void
nobody_reads_what_a_change_has_taken_out(void **state)
{
	size_t numbers[2] = {0, 1};
	pthread_t readers[2];

	(void)state;
	atomic_store(&over, false);
	for (int k = 0; k < KEYS; k++)
		atomic_store(&sure[k], 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&readers[i], NULL, read_on, &numbers[i]),
			0);
	for (int64_t r = 1; r < ROUNDS; r++) {
		int k = (int)(r % KEYS);
		char key[2] = {(char)('a' + k), '\0'};

		put(key, r, 100 + (size_t)(r % 1000));
		drop(key, r + 1);
		atomic_store(&sure[k], r + 1);
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < 2; i++) {
		void *wrong;

		(void)pthread_join(readers[i], &wrong);
		assert_null(wrong);
	}
}

#define ON_A_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void
a_newer_version_goes_on_with_hits_and_positions(void **state)
{
	struct entry *one = cache_put_take(cache, make("a", 1, 10)), *two;

	(void)state;
	atomic_store(&one->positions[0].offset, 40);
	atomic_store(&one->freq, 2);
	two = cache_put_take(cache, make("a", 2, 10));
	assert_int_equal(two->positions[0].offset, 40);
	assert_int_equal(two->freq, 2);
	entry_unref(one);
	entry_unref(two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_CACHE(
			what_other_sets_rendered_takes_the_place_of_the_same_document),
		ON_A_CACHE(the_higher_revision_stays_whoever_comes_last),
		ON_A_CACHE(
			what_nobody_followed_gives_way_to_what_was_read_last),
		ON_A_CACHE(a_change_takes_out_only_what_is_older),
		ON_A_CACHE(a_newer_version_goes_on_with_hits_and_positions),
		ON_A_CACHE(keys_of_other_generations_are_others),
		ON_A_CACHE(
			memory_is_bounded_and_a_scan_leaves_what_is_asked_for),
		ON_A_CACHE(made_up_keys_push_out_nothing_but_their_like),
		ON_A_CACHE(an_entry_outlives_its_place_until_the_turn_ends),
		ON_A_CACHE(
			a_position_is_the_entrys_own_or_the_checkpoint_before_it),
		ON_A_CACHE(nobody_reads_what_a_change_has_taken_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
