/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/json_read.h"

#include <time.h>

static void
an_error_names_the_byte_at_fault(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{"", "JSON: value expected at byte 0"},
		{"  ", "JSON: value expected at byte 2"},
		{"[1,]", "JSON: value expected at byte 3"},
		{"{\"a\":1,}", "JSON: name expected at byte 7"},
		{"{\"a\" 1}", "JSON: ':' expected at byte 5"},
		{"{\"a\":1 \"b\"}", "JSON: ',' or '}' expected at byte 7"},
		{"[1 2]", "JSON: ',' or ']' expected at byte 3"},
		{"{\"a\":1,\"a\":2}", "JSON: duplicate name at byte 7"},
		{"\"abc", "JSON: unterminated string at byte 4"},
		{"\"abcdefghij\x01\"", "JSON: control byte in a string at "
				       "byte 11"},
		{"\"abcdefghij\xff\"", "JSON: invalid UTF-8 at byte 11"},
		{"[\"\\x\"]", "JSON: invalid escape at byte 2"},
		{"[\"\\ud800\"]", "JSON: lone surrogate at byte 2"},
		{"[9223372036854775808]", "JSON: integer out of range at "
					  "byte 1"},
		{"[-1e999]", "JSON: number out of range at byte 1"},
		{"null x", "JSON: trailing bytes at byte 5"},
	};
	struct pj_error err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(cases[i].text, strlen(cases[i].text),
					   NULL, &err),
				 -1);
		assert_string_equal(err.text, cases[i].want);
	}
}

static void
reals_are_rounded_like_the_compiler_does(void **state)
{
	/* Both sides of the fast path, midpoints, and the ends of the range. */
#define REAL(x)                                                                \
	{                                                                      \
#x, x                                                          \
	}
	static const struct {
		const char *text;
		double want;
	} cases[] = {
		REAL(0.1),
		REAL(0.3),
		REAL(1e22),
		REAL(1e23),
		REAL(8.5e-22),
		REAL(9007199254740993.0),
		REAL(9007199254740991.5),
		REAL(9007199254740992.5),
		REAL(123456789012345678901234567890.0),
		REAL(0.30000000000000004),
		REAL(2.2250738585072011e-308),
		REAL(2.2250738585072014e-308),
		REAL(5e-324),
		{"2.4703282292062327e-324", 0.0},
		REAL(2.4703282292062328e-324),
		REAL(1.7976931348623157e308),
		REAL(1.7976931348623158e308),
		{"1e-400", 0.0},
		REAL(37.5665123),
		REAL(6.02214076e23),
		REAL(1.00000000000000011102230246251565404236316680908203125),
		REAL(1.00000000000000011102230246251565404236316680908203124),
		REAL(1.00000000000000011102230246251565404236316680908203126),
	};
	const struct json_node *nodes;
	struct pj_error err;
	uint32_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(json_read(reader, cases[i].text,
					   strlen(cases[i].text), &nodes, &n,
					   &err),
				 0);
		assert_int_equal(nodes[0].type, JSON_REAL);
		if (memcmp(&nodes[0].d, &cases[i].want, sizeof(double)) != 0)
			fail_msg("%s: %a, not %a", cases[i].text, nodes[0].d,
				 cases[i].want);
	}
}

/* The one digit that decides may stand as far behind as it likes. */
static void
a_digit_far_behind_a_midpoint_decides_the_rounding(void **state)
{
	static const char half[] =
		"1.00000000000000011102230246251565404236316680908203125";
	struct buf text = BUF_INIT;
	const struct json_node *nodes;
	struct pj_error err;
	uint32_t n;

	(void)state;
	buf_addstr(&text, half);
	for (int i = 0; i < 5000; i++)
		buf_addch(&text, '0');
	assert_int_equal(
		json_read(reader, text.data, text.len, &nodes, &n, &err), 0);
	assert_true(nodes[0].d == 1.0);
	buf_addch(&text, '1');
	assert_int_equal(
		json_read(reader, text.data, text.len, &nodes, &n, &err), 0);
	assert_true(nodes[0].d == 1.0 + 0x1p-52);
	buf_release(&text);
}

