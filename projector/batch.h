/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 5 of a record's way: which documents go to the store next, and what
 * became of those that went.
 *
 * Natural batching: whatever changed while writes were in flight is the next
 * batch; no timer. One write per document per batch (protocol rule 3), a
 * document whose write is in flight waits without holding back the others (rule
 * 4), an outcome that is not proven is read back and compared (rule 5), a lost
 * compare-and-set drops that document only and folds its records again from
 * memory (rule 6); a document that others write, too, goes alone and first
 * after a loss and gives them a turn after a win (rule 7).
 *
 *	batch.c       what is known of each document
 *	batch_out.c   what to ask of the store next
 *	batch_back.c  what came of it
 *
 * Ownership: the batch owns working set, flights, parked rows and the records
 * that came out of parked queues; jobs go out and come back through the core.
 * Thread: the pipeline thread; no I/O, no clock.
 *
 * Next: writer.c
 */
#ifndef PROJECTOR_BATCH_H
#define PROJECTOR_BATCH_H

#include "projector/job.h"
#include "projector/offsets.h"
#include "projector/parked.h"
#include "projector/queued.h"
#include "projector/workset.h"

/*
 * Rule 3: an insert is sent only this long after the store said that the
 * document is not there. A tombstone is purged after a day at the earliest, so
 * an insert that stalls cannot bring a purged document back.
 */
enum { BATCH_INSERT_MS = 5 * 60 * 1000 };

struct batch_settings {
	size_t max_documents; /* of one apply job */
	size_t max_bytes;
	size_t max_load;       /* documents of one load job */
	uint64_t token_random; /* distinct per process run */
};

struct batch {
	struct batch_settings set;
	struct workset work;
	struct offsets *offsets;
	uint64_t token_counter;
	uint32_t era;		    /* jobs of an earlier one are void */
	struct parked_row **parked; /* not yet sent */
	size_t n_parked, parked_cap;
	struct queued **unparks; /* whose rows go or change; not yet sent */
	size_t n_unparks, unparks_cap;
	size_t n_unparks_out;  /* sent: a drain waits for them */
	struct queueds queued; /* all that are in entries' lists */
	uint64_t n_writes, n_conflicts, n_verified;
	uint64_t n_rows_parked, n_rows_queued; /* in a queue, durably */
	bool in_vain; /* bytes sent again had no effect again: pause */
	bool fenced;  /* somebody else has claimed what was ours (rule 9) */
	/*
	 * Somebody else wrote a unit, or nobody could write it for long: what
	 * was read by its old state has to be read again.
	 */
	bool reread;
	int64_t now_mono_ms, now_at_ms; /* handed in by the core */
	/*
	 * Units with records that are not durable in them. No document of that
	 * lane is sent with a record that was taken on later than one of those:
	 * its position would pass that one, and after a crash nobody would look
	 * at it again.
	 */
	struct entries open_units;
	/* Serial of the first such record; UINT64_MAX: there is none. */
	uint64_t oldest_open[LANES_MAX];
	/* Entries whose document is here and whose backlog may be folded. */
	struct entry **ready;
	size_t n_ready, ready_cap;
	/* Records out of queues that nothing is pending of any more. */
	struct queued **settled;
	size_t n_settled, settled_cap;
	/* Entries whose drain has rows, and that have come to its end. */
	struct entry **drained;
	size_t n_drained, drained_cap;
	/*
	 * Entries that the store does not even take with other metadata: what
	 * is parked in them cannot be said there. Their lanes have to stop.
	 */
	struct entry **stuck;
	size_t n_stuck, stuck_cap;
};

void
batch_init(struct batch *bat, const struct batch_settings *set,
	   struct offsets *offsets);
/* Forgets every document, flight and row: after a revoke. */
void
batch_drop(struct batch *bat);
/* Forgets what is not durable of one lane and gives its records back. */
void
batch_drop_lane(struct batch *bat, const struct lane *lane);
void
batch_release(struct batch *bat);

/* The document's entry; a new one is queued to be loaded. */
struct entry *
batch_checkout(struct batch *bat, struct lane *lane, struct pj_str key);
/*
 * The unit's entry. All that are in the store were added after the claim, so
 * one that is not here is not there.
 */
struct entry *
batch_checkout_unit(struct batch *bat, struct lane *lane, struct pj_str key,
		    bool lone);
/* A unit as the store has it. Errors: FATAL. */
int
batch_add_unit(struct batch *bat, struct lane *lane, struct pj_str key,
	       const uint8_t *bson, size_t len, struct pj_error *err)
	__attribute__((warn_unused_result));
/* True when a record may be folded into it now. */
bool
batch_can_fold(const struct entry *e);
/* The record waits for the document. */
void
batch_defer(struct batch *bat, struct entry *e, struct record *rec);
/* The record, already pending, is in the document and not in the store. */
void
batch_changed(struct batch *bat, struct entry *e, struct record *rec);
/*
 * The record, already pending, changed nothing in the document. True: that was
 * decided on changes that are not durable yet, so it shares their fate and
 * stays pending.
 */
bool
batch_unchanged(struct entry *e, struct record *rec);
/* Gives one `pending` of the record back. */
void
batch_done(struct batch *bat, struct record *rec);
/*
 * Sends the row with the next batch; takes it. The document's next write, which
 * says that it exists, waits for the row.
 */
void
batch_park_take(struct batch *bat, struct parked_row *row, struct entry *e);

/* ---- Drains: parked queues that somebody wants retried ---------------------
 */

/* Takes the drain; it goes on from rows job to rows job, see `drained`. */
void
batch_drain_take(struct batch *bat, struct entry *e, struct drain *drain);
/* Takes the record as one of the entry's: not pending yet. */
void
batch_add_queued_take(struct batch *bat, struct entry *e, struct queued *q);
/*
 * Done with: with the next batch its row goes, or, where q->cause says so, is
 * told why it stays; when that is asked for.
 */
void
batch_end_queued(struct batch *bat, struct queued *q, bool rows);
/* What a drain does next, when nothing of its entry is under way. */
void
batch_settle(struct batch *bat, struct entry *e);

/* ---- Jobs -------------------------------------------------------------------
 */

/* The next load, or NULL. */
struct job *
batch_load_job(struct batch *bat);
/* The next rows of a queue, or NULL. */
struct job *
batch_rows_job(struct batch *bat);
/*
 * The next batch, or NULL when there is nothing to write. checkpoints: also
 * take what offsets.c has to say, and make a batch of that alone if need be.
 */
struct job *
batch_apply_job(struct batch *bat, bool checkpoints);

/*
 * Takes in what a job brought; frees it. Afterwards `ready` lists entries whose
 * backlog the core has to fold, `drained` those with rows or an answer,
 * `settled` records out of queues. Failures of the call itself (job->rc) leave
 * everything to be tried again; the core decides when.
 */
int
batch_job_done(struct batch *bat, struct job *job, struct pj_error *err)
	__attribute__((warn_unused_result));

/* Nothing to load, to write, or under way. */
bool
batch_is_idle(const struct batch *bat);

#endif
