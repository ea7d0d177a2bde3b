/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purging: tombstones that nobody needs any more are taken away.
 *
 * A deleted document stays as a tombstone, so that what is behind its positions
 * is not applied again. It may go when no record below them can come again:
 * every source it has applied from has a checkpoint beyond, in the store, and
 * it was deleted long ago (projector.tombstone_ms, a day at least: an insert
 * that stalls is sent within minutes of its load, see batch.h). What still
 * matters is kept for good: parked queues, what was applied out of order, and
 * sequences of numbered events.
 *
 * A revived key must not repeat an entity tag: new documents go on from the
 * highest revision that ever was purged. That floor is in the generation's row
 * before anything is taken away, long enough for every owner to have read it.
 *
 * Only the owner of the lowest source of a document purges it, by
 * compare-and-set on its token (protocol rules 3 and 11).
 *
 * Errors: the store's. Thread: the pipeline thread.
 */
#ifndef PROJECTOR_PURGE_H
#define PROJECTOR_PURGE_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/store.h"
#include "projector/lane.h"

enum {
	PURGE_EVERY_MS = 60000,
	/* A floor is this old before revisions up to it are purged. */
	PURGE_FLOOR_MS = 2 * PURGE_EVERY_MS,
	PURGE_MAX = 5000, /* documents of one lane at a time */
};

struct purge {
	/* By lane: the floor we know of, and since when. */
	struct purge_floor {
		int32_t number; /* of the generation */
		int64_t revision, since_mono_ms;
	} floor[LANES_MAX];
	uint64_t n_purged;
};

/* Whether the source, by index, is assigned to this process. */
typedef bool (*purge_owns_fn)(const void *arg, int32_t source);

/*
 * One round over one lane: reads the floor, raises it, takes away what may go.
 * keep_ms: how long a tombstone stays.
 */
int
purge_lane(struct purge *purge, struct store_session *ses, struct lane *lane,
	   purge_owns_fn owns, const void *arg, int64_t keep_ms,
	   int64_t now_mono_ms, int64_t now_at_ms, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
