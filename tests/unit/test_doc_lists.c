/* SPDX-License-Identifier: Apache-2.0 */
/* Maps, keyed lists, capped lists and fields taken from events. */
#include "tests/unit/doc_ops.h"

#include "lib/mem.h"
#include "projector/event_data.h"

static struct pj_error err;

static int
setup(void **state)
{
	struct pj_doc *doc = doc_new(ops_shape, PJ_STR("k"));

	doc_begin(doc);
	*state = doc;
	return 0;
}

static int
teardown(void **state)
{
	doc_free(*state);
	return 0;
}

/* Checks all served fields; the bracket has to be closed for that. */
static void
assert_served(struct pj_doc *doc, const char *want)
{
	char *all = mem_printf("{\"id\":\"k\",%s,\"updatedAt\":"
			       "\"1970-01-01T00:00:00.000Z\"}",
			       want);

	(void)doc_end(doc, PJ_DONE, 1, 1, 0, &err);
	ops_assert_json(doc, all);
	doc_begin(doc);
	free(all);
}

/* Closes and opens: what follows is an event of its own. */
static enum doc_change
next_event(struct pj_doc *doc)
{
	enum doc_change what = doc_end(doc, PJ_DONE, 1, 1, 0, &err);

	doc_begin(doc);
	return what;
}

/* ---- Maps -------------------------------------------------------------------
 */

static void
a_map_of_counts_is_ordered_by_number(void **state)
{
	static const char *const names[] = {"10", "9",	 "-2", "1",  "100",
					    "x",  "-10", "0",  "02", "2"};
	struct pj_doc *doc = *state;
	struct pj_node *map = pj_make_object(pj_doc_root(doc), "stars");
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		assert_int_equal(
			pj_map_add(map, PJ_ORDER_NUMERIC,
				   (struct pj_str){names[i], strlen(names[i])},
				   (int64_t)i + 1, &err),
			0);
	for (i = 0; i < COUNT(names); i++)
		assert_int_equal(
			pj_map_add(map, PJ_ORDER_NUMERIC,
				   (struct pj_str){names[i], strlen(names[i])},
				   1, &err),
			0);
	assert_served(doc, "\"stars\":{\"-10\":8,\"-2\":4,\"0\":9,\"1\":5,"
			   "\"02\":10,\"2\":11,\"9\":3,\"10\":2,\"100\":6,"
			   "\"x\":7}");
}

static void
a_count_of_zero_leaves_the_map(void **state)
{
	struct pj_doc *doc = *state;
	struct pj_node *map = pj_make_object(pj_doc_root(doc), "stars");

	(void)next_event(doc);
	assert_int_equal(
		pj_map_add(map, PJ_ORDER_NUMERIC, PJ_STR("7"), 0, &err), 0);
	assert_int_equal(next_event(doc), DOC_UNCHANGED);
	assert_int_equal(
		pj_map_add(map, PJ_ORDER_NUMERIC, PJ_STR("7"), 2, &err), 0);
	assert_int_equal(
		pj_map_add(map, PJ_ORDER_NUMERIC, PJ_STR("7"), -2, &err), 0);
	assert_int_equal(pj_node_len(map), 0);
	assert_int_equal(next_event(doc), DOC_CHANGED);
	assert_int_equal(
		pj_map_add(map, PJ_ORDER_NUMERIC, PJ_STR("7"), -1, &err), 0);
	assert_int_equal(pj_get_int(map, "7"), -1);
	assert_int_equal(
		pj_map_add(map, PJ_ORDER_NUMERIC, PJ_STR("7"), INT64_MIN, &err),
		-1);
	assert_int_equal(err.cls, PJ_ERROR_INPUT);
	assert_int_equal(pj_get_int(map, "7"), -1);
}

static void
a_map_of_objects_is_ordered_by_bytes(void **state)
{
	struct pj_doc *doc = *state;
	struct pj_node *map = pj_make_object(pj_doc_root(doc), "sold");
	struct pj_node *b = pj_map_object(map, PJ_ORDER_BYTES, PJ_STR("b"));

	(void)pj_set_int(b, "n", 1);
	(void)pj_map_object(map, PJ_ORDER_BYTES, PJ_STR("ab"));
	(void)pj_map_object(map, PJ_ORDER_BYTES, PJ_STR(""));
	(void)pj_map_object(map, PJ_ORDER_BYTES, PJ_STR("\xea\xb0\x80"));
	(void)pj_map_object(map, PJ_ORDER_BYTES, PJ_STR("a"));
	assert_ptr_equal(pj_map_object(map, PJ_ORDER_BYTES, PJ_STR("b")), b);
	assert_ptr_equal(pj_map_find(map, PJ_ORDER_BYTES, PJ_STR("b")), b);
	assert_null(pj_map_find(map, PJ_ORDER_BYTES, PJ_STR("c")));
	assert_true(pj_map_remove(map, PJ_ORDER_BYTES, PJ_STR("ab")));
	assert_false(pj_map_remove(map, PJ_ORDER_BYTES, PJ_STR("ab")));
	assert_int_equal(pj_node_len(map), 4);
	assert_int_equal(pj_map_name_at(map, 2).len, 1);
	assert_memory_equal(pj_map_name_at(map, 2).ptr, "b", 1);
	assert_ptr_equal(pj_node_at(map, 2), b);
	assert_null(pj_node_at(map, 4));
	assert_int_equal(pj_map_name_at(map, 4).len, 0);
	assert_served(doc, "\"sold\":{\"\":{},\"a\":{},\"b\":{\"n\":1},"
			   "\"가\":{}}");
}

