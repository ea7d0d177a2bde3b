/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/core.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/fold.h"
#include "projector/router.h"

enum {
	BACKOFF_FIRST_MS = 50,
	BACKOFF_LAST_MS = 5000,
	/* Under load positions are written this often; idle: at once. */
	CHECKPOINT_EVERY_MS = 200,
};

struct core {
	struct lanes *lanes;
	struct core_settings set;
	struct decoder *decoder;
	struct router *router;
	struct offsets *offsets;
	struct batch batch;
	core_parked_fn on_parked;
	void *arg;
	struct core_counts counts;
	unsigned apply_out, load_out;
	int64_t retry_mono_ms; /* no job before */
	int64_t backoff_ms;
	int64_t checkpoint_mono_ms; /* last sent */
	uint64_t jitter;
	int64_t now_at_ms;
};

struct core *
core_new(struct lanes *lanes, const struct core_settings *settings,
	 core_parked_fn on_parked, void *arg)
{
	struct core *core = mem_calloc(1, sizeof(*core));

	core->lanes = lanes;
	core->set = *settings;
	core->decoder = decoder_new();
	core->router = router_new(lanes);
	core->offsets = offsets_new(lanes);
	batch_init(&core->batch, &settings->batch, core->offsets);
	core->on_parked = on_parked;
	core->arg = arg;
	core->jitter = settings->batch.token_random | 1;
	return core;
}

void
core_free(struct core *core)
{
	if (!core)
		return;
	batch_release(&core->batch);
	offsets_free(core->offsets);
	router_free(core->router);
	decoder_free(core->decoder);
	free(core);
}

int64_t
core_assign(struct core *core, struct partition *part, const int64_t *starts)
{
	return offsets_assign(core->offsets, part, starts);
}

void
core_drop(struct core *core)
{
	batch_drop(&core->batch);
	offsets_clear(core->offsets);
}

void
core_reached(struct core *core, const struct partition *part, int64_t end)
{
	offsets_reached(core->offsets, part, end);
}

static void
core_park_of(struct core *core, struct entry *e, struct lane *lane,
	     struct record *rec, const struct pj_event *ev, struct pj_str key,
	     const char *cause, const char *detail)
{
	struct parked_row *row =
		parked_new(lane, rec, ev, key, cause, detail, core->now_at_ms);

	core->counts.parked++;
	core->on_parked(core->arg, &row->row);
	batch_park_take(&core->batch, row, e);
}

/* A record of which no document is held: its key, or the whole, is at fault. */
static void
core_park(struct core *core, struct lane *lane, struct record *rec,
	  const struct pj_event *ev, struct pj_str key, const char *cause,
	  const char *detail)
{
	core_park_of(core, NULL, lane, rec, ev, key, cause, detail);
}

/*
 * The record decoded last into one document that is here; ev is NULL when its
 * type is not listed. True: the document changed.
 */
static bool
core_fold(struct core *core, struct entry *e, struct record *rec,
	  const struct pj_event *ev)
{
	enum fold_outcome outcome;
	struct pj_error err;

	outcome = ev ? fold_event(e->lane, rec, ev, e->doc, &err)
		     : fold_sequence(e->lane, rec,
				     decode_last_sequence(core->decoder),
				     e->doc, &err);
	switch (outcome) {
	case FOLD_CHANGED:
		batch_changed(&core->batch, e, rec);
		workset_count(&core->batch.work, e);
		return true;
	case FOLD_REJECTED:
	case FOLD_GAP:
		core_park_of(core, e, e->lane, rec, ev, e->key,
			     fold_cause(outcome), err.text);
		break;
	case FOLD_UNCHANGED:
	case FOLD_REPEATED:
		/* What it repeats may not be durable yet either. */
		if (batch_unchanged(e, rec))
			return false;
		break;
	}
	offsets_done(core->offsets, rec);
	return false;
}

static const struct decode_topic *
core_topic(const struct core *core, const struct record *rec)
{
	for (size_t i = 0; i < core->set.n_topics; i++)
		if (strcmp(core->set.topics[i].topic->name,
			   rec->partition->topic) == 0)
			return &core->set.topics[i];
	return NULL;
}

static void
core_feed_route(struct core *core, const struct route *route,
		struct record *rec, const struct pj_event *ev)
{
	struct entry *e;

