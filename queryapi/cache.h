/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache: entries by generation and key, bounded in bytes.
 *
 * Readers take no lock. Each has turns: between cache_turn_begin() and
 * cache_turn_end() what cache_get() gave it stays in memory, and nothing
 * blocks. Writers take one lock; an entry that is taken out is marked `gone`
 * and freed when every reader's turn that might have seen it has ended (the
 * grace period of read-copy-update: McKenney, "RCU fundamentals").
 *
 * Invariants:
 *  - of a key the table holds one entry; while that is current, a newer
 *    revision replaces it, an older one never does;
 *  - what is out of the table, or superseded in it, was marked gone before;
 *  - bytes of all entries in the table are at most max_bytes, those of absent
 *    keys at most a sixteenth of it.
 *
 * What goes first is decided as in S3-FIFO (Yang et al., SOSP 2023): new keys
 * pass a small queue, so a scan does not push out what is asked for again.
 *
 * Lock order: loads.c's lock, then this one, which is a leaf.
 */
#ifndef QUERYAPI_CACHE_H
#define QUERYAPI_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "queryapi/entry.h"

struct cache;

struct cache *
cache_new(uint64_t max_bytes, size_t n_readers);
/* No reader may be left. */
void
cache_free(struct cache *cache);

/* The hash of a key; differs from process to process, so that nobody can make
 * keys collide. */
uint64_t
cache_hash(const struct cache *cache, const struct served *srv,
	   struct pj_str key);

/* Turns do not nest; a reader belongs to one thread. */
void
cache_turn_begin(struct cache *cache, size_t reader);
void
cache_turn_end(struct cache *cache, size_t reader);
/*
 * Within a turn: the entry, current or not (entry_is_current()), or NULL.
 * Borrowed until the turn's end; entry_ref() keeps it longer.
 */
struct entry *
cache_get(struct cache *cache, const struct served *srv, struct pj_str key,
	  uint64_t hash);
/* For eviction: the entry was of use. */
static inline void
cache_touch(struct entry *ent)
{
	uint8_t freq = atomic_load_explicit(&ent->freq, memory_order_relaxed);

	if (freq < ENTRY_FREQ_MAX)
		atomic_store_explicit(&ent->freq, (uint8_t)(freq + 1),
				      memory_order_relaxed);
}

/*
 * Puts an entry in, unless the table has a better one: then that is given back
 * with a reference, in place of `ent`, whose reference goes. The entry that is
 * given back has the caller's reference either way.
 */
struct entry *
cache_put_take(struct cache *cache, struct entry *ent);

/*
 * A newer revision than the entry's is known (-1: of whatever revision it is):
 * it is superseded, but stays until another is put or it is dropped. A
 * reference, or NULL: there is none that is older.
 */
struct entry *
cache_supersede_take(struct cache *cache, const struct served *srv,
		     struct pj_str key, uint64_t hash, int64_t revision,
		     int64_t now_mono_ms);
/* Takes it out, if it is still there. */
void
cache_drop(struct cache *cache, struct entry *ent);

struct cache_figures {
	uint64_t bytes, max_bytes, entries;
	uint64_t put, evicted, superseded; /* since the start */
};
void
cache_figures(struct cache *cache, struct cache_figures *ret);

#endif
