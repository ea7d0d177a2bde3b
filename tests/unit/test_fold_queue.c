/* SPDX-License-Identifier: Apache-2.0 */
/* Folds around parked queues: what waits, what is retried, given up, late. */
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

/* Reads no type that it did not ask for. */
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
		(void)pj_error_set(err, PJ_ERROR_INPUT, "asked to");
		return PJ_REJECT;
	case ERASE:
		return PJ_DELETE;
	case STAY:
		return PJ_DONE;
	default:
		fail_msg("asked for what it does not read");
		return PJ_REJECT;
	}
}

enum { SOURCE = 3, OTHER = 5 };

struct bench {
	struct pj_projection desc;
	struct module mod;
	struct lane lane;
	struct partition part, other;
	struct pj_doc *doc;
	struct pj_error err;
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->desc = (struct pj_projection){.name = "steps",
					 .flags = PJ_KEYED_BY_RECORD,
					 .reads = reads,
					 .shape = ops_shape,
					 .fold = fold};
	b->mod.desc = &b->desc;
	b->lane.mod = &b->mod;
	strcpy(b->part.topic, "steps");
	b->part.source_index = SOURCE;
	strcpy(b->other.topic, "steps");
	b->other.number = 1;
	b->other.source_index = OTHER;
	b->doc = doc_new(ops_shape, PJ_STR("k"));
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	doc_free(b->doc);
	free(b);
	return 0;
}

static struct pj_event
event(int64_t offset, int type, int64_t sequence)
{
	return (struct pj_event){.topic = &topic,
				 .type = type,
				 .has_time = true,
				 .time_ms = 1000 + offset,
				 .sequence = sequence,
				 .key = PJ_STR("k")};
}

static enum fold_outcome
feed(struct bench *b, int64_t offset, int type, int64_t sequence)
{
	struct record rec = {.partition = &b->part, .offset = offset};
	struct pj_event ev = event(offset, type, sequence);

	memset(&b->err, 0, sizeof(b->err));
	return fold_event(&b->lane, &rec, &ev, b->doc, &b->err);
}

static enum fold_outcome
place(struct bench *b, struct partition *part, int64_t offset)
{
	struct record rec = {.partition = part, .offset = offset};

	return fold_place(&b->lane, &rec, b->doc);
}

static enum fold_outcome
retry(struct bench *b, int64_t offset, int type, int64_t sequence)
{
	struct record rec = {.partition = &b->part, .offset = offset};
	struct pj_event ev = event(offset, type, sequence);

	memset(&b->err, 0, sizeof(b->err));
	return fold_retry(&b->lane, &rec, &ev, sequence, b->doc, &b->err);
}

/* Of a type that no table lists. */
static enum fold_outcome
retry_unlisted(struct bench *b, int64_t offset, int64_t sequence)
{
	struct record rec = {.partition = &b->part, .offset = offset};

	memset(&b->err, 0, sizeof(b->err));
	return fold_retry(&b->lane, &rec, NULL, sequence, b->doc, &b->err);
}

static enum fold_outcome
discard(struct bench *b, int64_t offset, int64_t sequence)
{
	struct record rec = {.partition = &b->part, .offset = offset};

	return fold_discard(&b->lane, &rec, sequence, b->doc);
}

static enum fold_outcome
late(struct bench *b, int64_t offset, int type)
{
	struct record rec = {.partition = &b->part, .offset = offset};
	struct pj_event ev = event(offset, type, 0);

	memset(&b->err, 0, sizeof(b->err));
	return fold_late(&b->lane, &rec, &ev, b->doc, &b->err);
}

/* What the host does with a record that is to be parked. */
static void
park(struct bench *b, int64_t offset)
{
	doc_enqueue(b->doc, SOURCE, offset);
}

static int64_t
count(const struct bench *b)
{
	return pj_get_int(pj_doc_root(b->doc), "count");
}

/* All that would be written, but for the token and the revision. */
static struct buf
snapshot(const struct bench *b)
{
	struct buf bytes;

	ops_bytes(b->doc, &bytes);
	return bytes;
}

static void
assert_same_as(const struct bench *b, struct buf *before)
{
	struct buf now = snapshot(b);

	ops_assert_same(before, &now);
	buf_release(before);
	buf_release(&now);
}

/* ---- In the log's order ---------------------------------------------------
 */

