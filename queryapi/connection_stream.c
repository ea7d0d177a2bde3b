/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a stream, sends its events for as long as the client stays: looks when
 * a watch rang and the client has taken what was sent before.
 */
#include <string.h>

#include "lib/clock.h"
#include "queryapi/connection_impl.h"
#include "queryapi/guard.h"
#include "queryapi/routes.h"

/* Between two events, and before what failed is tried again. The third is for
 * clients that lost the connection, and is drawn at random from there to three
 * times that: they may all have lost it at once. */
enum { PAUSE_MS = 100, AGAIN_MS = 1000, RETRY_MS = 1000 };

static int
retry_ms(struct loop *lp)
{
	/* A step of the generator of loop.h's draws: spread is all it needs. */
	uint64_t x = ++lp->draws * UINT64_C(0x9e3779b97f4a7c15) ^ lp->id_seed;

	return RETRY_MS + (int)((x >> 33) % (2 * RETRY_MS));
}

static void
write_head(struct exchange *ex)
{
	http_head_begin(ex->out, 200, ex->how);
	buf_addstr(ex->out,
		   "Content-Type: text/event-stream\r\n"
		   "X-Content-Type-Options: nosniff\r\n"
		   "Cache-Control: no-store\r\n"
		   "X-Accel-Buffering: no\r\n"); /* nginx: as it comes */
	http_head_end(ex->out, ex->how);
	buf_printf(ex->out, "retry: %d\n\n", retry_ms(ex->loop));
}

static void
finish(struct gather *gat, struct exchange *ex)
{
	struct stream *st = ex->conn->stream;

	if (!st->begun)
		write_head(ex);
	/* What is stale may be what the client has, and not the newest. */
	if (!stream_write(st, ex->out, gat) || gat->n_stale || st->blind)
		st->dirty = st->failed = true;
	/* Who is told of it meanwhile looks at once. */
	if (!st->dirty && gather_has_old(gat))
		st->dirty = st->failed = true;
	ex->sent = 200;
}

/* Watch first, read second (watchers.h). */
static void
look(struct connection *c)
{
	struct loop *lp = c->loop;
	struct stream *st = c->stream;
	struct gather *gat;

	st->dirty = st->failed = false;
	st->blind = true;
	catalog_update(lp->shared->catalog, &lp->hold);
	for (size_t i = 0; i < st->n; i++) {
		int view = snapshot_view(lp->hold.snap, st->page.parts[i],
					 strlen(st->page.parts[i]));

		watchers_unset(lp->shared->watchers, &st->watches[i]);
		if (view < 0)
			continue;
		watchers_set_key(lp->shared->watchers, &st->watches[i],
				 lp->hold.snap->views[view].served, st->key);
		st->blind = false;
	}
	gat = stream_gather(st, lp, lp->hold.snap);
	gat->finish = finish;
	connection_begin(c, gat, !catalog_store_is_well(lp->shared->catalog));
}

void
connection_stream(struct connection *c, struct stream *st)
{
	c->stream = st;
	st->tokens_serial = c->loop->tokens.serial;
	c->cur.last = true; /* its end is the connection's */
	for (size_t i = 0; i < st->n; i++) {
		st->watches[i].loop = c->loop;
		st->watches[i].conn = c;
	}
	metrics_move(&c->loop->met->streams, 1);
	look(c);
}

void
connection_stream_end(struct connection *c)
{
	struct stream *st = c->stream;

	if (!st)
		return;
	for (size_t i = 0; i < st->n; i++)
		watchers_unset(c->loop->shared->watchers, &st->watches[i]);
	metrics_move(&c->loop->met->streams, -1);
	stream_free(st);
	c->stream = NULL;
}

bool
connection_stream_may(struct connection *c)
{
	struct loop *lp = c->loop;

	guard_update(lp->shared->guard, &lp->tokens);
	return c->stream->tokens_serial == lp->tokens.serial;
}

static void
beat_later(struct connection *c)
{
	c->stream->beat_mono_ms =
		clock_mono_ms() +
		c->loop->shared->set->queryapi.stream_heartbeat_ms;
	c->stream->taken_before = connection_taken(c);
}

void
connection_stream_send(struct connection *c)
{
	struct stream *st = c->stream;
	struct loop *lp = c->loop;
	struct buf *out = &lp->out;

	st->begun = true;
	if (out->len == 0)
		return;
	metrics_count(&lp->met->stream_writes);
	connection_put(c, out->data, out->len);
	st->quiet_until_mono_ms = clock_mono_ms() + PAUSE_MS;
	beat_later(c);
}

void
connection_stream_put_off(struct connection *c)
{
	/* Of what was not sent nothing is at the client. */
	c->stream->last[0] = '\0';
	connection_stream_failed(c);
}

void
connection_stream_failed(struct connection *c)
{
	c->stream->dirty = c->stream->failed = true;
}

void
connection_stream_rung(struct connection *c)
{
	c->stream->dirty = true;
	c->stream->failed = false;
}

bool
connection_stream_look(struct connection *c)
{
	const struct stream *st = c->stream;

	if (!st->dirty || st->failed ||
	    clock_mono_ms() < st->quiet_until_mono_ms)
		return false;
	look(c);
	return true;
}

int64_t
connection_stream_rest_ms(const struct connection *c)
{
	const struct stream *st = c->stream;
	int64_t until = st->beat_mono_ms, now = clock_mono_ms();

	if (st->failed && now + AGAIN_MS < until)
		until = now + AGAIN_MS;
	else if (st->dirty && !st->failed && st->quiet_until_mono_ms < until)
		until = st->quiet_until_mono_ms;
	return until - now;
}

bool
connection_stream_beat(struct connection *c)
{
	static const char beat[] = ":\n\n";
	struct stream *st = c->stream;

	st->failed = false;
	if (clock_mono_ms() < st->beat_mono_ms)
		return true;
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
		connection_put(c, beat, sizeof(beat) - 1);
	else if (connection_taken(c) == st->taken_before)
		return false;
	beat_later(c);
	return true;
}
