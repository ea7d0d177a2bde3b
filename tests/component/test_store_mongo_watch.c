/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a watch tells (lib/store_watch.h), on a real replica set: the double of
 * the read side's own tests tells what this shows to be true.
 */
#include "lib/store_watch.h"
#include "tests/support/mongo_fixture.h"

#define DOCS  "stock.1"
#define OTHER "stock.2" /* nobody watches it */

/* Of one wait: long, since what is awaited ends it. */
enum { WAIT_MS = 20000 };

struct watched {
	struct fixture *fx;
	struct store_session *ses;
	struct store_watch *watch;
	struct store_news news;
};

static void
watch_begin(struct watched *w, struct fixture *fx, int wait_ms)
{
	const char *names[] = {DOCS};

	*w = (struct watched){.fx = fx, .ses = fixture_session(fx)};
	OK(fx,
	   store_watch_open(w->ses, names, 1, wait_ms, &w->watch, &fx->err));
}

static void
watch_end(struct watched *w)
{
	store_watch_close(w->watch);
	store_session_close(w->ses);
}

static const struct store_news *
next_of(struct watched *w)
{
	OK(w->fx, store_watch_next(w->watch, &w->news, &w->fx->err));
	return &w->news;
}

static void
assert_document(const struct store_news *news, const char *key,
		int64_t revision)
{
	assert_int_equal(news->kind, STORE_NEWS_DOCUMENT);
	assert_string_equal(news->collection, DOCS);
	assert_int_equal(news->key.len, strlen(key));
	assert_memory_equal(news->key.ptr, key, news->key.len);
	assert_int_equal(news->revision, revision);
}

/* ---- Documents ---------------------------------------------------------- */

/* Of as many sources that what differs of `_m` is less than `_m`. */
static bson_t *
doc_of_sources(struct pj_str key, unsigned token)
{
	bson_t *doc = bson_new(), meta, positions;
	struct store_token w = token_of(token);

	bson_append_utf8(doc, "_id", 3, key.ptr, (int)key.len);
	bson_append_document_begin(doc, "_m", 2, &meta);
	bson_append_binary(&meta, "w", 1, BSON_SUBTYPE_BINARY, w.bytes,
			   STORE_TOKEN_BYTES);
	bson_append_int64(&meta, "r", 1, (int64_t)token);
	bson_append_document_begin(&meta, "p", 1, &positions);
	for (int i = 0; i < 50; i++) {
		char name[12];

		(void)snprintf(name, sizeof(name), "%d", i);
		bson_append_int64(&positions, name, -1, i);
	}
	bson_append_document_end(&meta, &positions);
	bson_append_document_end(doc, &meta);
	return doc;
}

/* What differs is logged where that is less than the whole, of the document
 * and of `_m` in it: so a revision comes in one of three forms. */
static void
a_revision_is_told_however_the_change_was_logged(void **state)
{
	struct fixture *fx = *state;
	bson_t *docs[] = {
		doc_new(PJ_STR("a"), 1, 0, 2000),
		doc_new(PJ_STR("a"), 2, 0, 2000), /* `_m` */
		doc_new(PJ_STR("a"), 3, 7, 0),	  /* all of it */
		doc_of_sources(PJ_STR("a"), 4),
		doc_of_sources(PJ_STR("a"), 5), /* members of `_m` */
	};
	const unsigned n = sizeof(docs) / sizeof(docs[0]);
	struct watched w;

	watch_begin(&w, fx, WAIT_MS);
	(void)write_one(fx, insert_of(DOCS, PJ_STR("a"), docs[0]));
	for (unsigned i = 1; i < n; i++)
		(void)write_one(fx, replace_of(DOCS, PJ_STR("a"), i, docs[i]));
	for (unsigned i = 0; i < n; i++) {
		assert_document(next_of(&w), "a", i + 1);
		bson_destroy(docs[i]);
	}
	watch_end(&w);
}

/* Not of the document as it has become since. */
static void
what_is_told_is_of_the_change_itself(void **state)
{
	struct fixture *fx = *state;
	struct store_purge purge = {DOCS, PJ_STR("b"), token_of(2)};
	struct store_batch batch = {.purges = &purge, .n_purges = 1};
	struct watched w;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("b"), 1), STORE_APPLIED);
	watch_begin(&w, fx, WAIT_MS);
	assert_int_equal(put_over(fx, DOCS, PJ_STR("a"), 1, 2), STORE_APPLIED);
	assert_int_equal(put_over(fx, DOCS, PJ_STR("b"), 1, 2), STORE_APPLIED);
	assert_int_equal(put_over(fx, DOCS, PJ_STR("a"), 2, 3), STORE_APPLIED);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_document(next_of(&w), "a", 2);
	assert_document(next_of(&w), "b", 2);
	assert_document(next_of(&w), "a", 3);
	assert_document(next_of(&w), "b", -1);
	watch_end(&w);
}

static void
what_was_taken_away_is_told_without_a_revision(void **state)
{
	struct fixture *fx = *state;
	struct store_purge purge = {DOCS, PJ_STR("a"), token_of(1)};
	struct store_batch batch = {.purges = &purge, .n_purges = 1};
	struct watched w;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	watch_begin(&w, fx, WAIT_MS);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_document(next_of(&w), "a", -1);
	watch_end(&w);
}

