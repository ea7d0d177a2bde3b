/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a document knows of records that wait, that came out of order and that
 * are numbered: kept, written, read back, refused when damaged.
 */
#include "tests/unit/doc_ops.h"

#include "lib/mem.h"
#include "lib/readmodel.h"

static struct pj_error err;

static const struct store_token other_token = {{9}};

static struct buf
encode(struct pj_doc *doc)
{
	struct buf out = BUF_INIT;

	doc_encode(doc, &ops_token, &out);
	return out;
}

static struct pj_doc *
load(const struct buf *bytes)
{
	struct pj_doc *doc;

	if (doc_load(ops_shape, PJ_STR("k"), (uint8_t *)bytes->data, bytes->len,
		     &doc, &err))
		fail_msg("%s", err.text);
	return doc;
}

/* As a write, an eviction and a load. */
static struct pj_doc *
reload(struct pj_doc *doc)
{
	struct buf bytes = encode(doc);
	struct pj_doc *again = load(&bytes);

	doc_free(doc);
	buf_release(&bytes);
	return again;
}

static struct bsonjson_meta
meta_of(struct pj_doc *doc)
{
	struct buf bytes = encode(doc);
	struct bsonjson_meta meta;

	assert_int_equal(bsonjson_meta((uint8_t *)bytes.data, bytes.len, &meta,
				       NULL, 0, &err),
			 0);
	buf_release(&bytes);
	return meta;
}

static void
assert_queue(const struct pj_doc *doc, int32_t source, int64_t first,
	     int64_t tail, int64_t n)
{
	const struct doc_queue *queue = doc_queue(doc, source);

	assert_non_null(queue);
	assert_int_equal(queue->source, source);
	assert_int_equal(queue->first, first);
	assert_int_equal(queue->tail, tail);
	assert_int_equal(queue->n, n);
}

static void
fold(struct pj_doc *doc, enum pj_fold result, int64_t offset, int64_t at_ms)
{
	doc_begin(doc);
	if (result == PJ_DONE) {
		pj_doc_revive(doc);
		(void)pj_set_int(pj_doc_root(doc), "count", offset);
	}
	assert_int_not_equal(doc_end(doc, result, 3, offset, at_ms, &err),
			     DOC_REJECTED);
}

/* ---- Queues ---------------------------------------------------------------
 */

static void
a_queue_begins_grows_moves_on_and_ends(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	assert_null(doc_queue(doc, 3));
	assert_false(doc_has_queues(doc));
	doc_enqueue(doc, 3, 10);
	assert_queue(doc, 3, 10, 10, 1);
	doc_enqueue(doc, 3, 15);
	doc_enqueue(doc, 3, 16);
	assert_queue(doc, 3, 10, 16, 3);
	/* The next one is somewhere behind the one that is done with. */
	doc_dequeue(doc, 3, 10);
	assert_queue(doc, 3, 11, 16, 2);
	doc_dequeue(doc, 3, 15);
	assert_queue(doc, 3, 16, 16, 1);
	doc_dequeue(doc, 3, 16);
	assert_null(doc_queue(doc, 3));
	assert_false(doc_has_queues(doc));
	doc_enqueue(doc, 3, 40);
	assert_queue(doc, 3, 40, 40, 1);
	doc_free(doc);
}

static void
each_source_has_its_own_queue(void **state)
{
	static const int32_t sources[] = {7, 0, 123456789, 3, 11};
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	for (size_t i = 0; i < COUNT(sources); i++)
		doc_enqueue(doc, sources[i], 100 + (int64_t)i);
	doc = reload(doc);
	for (size_t i = 0; i < COUNT(sources); i++)
		assert_queue(doc, sources[i], 100 + (int64_t)i,
			     100 + (int64_t)i, 1);
	assert_null(doc_queue(doc, 4));
	doc_dequeue(doc, 3, 103);
	doc_dequeue(doc, 123456789, 102);
	doc = reload(doc);
	assert_null(doc_queue(doc, 3));
	assert_null(doc_queue(doc, 123456789));
	assert_queue(doc, 0, 101, 101, 1);
	assert_queue(doc, 7, 100, 100, 1);
	assert_queue(doc, 11, 104, 104, 1);
	doc_free(doc);
}

static void
an_unknown_document_with_a_queue_exists_as_metadata_only(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));
	struct bsonjson_meta meta;

	(void)state;
	doc_enqueue(doc, 3, 10);
	assert_false(doc_is_revised(doc));
	meta = meta_of(doc);
	assert_int_equal(meta.state, READMODEL_META_ONLY);
	assert_int_equal(meta.revision, 0);
	assert_int_equal(meta.n_positions, 0);
	doc = reload(doc);
	assert_int_equal(pj_doc_state(doc), PJ_DOC_UNKNOWN);
	assert_queue(doc, 3, 10, 10, 1);
	doc_free(doc);
}

