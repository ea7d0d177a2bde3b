/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a connection's bytes, gives answers or fetches.
 * Next: http_request.c, routes.c; fetches come back by loop.c.
 */
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "queryapi/connection_impl.h"
#include "queryapi/http_request.h"
#include "queryapi/routes.h"

/* Buffers larger than this are not kept for the next response. */
enum { KEEP_BYTES = 1 << 20 };

static int64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
connection_reply(struct connection *c, const struct http_response *res)
{
	struct loop *lp = c->loop;
	struct http_reply how = {
		.date = loop_date(lp),
		.request_id = c->cur.request_id[0] ? c->cur.request_id : NULL,
		.close = c->cur.last,
		.say_keep_alive = c->cur.say_keep_alive,
		.head_only = c->cur.head_only,
	};

	buf_clear(&lp->out);
	http_response_write(&lp->out, res, &how);
	(void)bufferevent_write(c->bev, lp->out.data, lp->out.len);
	c->queued += lp->out.len;
	if (lp->out.cap > KEEP_BYTES)
		buf_release(&lp->out);
	metrics_request(lp->met, c->cur.route, res->status,
			(uint64_t)(now_us() - c->cur.begun_us));
	if (c->cur.last)
		c->closing = true;
}

void
connection_problem(struct connection *c, enum problem kind, const char *detail)
{
	struct http_response res = HTTP_RESPONSE_INIT;

	problem_write(&res, kind,
		      c->cur.request_id[0] ? c->cur.request_id : NULL, detail);
	connection_reply(c, &res);
	http_response_release(&res);
}

void
connection_refuse(struct connection *c, enum problem kind, const char *detail)
{
	memset(&c->cur, 0, sizeof(c->cur));
	c->cur.route = ROUTE_NONE;
	c->cur.begun_us = now_us();
	c->cur.last = true;
	c->drop_input = true;
	loop_request_id(c->loop, c->cur.request_id);
	connection_problem(c, kind, detail);
}

/* An id of the client's is taken over when it can stand in a URN and a header
 * as it is. */
static void
take_request_id(struct connection *c, const struct http_request *req)
{
	size_t from = 0;
	const struct http_header *h =
		http_request_header(req, "x-request-id", &from);

	loop_request_id(c->loop, c->cur.request_id);
	if (!h || h->value.len == 0 || h->value.len >= FETCH_REQUEST_ID_MAX ||
	    http_request_header(req, "x-request-id", &from))
		return;
	for (size_t i = 0; i < h->value.len; i++) {
		char ch = h->value.ptr[i];

		if (!(ch >= '0' && ch <= '9') && !(ch >= 'a' && ch <= 'z') &&
		    !(ch >= 'A' && ch <= 'Z') && !strchr("-._~+/=:@", ch))
			return;
	}
	memcpy(c->cur.request_id, h->value.ptr, h->value.len);
	c->cur.request_id[h->value.len] = '\0';
}

static void
begin(struct connection *c, const struct http_request *req)
{
	/* A body that was announced is never read: no 100, end behind the
	 * answer (RFC 9110, 10.1.1). */
	bool body = req->body_bytes || req->expects_continue;

	c->cur.begun_us = now_us();
	c->cur.head_only =
		req->method.len == 4 && memcmp(req->method.ptr, "HEAD", 4) == 0;
	c->cur.last = !req->keep_alive || body || c->loop->stopping;
	c->cur.say_keep_alive = req->minor == 0 && req->keep_alive;
	c->drop_input |= body || c->loop->stopping;
	take_request_id(c, req);
}

static void
submit(struct connection *c, struct fetch *fetch)
{
	struct loop_shared *sh = c->loop->shared;

	fetch->loop = c->loop;
	fetch->conn = c;
	fetch->deadline_mono_ms =
		clock_mono_ms() + sh->set->queryapi.request_timeout_ms;
	/* From here on a worker may have it: set before, not after. */
	c->fetch = fetch;
	if (queue_try_push(sh->fetches, fetch)) {
		metrics_move(&c->loop->met->in_flight, 1);
		return;
	}
	c->fetch = NULL;
	fetch_free(fetch);
	connection_problem(c, PROBLEM_OVERLOADED,
			   "too many requests are waiting");
}

static void
handle(struct connection *c, const struct http_request *req)
{
	struct loop *lp = c->loop;
	struct http_response res = HTTP_RESPONSE_INIT;
	struct exchange ex = {
		.req = req,
		.request_id = c->cur.request_id,
		.space = lp->space,
		.gzip_min_bytes = lp->shared->set->queryapi.gzip_min_bytes,
		.res = &res,
	};

	begin(c, req);
	catalog_update(lp->shared->catalog, &lp->hold);
	ex.snap = lp->hold.snap;
	ex.store_away = !catalog_store_is_well(lp->shared->catalog);
	routes_dispatch(&ex);
	c->cur.route = ex.route;
	if (ex.fetch)
		submit(c, ex.fetch);
	else
		connection_reply(c, &res);
	http_response_release(&res);
}

bool
connection_next(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in);
	struct http_request req;
	struct http_refusal no;
	const char *data;

	if (len == 0)
		return false;
	data = (const char *)evbuffer_pullup(in, -1);
	switch (http_request_parse(data, len,
				   c->loop->shared->set->queryapi.header_bytes,
				   &c->scanned, &req, &no)) {
	case HTTP_MORE:
		return false;
	case HTTP_BAD:
		connection_refuse(c, problem_of_status(no.status), no.detail);
		return false;
	case HTTP_DONE:
		break;
	}
	handle(c, &req);
	(void)evbuffer_drain(in, req.bytes);
	c->scanned = 0;
	return true;
}
