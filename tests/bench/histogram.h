/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of times, in buckets whose width grows with the value, so that every
 * percentile is right to better than one per cent and no value is thrown away.
 *
 * Values below 128 have a bucket each; above, each doubling has 128, the form
 * of HdrHistogram. A value beyond HISTOGRAM_MAX counts as that. Thread: one.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_BITS = 7, /* 1/128 */
	HISTOGRAM_DOUBLINGS = 34,
	HISTOGRAM_BUCKETS = (HISTOGRAM_DOUBLINGS + 1) << HISTOGRAM_BITS,
};
/* In nanoseconds more than half an hour. */
#define HISTOGRAM_MAX                                                          \
	((INT64_C(1) << (HISTOGRAM_BITS + HISTOGRAM_DOUBLINGS)) - 1)

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t n;
	int64_t max;
	double sum;
};

/* A negative value counts as 0. */
void
histogram_add(struct histogram *h, int64_t value);

/*
 * The smallest value that at least `share` (0 to 1) of all are not above; of a
 * bucket its upper end, but never more than the largest value. 0 when empty.
 */
int64_t
histogram_at(const struct histogram *h, double share);

/* How many lie within [from, to]; buckets on the border count whole. */
uint64_t
histogram_within(const struct histogram *h, int64_t from, int64_t to);

#endif
