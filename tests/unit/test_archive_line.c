/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mem.h"
#include "projector/archive_line.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct archive_reader *reader;
static char *line_copy; /* exactly as long as the line */

static int
setup(void **state)
{
	(void)state;
	reader = archive_reader_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	archive_reader_free(reader);
	free(line_copy);
	line_copy = NULL;
	return 0;
}

static int
read_line(const char *line, size_t len, struct archive_line *out,
	  struct pj_error *err)
{
	free(line_copy);
	line_copy = mem_alloc(len ? len : 1);
	memcpy(line_copy, line, len);
	return archive_line_read(reader, line_copy, len, out, err);
}

static struct archive_line
read_good(const char *line)
{
	struct archive_line out;
	struct pj_error err;

	if (read_line(line, strlen(line), &out, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	return out;
}

static void
assert_str(struct pj_str str, const char *want)
{
	if (str.len != strlen(want) || memcmp(str.ptr, want, str.len) != 0)
		fail_msg("\"%.*s\", not \"%s\"", (int)str.len, str.ptr, want);
}

#define HEAD "{\"topic\":\"t\",\"partition\":0,\"offset\":0"

/* ---- Reading ----------------------------------------------------------- */

static void
a_line_gives_its_record(void **state)
{
	struct archive_line line = read_good(
		"{\"topic\":\"stock\",\"partition\":3,\"offset\":12,"
		"\"timestamp\":1700000000000,\"key\":\"shop-\\u00e9\","
		"\"headers\":{},\"value\":{\"a\": [1, \"}\"]}}");

	(void)state;
	assert_str(line.topic, "stock");
	assert_int_equal(line.partition, 3);
	assert_int_equal(line.offset, 12);
	assert_int_equal(line.timestamp_ms, 1700000000000);
	assert_false(line.key_null);
	assert_str(line.key, "shop-\u00e9");
	assert_false(line.value_null);
	assert_str(line.value, "{\"a\": [1, \"}\"]}");
	assert_int_equal(line.n_headers, 0);
}

static void
members_come_in_any_order_with_any_white_space(void **state)
{
	struct archive_line line = read_good(
		" { \"value\" : {\"value\":2} , \"more\":[{\"value\":3}],"
		"\"offset\":9223372036854775807,\t\"partition\":2147483647 ,"
		"\"topic\":\"\\u0074\"} \r");

	(void)state;
	assert_str(line.value, "{\"value\":2}");
	assert_int_equal(line.offset, INT64_MAX);
	assert_int_equal(line.partition, INT32_MAX);
	assert_str(line.topic, "t");
	assert_true(line.key_null);
	assert_int_equal(line.timestamp_ms, -1);
}

static void
a_value_is_its_raw_bytes_whatever_is_wrong_inside(void **state)
{
	static const char *const values[] = {
		"{}",
		"[]",
		"\"\"",
		"\"null\"",
		"0",
		"-1.50e3",
		"true",
		"nullx",
		"{\"a\":1,\"a\":2}",
		"{\"n\":9223372036854775808}",
		"{\"s\":\"\\ud800\xff\"}",
		"{\"s\":\"a\\\"}]\\\\\"}",
		"\"\\\\\\\"}\"",
		"{\"a\":[{\"b\":{}},[]]}",
		"{\"a\" 1 nonsense}",
		"[1,,2]",
		"nonsense here",
		"{]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		char text[128];
		struct archive_line line;

		(void)snprintf(text, sizeof(text), HEAD ",\"value\":%s}",
			       values[i]);
		line = read_good(text);
		assert_false(line.value_null);
		assert_str(line.value, values[i]);
		(void)snprintf(text, sizeof(text),
			       "{\"value\" : %s , \"topic\":\"t\",\"offset\":0,"
			       "\"partition\":0}",
			       values[i]);
		assert_str(read_good(text).value, values[i]);
	}
}

static void
a_null_value_is_a_tombstone(void **state)
{
	struct archive_line line = read_good(HEAD ",\"value\":null}");

	(void)state;
	assert_true(line.value_null);
	assert_int_equal(line.value.len, 0);
	/* The name may be spelt with escapes. */
	assert_true(read_good(HEAD ",\"v\\u0061lue\":null}").value_null);
	line = read_good(HEAD ",\"v\\u0061lue\":{\"a\" : 1}}");
	assert_str(line.value, "{\"a\" : 1}");
}

static void
base64_members_carry_any_bytes(void **state)
{
	struct archive_line line = read_good(
		HEAD ",\"keyBase64\":\"/wA=\",\"valueBase64\":\"AAECA/8=\"}");

	(void)state;
	assert_int_equal(line.key.len, 2);
	assert_memory_equal(line.key.ptr, "\xff\0", 2);
	assert_int_equal(line.value.len, 5);
	assert_memory_equal(line.value.ptr, "\0\1\2\3\xff", 5);
	line = read_good(HEAD ",\"keyBase64\":\"\",\"valueBase64\":\"\"}");
	assert_false(line.key_null);
	assert_false(line.value_null);
	assert_non_null(line.value.ptr);
	assert_int_equal(line.key.len + line.value.len, 0);
}

static void
a_missing_or_null_key_is_no_key(void **state)
{
	struct archive_line line;

	(void)state;
	assert_true(read_good(HEAD ",\"value\":1}").key_null);
	assert_true(read_good(HEAD ",\"key\":null,\"value\":1}").key_null);
	line = read_good(HEAD ",\"key\":\"\",\"value\":1}");
	assert_false(line.key_null);
	assert_int_equal(line.key.len, 0);
}

static void
headers_are_strings_nulls_and_lists_of_them(void **state)
{
	struct archive_line line = read_good(
		HEAD ",\"value\":1,\"headers\":{\"a\":\"x\\ty\",\"b\":null,"
		     "\"c\":[\"1\",null,\"2\"],\"d\":[]}}");

	(void)state;
	assert_int_equal(line.n_headers, 5);
	assert_str(line.headers[0].name, "a");
	assert_str(line.headers[0].value, "x\ty");
	assert_str(line.headers[1].name, "b");
	assert_null(line.headers[1].value.ptr);
	for (size_t i = 2; i < 5; i++)
		assert_str(line.headers[i].name, "c");
	assert_str(line.headers[2].value, "1");
	assert_null(line.headers[3].value.ptr);
	assert_str(line.headers[4].value, "2");
	line = read_good(HEAD ",\"value\":1,\"headersBase64\":"
			      "[[\"/w==\",\"AA==\"],[\"YQ==\",null]]}");
	assert_int_equal(line.n_headers, 2);
	assert_str(line.headers[0].name, "\xff");
	assert_int_equal(line.headers[0].value.len, 1);
	assert_str(line.headers[1].name, "a");
	assert_null(line.headers[1].value.ptr);
	assert_int_equal(read_good(HEAD ",\"value\":1}").n_headers, 0);
}

#define NO_JSON "archive line: JSON: "

static const struct {
	const char *line, *text;
} bad_lines[] = {
	{"", NO_JSON},
	{"{", NO_JSON},
	{"[]", "archive line: line: not a JSON object"},
	{"{}", "archive line: topic: missing"},
	{HEAD ",\"value\":1", NO_JSON},
	{HEAD ",\"value\":1}x", NO_JSON},
	{HEAD ",\"value\":1,\"value\":2}", NO_JSON},
	{HEAD ",\"value\":1,\"offset\":2}", NO_JSON},
	{HEAD "}", "archive line: value: missing"},
	{HEAD ",\"value\":}", "archive line: value: empty"},
	{HEAD ",\"value\":,\"a\":1}", "archive line: value: empty"},
	{HEAD ",\"value\":", "archive line: value: empty or not ended"},
	{HEAD ",\"value\":{\"a\":1}", NO_JSON},
	{HEAD ",\"value\":{\"a\":[1}",
	 "archive line: value: empty or not ended"},
	{HEAD ",\"value\":\"a}", "archive line: value: empty or not ended"},
	{HEAD ",\"value\":1,\"valueBase64\":\"\"}",
	 "archive line: valueBase64: there is a value already"},
	{HEAD ",\"valueBase64\":\"A\"}",
	 "archive line: valueBase64: not a base64 string"},
	{HEAD ",\"valueBase64\":null}",
	 "archive line: valueBase64: not a base64 string"},
	{HEAD ",\"key\":1,\"value\":1}",
	 "archive line: key: neither a string nor null"},
	{HEAD ",\"key\":\"\",\"keyBase64\":\"\",\"value\":1}",
	 "archive line: keyBase64: there is a key already"},
	{HEAD ",\"key\":\"\xff\",\"value\":1}", NO_JSON},
	{HEAD ",\"timestamp\":\"1\",\"value\":1}",
	 "archive line: timestamp: not an integer"},
	{HEAD ",\"headers\":[],\"value\":1}",
	 "archive line: headers: not an object"},
	{HEAD ",\"headers\":{\"a\":1},\"value\":1}",
	 "archive line: headers: a value is neither"},
	{HEAD ",\"headers\":{\"a\":[[]]},\"value\":1}",
	 "archive line: headers: a value is neither"},
	{HEAD ",\"headersBase64\":{},\"value\":1}",
	 "archive line: headersBase64: not an array"},
	{HEAD ",\"headersBase64\":[[\"\"]],\"value\":1}",
	 "archive line: headersBase64: no [name, value]"},
	{HEAD ",\"headersBase64\":[[{},{}]],\"value\":1}",
	 "archive line: headersBase64: not a base64 string"},
	{"{\"topic\":\"\",\"partition\":0,\"offset\":0,\"value\":1}",
	 "archive line: topic: missing"},
	{"{\"topic\":\"t\",\"partition\":-1,\"offset\":0,\"value\":1}",
	 "archive line: partition: not an integer in range"},
	{"{\"topic\":\"t\",\"partition\":2147483648,\"offset\":0,"
	 "\"value\":1}",
	 "archive line: partition: not an integer in range"},
	{"{\"topic\":\"t\",\"partition\":0,\"offset\":-1,\"value\":1}",
	 "archive line: offset: not an integer in range"},
	{"{\"topic\":\"t\",\"partition\":0,\"offset\":1.0,\"value\":1}",
	 "archive line: offset: not an integer in range"},
	{"{\"topic\":\"t\",\"partition\":0,\"value\":1}",
	 "archive line: offset: missing"},
};

static void
an_error_says_what_is_wrong_with_the_line(void **state)
{

	(void)state;
	for (size_t i = 0; i < COUNT(bad_lines); i++) {
		struct archive_line out;
		struct pj_error err = {0};

		if (read_line(bad_lines[i].line, strlen(bad_lines[i].line),
			      &out, &err) == 0)
			fail_msg("%s was read", bad_lines[i].line);
		assert_int_equal(err.cls, PJ_ERROR_INPUT);
		if (strncmp(err.text, bad_lines[i].text,
			    strlen(bad_lines[i].text)) != 0)
			fail_msg("%s: %s", bad_lines[i].line, err.text);
	}
}

static void
a_line_cut_anywhere_is_an_error(void **state)
{
	static const char line[] =
		"{\"topic\":\"t\",\"partition\":0,\"offset\":12,"
		"\"timestamp\":1,\"key\":\"k\",\"headers\":{\"a\":[\"b\"]},"
		"\"value\":{\"a\":\"\\\"}\"}}";
	struct archive_line out;
	struct pj_error err;

	(void)state;
	for (size_t len = 0; len < sizeof(line) - 1; len++)
		assert_int_equal(read_line(line, len, &out, &err), -1);
	assert_int_equal(read_line(line, sizeof(line) - 1, &out, &err), 0);
}

/* ---- Writing ----------------------------------------------------------- */

static struct partition partition = {.topic = "stock", .number = 3};

static void
assert_written(const struct record *rec, const char *want)
{
	struct buf out = BUF_INIT;

	archive_line_write(&out, reader, rec);
	assert_string_equal(out.data, want);
	buf_release(&out);
}

static void
json_is_written_as_it_is_and_other_bytes_in_base64(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{"{\"a\" : 1}", "\"value\":{\"a\" : 1}"},
		{"\"x\"", "\"value\":\"x\""},
		{"null", "\"valueBase64\":\"bnVsbA==\""},
		{"", "\"valueBase64\":\"\""},
		{"{\"a\":\n1}", "\"valueBase64\":\"eyJhIjoKMX0=\""},
		{"{\"a\":\r1}", "\"valueBase64\":\"eyJhIjoNMX0=\""},
		{" 1", "\"valueBase64\":\"IDE=\""},
		{"1\t", "\"valueBase64\":\"MQk=\""},
		{"{\"a\":1,\"a\":2}",
		 "\"valueBase64\":\"eyJhIjoxLCJhIjoyfQ==\""},
		{"\xff", "\"valueBase64\":\"/w==\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct record rec = {
			.partition = &partition,
			.offset = 12,
			.timestamp_ms = 1700000000000,
			.key = PJ_STR("shop-1"),
			.value = {cases[i].value, strlen(cases[i].value)},
		};
		char want[256];

		(void)snprintf(want, sizeof(want),
			       "{\"topic\":\"stock\",\"partition\":3,"
			       "\"offset\":12,\"timestamp\":1700000000000,"
			       "\"key\":\"shop-1\",\"headers\":{},%s}\n",
			       cases[i].want);
		assert_written(&rec, want);
	}
}

static void
keys_headers_and_tombstones_are_written_in_their_forms(void **state)
{
	static const struct record_header headers[] = {
		{PJ_STR("a"), PJ_STR("1\n")},  {PJ_STR("b"), {NULL, 0}},
		{PJ_STR("a"), {NULL, 0}},      {PJ_STR("a"), PJ_STR("")},
		{PJ_STR("c"), PJ_STR("\xff")},
	};
	struct record rec = {
		.partition = &partition,
		.timestamp_ms = -1,
		.key_null = true,
		.value_null = true,
		.headers = headers,
		.n_headers = 4,
	};

	(void)state;
	assert_written(&rec, "{\"topic\":\"stock\",\"partition\":3,"
			     "\"offset\":0,\"timestamp\":-1,\"key\":null,"
			     "\"headers\":{\"a\":[\"1\\n\",null,\"\"],"
			     "\"b\":null},\"value\":null}\n");
	rec.key_null = false;
	rec.key = PJ_STR("\xff");
	rec.n_headers = 5;
	assert_written(&rec, "{\"topic\":\"stock\",\"partition\":3,"
			     "\"offset\":0,\"timestamp\":-1,"
			     "\"keyBase64\":\"/w==\",\"headersBase64\":["
			     "[\"YQ==\",\"MQo=\"],[\"Yg==\",null],"
			     "[\"YQ==\",null],[\"YQ==\",\"\"],"
			     "[\"Yw==\",\"/w==\"]],\"value\":null}\n");
}

/* ---- There and back ---------------------------------------------------- */

static uint64_t seed = 20231115;

static uint32_t
dice(uint32_t sides)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % sides;
}