static void
a_record_has_its_place_repeats_or_queues(void **state)
{
	struct bench *b = *state;

	assert_int_equal(place(b, &b->part, 4), FOLD_CHANGED);
	assert_int_equal(feed(b, 4, GO, 0), FOLD_CHANGED);
	assert_int_equal(place(b, &b->part, 4), FOLD_REPEATED);
	assert_int_equal(place(b, &b->part, 3), FOLD_REPEATED);
	assert_int_equal(place(b, &b->part, 5), FOLD_CHANGED);
	doc_set_late(b->doc, SOURCE, 5);
	assert_int_equal(place(b, &b->part, 5), FOLD_REPEATED);
	park(b, 7);
	park(b, 9);
	/* Those that wait, and those that were applied before. */
	for (int64_t offset = 3; offset <= 9; offset++)
		assert_int_equal(place(b, &b->part, offset), FOLD_REPEATED);
	assert_int_equal(place(b, &b->part, 10), FOLD_QUEUED);
	assert_int_equal(place(b, &b->other, 7), FOLD_CHANGED);
	assert_int_equal(place(b, &b->other, 10), FOLD_CHANGED);
}

static void
what_comes_behind_a_queue_is_neither_applied_nor_tried(void **state)
{
	struct bench *b = *state;
	struct record rec = {.partition = &b->part, .offset = 12};
	struct buf before;

	assert_int_equal(feed(b, 4, GO, 1), FOLD_CHANGED);
	park(b, 7);
	before = snapshot(b);
	assert_int_equal(feed(b, 8, GO, 2), FOLD_QUEUED);
	assert_int_equal(feed(b, 9, REFUSE, 2), FOLD_QUEUED);
	assert_int_equal(feed(b, 10, GO, 99), FOLD_QUEUED);
	assert_int_equal(feed(b, 11, STAY, 0), FOLD_QUEUED);
	assert_int_equal(fold_sequence(&b->lane, &rec, 2, b->doc, &b->err),
			 FOLD_QUEUED);
	assert_int_equal(feed(b, 7, GO, 2), FOLD_REPEATED);
	assert_same_as(b, &before);
	assert_int_equal(b->lane.folded.applied, 1);
}

static void
another_source_of_the_document_flows(void **state)
{
	struct bench *b = *state;
	struct record rec = {.partition = &b->other, .offset = 2};
	struct pj_event ev = event(2, GO, 0);

	park(b, 7);
	assert_int_equal(fold_event(&b->lane, &rec, &ev, b->doc, &b->err),
			 FOLD_CHANGED);
	assert_int_equal(count(b), 1);
	assert_true(doc_has_applied(b->doc, OTHER, 2));
	assert_false(doc_has_applied(b->doc, SOURCE, 2));
}

/* ---- Retried ------------------------------------------------------------- */

static void
a_queue_is_retried_in_order_until_it_is_gone(void **state)
{
	struct bench *b = *state;

	assert_int_equal(feed(b, 4, GO, 0), FOLD_CHANGED);
	park(b, 7);
	park(b, 9);
	park(b, 10);
	assert_int_equal(retry(b, 7, GO, 0), FOLD_CHANGED);
	assert_int_equal(count(b), 2);
	assert_int_equal(doc_queue(b->doc, SOURCE)->first, 8);
	assert_int_equal(doc_queue(b->doc, SOURCE)->n, 2);
	assert_true(doc_has_applied(b->doc, SOURCE, 7));
	assert_false(doc_has_applied(b->doc, SOURCE, 8));
	/* Once more, as after an answer that was lost. */
	assert_int_equal(retry(b, 7, GO, 0), FOLD_REPEATED);
	assert_int_equal(count(b), 2);
	/* Nothing to change, and done with all the same. */
	assert_int_equal(retry(b, 9, STAY, 0), FOLD_CHANGED);
	assert_int_equal(feed(b, 11, GO, 0), FOLD_QUEUED);
	assert_int_equal(retry(b, 10, GO, 0), FOLD_CHANGED);
	assert_null(doc_queue(b->doc, SOURCE));
	assert_true(doc_has_applied(b->doc, SOURCE, 10));
	assert_int_equal(feed(b, 11, GO, 0), FOLD_CHANGED);
	assert_int_equal(count(b), 4);
	/* Of no queue at all. */
	assert_int_equal(retry(b, 10, GO, 0), FOLD_REPEATED);
	assert_int_equal(retry(b, 12, GO, 0), FOLD_REPEATED);
	assert_int_equal(count(b), 4);
}

