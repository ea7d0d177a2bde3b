/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for what the feed will tell: a key's next version, or a checkpoint.
 *
 * A watch is set, then what is there is read: whatever is told after that rings
 * it, so nothing falls between. A watch that rang is out: it is set again, or
 * not. Each rings for itself alone; the rest sleeps on, however many there are.
 *
 * Ownership: a watch is a part of what waits, which unsets it before it goes.
 * Threads: setting and taking is the watch's loop's; telling is the feed's and
 * the catalog's. One lock, a leaf; under it only a loop is woken.
 */
#ifndef QUERYAPI_WATCHERS_H
#define QUERYAPI_WATCHERS_H

#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct connection;
struct loop;
struct served;
struct watchers;

struct watch {
	struct loop *loop;
	struct connection *conn;
	/* What is watched: the key, or (ptr NULL) the source's checkpoint. */
	struct served *served;
	struct pj_str key; /* borrowed */
	int32_t source;
	int64_t next; /* rings when the checkpoint is there, or beyond */
	/* The watchers'. */
	uint64_t hash;
	struct watch *before, *after;
	bool set, rung;
};

struct watchers *
watchers_new(struct cache *cache, size_t n_loops);
/* No watch may be set. */
void
watchers_free(struct watchers *wts);

/* Fills in loop and conn beforehand. */
void
watchers_set_key(struct watchers *wts, struct watch *watch, struct served *srv,
		 struct pj_str key);
void
watchers_set_checkpoint(struct watchers *wts, struct watch *watch,
			struct served *srv, int32_t source, int64_t next);
/* Also when it is not set, or has rung and was not taken. */
void
watchers_unset(struct watchers *wts, struct watch *watch);

/* A watch of this loop that rang, or NULL. It is out. */
struct watch *
watchers_take(struct watchers *wts, const struct loop *lp);

/* After the cache has dropped what is older: the key was written. */
void
watchers_tell_key(struct watchers *wts, const struct served *srv,
		  struct pj_str key);
/* After served_advance(). */
void
watchers_tell_checkpoint(struct watchers *wts, const struct served *srv,
			 int32_t source, int64_t next);
/* Something may have been missed: all ring. */
void
watchers_tell_all(struct watchers *wts);

/* How many are set; any thread. */
size_t
watchers_count(const struct watchers *wts);

#endif
