/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/batch_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* A unit has no content, so no field may be declared. */
static const struct pj_shape unit_shape[] = {{.name = NULL}};

void
batch_init(struct batch *bat, const struct batch_settings *set,
	   struct offsets *offsets)
{
	memset(bat, 0, sizeof(*bat));
	bat->set = *set;
	bat->offsets = offsets;
	TAILQ_INIT(&bat->queued);
	TAILQ_INIT(&bat->open_units);
	workset_init(&bat->work, set->token_random);
}

void
batch_drop(struct batch *bat)
{
	struct queued *q;

	for (size_t i = 0; i < bat->n_parked; i++)
		parked_free(bat->parked[i]);
	for (size_t i = 0; i < bat->n_unparks; i++)
		queued_free(bat->unparks[i]);
	while ((q = TAILQ_FIRST(&bat->queued))) {
		TAILQ_REMOVE(&bat->queued, q, link);
		queued_free(q);
	}
	TAILQ_INIT(&bat->open_units);
	bat->n_parked = bat->n_unparks = bat->n_unparks_out = 0;
	bat->n_ready = bat->n_settled = bat->n_drained = bat->n_stuck = 0;
	bat->in_vain = bat->fenced = bat->reread = false;
	bat->era++;
	workset_clear(&bat->work);
}

void
batch_release(struct batch *bat)
{
	batch_drop(bat);
	workset_release(&bat->work);
	free(bat->parked);
	free(bat->unparks);
	free(bat->ready);
	free(bat->settled);
	free(bat->drained);
	free(bat->stuck);
}

/* ---- Entries ----------------------------------------------------------------
 */

struct entry *
batch_checkout(struct batch *bat, struct lane *lane, struct pj_str key)
{
	struct entry *e = workset_find(&bat->work, lane, false, key);

	if (!e) {
		e = workset_add(&bat->work, lane, false, key);
		workset_move(&bat->work, e, LIST_LOAD);
	}
	return e;
}

struct entry *
batch_checkout_unit(struct batch *bat, struct lane *lane, struct pj_str key,
		    bool lone)
{
	struct entry *e = workset_find(&bat->work, lane, true, key);

	if (!e) {
		e = workset_add(&bat->work, lane, true, key);
		e->lone = lone;
		e->doc = doc_new(unit_shape, key);
		e->absent_mono_ms = bat->now_mono_ms;
		workset_count(&bat->work, e);
	}
	return e;
}

int
batch_add_unit(struct batch *bat, struct lane *lane, struct pj_str key,
	       const uint8_t *bson, size_t len, struct pj_error *err)
{
	struct entry *e = workset_find(&bat->work, lane, true, key);
	struct pj_doc *doc;

	if (doc_load(unit_shape, key, bson, len, &doc, err))
		return -1;
	if (!e)
		e = workset_add(&bat->work, lane, true, key);
	doc_free(e->doc);
	e->doc = doc;
	e->stored = true;
	e->base = *doc_token(doc);
	lane->n_units_parked += doc_has_queues(doc);
	workset_count(&bat->work, e);
	return 0;
}

bool
batch_can_fold(const struct entry *e)
{
	/*
	 * Waiting for rows, or for units, it takes no more: else it would wait
	 * for ever. Nor does a unit that others may wait for.
	 */
	return e->doc && e->backlog.n == 0 && !e->careful &&
	       e->list != LIST_ROWS && e->list != LIST_UNITS &&
	       !(e->unit && e->list == LIST_DIRTY);
}

void
batch_track_unit(struct batch *bat, struct entry *e)
{
	bool open = e->changed.n || e->backlog.n || e->flight || e->rows;

	if (!e->unit || open == e->open)
		return;
	e->open = open;
	if (open)
		TAILQ_INSERT_TAIL(&bat->open_units, e, open_link);
	else
		TAILQ_REMOVE(&bat->open_units, e, open_link);
}

void
batch_defer(struct batch *bat, struct entry *e, struct record *rec)
{
	records_add(&e->backlog, rec);
	batch_track_unit(bat, e);
}

