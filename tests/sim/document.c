/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/document.h"

#include <bson/bson.h>
#include <string.h>

#include "lib/readmodel.h"
#include "tests/sim/tell.h"

enum { PLACES_MAX = 256, QUEUES_MAX = 64, SEQUENCES_MAX = 16 };

static void *
keep(struct arena *arena, const void *from, size_t n, size_t size)
{
	return n ? memcpy(arena_add(arena, n * size), from, n * size) : NULL;
}

static int32_t
source_of(const bson_iter_t *it)
{
	return (int32_t)strtol(bson_iter_key(it), NULL, 10);
}

static void
read_positions(struct arena *arena, struct document *doc, bson_iter_t it)
{
	struct place places[PLACES_MAX];
	bson_iter_t in;
	size_t n = 0;

	REQUIRE(bson_iter_recurse(&it, &in), "_m.p is no object");
	while (bson_iter_next(&in)) {
		REQUIRE(n < PLACES_MAX && BSON_ITER_HOLDS_INT64(&in), "_m.p.%s",
			bson_iter_key(&in));
		places[n++] =
			(struct place){source_of(&in), bson_iter_int64(&in)};
	}
	doc->p = keep(arena, places, n, sizeof(*places));
	doc->n_p = n;
}

static void
read_late(struct arena *arena, struct document *doc, bson_iter_t it)
{
	struct place places[PLACES_MAX];
	bson_iter_t in, list;
	size_t n = 0;

	REQUIRE(bson_iter_recurse(&it, &in), "_m.o is no object");
	while (bson_iter_next(&in)) {
		int64_t last = -1;

		REQUIRE(bson_iter_recurse(&in, &list), "_m.o.%s is no list",
			bson_iter_key(&in));
		while (bson_iter_next(&list)) {
			REQUIRE(n < PLACES_MAX && bson_iter_int64(&list) > last,
				"_m.o.%s does not ascend", bson_iter_key(&in));
			last = bson_iter_int64(&list);
			places[n++] = (struct place){source_of(&in), last};
		}
	}
	doc->o = keep(arena, places, n, sizeof(*places));
	doc->n_o = n;
}

static int64_t
int64_of(const bson_iter_t *obj, const char *name)
{
	bson_iter_t in;

	REQUIRE(bson_iter_recurse(obj, &in) && bson_iter_find(&in, name) &&
			BSON_ITER_HOLDS_INT64(&in),
		"_m: no %s", name);
	return bson_iter_int64(&in);
}

static void
read_queues(struct arena *arena, struct document *doc, bson_iter_t it)
{
	struct queue_mark marks[QUEUES_MAX];
	bson_iter_t in;
	size_t n = 0;

	REQUIRE(bson_iter_recurse(&it, &in), "_m.k is no object");
	while (bson_iter_next(&in)) {
		REQUIRE(n < QUEUES_MAX, "_m.k is too large");
		marks[n] = (struct queue_mark){
			source_of(&in), int64_of(&in, "first"),
			int64_of(&in, "tail"), int64_of(&in, "n")};
		REQUIRE(marks[n].first <= marks[n].tail && marks[n].n > 0,
			"_m.k.%d: first %lld, tail %lld, n %lld",
			(int)marks[n].source, (long long)marks[n].first,
			(long long)marks[n].tail, (long long)marks[n].n);
		n++;
	}
	doc->k = keep(arena, marks, n, sizeof(*marks));
	doc->n_k = n;
}

static void
read_sequences(struct arena *arena, struct document *doc, bson_iter_t it)
{
	struct sequence_mark marks[SEQUENCES_MAX];
	bson_iter_t in;
	size_t n = 0;

	REQUIRE(bson_iter_recurse(&it, &in), "_m.s is no object");
	while (bson_iter_next(&in)) {
		REQUIRE(n < SEQUENCES_MAX, "_m.s is too large");
		marks[n++] = (struct sequence_mark){
			arena_text(arena, bson_iter_key(&in)),
			bson_iter_int64(&in)};
	}
	doc->s = keep(arena, marks, n, sizeof(*marks));
	doc->n_s = n;
}

