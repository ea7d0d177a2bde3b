/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document store port: what both programs ask of a store.
 *
 * Two adapters, one contract (tests/component/test_store.c runs against both):
 * store_mongo.c (replica set) and store_lmdb.c (one file, several processes).
 * The port moves bytes; it never looks into a document beyond `_m`, and never
 * retries, skips or decides: results are told, projector/pipeline.c acts.
 *
 * Names of databases, collections and `_id`s are made in readmodel.c only.
 *
 * Threads: a store is shared; a session belongs to one thread at a time. Open
 * one session per thread and keep it.
 * Ownership: strings and bytes passed in are borrowed for the call; bytes given
 * out are the caller's, freed by free() or the named release function.
 * Errors: RETRY for outages (server away, election, time-out), CONFIG for what
 * a person must change (bad uri, standalone server), STOP for named stops,
 * FATAL for the rest; the text names store, collection and key.
 */
#ifndef LIB_STORE_H
#define LIB_STORE_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

enum store_type { STORE_LMDB, STORE_MONGODB };

struct store_settings {
	enum store_type type;
	const char *uri;       /* mongodb */
	const char *database;  /* mongodb */
	bool allow_standalone; /* mongodb: accept a server without replica set
				*/
	const char *path;      /* lmdb: directory, made when absent */
	uint64_t map_bytes;    /* lmdb: the map's first size (0: 1 GiB); it
				* grows by itself */
	bool read_only;	       /* queryapi: never creates or changes anything */
	uint32_t read_ms;      /* mongodb: how long the server may work on one
				* read, then RETRY; 0: as long as it takes */
	const char *app_name;  /* shown in the server's logs */
};

struct store;
struct store_session;

/*
 * Does not wait for a server: a mongodb store opens without one, a read-only
 * lmdb store without a file (the operations say RETRY until it is there). Wrong
 * settings are CONFIG errors here. lmdb: no fork() while a store is open.
 */
int
store_open(const struct store_settings *settings, struct store **ret_store,
	   struct pj_error *err) __attribute__((warn_unused_result));
void
store_close(struct store *store);
int
store_session_open(struct store *store, struct store_session **ret_session,
		   struct pj_error *err) __attribute__((warn_unused_result));
void
store_session_close(struct store_session *ses);

/*
 * Reachable, fit (replica set, writeConcernMajorityJournalDefault) and, when
 * not read_only, prepared: fixed collections exist. Changes nothing when
 * read_only.
 */
