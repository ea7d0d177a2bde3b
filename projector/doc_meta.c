/* SPDX-License-Identifier: Apache-2.0 */
/* A document's `_m`: written, and read back (lib/store.h says what is in it).
 */
#include <stdlib.h>
#include <string.h>

#include "lib/bsonread.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/str.h"
#include "projector/bsonwrite.h"
#include "projector/doc_data.h"

/* ---- Writing ----------------------------------------------------------------
 */

static struct pj_str
source_name(int32_t source, char room[10])
{
	return decimal((uint32_t)source, room);
}

static void
put_positions(struct buf *out, const struct pj_doc *doc)
{
	size_t positions;
	char room[10];

	(void)put_head(out, BSONREAD_OBJECT, PJ_STR("p"), 0);
	positions = open_container(out);
	for (uint32_t i = 0; i < doc->n_positions; i++)
		put_i64(out, BSONREAD_INT64,
			source_name(doc->positions[i].source, room),
			doc->positions[i].offset);
	close_container(out, positions);
}

/* Ascending by source and offset: one array per source. */
static void
put_late(struct buf *out, const struct pj_doc *doc)
{
	size_t all, one;
	char room[10];

	if (doc->n_late == 0)
		return;
	(void)put_head(out, BSONREAD_OBJECT, PJ_STR("o"), 0);
	all = open_container(out);
	for (uint32_t i = 0; i < doc->n_late;) {
		int32_t source = doc->late[i].source;
		uint32_t index = 0;

		(void)put_head(out, BSONREAD_ARRAY, source_name(source, room),
			       0);
		one = open_container(out);
		for (; i < doc->n_late && doc->late[i].source == source; i++)
			put_i64(out, BSONREAD_INT64, decimal(index++, room),
				doc->late[i].offset);
		close_container(out, one);
	}
	close_container(out, all);
}

/* Only where events are numbered; a topic's name has no NUL in it. */
static void
put_sequences(struct buf *out, const struct pj_doc *doc)
{
	size_t sequences;

	if (doc->n_sequences == 0)
		return;
	(void)put_head(out, BSONREAD_OBJECT, PJ_STR("s"), 0);
	sequences = open_container(out);
	for (uint32_t i = 0; i < doc->n_sequences; i++)
		put_i64(out, BSONREAD_INT64, str_of(doc->sequences[i].topic),
			doc->sequences[i].last);
	close_container(out, sequences);
}

static void
put_queues(struct buf *out, const struct pj_doc *doc)
{
	size_t all, one;
	char room[10];

	if (doc->n_queues == 0)
		return;
	(void)put_head(out, BSONREAD_OBJECT, PJ_STR("k"), 0);
	all = open_container(out);
	for (uint32_t i = 0; i < doc->n_queues; i++) {
		const struct doc_queue *queue = &doc->queues[i];

		(void)put_head(out, BSONREAD_OBJECT,
			       source_name(queue->source, room), 0);
		one = open_container(out);
		put_i64(out, BSONREAD_INT64, PJ_STR("first"), queue->first);
		put_i64(out, BSONREAD_INT64, PJ_STR("tail"), queue->tail);
		put_i64(out, BSONREAD_INT64, PJ_STR("n"), queue->n);
		close_container(out, one);
	}
	close_container(out, all);
}

void
doc_put_meta(struct buf *out, const struct pj_doc *doc)
{
	static const int32_t state[] = {
		[PJ_DOC_UNKNOWN] = READMODEL_META_ONLY,
		[PJ_DOC_LIVE] = READMODEL_LIVE_DOC,
		[PJ_DOC_DELETED] = READMODEL_DELETED,
	};
	size_t meta;
	uint8_t *at;

	(void)put_head(out, BSONREAD_OBJECT, str_of(READMODEL_META), 0);
	meta = open_container(out);
	at = put_head(out, BSONREAD_BINARY, PJ_STR("w"), 5 + STORE_TOKEN_BYTES);
	put_u32(at, STORE_TOKEN_BYTES);
	at[4] = 0; /* subtype: generic */
	memcpy(at + 5, doc->token.bytes, STORE_TOKEN_BYTES);
	put_i64(out, BSONREAD_INT64, PJ_STR("r"), doc->revision);
	put_u32(put_head(out, BSONREAD_INT32, PJ_STR("d"), 4),
		(uint32_t)state[doc->state]);
	put_i64(out, BSONREAD_INT64, PJ_STR("t"),
		doc->newest_ms == INT64_MIN ? 0 : doc->newest_ms);
	put_positions(out, doc);
	put_late(out, doc);
	put_sequences(out, doc);
	put_queues(out, doc);
	if (doc->state == PJ_DOC_DELETED)
		put_i64(out, BSONREAD_INT64, PJ_STR("x"), doc->deleted_at_ms);
	close_container(out, meta);
}

/* ---- Reading
 * ----------------------------------------------------------------- */

