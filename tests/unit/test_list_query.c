/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors, filters and the query parameters of a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "queryapi/list_query.h"

static struct pj_str
text_of(const char *s)
{
	return (struct pj_str){s, strlen(s)};
}

static struct pj_str
str_of(const struct buf *b)
{
	return (struct pj_str){b->data, b->len};
}

/* ---- Cursors --------------------------------------------------------------
 */

static const struct cursor_pair x[] = {{PJ_STR("areaId"), PJ_STR("x")}};
static const struct cursor_pair x_open[] = {{PJ_STR("areaId"), PJ_STR("x")},
					    {PJ_STR("open"), PJ_STR("true")}};
static const struct cursor_list shops_in_x = {PJ_STR("shop"), x, 1};

static int
reads(const char *text, const struct cursor_list *list, const char *key)
{
	struct buf got = BUF_INIT;
	int rc = cursor_read(text_of(text), list, &got);

	if (rc == 0)
		assert_string_equal(got.data, key);
	buf_release(&got);
	return rc;
}

static void
a_cursor_is_read_back_for_keys_of_any_length(void **state)
{
	char key[READMODEL_KEY_MAX + 1];

	(void)state;
	for (size_t len = 1; len <= READMODEL_KEY_MAX; len++) {
		struct buf text = BUF_INIT;

		memset(key, 0x7f - (int)(len % 90), len);
		key[len] = '\0';
		cursor_write(&text, &shops_in_x, text_of(key));
		assert_true(text.len <= CURSOR_TEXT_MAX);
		assert_int_equal(strspn(text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						   "abcdefghijklmnopqrstuvwxyz"
						   "0123456789-_"),
				 text.len);
		assert_int_equal(reads(text.data, &shops_in_x, key), 0);
		buf_release(&text);
	}
}

static void
a_cursor_is_taken_by_its_own_list_alone(void **state)
{
	static const struct cursor_pair y[] = {{PJ_STR("areaId"), PJ_STR("y")}},
					category[] = {{PJ_STR("category"),
						       PJ_STR("x")}},
					joined[] = {{PJ_STR("areaId"),
						     PJ_STR("xopen")}};
	static const struct cursor_list others[] = {
		{PJ_STR("stock"), x, 1},     {PJ_STR("shop"), x, 0},
		{PJ_STR("shop"), y, 1},	     {PJ_STR("shop"), category, 1},
		{PJ_STR("shop"), x_open, 2}, {PJ_STR("shop"), joined, 1}};
	struct buf text = BUF_INIT;

	(void)state;
	cursor_write(&text, &shops_in_x, PJ_STR("k"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(reads(text.data, &others[i], "k"), -1);
	assert_int_equal(reads(text.data, &shops_in_x, "k"), 0);
	buf_release(&text);
}

/* Whichever bit of whichever byte. */
static void
a_cursor_with_another_bit_is_none(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	cursor_write(&text, &shops_in_x, PJ_STR("shop-1"));
	for (size_t i = 0; i < text.len; i++) {
		char was = text.data[i];

		for (int bit = 0; bit < 8; bit++) {
			text.data[i] = (char)(was ^ (1 << bit));
			assert_int_equal(reads(text.data, &shops_in_x, ""), -1);
		}
		text.data[i] = was;
	}
	for (size_t len = 0; len < text.len; len++) {
		struct buf key = BUF_INIT;

		assert_int_equal(cursor_read((struct pj_str){text.data, len},
					     &shops_in_x, &key),
				 -1);
		assert_int_equal(key.len, 0);
	}
	buf_addch(&text, '=');
	assert_int_equal(reads(text.data, &shops_in_x, ""), -1);
	buf_release(&text);
}

static void
what_was_never_a_cursor_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "A", "AQ", "====", "AQ==", "a b", "%41Q", "+/+/"};
	char longer[CURSOR_TEXT_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(reads(texts[i], &shops_in_x, ""), -1);
	memset(longer, 'A', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(reads(longer, &shops_in_x, ""), -1);
}

/* ---- Declared filters -----------------------------------------------------
 */

static const char reader_text[] =
	"{\"filters\":[\"areaId\",\"seats\",\"open\",\"hours\",\"at\","
	"\"limit\",\"cursor\",\"ids\",\"_m\",\"$x\",\"a.b\",\"\",\"areaId\","
	"\"undeclared\",7,null,\"half\"],"
	"\"fields\":[{\"name\":\"areaId\",\"type\":\"string\"},"
	"{\"name\":\"seats\",\"type\":\"int\"},"
	"{\"name\":\"open\",\"type\":\"bool\"},"
	"{\"name\":\"hours\",\"type\":\"list\"},"
	"{\"name\":\"at\",\"type\":\"date\"},"
	"{\"name\":\"limit\",\"type\":\"int\"},"
	"{\"name\":\"cursor\",\"type\":\"string\"},"
	"{\"name\":\"ids\",\"type\":\"string\"},"
	"{\"name\":\"_m\",\"type\":\"string\"},"
	"{\"name\":\"$x\",\"type\":\"string\"},"
	"{\"name\":\"a.b\",\"type\":\"string\"},"
	"{\"name\":\"\",\"type\":\"string\"},{\"name\":\"half\"},"
	"{\"name\":\"name\",\"type\":\"string\"}]}";

static void
only_declared_single_values_are_filters(void **state)
{
	static const char *const shapes[] = {
		"{}",
		"[]",
		"7",
		"{\"filters\":7}",
		"{\"filters\":[\"a\"]}",
		"{\"filters\":[\"a\"],\"fields\":{}}",
		"{\"filters\":[\"a\"],\"fields\":[7,{\"name\":7}]}"};
	json_t *reader = json_loads(reader_text, 0, NULL);
	struct filters f;

	(void)state;
	filters_read(&f, reader);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.rows[0].name, "areaId");
	assert_int_equal(f.rows[1].type, STORE_FILTER_INT);
	assert_int_equal(f.rows[2].type, STORE_FILTER_BOOL);
	assert_null(filters_find(&f, PJ_STR("name")));
	assert_null(filters_find(&f, PJ_STR("area")));
	assert_null(filters_find(&f, PJ_STR("areaId2")));
	assert_ptr_equal(filters_find(&f, PJ_STR("open")), &f.rows[2]);
	filters_release(&f);
	json_decref(reader);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		reader = json_loads(shapes[i], 0, NULL);
		filters_read(&f, reader);
		assert_int_equal(f.n, 0);
		filters_release(&f);
		json_decref(reader);
	}
	filters_read(&f, NULL);
	assert_int_equal(f.n, 0);
	filters_release(&f);
}

