/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces on a real MongoDB. They are sent as a pipeline (adr/0020): what is
 * stored is what was sent, to the byte, and what is logged is what has changed.
 */
#include "lib/store_impl.h"
#include "tests/support/mongo_fixture.h"

#define DOCS "stock.1"
#define KEY  PJ_STR("a")

enum { DEPTH = 120 }; /* an event's is 100 at most */

/* {_id, _m: {w, r, d}}, and the fields of the JSON text. */
static bson_t *
doc_of(unsigned token, const char *json)
{
	bson_t *doc = doc_new(KEY, token, 0, 8);
	bson_error_t error;
	bson_t *more = bson_new_from_json((const uint8_t *)json, -1, &error);

	if (!more)
		fail_msg("%s: %s", json, error.message);
	assert_true(bson_concat(doc, more));
	bson_destroy(more);
	return doc;
}

static void
assert_stored(struct fixture *fx, const bson_t *want)
{
	struct store_doc doc = {.key = KEY};

	OK(fx, store_load(fx->ses, DOCS, &doc, 1, &fx->err));
	assert_non_null(doc.bson);
	assert_int_equal(doc.len, want->len);
	assert_memory_equal(doc.bson, bson_get_data(want), want->len);
	free(doc.bson);
}

static void
assert_replaced(struct fixture *fx, unsigned base, const bson_t *doc)
{
	assert_int_equal(write_one(fx, replace_of(DOCS, KEY, base, doc)),
			 STORE_APPLIED);
	assert_stored(fx, doc);
}

/* ---- What is stored ------------------------------------------------------ */

/* To each of them and back. */
static const char *const shapes[] = {
	"{}",
	"{\"a\": 1, \"b\": 2, \"c\": {\"d\": [1, 2, 3], \"e\": null}}",
	"{\"c\": {\"e\": null, \"d\": [1, 2, 3]}, \"b\": 2, \"a\": 1}",
	"{\"c\": {\"d\": [3, 2], \"e\": {}}, \"b\": 2.0, \"a\": \"1\"}",
	"{\"c\": [{\"d\": [1]}, {\"d\": [1, 2]}], \"b\": [], \"a\": {}}",
	"{\"c\": [{\"d\": [2, 1]}], \"b\": {\"\": 1}, \"a\": true}",
	/* What would be computed, were it not taken as it is. */
	"{\"a\": \"$$ROOT\", \"b\": \"$_m.w\", \"c\": {\"$add\": [1, 2]}}",
	"{\"a\": \"$$REMOVE\", \"b\": {\"$literal\": 1}, \"c\": {\"a.b\": 1}}",
	"{\"a\": \"$\", \"b\": {\"$date\": {\"$numberLong\": \"7\"}}}",
};

static void
what_replaces_is_stored_as_it_was_sent(void **state)
{
	struct fixture *fx = *state;
	enum { N = sizeof(shapes) / sizeof(shapes[0]) };
	unsigned token = 1;

	assert_int_equal(put_new(fx, DOCS, KEY, token), STORE_APPLIED);
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j++) {
			bson_t *there = doc_of(token + 1, shapes[i]);
			bson_t *back = doc_of(token + 2, shapes[j]);

			assert_replaced(fx, token, there);
			assert_replaced(fx, token + 1, back);
			token += 2;
			bson_destroy(there);
			bson_destroy(back);
		}
}

static bson_t *
doc_deep(unsigned token, int32_t at_the_bottom)
{
	bson_t *doc = doc_new(KEY, token, 0, 8);
	bson_t *inner = bson_new(), *outer;

	bson_append_int32(inner, "n", 1, at_the_bottom);
	for (int i = 0; i < DEPTH; i++) {
		outer = bson_new();
		bson_append_document(outer, "d", 1, inner);
		bson_destroy(inner);
		inner = outer;
	}
	bson_append_document(doc, "d", 1, inner);
	bson_destroy(inner);
	return doc;
}

static void
a_change_far_below_is_stored(void **state)
{
	struct fixture *fx = *state;
	bson_t *first = doc_deep(1, 1), *second = doc_deep(2, 2);

	assert_int_equal(write_one(fx, insert_of(DOCS, KEY, first)),
			 STORE_APPLIED);
	assert_replaced(fx, 1, second);
	bson_destroy(first);
	bson_destroy(second);
}

/* Of the most bytes that a document may have. */
static bson_t *
doc_largest(unsigned token)
{
	bson_t *bare = doc_new(KEY, token, 0, 0);
	bson_t *doc = doc_new(KEY, token, 0, STORE_DOCUMENT_MAX - bare->len);

	bson_destroy(bare);
	assert_int_equal(doc->len, STORE_DOCUMENT_MAX);
	return doc;
}

static void
the_largest_document_is_replaced_by_the_largest(void **state)
{
	struct fixture *fx = *state;
	bson_t *small = doc_new(KEY, 2, 0, 8);
	bson_t *first = doc_largest(1), *second = doc_largest(2);

	assert_int_equal(write_one(fx, insert_of(DOCS, KEY, first)),
			 STORE_APPLIED);
	assert_replaced(fx, 1, second);
	assert_int_equal(write_one(fx, replace_of(DOCS, KEY, 2, small)),
			 STORE_APPLIED);
	assert_replaced(fx, 2, second);
	bson_destroy(small);
	bson_destroy(first);
	bson_destroy(second);
}

/* ---- What is logged ------------------------------------------------------ */

/* Bytes of the last update of the collection in the log of operations. */
static uint32_t
logged_bytes(const struct fixture *fx)
{
	char *find = mem_printf("{\"find\": \"oplog.rs\", \"filter\": "
				"{\"ns\": \"%s." DOCS "\", \"op\": \"u\"}, "
				"\"sort\": {\"$natural\": -1}, \"limit\": 1}",
				fx->database);
	bson_t *reply = run_admin(fx, "local", find);
	const uint8_t *data;
	bson_iter_t it, at;
	uint32_t len;

	assert_true(bson_iter_init(&it, reply));
	assert_true(
		bson_iter_find_descendant(&it, "cursor.firstBatch.0.o", &at));
	bson_iter_document(&at, &len, &data);
	bson_destroy(reply);
	free(find);
	return len;
}

static void
what_is_logged_is_what_has_changed(void **state)
{
	struct fixture *fx = *state;
	enum { BYTES = 64 * 1024 };
	bson_t *first = doc_new(KEY, 1, 0, BYTES);
	bson_t *second = doc_new(KEY, 2, 0, BYTES);

	assert_int_equal(write_one(fx, insert_of(DOCS, KEY, first)),
			 STORE_APPLIED);
	assert_replaced(fx, 1, second);
	assert_in_range(logged_bytes(fx), 1, 200);
	bson_destroy(first);
	bson_destroy(second);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_setup_mongo, mongo_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_replaces_is_stored_as_it_was_sent),
		TEST(a_change_far_below_is_stored),
		TEST(the_largest_document_is_replaced_by_the_largest),
		TEST(what_is_logged_is_what_has_changed),
	};

	if (!getenv(STORE_TEST_URI)) {
		puts("store mongodb replace: NOT RUN: " STORE_TEST_URI
		     " is not set");
		return EXIT_SUCCESS;
	}
	return cmocka_run_group_tests_name("store mongodb replace", tests, NULL,
					   NULL);
}
