/* SPDX-License-Identifier: Apache-2.0 */
/* Records that cannot be applied, and lanes that stop because of it. */
#include "projector/core_impl.h"

#include <inttypes.h>

enum {
	RATE_SECONDS = 10, /* what the rate is averaged over */
	/* A row has to hold the record; the rest of it fits beside. */
	ROW_MAX = 16 * 1024 * 1024 - 128 * 1024,
};

/* ---- Lanes that stop -------------------------------------------------------
 */

void
core_stop_lane(struct core *core, struct lane *lane, const struct pj_error *why)
{
	if (lane_rests(lane))
		return;
	lane->stop = *why;
	batch_drop_lane(&core->batch, lane);
	if (core->hooks.lane_stopped)
		core->hooks.lane_stopped(core->hooks.arg, lane);
}

bool
core_stop_partition(struct core *core, const struct partition *part,
		    const struct pj_error *why)
{
	bool last[LANES_MAX] = {false}, left = false;

	/* All at once: who stops is not the last any more. */
	for (unsigned i = 0; i < core->lanes->n; i++)
		last[i] = offsets_is_last(core->offsets, part,
					  &core->lanes->lane[i]);
	for (unsigned i = 0; i < core->lanes->n; i++) {
		struct lane *lane = &core->lanes->lane[i];

		if (last[i])
			core_stop_lane(core, lane, why);
		left = left || (!lane_rests(lane) &&
				module_reads_topic(lane->mod, part->topic));
	}
	return left;
}

/*
 * A queue that cannot be marked is none (rule of parking), so the record can
 * neither be applied nor parked: nothing behind it may go on.
 */
void
core_stop_stuck(struct core *core)
{
	struct batch *bat = &core->batch;
	struct pj_error why;

	while (bat->n_stuck) {
		const struct entry *e = bat->stuck[--bat->n_stuck];

		(void)pj_error_set(
			&why, PJ_ERROR_STOP,
			"projection %s stopped: the store refuses %s %.*s even "
			"with nothing but metadata changed, so what is at "
			"fault there cannot be parked; an index or a validator "
			"of the collection is at fault, mend it and start "
			"again (%s)",
			e->lane->mod->desc->name,
			e->unit ? "the queue" : "document",
			(int)(e->key.len < 60 ? e->key.len : 60), e->key.ptr,
			e->why ? e->why : "it did not say why");
		core_stop_lane(core, e->lane, &why);
	}
}

/* One more of its own fault? The bucket holds what RATE_SECONDS allow. */
static bool
rate_allows(const struct core *core, struct lane *lane)
{
	double full = (double)core->set.limits.park_per_second * RATE_SECONDS;
	int64_t now = core->batch.now_mono_ms;

	if (full == 0)
		return true;
	if (lane->park_mono_ms == 0)
		lane->park_tokens = full;
	else
		lane->park_tokens += (double)(now - lane->park_mono_ms) *
				     core->set.limits.park_per_second / 1000;
	lane->park_mono_ms = now ? now : 1;
	if (lane->park_tokens > full)
		lane->park_tokens = full;
	if (lane->park_tokens < 1)
		return false;
	lane->park_tokens -= 1;
	return true;
}

/*
 * When so much is parked, it is not the records: the module, or what it reads,
 * is at fault. Nothing beyond the limit is parked.
 */
static bool
may_park(struct core *core, struct lane *lane, const struct record *rec,
	 const struct doc_queue *queue, const char *cause, const char *detail)
{
	const struct core_limits *limits = &core->set.limits;
	struct pj_error why;
	char what[96];

	if (rec->key.len + rec->value.len > ROW_MAX)
		(void)snprintf(what, sizeof(what),
			       "it cannot be applied and is over 16 MiB, so it "
			       "cannot be kept either");
	else if (queue && limits->park_per_unit &&
		 queue->n >= limits->park_per_unit)
		(void)snprintf(what, sizeof(what),
			       "%" PRIu32 " records wait in one queue "
			       "(projector.park_per_unit)",
			       limits->park_per_unit);
	else if (!queue && limits->park_units &&
		 lane->n_units_parked >= limits->park_units)
		(void)snprintf(what, sizeof(what),
			       "%" PRIu32 " keys have parked records "
			       "(projector.park_units)",
			       limits->park_units);
	else if (!queue && !rate_allows(core, lane))
		(void)snprintf(what, sizeof(what),
			       "over %" PRIu32 " records a second cannot be "
			       "applied (projector.park_per_second)",
			       limits->park_per_second);
	else
		return true;
	(void)pj_error_set(
		&why, PJ_ERROR_STOP,
		"projection %s stopped before %.60s/%" PRId32 "@%" PRId64
		": %s; module or topic is at fault, mend it and "
		"start again (last: %s: %.80s)",
		lane->mod->desc->name, rec->partition->topic,
		rec->partition->number, rec->offset, what, cause, detail);
	core_stop_lane(core, lane, &why);
	return false;
}

/* ---- Into a queue
 * ------------------------------------------------------------
 */

