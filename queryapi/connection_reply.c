/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a connection's bytes, gives answers or fetches.
 * Next: http_request.c, routes.c; fetches come back by loop.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/str.h"
#include "queryapi/connection_impl.h"
#include "queryapi/access.h"
#include "queryapi/cors.h"
#include "queryapi/guard.h"
#include "queryapi/http_request.h"
#include "queryapi/methods.h"
#include "queryapi/routes.h"

/* Buffers larger than this are not kept for the next response. */
enum { KEEP_BYTES = 1 << 20 };
/* One answer is always let through, and those that hardly count. */
enum { HARDLY_BYTES = 4096 };

int64_t
connection_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The request's answer is on its way: for those who watch. */
static void
told(struct connection *c, int status, size_t bytes)
{
	uint64_t us = (uint64_t)(connection_now_us() - c->cur.begun_us);
	/* What a client asked to wait for is no latency of ours. */
	uint64_t waited_us = c->held ? (uint64_t)c->held->waited_us : 0;
	const struct access acc = {
		.method = c->cur.method ? c->cur.method : "-",
		.token = c->cur.token,
		.request_id = c->cur.request_id,
		.trace_id = c->cur.trace_id,
		.route = c->cur.route,
		.status = status,
		.bytes = bytes,
		.us = us,
	};

	metrics_request(c->loop->met, c->cur.route, status, us - waited_us);
	access_note(c->loop, &acc);
}

struct http_reply
connection_how(struct connection *c)
{
	struct loop *lp = c->loop;

	buf_clear(&lp->more);
	cors_write(lp->shared->set, c->cur.origin, &lp->more);
	return (struct http_reply){
		.date = loop_date(lp),
		.request_id = c->cur.request_id[0] ? c->cur.request_id : NULL,
		.more = lp->more.len ? lp->more.data : NULL,
		.close = c->cur.last,
		.say_keep_alive = c->cur.say_keep_alive,
		.head_only = c->cur.head_only,
	};
}

/*
 * Gives the system what it takes at once: a bufferevent alone would be told by
 * epoll first, three calls per answer. What is pipelined behind goes together.
 */