/* Calls each() for the members of an object or array; -1 when damaged. */
static int
each_member(struct pj_doc *doc, const struct bsonread_element *of,
	    int (*each)(struct pj_doc *doc, const struct bsonread_element *el,
			int64_t arg),
	    int64_t arg)
{
	struct bsonread_element el;
	struct bsonread r;
	int more;

	if ((of->type != BSONREAD_OBJECT && of->type != BSONREAD_ARRAY) ||
	    bsonread_open(&r, of->value, of->len) < 0)
		return -1;
	while ((more = bsonread_next(&r, &el)) > 0)
		if (each(doc, &el, arg) < 0)
			return -1;
	return more;
}

/* The source a member is named for, or -1. */
static int64_t
member_source(const struct bsonread_element *el)
{
	int64_t source = 0;

	if (el->name.len == 0 || el->name.len > 9)
		return -1;
	for (size_t i = 0; i < el->name.len; i++) {
		if (el->name.ptr[i] < '0' || el->name.ptr[i] > '9')
			return -1;
		source = source * 10 + (el->name.ptr[i] - '0');
	}
	return source;
}

static int
load_sequence(struct pj_doc *doc, const struct bsonread_element *el,
	      int64_t unused)
{
	char *topic = mem_strndup(el->name.ptr, el->name.len);
	int64_t last = el->type == BSONREAD_INT64 ? bsonread_i64(el->value) : 0;

	(void)unused;
	if ((last < 1 && last != DOC_SEQUENCE_UNKNOWN) ||
	    doc_sequence(doc, topic) != 0) {
		free(topic);
		return -1;
	}
	doc_add_sequence(doc, topic, last);
	return 0;
}

static int
load_late_offset(struct pj_doc *doc, const struct bsonread_element *el,
		 int64_t source)
{
	if (el->type != BSONREAD_INT64)
		return -1;
	doc_set_late(doc, (int32_t)source, bsonread_i64(el->value));
	return 0;
}

static int
load_late(struct pj_doc *doc, const struct bsonread_element *el, int64_t unused)
{
	int64_t source = member_source(el);

	(void)unused;
	return source < 0 ? -1 : each_member(doc, el, load_late_offset, source);
}

static int
load_queue(struct pj_doc *doc, const struct bsonread_element *el,
	   int64_t unused)
{
	struct doc_queue queue = {.first = -1, .tail = -1, .n = -1};
	int64_t source = member_source(el);
	struct bsonread_element member;
	struct bsonread r;
	int more;

	(void)unused;
	if (source < 0 || el->type != BSONREAD_OBJECT ||
	    bsonread_open(&r, el->value, el->len) < 0)
		return -1;
	while ((more = bsonread_next(&r, &member)) > 0) {
		int64_t *to = bsonread_is(&member, "first")  ? &queue.first
			      : bsonread_is(&member, "tail") ? &queue.tail
			      : bsonread_is(&member, "n")    ? &queue.n
							     : NULL;

		if (!to || member.type != BSONREAD_INT64)
			return -1;
		*to = bsonread_i64(member.value);
	}
	if (more < 0 || queue.first < 0 || queue.tail < queue.first ||
	    queue.n < 1 || doc_queue(doc, (int32_t)source))
		return -1;
	queue.source = (int32_t)source;
	doc_add_queue(doc, &queue);
	return 0;
}

static int
load_part(struct pj_doc *doc, const struct bsonread_element *el, int64_t unused)
{
	(void)unused;
	if (bsonread_is(el, "s"))
		return each_member(doc, el, load_sequence, 0);
	if (bsonread_is(el, "o"))
		return each_member(doc, el, load_late, 0);
	if (bsonread_is(el, "k"))
		return each_member(doc, el, load_queue, 0);
	if (bsonread_is(el, "x")) {
		if (el->type != BSONREAD_INT64)
			return -1;
		doc->deleted_at_ms = bsonread_i64(el->value);
	}
	return 0;
}

int
doc_load_meta(struct pj_doc *doc, const struct bsonread_element *meta)
{
	return each_member(doc, meta, load_part, 0);
}

int
doc_load_basics(struct pj_doc *doc, const uint8_t *bson, size_t len,
		struct pj_error *err)
{
	struct bsonjson_position few[8];
	struct bsonjson_position *positions = few;
	size_t max = sizeof(few) / sizeof(few[0]);
	struct bsonjson_meta meta;
	size_t i;
	int rc;

	rc = bsonjson_meta(bson, len, &meta, positions, max, err);
	if (rc == 0 && meta.n_positions > max) {
		max = meta.n_positions;
		positions = mem_reallocarray(NULL, max, sizeof(*positions));
		rc = bsonjson_meta(bson, len, &meta, positions, max, err);
	}
	if (rc == 0) {
		memcpy(doc->token.bytes, meta.token, sizeof(meta.token));
		doc->revision = meta.revision;
		doc->newest_ms = meta.updated_at_ms;
		doc->state = PJ_DOC_LIVE;
		if (meta.state == READMODEL_DELETED)
			doc->state = PJ_DOC_DELETED;
		if (meta.state != READMODEL_DELETED)
			doc->deleted_at_ms = 0;
		if (meta.state == READMODEL_META_ONLY) {
			doc->state = PJ_DOC_UNKNOWN;
			doc->newest_ms = INT64_MIN;
		}
		for (i = 0; i < meta.n_positions; i++)
			doc_set_position(doc, positions[i].source,
					 positions[i].offset);
	}
	if (positions != few)
		free(positions);
	return rc;
}