static void
a_huge_exponent_is_weighed_against_the_digits(void **state)
{
	struct buf text = BUF_INIT;
	const struct json_node *nodes;
	struct pj_error err;
	uint32_t n;

	(void)state;
	buf_addstr(&text, "0.");
	for (int i = 0; i < 1000; i++)
		buf_addch(&text, '0');
	buf_addstr(&text, "1e1001");
	assert_int_equal(
		json_read(reader, text.data, text.len, &nodes, &n, &err), 0);
	assert_true(nodes[0].d == 1.0);
	buf_clear(&text);
	buf_addch(&text, '1');
	for (int i = 0; i < 1000; i++)
		buf_addch(&text, '0');
	buf_addstr(&text, "e-1000");
	assert_int_equal(
		json_read(reader, text.data, text.len, &nodes, &n, &err), 0);
	assert_true(nodes[0].d == 1.0);
	buf_release(&text);
}

static void
nested(struct buf *out, int depth, bool objects)
{
	buf_clear(out);
	for (int i = 0; i < depth; i++)
		buf_addstr(out, objects ? "{\"a\":" : "[");
	buf_addstr(out, objects ? "1" : "");
	for (int i = 0; i < depth; i++)
		buf_addch(out, objects ? '}' : ']');
}

static void
depth_100_is_read_and_101_is_refused(void **state)
{
	struct buf text = BUF_INIT;
	struct pj_error err;

	(void)state;
	for (int objects = 0; objects <= 1; objects++) {
		nested(&text, 100, objects);
		assert_int_equal(read_text(text.data, text.len, NULL, &err), 0);
		nested(&text, 101, objects);
		assert_int_equal(read_text(text.data, text.len, NULL, &err),
				 -1);
		assert_int_equal(strncmp(err.text, "JSON: nested too deep", 21),
				 0);
		nested(&text, 1000000, objects);
		assert_int_equal(read_text(text.data, text.len, NULL, &err),
				 -1);
	}
	/* Depth is what is open, not what was opened. */
	buf_clear(&text);
	buf_addch(&text, '[');
	for (int i = 0; i < 1000; i++)
		buf_addstr(&text, "[[]],{\"a\":[]},");
	buf_addstr(&text, "0]");
	assert_int_equal(read_text(text.data, text.len, NULL, &err), 0);
	buf_release(&text);
}

static void
offsets_frame_each_value_in_the_text(void **state)
{
	static const char text[] = " { \"a\\n\" : [ 10 , -2.50e1 ,\ttrue ] , "
				   "\"\" : { } , \"b\":null } ";
	static const char *const want[] = {
		("{ \"a\\n\" : [ 10 , -2.50e1 ,\ttrue ] , \"\" : { } , "
		 "\"b\":null }"),
		"\"a\\n\"",
		"[ 10 , -2.50e1 ,\ttrue ]",
		"10",
		"-2.50e1",
		"true",
		"\"\"",
		"{ }",
		"\"b\"",
		"null"};
	static const uint32_t skip[] = {10, 2, 6, 4, 5, 6, 7, 8, 9, 10};
	const struct json_node *nodes;
	struct pj_error err;
	uint32_t n;

	(void)state;
	assert_int_equal(
		json_read(reader, text, sizeof(text) - 1, &nodes, &n, &err), 0);
	assert_int_equal(n, COUNT(want));
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(nodes[i].end - nodes[i].at, strlen(want[i]));
		assert_memory_equal(text + nodes[i].at, want[i],
				    strlen(want[i]));
		assert_int_equal(nodes[i].skip, skip[i]);
	}
	assert_int_equal(nodes[0].count, 3);
	assert_int_equal(nodes[2].count, 3);
	assert_int_equal(nodes[7].count, 0);
}

static void
a_member_is_found_by_its_unescaped_name_or_not_at_all(void **state)
{
	static const char text[] = "{\"a\":{\"x\":1},\"b\\u0063\":[2],\"\":3,"
				   "\"n\\u0000\":4}";
	const struct json_node *nodes;
	struct pj_error err;
	uint32_t n, a;

	(void)state;
	assert_int_equal(
		json_read(reader, text, sizeof(text) - 1, &nodes, &n, &err), 0);
	a = json_member(nodes, 0, "a", 1);
	assert_int_equal(a, 2);
	assert_int_equal(nodes[json_member(nodes, a, "x", 1)].i, 1);
	assert_int_equal(nodes[json_member(nodes, 0, "bc", 2)].type,
			 JSON_ARRAY);
	assert_int_equal(nodes[json_member(nodes, 0, "", 0)].i, 3);
	assert_int_equal(nodes[json_member(nodes, 0, "n\0", 2)].i, 4);
	assert_int_equal(json_member(nodes, 0, "x", 1), 0);
	assert_int_equal(json_member(nodes, 0, "n", 1), 0);
	assert_int_equal(json_member(nodes, a, "a", 1), 0);
	/* What is no object has no members. */
	assert_int_equal(
		json_member(nodes, json_member(nodes, 0, "bc", 2), "2", 1), 0);
}

