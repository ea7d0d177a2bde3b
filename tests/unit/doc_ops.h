/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents for tests: a shape with every kind of field, random folds over it,
 * and ways to look at what came out. Header only: a test is one object.
 */
#ifndef TESTS_UNIT_DOC_OPS_H
#define TESTS_UNIT_DOC_OPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "projector/doc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct pj_shape ops_line[] = {
	{.name = "id", .type = PJ_SERVED_STRING},
	{.name = "name", .type = PJ_SERVED_STRING},
	{.name = "n", .type = PJ_SERVED_INT},
	{.name = "extra", .type = PJ_SERVED_OBJECT},
	{.name = NULL},
};

static const struct pj_shape ops_place[] = {
	{.name = "lat", .type = PJ_SERVED_NUMBER},
	{.name = "lng", .type = PJ_SERVED_NUMBER},
	{.name = NULL},
};

static const struct pj_shape ops_shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "count", .type = PJ_SERVED_INT},
	{.name = "rate", .type = PJ_SERVED_NUMBER, .nullable = true},
	{.name = "open", .type = PJ_SERVED_BOOL},
	{.name = "at", .type = PJ_SERVED_DATE},
	{.name = "place", .type = PJ_SERVED_OBJECT, .of = ops_place},
	{.name = "free", .type = PJ_SERVED_OBJECT},
	{.name = "lines", .type = PJ_SERVED_LIST, .of = ops_line},
	{.name = "recent", .type = PJ_SERVED_LIST, .of = ops_line},
	{.name = "stars", .type = PJ_SERVED_MAP},
	{.name = "sold", .type = PJ_SERVED_MAP, .of = ops_line},
	{.name = NULL},
};

/* ---- Randomness: seeded, the same everywhere ------------------------------
 */

struct ops_random {
	uint64_t state;
};

static inline uint32_t
ops_next(struct ops_random *rnd, uint32_t below)
{
	/* splitmix64 */
	uint64_t z = rnd->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * below >> 32);
}

/* Short and long ones, few enough to meet again; lives until the next call. */
static inline struct pj_str
ops_text(struct ops_random *rnd)
{
	static char text[64];
	uint32_t n = ops_next(rnd, 24);
	int len;

	if (ops_next(rnd, 2))
		len = snprintf(text, sizeof(text), "t%u", n);
	else
		len = snprintf(text, sizeof(text),
			       "a rather long text, 배달 %u", n);
	return (struct pj_str){text, (size_t)len};
}

/* ---- Looking at a document --------------------------------------------------
 */

static const struct store_token ops_token = {{1, 2, 3}};

/* The stored form with revision 0; the caller releases *out. */
static inline void
ops_bytes(struct pj_doc *doc, struct buf *out)
{
	bson_iter_t iter, at;
	bson_t bson;

	*out = BUF_INIT;
	doc_encode(doc, &ops_token, out);
	assert_true(bson_init_static(&bson, (uint8_t *)out->data, out->len));
	assert_true(bson_validate(&bson, BSON_VALIDATE_UTF8, NULL));
	assert_true(bson_iter_init(&iter, &bson));
	assert_true(bson_iter_find_descendant(&iter, "_m.r", &at));
	bson_iter_overwrite_int64(&at, 0);
}

/* Cuts `_m`, which is the last field, off, and its part of the length. */
static inline void
ops_cut_meta(struct buf *bytes)
{
	bson_iter_t iter;
	bson_t bson;

	assert_true(
		bson_init_static(&bson, (uint8_t *)bytes->data, bytes->len));
	assert_true(bson_iter_init_find(&iter, &bson, "_m"));
	bytes->len = bson_iter_offset(&iter);
	assert_false(bson_iter_next(&iter));
	memset(bytes->data, 0, 4);
}

static inline void
ops_assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
}

