/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/replay.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "projector/archive_line.h"
#include "projector/fold.h"
#include "projector/router.h"
#include "projector/workset.h"

struct replay {
	struct lanes lanes;
	const struct decode_topic *topics;
	size_t n_topics;
	replay_parked_fn on_parked;
	void *arg;
	struct archive_reader *reader;
	struct decoder *decoder;
	struct router *router;
	struct workset set;
	struct partition *parts; /* one per topic-partition seen */
	size_t n_parts, parts_cap;
};

struct replay *
replay_new(const struct module *mod, const struct decode_topic *topics,
	   size_t n_topics, replay_parked_fn on_parked, void *arg)
{
	struct replay *rep = mem_calloc(1, sizeof(*rep));

	rep->lanes.lane[0].mod = mod;
	rep->lanes.n = 1;
	rep->topics = topics;
	rep->n_topics = n_topics;
	rep->on_parked = on_parked;
	rep->arg = arg;
	rep->reader = archive_reader_new();
	rep->decoder = decoder_new();
	rep->router = router_new(&rep->lanes);
	workset_init(&rep->set, 1);
	return rep;
}

void
replay_free(struct replay *rep)
{
	if (!rep)
		return;
	workset_release(&rep->set);
	router_free(rep->router);
	decoder_free(rep->decoder);
	archive_reader_free(rep->reader);
	free(rep->parts);
	free(rep);
}

/* ---- In ---------------------------------------------------------------- */

/* Source indexes in order of appearance. The array may move: no record stays
 * between two lines. */
static struct partition *
find_partition(struct replay *rep, struct pj_str topic, int32_t number)
{
	struct partition *part;

	for (size_t i = 0; i < rep->n_parts; i++) {
		part = &rep->parts[i];
		if (part->number == number &&
		    strlen(part->topic) == topic.len &&
		    memcmp(part->topic, topic.ptr, topic.len) == 0)
			return part;
	}
	MEM_GROW(rep->parts, rep->n_parts, rep->parts_cap);
	part = &rep->parts[rep->n_parts];
	memset(part, 0, sizeof(*part));
	memcpy(part->topic, topic.ptr, topic.len);
	part->number = number;
	part->source_index = (int32_t)rep->n_parts++;
	return part;
}

/* ev: NULL when its type is not listed. */
static void
replay_route(struct replay *rep, const struct route *route,
	     const struct record *rec, const struct pj_event *ev)
{
	enum fold_outcome outcome;
	struct entry *e;
	struct pj_error err;

	if (route->kind == ROUTE_LONG_KEY || route->kind == ROUTE_UNKNOWN_KEY) {
		rep->on_parked(rep->arg, rec,
			       route->kind == ROUTE_LONG_KEY
				       ? "long document key"
				       : "unknown document key",
			       "the event goes to no document");
		return;
	}
	e = workset_find(&rep->set, route->lane, false, route->key);
	if (!e) {
		e = workset_add(&rep->set, route->lane, false, route->key);
		e->doc = doc_new(route->lane->mod->desc->shape, e->key);
	}
	outcome = ev ? fold_event(route->lane, rec, ev, e->doc, &err)
		     : fold_sequence(route->lane, rec,
				     decode_last_sequence(rep->decoder), e->doc,
				     &err);
	if (outcome == FOLD_REJECTED || outcome == FOLD_GAP)
		rep->on_parked(rep->arg, rec, fold_cause(outcome), err.text);
}

/* A type that no table lists: it may count for all that. */
static void
replay_skipped(struct replay *rep, const struct record *rec)
{
	const struct route *routes;
	size_t n;

	if (decode_last_sequence(rep->decoder) == 0)
		return;
	router_route_sequence(rep->router, rec->partition->topic,
			      decode_key(rep->decoder, rec->key), &routes, &n);
	for (size_t i = 0; i < n; i++)
		replay_route(rep, &routes[i], rec, NULL);
}

static void
replay_invalid(struct replay *rep, const struct record *rec,
	       const struct pj_event *ev, const char *cause, const char *detail)
{
	const struct route *routes;
	size_t n;

	if (module_reads(rep->lanes.lane[0].mod, ev)) {
		rep->on_parked(rep->arg, rec, cause, detail);
		return;
	}
	router_route(rep->router, ev, NULL, NULL, &routes, &n);
	for (size_t i = 0; i < n; i++)
		replay_route(rep, &routes[i], rec, ev);
}

