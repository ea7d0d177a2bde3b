/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/pipeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/generation.h"
#include "projector/report.h"
#include "projector/goals.h"
#include "projector/writer.h"

enum {
	POLL_RECORDS = 2000, /* per turn: jobs are looked after in between */
	POLL_BUSY_MS = 1,    /* jobs are out: their news matters */
	POLL_IDLE_MS = 100,
	LOAD_THREADS = 1,
	MAX_LOAD = 500,	      /* documents per load: 238 k docs/s, bounded */
	OUTAGE_WAIT_MS = 200, /* between looks at a log that is away */
	/* Below a third of the group's session timeout (45 s). */
	REVOKE_FLUSH_MS = 10000,
	/* With leaving the group after it, below the deadline of stop.h. */
	STOP_FLUSH_MS = 4000,
	FULL_WAIT_MS = 1000, /* then membership needs a poll again */
};

struct pipeline {
	struct pipeline_settings set;
	struct core *core;
	struct writers *writers;
	struct partition **parts; /* of the assignment */
	size_t n_parts;
	bool assigned; /* parts are ours */
	bool reading;  /* and are being read, from positions of the store */
	bool checked;  /* the store is fit */
	bool paused;
	bool outage;	    /* the store is away, as far as we know */
	struct goals goals; /* until_end */
	uint32_t assignment;
	uint64_t run_random, claims; /* name our claims */
	int64_t begin_mono_ms;	     /* next try to begin reading */
	int64_t tick_mono_ms;
	struct report report;
};

struct core *
pipeline_core(struct pipeline *pipe)
{
	return pipe->core;
}

bool
pipeline_is_reading(const struct pipeline *pipe)
{
	return pipe->reading && pipe->n_parts > 0;
}

bool
pipeline_store_is_away(const struct pipeline *pipe)
{
	return pipe->outage;
}

/* ---- Store work -------------------------------------------------------- */

/* rc, but an outage is said and waited out: 0. Success ends one. */
static int
store_outage(struct pipeline *pipe, const char *event, int rc,
	     const struct pj_error *err)
{
	if (rc == 0) {
		if (pipe->outage)
			log_info("store.back", "waited=backoff");
		pipe->outage = false;
		return 0;
	}
	if (err->cls != PJ_ERROR_RETRY)
		return -1;
	report_outage(&pipe->report.store, event, err);
	pipe->outage = true;
	return 0;
}

static int
job_came_back(struct pipeline *pipe, struct job *job, struct pj_error *err)
{
	struct pj_error outage;

	if (core_job_done(pipe->core, job, clock_mono_ms(), clock_wall_ms(),
			  &outage, err))
		return -1;
	return store_outage(pipe, "store.away",
			    outage.cls == PJ_ERROR_NONE ? 0 : -1, &outage);
}

/* Takes what is done (waiting up to wait_ms for the first), gives what is due.
 */
static int
turn_store(struct pipeline *pipe, int wait_ms, struct pj_error *err)
{
	struct job *job;

	while ((job = writers_take(pipe->writers, wait_ms))) {
		if (job_came_back(pipe, job, err))
			return -1;
		wait_ms = 0;
	}
	for (size_t i = 0; pipe->reading && i < pipe->n_parts; i++)
		core_reached(pipe->core, pipe->parts[i],
			     pipe->parts[i]->end_seen);
	while ((job = core_next_job(pipe->core, clock_mono_ms())))
		writers_give(pipe->writers, job);
	return 0;
}

int
pipeline_flush(struct pipeline *pipe, int timeout_ms, struct pj_error *err)
{
	int64_t end = clock_mono_ms() + timeout_ms;

	do {
		if (turn_store(pipe, POLL_BUSY_MS, err))
			return -1;
	} while (!core_is_saved(pipe->core) && clock_mono_ms() < end);
	return 0;
}

/* ---- Assignment -------------------------------------------------------- */

/* What the store says of the partitions: [partition * LANES_MAX + lane]. */
struct claims {
	int64_t *starts, *epochs;
};

/* Names this claim, and no other one ever. */
static struct store_owner
next_owner(struct pipeline *pipe)
{
	struct store_owner owner;

	pipe->claims++;
	memcpy(owner.bytes, &pipe->run_random, 8);
	memcpy(owner.bytes + 8, &pipe->claims, 8);
	return owner;
}

/* Takes over the stored positions of what the lane reads (rule 9). */
static int
claim_lane(struct pipeline *pipe, const struct lane *lane,
	   struct claims *claims, struct pj_error *err)
{
	struct store_owner owner = next_owner(pipe);
	struct store_checkpoint *rows =
		mem_calloc(pipe->n_parts, sizeof(*rows));
	int32_t *sources = mem_calloc(pipe->n_parts, sizeof(*sources));
	bool mine = true;
	size_t n = 0;
	int rc;

