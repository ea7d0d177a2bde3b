/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a gather, gives its answer: at once when all is in the cache, else when
 * it comes back from loop.c.
 */
#include "queryapi/connection_impl.h"
#include "queryapi/routes.h"

/* Views that move under a request, one after the other. */
enum { ROUNDS_MAX = 3 };

static void
give_up(struct connection *c, struct gather *gat, enum problem kind,
	const char *detail)
{
	gather_let_go(gat);
	connection_problem(c, kind, detail);
}

/* Every slot is filled, or need not be. */
static void
answer_gathered(struct connection *c, struct gather *gat, bool store_away)
{
	struct loop *lp = c->loop;
	struct http_reply how = connection_how(c);
	struct http_response res = HTTP_RESPONSE_INIT;
	struct exchange ex = {
		.loop = lp,
		.how = &how,
		.out = &lp->out,
		.conn = c,
		.request_id = c->cur.request_id,
		.store_away = store_away,
		.gzip_min_bytes = lp->shared->set->queryapi.gzip_min_bytes,
		.res = &res,
	};

	buf_clear(&lp->out);
	gat->finish(gat, &ex);
	gather_let_go(gat);
	connection_conclude(c, &ex);
	http_response_release(&res);
}

static void
make_do(struct connection *c, struct gather *gat, bool store_away)
{
	if (gat->n_stale)
		metrics_count(&c->loop->met->stale);
	answer_gathered(c, gat, store_away);
}

void
connection_make_do(struct connection *c, struct gather *gat)
{
	/* What is kept cannot be shown to have a position. */
	if (gather_is_whole(gat) || (!c->cur.minimum && gather_stale(gat)))
		make_do(c, gat, true);
	else
		give_up(c, gat, PROBLEM_STORE, "the store is not reachable");
}

void
connection_out_of_time(struct connection *c, struct gather *gat)
{
	if (gat->patience_ms && (c->cur.minimum || gather_stale(gat)))
		make_do(c, gat, false);
	else
		give_up(c, gat, PROBLEM_TIMEOUT,
			"the store did not answer in time");
}

void
connection_begin(struct connection *c, struct gather *gat, bool store_away)
{
	if (store_away) {
		connection_make_do(c, gat);
		return;
	}
	gat->ids = (struct trace_ids){c->cur.request_id, c->cur.trace_id};
	switch (gather_begin(gat)) {
	case GATHER_THERE:
		answer_gathered(c, gat, false);
		break;
	case GATHER_WAITING:
		gat->conn = c;
		c->gather = gat;
		metrics_move(&c->loop->met->in_flight, 1);
		break;
	case GATHER_FULL:
		give_up(c, gat, PROBLEM_OVERLOADED,
			"too many requests are waiting");
		break;
	}
}

void
connection_finish(struct connection *c, struct gather *gat)
{
	struct loop *lp = c->loop;

	switch (gat->worst) {
	case LOAD_DONE:
		answer_gathered(c, gat, false);
		break;
	case LOAD_STORE:
		connection_make_do(c, gat);
		break;
	case LOAD_DAMAGED:
		give_up(c, gat, PROBLEM_INTERNAL,
			"the document could not be read");
		break;
	case LOAD_MOVED:
		catalog_update(lp->shared->catalog, &lp->hold);
		if (gat->rounds >= ROUNDS_MAX)
			give_up(c, gat, PROBLEM_STORE,
				"the view changes all the time");
		else if (gather_restart(gat, lp->hold.snap))
			connection_begin(c, gat, false);
		else if (gather_lost_set(gat))
			give_up(c, gat, PROBLEM_BAD_REQUEST,
				"this view has that set of fields no more");
		else
			give_up(c, gat, PROBLEM_VIEW_NOT_FOUND,
				"no view of this name");
		break;
	}
}
