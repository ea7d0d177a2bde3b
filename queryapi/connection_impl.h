/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's inside: connection.c turns the phases, connection_reply.c
 * takes requests up and writes answers. Nobody else includes this.
 */
#ifndef QUERYAPI_CONNECTION_IMPL_H
#define QUERYAPI_CONNECTION_IMPL_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdint.h>

#include "queryapi/connection.h"
#include "queryapi/held.h"
#include "queryapi/loop.h"
#include "queryapi/problem.h"
#include "queryapi/stream.h"
#include "queryapi/trace.h"

/* All slow readers of a loop together. */
enum { UNSENT_MAX_BYTES = 128 << 20 };

enum phase {
	PHASE_SHAKE,  /* TLS shakes hands: header_timeout, closed silently */
	PHASE_IDLE,   /* between requests: idle_timeout, closed silently */
	PHASE_HEAD,   /* a head has begun: header_timeout, 408 */
	PHASE_BODY,   /* a body is due: body_timeout, 408 */
	PHASE_WAIT,   /* for the store: request_timeout or patience, 503 */
	PHASE_PARKED, /* the request waits for news: by its own wait */
	PHASE_STREAM, /* events are sent as they come: by the next thing to do
		       */
	PHASE_WRITE,  /* answers are on their way: request_timeout, cut off */
	PHASE_LINGER, /* all said, half closed: LINGER_MS */
};

/* The request being answered. */
struct current {
	enum route_id route;
	int64_t begun_us;
	size_t bytes; /* of it that are still in the input */
	bool head_only;
	bool last;	     /* the connection ends behind the answer */
	bool say_keep_alive; /* HTTP/1.0 asked for it */
	const char *origin;  /* cors_origin() */
	const char *method;  /* method_name(); NULL: it could not be read */
	const char *token;   /* its name, or NULL */
	bool minimum;	     /* a position was asked for ... */
	int wait_s;	     /* ... and a wait; -1: none */
	char trace_id[TRACE_ID_MAX];
	char request_id[FETCH_REQUEST_ID_MAX];
};

struct exchange;

struct connection {
	struct loop *loop;
	struct connection *prev, *next;
	struct bufferevent *bev;
	struct event *timer;
	struct admission_address addr;
	bool counted; /* by admission */
	bool shaking; /* TLS hands; nothing can be read or written yet */
	enum phase phase;
	int64_t deadline_mono_ms;
	int64_t armed_mono_ms; /* when the timer fires; 0 = not pending */
	uint64_t queued;       /* bytes of all answers so far */
	uint64_t taken_before; /* of them, when PHASE_WRITE was entered */
	size_t scanned;	       /* of the head that has not ended */
	size_t room;	       /* of the input; more is not read */
	size_t body_end;       /* of the input, when a body is due; else 0 */
	struct current cur;
	/* What the request waits for: at most one of the two. */
	struct fetch *fetch;
	struct gather *gather;
	struct held *held;     /* the request stays in the input */
	struct stream *stream; /* there are no more requests */
	bool answered;	       /* since the phase was last looked at */
	bool closing;	       /* nothing more is read as a request */
	bool drop_input;       /* the peer may still be sending: linger */
};

/* One request off the input, answered or handed to the workers; false when
 * there is none to be had. Thread: the loop. */
bool
connection_next(struct connection *c);

/* A body was announced, and is to be read, and is not there yet. */
bool
connection_body_is_due(const struct connection *c);
/* It took too long: 408, the connection ends. */
void
connection_body_late(struct connection *c);
/* Lets the input hold one head, `need` bytes at least, and what is pipelined
 * behind a head. */
void
connection_make_room(struct connection *c, size_t need);
/* Takes a gather: answers, or waits for it. */
void
connection_begin(struct connection *c, struct gather *gat, bool store_away);
/* A gather is complete: answers, or asks anew. */
void
connection_finish(struct connection *c, struct gather *gat);
/* Answers from the cache however old, or that the store is away. Takes the
 * gather. */
void
connection_make_do(struct connection *c, struct gather *gat);
/* Was waited for long enough: answers with what is there, if that will do, or
 * that it took too long. Takes the gather. */
void
connection_out_of_time(struct connection *c, struct gather *gat);

/* ---- A request that waits for news (connection_wait.c) ----------------- */

static inline bool
connection_is_parked(const struct connection *c)
{
	return c->held && c->held->parked;
}

/* It is read again: there is news. */
void
connection_wake(struct connection *c);
/* The same, and has to be answered: its time is over, or the loop's. */
void
connection_unpark(struct connection *c);
/* It was answered, or nobody waits any more. The bytes of the input it was. */
size_t
connection_let_go(struct connection *c);

/* ---- A stream (connection_stream.c) ------------------------------------ */

/* The connection is that from now on. */
void
connection_stream(struct connection *c, struct stream *st);
/* NULL is allowed. */
void
connection_stream_end(struct connection *c);
/* Whether the client may still read it: tokens are as they were. */
bool
connection_stream_may(struct connection *c);
/* Something may be newer. */
void
connection_stream_rung(struct connection *c);
/* It could not be read. */
void
connection_stream_failed(struct connection *c);
/* Looks, when there is a reason to and it is time. True: it did. */
bool
connection_stream_look(struct connection *c);
/* Sends what the loop's buffer has of it. */
void
connection_stream_send(struct connection *c);
/* It is too much now, next to what others do not read: later. */
void
connection_stream_put_off(struct connection *c);
/* Until there is something to do; then connection_stream_beat(), which is false
 * for a client that has stopped reading. */
int64_t
connection_stream_rest_ms(const struct connection *c);
bool
connection_stream_beat(struct connection *c);

/* Bytes the client's side has taken so far. */
uint64_t
connection_taken(const struct connection *c);
/* Gives the system what it takes at once, the bufferevent the rest. */
void
connection_put(struct connection *c, const char *data, size_t len);
int64_t
connection_now_us(void);
/* What an answer to the current request is given with; borrowed. */
struct http_reply
connection_how(struct connection *c);
/* Sends the response in the loop's buffer. */
void
connection_send(struct connection *c, int status);
/* Does what a handler left to be done (routes.h): one of the six. */
void
connection_conclude(struct connection *c, struct exchange *ex);
/* Hands a fetch to the workers, or answers that they are busy. */
void
connection_submit(struct connection *c, struct fetch *fetch);
/* Writes the answer of the current request. */
void
connection_reply(struct connection *c, const struct http_response *res);
void
connection_problem(struct connection *c, enum problem kind, const char *detail);
/* An answer to something that is no request; the connection ends with it. */
void
connection_refuse(struct connection *c, enum problem kind, const char *detail);

#endif
