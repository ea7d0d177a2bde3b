/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata that nobody wrote like that: refused, and never followed. */
#include "tests/unit/doc_ops.h"

#include "lib/mem.h"
#include "lib/readmodel.h"

static struct pj_error err;

static struct buf
encode(struct pj_doc *doc)
{
	struct buf out = BUF_INIT;

	doc_encode(doc, &ops_token, &out);
	return out;
}

/* ---- Damaged --------------------------------------------------------------
 */

/* A document whose `_m` ends as `spoil` says. */
static int
load_spoilt(int32_t d, void (*spoil)(bson_t *meta), struct pj_doc **ret_doc)
{
	static const uint8_t token[STORE_TOKEN_BYTES];
	bson_t bson = BSON_INITIALIZER, meta, p;
	uint8_t *exact;
	int rc;

	BSON_APPEND_UTF8(&bson, "_id", "k");
	BSON_APPEND_DOCUMENT_BEGIN(&bson, "_m", &meta);
	BSON_APPEND_BINARY(&meta, "w", BSON_SUBTYPE_BINARY, token,
			   sizeof(token));
	BSON_APPEND_INT64(&meta, "r", 1);
	BSON_APPEND_INT32(&meta, "d", d);
	BSON_APPEND_INT64(&meta, "t", 0);
	BSON_APPEND_DOCUMENT_BEGIN(&meta, "p", &p);
	bson_append_document_end(&meta, &p);
	spoil(&meta);
	bson_append_document_end(&bson, &meta);
	/* Not one byte more than it has: a reader too far is seen. */
	exact = mem_alloc(bson.len);
	memcpy(exact, bson_get_data(&bson), bson.len);
	memset(&err, 0, sizeof(err));
	rc = doc_load(ops_shape, PJ_STR("k"), exact, bson.len, ret_doc, &err);
	free(exact);
	bson_destroy(&bson);
	return rc;
}

/* {part: {name: ...}}, the innermost by hand. */
static void
put_one(bson_t *meta, const char *part, const char *name,
	void (*put)(bson_t *in, const char *name))
{
	bson_t inner;

	BSON_APPEND_DOCUMENT_BEGIN(meta, part, &inner);
	put(&inner, name);
	bson_append_document_end(meta, &inner);
}

static void
put_text(bson_t *in, const char *name)
{
	BSON_APPEND_UTF8(in, name, "1");
}

static void
put_int64(bson_t *in, const char *name)
{
	BSON_APPEND_INT64(in, name, 5);
}

static void
put_zero(bson_t *in, const char *name)
{
	BSON_APPEND_INT64(in, name, 0);
}

static void
put_minus_two(bson_t *in, const char *name)
{
	BSON_APPEND_INT64(in, name, -2);
}

static void
put_twice(bson_t *in, const char *name)
{
	BSON_APPEND_INT64(in, name, 5);
	BSON_APPEND_INT64(in, name, 6);
}

static void
put_array(bson_t *in, const char *name)
{
	bson_t array;

	BSON_APPEND_ARRAY_BEGIN(in, name, &array);
	BSON_APPEND_INT64(&array, "0", 5);
	bson_append_array_end(in, &array);
}

static void
put_array_of_text(bson_t *in, const char *name)
{
	bson_t array;

	BSON_APPEND_ARRAY_BEGIN(in, name, &array);
	BSON_APPEND_INT64(&array, "0", 5);
	BSON_APPEND_UTF8(&array, "1", "6");
	bson_append_array_end(in, &array);
}

static void
put_queue_of(bson_t *in, const char *name, const char *const *names,
	     const int64_t *values)
{
	bson_t queue;

	BSON_APPEND_DOCUMENT_BEGIN(in, name, &queue);
	for (size_t i = 0; names[i]; i++)
		BSON_APPEND_INT64(&queue, names[i], values[i]);
	bson_append_document_end(in, &queue);
}

#define PUT_QUEUE(NAME, NAMES, VALUES)                                         \
	static void NAME(bson_t *in, const char *name)                         \
	{                                                                      \
		static const char *const names[] = NAMES;                      \
		static const int64_t values[] = VALUES;                        \
		put_queue_of(in, name, names, values);                         \
	}
#define OF(...)                                                                \
	{                                                                      \
		__VA_ARGS__                                                    \
	}