void
batch_changed(struct batch *bat, struct entry *e, struct record *rec)
{
	records_add(&e->changed, rec);
	lane_tally_move(&e->tally, &e->lane->folded);
	if (e->list == LIST_NONE)
		workset_move(&bat->work, e,
			     e->rows ? LIST_ROWS : batch_dirty_list(bat, e));
	batch_track_unit(bat, e);
}

bool
batch_unchanged(struct entry *e, struct record *rec)
{
	if (e->changed.n) {
		records_add(&e->changed, rec);
		lane_tally_move(&e->tally, &e->lane->folded);
	} else if (e->flight) {
		records_add(&e->flight->recs, rec);
		lane_tally_move(&e->flight->tally, &e->lane->folded);
	} else {
		lane_count(e->lane, &e->lane->folded);
		return false;
	}
	return true;
}

void
batch_done(struct batch *bat, struct record *rec)
{
	offsets_done(bat->offsets, rec);
	if (!rec->queued || rec->pending)
		return;
	MEM_GROW(bat->settled, bat->n_settled, bat->settled_cap);
	bat->settled[bat->n_settled++] = rec->queued;
}

/* ---- Parked rows --------------------------------------------------------- */

void
batch_queue_row(struct batch *bat, struct parked_row *row)
{
	MEM_GROW(bat->parked, bat->n_parked, bat->parked_cap);
	bat->parked[bat->n_parked++] = row;
}

void
batch_park_take(struct batch *bat, struct parked_row *row, struct entry *e)
{
	batch_queue_row(bat, row);
	row->entry = e;
	e->rows++;
	if (e->list == LIST_NONE || e->list == LIST_DIRTY ||
	    e->list == LIST_URGENT || e->list == LIST_HELD ||
	    e->list == LIST_UNITS || e->list == LIST_DRAIN)
		workset_move(&bat->work, e, LIST_ROWS);
	batch_track_unit(bat, e);
}

/* ---- Shared documents (rule 7) --------------------------------------------
 */

enum {
	HOLD_MIN_MS = 20,
	HOLD_WRITES = 4, /* times what a write takes */
	HOLD_MAX_MS = 2000,
};

enum entry_list
batch_dirty_list(const struct batch *bat, const struct entry *e)
{
	if (e->losses)
		return LIST_URGENT;
	return e->held_until_mono_ms > bat->now_mono_ms ? LIST_HELD
							: LIST_DIRTY;
}

void
batch_lost(struct batch *bat, struct entry *e)
{
	bat->n_conflicts++;
	e->shared = true;
	e->recent = (uint8_t)(e->recent << 1 | 1);
	e->losses++;
}

void
batch_won(struct batch *bat, struct entry *e)
{
	int64_t took = bat->now_mono_ms - e->flight->sent_mono_ms;

	e->recent = (uint8_t)(e->recent << 1);
	e->losses = 0;
	if (!e->shared)
		return;
	if (__builtin_popcount(e->recent) > 4 && e->hold_ms)
		e->hold_ms *= 2;
	else
		e->hold_ms = took * HOLD_WRITES;
	if (e->hold_ms < HOLD_MIN_MS)
		e->hold_ms = HOLD_MIN_MS;
	if (e->hold_ms > HOLD_MAX_MS)
		e->hold_ms = HOLD_MAX_MS;
	e->held_until_mono_ms = bat->now_mono_ms + e->hold_ms;
	/* Eight writes without a loss: the others are gone. */
	if (e->recent == 0)
		e->shared = false;
}

void
batch_unhold(struct batch *bat)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&bat->work.lists[LIST_HELD]); e; e = next) {
		next = TAILQ_NEXT(e, link);
		workset_move(&bat->work, e, batch_dirty_list(bat, e));
	}
}

/* ---- Drains
 * ------------------------------------------------------------------
 */

