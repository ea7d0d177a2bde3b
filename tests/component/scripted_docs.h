/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in memory that does what the test says with the next call: nothing,
 * all of it without an answer, all but the documents. It takes the port's place
 * at link time, keeps its promises (lib/store.h), writes down what became
 * durable in which call, and checks with every call what must never happen:
 *
 *	a document whose queue ends in a row that was not durable before
 *	a row that goes while a queue still holds it
 *	a revision that jumps, or counts where only metadata is new
 *	a position, or a checkpoint of a claim, that goes back
 */
#ifndef TESTS_COMPONENT_SCRIPTED_DOCS_H
#define TESTS_COMPONENT_SCRIPTED_DOCS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bson/bson.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store.h"

enum { SCRIPTED_POSITIONS = 8 };

struct scripted_doc {
	char *collection;
	char *key;
	size_t key_len;
	uint8_t *bson;
	size_t len;
	struct bsonjson_meta meta;
	struct bsonjson_position p[SCRIPTED_POSITIONS];
};

struct scripted_row {
	struct store_parked row; /* with copies */
	unsigned call;		 /* that made it durable */
	struct pj_str headers[8];
};

/* What a call does. */
enum mood {
	FINE,
	AWAY,	  /* nothing, and fails */
	LOST,	  /* all, and fails: the answer was lost */
	IN_DOUBT, /* all; of no document it is told */
	IN_VAIN,  /* all but the documents; nor is it told */
};

static struct {
	enum mood mood;
	unsigned calls; /* of apply */
	struct scripted_doc *docs;
	size_t n_docs, docs_cap;
	struct scripted_row *rows;
	size_t n_rows, rows_cap;
	struct store_checkpoint *points;
	size_t n_points, points_cap;
	char **audit; /* "discarded stock.1 document o steps/0@3 why by" */
	size_t n_audit, audit_cap;
	/* What became durable, as text, and in which call. */
	struct scripted_step {
		char *text;
		unsigned call;
	} * steps;
	size_t n_steps, steps_cap;
	/* A collection that takes nothing: of a validator, say. */
	const char *barred;
	/* Of a topic's partition; by the test. */
	int32_t (*source_of)(const char *topic, int32_t partition);
} scripted;

/* A document with this text in it is one the store can never hold. */
#define SCRIPTED_POISON "poison"

/* ---- The journal --------------------------------------------------------- */

static inline void
scripted_note(char *text)
{
	MEM_GROW(scripted.steps, scripted.n_steps, scripted.steps_cap);
	scripted.steps[scripted.n_steps++] =
		(struct scripted_step){text, scripted.calls};
}

/* The first call that made it durable, or 0: none did. */
static inline unsigned
scripted_call_of(const char *text)
{
	for (size_t i = 0; i < scripted.n_steps; i++)
		if (strcmp(scripted.steps[i].text, text) == 0)
			return scripted.steps[i].call;
	return 0;
}

static inline void
scripted_print(void)
{
	for (size_t i = 0; i < scripted.n_steps; i++)
		print_message("%3u %s\n", scripted.steps[i].call,
			      scripted.steps[i].text);
}

/* ---- Finding ------------------------------------------------------------- */

