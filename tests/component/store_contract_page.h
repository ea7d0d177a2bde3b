/* SPDX-License-Identifier: Apache-2.0 */
/* The part of test_store.c that is about lists. */
#ifndef TESTS_STORE_CONTRACT_PAGE_H
#define TESTS_STORE_CONTRACT_PAGE_H

#include "lib/store_page.h"
#include "tests/support/list_fixture.h"

/* ---- Pages ------------------------------------------------------------- */

static void
a_list_of_nothing_is_one_empty_page(void **state)
{
	struct fixture *fx = *state;

	expect_list(fx, NULL, 0, "");
	make_listed(fx);
	expect_list(fx, NULL, 0, "");
	put_listed(fx, "gone", 1, READMODEL_DELETED, "{}");
	expect_list(fx, NULL, 0, "");
}

static void
pages_give_every_live_document_once_in_key_order(void **state)
{
	struct fixture *fx = *state;
	enum { N = 230 };
	struct walk all = {0}, some = {0};
	char key[16];

	make_listed(fx);
	/* Not in order; every tenth is deleted, every eleventh only metadata.
	 */
	for (unsigned i = 0; i < N; i++) {
		unsigned k = (i * 97) % N;

		(void)sprintf(key, "k%u", k);
		put_listed(fx, key, k,
			   k % 10 == 0	 ? READMODEL_DELETED
			   : k % 11 == 0 ? READMODEL_META_ONLY
					 : READMODEL_LIVE_DOC,
			   "{}");
	}
	walk_list(fx, NULL, 0, 100, &all);
	assert_int_equal(all.n, N - 23 - 20 + 2);
	assert_int_equal(all.pages, 2);
	for (size_t i = 1; i < all.n; i++)
		assert_true(strcmp(all.keys[i - 1], all.keys[i]) < 0);
	walk_list(fx, NULL, 0, 7, &some);
	assert_int_equal(some.n, all.n);
	for (size_t i = 0; i < all.n; i++)
		assert_string_equal(some.keys[i], all.keys[i]);
	walk_release(&all);
	walk_release(&some);
}

static void
the_last_page_says_so_also_when_it_is_full(void **state)
{
	struct fixture *fx = *state;
	struct store_query query = {.collection = LISTED, .limit = 2};
	struct store_page page;

	make_listed(fx);
	put_listed(fx, "a", 1, 0, "{}");
	put_listed(fx, "b", 1, 0, "{}");
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_int_equal(page.n, 2);
	assert_false(page.more);
	assert_int_equal(page.last.len, 0);
	store_page_release(&page);
	put_listed(fx, "c", 1, 0, "{}");
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_int_equal(page.n, 2);
	assert_true(page.more);
	assert_int_equal(page.last.len, 1);
	assert_memory_equal(page.last.data, "b", 1);
	store_page_release(&page);
	query.after = PJ_STR("zzz");
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_int_equal(page.n, 0);
	assert_false(page.more);
	store_page_release(&page);
}

static void
listed_keys_are_bytes_whatever_they_look_like(void **state)
{
	struct fixture *fx = *state;
	static const char *const keys[] = {" ",
					   "$where",
					   "%00",
					   "A",
					   "_id",
					   "a",
					   "a.b",
					   "a/b",
					   "ab",
					   "cafe\xcc\x81",
					   "caf\xc3\xa9",
					   "{\"$gt\":\"\"}",
					   "\xea\xb0\x80",
					   "\xf0\x9f\x9b\xb5"};
	enum { N = sizeof(keys) / sizeof(keys[0]) };
	const struct store_filter all = text_filter("areaId", "x");
	char longest[READMODEL_KEY_MAX + 1];

	make_listed(fx);
	memset(longest, 'z', READMODEL_KEY_MAX);
	longest[READMODEL_KEY_MAX] = '\0';
	put_listed(fx, longest, 1, 0, "{\"areaId\":\"x\"}");
	for (size_t i = N; i > 0; i--)
		put_listed(fx, keys[i - 1], 1, 0, "{\"areaId\":\"x\"}");
	for (size_t filtered = 0; filtered < 2; filtered++) {
		struct walk walk = {0};

		walk_list(fx, &all, filtered, 1, &walk);
		assert_int_equal(walk.n, N + 1);
		for (size_t i = 0, k = 0; i < walk.n; i++) {
			if (strcmp(walk.keys[i], longest) != 0)
				assert_string_equal(walk.keys[i], keys[k++]);
			if (i)
				assert_true(strcmp(walk.keys[i - 1],
						   walk.keys[i]) < 0);
		}
		walk_release(&walk);
	}
}

