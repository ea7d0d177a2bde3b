/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions that cannot be read on: which projections that concerns.
 *
 * Reading stands where the last of them stands. Only those have lost anything;
 * the others begin anew, and the log says by their own place whether they go
 * on.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/log.h"
#include "projector/pipeline_impl.h"

enum { WATERMARK_MS = 2000 };

/* Where the lane began; NULL: reading does not stand at its place. */
static const struct progress_lane *
last_of(const struct pipeline *pipe, const struct partition *part,
	const struct lane *lane)
{
	struct offsets *off = core_offsets(pipe->core);

	return offsets_is_last(off, part, lane)
		       ? &offsets_of(off, part)->lane[lane->index]
		       : NULL;
}

/*
 * What it applied last has left the log, all behind it is there: nothing is
 * missing, but nobody can tell whether the topic is still the same one.
 */
static bool
is_unverifiable(const struct progress_lane *pl, int64_t low, int64_t high)
{
	return pl && pl->anchor_open && pl->anchor_offset < low &&
	       low <= pl->start && pl->start <= high;
}

static void
stop_unverifiable(struct pipeline *pipe, const struct partition *part,
		  struct lane *lane, int64_t low, int64_t high)
{
	struct pj_error why;

	(void)pj_error_set(
		&why, PJ_ERROR_STOP,
		"%.100s/%" PRId32 ": the record that %s applied last, below "
		"%" PRId64 ", has left the log (first %" PRId64 ", next "
		"%" PRId64 "); nothing behind it is missing, but whether the "
		"topic is the same nobody can tell: when it is, start once "
		"with source.lost_anchor=accept",
		part->topic, part->number, lane->generation,
		offsets_of(core_offsets(pipe->core), part)
			->lane[lane->index]
			.start,
		low, high);
	core_stop_lane(pipe->core, lane, &why);
}

/* Those that lack no more than their anchor; false: there is none. */
static bool
judge_unverifiable(struct pipeline *pipe, size_t p)
{
	const struct partition *part = pipe->parts[p];
	struct lanes *lanes = pipe->set.lanes;
	bool accepts = strcmp(pipe->set.set->source.lost_anchor, "accept") == 0;
	bool found[LANES_MAX] = {false}, any = false;
	int64_t low, high;
	struct pj_error err;

	if (source_watermarks(pipe->set.source, part, WATERMARK_MS, &low, &high,
			      &err))
		return false;
	/* All at once: who stops is not the last any more. */
	for (unsigned l = 0; l < lanes->n; l++) {
		found[l] = is_unverifiable(last_of(pipe, part, &lanes->lane[l]),
					   low, high);
		any = any || found[l];
	}
	for (unsigned l = 0; l < lanes->n; l++) {
		if (found[l] && !accepts)
			stop_unverifiable(pipe, part, &lanes->lane[l], low,
					  high);
		if (!found[l] || !accepts)
			continue;
		log_warn("anchor.accepted",
			 "topic=%s partition=%" PRId32 " generation=%s",
			 part->topic, part->number, lanes->lane[l].generation);
		pipe->waived[p * LANES_MAX + l] = true;
	}
	return any;
}

void
pipeline_partition_stopped(struct pipeline *pipe, const struct partition *part,
			   const struct pj_error *why)
{
	bool again;
	size_t p = 0;

	while (p < pipe->n_parts && pipe->parts[p] != part)
		p++;
	if (!pipe->reading || p == pipe->n_parts)
		return;
	if (judge_unverifiable(pipe, p))
		again = pipeline_reads(pipe, part->topic);
	else
		again = core_stop_partition(pipe->core, part, why);
	if (again)
		pipeline_stop_reading(pipe);
}