static void
what_is_refused_again_leaves_queue_and_document_as_they_were(void **state)
{
	struct bench *b = *state;
	struct buf before;

	assert_int_equal(feed(b, 4, GO, 1), FOLD_CHANGED);
	park(b, 7);
	park(b, 9);
	before = snapshot(b);
	assert_int_equal(retry(b, 7, REFUSE, 2), FOLD_REJECTED);
	assert_int_equal(b->err.cls, PJ_ERROR_INPUT);
	assert_string_equal(b->err.text, "asked to");
	assert_int_equal(retry(b, 7, GO, 3), FOLD_GAP);
	assert_string_equal(b->err.text, "got 3, expected 2");
	assert_int_equal(retry_unlisted(b, 7, 3), FOLD_GAP);
	assert_same_as(b, &before);
}

static void
retried_records_count_in_their_sequence(void **state)
{
	struct bench *b = *state;

	assert_int_equal(feed(b, 4, GO, 1), FOLD_CHANGED);
	for (int64_t offset = 5; offset <= 10; offset++)
		park(b, offset);
	assert_int_equal(retry(b, 5, GO, 2), FOLD_CHANGED);
	/* A producer's repeat is skipped, and done with. */
	assert_int_equal(retry(b, 6, GO, 2), FOLD_CHANGED);
	assert_int_equal(count(b), 2);
	assert_int_equal(retry(b, 7, UNREAD, 3), FOLD_CHANGED);
	assert_int_equal(retry_unlisted(b, 8, 4), FOLD_CHANGED);
	assert_int_equal(retry_unlisted(b, 9, 4), FOLD_CHANGED);
	assert_int_equal(doc_sequence(b->doc, "steps"), 4);
	assert_int_equal(doc_queue(b->doc, SOURCE)->first, 10);
	/* Without a number it takes no part. */
	assert_int_equal(retry_unlisted(b, 10, 0), FOLD_CHANGED);
	assert_int_equal(doc_sequence(b->doc, "steps"), 4);
	assert_null(doc_queue(b->doc, SOURCE));
	assert_int_equal(feed(b, 11, GO, 5), FOLD_CHANGED);
	assert_int_equal(count(b), 3);
}

static void
an_unknown_document_lives_by_what_is_retried(void **state)
{
	struct bench *b = *state;

	park(b, 7);
	park(b, 8);
	assert_int_equal(retry(b, 7, STAY, 0), FOLD_CHANGED);
	assert_int_equal(pj_doc_state(b->doc), PJ_DOC_UNKNOWN);
	assert_false(doc_is_revised(b->doc));
	assert_int_equal(retry(b, 8, GO, 0), FOLD_CHANGED);
	assert_int_equal(pj_doc_state(b->doc), PJ_DOC_LIVE);
	assert_true(doc_is_revised(b->doc));
	ops_assert_json(b->doc, "{\"id\":\"k\",\"count\":1,\"updatedAt\":"
				"\"1970-01-01T00:00:01.008Z\"}");
}

/* ---- Given up ------------------------------------------------------------ */

static void
a_discarded_record_is_passed_without_a_trace_in_the_content(void **state)
{
	struct bench *b = *state;

	assert_int_equal(feed(b, 4, GO, 0), FOLD_CHANGED);
	park(b, 7);
	park(b, 9);
	assert_int_equal(discard(b, 7, 0), FOLD_CHANGED);
	assert_int_equal(count(b), 1);
	assert_true(doc_has_applied(b->doc, SOURCE, 7));
	assert_int_equal(doc_queue(b->doc, SOURCE)->first, 8);
	assert_int_equal(doc_sequence(b->doc, "steps"), 0);
	/* Given up already, or never in the queue. */
	assert_int_equal(discard(b, 7, 5), FOLD_REPEATED);
	assert_int_equal(discard(b, 11, 5), FOLD_REPEATED);
	assert_int_equal(doc_sequence(b->doc, "steps"), 0);
	assert_int_equal(discard(b, 9, 0), FOLD_CHANGED);
	assert_null(doc_queue(b->doc, SOURCE));
	assert_int_equal(feed(b, 10, GO, 0), FOLD_CHANGED);
	assert_int_equal(count(b), 2);
}

