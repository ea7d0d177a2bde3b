/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences: what a document keeps of them, and what a fold makes of them. */
#include "tests/unit/doc_ops.h"
#include "projector/event_data.h"
#include "projector/fold.h"

/* ---- A module that does as the event says ------------------------------- */

enum { GO, STAY, REFUSE, ERASE, UNREAD, TYPES };

static const struct pj_event_type types[] = {
	[GO] = {.name = "Go"},	       [STAY] = {.name = "Stay"},
	[REFUSE] = {.name = "Refuse"}, [ERASE] = {.name = "Erase"},
	[UNREAD] = {.name = "Unread"},
};

static const struct pj_topic topic = {.size = sizeof(topic),
				      .name = "steps",
				      .types = types,
				      .n_types = TYPES};

static const struct pj_reads reads[] = {
	{&topic, PJ_BIT(GO) | PJ_BIT(STAY) | PJ_BIT(REFUSE) | PJ_BIT(ERASE)},
	{NULL, 0},
};

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	struct pj_node *root = pj_doc_root(doc);

	(void)options;
	switch (pj_event_type(ev)) {
	case GO:
		pj_doc_revive(doc);
		return pj_add(root, "count", 1, err) ? PJ_REJECT : PJ_DONE;
	case REFUSE:
		(void)pj_set_int(root, "count", 100);
		return PJ_REJECT;
	case ERASE:
		return PJ_DELETE;
	default:
		return PJ_DONE;
	}
}

struct bench {
	struct pj_option option[2];
	int64_t buckets;
	struct pj_projection desc;
	struct module mod;
	struct lane lane;
	struct partition part;
	struct pj_doc *doc;
	struct pj_error err;
	int64_t next; /* offset */
};

static void
bench_open(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->option[0] = (struct pj_option){.name = "buckets",
					  .min = 1,
					  .max = 9,
					  .def = 1,
					  .text = "",
					  .splits_key = true};
	b->buckets = 1;
	b->desc = (struct pj_projection){.name = "steps",
					 .flags = PJ_KEYED_BY_RECORD,
					 .reads = reads,
					 .shape = ops_shape,
					 .options = b->option,
					 .fold = fold};
	b->mod.desc = &b->desc;
	b->mod.options.values = &b->buckets;
	b->lane.mod = &b->mod;
	(void)snprintf(b->part.topic, sizeof(b->part.topic), "steps");
	b->part.source_index = 3;
	b->doc = doc_new(ops_shape, PJ_STR("k"));
}

static enum fold_outcome
feed_at(struct bench *b, int64_t offset, int type, int64_t sequence,
	const char *key)
{
	struct record rec = {.partition = &b->part, .offset = offset};
	struct pj_event ev = {.topic = &topic,
			      .type = type,
			      .has_time = true,
			      .time_ms = 1000 + offset,
			      .sequence = sequence,
			      .key = {key, strlen(key)}};

	memset(&b->err, 0, sizeof(b->err));
	return fold_event(&b->lane, &rec, &ev, b->doc, &b->err);
}

static enum fold_outcome
feed(struct bench *b, int type, int64_t sequence)
{
	return feed_at(b, b->next++, type, sequence, "k");
}

static int64_t
count_of(const struct bench *b)
{
	return pj_get_int(pj_doc_root(b->doc), "count");
}

/* As a write, an eviction and a load; says the revision and `t` it has then. */
static struct bsonjson_meta
bench_store(struct bench *b)
{
	struct buf bytes = BUF_INIT;
	struct bsonjson_meta meta;
	struct pj_doc *doc;

	doc_encode(b->doc, &ops_token, &bytes);
	assert_int_equal(bsonjson_meta((uint8_t *)bytes.data, bytes.len, &meta,
				       NULL, 0, &b->err),
			 0);
	assert_int_equal(doc_load(ops_shape, PJ_STR("k"), (uint8_t *)bytes.data,
				  bytes.len, &doc, &b->err),
			 0);
	doc_free(b->doc);
	b->doc = doc;
	buf_release(&bytes);
	return meta;
}

/* ---- Documents ---------------------------------------------------------- */

static void
sequences_are_kept_per_topic_and_come_back(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(doc_sequence(b.doc, "order"), 0);
	doc_set_sequence(b.doc, "order", 4);
	doc_set_sequence(b.doc, "review", INT64_MAX);
	doc_set_sequence(b.doc, "order", 5);
	doc_set_sequence(b.doc, "a.topic_with-more", 1);
	(void)bench_store(&b);
	assert_int_equal(doc_sequence(b.doc, "order"), 5);
	assert_int_equal(doc_sequence(b.doc, "review"), INT64_MAX);
	assert_int_equal(doc_sequence(b.doc, "a.topic_with-more"), 1);
	assert_int_equal(doc_sequence(b.doc, "stock"), 0);
	doc_free(b.doc);
}