	if (!offsets_wants(core->offsets, rec, route->lane))
		return;
	if (route->kind == ROUTE_UNKNOWN_KEY) {
		core_park(core, route->lane, rec, ev, route->key,
			  "unknown document key",
			  "an id of the document key has no value");
		return;
	}
	if (route->kind == ROUTE_LONG_KEY) {
		core_park(core, route->lane, rec, ev, route->key,
			  "long document key",
			  "the document key is over 480 bytes");
		return;
	}
	e = batch_checkout(&core->batch, route->lane, route->key);
	rec->pending++;
	if (batch_can_fold(e))
		(void)core_fold(core, e, rec, ev);
	else
		batch_defer(&core->batch, e, rec);
}

/* A type that no table lists: it may count in its key's sequence for all that.
 */
static void
core_feed_skipped(struct core *core, struct record *rec)
{
	const struct route *routes;
	size_t n;

	core->counts.skipped++;
	if (decode_last_sequence(core->decoder) == 0)
		return;
	router_route_sequence(core->router, rec->partition->topic,
			      decode_key(core->decoder, rec->key), &routes, &n);
	for (size_t i = 0; i < n; i++)
		core_feed_route(core, &routes[i], rec, NULL);
}

/* Parks a record in every lane that would have read it. */
static void
core_feed_broken(struct core *core, struct record *rec,
		 const struct pj_event *ev, const char *cause,
		 const char *detail)
{
	const struct route *routes = NULL;
	size_t n = 0;

	if (ev)
		router_route(core->router, ev, &routes, &n);
	for (size_t i = 0; i < n; i++)
		if (routes[i].kind == ROUTE_SEQUENCE)
			core_feed_route(core, &routes[i], rec, ev);
		else if (offsets_wants(core->offsets, rec, routes[i].lane))
			core_park(core, routes[i].lane, rec, ev, routes[i].key,
				  cause, detail);
	if (ev)
		return;
	for (unsigned i = 0; i < core->lanes->n; i++) {
		struct lane *lane = &core->lanes->lane[i];

		if (module_reads_topic(lane->mod, rec->partition->topic) &&
		    offsets_wants(core->offsets, rec, lane))
			core_park(core, lane, rec, NULL, (struct pj_str){"", 0},
				  cause, detail);
	}
}

void
core_feed(struct core *core, struct record *rec, int64_t now_at_ms)
{
	const struct decode_topic *topic = core_topic(core, rec);
	const struct pj_event *ev;
	const struct route *routes;
	const char *cause;
	struct pj_error err;
	size_t n;

	core->now_at_ms = now_at_ms;
	core->counts.consumed++;
	offsets_add(core->offsets, rec);
	switch (decode(core->decoder, topic, rec, &ev, &cause, &err)) {
	case DECODE_EVENT:
		router_route(core->router, ev, &routes, &n);
		for (size_t i = 0; i < n; i++)
			core_feed_route(core, &routes[i], rec, ev);
		if (n == 0)
			core->counts.skipped++;
		break;
	case DECODE_SKIP:
		core_feed_skipped(core, rec);
		break;
	case DECODE_INVALID:
	case DECODE_UNREADABLE:
		core_feed_broken(core, rec, ev, cause, err.text);
		break;
	}
	rec->folded = true;
	offsets_settle(core->offsets);
}

/* ---- Documents that came, and records that waited for them ------------- */

static void
core_fold_backlog(struct core *core, struct entry *e)
{
	struct records waiting = e->backlog;
	size_t i = 0;
	bool changed = false;

	e->backlog = (struct records){NULL, 0, 0};
	while (i < waiting.n && !(changed && e->careful)) {
		struct record *rec = waiting.recs[i++];
		const struct pj_event *ev;
		const char *cause;
		struct pj_error err;

		/* It is what it was the first time. */
		(void)decode(core->decoder, core_topic(core, rec), rec, &ev,
			     &cause, &err);
		changed = core_fold(core, e, rec, ev) || changed;
	}
	while (i < waiting.n)
		records_add(&e->backlog, waiting.recs[i++]);
	records_release(&waiting);
	if (!changed)
		e->careful = false;
	workset_count(&core->batch.work, e);
}

static void
core_park_refusals(struct core *core)
{
	struct batch *bat = &core->batch;

	for (size_t i = 0; i < bat->n_refusals; i++) {
		struct refusal *r = &bat->refusals[i];
		const struct pj_event *ev;
		const char *cause;
		struct pj_error err;

		(void)decode(core->decoder, core_topic(core, r->rec), r->rec,
			     &ev, &cause, &err);
		core_park_of(core, r->entry, r->entry->lane, r->rec, ev,
			     r->entry->key, "document too large",
			     "with this event the document cannot be stored");
		offsets_done(core->offsets, r->rec);
	}
	bat->n_refusals = 0;
}