static void
a_discarded_record_leaves_its_own_sequence(void **state)
{
	struct bench *b = *state;

	assert_int_equal(feed(b, 4, GO, 1), FOLD_CHANGED);
	park(b, 7);
	park(b, 8);
	park(b, 9);
	/* A gap: 2 to 5 never came. */
	assert_int_equal(discard(b, 7, 6), FOLD_CHANGED);
	assert_int_equal(doc_sequence(b->doc, "steps"), 6);
	assert_int_equal(retry(b, 8, GO, 7), FOLD_CHANGED);
	/* One without a number leaves what there is. */
	assert_int_equal(discard(b, 9, 0), FOLD_CHANGED);
	assert_int_equal(feed(b, 10, GO, 9), FOLD_GAP);
	assert_int_equal(feed(b, 10, GO, 8), FOLD_CHANGED);
	assert_int_equal(count(b), 3);
}

static void
any_sequence_may_follow_one_that_nobody_could_read(void **state)
{
	static const int64_t next[] = {1, 3, 900};

	for (size_t i = 0; i < COUNT(next); i++) {
		struct bench *b = *state;

		assert_int_equal(feed(b, 4, GO, 1), FOLD_CHANGED);
		assert_int_equal(feed(b, 5, GO, 2), FOLD_CHANGED);
		park(b, 7);
		assert_int_equal(discard(b, 7, -1), FOLD_CHANGED);
		assert_int_equal(doc_sequence(b->doc, "steps"),
				 DOC_SEQUENCE_UNKNOWN);
		assert_int_equal(feed(b, 8, GO, next[i]), FOLD_CHANGED);
		/* From there on it counts again. */
		assert_int_equal(feed(b, 9, GO, next[i] + 2), FOLD_GAP);
		assert_int_equal(feed(b, 9, GO, next[i]), FOLD_REPEATED);
		assert_int_equal(feed(b, 9, GO, next[i] + 1), FOLD_CHANGED);
		assert_int_equal(count(b), 4);
		(void)teardown(state);
		(void)setup(state);
	}
}

/* It was at fault in more than its number: that stands where it stood. */
static void
discarding_a_repeat_does_not_set_the_sequence_back(void **state)
{
	struct bench *b = *state;

	for (int64_t i = 1; i <= 5; i++)
		assert_int_equal(feed(b, i, GO, i), FOLD_CHANGED);
	park(b, 7);
	assert_int_equal(discard(b, 7, 2), FOLD_CHANGED);
	assert_int_equal(doc_sequence(b->doc, "steps"), 5);
	assert_int_equal(feed(b, 8, GO, 3), FOLD_REPEATED);
	assert_int_equal(feed(b, 8, GO, 6), FOLD_CHANGED);
}

static void
where_the_document_key_is_another_no_sequence_is_kept(void **state)
{
	struct bench *b = *state;

	b->desc.flags = 0;
	park(b, 7);
	park(b, 8);
	assert_int_equal(discard(b, 7, 6), FOLD_CHANGED);
	assert_int_equal(discard(b, 8, -1), FOLD_CHANGED);
	assert_int_equal(doc_sequence(b->doc, "steps"), 0);
}

/* ---- Late ---------------------------------------------------------------- */

static void
a_late_record_is_judged_by_the_late_offsets_alone(void **state)
{
	struct bench *b = *state;

	/* Its position is long past it: it was not in this document. */
	assert_int_equal(feed(b, 50, GO, 0), FOLD_CHANGED);
	assert_int_equal(late(b, 20, GO), FOLD_CHANGED);
	assert_int_equal(count(b), 2);
	assert_true(doc_has_late(b->doc, SOURCE, 20));
	assert_int_equal(late(b, 20, GO), FOLD_REPEATED);
	assert_int_equal(count(b), 2);
	/* Nor is it past one that is behind it. */
	assert_int_equal(late(b, 60, GO), FOLD_CHANGED);
	assert_int_equal(count(b), 3);
	assert_false(doc_has_applied(b->doc, SOURCE, 51));
	assert_int_equal(feed(b, 60, GO, 0), FOLD_REPEATED);
	assert_int_equal(feed(b, 20, GO, 0), FOLD_REPEATED);
	assert_int_equal(feed(b, 51, GO, 0), FOLD_CHANGED);
	assert_int_equal(count(b), 4);
}

