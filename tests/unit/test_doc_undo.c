/* SPDX-License-Identifier: Apache-2.0 */
/* What a rejected fold leaves behind: nothing. */
#include "tests/unit/doc_ops.h"

#include "projector/node.h"

enum { RUNS = 60, FOLDS = 150 };

static void
a_rejected_random_fold_leaves_every_byte_as_it_was(void **state)
{
	unsigned rejected = 0, changed = 0, unchanged = 0;
	uint64_t run;
	int64_t i;

	(void)state;
	for (run = 0; run < RUNS; run++) {
		struct pj_doc *doc = doc_new(ops_shape, PJ_STR("shop-1"));

		for (i = 0; i < FOLDS; i++) {
			struct buf before, after;
			enum pj_doc_state old = pj_doc_state(doc);
			enum doc_change what;

			ops_bytes(doc, &before);
			what = ops_fold(doc, run << 32 | (uint64_t)i, i);
			ops_bytes(doc, &after);
			if (what == DOC_REJECTED) {
				rejected++;
				ops_assert_same(&before, &after);
				assert_int_equal(pj_doc_state(doc), old);
				assert_false(doc_has_applied(doc, 3, i));
			} else if (what == DOC_UNCHANGED) {
				unchanged++;
				ops_cut_meta(&before);
				ops_cut_meta(&after);
				ops_assert_same(&before, &after);
				assert_true(doc_has_applied(doc, 3, i));
			} else {
				changed++;
				assert_true(doc_has_applied(doc, 3, i));
			}
			buf_release(&before);
			buf_release(&after);
		}
		doc_free(doc);
	}
	/* the generator does what this test needs */
	assert_in_range(rejected, RUNS * FOLDS / 10, RUNS * FOLDS / 2);
	assert_in_range(changed, RUNS * FOLDS / 4, RUNS * FOLDS);
	assert_in_range(unchanged, RUNS, RUNS * FOLDS);
}

static void
a_history_with_rejected_folds_ends_like_one_without_them(void **state)
{
	uint64_t run;
	int64_t i;

	(void)state;
	for (run = 1000; run < 1000 + RUNS; run++) {
		struct pj_doc *with = doc_new(ops_shape, PJ_STR("k"));
		struct pj_doc *without = doc_new(ops_shape, PJ_STR("k"));
		struct buf a, b;

		for (i = 0; i < FOLDS; i++) {
			uint64_t seed = run << 32 | (uint64_t)i;

			if (ops_fold(with, seed, i) != DOC_REJECTED)
				assert_int_not_equal(ops_fold(without, seed, i),
						     DOC_REJECTED);
		}
		ops_bytes(with, &a);
		ops_bytes(without, &b);
		ops_assert_same(&a, &b);
		buf_release(&a);
		buf_release(&b);
		doc_free(with);
		doc_free(without);
	}
}

/* ---- One case each, so that a failure has a name ---------------------------
 */

static struct pj_doc *
filled(void)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));
	struct pj_node *root = pj_doc_root(doc);
	struct pj_error err;

	doc_begin(doc);
	(void)pj_set_string(root, "shopId", PJ_STR("k"));
	(void)pj_keyed_make(pj_make_array(root, "lines"), "id", PJ_STR("b"));
	(void)pj_keyed_make(pj_get_node(root, "lines"), "id", PJ_STR("a"));
	assert_int_equal(pj_map_add(pj_make_object(root, "stars"),
				    PJ_ORDER_NUMERIC, PJ_STR("7"), 2, &err),
			 0);
	(void)pj_set_string(pj_make_object(root, "_part"), "text",
			    PJ_STR("longer than fifteen bytes"));
	assert_int_equal(doc_end(doc, PJ_DONE, 0, 0, 5, &err), DOC_CHANGED);
	return doc;
}

static void
assert_undone(struct pj_doc *doc, struct buf *before)
{
	struct pj_error err;
	struct buf after;

	assert_int_equal(doc_end(doc, PJ_REJECT, 0, 1, 99, &err), DOC_REJECTED);
	ops_bytes(doc, &after);
	ops_assert_same(before, &after);
	buf_release(&after);
	buf_release(before);
	doc_free(doc);
}

