/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/parked_marker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonread.h"
#include "lib/mem.h"
#include "lib/readmodel.h"

/* Of one batch: two loads at most, and little to keep meanwhile. */
enum { MAX_UNITS = 256, MAX_ITEMS = 8192, MAX_TEXT = 1 << 20 };

struct marker_item {
	/* In bat->text, where nothing is addressed before it stops growing. */
	size_t unit_at, unit_len, topic_at, type_at, cause_at;
	char unit_type[16];
	int32_t partition;
	int32_t source; /* -1: the store knows no such source */
	int64_t offset;
	int64_t parked_at_ms;
	bool begins; /* its marker is another than the item's before */
	bool exists;
};

int
marker_batch_init(struct marker_batch *bat, struct store_session *ses,
		  const char *generation, struct pj_error *err)
{
	memset(bat, 0, sizeof(*bat));
	bat->generation = generation;
	return store_sources(ses, &bat->sources, &bat->n_sources, err);
}

void
marker_batch_release(struct marker_batch *bat)
{
	free(bat->sources);
	free(bat->items);
	buf_release(&bat->text);
}

static int32_t
source_of(const struct marker_batch *bat, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < bat->n_sources; i++)
		if (bat->sources[i].partition == partition &&
		    strcmp(bat->sources[i].topic, topic) == 0)
			return bat->sources[i].index;
	return -1;
}

static size_t
keep(struct marker_batch *bat, const char *text, size_t len)
{
	size_t at = bat->text.len;

	buf_add(&bat->text, text, len);
	buf_addch(&bat->text, '\0');
	return at;
}

static bool
is_document(const struct marker_item *item)
{
	return strcmp(item->unit_type, "document") == 0;
}

static bool
is_lone(const struct marker_item *item)
{
	return strcmp(item->unit_type, "record") == 0;
}

/* A document has the markers of all its sources. */
static bool
is_same_marker(const struct marker_item *a, const struct marker_item *b)
{
	return a->unit_at == b->unit_at &&
	       strcmp(a->unit_type, b->unit_type) == 0 && !is_lone(a) &&
	       (is_document(a) || a->source == b->source);
}

void
marker_batch_add(struct marker_batch *bat, const struct store_parked *row)
{
	const struct marker_item *before =
		bat->n_items ? &bat->items[bat->n_items - 1] : NULL;
	struct marker_item item = {
		.unit_len = row->unit.len,
		.partition = row->partition,
		.offset = row->offset,
		.parked_at_ms = row->parked_at_ms,
		.source = source_of(bat, row->topic, row->partition),
	};

	(void)snprintf(item.unit_type, sizeof(item.unit_type), "%s",
		       row->unit_type);
	if (before && before->unit_len == row->unit.len &&
	    (row->unit.len == 0 || memcmp(bat->text.data + before->unit_at,
					  row->unit.ptr, row->unit.len) == 0))
		item.unit_at = before->unit_at;
	else
		item.unit_at = keep(bat, row->unit.ptr, row->unit.len);
	item.topic_at = keep(bat, row->topic, strlen(row->topic));
	item.type_at = keep(bat, row->type, strlen(row->type));
	item.cause_at = keep(bat, row->cause, strlen(row->cause));
	item.begins = !before || !is_same_marker(before, &item);
	bat->n_units += item.begins;
	MEM_GROW(bat->items, bat->n_items, bat->cap_items);
	bat->items[bat->n_items++] = item;
}

bool
marker_batch_is_full(const struct marker_batch *bat)
{
	return bat->n_units >= MAX_UNITS || bat->n_items >= MAX_ITEMS ||
	       bat->text.len >= MAX_TEXT;
}

/* ---- Reading a marker ---------------------------------------------------- */

/* 1: *ret is the object of that name; 0: there is none; -1: damaged. */
static int
find_object(const struct bsonread *in, const char *name, struct bsonread *ret)
{
	struct bsonread r = *in;
	struct bsonread_element el;
	int more;

	while ((more = bsonread_next(&r, &el)) > 0)
		if (bsonread_is(&el, name))
			return el.type == BSONREAD_OBJECT &&
					       bsonread_open(ret, el.value,
							     el.len) == 0
				       ? 1
				       : -1;
	return more;
}

static int
read_bounds(struct bsonread queue, int64_t *ret_first, int64_t *ret_tail)
{
	struct bsonread_element el;
	int more, found = 0;

	while ((more = bsonread_next(&queue, &el)) > 0) {
		int64_t *to = bsonread_is(&el, "first")	 ? ret_first
			      : bsonread_is(&el, "tail") ? ret_tail
							 : NULL;

		if (!to)
			continue;
		if (el.type != BSONREAD_INT64)
			return -1;
		*to = bsonread_i64(el.value);
		found++;
	}
	return more == 0 && found == 2 ? 0 : -1;
}

