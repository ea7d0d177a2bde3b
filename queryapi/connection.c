/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes bytes, gives bytes. Between: http_request.c reads a head, routes.c
 * answers it, asks for its body or makes a fetch, worker.c does the fetch,
 * loop.c brings it back.
 */
#define _DEFAULT_SOURCE /* SIOCOUTQ */
#include "queryapi/connection_impl.h"

#include <stdlib.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "queryapi/tls.h"

/* A client that does not read what it asked for is asked for nothing more. */
enum { OUTPUT_MAX_BYTES = 256 * 1024 };
/* One write per response, whatever its size: two meet delayed ACKs. */
enum { SINGLE_WRITE_BYTES = 64 << 20 };
/* A reader slower than this over a request_timeout is cut off. */
enum { READER_BYTES_PER_MS = 16 };
/* How long a closing side waits for the peer's end (RFC 9112, 9.6). */
enum { LINGER_MS = 1000 };

static void
connection_advance(struct connection *c);

static size_t
pending_output(const struct connection *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* The system's own buffer does not count: it takes some MB, and tells of room
 * only by the third. */
uint64_t
connection_taken(const struct connection *c)
{
	int in_system = 0;

	if (ioctl(bufferevent_getfd(c->bev), SIOCOUTQ, &in_system) < 0)
		in_system = 0;
	return c->queued - pending_output(c) - (uint64_t)in_system;
}

static void
on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	struct loop *lp = arg;

	(void)out;
	lp->unsent_bytes += info->n_added;
	lp->unsent_bytes -= info->n_deleted;
}

static bool
is_waiting(const struct connection *c)
{
	return c->fetch || c->gather;
}

static void
abandon(struct connection *c)
{
	if (!is_waiting(c))
		return;
	if (c->fetch) {
		c->fetch->conn = NULL;
		atomic_store(&c->fetch->abandoned, true);
	}
	gather_let_go(c->gather);
	c->fetch = NULL;
	c->gather = NULL;
	metrics_move(&c->loop->met->in_flight, -1);
}

static void
connection_free(struct connection *c)
{
	struct loop *lp = c->loop;

	abandon(c);
	(void)connection_let_go(c);
	connection_stream_end(c);
	/* Not in the middle of an answer: cut off has to look like it. */
	if (lp->shared->tls && pending_output(c) == 0)
		tls_goodbye(c->bev);
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
	/* It may outlive this for a turn, but nobody waits for it. */
	(void)evbuffer_remove_cb(bufferevent_get_output(c->bev), on_output, lp);
	lp->unsent_bytes -= pending_output(c);
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
	case PHASE_SHAKE:
		for_ms = set->queryapi.header_timeout_ms;
		break;
	case PHASE_IDLE:
		for_ms = set->queryapi.idle_timeout_ms;
		break;
	case PHASE_HEAD:
		for_ms = set->queryapi.header_timeout_ms;
		break;
	case PHASE_BODY:
		for_ms = set->queryapi.body_timeout_ms;
		break;
	case PHASE_WAIT:
		for_ms = c->gather && c->gather->patience_ms
				 ? c->gather->patience_ms
				 : set->queryapi.request_timeout_ms;
		break;
	case PHASE_PARKED:
		for_ms = c->held->until_mono_ms - clock_mono_ms();
		break;
	case PHASE_STREAM:
		for_ms = connection_stream_rest_ms(c);
		break;
	case PHASE_WRITE:
		for_ms = set->queryapi.request_timeout_ms;
		c->taken_before = connection_taken(c);
		break;
	case PHASE_LINGER:
		for_ms = LINGER_MS;
		break;
	}
	c->phase = phase;
	c->deadline_mono_ms = clock_mono_ms() + for_ms;
	arm(c);
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
	if (c->loop->shared->tls)
		tls_goodbye(c->bev);
	(void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	(void)evbuffer_drain(in, evbuffer_get_length(in));
	(void)bufferevent_enable(c->bev, EV_READ);
	enter(c, PHASE_LINGER);
}

