/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: what the store says we may feed (protocol rule 9; adr/0012).
 *
 * A claim that is lost is never taken again by ourselves: the projection it was
 * for is let go of, and rests until its live pointer has moved or partitions
 * are assigned anew. Its siblings go on, as long as their claims are in place.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/pipeline_impl.h"

enum {
	/*
	 * Let go of for so long without a new assignment: who has claimed it
	 * is gone. The process ends, and joins anew when it is started again.
	 */
	LET_GO_MAX_MS = 60000,
	LOOK_MS = 1000, /* between looks at our claims */
};

static struct store_checkpoint *
start_of(const struct pipeline *pipe, size_t p, const struct lane *lane)
{
	return &pipe->starts[p * LANES_MAX + lane->index];
}

/* The assigned sources that the lane reads, and which partitions they are. */
static size_t
lane_sources(const struct pipeline *pipe, const struct lane *lane,
	     int32_t *ret_sources, size_t *ret_parts)
{
	size_t n = 0;

	for (size_t p = 0; p < pipe->n_parts; p++) {
		if (!module_reads_topic(lane->mod, pipe->parts[p]->topic))
			continue;
		ret_sources[n] = pipe->parts[p]->source_index;
		ret_parts[n++] = p;
	}
	return n;
}

void
pipeline_forget_claim(struct pipeline *pipe, const struct lane *lane)
{
	pipe->claim_round++;
	for (size_t p = 0; p < pipe->n_parts; p++)
		*start_of(pipe, p, lane) = (struct store_checkpoint){
			.next = -1, .anchor_offset = -1};
}

/* All that the lane reads has been claimed for it as it is. */
static bool
holds_claim(const struct pipeline *pipe, const struct lane *lane)
{
	for (size_t p = 0; p < pipe->n_parts; p++) {
		const struct store_checkpoint *row = start_of(pipe, p, lane);

		if (module_reads_topic(lane->mod, pipe->parts[p]->topic) &&
		    (row->epoch == 0 ||
		     strcmp(row->generation, lane->generation) != 0))
			return false;
	}
	return true;
}

/* ---- One lane
 * ----------------------------------------------------------------
 */

/* Read anew under the claim we have: it must still be ours. */
static int
compare_rows(struct pipeline *pipe, const struct lane *lane,
	     const int32_t *sources, size_t n, struct store_checkpoint *rows,
	     bool *ret_ours, struct pj_error *err)
{
	struct store_checkpoint *all;
	size_t n_all, found = 0;

	if (store_checkpoints(pipe->set.session, lane->generation, &all, &n_all,
			      err))
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t a = 0; a < n_all; a++)
			if (all[a].source == sources[i] &&
			    all[a].epoch == rows[i].epoch) {
				rows[i] = all[a];
				found++;
			}
	free(all);
	*ret_ours = found == n;
	return 0;
}

static int
claim_rows(struct pipeline *pipe, const struct lane *lane,
	   const int32_t *sources, size_t n, struct store_checkpoint *rows,
	   bool *ret_ours, struct pj_error *err)
{
	uint64_t count;

	memcpy(&count, pipe->owner.bytes + 8, sizeof(count));
	count++;
	memcpy(pipe->owner.bytes + 8, &count, sizeof(count));
	return store_claim(pipe->set.session, lane->generation, sources, n,
			   &pipe->owner, rows, ret_ours, err);
}

typedef int
claim_way(struct pipeline *pipe, const struct lane *lane,
	  const int32_t *sources, size_t n, struct store_checkpoint *rows,
	  bool *ret_ours, struct pj_error *err);

/* What is found goes into `starts` when it is ours, and keep is set. */
static int
with_rows(struct pipeline *pipe, const struct lane *lane, claim_way *way,
	  bool keep, bool *ret_ours, struct pj_error *err)
{
	int32_t *sources = mem_calloc(pipe->n_parts, sizeof(*sources));
	size_t *parts = mem_calloc(pipe->n_parts, sizeof(*parts));
	size_t n = lane_sources(pipe, lane, sources, parts);
	struct store_checkpoint *rows = mem_calloc(n, sizeof(*rows));
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		rows[i] = *start_of(pipe, parts[i], lane);
	*ret_ours = true;
	if (n)
		rc = way(pipe, lane, sources, n, rows, ret_ours, err);
	for (size_t i = 0; keep && rc == 0 && *ret_ours && i < n; i++)
		*start_of(pipe, parts[i], lane) = rows[i];
	free(sources);
	free(parts);
	free(rows);
	return rc;
}

static void
let_go(struct pipeline *pipe, struct lane *lane)
{
	log_warn("fenced",
		 "generation=%s note=\"claimed by another process, waiting for "
		 "a new assignment or a promotion's end\"",
		 lane->generation);
	lane->let_go = true;
	lane->let_go_mono_ms = clock_mono_ms();
	pipeline_forget_claim(pipe, lane);
}

/* ---- All lanes
 * -----------------------------------------------------------------
 */

