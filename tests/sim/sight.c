/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sight.h"

#include "tests/sim/tell.h"

/* Twice at fault in a lane is at fault. */
static void
add(struct view *view, struct eyes *eyes, const struct lane *lane,
    enum sight_kind kind, struct pj_str key, const char *cause)
{
	struct sight *sight = &view->sights[view->n];

	for (size_t i = 0; i < view->n; i++)
		if (view->sights[i].kind == kind && kind >= SIGHT_KEY &&
		    view->sights[i].lane == lane->index)
			return;
	REQUIRE(++view->n <= SIGHTS_MAX, "too many documents of one record");
	*sight = (struct sight){kind, lane->index, arena_str(eyes->arena, key),
				cause};
}

/* The document cannot be told from the event. */
static void
add_unknown(struct view *view, struct eyes *eyes, const struct lane *lane,
	    bool healthy, const char *cause)
{
	if (!healthy && module_is_keyed_by_record(lane->mod) && view->key.len)
		add(view, eyes, lane, SIGHT_DOCUMENT, view->key, cause);
	else
		add(view, eyes, lane, view->key.len ? SIGHT_KEY : SIGHT_LONE,
		    view->key, cause);
}

/*
 * An event is never half applied: where one of a lane's documents cannot be
 * told, or cannot be, the others do not get it either.
 */
static bool
is_held_back(const struct route *routes, size_t n, const struct route *r)
{
	bool unknown = false, too_long = false;

	for (size_t i = 0; i < n; i++) {
		if (routes[i].lane != r->lane)
			continue;
		unknown |= routes[i].kind == ROUTE_UNKNOWN_KEY;
		too_long |= routes[i].kind == ROUTE_LONG_KEY;
	}
	if (unknown)
		return r->kind != ROUTE_UNKNOWN_KEY;
	return too_long && r->kind != ROUTE_LONG_KEY;
}

static void
add_routes(struct view *view, struct eyes *eyes, const struct route *routes,
	   size_t n, bool healthy, const char *cause)
{
	for (size_t i = 0; i < n; i++) {
		const struct route *r = &routes[i];

		if (is_held_back(routes, n, r))
			continue;
		switch (r->kind) {
		case ROUTE_DOCUMENT:
			add(view, eyes, r->lane,
			    healthy ? SIGHT_EVENT : SIGHT_DOCUMENT, r->key,
			    cause);
			break;
		case ROUTE_SEQUENCE:
			add(view, eyes, r->lane, SIGHT_SEQUENCE, r->key, NULL);
			break;
		case ROUTE_UNKNOWN_KEY:
			add_unknown(view, eyes, r->lane, healthy,
				    healthy ? "unknown document key" : cause);
			break;
		case ROUTE_BARRED: /* nobody bars */
			break;
		case ROUTE_LONG_KEY:
			add(view, eyes, r->lane, SIGHT_LONE, view->key,
			    healthy ? "long document key" : cause);
			break;
		}
	}
}

void
view_make(struct view *view, struct eyes *eyes, const struct log *log,
	  size_t part, const struct log_event *ev)
{
	struct record *rec =
		log_record_new(ev, &eyes->parts[part], 0, &eyes->records_out);
	const struct decode_topic *topic =
		modules_topic(eyes->modules, log->topic);
	const struct route *routes = NULL;
	const struct pj_event *event;
	const char *cause = NULL;
	enum decode_result result;
	struct pj_error err;
	size_t n = 0;

	view->ev = ev;
	view->key = arena_str(eyes->arena, decode_key(eyes->decoder, ev->key));
	result = decode(eyes->decoder, topic, rec, &event, &cause, &err);
	view->sequence = result == DECODE_UNREADABLE
				 ? SEQUENCE_UNKNOWN
				 : decode_last_sequence(eyes->decoder);
	if (event)
		router_route(eyes->router, event, NULL, NULL, &routes, &n);
	else if (result == DECODE_SKIP && view->sequence)
		router_route_sequence(eyes->router, log->topic, view->key,
				      &routes, &n);
	add_routes(view, eyes, routes, n,
		   result == DECODE_EVENT || result == DECODE_SKIP, cause);
	for (unsigned i = 0; result == DECODE_UNREADABLE && i < eyes->lanes.n;
	     i++)
		if (module_reads_topic(eyes->lanes.lane[i].mod, log->topic))
			add_unknown(view, eyes, &eyes->lanes.lane[i], false,
				    cause);
	record_release(rec);
}

struct record *
eyes_read(struct eyes *eyes, const struct log *log, size_t part,
	  const struct log_event *ev, const struct pj_event **ret_event)
{
	struct record *rec =
		log_record_new(ev, &eyes->parts[part], 0, &eyes->records_out);
	const char *cause;
	struct pj_error err;

	(void)decode(eyes->decoder, modules_topic(eyes->modules, log->topic),
		     rec, ret_event, &cause, &err);
	return rec;
}
