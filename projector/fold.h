/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 4 of a record's way: one event into one document.
 *
 * Takes a loaded document and an event, gives what became of it. Skips an
 * offset the document has applied already (protocol rule 1); a rejected fold
 * leaves the document as it was. A document with a parked queue of the record's
 * source takes nothing more from that source but what drains the queue, in
 * order. Pure: whether and when to write is batch.c's.
 *
 * Where the document key is the record key, an event's sequence has to be the
 * next one of its topic (rule 12). A sequence that was applied already is
 * skipped; one too far is a gap. What is skipped or parked does not count, all
 * else of the key does: unlisted types and what changes nothing, too.
 *
 * Errors: *err (INPUT) is filled for FOLD_REJECTED and FOLD_GAP.
 * Thread: the pipeline thread.
 *
 * Next: batch.c
 */
#ifndef PROJECTOR_FOLD_H
#define PROJECTOR_FOLD_H

#include "projector/doc.h"
#include "projector/lane.h"
#include "projector/record.h"

enum fold_outcome {
	FOLD_CHANGED, /* to be written, be it for the sequence alone */
	FOLD_UNCHANGED,
	FOLD_REPEATED, /* applied before: skipped */
	FOLD_REJECTED, /* to be parked */
	FOLD_GAP,      /* likewise: an event before this one is missing */
	FOLD_QUEUED,   /* to be parked: others of its source wait before it */
};

/*
 * Whether a record of a document that is to be parked has its place there
 * (CHANGED), was applied or waits already (REPEATED), or queues (QUEUED).
 */
enum fold_outcome
fold_place(struct lane *lane, const struct record *rec,
	   const struct pj_doc *doc);

enum fold_outcome
fold_event(struct lane *lane, const struct record *rec,
	   const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err);

/*
 * A record of the document's key that the projection does not read, but that
 * counts: sequence > 0. fold_event() does the same for an event of that kind.
 */
enum fold_outcome
fold_sequence(struct lane *lane, const struct record *rec, int64_t sequence,
	      struct pj_doc *doc, struct pj_error *err);

/*
 * A record out of the document's own parked queue, its head or behind it. ev
 * NULL: a type nobody lists; sequence is its own then, 0 = none. Done with
 * (CHANGED), the queue goes on behind it; a record below the queue's first is
 * REPEATED.
 */
enum fold_outcome
fold_retry(struct lane *lane, const struct record *rec,
	   const struct pj_event *ev, int64_t sequence, struct pj_doc *doc,
	   struct pj_error *err);
/*
 * The same without applying it: a person gave it up. sequence: the record's
 * own, 0 = it has none, -1 = nobody can read it (rule 12).
 */
enum fold_outcome
fold_discard(struct lane *lane, const struct record *rec, int64_t sequence,
	     struct pj_doc *doc);
/*
 * A record that waited in the queue of its record key, or alone: what was
 * applied of those is in `_m.o`, positions say nothing of them.
 */
enum fold_outcome
fold_late(struct lane *lane, const struct record *rec,
	  const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err);

/* Why a record is parked, for grouping. */
const char *
fold_cause(enum fold_outcome outcome);

#endif
