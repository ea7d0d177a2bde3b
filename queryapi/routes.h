/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what can be asked, and the way from a request to its handler.
 *
 * Two steps, because a body may have to arrive between them: routes_find()
 * looks at the head alone, routes_run() calls the handler. A handler runs on
 * the loop and never blocks: it answers (ex->res, or ready bytes in ex->out),
 * or makes ex->gather, which the connection begins, or ex->fetch, which the
 * connection hands to the workers, or ex->stream, which the connection becomes,
 * or parks the request (held.h).
 * Next: view_get.c, view_batch.c, view_list.c, page.c.
 */
#ifndef QUERYAPI_ROUTES_H
#define QUERYAPI_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "queryapi/admission.h"
#include "queryapi/auth.h"
#include "queryapi/http_request.h"
#include "queryapi/http_response.h"
#include "queryapi/fetch.h"
#include "queryapi/gather.h"
#include "queryapi/metrics.h"
#include "queryapi/problem.h"
#include "queryapi/snapshot.h"
#include "queryapi/uri.h"

struct exchange;
struct guard;
struct stream;
struct tokens;
typedef void (*route_handler)(struct exchange *ex);

/* One request being answered; lives while the connection looks at it. */
struct exchange {
	const struct http_request *req;
	const char *request_id;
	char *space; /* for the decoded target; as many bytes as it has */
	struct loop *loop;
	const struct http_reply *how;
	struct buf *out;    /* empty */
	struct pj_str body; /* of ROUTES_BODY, before routes_run() */
	uint32_t body_max_bytes;
	struct guard *guard;
	struct tokens *tokens;		      /* the loop's hold */
	const struct admission_address *addr; /* the client's */
	bool counted; /* by guard_enter(): looked at for the second time */
	struct connection *conn;
	struct snapshot *snap; /* NULL: the store was never reached */
	bool store_away;
	uint32_t gzip_min_bytes;

	/* set by routes_find() */
	struct uri uri;
	struct pj_str view, page, key; /* the template's parameters */
	enum route_id route;
	unsigned allowed; /* the path's methods (methods.h) */
	route_handler run;

	/* set by guard_enter(), within routes_find() */
	enum auth_result auth;
	const struct settings_token *token; /* NULL: none, or none needed */

	/* set by minimum_reached(): a position was asked for, and how long to
	 * wait for it; -1: not at all */
	bool minimum;
	int wait_s;

	/* out: exactly one of the six */
	bool parked;		   /* nothing yet: held.h */
	int sent;		   /* status of the response in *out, or 0 */
	struct http_response *res; /* status 0 = not filled */
	struct gather *gather;	   /* to be begun */
	struct fetch *fetch;
	struct stream *stream; /* the connection's from now on */
};

enum routes_next {
	ROUTES_ANSWERED, /* ex->res is filled; a body is not read */
	ROUTES_READY,	 /* there is no body: routes_run() */
	ROUTES_BODY,	 /* the body has to be read first */
};

enum routes_next
routes_find(struct exchange *ex);
void
routes_run(struct exchange *ex);

/* "/v1/{view}/{key}"; "none" for ROUTE_NONE. */
const char *
routes_template(enum route_id route);
const char *
routes_summary(enum route_id route);

/* For handlers that take no query: false when there is one: 400. */
bool
exchange_takes_no_query(struct exchange *ex);
/* For handlers: whether the path's key can be one; false: a problem was
 * answered. */
bool
exchange_key(struct exchange *ex);
/* For handlers: whether there is a picture; false: a problem was answered. */
bool
exchange_picture(struct exchange *ex);
/* For handlers: the view's index in the picture; -1: a problem was answered. */
int
exchange_view(struct exchange *ex);
/* For handlers: the set of fields that `fields` asks for, 1 + its index in the
 * picture; 0: none, the whole. False: a problem was answered. */
bool
exchange_fields(struct exchange *ex, int view, size_t *ret_set);
/* For handlers: answers with a problem. */
void
exchange_problem(struct exchange *ex, enum problem kind, const char *detail);

#endif
