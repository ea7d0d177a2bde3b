/* SPDX-License-Identifier: Apache-2.0 */
/* The stored form: as libbson reads it, and read back by ourselves. */
#include "tests/unit/doc_ops.h"

#include "lib/mem.h"

static struct pj_error err;

/* ---- Written ----------------------------------------------------------------
 */

static struct pj_doc *
small(void)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("shop-1"));
	struct pj_node *root = pj_doc_root(doc);

	doc_begin(doc);
	(void)pj_set_string(pj_make_object(root, "_part"), "x", PJ_STR("y"));
	(void)pj_set_null(root, "rate");
	(void)pj_set_string(root, "shopId", PJ_STR("shop-1"));
	(void)pj_set_date_ms(root, "at", 1234);
	(void)pj_set_int(root, "count", -1);
	assert_int_equal(doc_end(doc, PJ_DONE, 12, 99, 5000, &err),
			 DOC_CHANGED);
	doc_begin(doc);
	assert_int_equal(doc_end(doc, PJ_DONE, 3, 7, 6000, &err),
			 DOC_UNCHANGED);
	return doc;
}

static void
next_is(bson_iter_t *iter, const char *name, bson_type_t type)
{
	assert_true(bson_iter_next(iter));
	assert_string_equal(bson_iter_key(iter), name);
	assert_int_equal(bson_iter_type(iter), type);
}

static void
assert_meta(bson_iter_t *iter, const struct store_token *token)
{
	const uint8_t *binary;
	bson_subtype_t subtype;
	uint32_t len;
	bson_iter_t pos;

	next_is(iter, "w", BSON_TYPE_BINARY);
	bson_iter_binary(iter, &subtype, &len, &binary);
	assert_int_equal(subtype, BSON_SUBTYPE_BINARY);
	assert_int_equal(len, STORE_TOKEN_BYTES);
	assert_memory_equal(binary, token->bytes, STORE_TOKEN_BYTES);
	next_is(iter, "r", BSON_TYPE_INT64);
	assert_int_equal(bson_iter_int64(iter), 1);
	next_is(iter, "d", BSON_TYPE_INT32);
	assert_int_equal(bson_iter_int32(iter), 0);
	next_is(iter, "t", BSON_TYPE_INT64);
	assert_int_equal(bson_iter_int64(iter), 5000);
	next_is(iter, "p", BSON_TYPE_DOCUMENT);
	assert_true(bson_iter_recurse(iter, &pos));
	next_is(&pos, "3", BSON_TYPE_INT64);
	assert_int_equal(bson_iter_int64(&pos), 7);
	next_is(&pos, "12", BSON_TYPE_INT64);
	assert_int_equal(bson_iter_int64(&pos), 99);
	assert_false(bson_iter_next(&pos));
	assert_false(bson_iter_next(iter));
}

static void
the_stored_form_has_the_declared_layout(void **state)
{
	static const struct store_token token = {"0123456789abcde"};
	struct pj_doc *doc = small();
	struct buf out = BUF_INIT;
	bson_iter_t iter, child;
	bson_t bson;

	(void)state;
	buf_addstr(&out, "kept");
	doc_encode(doc, &token, &out);
	assert_memory_equal(out.data, "kept", 4);
	assert_true(
		bson_init_static(&bson, (uint8_t *)out.data + 4, out.len - 4));
	assert_true(bson_validate(&bson, BSON_VALIDATE_UTF8, NULL));
	assert_true(bson_iter_init(&iter, &bson));
	next_is(&iter, "_id", BSON_TYPE_UTF8);
	assert_string_equal(bson_iter_utf8(&iter, NULL), "shop-1");
	next_is(&iter, "shopId", BSON_TYPE_UTF8);
	next_is(&iter, "count", BSON_TYPE_INT64);
	assert_int_equal(bson_iter_int64(&iter), -1);
	next_is(&iter, "rate", BSON_TYPE_NULL);
	next_is(&iter, "at", BSON_TYPE_DATE_TIME);
	assert_int_equal(bson_iter_date_time(&iter), 1234);
	next_is(&iter, "updatedAt", BSON_TYPE_DATE_TIME);
	assert_int_equal(bson_iter_date_time(&iter), 5000);
	next_is(&iter, "_part", BSON_TYPE_DOCUMENT);
	next_is(&iter, "_m", BSON_TYPE_DOCUMENT);
	assert_true(bson_iter_recurse(&iter, &child));
	assert_meta(&child, &token);
	assert_false(bson_iter_next(&iter));
	assert_memory_equal(doc_token(doc), &token, sizeof(token));
	assert_int_equal(doc_revision(doc), 1);
	buf_release(&out);
	doc_free(doc);
}

