/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation as this process serves it: whether what the cache holds of it is
 * followed, and through which checkpoints.
 *
 * Invariants, on which every Projection-Position rests:
 *  - a checkpoint gets here behind the documents that it covers: whoever reads
 *    it first and a document second (from the cache, the store, or what was
 *    told) has a document that contains whatever the checkpoint covers;
 *  - an entry of the cache is current only while its `since` is the
 *    generation's: 0 is never one, and each new following has a new one.
 *
 * Threads: served_find() any (a lock, a leaf); what is found stays until
 * served_list_free(). served_advance/follow are the feed's; reading is
 * anybody's and lock-free.
 */
#ifndef QUERYAPI_SERVED_H
#define QUERYAPI_SERVED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/readmodel.h"

struct load;
TAILQ_HEAD(load_queue, load);

/* Sources with an index beyond are told no position of. */
enum { SERVED_CHUNK = 64, SERVED_CHUNKS = 256 };

struct served_chunk {
	_Atomic int64_t next[SERVED_CHUNK]; /* 0 = none */
};

struct served {
	char id[READMODEL_GENERATION_ID_MAX];
	struct served *older; /* list of all */
	uint32_t number;      /* unique in this process; a part of hashes */
	_Atomic uint64_t since;
	struct served_chunk *_Atomic chunks[SERVED_CHUNKS];
	/* Of the following that was last, and when it was last proven. */
	_Atomic uint64_t proven_since;
	_Atomic int64_t proven_mono_ms;

	/* loads.c, under its lock: what workers have not taken up yet */
	struct load_queue asked, ahead; /* oldest first */
	bool called;			/* a worker is asked for */
};

struct served_list;

struct served_list *
served_list_new(void);
void
served_list_free(struct served_list *list);
/* No generation is followed any more. */
void
served_list_unfollow(struct served_list *list);
/* The one of this generation id; made when absent. */
struct served *
served_find(struct served_list *list, const char *id);

/* The next offset of that source: all below is in what is read from now on. */
static inline int64_t
served_next(const struct served *srv, int32_t source)
{
	const struct served_chunk *chunk;

	if (source < 0 || source >= SERVED_CHUNK * SERVED_CHUNKS)
		return 0;
	chunk = atomic_load_explicit(&srv->chunks[source / SERVED_CHUNK],
				     memory_order_acquire);
	return chunk ? atomic_load_explicit(&chunk->next[source % SERVED_CHUNK],
					    memory_order_acquire)
		     : 0;
}

/* True when it moved; it never goes back. */
bool
served_advance(struct served *srv, int32_t source, int64_t next);

/* Follows (since > 0, never used before) or no longer (0). */
static inline void
served_follow(struct served *srv, uint64_t since)
{
	atomic_store(&srv->since, since);
}

#endif
