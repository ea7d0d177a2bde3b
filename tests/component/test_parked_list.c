/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parked rows are shown and counted: those that a marker names, on a real
 * LMDB store.
 */
#include <inttypes.h>

#include "tests/support/parked_fixture.h"
#include "projector/parked_list.h"
#include "projector/parked_marker.h"

/* ---- What parked_list() tells ------------------------------------------- */

static struct buf told; /* one line per queue */

static bool
tell(void *arg, const struct parked_queue *q)
{
	int *left = arg;

	if (q->orphan)
		buf_addstr(&told, "orphan ");
	parked_key(&told, q->unit_type, q->unit, q->topic, q->partition,
		   q->offset);
	buf_printf(&told,
		   " %s/%" PRId32 "@%" PRId64 "..%" PRId64 " n=%" PRId64
		   " %s %s\n",
		   q->topic, q->partition, q->offset, q->tail, q->n, q->type,
		   q->cause);
	return !left || --*left > 0;
}

static void
assert_told(struct fixture *fx, const struct parked_filter *filter,
	    const char *expected)
{
	buf_release(&told);
	buf_addstr(&told, "");
	OK(fx, parked_list(fx->ses, filter, tell, NULL, &fx->err));
	assert_string_equal(told.data, expected);
}

static void
assert_list(struct fixture *fx, const char *expected)
{
	struct parked_filter filter;

	parked_filter_init(&filter, GENERATION);
	assert_told(fx, &filter, expected);
}

static int64_t
count(struct fixture *fx)
{
	int64_t n = -1;

	OK(fx, parked_count(fx->ses, GENERATION, &n, &fx->err));
	return n;
}

/* ---- Markers --------------------------------------------------------------
 */

static void
a_row_exists_when_the_documents_marker_says_so(void **state)
{
	struct fixture *fx = *state;

	park_row(fx, "document", "a", "stock", 0, 10, "missing field");
	park_row(fx, "document", "a", "stock", 0, 12, "queued");
	park_row(fx, "document", "a", "stock", 0, 15, "queued");
	assert_list(fx, "");
	assert_int_equal(count(fx), 0);
	mark_document(fx, "a", 0, (struct mark[]){{"stock", 0, 10, 15}}, 1);
	assert_list(fx, "a stock/0@10..15 n=3 Type missing field\n");
	assert_int_equal(count(fx), 3);
}

static void
rows_below_first_and_beyond_the_tail_do_not_exist(void **state)
{
	struct fixture *fx = *state;
	struct parked_filter filter;

	for (int64_t offset = 10; offset < 16; offset++)
		park_row(fx, "document", "a", "stock", 0, offset, "cause");
	/* The head is where its row is: at or above `first`. */
	mark_document(fx, "a", 0, (struct mark[]){{"stock", 0, 11, 13}}, 1);
	assert_list(fx, "a stock/0@11..13 n=3 Type cause\n");
	assert_int_equal(count(fx), 3);
	parked_filter_init(&filter, GENERATION);
	filter.orphans = true;
	assert_told(fx, &filter,
		    "a stock/0@11..13 n=3 Type cause\n"
		    "orphan a stock/0@10..15 n=3 Type cause\n");
}

static void
a_marker_of_another_source_is_none(void **state)
{
	struct fixture *fx = *state;

	park_row(fx, "document", "a", "stock", 0, 10, "cause");
	park_row(fx, "document", "a", "stock", 1, 10, "cause");
	park_row(fx, "document", "a", "price", 0, 10, "cause");
	mark_document(
		fx, "a", 0,
		(struct mark[]){{"stock", 1, 10, 10}, {"price", 0, 10, 11}}, 2);
	assert_list(fx, "a price/0@10..10 n=1 Type cause\n"
			"a stock/1@10..10 n=1 Type cause\n");
}

static void
a_document_of_which_only_parked_records_are_known_counts(void **state)
{
	struct fixture *fx = *state;

	park_row(fx, "document", "a", "stock", 0, 10, "cause");
	mark_document(fx, "a", READMODEL_META_ONLY,
		      (struct mark[]){{"stock", 0, 10, 10}}, 1);
	assert_list(fx, "a stock/0@10..10 n=1 Type cause\n");
}

static void
units_that_are_no_documents_have_markers_of_their_own(void **state)
{
	struct fixture *fx = *state;

	park_row(fx, "key", "k", "stock", 0, 10, "undecodable");
	park_row(fx, "key", "k", "stock", 0, 11, "queued");
	park_row(fx, "key", "k", "stock", 1, 5, "undecodable");
	park_row(fx, "record", "20", "stock", 0, 20, "no key");
	park_row(fx, "record", "21", "stock", 0, 21, "no key");
	/* A document of the same name says nothing about the key. */
	mark_document(fx, "k", 0, (struct mark[]){{"stock", 0, 0, 100}}, 1);
	assert_list(fx, "");
	mark_unit(fx, "key", "k", (struct mark){"stock", 0, 10, 11});
	mark_unit(fx, "record", "21", (struct mark){"stock", 0, 21, 21});
	assert_list(fx, "k stock/0@10..11 n=2 Type undecodable\n"
			"stock/0@21 stock/0@21..21 n=1 Type no key\n");
}

