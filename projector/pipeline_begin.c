/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assignments: how reading begins and ends.
 *
 *	lanes' generations → topics → claim (rule 9) → checkpoints
 *	→ parking units → core_assign() → reading from the lowest anchor (rule
 *10)
 *
 * All of it happens between two polls of the source, never in its callbacks.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonread.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/claim_gate.h"
#include "projector/generation.h"
#include "projector/pipeline_impl.h"

enum {
	/* Between tries while the store is away, doubling, with jitter. */
	BEGIN_FIRST_MS = 100,
	BEGIN_LAST_MS = 5000,
};

/* ---- Parking units ---------------------------------------------------------
 */

struct units {
	struct pipeline *pipe;
	struct lane *lane;
	struct buf prefix;
	struct pj_error err;
};

static bool
is_assigned(const struct pipeline *pipe, int32_t source)
{
	for (size_t p = 0; p < pipe->n_parts; p++)
		if (pipe->parts[p]->source_index == source)
			return true;
	return false;
}

static bool
add_unit(void *arg, const uint8_t *bson, size_t len)
{
	struct units *u = arg;
	struct bsonread_element id;
	struct bsonread r;
	struct pj_str key;

	if (bsonread_open(&r, bson, len) < 0 || bsonread_next(&r, &id) != 1 ||
	    !bsonread_is(&id, READMODEL_ID) || id.type != BSONREAD_STRING) {
		(void)pj_error_set(&u->err, PJ_ERROR_FATAL,
				   "a damaged row in " READMODEL_UNITS);
		return false;
	}
	key = bsonread_text(&id);
	if (key.len <= u->prefix.len ||
	    memcmp(key.ptr, u->prefix.data, u->prefix.len) != 0)
		return false;
	if (!is_assigned(u->pipe,
			 (int32_t)strtol(key.ptr + u->prefix.len, NULL, 10)))
		return true;
	return core_add_unit(u->pipe->core, u->lane, key, bson, len, &u->err) ==
	       0;
}

/* Documents with a queue count against the lane's limit. */
static bool
count_document(void *arg, const struct store_parked *row)
{
	struct units *u = arg;

	if (strcmp(row->unit_type, "document") != 0)
		return true;
	if (row->unit.len != u->prefix.len ||
	    memcmp(row->unit.ptr, u->prefix.data, row->unit.len) != 0)
		u->lane->n_units_parked++;
	buf_clear(&u->prefix);
	buf_add(&u->prefix, row->unit.ptr, row->unit.len);
	return true;
}

static int
load_units(struct pipeline *pipe, struct pj_error *err)
{
	struct units u = {.pipe = pipe};
	int rc = 0;

	for (unsigned l = 0; rc == 0 && l < pipe->set.lanes->n; l++) {
		u.lane = &pipe->set.lanes->lane[l];
		if (lane_rests(u.lane))
			continue;
		u.lane->n_units_parked = 0;
		buf_clear(&u.prefix);
		buf_printf(&u.prefix, "%s!", u.lane->generation);
		rc = store_scan(pipe->set.session, READMODEL_UNITS,
				(struct pj_str){u.prefix.data, u.prefix.len},
				add_unit, &u, err);
		buf_clear(&u.prefix);
		if (rc == 0 && u.err.cls == PJ_ERROR_NONE)
			rc = store_parked_scan(pipe->set.session,
					       u.lane->generation,
					       count_document, &u, err);
		if (rc == 0 && u.err.cls != PJ_ERROR_NONE) {
			*err = u.err;
			rc = -1;
		}
	}
	buf_release(&u.prefix);
	return rc;
}

/* ---- Beginning -------------------------------------------------------------
 */

/* Where it was it stays until all that it leaves there has been seen. */
static int
attach_lane(struct pipeline *pipe, struct lane *lane, struct pj_error *err)
{
	struct lane next = *lane;

	if (generation_attach_live(pipe->set.session, pipe->set.set, lane->mod,
				   clock_wall_ms(), &next, err)) {
		if (err->cls != PJ_ERROR_STOP)
			return -1;
		core_stop_lane(pipe->core, lane, err);
		return 0;
	}
	if (lane->number && next.number != lane->number) {
		if (pipeline_refuse_left(pipe, lane, err))
			return -1;
		log_info("generation.follows",
			 "projection=%s from=%" PRId32 " to=%" PRId32,
			 lane->mod->desc->name, lane->number, next.number);
	}
	*lane = next;
	return 0;
}

