/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes bytes, gives bytes. Between: http_request.c reads a head, routes.c
 * answers it or makes a fetch, worker.c does the fetch, loop.c brings it back.
 */
#include "queryapi/connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "queryapi/http_request.h"
#include "queryapi/loop.h"
#include "queryapi/routes.h"

/* A client that does not read what it asked for is asked for nothing more. */
enum { OUTPUT_MAX_BYTES = 256 * 1024 };
/* One write per response, whatever its size: two meet delayed ACKs. */
enum { SINGLE_WRITE_BYTES = 64 << 20 };
/* Slower than this on average and an answer is cut off. */
enum { READER_BYTES_PER_MS = 16 };
/* How long a closing side waits for the peer's end (RFC 9112, 9.6). */
enum { LINGER_MS = 1000 };
/* Buffers larger than this are not kept for the next response. */
enum { KEEP_BYTES = 1 << 20 };

enum phase {
	PHASE_IDLE,   /* between requests: idle_timeout, closed silently */
	PHASE_HEAD,   /* a head has begun: header_timeout, 408 */
	PHASE_WAIT,   /* a fetch is out: request_timeout, 503 */
	PHASE_WRITE,  /* answers are on their way: by their size, cut off */
	PHASE_LINGER, /* all said, half closed: LINGER_MS */
};

/* The request being answered. */
struct current {
	enum route_id route;
	int64_t begun_us;
	bool head_only;
	bool last;	     /* the connection ends behind the answer */
	bool say_keep_alive; /* HTTP/1.0 asked for it */
	char request_id[FETCH_REQUEST_ID_MAX];
};

struct connection {
	struct loop *loop;
	struct connection *prev, *next;
	struct bufferevent *bev;
	struct event *timer;
	struct admission_address addr;
	bool counted; /* by admission */
	enum phase phase;
	int64_t deadline_mono_ms;
	int64_t armed_mono_ms; /* when the timer fires; 0 = not pending */
	size_t scanned;	       /* of the head that has not ended */
	struct current cur;
	struct fetch *fetch; /* out with the workers, or NULL */
	bool closing;	     /* nothing more is read as a request */
	bool drop_input;     /* the peer may still be sending: linger */
};

static void
connection_advance(struct connection *c);

static int64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static size_t
pending_output(struct connection *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static void
abandon(struct connection *c)
{
	if (!c->fetch)
		return;
	c->fetch->conn = NULL;
	atomic_store(&c->fetch->abandoned, true);
	c->fetch = NULL;
	metrics_move(&c->loop->met->in_flight, -1);
}

static void
connection_free(struct connection *c)
{
	struct loop *lp = c->loop;

	abandon(c);
	if (c->counted)
		admission_leave(lp->shared->admission, &c->addr);
	else
		lp->n_refused--;
	if (c->prev)
		c->prev->next = c->next;
	else
		lp->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	event_free(c->timer);
	bufferevent_free(c->bev);
	free(c);
	lp->n_connections--;
	metrics_move(&lp->met->connections, -1);
	loop_forget(lp);
}

/* ---- Deadlines --------------------------------------------------------- */

/* The timer is moved forward only when it has to fire earlier; one that fires
 * early looks again. */
static void
arm(struct connection *c)
{
	int64_t in_ms = c->deadline_mono_ms - clock_mono_ms();
	struct timeval tv;

	if (c->armed_mono_ms && c->armed_mono_ms <= c->deadline_mono_ms)
		return;
	if (in_ms < 1)
		in_ms = 1;
	tv.tv_sec = (time_t)(in_ms / 1000);
	tv.tv_usec = (suseconds_t)(in_ms % 1000 * 1000);
	c->armed_mono_ms = c->deadline_mono_ms;
	(void)event_add(c->timer, &tv);
}

static void
enter(struct connection *c, enum phase phase)
{
	const struct settings *set = c->loop->shared->set;
	int64_t for_ms = 0;

	switch (phase) {
	case PHASE_IDLE:
		for_ms = set->queryapi.idle_timeout_ms;
		break;
	case PHASE_HEAD:
		for_ms = set->queryapi.header_timeout_ms;
		break;
	case PHASE_WAIT:
		for_ms = set->queryapi.request_timeout_ms;
		break;
	case PHASE_WRITE:
		for_ms = set->queryapi.request_timeout_ms +
			 (int64_t)pending_output(c) / READER_BYTES_PER_MS;
		break;
	case PHASE_LINGER:
		for_ms = LINGER_MS;
		break;
	}
	c->phase = phase;
	c->deadline_mono_ms = clock_mono_ms() + for_ms;
	arm(c);
}

/* ---- Answers ----------------------------------------------------------- */

/* Writes the answer of the current request. */
static void
reply(struct connection *c, const struct http_response *res)
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
	if (lp->out.cap > KEEP_BYTES)
		buf_release(&lp->out);
	metrics_request(lp->met, c->cur.route, res->status,
			(uint64_t)(now_us() - c->cur.begun_us));
	if (c->cur.last)
		c->closing = true;
}

