/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/promotion.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "projector/generation.h"

void
promotion_init(struct promotion *pro, struct store_session *ses,
	       const struct lane *lane, int32_t live)
{
	memset(pro, 0, sizeof(*pro));
	pro->ses = ses;
	pro->lane = lane;
	pro->grace_ms = PROMOTION_GRACE_MS;
	pro->seen.number = live;
	if (live)
		readmodel_generation_id(pro->live, lane->mod->desc->name, live);
}

void
promotion_release(struct promotion *pro)
{
	free(pro->fence);
	free(pro->goals);
}

static int
moved_by_others(const struct promotion *pro, struct pj_error *err)
{
	return pj_error_set(err, PJ_ERROR_STOP,
			    "projection %s: live was moved by somebody else; "
			    "generation %" PRId32
			    " is complete and not served, look at 'projector "
			    "generation list %s'",
			    pro->lane->mod->desc->name, pro->lane->number,
			    pro->lane->mod->desc->name);
}

/* ---- The fence ------------------------------------------------------------
 */

/* Claims every row there is of the live generation. */
static int
claim_rows(struct promotion *pro, bool *ret_mine, struct pj_error *err)
{
	struct store_checkpoint *rows = NULL;
	struct store_owner owner;
	int32_t *sources;
	size_t n = 0;
	int rc;

	if (getrandom(owner.bytes, sizeof(owner.bytes), 0) !=
	    (ssize_t)sizeof(owner.bytes))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "no random bytes from the system");
	if (store_checkpoints(pro->ses, pro->live, &rows, &n, err))
		return -1;
	sources = mem_calloc(n, sizeof(*sources));
	for (size_t i = 0; i < n; i++)
		sources[i] = rows[i].source;
	rc = store_claim(pro->ses, pro->live, sources, n, &owner, rows,
			 ret_mine, err);
	free(pro->fence);
	pro->fence = rows;
	pro->n_fence = n;
	free(sources);
	return rc;
}

/* After the claim: who claims from now on is seen by the pointer's row. */
static int
see_pointer(struct promotion *pro, struct pj_error *err)
{
	struct store_live now;

	if (generation_live(pro->ses, pro->lane->mod->desc->name, &now, err))
		return -1;
	if (now.number != pro->seen.number)
		return moved_by_others(pro, err);
	pro->seen = now;
	return 0;
}

static int
put_up_fence(struct promotion *pro, struct pj_error *err)
{
	bool mine;

	if (claim_rows(pro, &mine, err) || see_pointer(pro, err))
		return -1;
	if (!mine)
		return 0; /* another came at the same moment: once more */
	pro->fenced_mono_ms = clock_mono_ms();
	pro->n_fences++;
	pro->phase = PROMOTION_FENCED;
	return 0;
}

