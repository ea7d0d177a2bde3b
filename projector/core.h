/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core of the projector: stages 2 to 5 and 7 as one step machine.
 *
 *	core_feed()      record → decode → router → fold → batch
 *	core_next_job()  what the store should do next
 *	core_job_done()  what came of it → offsets
 *	core_request()   what an operator asks of a parked queue
 *
 *	core.c        life, jobs
 *	core_feed.c   a record's way in, and documents that came for it
 *	core_park.c   records that cannot be applied, lanes that stop
 *	core_drain.c  records out of parked queues
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

/* How much may be parked before the projection itself is taken to be at fault:
 * it stops by name. 0: no limit. */
struct core_limits {
	uint32_t park_units;	  /* units with a queue, per lane */
	uint32_t park_per_unit;	  /* records in one queue */
	uint32_t park_per_second; /* of their own fault, averaged over 10 s */
};

struct core_settings {
	struct batch_settings batch;
	size_t memory_bytes;	 /* documents and records together */
	unsigned max_apply_jobs; /* batches in flight */
	unsigned max_load_jobs;
	const struct decode_topic *topics; /* outlive the core */
	size_t n_topics;
	struct core_limits limits;
};

/* What the core tells while it is called. Any may be NULL. */
struct core_hooks {
	void *arg;
	/*
	 * A record is parked, its row is durable. Once, however often its
	 * document is lost to others and it is parked again; once more after a
	 * crash, and when everything is read again.
	 */
	void (*parked)(void *arg, const struct store_parked *row);
	void (*lane_stopped)(void *arg, const struct lane *lane);
	/* A document loses every write to another owner. */
	void (*losing)(void *arg, const struct lane *lane, struct pj_str key,
		       unsigned losses);
	/* The key came by another partition of the topic before. */
	void (*strayed)(void *arg, const struct lane *lane, struct pj_str key,
			const struct record *rec);
	/*
	 * True when the record has ended the process too often in this step to
	 * be tried again (lane NULL: STEP_DECODE); one out of a queue
	 * (rec->queued) may have been let try again by a person.
	 */
	bool (*condemns)(void *arg, enum step step, const struct lane *lane,
			 const struct record *rec);
	/*
	 * The record has left its queue for good, applied or given up
	 * (rec->queued->discard): true when it is one that had ended the
	 * process. That is forgotten then, here and, with its row, in the
	 * store.
	 */
	bool (*absolves)(void *arg, const struct lane *lane,
			 const struct record *rec);
	/* Brackets what may end the process. */
	void (*begins)(void *arg, enum step step, const struct lane *lane,
		       const struct record *rec);
	void (*ends)(void *arg);
};

struct core_counts {
	uint64_t consumed;
	uint64_t skipped; /* types no table lists, or nobody reads */
	uint64_t parked;  /* durably: one per record and queue */
	uint64_t queued;  /* of those: behind another one */
	uint64_t retried, discarded;
	uint64_t strayed; /* folds of keys that changed their partition */
	uint64_t writes, conflicts, verified;
};

struct core;

struct core *
core_new(struct lanes *lanes, const struct core_settings *settings,
	 const struct core_hooks *hooks);
void
core_free(struct core *core);

/*
 * Takes a partition on: starts[lane index] is the lane's checkpoint, as
 * claimed. Returns the position reading has to start at (offsets_assign()).
 * waived[lane index]: a person has said that its anchor need not be there;
 * NULL: of none.
 */
int64_t
core_assign(struct core *core, struct partition *part,
	    const struct store_checkpoint *starts, const bool *waived);
/*
 * A parking unit of an assigned partition, as the store holds it: all of them,
 * before the first record is fed. Errors: FATAL.
 */
int
core_add_unit(struct core *core, struct lane *lane, struct pj_str key,
	      const uint8_t *bson, size_t len, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Forgets everything that is not durable: after a revoke. */
void
core_drop(struct core *core);

/* now_at_ms: wall time, for dates that people see. */
void
core_feed(struct core *core, struct record *rec, int64_t now_mono_ms,
	  int64_t now_at_ms);
/* The log has nothing more below `end` for us. */
void
core_reached(struct core *core, const struct partition *part, int64_t end);

/* Stops the lane by name, for good; why is a STOP error. */
void
core_stop_lane(struct core *core, struct lane *lane,
	       const struct pj_error *why);
/*
 * Reading the partition has stopped: so do the lanes that stand there. Whether
 * those that are further on can be read, the log says when it is read from
 * their place: true when there are any.
 */
bool
core_stop_partition(struct core *core, const struct partition *part,
		    const struct pj_error *why);

/* NULL: nothing to do now (or not before the end of a back-off or a hold). */
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
/*
 * Somebody else has claimed what is ours: a checkpoint was refused for its
 * epoch. Everything is to be dropped (protocol rules 6 and 9).
 */
bool
core_is_fenced(const struct core *core);
/*
 * Under the same claim everything is to be dropped and read again from the
 * checkpoints: a parking unit is not as it was when we read by it.
 */
bool
core_must_reread(const struct core *core);

/* No more records should be fed until jobs came back. */
bool
core_is_full(const struct core *core);
/*
 * Everything fed is durable, checkpoints included, and so is what requests have
 * come to: core_take_answer() has their answers.
 */
bool
core_is_saved(const struct core *core);
/* Jobs that are out. */
unsigned
core_jobs_out(const struct core *core);

/* ---- Requests (protocol rule 11) -------------------------------------------
 */

/*
 * Takes a request for a queue of `part`, which is assigned; the lane is the
 * request's generation. False: not now (another one for it is under way, or the
 * lane is not fed here), ask again later.
 */
bool
core_request(struct core *core, struct lane *lane, struct partition *part,
	     const struct store_request *req);

struct core_answer {
	char request[33];
	enum store_request_state state;
	char text[512];
};

/* The next answer; false: none. Its effect is durable. */
bool
core_take_answer(struct core *core, struct core_answer *ret_answer);

/* ---- For reports ------------------------------------------------------------
 */

struct offsets *
core_offsets(struct core *core);
/* Records in memory. */
size_t
core_held(const struct core *core);
struct core_counts
core_counts(const struct core *core);

#endif