static void
a_string_without_escapes_stays_in_the_text(void **state)
{
	static const char text[] = "[\"plain\",\"esc\\t\",\"nul\\u0000\"]";
	const struct json_node *nodes;
	struct pj_error err;
	uint32_t n;

	(void)state;
	assert_int_equal(
		json_read(reader, text, sizeof(text) - 1, &nodes, &n, &err), 0);
	assert_ptr_equal(nodes[1].str.ptr, text + 2);
	assert_false(nodes[1].has_nul);
	assert_false(nodes[2].has_nul);
	assert_true(nodes[3].has_nul);
	assert_int_equal(nodes[3].str.len, 4);
	assert_memory_equal(nodes[3].str.ptr, "nul\0", 4);
}

/* Every string keeps its bytes, wherever a special one falls in a word. */
static void
a_special_byte_is_seen_at_every_distance(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} specials[] = {
		{"\\\"", "\""},	    {"\\\\", "\\"}, {"\\u00e9", "\xc3\xa9"},
		{"\xc3\xa9", NULL}, {"\x1f", ""},   {"\x80", ""},
		{"\x7f", NULL},
	};
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	struct pj_error err;

	(void)state;
	for (size_t k = 0; k < COUNT(specials); k++) {
		const char *in = specials[k].in;
		const char *out = specials[k].out ? specials[k].out : in;

		for (int at = 0; at < 40; at++) {
			buf_clear(&text);
			buf_clear(&got);
			buf_clear(&want);
			buf_printf(&text, "\"%.*s%s%s\"", at,
				   "abcdefghijklmnopqrstuvwxyz!#$%&'()*+,-./:;",
				   in, "tail");
			buf_printf(&want, "\"%.*s%s%s\"", at,
				   "abcdefghijklmnopqrstuvwxyz!#$%&'()*+,-./:;",
				   out, "tail");
			if (*out == '\0') {
				assert_int_equal(read_text(text.data, text.len,
							   NULL, &err),
						 -1);
				continue;
			}
			assert_int_equal(
				read_text(text.data, text.len, &got, &err), 0);
			assert_string_equal(got.data, want.data);
		}
	}
	buf_release(&text);
	buf_release(&want);
	buf_release(&got);
}

static void
add_member(struct buf *text, int name, bool escaped)
{
	buf_addch(text, text->data[text->len - 1] == '{' ? ' ' : ',');
	/* Equal length and both ends: only the middle tells them apart. */
	buf_printf(text,
		   escaped ? "\"name-\\u00%02xend-of-it\":[{}]"
			   : "\"name-%cend-of-it\":[{}]",
		   '0' + name);
}

/* Small objects are compared, large ones hashed: both, and the border. */
static void
a_name_given_twice_is_found_wherever_it_stands(void **state)
{
	struct buf text = BUF_INIT;
	struct pj_error err;

	(void)state;
	for (int n = 1; n <= 36; n++) {
		buf_clear(&text);
		buf_addch(&text, '{');
		for (int i = 0; i < n; i++)
			add_member(&text, i, i % 3 == 0);
		buf_addch(&text, '}');
		assert_int_equal(read_text(text.data, text.len, NULL, &err), 0);
		for (int twice = 0; twice < n; twice++) {
			text.len--;
			add_member(&text, twice, n % 2);
			buf_addch(&text, '}');
			if (read_text(text.data, text.len, NULL, &err) == 0)
				fail_msg("%d members, %d twice", n, twice);
			assert_int_equal(
				strncmp(err.text, "JSON: duplicate name", 20),
				0);
			buf_clear(&text);
			buf_addch(&text, '{');
			for (int i = 0; i < n; i++)
				add_member(&text, i, i % 3 == 0);
			buf_addch(&text, '}');
		}
	}
	buf_release(&text);
}

static double
cpu_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/*
 * Linear takes some 20 ms (0.3 s with sanitizers), a compare of every pair
 * of names more than 10 s, so the bound tells them apart on any machine.
 */
