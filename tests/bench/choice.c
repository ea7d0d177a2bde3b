/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/choice.h"

#include <math.h>
#include <stdlib.h>

#include "lib/mem.h"

uint64_t
dice_next(struct dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

double
dice_share(struct dice *dice)
{
	return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

/*
 * Each column of the table is worth 1/n. Ranks worth less fill theirs up with
 * what ranks worth more have over.
 */
static void
fill_up(struct choice *ch, size_t *small, size_t n_small, size_t *large,
	size_t n_large)
{
	size_t s, l;

	while (n_small > 0 && n_large > 0) {
		s = small[--n_small];
		l = large[n_large - 1];
		ch->alias[s] = l;
		ch->keep[l] -= 1 - ch->keep[s];
		if (ch->keep[l] < 1) {
			n_large--;
			small[n_small++] = l;
		}
	}
	/* What is left is worth 1, but for rounding. */
	while (n_small > 0)
		ch->keep[small[--n_small]] = 1;
	while (n_large > 0)
		ch->keep[large[--n_large]] = 1;
}

static void
init_zipf(struct choice *ch, double exponent)
{
	size_t *small = mem_calloc(ch->n, sizeof(*small)), n_small = 0;
	size_t *large = mem_calloc(ch->n, sizeof(*large)), n_large = 0;
	double sum = 0;
	size_t i;

	ch->keep = mem_calloc(ch->n, sizeof(*ch->keep));
	ch->alias = mem_calloc(ch->n, sizeof(*ch->alias));
	for (i = ch->n; i > 0; i--)
		sum += ch->keep[i - 1] = pow((double)i, -exponent);
	for (i = 0; i < ch->n; i++) {
		ch->keep[i] *= (double)ch->n / sum;
		ch->alias[i] = i;
		if (ch->keep[i] < 1)
			small[n_small++] = i;
		else
			large[n_large++] = i;
	}
	fill_up(ch, small, n_small, large, n_large);
	free(small);
	free(large);
}

void
choice_init(struct choice *ch, enum choice_kind kind, size_t n, double exponent,
	    uint64_t seed)
{
	*ch = (struct choice){.kind = kind, .n = n, .dice = {seed}};
	if (kind == CHOICE_ZIPF)
		init_zipf(ch, exponent);
}

void
choice_release(struct choice *ch)
{
	free(ch->keep);
	free(ch->alias);
	*ch = (struct choice){0};
}

size_t
choice_next(struct choice *ch)
{
	size_t column;

	if (ch->kind == CHOICE_SEQUENCE)
		return ch->next++ % ch->n;
	/* n is far below 2^53: no rank is preferred noticeably. */
	column = (size_t)(dice_share(&ch->dice) * (double)ch->n);
	if (ch->kind == CHOICE_UNIFORM ||
	    dice_share(&ch->dice) < ch->keep[column])
		return column;
	return ch->alias[column];
}