/* Of TLS at most one record more is read than there is room for. */
static void
hold_reading(struct connection *c)
{
	bool full =
		evbuffer_get_length(bufferevent_get_input(c->bev)) >= c->room;

	if (full && (bufferevent_get_enabled(c->bev) & EV_READ))
		(void)bufferevent_disable(c->bev, EV_READ);
	else if (!full && !(bufferevent_get_enabled(c->bev) & EV_READ))
		(void)bufferevent_enable(c->bev, EV_READ);
}

/* What the client sends is not read any more. */
static void
advance_stream(struct connection *c)
{
	bool looked = false;
	enum phase phase;

	if (!connection_stream_may(c)) {
		connection_free(c);
		return;
	}
	while (c->stream && !is_waiting(c) && !pending_output(c) &&
	       connection_stream_look(c))
		looked = true;
	if (!c->stream) {
		connection_advance(c); /* it was answered with a problem */
		return;
	}
	phase = is_waiting(c) ? PHASE_WAIT : PHASE_STREAM;
	if (looked || phase != c->phase || phase == PHASE_STREAM)
		enter(c, phase);
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
	if (c->shaking)
		return;
	while (!c->stream && !c->closing && !is_waiting(c) &&
	       !connection_is_parked(c) && pending_output(c) < OUTPUT_MAX_BYTES)
		if (!connection_next(c))
			break;
	if (c->loop->shared->tls)
		hold_reading(c);
	if (c->stream) {
		advance_stream(c);
		return;
	}
	if (is_waiting(c))
		phase = PHASE_WAIT;
	else if (connection_is_parked(c))
		phase = PHASE_PARKED;
	else if (connection_body_is_due(c))
		phase = PHASE_BODY;
	else if (pending_output(c))
		phase = PHASE_WRITE;
	else if (c->closing) {
		finish(c);
		return;
	} else if (evbuffer_get_length(bufferevent_get_input(c->bev)))
		phase = PHASE_HEAD;
	else
		phase = PHASE_IDLE;
	/* An answer that went out at once was a phase of its own. */
	if (phase != c->phase || phase == PHASE_PARKED ||
	    (c->answered && (phase == PHASE_IDLE || phase == PHASE_HEAD ||
			     phase == PHASE_WAIT)))
		enter(c, phase);
	c->answered = false;
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
	if (what & BEV_EVENT_CONNECTED) {
		c->shaking = false;
		enter(c, PHASE_IDLE);
		connection_advance(c);
		return;
	}
	if (is_waiting(c))
		metrics_count(&c->loop->met->hangups);
	if (c->stream) {
		connection_free(c);
		return;
	}
	abandon(c);
	/* Answers already made still go out to who closed only one side. */
	if ((what & BEV_EVENT_EOF) && !c->shaking && c->phase != PHASE_LINGER &&
	    pending_output(c)) {
		struct evbuffer *in = bufferevent_get_input(c->bev);

		(void)connection_let_go(c);
		c->closing = true;
		c->drop_input = false;
		(void)evbuffer_drain(in, evbuffer_get_length(in));
		connection_advance(c);
		return;
	}
	connection_free(c);
}

/* A long answer may take several deadlines, each with enough progress. */
static bool
reads_well(const struct connection *c)
{
	uint64_t due =
		(uint64_t)c->loop->shared->set->queryapi.request_timeout_ms *
		READER_BYTES_PER_MS;

	/* Of TLS the system holds more than was handed over: it may be less
	 * than before. */
	return (int64_t)(connection_taken(c) - c->taken_before) >= (int64_t)due;
}

/* The wait is over. */
static void
resume(struct connection *c)
{
	c->fetch = NULL;
	c->gather = NULL;
	metrics_move(&c->loop->met->in_flight, -1);
	c->cur.last |= c->loop->stopping;
	c->drop_input |= c->loop->stopping;
}

