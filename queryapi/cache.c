/* SPDX-License-Identifier: Apache-2.0 */
/* The table and its readers; what goes first: cache_queue.c. */
#include "queryapi/cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "queryapi/cache_queue.h"
#include "queryapi/siphash.h"

/* Documents are about this large on average; a chain has one entry then. */
enum { BYTES_PER_BUCKET = 2048, BUCKETS_MIN = 1024 };
enum { CACHE_LINE = 64 };

/* Odd: within a turn. On a line of its own, or readers slow each other. */
struct cache_reader {
	_Alignas(CACHE_LINE) _Atomic uint64_t turn;
};

/* Entries that are out of the table but may still be looked at. */
struct retired {
	struct entry *list; /* by ->older */
	uint64_t *turns;    /* the readers' as of when it was closed */
};

struct cache {
	struct siphash_key hash_key;
	struct entry *_Atomic *buckets;
	size_t mask;
	struct cache_reader *readers;
	size_t n_readers;

	pthread_mutex_t lock; /* all below */
	struct cache_queues queues;
	/* closed waits for the grace period; open takes what comes. */
	struct retired open, closed;
	uint64_t max_bytes, entries, put, superseded;
};

struct cache *
cache_new(uint64_t max_bytes, size_t n_readers)
{
	struct cache *cache = mem_calloc(1, sizeof(*cache));
	size_t n = BUCKETS_MIN;

	while (n < max_bytes / BYTES_PER_BUCKET)
		n *= 2;
	cache->buckets = mem_calloc(n, sizeof(*cache->buckets));
	cache->mask = n - 1;
	cache->readers =
		aligned_alloc(CACHE_LINE, n_readers * sizeof(*cache->readers));
	if (!cache->readers)
		abort(); /* out of memory: lib/mem.h */
	for (size_t i = 0; i < n_readers; i++)
		atomic_init(&cache->readers[i].turn, 0);
	cache->n_readers = n_readers;
	cache->closed.turns = mem_calloc(n_readers, sizeof(uint64_t));
	cache->max_bytes = max_bytes;
	cache_queues_init(&cache->queues, max_bytes, n);
	(void)pthread_mutex_init(&cache->lock, NULL);
	/* Fails only before the system has gathered entropy, and then waits. */
	while (getrandom(&cache->hash_key, sizeof(cache->hash_key), 0) !=
	       (ssize_t)sizeof(cache->hash_key))
		continue;
	return cache;
}

static void
free_list(struct retired *ret)
{
	struct entry *ent, *next;

	for (ent = ret->list; ent; ent = next) {
		next = ent->older;
		entry_unref(ent);
	}
	ret->list = NULL;
}

void
cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i <= cache->mask; i++) {
		struct entry *ent = atomic_load(&cache->buckets[i]), *next;

		for (; ent; ent = next) {
			next = atomic_load(&ent->chain);
			entry_unref(ent);
		}
	}
	free_list(&cache->open);
	free_list(&cache->closed);
	cache_queues_release(&cache->queues);
	free(cache->closed.turns);
	free(cache->readers);
	free(cache->buckets);
	(void)pthread_mutex_destroy(&cache->lock);
	free(cache);
}

uint64_t
cache_hash(const struct cache *cache, const struct served *srv,
	   struct pj_str key)
{
	struct siphash_key k = cache->hash_key;

	k.k0 ^= srv->number;
	return siphash(&k, key.ptr, key.len);
}

/* ---- Readers ----------------------------------------------------------- */

/*
 * All four of: this store, a reader's loads of chains, a writer's stores to
 * them and its loads of turns are sequentially consistent. So either the reader
 * does not find what the writer took out, or the writer sees the turn.
 */
void
cache_turn_begin(struct cache *cache, size_t reader)
{
	_Atomic uint64_t *turn = &cache->readers[reader].turn;

	atomic_store(turn,
		     atomic_load_explicit(turn, memory_order_relaxed) + 1);
}

void
cache_turn_end(struct cache *cache, size_t reader)
{
	_Atomic uint64_t *turn = &cache->readers[reader].turn;

	atomic_store_explicit(
		turn, atomic_load_explicit(turn, memory_order_relaxed) + 1,
		memory_order_release);
}

static bool
is_of(const struct entry *ent, const struct served *srv, struct pj_str key,
      uint64_t hash)
{
	return ent->hash == hash && ent->served == srv &&
	       str_equal(ent->key, key);
}

struct entry *
cache_get(struct cache *cache, const struct served *srv, struct pj_str key,
	  uint64_t hash)
{
	struct entry *ent = atomic_load(&cache->buckets[hash & cache->mask]);

	while (ent && !is_of(ent, srv, key, hash))
		ent = atomic_load(&ent->chain);
	return ent;
}

/* ---- Writers, by the lock ---------------------------------------------- */

static bool
grace_is_over(const struct cache *cache)
{
	for (size_t i = 0; i < cache->n_readers; i++) {
		uint64_t was = cache->closed.turns[i];

		if (was % 2 && atomic_load(&cache->readers[i].turn) == was)
			return false;
	}
	return true;
}

