/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group: the coordinator's word on who has which partition. A member hears
 * of it some time later, or not at all.
 */
#ifndef TESTS_SIM_GROUP_H
#define TESTS_SIM_GROUP_H

#include "tests/sim/world.h"

/* A new process that has joined. */
struct owner *
group_join(struct world *w);
/* Deals everything out again among those that joined. */
void
group_rebalance(struct world *w);
/* One partition goes to somebody else. */
void
group_move_one(struct world *w);
/* Something happens to somebody. */
void
group_misfortune(struct world *w);
/* Members that are dead, or fenced and forgotten, are found out. */
void
group_tidy(struct world *w);

#endif
