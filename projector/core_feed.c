/* SPDX-License-Identifier: Apache-2.0 */
/* A record's way in, and documents that came for those that waited. */
#include "projector/batch_impl.h"
#include "projector/core_impl.h"

#include <inttypes.h>
#include <string.h>

/* ---- Reading ---------------------------------------------------------------
 */

static const struct decode_topic *
core_topic(const struct core *core, const struct record *rec)
{
	for (size_t i = 0; i < core->set.n_topics; i++)
		if (strcmp(core->set.topics[i].topic->name,
			   rec->partition->topic) == 0)
			return &core->set.topics[i];
	return NULL;
}

static const char CONDEMNED[] = "ends the process";

static void
say_condemned(struct pj_error *err)
{
	(void)pj_error_set(err, PJ_ERROR_INPUT,
			   "this record has ended or hung the process again "
			   "and again");
}

void
core_read(struct core *core, const struct record *rec, struct reading *ret)
{
	ret->cause = "";
	if (core_condemns(core, STEP_DECODE, NULL, rec)) {
		ret->result = DECODE_UNREADABLE;
		ret->ev = NULL;
		ret->cause = CONDEMNED;
		say_condemned(&ret->err);
		return;
	}
	core_begins(core, STEP_DECODE, NULL, rec);
	ret->result = decode(core->decoder, core_topic(core, rec), rec,
			     &ret->ev, &ret->cause, &ret->err);
	core_ends(core);
}

/* router_enters_fn */
static bool
enters_lane(void *arg, const struct lane *lane)
{
	struct core *core = arg;

	if (lane_rests(lane))
		return false;
	/* Out of a queue: into its own lane alone. */
	if (core->routed->queued && core->routed->queued->home->lane != lane)
		return false;
	if (core_condemns(core, STEP_KEY, lane, core->routed))
		return false;
	core_begins(core, STEP_KEY, lane, core->routed);
	return true;
}

void
core_route(struct core *core, const struct record *rec,
	   const struct pj_event *ev, const struct route **ret_routes,
	   size_t *ret_n)
{
	core->routed = rec;
	router_route(core->router, ev, enters_lane, core, ret_routes, ret_n);
	core_ends(core);
}

/* ---- Into a document -------------------------------------------------------
 */

const char *
core_fault(const struct core *core, const struct entry *e,
	   const struct record *rec, const struct reading *rd,
	   struct pj_error *err)
{
	*err = rd->err;
	if (rec == e->refused) {
		(void)pj_error_set(err, PJ_ERROR_INPUT,
				   "with this event the document cannot be "
				   "stored%s%s",
				   e->why ? ": " : "", e->why ? e->why : "");
		return "document cannot be stored";
	}
	if (rd->result == DECODE_UNREADABLE)
		return rd->cause;
	/* Where only its sequence matters, its fields do not. */
	if (rd->result == DECODE_INVALID && module_reads(e->lane->mod, rd->ev))
		return rd->cause;
	if (core_condemns(core, STEP_KEY, e->lane, rec) ||
	    core_condemns(core, STEP_FOLD, e->lane, rec)) {
		say_condemned(err);
		return CONDEMNED;
	}
	return NULL;
}

/*
 * Producers that place one key in different partitions: nothing is lost, but
 * between partitions there is no order. A document that is keyed by the record
 * has one source for each topic; where there is one too many is seen without
 * knowing the sources of other processes.
 */
static void
look_for_stray(struct core *core, const struct entry *e,
	       const struct record *rec)
{
	bool known;
	uint32_t n =
		doc_n_sources(e->doc, rec->partition->source_index, &known);

	if (known || n < module_n_topics(e->lane->mod) ||
	    !module_is_keyed_by_record(e->lane->mod))
		return;
	core->counts.strayed++;
	if (core->hooks.strayed)
		core->hooks.strayed(core->hooks.arg, e->lane, e->key, rec);
}

static enum fold_outcome
try_record(struct core *core, struct entry *e, struct record *rec,
	   const struct reading *rd, const char **ret_cause,
	   struct pj_error *err)
{
	enum fold_outcome outcome;