/* What nobody can be looking at any more goes. */
static void
reclaim(struct cache *cache)
{
	if (!grace_is_over(cache))
		return;
	free_list(&cache->closed);
	cache->closed.list = cache->open.list;
	cache->open.list = NULL;
	for (size_t i = 0; i < cache->n_readers; i++)
		cache->closed.turns[i] = atomic_load(&cache->readers[i].turn);
}

/* Where the pointer to the key's entry is, or to NULL. */
static struct entry *_Atomic *
find_link(struct cache *cache, const struct served *srv, struct pj_str key,
	  uint64_t hash)
{
	struct entry *_Atomic *link = &cache->buckets[hash & cache->mask];
	struct entry *ent;

	while ((ent = atomic_load(link)) && !is_of(ent, srv, key, hash))
		link = &ent->chain;
	return link;
}

static void
take_out(struct cache *cache, struct entry *_Atomic *link)
{
	struct entry *ent = atomic_load(link);

	atomic_store_explicit(&ent->gone, true, memory_order_release);
	/* Its own chain stays: a reader may stand on it. */
	atomic_store(link, atomic_load(&ent->chain));
	cache_queues_remove(&cache->queues, ent);
	ent->older = cache->open.list;
	cache->open.list = ent;
	cache->entries--;
}

static void
evict(struct cache *cache)
{
	struct entry *ent;

	while ((ent = cache_queues_victim(&cache->queues)))
		take_out(cache,
			 find_link(cache, ent->served, ent->key, ent->hash));
}

/* Whether what is in the table is to stay. Of a key that nobody followed what
 * was read last is right, also where the store was put back to a backup. */
static bool
is_better(const struct entry *old, const struct entry *ent)
{
	if (!entry_is_current(old))
		return false;
	if (old->revision != ent->revision)
		return old->revision > ent->revision;
	/* The same document: the one that has both codings, but by the sets of
	 * fields that are declared now. */
	return (old->coded || !ent->coded) && old->state == ent->state &&
	       old->sets_id == ent->sets_id;
}

/* Of the same document, while one stream tells of it. */
static bool
is_newer(const struct entry *ent, const struct entry *old)
{
	uint64_t since = atomic_load(&ent->since);

	return since && since == atomic_load(&old->since) &&
	       ent->revision >= old->revision;
}

struct entry *
cache_put_take(struct cache *cache, struct entry *ent)
{
	struct entry *_Atomic *link, *_Atomic *head;
	struct entry *old, *ret = ent;

	(void)pthread_mutex_lock(&cache->lock);
	link = find_link(cache, ent->served, ent->key, ent->hash);
	old = atomic_load(link);
	if (old && is_better(old, ent)) {
		ret = entry_ref(old);
	} else {
		if (old && is_newer(ent, old))
			entry_succeed(ent, old);
		head = &cache->buckets[ent->hash & cache->mask];
		atomic_store(&ent->chain, atomic_load(head));
		atomic_store(head, entry_ref(ent));
		if (old) {
			/* It may have been first: look again. */
			link = head;
			while (atomic_load(link) != old)
				link = &atomic_load(link)->chain;
			take_out(cache, link);
		}
		cache_queues_add(&cache->queues, ent);
		cache->entries++;
		cache->put++;
		evict(cache);
	}
	reclaim(cache);
	(void)pthread_mutex_unlock(&cache->lock);
	if (ret != ent)
		entry_unref(ent);
	return ret;
}

struct entry *
cache_supersede_take(struct cache *cache, const struct served *srv,
		     struct pj_str key, uint64_t hash, int64_t revision,
		     int64_t now_mono_ms)
{
	int64_t never = 0;
	struct entry *ent;

	(void)pthread_mutex_lock(&cache->lock);
	ent = atomic_load(find_link(cache, srv, key, hash));
	if (ent && revision >= 0 && ent->revision >= revision)
		ent = NULL;
	if (ent) {
		(void)entry_ref(ent);
		if (atomic_compare_exchange_strong(&ent->superseded_mono_ms,
						   &never, now_mono_ms))
			cache->superseded++;
		atomic_store_explicit(&ent->gone, true, memory_order_release);
	}
	(void)pthread_mutex_unlock(&cache->lock);
	return ent;
}

void
cache_drop(struct cache *cache, struct entry *ent)
{
	struct entry *_Atomic *link;

	(void)pthread_mutex_lock(&cache->lock);
	link = find_link(cache, ent->served, ent->key, ent->hash);
	if (atomic_load(link) == ent)
		take_out(cache, link);
	reclaim(cache);
	(void)pthread_mutex_unlock(&cache->lock);
}

void
cache_figures(struct cache *cache, struct cache_figures *ret)
{
	(void)pthread_mutex_lock(&cache->lock);
	*ret = (struct cache_figures){
		.bytes = cache_queues_bytes(&cache->queues),
		.max_bytes = cache->max_bytes,
		.entries = cache->entries,
		.put = cache->put,
		.evicted = cache->queues.evicted,
		.superseded = cache->superseded,
	};
	(void)pthread_mutex_unlock(&cache->lock);
}