static inline bool
scripted_same(struct pj_str a, struct pj_str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

static inline struct scripted_doc *
scripted_doc(const char *collection, struct pj_str key)
{
	for (size_t i = 0; i < scripted.n_docs; i++) {
		struct scripted_doc *doc = &scripted.docs[i];

		if (strcmp(doc->collection, collection) == 0 &&
		    scripted_same((struct pj_str){doc->key, doc->key_len}, key))
			return doc;
	}
	return NULL;
}

static inline struct scripted_row *
scripted_row(const char *generation, const char *unit_type, struct pj_str unit,
	     const char *topic, int32_t partition, int64_t offset)
{
	for (size_t i = 0; i < scripted.n_rows; i++) {
		const struct store_parked *row = &scripted.rows[i].row;

		if (row->offset == offset && row->partition == partition &&
		    strcmp(row->generation, generation) == 0 &&
		    strcmp(row->unit_type, unit_type) == 0 &&
		    strcmp(row->topic, topic) == 0 &&
		    scripted_same(row->unit, unit))
			return &scripted.rows[i];
	}
	return NULL;
}

static inline struct store_checkpoint *
scripted_point(const char *generation, int32_t source)
{
	for (size_t i = 0; i < scripted.n_points; i++)
		if (scripted.points[i].source == source &&
		    strcmp(scripted.points[i].generation, generation) == 0)
			return &scripted.points[i];
	return NULL;
}

struct scripted_queue {
	int32_t source;
	int64_t first, tail, n;
};

/* The queues in a document's `_m.k`; how many. */
static inline size_t
scripted_queues(const struct scripted_doc *doc, struct scripted_queue ret[8])
{
	bson_iter_t top, k, one;
	bson_t bson;
	size_t n = 0;

	if (!doc)
		return 0;
	assert_true(bson_init_static(&bson, doc->bson, doc->len));
	assert_true(bson_iter_init(&top, &bson));
	if (!bson_iter_find_descendant(&top, "_m.k", &k))
		return 0;
	assert_true(bson_iter_recurse(&k, &one));
	while (bson_iter_next(&one)) {
		bson_iter_t at;

		assert_true(n < 8);
		ret[n].source = (int32_t)strtol(bson_iter_key(&one), NULL, 10);
		assert_true(bson_iter_recurse(&one, &at));
		assert_true(bson_iter_find(&at, "first"));
		ret[n].first = bson_iter_int64(&at);
		assert_true(bson_iter_recurse(&one, &at));
		assert_true(bson_iter_find(&at, "tail"));
		ret[n].tail = bson_iter_int64(&at);
		assert_true(bson_iter_recurse(&one, &at));
		assert_true(bson_iter_find(&at, "n"));
		ret[n].n = bson_iter_int64(&at);
		n++;
	}
	return n;
}

/* ---- Documents ----------------------------------------------------------- */

static inline int64_t
scripted_position(const struct scripted_doc *doc, int32_t source)
{
	for (size_t i = 0; i < doc->meta.n_positions; i++)
		if (doc->p[i].source == source)
			return doc->p[i].offset;
	return -1;
}

/* The same but for `_m`, which is last, and the length. */
static inline bool
scripted_same_content(const struct scripted_doc *a,
		      const struct scripted_doc *b)
{
	for (size_t n = 4; n + 4 <= a->len && n + 4 <= b->len; n++) {
		if (a->bson[n] != b->bson[n])
			return false;
		if (memcmp(a->bson + n, "\x03_m", 4) == 0)
			return memcmp(a->bson + n, b->bson + n, 4) == 0;
	}
	return false;
}

static inline void
scripted_check_revision(const struct scripted_doc *doc,
			const struct scripted_doc *old)
{
	bool same = old->bson ? doc->meta.state == old->meta.state &&
					scripted_same_content(doc, old)
			      : doc->meta.state == READMODEL_META_ONLY;

	if (doc->meta.revision != old->meta.revision + !same)
		fail_msg("%s/%s: revision %lld after %lld", doc->collection,
			 doc->key, (long long)doc->meta.revision,
			 (long long)old->meta.revision);
	for (size_t i = 0; i < old->meta.n_positions; i++)
		if (scripted_position(doc, old->p[i].source) < old->p[i].offset)
			fail_msg("%s/%s: position of source %d goes back",
				 doc->collection, doc->key,
				 (int)old->p[i].source);
}

/* Each queue ends in a row that was durable before this call. */
static inline void
scripted_check_queues(const struct scripted_doc *doc)
{
	struct scripted_queue queues[8];
	size_t n = scripted_queues(doc, queues);

	for (size_t q = 0; q < n; q++) {
		bool durable = false;

		for (size_t i = 0; i < scripted.n_rows; i++) {
			const struct scripted_row *r = &scripted.rows[i];

			durable |= r->call < scripted.calls &&
				   r->row.offset == queues[q].tail &&
				   scripted.source_of(r->row.topic,
						      r->row.partition) ==
					   queues[q].source;
		}
		if (!durable)
			fail_msg("%s/%s: the row at %lld of source %d is not "
				 "durable",
				 doc->collection, doc->key,
				 (long long)queues[q].tail,
				 (int)queues[q].source);
	}
}

static inline void
scripted_put(struct scripted_doc *doc, const struct store_write *w)
{
	struct scripted_doc old = {.bson = NULL};
	struct pj_error err;

	if (doc) {
		old = *doc;
	} else {
		MEM_GROW(scripted.docs, scripted.n_docs, scripted.docs_cap);
		doc = &scripted.docs[scripted.n_docs++];
		memset(doc, 0, sizeof(*doc));
		doc->collection = mem_strdup(w->collection);
		doc->key = mem_strndup(w->key.ptr, w->key.len);
		doc->key_len = w->key.len;
	}
	doc->bson = mem_alloc(w->len);
	memcpy(doc->bson, w->bson, w->len);
	doc->len = w->len;
	if (bsonjson_meta(doc->bson, doc->len, &doc->meta, doc->p,
			  SCRIPTED_POSITIONS, &err))
		fail_msg("%s", err.text);
	assert_true(doc->meta.n_positions <= SCRIPTED_POSITIONS);
	scripted_check_revision(doc, &old);
	scripted_check_queues(doc);
	scripted_note(mem_printf("doc %s/%s", doc->collection, doc->key));
	free(old.bson);
}

static inline bool
scripted_is_poison(const struct store_write *w)
{
	size_t len = strlen(SCRIPTED_POISON);

	for (size_t i = 0; i + len <= w->len; i++)
		if (memcmp(w->bson + i, SCRIPTED_POISON, len) == 0)
			return true;
	return false;
}

static inline enum store_outcome
scripted_write(struct store_write *w)
{
	struct scripted_doc *doc = scripted_doc(w->collection, w->key);

	if (scripted_is_poison(w) ||
	    (scripted.barred && strcmp(scripted.barred, w->collection) == 0)) {
		w->why = mem_strdup("its index does not take it");
		return STORE_REFUSED;
	}
	if (w->insert ? doc != NULL
		      : !doc || memcmp(doc->meta.token, w->base.bytes,
				       STORE_TOKEN_BYTES) != 0)
		return STORE_UNKNOWN;
	scripted_put(doc, w);
	return STORE_APPLIED;
}

#endif
