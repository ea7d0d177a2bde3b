/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness: seeded, the same everywhere (splitmix64). Whatever happens in a
 * world is drawn from one of these, so that a seed is the whole schedule.
 */
#ifndef TESTS_SIM_DICE_H
#define TESTS_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t
dice_roll(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 … n - 1; 0 when n is 0. */
static inline unsigned
dice_below(struct dice *dice, unsigned n)
{
	return n ? (unsigned)(dice_roll(dice) % n) : 0;
}

static inline bool
dice_percent(struct dice *dice, unsigned percent)
{
	return dice_below(dice, 100) < percent;
}

/* Once in n. */
static inline bool
dice_once_in(struct dice *dice, unsigned n)
{
	return dice_below(dice, n) == 0;
}

#endif
