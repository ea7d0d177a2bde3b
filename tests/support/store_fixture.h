/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of its own for each test: a fresh directory or a fresh database.
 * Included by tests/component/test_store*.c only.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <mongoc/mongoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store.h"

#define STORE_TEST_URI "SHOPVIEW_TEST_MONGODB"

struct fixture {
	struct store_settings settings;
	struct store *store;
	struct store_session *ses;
	char path[64];	   /* lmdb */
	char database[64]; /* mongodb */
	struct pj_error err;
};

/* The call has to work; its error text is shown when it does not. */
#define OK(fx, call)                                                           \
	do {                                                                   \
		if ((call) != 0)                                               \
			fail_msg("%s: %s", #call, (fx)->err.text);             \
	} while (0)

static inline void
fixture_open(struct fixture *fx)
{
	OK(fx, store_open(&fx->settings, &fx->store, &fx->err));
	OK(fx, store_session_open(fx->store, &fx->ses, &fx->err));
}

static inline void
fixture_close(struct fixture *fx)
{
	store_session_close(fx->ses);
	store_close(fx->store);
	fx->ses = NULL;
	fx->store = NULL;
}

/* Another session on the same database or directory. */
static inline struct store_session *
fixture_session(struct fixture *fx)
{
	struct store_session *ses;

	OK(fx, store_session_open(fx->store, &ses, &fx->err));
	return ses;
}

static inline struct fixture *
fixture_new(enum store_type type)
{
	static unsigned serial;
	struct fixture *fx = mem_calloc(1, sizeof(*fx));

	fx->settings.type = type;
	fx->settings.app_name = "store-test";
	fx->settings.map_bytes = 64 << 20;
	if (type == STORE_MONGODB) {
		(void)snprintf(fx->database, sizeof(fx->database),
			       "shopview_test_%d_%u", (int)getpid(), ++serial);
		fx->settings.uri = getenv(STORE_TEST_URI);
		fx->settings.database = fx->database;
	} else {
		strcpy(fx->path, "/tmp/shopview-store-XXXXXX");
		if (!mkdtemp(fx->path))
			fail_msg("mkdtemp");
		fx->settings.path = fx->path;
	}
	return fx;
}

static inline void
fixture_drop_database(const struct fixture *fx)
{
	mongoc_client_t *client = mongoc_client_new(fx->settings.uri);
	mongoc_database_t *db =
		mongoc_client_get_database(client, fx->database);

	assert_true(mongoc_database_drop(db, NULL));
	mongoc_database_destroy(db);
	mongoc_client_destroy(client);
}

static inline void
fixture_free(struct fixture *fx)
{
	char name[96];

	fixture_close(fx);
	if (fx->settings.type == STORE_MONGODB) {
		fixture_drop_database(fx);
	} else {
		(void)snprintf(name, sizeof(name), "%s/data.mdb", fx->path);
		(void)unlink(name);
		(void)snprintf(name, sizeof(name), "%s/lock.mdb", fx->path);
		(void)unlink(name);
		(void)rmdir(fx->path);
	}
	free(fx);
}

static inline int
fixture_setup_lmdb(void **state)
{
	struct fixture *fx = fixture_new(STORE_LMDB);

	fixture_open(fx);
	*state = fx;
	return 0;
}

static inline int
fixture_setup_mongo(void **state)
{
	struct fixture *fx = fixture_new(STORE_MONGODB);

	fixture_open(fx);
	*state = fx;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* ---- Checkpoints ------------------------------------------------------- */

/* Claims one row for a new owner and gives what it holds. */
static inline struct store_checkpoint
fixture_claim(struct fixture *fx, const char *generation, int32_t source)
{
	static uint64_t owners;
	struct store_owner owner = {{0xc1}};
	struct store_checkpoint row;
	bool mine = false;

	owners++;
	memcpy(owner.bytes + 8, &owners, sizeof(owners));
	OK(fx, store_claim(fx->ses, generation, &source, 1, &owner, &row, &mine,
			   &fx->err));
	assert_true(mine);
	return row;
}

/* Writes it as it is; true: it was fenced. */
static inline bool
fixture_save(struct fixture *fx, const struct store_checkpoint *cp)
{
	struct store_batch batch = {.checkpoints = cp, .n_checkpoints = 1};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	return batch.fenced;
}

/* Takes the row over and moves it to `next`, or leaves it where it is. */
static inline void
fixture_checkpoint(struct fixture *fx, const char *generation, int32_t source,
		   int64_t next)
{
	struct store_checkpoint cp = fixture_claim(fx, generation, source);

	cp.next = next;
	assert_false(fixture_save(fx, &cp));
}

/* ---- Documents --------------------------------------------------------- */

/* A token that names its number. */
static inline struct store_token
token_of(unsigned number)
{
	struct store_token token = {{0}};

	memcpy(token.bytes, &number, sizeof(number));
	token.bytes[15] = 0xa5;
	return token;
}

/* {_id, text: padding, _m: {w, r, d}} */
static inline bson_t *
doc_new(struct pj_str key, unsigned token, int32_t state, size_t padding)
{
	bson_t *doc = bson_new(), meta;
	struct store_token w = token_of(token);
	char *text = mem_alloc(padding + 1);

	memset(text, 'x', padding);
	bson_append_utf8(doc, "_id", 3, key.ptr, (int)key.len);
	bson_append_utf8(doc, "text", 4, text, (int)padding);
	bson_append_document_begin(doc, "_m", 2, &meta);
	bson_append_binary(&meta, "w", 1, BSON_SUBTYPE_BINARY, w.bytes,
			   STORE_TOKEN_BYTES);
	bson_append_int64(&meta, "r", 1, (int64_t)token);
	bson_append_int32(&meta, "d", 1, state);
	bson_append_document_end(doc, &meta);
	free(text);
	return doc;
}

static inline struct store_write
insert_of(const char *collection, struct pj_str key, const bson_t *doc)
{
	return (struct store_write){.collection = collection,
				    .key = key,
				    .bson = bson_get_data(doc),
				    .len = doc->len,
				    .insert = true};
}

static inline struct store_write
replace_of(const char *collection, struct pj_str key, unsigned base,
	   const bson_t *doc)
{
	struct store_write w = insert_of(collection, key, doc);

	w.insert = false;
	w.base = token_of(base);
	return w;
}

/* Writes one document in a batch of its own and tells the outcome. */
static inline enum store_outcome
write_one(struct fixture *fx, struct store_write w)
{
	struct store_batch batch = {.writes = &w, .n_writes = 1};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	return w.outcome;
}

static inline enum store_outcome
put_new(struct fixture *fx, const char *collection, struct pj_str key,
	unsigned token)
{
	bson_t *doc = doc_new(key, token, 0, 8);
	enum store_outcome outcome =
		write_one(fx, insert_of(collection, key, doc));

	bson_destroy(doc);
	return outcome;
}

static inline enum store_outcome
put_over(struct fixture *fx, const char *collection, struct pj_str key,
	 unsigned base, unsigned token)
{
	bson_t *doc = doc_new(key, token, 0, 8);
	enum store_outcome outcome =
		write_one(fx, replace_of(collection, key, base, doc));

	bson_destroy(doc);
	return outcome;
}

/* The token's number of a stored document; -1 when it is absent. */
static inline int
stored_token(struct fixture *fx, struct store_session *ses,
	     const char *collection, struct pj_str key)
{
	struct store_doc doc = {.key = key};
	bson_iter_t it, w;
	const uint8_t *bytes;
	uint32_t n;
	int number = -1;

	OK(fx, store_load(ses, collection, &doc, 1, &fx->err));
	if (doc.bson) {
		assert_true(bson_iter_init_from_data(&it, doc.bson, doc.len));
		assert_true(bson_iter_find_descendant(&it, "_m.w", &w));
		bson_iter_binary(&w, NULL, &n, &bytes);
		assert_int_equal(n, STORE_TOKEN_BYTES);
		memcpy(&number, bytes, sizeof(number));
	}
	free(doc.bson);
	return number;
}

#endif
