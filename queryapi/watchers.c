/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/watchers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "queryapi/cache.h"
#include "queryapi/loop.h"

enum { WATCHERS_BUCKETS = 16384 };

struct watchers {
	struct cache *cache;
	size_t n_loops;
	_Atomic size_t n; /* set; changed by the lock */

	pthread_mutex_t lock; /* all below, and watches' links */
	struct watch *table[WATCHERS_BUCKETS];
	struct watch **rung; /* of each loop, by its index */
};

struct watchers *
watchers_new(struct cache *cache, size_t n_loops)
{
	struct watchers *wts = mem_calloc(1, sizeof(*wts));

	wts->cache = cache;
	wts->n_loops = n_loops;
	wts->rung = mem_calloc(n_loops, sizeof(struct watch *));
	(void)pthread_mutex_init(&wts->lock, NULL);
	return wts;
}

void
watchers_free(struct watchers *wts)
{
	if (!wts)
		return;
	(void)pthread_mutex_destroy(&wts->lock);
	free(wts->rung);
	free(wts);
}

size_t
watchers_count(const struct watchers *wts)
{
	return atomic_load(&wts->n);
}

/* A source is a key of four bytes, as far as its place in the table goes. */
static uint64_t
hash_of(const struct watchers *wts, const struct served *srv, struct pj_str key,
	int32_t source)
{
	char bytes[sizeof(source)];

	if (key.ptr)
		return cache_hash(wts->cache, srv, key);
	memcpy(bytes, &source, sizeof(bytes));
	return cache_hash(wts->cache, srv,
			  (struct pj_str){bytes, sizeof(bytes)});
}

/* ---- By the lock ------------------------------------------------------- */

static struct watch **
list_of(struct watchers *wts, const struct watch *watch)
{
	return watch->rung ? &wts->rung[watch->loop->index]
			   : &wts->table[watch->hash % WATCHERS_BUCKETS];
}

static void
link_in(struct watchers *wts, struct watch *watch)
{
	struct watch **list = list_of(wts, watch);

	watch->before = NULL;
	watch->after = *list;
	if (watch->after)
		watch->after->before = watch;
	*list = watch;
}

static void
link_out(struct watchers *wts, struct watch *watch)
{
	if (watch->before)
		watch->before->after = watch->after;
	else
		*list_of(wts, watch) = watch->after;
	if (watch->after)
		watch->after->before = watch->before;
}

static void
ring(struct watchers *wts, struct watch *watch)
{
	struct loop *lp = watch->loop;

	link_out(wts, watch);
	watch->rung = true;
	if (!wts->rung[lp->index])
		loop_wake(lp);
	link_in(wts, watch);
}

static bool
is_about(const struct watch *watch, uint64_t hash, const struct served *srv,
	 struct pj_str key, int32_t source)
{
	if (watch->hash != hash || watch->served != srv ||
	    !watch->key.ptr != !key.ptr)
		return false;
	return key.ptr ? str_equal(watch->key, key) : watch->source == source;
}

/* ---- Loops ------------------------------------------------------------- */

static void
set(struct watchers *wts, struct watch *watch, uint64_t hash)
{
	(void)pthread_mutex_lock(&wts->lock);
	watch->hash = hash;
	watch->set = true;
	watch->rung = false;
	link_in(wts, watch);
	/* Before what is there is read: see watchers_tell_*(). */
	(void)atomic_fetch_add(&wts->n, 1);
	(void)pthread_mutex_unlock(&wts->lock);
}

void
watchers_set_key(struct watchers *wts, struct watch *watch, struct served *srv,
		 struct pj_str key)
{
	watchers_unset(wts, watch);
	watch->served = srv;
	watch->key = key;
	set(wts, watch, hash_of(wts, srv, key, 0));
}

void
watchers_set_checkpoint(struct watchers *wts, struct watch *watch,
			struct served *srv, int32_t source, int64_t next)
{
	watchers_unset(wts, watch);
	watch->served = srv;
	watch->key = (struct pj_str){NULL, 0};
	watch->source = source;
	watch->next = next;
	set(wts, watch, hash_of(wts, srv, watch->key, source));
}

static void
take_out(struct watchers *wts, struct watch *watch)
{
	link_out(wts, watch);
	watch->set = watch->rung = false;
	(void)atomic_fetch_sub(&wts->n, 1);
}

void
watchers_unset(struct watchers *wts, struct watch *watch)
{
	if (!watch->set)
		return;
	(void)pthread_mutex_lock(&wts->lock);
	take_out(wts, watch);
	(void)pthread_mutex_unlock(&wts->lock);
}

struct watch *
watchers_take(struct watchers *wts, const struct loop *lp)
{
	struct watch *watch;

	if (atomic_load(&wts->n) == 0)
		return NULL;
	(void)pthread_mutex_lock(&wts->lock);
	watch = wts->rung[lp->index];
	if (watch)
		take_out(wts, watch);
	(void)pthread_mutex_unlock(&wts->lock);
	return watch;
}

/* ---- Whoever tells ----------------------------------------------------- */

/*
 * What is told was made true before, and a watch counts before what is there is
 * read: so one of the two sees the other.
 */
static bool
nobody_watches(const struct watchers *wts)
{
	return atomic_load(&wts->n) == 0;
}

static void
tell(struct watchers *wts, const struct served *srv, struct pj_str key,
     int32_t source, int64_t next)
{
	uint64_t hash = hash_of(wts, srv, key, source);
	struct watch *watch, *after;

	(void)pthread_mutex_lock(&wts->lock);
	for (watch = wts->table[hash % WATCHERS_BUCKETS]; watch;
	     watch = after) {
		after = watch->after;
		if (is_about(watch, hash, srv, key, source) &&
		    (key.ptr || watch->next <= next))
			ring(wts, watch);
	}
	(void)pthread_mutex_unlock(&wts->lock);
}

void
watchers_tell_key(struct watchers *wts, const struct served *srv,
		  struct pj_str key)
{
	if (!nobody_watches(wts))
		tell(wts, srv, key, 0, 0);
}

void
watchers_tell_checkpoint(struct watchers *wts, const struct served *srv,
			 int32_t source, int64_t next)
{
	if (!nobody_watches(wts))
		tell(wts, srv, (struct pj_str){NULL, 0}, source, next);
}

void
watchers_tell_all(struct watchers *wts)
{
	if (nobody_watches(wts))
		return;
	(void)pthread_mutex_lock(&wts->lock);
	for (size_t i = 0; i < WATCHERS_BUCKETS; i++)
		while (wts->table[i])
			ring(wts, wts->table[i]);
	(void)pthread_mutex_unlock(&wts->lock);
}