static void
a_late_record_that_changes_nothing_is_remembered_all_the_same(void **state)
{
	struct bench *b = *state;

	assert_int_equal(late(b, 20, STAY), FOLD_CHANGED);
	assert_int_equal(pj_doc_state(b->doc), PJ_DOC_UNKNOWN);
	assert_false(doc_is_revised(b->doc));
	assert_true(doc_has_late(b->doc, SOURCE, 20));
	assert_int_equal(b->lane.folded.unchanged, 1);
	assert_int_equal(b->lane.folded.applied, 0);
}

static void
a_late_record_that_is_refused_leaves_nothing(void **state)
{
	struct bench *b = *state;
	struct buf before;

	assert_int_equal(feed(b, 50, GO, 0), FOLD_CHANGED);
	before = snapshot(b);
	assert_int_equal(late(b, 20, REFUSE), FOLD_REJECTED);
	assert_string_equal(b->err.text, "asked to");
	assert_same_as(b, &before);
	assert_int_equal(late(b, 20, GO), FOLD_CHANGED);
}

/* They are never forgotten, so there is an end of them. */
static void
a_document_takes_so_many_late_records_and_no_more(void **state)
{
	struct bench *b = *state;

	for (int64_t i = 0; i < DOC_LATE_MAX - 1; i++)
		doc_set_late(b->doc, SOURCE, 100 + i);
	assert_int_equal(late(b, 20, GO), FOLD_CHANGED);
	assert_true(doc_is_late_full(b->doc));
	assert_int_equal(late(b, 21, GO), FOLD_REJECTED);
	assert_int_equal(b->err.cls, PJ_ERROR_INPUT);
	assert_non_null(strstr(b->err.text, "rebuild"));
	assert_false(doc_has_late(b->doc, SOURCE, 21));
	/* Those that it knows are no more. */
	assert_int_equal(late(b, 20, GO), FOLD_REPEATED);
}

static void
a_late_record_waits_for_those_before_it_in_its_document(void **state)
{
	struct bench *b = *state;
	struct buf before;

	park(b, 30);
	park(b, 40);
	before = snapshot(b);
	assert_int_equal(late(b, 35, GO), FOLD_QUEUED);
	assert_int_equal(late(b, 41, GO), FOLD_QUEUED);
	assert_same_as(b, &before);
	assert_int_equal(late(b, 20, GO), FOLD_CHANGED);
	assert_int_equal(count(b), 1);
	assert_int_equal(doc_queue(b->doc, SOURCE)->first, 30);
	assert_int_equal(retry(b, 30, GO, 0), FOLD_CHANGED);
	assert_int_equal(retry(b, 40, GO, 0), FOLD_CHANGED);
	assert_int_equal(late(b, 35, GO), FOLD_CHANGED);
	assert_int_equal(count(b), 4);
}

static void
every_cause_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(fold_cause(FOLD_REJECTED), "rejected by fold");
	assert_string_equal(fold_cause(FOLD_GAP), "sequence gap");
	assert_true(strlen(fold_cause(FOLD_QUEUED)) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_has_its_place_repeats_or_queues),
		TEST(what_comes_behind_a_queue_is_neither_applied_nor_tried),
		TEST(another_source_of_the_document_flows),
		TEST(a_queue_is_retried_in_order_until_it_is_gone),
		TEST(what_is_refused_again_leaves_queue_and_document_as_they_were),
		TEST(retried_records_count_in_their_sequence),
		TEST(an_unknown_document_lives_by_what_is_retried),
		TEST(a_discarded_record_is_passed_without_a_trace_in_the_content),
		TEST(a_discarded_record_leaves_its_own_sequence),
		TEST(any_sequence_may_follow_one_that_nobody_could_read),
		TEST(discarding_a_repeat_does_not_set_the_sequence_back),
		TEST(where_the_document_key_is_another_no_sequence_is_kept),
		TEST(a_late_record_is_judged_by_the_late_offsets_alone),
		TEST(a_document_takes_so_many_late_records_and_no_more),
		TEST(a_late_record_that_changes_nothing_is_remembered_all_the_same),
		TEST(a_late_record_that_is_refused_leaves_nothing),
		TEST(a_late_record_waits_for_those_before_it_in_its_document),
		TEST(every_cause_has_a_name),
	};

	return cmocka_run_group_tests_name("fold_queue", tests, NULL, NULL);
}