/* As readers see it, without the closing brace's newline; caller frees. */
static inline char *
ops_json(struct pj_doc *doc)
{
	struct pj_error err = {0};
	struct buf bytes, json = BUF_INIT;

	ops_bytes(doc, &bytes);
	assert_int_equal(
		bsonjson_write(&json, (uint8_t *)bytes.data, bytes.len, &err),
		0);
	buf_release(&bytes);
	return buf_detach(&json, NULL);
}

static inline void
ops_assert_json(struct pj_doc *doc, const char *want)
{
	char *json = ops_json(doc);

	assert_string_equal(json, want);
	free(json);
}

/* ---- Random folds
 * ------------------------------------------------------------- */

static inline void
ops_scalar(struct ops_random *rnd, struct pj_node *obj, const char *name)
{
	static const double numbers[] = {0.0, -0.0, 9.04, 1e300};

	switch (ops_next(rnd, 8)) {
	case 0:
		(void)pj_set_string(obj, name, ops_text(rnd));
		break;
	case 1:
		(void)pj_set_int(obj, name, ops_next(rnd, 4));
		break;
	case 2:
		(void)pj_set_number(obj, name, numbers[ops_next(rnd, 4)]);
		break;
	case 3:
		(void)pj_set_bool(obj, name, ops_next(rnd, 2));
		break;
	case 4:
		(void)pj_set_date_ms(obj, name, ops_next(rnd, 3) * 1000);
		break;
	case 5:
		(void)pj_set_null(obj, name);
		break;
	default:
		(void)pj_unset(obj, name);
		break;
	}
}

/* A free object: any names, nested, mirrored. */
static inline void
ops_free_object(struct ops_random *rnd, struct pj_node *obj)
{
	static const char *const names[] = {"lng", "lat", "a", "_b",
					    "a name of more than 15 bytes"};
	const char *name = names[ops_next(rnd, COUNT(names))];
	struct pj_node *array;

	switch (ops_next(rnd, 6)) {
	case 0:
		ops_scalar(rnd, pj_make_object(obj, "deep"), name);
		break;
	case 1:
		array = pj_make_array(obj, "list");
		ops_scalar(rnd, pj_capped_push_back(array, 3), name);
		break;
	case 2:
		(void)pj_mirror(obj, name, pj_get_node(obj, "deep"), "lat");
		break;
	default:
		ops_scalar(rnd, obj, name);
		break;
	}
}

static inline void
ops_line_fields(struct ops_random *rnd, struct pj_node *line)
{
	if (!line)
		return;
	/* in another order than the shape's */
	ops_scalar(rnd, line, "n");
	if (ops_next(rnd, 3) == 0)
		ops_free_object(rnd, pj_make_object(line, "extra"));
	ops_scalar(rnd, line, "name");
}

static inline void
ops_lists(struct ops_random *rnd, struct pj_node *root)
{
	struct pj_node *lines, *recent;

	switch (ops_next(rnd, 6)) {
	case 0:
	case 1:
		lines = pj_make_array(root, "lines");
		ops_line_fields(rnd, pj_keyed_make(lines, "id", ops_text(rnd)));
		break;
	case 2:
		lines = pj_get_node(root, "lines");
		(void)pj_keyed_remove(lines, "id", ops_text(rnd));
		ops_line_fields(rnd, pj_keyed_find(lines, "id", ops_text(rnd)));
		break;
	case 3:
		recent = pj_capped_push_front(pj_make_array(root, "recent"), 4);
		(void)pj_set_string(recent, "id", ops_text(rnd));
		ops_line_fields(rnd, recent);
		break;
	case 4:
		recent = pj_get_node(root, "recent");
		ops_line_fields(rnd, pj_list_find(recent, "id", ops_text(rnd)));
		(void)pj_list_remove(recent, "id", ops_text(rnd));
		break;
	default:
		(void)pj_remember(pj_make_array(root, "_removed"),
				  ops_text(rnd), 5);
		break;
	}
}

