/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what can be asked, and the way from a request to its handler.
 *
 * A handler runs on the loop and never blocks: it either fills ex->res, or
 * makes ex->fetch, which the connection hands to the workers.
 * Next: view_get.c, view_batch.c.
 */
#ifndef QUERYAPI_ROUTES_H
#define QUERYAPI_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "queryapi/http_request.h"
#include "queryapi/http_response.h"
#include "queryapi/fetch.h"
#include "queryapi/metrics.h"
#include "queryapi/problem.h"
#include "queryapi/snapshot.h"
#include "queryapi/uri.h"

/* One request being answered; lives for one call of routes_dispatch(). */
struct exchange {
	const struct http_request *req;
	const char *request_id;
	char *space; /* for the decoded target; as many bytes as it has */
	const struct snapshot *snap; /* NULL: the store was never reached */
	bool store_away;
	uint32_t gzip_min_bytes;

	/* set by routes_dispatch() */
	struct uri uri;
	struct pj_str view, key; /* the template's parameters */
	enum route_id route;

	/* out: exactly one of the two */
	struct http_response *res; /* status 0 = not filled */
	struct fetch *fetch;
};

void
routes_dispatch(struct exchange *ex);

/* "/v1/{view}/{key}"; "none" for ROUTE_NONE. */
const char *
routes_template(enum route_id route);
const char *
routes_summary(enum route_id route);

/* For handlers: answers with a problem. */
void
exchange_problem(struct exchange *ex, enum problem kind, const char *detail);

#endif
