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

#include "lib/store.h"

/*
 * The largest document either adapter takes: MongoDB's own limit, held for both
 * so that a projection behaves the same on either.
 */
enum { STORE_DOCUMENT_MAX = 16 * 1024 * 1024 };

/* A row of a fixed collection, encoded. */
struct store_row {
	char *id;
	bson_t *bson;
	int64_t next; /* checkpoints only */
};

/* A batch made ready: writes that are not PENDING are to be left alone. */
struct store_job {
	struct store_write *writes;
	size_t n_writes;
	struct store_row *parked;
	size_t n_parked;
	struct store_row *checkpoints;
	size_t n_checkpoints;
};

typedef bool (*store_each_fn)(void *arg, const uint8_t *bson, size_t len);

struct store_ops {
	void (*close)(struct store *store);
	int (*session_open)(struct store *store,
			    struct store_session **ret_session,
			    struct pj_error *err);
	void (*session_close)(struct store_session *ses);
	int (*check)(struct store_session *ses, struct pj_error *err);
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
	/*
	 * Sets an int32 field of a row; only when it holds *expected unless
	 * that is NULL. *ret_set false: no such row, or another value.
	 */
	int (*row_set)(struct store_session *ses, const char *collection,
		       const char *id, const char *field,
		       const int32_t *expected, int32_t value, bool *ret_set,
		       struct pj_error *err);
	/* Inserts the source with the lowest free index, unless it exists. */
	int (*source_make)(struct store_session *ses, const char *id,
			   const char *topic, int32_t partition,
			   int32_t *ret_index, struct pj_error *err);
	/* Idempotent; with an index on each of the fields, then `_id`. */
	int (*collection_make)(struct store_session *ses,
			       const char *collection,
			       const char *const *fields, size_t n_fields,
			       struct pj_error *err);
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

int
store_lmdb_open(const struct store_settings *settings, struct store **ret_store,
		struct pj_error *err) __attribute__((warn_unused_result));
int
store_mongo_open(const struct store_settings *settings,
		 struct store **ret_store, struct pj_error *err)
	__attribute__((warn_unused_result));

/* The collections that are always there; NULL-ended. */
extern const char *const store_fixed_collections[];

static inline struct pj_str
store_str(const char *s)
{
	return (struct pj_str){s, strlen(s)};
}

/* The write token `_m.w`; false when the document has none. */
bool
store_token_read(const uint8_t *bson, size_t len, struct store_token *ret);

#endif