static void
an_integer_has_one_text(void **state)
{
	static char name[] = "n";
	static const struct filter filter = {name, STORE_FILTER_INT};
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {{"0", 0},
		    {"7", 7},
		    {"-7", -7},
		    {"9223372036854775807", INT64_MAX},
		    {"-9223372036854775808", INT64_MIN}};
	static const char *const bad[] = {"",
					  "-",
					  "00",
					  "07",
					  "-0",
					  "+7",
					  "7 ",
					  " 7",
					  "7.0",
					  "1e3",
					  "0x7",
					  "9223372036854775808",
					  "18446744073709551617",
					  "-9223372036854775809",
					  "seven"};
	struct store_filter cond;
	struct pj_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(filter_value(&filter, text_of(good[i].text),
					      &cond, &err),
				 0);
		assert_true(cond.number == good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			filter_value(&filter, text_of(bad[i]), &cond, &err),
			-1);
		assert_int_equal(err.cls, PJ_ERROR_INPUT);
	}
}

/* ---- Parameters -----------------------------------------------------------
 */

static int
query_of(const char *target, struct list_query *ret, struct pj_error *err)
{
	static struct filter rows[STORE_FILTERS_MAX + 2];
	static char names[STORE_FILTERS_MAX + 2][4];
	static struct field_set row = {.name = "card"};
	struct filters declared = {rows, STORE_FILTERS_MAX + 2};
	struct field_sets sets = {&row, 1, 1};
	char *space = malloc(strlen(target) + 1);
	const char *detail = NULL;
	struct uri uri;
	int rc;

	for (size_t i = 0; i < declared.n; i++) {
		names[i][0] = 'f';
		names[i][1] = (char)('0' + i);
		rows[i] = (struct filter){names[i], STORE_FILTER_STRING};
	}
	assert_int_equal(uri_parse(text_of(target), space, &uri, &detail), 0);
	rc = list_query_read(ret, PJ_STR("shop"), &declared, &sets, &uri, err);
	free(space);
	return rc;
}

