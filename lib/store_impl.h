/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between the port (store.c) and its adapters.
 *
 * store.c checks arguments, encodes rows and knows the meaning of the fixed
 * collections; an adapter knows only documents: BSON objects named by `_id` in
 * named collections. Private to lib/store*.c.
 */
#ifndef LIB_STORE_IMPL_H
#define LIB_STORE_IMPL_H

#include <bson/bson.h>

#include "lib/store_page.h"
#include "lib/store_watch.h"

/*
 * The largest document either adapter takes: MongoDB's own limit, held for both
 * so that a projection behaves the same on either.
 */
enum { STORE_DOCUMENT_MAX = 16 * 1024 * 1024 };
/* Of a parked row: what the audit says beside it needs room. */
enum { STORE_PARKED_MAX = STORE_DOCUMENT_MAX - 32 * 1024 };

/* A number that a document or row has to hold to be found or changed. */
struct store_cond {
	const char *field; /* "_m.x": a member of a member */
	enum { STORE_IS, STORE_AT_MOST } op;
	int64_t value;
};

/* What becomes of one field at the top of a row. */
struct store_change {
	const char *field;
	enum {
		STORE_SET_INT32,
		STORE_SET_INT64,
		STORE_SET_TEXT,
		STORE_SET_BYTES,
		STORE_ADD,   /* int64; an absent one is 0 */
		STORE_RAISE, /* int64; to at least that */
	} op;
	int64_t number;
	struct pj_str bytes; /* borrowed */
};

/*
 * A row of a fixed collection, to be made and changed: where it is absent,
 * `bson` becomes it (NULL: nothing happens); where it is there, and holds all
 * conds, `bson` is ignored. The changes are made to it either way. `bson` has
 * no field that changes name, and goes without conds.
 */
enum { STORE_CONDS_MAX = 2, STORE_CHANGES_MAX = 4 };
struct store_row {
	char *id;
	bson_t *bson;
	struct store_cond conds[STORE_CONDS_MAX];
	size_t n_conds;
	struct store_change changes[STORE_CHANGES_MAX];
	size_t n_changes;
};

/* Rows of one collection; made by add, freed by store_rows_release(). */
struct store_rows {
	struct store_row *row;
	size_t n, cap;
};

/* A batch made ready: writes that are not PENDING are to be left alone. */
struct store_job {
	struct store_write *writes;
	size_t n_writes;
	struct store_rows parked;
	struct store_rows checkpoints;
	size_t n_checkpoints_done; /* out */
	struct store_rows refused; /* parked rows that are there */
	/* First the audit, then the parked rows go (ids only). */
	struct store_rows audit, unparked;
	const struct store_purge *purges; /* last */
	size_t n_purges;
};

/* An index on a field and `_id`; sparse: on the field, where there is one. */
struct store_index {
	const char *field;
	bool sparse;
};

typedef bool (*store_each_fn)(void *arg, const uint8_t *bson, size_t len);

