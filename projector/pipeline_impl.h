/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of pipeline.h share; for pipeline*.c only. */
#ifndef PROJECTOR_PIPELINE_IMPL_H
#define PROJECTOR_PIPELINE_IMPL_H

#include "projector/claimlook.h"
#include "projector/crashes.h"
#include "projector/goals.h"
#include "projector/pipeline.h"
#include "projector/purge.h"
#include "projector/report.h"
#include "projector/topics.h"
#include "projector/writer.h"

enum {
	/* Below a third of the group's session timeout (45 s). */
	REVOKE_FLUSH_MS = 10000,
	/*
	 * Nothing goes to the store later than this after a look that found our
	 * claims in place, records or not: who has fenced us waits a little
	 * longer (PROMOTION_GRACE_MS), and then knows that nothing of a later
	 * record will come.
	 */
	CLAIM_TRUST_MS = 3000,
};

struct pipeline {
	struct pipeline_settings set;
	struct core *core;
	struct writers *writers;
	struct partition **parts; /* of the assignment */
	size_t n_parts;
	/*
	 * Checkpoints as claimed, n_parts times LANES_MAX; zeroed until then.
	 * What is read again under the same claim is compared with them.
	 */
	struct store_checkpoint *starts;
	bool *waived;  /* like starts: its anchor need not be there, once */
	bool assigned; /* parts are ours */
	bool reading;  /* and are being read, from positions of the store */
	bool checked;  /* the store is fit */
	bool paused;
	bool outage; /* the store is away, as far as we know */
	bool lost;   /* a look has found that; what is read is to be dropped */
	int64_t trusted_boot_ms; /* our claims were in place */
	int64_t look_mono_ms;	 /* next look at them */
	struct looker *looker;
	bool looking;		  /* it has a look */
	uint32_t claim_round;	  /* counts what we have claimed or let go of */
	struct store_owner owner; /* counted up with every claim */
	struct topics *topics;	  /* whether they are fit to be read */
	struct crashes crashes;
	struct core_answer *answers; /* not yet in the store */
	size_t n_answers, answers_cap;
	struct purge purge;
	int64_t purge_mono_ms; /* next round */
	struct goals goals;    /* until_end */
	uint32_t assignment;
	int64_t begin_mono_ms; /* next try to begin reading */
	int64_t begin_wait_ms; /* the pause before it */
	int64_t tick_mono_ms;
	struct report report;
};

/* rc, but an outage is said and waited out: 0. Success ends one. */
int
pipeline_outage(struct pipeline *pipe, const char *event, int rc,
		const struct pj_error *err) __attribute__((warn_unused_result));
/* Nothing is left that a flush would wait for. */
bool
pipeline_is_flushed(const struct pipeline *pipe);
/* Tells the log's own tools where we are. */
void
pipeline_mirror(struct pipeline *pipe);
/* Some projection that runs here reads the topic. */
bool
pipeline_reads(const struct pipeline *pipe, const char *topic);

/* ---- pipeline_begin.c: assignments ------------------------------------------
 */

/* Begins reading what is assigned, when it is time to. */
int
pipeline_begin(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
void
pipeline_assigned(struct pipeline *pipe, const struct source_event *event);
int
pipeline_revoked(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Stops reading without giving the assignment back. */
void
pipeline_stop_reading(struct pipeline *pipe);
/* A rebuilt generation became live: feed that one, from its own positions. */
int
pipeline_follow_live(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- pipeline_claims.c: what the store says we may feed ---------------------
 */

/*
 * Before reading begins: compares what was claimed before, claims the rest.
 * Lanes whose claims are lost are let go of.
 */
int
pipeline_claim(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Whoever reads it next has to claim it. */
void
pipeline_forget_claim(struct pipeline *pipe, const struct lane *lane);
/* There is a lane to be fed here. */
bool
pipeline_has_work(const struct pipeline *pipe);
/*
 * Whether jobs may go to the store: our claims are in place, as far as can be
 * known. Looks at them when it is time to.
 */
int
pipeline_look_at_claims(struct pipeline *pipe, bool *ret_may,
			struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * Ends reading when a claim was lost, or the core has to read again. FATAL:
 * what was let go of does not come back.
 */
int
pipeline_check_claims(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/* ---- pipeline_stops.c: partitions that cannot be read on --------------------
 */

/* Stops whom it concerns; the others begin anew. */
void
pipeline_partition_stopped(struct pipeline *pipe, const struct partition *part,
			   const struct pj_error *why);
/* ---- pipeline_second.c: the second reader --------------------------------
 */

/* Before a begin: whoever was to be fed elsewhere and is not yet. */
void
pipeline_gather(struct pipeline *pipe);
/* Who is to be fed elsewhere from now on; before the claims. */
int
pipeline_split(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * Where to read a partition from, with next as the core says. One that is read
 * elsewhere, or was for projections that have stopped: where it ends, as nobody
 * here asks for what it holds.
 */
int64_t
pipeline_begin_of(struct pipeline *pipe, size_t p, int64_t next);
/* ... is, from now on; after the begin. */
int
pipeline_start_second(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Takes back who has caught up; its own error is ours. Once a turn. */
int
pipeline_turn_second(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Asks it to end; the partitions are not ours any more. */
void
pipeline_stop_second(struct pipeline *pipe);
/* ... and has not ended yet: no new begin. */
bool
pipeline_second_is_leaving(const struct pipeline *pipe);
/* Asks and waits for it. */
int
pipeline_end_second(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- pipeline_chores.c: beside the records ---------------------------------
 */

/* New requests into the core, answers into the store; once a tick. */
int
pipeline_requests(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * The lane is about to go on from the live pointer's old generation to the new
 * one: what is asked of that by now, and not done, ends.
 */
int
pipeline_refuse_left(struct pipeline *pipe, const struct lane *left,
		     struct pj_error *err) __attribute__((warn_unused_result));
/*
 * Answers alone, an outage is said; after the flush before partitions are given
 * back, where their next owner would find the request, and nothing parked. Not
 * when that flush has run out, or the store is known to be away: a store that
 * does not answer would be waited for once more.
 */
int
pipeline_answer(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Says which partitions an open transaction holds back; once a tick. */
void
pipeline_look_at_ends(struct pipeline *pipe);
/* Tombstones that nobody needs any more, every PURGE_EVERY_MS. */
int
pipeline_purge(struct pipeline *pipe, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
