/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Projection-Min-Position: reading one's own writes.
 *
 * Who wrote knows the event's topic, partition and offset, and asks for an
 * answer that has it. It is in what the generation's checkpoint has passed:
 * applied, or parked for an operator, in which case the answer says so. That
 * holds for absent and deleted documents too. The checkpoint is compared first,
 * the documents are read second (served.h).
 */
#ifndef QUERYAPI_MINIMUM_H
#define QUERYAPI_MINIMUM_H

#include "queryapi/routes.h"

enum { MINIMUM_POSITIONS_MAX = 64 };

struct minimum_position {
	struct pj_str topic; /* borrowed from the request */
	int32_t partition;
	int64_t offset;
};

/*
 * Takes one position off the front of a field's value: a list of quoted
 * `topic/partition@offset`, as Projection-Position has them. 1: one; 0: the
 * list is empty; -1: malformed.
 */
int
minimum_next(struct pj_str *list, struct minimum_position *ret_pos);

/*
 * True when the views (of ex->snap) have all that is asked for, or nothing is.
 * False: the request is parked (Prefer: wait), or a problem was answered: 503
 * position-not-reached; 409 position-not-applicable when a position is of no
 * source of theirs, so that waiting would not help; 400.
 */
bool
minimum_reached(struct exchange *ex, const int *views, size_t n);

#endif
