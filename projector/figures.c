/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/mem.h"

enum {
	ASK_EVERY_MS = 5000,
	ASK_BUDGET_MS = 50, /* of the pipeline's time, per reading */
};

/* What the log said of one partition when it was asked. */
struct mark {
	const struct partition *part;
	int64_t asked_mono_ms; /* 0: never */
	int64_t low, high;     /* -1: no answer yet */
};

struct meter {
	const struct lanes *lanes;
	struct source *source;
	struct mark *marks;
	size_t n, cap;
	size_t turn; /* whose turn it is to be asked first */
};

struct meter *
meter_new(const struct lanes *lanes, struct source *source)
{
	struct meter *met = mem_calloc(1, sizeof(*met));

	met->lanes = lanes;
	met->source = source;
	return met;
}

void
meter_free(struct meter *met)
{
	if (!met)
		return;
	free(met->marks);
	free(met);
}

struct figures *
figures_new(void)
{
	return mem_calloc(1, sizeof(struct figures));
}

void
figures_free(struct figures *fig)
{
	if (!fig)
		return;
	free(fig->lanes);
	free(fig->parts);
	free(fig->lags);
	free(fig);
}

int64_t
figures_age_ms(const struct figures *fig, const struct figures_now *now)
{
	int64_t since =
		fig->taken_mono_ms ? fig->taken_mono_ms : now->started_mono_ms;

	return now->mono_ms > since ? now->mono_ms - since : 0;
}

static struct mark *
mark_of(struct meter *met, const struct partition *part)
{
	for (size_t i = 0; i < met->n; i++)
		if (met->marks[i].part == part)
			return &met->marks[i];
	MEM_GROW(met->marks, met->n, met->cap);
	met->marks[met->n] = (struct mark){.part = part, .low = -1, .high = -1};
	return &met->marks[met->n++];
}

/* A log that does not answer keeps its last known ends. */
static void
ask(struct meter *met, struct core *core, size_t n_parts)
{
	int64_t end_mono_ms = clock_mono_ms() + ASK_BUDGET_MS;

	for (size_t i = 0; i < n_parts; i++) {
		const struct progress *pro = offsets_at(
			core_offsets(core), (met->turn + i) % n_parts);
		struct mark *mark = mark_of(met, pro->part);
		int64_t now = clock_mono_ms();
		struct pj_error ignored;

		if (now >= end_mono_ms) {
			met->turn = (met->turn + i) % n_parts;
			return;
		}
		if (mark->asked_mono_ms &&
		    now - mark->asked_mono_ms < ASK_EVERY_MS)
			continue;
		mark->asked_mono_ms = now;
		if (source_watermarks(met->source, pro->part,
				      (int)(end_mono_ms - now), &mark->low,
				      &mark->high, &ignored))
			continue;
	}
}

/* The newest that anything says of the log's end; -1 when nothing does. */
static int64_t
end_of(const struct progress *pro, const struct mark *mark)
{
	int64_t end = mark->high;

	if (pro->part->end_seen > end)
		end = pro->part->end_seen;
	if (end < 0)
		return -1;
	if (pro->next > end)
		end = pro->next;
	if (pro->len) {
		size_t last = (pro->head + pro->len - 1) % pro->cap;

		if (pro->ring[last]->offset >= end)
			end = pro->ring[last]->offset + 1;
	}
	return end;
}

static struct figures_lag
lag_of(const struct progress *pro, const struct mark *mark, int64_t end,
       unsigned lane, size_t part, int64_t now_at_ms)
{
	struct figures_lag lag = {.lane = lane,
				  .part = part,
				  .position = -1,
				  .events = -1,
				  .ms = -1};

	/* Not claimed, or let go of: whoever has it moves it on. */
	if (pro->lane[lane].epoch == 0)
		return lag;
	lag.position = pro->lane[lane].saved;
	/* Without a checkpoint it begins where the log does. */
	if (lag.position < mark->low)
		lag.position = mark->low;
	if (end < 0 || lag.position < 0)
		return lag;
	lag.events = end > lag.position ? end - lag.position : 0;
	if (lag.events == 0)
		lag.ms = 0;
	/* The anchor speaks of `next`, not of a lane that is further on. */
	else if (pro->anchor_offset >= 0 && pro->anchor_timestamp_ms >= 0 &&
		 pro->next >= lag.position)
		lag.ms = now_at_ms > pro->anchor_timestamp_ms
				 ? now_at_ms - pro->anchor_timestamp_ms
				 : 0;
	return lag;
}