	look_for_stray(core, e, rec);
	*ret_cause = core_fault(core, e, rec, rd, err);
	if (*ret_cause) {
		outcome = fold_place(e->lane, rec, e->doc);
		if (outcome == FOLD_CHANGED)
			return FOLD_REJECTED;
	} else {
		core_begins(core, STEP_FOLD, e->lane, rec);
		outcome = rd->ev ? fold_event(e->lane, rec, rd->ev, e->doc, err)
				 : fold_sequence(
					   e->lane, rec,
					   decode_last_sequence(core->decoder),
					   e->doc, err);
		core_ends(core);
	}
	*ret_cause = fold_cause(outcome);
	if (outcome == FOLD_QUEUED)
		(void)pj_error_set(
			err, PJ_ERROR_INPUT,
			"records of this document wait since offset "
			"%" PRId64,
			doc_queue(e->doc, rec->partition->source_index)->first);
	return outcome;
}

void
core_folded(struct core *core, struct entry *e, struct record *rec,
	    enum fold_outcome outcome)
{
	if (outcome == FOLD_CHANGED) {
		batch_changed(&core->batch, e, rec);
		workset_count(&core->batch.work, e);
		return;
	}
	/* What it repeats may not be durable yet either. */
	if (!batch_unchanged(e, rec))
		batch_done(&core->batch, rec);
}

void
core_fold(struct core *core, struct entry *e, struct record *rec,
	  const struct reading *rd)
{
	enum fold_outcome outcome;
	const char *cause;
	struct pj_error err;

	if (lane_rests(e->lane)) {
		batch_done(&core->batch, rec);
		return;
	}
	if (e->unit) {
		core_fold_unit(core, e, rec, rd);
		return;
	}
	if (rec->queued) {
		core_fold_queued(core, e, rec, rd);
		return;
	}
	outcome = try_record(core, e, rec, rd, &cause, &err);
	switch (outcome) {
	case FOLD_CHANGED:
	case FOLD_UNCHANGED:
	case FOLD_REPEATED:
		core_folded(core, e, rec, outcome);
		break;
	case FOLD_REJECTED:
	case FOLD_GAP:
	case FOLD_QUEUED:
		core_park(core, e, rec, rd->ev, PARKED_DOCUMENT, e->key, cause,
			  err.text);
		break;
	}
	if (rec == e->refused)
		e->refused = NULL;
}

void
core_fold_or_defer(struct core *core, struct entry *e, struct record *rec,
		   const struct reading *rd)
{
	rec->pending++;
	if (batch_can_fold(e))
		core_fold(core, e, rec, rd);
	else
		batch_defer(&core->batch, e, rec);
}

void
core_fold_backlog(struct core *core, struct entry *e)
{
	struct records waiting = e->backlog;
	size_t i = 0;

	e->backlog = (struct records){NULL, 0, 0};
	/* A stopped lane only gives back. */
	while (i < waiting.n &&
	       (!(e->changed.n && e->careful) || lane_rests(e->lane))) {
		struct record *rec = waiting.recs[i++];
		struct reading rd;

		/* It is what it was the first time. */
		core_read(core, rec, &rd);
		core_fold(core, e, rec, &rd);
	}
	while (i < waiting.n)
		records_add(&e->backlog, waiting.recs[i++]);
	records_release(&waiting);
	if (!e->changed.n)
		e->careful = false;
	workset_count(&core->batch.work, e);
	batch_track_unit(&core->batch, e);
	/* A drain that waited for these goes on. */
	if (e->drain && e->list == LIST_NONE && e->backlog.n == 0)
		batch_settle(&core->batch, e);
}

/* ---- Feeding ---------------------------------------------------------------
 */

static void
feed_route(struct core *core, const struct route *route, struct record *rec,
	   const struct reading *rd)
{
	struct lane *lane = route->lane;

	if (!offsets_wants(core->offsets, rec, lane) ||
	    core_captured(core, lane, rec, rd))
		return;
	if (route->kind == ROUTE_UNKNOWN_KEY || route->kind == ROUTE_BARRED)
		core_park_unknown(core, lane, rec, rd);
	else if (route->kind == ROUTE_LONG_KEY)
		core_park_lone(core, lane, rec, rd);
	else
		core_fold_or_defer(
			core, batch_checkout(&core->batch, lane, route->key),
			rec, rd);
}

/*
 * The routes of one lane, from i on; returns the first of the next lane. An
 * event is never half applied: where one of its documents is not known, the
 * others do not get it either.
 */
