/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job: one piece of store work, handed from the core to a store thread and
 * back.
 *
 * A job carries copies of all it needs, so that it can outlive the documents it
 * was made for: after a revoke the core has forgotten them (its era moved on)
 * and frees the job unread.
 *
 * Ownership: the core makes and frees; in between the store thread that runs it
 * owns it. Thread: one owner at a time, hand-over by queue.
 */
#ifndef PROJECTOR_JOB_H
#define PROJECTOR_JOB_H

#include <projector/error.h>

#include "lib/buf.h"
#include "lib/store.h"

struct entry;
struct flight;
struct parked_row;

enum job_kind {
	JOB_LOAD,  /* documents by key; also how a doubt is cleared (verify) */
	JOB_APPLY, /* a batch: documents, parked rows, checkpoints */
};

/* Documents of one collection within a load. */
struct job_load {
	const char *collection;
	size_t first, n; /* in docs */
};

struct job {
	enum job_kind kind;
	uint32_t era;
	size_t n_entries;

	/* JOB_LOAD: entries[i] asked for docs[i]. */
	struct entry **entries;
	struct store_doc *docs;
	struct buf keys;
	struct job_load *loads;
	size_t n_loads;

	/* JOB_APPLY: flights[i] is batch.writes[i]. */
	struct flight **flights;
	struct parked_row **parked;
	size_t n_parked;
	struct store_batch batch;

	int rc; /* of the store call */
	struct pj_error err;
};

void
job_run(struct job *job, struct store_session *ses);

/* Frees what the job itself holds: not flights, not parked rows. */
void
job_free(struct job *job);

#endif