/* The bytes of a document with `s` = {name: value}, or a damaged one. */
static int
load_with(const char *first, const char *second, bool integers)
{
	static const uint8_t token[16];
	bson_t bson = BSON_INITIALIZER, meta, p, s;
	struct pj_doc *doc = NULL;
	struct pj_error err;
	int rc;

	BSON_APPEND_UTF8(&bson, "_id", "k");
	BSON_APPEND_DOCUMENT_BEGIN(&bson, "_m", &meta);
	BSON_APPEND_BINARY(&meta, "w", BSON_SUBTYPE_BINARY, token, 16);
	BSON_APPEND_INT64(&meta, "r", 1);
	BSON_APPEND_INT32(&meta, "d", 2);
	BSON_APPEND_INT64(&meta, "t", 0);
	BSON_APPEND_DOCUMENT_BEGIN(&meta, "p", &p);
	bson_append_document_end(&meta, &p);
	BSON_APPEND_DOCUMENT_BEGIN(&meta, "s", &s);
	BSON_APPEND_INT64(&s, first, 1);
	if (integers)
		BSON_APPEND_INT64(&s, second, 2);
	else
		BSON_APPEND_UTF8(&s, second, "2");
	bson_append_document_end(&meta, &s);
	bson_append_document_end(&bson, &meta);
	rc = doc_load(ops_shape, PJ_STR("k"), bson_get_data(&bson), bson.len,
		      &doc, &err);
	if (rc == 0)
		doc_free(doc);
	else
		assert_int_equal(err.cls, PJ_ERROR_FATAL);
	bson_destroy(&bson);
	return rc;
}

static void
damaged_sequences_are_no_document(void **state)
{
	(void)state;
	assert_int_equal(load_with("a", "b", true), 0);
	assert_int_equal(load_with("a", "a", true), -1);
	assert_int_equal(load_with("a", "b", false), -1);
}

static void
metadata_alone_keeps_revision_and_newest_time(void **state)
{
	struct bsonjson_meta before, after;
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed(&b, GO, 1), FOLD_CHANGED);
	before = bench_store(&b);
	assert_int_equal(before.revision, 1);
	assert_int_equal(before.updated_at_ms, 1000);
	assert_int_equal(feed(&b, STAY, 2), FOLD_CHANGED);
	after = bench_store(&b);
	assert_int_equal(after.revision, before.revision);
	assert_int_equal(after.updated_at_ms, before.updated_at_ms);
	assert_int_equal(feed(&b, STAY, 3), FOLD_CHANGED);
	assert_int_equal(feed(&b, GO, 4), FOLD_CHANGED);
	assert_int_equal(feed(&b, STAY, 5), FOLD_CHANGED);
	after = bench_store(&b);
	assert_int_equal(after.revision, before.revision + 1);
	assert_int_equal(after.updated_at_ms, 1003);
	doc_free(b.doc);
}

/* ---- Folds -------------------------------------------------------------- */

static void
a_repeat_is_skipped_and_counted(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed(&b, GO, 1), FOLD_CHANGED);
	assert_int_equal(feed(&b, GO, 2), FOLD_CHANGED);
	assert_int_equal(feed(&b, GO, 2), FOLD_REPEATED);
	assert_int_equal(feed(&b, ERASE, 1), FOLD_REPEATED);
	assert_int_equal(count_of(&b), 2);
	assert_int_equal(doc_sequence(b.doc, "steps"), 2);
	assert_int_equal(b.lane.folded.repeated, 2);
	assert_int_equal(b.lane.folded.applied, 2);
	doc_free(b.doc);
}

static void
a_gap_is_told_and_leaves_the_document_as_it_was(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed(&b, GO, 2), FOLD_GAP);
	assert_int_equal(pj_doc_state(b.doc), PJ_DOC_UNKNOWN);
	assert_int_equal(feed(&b, GO, 1), FOLD_CHANGED);
	assert_int_equal(feed(&b, GO, 7), FOLD_GAP);
	assert_int_equal(b.err.cls, PJ_ERROR_INPUT);
	assert_string_equal(b.err.text, "got 7, expected 2");
	assert_string_equal(fold_cause(FOLD_GAP), "sequence gap");
	assert_string_equal(fold_cause(FOLD_REJECTED), "rejected by fold");
	assert_int_equal(count_of(&b), 1);
	assert_int_equal(doc_sequence(b.doc, "steps"), 1);
	assert_false(doc_has_applied(b.doc, 3, b.next - 1));
	doc_free(b.doc);
}