static void
array_items_are_named_by_their_number(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));
	struct pj_node *list;
	struct buf bytes;
	bson_iter_t iter, item;
	bson_t bson;
	char name[16];
	int i;

	(void)state;
	doc_begin(doc);
	list = pj_make_array(pj_doc_root(doc), "_removed");
	for (i = 0; i < 1234; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		assert_true(pj_remember(
			list, (struct pj_str){name, strlen(name)}, 2000));
	}
	(void)doc_end(doc, PJ_DONE, 0, 0, 0, &err);
	ops_bytes(doc, &bytes);
	assert_true(bson_init_static(&bson, (uint8_t *)bytes.data, bytes.len));
	assert_true(bson_iter_init_find(&iter, &bson, "_removed"));
	assert_true(bson_iter_recurse(&iter, &item));
	for (i = 0; bson_iter_next(&item); i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		assert_string_equal(bson_iter_key(&item), name);
		assert_string_equal(bson_iter_utf8(&item, NULL), name);
	}
	assert_int_equal(i, 1234);
	buf_release(&bytes);
	doc_free(doc);
}

/* ---- Read back
 * ------------------------------------------------------------------ */

static struct pj_doc *
reload(struct pj_doc *doc)
{
	struct store_token token;
	struct buf out = BUF_INIT;
	struct pj_doc *again = NULL;
	uint8_t *exact;

	memset(token.bytes, 7, sizeof(token.bytes));
	doc_encode(doc, &token, &out);
	exact = mem_alloc(out.len); /* so that a read behind it is seen */
	memcpy(exact, out.data, out.len);
	assert_int_equal(doc_load(ops_shape, pj_doc_key(doc), exact, out.len,
				  &again, &err),
			 0);
	assert_memory_equal(doc_token(again), &token, sizeof(token));
	assert_int_equal(doc_revision(again), doc_revision(doc));
	assert_int_equal(pj_doc_state(again), pj_doc_state(doc));
	free(exact);
	buf_release(&out);
	doc_free(doc);
	return again;
}

static void
a_document_read_back_goes_on_as_if_it_had_never_left(void **state)
{
	enum { RUNS = 80, FOLDS = 120 };
	uint64_t run;
	int64_t i;

	(void)state;
	for (run = 1; run <= RUNS; run++) {
		struct pj_doc *stays = doc_new(ops_shape, PJ_STR("k"));
		struct pj_doc *leaves = doc_new(ops_shape, PJ_STR("k"));
		struct ops_random rnd = {run};
		struct buf a, b;

		for (i = 0; i < FOLDS; i++) {
			uint64_t seed = run << 40 | (uint64_t)i;

			assert_int_equal(ops_fold(stays, seed, i),
					 ops_fold(leaves, seed, i));
			if (ops_next(&rnd, 5) == 0)
				leaves = reload(leaves);
		}
		ops_bytes(stays, &a);
		ops_bytes(leaves, &b);
		ops_assert_same(&a, &b);
		buf_release(&a);
		buf_release(&b);
		doc_free(stays);
		doc_free(leaves);
	}
}

static void
a_deleted_document_comes_back_with_its_parts_and_times(void **state)
{
	struct pj_doc *doc = small();

	(void)state;
	doc_begin(doc);
	assert_int_equal(doc_end(doc, PJ_DELETE, 3, 8, 4000, &err),
			 DOC_CHANGED);
	doc = reload(doc);
	assert_int_equal(pj_doc_state(doc), PJ_DOC_DELETED);
	assert_true(pj_node_has(pj_doc_root(doc), "_part"));
	assert_true(doc_has_applied(doc, 12, 99));
	doc_begin(doc);
	pj_doc_revive(doc);
	(void)doc_end(doc, PJ_DONE, 3, 9, 4500, &err);
	/* the newest of the whole life, the deletion included */
	ops_assert_json(doc, "{\"id\":\"shop-1\",\"updatedAt\":"
			     "\"1970-01-01T00:00:05.000Z\"}");
	doc_free(doc);
}

static void
a_document_of_metadata_only_is_unknown_and_has_no_newest_time(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	doc_begin(doc);
	assert_int_equal(doc_end(doc, PJ_DONE, 1, 5, 9, &err), DOC_UNCHANGED);
	doc = reload(doc);
	assert_int_equal(pj_doc_state(doc), PJ_DOC_UNKNOWN);
	assert_true(doc_has_applied(doc, 1, 5));
	doc_begin(doc);
	(void)pj_set_int(pj_doc_root(doc), "count", 1);
	assert_int_equal(doc_end(doc, PJ_DONE, 1, 6, -9000, &err), DOC_CHANGED);
	ops_assert_json(doc, "{\"id\":\"k\",\"count\":1,\"updatedAt\":"
			     "\"1969-12-31T23:59:51.000Z\"}");
	doc_free(doc);
}