static void
a_large_object_takes_linear_time(void **state)
{
	struct buf text = BUF_INIT;
	struct pj_error err;
	double start;

	(void)state;
	buf_addch(&text, '{');
	for (int i = 0; i < 200000; i++)
		buf_printf(&text, "%s\"same-start-%06d-same-end\":%d",
			   i ? "," : "", i, i);
	buf_addch(&text, '}');
	start = cpu_seconds();
	assert_int_equal(read_text(text.data, text.len, NULL, &err), 0);
	assert_true(cpu_seconds() - start < 3);
	text.len--;
	buf_addstr(&text, ",\"same-start-100000-same-\\u0065nd\":0}");
	assert_int_equal(read_text(text.data, text.len, NULL, &err), -1);
	assert_non_null(strstr(err.text, "duplicate name"));
	buf_release(&text);
}

/* The table a large object left behind costs the next ones nothing. */
static void
many_middling_objects_after_a_large_one_take_linear_time(void **state)
{
	struct buf text = BUF_INIT;
	struct pj_error err;
	double start;

	(void)state;
	buf_addstr(&text, "[{");
	for (int i = 0; i < 400000; i++)
		buf_printf(&text, "%s\"%d\":0", i ? "," : "", i);
	buf_addch(&text, '}');
	for (int i = 0; i < 40000; i++) {
		buf_addstr(&text, ",{");
		for (int k = 0; k < 17; k++)
			buf_printf(&text, "%s\"%d\":0", k ? "," : "", k);
		buf_addch(&text, '}');
	}
	buf_addch(&text, ']');
	start = cpu_seconds();
	assert_int_equal(read_text(text.data, text.len, NULL, &err), 0);
	assert_true(cpu_seconds() - start < 3);
	buf_release(&text);
}

static void
a_reader_is_as_new_after_a_refused_text(void **state)
{
	static const char *const bad[] = {"{\"a\":[{\"b\\n\":", "[[[[[\"\\n",
					  "{\"a\":1,\"a\":2}", "[1e999]", ""};
	struct buf out = BUF_INIT;
	struct pj_error err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(read_text(bad[i], strlen(bad[i]), NULL, &err),
				 -1);
		buf_clear(&out);
		assert_int_equal(read_text("{\"a\":[\"\\n\"]}", 12, &out, &err),
				 0);
		assert_string_equal(out.data, "{\"a\":[\"\n\"]}");
	}
	buf_release(&out);
}

/* Unescaped strings take the place of the last text's, not more and more. */
static void
a_text_can_be_read_again_and_again(void **state)
{
	static const char text[] = "[\"\\\"0123456789abcdef\",\"\\n\"]";
	const struct json_node *nodes;
	const char *first = NULL;
	struct pj_error err;
	uint32_t n;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(json_read(reader, text, sizeof(text) - 1,
					   &nodes, &n, &err),
				 0);
		if (i == 0)
			first = nodes[1].str.ptr;
		assert_ptr_equal(nodes[1].str.ptr, first);
		assert_int_equal(nodes[2].str.len, 1);
	}
}

static void
no_text_at_all_is_refused(void **state)
{
	const struct json_node *nodes;
	struct pj_error err;
	uint32_t n;

	(void)state;
	assert_int_equal(json_read(reader, NULL, 0, &nodes, &n, &err), -1);
	assert_string_equal(err.text, "JSON: value expected at byte 0");
	/* Length is judged before a byte is read. */
	assert_int_equal(
		json_read(reader, "1", (size_t)1 << 31, &nodes, &n, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_names_the_byte_at_fault),
		cmocka_unit_test(reals_are_rounded_like_the_compiler_does),
		cmocka_unit_test(
			a_digit_far_behind_a_midpoint_decides_the_rounding),
		cmocka_unit_test(a_huge_exponent_is_weighed_against_the_digits),
		cmocka_unit_test(depth_100_is_read_and_101_is_refused),
		cmocka_unit_test(offsets_frame_each_value_in_the_text),
		cmocka_unit_test(
			a_member_is_found_by_its_unescaped_name_or_not_at_all),
		cmocka_unit_test(a_string_without_escapes_stays_in_the_text),
		cmocka_unit_test(a_special_byte_is_seen_at_every_distance),
		cmocka_unit_test(
			a_name_given_twice_is_found_wherever_it_stands),
		cmocka_unit_test(a_large_object_takes_linear_time),
		cmocka_unit_test(
			many_middling_objects_after_a_large_one_take_linear_time),
		cmocka_unit_test(a_reader_is_as_new_after_a_refused_text),
		cmocka_unit_test(a_text_can_be_read_again_and_again),
		cmocka_unit_test(no_text_at_all_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