PUT_QUEUE(put_queue, OF("first", "tail", "n", NULL), OF(5, 9, 2))
PUT_QUEUE(put_queue_without_n, OF("first", "tail", NULL), OF(5, 9))
PUT_QUEUE(put_queue_without_tail, OF("first", "n", NULL), OF(5, 1))
PUT_QUEUE(put_queue_without_first, OF("tail", "n", NULL), OF(5, 1))
PUT_QUEUE(put_queue_backwards, OF("first", "tail", "n", NULL), OF(9, 5, 2))
PUT_QUEUE(put_queue_of_nothing, OF("first", "tail", "n", NULL), OF(5, 9, 0))
PUT_QUEUE(put_queue_below_zero, OF("first", "tail", "n", NULL), OF(-5, 9, 2))
PUT_QUEUE(put_queue_with_more, OF("first", "tail", "n", "m", NULL),
	  OF(5, 9, 2, 1))

static void
put_queue_of_text(bson_t *in, const char *name)
{
	bson_t queue;

	BSON_APPEND_DOCUMENT_BEGIN(in, name, &queue);
	BSON_APPEND_INT64(&queue, "first", 5);
	BSON_APPEND_UTF8(&queue, "tail", "9");
	BSON_APPEND_INT64(&queue, "n", 2);
	bson_append_document_end(in, &queue);
}

static void
put_queue_twice(bson_t *in, const char *name)
{
	put_queue(in, name);
	put_queue(in, name);
}

#define SPOIL(NAME, PART, INNER, PUT)                                          \
	static void NAME(bson_t *meta)                                         \
	{                                                                      \
		put_one(meta, PART, INNER, PUT);                               \
	}

SPOIL(sound_o, "o", "3", put_array)
SPOIL(sound_s, "s", "order", put_int64)
SPOIL(sound_k, "k", "3", put_queue)
SPOIL(o_of_a_number, "o", "3", put_int64)
SPOIL(o_of_text, "o", "3", put_array_of_text)
SPOIL(o_of_no_source, "o", "three", put_array)
SPOIL(o_of_an_empty_name, "o", "", put_array)
SPOIL(o_of_a_source_below_zero, "o", "-3", put_array)
SPOIL(o_of_a_source_beyond, "o", "99999999999", put_array)
SPOIL(s_of_text, "s", "order", put_text)
SPOIL(s_of_zero, "s", "order", put_zero)
SPOIL(s_below_unknown, "s", "order", put_minus_two)
SPOIL(s_twice, "s", "order", put_twice)
SPOIL(k_of_a_number, "k", "3", put_int64)
SPOIL(k_of_no_source, "k", "x", put_queue)
SPOIL(k_without_n, "k", "3", put_queue_without_n)
SPOIL(k_without_tail, "k", "3", put_queue_without_tail)
SPOIL(k_without_first, "k", "3", put_queue_without_first)
SPOIL(k_backwards, "k", "3", put_queue_backwards)
SPOIL(k_of_nothing, "k", "3", put_queue_of_nothing)
SPOIL(k_below_zero, "k", "3", put_queue_below_zero)
SPOIL(k_with_more, "k", "3", put_queue_with_more)
SPOIL(k_of_text, "k", "3", put_queue_of_text)
SPOIL(k_twice, "k", "3", put_queue_twice)

static void
o_is_text(bson_t *meta)
{
	BSON_APPEND_UTF8(meta, "o", "");
}

static void
s_is_text(bson_t *meta)
{
	BSON_APPEND_UTF8(meta, "s", "");
}

static void
k_is_text(bson_t *meta)
{
	BSON_APPEND_UTF8(meta, "k", "");
}

static void
x_is_text(bson_t *meta)
{
	BSON_APPEND_UTF8(meta, "x", "1");
}

static void
x_is_five(bson_t *meta)
{
	BSON_APPEND_INT64(meta, "x", 5);
}

