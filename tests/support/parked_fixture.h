/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parked rows and the markers that make them exist, put into a store as the
 * protocol would leave them. Generation "stock.1".
 */
#ifndef TESTS_PARKED_FIXTURE_H
#define TESTS_PARKED_FIXTURE_H

#include "tests/support/store_fixture.h"
#include "lib/buf.h"

#define GENERATION "stock.1"
#define STORE_TEST(f)                                                          \
	cmocka_unit_test_setup_teardown(f, fixture_setup_lmdb, fixture_teardown)

static const int64_t PARKED_AT_MS = 1700000000000;

/* A queue of one source. */
struct mark {
	const char *topic;
	int32_t partition;
	int64_t first, tail;
};

static inline struct pj_str
str(const char *text)
{
	return (struct pj_str){text, strlen(text)};
}

static inline struct store_parked
parked_row(const char *unit_type, const char *unit, const char *topic,
	   int32_t partition, int64_t offset, const char *cause)
{
	return (struct store_parked){
		.generation = GENERATION,
		.unit_type = unit_type,
		.unit = str(unit),
		.topic = topic,
		.partition = partition,
		.offset = offset,
		.timestamp_ms = PARKED_AT_MS - 1000,
		.type = "Type",
		.cause = cause,
		.detail = "a detail",
		.parked_at_ms = PARKED_AT_MS + offset,
		.key = str(unit),
		.value = PJ_STR("{\"a\":1}"),
	};
}

static inline int32_t
source_of(struct fixture *fx, const char *topic, int32_t partition)
{
	int32_t index;

	OK(fx, store_source(fx->ses, topic, partition, &index, &fx->err));
	return index;
}

static inline void
park_row(struct fixture *fx, const char *unit_type, const char *unit,
	 const char *topic, int32_t partition, int64_t offset,
	 const char *cause)
{
	struct store_parked row =
		parked_row(unit_type, unit, topic, partition, offset, cause);
	struct store_batch batch = {.parked = &row, .n_parked = 1};

	(void)source_of(fx, topic, partition);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
}

/* Offsets first to last. */
static inline void
park_rows(struct fixture *fx, const char *unit_type, const char *unit,
	  const char *topic, int32_t partition, int64_t first, int64_t last)
{
	size_t n = (size_t)(last - first + 1);
	struct store_parked *rows = mem_calloc(n, sizeof(*rows));
	struct store_batch batch = {.parked = rows, .n_parked = n};

	(void)source_of(fx, topic, partition);
	for (size_t i = 0; i < n; i++)
		rows[i] = parked_row(unit_type, unit, topic, partition,
				     first + (int64_t)i, "cause");
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	free(rows);
}

static inline void
put_document(struct fixture *fx, const char *collection, const char *key,
	     const bson_t *doc)
{
	struct store_write w = insert_of(collection, str(key), doc);

	assert_int_equal(write_one(fx, w), STORE_APPLIED);
}

static inline void
append_marks(struct fixture *fx, bson_t *meta, const struct mark *marks,
	     size_t n)
{
	bson_t queues, queue;

	bson_append_document_begin(meta, "k", -1, &queues);
	for (size_t i = 0; i < n; i++) {
		char name[16];

		(void)snprintf(
			name, sizeof(name), "%d",
			source_of(fx, marks[i].topic, marks[i].partition));
		bson_append_document_begin(&queues, name, -1, &queue);
		bson_append_int64(&queue, "first", -1, marks[i].first);
		bson_append_int64(&queue, "tail", -1, marks[i].tail);
		bson_append_int64(&queue, "n", -1, 1);
		bson_append_document_end(&queues, &queue);
	}
	bson_append_document_end(meta, &queues);
}

/* {_id, text, _m: {w, r, d, k}} */
static inline void
put_marked(struct fixture *fx, const char *collection, const char *key,
	   int32_t state, size_t padding, const struct mark *marks, size_t n)
{
	static unsigned token;
	struct store_token w = token_of(++token);
	char *text = mem_alloc(padding + 1);
	bson_t doc = BSON_INITIALIZER, meta;

	memset(text, 'x', padding);
	bson_append_utf8(&doc, "_id", -1, key, -1);
	bson_append_utf8(&doc, "text", -1, text, (int)padding);
	bson_append_document_begin(&doc, "_m", -1, &meta);
	bson_append_binary(&meta, "w", -1, BSON_SUBTYPE_BINARY, w.bytes,
			   STORE_TOKEN_BYTES);
	bson_append_int64(&meta, "r", -1, 1);
	bson_append_int32(&meta, "d", -1, state);
	append_marks(fx, &meta, marks, n);
	bson_append_document_end(&doc, &meta);
	put_document(fx, collection, key, &doc);
	bson_destroy(&doc);
	free(text);
}

static inline void
mark_document(struct fixture *fx, const char *key, int32_t state,
	      const struct mark *marks, size_t n)
{
	put_marked(fx, GENERATION, key, state, 8, marks, n);
}

static inline void
mark_large_document(struct fixture *fx, const char *key, size_t padding,
		    struct mark mark)
{
	put_marked(fx, GENERATION, key, 0, padding, &mark, 1);
}

static inline void
mark_unit(struct fixture *fx, const char *unit_type, const char *unit,
	  struct mark mark)
{
	int32_t source = source_of(fx, mark.topic, mark.partition);
	struct buf key = BUF_INIT;

	if (strcmp(unit_type, "record") == 0)
		readmodel_lone_key(&key, GENERATION, source, mark.first);
	else
		readmodel_unit_key(&key, GENERATION, source, unit_type,
				   str(unit));
	put_marked(fx, READMODEL_UNITS, key.data, READMODEL_META_ONLY, 8, &mark,
		   1);
	buf_release(&key);
}

#endif
