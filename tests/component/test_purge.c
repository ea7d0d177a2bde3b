/* SPDX-License-Identifier: Apache-2.0 */
/* Which tombstones go, and when. */
#include "tests/support/store_fixture.h"

#include "projector/purge.h"

#define GENERATION "shop.1"

enum {
	DAY_MS = 86400000,
	KEEP_MS = 7 * DAY_MS,
	SOURCE = 4, /* ours */
	OTHER = 9,  /* somebody else's */
};

static const int64_t NOW_AT_MS = INT64_C(1700000000000);

struct scene {
	struct fixture *fx;
	struct purge purge;
	struct module mod;
	struct lane lane;
	int64_t now_mono_ms;
};

static const struct pj_projection desc = {.name = "shop"};

static bool
owns(const void *arg, int32_t source)
{
	(void)arg;
	return source == SOURCE;
}

static void
make_generation(struct fixture *fx)
{
	struct store_generation gen = {.projection = "shop",
				       .number = 1,
				       .version = 1,
				       .collection = GENERATION,
				       .reader_json = mem_strdup("")};
	bool created;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	assert_true(created);
	free(gen.reader_json);
}

static int
setup(void **state)
{
	struct scene *scene = mem_calloc(1, sizeof(*scene));
	void *fx;

	(void)fixture_setup_lmdb(&fx);
	scene->fx = fx;
	scene->mod.desc = &desc;
	scene->lane = (struct lane){
		.mod = &scene->mod, .number = 1, .generation = GENERATION};
	scene->now_mono_ms = 1;
	make_generation(scene->fx);
	fixture_checkpoint(scene->fx, GENERATION, SOURCE, 100);
	fixture_checkpoint(scene->fx, GENERATION, OTHER, 10);
	*state = scene;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *scene = *state;

	(void)fixture_teardown((void **)&scene->fx);
	free(scene);
	return 0;
}

/* A document as the projector writes one. */
struct told {
	int64_t revision;
	int64_t deleted_days_ago; /* -1: it is not deleted */
	int64_t position, other;  /* -1: none */
	bool queue;
};

static void
put_told(struct scene *scene, const char *key, struct told told)
{
	bson_t *doc = bson_new(), meta, p, k, queue;
	struct store_token w = token_of((unsigned)told.revision);

	BSON_APPEND_UTF8(doc, "_id", key);
	BSON_APPEND_DOCUMENT_BEGIN(doc, "_m", &meta);
	BSON_APPEND_BINARY(&meta, "w", BSON_SUBTYPE_BINARY, w.bytes,
			   STORE_TOKEN_BYTES);
	BSON_APPEND_INT64(&meta, "r", told.revision);
	BSON_APPEND_INT32(&meta, "d", told.deleted_days_ago >= 0);
	BSON_APPEND_INT64(&meta, "t", 1);
	BSON_APPEND_DOCUMENT_BEGIN(&meta, "p", &p);
	if (told.position >= 0)
		BSON_APPEND_INT64(&p, "4", told.position);
	if (told.other >= 0)
		BSON_APPEND_INT64(&p, "9", told.other);
	bson_append_document_end(&meta, &p);
	if (told.queue) {
		BSON_APPEND_DOCUMENT_BEGIN(&meta, "k", &k);
		BSON_APPEND_DOCUMENT_BEGIN(&k, "4", &queue);
		BSON_APPEND_INT64(&queue, "first", 50);
		BSON_APPEND_INT64(&queue, "tail", 50);
		BSON_APPEND_INT64(&queue, "n", 1);
		bson_append_document_end(&k, &queue);
		bson_append_document_end(&meta, &k);
	}
	if (told.deleted_days_ago >= 0)
		BSON_APPEND_INT64(&meta, "x",
				  NOW_AT_MS - told.deleted_days_ago * DAY_MS);
	bson_append_document_end(doc, &meta);
	assert_int_equal(
		write_one(scene->fx,
			  insert_of(GENERATION,
				    (struct pj_str){key, strlen(key)}, doc)),
		STORE_APPLIED);
	bson_destroy(doc);
}