static void
a_page_takes_no_more_than_its_bytes(void **state)
{
	struct fixture *fx = *state;
	struct store_query query = {.collection = DOCS, .limit = 100};
	struct store_page page;
	size_t n = 0;

	for (unsigned i = 0; i < 5; i++) {
		char key[8];
		struct pj_str name = {key, (size_t)sprintf(key, "big%u", i)};
		bson_t *doc = doc_new(name, 1, 0, 12 << 20);

		assert_int_equal(write_one(fx, insert_of(DOCS, name, doc)),
				 STORE_APPLIED);
		bson_destroy(doc);
	}
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_int_equal(page.n, 3);
	assert_true(page.more);
	n += page.n;
	query.after = (struct pj_str){"big2", 4};
	store_page_release(&page);
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_int_equal(n + page.n, 5);
	assert_false(page.more);
	store_page_release(&page);
}

/* ---- Filters ----------------------------------------------------------- */

static void
put_typed(struct fixture *fx)
{
	put_listed(fx, "text", 1, 0, "{\"areaId\":\"5\"}");
	put_listed(fx, "int", 1, 0, "{\"areaId\":5}");
	put_listed(fx, "long", 1, 0,
		   "{\"areaId\":{\"$numberLong\":\"5000000000\"}}");
	put_listed(fx, "yes", 1, 0, "{\"areaId\":true}");
	put_listed(fx, "no", 1, 0, "{\"areaId\":false}");
	put_listed(fx, "one", 1, 0, "{\"areaId\":1}");
	put_listed(fx, "null", 1, 0, "{\"areaId\":null}");
	put_listed(fx, "object", 1, 0, "{\"areaId\":{\"x\":\"5\"}}");
	put_listed(fx, "absent", 1, 0, "{\"other\":\"5\"}");
	put_listed(fx, "deeper", 1, 0, "{\"other\":{\"areaId\":\"5\"}}");
	put_listed(fx, "empty", 1, 0, "{\"areaId\":\"\"}");
}

static void
expect_typed(struct fixture *fx)
{
	struct store_filter text = text_filter("areaId", "5"),
			    empty = text_filter("areaId", ""),
			    number = {.field = "areaId",
				      .type = STORE_FILTER_INT,
				      .number = 5},
			    truth = {.field = "areaId",
				     .type = STORE_FILTER_BOOL,
				     .number = 1};

	expect_list(fx, &text, 1, "text");
	expect_list(fx, &empty, 1, "empty");
	expect_list(fx, &number, 1, "int");
	number.number = 5000000000;
	expect_list(fx, &number, 1, "long");
	number.number = 6;
	expect_list(fx, &number, 1, "");
	expect_list(fx, &truth, 1, "yes");
	truth.number = 0;
	expect_list(fx, &truth, 1, "no");
}

static void
a_filter_gives_those_that_have_the_value_in_its_type(void **state)
{
	struct fixture *fx = *state;

	make_listed(fx);
	put_typed(fx);
	expect_typed(fx);
}

/* As of a generation that was made before there were indexes. */
static void
a_filter_without_an_index_gives_the_same(void **state)
{
	struct fixture *fx = *state;

	put_typed(fx);
	make_listed(fx);
	expect_typed(fx);
}

static void
filters_hold_all_at_once_whichever_is_indexed(void **state)
{
	struct fixture *fx = *state;
	struct store_filter f[3] = {text_filter("areaId", "x"),
				    text_filter("category", "y"),
				    text_filter("name", "z")};

	make_listed(fx);
	put_listed(fx, "a", 1, 0,
		   "{\"areaId\":\"x\",\"category\":\"y\",\"name\":\"z\"}");
	put_listed(fx, "b", 1, 0, "{\"areaId\":\"x\",\"category\":\"n\"}");
	put_listed(fx, "c", 1, 0, "{\"areaId\":\"n\",\"category\":\"y\"}");
	put_listed(fx, "d", 1, 0,
		   "{\"name\":\"n\",\"category\":\"y\",\"areaId\":\"x\"}");
	put_listed(fx, "e", 1, 0, "{\"areaId\":\"y\",\"category\":\"x\"}");
	expect_list(fx, f, 1, "a b d");
	expect_list(fx, f + 1, 1, "a c d");
	expect_list(fx, f, 2, "a d");
	expect_list(fx, f, 3, "a");
	expect_list(fx, f + 2, 1, "a");
	f[1] = text_filter("category", "nobody's");
	expect_list(fx, f, 2, "");
}

static void
a_value_is_data_whatever_it_looks_like(void **state)
{
	struct fixture *fx = *state;
	static const char *const values[] = {"$ne",	     "{\"$gt\":\"\"}",
					     "a.b",	     " ",
					     "null",	     "5",
					     "true",	     "caf\xc3\xa9",
					     "cafe\xcc\x81", "\xf0\x9f\x9b\xb5",
					     "/x/",	     "\x01",
					     "a\nb"};
	enum { N = sizeof(values) / sizeof(values[0]) };
	char key[8], longest[481];

	make_listed(fx);
	memset(longest, 'v', sizeof(longest) - 1);
	longest[480] = '\0';
	for (size_t i = 0; i < N; i++) {
		(void)sprintf(key, "k%zu", i);
		put_value(fx, key, values[i]);
	}
	/* They begin alike for longer than an index keeps as it is. */
	for (size_t len = 400; len <= 480; len += 40) {
		(void)sprintf(key, "l%zu", len);
		put_value(fx, key, longest + 480 - len);
	}
	for (size_t i = 0; i < N; i++) {
		struct store_filter f = text_filter("areaId", values[i]);

		(void)sprintf(key, "k%zu", i);
		expect_list(fx, &f, 1, key);
	}
	for (size_t len = 400; len <= 480; len += 40) {
		struct store_filter f =
			text_filter("areaId", longest + 480 - len);

		(void)sprintf(key, "l%zu", len);
		expect_list(fx, &f, 1, key);
	}
}

