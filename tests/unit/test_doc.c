/* SPDX-License-Identifier: Apache-2.0 */
/* The fold bracket and the setters, as a module and the host see them. */
#include "tests/unit/doc_ops.h"

#include "lib/mem.h"

static struct pj_error err;

/* One open bracket per test; `offset` counts the folds. */
struct fixture {
	struct pj_doc *doc;
	struct pj_node *root;
	int64_t offset;
};

static int
setup(void **state)
{
	struct fixture *fix = mem_calloc(1, sizeof(*fix));

	fix->doc = doc_new(ops_shape, PJ_STR("k"));
	fix->root = pj_doc_root(fix->doc);
	doc_begin(fix->doc);
	*state = fix;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	doc_free(fix->doc);
	free(fix);
	return 0;
}

/* Ends the bracket, opens the next one. */
static enum doc_change
end(struct fixture *fix, enum pj_fold result, int64_t time_ms)
{
	enum doc_change what;

	memset(&err, 0, sizeof(err));
	what = doc_end(fix->doc, result, 1, fix->offset++, time_ms, &err);
	doc_begin(fix->doc);
	return what;
}

/* Checks what readers see; the bracket has to be closed for that. */
static void
assert_served(struct fixture *fix, const char *want)
{
	(void)doc_end(fix->doc, PJ_DONE, 1, fix->offset++, 0, &err);
	ops_assert_json(fix->doc, want);
	doc_begin(fix->doc);
}

/* ---- Changed or not --------------------------------------------------------
 */

static void
the_same_value_again_is_no_change(void **state)
{
	struct fixture *fix = *state;
	struct pj_node *root = fix->root;
	int i;

	for (i = 0; i < 2; i++) {
		bool first = i == 0;

		assert_int_equal(pj_set_string(root, "shopId", PJ_STR("s")),
				 first);
		assert_int_equal(pj_set_int(root, "count", 3), first);
		assert_int_equal(pj_set_number(root, "rate", 0.1), first);
		assert_int_equal(pj_set_bool(root, "open", false), first);
		assert_int_equal(pj_set_date_ms(root, "at", 7), first);
		assert_int_equal(pj_set_null(root, "free"), first);
		(void)pj_make_object(root, "place");
		(void)pj_make_array(root, "lines");
		assert_int_equal(pj_clear(pj_get_node(root, "place")), false);
		assert_int_equal(end(fix, PJ_DONE, 5),
				 first ? DOC_CHANGED : DOC_UNCHANGED);
	}
}

static void
a_value_of_another_type_is_a_change(void **state)
{
	struct fixture *fix = *state;

	assert_true(pj_set_int(fix->root, "count", 0));
	assert_true(pj_set_bool(fix->root, "count", false));
	assert_true(pj_set_date_ms(fix->root, "count", 0));
	assert_true(pj_set_number(fix->root, "count", 0.0));
	assert_true(pj_set_number(fix->root, "count", -0.0));
	assert_true(pj_set_null(fix->root, "count"));
	assert_true(pj_set_string(fix->root, "count", PJ_STR("")));
	assert_non_null(pj_make_object(fix->root, "count"));
	assert_true(pj_unset(fix->root, "count"));
	assert_false(pj_unset(fix->root, "count"));
}

static void
off_on_off_within_one_event_still_counts(void **state)
{
	struct fixture *fix = *state;

	(void)pj_set_bool(fix->root, "open", true);
	assert_int_equal(end(fix, PJ_DONE, 10), DOC_CHANGED);
	assert_true(pj_set_bool(fix->root, "open", false));
	assert_true(pj_set_bool(fix->root, "open", true));
	assert_int_equal(end(fix, PJ_DONE, 11), DOC_CHANGED);
	assert_served(fix, "{\"id\":\"k\",\"open\":true,\"updatedAt\":"
			   "\"1970-01-01T00:00:00.011Z\"}");
}

static void
making_what_did_not_exist_is_a_change(void **state)
{
	struct fixture *fix = *state;

	(void)pj_make_object(fix->root, "_part");
	assert_int_equal(end(fix, PJ_DONE, 10), DOC_CHANGED);
	(void)pj_make_object(fix->root, "_part");
	assert_int_equal(end(fix, PJ_DONE, 20), DOC_UNCHANGED);
	(void)pj_make_array(fix->root, "_part");
	assert_int_equal(end(fix, PJ_DONE, 30), DOC_CHANGED);
}

