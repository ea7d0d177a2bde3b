/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the picture of the store current: one thread opens the store, waiting
 * for it if need be, and reads a snapshot every 250 ms. So a moved live
 * pointer is followed without a restart, and whether the store is away is
 * known before a request asks.
 *
 * Store away: the last picture stays, for routing.
 *
 * Threads: catalog_* but new/free from any thread. A look's lock is held over
 * reads of the store; nothing but the others is taken under it.
 */
#ifndef QUERYAPI_CATALOG_H
#define QUERYAPI_CATALOG_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/store.h"
#include "queryapi/snapshot.h"

struct catalog;

/* Both are borrowed until catalog_free(); `set` lends the pages. */
struct catalog *
catalog_new(const struct store_settings *settings, const struct settings *set);
/*
 * Tries to open the store, then starts the thread, which goes on trying.
 * CONFIG errors are told here; an outage is none.
 */
int
catalog_start(struct catalog *cat, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Stops the thread; false when it did not end in time (store stuck). */
bool
catalog_stop(struct catalog *cat, int64_t until_mono_ms);
/*
 * Called in the catalog's thread after each look of its own that succeeded;
 * to be set before the start.
 */
void
catalog_on_look(struct catalog *cat,
		void (*looked)(void *arg, const struct snapshot *snap),
		void *arg);
/* Sessions must be closed. */
void
catalog_free(struct catalog *cat);

/* A thread's own hold on a picture; begin with zeros, end with
 * snapshot_unref(ref.snap). */
struct snapshot_hold {
	struct snapshot *snap; /* NULL: the store was never reached */
	uint64_t serial;
};
/* Takes the newest picture; one comparison when there is no newer one. */
void
catalog_update(struct catalog *cat, struct snapshot_hold *hold);

/* True when there is a newer one. Whoever is told of pictures asks once more
 * when that is arranged: what was published before is not told. */
bool
catalog_is_beyond(const struct catalog *cat, const struct snapshot_hold *hold);

/* The generations that were ever seen. */
struct served_list *
catalog_served(struct catalog *cat);

/* Reads and publishes a picture now. A generation that nobody follows is told
 * its checkpoints: what is read of it from now on contains them. */
int
catalog_look(struct catalog *cat, struct store_session *ses,
	     struct pj_error *err) __attribute__((warn_unused_result));
/* Whether nothing was committed since the last following began, as far as the
 * store counts that (store_commits()). */
bool
catalog_is_told(struct catalog *cat);
/*
 * The same, and from here on the caller tells what changes in the documents of
 * the live generations (their collections: *ret_snap, a reference): all that
 * the look does not see. Whatever the cache holds was not followed, and is old.
 */
int
catalog_follow(struct catalog *cat, struct store_session *ses,
	       struct snapshot **ret_snap, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Nobody tells any more. */
void
catalog_unfollow(struct catalog *cat);

/* The open store, or NULL as long as it could not be opened. */
struct store *
catalog_store(struct catalog *cat);

/*
 * True when the last look succeeded and the store has answered anybody within
 * 1 s, which it has not when it hangs.
 */
bool
catalog_store_is_well(struct catalog *cat);

/* When the store last answered anybody; 0: it never did. */
int64_t
catalog_answered_mono_ms(struct catalog *cat);

/* The store has just answered a read. */
void
catalog_note_answer(struct catalog *cat);

/* What the last failed look said; "" when it succeeded. */
void
catalog_trouble(struct catalog *cat, struct pj_error *ret_err);

#endif