static void
other_generations_are_not_looked_at(void **state)
{
	struct fixture *fx = *state;
	struct parked_filter filter;

	park_row(fx, "document", "a", "stock", 0, 10, "cause");
	mark_document(fx, "a", 0, (struct mark[]){{"stock", 0, 10, 10}}, 1);
	parked_filter_init(&filter, "stock.11");
	assert_told(fx, &filter, "");
	parked_filter_init(&filter, "stock");
	assert_told(fx, &filter, "");
}

static void
a_damaged_marker_is_told_with_its_document(void **state)
{
	struct fixture *fx = *state;
	struct parked_filter filter;
	bson_t doc = BSON_INITIALIZER, meta;

	park_row(fx, "document", "a", "stock", 0, 10, "cause");
	bson_append_utf8(&doc, "_id", -1, "a", -1);
	bson_append_document_begin(&doc, "_m", -1, &meta);
	bson_append_utf8(&meta, "k", -1, "no object", -1);
	bson_append_document_end(&doc, &meta);
	put_document(fx, GENERATION, "a", &doc);
	bson_destroy(&doc);
	parked_filter_init(&filter, GENERATION);
	assert_int_equal(parked_list(fx->ses, &filter, tell, NULL, &fx->err),
			 -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
	assert_non_null(strstr(fx->err.text, GENERATION));
	assert_non_null(strstr(fx->err.text, ": a"));
}

/* ---- Much ------------------------------------------------------------------
 */

enum { MANY_UNITS = 300, LONG_QUEUE = 20000 };

static void
more_units_than_are_looked_up_at_once_are_all_told(void **state)
{
	struct fixture *fx = *state;
	char key[16];

	for (int i = 0; i < MANY_UNITS; i++) {
		(void)snprintf(key, sizeof(key), "doc-%04d", i);
		park_rows(fx, "document", key, "stock", i % 3, i, i + 1);
		if (i % 7)
			mark_document(
				fx, key, 0,
				(struct mark[]){{"stock", i % 3, i, i + 1}}, 1);
	}
	assert_int_equal(count(fx), 2 * (MANY_UNITS - (MANY_UNITS + 6) / 7));
}

static void
one_queue_longer_than_a_batch_is_one_queue(void **state)
{
	struct fixture *fx = *state;

	park_rows(fx, "document", "a", "stock", 0, 1, LONG_QUEUE);
	park_row(fx, "document", "b", "stock", 0, 1, "cause");
	mark_document(fx, "a", 0,
		      (struct mark[]){{"stock", 0, 3, LONG_QUEUE - 2}}, 1);
	mark_document(fx, "b", 0, (struct mark[]){{"stock", 0, 1, 1}}, 1);
	assert_list(fx, "a stock/0@3..19998 n=19996 Type cause\n"
			"b stock/0@1..1 n=1 Type cause\n");
}

static void
documents_that_a_load_leaves_out_are_asked_for_again(void **state)
{
	struct fixture *fx = *state;
	const char *keys[] = {"a", "b", "c", "d"};

	for (int i = 0; i < 4; i++) {
		park_row(fx, "document", keys[i], "stock", 0, 10 + i, "cause");
		mark_large_document(fx, keys[i], STORE_LOAD_BYTES / 3,
				    (struct mark){"stock", 0, 10 + i, 10 + i});
	}
	assert_list(fx, "a stock/0@10..10 n=1 Type cause\n"
			"b stock/0@11..11 n=1 Type cause\n"
			"c stock/0@12..12 n=1 Type cause\n"
			"d stock/0@13..13 n=1 Type cause\n");
}

static void
whoever_has_seen_enough_is_told_no_more(void **state)
{
	struct fixture *fx = *state;
	struct parked_filter filter;
	int left = 2;

	for (int i = 0; i < 4; i++) {
		char key[2] = {(char)('a' + i), '\0'};

		park_row(fx, "document", key, "stock", 0, i, "cause");
		mark_document(fx, key, 0, (struct mark[]){{"stock", 0, i, i}},
			      1);
	}
	parked_filter_init(&filter, GENERATION);
	buf_release(&told);
	OK(fx, parked_list(fx->ses, &filter, tell, &left, &fx->err));
	assert_string_equal(told.data, "a stock/0@0..0 n=1 Type cause\n"
				       "b stock/0@1..1 n=1 Type cause\n");
}

/* ---- Filters ---------------------------------------------------------------
 */

static void
filters_are_about_the_head(void **state)
{
	struct fixture *fx = *state;
	struct parked_filter f;

	park_row(fx, "document", "a", "stock", 0, 10, "missing field");
	park_row(fx, "document", "a", "stock", 0, 11, "queued");
	park_row(fx, "document", "b", "price", 2, 5, "wrong type");
	mark_document(fx, "a", 0, (struct mark[]){{"stock", 0, 10, 11}}, 1);
	mark_document(fx, "b", 0, (struct mark[]){{"price", 2, 5, 5}}, 1);
	parked_filter_init(&f, GENERATION);
	f.cause = "field";
	assert_told(fx, &f, "a stock/0@10..11 n=2 Type missing field\n");
	f.cause = "queued";
	assert_told(fx, &f, "");
	parked_filter_init(&f, GENERATION);
	f.topic = "price";
	assert_told(fx, &f, "b price/2@5..5 n=1 Type wrong type\n");
	parked_filter_init(&f, GENERATION);
	f.partition = 0;
	assert_told(fx, &f, "a stock/0@10..11 n=2 Type missing field\n");
	parked_filter_init(&f, GENERATION);
	f.type = "Other";
	assert_told(fx, &f, "");
	parked_filter_init(&f, GENERATION);
	f.key = "b";
	assert_told(fx, &f, "b price/2@5..5 n=1 Type wrong type\n");
	f.key = "";
	assert_told(fx, &f, "");
	/* park_row() says it was at PARKED_AT_MS plus the offset. */
	parked_filter_init(&f, GENERATION);
	f.since_at_ms = PARKED_AT_MS + 10;
	assert_told(fx, &f, "a stock/0@10..11 n=2 Type missing field\n");
	parked_filter_init(&f, GENERATION);
	f.before_at_ms = PARKED_AT_MS + 10;
	assert_told(fx, &f, "b price/2@5..5 n=1 Type wrong type\n");
}

/* ---- Names -----------------------------------------------------------------
 */

static void
assert_key(const char *unit_type, const char *unit, size_t len,
	   const char *expected)
{
	struct buf key = BUF_INIT;

	buf_addstr(&key, "");
	parked_key(&key, unit_type, (struct pj_str){unit, len}, "t", 3, 77);
	assert_string_equal(key.data, expected);
	buf_release(&key);
}

static void
a_unit_has_a_name_that_can_be_typed(void **state)
{
	(void)state;
	assert_key("document", "shop-1:101", 10, "shop-1:101");
	assert_key("key", "가게", 6, "가게");
	assert_key("document", "", 0, "");
	assert_key("record", "whatever", 8, "t/3@77");
	/* No argument of a command can hold a NUL, or what is no text. */
	assert_key("key", "a\0b", 3, "base64:YQBi");
	assert_key("key", "\xff\xfe", 2, "base64://4=");
	/* One name, one unit. */
	assert_key("key", "base64:YQBi", 11, "base64:YmFzZTY0OllRQmk=");
}

static void
a_unit_is_found_by_that_name(void **state)
{
	struct fixture *fx = *state;
	struct parked_filter f;

	park_row(fx, "key", "\xff\xfe", "stock", 0, 10, "cause");
	mark_unit(fx, "key", "\xff\xfe", (struct mark){"stock", 0, 10, 10});
	park_row(fx, "record", "11", "stock", 0, 11, "cause");
	mark_unit(fx, "record", "11", (struct mark){"stock", 0, 11, 11});
	parked_filter_init(&f, GENERATION);
	f.key = "base64://4=";
	assert_told(fx, &f, "base64://4= stock/0@10..10 n=1 Type cause\n");
	f.key = "stock/0@11";
	assert_told(fx, &f, "stock/0@11 stock/0@11..11 n=1 Type cause\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_row_exists_when_the_documents_marker_says_so),
		STORE_TEST(rows_below_first_and_beyond_the_tail_do_not_exist),
		STORE_TEST(a_marker_of_another_source_is_none),
		STORE_TEST(
			a_document_of_which_only_parked_records_are_known_counts),
		STORE_TEST(
			units_that_are_no_documents_have_markers_of_their_own),
		STORE_TEST(other_generations_are_not_looked_at),
		STORE_TEST(a_damaged_marker_is_told_with_its_document),
		STORE_TEST(more_units_than_are_looked_up_at_once_are_all_told),
		STORE_TEST(one_queue_longer_than_a_batch_is_one_queue),
		STORE_TEST(
			documents_that_a_load_leaves_out_are_asked_for_again),
		STORE_TEST(whoever_has_seen_enough_is_told_no_more),
		STORE_TEST(filters_are_about_the_head),
		cmocka_unit_test(a_unit_has_a_name_that_can_be_typed),
		STORE_TEST(a_unit_is_found_by_that_name),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_release(&told);
	return rc;
}