static void
updated_at_is_the_newest_time_among_changes(void **state)
{
	struct fixture *fix = *state;

	(void)pj_set_int(fix->root, "count", 1);
	assert_int_equal(end(fix, PJ_DONE, 20), DOC_CHANGED);
	(void)pj_set_int(fix->root, "count", 2); /* late */
	assert_int_equal(end(fix, PJ_DONE, 10), DOC_CHANGED);
	assert_int_equal(end(fix, PJ_DONE, 99), DOC_UNCHANGED);
	assert_served(fix, "{\"id\":\"k\",\"count\":2,\"updatedAt\":"
			   "\"1970-01-01T00:00:00.020Z\"}");
}

static void
times_before_1970_are_times_too(void **state)
{
	struct fixture *fix = *state;

	(void)pj_set_int(fix->root, "count", 1);
	assert_int_equal(end(fix, PJ_DONE, -5000), DOC_CHANGED);
	assert_served(fix, "{\"id\":\"k\",\"count\":1,\"updatedAt\":"
			   "\"1969-12-31T23:59:55.000Z\"}");
}

static void
positions_are_kept_per_source_and_only_move_on(void **state)
{
	struct fixture *fix = *state;
	struct pj_doc *doc = fix->doc;
	static const int32_t sources[] = {7, 0, 30, 2, 7};
	size_t i;

	(void)doc_end(doc, PJ_DONE, 5, 0, 0, &err);
	for (i = 0; i < COUNT(sources); i++) {
		int64_t offset = 100 + (int64_t)i;

		assert_false(doc_has_applied(doc, sources[i], offset));
		doc_begin(doc);
		assert_int_equal(
			doc_end(doc, PJ_DONE, sources[i], offset, 0, &err),
			DOC_UNCHANGED);
		assert_true(doc_has_applied(doc, sources[i], offset));
		assert_true(doc_has_applied(doc, sources[i], 0));
		assert_false(doc_has_applied(doc, sources[i], offset + 1));
	}
	assert_true(doc_has_applied(doc, 2, 103));
	assert_false(doc_has_applied(doc, 1, 0));
	assert_false(doc_has_applied(doc, 31, 0));
	doc_begin(doc);
}

/* ---- States
 * ------------------------------------------------------------------ */

static void
an_unknown_document_lives_only_by_a_change(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(pj_doc_state(fix->doc), PJ_DOC_UNKNOWN);
	assert_int_equal(end(fix, PJ_DONE, 1), DOC_UNCHANGED);
	assert_int_equal(pj_doc_state(fix->doc), PJ_DOC_UNKNOWN);
	pj_doc_revive(fix->doc);
	assert_int_equal(end(fix, PJ_DONE, 1), DOC_UNCHANGED);
	(void)pj_set_int(pj_make_object(fix->root, "_part"), "x", 1);
	assert_int_equal(end(fix, PJ_DONE, 1), DOC_CHANGED);
	assert_int_equal(pj_doc_state(fix->doc), PJ_DOC_LIVE);
}

static void
delete_takes_the_served_fields_and_keeps_the_parts(void **state)
{
	struct fixture *fix = *state;

	(void)pj_set_int(fix->root, "count", 1);
	(void)pj_set_int(fix->root, "_kept", 2);
	(void)pj_set_string(fix->root, "shopId", PJ_STR("s"));
	assert_int_equal(end(fix, PJ_DONE, 1), DOC_CHANGED);
	assert_int_equal(end(fix, PJ_DELETE, 9), DOC_CHANGED);
	assert_int_equal(pj_doc_state(fix->doc), PJ_DOC_DELETED);
	assert_false(pj_node_has(fix->root, "count"));
	assert_int_equal(pj_get_int(fix->root, "_kept"), 2);
	assert_served(fix, "{\"id\":\"k\"}");
}

static void
an_unknown_document_can_be_deleted(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(end(fix, PJ_DELETE, 9), DOC_CHANGED);
	assert_int_equal(pj_doc_state(fix->doc), PJ_DOC_DELETED);
}

static void
deleting_again_is_no_change_but_with_a_changed_part(void **state)
{
	struct fixture *fix = *state;

	(void)end(fix, PJ_DELETE, 9);
	assert_int_equal(end(fix, PJ_DELETE, 10), DOC_UNCHANGED);
	(void)pj_set_int(fix->root, "_part", 1);
	assert_int_equal(end(fix, PJ_DELETE, 11), DOC_CHANGED);
}

static void
parts_of_a_deleted_document_change_without_reviving_it(void **state)
{
	struct fixture *fix = *state;

	(void)end(fix, PJ_DELETE, 9);
	assert_true(pj_set_int(pj_make_object(fix->root, "_price"), "p", 1));
	assert_int_equal(end(fix, PJ_DONE, 10), DOC_CHANGED);
	assert_int_equal(pj_doc_state(fix->doc), PJ_DOC_DELETED);
}