static void
damaged_metadata_is_refused(void **state)
{
	static const struct {
		const char *name;
		void (*spoil)(bson_t *meta);
	} bad[] = {
#define BAD(NAME) {#NAME, NAME}
		BAD(o_is_text),
		BAD(o_of_a_number),
		BAD(o_of_text),
		BAD(o_of_no_source),
		BAD(o_of_an_empty_name),
		BAD(o_of_a_source_below_zero),
		BAD(o_of_a_source_beyond),
		BAD(s_is_text),
		BAD(s_of_text),
		BAD(s_of_zero),
		BAD(s_below_unknown),
		BAD(s_twice),
		BAD(k_is_text),
		BAD(k_of_a_number),
		BAD(k_of_no_source),
		BAD(k_without_n),
		BAD(k_without_tail),
		BAD(k_without_first),
		BAD(k_backwards),
		BAD(k_of_nothing),
		BAD(k_below_zero),
		BAD(k_with_more),
		BAD(k_of_text),
		BAD(k_twice),
		BAD(x_is_text),
	};
	static void (*const good[])(bson_t * meta) = {sound_o, sound_s, sound_k,
						      x_is_five};
	struct pj_doc *doc = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (load_spoilt(READMODEL_DELETED, bad[i].spoil, &doc) == 0)
			fail_msg("%s is no document", bad[i].name);
		assert_int_equal(err.cls, PJ_ERROR_FATAL);
		assert_non_null(strstr(err.text, "\"k\""));
		assert_null(doc);
	}
	for (size_t i = 0; i < COUNT(good); i++) {
		if (load_spoilt(READMODEL_DELETED, good[i], &doc))
			fail_msg("%s", err.text);
		doc_free(doc);
		doc = NULL;
	}
}

static int64_t
deleted_at(struct pj_doc *doc)
{
	struct buf bytes = encode(doc);
	bson_iter_t iter, at;
	bson_t bson;
	int64_t x = -1;

	assert_true(bson_init_static(&bson, (uint8_t *)bytes.data, bytes.len));
	assert_true(bson_iter_init(&iter, &bson));
	if (bson_iter_find_descendant(&iter, "_m.x", &at))
		x = bson_iter_int64(&at);
	buf_release(&bytes);
	return x;
}

static void delete (struct pj_doc *doc)
{
	doc_begin(doc);
	assert_int_equal(doc_end(doc, PJ_DELETE, 3, 9, 1000, &err),
			 DOC_CHANGED);
}

static void
a_time_of_deletion_of_a_live_document_is_not_that_of_its_next(void **state)
{
	static const int32_t alive[] = {READMODEL_LIVE_DOC,
					READMODEL_META_ONLY};
	struct pj_doc *doc;

	(void)state;
	for (size_t i = 0; i < COUNT(alive); i++) {
		/* Refusing it is as good. */
		if (load_spoilt(alive[i], x_is_five, &doc)) {
			assert_int_equal(err.cls, PJ_ERROR_FATAL);
			continue;
		}
		assert_int_equal(deleted_at(doc), -1);
		delete (doc);
		doc_stamp_deleted(doc, 1234);
		assert_int_equal(deleted_at(doc), 1234);
		doc_free(doc);
	}
}

static void
no_damage_of_the_bytes_does_harm(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k")), *got;
	struct buf bytes;

	(void)state;
	delete (doc);
	doc_enqueue(doc, 3, 7);
	doc_enqueue(doc, 12, 8);
	doc_set_late(doc, 3, 2);
	doc_set_late(doc, 3, 4);
	doc_set_sequence(doc, "order", 4);
	doc_stamp_deleted(doc, 99);
	bytes = encode(doc);
	for (size_t i = 0; i < bytes.len * 8; i++) {
		uint8_t *exact = mem_alloc(bytes.len);

		memcpy(exact, bytes.data, bytes.len);
		exact[i / 8] = (uint8_t)(exact[i / 8] ^ (1u << i % 8));
		if (doc_load(ops_shape, PJ_STR("k"), exact, bytes.len, &got,
			     &err) == 0) {
			struct buf again = encode(got);

			buf_release(&again);
			doc_free(got);
		} else {
			assert_int_equal(err.cls, PJ_ERROR_FATAL);
		}
		free(exact);
	}
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(doc_load(ops_shape, PJ_STR("k"),
					  (uint8_t *)bytes.data, len, &got,
					  &err),
				 -1);
	buf_release(&bytes);
	doc_free(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_metadata_is_refused),
		cmocka_unit_test(
			a_time_of_deletion_of_a_live_document_is_not_that_of_its_next),
		cmocka_unit_test(no_damage_of_the_bytes_does_harm),
	};

	return cmocka_run_group_tests_name("doc_damage", tests, NULL, NULL);
}