static const struct decode_topic *
find_topic(const struct replay *rep, const char *name)
{
	for (size_t i = 0; i < rep->n_topics; i++)
		if (strcmp(rep->topics[i].topic->name, name) == 0)
			return &rep->topics[i];
	return NULL;
}

static void
replay_record(struct replay *rep, const struct record *rec)
{
	const struct decode_topic *topic =
		find_topic(rep, rec->partition->topic);
	const struct pj_event *ev;
	const struct route *routes;
	const char *cause;
	struct pj_error err;
	size_t n;

	if (!topic)
		return; /* not one this projection reads */
	switch (decode(rep->decoder, topic, rec, &ev, &cause, &err)) {
	case DECODE_EVENT:
		router_route(rep->router, ev, NULL, NULL, &routes, &n);
		for (size_t i = 0; i < n; i++)
			replay_route(rep, &routes[i], rec, ev);
		break;
	case DECODE_SKIP:
		replay_skipped(rep, rec);
		break;
	case DECODE_INVALID:
		replay_invalid(rep, rec, ev, cause, err.text);
		break;
	case DECODE_UNREADABLE:
		rep->on_parked(rep->arg, rec, cause, err.text);
		break;
	}
}

int
replay_line(struct replay *rep, const char *line, size_t len,
	    struct pj_error *err)
{
	struct archive_line in;
	struct record rec;

	if (archive_line_read(rep->reader, line, len, &in, err))
		return -1;
	if (in.topic.len >= sizeof(rep->parts->topic))
		return pj_error_set(err, PJ_ERROR_INPUT, "topic name too long");
	rec = (struct record){
		.partition = find_partition(rep, in.topic, in.partition),
		.offset = in.offset,
		.timestamp_ms = in.timestamp_ms,
		.key_null = in.key_null,
		.value_null = in.value_null,
		.key = in.key,
		.value = in.value,
		.headers = in.headers,
		.n_headers = in.n_headers,
	};
	replay_record(rep, &rec);
	return 0;
}

/* ---- Out --------------------------------------------------------------- */

static const struct store_token NO_TOKEN;

int
replay_store_and_load(struct replay *rep, struct pj_error *err)
{
	const struct pj_shape *shape = rep->lanes.lane[0].mod->desc->shape;
	struct buf bson = BUF_INIT;
	struct pj_doc *doc;
	struct entry *e;
	int rc = 0;

	TAILQ_FOREACH(e, &rep->set.lru, lru)
	{
		buf_clear(&bson);
		doc_encode(e->doc, &NO_TOKEN, &bson);
		rc = doc_load(shape, e->key, (const uint8_t *)bson.data,
			      bson.len, &doc, err);
		if (rc)
			break;
		doc_free(e->doc);
		e->doc = doc;
	}
	buf_release(&bson);
	return rc;
}

static int
by_key(const void *a, const void *b)
{
	const struct pj_str *x = &(*(struct entry *const *)a)->key;
	const struct pj_str *y = &(*(struct entry *const *)b)->key;
	int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int
print_document(const struct entry *e, bool with_deleted, struct buf *out,
	       struct pj_error *err)
{
	struct buf bson = BUF_INIT;
	int rc = 0;

	if (pj_doc_state(e->doc) == PJ_DOC_LIVE) {
		doc_encode(e->doc, &NO_TOKEN, &bson);
		rc = bsonjson_write(out, (const uint8_t *)bson.data, bson.len,
				    err);
		buf_addch(out, '\n');
	} else if (pj_doc_state(e->doc) == PJ_DOC_DELETED && with_deleted) {
		buf_addstr(out, "{\"id\":");
		bsonjson_string(out, e->key.ptr, e->key.len);
		buf_addstr(out, ",\"deleted\":true}\n");
	}
	buf_release(&bson);
	return rc;
}

int
replay_print(struct replay *rep, bool with_deleted, struct buf *out,
	     struct pj_error *err)
{
	struct entry **all = mem_calloc(rep->set.n_entries, sizeof(*all));
	struct entry *e;
	size_t n = 0;
	int rc = 0;

	TAILQ_FOREACH(e, &rep->set.lru, lru)
	all[n++] = e;
	qsort(all, n, sizeof(struct entry *), by_key);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = print_document(all[i], with_deleted, out, err);
	free(all);
	return rc;
}