static void
queueing_revises_nothing_and_moves_no_position(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));
	struct bsonjson_meta before, after;

	(void)state;
	fold(doc, PJ_DONE, 5, 1000);
	before = meta_of(doc);
	doc_enqueue(doc, 3, 9);
	doc_set_late(doc, 3, 2);
	assert_false(doc_is_revised(doc));
	after = meta_of(doc);
	assert_int_equal(after.revision, before.revision);
	assert_int_equal(after.updated_at_ms, before.updated_at_ms);
	assert_false(doc_has_applied(doc, 3, 9));
	assert_true(doc_has_applied(doc, 3, 5));
	doc_free(doc);
}

/* ---- Out of order ---------------------------------------------------------
 */

static void
late_offsets_are_kept_per_source_and_once(void **state)
{
	static const int64_t offsets[] = {50, 3, 0, 51, 20, 3, INT64_MAX};
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));
	struct buf bytes, more;

	(void)state;
	for (size_t i = 0; i < COUNT(offsets); i++)
		doc_set_late(doc, 4, offsets[i]);
	doc_set_late(doc, 1, 20);
	bytes = encode(doc);
	doc_set_late(doc, 4, 20);
	more = encode(doc);
	ops_assert_same(&bytes, &more);
	doc = reload(doc);
	for (size_t i = 0; i < COUNT(offsets); i++)
		assert_true(doc_has_late(doc, 4, offsets[i]));
	assert_false(doc_has_late(doc, 4, 4));
	assert_false(doc_has_late(doc, 1, 50));
	assert_true(doc_has_late(doc, 1, 20));
	/* They say nothing of the position, nor does it of them. */
	assert_false(doc_has_applied(doc, 4, 3));
	doc_set_position(doc, 4, 30);
	assert_false(doc_has_late(doc, 4, 21));
	buf_release(&bytes);
	buf_release(&more);
	doc_free(doc);
}

/* Halving finds what was put in in any order, and nothing else. */
static void
late_offsets_are_found_among_many(void **state)
{
	enum { MANY = 20000 };
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	/* 7 shares no factor with it: each once, never ascending. */
	for (int64_t i = 0; i < MANY; i++)
		doc_set_late(doc, 4, i * 7 % MANY * 2);
	doc_set_late(doc, 3, 5);
	doc_set_late(doc, 5, 5);
	doc = reload(doc);
	for (int64_t i = 0; i < MANY; i++) {
		assert_true(doc_has_late(doc, 4, 2 * i));
		assert_false(doc_has_late(doc, 4, 2 * i + 1));
		assert_false(doc_has_late(doc, 3, 2 * i));
	}
	assert_false(doc_has_late(doc, 4, -1));
	assert_true(doc_has_late(doc, 3, 5));
	assert_true(doc_has_late(doc, 5, 5));
	assert_false(doc_is_late_full(doc));
	doc_free(doc);
}

/* ---- Written --------------------------------------------------------------
 */

static void
next_is(bson_iter_t *iter, const char *name, bson_type_t type)
{
	assert_true(bson_iter_next(iter));
	assert_string_equal(bson_iter_key(iter), name);
	assert_int_equal(bson_iter_type(iter), type);
}

static void
next_is_int64(bson_iter_t *iter, const char *name, int64_t value)
{
	next_is(iter, name, BSON_TYPE_INT64);
	assert_int_equal(bson_iter_int64(iter), value);
}

static void
assert_layout(bson_iter_t *meta)
{
	bson_iter_t all, one;

	next_is(meta, "o", BSON_TYPE_DOCUMENT);
	assert_true(bson_iter_recurse(meta, &all));
	next_is(&all, "2", BSON_TYPE_ARRAY);
	assert_true(bson_iter_recurse(&all, &one));
	next_is_int64(&one, "0", 7);
	next_is_int64(&one, "1", 8);
	assert_false(bson_iter_next(&one));
	next_is(&all, "10", BSON_TYPE_ARRAY);
	assert_false(bson_iter_next(&all));
	next_is(meta, "s", BSON_TYPE_DOCUMENT);
	assert_true(bson_iter_recurse(meta, &all));
	next_is_int64(&all, "order", 4);
	next_is_int64(&all, "review", -1);
	assert_false(bson_iter_next(&all));
	next_is(meta, "k", BSON_TYPE_DOCUMENT);
	assert_true(bson_iter_recurse(meta, &all));
	next_is(&all, "2", BSON_TYPE_DOCUMENT);
	assert_true(bson_iter_recurse(&all, &one));
	next_is_int64(&one, "first", 9);
	next_is_int64(&one, "tail", 12);
	next_is_int64(&one, "n", 2);
	assert_false(bson_iter_next(&one));
	next_is(&all, "10", BSON_TYPE_DOCUMENT);
	assert_false(bson_iter_next(&all));
	next_is_int64(meta, "x", 777);
	assert_false(bson_iter_next(meta));
}

