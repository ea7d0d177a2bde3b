/* SPDX-License-Identifier: Apache-2.0 */
/* Percentiles of the load generator: right to better than one per cent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/bench/choice.h"
#include "tests/bench/histogram.h"

static struct histogram h;

static int
start(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	return 0;
}

static void
an_empty_one_says_zero(void **state)
{
	(void)state;
	assert_int_equal(histogram_at(&h, 0.5), 0);
	assert_int_equal(histogram_at(&h, 1), 0);
	assert_int_equal(histogram_within(&h, 0, HISTOGRAM_MAX), 0);
}

static void
small_values_are_exact(void **state)
{
	(void)state;
	for (int i = 1; i <= 100; i++)
		histogram_add(&h, i);
	assert_int_equal(histogram_at(&h, 0), 1);
	assert_int_equal(histogram_at(&h, 0.01), 1);
	assert_int_equal(histogram_at(&h, 0.5), 50);
	assert_int_equal(histogram_at(&h, 0.99), 99);
	assert_int_equal(histogram_at(&h, 0.991), 100);
	assert_int_equal(histogram_at(&h, 1), 100);
	assert_true(h.sum > 5049 && h.sum < 5051);
}

static int
by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Against the sorted values themselves, over all magnitudes. */
static void
every_percentile_is_within_a_bucket_of_the_true_one(void **state)
{
	enum { N = 20000 };
	static int64_t all[N];
	struct dice dice = {42};
	int64_t truth, said;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		all[i] = (int64_t)(dice_next(&dice) >> (24 + i % 40));
		histogram_add(&h, all[i]);
	}
	qsort(all, N, sizeof(all[0]), by_value);
	for (int permille = 1; permille <= 1000; permille++) {
		truth = all[(size_t)permille * N / 1000 - 1];
		said = histogram_at(&h, permille / 1000.0);
		assert_in_range(said, truth, truth + truth / 128);
	}
	assert_int_equal(histogram_at(&h, 1), all[N - 1]);
}

static void
a_value_never_rounds_down(void **state)
{
	(void)state;
	for (int shift = 0; shift < 41; shift++)
		for (int64_t near = -1; near <= 1; near++) {
			memset(&h, 0, sizeof(h));
			histogram_add(&h, (INT64_C(1) << shift) + near);
			/* A second, far larger one, so that max says nothing.
			 */
			histogram_add(&h, HISTOGRAM_MAX);
			assert_true(histogram_at(&h, 0.5) >=
				    (INT64_C(1) << shift) + near);
			assert_true(histogram_at(&h, 0.5) <=
				    ((INT64_C(1) << shift) + near) * 129 / 128);
		}
}

static void
what_is_out_of_range_counts_at_its_ends(void **state)
{
	(void)state;
	histogram_add(&h, -5);
	histogram_add(&h, INT64_MAX);
	assert_int_equal(h.n, 2);
	assert_int_equal(histogram_at(&h, 0.5), 0);
	assert_int_equal(histogram_at(&h, 1), HISTOGRAM_MAX);
}

static void
a_band_counts_what_lies_in_it(void **state)
{
	(void)state;
	for (int ms = 1; ms <= 100; ms++)
		histogram_add(&h, ms * INT64_C(1000000));
	/* Buckets are 0.26 ms wide here. */
	assert_int_equal(histogram_within(&h, 35000000, 50000000), 16);
	assert_int_equal(histogram_within(&h, 0, HISTOGRAM_MAX), 100);
	assert_int_equal(histogram_within(&h, 200000000, 300000000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_one_says_zero, start),
		cmocka_unit_test_setup(small_values_are_exact, start),
		cmocka_unit_test_setup(
			every_percentile_is_within_a_bucket_of_the_true_one,
			start),
		cmocka_unit_test_setup(a_value_never_rounds_down, start),
		cmocka_unit_test_setup(what_is_out_of_range_counts_at_its_ends,
				       start),
		cmocka_unit_test_setup(a_band_counts_what_lies_in_it, start),
	};

	return cmocka_run_group_tests_name("bench_histogram", tests, NULL,
					   NULL);
}
