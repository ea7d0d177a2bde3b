/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of a batch, out of a parameter and out of a body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/readmodel.h"
#include "queryapi/ids.h"

static struct pj_str
str(const char *text)
{
	return (struct pj_str){text, strlen(text)};
}

static void
assert_id(const struct ids *ids, size_t i, const char *want)
{
	assert_true(i < ids->n);
	assert_int_equal(ids->at[i].len, strlen(want));
	assert_memory_equal(ids->at[i].ptr, want, strlen(want));
}

static void
refuses_body(const char *body, size_t len, const char *why)
{
	struct json_reader *reader = json_reader_new();
	struct pj_error err;
	struct ids ids;

	if (ids_of_body(reader, (struct pj_str){body, len}, &ids, &err) == 0)
		fail_msg("taken: %s", body);
	assert_int_equal(err.cls, PJ_ERROR_INPUT);
	if (!strstr(err.text, why))
		fail_msg("%s: '%s' does not say '%s'", body, err.text, why);
	json_reader_free(reader);
}

static void
a_body_gives_its_ids_in_order(void **state)
{
	static const char body[] =
		" {\n\"ids\" : [\"a\", \"b,c\", \"\\uac00\\/\", \"a\"] } ";
	struct json_reader *reader = json_reader_new();
	struct pj_error err;
	struct ids ids;

	(void)state;
	assert_int_equal(ids_of_body(reader, str(body), &ids, &err), 0);
	assert_int_equal(ids.n, 4);
	assert_id(&ids, 0, "a");
	assert_id(&ids, 1, "b,c");
	assert_id(&ids, 2, "\xea\xb0\x80/");
	assert_id(&ids, 3, "a");
	assert_int_equal(ids.bytes, 1 + 3 + 4 + 1);
	json_reader_free(reader);
}

static void
a_body_that_is_anything_else_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *body, *why;
	} rows[] = {
		{"", "empty"},
		{" ", "JSON"},
		{"{", "JSON"},
		{"{\"ids\":[\"a\"]} x", "JSON"},
		{"{\"ids\":[\"a\"],}", "JSON"},
		{"{'ids':['a']}", "JSON"},
		{"{\"ids\":[\"a\"],\"ids\":[\"b\"]}", "JSON"},
		{"{\"ids\":[\"\\ud800\"]}", "JSON"},
		{"{\"ids\":[\"\xff\"]}", "JSON"},
		{"\xef\xbb\xbf{\"ids\":[\"a\"]}", "JSON"},
		{"[\"a\"]", "no JSON object"},
		{"null", "no JSON object"},
		{"{}", "no member"},
		{"{\"Ids\":[\"a\"]}", "no member"},
		{"{\"ids\":[\"a\"],\"limit\":1}", "other members"},
		{"{\"ids\":\"a\"}", "no array"},
		{"{\"ids\":null}", "no array"},
		{"{\"ids\":{\"$gt\":\"\"}}", "no array"},
		{"{\"ids\":[]}", "1 to 100"},
		{"{\"ids\":[1]}", "no string"},
		{"{\"ids\":[\"a\",null]}", "no string"},
		{"{\"ids\":[[\"a\"]]}", "no string"},
		{"{\"ids\":[{\"$ne\":1}]}", "no string"},
		{"{\"ids\":[\"\"]}", "empty id"},
		{"{\"ids\":[\"a\\u0000\"]}", "U+0000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuses_body(rows[i].body, strlen(rows[i].body), rows[i].why);
	refuses_body("{\"ids\":[\"a\"]}\0", 14, "JSON");
}

/* {"ids":["xx…",…]}: n ids of len bytes each. */
static char *
body_of(size_t n, size_t len)
{
	struct buf body = BUF_INIT;

	buf_addstr(&body, "{\"ids\":[");
	for (size_t i = 0; i < n; i++) {
		buf_addstr(&body, i ? ",\"" : "\"");
		for (size_t k = 0; k < len; k++)
			buf_addch(&body, 'x');
		buf_addch(&body, '"');
	}
	buf_addstr(&body, "]}");
	return buf_detach(&body, NULL);
}

static void
the_bounds_are_100_ids_of_480_bytes(void **state)
{
	struct json_reader *reader = json_reader_new();
	struct pj_error err;
	struct ids ids;
	char *body = body_of(IDS_MAX, READMODEL_KEY_MAX);

	(void)state;
	assert_int_equal(ids_of_body(reader, str(body), &ids, &err), 0);
	assert_int_equal(ids.n, 100);
	assert_int_equal(ids.bytes, 48000);
	free(body);
	json_reader_free(reader);
	body = body_of(101, 1);
	refuses_body(body, strlen(body), "more than 100");
	free(body);
	body = body_of(1, 481);
	refuses_body(body, strlen(body), "480 bytes");
	free(body);
}

static void
a_parameter_is_split_before_it_is_decoded(void **state)
{
	struct pj_str raw = str("a,b%2Cc,%EA%B0%80");
	char space[32];
	struct pj_error err;
	struct ids ids;

	(void)state;
	assert_int_equal(ids_of_query(raw, space, &ids, &err), 0);
	assert_int_equal(ids.n, 3);
	assert_id(&ids, 0, "a");
	assert_id(&ids, 1, "b,c");
	assert_id(&ids, 2, "\xea\xb0\x80");
}

static void
a_parameter_with_a_hole_in_it_is_refused(void **state)
{
	static const char *const rows[] = {"",	   ",",	   "a,",  ",a",
					   "a,,b", "a%00", "a%2", "%ff"};
	char space[32];
	struct pj_error err;
	struct ids ids;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ids_of_query(str(rows[i]), space, &ids, &err) == 0)
			fail_msg("taken: %s", rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_gives_its_ids_in_order),
		cmocka_unit_test(
			a_body_that_is_anything_else_is_refused_with_the_reason),
		cmocka_unit_test(the_bounds_are_100_ids_of_480_bytes),
		cmocka_unit_test(a_parameter_is_split_before_it_is_decoded),
		cmocka_unit_test(a_parameter_with_a_hole_in_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