/* Those that have been claimed before are ours still? */
static int
compare_claims(struct pipeline *pipe, unsigned *ret_held, unsigned *ret_lost,
	       struct pj_error *err)
{
	*ret_held = *ret_lost = 0;
	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		struct lane *lane = &pipe->set.lanes->lane[l];
		bool ours;

		if (lane_rests(lane) || !holds_claim(pipe, lane))
			continue;
		if (with_rows(pipe, lane, compare_rows, true, &ours, err))
			return -1;
		if (ours) {
			(*ret_held)++;
		} else {
			(*ret_lost)++;
			let_go(pipe, lane);
		}
	}
	return 0;
}

/* Those that have not. A process that has lost all it had may be a zombie. */
static int
claim_others(struct pipeline *pipe, bool may, struct pj_error *err)
{
	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		struct lane *lane = &pipe->set.lanes->lane[l];
		bool ours = false;

		if (lane_rests(lane) || holds_claim(pipe, lane))
			continue;
		if (may && with_rows(pipe, lane, claim_rows, true, &ours, err))
			return -1;
		if (!ours)
			let_go(pipe, lane);
	}
	return 0;
}

int
pipeline_claim(struct pipeline *pipe, struct pj_error *err)
{
	unsigned held, lost;

	pipe->claim_round++;
	pipe->trusted_boot_ms = clock_boot_ms();
	pipe->look_mono_ms = clock_mono_ms() + LOOK_MS;
	if (store_sync(pipe->set.session, err) ||
	    compare_claims(pipe, &held, &lost, err))
		return -1;
	return claim_others(pipe, held > 0 || lost == 0, err);
}

/* Every row we have claimed, under the epoch we were given. */
static void
ask(struct pipeline *pipe)
{
	struct claimlook *look = mem_calloc(1, sizeof(*look));

	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		const struct lane *lane = &pipe->set.lanes->lane[l];

		for (size_t p = 0; !lane_rests(lane) && p < pipe->n_parts; p++)
			if (module_reads_topic(lane->mod,
					       pipe->parts[p]->topic))
				claimlook_add(look, lane->generation,
					      pipe->parts[p]->source_index,
					      start_of(pipe, p, lane)->epoch);
	}
	look->round = pipe->claim_round;
	/* What is found is as of now, not of when the answer comes. */
	look->asked_boot_ms = clock_boot_ms();
	pipe->look_mono_ms = clock_mono_ms() + LOOK_MS;
	pipe->looking = true;
	looker_give(pipe->looker, look);
}

static int
look_came_back(struct pipeline *pipe, struct claimlook *look,
	       struct pj_error *err)
{
	int rc = 0;

	pipe->looking = false;
	/* Of claims that are not ours any more, or anew, it says nothing. */
	if (look->round == pipe->claim_round && pipe->reading) {
		rc = look->rc;
		*err = look->err;
		if (rc == 0 && look->ours)
			pipe->trusted_boot_ms = look->asked_boot_ms;
		else if (rc == 0)
			pipe->lost = true;
	}
	claimlook_free(look);
	return rc;
}

int
pipeline_look_at_claims(struct pipeline *pipe, bool *ret_may,
			struct pj_error *err)
{
	struct claimlook *look = looker_take(pipe->looker);
	int rc = look ? look_came_back(pipe, look, err) : 0;

	if (pipe->reading && !pipe->lost && !pipe->looking &&
	    clock_mono_ms() >= pipe->look_mono_ms)
		ask(pipe);
	*ret_may = !pipe->lost &&
		   clock_boot_ms() - pipe->trusted_boot_ms <= CLAIM_TRUST_MS;
	return rc;
}

bool
pipeline_has_work(const struct pipeline *pipe)
{
	for (unsigned l = 0; l < pipe->set.lanes->n; l++)
		if (!lane_rests(&pipe->set.lanes->lane[l]))
			return true;
	return false;
}

int
pipeline_check_claims(struct pipeline *pipe, struct pj_error *err)
{
	int64_t now = clock_mono_ms();

	/* Whose claim it is that was lost is seen when reading begins anew. */
	if (pipe->reading && (core_is_fenced(pipe->core) || pipe->lost)) {
		pipeline_stop_reading(pipe);
	} else if (pipe->reading && core_must_reread(pipe->core)) {
		log_info("reread",
			 "note=\"a parking unit was written by somebody else, "
			 "reading again from the checkpoints\"");
		pipeline_stop_reading(pipe);
	}
	for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
		const struct lane *lane = &pipe->set.lanes->lane[l];

		if (lane->let_go && !lane_is_stopped(lane) &&
		    !lane->elsewhere &&
		    (!pipe->set.follow_live ||
		     now - lane->let_go_mono_ms > LET_GO_MAX_MS))
			return pj_error_set(
				err, PJ_ERROR_FATAL,
				"another process has claimed what this one "
				"reads for %s, and no new assignment comes",
				lane->generation);
	}
	return 0;
}
