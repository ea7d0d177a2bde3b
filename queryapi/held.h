/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that waits for news: a position that is not reached yet
 * (minimum.c), a document that has not changed (view_get.c).
 *
 * It stays unread in the connection's input and is answered anew, from its head
 * on, when its watch rings or its time is over: scope, picture and generation
 * are looked at again each time, and nothing of it is kept but this.
 *
 * Order for handlers: exchange_hold(), set the watch, read what is there, and
 * only then exchange_park(). What comes in between rings.
 *
 * Ownership: the connection's. Thread: the loop.
 */
#ifndef QUERYAPI_HELD_H
#define QUERYAPI_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queryapi/watchers.h"

struct exchange;

struct held {
	struct watch watch;
	char *key;	 /* what a watch of a document points into */
	int64_t poll_ms; /* a long poll's wait; 0 = it is none */
	/* The connection's (connection_wait.c). */
	int64_t begun_mono_ms, begun_us;
	int64_t until_mono_ms;
	int64_t parked_us, waited_us; /* since when; all of it so far */
	size_t bytes;		      /* of the input */
	bool parked, rung, over, done;
};

/* The request's, made when it has none yet. */
struct held *
exchange_hold(struct exchange *ex);
/* The same, or NULL. */
struct held *
exchange_held(const struct exchange *ex);
/* Watches the document (the key is copied), or the checkpoint, in place of
 * what was watched before. */
void
exchange_watch_key(struct exchange *ex, struct served *srv, struct pj_str key);
void
exchange_watch_checkpoint(struct exchange *ex, struct served *srv,
			  int32_t source, int64_t next);
/*
 * Nothing is answered for now: for as long as wait_ms from the request's first
 * reading on. False when that is over, or the loop stops: it has to be
 * answered.
 */
bool
exchange_park(struct exchange *ex, int64_t wait_ms);

#endif
