/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MongoDB adapter: a pool, and per session one client of it with one
 * causally consistent session.
 *
 * Reads: majority, primary, after everything any session of this store has
 * seen or written. Writes: raw commands, {w: majority, j: true, wtimeout}. The
 * URI may not say otherwise.
 *
 * store_mongo.c: uri, open, sessions, check; store_mongo_run.c: one command;
 * store_mongo_command.c: commands of many statements; store_mongo_docs.c: load,
 * scan, count; store_mongo_page.c: lists; store_mongo_apply.c: batches;
 * store_mongo_rows.c: rows; store_mongo_meta.c: inserts that are told,
 * collections; store_mongo_watch.c: the change stream; store_mongo_errors.c:
 * codes.
 */
#ifndef LIB_STORE_MONGO_H
#define LIB_STORE_MONGO_H

#include <mongoc/mongoc.h>
#include <pthread.h>

#include "lib/store_impl.h"

enum {
	MONGO_WTIMEOUT_MS =
		10000, /* < socketTimeoutMS: the reply comes first */
	MONGO_SOCKET_TIMEOUT_MS = 15000,
	MONGO_SELECTION_TIMEOUT_MS = 5000,
	MONGO_SYNC_MS = 2000, /* a majority that does not answer is away */
};

struct mongo_store {
	struct store base;
	char *database;
	bool allow_standalone;
	uint32_t read_ms;
	mongoc_client_pool_t *pool;
	mongoc_write_concern_t *write_concern;
	mongoc_read_concern_t *read_concern;
	mongoc_read_prefs_t *read_prefs;
	pthread_mutex_t lock; /* what follows */
	/* The newest operation time any session knows; 0 = none. */
	uint32_t time_s, time_i;
	bool sources_ready; /* the unique index is there */
};

struct mongo_session {
	struct store_session base;
	mongoc_client_t *client;
	mongoc_client_session_t *causal; /* started by the first command */
};

static inline struct mongo_store *
mongo_store_of(const struct store_session *ses)
{
	return (struct mongo_store *)ses->store;
}

/* ---- Errors ------------------------------------------------------------ */

/* Server codes asked for by name. */
enum {
	MONGO_UNAUTHORIZED = 13,
	MONGO_NAMESPACE_EXISTS = 48,
	MONGO_NOT_A_REPLICA_SET = 123,
	MONGO_DUPLICATE_KEY = 11000,
};

/*
 * The class of a failed call: error API version 2, reply may be NULL. An
 * unknown code is an outage (RETRY), never the record's fault.
 */
enum pj_error_class
mongo_error_class(const bson_error_t *error, const bson_t *reply);

/*
 * True: by this entry of `writeErrors` the server keeps the document out for
 * what the document is: the same again is refused again.
 */
bool
mongo_is_refusal(const bson_t *write_error);
/* What the entry says, cut in the middle; malloc'ed. */
char *
mongo_refusal_text(const bson_t *write_error);

/* True: the server could not even read the command, for its depth or size. */
bool
mongo_is_command_refusal(int32_t code);

/*
 * Fills *err, err->code with the server's code or 0:
 * "store mongodb shopview: <what>: <message>". Returns -1.
 */
int
mongo_error_set(struct pj_error *err, const struct store *store,
		const char *what, const bson_error_t *error,
		const bson_t *reply);

/* ---- One command ------------------------------------------------------- */

/*
 * Options of a read: session and concern. Fails with RETRY while no server can
 * be reached. opts is initialised either way.
 */
int
mongo_open_opts(struct mongo_session *ses, bson_t *ret_opts,
		struct pj_error *err) __attribute__((warn_unused_result));
/* The same of one that ends by itself: within the store's read_ms. */
int
mongo_read_opts(struct mongo_session *ses, bson_t *ret_opts,
		struct pj_error *err) __attribute__((warn_unused_result));
/* Takes what the session has seen to the store; after every call. */
void
mongo_note_time(struct mongo_session *ses);

/*
 * Sends a read command. *ret_reply is the caller's, also on failure.
 */
int
mongo_read(struct mongo_session *ses, const bson_t *command, bson_t *ret_reply,
	   const char *what, struct pj_error *err)
	__attribute__((warn_unused_result));

int
mongo_sync(struct store_session *ses, struct pj_error *err);