	for (size_t p = 0; p < pipe->n_parts; p++)
		if (module_reads_topic(lane->mod, pipe->parts[p]->topic))
			sources[n++] = pipe->parts[p]->source_index;
	rc = store_claim(pipe->set.session, lane->generation, sources, n,
			 &owner, rows, &mine, err);
	if (rc == 0 && !mine)
		rc = pj_error_set(err, PJ_ERROR_FATAL,
				  "another process has claimed the positions "
				  "of %s at the same time",
				  lane->generation);
	for (size_t p = 0; rc == 0 && p < pipe->n_parts; p++) {
		size_t at = p * LANES_MAX + lane->index;

		claims->starts[at] = -1;
		for (size_t i = 0; i < n; i++)
			if (rows[i].source == pipe->parts[p]->source_index) {
				claims->starts[at] = rows[i].next;
				claims->epochs[at] = rows[i].epoch;
			}
	}
	free(sources);
	free(rows);
	return rc;
}

/* Everything the store has to say before the first record is read. */
static int
claim_all(struct pipeline *pipe, struct claims *claims, struct pj_error *err)
{
	for (size_t p = 0; p < pipe->n_parts; p++)
		if (store_source(pipe->set.session, pipe->parts[p]->topic,
				 pipe->parts[p]->number,
				 &pipe->parts[p]->source_index, err))
			return -1;
	for (unsigned l = 0; l < pipe->set.lanes->n; l++)
		if (claim_lane(pipe, &pipe->set.lanes->lane[l], claims, err))
			return -1;
	return 0;
}

/* Returns where the log is to be read from. */
static int64_t
take_on(struct pipeline *pipe, size_t p, const struct claims *claims)
{
	int64_t next = core_assign(pipe->core, pipe->parts[p],
				   claims->starts + p * LANES_MAX);

	for (unsigned l = 0; l < pipe->set.lanes->n; l++)
		offsets_claimed(core_offsets(pipe->core), pipe->parts[p],
				&pipe->set.lanes->lane[l],
				claims->epochs[p * LANES_MAX + l]);
	return next;
}

/* Starts reading the current partitions from what the store says. */
static int
begin_reading(struct pipeline *pipe, struct pj_error *err)
{
	size_t n = pipe->n_parts;
	struct claims claims = {
		.starts = mem_calloc(n, LANES_MAX * sizeof(int64_t)),
		.epochs = mem_calloc(n, LANES_MAX * sizeof(int64_t))};
	struct source_position *at = mem_calloc(n, sizeof(*at));
	int rc = claim_all(pipe, &claims, err);

	if (rc == 0 && pipe->set.until_end)
		rc = goals_set(&pipe->goals, pipe->set.source, pipe->parts, n,
			       err);
	for (size_t p = 0; rc == 0 && p < n; p++) {
		at[p].partition = pipe->parts[p];
		at[p].next = take_on(pipe, p, &claims);
		if (pipe->set.until_end)
			rc = goals_check_start(&pipe->goals, p, at[p].next,
					       err);
	}
	if (rc == 0)
		rc = source_assign(pipe->set.source, at, n, &pipe->assignment,
				   err);
	if (rc)
		core_drop(pipe->core);
	free(claims.starts);
	free(claims.epochs);
	free(at);
	return rc;
}

static void
forget_partitions(struct pipeline *pipe)
{
	core_drop(pipe->core);
	free(pipe->parts);
	pipe->parts = NULL;
	pipe->n_parts = 0;
	pipe->assigned = pipe->reading = false;
}

static int
attach_lanes(struct pipeline *pipe, struct pj_error *err)
{
	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		struct lane *lane = &pipe->set.lanes->lane[l];
		int32_t before = lane->number;

		if (generation_attach_live(pipe->set.session, pipe->set.set,
					   lane->mod, clock_wall_ms(), lane,
					   err))
			return -1;
		if (before && lane->number != before)
			log_info("generation.follows",
				 "projection=%s from=%" PRId32 " to=%" PRId32,
				 lane->mod->desc->name, before, lane->number);
	}
	return 0;
}

/*
 * Begins reading what is assigned. The store may be away just now: the
 * partitions stay ours (the source is polled on) until it answers.
 */
static int
turn_begin(struct pipeline *pipe, struct pj_error *err)
{
	if (pipe->reading || !pipe->assigned ||
	    clock_mono_ms() < pipe->begin_mono_ms)
		return 0;
	/* Jobs name their collections by the lanes, which are about to move. */
	if (core_jobs_out(pipe->core) > 0)
		return 0;
	/* Fit for what we promise? A person has to change it if not. */
	if ((!pipe->checked && store_check(pipe->set.session, err)) ||
	    (pipe->set.follow_live && attach_lanes(pipe, err)) ||
	    begin_reading(pipe, err)) {
		pipe->begin_mono_ms = clock_mono_ms() + OUTAGE_WAIT_MS;
		return store_outage(pipe, "begin.waiting", -1, err);
	}
	pipe->reading = pipe->checked = true;
	log_info("reading", "partitions=%zu assignment=%" PRIu32, pipe->n_parts,
		 pipe->assignment);
	return 0;
}