void
connection_put(struct connection *c, const char *data, size_t len)
{
	size_t input = evbuffer_get_length(bufferevent_get_input(c->bev));
	ssize_t n = 0;

	if (!c->loop->shared->tls && input <= c->cur.bytes &&
	    evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
		n = send(bufferevent_getfd(c->bev), data, len,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	/* What is wrong with the socket the bufferevent finds, too. */
	if (n < 0)
		n = 0;
	if ((size_t)n < len)
		(void)bufferevent_write(c->bev, data + n, len - (size_t)n);
	c->queued += len;
}

/* It is of a moment that this client asked for. Preference-Applied: RFC 7240,
 * section 3. */
static void
own(struct connection *c)
{
	char applied[48] = "";

	if (c->cur.wait_s >= 0)
		(void)snprintf(applied, sizeof(applied),
			       "Preference-Applied: wait=%d\r\n",
			       c->cur.wait_s);
	http_head_own(&c->loop->out, applied);
}

static bool
is_too_much(const struct loop *lp)
{
	return lp->unsent_bytes && lp->out.len > HARDLY_BYTES &&
	       lp->unsent_bytes + lp->out.len > UNSENT_MAX_BYTES;
}

void
connection_send(struct connection *c, int status)
{
	struct loop *lp = c->loop;
	size_t sent;

	if (c->stream && c->stream->begun) {
		if (is_too_much(lp))
			connection_stream_put_off(c);
		else
			connection_stream_send(c);
		return;
	}
	if (is_too_much(lp)) {
		connection_problem(c, PROBLEM_OVERLOADED,
				   "too much is waiting to be read by slow "
				   "clients");
		return;
	}
	if (c->cur.minimum)
		own(c);
	else if (guard_is_closed(&lp->tokens))
		http_head_close(&lp->out);
	sent = lp->out.len;
	if (c->stream)
		connection_stream_send(c);
	else
		connection_put(c, lp->out.data, sent);
	c->answered = true;
	if (lp->out.cap > KEEP_BYTES)
		buf_release(&lp->out);
	told(c, status, sent);
	if (c->held)
		c->held->done = true;
	if (c->cur.last && !c->stream)
		c->closing = true;
}

void
connection_reply(struct connection *c, const struct http_response *res)
{
	struct http_reply how = connection_how(c);

	buf_clear(&c->loop->out);
	http_response_write(&c->loop->out, res, &how);
	connection_send(c, res->status);
}

void
connection_problem(struct connection *c, enum problem kind, const char *detail)
{
	struct http_response res = HTTP_RESPONSE_INIT;

	if (c->stream && c->stream->begun) {
		connection_stream_failed(c);
		return;
	}
	connection_stream_end(c);
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
	c->cur.begun_us = connection_now_us();
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

/* Also in the moment before the loop has been told. */
static bool
is_stopping(const struct connection *c)
{
	return atomic_load_explicit(&c->loop->shared->stopping,
				    memory_order_relaxed);
}

static bool
has_body(const struct http_request *req)
{
	return req->body_bytes || req->expects_continue;
}

/* Until it is known that a body will be read it will not be: no 100, and the
 * connection ends behind the answer (RFC 9110, 10.1.1). */
static void
begin(struct connection *c, const struct http_request *req)
{
	c->cur.begun_us = c->held ? c->held->begun_us : connection_now_us();
	c->cur.head_only = str_is(req->method, "HEAD");
	c->cur.last = !req->keep_alive || has_body(req) || is_stopping(c);
	c->cur.method = method_name(req);
	c->cur.token = NULL;
	c->cur.minimum = false;
	(void)trace_id_of(req, c->cur.trace_id);
	c->cur.origin = cors_origin(c->loop->shared->set, req);
	c->cur.say_keep_alive = req->minor == 0 && req->keep_alive;
	if (!c->held)
		take_request_id(c, req);
}

void
connection_submit(struct connection *c, struct fetch *fetch)
{
	struct loop_shared *sh = c->loop->shared;

	fetch->loop = c->loop;
	fetch->conn = c;
	memcpy(fetch->trace_id, c->cur.trace_id, sizeof(fetch->trace_id));
	fetch->deadline_mono_ms =
		clock_mono_ms() + sh->set->queryapi.request_timeout_ms;
	/* From here on a worker may have it: set before, not after. */
	c->fetch = fetch;
	if (!loop_workers_are_full(sh) &&
	    queue_try_push(sh->jobs, &fetch->job)) {
		metrics_move(&c->loop->met->in_flight, 1);
		/* A deadline of its own, also right behind a gather. */
		c->phase = PHASE_IDLE;
		return;
	}
	c->fetch = NULL;
	fetch_free(fetch);
	connection_problem(c, PROBLEM_OVERLOADED,
			   "too many requests are waiting");
}

bool
connection_body_is_due(const struct connection *c)
{
	return !c->closing && c->body_end &&
	       evbuffer_get_length(bufferevent_get_input(c->bev)) < c->body_end;
}

void
connection_make_room(struct connection *c, size_t need)
{
	size_t room = (size_t)c->loop->shared->set->queryapi.header_bytes * 2;

	c->room = need > room ? need : room;
	/* A mark would leave decrypted bytes where no event tells of them:
	 * connection.c does it by hand, record by record. */
	if (!c->loop->shared->tls)
		bufferevent_setwatermark(c->bev, EV_READ, 0, c->room);
}

void
connection_body_late(struct connection *c)
{
	c->cur.last = true;
	c->drop_input = true;
	connection_problem(c, PROBLEM_REQUEST_TIMEOUT,
			   "the request body took too long");
}

/* The body stays in the input, behind its head, until all of it is there. */
static void
await_body(struct connection *c, const struct http_request *req)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct evbuffer *in = bufferevent_get_input(c->bev);

	c->body_end = req->bytes + (size_t)req->body_bytes;
	connection_make_room(c, c->body_end);
	/* A deadline of its own, also right behind another body. */
	c->phase = PHASE_IDLE;
	/* RFC 9110, 10.1.1: not needed once some of the body has come. */
	if (req->expects_continue && evbuffer_get_length(in) == req->bytes) {
		(void)bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
		c->queued += sizeof(go_on) - 1;
	}
}

void
connection_conclude(struct connection *c, struct exchange *ex)
{
	if (ex->parked)
		return;
	/* It would keep the loop from its end. */
	if (ex->stream && is_stopping(c)) {
		stream_free(ex->stream);
		connection_problem(c, PROBLEM_OVERLOADED,
				   "the server is stopping");
		return;
	}
	if (ex->sent)
		connection_send(c, ex->sent);
	else if (ex->gather)
		connection_begin(c, ex->gather, ex->store_away);
	else if (ex->fetch)
		connection_submit(c, ex->fetch);
	else if (ex->stream)
		connection_stream(c, ex->stream);
	else
		connection_reply(c, ex->res);
}

/* Answers the request or hands it on; the bytes of the input it was, or 0: it
 * stays there, until its body is all here or it need not be held. */
static size_t
handle(struct connection *c, const struct http_request *req, const char *data,
       size_t len)
{
	struct loop *lp = c->loop;
	struct http_response res = HTTP_RESPONSE_INIT;
	struct http_reply how;
	struct exchange ex = {
		.req = req,
		.loop = lp,
		.how = &how,
		.out = &lp->out,
		.request_id = c->cur.request_id,
		.space = lp->space,
		.body_max_bytes = lp->shared->set->queryapi.body_bytes,
		.guard = lp->shared->guard,
		.addr = &c->addr,
		.counted = c->body_end != 0 || c->held,
		.conn = c,
		.gzip_min_bytes = lp->shared->set->queryapi.gzip_min_bytes,
		.res = &res,
	};
	enum routes_next next;

	begin(c, req);
	buf_clear(&lp->out);
	catalog_update(lp->shared->catalog, &lp->hold);
	ex.snap = lp->hold.snap;
	guard_update(lp->shared->guard, &lp->tokens);
	ex.tokens = lp->tokens.tokens;
	ex.store_away = !catalog_store_is_well(lp->shared->catalog);
	c->cur.bytes = req->bytes + (size_t)req->body_bytes;
	next = routes_find(&ex);
	c->cur.route = ex.route;
	c->cur.token = ex.token ? ex.token->name : NULL;
	if (next == ROUTES_BODY) {
		if (len - req->bytes < req->body_bytes) {
			await_body(c, req);
			return 0;
		}
		/* Read to its end: the connection may go on behind it. */
		c->cur.last = !req->keep_alive || is_stopping(c);
		ex.body = (struct pj_str){data + req->bytes,
					  (size_t)req->body_bytes};
	} else {
		c->drop_input |= has_body(req);
	}
	c->drop_input |= is_stopping(c);
	how = connection_how(c);
	if (next != ROUTES_ANSWERED)
		routes_run(&ex);
	c->cur.minimum = ex.minimum;
	c->cur.wait_s = ex.wait_s;
	connection_conclude(c, &ex);
	http_response_release(&res);
	return c->held ? 0 : req->bytes + ex.body.len;
}

/* The request is through. */
static void
take_off(struct connection *c, size_t bytes)
{
	(void)evbuffer_drain(bufferevent_get_input(c->bev), bytes);
	c->cur.bytes = 0;
	if (c->body_end) {
		c->body_end = 0;
		connection_make_room(c, 0);
	}
	c->scanned = 0;
}

bool
connection_next(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct http_request req;
	struct http_refusal no;
	const char *data;
	size_t len, taken;

	if (c->held && c->held->done) {
		take_off(c, connection_let_go(c));
		return true;
	}
	len = evbuffer_get_length(in);
	if (len == 0 || connection_body_is_due(c))
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
	taken = handle(c, &req, data, len);
	if (taken)
		take_off(c, taken);
	return taken || c->held;
}
