/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a generation the live one, so that no reader goes backward (protocol,
 * "Generations").
 *
 *	CATCHING_UP  the candidate is fed, and so is the live one
 *	FENCED       the live one's checkpoints are ours: who fed it notices
 *	             within `grace_ms`, and folds nothing more into it
 *	REACHING     the candidate goes on to where the log ended after that, or
 *	             the live one was: beyond what any reader can have seen
 *	DONE         the pointer has moved, by compare-and-set against every
 *	             claim that came after ours
 *
 * A fence that somebody else's claim has broken is put up again. Killed at any
 * moment, whoever tries next begins with what the store holds.
 *
 * Errors: the store's; STOP when the pointer was moved by somebody else, or the
 * live generation has applied what the log does not have.
 * Thread: whoever owns the session.
 */
#ifndef PROJECTOR_PROMOTION_H
#define PROJECTOR_PROMOTION_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/store.h"
#include "projector/lane.h"

enum {
	/*
	 * Above CLAIM_TRUST_MS of pipeline_impl.h: owners that were fenced send
	 * nothing more after that, so that the log's end, read later, is behind
	 * every record that they have applied.
	 */
	PROMOTION_GRACE_MS = 4000,
};

enum promotion_phase {
	PROMOTION_CATCHING_UP,
	PROMOTION_FENCED,
	PROMOTION_REACHING,
	PROMOTION_DONE,
};

/* Where the log ends, or has to be reached: next offset of a source. */
struct promotion_end {
	int32_t source;
	int64_t next;
};

struct promotion {
	struct store_session *ses;
	const struct lane *lane; /* the candidate */
	int64_t grace_ms;
	enum promotion_phase phase;
	struct store_live seen; /* the pointer to move; number 0 = none */
	char live[READMODEL_GENERATION_ID_MAX]; /* "" = none */
	struct store_checkpoint *fence;		/* as claimed */
	size_t n_fence;
	int64_t fenced_mono_ms;
	unsigned n_fences; /* how often one was put up */
	struct promotion_end *goals;
	size_t n_goals;
};

/* live: number of the live generation, 0 = none. */
void
promotion_init(struct promotion *pro, struct store_session *ses,
	       const struct lane *lane, int32_t live);
void
promotion_release(struct promotion *pro);

/*
 * Goes on as far as it can now. ends: of all that the candidate reads, asked of
 * the log after `asked_mono_ms`. near: the candidate is close to them, so that
 * a fence would not stand for long.
 */
int
promotion_step(struct promotion *pro, const struct promotion_end *ends,
	       size_t n_ends, int64_t asked_mono_ms, bool near,
	       struct pj_error *err) __attribute__((warn_unused_result));

#endif