static void
the_metadata_has_the_declared_layout(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));
	struct buf bytes;
	bson_iter_t iter, meta;
	bson_t bson;

	(void)state;
	fold(doc, PJ_DELETE, 1, 1000);
	doc_set_late(doc, 10, 1);
	doc_set_late(doc, 2, 8);
	doc_set_late(doc, 2, 7);
	doc_set_sequence(doc, "order", 4);
	doc_set_sequence(doc, "review", DOC_SEQUENCE_UNKNOWN);
	doc_enqueue(doc, 10, 5);
	doc_enqueue(doc, 2, 9);
	doc_enqueue(doc, 2, 12);
	doc_stamp_deleted(doc, 777);
	bytes = encode(doc);
	assert_true(bson_init_static(&bson, (uint8_t *)bytes.data, bytes.len));
	assert_true(bson_validate(&bson, BSON_VALIDATE_UTF8, NULL));
	assert_true(bson_iter_init_find(&iter, &bson, "_m"));
	assert_true(bson_iter_recurse(&iter, &meta));
	while (bson_iter_next(&meta) && strcmp(bson_iter_key(&meta), "p") != 0)
		;
	assert_layout(&meta);
	buf_release(&bytes);
	doc_free(doc);
}

static bool
has_part(struct pj_doc *doc, const char *name)
{
	struct buf bytes = encode(doc);
	bson_iter_t iter, at;
	bson_t bson;
	bool has;

	assert_true(bson_init_static(&bson, (uint8_t *)bytes.data, bytes.len));
	has = bson_iter_init(&iter, &bson) &&
	      bson_iter_find_descendant(&iter, name, &at);
	buf_release(&bytes);
	return has;
}

static void
what_is_empty_is_not_written(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	fold(doc, PJ_DONE, 1, 1000);
	doc_enqueue(doc, 3, 2);
	doc_dequeue(doc, 3, 2);
	assert_false(has_part(doc, "_m.o"));
	assert_false(has_part(doc, "_m.s"));
	assert_false(has_part(doc, "_m.k"));
	assert_false(has_part(doc, "_m.x"));
	doc_free(doc);
}

/* ---- The time of deletion -------------------------------------------------
 */

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

static void
only_a_deleted_document_has_a_time_of_deletion_and_keeps_it(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	doc_stamp_deleted(doc, 1);
	assert_int_equal(deleted_at(doc), -1);
	fold(doc, PJ_DONE, 1, 1000);
	doc_stamp_deleted(doc, 2);
	assert_int_equal(deleted_at(doc), -1);
	fold(doc, PJ_DELETE, 2, 1000);
	doc_stamp_deleted(doc, 3);
	doc_stamp_deleted(doc, 4);
	assert_int_equal(deleted_at(doc), 3);
	doc = reload(doc);
	doc_stamp_deleted(doc, 5);
	assert_int_equal(deleted_at(doc), 3);
	/* Back to life, and deleted once more: another deletion. */
	fold(doc, PJ_DONE, 3, 1000);
	doc_stamp_deleted(doc, 6);
	assert_int_equal(deleted_at(doc), -1);
	fold(doc, PJ_DELETE, 4, 1000);
	doc_stamp_deleted(doc, 7);
	assert_int_equal(deleted_at(doc), 7);
	doc_free(doc);
}

static void
a_rejected_return_to_life_keeps_the_time_of_deletion(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	fold(doc, PJ_DELETE, 1, 1000);
	doc_stamp_deleted(doc, 3);
	doc_begin(doc);
	pj_doc_revive(doc);
	assert_int_equal(doc_end(doc, PJ_REJECT, 3, 2, 1000, &err),
			 DOC_REJECTED);
	doc_stamp_deleted(doc, 9);
	assert_int_equal(deleted_at(doc), 3);
	doc_free(doc);
}

/* ---- Revisions ------------------------------------------------------------
 */

