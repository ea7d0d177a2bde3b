/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of core.h share; for core*.c only. */
#ifndef PROJECTOR_CORE_IMPL_H
#define PROJECTOR_CORE_IMPL_H

#include "projector/core.h"
#include "projector/fold.h"
#include "projector/router.h"

struct core {
	struct lanes *lanes;
	struct core_settings set;
	struct core_hooks hooks;
	struct decoder *decoder;
	struct router *router;
	struct offsets *offsets;
	struct batch batch;
	struct core_counts counts;
	unsigned apply_out, load_out;
	int64_t retry_mono_ms; /* no job before */
	int64_t backoff_ms;
	int64_t checkpoint_mono_ms; /* last sent */
	uint64_t jitter;
	uint64_t serial;	     /* of the record taken on last */
	struct buf key;		     /* of a unit being looked for */
	const struct record *routed; /* within core_route() */
	struct core_answer *answers;
	size_t n_answers, answers_cap, answers_taken;
};

/*
 * A record, decoded. Borrows from the decoder until the next one is.
 */
struct reading {
	enum decode_result result;
	const struct pj_event *ev; /* NULL: SKIP, UNREADABLE */
	const char *cause;	   /* of INVALID and UNREADABLE */
	struct pj_error err;
};

void
core_read(struct core *core, const struct record *rec, struct reading *ret);
/* What it was read as, to its documents. */
void
core_route(struct core *core, const struct record *rec,
	   const struct pj_event *ev, const struct route **ret_routes,
	   size_t *ret_n);

static inline bool
core_condemns(const struct core *core, enum step step, const struct lane *lane,
	      const struct record *rec)
{
	return core->hooks.condemns &&
	       core->hooks.condemns(core->hooks.arg, step, lane, rec);
}

static inline bool
core_absolves(const struct core *core, const struct lane *lane,
	      const struct record *rec)
{
	return core->hooks.absolves &&
	       core->hooks.absolves(core->hooks.arg, lane, rec);
}

static inline void
core_begins(const struct core *core, enum step step, const struct lane *lane,
	    const struct record *rec)
{
	if (core->hooks.begins)
		core->hooks.begins(core->hooks.arg, step, lane, rec);
}

static inline void
core_ends(const struct core *core)
{
	if (core->hooks.ends)
		core->hooks.ends(core->hooks.arg);
}

/* ---- core_feed.c ------------------------------------------------------------
 */

/* Why the record cannot even be tried in this document, or NULL. */
const char *
core_fault(const struct core *core, const struct entry *e,
	   const struct record *rec, const struct reading *rd,
	   struct pj_error *err);
/*
 * The record into one entry that can take it; it is pending for it. rd may be
 * NULL for a record that leaves a unit's queue.
 */
void
core_fold(struct core *core, struct entry *e, struct record *rec,
	  const struct reading *rd);
/* The same for all that has waited for the entry. */
void
core_fold_backlog(struct core *core, struct entry *e);
/* Into the entry now, or when it is here. */
void
core_fold_or_defer(struct core *core, struct entry *e, struct record *rec,
		   const struct reading *rd);
/* The record was done with in memory: CHANGED or not is fold's word. */
void
core_folded(struct core *core, struct entry *e, struct record *rec,
	    enum fold_outcome outcome);

/* ---- core_park.c ------------------------------------------------------------
 */

/* Into the entry's queue; the record, pending for it, stays so. */
void
core_park(struct core *core, struct entry *e, struct record *rec,
	  const struct pj_event *ev, enum parked_unit type, struct pj_str unit,
	  const char *cause, const char *detail);
/*
 * Parks a record that has no document in this lane: in the document of its
 * record key, where that is the view's key, in the unit of its key, or alone.
 */
void
core_park_unknown(struct core *core, struct lane *lane, struct record *rec,
		  const struct reading *rd);
/* Its document key is one that none can have. */
void
core_park_lone(struct core *core, struct lane *lane, struct record *rec,
	       const struct reading *rd);
/* True when the record has to queue in a unit of the lane: it does. */
bool
core_captured(struct core *core, struct lane *lane, struct record *rec,
	      const struct reading *rd);
/* A record of a unit, into it: what core_fold() is to documents. */
void
core_fold_unit(struct core *core, struct entry *e, struct record *rec,
	       const struct reading *rd);

/* Stops the lanes of entries that take not even their markers. */
void
core_stop_stuck(struct core *core);

/* ---- core_drain.c -----------------------------------------------------------
 */

/* A record out of a queue, into a document. */
void
core_fold_queued(struct core *core, struct entry *e, struct record *rec,
		 const struct reading *rd);
/* What jobs brought for drains. */
void
core_after_drains(struct core *core);

#endif
