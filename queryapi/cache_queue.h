/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entry goes when the cache is full: S3-FIFO.
 *
 * A new key enters the small queue (a tenth of the bytes). At its end it goes,
 * unless it was hit meanwhile: then it enters the main queue, where each round
 * costs one hit. A key that comes again soon after it went (the ghosts
 * remember) enters the main queue at once. Absent keys have a queue of their
 * own, so that a flood of made-up keys pushes out nothing but its like.
 *
 * Thread: the cache's lock.
 */
#ifndef QUERYAPI_CACHE_QUEUE_H
#define QUERYAPI_CACHE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "queryapi/entry.h"

enum cache_queue_id { QUEUE_SMALL, QUEUE_MAIN, QUEUE_ABSENT, QUEUE_COUNT };

struct cache_queue {
	struct entry *newest, *oldest;
	uint64_t bytes;
};

struct cache_queues {
	struct cache_queue queues[QUEUE_COUNT];
	uint64_t max_bytes, small_bytes, absent_bytes;
	uint32_t *ghosts; /* by hash: the rest of the hash */
	size_t ghost_mask;
	uint64_t evicted;
};

/* n_ghosts: a power of two. */
void
cache_queues_init(struct cache_queues *qs, uint64_t max_bytes, size_t n_ghosts);
void
cache_queues_release(struct cache_queues *qs);
void
cache_queues_add(struct cache_queues *qs, struct entry *ent);
void
cache_queues_remove(struct cache_queues *qs, struct entry *ent);
/* The next one to be taken out, still in its queue; NULL: there is room. */
struct entry *
cache_queues_victim(struct cache_queues *qs);
uint64_t
cache_queues_bytes(const struct cache_queues *qs);

#endif
