/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a request head, gives an answer or a fetch.
 * Next: view_get.c, view_batch.c, view_list.c.
 */
#include "queryapi/routes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "queryapi/conditions.h"
#include "queryapi/content.h"
#include "queryapi/cors.h"
#include "queryapi/guard.h"
#include "queryapi/methods.h"
#include "queryapi/page.h"
#include "queryapi/stream.h"
#include "queryapi/views.h"

static void
openapi_get(struct exchange *ex);

enum { ROUTE_METHODS = 2 };

/* HEAD goes wherever GET goes. Of several templates that match a path the
 * one that has the method is taken: a document's key may be "batch". */
static const struct route {
	const char *template;
	struct {
		unsigned method;
		route_handler run;
		bool body; /* JSON, read before the handler runs */
	} methods[ROUTE_METHODS];
	const char *summary;
} routes[] = {
	[ROUTE_DOCUMENT] = {"/v1/{view}/{key}",
			    {{METHOD_GET, view_get, false}},
			    "Read one document"},
	[ROUTE_BATCH] = {"/v1/{view}",
			 {{METHOD_GET, view_many, false},
			  {METHOD_QUERY, view_batch_body, true}},
			 "Read several documents, by key or page by page"},
	[ROUTE_BATCH_POST] = {"/v1/{view}/batch",
			      {{METHOD_POST, view_batch_body, true}},
			      "Read several documents by key, for clients "
			      "without QUERY"},
	[ROUTE_EVENTS] = {"/v1/{view}/{key}/events",
			  {{METHOD_GET, stream_get_view, false}},
			  "Be told of each newer version of one document"},
	[ROUTE_PAGE] = {"/v1/pages/{page}/{key}",
			{{METHOD_GET, page_get, false}},
			"Read the documents that make up one page"},
	[ROUTE_PAGE_EVENTS] = {"/v1/pages/{page}/{key}/events",
			       {{METHOD_GET, stream_get_page, false}},
			       "Be told of each newer part of one page"},
	[ROUTE_OPENAPI] = {"/openapi.json",
			   {{METHOD_GET, openapi_get, false}},
			   "This description"},
	[ROUTE_NONE] = {"none", {{0, NULL, false}}, ""},
};

/* A template's parameters. */
struct path {
	struct pj_str view, page, key;
};

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
match_segment(struct path *path, const char *want, size_t len,
	      struct pj_str got)
{
	if (*want != '{')
		return got.len == len && memcmp(got.ptr, want, len) == 0;
	if (got.len == 0)
		return false;
	if (strncmp(want, "{view}", len) == 0)
		path->view = got;
	else if (strncmp(want, "{page}", len) == 0)
		path->page = got;
	else
		path->key = got;
	return true;
}

static bool
match_path(const struct uri *uri, const char *template, struct path *ret_path)
{
	memset(ret_path, 0, sizeof(*ret_path));
	for (size_t i = 0; i < uri->n_segments; i++) {
		size_t len;

		if (i == URI_MAX_SEGMENTS || *template != '/')
			return false;
		template ++;
		len = strcspn(template, "/");
		if (!match_segment(ret_path, template, len, uri->segments[i]))
			return false;
		template += len;
	}
	return *template == '\0';
}

static void
take_route(struct exchange *ex, enum route_id r, const struct path *path)
{
	ex->route = r;
	ex->view = path->view;
	ex->page = path->page;
	ex->key = path->key;
}

/* Takes in what a route offers; *ret_body with the handler. */
static void
offer(struct exchange *ex, enum route_id r, const struct path *path,
      unsigned method, bool *ret_body)
{
	for (size_t m = 0; m < ROUTE_METHODS; m++) {
		unsigned has = routes[r].methods[m].method;

		has |= has & METHOD_GET ? METHOD_HEAD : 0;
		ex->allowed |= has;
		if (!(has & method))
			continue;
		take_route(ex, r, path);
		ex->run = routes[r].methods[m].run;
		*ret_body = routes[r].methods[m].body;
	}
}

/* All routes of the path, or of any path. */
static void
look_up(struct exchange *ex, unsigned method, bool any, bool *ret_body)
{
	struct path path = {.key = {NULL, 0}};

	for (size_t r = 0; r < ROUTE_NONE; r++) {
		if (!any && !match_path(&ex->uri, routes[r].template, &path))
			continue;
		if (ex->route == ROUTE_NONE && !any)
			take_route(ex, (enum route_id)r, &path);
		offer(ex, (enum route_id)r, &path, method, ret_body);
	}
	if (ex->allowed)
		ex->allowed |= METHOD_OPTIONS;
}

static enum routes_next
refuse(struct exchange *ex, enum problem kind, const char *detail)
{
	exchange_problem(ex, kind, detail);
	return ROUTES_ANSWERED;
}

static enum routes_next
refuse_method(struct exchange *ex)
{
	char text[METHODS_TEXT_MAX], detail[METHODS_TEXT_MAX + 8];

	methods_text(ex->allowed, " and ", text);
	(void)snprintf(detail, sizeof(detail), "only %s", text);
	exchange_problem(ex, PROBLEM_METHOD, detail);
	methods_add_allow(ex->res, ex->allowed);
	return ROUTES_ANSWERED;
}

/* RFC 9110, 9.3.7: what can be asked for here; no content, no length. A
 * browser asks before it sends a token, so it needs none. */
static enum routes_next
answer_options(struct exchange *ex)
{
	ex->res->status = 204;
	if (cors_is_preflight(ex->req))
		cors_add_preflight(ex->res, ex->allowed);
	methods_add_allow(ex->res, ex->allowed);
	return ROUTES_ANSWERED;
}