static void
on_assigned(struct pipeline *pipe, const struct source_event *event)
{
	pipe->parts = mem_calloc(event->n_partitions, sizeof(*pipe->parts));
	pipe->n_parts = event->n_partitions;
	if (pipe->n_parts)
		memcpy(pipe->parts, event->partitions,
		       pipe->n_parts * sizeof(*pipe->parts));
	pipe->assigned = true;
	pipe->reading = false;
	pipe->begin_mono_ms = 0;
}

static void
mirror(struct pipeline *pipe)
{
	struct source_position *at = mem_calloc(pipe->n_parts, sizeof(*at));
	size_t n = 0;

	for (size_t p = 0; p < pipe->n_parts; p++) {
		struct progress *pro =
			offsets_of(core_offsets(pipe->core), pipe->parts[p]);

		if (pro && pro->next >= 0)
			at[n++] = (struct source_position){pipe->parts[p],
							   pro->next};
	}
	source_mirror(pipe->set.source, at, n);
	free(at);
}

static int
on_revoked(struct pipeline *pipe, struct pj_error *err)
{
	if (pipeline_flush(pipe, REVOKE_FLUSH_MS, err))
		return -1;
	mirror(pipe);
	log_info("revoked", "partitions=%zu", pipe->n_parts);
	forget_partitions(pipe);
	return source_unassign(pipe->set.source, err);
}

/* ---- Generations that move --------------------------------------------- */

static int
live_moved(struct pipeline *pipe, bool *ret_moved, struct pj_error *err)
{
	struct store_live *rows;
	size_t n;

	*ret_moved = false;
	if (store_live(pipe->set.session, &rows, &n, err))
		return -1;
	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		const struct lane *lane = &pipe->set.lanes->lane[l];

		for (size_t i = 0; i < n; i++)
			if (strcmp(rows[i].projection, lane->mod->desc->name) ==
				    0 &&
			    rows[i].number != lane->number)
				*ret_moved = true;
	}
	free(rows);
	return 0;
}

/* A rebuilt generation became live: feed that one, from its own positions. */
static int
follow_live(struct pipeline *pipe, struct pj_error *err)
{
	bool moved;

	if (live_moved(pipe, &moved, err))
		return -1;
	if (!moved)
		return 0;
	if (pipeline_flush(pipe, REVOKE_FLUSH_MS, err))
		return -1;
	core_drop(pipe->core);
	pipe->reading = false;
	return 0;
}

/* ---- The loop ---------------------------------------------------------- */

static void
feed(struct pipeline *pipe, const struct source_event *event)
{
	int64_t now_at_ms = clock_wall_ms();

	for (size_t i = 0; i < event->n_recs; i++) {
		struct record *rec = event->recs[i];

		/* Of an assignment that is over: somebody else's by now. */
		if (!pipe->reading || rec->assignment != pipe->assignment)
			record_release(rec);
		else
			core_feed(pipe->core, rec, now_at_ms);
	}
}

/* The log is away: it keeps our membership, we keep asking. */
static int
log_is_away(struct pipeline *pipe, struct pj_error *err)
{
	if (err->cls != PJ_ERROR_RETRY)
		return -1;
	report_outage(&pipe->report.source, "source.away", err);
	return turn_store(pipe, OUTAGE_WAIT_MS, err);
}

static int
turn_source(struct pipeline *pipe, struct pj_error *err)
{
	bool busy = core_jobs_out(pipe->core) > 0 || pipe->outage;
	struct source_event event;

	if (source_poll(pipe->set.source, busy ? POLL_BUSY_MS : POLL_IDLE_MS,
			POLL_RECORDS, &event, err))
		return log_is_away(pipe, err);
	switch (event.kind) {
	case SOURCE_NOTHING:
		break;
	case SOURCE_RECORDS:
		feed(pipe, &event);
		break;
	case SOURCE_ASSIGNED:
		on_assigned(pipe, &event);
		break;
	case SOURCE_REVOKED:
		return on_revoked(pipe, err);
	case SOURCE_STOPPED:
		*err = event.why;
		return -1;
	}
	return 0;
}