static void
out_of_time(struct connection *c)
{
	struct gather *gat = c->gather;

	if (gat) {
		resume(c);
		connection_out_of_time(c, gat);
		return;
	}
	abandon(c);
	connection_problem(c, PROBLEM_TIMEOUT,
			   "the store did not answer in time");
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
		connection_refuse(c, PROBLEM_REQUEST_TIMEOUT,
				  "the request head took too long");
		connection_advance(c);
		return;
	case PHASE_BODY:
		metrics_count(&c->loop->met->cut_off);
		connection_body_late(c);
		connection_advance(c);
		return;
	case PHASE_WAIT:
		out_of_time(c);
		connection_advance(c);
		return;
	case PHASE_PARKED:
		connection_unpark(c);
		connection_advance(c);
		return;
	case PHASE_STREAM:
		if (connection_stream_beat(c)) {
			connection_advance(c);
			return;
		}
		metrics_count(&c->loop->met->cut_off);
		break;
	case PHASE_WRITE:
		if (reads_well(c)) {
			enter(c, PHASE_WRITE);
			return;
		}
		metrics_count(&c->loop->met->cut_off);
		break;
	case PHASE_SHAKE:
		metrics_count(&c->loop->met->cut_off);
		break;
	case PHASE_IDLE:
	case PHASE_LINGER:
		break;
	}
	connection_free(c);
}

void
connection_gathered(struct gather *gat)
{
	struct connection *c = gat->conn;

	resume(c);
	connection_finish(c, gat);
	connection_advance(c);
}

void
connection_complete(struct fetch *fetch)
{
	struct connection *c = fetch->conn;

	if (c) {
		resume(c);
		connection_reply(c, &fetch->res);
	}
	fetch_free(fetch);
	if (c)
		connection_advance(c);
}

void
connection_rung(struct watch *watch)
{
	struct connection *c = watch->conn;

	if (c->stream) {
		connection_stream_rung(c);
		connection_advance(c);
		return;
	}
	c->held->rung = true;
	if (!c->held->parked)
		return; /* it is read again when it would park */
	connection_wake(c);
	connection_advance(c);
}

void
connection_open(struct loop *lp, int fd, const struct admission_address *addr,
		enum admission_result why)
{
	struct connection *c = mem_calloc(1, sizeof(*c));

	c->loop = lp;
	c->addr = *addr;
	c->counted = why == ADMISSION_OK;
	c->shaking = lp->shared->tls != NULL;
	c->bev = c->shaking ? tls_accept(lp->shared->tls, lp->base, fd)
			    : bufferevent_socket_new(lp->base, fd,
						     BEV_OPT_CLOSE_ON_FREE);
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
	if (!evbuffer_add_cb(bufferevent_get_output(c->bev), on_output, lp))
		abort(); /* out of memory: lib/mem.h */
	connection_make_room(c, 0);
	(void)bufferevent_set_max_single_write(c->bev, SINGLE_WRITE_BYTES);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	enter(c, c->shaking ? PHASE_SHAKE : PHASE_IDLE);
	if (why == ADMISSION_OK)
		return;
	lp->n_refused++;
	metrics_count(&lp->met->refused);
	connection_refuse(c, PROBLEM_OVERLOADED,
			  why == ADMISSION_FULL
				  ? "too many connections"
				  : "too many connections from this address");
	connection_advance(c);
}

void
connection_fail_waiting(struct loop *lp)
{
	struct connection *next;

	for (struct connection *c = lp->connections; c; c = next) {
		next = c->next;
		if (!is_waiting(c))
			continue;
		if (c->gather) {
			struct gather *gat = c->gather;

			resume(c);
			connection_make_do(c, gat);
		} else {
			abandon(c);
			connection_problem(c, PROBLEM_STORE,
					   "the store is not reachable");
		}
		connection_advance(c);
	}
}

/* A request may have arrived that no turn of the loop has seen yet. */
static bool
has_unread(const struct connection *c)
{
	char byte;

	return recv(bufferevent_getfd(c->bev), &byte, 1,
		    MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
connection_stop_all(struct loop *lp)
{
	struct connection *next;

	for (struct connection *c = lp->connections; c; c = next) {
		next = c->next;
		if (c->phase == PHASE_SHAKE || c->stream) {
			connection_free(c);
		} else if (c->phase == PHASE_IDLE) {
			if (!has_unread(c))
				connection_free(c);
		} else if (c->phase == PHASE_PARKED) {
			connection_unpark(c);
			connection_advance(c);
		} else if (c->phase == PHASE_WRITE) {
			/* Its answers are made; nothing new is taken up. */
			c->closing = c->drop_input = true;
		}
	}
}

void
connection_drop_all(struct loop *lp)
{
	struct connection *next;

	for (struct connection *c = lp->connections; c; c = next) {
		next = c->next;
		connection_free(c);
	}
}