static void
only_documents_that_are_watched_are_told(void **state)
{
	struct fixture *fx = *state;
	struct watched w;

	watch_begin(&w, fx, WAIT_MS);
	assert_int_equal(put_new(fx, OTHER, PJ_STR("x"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 2), STORE_APPLIED);
	assert_document(next_of(&w), "a", 2);
	watch_end(&w);
}

/* ---- Checkpoints -------------------------------------------------------- */

static void
assert_checkpoint(const struct store_news *news, int32_t source, int64_t next)
{
	assert_int_equal(news->kind, STORE_NEWS_CHECKPOINT);
	assert_string_equal(news->generation, DOCS);
	assert_int_equal(news->source, source);
	assert_int_equal(news->next, next);
}

static void
a_checkpoint_is_told_behind_the_documents_that_it_covers(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint cp = fixture_claim(fx, DOCS, 3);
	struct watched w;

	watch_begin(&w, fx, WAIT_MS);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	cp.next = 7;
	assert_false(fixture_save(fx, &cp));
	assert_int_equal(put_over(fx, DOCS, PJ_STR("a"), 1, 2), STORE_APPLIED);
	cp.next = 8;
	assert_false(fixture_save(fx, &cp));
	assert_document(next_of(&w), "a", 1);
	assert_checkpoint(next_of(&w), 3, 7);
	assert_document(next_of(&w), "a", 2);
	assert_checkpoint(next_of(&w), 3, 8);
	watch_end(&w);
}

/* NONE would say that all before now has been told. */
static void
a_claim_does_not_hide_what_comes_behind_it(void **state)
{
	struct fixture *fx = *state;
	struct watched w;

	fixture_checkpoint(fx, DOCS, 3, 7);
	watch_begin(&w, fx, WAIT_MS);
	(void)fixture_claim(fx, DOCS, 3);
	(void)fixture_claim(fx, DOCS, 3);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	assert_document(next_of(&w), "a", 1);
	watch_end(&w);
}

static void
nothing_is_told_when_nothing_moved(void **state)
{
	struct fixture *fx = *state;
	struct watched w;

	fixture_checkpoint(fx, DOCS, 3, 7);
	watch_begin(&w, fx, 50);
	assert_int_equal(next_of(&w)->kind, STORE_NEWS_NONE);
	(void)fixture_claim(fx, DOCS, 3);
	assert_int_equal(next_of(&w)->kind, STORE_NEWS_NONE);
	watch_end(&w);
}

/* ---- All else ----------------------------------------------------------- */

static void
a_generations_record_and_the_live_pointer_are_news_of_the_catalog(void **state)
{
	struct fixture *fx = *state;
	char reader[] = "{}";
	struct store_generation gen = {.projection = "stock",
				       .number = 1,
				       .collection = DOCS,
				       .reader_json = reader};
	struct watched w;
	bool done;

	watch_begin(&w, fx, WAIT_MS);
	OK(fx, store_generation_create(fx->ses, &gen, &done, &fx->err));
	assert_true(done);
	assert_int_equal(next_of(&w)->kind, STORE_NEWS_CATALOG);
	OK(fx, store_live_move(fx->ses, "stock", 0, 1, &done, &fx->err));
	assert_true(done);
	assert_int_equal(next_of(&w)->kind, STORE_NEWS_CATALOG);
	watch_end(&w);
}

static void
a_dropped_collection_may_change_anything(void **state)
{
	struct fixture *fx = *state;
	struct watched w;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	watch_begin(&w, fx, WAIT_MS);
	bson_destroy(run_admin(fx, fx->database, "{\"drop\": \"" DOCS "\"}"));
	assert_int_equal(next_of(&w)->kind, STORE_NEWS_ANYTHING);
	watch_end(&w);
}

static void
a_dropped_database_ends_the_watch(void **state)
{
	struct fixture *fx = *state;
	struct watched w;
	int rc;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	watch_begin(&w, fx, WAIT_MS);
	fixture_drop_database(fx);
	do
		rc = store_watch_next(w.watch, &w.news, &fx->err);
	while (rc == 0 && w.news.kind == STORE_NEWS_ANYTHING);
	assert_int_equal(rc, -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_non_null(strstr(fx->err.text, "the database was dropped"));
	watch_end(&w);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_setup_mongo, mongo_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_revision_is_told_however_the_change_was_logged),
		TEST(what_is_told_is_of_the_change_itself),
		TEST(what_was_taken_away_is_told_without_a_revision),
		TEST(only_documents_that_are_watched_are_told),
		TEST(a_checkpoint_is_told_behind_the_documents_that_it_covers),
		TEST(a_claim_does_not_hide_what_comes_behind_it),
		TEST(nothing_is_told_when_nothing_moved),
		TEST(a_generations_record_and_the_live_pointer_are_news_of_the_catalog),
		TEST(a_dropped_collection_may_change_anything),
		TEST(a_dropped_database_ends_the_watch),
	};

	if (!getenv(STORE_TEST_URI)) {
		puts("store mongodb watch: NOT RUN: " STORE_TEST_URI
		     " is not set");
		return EXIT_SUCCESS;
	}
	return cmocka_run_group_tests_name("store mongodb watch", tests, NULL,
					   NULL);
}
