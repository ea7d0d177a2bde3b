/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config.h"

static const char *const colours[] = {"red", "green", NULL};

static const struct config_key box_keys[] = {
	{.name = "width", .type = CONFIG_COUNT, .min = 1, .max = 100},
	{.name = "colour", .type = CONFIG_CHOICE, .choices = colours},
	{.name = "label", .type = CONFIG_TEXT},
	{.name = "tags", .type = CONFIG_PAIRS},
	{.name = NULL},
};
static const struct config_key none[] = {{.name = NULL}};
static const struct config_section sections[] = {
	{.name = "box", .keys = box_keys},
	{.name = "shelf", .titled = true, .keys = box_keys},
	{.name = "crate", .titled = true, .open = true, .keys = none},
	{.name = NULL},
};

static struct config conf;
static struct pj_error err;

static int
parse(const char *text)
{
	config_release(&conf);
	memset(&err, 0, sizeof(err));
	return config_parse("f", text, strlen(text), sections, &conf, &err);
}

/* The value of the n-th item that has one. */
static const char *
value(size_t n)
{
	for (size_t i = 0; i < conf.n_items; i++)
		if (conf.items[i].name && n-- == 0)
			return conf.items[i].values[0];
	fail_msg("no such item");
	return NULL;
}

static void
assert_refused(const char *text, const char *expected)
{
	if (parse(text) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_string_equal(err.text, expected);
	assert_int_equal(conf.n_items, 0);
}

static int
setup(void **state)
{
	(void)state;
	return setenv("T_SET", "from the \"environment\"", 1) ||
	       setenv("T_EMPTY", "", 1) || unsetenv("T_UNSET");
}

static int
teardown(void **state)
{
	(void)state;
	config_release(&conf);
	return 0;
}

static void
values_keep_text_title_and_line(void **state)
{
	(void)state;
	assert_int_equal(parse("# head\n"
			       "box {\n\n width = 3\n"
			       " label = \"two words\" }\n"
			       "shelf \"a.b\" { tags = {x, \"y z\",} }\n"
			       "crate c { n_1 = -4 }\n"
			       "crate d { }\n"),
			 0);
	assert_int_equal(conf.n_items, 8);
	assert_null(conf.items[0].name);
	assert_null(conf.items[0].title);
	assert_int_equal(conf.items[0].line, 2);
	assert_string_equal(conf.items[1].name, "width");
	assert_ptr_equal(conf.items[1].key, &box_keys[0]);
	assert_string_equal(conf.items[1].values[0], "3");
	assert_int_equal(conf.items[1].line, 4);
	assert_string_equal(conf.items[2].values[0], "two words");
	assert_int_equal(conf.items[2].line, 5);
	assert_string_equal(conf.items[4].title, "a.b");
	assert_int_equal(conf.items[4].n_values, 2);
	assert_string_equal(conf.items[4].values[1], "y z");
	assert_string_equal(conf.items[6].name, "n_1");
	assert_null(conf.items[6].key);
	assert_string_equal(conf.items[6].values[0], "-4");
	assert_string_equal(conf.items[7].title, "d");
}

static void
an_empty_text_is_an_empty_configuration(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(conf.n_items, 0);
	assert_int_equal(parse(" # nothing"), 0);
	assert_int_equal(parse("box{}box_less"), -1);
}

static void
comments_may_stand_anywhere_and_do_not_move_lines(void **state)
{
	(void)state;
	assert_int_equal(parse("/* a\n * b\n **/ box // c\n{ # d\n"
			       "tags /**/ = { x, # e\n y /* f */ }\n"
			       "/***/width = /* \" */ 3\n}#"),
			 0);
	assert_int_equal(conf.n_items, 3);
	assert_int_equal(conf.items[0].line, 3);
	assert_int_equal(conf.items[1].n_values, 2);
	assert_string_equal(conf.items[1].values[1], "y");
	assert_int_equal(conf.items[2].line, 7);
	assert_refused("# a\n# b\n/* c */\nbox { with = 1 }",
		       "f:4: unknown key 'with' in box (did you mean "
		       "'width'?)");
	assert_refused("box { }\n/* open\n *", "f:2: this comment is not "
					       "closed");
}

static void
strings_read_their_escapes(void **state)
{
	(void)state;
	assert_int_equal(parse("box { label = "
			       "\"a\\\"b\\\\c\\$d\\n\\r\\t\\x41\xea\xb0\x80"
			       "#//'\" }"),
			 0);
	assert_string_equal(value(0), "a\"b\\c$d\n\r\tA\xea\xb0\x80#//'");
	assert_int_equal(parse("box { label = 'a\\'b\\\\c\\d${X}\"' }"), 0);
	assert_string_equal(value(0), "a'b\\c\\d${X}\"");
	assert_int_equal(parse("box { label = http://h:1/a//b@[::1]%2F~ }"), 0);
	assert_string_equal(value(0), "http://h:1/a//b@[::1]%2F~");
	assert_int_equal(parse("box { label = \"\"\r\n}\r\n"), 0);
	assert_string_equal(value(0), "");
}

static void
escapes_that_libconfuse_would_guess_or_choke_on_are_refused(void **state)
{
	static const char *const bad[] = {"\\8",   "\\400", "\\1234", "\\q",
					  "\\x",   "\\x4",  "\\x00",  "\\0",
					  "\\x4g", "\\\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "box {\nlabel = \"%s\" }",
			       bad[i]);
		assert_refused(text, "f:2: unknown escape in a \"string\"; "
				     "known are \\\" \\\\ \\$ \\n \\r \\t "
				     "\\xHH");
	}
	/* The lexer is global: a refused text leaves nothing behind. */
	assert_int_equal(parse("box { label = a }"), 0);
	assert_string_equal(value(0), "a");
}

static void
a_variable_is_the_environments_and_must_be_set(void **state)
{
	(void)state;
	assert_int_equal(parse("box { label = \"<${T_SET}>\" }"), 0);
	assert_string_equal(value(0), "<from the \"environment\">");
	assert_int_equal(parse("box { label = ${T_SET} }"), 0);
	assert_string_equal(value(0), "from the \"environment\"");
	assert_int_equal(parse("box { label = \"${T_EMPTY}\" }"), 0);
	assert_string_equal(value(0), "");
	assert_int_equal(parse("box { label = \"${T_UNSET:-a:b c}\" }"), 0);
	assert_string_equal(value(0), "a:b c");
	assert_int_equal(parse("box { label = \"${T_UNSET:-}\" }"), 0);
	assert_string_equal(value(0), "");
	assert_refused("box {\n\nlabel = \"x${T_UNSET}\" }",
		       "f:3: ${T_UNSET} is not set");
	assert_refused("box { label = ${T_UNSET} }",
		       "f:1: ${T_UNSET} is not set");
	assert_refused("box { label = \"${T_UNSET\" }",
		       "f:1: this ${NAME} is not closed");
	assert_refused("box { label = \"${T_SET:x}\" }",
		       "f:1: a default is written ${NAME:-default}");
	assert_refused("box { label = \"$1\" }",
		       "f:1: '$' begins ${NAME} or ${NAME:-default}; write \\$ "
		       "in a \"string\" for the character");
	/* libconfuse would read the word `a$`. */
	assert_refused(
		"box { label = a${T_SET} }",
		"f:1: unexpected '$' (a value with such characters needs "
		"quotes)");
}

static void
an_open_end_is_refused(void **state)
{
	(void)state;
	assert_refused("box {\n width = 1\n", "f:1: section box is not closed");
	assert_refused("box", "f:1: expected '{' of the section, found the end "
			      "of the file");
	assert_refused("box { width", "f:1: expected '=' behind the key, found "
				      "the end of the file");
	assert_refused("box { width =\n}", "f:2: expected a value, found '}'");
	assert_refused("box { tags = { a", "f:1: expected ',' or '}' of the "
					   "list, found the end of the file");
	assert_refused("box {\nlabel = \"abc\n\" }",
		       "f:2: this string is not closed on its line");
	assert_refused("box { label = 'abc\\'",
		       "f:1: this string is not closed on its line");
	assert_int_equal(parse("box { label = a }"), 0);
	assert_string_equal(value(0), "a");
}

static void
what_stands_twice_is_refused(void **state)
{
	(void)state;
	assert_refused(
		"box {\nwidth = 1\nwidth = 2 }",
		"f:3: key 'width' is here a second time (first in line 2)");
	assert_refused(
		"box { }\nbox { }",
		"f:2: section 'box' is here a second time (first in line "
		"1)");
	assert_refused("shelf a { }\nshelf b { }\nshelf \"a\" { }",
		       "f:3: shelf 'a' is here a second time (first in line "
		       "1)");
	assert_refused("crate a { n = 1\nn = 2 }",
		       "f:2: key 'n' is here a second time (first in line 1)");
	assert_int_equal(parse("box { width = 1 } shelf a { width = 1 }"
			       "shelf b { width = 2 } crate a { width = 3 }"),
			 0);
	assert_string_equal(value(2), "2");
}

static void
unknown_names_are_told_with_the_nearest(void **state)
{
	(void)state;
	assert_refused("\nbxo { }",
		       "f:2: unknown section 'bxo' (did you mean 'box'?)");
	assert_refused("refrigerator { }",
		       "f:1: unknown section 'refrigerator'");
	assert_refused("shelf a {\ncolor = red }",
		       "f:2: unknown key 'color' in shelf (did you mean "
		       "'colour'?)");
	assert_refused("crate a { Big = 1 }", "f:1: unknown key 'Big' in "
					      "crate");
}

static void
what_libconfuse_drops_in_silence_is_refused(void **state)
{
	(void)state;
	assert_refused(
		"box { label = a*b }",
		"f:1: unexpected '*' (a value with such characters needs "
		"quotes)");
	assert_refused(
		"box { label += a }",
		"f:1: unexpected '+' (a value with such characters needs "
		"quotes)");
	assert_refused(
		"box { width = 1; }",
		"f:1: unexpected ';' (a value with such characters needs "
		"quotes)");
	assert_refused("box\x01{ }", "f:1: unexpected byte 0x01");
	assert_refused("box { label = \"\x1b\" }", "f:1: unexpected byte 0x1b");
	assert_int_equal(
		config_parse("f", "box { }\0x", 9, sections, &conf, &err), -1);
	assert_string_equal(err.text, "f:1: unexpected byte 0x00");
}

static void
the_grammar_is_told_where_it_breaks(void **state)
{
	(void)state;
	assert_refused("}", "f:1: expected a section, found '}'");
	assert_refused("box { } }", "f:1: expected a section, found '}'");
	assert_refused("box x { }",
		       "f:1: expected '{' of the section, found 'x'");
	assert_refused("shelf { }",
		       "f:1: expected the section's title, found '{'");
	assert_refused("shelf \"a b\" { }",
		       "f:1: a title has 1 to 249 letters, digits, '.', '_' or "
		       "'-'");
	assert_refused("shelf \"\" { }",
		       "f:1: a title has 1 to 249 letters, digits, '.', '_' or "
		       "'-'");
	assert_refused(
		"box { width = {1} }",
		"f:1: expected one value (this key takes no list), found "
		"'{'");
	assert_refused("box { tags = {,} }",
		       "f:1: expected a value or '}' of the list, found ','");
	assert_refused("box { label = a \"secret\" }",
		       "f:1: expected a key or '}' of the section, found a "
		       "string");
}

static void
a_list_may_be_empty_or_one_bare_value(void **state)
{
	(void)state;
	assert_int_equal(parse("box { tags = { } } shelf a { tags = x }"), 0);
	assert_int_equal(conf.items[1].n_values, 0);
	assert_int_equal(conf.items[3].n_values, 1);
	assert_string_equal(conf.items[3].values[0], "x");
}

static void
size_and_number_of_settings_are_bounded(void **state)
{
	char *text = malloc(CONFIG_MAX_BYTES + 2);
	size_t at;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', CONFIG_MAX_BYTES + 1);
	text[CONFIG_MAX_BYTES + 1] = '\0';
	assert_refused(text, "f: larger than 1048576 bytes");
	text[CONFIG_MAX_BYTES] = '\0';
	assert_int_equal(parse(text), 0);
	at = (size_t)sprintf(text, "crate a {");
	for (int i = 0; i < CONFIG_MAX_ITEMS; i++)
		at += (size_t)sprintf(text + at, " k%d=1", i);
	(void)sprintf(text + at, "}");
	assert_refused(text, "f:1: more than 4096 settings");
	free(text);
}

static const struct config_key ms = {
	.name = "t", .type = CONFIG_MS, .min = 10, .max = 3600000};
static const struct config_key bytes = {
	.name = "b", .type = CONFIG_BYTES, .min = 0, .max = UINT64_MAX};
static const struct config_key count = {
	.name = "n", .type = CONFIG_COUNT, .min = 1, .max = 8};

static void
assert_number(const struct config_key *key, const char *text, uint64_t expected)
{
	uint64_t number = 0;

	assert_int_equal(config_number(key, text, "p", "w", &number, &err), 0);
	assert_int_equal(number, expected);
}

static void
assert_no_number(const struct config_key *key, const char *text,
		 const char *expected)
{
	uint64_t number = 77;

	assert_int_equal(config_number(key, text, "p", "w", &number, &err), -1);
	assert_int_equal(number, 77);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_string_equal(err.text, expected);
}

static void
numbers_read_their_units(void **state)
{
	(void)state;
	assert_number(&ms, "250", 250);
	assert_number(&ms, "250ms", 250);
	assert_number(&ms, "5s", 5000);
	assert_number(&ms, "1m", 60000);
	assert_number(&ms, "1h", 3600000);
	assert_number(&bytes, "0", 0);
	assert_number(&bytes, "64k", 65536);
	assert_number(&bytes, "16m", 16777216);
	assert_number(&bytes, "2g", 2147483648);
	assert_number(&bytes, "18446744073709551615", UINT64_MAX);
	assert_number(&count, "8", 8);
}

static void
a_wrong_unit_or_range_is_refused(void **state)
{
	(void)state;
	assert_no_number(&ms, "5k",
			 "p: w is '5k': wrong unit, must be a duration such as "
			 "250ms, 5s, 1m or 1h");
	assert_no_number(&bytes, "5s",
			 "p: w is '5s': wrong unit, must be a size such as "
			 "4096, 64k, 16m or 1g");
	assert_no_number(&count, "5k",
			 "p: w is '5k': wrong unit, must be a number without a "
			 "unit");
	assert_no_number(&count, "many",
			 "p: w is 'many', but must be a number without a unit");
	assert_no_number(&count, "",
			 "p: w is '', but must be a number without a unit");
	assert_no_number(&count, "-1",
			 "p: w is '-1', but must be a number without a unit");
	assert_no_number(&count, "9", "p: w is '9', out of the range 1 to 8");
	assert_no_number(&count, "0", "p: w is '0', out of the range 1 to 8");
	assert_no_number(&ms, "2h",
			 "p: w is '2h', out of the range 10ms to "
			 "1h");
	assert_no_number(&bytes, "18446744073709551616",
			 "p: w is '18446744073709551616', out of the range 0 "
			 "to 18446744073709551615");
	assert_no_number(&bytes, "18014398509481984k",
			 "p: w is '18014398509481984k', out of the range 0 to "
			 "18446744073709551615");
}

static void
numbers_are_written_with_the_largest_unit(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	config_add_number(&out, CONFIG_BYTES, 65536);
	buf_addch(&out, ' ');
	config_add_number(&out, CONFIG_BYTES, 1025);
	buf_addch(&out, ' ');
	config_add_number(&out, CONFIG_MS, 90000);
	buf_addch(&out, ' ');
	config_add_number(&out, CONFIG_MS, 0);
	buf_addch(&out, ' ');
	config_add_number(&out, CONFIG_COUNT, 65536);
	assert_string_equal(out.data, "64k 1025 90s 0 65536");
	buf_release(&out);
}

static void
a_quoted_text_reads_back(void **state)
{
	char text[256];
	struct buf out = BUF_INIT;

	(void)state;
	for (int i = 0; i < 255; i++)
		text[i] = (char)(i + 1);
	text[255] = '\0';
	buf_addstr(&out, "box { label = ");
	config_add_quoted(&out, text);
	buf_addstr(&out, " }");
	assert_int_equal(parse(out.data), 0);
	assert_string_equal(value(0), text);
	buf_release(&out);
}

static void
a_choice_and_a_flag_name_what_is_valid(void **state)
{
	unsigned index = 9;
	bool flag = false;

	(void)state;
	assert_int_equal(
		config_choice(&box_keys[1], "green", "p", "w", &index, &err),
		0);
	assert_int_equal(index, 1);
	assert_int_equal(
		config_choice(&box_keys[1], "grene", "p", "w", &index, &err),
		-1);
	assert_string_equal(err.text, "p: w is 'grene', but must be one of "
				      "red, green (did you mean 'green'?)");
	assert_int_equal(config_bool("Yes", "p", "w", &flag, &err), 0);
	assert_true(flag);
	assert_int_equal(config_bool("off", "p", "w", &flag, &err), 0);
	assert_false(flag);
	assert_int_equal(config_bool("1", "p", "w", &flag, &err), -1);
	assert_string_equal(err.text, "p: w is '1', but must be true or false");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_keep_text_title_and_line),
		cmocka_unit_test(an_empty_text_is_an_empty_configuration),
		cmocka_unit_test(
			comments_may_stand_anywhere_and_do_not_move_lines),
		cmocka_unit_test(strings_read_their_escapes),
		cmocka_unit_test(
			escapes_that_libconfuse_would_guess_or_choke_on_are_refused),
		cmocka_unit_test(
			a_variable_is_the_environments_and_must_be_set),
		cmocka_unit_test(an_open_end_is_refused),
		cmocka_unit_test(what_stands_twice_is_refused),
		cmocka_unit_test(unknown_names_are_told_with_the_nearest),
		cmocka_unit_test(what_libconfuse_drops_in_silence_is_refused),
		cmocka_unit_test(the_grammar_is_told_where_it_breaks),
		cmocka_unit_test(a_list_may_be_empty_or_one_bare_value),
		cmocka_unit_test(size_and_number_of_settings_are_bounded),
		cmocka_unit_test(numbers_read_their_units),
		cmocka_unit_test(a_wrong_unit_or_range_is_refused),
		cmocka_unit_test(numbers_are_written_with_the_largest_unit),
		cmocka_unit_test(a_quoted_text_reads_back),
		cmocka_unit_test(a_choice_and_a_flag_name_what_is_valid),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