static void
what_is_no_query_is_refused(void **state)
{
	struct fixture *fx = *state;
	static const char *const fields[] = {"$where", "_m", "_product", "a.b",
					     ""};
	char longer[READMODEL_KEY_MAX + 1];
	struct store_query query = {.collection = LISTED};
	struct store_filter f = text_filter("", "x");
	struct store_page page;

	assert_int_equal(store_list(fx->ses, &query, &page, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
	query.limit = STORE_PAGE_MAX + 1;
	assert_int_equal(store_list(fx->ses, &query, &page, &fx->err), -1);
	query.limit = STORE_PAGE_MAX;
	query.filters = &f;
	query.n_filters = 1;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		f.field = fields[i];
		assert_int_equal(store_list(fx->ses, &query, &page, &fx->err),
				 -1);
	}
	query.n_filters = 0;
	memset(longer, 'k', sizeof(longer));
	query.after = (struct pj_str){longer, sizeof(longer)};
	assert_int_equal(store_list(fx->ses, &query, &page, &fx->err), -1);
	store_page_release(&page);
}

/* ---- Changes ----------------------------------------------------------- */

static void
a_list_follows_values_deletions_and_revivals(void **state)
{
	struct fixture *fx = *state;
	struct store_filter x = text_filter("areaId", "x"),
			    y = text_filter("areaId", "y");
	struct store_purge purge = {LISTED, PJ_STR("b"), token_of(2)};
	struct store_batch batch = {.purges = &purge, .n_purges = 1};

	make_listed(fx);
	put_listed(fx, "a", 1, 0, "{\"areaId\":\"x\"}");
	put_listed(fx, "b", 1, 0, "{\"areaId\":\"x\"}");
	expect_list(fx, &x, 1, "a b");
	change_listed(fx, "a", 1, 0, "{\"areaId\":\"y\"}");
	expect_list(fx, &x, 1, "b");
	expect_list(fx, &y, 1, "a");
	/* What a deletion leaves of a document is not listed, if it had it. */
	change_listed(fx, "b", 1, READMODEL_DELETED, "{\"areaId\":\"x\"}");
	expect_list(fx, &x, 1, "");
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	expect_list(fx, NULL, 0, "a");
	put_listed(fx, "b", 3, 0, "{\"areaId\":\"y\"}");
	expect_list(fx, &y, 1, "a b");
	change_listed(fx, "b", 3, 0, "{}");
	expect_list(fx, &y, 1, "a");
	expect_list(fx, NULL, 0, "a b");
	change_listed(fx, "b", 4, READMODEL_DELETED, "{}");
	change_listed(fx, "b", 5, 0, "{\"areaId\":\"x\"}");
	expect_list(fx, &x, 1, "b");
	/* A write that is not done moves nothing. */
	assert_int_equal(write_listed(fx, "b", 1, 9, 0, "{\"areaId\":\"y\"}"),
			 STORE_UNKNOWN);
	assert_int_equal(write_listed(fx, "b", 0, 9, 0, "{\"areaId\":\"y\"}"),
			 STORE_UNKNOWN);
	expect_list(fx, &x, 1, "b");
	expect_list(fx, &y, 1, "a");
}

static void
a_document_that_moves_between_pages_is_where_it_is_then(void **state)
{
	struct fixture *fx = *state;
	struct store_filter x = text_filter("areaId", "x");
	struct store_query query = {.collection = LISTED,
				    .filters = &x,
				    .n_filters = 1,
				    .limit = 2};
	struct store_page page;

	make_listed(fx);
	for (const char *k = "abcdef"; *k; k++)
		put_listed(fx, (char[]){*k, '\0'}, 1, 0, "{\"areaId\":\"x\"}");
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_true(page.more);
	/* One behind it goes, the last one told goes, one before it comes. */
	change_listed(fx, "c", 1, 0, "{\"areaId\":\"y\"}");
	change_listed(fx, "b", 1, READMODEL_DELETED, "{}");
	put_listed(fx, "aa", 1, 0, "{\"areaId\":\"x\"}");
	query.after = (struct pj_str){page.last.data, page.last.len};
	query.limit = 100;
	expect_query(fx, &query, "d e f");
	store_page_release(&page);
	expect_list(fx, &x, 1, "a aa d e f");
}

#endif
