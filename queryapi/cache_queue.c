/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/cache_queue.h"

#include <stdlib.h>

#include "lib/mem.h"

enum { SMALL_SHARE = 10, ABSENT_SHARE = 16 };

void
cache_queues_init(struct cache_queues *qs, uint64_t max_bytes, size_t n_ghosts)
{
	qs->max_bytes = max_bytes;
	qs->small_bytes = max_bytes / SMALL_SHARE;
	qs->absent_bytes = max_bytes / ABSENT_SHARE;
	qs->ghosts = mem_calloc(n_ghosts, sizeof(*qs->ghosts));
	qs->ghost_mask = n_ghosts - 1;
}

void
cache_queues_release(struct cache_queues *qs)
{
	free(qs->ghosts);
}

uint64_t
cache_queues_bytes(const struct cache_queues *qs)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < QUEUE_COUNT; i++)
		bytes += qs->queues[i].bytes;
	return bytes;
}

static void
push(struct cache_queues *qs, enum cache_queue_id id, struct entry *ent)
{
	struct cache_queue *q = &qs->queues[id];

	ent->queue = (uint8_t)id;
	ent->newer = NULL;
	ent->older = q->newest;
	if (q->newest)
		q->newest->newer = ent;
	else
		q->oldest = ent;
	q->newest = ent;
	q->bytes += ent->bytes;
}

void
cache_queues_remove(struct cache_queues *qs, struct entry *ent)
{
	struct cache_queue *q = &qs->queues[ent->queue];

	if (ent->newer)
		ent->newer->older = ent->older;
	else
		q->newest = ent->older;
	if (ent->older)
		ent->older->newer = ent->newer;
	else
		q->oldest = ent->newer;
	q->bytes -= ent->bytes;
}

/* Never 0, which is "none". */
static uint32_t
ghost_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

void
cache_queues_add(struct cache_queues *qs, struct entry *ent)
{
	uint32_t *ghost = &qs->ghosts[ent->hash & qs->ghost_mask];

	if (ent->state >= ENTRY_ABSENT) {
		push(qs, QUEUE_ABSENT, ent);
	} else if (*ghost == ghost_of(ent->hash)) {
		*ghost = 0;
		push(qs, QUEUE_MAIN, ent);
	} else {
		push(qs, QUEUE_SMALL, ent);
	}
}

static uint8_t
freq_of(struct entry *ent)
{
	return atomic_load_explicit(&ent->freq, memory_order_relaxed);
}

static void
set_freq(struct entry *ent, uint8_t freq)
{
	atomic_store_explicit(&ent->freq, freq, memory_order_relaxed);
}

/* The small queue's oldest that was not hit; others move on. */
static struct entry *
small_victim(struct cache_queues *qs)
{
	struct entry *ent;

	while ((ent = qs->queues[QUEUE_SMALL].oldest)) {
		if (freq_of(ent) == 0) {
			qs->ghosts[ent->hash & qs->ghost_mask] =
				ghost_of(ent->hash);
			return ent;
		}
		set_freq(ent, 0);
		cache_queues_remove(qs, ent);
		push(qs, QUEUE_MAIN, ent);
	}
	return NULL;
}

/* Ends: each round takes a hit from every entry that stays. */
static struct entry *
main_victim(struct cache_queues *qs)
{
	struct entry *ent;

	while ((ent = qs->queues[QUEUE_MAIN].oldest)) {
		uint8_t freq = freq_of(ent);

		if (freq == 0)
			return ent;
		set_freq(ent, (uint8_t)(freq - 1));
		cache_queues_remove(qs, ent);
		push(qs, QUEUE_MAIN, ent);
	}
	return NULL;
}

struct entry *
cache_queues_victim(struct cache_queues *qs)
{
	struct entry *ent = NULL;

	if (qs->queues[QUEUE_ABSENT].bytes > qs->absent_bytes)
		ent = qs->queues[QUEUE_ABSENT].oldest;
	else if (cache_queues_bytes(qs) > qs->max_bytes) {
		if (qs->queues[QUEUE_SMALL].bytes > qs->small_bytes)
			ent = small_victim(qs);
		if (!ent)
			ent = main_victim(qs);
		if (!ent)
			ent = small_victim(qs);
		if (!ent)
			ent = qs->queues[QUEUE_ABSENT].oldest;
	}
	qs->evicted += ent != NULL;
	return ent;
}