static size_t
feed_lane(struct core *core, const struct route *routes, size_t n, size_t i,
	  struct record *rec, const struct reading *rd)
{
	size_t end = i, at_fault = n;

	for (; end < n && routes[end].lane == routes[i].lane; end++)
		if (routes[end].kind == ROUTE_UNKNOWN_KEY ||
		    (routes[end].kind == ROUTE_LONG_KEY && at_fault == n))
			at_fault = end;
	if (at_fault < n)
		feed_route(core, &routes[at_fault], rec, rd);
	else
		for (; i < end; i++)
			feed_route(core, &routes[i], rec, rd);
	return end;
}

static void
feed_routes(struct core *core, struct record *rec, const struct reading *rd)
{
	const struct route *routes;
	size_t n;

	core_route(core, rec, rd->ev, &routes, &n);
	for (size_t i = 0; i < n;)
		i = feed_lane(core, routes, n, i, rec, rd);
	if (n == 0)
		core->counts.skipped++;
}

/* A type that no table lists: it may count in its key's sequence for all that.
 */
static void
feed_skipped(struct core *core, struct record *rec, const struct reading *rd)
{
	const struct route *routes;
	size_t n;

	core->counts.skipped++;
	if (decode_last_sequence(core->decoder) == 0)
		return;
	router_route_sequence(core->router, rec->partition->topic,
			      decode_key(core->decoder, rec->key), &routes, &n);
	for (size_t i = 0; i < n; i++)
		feed_route(core, &routes[i], rec, rd);
}

/* In every lane that would have read it. */
static void
feed_unreadable(struct core *core, struct record *rec, const struct reading *rd)
{
	for (unsigned i = 0; i < core->lanes->n; i++) {
		struct lane *lane = &core->lanes->lane[i];

		if (module_reads_topic(lane->mod, rec->partition->topic) &&
		    offsets_wants(core->offsets, rec, lane) &&
		    !core_captured(core, lane, rec, rd))
			core_park_unknown(core, lane, rec, rd);
	}
}

static void
check_anchors(struct core *core, const struct partition *part,
	      const struct record *rec, int64_t end)
{
	struct lane *lane;
	struct pj_error why;
	int64_t anchor;

	while ((lane = offsets_lost_anchor(core->offsets, part, rec, end,
					   &anchor))) {
		if (!rec)
			(void)pj_error_set(
				&why, PJ_ERROR_STOP,
				"%.100s/%" PRId32 ": the log ends at %" PRId64
				" without the record at %" PRId64
				" that %s applied last: the topic was "
				"truncated or made anew; restore it or rebuild "
				"the projection",
				part->topic, part->number, end, anchor,
				lane->generation);
		else
			(void)pj_error_set(
				&why, PJ_ERROR_STOP,
				"%.100s/%" PRId32 ": the record at %" PRId64
				" that %s applied last is %s: the topic was "
				"made anew, compacted or lost records to an "
				"unclean election; restore it or rebuild the "
				"projection",
				part->topic, part->number, anchor,
				lane->generation,
				rec->offset == anchor ? "another one now"
						      : "gone");
		core_stop_lane(core, lane, &why);
	}
}

void
core_feed(struct core *core, struct record *rec, int64_t now_mono_ms,
	  int64_t now_at_ms)
{
	struct reading rd;

	core->batch.now_mono_ms = now_mono_ms;
	core->batch.now_at_ms = now_at_ms;
	core->counts.consumed++;
	check_anchors(core, rec->partition, rec, -1);
	rec->serial = ++core->serial;
	offsets_add(core->offsets, rec);
	core_read(core, rec, &rd);
	switch (rd.result) {
	case DECODE_EVENT:
	case DECODE_INVALID:
		feed_routes(core, rec, &rd);
		break;
	case DECODE_SKIP:
		feed_skipped(core, rec, &rd);
		break;
	case DECODE_UNREADABLE:
		feed_unreadable(core, rec, &rd);
		break;
	}
	rec->folded = true;
	offsets_settle(core->offsets);
}

void
core_reached(struct core *core, const struct partition *part, int64_t end)
{
	check_anchors(core, part, NULL, end);
	offsets_reached(core->offsets, part, end);
}