static int
attach_lanes(struct pipeline *pipe, struct pj_error *err)
{
	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		struct lane *lane = &pipe->set.lanes->lane[l];

		if (!lane_rests(lane) && attach_lane(pipe, lane, err))
			return -1;
	}
	return 0;
}

/* A topic that may not be read as it is stops the projections that read it. */
static int
look_at_topics(struct pipeline *pipe, struct pj_error *err)
{
	const struct topic_fault *faults;
	size_t n;

	if (topics_check(pipe->topics, pipe->set.source, pipe->set.session,
			 &faults, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
			struct lane *lane = &pipe->set.lanes->lane[l];

			if (!lane_rests(lane) &&
			    module_reads_topic(lane->mod, faults[i].topic))
				core_stop_lane(pipe->core, lane,
					       &faults[i].why);
		}
	return 0;
}

static int
find_sources(struct pipeline *pipe, struct pj_error *err)
{
	for (size_t p = 0; p < pipe->n_parts; p++)
		if (store_source(pipe->set.session, pipe->parts[p]->topic,
				 pipe->parts[p]->number,
				 &pipe->parts[p]->source_index, err))
			return -1;
	return 0;
}

/* Into the core and the source, from what the claims gave. */
static int
assign(struct pipeline *pipe, struct pj_error *err)
{
	size_t n = pipe->n_parts;
	struct source_position *at = mem_calloc(n, sizeof(*at));
	int rc = 0;

	if (pipe->set.until_end)
		rc = goals_set(&pipe->goals, pipe->set.source, pipe->parts, n,
			       err);
	for (size_t p = 0; rc == 0 && p < n; p++) {
		at[p].partition = pipe->parts[p];
		at[p].next = pipeline_begin_of(
			pipe, p,
			core_assign(pipe->core, pipe->parts[p],
				    pipe->starts + p * LANES_MAX,
				    pipe->waived + p * LANES_MAX));
		/* Once: the next anchor is another record. */
		memset(pipe->waived + p * LANES_MAX, 0, LANES_MAX);
		if (pipe->set.until_end)
			rc = goals_check_start(
				&pipe->goals, p,
				offsets_of(core_offsets(pipe->core),
					   pipe->parts[p])
					->next,
				err);
	}
	if (rc == 0)
		rc = load_units(pipe, err);
	if (rc == 0)
		rc = source_assign(pipe->set.source, at, n, &pipe->assignment,
				   err);
	free(at);
	return rc;
}

/* What is read here is being given away. */
static bool
is_leaving(const struct pipeline *pipe)
{
	return pipe->set.gate && claim_gate_is_closed(pipe->set.gate);
}

static int
claim(struct pipeline *pipe, struct pj_error *err)
{
	int rc;

	if (!pipe->set.gate)
		return pipeline_claim(pipe, err);
	if (!claim_gate_enter(pipe->set.gate))
		return 0;
	rc = pipeline_claim(pipe, err);
	claim_gate_leave(pipe->set.gate);
	return rc;
}

static int
begin_reading(struct pipeline *pipe, struct pj_error *err)
{
	pipeline_gather(pipe);
	/* Fit for what we promise? A person has to change it if not. */
	if ((!pipe->checked && store_check(pipe->set.session, err)) ||
	    crashes_begin(&pipe->crashes, pipe->set.ledger, pipe->set.session,
			  pipe->set.set->projector.crash_limit, clock_wall_ms(),
			  err) ||
	    (pipe->set.follow_live && attach_lanes(pipe, err)) ||
	    look_at_topics(pipe, err) || find_sources(pipe, err) ||
	    pipeline_split(pipe, err) || claim(pipe, err))
		return -1;
	pipe->checked = true;
	if (!pipeline_has_work(pipe) || is_leaving(pipe))
		return 0;
	ledger_lanes(pipe->set.ledger, pipe->set.lanes);
	if (assign(pipe, err)) {
		core_drop(pipe->core);
		return -1;
	}
	pipe->reading = true;
	log_info("reading", "partitions=%zu assignment=%" PRIu32, pipe->n_parts,
		 pipe->assignment);
	return pipeline_start_second(pipe, err);
}

static void
back_off(struct pipeline *pipe)
{
	int64_t half, now = clock_mono_ms();

	pipe->begin_wait_ms *= 2;
	if (pipe->begin_wait_ms < BEGIN_FIRST_MS)
		pipe->begin_wait_ms = BEGIN_FIRST_MS;
	if (pipe->begin_wait_ms > BEGIN_LAST_MS)
		pipe->begin_wait_ms = BEGIN_LAST_MS;
	/* The clock's last bits, scattered, are jitter enough. */
	half = pipe->begin_wait_ms / 2;
	pipe->begin_mono_ms =
		now + half +
		(int64_t)((uint64_t)now * UINT64_C(0x9e3779b97f4a7c15) >> 33) %
			(half + 1);
}

int
pipeline_begin(struct pipeline *pipe, struct pj_error *err)
{
	if (pipe->reading || !pipe->assigned || !pipeline_has_work(pipe) ||
	    is_leaving(pipe) || clock_mono_ms() < pipe->begin_mono_ms)
		return 0;
	/* Jobs name their collections by the lanes, which are about to move. */
	if (core_jobs_out(pipe->core) > 0 || pipeline_second_is_leaving(pipe))
		return 0;
	if (begin_reading(pipe, err) == 0) {
		pipe->begin_wait_ms = 0;
		return 0;
	}
	/* The partitions stay ours (the source is polled on) meanwhile. */
	back_off(pipe);
	return pipeline_outage(pipe, "begin.waiting", -1, err);
}

/* ---- Ending ----------------------------------------------------------------
 */

void
pipeline_stop_reading(struct pipeline *pipe)
{
	core_drop(pipe->core);
	pipe->reading = pipe->lost = false;
}

static void
forget_partitions(struct pipeline *pipe)
{
	pipeline_stop_reading(pipe);
	free(pipe->parts);
	free(pipe->starts);
	free(pipe->waived);
	pipe->parts = NULL;
	pipe->starts = NULL;
	pipe->waived = NULL;
	pipe->n_parts = 0;
	pipe->assigned = false;
	for (unsigned l = 0; l < pipe->set.lanes->n; l++)
		pipe->set.lanes->lane[l].let_go = false;
}

void
pipeline_assigned(struct pipeline *pipe, const struct source_event *event)
{
	size_t n = event->n_partitions;

	forget_partitions(pipe);
	pipe->parts = mem_calloc(n, sizeof(*pipe->parts));
	pipe->starts = mem_calloc(n * LANES_MAX, sizeof(*pipe->starts));
	pipe->waived = mem_calloc(n * LANES_MAX, sizeof(*pipe->waived));
	pipe->n_parts = n;
	if (n)
		memcpy(pipe->parts, event->partitions,
		       n * sizeof(struct partition *));
	for (size_t i = 0; i < n * LANES_MAX; i++) {
		pipe->starts[i].next = -1;
		pipe->starts[i].anchor_offset = -1;
	}
	pipe->assigned = true;
	pipe->begin_mono_ms = 0;
}

int
pipeline_revoked(struct pipeline *pipe, struct pj_error *err)
{
	pipeline_stop_second(pipe);
	if (pipe->reading) {
		if (pipeline_flush(pipe, REVOKE_FLUSH_MS, err))
			return -1;
		pipeline_mirror(pipe);
	}
	if (pipeline_answer(pipe, err))
		return -1;
	log_info("revoked", "partitions=%zu", pipe->n_parts);
	forget_partitions(pipe);
	return source_unassign(pipe->set.source, err);
}

/* ---- Generations that move --------------------------------------------- */

/* Who promoted it has claimed the old one first: that was no zombie's end. */
static int
live_moved(struct pipeline *pipe, bool *ret_moved, struct pj_error *err)
{
	struct store_live *rows;
	size_t n;

	*ret_moved = false;
	if (store_live(pipe->set.session, &rows, &n, err))
		return -1;
	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		struct lane *lane = &pipe->set.lanes->lane[l];

		if (lane_is_stopped(lane) || lane->elsewhere)
			continue;
		for (size_t i = 0; i < n; i++)
			if (strcmp(rows[i].projection, lane->mod->desc->name) ==
				    0 &&
			    rows[i].number != lane->number) {
				lane->let_go = false;
				*ret_moved = true;
			}
	}
	free(rows);
	return 0;
}

int
pipeline_follow_live(struct pipeline *pipe, struct pj_error *err)
{
	bool moved;

	if (!pipe->assigned)
		return 0;
	if (live_moved(pipe, &moved, err))
		return -1;
	if (!moved || !pipe->reading)
		return 0;
	if (pipeline_flush(pipe, REVOKE_FLUSH_MS, err))
		return -1;
	pipeline_stop_reading(pipe);
	return 0;
}