/* `*` of OPTIONS is the server as a whole (RFC 9112, 3.2.4), CONNECT's
 * target is a host: neither is a path. */
static enum routes_next
find_without_path(struct exchange *ex, unsigned method)
{
	bool body;

	look_up(ex, 0, true, &body);
	return method == METHOD_OPTIONS ? answer_options(ex)
					: refuse_method(ex);
}

enum routes_next
routes_find(struct exchange *ex)
{
	const struct http_request *req = ex->req;
	unsigned method = method_of(req);
	const char *detail = NULL;
	bool body = false;

	ex->route = ROUTE_NONE;
	ex->allowed = 0;
	ex->run = NULL;
	ex->view = ex->page = ex->key = (struct pj_str){NULL, 0};
	if (!guard_enter(ex))
		return ROUTES_ANSWERED;
	if (!method)
		return refuse(ex, PROBLEM_NOT_SUPPORTED, "unknown method");
	if ((method & (METHOD_GET | METHOD_HEAD)) && req->body_bytes)
		return refuse(ex, PROBLEM_BAD_REQUEST,
			      "GET and HEAD take no body");
	if (req->target.ptr[0] != '/' &&
	    ((method == METHOD_OPTIONS && http_token_is(req->target, "*")) ||
	     http_token_is(req->method, "CONNECT")))
		return find_without_path(ex, method);
	if (uri_parse(req->target, ex->space, &ex->uri, &detail) < 0)
		return refuse(ex, PROBLEM_BAD_REQUEST, detail);
	look_up(ex, method, false, &body);
	if (method != METHOD_OPTIONS && !guard_identify(ex))
		return ROUTES_ANSWERED;
	if (ex->route == ROUTE_NONE)
		return refuse(ex, PROBLEM_NO_SUCH_RESOURCE,
			      "no resource of this path");
	if (method == METHOD_OPTIONS)
		return answer_options(ex);
	if (!ex->run)
		return refuse_method(ex);
	if (!guard_path(ex))
		return ROUTES_ANSWERED;
	if (!body)
		return ROUTES_READY;
	return content_check(ex) ? ROUTES_BODY : ROUTES_ANSWERED;
}

void
routes_run(struct exchange *ex)
{
	ex->run(ex);
	assert((ex->res->status != 0) + (ex->sent != 0) + !!ex->gather +
		       !!ex->fetch + !!ex->stream + ex->parked ==
	       1);
}

bool
exchange_takes_no_query(struct exchange *ex)
{
	if (ex->uri.n_params == 0)
		return true;
	exchange_problem(ex, PROBLEM_BAD_REQUEST, "unknown query parameter");
	return false;
}

bool
exchange_key(struct exchange *ex)
{
	if (ex->key.len <= READMODEL_KEY_MAX)
		return true;
	exchange_problem(ex, PROBLEM_BAD_REQUEST,
			 "the key is longer than 480 bytes");
	return false;
}

bool
exchange_picture(struct exchange *ex)
{
	if (!ex->snap)
		exchange_problem(ex, PROBLEM_STORE,
				 "the store is not reachable");
	return ex->snap;
}

int
exchange_view(struct exchange *ex)
{
	int view;

	if (!exchange_picture(ex))
		return -1;
	view = snapshot_view(ex->snap, ex->view.ptr, ex->view.len);
	if (view < 0)
		exchange_problem(ex, PROBLEM_VIEW_NOT_FOUND,
				 "no view of this name");
	return view;
}

bool
exchange_fields(struct exchange *ex, int view, size_t *ret_set)
{
	/* No name is longer, escaped as it may be. */
	char space[3 * FIELD_SET_NAME_MAX];
	struct pj_str name = {"", 0};
	const char *detail = NULL;
	struct pj_error err;

	*ret_set = 0;
	for (size_t i = 0; i < ex->uri.n_params; i++) {
		const struct uri_param *param = &ex->uri.params[i];

		if (!uri_is_named(param, "fields"))
			continue;
		if (param->raw.len <= sizeof(space) &&
		    uri_decode(param->raw, space, &name, &detail) < 0) {
			exchange_problem(ex, PROBLEM_BAD_REQUEST, detail);
			return false;
		}
		if (field_sets_ask(&ex->snap->views[view].sets, name, ret_set,
				   &err) < 0) {
			exchange_problem(ex, PROBLEM_BAD_REQUEST, err.text);
			return false;
		}
	}
	return true;
}

static void
openapi_get(struct exchange *ex)
{
	struct conditions cond;
	const char *match = NULL;

	if (!exchange_takes_no_query(ex) || !exchange_picture(ex))
		return;
	conditions_read(&cond, ex->req);
	if (cond.if_none_match.ptr)
		match = etag_match(&ex->snap->openapi_tag, cond.if_none_match,
				   cond.gzip, false);
	conditions_release(&cond);
	ex->res->status = match ? 304 : 200;
	if (!match) {
		struct pj_str text =
			cond.gzip ? ex->snap->openapi_gzip : ex->snap->openapi;

		ex->res->type = "application/json";
		buf_add(&ex->res->body, text.ptr, text.len);
		match = cond.gzip ? ex->snap->openapi_tag.gzip
				  : ex->snap->openapi_tag.identity;
		if (cond.gzip)
			http_response_field(ex->res, "Content-Encoding",
					    "gzip");
	}
	http_response_field(ex->res, "ETag", "%s", match);
	http_response_field(ex->res, "Cache-Control", "no-cache");
	http_response_field(ex->res, "Vary", "Accept-Encoding");
}
