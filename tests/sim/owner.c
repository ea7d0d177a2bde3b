/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/pipeline_impl.h"
#include "tests/sim/claim.h"
#include "tests/sim/oracle.h"
#include "tests/sim/requests.h"
#include "tests/sim/tell.h"
#include "tests/sim/world.h"

enum { LOOK_MS = 1000 }; /* between looks at claims, as in pipeline_begin.c */

static void
on_parked(void *arg, const struct store_parked *row)
{
	(void)arg;
	REQUIRE(row->cause[0] != '\0', "a row has no cause");
	met(MET_PARKINGS);
	tell("  parks %s/%d@%lld in %s, unit %s \"%.*s\": %s", row->topic,
	     (int)row->partition, (long long)row->offset, row->generation,
	     row->unit_type, (int)row->unit.len, row->unit.ptr, row->cause);
}

static void
on_lane_stopped(void *arg, const struct lane *lane)
{
	(void)arg;
	tell("  %s stops: %s", lane->generation, lane->stop.text);
}

struct owner *
owner_new(struct world *w, unsigned number)
{
	struct owner *o = mem_calloc(1, sizeof(*o));
	struct core_settings set = w->set;

	o->number = number;
	o->mended = w->mended;
	o->lanes = w->lanes;
	o->lanes.n = w->n_lanes_now;
	o->nonce = set.batch.token_random = dice_roll(&w->dice);
	for (size_t i = 0; i < w->n_logs; i++) {
		(void)snprintf(o->parts[i].topic, sizeof(o->parts[i].topic),
			       "%s", w->logs[i].topic);
		o->parts[i].number = w->logs[i].number;
		o->parts[i].source_index = w->logs[i].source;
	}
	o->core = core_new(&o->lanes, &set,
			   &(struct core_hooks){
				   .arg = w,
				   .parked = on_parked,
				   .lane_stopped = on_lane_stopped,
			   });
	return o;
}

/* ---- The group's word ------------------------------------------------- */

void
owner_forget(struct world *w, struct owner *o)
{
	(void)w;
	core_drop(o->core);
	memset(o->has, 0, sizeof(o->has));
	memset(&o->dealings, 0, sizeof(o->dealings));
	o->looking = false;
	o->state = OWNER_WAITING;
}

static void
adopt(struct world *w, struct owner *o)
{
	bool any = false;

	owner_forget(w, o);
	o->assignment = w->assignment;
	o->fenced_at = 0;
	for (size_t l = 0; l < w->n_logs; l++) {
		o->has[l] = w->has[l] == o;
		any = any || o->has[l];
	}
	tell("process %u takes on assignment %u", o->number, o->assignment);
	if (any)
		claim_begin(o);
}

/* True when it did something about it. */
static bool
hear(struct world *w, struct owner *o)
{
	if (!o->joined || o->assignment == w->assignment ||
	    tally->step < o->deaf_until)
		return false;
	if (o->state == OWNER_READING && dice_percent(&w->dice, 70)) {
		tell("process %u is revoked: flushes", o->number);
		o->state = OWNER_FLUSHING;
		o->flush_until = tally->step + dice_below(&w->dice, 60);
		return true;
	}
	if (o->state == OWNER_FLUSHING && tally->step < o->flush_until &&
	    !core_is_saved(o->core))
		return false;
	adopt(w, o);
	return true;
}

/* ---- Jobs ------------------------------------------------------------- */

/* What the protocol says of every checkpoint that is sent. */
static void
check_offer(struct world *w, struct owner *o, const struct store_checkpoint *cp)
{
	for (size_t l = 0; l < w->n_logs; l++)
		for (unsigned i = 0; i < o->lanes.n; i++) {
			int64_t *offered = &o->offered[l][i];

			if (w->logs[l].source != cp->source ||
			    strcmp(o->lanes.lane[i].generation,
				   cp->generation) != 0)
				continue;
			REQUIRE(o->has[l], "a position of a partition that is "
					   "not assigned");
			REQUIRE(cp->next >= *offered,
				"%s %s/%d: a position of %lld after %lld",
				cp->generation, w->logs[l].topic,
				(int)w->logs[l].number, (long long)cp->next,
				(long long)*offered);
			*offered = cp->next;
			REQUIRE(cp->epoch == o->claimed[l][i].epoch,
				"%s %s/%d: epoch %lld, but %lld is claimed",
				cp->generation, w->logs[l].topic,
				(int)w->logs[l].number, (long long)cp->epoch,
				(long long)o->claimed[l][i].epoch);
		}
}

static const char *const kinds[] = {
	[JOB_LOAD] = "load",
	[JOB_APPLY] = "batch",
	[JOB_ROWS] = "look at a queue",
};