int
store_check(struct store_session *ses, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- Documents --------------------------------------------------------- */

/*
 * A document is one BSON object: `_id` (string: the key), served fields,
 * `updatedAt`, module parts (`_…`), and `_m`, the protocol's metadata:
 *   w binary(16) write token · r int64 revision · d int32 0 live, 1 deleted,
 *   2 only metadata · t int64 newest event time in ms · p {source index:
 *   int64 last applied offset} · o {source index: [int64 offsets applied out of
 *   order, ascending]} · s {topic: int64 last sequence, -1 unknown} · k {source
 *   index: {first, tail: int64 offsets, n: int64 records}} parked queue ·
 *   x int64 wall time in ms when it was deleted (d 1 only; for purging)
 */
enum { STORE_TOKEN_BYTES = 16 };

struct store_token {
	uint8_t bytes[STORE_TOKEN_BYTES];
};

/* One key to load; bson NULL afterwards = absent. */
struct store_doc {
	struct pj_str key;
	uint8_t *bson; /* out: malloc'ed */
	size_t len;    /* out */
	bool left_out; /* out: not looked at, ask again (STORE_LOAD_BYTES) */
};

/* A load stops taking documents once it has this many bytes of them. */
enum { STORE_LOAD_BYTES = 32 * 1024 * 1024 };

/*
 * Loads by key from one collection: majority, primary, never stale. The order
 * of docs stays. One call gives at least one document that is there, or leaves
 * none out. On failure no bytes are left allocated. A collection that does
 * not exist is an empty one.
 */
int
store_load(struct store_session *ses, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err)
	__attribute__((warn_unused_result));

enum store_outcome {
	STORE_PENDING = 0, /* as passed in */
	STORE_APPLIED, /* durable: this very token is what the store holds */
	STORE_UNKNOWN, /* read back and compare tokens (verify) */
	/*
	 * The store will not take this document, whatever comes back: its size,
	 * its depth, an index or a validator. Indexes and validators depend on
	 * more than the document: read back (verify) before acting on it.
	 */
	STORE_REFUSED,
};

/* One document to write; only one write per document in a batch. */
struct store_write {
	const char *collection;
	struct pj_str key;
	const uint8_t *bson;
	size_t len;
	bool insert;		    /* must be absent; else compare-and-set */
	struct store_token base;    /* compare: `_m.w` the store must hold */
	enum store_outcome outcome; /* out */
	/*
	 * Out, of a refused one: what the store said, which names the index;
	 * malloc'ed, the caller frees it. NULL: it said nothing.
	 */
	char *why;
};

/* Where a generation goes on reading one topic-partition. */
struct store_checkpoint {
	char generation[64]; /* readmodel_generation_id() */
	int32_t source;	     /* index from store_source() */
	int64_t next;	     /* next offset to apply; -1 = the first there is */
	int64_t epoch;	     /* ownership epoch, from store_claim() */
	/* Anchor: the last record below `next`; offset -1 = none. */
	int64_t anchor_offset;
	int64_t anchor_timestamp_ms;
	uint32_t anchor_crc;
};

/* A record that could not be applied, whole. */
struct store_parked {
	const char *generation;
	const char *unit_type; /* "document", "key" or "record" */
	struct pj_str unit;    /* document key or record key */
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms;
	const char *type;  /* event type, "" when unreadable */
	const char *cause; /* short, one per kind: "missing field" */
	const char *detail;
	int64_t parked_at_ms;
	/* Out: how often it was refused once more, and when that last was. */
	int64_t n_refused, refused_at_ms;
	bool key_null, value_null;
	struct pj_str key, value;
	/* Headers as name, value pairs; a null value has ptr NULL. */
	const struct pj_str *headers;
	size_t n_headers; /* pairs */
};

/* A parked row that is done with, by name. */
struct store_unpark {
	const char *generation;
	const char *unit_type;
	struct pj_str unit;
	const char *topic;
	int32_t partition;
	int64_t offset;
	/*
	 * What the audit keeps: "retried", "discarded" or "cleared" (it was out
	 * of its queue already, its row was left behind), why and by whom; all
	 * but a retried record are kept whole. NULL: the row goes without a
	 * trace.
	 */
	const char *action;
	const char *reason;
	const char *by;
	int64_t at_ms;
};

/* A parked row that stays: its record was tried and refused once more. */
struct store_refusal {
	const char *generation;
	const char *unit_type;
	struct pj_str unit;
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *cause, *detail; /* why now */
	int64_t at_ms;
};

/* A tombstone to be taken away, by compare: the token it must still hold. */
struct store_purge {
	const char *collection;
	struct pj_str key;
	struct store_token base;
};

struct store_batch {
	struct store_write *writes;
	size_t n_writes;
	const struct store_parked *parked;
	size_t n_parked;
	/* These cover only what was durable before this batch. */
	const struct store_checkpoint *checkpoints;
	size_t n_checkpoints;
	/* Of records whose outcome was durable before this batch. */
	const struct store_unpark *unparks;
	size_t n_unparks;
	const struct store_refusal *refusals;
	size_t n_refusals;
	const struct store_purge *purges;
	size_t n_purges;
	/*
	 * Out: a checkpoint was refused because its row has another epoch than
	 * it (somebody claimed since) or is not there. The rest of the batch
	 * was done.
	 */
	bool fenced;
};

/*
 * Writes a batch: parked rows (idempotent by generation + unit + coordinates),
 * documents, checkpoints, refusals (of rows that are there; a count in doubt
 * may be one too high), unparked rows (audit first, then the row goes; one that
 * is not there is no error), purges (one whose token moved is left).
 *
 * A checkpoint is written only where the stored row has the same epoch
 * (protocol rule 8); among those it is monotone: a lower `next` than the stored
 * one changes nothing and is no error. Rows are made by store_claim() only.
 * lmdb: one transaction. mongodb: inserts and
 * compare-and-set replaces as separate unordered raw commands of one kind,
 * {w: majority, j: true, wtimeout}, split below the server's limits.
 *
 * 0: every outcome is set; STORE_UNKNOWN where the reply does not prove it
 * (duplicate key, fewer matched than sent). -1: the call as a whole failed;
 * outcomes still PENDING are to be treated as STORE_UNKNOWN, all else is to be
 * sent again.
 */
int
store_apply(struct store_session *ses, struct store_batch *batch,
	    struct pj_error *err) __attribute__((warn_unused_result));

/*
 * Calls each() for every deleted document (`_m.d` 1) whose `_m.x` is below
 * before_at_ms, in any order; like store_scan() otherwise. Cheap: by an index.
 */
int
store_scan_deleted(struct store_session *ses, const char *collection,
		   int64_t before_at_ms,
		   bool (*each)(void *arg, const uint8_t *bson, size_t len),
		   void *arg, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Calls each() for every document in key order (bytes), beginning behind
 * `after` (len 0 = from the start). each() returns false to end early; it may
 * use the store, through this one too. No snapshot: what is written
 * meanwhile may be seen or not. On failure some were handed out already.
 */
int
store_scan(struct store_session *ses, const char *collection,
	   struct pj_str after,
	   bool (*each)(void *arg, const uint8_t *bson, size_t len), void *arg,
	   struct pj_error *err) __attribute__((warn_unused_result));

/* ---- Sources: topic-partition → small integer, for good ---------------- */

/* The index of a topic-partition; made when absent (never when read_only). */
int
store_source(struct store_session *ses, const char *topic, int32_t partition,
	     int32_t *ret_index, struct pj_error *err)
	__attribute__((warn_unused_result));

struct store_source_row {
	char topic[250]; /* Kafka's own limit is 249 */
	int32_t partition;
	int32_t index;
};

/* All known sources; *ret_rows is freed by free(). */
int
store_sources(struct store_session *ses, struct store_source_row **ret_rows,
	      size_t *ret_n, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- Checkpoints ------------------------------------------------------- */

/* All checkpoints of a generation (NULL = of all); freed by free(). */
int
store_checkpoints(struct store_session *ses, const char *generation,
		  struct store_checkpoint **ret_rows, size_t *ret_n,
		  struct pj_error *err) __attribute__((warn_unused_result));

/* ---- Ownership (protocol rule 9) ----------------------------------------- */

/* Names one claim: 8 random bytes of the process run, then a counter. */
struct store_owner {
	uint8_t bytes[16];
};

/*
 * What this store's sessions read after it is not older than what had been
 * acknowledged before it, whoever wrote that: an old primary that does not know
 * of its successor yet is not asked. RETRY while no primary can prove itself.
 */
int
store_sync(struct store_session *ses, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Takes over the checkpoints of one generation: counts the epoch of each row up
 * and sets its owner (made when absent: next -1, no anchor), majority; then
 * reads all of them back, causally after. *ret_mine false: on some row another
 * owner came after us. ret_rows[i] is the row of sources[i]. Of the live
 * generation the pointer's `claims` is counted up, too, after the rows.
 * An outcome in doubt (RETRY) may have counted up; claim again with a new
 * owner.
 */
int
store_claim(struct store_session *ses, const char *generation,
	    const int32_t *sources, size_t n, const struct store_owner *owner,
	    struct store_checkpoint *ret_rows, bool *ret_mine,
	    struct pj_error *err) __attribute__((warn_unused_result));

/*
 * How many partitions the topic is known to have; the first caller's `seen`
 * becomes it. `set`: make `seen` the known number (a person said so). When
 * read_only, `seen` is told without becoming it, and set fails.
 */
int
store_topic_partitions(struct store_session *ses, const char *topic,
		       int32_t seen, bool set, int32_t *ret_known,
		       struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- Crashes: records that ended the process -------------------------------
 */

struct store_crash {
	char generation[64]; /* "" = not in any fold: before routing */
	char topic[250];
	int32_t partition;
	int64_t offset;
	int32_t count;
	int64_t last_at_ms;
};

/*
 * Counts one more crash at a record (its count is not looked at); *ret_count
 * includes it. RETRY: it may have been counted.
 */
int
store_crash_add(struct store_session *ses, const struct store_crash *crash,
		int32_t *ret_count, struct pj_error *err)
	__attribute__((warn_unused_result));
/* All there are; freed by free(). */
int
store_crashes(struct store_session *ses, struct store_crash **ret_rows,
	      size_t *ret_n, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Forgets one (a retry gives the record another chance). */
int
store_crash_remove(struct store_session *ses, const struct store_crash *crash,
		   struct pj_error *err) __attribute__((warn_unused_result));

/* ---- Requests: what operators ask of the source's owner (rule 11) ----------
 */

enum store_request_state { STORE_REQ_NEW, STORE_REQ_DONE, STORE_REQ_FAILED };

struct store_request {
	char id[33]; /* 32 hex digits; unique */
	char generation[64];
	char action[16];    /* "retry" or "discard" */
	char unit_type[16]; /* as in struct store_parked */
	char *unit;	    /* bytes, malloc'ed; with unit_len */
	size_t unit_len;
	char topic[250];
	int32_t partition;
	int64_t offset; /* of the queue's head, as the asker saw it */
	char *reason;	/* malloc'ed */
	char *by;	/* malloc'ed */
	int64_t at_ms;
	enum store_request_state state;
	char *result; /* malloc'ed; "" while new */
};

/* Of reason and by, in bytes; UTF-8. CONFIG errors beyond. */
enum { STORE_REQUEST_TEXT_MAX = 4000 };

/* One of this id that is there already is left as it is. */
int
store_request_add(struct store_session *ses, const struct store_request *req,
		  struct pj_error *err) __attribute__((warn_unused_result));
/* state < 0: all. Oldest first; store_requests_free(). */
int
store_requests(struct store_session *ses, int state,
	       struct store_request **ret_rows, size_t *ret_n,
	       struct pj_error *err) __attribute__((warn_unused_result));

/* What became of one. */
struct store_ending {
	const char *id;
	enum store_request_state state;
	const char *result;
};
/*
 * All of them in one write. Only new ones are ended; *ret_ended: how many of
 * them were.
 */
int
store_requests_end(struct store_session *ses, const struct store_ending *ends,
		   size_t n, size_t *ret_ended, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Of one that has ended, when nobody asks for it any more. */
int
store_request_remove(struct store_session *ses, const char *id,
		     struct pj_error *err) __attribute__((warn_unused_result));
void
store_requests_free(struct store_request *rows, size_t n);

/* ---- Generations ------------------------------------------------------- */

enum store_generation_state {
	STORE_GEN_BUILDING, /* catching up, not served */
	STORE_GEN_READY,    /* has been live */
	STORE_GEN_DROPPED,
};

struct store_generation {
	char projection[33];
	int32_t number;	    /* 1, 2, … within the projection */
	int32_t version;    /* the module's document version */
	char code_hash[65]; /* of module and host helpers; may be "" */
	enum store_generation_state state;
	char collection[64];
	int64_t created_at_ms;
	/*
	 * What readers need of the module, as one JSON text (served fields and
	 * types, indexes, cache policy): readmodel.h says the shape.
	 * malloc'ed; store_generations_free() frees it.
	 */
	char *reader_json;
	/* The highest revision of any purged document: a revived key goes on
	 * from it, so that no entity tag is used twice. */
	int64_t purged_revision;
};

/*
 * Makes the record, its collection and its indexes. A record that exists
 * already (same projection and number) is left as it is: *ret_created false.
 */
int
store_generation_create(struct store_session *ses,
			const struct store_generation *gen, bool *ret_created,
			struct pj_error *err)
	__attribute__((warn_unused_result));
/* Sets the state. */
int
store_generation_set_state(struct store_session *ses, const char *projection,
			   int32_t number, enum store_generation_state state,
			   struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * The code that a generation's documents are taken to be made by, from now on.
 * The audit has it first, as a row of unit type "generation" whose detail names
 * both codes.
 */
struct store_adoption {
	const char *projection;
	int32_t number;
	const char *from_hash, *code_hash;
	const char *reader_json;
	const char *reason, *by;
	int64_t at_ms;
};
int
store_generation_adopt(struct store_session *ses,
		       const struct store_adoption *adoption,
		       struct pj_error *err)
	__attribute__((warn_unused_result));
/* Raises purged_revision to at least `revision`; never lowers it. */
int
store_generation_purged(struct store_session *ses, const char *projection,
			int32_t number, int64_t revision, struct pj_error *err)
	__attribute__((warn_unused_result));
/* All generations, ascending by projection and number. */
int
store_generations(struct store_session *ses, struct store_generation **ret_rows,
		  size_t *ret_n, struct pj_error *err)
	__attribute__((warn_unused_result));
void
store_generations_free(struct store_generation *rows, size_t n);

/* Which generation of a projection readers get; number 0 = none yet. */
struct store_live {
	char projection[33];
	int32_t number;
	int32_t previous; /* what they got before; 0 = nothing */
	int64_t claims;	  /* store_claim()s of what they get */
};

int
store_live(struct store_session *ses, struct store_live **ret_rows,
	   size_t *ret_n, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Whether readers get it, by the rows of store_live(). */
bool
store_is_live(const struct store_live *rows, size_t n,
	      const struct store_generation *gen);
/*
 * Moves the pointer from `expected` (0 = no pointer yet) to `number`;
 * *ret_moved false when somebody else moved it first.
 */
int
store_live_move(struct store_session *ses, const char *projection,
		int32_t expected, int32_t number, bool *ret_moved,
		struct pj_error *err) __attribute__((warn_unused_result));

/*
 * The same where nobody has claimed that generation since `seen` was read,
 * either: whoever feeds it after that is not moved over.
 */
int
store_live_promote(struct store_session *ses, const char *projection,
		   const struct store_live *seen, int32_t number,
		   bool *ret_moved, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- Parked rows ------------------------------------------------------- */

int
store_parked_count(struct store_session *ses, const char *generation,
		   int64_t *ret_n, struct pj_error *err)
	__attribute__((warn_unused_result));
/* True when the unit ("document" rows of this key) has parked records. */
int
store_parked_has(struct store_session *ses, const char *generation,
		 struct pj_str unit, bool *ret_has, struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * Calls each() with every row, in order of unit and coordinates; units over 60
 * bytes that begin alike come in any order, the rows of each together.
 */
int
store_parked_scan(struct store_session *ses, const char *generation,
		  bool (*each)(void *arg, const struct store_parked *row),
		  void *arg, struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * Calls each() with the rows of one unit and topic-partition, by offset, from
 * `from` on (at or above). Which of them exist for the protocol the marker says
 * (docs/adr).
 */
int
store_parked_unit(struct store_session *ses, const char *generation,
		  const char *unit_type, struct pj_str unit, const char *topic,
		  int32_t partition, int64_t from,
		  bool (*each)(void *arg, const struct store_parked *row),
		  void *arg, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- Audit: what became of parked rows ------------------------------------
 */

struct store_audit {
	const char *action, *reason, *by;
	int64_t at_ms;
	struct store_parked row; /* retried: without key, value, headers */
};

/*
 * Calls each() with every entry of a generation, oldest first. One entry per
 * row and time it was parked at, however often its end was told. Memory: some
 * hundred bytes per entry.
 */
int
store_audit_scan(struct store_session *ses, const char *generation,
		 bool (*each)(void *arg, const struct store_audit *entry),
		 void *arg, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