static void
core_after_job(struct core *core)
{
	struct batch *bat = &core->batch;

	for (size_t i = 0; i < bat->n_ready; i++)
		core_fold_backlog(core, bat->ready[i]);
	bat->n_ready = 0;
	core_park_refusals(core);
	offsets_settle(core->offsets);
	workset_evict(&bat->work, core->set.memory_bytes / 2);
}

/* ---- Jobs -------------------------------------------------------------- */

/* Exponential, with jitter so that processes do not come back in step. */
static void
core_back_off(struct core *core, int64_t now_mono_ms)
{
	int64_t half;

	core->backoff_ms =
		core->backoff_ms ? core->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (core->backoff_ms > BACKOFF_LAST_MS)
		core->backoff_ms = BACKOFF_LAST_MS;
	core->jitter ^= core->jitter << 13;
	core->jitter ^= core->jitter >> 7;
	core->jitter ^= core->jitter << 17;
	half = core->backoff_ms / 2;
	core->retry_mono_ms = now_mono_ms + half +
			      (int64_t)(core->jitter % (uint64_t)(half + 1));
}

struct job *
core_next_job(struct core *core, int64_t now_mono_ms)
{
	struct job *job = NULL;
	bool checkpoints;

	if (now_mono_ms < core->retry_mono_ms)
		return NULL;
	if (core->load_out < core->set.max_load_jobs)
		job = batch_load_job(&core->batch);
	if (job) {
		core->load_out++;
		return job;
	}
	if (core->apply_out >= core->set.max_apply_jobs)
		return NULL;
	checkpoints =
		batch_is_idle(&core->batch) ||
		now_mono_ms - core->checkpoint_mono_ms >= CHECKPOINT_EVERY_MS;
	job = batch_apply_job(&core->batch, checkpoints);
	/* Taking off may have refused documents. */
	core_park_refusals(core);
	if (!job)
		return NULL;
	if (job->batch.n_checkpoints)
		core->checkpoint_mono_ms = now_mono_ms;
	core->apply_out++;
	return job;
}

int
core_job_done(struct core *core, struct job *job, int64_t now_mono_ms,
	      int64_t now_at_ms, struct pj_error *ret_outage,
	      struct pj_error *err)
{
	struct pj_error told = job->err;
	int failed = job->rc;
	bool fenced = job->kind == JOB_APPLY && job->batch.fenced &&
		      job->era == core->batch.era;

	core->now_at_ms = now_at_ms;
	memset(ret_outage, 0, sizeof(*ret_outage));
	if (job->kind == JOB_LOAD)
		core->load_out--;
	else
		core->apply_out--;
	if (batch_job_done(&core->batch, job, err))
		return -1;
	/* Rule 9: never claimed again by who lost it. */
	if (fenced)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "another process has taken over the "
				    "positions of this one");
	if (failed && told.cls != PJ_ERROR_RETRY) {
		*err = told;
		return -1;
	}
	if (failed) {
		*ret_outage = told;
		core_back_off(core, now_mono_ms);
	} else if (core->batch.in_vain) {
		core->batch.in_vain = false;
		core_back_off(core, now_mono_ms);
	} else {
		core->backoff_ms = 0;
		core->retry_mono_ms = 0;
	}
	core_after_job(core);
	return 0;
}

bool
core_is_full(const struct core *core)
{
	return offsets_held_bytes(core->offsets) > core->set.memory_bytes / 2;
}

unsigned
core_jobs_out(const struct core *core)
{
	return core->apply_out + core->load_out;
}

bool
core_is_saved(const struct core *core)
{
	return batch_is_idle(&core->batch) && offsets_is_saved(core->offsets);
}

struct offsets *
core_offsets(struct core *core)
{
	return core->offsets;
}

size_t
core_held(const struct core *core)
{
	return offsets_held(core->offsets);
}

struct core_counts
core_counts(const struct core *core)
{
	struct core_counts counts = core->counts;

	counts.writes = core->batch.n_writes;
	counts.conflicts = core->batch.n_conflicts;
	counts.verified = core->batch.n_verified;
	return counts;
}
