/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/replay.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "lib/str.h"
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
	struct workset set;	 /* documents */
	struct workset keys;	 /* a queue per record key whose records wait */
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
	workset_init(&rep->keys, 1);
	return rep;
}

void
replay_free(struct replay *rep)
{
	if (!rep)
		return;
	workset_release(&rep->set);
	workset_release(&rep->keys);
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
		if (part->number == number && str_is(topic, part->topic))
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

/* ---- Where records wait --------------------------------------------------
 */

static struct entry *
find_or_add(struct replay *rep, struct workset *set, struct pj_str key)
{
	struct lane *lane = rep->lanes.lane;
	bool is_key = set == &rep->keys;
	struct entry *e = workset_find(set, lane, is_key, key);

	if (!e) {
		e = workset_add(set, lane, is_key, key);
		e->doc = doc_new(lane->mod->desc->shape, e->key);
	}
	return e;
}

/* True when the record waits in the record key's queue, or has to. */
static bool
key_waits(struct replay *rep, const struct record *rec, struct pj_str key)
{
	const struct lane *lane = rep->lanes.lane;
	struct entry *e =
		key.len ? workset_find(&rep->keys, lane, true, key) : NULL;
	const struct doc_queue *queue =
		e ? doc_queue(e->doc, rec->partition->source_index) : NULL;

	return queue && rec->offset >= queue->first;
}

/* What queues with what; entry NULL: nothing with this. */
struct unit {
	const char *type;
	struct pj_str name;
	struct entry *entry;
};

/*
 * doc_key: "" when unknown. A record key whose records wait comes first: they
 * may be about any document.
 */
static struct unit
unit_of(struct replay *rep, const struct record *rec, struct pj_str doc_key)
{
	const struct module *mod = rep->lanes.lane->mod;
	struct pj_str key = decode_key(rep->decoder, rec->key);
	bool waits = key_waits(rep, rec, key);

	if (doc_key.len == 0 && module_is_keyed_by_record(mod) &&
	    readmodel_is_key(key))
		doc_key = key;
	if (!waits && doc_key.len > READMODEL_KEY_MAX)
		return (struct unit){"record", PJ_STR(""), NULL};
	if (!waits && doc_key.len)
		return (struct unit){"document", doc_key,
				     find_or_add(rep, &rep->set, doc_key)};
	if (key.len == 0)
		return (struct unit){"record", PJ_STR(""), NULL};
	return (struct unit){"key", key, find_or_add(rep, &rep->keys, key)};
}

/*
 * Told once, however often the record comes. Behind others that is the cause,
 * whatever it has of its own.
 */
static void
park(struct replay *rep, const struct record *rec, const struct unit *unit,
     const char *cause, const char *detail)
{
	struct replay_parked parked = {cause, detail, unit->type, unit->name};
	enum fold_outcome place = FOLD_CHANGED;

	if (unit->entry)
		place = fold_place(rep->lanes.lane, rec, unit->entry->doc);
	if (place == FOLD_REPEATED)
		return;
	if (place == FOLD_QUEUED) {
		parked.cause = fold_cause(FOLD_QUEUED);
		parked.detail = "an earlier record of its partition waits";
	}
	if (unit->entry)
		doc_enqueue(unit->entry->doc, rec->partition->source_index,
			    rec->offset);
	rep->on_parked(rep->arg, rec, &parked);
}

/* ---- Records --------------------------------------------------------------
 */

/* ev: NULL when its type is not listed. */
static void
replay_fold(struct replay *rep, const struct route *route,
	    const struct record *rec, const struct pj_event *ev,
	    const struct unit *unit)
{
	struct pj_doc *doc = unit->entry->doc;
	enum fold_outcome outcome;
	struct pj_error err = {.cls = PJ_ERROR_NONE};

	outcome = ev ? fold_event(route->lane, rec, ev, doc, &err)
		     : fold_sequence(route->lane, rec,
				     decode_last_sequence(rep->decoder), doc,
				     &err);
	if (outcome == FOLD_REJECTED || outcome == FOLD_GAP ||
	    outcome == FOLD_QUEUED)
		park(rep, rec, unit, fold_cause(outcome), err.text);
}

static void
replay_route(struct replay *rep, const struct route *route,
	     const struct record *rec, const struct pj_event *ev)
{
	struct unit unit = unit_of(rep, rec, route->key);

	if (route->kind == ROUTE_LONG_KEY)
		park(rep, rec, &unit, "long document key",
		     "no document can have it");
	else if (route->kind == ROUTE_UNKNOWN_KEY)
		park(rep, rec, &unit, "unknown document key",
		     "the event goes to no document");
	else if (unit.entry && strcmp(unit.type, "document") == 0)
		replay_fold(rep, route, rec, ev, &unit);
	else
		park(rep, rec, &unit, fold_cause(FOLD_QUEUED), "");
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

/* cause NULL: nothing is wrong with the event itself. */
static void
replay_event(struct replay *rep, const struct record *rec,
	     const struct pj_event *ev, const char *cause, const char *detail)
{
	bool invalid = cause && module_reads(rep->lanes.lane->mod, ev);
	const struct route *routes;
	size_t n;

	router_route(rep->router, ev, NULL, NULL, &routes, &n);
	for (size_t i = 0; i < n; i++) {
		struct unit unit;

		if (!invalid) {
			replay_route(rep, &routes[i], rec, ev);
			continue;
		}
		unit = unit_of(rep, rec, routes[i].key);
		park(rep, rec, &unit, cause, detail);
	}
}

static void
replay_unreadable(struct replay *rep, const struct record *rec,
		  const char *cause, const char *detail)
{
	struct unit unit = unit_of(rep, rec, PJ_STR(""));

	park(rep, rec, &unit, cause, detail);
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
	const char *cause;
	struct pj_error err;

	if (!topic)
		return; /* not one this projection reads */
	switch (decode(rep->decoder, topic, rec, &ev, &cause, &err)) {
	case DECODE_EVENT:
		replay_event(rep, rec, ev, NULL, NULL);
		break;
	case DECODE_SKIP:
		replay_skipped(rep, rec);
		break;
	case DECODE_INVALID:
		replay_event(rep, rec, ev, cause, err.text);
		break;
	case DECODE_UNREADABLE:
		replay_unreadable(rep, rec, cause, err.text);
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
	const struct entry *const *x = a, *const *y = b;

	return str_compare((*x)->key, (*y)->key);
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
