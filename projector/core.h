/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core of the projector: stages 2 to 5 and 7 as one step machine.
 *
 *	core_feed()      record → decode → router → fold → batch
 *	core_next_job()  what the store should do next
 *	core_job_done()  what came of it → offsets
 *
 * Deterministic: no threads, no I/O, no clock of its own (times are handed in).
 * The product, the component tests and a simulator drive the same object.
 *
 * Ownership: core_feed() takes the record. Jobs are the core's; the caller
 * borrows one from core_next_job() to core_job_done().
 * Errors: what cannot be gone on with; the caller ends the process.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_CORE_H
#define PROJECTOR_CORE_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "projector/batch.h"
#include "projector/decode.h"
#include "projector/job.h"
#include "projector/lane.h"
#include "projector/offsets.h"
#include "projector/record.h"

struct core_settings {
	struct batch_settings batch;
	size_t memory_bytes;	 /* documents and records together */
	unsigned max_apply_jobs; /* batches in flight */
	unsigned max_load_jobs;
	const struct decode_topic *topics; /* outlive the core */
	size_t n_topics;
};

struct core_counts {
	uint64_t consumed;
	uint64_t skipped; /* types no table lists, or nobody reads */
	uint64_t parked;  /* rows: one per record and lane */
	uint64_t writes, conflicts, verified;
};

struct core;

/* Told of each record that is parked, before its row is durable. */
typedef void (*core_parked_fn)(void *arg, const struct store_parked *row);

struct core *
core_new(struct lanes *lanes, const struct core_settings *settings,
	 core_parked_fn on_parked, void *arg);
void
core_free(struct core *core);

/* Position reading of the partition has to start at (offsets_assign()). */
int64_t
core_assign(struct core *core, struct partition *part, const int64_t *starts);
/* Forgets everything that is not durable: after a revoke. */
void
core_drop(struct core *core);

/* now_at_ms: wall time, only for the parked row's own date. */
void
core_feed(struct core *core, struct record *rec, int64_t now_at_ms);
/* The log has nothing more below `end` for us. */
void
core_reached(struct core *core, const struct partition *part, int64_t end);

/* NULL: nothing to do now (or not before the end of a back-off). */
struct job *
core_next_job(struct core *core, int64_t now_mono_ms);
/*
 * 0 also when the store was away: the core backs off and *ret_outage is the
 * error (cls RETRY), else *ret_outage->cls is NONE.
 */
int
core_job_done(struct core *core, struct job *job, int64_t now_mono_ms,
	      int64_t now_at_ms, struct pj_error *ret_outage,
	      struct pj_error *err) __attribute__((warn_unused_result));

/* No more records should be fed until jobs came back. */
bool
core_is_full(const struct core *core);
/* Everything fed is durable, checkpoints included. */
bool
core_is_saved(const struct core *core);
/* Jobs that are out. */
unsigned
core_jobs_out(const struct core *core);

struct offsets *
core_offsets(struct core *core);
/* Records in memory. */
size_t
core_held(const struct core *core);
struct core_counts
core_counts(const struct core *core);

#endif
