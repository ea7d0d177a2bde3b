/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a request head, gives an answer or a fetch.
 * Next: view_get.c, view_batch.c.
 */
#include "queryapi/routes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "queryapi/gzip.h"
#include "queryapi/views.h"

static void
openapi_get(struct exchange *ex);

/* HEAD goes wherever GET goes. */
static const struct route {
	const char *template;
	void (*get)(struct exchange *ex);
	const char *summary;
} routes[] = {
	[ROUTE_DOCUMENT] = {"/v1/{view}/{key}", view_get, "Read one document"},
	[ROUTE_BATCH] = {"/v1/{view}", view_batch,
			 "Read several documents by key"},
	[ROUTE_OPENAPI] = {"/openapi.json", openapi_get, "This description"},
	[ROUTE_NONE] = {"none", NULL, ""},
};
static const char allowed[] = "GET, HEAD";

const char *
routes_template(enum route_id route)
{
	return routes[route].template;
}

const char *
routes_summary(enum route_id route)
{
	return routes[route].summary;
}

void
exchange_problem(struct exchange *ex, enum problem kind, const char *detail)
{
	problem_write(ex->res, kind, ex->request_id, detail);
}

/* Compares a template's segment; a parameter takes any but the empty one. */
static bool
match_segment(struct exchange *ex, const char *want, size_t len,
	      struct pj_str got)
{
	if (*want != '{')
		return got.len == len && memcmp(got.ptr, want, len) == 0;
	if (got.len == 0)
		return false;
	if (strncmp(want, "{view}", len) == 0)
		ex->view = got;
	else
		ex->key = got;
	return true;
}

static bool
match_path(struct exchange *ex, const char *template)
{
	for (size_t i = 0; i < ex->uri.n_segments; i++) {
		size_t len;

		if (i == URI_MAX_SEGMENTS || *template != '/')
			return false;
		template ++;
		len = strcspn(template, "/");
		if (!match_segment(ex, template, len, ex->uri.segments[i]))
			return false;
		template += len;
	}
	return *template == '\0';
}

static enum route_id
find_route(struct exchange *ex)
{
	for (size_t r = 0; r < ROUTE_NONE; r++)
		if (match_path(ex, routes[r].template))
			return (enum route_id)r;
	return ROUTE_NONE;
}

static bool
method_is(const struct http_request *req, const char *name)
{
	return req->method.len == strlen(name) &&
	       memcmp(req->method.ptr, name, req->method.len) == 0;
}

/* Methods that mean something to HTTP (RFC 9110, 5789, 10008), if not here. */
static bool
is_known_method(const struct http_request *req)
{
	static const char *const known[] = {
		"GET",	   "HEAD",    "POST",  "PUT",	"DELETE",
		"CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (method_is(req, known[i]))
			return true;
	return false;
}

static void
refuse_method(struct exchange *ex)
{
	exchange_problem(ex, PROBLEM_METHOD, "only GET and HEAD");
	http_response_field(ex->res, "Allow", "%s", allowed);
}

void
routes_dispatch(struct exchange *ex)
{
	const struct http_request *req = ex->req;
	bool reads = method_is(req, "GET") || method_is(req, "HEAD");
	const char *detail = NULL;

	ex->route = ROUTE_NONE;
	if (!is_known_method(req)) {
		exchange_problem(ex, PROBLEM_NOT_SUPPORTED, "unknown method");
	} else if (reads && req->body_bytes) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "GET and HEAD take no body");
	} else if (method_is(req, "CONNECT") ||
		   (method_is(req, "OPTIONS") && req->target.len == 1 &&
		    *req->target.ptr == '*')) {
		/* Their targets are no paths. */
		refuse_method(ex);
	} else if (uri_parse(req->target, ex->space, &ex->uri, &detail) < 0) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST, detail);
	} else {
		ex->route = find_route(ex);
		if (ex->route == ROUTE_NONE)
			exchange_problem(ex, PROBLEM_NO_SUCH_RESOURCE,
					 "no resource of this path");
		else if (!reads)
			refuse_method(ex);
		else
			routes[ex->route].get(ex);
	}
	assert(!ex->fetch == (ex->res->status != 0));
}

/* All lines of a list field as one, owned; ptr NULL = there is none. */
static struct pj_str
joined(const struct http_request *req, const char *name)
{
	struct buf all = BUF_INIT;
	const struct http_header *h;
	size_t len;
	char *text;

	for (size_t from = 0; (h = http_request_header(req, name, &from));) {
		if (all.data)
			buf_addstr(&all, ", ");
		buf_add(&all, h->value.ptr, h->value.len);
	}
	if (!all.data)
		return (struct pj_str){NULL, 0};
	text = buf_detach(&all, &len);
	return (struct pj_str){text, len};
}

struct fetch *
view_fetch(struct exchange *ex, size_t n_keys, size_t key_bytes)
{
	struct fetch *fetch;

	if (!ex->snap || ex->store_away) {
		/* Told at once: a queue of these would only be in the way. */
		exchange_problem(ex, PROBLEM_STORE,
				 "the store is not reachable");
		return NULL;
	}
	if (snapshot_view(ex->snap, ex->view.ptr, ex->view.len) < 0) {
		exchange_problem(ex, PROBLEM_VIEW_NOT_FOUND,
				 "no view of this name");
		return NULL;
	}
	fetch = fetch_new(n_keys, key_bytes);
	memcpy(fetch->view, ex->view.ptr, ex->view.len);
	fetch->n_keys = n_keys;
	fetch->gzip = gzip_is_accepted(ex->req);
	fetch->gzip_min_bytes = ex->gzip_min_bytes;
	fetch->if_none_match = joined(ex->req, "if-none-match");
	fetch->if_match = joined(ex->req, "if-match");
	memcpy(fetch->request_id, ex->request_id, sizeof(fetch->request_id));
	ex->fetch = fetch;
	return fetch;
}

static void
openapi_get(struct exchange *ex)
{
	struct pj_str condition;
	bool gzip = gzip_is_accepted(ex->req);
	const char *match = NULL;

	if (ex->uri.n_params) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "unknown query parameter");
		return;
	}
	if (!ex->snap) {
		exchange_problem(ex, PROBLEM_STORE,
				 "the store is not reachable");
		return;
	}
	condition = joined(ex->req, "if-none-match");
	if (condition.ptr)
		match = etag_match(&ex->snap->openapi_tag, condition, gzip,
				   false);
	free((char *)(uintptr_t)condition.ptr);
	ex->res->status = match ? 304 : 200;
	if (!match) {
		struct pj_str text =
			gzip ? ex->snap->openapi_gzip : ex->snap->openapi;

		ex->res->type = "application/json";
		buf_add(&ex->res->body, text.ptr, text.len);
		match = gzip ? ex->snap->openapi_tag.gzip
			     : ex->snap->openapi_tag.identity;
		if (gzip)
			http_response_field(ex->res, "Content-Encoding",
					    "gzip");
	}
	http_response_field(ex->res, "ETag", "%s", match);
	http_response_field(ex->res, "Cache-Control", "no-cache");
	http_response_field(ex->res, "Vary", "Accept-Encoding");
}
