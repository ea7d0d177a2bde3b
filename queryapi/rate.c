/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/rate.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/mem.h"

enum { NS = 1000000000 };
/* An address has one of WAYS places in its row; SHARDS rows apart share a
 * lock. */
enum { WAYS = 8, SHARDS = 64, ROWS = RATE_CLIENTS / WAYS };

struct client {
	struct admission_address addr;
	struct rate_bucket bucket;
};

struct rate_addresses {
	uint32_t per_s;
	uint64_t seed;
	pthread_mutex_t locks[SHARDS]; /* the rows that are n modulo SHARDS */
	struct client rows[ROWS][WAYS];
};

int64_t
rate_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS + ts.tv_nsec;
}

int64_t
rate_take(struct rate_bucket *bucket, uint32_t per_s, int64_t now_ns)
{
	int64_t each_ns, was, next;

	if (per_s == 0)
		return 0;
	each_ns = NS / per_s;
	was = atomic_load_explicit(&bucket->full_at_ns, memory_order_relaxed);
	do {
		next = (was > now_ns ? was : now_ns) + each_ns;
		if (next - now_ns > NS)
			return next - now_ns - NS;
	} while (!atomic_compare_exchange_weak_explicit(
		&bucket->full_at_ns, &was, next, memory_order_relaxed,
		memory_order_relaxed));
	return 0;
}

struct rate_addresses *
rate_addresses_new(uint32_t per_s)
{
	struct rate_addresses *rates;

	if (per_s == 0)
		return NULL;
	rates = mem_calloc(1, sizeof(*rates));
	rates->per_s = per_s;
	/* Without a seed rows could be filled on purpose; that is all. */
	if (getrandom(&rates->seed, sizeof(rates->seed), 0) < 0)
		rates->seed = (uint64_t)rate_now_ns();
	for (size_t i = 0; i < SHARDS; i++)
		(void)pthread_mutex_init(&rates->locks[i], NULL);
	return rates;
}

void
rate_addresses_free(struct rate_addresses *rates)
{
	if (!rates)
		return;
	for (size_t i = 0; i < SHARDS; i++)
		(void)pthread_mutex_destroy(&rates->locks[i]);
	free(rates);
}

static size_t
row_of(const struct rate_addresses *rates, const struct admission_address *addr)
{
	uint64_t hash = rates->seed, word;

	for (size_t i = 0; i < sizeof(addr->bytes); i += sizeof(word)) {
		memcpy(&word, addr->bytes + i, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return (size_t)((hash * UINT64_C(0xbf58476d1ce4e5b9)) >> 32) % ROWS;
}

/* The address's place, or the one that is given up for it. */
static struct client *
place_of(struct client row[WAYS], const struct admission_address *addr)
{
	struct client *fullest = row;

	for (size_t i = 0; i < WAYS; i++) {
		if (memcmp(&row[i].addr, addr, sizeof(*addr)) == 0)
			return &row[i];
		if (row[i].bucket.full_at_ns < fullest->bucket.full_at_ns)
			fullest = &row[i];
	}
	fullest->addr = *addr;
	fullest->bucket.full_at_ns = 0;
	return fullest;
}

int64_t
rate_addresses_take(struct rate_addresses *rates,
		    const struct admission_address *addr, int64_t now_ns)
{
	pthread_mutex_t *lock;
	int64_t wait_ns;
	size_t row;

	if (!rates)
		return 0;
	row = row_of(rates, addr);
	lock = &rates->locks[row % SHARDS];
	(void)pthread_mutex_lock(lock);
	wait_ns = rate_take(&place_of(rates->rows[row], addr)->bucket,
			    rates->per_s, now_ns);
	(void)pthread_mutex_unlock(lock);
	return wait_ns;
}
