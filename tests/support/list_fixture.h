/* SPDX-License-Identifier: Apache-2.0 */
/* Documents with values, and lists of them as text. */
#ifndef TESTS_LIST_FIXTURE_H
#define TESTS_LIST_FIXTURE_H

#include "lib/buf.h"
#include "lib/store_page.h"
#include "tests/support/store_fixture.h"

#define LISTED "shop.1"

/* A generation with the filters areaId and category. */
static inline void
make_listed(struct fixture *fx)
{
	struct store_generation gen = {
		.projection = "shop",
		.number = 1,
		.collection = LISTED,
		.reader_json = (char *)(uintptr_t) "{\"filters\":[\"areaId\","
						   "\"category\"]}",
	};
	bool created;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	assert_true(created);
}

/* {_id, fields…, _m: {w, r, d}} */
static inline bson_t *
listed_new(const char *key, unsigned token, int32_t state, const bson_t *fields)
{
	bson_t *doc = bson_new(), meta;
	struct store_token w = token_of(token);

	bson_append_utf8(doc, "_id", 3, key, -1);
	bson_concat(doc, fields);
	bson_append_document_begin(doc, "_m", 2, &meta);
	bson_append_binary(&meta, "w", 1, BSON_SUBTYPE_BINARY, w.bytes,
			   STORE_TOKEN_BYTES);
	bson_append_int64(&meta, "r", 1, (int64_t)token);
	bson_append_int32(&meta, "d", 1, state);
	bson_append_document_end(doc, &meta);
	return doc;
}

/* base 0: an insert. */
static inline enum store_outcome
write_listed(struct fixture *fx, const char *key, unsigned base, unsigned token,
	     int32_t state, const char *json)
{
	struct pj_str name = {key, strlen(key)};
	bson_error_t error;
	bson_t *fields = bson_new_from_json((const uint8_t *)json, -1, &error);
	bson_t *doc;
	enum store_outcome outcome;

	if (!fields)
		fail_msg("%s", error.message);
	doc = listed_new(key, token, state, fields);
	outcome = write_one(fx, base ? replace_of(LISTED, name, base, doc)
				     : insert_of(LISTED, name, doc));
	bson_destroy(fields);
	bson_destroy(doc);
	return outcome;
}

static inline void
put_listed(struct fixture *fx, const char *key, unsigned token, int32_t state,
	   const char *json)
{
	assert_int_equal(write_listed(fx, key, 0, token, state, json),
			 STORE_APPLIED);
}

/* Over the one of token `base`; its own is one more. */
static inline void
change_listed(struct fixture *fx, const char *key, unsigned base, int32_t state,
	      const char *json)
{
	assert_int_equal(write_listed(fx, key, base, base + 1, state, json),
			 STORE_APPLIED);
}

/* With this value of areaId, any text. */
static inline void
put_value(struct fixture *fx, const char *key, const char *value)
{
	struct pj_str name = {key, strlen(key)};
	bson_t fields = BSON_INITIALIZER, *doc;

	bson_append_utf8(&fields, "areaId", -1, value, -1);
	doc = listed_new(key, 1, 0, &fields);
	assert_int_equal(write_one(fx, insert_of(LISTED, name, doc)),
			 STORE_APPLIED);
	bson_destroy(&fields);
	bson_destroy(doc);
}

static inline struct store_filter
text_filter(const char *field, const char *value)
{
	return (struct store_filter){.field = field,
				     .type = STORE_FILTER_STRING,
				     .text = {value, strlen(value)}};
}

/* ---- All pages --------------------------------------------------------- */

struct walk {
	char **keys;
	size_t n, cap, pages;
};

static inline void
walk_page(struct walk *walk, const struct store_page *page)
{
	bson_iter_t it;

	for (size_t i = 0; i < page->n; i++) {
		assert_true(bson_iter_init_from_data(&it, page->docs[i].bson,
						     page->docs[i].len));
		assert_true(bson_iter_find(&it, "_id"));
		assert_int_equal(page->docs[i].key.len,
				 strlen(bson_iter_utf8(&it, NULL)));
		assert_memory_equal(page->docs[i].key.ptr,
				    bson_iter_utf8(&it, NULL),
				    page->docs[i].key.len);
		MEM_GROW(walk->keys, walk->n, walk->cap);
		walk->keys[walk->n++] = mem_strdup(bson_iter_utf8(&it, NULL));
	}
	walk->pages++;
}

static inline void
walk_query(struct fixture *fx, const struct store_query *first,
	   struct walk *walk)
{
	struct store_query query = *first;
	struct buf after = BUF_INIT;
	struct store_page page;
	bool more = true;

	while (more) {
		OK(fx, store_list(fx->ses, &query, &page, &fx->err));
		assert_true(page.n <= query.limit);
		walk_page(walk, &page);
		more = page.more;
		buf_clear(&after);
		buf_add(&after, page.last.data, page.last.len);
		query.after = (struct pj_str){after.data, after.len};
		store_page_release(&page);
	}
	buf_release(&after);
}

static inline void
walk_list(struct fixture *fx, const struct store_filter *filters, size_t n,
	  size_t limit, struct walk *walk)
{
	struct store_query query = {.collection = LISTED,
				    .filters = filters,
				    .n_filters = n,
				    .limit = limit};

	walk_query(fx, &query, walk);
}

static inline void
walk_release(struct walk *walk)
{
	for (size_t i = 0; i < walk->n; i++)
		free(walk->keys[i]);
	free(walk->keys);
}

/* keys: "a b c". */
static inline void
expect_query(struct fixture *fx, const struct store_query *query,
	     const char *keys)
{
	struct walk walk = {0};
	struct buf text = BUF_INIT;

	walk_query(fx, query, &walk);
	buf_addstr(&text, "");
	for (size_t i = 0; i < walk.n; i++)
		buf_printf(&text, "%s%s", i ? " " : "", walk.keys[i]);
	assert_string_equal(text.data ? text.data : "", keys);
	buf_release(&text);
	walk_release(&walk);
}

/* In pages of every size that makes a difference. */
static inline void
expect_list(struct fixture *fx, const struct store_filter *filters, size_t n,
	    const char *keys)
{
	struct store_query query = {
		.collection = LISTED, .filters = filters, .n_filters = n};
	static const size_t limits[] = {1, 2, 100};

	for (size_t i = 0; i < 3; i++) {
		query.limit = limits[i];
		expect_query(fx, &query, keys);
	}
}

#endif
