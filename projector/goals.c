/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/goals.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/mem.h"

enum { ASK_MS = 5000 };

int
goals_set(struct goals *goals, struct source *source, struct partition **parts,
	  size_t n_parts, struct pj_error *err)
{
	goals_release(goals);
	goals->goal = mem_calloc(n_parts, sizeof(*goals->goal));
	for (size_t p = 0; p < n_parts; p++) {
		int64_t low, high;

		if (source_watermarks(source, parts[p], ASK_MS, &low, &high,
				      err))
			return -1;
		goals->goal[goals->n++] = (struct goal){
			.part = parts[p],
			.end = high > low ? high : -1,
			.high = high,
		};
	}
	return 0;
}

void
goals_release(struct goals *goals)
{
	free(goals->goal);
	*goals = (struct goals){NULL, 0};
}

int
goals_check_start(const struct goals *goals, size_t i, int64_t next,
		  struct pj_error *err)
{
	const struct goal *goal = &goals->goal[i];

	if (next <= goal->high)
		return 0;
	return pj_error_set(err, PJ_ERROR_STOP,
			    "%s/%" PRId32 ": position %" PRId64
			    " is behind the log's end (%" PRId64
			    "): the topic was cut off or made anew; restore it "
			    "or rebuild the projections that read it",
			    goal->part->topic, goal->part->number, next,
			    goal->high);
}
