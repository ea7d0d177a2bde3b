/* SPDX-License-Identifier: Apache-2.0 */
/* Which key the load generator asks for next. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/mem.h"
#include "tests/bench/choice.h"

/* The chance of each rank that a table stands for. */
static double *
chances(const struct choice *ch)
{
	double *p = mem_calloc(ch->n, sizeof(*p));

	for (size_t i = 0; i < ch->n; i++) {
		assert_true(ch->keep[i] >= 0 && ch->keep[i] <= 1);
		p[i] += ch->keep[i] / (double)ch->n;
		p[ch->alias[i]] += (1 - ch->keep[i]) / (double)ch->n;
	}
	return p;
}

static void
zipf_gives_each_rank_exactly_its_share(void **state)
{
	static const double exponents[] = {0, 0.5, 0.99, 1, 1.3};
	static const size_t sizes[] = {1, 2, 1000, 200000};
	struct choice ch;
	double sum, want, *p;

	(void)state;
	for (size_t e = 0; e < sizeof(exponents) / sizeof(exponents[0]); e++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			choice_init(&ch, CHOICE_ZIPF, sizes[s], exponents[e],
				    1);
			p = chances(&ch);
			sum = 0;
			for (size_t i = 0; i < sizes[s]; i++)
				sum += pow((double)i + 1, -exponents[e]);
			for (size_t i = 0; i < sizes[s]; i++) {
				want = pow((double)i + 1, -exponents[e]) / sum;
				assert_true(fabs(p[i] - want) < 1e-9);
			}
			free(p);
			choice_release(&ch);
		}
}

/* Within five standard deviations, for each of n ranks. */
static void
assert_drawn(struct choice *ch, const double *p)
{
	enum { DRAWS = 400000 };
	size_t *seen = mem_calloc(ch->n, sizeof(*seen)), rank;
	double off;

	for (int i = 0; i < DRAWS; i++) {
		rank = choice_next(ch);
		assert_true(rank < ch->n);
		seen[rank]++;
	}
	for (size_t i = 0; i < ch->n; i++) {
		off = fabs((double)seen[i] - p[i] * DRAWS);
		assert_true(off < 5 * sqrt(p[i] * (1 - p[i]) * DRAWS));
	}
	free(seen);
}

static void
draws_follow_the_table(void **state)
{
	struct choice ch;
	double *p;

	(void)state;
	choice_init(&ch, CHOICE_ZIPF, 1000, 0.99, 7);
	p = chances(&ch);
	assert_drawn(&ch, p);
	free(p);
	choice_release(&ch);
}

static void
uniform_prefers_nobody(void **state)
{
	struct choice ch;
	double p[1000];

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		p[i] = 0.001;
	choice_init(&ch, CHOICE_UNIFORM, 1000, 0, 7);
	assert_drawn(&ch, p);
	choice_release(&ch);
}

static void
a_seed_decides_all_ranks(void **state)
{
	struct choice a, b, c;
	unsigned other = 0;

	(void)state;
	choice_init(&a, CHOICE_ZIPF, 5000, 0.99, 3);
	choice_init(&b, CHOICE_ZIPF, 5000, 0.99, 3);
	choice_init(&c, CHOICE_ZIPF, 5000, 0.99, 4);
	for (int i = 0; i < 1000; i++) {
		size_t rank = choice_next(&a);

		assert_int_equal(rank, choice_next(&b));
		other += rank != choice_next(&c);
	}
	assert_true(other > 500);
	choice_release(&a);
	choice_release(&b);
	choice_release(&c);
}

static void
a_sequence_goes_through_all_and_begins_anew(void **state)
{
	struct choice ch;

	(void)state;
	choice_init(&ch, CHOICE_SEQUENCE, 3, 0, 1);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(choice_next(&ch), i % 3);
	choice_release(&ch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zipf_gives_each_rank_exactly_its_share),
		cmocka_unit_test(draws_follow_the_table),
		cmocka_unit_test(uniform_prefers_nobody),
		cmocka_unit_test(a_seed_decides_all_ranks),
		cmocka_unit_test(a_sequence_goes_through_all_and_begins_anew),
	};

	return cmocka_run_group_tests_name("bench_choice", tests, NULL, NULL);
}
