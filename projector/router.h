/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 3 of a record's way: which documents of which lanes an event goes to.
 *
 * Takes an event, gives routes in the order of the lanes. Pure: no state but
 * reused memory. A tombstone goes to the document of the record key in lanes
 * whose module is keyed by record. So does, in those that read its topic, what
 * carries a sequence and is not read: it counts all the same. A record key that
 * no document can have (readmodel_is_key()) is no route for those two.
 *
 * Ownership: routes and keys live until the next router_route().
 * Errors of a route: an unknown key (an id that is missing or at fault) or one
 * over READMODEL_KEY_MAX bytes is told in the route, not as a failure.
 * Thread: the pipeline thread.
 *
 * Next: batch.c (checkout), fold.c
 */
#ifndef PROJECTOR_ROUTER_H
#define PROJECTOR_ROUTER_H

#include <projector/event.h>

#include "projector/lane.h"

enum route_kind {
	ROUTE_DOCUMENT,
	ROUTE_UNKNOWN_KEY, /* an id of the key has no usable value */
	ROUTE_LONG_KEY,	   /* known, but over the limit */
	ROUTE_SEQUENCE,	   /* a document; only the event's sequence matters */
	ROUTE_BARRED,	   /* the lane must not see it: enters() said so */
};

struct route {
	enum route_kind kind;
	struct lane *lane;
	struct pj_str key; /* "" when unknown */
};

struct router;

struct router *
router_new(struct lanes *lanes);
void
router_free(struct router *router);

/* Asked before a module's key() is called; false: it is not to be. */
typedef bool (*router_enters_fn)(void *arg, const struct lane *lane);

/*
 * *ret_routes is the router's; *ret_n may be 0: nobody reads this event. enters
 * may be NULL.
 */
void
router_route(struct router *router, const struct pj_event *ev,
	     router_enters_fn enters, void *arg,
	     const struct route **ret_routes, size_t *ret_n);

/*
 * The same of a record with a sequence whose type the topic's table does not
 * list: ROUTE_SEQUENCE, or nothing.
 */
void
router_route_sequence(struct router *router, const char *topic,
		      struct pj_str key, const struct route **ret_routes,
		      size_t *ret_n);

#endif