static void
serving_from_a_deleted_document_is_rejected(void **state)
{
	struct fixture *fix = *state;

	(void)end(fix, PJ_DELETE, 9);
	(void)pj_set_int(fix->root, "_part", 1);
	(void)pj_set_int(fix->root, "count", 1);
	assert_int_equal(end(fix, PJ_DONE, 10), DOC_REJECTED);
	assert_int_equal(err.cls, PJ_ERROR_INPUT);
	assert_false(pj_node_has(fix->root, "_part"));
	/* revived in the same event it is fine, in whichever order */
	(void)pj_set_int(fix->root, "count", 1);
	pj_doc_revive(fix->doc);
	assert_int_equal(end(fix, PJ_DONE, 11), DOC_CHANGED);
	assert_int_equal(pj_doc_state(fix->doc), PJ_DOC_LIVE);
}

static void
reviving_is_a_change_by_itself(void **state)
{
	struct fixture *fix = *state;

	(void)end(fix, PJ_DELETE, 9);
	pj_doc_revive(fix->doc);
	assert_int_equal(end(fix, PJ_DONE, 11), DOC_CHANGED);
	assert_served(fix, "{\"id\":\"k\",\"updatedAt\":"
			   "\"1970-01-01T00:00:00.011Z\"}");
	pj_doc_revive(fix->doc);
	assert_int_equal(end(fix, PJ_DONE, 12), DOC_UNCHANGED);
}

static void
clearing_forgets_fields_and_parts_but_not_the_newest_time(void **state)
{
	struct fixture *fix = *state;

	(void)pj_set_int(fix->root, "count", 1);
	(void)pj_set_int(fix->root, "_part", 1);
	assert_int_equal(end(fix, PJ_DONE, 20), DOC_CHANGED);
	pj_doc_clear(fix->doc);
	assert_int_equal(pj_node_len(fix->root), 0);
	assert_int_equal(end(fix, PJ_DONE, 10), DOC_CHANGED);
	pj_doc_clear(fix->doc);
	assert_int_equal(end(fix, PJ_DONE, 30), DOC_UNCHANGED);
	assert_served(fix, "{\"id\":\"k\",\"updatedAt\":"
			   "\"1970-01-01T00:00:00.020Z\"}");
}

/* ---- Shape
 * --------------------------------------------------------------------- */

static void
fields_come_in_the_shapes_order_however_they_are_set(void **state)
{
	struct fixture *fix = *state;
	struct pj_node *line, *map, *root = fix->root;

	(void)pj_set_int(root, "_z", 1);
	map = pj_make_object(root, "sold");
	line = pj_map_object(map, PJ_ORDER_BYTES, PJ_STR("p"));
	(void)pj_set_int(line, "n", 1);
	(void)pj_set_string(line, "id", PJ_STR("i"));
	line = pj_capped_push_front(pj_make_array(root, "lines"), 3);
	(void)pj_set_int(line, "n", 2);
	(void)pj_set_string(line, "name", PJ_STR("m"));
	(void)pj_set_string(line, "id", PJ_STR("j"));
	(void)pj_set_int(pj_make_object(root, "place"), "lng", 2);
	(void)pj_set_int(pj_make_object(root, "place"), "lat", 1);
	(void)pj_set_int(pj_make_object(root, "free"), "z", 2);
	(void)pj_set_int(pj_make_object(root, "free"), "a", 1);
	(void)pj_set_int(root, "count", 1);
	(void)pj_set_string(root, "shopId", PJ_STR("s"));
	(void)pj_set_int(root, "_a", 1);
	assert_int_equal(end(fix, PJ_DONE, 0), DOC_CHANGED);
	assert_served(fix, "{\"id\":\"k\",\"shopId\":\"s\",\"count\":1,"
			   "\"place\":{\"lat\":1,\"lng\":2},"
			   "\"free\":{\"z\":2,\"a\":1},"
			   "\"lines\":[{\"id\":\"j\",\"name\":\"m\",\"n\":2}],"
			   "\"sold\":{\"p\":{\"id\":\"i\",\"n\":1}},"
			   "\"updatedAt\":\"1970-01-01T00:00:00.000Z\"}");
}

static void
assert_rejected(struct fixture *fix, const char *text)
{
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
	assert_int_equal(err.cls, PJ_ERROR_INPUT);
	assert_string_equal(err.text, text);
	assert_int_equal(pj_node_len(fix->root), 0);
}