static void
a_revived_key_goes_on_from_the_highest_purged_revision(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	(void)state;
	doc_set_revision_floor(doc, 41);
	/* Metadata alone counts nothing, and keeps it. */
	doc_enqueue(doc, 3, 1);
	assert_int_equal(meta_of(doc).revision, 41);
	doc = reload(doc);
	doc_dequeue(doc, 3, 1);
	fold(doc, PJ_DONE, 1, 1000);
	assert_int_equal(meta_of(doc).revision, 42);
	doc_set_revision_floor(doc, 17);
	assert_int_equal(meta_of(doc).revision, 42);
	doc_free(doc);
}

/* ---- There and back -------------------------------------------------------
 */

/* What waits, of four sources. */
struct waiting {
	int64_t offsets[64];
	size_t at, n;
};

static void
dequeue(struct pj_doc *doc, int32_t source, struct waiting *waiting)
{
	const struct doc_queue *queue = doc_queue(doc, source);
	int64_t head = waiting->offsets[waiting->at];

	if (waiting->at == waiting->n) {
		assert_null(queue);
		return;
	}
	assert_non_null(queue);
	assert_true(queue->first <= head);
	assert_int_equal(queue->tail, waiting->offsets[waiting->n - 1]);
	assert_int_equal(queue->n, waiting->n - waiting->at);
	doc_dequeue(doc, source, head);
	waiting->at++;
}

/* One random step; offsets of a source only ever rise. */
static void
step(struct ops_random *rnd, struct pj_doc *doc, int64_t offset,
     struct waiting waiting[4])
{
	static const char *const topics[] = {"order", "review", "a.b-c"};
	uint32_t i = ops_next(rnd, 4);
	int32_t source = (int32_t)i * 7;

	switch (ops_next(rnd, 7)) {
	case 0:
	case 1:
		doc_enqueue(doc, source, offset);
		waiting[i].offsets[waiting[i].n++] = offset;
		break;
	case 2:
		dequeue(doc, source, &waiting[i]);
		break;
	case 3:
		doc_set_late(doc, source, ops_next(rnd, 1000));
		break;
	case 4:
		doc_set_sequence(doc, topics[ops_next(rnd, 3)],
				 ops_next(rnd, 4) ? offset
						  : DOC_SEQUENCE_UNKNOWN);
		break;
	case 5:
		doc_set_position(doc, source, offset);
		break;
	default:
		fold(doc, ops_next(rnd, 3) ? PJ_DONE : PJ_DELETE, offset, 9);
		if (ops_next(rnd, 2))
			doc_stamp_deleted(doc, offset);
		break;
	}
}

static void
a_document_read_back_is_written_byte_for_byte_the_same(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k")), *again;
		struct ops_random rnd = {seed};
		struct waiting waiting[4] = {0};
		struct buf first, second;
		size_t n = ops_next(&rnd, 60);

		for (size_t i = 0; i < n; i++)
			step(&rnd, doc, 10 + (int64_t)i, waiting);
		first = encode(doc);
		again = load(&first);
		second = encode(again);
		ops_assert_same(&first, &second);
		assert_int_equal(doc_has_queues(doc), doc_has_queues(again));
		/* And under another token it goes on the same way. */
		buf_clear(&first);
		buf_clear(&second);
		doc_enqueue(doc, 2, 5);
		doc_enqueue(again, 2, 5);
		doc_encode(doc, &other_token, &first);
		doc_encode(again, &other_token, &second);
		ops_assert_same(&first, &second);
		buf_release(&first);
		buf_release(&second);
		doc_free(doc);
		doc_free(again);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_begins_grows_moves_on_and_ends),
		cmocka_unit_test(each_source_has_its_own_queue),
		cmocka_unit_test(
			an_unknown_document_with_a_queue_exists_as_metadata_only),
		cmocka_unit_test(
			queueing_revises_nothing_and_moves_no_position),
		cmocka_unit_test(late_offsets_are_kept_per_source_and_once),
		cmocka_unit_test(late_offsets_are_found_among_many),
		cmocka_unit_test(the_metadata_has_the_declared_layout),
		cmocka_unit_test(what_is_empty_is_not_written),
		cmocka_unit_test(
			only_a_deleted_document_has_a_time_of_deletion_and_keeps_it),
		cmocka_unit_test(
			a_rejected_return_to_life_keeps_the_time_of_deletion),
		cmocka_unit_test(
			a_revived_key_goes_on_from_the_highest_purged_revision),
		cmocka_unit_test(
			a_document_read_back_is_written_byte_for_byte_the_same),
	};

	return cmocka_run_group_tests_name("doc_queue", tests, NULL, NULL);
}