void
core_park(struct core *core, struct entry *e, struct record *rec,
	  const struct pj_event *ev, enum parked_unit type, struct pj_str unit,
	  const char *cause, const char *detail)
{
	int32_t source = rec->partition->source_index;
	const struct doc_queue *queue = doc_queue(e->doc, source);
	struct lane *lane = e->lane;
	struct parked_row *row;

	if (!may_park(core, lane, rec, queue, cause, detail)) {
		batch_done(&core->batch, rec);
		return;
	}
	lane->folded = (struct lane_tally){.parked = 1};
	if (queue) {
		lane->folded.queued = 1;
	} else {
		lane->folded.begun = 1;
		lane->n_units_parked++;
	}
	row = parked_new(lane, rec, ev, type, unit, cause, detail,
			 core->batch.now_at_ms);
	doc_enqueue(e->doc, source, rec->offset);
	batch_park_take(&core->batch, row, e);
	batch_changed(&core->batch, e, rec);
	workset_count(&core->batch.work, e);
}

static void
park_in_unit(struct core *core, struct lane *lane, struct record *rec,
	     const struct reading *rd, bool lone)
{
	int32_t source = rec->partition->source_index;

	buf_clear(&core->key);
	if (lone)
		readmodel_lone_key(&core->key, lane->generation, source,
				   rec->offset);
	else
		readmodel_unit_key(&core->key, lane->generation, source, "key",
				   decode_key(core->decoder, rec->key));
	core_fold_or_defer(core,
			   batch_checkout_unit(&core->batch, lane,
					       (struct pj_str){core->key.data,
							       core->key.len},
					       lone),
			   rec, rd);
}

void
core_park_unknown(struct core *core, struct lane *lane, struct record *rec,
		  const struct reading *rd)
{
	struct pj_str key = decode_key(core->decoder, rec->key);

	/* A healthy event is nothing to park in a document of another key. */
	if ((rd->result != DECODE_EVENT ||
	     core_condemns(core, STEP_KEY, lane, rec)) &&
	    module_is_keyed_by_record(lane->mod) && readmodel_is_key(key))
		core_fold_or_defer(
			core, batch_checkout(&core->batch, lane, key), rec, rd);
	else
		park_in_unit(core, lane, rec, rd, key.len == 0);
}

void
core_park_lone(struct core *core, struct lane *lane, struct record *rec,
	       const struct reading *rd)
{
	park_in_unit(core, lane, rec, rd, true);
}

/* ---- Units
 * -------------------------------------------------------------------
 */

/* The unit whose key has been put together, or NULL. */
static struct entry *
find_unit(struct core *core, const struct lane *lane)
{
	return workset_find(&core->batch.work, lane, true,
			    (struct pj_str){core->key.data, core->key.len});
}

/* The record waits in it already, has left it, or has to queue in it. */
static bool
captures(const struct entry *unit, const struct record *rec)
{
	int32_t source = rec->partition->source_index;
	const struct doc_queue *queue;

	if (!unit)
		return false;
	if (unit->backlog.n)
		return true;
	queue = doc_queue(unit->doc, source);
	return doc_has_late(unit->doc, source, rec->offset) ||
	       (queue && rec->offset >= queue->first);
}

bool
core_captured(struct core *core, struct lane *lane, struct record *rec,
	      const struct reading *rd)
{
	int32_t source = rec->partition->source_index;
	struct entry *e = NULL;
	struct pj_str key;

	if (core->batch.work.n_units[lane->index] == 0)
		return false;
	key = decode_key(core->decoder, rec->key);
	buf_clear(&core->key);
	if (key.len) {
		readmodel_unit_key(&core->key, lane->generation, source, "key",
				   key);
		e = find_unit(core, lane);
	}
	if (!captures(e, rec)) {
		/* Parked alone before, by code that found no place for it. */
		buf_clear(&core->key);
		readmodel_lone_key(&core->key, lane->generation, source,
				   rec->offset);
		e = find_unit(core, lane);
	}
	if (!captures(e, rec))
		return false;
	core_fold_or_defer(core, e, rec, rd);
	return true;
}

/* Why a record is in a unit that has no queue yet. */
static const char *
cause_of_unit(const struct core *core, const struct entry *e,
	      const struct record *rec, const struct reading *rd,
	      struct pj_error *err)
{
	const char *cause = core_fault(core, e, rec, rd, err);

	if (cause || rd->result == DECODE_INVALID)
		return cause ? cause : rd->cause;
	(void)pj_error_set(err, PJ_ERROR_INPUT, "%s",
			   e->lone ? "the event's document key is over 480 "
				     "bytes"
				   : "an id of the document key has no value");
	return e->lone ? "long document key" : "unknown document key";
}

void
core_fold_unit(struct core *core, struct entry *e, struct record *rec,
	       const struct reading *rd)
{
	int32_t source = rec->partition->source_index;
	const struct doc_queue *queue = doc_queue(e->doc, source);
	const char *cause = fold_cause(FOLD_QUEUED);
	struct pj_error err;

	if (rec->queued && queue && rec->offset >= queue->first &&
	    rec->offset <= queue->tail) {
		doc_set_late(e->doc, source, rec->offset);
		doc_dequeue(e->doc, source, rec->offset);
		core_folded(core, e, rec, FOLD_CHANGED);
		return;
	}
	if (rec->queued || doc_has_late(e->doc, source, rec->offset) ||
	    (queue && rec->offset <= queue->tail)) {
		core_folded(core, e, rec, FOLD_REPEATED);
		return;
	}
	if (queue)
		(void)pj_error_set(&err, PJ_ERROR_INPUT,
				   "records of this key wait before it");
	else
		cause = cause_of_unit(core, e, rec, rd, &err);
	core_park(core, e, rec, rd->ev, e->lone ? PARKED_RECORD : PARKED_KEY,
		  decode_key(core->decoder, rec->key), cause, err.text);
}