static void
undeclared_names_reject_the_fold(void **state)
{
	struct fixture *fix = *state;
	struct pj_node *root = fix->root;

	assert_false(pj_set_int(root, "nope", 1));
	assert_rejected(fix, "document \"k\": undeclared field \"nope\"");
	/* the module goes on with what it gets */
	(void)pj_set_int(pj_make_object(root, "nope"), "x", 1);
	assert_rejected(fix, "document \"k\": undeclared field \"nope\"");
	(void)pj_set_int(pj_capped_push_back(pj_make_array(root, "nope"), 1),
			 "x", 1);
	assert_rejected(fix, "document \"k\": undeclared field \"nope\"");
	(void)pj_set_int(pj_make_object(root, "place"), "x", 1);
	assert_rejected(fix, "document \"k\": undeclared field \"x\" below the "
			     "top level");
	(void)pj_set_int(
		pj_keyed_make(pj_make_array(root, "lines"), "key", PJ_STR("v")),
		"n", 1);
	assert_rejected(fix, "document \"k\": undeclared field \"key\" below "
			     "the top level");
	(void)pj_set_int(pj_make_object(root, "_part"), "whatever", 1);
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_CHANGED);
}

static void
the_hosts_own_names_reject_the_fold(void **state)
{
	struct fixture *fix = *state;

	(void)pj_set_int(fix->root, "_m", 1);
	assert_rejected(fix,
			"document \"k\": field \"_m\" belongs to the host");
	(void)pj_set_string(fix->root, "_id", PJ_STR("x"));
	assert_rejected(fix,
			"document \"k\": field \"_id\" belongs to the host");
	(void)pj_set_date_ms(fix->root, "updatedAt", 1);
	assert_rejected(
		fix, "document \"k\": field \"updatedAt\" belongs to the host");
	(void)pj_set_int(pj_make_object(fix->root, "_part"), "_m", 1);
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_CHANGED);
}

static void
using_an_array_as_an_object_rejects_the_fold(void **state)
{
	struct fixture *fix = *state;
	struct pj_node *array = pj_make_array(fix->root, "_a");
	struct pj_node *object = pj_make_object(fix->root, "_o");

	(void)array;
	(void)object;
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_CHANGED);
	(void)pj_set_int(array, "x", 1);
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
	(void)pj_map_object(array, PJ_ORDER_BYTES, PJ_STR("x"));
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
	(void)pj_keyed_make(object, "id", PJ_STR("x"));
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
	(void)pj_remember(object, PJ_STR("x"), 3);
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
	(void)pj_map_object(fix->root, PJ_ORDER_BYTES, PJ_STR("count"));
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
	(void)pj_map_object(object, PJ_ORDER_BYTES, (struct pj_str){"a\0b", 3});
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
}

static void
the_modules_own_reason_for_rejecting_is_kept(void **state)
{
	struct fixture *fix = *state;

	(void)pj_set_int(fix->root, "nope", 1);
	(void)pj_error_set(&err, PJ_ERROR_INPUT, "because");
	assert_int_equal(doc_end(fix->doc, PJ_REJECT, 1, 1, 1, &err),
			 DOC_REJECTED);
	assert_string_equal(err.text, "because");
	doc_begin(fix->doc);
}

/* ---- Reading and arithmetic
 * -------------------------------------------------------- */

static void
getters_of_what_is_not_there_give_nothing(void **state)
{
	struct fixture *fix = *state;
	struct pj_node *nowhere = pj_get_node(fix->root, "free");

	assert_null(nowhere);
	assert_int_equal(pj_get_string(nowhere, "x").len, 0);
	assert_non_null(pj_get_string(fix->root, "x").ptr);
	assert_int_equal(pj_get_int(nowhere, "x"), 0);
	assert_false(pj_get_bool(nowhere, "x"));
	assert_int_equal(pj_get_date_ms(nowhere, "x"), 0);
	assert_false(pj_node_has(nowhere, "x"));
	assert_int_equal(pj_node_len(nowhere), 0);
	assert_null(pj_node_at(nowhere, 0));
	(void)pj_set_int(fix->root, "count", 5);
	assert_int_equal(pj_get_string(fix->root, "count").len, 0);
	assert_false(pj_get_bool(fix->root, "count"));
	assert_null(pj_get_node(fix->root, "count"));
	(void)pj_set_null(fix->root, "rate");
	assert_true(pj_node_has(fix->root, "rate"));
}

static void
strings_of_every_length_come_back(void **state)
{
	struct fixture *fix = *state;
	char text[64];
	size_t len;

	memset(text, 'x', sizeof(text));
	for (len = 0; len < sizeof(text); len++) {
		struct pj_str got;

		text[len] = 'y';
		assert_true(pj_set_string(fix->root, "shopId",
					  (struct pj_str){text, len + 1}));
		got = pj_get_string(fix->root, "shopId");
		assert_int_equal(got.len, len + 1);
		assert_memory_equal(got.ptr, text, len + 1);
		text[len] = 'x';
	}
}