static bool
is_there(struct scene *scene, const char *key)
{
	struct store_doc doc = {.key = {key, strlen(key)}};
	bool there;

	OK(scene->fx,
	   store_load(scene->fx->ses, GENERATION, &doc, 1, &scene->fx->err));
	there = doc.bson != NULL;
	free(doc.bson);
	return there;
}

static void
purge_once(struct scene *scene)
{
	OK(scene->fx,
	   purge_lane(&scene->purge, scene->fx->ses, &scene->lane, owns, NULL,
		      KEEP_MS, scene->now_mono_ms, NOW_AT_MS, &scene->fx->err));
}

/* Rounds enough for a floor to be raised, known everywhere, and used. */
static void
purge_for_long(struct scene *scene)
{
	for (int i = 0; i < 6; i++) {
		purge_once(scene);
		scene->now_mono_ms += PURGE_EVERY_MS;
	}
}

/* ---- What goes ------------------------------------------------------------
 */

static void
an_old_tombstone_below_every_checkpoint_goes(void **state)
{
	struct scene *scene = *state;

	put_told(scene, "old", (struct told){5, 8, 99, 9, false});
	purge_for_long(scene);
	assert_false(is_there(scene, "old"));
	assert_int_equal(scene->purge.n_purged, 1);
}

static void
a_young_tombstone_stays(void **state)
{
	struct scene *scene = *state;

	put_told(scene, "young", (struct told){5, 6, 99, -1, false});
	purge_for_long(scene);
	assert_true(is_there(scene, "young"));
}

static void
a_tombstone_at_or_beyond_a_checkpoint_stays(void **state)
{
	struct scene *scene = *state;

	put_told(scene, "at", (struct told){5, 8, 100, -1, false});
	put_told(scene, "other", (struct told){5, 8, 20, 10, false});
	purge_for_long(scene);
	assert_true(is_there(scene, "at"));
	assert_true(is_there(scene, "other"));
}

static void
a_document_that_is_not_deleted_stays(void **state)
{
	struct scene *scene = *state;

	put_told(scene, "live", (struct told){5, -1, 20, -1, false});
	purge_for_long(scene);
	assert_true(is_there(scene, "live"));
}

static void
a_tombstone_with_a_parked_queue_stays(void **state)
{
	struct scene *scene = *state;

	put_told(scene, "parked", (struct told){5, 8, 20, -1, true});
	purge_for_long(scene);
	assert_true(is_there(scene, "parked"));
}

static void
a_tombstone_of_another_owner_stays(void **state)
{
	struct scene *scene = *state;

	put_told(scene, "theirs", (struct told){5, 8, -1, 3, false});
	purge_for_long(scene);
	assert_true(is_there(scene, "theirs"));
}

/* ---- Revisions -------------------------------------------------------------
 */

static void
the_floor_is_stored_before_anything_goes(void **state)
{
	struct scene *scene = *state;

	put_told(scene, "a", (struct told){41, 8, 20, -1, false});
	purge_once(scene);
	assert_true(is_there(scene, "a"));
	purge_once(scene);
	assert_int_equal(scene->lane.purged_revision, 41);
	/* Known for less than two rounds: others may not have read it yet. */
	scene->now_mono_ms += PURGE_EVERY_MS;
	purge_once(scene);
	assert_true(is_there(scene, "a"));
	scene->now_mono_ms += PURGE_EVERY_MS;
	purge_once(scene);
	assert_false(is_there(scene, "a"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_old_tombstone_below_every_checkpoint_goes),
		TEST(a_young_tombstone_stays),
		TEST(a_tombstone_at_or_beyond_a_checkpoint_stays),
		TEST(a_document_that_is_not_deleted_stays),
		TEST(a_tombstone_with_a_parked_queue_stays),
		TEST(a_tombstone_of_another_owner_stays),
		TEST(the_floor_is_stored_before_anything_goes),
	};

	return cmocka_run_group_tests_name("purge", tests, NULL, NULL);
}
