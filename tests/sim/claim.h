/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process takes over what it was assigned (protocol rule 9): row by row
 * it counts the epoch up and leaves its name; then it reads back what it has
 * claimed, and the parking units of those partitions.
 */
#ifndef TESTS_SIM_CLAIM_H
#define TESTS_SIM_CLAIM_H

#include "tests/sim/owner.h"

/* Under a new name. */
void
claim_begin(struct owner *o);
/* Reads again what it has claimed already. */
void
claim_again(struct owner *o);
/* No row it has claimed has another epoch; within a read (wire.h). */
bool
claim_is_ours(const struct world *w, const struct owner *o);
void
claim_step(struct world *w, struct owner *o);

#endif
