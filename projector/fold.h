/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 4 of a record's way: one event into one document.
 *
 * Takes a loaded document and an event, gives what became of it. Skips an
 * offset the document has applied already (protocol rule 1); a rejected fold
 * leaves the document as it was. Pure: whether and when to write is batch.c's.
 *
 * Errors: *err (INPUT) is filled for FOLD_REJECTED.
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
	FOLD_CHANGED,
	FOLD_UNCHANGED,
	FOLD_REPEATED, /* applied before: skipped */
	FOLD_REJECTED, /* to be parked */
};

enum fold_outcome
fold_event(struct lane *lane, const struct record *rec,
	   const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err);

#endif