/* ---- Keyed lists
 * ------------------------------------------------------------- */

static void
a_keyed_list_of_thousands_stays_sorted_whatever_the_order(void **state)
{
	enum { MANY = 5000, STEP = 1747 }; /* coprime: visits every number */
	struct pj_doc *doc = *state;
	struct pj_node *list = pj_make_array(pj_doc_root(doc), "lines");
	char key[16];
	int i;

	for (i = 0; i < MANY; i++) {
		int len = snprintf(key, sizeof(key), "p%04d", i * STEP % MANY);
		struct pj_str str = {key, (size_t)len};
		struct pj_node *item = pj_keyed_make(list, "id", str);

		assert_true(pj_set_int(item, "n", i * STEP % MANY));
		assert_ptr_equal(pj_keyed_make(list, "id", str), item);
	}
	assert_int_equal(pj_node_len(list), MANY);
	for (i = 0; i < MANY; i++)
		assert_int_equal(pj_get_int(pj_node_at(list, (size_t)i), "n"),
				 i);
	for (i = 0; i < MANY; i += 2) {
		int len = snprintf(key, sizeof(key), "p%04d", i);
		struct pj_str str = {key, (size_t)len};

		assert_true(pj_keyed_remove(list, "id", str));
		assert_false(pj_keyed_remove(list, "id", str));
		assert_null(pj_keyed_find(list, "id", str));
	}
	assert_int_equal(pj_node_len(list), MANY / 2);
	assert_int_equal(
		pj_get_int(pj_keyed_find(list, "id", PJ_STR("p4999")), "n"),
		4999);
}

static void
a_keyed_item_is_made_with_its_key(void **state)
{
	struct pj_doc *doc = *state;
	struct pj_node *list = pj_make_array(pj_doc_root(doc), "lines");

	(void)next_event(doc);
	(void)pj_keyed_make(list, "id", PJ_STR("b"));
	assert_int_equal(next_event(doc), DOC_CHANGED);
	(void)pj_keyed_make(list, "id", PJ_STR("b"));
	assert_null(pj_keyed_find(list, "id", PJ_STR("a")));
	assert_int_equal(next_event(doc), DOC_UNCHANGED);
	assert_served(doc, "\"lines\":[{\"id\":\"b\"}]");
}

/* ---- Capped lists
 * -------------------------------------------------------------- */

static void
push(struct pj_node *list, const char *id, size_t cap, bool front)
{
	struct pj_node *item = front ? pj_capped_push_front(list, cap)
				     : pj_capped_push_back(list, cap);

	assert_true(pj_set_string(item, "id", (struct pj_str){id, strlen(id)}));
}

static void
the_oldest_falls_out_of_a_capped_list(void **state)
{
	struct pj_doc *doc = *state;
	struct pj_node *front = pj_make_array(pj_doc_root(doc), "recent");
	struct pj_node *back = pj_make_array(pj_doc_root(doc), "lines");
	static const char *const ids[] = {"1", "2", "3", "4"};
	size_t i;

	for (i = 0; i < COUNT(ids); i++) {
		push(front, ids[i], 3, true);
		push(back, ids[i], 3, false);
	}
	assert_null(pj_list_find(front, "id", PJ_STR("1")));
	assert_true(pj_list_remove(front, "id", PJ_STR("3")));
	assert_false(pj_list_remove(front, "id", PJ_STR("3")));
	push(front, "5", 3, true);
	assert_served(doc, "\"lines\":[{\"id\":\"2\"},{\"id\":\"3\"},"
			   "{\"id\":\"4\"}],\"recent\":[{\"id\":\"5\"},"
			   "{\"id\":\"4\"},{\"id\":\"2\"}]");
}

