/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents on their way from the store into the cache.
 *
 * Whoever misses a key joins the load of it: there is one per key at a time, in
 * the whole process. What is asked for while workers are busy waits, and goes
 * with one question to the store ($in) when a worker is free: light load is
 * answered at once, heavy load in batches, without a timer.
 *
 * Invariant: what the feed has told of when a load ends is in it, or it is read
 * again.
 *
 * Ownership: a wait is the loop's until loads_join(), and again when it comes
 * back by loop_arrive() or loads_leave() took it back.
 * Threads: any; one lock, taken before the cache's.
 */
#ifndef QUERYAPI_LOADS_H
#define QUERYAPI_LOADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/queue.h"
#include "lib/store_watch.h"
#include "queryapi/cache.h"
#include "queryapi/trace.h"

struct gather;
struct loop;
struct loads;

enum load_result {
	LOAD_DONE,
	LOAD_STORE,   /* the store is away */
	LOAD_DAMAGED, /* what it holds cannot be read */
	LOAD_MOVED,   /* the generation is no longer live: ask the picture */
};

/* One key that one request waits for. */
struct load_wait {
	struct loop *loop;
	struct gather *gather;
	size_t slot;
	struct trace_ids ids; /* of the request; until loads_join() returns */
	/* The load's, by its lock; then the loop's. */
	struct load *load; /* NULL: it has ended */
	struct load_wait *next, *prev;
	/* out */
	enum load_result result;
	struct entry *entry; /* LOAD_DONE: a reference */
};

/* What may wait for workers before more is refused. */
struct loads_limits {
	size_t waiting;	 /* keys */
	int64_t wait_ms; /* of what has waited longest; 0: any */
};

/* Jobs go to `jobs`. */
struct loads *
loads_new(struct cache *cache, struct queue *jobs,
	  const struct loads_limits *limits, uint32_t gzip_min_bytes);
/* Nobody may wait any more. */
void
loads_free(struct loads *lds);

enum load_join {
	LOAD_JOINED, /* the wait comes back */
	LOAD_THERE,  /* *ret_entry: it has come meanwhile, a reference */
	LOAD_FULL,   /* too many wait, or for too long */
};

/* want: of what is found or loaded; a load that is on its way may have been
 * taken up by a picture with other sets of fields. look: what is in the cache,
 * or was asked of the store before, will do. first: of its request, so it may
 * be refused; what follows is let in. `reader`: of the calling thread, not
 * within a turn. */
enum load_join
loads_join(struct loads *lds, struct served *srv, struct pj_str key,
	   uint64_t hash, const struct entry_want *want, bool look, bool first,
	   size_t reader, struct load_wait *wait, struct entry **ret_entry);

/* This one waits no more: what nobody waits for, no worker has taken up and is
 * not read ahead is not read. False: it is on its way back already. */
bool
loads_leave(struct loads *lds, struct load_wait *wait);

/*
 * From the feed, in the stream's order: a document was written (revision -1:
 * taken away). Loads under way are read again if they are older, and the
 * cache's entry is superseded if it is: was it asked for lately, the document
 * is read again ahead of whoever asks next, else it goes.
 */
void
loads_note(struct loads *lds, struct served *srv,
	   const struct store_news *news);

struct loads_figures {
	/* Keys that no worker has taken up: asked for, and read ahead. */
	size_t waiting, waiting_ahead;
	size_t called;	      /* jobs in the workers' queue */
	uint64_t joined;      /* waits that found a load on its way */
	uint64_t keys, calls; /* asked of the store, and how often */
	uint64_t ahead;	      /* of those keys: before anybody asked for them */
};
void
loads_figures(struct loads *lds, struct loads_figures *ret);

#endif
