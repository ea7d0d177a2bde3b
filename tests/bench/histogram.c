/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/histogram.h"

#include <math.h>

/* Bits that the value is shifted by so that 128 buckets take its doubling. */
static unsigned
shift_of(int64_t value)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll((uint64_t)value | 1);

	return bits <= HISTOGRAM_BITS ? 0 : bits - 1 - HISTOGRAM_BITS;
}

static unsigned
bucket_of(int64_t value)
{
	unsigned shift = shift_of(value);

	return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
static int64_t
end_of(unsigned bucket)
{
	unsigned shift = bucket >> HISTOGRAM_BITS;

	if (shift > 0)
		shift--;
	return ((int64_t)(bucket - (shift << HISTOGRAM_BITS) + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, int64_t value)
{
	if (value < 0)
		value = 0;
	if (value > HISTOGRAM_MAX)
		value = HISTOGRAM_MAX;
	h->counts[bucket_of(value)]++;
	h->n++;
	h->sum += (double)value;
	if (value > h->max)
		h->max = value;
}

int64_t
histogram_at(const struct histogram *h, double share)
{
	/* 0.007 of 20000 is 140, not 140.00000000000003. */
	double exact = (share - 1e-12) * (double)h->n;
	uint64_t want = exact > 1 ? (uint64_t)ceil(exact) : 1, seen = 0;
	unsigned i;

	if (h->n == 0)
		return 0;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen >= want)
			break;
	}
	return i < HISTOGRAM_BUCKETS && end_of(i) < h->max ? end_of(i) : h->max;
}

uint64_t
histogram_within(const struct histogram *h, int64_t from, int64_t to)
{
	uint64_t n = 0;

	for (unsigned i = bucket_of(from); i <= bucket_of(to); i++)
		n += h->counts[i];
	return n;
}
