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
struct queued;

enum job_kind {
	JOB_LOAD,  /* documents by key; also how a doubt is cleared (verify) */
	JOB_APPLY, /* a batch: documents, parked rows, checkpoints */
	JOB_ROWS,  /* the next rows of one entry's parked queue */
};

/* A rows job takes no more of them behind either. */
enum { JOB_ROWS_MAX = 200, JOB_ROWS_BYTES = 4 * 1024 * 1024 };

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
	struct queued **unparks; /* whose rows go, or are told why they stay */
	size_t n_unparks;
	/* To be forgotten before the rows go: then they are never left over. */
	struct store_crash *crashes;
	size_t n_crashes;
	struct store_batch batch;

	/* JOB_ROWS: of entries[0]. */
	struct job_rows {
		char generation[64];
		char unit_type[16];
		struct pj_str unit; /* malloc'ed */
		char topic[250];
		int32_t partition;
		int64_t first, tail; /* what of the rows there is */
		bool queued;	     /* there was a queue when it was asked */
		size_t max;
		struct queued **got; /* by offset; the core takes them */
		size_t n, cap, bytes;
	} rows;

	int rc; /* of the store call */
	struct pj_error err;
};

void
job_run(struct job *job, struct store_session *ses);

/*
 * Frees what the job itself holds: not flights, not parked rows, not records
 * that it has brought or whose rows it takes away.
 */
void
job_free(struct job *job);

#endif
