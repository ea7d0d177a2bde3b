/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LMDB adapter: one environment, one named database per collection.
 *
 * Keys are the bytes of `_id`, values the documents as they are. Every call is
 * one short transaction (a scan: one per piece), because LMDB wants no
 * transaction open in this process when the map is resized.
 *
 * store_lmdb_env.c: environment, map, transactions, database handles;
 * store_lmdb_docs.c: load, apply; store_lmdb_scan.c: scan, count;
 * store_lmdb_index.c: which fields a collection is indexed by;
 * store_lmdb_page.c: lists; store_lmdb_rows.c: rows; store_lmdb_meta.c: inserts
 * that are told; store_lmdb_watch.c: is there anything new?
 */
#ifndef LIB_STORE_LMDB_H
#define LIB_STORE_LMDB_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "lib/bsonread.h"
#include "lib/store_impl.h"

/* LMDB's own limit, compiled into Debian's library. */
enum { LMDB_KEY_MAX = 511 };

/*
 * An open environment. LMDB allows one per file and process (closing a second
 * one would drop the first one's locks), so stores of one path share it.
 */
struct lmdb_env;

struct lmdb_store {
	struct store base;
	char *path;
	uint64_t map_bytes;
	pthread_mutex_t lock; /* who opens env: read-only stores do it late */
	/* NULL until it is open; then the same until the store is closed. */
	struct lmdb_env *_Atomic env;
};

/*
 * Opens or shares. A read-only one needs an existing file: RETRY without.
 */
int
lmdb_env_open(const char *path, uint64_t map_bytes, bool read_only,
	      struct lmdb_env **ret_env, struct pj_error *err)
	__attribute__((warn_unused_result));
void
lmdb_env_close(struct lmdb_env *env);

enum lmdb_mode { LMDB_READ, LMDB_WRITE };

/* 0, or LMDB's or errno's code: the transaction is aborted. */
typedef int (*lmdb_body_fn)(MDB_txn *txn, void *arg);

/*
 * Runs body in a transaction and commits it. When the map is too small or
 * another process has grown it, the map is adjusted and body runs again: it has
 * to start from prepared inputs each time.
 */
int
lmdb_run(struct lmdb_env *env, enum lmdb_mode mode, lmdb_body_fn body,
	 void *arg, const char *what, struct pj_error *err)
	__attribute__((warn_unused_result));

/* Counts the commits of all processes. One counts when its page is written, and
 * is read only when that page is on the disk. */
size_t
lmdb_serial(struct lmdb_env *env);

/*
 * The handle of a collection's database. `make`: creates it when absent;
 * otherwise *ret_found tells.
 */