static void
a_query_is_the_same_in_any_order(void **state)
{
	struct list_query a, b;
	struct pj_error err;
	struct buf la = BUF_INIT, lb = BUF_INIT;

	(void)state;
	assert_int_equal(
		query_of("/v1/shop?f3=%26&f1=a%20b&limit=7&fields=card", &a,
			 &err),
		0);
	assert_int_equal(
		query_of("/v1/shop?fields=%63ard&limit=7&f1=a%20b&f%33=%26", &b,
			 &err),
		0);
	list_query_link(
		&la, &(struct cursor_list){PJ_STR("shop"), a.pairs, a.n_pairs},
		a.limit, a.fields, PJ_STR("c"));
	list_query_link(
		&lb, &(struct cursor_list){PJ_STR("shop"), b.pairs, b.n_pairs},
		b.limit, b.fields, PJ_STR("c"));
	assert_string_equal(
		la.data,
		"/v1/shop?f1=a%20b&f3=%26&fields=card&limit=7&cursor=c");
	assert_string_equal(lb.data, la.data);
	buf_release(&la);
	buf_release(&lb);
	list_query_release(&a);
	list_query_release(&b);
}

static void
a_query_without_parameters_is_the_first_twenty(void **state)
{
	struct list_query q;
	struct pj_error err;

	(void)state;
	assert_int_equal(query_of("/v1/shop", &q, &err), 0);
	assert_int_equal(q.limit, 20);
	assert_int_equal(q.n_pairs, 0);
	assert_int_equal(q.after.len, 0);
	list_query_release(&q);
}

static void
a_set_of_fields_that_is_not_declared_is_refused(void **state)
{
	static const char *const bad[] = {
		"/v1/shop?fields=", "/v1/shop?fields", "/v1/shop?fields=car",
		"/v1/shop?fields=cards", "/v1/shop?fields=name,status"};
	struct list_query q;
	struct pj_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(query_of(bad[i], &q, &err), -1);
		assert_int_equal(err.cls, PJ_ERROR_INPUT);
		assert_string_equal(
			err.text, "unknown set of fields: this view has card");
		list_query_release(&q);
	}
}

static void
more_filters_than_a_store_takes_are_refused(void **state)
{
	struct list_query q;
	struct pj_error err;

	(void)state;
	assert_int_equal(query_of("/v1/shop?f0=x&f1=x&f2=x&f3=x&f4=x&f5=x&f6=x"
				  "&f7=x",
				  &q, &err),
			 0);
	assert_int_equal(q.n_pairs, STORE_FILTERS_MAX);
	list_query_release(&q);
	assert_int_equal(query_of("/v1/shop?f0=x&f1=x&f2=x&f3=x&f4=x&f5=x&f6=x"
				  "&f7=x&f8=x",
				  &q, &err),
			 -1);
	assert_string_equal(err.text, "more than 8 filters at once");
	list_query_release(&q);
}

static void
a_cursor_in_a_query_is_the_key_to_begin_behind(void **state)
{
	static const struct cursor_pair pair[] = {{PJ_STR("f1"), PJ_STR("x")}};
	static const struct cursor_list list = {PJ_STR("shop"), pair, 1};
	struct list_query q;
	struct pj_error err;
	struct buf target = BUF_INIT;

	(void)state;
	buf_addstr(&target, "/v1/shop?f1=x&cursor=");
	cursor_write(&target, &list, PJ_STR("shop/7"));
	assert_int_equal(query_of(target.data, &q, &err), 0);
	assert_int_equal(q.after.len, 6);
	assert_memory_equal(str_of(&q.after).ptr, "shop/7", 6);
	list_query_release(&q);
	target.data[target.len - 1] ^= 1;
	assert_int_equal(query_of(target.data, &q, &err), -1);
	assert_non_null(strstr(err.text, "no cursor of this list"));
	list_query_release(&q);
	buf_release(&target);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cursor_is_read_back_for_keys_of_any_length),
		cmocka_unit_test(a_cursor_is_taken_by_its_own_list_alone),
		cmocka_unit_test(a_cursor_with_another_bit_is_none),
		cmocka_unit_test(what_was_never_a_cursor_is_refused),
		cmocka_unit_test(only_declared_single_values_are_filters),
		cmocka_unit_test(an_integer_has_one_text),
		cmocka_unit_test(a_query_is_the_same_in_any_order),
		cmocka_unit_test(
			a_query_without_parameters_is_the_first_twenty),
		cmocka_unit_test(
			a_set_of_fields_that_is_not_declared_is_refused),
		cmocka_unit_test(more_filters_than_a_store_takes_are_refused),
		cmocka_unit_test(
			a_cursor_in_a_query_is_the_key_to_begin_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