/* What it claimed is in place, as far as it can know. */
static bool
may_send(const struct world *w, const struct owner *o)
{
	return !w->rules->promotes ||
	       w->now_mono_ms - o->trusted_mono_ms <= CLAIM_TRUST_MS;
}

/* It was told so by what came back, or found out when it had to write. */
static void
read_again(struct owner *o)
{
	if (!core_must_reread(o->core) || core_is_fenced(o->core))
		return;
	tell("process %u reads again", o->number);
	core_drop(o->core);
	claim_again(o);
}

static bool
ask(struct world *w, struct owner *o)
{
	struct job *job;

	if (o->n_errands == ERRANDS_MAX || !may_send(w, o))
		return false;
	job = core_next_job(o->core, w->now_mono_ms);
	if (!job) {
		met_n(MET_LATE_UNITS, core_must_reread(o->core));
		read_again(o);
		return false;
	}
	for (size_t i = 0; i < job->batch.n_checkpoints; i++)
		check_offer(w, o, &job->batch.checkpoints[i]);
	tell("process %u: %s of %zu documents, %zu rows, %zu positions, %zu "
	     "rows that go",
	     o->number, kinds[job->kind], job->n_entries, job->batch.n_parked,
	     job->batch.n_checkpoints, job->batch.n_unparks);
	errand_begin(&o->errands[o->n_errands++], &w->wire, job);
	return true;
}

static bool
give_back(struct world *w, struct owner *o, size_t i)
{
	struct pj_error outage, err = {.cls = PJ_ERROR_NONE};
	struct errand errand = o->errands[i];

	o->errands[i] = o->errands[--o->n_errands];
	tell("process %u: %s comes back%s", o->number, kinds[errand.job->kind],
	     errand.job->rc ? ", failed" : "");
	REQUIRE(core_job_done(o->core, errand.job, w->now_mono_ms, w->now_at_ms,
			      &outage, &err) == 0,
		"core_job_done: %s", err.text);
	met_n(MET_TAKEN_UNITS, core_must_reread(o->core));
	read_again(o);
	if (!core_is_fenced(o->core))
		return true;
	tell("process %u is fenced", o->number);
	/* It waits for another assignment. */
	owner_forget(w, o);
	o->fenced_at = tally->step;
	return true;
}

static bool
run_errand(struct world *w, struct owner *o, size_t i)
{
	bool kills;

	if (o->n_errands == 0)
		return false;
	if (o->errands[i].done)
		return give_back(w, o, i);
	(void)errand_step(&o->errands[i], &w->wire, &o->line);
	kills = o->errands[i].kills;
	if (kills)
		owner_die(w, o);
	return true;
}

/* ---- Records ---------------------------------------------------------- */

static bool
feed(struct world *w, struct owner *o)
{
	size_t l = dice_below(&w->dice, (unsigned)w->n_logs);
	unsigned n = w->rules->slow ? 1 : 1 + dice_below(&w->dice, 6);
	const struct log *log = &w->logs[l];
	size_t from = o->at[l];

	if (o->state != OWNER_READING || !o->has[l] ||
	    (w->rules->slow && !w->settling && dice_percent(&w->dice, 50)))
		return false;
	for (; n && o->at[l] < log->n_there && !core_is_full(o->core); n--) {
		core_feed(o->core,
			  log_record_new(&log->events[o->at[l]++], &o->parts[l],
					 o->assignment, &w->records_out),
			  w->now_mono_ms, w->now_at_ms);
		met(MET_FED);
	}
	if (o->at[l] > from)
		tell("process %u: %zu records of %s/%d from %lld", o->number,
		     o->at[l] - from, log->topic, (int)log->number,
		     (long long)log->events[from].offset);
	if (o->at[l] == log->n && dice_percent(&w->dice, 50))
		core_reached(o->core, &o->parts[l], log->end);
	if (!w->settling && w->rules->again && o->at[l] > 0 &&
	    dice_once_in(&w->dice, w->rules->again)) {
		unsigned back = 1 + dice_below(&w->dice, (unsigned)o->at[l]);

		back = back > 4 ? 4 : back;
		o->at[l] -= back;
		met_n(MET_REDELIVERED, back);
		tell("process %u: %s/%d goes back by %u", o->number, log->topic,
		     (int)log->number, back);
	}
	return o->at[l] != from;
}

/* ---- Looks ------------------------------------------------------------ */

static bool
has_to_look(const struct world *w, const struct owner *o)
{
	return w->rules->promotes &&
	       (o->state == OWNER_READING || o->state == OWNER_FLUSHING) &&
	       (o->looking || w->now_mono_ms >= o->look_mono_ms);
}

