/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one generation of one projection as this process feeds it.
 *
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_LANE_H
#define PROJECTOR_LANE_H

#include <stdint.h>

#include "lib/readmodel.h"
#include "projector/module.h"

enum { LANES_MAX = 64 };

struct lane {
	const struct module *mod;
	int32_t number; /* of the generation */
	/* "stock.3": names the collection, checkpoints and parked rows. */
	char generation[READMODEL_GENERATION_ID_MAX];
	unsigned index; /* in struct lanes */

	/* Since start, for people. */
	uint64_t n_applied;
	uint64_t n_unchanged;
	uint64_t n_repeated; /* offsets or sequences applied already */
	uint64_t n_parked;
};

struct lanes {
	struct lane lane[LANES_MAX];
	unsigned n;
};

#endif