static void
adding_counts_and_refuses_overflow(void **state)
{
	struct fixture *fix = *state;
	int64_t out = 7;

	assert_int_equal(pj_add(fix->root, "count", 0, &err), 0);
	assert_true(pj_node_has(fix->root, "count"));
	assert_int_equal(pj_add(fix->root, "count", INT64_MAX, &err), 0);
	assert_int_equal(pj_add(fix->root, "count", 1, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_INPUT);
	assert_int_equal(pj_get_int(fix->root, "count"), INT64_MAX);
	assert_int_equal(pj_add(fix->root, "count", -3, &err), 0);
	assert_int_equal(pj_get_int(fix->root, "count"), INT64_MAX - 3);
	assert_int_equal(pj_sum(INT64_MIN, -1, &out, &err), -1);
	assert_int_equal(pj_product(INT64_MAX, 2, &out, &err), -1);
	assert_int_equal(out, 7);
	assert_int_equal(pj_sum(INT64_MAX, INT64_MIN, &out, &err), 0);
	assert_int_equal(out, -1);
	assert_int_equal(pj_product(-3, 4, &out, &err), 0);
	assert_int_equal(out, -12);
}

/* ---- Mirrors
 * ------------------------------------------------------------------------ */

static void
a_mirror_copies_deeply_and_takes_the_targets_order(void **state)
{
	struct fixture *fix = *state;
	struct pj_node *part = pj_make_object(fix->root, "_part");
	struct pj_node *place = pj_make_object(part, "place");

	(void)pj_set_number(place, "lng", 2.5);
	(void)pj_set_number(place, "lat", 1.5);
	assert_true(pj_mirror(fix->root, "place", part, "place"));
	assert_false(pj_mirror(fix->root, "place", part, "place"));
	assert_true(pj_set_number(place, "lng", 3.5));
	assert_true(pj_get_node(fix->root, "place") != place);
	assert_served(fix, "{\"id\":\"k\",\"place\":{\"lat\":1.5,\"lng\":2.5},"
			   "\"updatedAt\":\"1970-01-01T00:00:00.000Z\"}");
	assert_true(pj_mirror(fix->root, "place", part, "place"));
	assert_true(pj_unset(part, "place"));
	assert_true(pj_mirror(fix->root, "place", part, "place"));
	assert_false(pj_node_has(fix->root, "place"));
	assert_false(pj_mirror(fix->root, "place", NULL, "place"));
}

static void
a_mirror_of_undeclared_names_rejects_the_fold(void **state)
{
	struct fixture *fix = *state;
	struct pj_node *part = pj_make_object(fix->root, "_part");

	(void)pj_set_int(pj_make_object(part, "place"), "alt", 2);
	assert_false(pj_mirror(fix->root, "place", part, "place"));
	assert_int_equal(end(fix, PJ_DONE, 5), DOC_REJECTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_value_again_is_no_change),
		TEST(a_value_of_another_type_is_a_change),
		TEST(off_on_off_within_one_event_still_counts),
		TEST(making_what_did_not_exist_is_a_change),
		TEST(updated_at_is_the_newest_time_among_changes),
		TEST(times_before_1970_are_times_too),
		TEST(positions_are_kept_per_source_and_only_move_on),
		TEST(an_unknown_document_lives_only_by_a_change),
		TEST(delete_takes_the_served_fields_and_keeps_the_parts),
		TEST(an_unknown_document_can_be_deleted),
		TEST(deleting_again_is_no_change_but_with_a_changed_part),
		TEST(parts_of_a_deleted_document_change_without_reviving_it),
		TEST(serving_from_a_deleted_document_is_rejected),
		TEST(reviving_is_a_change_by_itself),
		TEST(clearing_forgets_fields_and_parts_but_not_the_newest_time),
		TEST(fields_come_in_the_shapes_order_however_they_are_set),
		TEST(undeclared_names_reject_the_fold),
		TEST(the_hosts_own_names_reject_the_fold),
		TEST(using_an_array_as_an_object_rejects_the_fold),
		TEST(the_modules_own_reason_for_rejecting_is_kept),
		TEST(getters_of_what_is_not_there_give_nothing),
		TEST(strings_of_every_length_come_back),
		TEST(adding_counts_and_refuses_overflow),
		TEST(a_mirror_copies_deeply_and_takes_the_targets_order),
		TEST(a_mirror_of_undeclared_names_rejects_the_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