static void
a_list_finds_the_first_that_matches(void **state)
{
	struct pj_doc *doc = *state;
	struct pj_node *list = pj_make_array(pj_doc_root(doc), "lines");

	push(list, "a", 9, false);
	push(list, "b", 9, false);
	push(list, "b", 9, false);
	assert_ptr_equal(pj_list_find(list, "id", PJ_STR("b")),
			 pj_node_at(list, 1));
	assert_null(pj_list_find(list, "name", PJ_STR("b")));
	assert_null(pj_list_find(NULL, "id", PJ_STR("b")));
}

static void
a_list_capped_at_nothing_rejects_the_fold(void **state)
{
	struct pj_doc *doc = *state;
	struct pj_node *list = pj_make_array(pj_doc_root(doc), "lines");

	push(list, "a", 0, false);
	assert_int_equal(next_event(doc), DOC_REJECTED);
}

static void
the_last_remembered_are_known_and_the_first_forgotten(void **state)
{
	struct pj_doc *doc = *state;
	struct pj_node *list = pj_make_array(pj_doc_root(doc), "_removed");

	assert_true(pj_remember(list, PJ_STR("a"), 3));
	assert_true(pj_remember(list, PJ_STR("an id over fifteen bytes"), 3));
	(void)next_event(doc);
	assert_false(pj_remember(list, PJ_STR("a"), 3));
	assert_int_equal(next_event(doc), DOC_UNCHANGED);
	assert_true(pj_remember(list, PJ_STR("c"), 3));
	assert_true(pj_remember(list, PJ_STR("d"), 3));
	assert_false(pj_remember(list, PJ_STR("an id over fifteen bytes"), 3));
	assert_true(pj_remember(list, PJ_STR("a"), 3));
	assert_int_equal(pj_node_len(list), 3);
}

/* ---- Fields of an event
 * ------------------------------------------------------------ */

enum { F_TEXT, F_INT, F_BOOL, F_DATE, F_OBJECT, F_ARRAY, F_LIST, N_FIELDS };

static const struct pj_field item_fields[] = {
	{.name = "id", .type = PJ_TYPE_ID},
	{.name = "n", .type = PJ_TYPE_INT},
};

static const struct pj_field fields[] = {
	[F_TEXT] = {.name = "text", .type = PJ_TYPE_STRING},
	[F_INT] = {.name = "int", .type = PJ_TYPE_INT},
	[F_BOOL] = {.name = "bool", .type = PJ_TYPE_BOOL},
	[F_DATE] = {.name = "date", .type = PJ_TYPE_DATE},
	[F_OBJECT] = {.name = "object", .type = PJ_TYPE_OBJECT},
	[F_ARRAY] = {.name = "array", .type = PJ_TYPE_ARRAY},
	[F_LIST] = {.name = "list",
		    .type = PJ_TYPE_LIST,
		    .items = item_fields,
		    .n_items = 2},
};

/* What decode() would leave of such a text. */
struct event {
	struct json_reader *reader;
	struct event_slot slots[N_FIELDS];
	struct event_slot item_slots[4][2];
	struct pj_data items[4];
	struct pj_data data;
};

static struct event_slot
slot(const struct json_node *tape, uint32_t object, const char *name)
{
	uint32_t at = json_member(tape, object, name, strlen(name));

	if (!at)
		return (struct event_slot){.presence = PJ_ABSENT};
	if (tape[at].type == JSON_NULL)
		return (struct event_slot){.presence = PJ_NULL};
	return (struct event_slot){.presence = PJ_VALUE, .index = at};
}

static void
event_read(struct event *ev, const char *text)
{
	const struct json_node *tape;
	uint32_t i, n, at;

	memset(ev, 0, sizeof(*ev));
	ev->reader = json_reader_new();
	assert_int_equal(
		json_read(ev->reader, text, strlen(text), &tape, &n, &err), 0);
	for (i = 0; i < N_FIELDS; i++)
		ev->slots[i] = slot(tape, 0, fields[i].name);
	ev->slots[F_DATE].i = 1700017204000;
	at = ev->slots[F_LIST].index + 1;
	ev->slots[F_LIST].items = ev->items;
	for (i = 0; i < 4; i++, at = tape[at].skip) {
		if (ev->slots[F_LIST].presence != PJ_VALUE ||
		    i >= tape[ev->slots[F_LIST].index].count)
			break;
		ev->item_slots[i][0] = slot(tape, at, "id");
		ev->item_slots[i][1] = slot(tape, at, "n");
		ev->items[i] = (struct pj_data){tape, item_fields, 2,
						ev->item_slots[i]};
	}
	ev->data = (struct pj_data){tape, fields, N_FIELDS, ev->slots};
}

static const char *const served_names[] = {
	[F_TEXT] = "shopId", [F_INT] = "count",	  [F_BOOL] = "open",
	[F_DATE] = "at",     [F_OBJECT] = "free", [F_ARRAY] = "rate",
	[F_LIST] = "lines",
};

