/* SPDX-License-Identifier: Apache-2.0 */
/* The worlds of a run, by name. */
#ifndef TESTS_SIM_WORLDS_H
#define TESTS_SIM_WORLDS_H

#include "tests/sim/world.h"

extern const struct world_rules worlds[];
extern const size_t n_worlds;

#endif
