/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 4 of a record's way: one event into one document.
 *
 * Takes a loaded document and an event, gives what became of it. Skips an
 * offset the document has applied already (protocol rule 1); a rejected fold
 * leaves the document as it was. Pure: whether and when to write is batch.c's.
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
};

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

/* Why FOLD_REJECTED or FOLD_GAP is parked, for grouping. */
const char *
fold_cause(enum fold_outcome outcome);

#endif
