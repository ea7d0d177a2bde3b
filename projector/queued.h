/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record out of a parked queue, on its way into documents once more.
 *
 * It has no place in the log's line of records (offsets.c); its pending count
 * says when what it changed is durable, and then its parked row may go.
 *
 *	document's own queue   FOLDING: in the document's next write
 *	queue of a unit        FOLDING: in documents' writes, by `_m.o`;
 *	                       CLEARING: in the unit's write, which moves on
 *
 * Ownership: queued_new() gives what queued_free() frees; it holds copies.
 * Thread: made by a store thread, then the pipeline thread's.
 */
#ifndef PROJECTOR_QUEUED_H
#define PROJECTOR_QUEUED_H

#include <sys/queue.h>

#include "lib/store.h"
#include "projector/record.h"

struct entry;

struct queued {
	struct record rec;  /* first */
	struct entry *home; /* in whose queue it waits */
	enum queued_stage { QUEUED_FOLDING, QUEUED_CLEARING } stage;
	bool started;
	/*
	 * Where its queue began when it was the head: with another beginning,
	 * others are before it, and it is not its turn.
	 */
	int64_t first;
	bool discard;
	bool cleared;  /* it was out of its queue already, its row was not */
	bool counts;   /* its last fold took it out of the queue */
	bool absolved; /* it had ended the process: that is to be forgotten */
	/* It was refused, and its row is to say why; else NULL. */
	char *cause, *detail;
	char generation[64];
	char unit_type[16];
	struct pj_str unit;
	char *reason, *by; /* of the request */
	int64_t at_ms;	   /* when it was done with */
	char *bytes;	   /* all that rec and unit point to */
	struct record_header *headers;
	TAILQ_ENTRY(queued) link;
};

TAILQ_HEAD(queueds, queued);

struct queued *
queued_new(const struct store_parked *row);
void
queued_free(struct queued *q);

#endif
