/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/pipeline_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/generation.h"

enum {
	POLL_RECORDS = 2000, /* per turn: jobs are looked after in between */
	POLL_BUSY_MS = 1,    /* jobs are out: their news matters */
	POLL_IDLE_MS = 100,
	LOAD_THREADS = 1,
	MAX_LOAD = 500,	      /* documents per load: 238 k docs/s, bounded */
	OUTAGE_WAIT_MS = 200, /* between looks at a log that is away */
	STOP_FLUSH_MS = 4000,
	FULL_WAIT_MS = 1000, /* then membership needs a poll again */
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
int
pipeline_outage(struct pipeline *pipe, const char *event, int rc,
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
	return pipeline_outage(pipe, "store.away",
			       outage.cls == PJ_ERROR_NONE ? 0 : -1, &outage);
}

/* Takes what is done (waiting up to wait_ms for the first), gives what is due.
 */
static int
turn_store(struct pipeline *pipe, int wait_ms, struct pj_error *err)
{
	struct job *job;
	bool may = false;

	while ((job = writers_take(pipe->writers, wait_ms))) {
		if (job_came_back(pipe, job, err))
			return -1;
		wait_ms = 0;
	}
	for (size_t i = 0; pipe->reading && i < pipe->n_parts; i++)
		core_reached(pipe->core, pipe->parts[i],
			     pipe->parts[i]->end_seen);
	if (pipeline_look_at_claims(pipe, &may, err) &&
	    pipeline_outage(pipe, "store.away", -1, err))
		return -1;
	while (may && (job = core_next_job(pipe->core, clock_mono_ms())))
		writers_give(pipe->writers, job);
	return 0;
}

bool
pipeline_is_flushed(const struct pipeline *pipe)
{
	return core_is_saved(pipe->core) || core_is_fenced(pipe->core) ||
	       core_must_reread(pipe->core) || pipe->lost;
}

int
pipeline_flush(struct pipeline *pipe, int timeout_ms, struct pj_error *err)
{
	int64_t end = clock_mono_ms() + timeout_ms;

	do {
		if (turn_store(pipe, POLL_BUSY_MS, err))
			return -1;
	} while (!pipeline_is_flushed(pipe) && clock_mono_ms() < end);
	return 0;
}

void
pipeline_mirror(struct pipeline *pipe)
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

/* ---- The loop ---------------------------------------------------------- */

static void
feed(struct pipeline *pipe, const struct source_event *event)
{
	int64_t now_at_ms = clock_wall_ms(), now_mono_ms = clock_mono_ms();

	for (size_t i = 0; i < event->n_recs; i++) {
		struct record *rec = event->recs[i];

		/* Of an assignment that is over: somebody else's by now. */
		if (!pipe->reading || rec->assignment != pipe->assignment)
			record_release(rec);
		else
			core_feed(pipe->core, rec, now_mono_ms, now_at_ms);
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
	/* Held back documents wait for milliseconds, too. */
	bool busy = core_jobs_out(pipe->core) > 0 || pipe->outage ||
		    (pipe->reading && !core_is_saved(pipe->core));
	size_t most =
		pipe->set.turn_records ? pipe->set.turn_records : POLL_RECORDS;
	struct source_event event;

	if (source_poll(pipe->set.source, busy ? POLL_BUSY_MS : POLL_IDLE_MS,
			most, &event, err))
		return log_is_away(pipe, err);
	switch (event.kind) {
	case SOURCE_NOTHING:
		break;
	case SOURCE_RECORDS:
		feed(pipe, &event);
		break;
	case SOURCE_ASSIGNED:
		pipeline_assigned(pipe, &event);
		break;
	case SOURCE_REVOKED:
		return pipeline_revoked(pipe, err);
	case SOURCE_STOPPED:
		pipeline_partition_stopped(pipe, event.stopped, &event.why);
		break;
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

bool
pipeline_reads(const struct pipeline *pipe, const char *topic)
{
	for (unsigned i = 0; i < pipe->set.lanes->n; i++) {
		const struct lane *lane = &pipe->set.lanes->lane[i];

		if (!lane_rests(lane) && module_reads_topic(lane->mod, topic))
			return true;
	}
	return false;
}

/* The named stop that ends the run: none is left, or the end was asked for. */
static int
stopped_by_name(const struct pipeline *pipe, bool any, struct pj_error *err)
{
	const struct pj_error *why = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < pipe->set.lanes->n; i++) {
		const struct lane *lane = &pipe->set.lanes->lane[i];

		if (!lane_is_stopped(lane))
			continue;
		n++;
		if (!why)
			why = &lane->stop;
	}
	if (!why || (!any && n < pipe->set.lanes->n))
		return 0;
	*err = *why;
	return -1;
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

		/* The last record we applied has to be seen again, too. */
		if (pro && (pro->next < goal->end || pro->n_anchors_open) &&
		    pipeline_reads(pipe, goal->part->topic))
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
	if (!pipe->set.quiet)
		report_progress(&pipe->report, pipe->core, now, false);
	if (*ret_done || now - pipe->tick_mono_ms < pipe->set.tick_ms)
		return 0;
	pipe->tick_mono_ms = now;
	if (pipe->reading) {
		pipeline_mirror(pipe);
		pipeline_look_at_ends(pipe);
	}
	if (pipe->set.follow_live)
		rc = pipeline_outage(pipe, "store.away",
				     pipeline_follow_live(pipe, err), err);
	if (rc == 0)
		rc = pipeline_outage(pipe, "store.away",
				     pipeline_requests(pipe, err) ||
					     pipeline_purge(pipe, err),
				     err);
	if (rc == 0 && pipe->set.tick)
		rc = pipeline_outage(
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
		if (pipeline_begin(pipe, err) || turn_store(pipe, 0, err) ||
		    pipeline_check_claims(pipe, err) ||
		    turn_tick(pipe, &done, err) ||
		    pipeline_turn_second(pipe, err) ||
		    stopped_by_name(pipe, false, err))
			return -1;
		if ((core_is_full(pipe->core) || pipe->paused) &&
		    turn_full(pipe, err))
			return -1;
		if (!done && turn_source(pipe, err))
			return -1;
	}
	pipeline_stop_second(pipe); /* both flush at once */
	if (pipeline_flush(pipe, STOP_FLUSH_MS, err) ||
	    pipeline_answer(pipe, err))
		return -1;
	if (!core_is_saved(pipe->core))
		log_warn("stop.unsaved",
			 "held=%zu note=\"replayed at the next start\"",
			 offsets_held(core_offsets(pipe->core)));
	pipeline_mirror(pipe);
	return pipe->set.until_end ? stopped_by_name(pipe, true, err) : 0;
}

/* ---- What the core tells ---------------------------------------------------
 */

static void
on_parked(void *arg, const struct store_parked *row)
{
	struct pipeline *pipe = arg;

	report_parked(&pipe->report, row);
	deadletter_send(pipe->set.deadletter, row);
}

static void
on_lane_stopped(void *arg, const struct lane *lane)
{
	char text[2 * PJ_ERROR_TEXT];

	(void)arg;
	log_error("projection.stopped", "projection=%s generation=%s error=%s",
		  lane->mod->desc->name, lane->generation,
		  log_quote(text, sizeof(text), lane->stop.text,
			    strlen(lane->stop.text)));
}

static void
on_losing(void *arg, const struct lane *lane, struct pj_str key,
	  unsigned losses)
{
	char text[512];

	(void)arg;
	log_warn("document.contested",
		 "generation=%s key=%s losses=%u note=\"another owner wins "
		 "every write\"",
		 lane->generation,
		 log_quote(text, sizeof(text), key.ptr, key.len), losses);
}

static void
on_strayed(void *arg, const struct lane *lane, struct pj_str key,
	   const struct record *rec)
{
	struct pipeline *pipe = arg;

	report_strayed(&pipe->report, lane, key, rec);
}

static bool
on_condemns(void *arg, enum step step, const struct lane *lane,
	    const struct record *rec)
{
	const struct pipeline *pipe = arg;

	return crashes_condemns(&pipe->crashes, step,
				lane ? lane->generation : "", rec);
}

static bool
on_absolves(void *arg, const struct lane *lane, const struct record *rec)
{
	struct pipeline *pipe = arg;

	return crashes_absolve(&pipe->crashes, lane->generation, rec);
}

static void
on_begins(void *arg, enum step step, const struct lane *lane,
	  const struct record *rec)
{
	struct pipeline *pipe = arg;

	ledger_begin(pipe->set.ledger, step, lane, rec);
}

static void
on_ends(void *arg)
{
	struct pipeline *pipe = arg;

	ledger_end(pipe->set.ledger);
}

/* ---- Life ------------------------------------------------------------------
 */

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
		.limits = {.park_units = set->projector.park_units,
			   .park_per_unit = set->projector.park_per_unit,
			   .park_per_second = set->projector.park_per_second},
	};
	const struct core_hooks hooks = {
		.arg = pipe,
		.parked = on_parked,
		.lane_stopped = on_lane_stopped,
		.losing = on_losing,
		.strayed = on_strayed,
		.condemns = on_condemns,
		.absolves = on_absolves,
		.begins = on_begins,
		.ends = on_ends,
	};

	memset(pipe, 0, sizeof(*pipe));
	pipe->set = *settings;
	pipe->tick_mono_ms = pipe->report.progress_mono_ms = clock_mono_ms();
	if (random_token(&core.batch.token_random, err) ||
	    writers_start(settings->store, set->projector.writers, LOAD_THREADS,
			  &pipe->writers, err))
		return -1;
	if (looker_start(settings->store, &pipe->looker, err)) {
		writers_stop(pipe->writers);
		return -1;
	}
	memcpy(pipe->owner.bytes, &core.batch.token_random, 8);
	pipe->topics = topics_new(set);
	pipe->core = core_new(settings->lanes, &core, &hooks);
	return 0;
}

int
pipeline_run(const struct pipeline_settings *settings, struct pj_error *err)
{
	struct pj_error second;
	struct pipeline pipe;
	int rc;

	if (pipeline_init(&pipe, settings, err))
		return -1;
	rc = pipeline_loop(&pipe, err);
	if (pipeline_end_second(&pipe, &second) && rc == 0) {
		*err = second;
		rc = -1;
	}
	if (rc == 0)
		err->cls = PJ_ERROR_NONE; /* outages that passed */
	if (!settings->quiet)
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
	looker_stop(pipe.looker);
	core_free(pipe.core);
	report_release(&pipe.report);
	free(pipe.parts);
	free(pipe.starts);
	free(pipe.waived);
	free(pipe.answers);
	topics_free(pipe.topics);
	crashes_release(&pipe.crashes);
	goals_release(&pipe.goals);
	return rc;
}