static unsigned
take_all(struct pj_doc *doc, const char *text)
{
	struct event ev;
	unsigned i, changed = 0;

	event_read(&ev, text);
	for (i = 0; i < N_FIELDS; i++)
		changed +=
			pj_take(pj_doc_root(doc), served_names[i], &ev.data, i);
	json_reader_free(ev.reader);
	return changed;
}

static void
fields_of_an_event_are_taken_with_their_types(void **state)
{
	static const char text[] =
		"{\"text\":\"t\",\"int\":-5,\"bool\":true,\"date\":\"x\","
		"\"object\":{\"z\":1.50,\"b\":[1,{\"q\":null}],\"a\":false,"
		"\"s\":\"\\u00e9 and more than fifteen\"},"
		"\"array\":[],\"list\":[{\"n\":2,\"more\":1,\"id\":\"i\"},"
		"{\"id\":\"j\",\"n\":null}]}";
	struct pj_doc *doc = *state;

	assert_int_equal(take_all(doc, text), N_FIELDS);
	(void)next_event(doc);
	assert_int_equal(take_all(doc, text), 0);
	assert_int_equal(next_event(doc), DOC_UNCHANGED);
	assert_served(doc,
		      "\"shopId\":\"t\",\"count\":-5,\"rate\":[],\"open\":true,"
		      "\"at\":\"2023-11-15T03:00:04.000Z\","
		      "\"free\":{\"z\":1.5,\"b\":[1,{\"q\":null}],\"a\":false,"
		      "\"s\":\"é and more than fifteen\"},"
		      "\"lines\":[{\"id\":\"i\",\"n\":2},{\"id\":\"j\"}]");
}

static void
null_removes_and_absent_changes_nothing(void **state)
{
	struct pj_doc *doc = *state;

	assert_int_equal(take_all(doc, "{\"text\":\"t\",\"int\":1}"), 2);
	assert_int_equal(take_all(doc, "{\"text\":null}"), 1);
	assert_int_equal(take_all(doc, "{\"text\":null}"), 0);
	assert_served(doc, "\"count\":1");
}

static void
an_integer_and_a_real_of_an_object_stay_what_they_are(void **state)
{
	struct pj_doc *doc = *state;

	assert_int_equal(take_all(doc, "{\"object\":{\"x\":1}}"), 1);
	assert_int_equal(pj_get_int(pj_get_node(pj_doc_root(doc), "free"), "x"),
			 1);
	assert_int_equal(take_all(doc, "{\"object\":{\"x\":1.0}}"), 1);
	assert_int_equal(pj_get_int(pj_get_node(pj_doc_root(doc), "free"), "x"),
			 0);
}

static void
a_name_with_a_nul_in_an_object_rejects_the_fold(void **state)
{
	struct pj_doc *doc = *state;

	assert_int_equal(take_all(doc, "{\"object\":{\"a\\u0000b\":1}}"), 0);
	assert_int_equal(next_event(doc), DOC_REJECTED);
}

static void
an_object_taken_into_a_shape_takes_its_order(void **state)
{
	struct pj_doc *doc = *state;
	struct event ev;

	event_read(&ev, "{\"object\":{\"lng\":2,\"lat\":1}}");
	assert_true(pj_take(pj_doc_root(doc), "place", &ev.data, F_OBJECT));
	assert_false(pj_take(pj_doc_root(doc), "place", &ev.data, F_OBJECT));
	json_reader_free(ev.reader);
	event_read(&ev, "{\"object\":{\"lng\":2,\"lat\":1,\"alt\":3}}");
	assert_served(doc, "\"place\":{\"lat\":1,\"lng\":2}");
	assert_false(pj_take(pj_doc_root(doc), "place", &ev.data, F_OBJECT));
	json_reader_free(ev.reader);
	assert_int_equal(next_event(doc), DOC_REJECTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_map_of_counts_is_ordered_by_number),
		TEST(a_count_of_zero_leaves_the_map),
		TEST(a_map_of_objects_is_ordered_by_bytes),
		TEST(a_keyed_list_of_thousands_stays_sorted_whatever_the_order),
		TEST(a_keyed_item_is_made_with_its_key),
		TEST(the_oldest_falls_out_of_a_capped_list),
		TEST(a_list_finds_the_first_that_matches),
		TEST(a_list_capped_at_nothing_rejects_the_fold),
		TEST(the_last_remembered_are_known_and_the_first_forgotten),
		TEST(fields_of_an_event_are_taken_with_their_types),
		TEST(null_removes_and_absent_changes_nothing),
		TEST(an_integer_and_a_real_of_an_object_stay_what_they_are),
		TEST(a_name_with_a_nul_in_an_object_rejects_the_fold),
		TEST(an_object_taken_into_a_shape_takes_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