static void
reply_problem(struct connection *c, enum problem kind, const char *detail)
{
	struct http_response res = HTTP_RESPONSE_INIT;

	problem_write(&res, kind,
		      c->cur.request_id[0] ? c->cur.request_id : NULL, detail);
	reply(c, &res);
	http_response_release(&res);
}

/* An answer to something that is no request; the connection ends with it. */
static void
reply_and_close(struct connection *c, enum problem kind, const char *detail)
{
	memset(&c->cur, 0, sizeof(c->cur));
	c->cur.route = ROUTE_NONE;
	c->cur.begun_us = now_us();
	c->cur.last = true;
	c->drop_input = true;
	loop_request_id(c->loop, c->cur.request_id);
	reply_problem(c, kind, detail);
}

/* ---- Requests ---------------------------------------------------------- */

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
	reply_problem(c, PROBLEM_OVERLOADED, "too many requests are waiting");
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
		reply(c, &res);
	http_response_release(&res);
}

/* One request off the input; false when there is none to be had. */
static bool
next_request(struct connection *c)
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
		reply_and_close(c, problem_of_status(no.status), no.detail);
		return false;
	case HTTP_DONE:
		break;
	}
	handle(c, &req);
	(void)evbuffer_drain(in, req.bytes);
	c->scanned = 0;
	return true;
}

/* ---- The state machine ------------------------------------------------- */

