/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a request that waits for news, gives it back to connection_reply.c,
 * from its head on, when there is some.
 */
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "queryapi/connection_impl.h"
#include "queryapi/routes.h"

struct held *
exchange_hold(struct exchange *ex)
{
	struct connection *c = ex->conn;

	if (c->held)
		return c->held;
	c->held = mem_calloc(1, sizeof(*c->held));
	c->held->watch.loop = c->loop;
	c->held->watch.conn = c;
	c->held->begun_mono_ms = clock_mono_ms();
	c->held->begun_us = c->cur.begun_us;
	c->held->bytes = c->cur.bytes;
	return c->held;
}

struct held *
exchange_held(const struct exchange *ex)
{
	return ex->conn->held;
}

/* The watch is set: of pictures published before it is not told. */
static bool
is_of_before(const struct exchange *ex)
{
	return catalog_is_beyond(ex->loop->shared->catalog, &ex->loop->hold);
}

void
exchange_watch_key(struct exchange *ex, struct served *srv, struct pj_str key)
{
	struct held *held = exchange_hold(ex);

	if (!held->key)
		held->key = mem_strndup(key.ptr, key.len);
	watchers_set_key(ex->loop->shared->watchers, &held->watch, srv,
			 (struct pj_str){held->key, key.len});
	held->rung = is_of_before(ex);
}

void
exchange_watch_checkpoint(struct exchange *ex, struct served *srv,
			  int32_t source, int64_t next)
{
	struct held *held = exchange_hold(ex);

	watchers_set_checkpoint(ex->loop->shared->watchers, &held->watch, srv,
				source, next);
	held->rung = is_of_before(ex);
}

bool
exchange_park(struct exchange *ex, int64_t wait_ms)
{
	struct held *held = exchange_hold(ex);

	held->until_mono_ms = held->begun_mono_ms + wait_ms;
	/* Behind connection_stop_all() nobody would wake it. */
	if (held->over || ex->loop->stopping ||
	    held->until_mono_ms <= clock_mono_ms())
		return false;
	/* One that rang meanwhile is read again at once. */
	held->parked = !held->rung;
	held->parked_us = connection_now_us();
	ex->parked = true;
	return true;
}

void
connection_wake(struct connection *c)
{
	struct held *held = c->held;

	held->waited_us += connection_now_us() - held->parked_us;
	held->parked = false;
}

void
connection_unpark(struct connection *c)
{
	c->held->over = true;
	connection_wake(c);
}

size_t
connection_let_go(struct connection *c)
{
	struct held *held = c->held;
	size_t bytes;

	if (!held)
		return 0;
	watchers_unset(c->loop->shared->watchers, &held->watch);
	bytes = held->bytes;
	free(held->key);
	free(held);
	c->held = NULL;
	return bytes;
}