/* Any bytes, likely ones, or JSON; into a slice of exactly that size. */
static struct pj_str
random_bytes(uint32_t max)
{
	static const char likely[] = "\"\\{}[]:, \n\r\t\0anull0\xc3\xa9\xff";
	static const char *const texts[] = {"{\"eventType\":\"X\",\"data\":{}}",
					    "null",
					    "[1,2]",
					    "\"s\"",
					    "true",
					    " {} ",
					    "{\"a\":\n1}"};
	struct pj_str out;
	uint32_t kind = dice(4);
	char *bytes;

	out.len = dice(max + 1);
	if (kind == 0)
		out.len = strlen(texts[dice(COUNT(texts))]);
	bytes = mem_alloc(out.len + 1);
	for (size_t i = 0; i < out.len; i++)
		bytes[i] = kind == 1   ? (char)dice(256)
			   : kind == 2 ? likely[dice(sizeof(likely) - 1)]
				       : (char)('a' + dice(26));
	if (kind == 0) {
		const char *text = texts[dice(COUNT(texts))];

		out.len = strlen(text) < out.len ? strlen(text) : out.len;
		memcpy(bytes, text, out.len);
	}
	out.ptr = bytes;
	return out;
}

static void
assert_same(struct pj_str got, struct pj_str want)
{
	assert_int_equal(got.len, want.len);
	if (want.len)
		assert_memory_equal(got.ptr, want.ptr, want.len);
}