/* All was said and sent. */
static void
finish(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	if (!c->drop_input && evbuffer_get_length(in) == 0) {
		connection_free(c);
		return;
	}
	/* Closing now would reset the connection under unread bytes, and with
	 * it the answer that is on its way. */
	(void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	(void)evbuffer_drain(in, evbuffer_get_length(in));
	enter(c, PHASE_LINGER);
}

/* Does what can be done now, then sees to the deadline. May free c. */
static void
connection_advance(struct connection *c)
{
	enum phase phase;

	if (c->phase == PHASE_LINGER) {
		struct evbuffer *in = bufferevent_get_input(c->bev);

		(void)evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	while (!c->closing && !c->fetch && pending_output(c) < OUTPUT_MAX_BYTES)
		if (!next_request(c))
			break;
	if (c->fetch)
		phase = PHASE_WAIT;
	else if (pending_output(c))
		phase = PHASE_WRITE;
	else if (c->closing) {
		finish(c);
		return;
	} else if (evbuffer_get_length(bufferevent_get_input(c->bev)))
		phase = PHASE_HEAD;
	else
		phase = PHASE_IDLE;
	if (phase != c->phase)
		enter(c, phase);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	connection_advance(arg);
}

/* The output is empty. */
static void
on_written(struct bufferevent *bev, void *arg)
{
	struct connection *c = arg;

	(void)bev;
	/* What is written from here on has a deadline of its own. */
	if (c->phase == PHASE_WRITE)
		c->phase = PHASE_IDLE, enter(c, PHASE_IDLE);
	connection_advance(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct connection *c = arg;

	(void)bev;
	if (c->fetch)
		metrics_count(&c->loop->met->hangups);
	abandon(c);
	/* Answers already made still go out to who closed only one side. */
	if ((what & BEV_EVENT_EOF) && c->phase != PHASE_LINGER &&
	    pending_output(c)) {
		struct evbuffer *in = bufferevent_get_input(c->bev);

		c->closing = true;
		c->drop_input = false;
		(void)evbuffer_drain(in, evbuffer_get_length(in));
		connection_advance(c);
		return;
	}
	connection_free(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	c->armed_mono_ms = 0;
	if (clock_mono_ms() < c->deadline_mono_ms) {
		arm(c);
		return;
	}
	switch (c->phase) {
	case PHASE_HEAD:
		metrics_count(&c->loop->met->cut_off);
		reply_and_close(c, PROBLEM_REQUEST_TIMEOUT,
				"the request head took too long");
		connection_advance(c);
		return;
	case PHASE_WAIT:
		abandon(c);
		reply_problem(c, PROBLEM_TIMEOUT,
			      "the store did not answer in time");
		connection_advance(c);
		return;
	case PHASE_WRITE:
		metrics_count(&c->loop->met->cut_off);
		break;
	case PHASE_IDLE:
	case PHASE_LINGER:
		break;
	}
	connection_free(c);
}

void
connection_complete(struct fetch *fetch)
{
	struct connection *c = fetch->conn;

	if (c) {
		c->fetch = NULL;
		metrics_move(&c->loop->met->in_flight, -1);
		c->cur.last |= c->loop->stopping;
		c->drop_input |= c->loop->stopping;
		reply(c, &fetch->res);
	}
	fetch_free(fetch);
	if (c)
		connection_advance(c);
}

void
connection_open(struct loop *lp, int fd, const struct admission_address *addr,
		enum admission_result why)
{
	const struct settings *set = lp->shared->set;
	struct connection *c = mem_calloc(1, sizeof(*c));

	c->loop = lp;
	c->addr = *addr;
	c->counted = why == ADMISSION_OK;
	c->bev = bufferevent_socket_new(lp->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->timer = evtimer_new(lp->base, on_deadline, c);
	if (!c->bev || !c->timer)
		abort(); /* out of memory: lib/mem.h */
	c->next = lp->connections;
	if (c->next)
		c->next->prev = c;
	lp->connections = c;
	lp->n_connections++;
	metrics_move(&lp->met->connections, 1);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	/* Room for one head and what is pipelined behind it. */
	bufferevent_setwatermark(c->bev, EV_READ, 0,
				 (size_t)set->queryapi.header_bytes * 2);
	(void)bufferevent_set_max_single_write(c->bev, SINGLE_WRITE_BYTES);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	enter(c, PHASE_IDLE);
	if (why == ADMISSION_OK)
		return;
	lp->n_refused++;
	metrics_count(&lp->met->refused);
	reply_and_close(c, PROBLEM_OVERLOADED,
			why == ADMISSION_FULL
				? "too many connections"
				: "too many connections from this address");
	connection_advance(c);
}

void
connection_stop_all(struct loop *lp)
{
	struct connection *next;

	for (struct connection *c = lp->connections; c; c = next) {
		next = c->next;
		if (c->phase == PHASE_IDLE) {
			connection_free(c);
		} else if (c->phase == PHASE_WRITE) {
			/* Its answers are made; nothing new is taken up. */
			c->closing = c->drop_input = true;
		}
	}
}

void
connection_drop_all(struct loop *lp)
{
	while (lp->connections)
		connection_free(lp->connections);
}