static void
undo_brings_back_what_a_clear_took(void **state)
{
	struct pj_doc *doc = filled();
	struct buf before;

	(void)state;
	ops_bytes(doc, &before);
	doc_begin(doc);
	assert_true(pj_clear(pj_get_node(pj_doc_root(doc), "lines")));
	(void)pj_keyed_make(pj_get_node(pj_doc_root(doc), "lines"), "id",
			    PJ_STR("c"));
	pj_doc_clear(doc);
	(void)pj_set_int(pj_doc_root(doc), "count", 1);
	assert_undone(doc, &before);
}

static void
undo_restores_an_object_changed_after_it_was_taken_out(void **state)
{
	struct pj_doc *doc = filled();
	struct pj_node *part = pj_get_node(pj_doc_root(doc), "_part");
	struct buf before;

	(void)state;
	ops_bytes(doc, &before);
	doc_begin(doc);
	assert_true(pj_unset(pj_doc_root(doc), "_part"));
	assert_true(pj_set_string(part, "text", PJ_STR("x")));
	assert_true(pj_set_int(part, "more", 1));
	assert_undone(doc, &before);
}

static void
undo_restores_a_value_replaced_many_times(void **state)
{
	struct pj_doc *doc = filled();
	struct pj_node *root = pj_doc_root(doc);
	struct buf before;

	(void)state;
	ops_bytes(doc, &before);
	doc_begin(doc);
	assert_true(pj_set_int(root, "shopId", 1));
	(void)pj_make_array(root, "shopId");
	(void)pj_make_object(root, "shopId");
	assert_true(pj_unset(root, "shopId"));
	assert_true(pj_set_string(root, "shopId", PJ_STR("again, and long")));
	assert_undone(doc, &before);
}

static void
undo_restores_state_and_newest_time(void **state)
{
	struct pj_doc *doc = filled();
	struct pj_error err;
	struct buf before;

	(void)state;
	doc_begin(doc);
	assert_int_equal(doc_end(doc, PJ_DELETE, 0, 1, 6, &err), DOC_CHANGED);
	ops_bytes(doc, &before);
	doc_begin(doc);
	pj_doc_revive(doc);
	assert_int_equal(pj_doc_state(doc), PJ_DOC_LIVE);
	assert_true(pj_set_int(pj_doc_root(doc), "count", 1));
	assert_int_equal(doc_end(doc, PJ_REJECT, 0, 2, 99, &err), DOC_REJECTED);
	assert_int_equal(pj_doc_state(doc), PJ_DOC_DELETED);
	doc_begin(doc);
	assert_undone(doc, &before);
}

static void
memory_counts_everything_and_gives_it_back(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));
	size_t empty = doc_memory(doc);
	char *text = calloc(1, 10000);
	struct pj_error err;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		doc_begin(doc);
		(void)pj_set_string(pj_make_object(pj_doc_root(doc), "_part"),
				    "text", (struct pj_str){text, 10000});
		text[0]++;
		(void)doc_end(doc, PJ_DONE, 0, i, 5, &err);
		assert_in_range(doc_memory(doc), empty + 10000, empty + 11000);
	}
	doc_begin(doc);
	pj_doc_clear(doc);
	(void)doc_end(doc, PJ_DONE, 0, i, 5, &err);
	assert_in_range(doc_memory(doc), empty, empty + 500);
	doc_free(doc); /* asserts that the count comes back to nothing */
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_rejected_random_fold_leaves_every_byte_as_it_was),
		cmocka_unit_test(
			a_history_with_rejected_folds_ends_like_one_without_them),
		cmocka_unit_test(undo_brings_back_what_a_clear_took),
		cmocka_unit_test(
			undo_restores_an_object_changed_after_it_was_taken_out),
		cmocka_unit_test(undo_restores_a_value_replaced_many_times),
		cmocka_unit_test(undo_restores_state_and_newest_time),
		cmocka_unit_test(memory_counts_everything_and_gives_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