static void
read_token(struct document *doc, const bson_iter_t *it)
{
	const uint8_t *bytes;
	uint32_t n;

	bson_iter_binary(it, NULL, &n, &bytes);
	REQUIRE(n == STORE_TOKEN_BYTES, "_m.w has %u bytes", n);
	memcpy(doc->token.bytes, bytes, n);
}

static void
read_member(struct arena *arena, struct document *doc, const bson_iter_t *it)
{
	const char *name = bson_iter_key(it);

	if (strcmp(name, "w") == 0)
		read_token(doc, it);
	else if (strcmp(name, "r") == 0)
		doc->revision = bson_iter_int64(it);
	else if (strcmp(name, "d") == 0)
		doc->state = bson_iter_int32(it);
	else if (strcmp(name, "t") == 0)
		doc->newest_ms = bson_iter_int64(it);
	else if (strcmp(name, "x") == 0)
		doc->deleted_at_ms = bson_iter_int64(it);
	else if (strcmp(name, "p") == 0)
		read_positions(arena, doc, *it);
	else if (strcmp(name, "o") == 0)
		read_late(arena, doc, *it);
	else if (strcmp(name, "k") == 0)
		read_queues(arena, doc, *it);
	else if (strcmp(name, "s") == 0)
		read_sequences(arena, doc, *it);
	else
		broken("_m.%s: what is that?", name);
}

const struct document *
document_new(struct arena *arena, const uint8_t *bson, size_t len)
{
	struct document *doc = arena_add(arena, sizeof(*doc));
	bson_iter_t it, meta;
	bson_t b;

	doc->bson = keep(arena, bson, len, 1);
	doc->len = len;
	REQUIRE(bson_init_static(&b, doc->bson, len) && bson_iter_init(&it, &b),
		"a document is no BSON");
	while (bson_iter_next(&it) &&
	       strcmp(bson_iter_key(&it), READMODEL_META) != 0)
		continue;
	REQUIRE(bson_iter_recurse(&it, &meta), "a document has no _m");
	doc->content_len = bson_iter_offset(&it);
	while (bson_iter_next(&meta))
		read_member(arena, doc, &meta);
	return doc;
}

void
document_tell(const char *what, const struct document *doc)
{
	char *json;
	bson_t b;

	REQUIRE(bson_init_static(&b, doc->bson, doc->len), "no BSON");
	json = bson_as_relaxed_extended_json(&b, NULL);
	tell("%s %s", what, json);
	bson_free(json);
}

int64_t
document_position(const struct document *doc, int32_t source)
{
	for (size_t i = 0; doc && i < doc->n_p; i++)
		if (doc->p[i].source == source)
			return doc->p[i].offset;
	return -1;
}

bool
document_has_late(const struct document *doc, int32_t source, int64_t offset)
{
	for (size_t i = 0; doc && i < doc->n_o; i++)
		if (doc->o[i].source == source && doc->o[i].offset == offset)
			return true;
	return false;
}

const struct queue_mark *
document_queue(const struct document *doc, int32_t source)
{
	for (size_t i = 0; doc && i < doc->n_k; i++)
		if (doc->k[i].source == source)
			return &doc->k[i];
	return NULL;
}

int64_t
document_sequence(const struct document *doc, const char *topic)
{
	for (size_t i = 0; doc && i < doc->n_s; i++)
		if (strcmp(doc->s[i].topic, topic) == 0)
			return doc->s[i].last;
	return 0;
}

bool
document_same_content(const struct document *a, const struct document *b)
{
	/* The first four bytes are the length of the whole. */
	return a->content_len == b->content_len &&
	       memcmp(a->bson + 4, b->bson + 4, a->content_len - 4) == 0;
}

bool
document_is_poison(const uint8_t *bson, size_t len)
{
	size_t n = strlen(DOCUMENT_POISON);

	for (size_t i = 0; i + n <= len; i++)
		if (bson[i] == DOCUMENT_POISON[0] &&
		    memcmp(bson + i, DOCUMENT_POISON, n) == 0)
			return true;
	return false;
}