/* Memory is full: let the store catch up; in a long outage pause the log. */
static int
turn_full(struct pipeline *pipe, struct pj_error *err)
{
	int64_t end = clock_mono_ms() + FULL_WAIT_MS;

	while (core_is_full(pipe->core) && clock_mono_ms() < end)
		if (turn_store(pipe, POLL_BUSY_MS, err))
			return -1;
	if (core_is_full(pipe->core) == pipe->paused)
		return 0;
	pipe->paused = core_is_full(pipe->core);
	log_info(pipe->paused ? "source.paused" : "source.resumed", "held=%zu",
		 offsets_held(core_offsets(pipe->core)));
	return source_pause(pipe->set.source, pipe->paused, err);
}

static bool
reached_goals(struct pipeline *pipe)
{
	if (!pipe->set.until_end || !pipe->reading)
		return false;
	for (size_t i = 0; i < pipe->goals.n; i++) {
		const struct goal *goal = &pipe->goals.goal[i];
		struct progress *pro =
			offsets_of(core_offsets(pipe->core), goal->part);

		if (pro && pro->next < goal->end)
			return false;
	}
	return true;
}

static int
turn_tick(struct pipeline *pipe, bool *ret_done, struct pj_error *err)
{
	int64_t now = clock_mono_ms();
	int rc = 0;

	*ret_done = reached_goals(pipe);
	report_progress(&pipe->report, pipe->core, now, false);
	if (*ret_done || now - pipe->tick_mono_ms < pipe->set.tick_ms)
		return 0;
	pipe->tick_mono_ms = now;
	if (pipe->reading)
		mirror(pipe);
	if (pipe->set.follow_live && pipe->reading)
		rc = store_outage(pipe, "store.away", follow_live(pipe, err),
				  err);
	if (rc == 0 && pipe->set.tick)
		rc = store_outage(
			pipe, "store.away",
			pipe->set.tick(pipe->set.arg, pipe, ret_done, err),
			err);
	return rc;
}

static int
pipeline_loop(struct pipeline *pipe, struct pj_error *err)
{
	bool done = false;

	while (!done && !*pipe->set.stop) {
		if (turn_begin(pipe, err) || turn_store(pipe, 0, err) ||
		    turn_tick(pipe, &done, err))
			return -1;
		if ((core_is_full(pipe->core) || pipe->paused) &&
		    turn_full(pipe, err))
			return -1;
		if (!done && turn_source(pipe, err))
			return -1;
	}
	if (pipeline_flush(pipe, STOP_FLUSH_MS, err))
		return -1;
	if (!core_is_saved(pipe->core))
		log_warn("stop.unsaved",
			 "held=%zu note=\"replayed at the next start\"",
			 offsets_held(core_offsets(pipe->core)));
	mirror(pipe);
	return 0;
}

static int
random_token(uint64_t *ret_token, struct pj_error *err)
{
	if (getrandom(ret_token, sizeof(*ret_token), 0) !=
	    (ssize_t)sizeof(*ret_token))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "no random bytes from the system");
	return 0;
}

static int
pipeline_init(struct pipeline *pipe, const struct pipeline_settings *settings,
	      struct pj_error *err)
{
	const struct settings *set = settings->set;
	struct core_settings core = {
		.batch = {.max_documents = set->projector.batch_documents,
			  .max_bytes = set->projector.batch_bytes,
			  .max_load = MAX_LOAD},
		.memory_bytes = set->projector.memory_bytes,
		.max_apply_jobs = set->projector.writers,
		.max_load_jobs = LOAD_THREADS,
		.topics = settings->topics,
		.n_topics = settings->n_topics,
	};

	memset(pipe, 0, sizeof(*pipe));
	pipe->set = *settings;
	pipe->tick_mono_ms = pipe->report.progress_mono_ms = clock_mono_ms();
	if (random_token(&core.batch.token_random, err) ||
	    random_token(&pipe->run_random, err) ||
	    writers_start(settings->store, set->projector.writers, LOAD_THREADS,
			  &pipe->writers, err))
		return -1;
	pipe->core =
		core_new(settings->lanes, &core, report_parked, &pipe->report);
	return 0;
}

int
pipeline_run(const struct pipeline_settings *settings, struct pj_error *err)
{
	struct pipeline pipe;
	int rc;

	if (pipeline_init(&pipe, settings, err))
		return -1;
	rc = pipeline_loop(&pipe, err);
	if (rc == 0)
		err->cls = PJ_ERROR_NONE; /* outages that passed */
	report_progress(&pipe.report, pipe.core, clock_mono_ms(), true);
	core_drop(pipe.core);
	/* Void by now, but their memory is the core's to free. */
	while (core_jobs_out(pipe.core) > 0) {
		struct job *job = writers_take(pipe.writers, -1);
		struct pj_error ignored, outage;

		if (core_job_done(pipe.core, job, 0, 0, &outage, &ignored))
			continue; /* it was about work that is forgotten */
	}
	writers_stop(pipe.writers);
	core_free(pipe.core);
	report_release(&pipe.report);
	free(pipe.parts);
	goals_release(&pipe.goals);
	return rc;
}