struct store_ops {
	void (*close)(struct store *store);
	int (*session_open)(struct store *store,
			    struct store_session **ret_session,
			    struct pj_error *err);
	void (*session_close)(struct store_session *ses);
	int (*check)(struct store_session *ses, struct pj_error *err);
	/* NULL: every read sees what was written before it anyway. */
	int (*sync)(struct store_session *ses, struct pj_error *err);
	int (*load)(struct store_session *ses, const char *collection,
		    struct store_doc *docs, size_t n_docs,
		    struct pj_error *err);
	int (*apply)(struct store_session *ses, struct store_job *job,
		     struct pj_error *err);
	/* Ids in (after, end), byte order; an empty bound is none. */
	int (*scan)(struct store_session *ses, const char *collection,
		    struct pj_str after, struct pj_str end, store_each_fn each,
		    void *arg, struct pj_error *err);
	int (*count)(struct store_session *ses, const char *collection,
		     struct pj_str after, struct pj_str end, int64_t *ret_n,
		     struct pj_error *err);
	/* *ret_inserted false: a row of this id is there, left as it is. */
	int (*row_insert)(struct store_session *ses, const char *collection,
			  const struct store_row *row, bool *ret_inserted,
			  struct pj_error *err);
	/* *ret_done: rows that were found as wanted, or made. */
	int (*rows_write)(struct store_session *ses, const char *collection,
			  const struct store_rows *rows, size_t *ret_done,
			  struct pj_error *err);
	/* By id; one that is not there is no error. */
	int (*rows_delete)(struct store_session *ses, const char *collection,
			   const struct store_rows *rows, struct pj_error *err);
	/* Inserts the source with the lowest free index, unless it exists. */
	int (*source_make)(struct store_session *ses, const char *id,
			   const char *topic, int32_t partition,
			   int32_t *ret_index, struct pj_error *err);
	/* All that hold the conditions, in any order; else like scan. */
	int (*find)(struct store_session *ses, const char *collection,
		    const struct store_cond *conds, size_t n_conds,
		    store_each_fn each, void *arg, struct pj_error *err);
	/* The page is empty at first; `last` is said whenever `more` is. */
	int (*page)(struct store_session *ses, const struct store_query *query,
		    struct store_page *page, struct pj_error *err);
	int (*watch_open)(struct store_session *ses,
			  const char *const *collections, size_t n, int wait_ms,
			  struct store_watch **ret_watch, struct pj_error *err);
	int (*watch_next)(struct store_watch *watch,
			  struct store_news *ret_news, struct pj_error *err);
	void (*watch_close)(struct store_watch *watch);
	/* NULL: always 0. */
	uint64_t (*commits)(struct store *store);
	int (*commits_seen)(struct store_session *ses, uint64_t *ret_commits,
			    struct pj_error *err);
	/* Idempotent. */
	int (*collection_make)(struct store_session *ses,
			       const char *collection,
			       const struct store_index *indexes,
			       size_t n_indexes, struct pj_error *err);
};

/* First member of each adapter's own struct. */
struct store {
	const struct store_ops *ops;
	bool read_only;
	char *name; /* for error texts: "store mongodb shopview" */
};

struct store_session {
	struct store *store;
};

/* First member of each adapter's own struct. */
struct store_watch {
	struct store_session *ses;
};

int
store_lmdb_open(const struct store_settings *settings, struct store **ret_store,
		struct pj_error *err) __attribute__((warn_unused_result));
int
store_mongo_open(const struct store_settings *settings,
		 struct store **ret_store, struct pj_error *err)
	__attribute__((warn_unused_result));

/* A collection that is always there. */
struct store_fixed {
	const char *name; /* NULL: the end */
	struct store_index index;
	size_t n_indexes; /* 0, 1 */
};
extern const struct store_fixed store_fixed[];

static inline struct pj_str
store_str(const char *s)
{
	return (struct pj_str){s, strlen(s)};
}

/* FATAL when the store is read-only. */
int
store_must_write(const struct store_session *ses, struct pj_error *err)
	__attribute__((warn_unused_result));

/* The row of this id; *ret_bson NULL: there is none; freed by free(). */
int
store_row_load(struct store_session *ses, const char *collection,
	       const char *id, uint8_t **ret_bson, size_t *ret_len,
	       struct pj_error *err) __attribute__((warn_unused_result));

/* rows_write of one; takes the row. *ret_done may be NULL. */
int
store_row_write_take(struct store_session *ses, const char *collection,
		     struct store_row *row, bool *ret_done,
		     struct pj_error *err) __attribute__((warn_unused_result));

/* Whether a row has left the epoch that one of these has, or is not there. */
int
store_is_fenced(struct store_session *ses, const struct store_checkpoint *cps,
		size_t n, bool *ret_fenced, struct pj_error *err)
	__attribute__((warn_unused_result));

/* The generation was claimed: its projection's pointer counts it
 * (store_live.c).
 */
int
store_live_claimed(struct store_session *ses, const char *generation,
		   struct pj_error *err) __attribute__((warn_unused_result));

/* A page being made: nothing in it; one document more, which is its last. */
void
store_page_clear(struct store_page *page);
void
store_page_add(struct store_page *page, struct pj_str key, const uint8_t *bson,
	       size_t len);
/* Where the next page begins, behind no document of this one. */
void
store_page_last(struct store_page *page, struct pj_str key);

/* The write token `_m.w`; false when the document has none. */
bool
store_token_read(const uint8_t *bson, size_t len, struct store_token *ret);

#endif
