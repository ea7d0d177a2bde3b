/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The read side as a whole: the map.
 *
 * A request's way, each step one file:
 *
 *	listener.c    a bound socket, watched by every loop
 *	loop.c        accepts one connection per wake-up (admission.c: may it?)
 *	connection.c  bytes → head (http_request.c) → answer, in order, by
 *	              deadlines (connection_reply.c)
 *	routes.c      head → method and path (methods.c, uri.c) → handler
 *	content.c, ids.c
 *	              what a body may be, and what is in it
 *	view_get.c, view_batch.c
 *	              a hit: entry of the cache (cache.c, entry.c) → answer
 *	              (answer.c, position.c); else gather.c brings the documents
 *	              together
 *	loads.c       one load per missing key, whoever waits for it
 *	compress.c    has a worker gzip what was put together, if one is free
 *	view_list.c   what it may be asked by: list_query.c, cursor.c,
 *	              filters.c; makes a fetch
 *	field_sets.c  which parts of documents may be asked for, of all these
 *	worker.c      takes loads in batches: load_run.c reads the store and
 *	              renders entries; and fetches, what is too long for a loop
 *	loop.c        gets them back, connection_gather.c answers
 *
 * Some wait: for a position (minimum.c), for another version (view_get.c), both
 * read again from their head on (held.h, connection_wait.c); or for all that
 * come (stream.c, connection_stream.c). watchers.c wakes each for itself.
 *
 * Beside it: feed.c follows the store's changes and drops what is older from
 * the cache, then wakes who waits (served.h: the invariant behind positions);
 * catalog.c keeps the picture of the store (snapshot.c, viewset.c, openapi.c)
 * that routes use; admin.c shows all this from outside (status.c, metrics.c).
 *
 * Threads: N loops, the workers, the feed's, the catalog's, the admin's; the
 * caller's only starts and stops.
 * Lock order: the catalog's looks, then any other; the loads', then the
 * cache's; all others are leaves.
 */
#ifndef QUERYAPI_SERVER_H
#define QUERYAPI_SERVER_H

#include <projector/error.h>

#include <stdbool.h>

#include "lib/settings.h"

struct server;

/*
 * Listens at once, whether the store is there or not. Settings are borrowed
 * until the stop. Errors: CONFIG, or FATAL (an address in use).
 */
int
server_start(const struct settings *set, struct server **ret_srv,
	     struct pj_error *err) __attribute__((warn_unused_result));

/* "127.0.0.1:43210"; borrowed. */
const char *
server_data_address(const struct server *srv);
const char *
server_admin_address(const struct server *srv);

/*
 * Takes over the tokens of a new reading of the configuration (NULL: there is
 * none; the settings are the server's from now on), reads certificate and key
 * again, and logs what is in use then. Connections stay. Thread: the caller's.
 */
void
server_reload_take(struct server *srv, struct settings *fresh);

/*
 * Not ready, no new connections, answers what is in flight, by
 * stop_timeout_ms. False: a thread is stuck in the store; nothing was freed,
 * the process is to end without it.
 */
bool
server_stop(struct server *srv);

#endif
