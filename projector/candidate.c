/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/candidate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "projector/parked_list.h"
#include "projector/pipeline.h"
#include "projector/promotion.h"
#include "projector/stop.h"
#include "projector/watchdog.h"

enum {
	TICK_MS = 500,
	FLUSH_MS = 5000,
	ASK_MS = 1000,
	/* Left to do when the fence goes up: a second's work, or so little. */
	NEAR_EVENTS = 1000,
};

struct feeding {
	const struct candidate *cand;
	struct source *source;
	struct ledger *ledger;
	struct lanes lanes;
	struct promotion pro;
	struct promotion_end *ends; /* one per partition */
	size_t n_ends;
	int64_t last_done; /* events, at the last look */
	int64_t last_mono_ms;
	int64_t rate; /* events per second */
	unsigned n_fences;
};

/*
 * How far the candidate is, and where the log ends, over all partitions. False
 * when the log does not say just now: then nobody knows whether it is complete.
 */
static bool
measure(struct feeding *f, struct pipeline *pipe, int64_t *ret_done,
	int64_t *ret_total)
{
	struct offsets *off = core_offsets(pipeline_core(pipe));
	struct progress *pro;
	struct pj_error err;

	*ret_done = *ret_total = 0;
	for (f->n_ends = 0; (pro = offsets_at(off, f->n_ends)); f->n_ends++) {
		int64_t low = 0, high = 0, next = pro->next;

		if (source_watermarks(f->source, pro->part, ASK_MS, &low, &high,
				      &err))
			return false;
		if (next < low)
			next = low;
		*ret_done += next - low;
		*ret_total += high - low;
		f->ends = mem_reallocarray(f->ends, f->n_ends + 1,
					   sizeof(*f->ends));
		f->ends[f->n_ends] = (struct promotion_end){
			.source = pro->part->source_index,
			.next = high,
		};
	}
	return f->n_ends > 0; /* none: nothing is assigned yet */
}

static void
show(struct feeding *f, int64_t done, int64_t total)
{
	const struct lane *lane = &f->lanes.lane[0];
	int64_t now = clock_mono_ms();
	int64_t ms = now - f->last_mono_ms;

	if (done == f->last_done && done == total)
		return;
	f->rate = ms > 0 ? (done - f->last_done) * 1000 / ms : 0;
	f->last_mono_ms = now;
	f->last_done = done;
	fprintf(stderr,
		"%s %s: generation %" PRId32 ", %" PRId64 " of %" PRId64
		" events (%d %%), %" PRId64 "/s",
		f->cand->verb, lane->mod->desc->name, lane->number, done, total,
		total ? (int)(done * 100 / total) : 100, f->rate);
	if (f->rate > 0)
		fprintf(stderr, ", about %" PRId64 " s left",
			(total - done) / f->rate);
	fputc('\n', stderr);
}

static void
show_fence(struct feeding *f)
{
	if (f->pro.n_fences == f->n_fences)
		return;
	f->n_fences = f->pro.n_fences;
	fprintf(stderr,
		"%s %s: generation %" PRId32 " is held still for the switch\n",
		f->cand->verb, f->lanes.lane[0].mod->desc->name, f->cand->live);
}

static int
tick(void *arg, struct pipeline *pipe, bool *ret_done, struct pj_error *err)
{
	struct feeding *f = arg;
	int64_t asked_mono_ms = clock_mono_ms(), done, total;
	bool near;

	if (!measure(f, pipe, &done, &total))
		return 0;
	show(f, done, total);
	near = total - done <= NEAR_EVENTS || total - done <= f->rate;
	/* What is asked of the store below is to be as new as can be. */
	if (near && pipeline_flush(pipe, FLUSH_MS, err))
		return -1;
	if (promotion_step(&f->pro, f->ends, f->n_ends, asked_mono_ms, near,
			   err))
		return -1;
	show_fence(f);
	*ret_done = f->pro.phase == PROMOTION_DONE;
	return 0;
}

/* Of both, for people to compare; the promotion does not depend on it. */
static void
show_parked(const struct feeding *f)
{
	const struct candidate *cand = f->cand;
	struct pj_error err;
	int64_t now, before = 0;

	if (parked_count(cand->ses, cand->lane.generation, &now, &err) ||
	    (cand->live && parked_count(cand->ses, f->pro.live, &before, &err)))
		return;
	if (now || before)
		fprintf(stderr,
			"%s %s: %" PRId64 " records are parked in it, %" PRId64
			" in the one before\n",
			cand->verb, cand->lane.mod->desc->name, now, before);
}

static int
feed(struct feeding *f, struct pj_error *err)
{
	const struct candidate *cand = f->cand;
	struct host *host = cand->host;
	struct pipeline_settings settings = {
		.set = host->set,
		.store = cand->store,
		.session = cand->ses,
		.source = f->source,
		.ledger = f->ledger,
		.lanes = &f->lanes,
		.topics = host->topics,
		.n_topics = host->n_topics,
		.tick = tick,
		.arg = f,
		.tick_ms = TICK_MS,
		.stop = &stop_requested,
	};

	if (pipeline_run(&settings, err))
		return -1;
	if (f->pro.phase == PROMOTION_DONE)
		return 0;
	return pj_error_set(err, PJ_ERROR_FATAL,
			    "%s %s: stopped before generation %" PRId32
			    " was live; the same command goes on with it",
			    cand->verb, cand->lane.mod->desc->name,
			    cand->lane.number);
}

int
candidate_run(const struct candidate *cand, struct pj_error *err)
{
	int64_t begun_mono_ms = clock_mono_ms();
	struct host *host = cand->host;
	struct watchdog *dog = NULL;
	struct feeding f;
	int rc = -1;

	memset(&f, 0, sizeof(f));
	f.cand = cand;
	f.lanes.n = 1;
	f.lanes.lane[0] = cand->lane;
	f.last_mono_ms = begun_mono_ms;
	promotion_init(&f.pro, cand->ses, &f.lanes.lane[0], cand->live);
	if (host_open_source(host, SOURCE_ALL, &f.source, err) == 0 &&
	    host_open_ledger(host, &f.ledger, err) == 0 &&
	    watchdog_start(f.ledger, host->set->projector.fold_cpu_ms, &dog,
			   err) == 0)
		rc = feed(&f, err);
	if (rc == 0) {
		show_parked(&f);
		fprintf(stderr,
			"%s %s: generation %" PRId32 " is live (%" PRId64
			" ms)\n",
			cand->verb, cand->lane.mod->desc->name,
			cand->lane.number, clock_mono_ms() - begun_mono_ms);
	}
	watchdog_stop(dog);
	ledger_close(f.ledger);
	source_close(f.source);
	promotion_release(&f.pro);
	free(f.ends);
	return rc;
}
