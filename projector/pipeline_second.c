/* SPDX-License-Identifier: Apache-2.0 */
/* The second reader, as the first one sees it: who goes there, who is back. */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/behind.h"
#include "projector/catchup.h"
#include "projector/pipeline_impl.h"

enum { WATERMARK_MS = 1000 };

static bool
may_split(const struct pipeline *pipe)
{
	return pipe->set.catchup && !pipe->set.until_end &&
	       pipe->set.set->projector.catch_up_records > 0 &&
	       !catchup_is_running(pipe->set.catchup);
}

/* Without a checkpoint it begins where the log does. */
static int
fill_in(struct pipeline *pipe, int64_t *next, struct pj_error *err)
{
	for (size_t p = 0; p < pipe->n_parts; p++) {
		int64_t low = -1, high;

		for (unsigned l = 0; l < pipe->set.lanes->n; l++) {
			const struct lane *lane = &pipe->set.lanes->lane[l];

			if (next[p * LANES_MAX + l] >= 0 ||
			    !module_reads_topic(lane->mod,
						pipe->parts[p]->topic))
				continue;
			if (low < 0 &&
			    source_watermarks(pipe->set.source, pipe->parts[p],
					      WATERMARK_MS, &low, &high, err))
				return -1;
			next[p * LANES_MAX + l] = low;
		}
	}
	return 0;
}

void
pipeline_gather(struct pipeline *pipe)
{
	if (may_split(pipe))
		for (unsigned l = 0; l < pipe->set.lanes->n; l++)
			pipe->set.lanes->lane[l].elsewhere = false;
}

int
pipeline_split(struct pipeline *pipe, struct pj_error *err)
{
	int64_t max = pipe->set.set->projector.catch_up_records;
	struct lanes *lanes = pipe->set.lanes;
	int64_t behind[LANES_MAX], *next;
	int rc;

	if (!may_split(pipe))
		return 0;
	next = mem_calloc(pipe->n_parts, LANES_MAX * sizeof(*next));
	rc = behind_positions(pipe->set.session, lanes, pipe->parts,
			      pipe->n_parts, next, err);
	if (rc == 0)
		rc = fill_in(pipe, next, err);
	if (rc == 0) {
		behind_measure(lanes, pipe->parts, pipe->n_parts, next, behind);
		(void)behind_split(lanes, behind, max);
		for (unsigned l = 0; l < lanes->n; l++)
			if (lanes->lane[l].elsewhere)
				pipeline_forget_claim(pipe, &lanes->lane[l]);
	}
	free(next);
	return rc;
}

int64_t
pipeline_begin_of(struct pipeline *pipe, size_t p, int64_t next)
{
	struct pj_error ignored;
	int64_t low, high;

	if (pipeline_reads(pipe, pipe->parts[p]->topic) ||
	    source_watermarks(pipe->set.source, pipe->parts[p], WATERMARK_MS,
			      &low, &high, &ignored))
		return next;
	return high;
}

int
pipeline_start_second(struct pipeline *pipe, struct pj_error *err)
{
	const struct lanes *lanes = pipe->set.lanes;
	bool any = false;

	if (!may_split(pipe))
		return 0;
	for (unsigned l = 0; l < lanes->n; l++)
		any = any || lanes->lane[l].elsewhere;
	return any ? catchup_start(pipe->set.catchup, lanes, pipe->parts,
				   pipe->n_parts, err)
		   : 0;
}

int
pipeline_turn_second(struct pipeline *pipe, struct pj_error *err)
{
	bool ended;

	if (!pipe->set.catchup)
		return 0;
	if (catchup_take(pipe->set.catchup, false, pipe->set.lanes, &ended,
			 err))
		return -1;
	if (!ended || !pipe->reading)
		return 0;
	/* They join at a new begin; what is not written by then is read again.
	 */
	if (pipeline_flush(pipe, REVOKE_FLUSH_MS, err))
		return -1;
	pipeline_stop_reading(pipe);
	return 0;
}

void
pipeline_stop_second(struct pipeline *pipe)
{
	if (pipe->set.catchup)
		catchup_stop(pipe->set.catchup);
}

int
pipeline_end_second(struct pipeline *pipe, struct pj_error *err)
{
	bool ended;

	if (!pipe->set.catchup)
		return 0;
	catchup_stop(pipe->set.catchup);
	return catchup_take(pipe->set.catchup, true, pipe->set.lanes, &ended,
			    err);
}

bool
pipeline_second_is_leaving(const struct pipeline *pipe)
{
	return pipe->set.catchup && catchup_is_stopping(pipe->set.catchup);
}
