/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record that cannot be applied: whole, with its cause, on its way to the
 * store's `parked` collection. It holds the record (pending) until the row is
 * durable; nothing is dropped unrecorded.
 *
 * The unit says what queues behind it: the document's later records when its
 * key is known, else those of its record key, else nothing.
 *
 * Ownership: parked_new() gives a row that parked_free() frees. It holds copies
 * of the record's bytes: a row on its way outlives a revoke. Thread: the
 * pipeline thread, but for the store call.
 */
#ifndef PROJECTOR_PARKED_H
#define PROJECTOR_PARKED_H

#include <projector/event.h>

#include "lib/buf.h"
#include "lib/store.h"
#include "projector/lane.h"
#include "projector/record.h"

struct entry;

struct parked_row {
	struct record *rec;
	struct lane *lane;
	struct entry *entry; /* in whose queue it waits; batch.c's */
	struct store_parked row;
	struct buf bytes; /* all that row points to */
	struct pj_str *headers;
};

/* What a record waits in when it cannot be applied. */
enum parked_unit { PARKED_DOCUMENT, PARKED_KEY, PARKED_RECORD };

/*
 * unit: the document's key; for the others the record's key, or a document key
 * that no document can have. ev: NULL when unreadable. cause is a constant
 * text. Counts the record's pending up.
 */
struct parked_row *
parked_new(struct lane *lane, struct record *rec, const struct pj_event *ev,
	   enum parked_unit type, struct pj_str unit, const char *cause,
	   const char *detail, int64_t now_at_ms);
void
parked_free(struct parked_row *row);

#endif
