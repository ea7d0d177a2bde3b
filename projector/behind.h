/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which projections are far behind the others (protocol rule 8).
 *
 * One reader reads a partition once for all projections, so it reads as far
 * back as the one that is furthest behind: the others' new events come behind
 * all that. Those that lag far are therefore fed by a second reader
 * (catchup.h), until they have caught up.
 *
 * Pure but for behind_positions().
 */
#ifndef PROJECTOR_BEHIND_H
#define PROJECTOR_BEHIND_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/store.h"
#include "projector/lane.h"
#include "projector/record.h"

/*
 * The stored positions: ret_next[p * LANES_MAX + lane index], -1 where there is
 * none. Errors: of the store.
 */
int
behind_positions(struct store_session *ses, const struct lanes *lanes,
		 struct partition *const *parts, size_t n_parts,
		 int64_t *ret_next, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * By lane: how many records it is behind the foremost one, on the partition
 * where that is most. Lanes that nobody feeds lag behind nobody and lead
 * nobody. An unknown position (-1) is that of offset 0.
 */
void
behind_measure(const struct lanes *lanes, struct partition *const *parts,
	       size_t n_parts, const int64_t *next,
	       int64_t ret_behind[LANES_MAX]);

/*
 * Marks lanes that are more than max behind as fed elsewhere, and the others as
 * fed here. Nobody, when nobody would be left here. True: there are some.
 */
bool
behind_split(struct lanes *lanes, const int64_t behind[LANES_MAX], int64_t max);

#endif