static inline void
ops_maps(struct ops_random *rnd, struct pj_node *root)
{
	struct pj_error err;
	struct pj_node *map;
	char name[12];
	struct pj_str str;

	(void)snprintf(name, sizeof(name), "%d", (int)ops_next(rnd, 25) - 9);
	str = (struct pj_str){name, strlen(name)};
	switch (ops_next(rnd, 4)) {
	case 0:
		map = pj_make_object(root, "stars");
		assert_int_equal(pj_map_add(map, PJ_ORDER_NUMERIC, str,
					    (int)ops_next(rnd, 5) - 2, &err),
				 0);
		break;
	case 1:
		map = pj_make_object(root, "sold");
		ops_line_fields(
			rnd, pj_map_object(map, PJ_ORDER_BYTES, ops_text(rnd)));
		break;
	case 2:
		map = pj_get_node(root, "sold");
		(void)pj_map_remove(map, PJ_ORDER_BYTES, ops_text(rnd));
		ops_line_fields(
			rnd, pj_map_find(map, PJ_ORDER_BYTES, ops_text(rnd)));
		break;
	default:
		map = pj_get_node(root, "stars");
		(void)pj_map_remove(map, PJ_ORDER_NUMERIC, str);
		break;
	}
}

static inline void
ops_served(struct ops_random *rnd, struct pj_node *root)
{
	static const char *const names[] = {"open", "shopId", "at", "count",
					    "rate"};
	static const char *const lists[] = {"recent", "lines", "sold", "place"};

	switch (ops_next(rnd, 8)) {
	case 0:
		ops_lists(rnd, root);
		break;
	case 1:
		ops_maps(rnd, root);
		break;
	case 2:
		ops_scalar(rnd, pj_make_object(root, "place"),
			   ops_next(rnd, 2) ? "lng" : "lat");
		break;
	case 3:
		ops_free_object(rnd, pj_make_object(root, "free"));
		break;
	case 4:
		(void)pj_mirror(root, "free", root, "_part");
		break;
	case 5:
		if (pj_get_node(root, lists[ops_next(rnd, 4)]))
			(void)pj_clear(pj_get_node(root, "lines")
					       ? pj_get_node(root, "lines")
					       : root);
		break;
	default:
		ops_scalar(rnd, root, names[ops_next(rnd, COUNT(names))]);
		break;
	}
}

static inline void
ops_one(struct ops_random *rnd, struct pj_doc *doc)
{
	struct pj_node *root = pj_doc_root(doc);

	if (ops_next(rnd, 60) == 0)
		pj_doc_clear(doc);
	if (pj_doc_state(doc) == PJ_DOC_DELETED && ops_next(rnd, 3) == 0)
		pj_doc_revive(doc);
	if (pj_doc_state(doc) == PJ_DOC_DELETED || ops_next(rnd, 4) == 0)
		ops_free_object(rnd, pj_make_object(root, ops_next(rnd, 2)
								  ? "_part"
								  : "_more"));
	else
		ops_served(rnd, root);
}

/*
 * One fold, all of it decided by the seed and the document: source 3 at
 * `offset`. Rejects about one time in five.
 */
static inline enum doc_change
ops_fold(struct pj_doc *doc, uint64_t seed, int64_t offset)
{
	struct ops_random rnd = {seed};
	struct pj_error err;
	uint32_t n = ops_next(&rnd, 6);
	enum pj_fold result = PJ_DONE;

	doc_begin(doc);
	while (n-- > 0)
		ops_one(&rnd, doc);
	switch (ops_next(&rnd, 20)) {
	case 0:
		result = PJ_DELETE;
		break;
	case 1:
	case 2:
		result = PJ_REJECT;
		break;
	case 3: /* a module that sets what it did not declare */
		(void)pj_set_int(pj_doc_root(doc), "undeclared", 1);
		break;
	case 4:
		ops_line_fields(
			&rnd,
			pj_keyed_make(pj_make_array(pj_doc_root(doc), "lines"),
				      "no such field", ops_text(&rnd)));
		break;
	default:
		break;
	}
	return doc_end(doc, result, 3, offset, (int64_t)ops_next(&rnd, 100000),
		       &err);
}

#endif