int
marker_read(const uint8_t *bson, size_t len, int32_t source, bool *ret_has,
	    int64_t *ret_first, int64_t *ret_tail, struct pj_error *err)
{
	struct bsonread doc, meta, queues, queue;
	char name[16];
	int found = -1;

	(void)snprintf(name, sizeof(name), "%" PRId32, source);
	if (bsonread_open(&doc, bson, len) == 0)
		found = find_object(&doc, READMODEL_META, &meta);
	if (found > 0)
		found = find_object(&meta, "k", &queues);
	if (found > 0)
		found = find_object(&queues, name, &queue);
	if (found < 0 || (found > 0 && read_bounds(queue, ret_first, ret_tail)))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "damaged document: '_m.k'");
	*ret_has = found > 0;
	return 0;
}

/* ---- Looking them up ----------------------------------------------------- */

/* Documents or units, and the item that each was asked for first. */
struct lookup {
	struct store_doc *docs;
	size_t *first;
	size_t n;
};

static void
lookup_add(struct lookup *look, const struct marker_batch *bat, size_t at)
{
	const struct marker_item *item = &bat->items[at];
	struct pj_str unit = {bat->text.data + item->unit_at, item->unit_len};
	struct buf key = BUF_INIT;

	if (is_document(item))
		buf_add(&key, unit.ptr, unit.len);
	else if (is_lone(item))
		readmodel_lone_key(&key, bat->generation, item->source,
				   item->offset);
	else
		readmodel_unit_key(&key, bat->generation, item->source,
				   item->unit_type, unit);
	look->docs[look->n].key.len = key.len;
	look->docs[look->n].key.ptr = buf_detach(&key, NULL);
	look->first[look->n++] = at;
}

/* What a document or unit (NULL: absent) says about its items. */
static int
judge(struct marker_batch *bat, size_t at, const struct store_doc *doc,
      struct pj_error *err)
{
	do {
		struct marker_item *item = &bat->items[at];
		int64_t first = 0, tail = 0;
		bool has = false;

		if (doc->bson && marker_read(doc->bson, doc->len, item->source,
					     &has, &first, &tail, err))
			return pj_error_set(err, err->cls, "%s: %s: %.*s",
					    bat->generation, err->text,
					    (int)doc->key.len, doc->key.ptr);
		item->exists =
			has && item->offset >= first && item->offset <= tail;
	} while (++at < bat->n_items && !bat->items[at].begins);
	return 0;
}

/* A load takes only so many bytes: those that were left out are asked again. */
static int
lookup_run(struct lookup *look, struct marker_batch *bat,
	   struct store_session *ses, const char *collection,
	   struct pj_error *err)
{
	int rc = 0;

	while (rc == 0 && look->n > 0) {
		size_t n = look->n;

		if (store_load(ses, collection, look->docs, n, err))
			return -1;
		look->n = 0;
		for (size_t i = 0; i < n; i++) {
			struct store_doc *doc = &look->docs[i];

			if (doc->left_out) {
				look->first[look->n] = look->first[i];
				look->docs[look->n++] =
					(struct store_doc){.key = doc->key};
				continue;
			}
			if (rc == 0)
				rc = judge(bat, look->first[i], doc, err);
			free(doc->bson);
			free((char *)doc->key.ptr);
		}
	}
	return rc;
}

static int
look_up(struct marker_batch *bat, struct store_session *ses, bool documents,
	struct pj_error *err)
{
	struct lookup look = {
		.docs = mem_calloc(bat->n_units, sizeof(*look.docs)),
		.first = mem_calloc(bat->n_units, sizeof(*look.first)),
	};
	int rc;

	for (size_t i = 0; i < bat->n_items; i++)
		if (bat->items[i].begins &&
		    is_document(&bat->items[i]) == documents)
			lookup_add(&look, bat, i);
	rc = lookup_run(&look, bat, ses,
			documents ? bat->generation : READMODEL_UNITS, err);
	for (size_t i = 0; i < look.n; i++)
		free((char *)look.docs[i].key.ptr);
	free(look.docs);
	free(look.first);
	return rc;
}

int
marker_batch_resolve(struct marker_batch *bat, struct store_session *ses,
		     void (*each)(void *arg, const struct marker_row *row),
		     void *arg, struct pj_error *err)
{
	if (bat->n_items == 0)
		return 0;
	if (look_up(bat, ses, true, err) || look_up(bat, ses, false, err))
		return -1;
	for (size_t i = 0; i < bat->n_items; i++) {
		const struct marker_item *item = &bat->items[i];
		const char *text = bat->text.data;

		each(arg,
		     &(struct marker_row){
			     .unit_type = item->unit_type,
			     .unit = {text + item->unit_at, item->unit_len},
			     .topic = text + item->topic_at,
			     .partition = item->partition,
			     .offset = item->offset,
			     .parked_at_ms = item->parked_at_ms,
			     .type = text + item->type_at,
			     .cause = text + item->cause_at,
			     .exists = item->exists,
		     });
	}
	bat->n_items = bat->n_units = 0;
	buf_clear(&bat->text);
	return 0;
}
