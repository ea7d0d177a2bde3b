/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one generation of one projection as this process feeds it.
 *
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_LANE_H
#define PROJECTOR_LANE_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/readmodel.h"
#include "projector/module.h"

/* Where on its way a record is, as far as that can end the process. */
enum step {
	STEP_DECODE, /* our own code; no lane yet */
	STEP_KEY,    /* the module's key() */
	STEP_FOLD,   /* its fold() */
};

enum { LANES_MAX = 64 };

/* What came of folding, until it is durable: it may have to be done again. */
struct lane_tally {
	uint32_t applied, unchanged, repeated;
	uint32_t parked, queued; /* as in struct lane */
	uint32_t begun;		 /* queues */
};

struct lane {
	const struct module *mod;
	int32_t number; /* of the generation */
	/* "stock.3": names the collection, checkpoints and parked rows. */
	char generation[READMODEL_GENERATION_ID_MAX];
	unsigned index; /* in struct lanes */
	/* The highest revision of a purged document: new ones go on from it. */
	int64_t purged_revision;

	/*
	 * Why it was stopped by name, cls NONE while it runs. A stopped lane
	 * takes and writes nothing more; its siblings go on. For good: a person
	 * has to act, then the process is started again.
	 */
	struct pj_error stop;
	/* Another reader of this process feeds it (catchup.h): here it rests.
	 */
	bool elsewhere;
	/*
	 * Somebody else has claimed what it reads: a promotion, or whoever its
	 * partitions belong to by now (protocol rule 9). Rests until the live
	 * pointer has moved, or partitions are assigned anew.
	 */
	bool let_go;
	int64_t let_go_mono_ms;

	/* Parked units and queues of documents, as far as we know. */
	uint64_t n_units_parked;
	/* Parkings of their own fault allowed now; refilled by time. */
	double park_tokens;
	int64_t park_mono_ms;

	/* Of the fold that is under way; fold.c adds, batch.c takes it. */
	struct lane_tally folded;

	/* Since start and durable, for people: once per event and document. */
	uint64_t n_applied;
	uint64_t n_unchanged;
	uint64_t n_repeated; /* offsets or sequences applied already */
	uint64_t n_parked;   /* records: of their own fault, and behind them */
	uint64_t n_queued;   /* the latter */
	uint64_t n_retried, n_discarded;
};

struct lanes {
	struct lane lane[LANES_MAX];
	unsigned n;
};

static inline void
lane_tally_move(struct lane_tally *to, struct lane_tally *from)
{
	to->applied += from->applied;
	to->unchanged += from->unchanged;
	to->repeated += from->repeated;
	to->parked += from->parked;
	to->queued += from->queued;
	to->begun += from->begun;
	*from = (struct lane_tally){0};
}

/* It is durable, or nothing has to be. */
static inline void
lane_count(struct lane *lane, struct lane_tally *done)
{
	lane->n_applied += done->applied;
	lane->n_unchanged += done->unchanged;
	lane->n_repeated += done->repeated;
	lane->n_parked += done->parked;
	lane->n_queued += done->queued;
	*done = (struct lane_tally){0};
}

static inline bool
lane_is_stopped(const struct lane *lane)
{
	return lane->stop.cls != PJ_ERROR_NONE;
}

/* No reader of this process feeds it. */
static inline bool
lane_is_out(const struct lane *lane)
{
	return lane->let_go || lane_is_stopped(lane);
}

/* It takes and writes nothing here. */
static inline bool
lane_rests(const struct lane *lane)
{
	return lane->elsewhere || lane_is_out(lane);
}

#endif
