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
 * memory (rule 6).
 *
 * Ownership: the batch owns working set, flights and parked rows; jobs go out
 * and come back through the core.
 * Thread: the pipeline thread; no I/O, no clock.
 *
 * Next: writer.c
 */
#ifndef PROJECTOR_BATCH_H
#define PROJECTOR_BATCH_H

#include "projector/job.h"
#include "projector/offsets.h"
#include "projector/parked.h"
#include "projector/workset.h"

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
	uint64_t n_writes, n_conflicts, n_verified;
	bool in_vain; /* bytes sent again had no effect again: pause */
	/* Records found to make their document unstorable: to be parked. */
	struct refusal {
		struct entry *entry;
		struct record *rec;
	} * refusals;
	size_t n_refusals, refusals_cap;
	/* Entries whose document is here and whose backlog may be folded. */
	struct entry **ready;
	size_t n_ready, ready_cap;
};

void
batch_init(struct batch *bat, const struct batch_settings *set,
	   struct offsets *offsets);
/* Forgets every document, flight and row: after a revoke. */
void
batch_drop(struct batch *bat);
void
batch_release(struct batch *bat);

/* The document's entry; a new one is queued to be loaded. */
struct entry *
batch_checkout(struct batch *bat, struct lane *lane, struct pj_str key);
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
/*
 * Sends the row with the next batch; takes it. e: the document that the record
 * was not folded into (NULL: unknown); its next write waits for the row.
 */
void
batch_park_take(struct batch *bat, struct parked_row *row, struct entry *e);

/* The next load, or NULL. */
struct job *
batch_load_job(struct batch *bat);
/*
 * The next batch, or NULL when there is nothing to write. checkpoints: also
 * take what offsets.c has to say, and make a batch of that alone if need be.
 */
struct job *
batch_apply_job(struct batch *bat, bool checkpoints);

/*
 * Takes in what a job brought; frees it. Afterwards `ready` lists entries whose
 * backlog the core has to fold. Failures of the call itself (job->rc) leave
 * everything to be tried again; the core decides when.
 */
int
batch_job_done(struct batch *bat, struct job *job, struct pj_error *err)
	__attribute__((warn_unused_result));

/* Nothing to load, to write, or under way. */
bool
batch_is_idle(const struct batch *bat);

#endif