/* What the reply to a write command proves. */
struct mongo_result {
	bool clean;	  /* ok: 1, no writeErrors, no writeConcernError */
	bool durable;	  /* ok: 1, no writeConcernError */
	int64_t n;	  /* matched, inserted and upserted */
	int64_t modified; /* of those matched */
	bool upserted;
	int32_t code;	/* of the first write error */
	char text[160]; /* what made it unclean */
	bson_t reply;	/* by mongo_result_release() */
};

/*
 * Sends an insert, update or other write command with the store's write
 * concern. 0: the server answered ok: 1, read ret_result. -1: outage or
 * refusal of the whole command; the effect is unknown. ret_result is to be
 * released either way.
 */
int
mongo_write(struct mongo_session *ses, const bson_t *command, const char *what,
	    struct mongo_result *ret_result, struct pj_error *err)
	__attribute__((warn_unused_result));
void
mongo_result_release(struct mongo_result *result);

/* libbson refuses only what exceeds 2 GiB; commands are held far below. */
void
mongo_must(bool ok);

enum {
	MONGO_COMMAND_DOCS = 1000,
	/*
	 * A command built by hand is one BSON document, so 16 MiB is the
	 * server's limit for all of it (48 MB is for document sequences); one
	 * larger document goes alone, within the server's allowance.
	 */
	MONGO_COMMAND_BYTES = 8 * 1024 * 1024,
};

/* A command being built: head, then an array of statements. */
struct mongo_command {
	bson_t bson;
	bson_t array;
	size_t n;
	size_t bytes;
};

/* ordered: false */
void
mongo_command_begin(struct mongo_command *cmd, const char *verb,
		    const char *collection, const char *array);
void
mongo_command_end(struct mongo_command *cmd);
/* For a statement of about len bytes more; the first always has. */
bool
mongo_command_has_room(const struct mongo_command *cmd, size_t len);
/* The name of the next statement, in the array. */
const char *
mongo_command_next(struct mongo_command *cmd, size_t len, char name[16]);

/* Adds the conditions to a filter. */
void
mongo_put_conds(bson_t *filter, const struct store_cond *conds, size_t n);
/* A statement of "deletes"; token NULL: whatever it holds. */
void
mongo_command_delete(struct mongo_command *cmd, struct pj_str id,
		     const struct store_token *token);
/*
 * Ends and sends it; releases it. *ret_done: documents matched, made or
 * deleted. RETRY where not all of it is proved; who adds must bear that it is
 * added twice.
 */
int
mongo_command_send(struct mongo_session *ses, const char *collection,
		   struct mongo_command *cmd, size_t *ret_done,
		   struct pj_error *err) __attribute__((warn_unused_result));

/* ---- Operations -------------------------------------------------------- */

int
mongo_load(struct store_session *ses, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err);
int
mongo_scan(struct store_session *ses, const char *collection,
	   struct pj_str after, struct pj_str end, store_each_fn each,
	   void *arg, struct pj_error *err);
int
mongo_find(struct store_session *ses, const char *collection,
	   const struct store_cond *conds, size_t n_conds, store_each_fn each,
	   void *arg, struct pj_error *err);
int
mongo_count(struct store_session *ses, const char *collection,
	    struct pj_str after, struct pj_str end, int64_t *ret_n,
	    struct pj_error *err);
int
mongo_page(struct store_session *ses, const struct store_query *query,
	   struct store_page *page, struct pj_error *err);
int
mongo_apply(struct store_session *ses, struct store_job *job,
	    struct pj_error *err);
int
mongo_row_insert(struct store_session *ses, const char *collection,
		 const struct store_row *row, bool *ret_inserted,
		 struct pj_error *err);
int
mongo_rows_write(struct store_session *ses, const char *collection,
		 const struct store_rows *rows, size_t *ret_done,
		 struct pj_error *err);
int
mongo_rows_delete(struct store_session *ses, const char *collection,
		  const struct store_rows *rows, struct pj_error *err);
int
mongo_source_make(struct store_session *ses, const char *id, const char *topic,
		  int32_t partition, int32_t *ret_index, struct pj_error *err);
int
mongo_watch_open(struct store_session *ses, const char *const *collections,
		 size_t n, int wait_ms, struct store_watch **ret_watch,
		 struct pj_error *err);
int
mongo_watch_next(struct store_watch *watch, struct store_news *ret_news,
		 struct pj_error *err);
void
mongo_watch_close(struct store_watch *watch);
int
mongo_collection_make(struct store_session *ses, const char *collection,
		      const struct store_index *indexes, size_t n_indexes,
		      struct pj_error *err);

#endif
