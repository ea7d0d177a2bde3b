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
 *	list_query.c, cursor.c, filters.c
 *	              what a list may be asked by
 *	view_get.c, view_batch.c, view_list.c
 *	              request → fetch (first half, on the loop)
 *	worker.c      takes fetches off the one bounded queue
 *	view_get.c, view_batch.c, view_list.c
 *	              fetch → document (reading.c) → response (etag.c, gzip.c,
 *	              problem.c, http_response.c; second half, on a worker)
 *	loop.c        gets the fetch back, connection.c writes it
 *
 * Beside it: catalog.c keeps the picture of the store (snapshot.c, viewset.c,
 * openapi.c) that routes and readings use; admin.c shows all this from outside
 * (status.c, metrics.c).
 *
 * Threads: N loops, the workers, the catalog's, the admin's; the caller's only
 * starts and stops.
 * Lock order: every lock is a leaf.
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
 * Reads certificate and key again, and logs which is in use then. Without TLS
 * there is nothing to do. Thread: the caller's.
 */
void
server_reload(struct server *srv);

/*
 * Not ready, no new connections, answers what is in flight, by
 * stop_timeout_ms. False: a thread is stuck in the store; nothing was freed,
 * the process is to end without it.
 */
bool
server_stop(struct server *srv);

#endif