/* The i-th header of that name must be the i-th again. */
static void
assert_same_headers(const struct archive_line *got, const struct record *want)
{
	assert_int_equal(got->n_headers, want->n_headers);
	for (size_t i = 0; i < want->n_headers; i++) {
		struct pj_str name = want->headers[i].name;
		size_t before = 0;
		size_t k = 0;

		for (size_t m = 0; m < i; m++)
			before += want->headers[m].name.len == name.len &&
				  !memcmp(want->headers[m].name.ptr, name.ptr,
					  name.len);
		for (; k < got->n_headers; k++) {
			if (got->headers[k].name.len != name.len ||
			    memcmp(got->headers[k].name.ptr, name.ptr,
				   name.len) != 0)
				continue;
			if (before-- == 0)
				break;
		}
		assert_true(k < got->n_headers);
		assert_int_equal(got->headers[k].value.ptr == NULL,
				 want->headers[i].value.ptr == NULL);
		assert_same(got->headers[k].value, want->headers[i].value);
	}
}

static void
any_record_comes_back_to_the_byte(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct record_header headers[4];
		struct record rec = {
			.partition = &partition,
			.offset = dice(1000),
			.timestamp_ms = (int64_t)dice(1000) - 1,
			.key_null = dice(8) == 0,
			.value_null = dice(8) == 0,
			.key = random_bytes(12),
			.value = random_bytes(40),
			.headers = headers,
			.n_headers = dice(5),
		};
		struct archive_line got;
		struct buf out = BUF_INIT;
		struct pj_error err;

		for (size_t i = 0; i < rec.n_headers; i++) {
			headers[i].name = random_bytes(1);
			headers[i].value = random_bytes(6);
		}
		archive_line_write(&out, reader, &rec);
		assert_ptr_equal(memchr(out.data, '\n', out.len),
				 out.data + out.len - 1);
		if (read_line(out.data, out.len - 1, &got, &err) < 0)
			fail_msg("%s: %s", out.data, err.text);
		assert_str(got.topic, "stock");
		assert_int_equal(got.partition, 3);
		assert_int_equal(got.offset, rec.offset);
		assert_int_equal(got.timestamp_ms, rec.timestamp_ms);
		assert_int_equal(got.key_null, rec.key_null);
		assert_int_equal(got.value_null, rec.value_null);
		if (!rec.key_null)
			assert_same(got.key, rec.key);
		if (!rec.value_null)
			assert_same(got.value, rec.value);
		assert_same_headers(&got, &rec);
		buf_release(&out);
		free((void *)(uintptr_t)rec.key.ptr);
		free((void *)(uintptr_t)rec.value.ptr);
		for (size_t i = 0; i < rec.n_headers; i++) {
			free((void *)(uintptr_t)headers[i].name.ptr);
			free((void *)(uintptr_t)headers[i].value.ptr);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_gives_its_record),
		cmocka_unit_test(
			members_come_in_any_order_with_any_white_space),
		cmocka_unit_test(
			a_value_is_its_raw_bytes_whatever_is_wrong_inside),
		cmocka_unit_test(a_null_value_is_a_tombstone),
		cmocka_unit_test(base64_members_carry_any_bytes),
		cmocka_unit_test(a_missing_or_null_key_is_no_key),
		cmocka_unit_test(headers_are_strings_nulls_and_lists_of_them),
		cmocka_unit_test(an_error_says_what_is_wrong_with_the_line),
		cmocka_unit_test(a_line_cut_anywhere_is_an_error),
		cmocka_unit_test(
			json_is_written_as_it_is_and_other_bytes_in_base64),
		cmocka_unit_test(
			keys_headers_and_tombstones_are_written_in_their_forms),
		cmocka_unit_test(any_record_comes_back_to_the_byte),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