int
lmdb_database(struct lmdb_env *env, const char *name, bool make,
	      MDB_dbi *ret_dbi, bool *ret_found, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * The same without any other transaction of this process: for bodies that open
 * handles themselves.
 */
int
lmdb_run_alone(struct lmdb_env *env, enum lmdb_mode mode, lmdb_body_fn body,
	       void *arg, const char *what, struct pj_error *err)
	__attribute__((warn_unused_result));

/* The session's environment; RETRY while a read-only one is not there yet. */
int
lmdb_session_env(struct store_session *ses, struct lmdb_env **ret_env,
		 struct pj_error *err) __attribute__((warn_unused_result));

static inline MDB_val
lmdb_val(const void *data, size_t len)
{
	/* LMDB's struct is not const-correct; it never writes here. */
	return (MDB_val){len, (void *)(uintptr_t)data};
}

/* ---- Indexes ------------------------------------------------------------ */

enum {
	LMDB_INDEX_FIELDS = STORE_FILTERS_MAX, /* of one collection */
	LMDB_FIELD_MAX = 64,		       /* bytes of their names */
};

/*
 * The index of a collection: a database beside its own, "<collection>#index",
 * with several values (DUPSORT) per key. Key: field, NUL, type, value (a long
 * one cut and hashed: readmodel_add_unit()); values: the `_id`s of the live
 * documents that have it, in order. Under the key NUL: the indexed fields.
 *
 * Made in one transaction with the collection, or never: whoever sees the
 * collection knows for good whether there is one. Immutable.
 */
struct lmdb_index {
	char *collection;
	bool exists;
	MDB_dbi dbi;
	char fields[LMDB_INDEX_FIELDS][LMDB_FIELD_MAX + 1];
	size_t n_fields;
};

/* Those of an environment that were asked for. */
struct lmdb_indexes;
struct lmdb_indexes *
lmdb_indexes_new(void);
void
lmdb_indexes_free(struct lmdb_indexes *all);
struct lmdb_indexes *
lmdb_env_indexes(struct lmdb_env *env);

/*
 * The index of a collection that is there; *ret_index NULL when it has none.
 * Borrowed as long as the environment is open.
 */
int
lmdb_index_open(struct lmdb_env *env, const char *collection,
		const struct lmdb_index **ret_index, struct pj_error *err)
	__attribute__((warn_unused_result));

/* Makes the collection, with an index when there are fields; idempotent. */
int
lmdb_collection_make(struct store_session *ses, const char *collection,
		     const struct store_index *indexes, size_t n_indexes,
		     struct pj_error *err);

/* The keys of one document in its index; reused, released by the caller. */
struct lmdb_keys {
	struct buf bytes;
	size_t end[LMDB_INDEX_FIELDS]; /* as its predecessor: no such key */
	size_t n;
};
/* bson NULL, not live or damaged: none. idx NULL: none. */
void
lmdb_keys_of(struct lmdb_keys *keys, const struct lmdb_index *idx,
	     const uint8_t *bson, size_t len);
/* Within a transaction: the document's entries move from one to the other. */
int
lmdb_keys_move(MDB_txn *txn, const struct lmdb_index *idx, struct pj_str id,
	       const struct lmdb_keys *from, const struct lmdb_keys *to);
/* The key of what a filter asks for; false: its field is not indexed. */
bool
lmdb_filter_key(const struct lmdb_index *idx, const struct store_filter *f,
		struct buf *ret_key);

/* One served value that can be filtered by; false: it is of another kind. */
bool
lmdb_filter_value(const struct bsonread_element *el, struct store_filter *ret);
/* Whether `_m.d` says that it is live; false when damaged. */
bool
lmdb_is_live(const uint8_t *bson, size_t len);

/* ---- Operations --------------------------------------------------------- */

/* To the first key behind `after`, of a cursor on documents. */
int
lmdb_cursor_seek(MDB_cursor *cur, const struct buf *after, MDB_val *key,
		 MDB_val *val);
int
lmdb_page(struct store_session *ses, const struct store_query *query,
	  struct store_page *page, struct pj_error *err);
int
lmdb_load(struct store_session *ses, const char *collection,
	  struct store_doc *docs, size_t n_docs, struct pj_error *err);
int
lmdb_apply(struct store_session *ses, struct store_job *job,
	   struct pj_error *err);
int
lmdb_scan(struct store_session *ses, const char *collection,
	  struct pj_str after, struct pj_str end, store_each_fn each, void *arg,
	  struct pj_error *err);
int
lmdb_count(struct store_session *ses, const char *collection,
	   struct pj_str after, struct pj_str end, int64_t *ret_n,
	   struct pj_error *err);
int
lmdb_row_insert(struct store_session *ses, const char *collection,
		const struct store_row *row, bool *ret_inserted,
		struct pj_error *err);
/* Within a transaction. */
int
lmdb_rows_put(MDB_txn *txn, MDB_dbi dbi, const struct store_rows *rows,
	      size_t *ret_done);
int
lmdb_rows_write(struct store_session *ses, const char *collection,
		const struct store_rows *rows, size_t *ret_done,
		struct pj_error *err);
bool
lmdb_holds(const uint8_t *bson, size_t len, const struct store_cond *cond);
int
lmdb_find(struct store_session *ses, const char *collection,
	  const struct store_cond *conds, size_t n_conds, store_each_fn each,
	  void *arg, struct pj_error *err);
/* Within a transaction, by id. */
int
lmdb_rows_del(MDB_txn *txn, MDB_dbi dbi, const struct store_rows *rows);
int
lmdb_rows_delete(struct store_session *ses, const char *collection,
		 const struct store_rows *rows, struct pj_error *err);
int
lmdb_watch_open(struct store_session *ses, const char *const *collections,
		size_t n, int wait_ms, struct store_watch **ret_watch,
		struct pj_error *err);
int
lmdb_watch_next(struct store_watch *watch, struct store_news *ret_news,
		struct pj_error *err);
void
lmdb_watch_close(struct store_watch *watch);
uint64_t
lmdb_commits(struct store *store);
int
lmdb_commits_seen(struct store_session *ses, uint64_t *ret_commits,
		  struct pj_error *err);
int
lmdb_source_make(struct store_session *ses, const char *id, const char *topic,
		 int32_t partition, int32_t *ret_index, struct pj_error *err);

#endif