/* As pipeline_look_at_claims() does: nothing else goes on meanwhile. */
static void
look(struct world *w, struct owner *o)
{
	enum read_end end;

	if (!o->looking) {
		o->asked_mono_ms = w->now_mono_ms;
		wire_sync(&w->wire, &o->line);
	}
	o->looking = true;
	end = wire_read_begin(&w->wire, &o->line);
	if (end == READ_BUSY)
		return;
	o->looking = false;
	o->look_mono_ms = w->now_mono_ms + LOOK_MS;
	/* Writes may get through where looks do not. */
	if (dice_percent(&w->dice, 20))
		o->blind_until = tally->step + dice_below(&w->dice, 3000);
	if (end == READ_FAILED || tally->step < o->blind_until)
		return;
	if (claim_is_ours(w, o)) {
		o->trusted_mono_ms = o->asked_mono_ms;
		return;
	}
	tell("process %u sees that it was fenced", o->number);
	met(MET_LETS_GO);
	owner_forget(w, o);
	o->fenced_at = tally->step;
}

/* The threads that write do not wait for it. */
static bool
run_writer(struct world *w, struct owner *o)
{
	size_t i = dice_below(&w->dice, (unsigned)o->n_errands);

	return o->n_errands && !o->errands[i].done && run_errand(w, o, i);
}

/* ---- Steps ------------------------------------------------------------ */

bool
owner_step(struct world *w, struct owner *o)
{
	if (o->state == OWNER_DEAD || tally->step < o->frozen_until)
		return false;
	modules_mended = o->mended;
	if (has_to_look(w, o)) {
		if (dice_percent(&w->dice, 50))
			return run_writer(w, o);
		look(w, o);
		return true;
	}
	if (dice_percent(&w->dice, 20) && hear(w, o))
		return true;
	if (o->state == OWNER_CLAIMING && dice_percent(&w->dice, 50)) {
		claim_step(w, o);
		return true;
	}
	switch (dice_below(&w->dice, 6)) {
	case 0:
		return feed(w, o);
	case 1:
		return o->state != OWNER_CLAIMING && ask(w, o);
	case 2:
		if (o->state == OWNER_READING && dice_percent(&w->dice, 20))
			requests_poll(w, o);
		return requests_answer(w, o);
	default:
		return run_errand(w, o,
				  dice_below(&w->dice, (unsigned)o->n_errands));
	}
}

static void
note_counts(const struct owner *o)
{
	struct core_counts counts = core_counts(o->core);

	met_n(MET_VERIFIED, counts.verified);
	met_n(MET_CONFLICTS, counts.conflicts);
	met_n(MET_QUEUED, counts.queued);
	met_n(MET_RETRIED, counts.retried);
	met_n(MET_DISCARDED, counts.discarded);
}

void
owner_die(struct world *w, struct owner *o)
{
	struct pj_error outage, err;

	tell("process %u is dead", o->number);
	note_counts(o);
	core_drop(o->core);
	for (size_t i = 0; i < o->n_errands; i++) {
		errand_abandon(&o->errands[i], &w->wire);
		/* It was about work that is forgotten. */
		if (core_job_done(o->core, o->errands[i].job, w->now_mono_ms,
				  w->now_at_ms, &outage, &err))
			tell("  %s", err.text);
	}
	o->n_errands = 0;
	core_free(o->core);
	o->core = NULL;
	o->state = OWNER_DEAD;
	memset(o->has, 0, sizeof(o->has));
}

bool
owner_is_outdated(const struct world *w, const struct owner *o)
{
	return o->mended != w->mended || o->lanes.n != w->n_lanes_now;
}

const char *
owner_unrest(const struct world *w, const struct owner *o)
{
	if (o->state == OWNER_DEAD)
		return o->joined ? "is dead, the group does not know" : NULL;
	if (owner_is_outdated(w, o))
		return "has old modules";
	if (!o->joined)
		return "is not in the group";
	if (o->assignment != w->assignment)
		return "does not know its assignment";
	if (o->n_errands)
		return "has jobs out";
	for (size_t l = 0; l < w->n_logs; l++) {
		if ((w->has[l] == o) != o->has[l])
			return "lacks what it was assigned";
		if (o->has[l] && o->state != OWNER_READING)
			return "does not read";
		if (o->has[l] && o->at[l] < w->logs[l].n)
			return core_is_full(o->core)
				       ? "is full, nothing is on its way"
				       : "has not read all";
	}
	return core_is_saved(o->core) ? NULL : "has not saved all";
}

void
owner_free(struct owner *o)
{
	if (o->core)
		note_counts(o);
	core_free(o->core);
	free(o);
}