static void
many_sources_come_back(void **state)
{
	struct pj_doc *doc = small();
	int32_t source;

	(void)state;
	for (source = 100; source > 20; source--) {
		doc_begin(doc);
		(void)doc_end(doc, PJ_DONE, source, source * 10, 0, &err);
	}
	doc = reload(doc);
	for (source = 100; source > 20; source--) {
		assert_true(doc_has_applied(doc, source, source * 10));
		assert_false(doc_has_applied(doc, source, source * 10 + 1));
	}
	doc_free(doc);
}

/* ---- Refused
 * ----------------------------------------------------------------------- */

static void
assert_refused(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = mem_alloc(len);
	struct pj_doc *doc = NULL;

	if (len)
		memcpy(exact, bytes, len);
	assert_int_equal(
		doc_load(ops_shape, PJ_STR("shop-1"), exact, len, &doc, &err),
		-1);
	assert_int_equal(err.cls, PJ_ERROR_FATAL);
	assert_null(doc);
	free(exact);
}

static void
damaged_bytes_are_no_document(void **state)
{
	struct pj_doc *doc = small();
	struct buf bytes;
	struct pj_doc *got;
	size_t i;

	(void)state;
	ops_bytes(doc, &bytes);
	for (i = 0; i < bytes.len; i++)
		assert_refused((uint8_t *)bytes.data, i);
	for (i = 0; i < bytes.len * 8; i++) {
		uint8_t *exact = mem_alloc(bytes.len);

		/* refused or not: nothing is read or freed that is not ours */
		memcpy(exact, bytes.data, bytes.len);
		exact[i / 8] = (uint8_t)(exact[i / 8] ^ (1u << i % 8));
		if (doc_load(ops_shape, PJ_STR("shop-1"), exact, bytes.len,
			     &got, &err) == 0)
			doc_free(got);
		free(exact);
	}
	buf_release(&bytes);
	doc_free(doc);
}

static void
refuse(void (*spoil)(bson_t *bson), bool good)
{
	struct pj_doc *doc = small(), *got;
	bson_t bson = BSON_INITIALIZER, stored;
	struct buf bytes;

	ops_bytes(doc, &bytes);
	assert_true(
		bson_init_static(&stored, (uint8_t *)bytes.data, bytes.len));
	spoil(&bson);
	bson_copy_to_excluding_noinit(&stored, &bson, good ? "_id" : "nothing",
				      NULL);
	if (good) {
		assert_int_equal(doc_load(ops_shape, PJ_STR("shop-1"),
					  bson_get_data(&bson), bson.len, &got,
					  &err),
				 0);
		doc_free(got);
	} else {
		assert_refused(bson_get_data(&bson), bson.len);
	}
	bson_destroy(&bson);
	buf_release(&bytes);
	doc_free(doc);
}

static void
same_id(bson_t *bson)
{
	BSON_APPEND_UTF8(bson, "_id", "shop-1");
}

static void
other_id(bson_t *bson)
{
	BSON_APPEND_UTF8(bson, "_id", "shop-2");
}

static void
undeclared_field(bson_t *bson)
{
	BSON_APPEND_INT64(bson, "undeclared", 1);
}

static void
field_twice(bson_t *bson)
{
	BSON_APPEND_INT64(bson, "count", 1);
}

static void
unwritten_type(bson_t *bson)
{
	BSON_APPEND_TIMESTAMP(bson, "free", 1, 1);
}

static void
documents_that_are_not_ours_are_refused(void **state)
{
	(void)state;
	refuse(same_id, true); /* the way of the test itself is sound */
	refuse(other_id, false);
	refuse(undeclared_field, false);
	refuse(field_twice, false);
	refuse(unwritten_type, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_stored_form_has_the_declared_layout),
		cmocka_unit_test(array_items_are_named_by_their_number),
		cmocka_unit_test(
			a_document_read_back_goes_on_as_if_it_had_never_left),
		cmocka_unit_test(
			a_deleted_document_comes_back_with_its_parts_and_times),
		cmocka_unit_test(
			a_document_of_metadata_only_is_unknown_and_has_no_newest_time),
		cmocka_unit_test(many_sources_come_back),
		cmocka_unit_test(damaged_bytes_are_no_document),
		cmocka_unit_test(documents_that_are_not_ours_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