void
batch_drain_take(struct batch *bat, struct entry *e, struct drain *drain)
{
	e->drain = drain;
	if (e->list != LIST_NONE)
		return;
	/*
	 * Others may have written the document since it came, and what is
	 * refused writes nothing that would tell (protocol rule 1).
	 */
	if (!e->unit)
		batch_reload(bat, e);
	else
		batch_settle(bat, e);
}

void
batch_add_queued_take(struct batch *bat, struct entry *e, struct queued *q)
{
	q->home = e;
	q->rec.partition = e->drain->part;
	q->discard = e->drain->discard;
	e->drain->discard = false;
	e->drain->n_out++;
	TAILQ_INSERT_TAIL(&bat->queued, q, link);
}

void
batch_queue_unpark(struct batch *bat, struct queued *q)
{
	MEM_GROW(bat->unparks, bat->n_unparks, bat->unparks_cap);
	bat->unparks[bat->n_unparks++] = q;
}

void
batch_end_queued(struct batch *bat, struct queued *q, bool rows)
{
	struct drain *drain = q->home->drain;

	TAILQ_REMOVE(&bat->queued, q, link);
	if (drain)
		drain->n_out--;
	if (!rows) {
		queued_free(q);
		return;
	}
	if (drain) {
		q->reason = mem_strdup(drain->reason);
		q->by = mem_strdup(drain->by);
		drain->n_unparks++;
	}
	q->at_ms = bat->now_at_ms;
	batch_queue_unpark(bat, q);
}

/* ---- Life ---------------------------------------------------------------- */

void
batch_unfold(struct entry *e, struct flight *flight)
{
	struct records again = {NULL, 0, 0};

	if (flight) {
		records_move(&again, &flight->recs);
		lane_tally_move(&e->tally, &flight->tally);
	}
	records_move(&again, &e->changed);
	records_move(&again, &e->backlog);
	e->backlog = again;
	/* Folded again, they begin again. */
	e->lane->n_units_parked -= e->tally.begun;
	e->tally = (struct lane_tally){0};
}

void
batch_reload(struct batch *bat, struct entry *e)
{
	batch_unfold(e, NULL);
	doc_free(e->doc);
	e->doc = NULL;
	workset_count(&bat->work, e);
	workset_move(&bat->work, e, LIST_LOAD);
}

void
batch_refuse(struct batch *bat, struct entry *e, struct flight *flight)
{
	e->refused = flight->recs.n == 1 ? flight->recs.recs[0] : NULL;
	e->careful = true;
	free(e->why);
	e->why = flight->why;
	flight->why = NULL;
	if (!flight->revised) {
		MEM_GROW(bat->stuck, bat->n_stuck, bat->stuck_cap);
		bat->stuck[bat->n_stuck++] = e;
	}
	batch_unfold(e, flight);
	flight_free(flight);
	batch_reload(bat, e);
}

static void
give_back(struct batch *bat, struct records *recs)
{
	for (size_t i = 0; i < recs->n; i++)
		batch_done(bat, recs->recs[i]);
	records_release(recs);
}

void
batch_drop_lane(struct batch *bat, const struct lane *lane)
{
	struct entry *e;

	TAILQ_FOREACH(e, &bat->work.lru, lru)
	{
		if (e->lane != lane)
			continue;
		give_back(bat, &e->changed);
		give_back(bat, &e->backlog);
		e->tally = (struct lane_tally){0};
		/* Under way: what becomes of it is seen when it is back. */
		if (e->list == LIST_SENT || e->list == LIST_LOADING ||
		    e->list == LIST_DRAINING)
			continue;
		if (e->flight)
			give_back(bat, &e->flight->recs);
		flight_free(e->flight);
		e->flight = NULL;
		workset_move(&bat->work, e, e->rows ? LIST_ROWS : LIST_NONE);
		batch_track_unit(bat, e);
	}
}

bool
batch_is_idle(const struct batch *bat)
{
	for (int i = LIST_NONE + 1; i < LIST_MAX; i++)
		if (bat->work.n_in_list[i])
			return false;
	return bat->n_parked == 0 && bat->n_unparks == 0 &&
	       bat->n_unparks_out == 0;
}