static void
what_changes_nothing_advances_and_is_written(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed(&b, STAY, 1), FOLD_CHANGED);
	assert_int_equal(b.lane.folded.unchanged, 1);
	assert_int_equal(b.lane.folded.applied, 0);
	assert_int_equal(pj_doc_state(b.doc), PJ_DOC_UNKNOWN);
	assert_int_equal(bench_store(&b).state, READMODEL_META_ONLY);
	assert_int_equal(pj_doc_state(b.doc), PJ_DOC_UNKNOWN);
	assert_int_equal(feed(&b, GO, 2), FOLD_CHANGED);
	assert_int_equal(bench_store(&b).revision, 1);
	/* Without a sequence it is as ever. */
	assert_int_equal(feed(&b, STAY, 0), FOLD_UNCHANGED);
	doc_free(b.doc);
}

static void
what_the_projection_does_not_read_advances_too(void **state)
{
	struct record rec = {.offset = 50};
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed(&b, UNREAD, 1), FOLD_CHANGED);
	rec.partition = &b.part;
	assert_int_equal(fold_sequence(&b.lane, &rec, 2, b.doc, &b.err),
			 FOLD_CHANGED);
	assert_true(doc_has_applied(b.doc, 3, 50));
	assert_int_equal(fold_sequence(&b.lane, &rec, 3, b.doc, &b.err),
			 FOLD_REPEATED);
	rec.offset++;
	assert_int_equal(fold_sequence(&b.lane, &rec, 2, b.doc, &b.err),
			 FOLD_REPEATED);
	assert_int_equal(fold_sequence(&b.lane, &rec, 4, b.doc, &b.err),
			 FOLD_GAP);
	assert_int_equal(doc_sequence(b.doc, "steps"), 2);
	assert_int_equal(feed_at(&b, 60, GO, 3, "k"), FOLD_CHANGED);
	assert_int_equal(count_of(&b), 1);
	doc_free(b.doc);
}

static void
what_is_rejected_does_not_advance_so_the_next_is_a_gap(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed(&b, GO, 1), FOLD_CHANGED);
	assert_int_equal(feed(&b, REFUSE, 2), FOLD_REJECTED);
	assert_int_equal(doc_sequence(b.doc, "steps"), 1);
	assert_int_equal(feed(&b, GO, 3), FOLD_GAP);
	assert_int_equal(feed(&b, GO, 2), FOLD_CHANGED);
	assert_int_equal(count_of(&b), 2);
	doc_free(b.doc);
}

static void
deletion_and_return_go_on_counting(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed(&b, GO, 1), FOLD_CHANGED);
	assert_int_equal(feed(&b, ERASE, 2), FOLD_CHANGED);
	(void)bench_store(&b);
	assert_int_equal(feed(&b, STAY, 3), FOLD_CHANGED);
	assert_int_equal(bench_store(&b).state, READMODEL_DELETED);
	assert_int_equal(feed(&b, GO, 1), FOLD_REPEATED);
	assert_int_equal(feed(&b, GO, 4), FOLD_CHANGED);
	assert_int_equal(pj_doc_state(b.doc), PJ_DOC_LIVE);
	doc_free(b.doc);
}

static void
nobody_checks_where_the_document_key_is_another(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(feed_at(&b, 0, GO, 5, "other"), FOLD_CHANGED);
	b.buckets = 2;
	assert_int_equal(feed_at(&b, 1, GO, 5, "k"), FOLD_CHANGED);
	b.buckets = 1;
	b.desc.flags = 0;
	assert_int_equal(feed_at(&b, 2, GO, 5, "k"), FOLD_CHANGED);
	assert_int_equal(feed_at(&b, 3, STAY, 5, "k"), FOLD_UNCHANGED);
	assert_int_equal(doc_sequence(b.doc, "steps"), 0);
	b.desc.flags = PJ_KEYED_BY_RECORD;
	assert_int_equal(feed_at(&b, 4, GO, 5, "k"), FOLD_GAP);
	assert_int_equal(feed_at(&b, 4, GO, 1, "k"), FOLD_CHANGED);
	doc_free(b.doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_are_kept_per_topic_and_come_back),
		cmocka_unit_test(damaged_sequences_are_no_document),
		cmocka_unit_test(metadata_alone_keeps_revision_and_newest_time),
		cmocka_unit_test(a_repeat_is_skipped_and_counted),
		cmocka_unit_test(
			a_gap_is_told_and_leaves_the_document_as_it_was),
		cmocka_unit_test(what_changes_nothing_advances_and_is_written),
		cmocka_unit_test(
			what_the_projection_does_not_read_advances_too),
		cmocka_unit_test(
			what_is_rejected_does_not_advance_so_the_next_is_a_gap),
		cmocka_unit_test(deletion_and_return_go_on_counting),
		cmocka_unit_test(
			nobody_checks_where_the_document_key_is_another),
	};

	return cmocka_run_group_tests_name("fold_sequence", tests, NULL, NULL);
}
