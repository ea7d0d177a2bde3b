/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/router.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "projector/event_data.h"

/* Keys of one call of a module: offsets, because the buffer may move. */
struct pj_keys {
	struct buf text;
	struct key {
		size_t at, len;
		bool unknown;
	} * keys;
	size_t n, cap;
	size_t first; /* of the module being asked */
};

struct router {
	struct lanes *lanes;
	struct pj_keys keys;
	struct route *routes;
	size_t n, cap;
};

struct router *
router_new(struct lanes *lanes)
{
	struct router *router = mem_calloc(1, sizeof(*router));

	router->lanes = lanes;
	return router;
}

void
router_free(struct router *router)
{
	if (!router)
		return;
	buf_release(&router->keys.text);
	free(router->keys.keys);
	free(router->routes);
	free(router);
}

static void
keys_end(struct pj_keys *keys, size_t at, bool unknown)
{
	const char *text = keys->text.data;
	size_t len = keys->text.len - at;

	for (size_t i = keys->first; i < keys->n; i++) {
		const struct key *k = &keys->keys[i];

		if (k->len == len && !memcmp(text + k->at, text + at, len)) {
			keys->text.len = at;
			return;
		}
	}
	MEM_GROW(keys->keys, keys->n, keys->cap);
	keys->keys[keys->n++] = (struct key){at, len, unknown};
}

static void
keys_add_part(struct pj_keys *keys, struct pj_str part)
{
	for (size_t i = 0; i < part.len; i++) {
		if (part.ptr[i] == '%')
			buf_add(&keys->text, "%25", 3);
		else if (part.ptr[i] == ':')
			buf_add(&keys->text, "%3A", 3);
		else
			buf_addch(&keys->text, part.ptr[i]);
	}
}

void
pj_key(struct pj_keys *keys, struct pj_str part)
{
	size_t at = keys->text.len;

	buf_add(&keys->text, part.ptr, part.len);
	keys_end(keys, at, part.len == 0);
}

void
pj_key2(struct pj_keys *keys, struct pj_str first, struct pj_str second)
{
	size_t at = keys->text.len;

	keys_add_part(keys, first);
	buf_addch(&keys->text, ':');
	keys_add_part(keys, second);
	keys_end(keys, at, first.len == 0 || second.len == 0);
}

static void
add_route(struct router *router, struct lane *lane, enum route_kind kind)
{
	MEM_GROW(router->routes, router->n, router->cap);
	router->routes[router->n++] =
		(struct route){.kind = kind, .lane = lane};
}

/* Its key is empty. */
static void
bar_lane(struct router *router, struct lane *lane)
{
	router->keys.first = router->keys.n;
	pj_key(&router->keys, PJ_STR(""));
	add_route(router, lane, ROUTE_BARRED);
}

static void
route_lane(struct router *router, struct lane *lane, const struct pj_event *ev)
{
	struct pj_keys *keys = &router->keys;

	keys->first = keys->n;
	if (pj_event_type(ev) != PJ_TOMBSTONE)
		lane->mod->desc->key(&lane->mod->options, ev, keys);
	else if (readmodel_is_key(ev->key))
		pj_key(keys, ev->key);
	for (size_t i = keys->first; i < keys->n; i++) {
		const struct key *k = &keys->keys[i];

		add_route(router, lane,
			  k->unknown		       ? ROUTE_UNKNOWN_KEY
			  : k->len > READMODEL_KEY_MAX ? ROUTE_LONG_KEY
						       : ROUTE_DOCUMENT);
	}
}

/* Where no document has the key there is nothing to count in one. */
static void
route_sequence(struct router *router, struct lane *lane, const char *topic,
	       struct pj_str key)
{
	if (!readmodel_is_key(key) || !module_is_keyed_by_record(lane->mod) ||
	    !module_reads_topic(lane->mod, topic))
		return;
	router->keys.first = router->keys.n;
	pj_key(&router->keys, key);
	add_route(router, lane, ROUTE_SEQUENCE);
}

static void
begin_routes(struct router *router)
{
	buf_clear(&router->keys.text);
	router->keys.n = 0;
	router->n = 0;
}

/* Routes and keys grew side by side; now the text stands still. */
static void
end_routes(struct router *router, const struct route **ret_routes,
	   size_t *ret_n)
{
	for (size_t i = 0; i < router->n; i++) {
		const struct key *k = &router->keys.keys[i];

		router->routes[i].key.ptr = router->keys.text.data + k->at;
		router->routes[i].key.len = k->unknown ? 0 : k->len;
	}
	*ret_routes = router->routes;
	*ret_n = router->n;
}

void
router_route(struct router *router, const struct pj_event *ev,
	     router_enters_fn enters, void *arg,
	     const struct route **ret_routes, size_t *ret_n)
{
	begin_routes(router);
	for (unsigned i = 0; i < router->lanes->n; i++) {
		struct lane *lane = &router->lanes->lane[i];

		if (module_reads(lane->mod, ev)) {
			if (enters && !enters(arg, lane))
				bar_lane(router, lane);
			else
				route_lane(router, lane, ev);
		} else if (ev->sequence)
			route_sequence(router, lane, ev->topic->name, ev->key);
	}
	end_routes(router, ret_routes, ret_n);
}

void
router_route_sequence(struct router *router, const char *topic,
		      struct pj_str key, const struct route **ret_routes,
		      size_t *ret_n)
{
	begin_routes(router);
	for (unsigned i = 0; i < router->lanes->n; i++)
		route_sequence(router, &router->lanes->lane[i], topic, key);
	end_routes(router, ret_routes, ret_n);
}
