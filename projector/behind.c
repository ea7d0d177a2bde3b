/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/behind.h"

#include <stdlib.h>
#include <string.h>

static void
set_position(const struct lane *lane, const struct store_checkpoint *row,
	     struct partition *const *parts, size_t n_parts, int64_t *ret_next)
{
	for (size_t p = 0; p < n_parts; p++)
		if (parts[p]->source_index == row->source)
			ret_next[p * LANES_MAX + lane->index] = row->next;
}

int
behind_positions(struct store_session *ses, const struct lanes *lanes,
		 struct partition *const *parts, size_t n_parts,
		 int64_t *ret_next, struct pj_error *err)
{
	struct store_checkpoint *rows;
	size_t n;

	if (store_checkpoints(ses, NULL, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n_parts * LANES_MAX; i++)
		ret_next[i] = -1;
	for (size_t i = 0; i < n; i++)
		for (unsigned l = 0; l < lanes->n; l++)
			if (strcmp(rows[i].generation,
				   lanes->lane[l].generation) == 0)
				set_position(&lanes->lane[l], &rows[i], parts,
					     n_parts, ret_next);
	free(rows);
	return 0;
}

static bool
counts(const struct lane *lane, const struct partition *part)
{
	return !lane_is_out(lane) && module_reads_topic(lane->mod, part->topic);
}

void
behind_measure(const struct lanes *lanes, struct partition *const *parts,
	       size_t n_parts, const int64_t *next,
	       int64_t ret_behind[LANES_MAX])
{
	memset(ret_behind, 0, LANES_MAX * sizeof(*ret_behind));
	for (size_t p = 0; p < n_parts; p++) {
		const int64_t *at = next + p * LANES_MAX;
		int64_t foremost = 0;

		for (unsigned l = 0; l < lanes->n; l++)
			if (counts(&lanes->lane[l], parts[p]) &&
			    at[l] > foremost)
				foremost = at[l];
		for (unsigned l = 0; l < lanes->n; l++) {
			int64_t gap = foremost - (at[l] > 0 ? at[l] : 0);

			if (counts(&lanes->lane[l], parts[p]) &&
			    gap > ret_behind[l])
				ret_behind[l] = gap;
		}
	}
}

bool
behind_split(struct lanes *lanes, const int64_t behind[LANES_MAX], int64_t max)
{
	unsigned n_here = 0, n_elsewhere = 0;

	for (unsigned l = 0; l < lanes->n; l++) {
		struct lane *lane = &lanes->lane[l];

		if (lane_is_out(lane))
			continue;
		lane->elsewhere = behind[l] > max;
		if (lane->elsewhere)
			n_elsewhere++;
		else
			n_here++;
	}
	if (n_here && n_elsewhere)
		return true;
	for (unsigned l = 0; l < lanes->n; l++)
		lanes->lane[l].elsewhere = false;
	return false;
}
