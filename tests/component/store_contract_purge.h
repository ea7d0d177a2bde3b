/* SPDX-License-Identifier: Apache-2.0 */
/* The part of test_store.c that is about deleted documents and their end. */
#ifndef TESTS_STORE_CONTRACT_PURGE_H
#define TESTS_STORE_CONTRACT_PURGE_H

#include "tests/component/store_contract_rows.h"

#define DELETED_DOCS "sales.1"

/* {_id, _m: {w, d, x}}; x < 0: without. */
static void
put_deleted(struct fixture *fx, const char *key, int32_t state, int64_t x)
{
	struct store_token w = token_of(1);
	bson_t doc = BSON_INITIALIZER, meta;

	bson_append_utf8(&doc, "_id", 3, key, -1);
	bson_append_document_begin(&doc, "_m", 2, &meta);
	bson_append_binary(&meta, "w", 1, BSON_SUBTYPE_BINARY, w.bytes,
			   STORE_TOKEN_BYTES);
	bson_append_int32(&meta, "d", 1, state);
	if (x >= 0)
		bson_append_int64(&meta, "x", 1, x);
	bson_append_document_end(&doc, &meta);
	assert_int_equal(
		write_one(fx,
			  insert_of(DELETED_DOCS,
				    (struct pj_str){key, strlen(key)}, &doc)),
		STORE_APPLIED);
	bson_destroy(&doc);
}

struct deleted_seen {
	unsigned letters; /* bit 0: "a", … */
	size_t n, stop_at;
};

static bool
see_deleted(void *arg, const uint8_t *bson, size_t len)
{
	struct deleted_seen *seen = arg;
	bson_iter_t it, w;

	assert_true(bson_iter_init_from_data(&it, bson, len));
	assert_true(bson_iter_find(&it, "_id"));
	seen->letters |= 1u << (bson_iter_utf8(&it, NULL)[0] - 'a');
	/* With what is needed to purge it. */
	assert_true(bson_iter_init_from_data(&it, bson, len));
	assert_true(bson_iter_find_descendant(&it, "_m.w", &w));
	return ++seen->n != seen->stop_at;
}

static void
expect_deleted(struct fixture *fx, int64_t before_at_ms, unsigned letters,
	       size_t n)
{
	struct deleted_seen seen = {0};

	OK(fx, store_scan_deleted(fx->ses, DELETED_DOCS, before_at_ms,
				  see_deleted, &seen, &fx->err));
	assert_int_equal(seen.letters, letters);
	assert_int_equal(seen.n, n);
}

static void
deleted_documents_are_found_by_when_that_was(void **state)
{
	struct fixture *fx = *state;
	struct store_generation gen = generation_of("sales", 1);
	struct deleted_seen one = {.stop_at = 1};
	bool created;

	expect_deleted(fx, INT64_MAX, 0, 0);
	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	put_deleted(fx, "a", READMODEL_DELETED, 100);
	put_deleted(fx, "b", READMODEL_DELETED, 101);
	put_deleted(fx, "c", READMODEL_DELETED, 1700000000000);
	put_deleted(fx, "d", READMODEL_LIVE_DOC, -1);
	put_deleted(fx, "e", READMODEL_DELETED, -1);
	put_deleted(fx, "f", READMODEL_META_ONLY, 5);
	put_deleted(fx, "g", READMODEL_LIVE_DOC, 5);
	expect_deleted(fx, 100, 0, 0);
	expect_deleted(fx, 101, 1, 1);
	expect_deleted(fx, 102, 3, 2);
	expect_deleted(fx, INT64_MAX, 7, 3);
	expect_deleted(fx, INT64_MIN, 0, 0);
	OK(fx, store_scan_deleted(fx->ses, DELETED_DOCS, INT64_MAX, see_deleted,
				  &one, &fx->err));
	assert_int_equal(one.n, 1);
}

static void
a_purge_takes_away_only_what_still_has_the_token(void **state)
{
	struct fixture *fx = *state;
	struct store_purge purges[] = {
		{"stock.1", PJ_STR("a"), token_of(1)},
		{"stock.1", PJ_STR("b"), token_of(1)},
		{"stock.1", PJ_STR("absent"), token_of(1)},
		{"sales.1", PJ_STR("a"), token_of(2)},
		{"stock.1", PJ_STR("c"), token_of(3)},
		{"never.1", PJ_STR("a"), token_of(1)},
	};
	struct store_batch batch = {.purges = purges, .n_purges = 6};

	assert_int_equal(put_new(fx, "stock.1", PJ_STR("a"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, "stock.1", PJ_STR("b"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, "stock.1", PJ_STR("c"), 3), STORE_APPLIED);
	assert_int_equal(put_new(fx, "sales.1", PJ_STR("a"), 2), STORE_APPLIED);
	/* Revived meanwhile. */
	assert_int_equal(put_over(fx, "stock.1", PJ_STR("b"), 1, 7),
			 STORE_APPLIED);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_int_equal(stored_token(fx, fx->ses, "stock.1", PJ_STR("a")), -1);
	assert_int_equal(stored_token(fx, fx->ses, "stock.1", PJ_STR("b")), 7);
	assert_int_equal(stored_token(fx, fx->ses, "stock.1", PJ_STR("c")), -1);
	assert_int_equal(stored_token(fx, fx->ses, "sales.1", PJ_STR("a")), -1);
	/* What is gone can be made anew. */
	assert_int_equal(put_new(fx, "stock.1", PJ_STR("a"), 9), STORE_APPLIED);
}

static int64_t
purged_revision(struct fixture *fx)
{
	struct store_generation *rows;
	int64_t revision;
	size_t n;

	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].state, STORE_GEN_BUILDING);
	revision = rows[0].purged_revision;
	store_generations_free(rows, n);
	return revision;
}

static void
the_highest_purged_revision_never_goes_down(void **state)
{
	struct fixture *fx = *state;
	struct store_generation gen = generation_of("stock", 1);
	bool created;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	assert_int_equal(purged_revision(fx), 0);
	OK(fx, store_generation_purged(fx->ses, "stock", 1, 7, &fx->err));
	assert_int_equal(purged_revision(fx), 7);
	OK(fx, store_generation_purged(fx->ses, "stock", 1, 5, &fx->err));
	assert_int_equal(purged_revision(fx), 7);
	OK(fx,
	   store_generation_purged(fx->ses, "stock", 1, INT64_MAX, &fx->err));
	assert_int_equal(purged_revision(fx), INT64_MAX);
	assert_int_equal(
		store_generation_purged(fx->ses, "stock", 2, 7, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
}

#endif