static void
read_parts(struct meter *met, struct core *core, struct figures *fig)
{
	int64_t now_at_ms = clock_wall_ms();

	fig->parts = mem_calloc(fig->n_parts, sizeof(*fig->parts));
	fig->lags =
		mem_calloc(fig->n_parts * met->lanes->n, sizeof(*fig->lags));
	for (size_t p = 0; p < fig->n_parts; p++) {
		const struct progress *pro = offsets_at(core_offsets(core), p);
		const struct mark *mark = mark_of(met, pro->part);
		struct figures_part *part = &fig->parts[p];

		(void)snprintf(part->topic, sizeof(part->topic), "%s",
			       pro->part->topic);
		part->number = pro->part->number;
		part->position = pro->next > mark->low ? pro->next : mark->low;
		part->end = end_of(pro, mark);
		part->open_ms = open_end_ms(&pro->part->open, clock_mono_ms());
		for (unsigned l = 0; l < met->lanes->n; l++)
			if (pro->lane[l].reads &&
			    !met->lanes->lane[l].elsewhere)
				fig->lags[fig->n_lags++] = lag_of(
					pro, mark, part->end, l, p, now_at_ms);
	}
}

static void
read_lanes(const struct lanes *lanes, struct figures *fig)
{
	fig->lanes = mem_calloc(lanes->n, sizeof(*fig->lanes));
	fig->n_lanes = lanes->n;
	for (unsigned l = 0; l < lanes->n; l++) {
		const struct lane *lane = &lanes->lane[l];
		struct figures_lane *to = &fig->lanes[l];

		(void)snprintf(to->projection, sizeof(to->projection), "%s",
			       lane->mod->desc->name);
		to->generation = lane->number;
		to->applied = lane->n_applied;
		to->unchanged = lane->n_unchanged;
		to->repeated = lane->n_repeated;
		to->parked = lane->n_parked;
		to->queued = lane->n_queued;
		to->retried = lane->n_retried;
		to->discarded = lane->n_discarded;
		to->stopped = lane_is_stopped(lane);
		to->elsewhere = lane->elsewhere;
	}
}

struct figures *
meter_read(struct meter *met, struct core *core)
{
	struct figures *fig = figures_new();

	while (offsets_at(core_offsets(core), fig->n_parts))
		fig->n_parts++;
	ask(met, core, fig->n_parts);
	read_parts(met, core, fig);
	read_lanes(met->lanes, fig);
	fig->counts = core_counts(core);
	fig->held_records = offsets_held(core_offsets(core));
	fig->held_bytes = offsets_held_bytes(core_offsets(core));
	fig->jobs_out = core_jobs_out(core);
	fig->taken_mono_ms = clock_mono_ms();
	return fig;
}

/* ---- Two readers ------------------------------------------------------------
 */

static bool
find_part(const struct figures *fig, const struct figures_part *part,
	  size_t *ret_index)
{
	for (size_t p = 0; p < fig->n_parts; p++)
		if (fig->parts[p].number == part->number &&
		    strcmp(fig->parts[p].topic, part->topic) == 0) {
			*ret_index = p;
			return true;
		}
	return false;
}

static int
by_part_and_lane(const void *a, const void *b)
{
	const struct figures_lag *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return x->lane < y->lane ? -1 : x->lane > y->lane;
}

static void
merge_lags(struct figures *fig, const struct figures *second)
{
	fig->lags =
		mem_reallocarray(fig->lags, fig->n_lags + second->n_lags + 1,
				 sizeof(*fig->lags));
	for (size_t i = 0; i < second->n_lags; i++) {
		struct figures_lag lag = second->lags[i];

		if (fig->lanes[lag.lane].elsewhere &&
		    find_part(fig, &second->parts[lag.part], &lag.part))
			fig->lags[fig->n_lags++] = lag;
	}
	qsort(fig->lags, fig->n_lags, sizeof(*fig->lags), by_part_and_lane);
}

void
figures_merge(struct figures *fig, const struct figures *second)
{
	for (size_t l = 0; l < fig->n_lanes && l < second->n_lanes; l++)
		if (fig->lanes[l].elsewhere) {
			fig->lanes[l] = second->lanes[l];
			fig->lanes[l].elsewhere = true;
		}
	merge_lags(fig, second);
	fig->counts.consumed += second->counts.consumed;
	fig->counts.skipped += second->counts.skipped;
	fig->counts.parked += second->counts.parked;
	fig->counts.queued += second->counts.queued;
	fig->counts.retried += second->counts.retried;
	fig->counts.discarded += second->counts.discarded;
	fig->counts.strayed += second->counts.strayed;
	fig->counts.writes += second->counts.writes;
	fig->counts.conflicts += second->counts.conflicts;
	fig->counts.verified += second->counts.verified;
	fig->held_records += second->held_records;
	fig->held_bytes += second->held_bytes;
	fig->jobs_out += second->jobs_out;
}
