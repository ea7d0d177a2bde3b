/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the cache right: one thread follows what the store writes.
 *
 * A document's change supersedes what is older of it; a checkpoint's moves
 * positions on, behind the documents that it covers. Whoever waits for either
 * is woken. Lost the stream: everything is taken for old, until another
 * follows.
 *
 * A stream may be silent and dead behind a healthy socket, so it is proven: the
 * catalog polls checkpoints, and the stream has to get there within a second.
 *
 * Threads: its own, and the catalog's for the proof; feed_figures() any.
 */
#ifndef QUERYAPI_FEED_H
#define QUERYAPI_FEED_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "queryapi/catalog.h"
#include "queryapi/loads.h"
#include "queryapi/watchers.h"

struct feed;

/* Before the catalog's start. */
struct feed *
feed_new(struct catalog *cat, struct loads *lds, struct watchers *wts);
int
feed_start(struct feed *feed, struct pj_error *err)
	__attribute__((warn_unused_result));
/* False: it did not end in time (store stuck). */
bool
feed_stop(struct feed *feed, int64_t until_mono_ms);
/* Its session must be closed: it has ended. */
void
feed_free(struct feed *feed);

struct feed_figures {
	bool following;
	uint64_t documents, checkpoints; /* told of, since the start */
	uint64_t followings;		 /* how often it began */
	uint64_t lost;			 /* how often it was lost */
};
void
feed_figures(const struct feed *feed, struct feed_figures *ret);

#endif