/* No row of the live generation has another epoch, and none has come. */
static int
check_fence(const struct promotion *pro, bool *ret_stands, struct pj_error *err)
{
	struct store_checkpoint *rows;
	size_t n, same = 0;

	if (store_checkpoints(pro->ses, pro->live, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t f = 0; f < pro->n_fence; f++)
			same += rows[i].source == pro->fence[f].source &&
				rows[i].epoch == pro->fence[f].epoch;
	*ret_stands = same == n;
	free(rows);
	return 0;
}

/* ---- What has to be reached ------------------------------------------------
 */

/* What was fenced is behind the log's end, or the log is not what it was. */
static int
check_log(const struct promotion *pro, struct pj_error *err)
{
	struct store_source_row *sources;
	size_t n;
	int rc = 0;

	if (store_sources(pro->ses, &sources, &n, err))
		return -1;
	for (size_t f = 0; rc == 0 && f < pro->n_fence; f++) {
		const struct store_checkpoint *row = &pro->fence[f];
		const struct store_source_row *source = NULL;
		int64_t end = 0;

		for (size_t i = 0; i < n; i++)
			if (sources[i].index == row->source)
				source = &sources[i];
		for (size_t g = 0; g < pro->n_goals; g++)
			if (pro->goals[g].source == row->source)
				end = pro->goals[g].next;
		/* Other code may have read what this does not. */
		if (!source ||
		    !module_reads_topic(pro->lane->mod, source->topic) ||
		    row->next <= end)
			continue;
		rc = pj_error_set(err, PJ_ERROR_STOP,
				  "generation %s has applied %s/%" PRId32
				  " up to %" PRId64
				  ", the log has it up to %" PRId64
				  ": it was shortened or made anew, and %s can "
				  "never take its place",
				  pro->live, source->topic, source->partition,
				  row->next, end, pro->lane->generation);
	}
	free(sources);
	return rc;
}

static int
set_goals(struct promotion *pro, const struct promotion_end *ends, size_t n,
	  struct pj_error *err)
{
	free(pro->goals);
	pro->goals = mem_calloc(n, sizeof(*pro->goals));
	pro->n_goals = n;
	if (n)
		memcpy(pro->goals, ends, n * sizeof(*ends));
	/* The end is at or above the fenced position, but for a broken log. */
	if (check_log(pro, err))
		return -1;
	pro->phase = PROMOTION_REACHING;
	return 0;
}

static int
has_reached(const struct promotion *pro, bool *ret_reached,
	    struct pj_error *err)
{
	struct store_checkpoint *rows;
	size_t n;

	if (store_checkpoints(pro->ses, pro->lane->generation, &rows, &n, err))
		return -1;
	*ret_reached = true;
	for (size_t g = 0; g < pro->n_goals; g++) {
		int64_t at = 0;

		for (size_t i = 0; i < n; i++)
			if (rows[i].source == pro->goals[g].source &&
			    rows[i].next > 0)
				at = rows[i].next;
		if (at < pro->goals[g].next)
			*ret_reached = false;
	}
	free(rows);
	return 0;
}

/* ---- The pointer ------------------------------------------------------------
 */

static int
move_pointer(struct promotion *pro, struct pj_error *err)
{
	const char *name = pro->lane->mod->desc->name;
	struct store_live now;
	bool moved;

	if (store_live_promote(pro->ses, name, &pro->seen, pro->lane->number,
			       &moved, err))
		return -1;
	if (!moved) {
		if (generation_live(pro->ses, name, &now, err))
			return -1;
		/* Ours, by a try whose answer was lost, is as good. */
		if (now.number == pro->seen.number) {
			pro->phase = PROMOTION_CATCHING_UP;
			return 0;
		}
		if (now.number != pro->lane->number)
			return moved_by_others(pro, err);
	}
	if (store_generation_set_state(pro->ses, name, pro->lane->number,
				       STORE_GEN_READY, err))
		return -1;
	pro->phase = PROMOTION_DONE;
	return 0;
}

static int
reach_and_move(struct promotion *pro, struct pj_error *err)
{
	bool reached, stands = true;

	if (has_reached(pro, &reached, err))
		return -1;
	if (!reached)
		return 0;
	if (pro->seen.number && check_fence(pro, &stands, err))
		return -1;
	if (!stands) {
		pro->phase = PROMOTION_CATCHING_UP;
		return 0;
	}
	return move_pointer(pro, err);
}

int
promotion_step(struct promotion *pro, const struct promotion_end *ends,
	       size_t n_ends, int64_t asked_mono_ms, bool near,
	       struct pj_error *err)
{
	if (pro->phase == PROMOTION_CATCHING_UP && near) {
		/* Nobody reads yet: there is nothing to fence. */
		if (pro->seen.number == 0 ? set_goals(pro, ends, n_ends, err)
					  : put_up_fence(pro, err))
			return -1;
	}
	if (pro->phase == PROMOTION_FENCED &&
	    asked_mono_ms >= pro->fenced_mono_ms + pro->grace_ms &&
	    set_goals(pro, ends, n_ends, err))
		return -1;
	if (pro->phase == PROMOTION_REACHING)
		return reach_and_move(pro, err);
	return 0;
}
