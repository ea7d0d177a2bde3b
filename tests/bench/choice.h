/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of n keys is asked for next: rank 0 is the most popular one.
 *
 * Zipf gives rank r a share proportional to 1/(r+1)^exponent, exactly, by an
 * alias table (Walker, Vose): a draw costs two random numbers and one look-up,
 * whatever n and exponent are. The same seed gives the same ranks. Thread: one.
 */
#ifndef TESTS_BENCH_CHOICE_H
#define TESTS_BENCH_CHOICE_H

#include <stddef.h>
#include <stdint.h>

enum choice_kind { CHOICE_UNIFORM, CHOICE_ZIPF, CHOICE_SEQUENCE };

/* An equal distribution: splitmix64. */
struct dice {
	uint64_t state;
};

struct choice {
	enum choice_kind kind;
	size_t n;
	size_t next; /* of a sequence */
	struct dice dice;
	double *keep;  /* zipf: the chance of a column's own rank … */
	size_t *alias; /* … and the rank that has the rest */
};

uint64_t
dice_next(struct dice *dice);
/* [0, 1) */
double
dice_share(struct dice *dice);

/* n > 0. Release with choice_release(). */
void
choice_init(struct choice *ch, enum choice_kind kind, size_t n, double exponent,
	    uint64_t seed);
void
choice_release(struct choice *ch);

/* A rank below n. A sequence goes through all of them and begins anew. */
size_t
choice_next(struct choice *ch);

#endif
