/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <projector/error.h>

#include "lib/utf8.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
an_error_has_its_class_and_text_and_is_returned_as_minus_one(void **state)
{
	struct pj_error err;

	(void)state;
	memset(&err, 0x55, sizeof(err));
	assert_int_equal(
		pj_error_set(&err, PJ_ERROR_RETRY, "%s/%d", "stock", 3), -1);
	assert_int_equal(err.cls, PJ_ERROR_RETRY);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.text, "stock/3");
}

static void
an_error_may_be_wrapped_into_itself(void **state)
{
	struct pj_error err;

	(void)state;
	(void)pj_error_set(&err, PJ_ERROR_INPUT, "inner");
	(void)pj_error_set(&err, PJ_ERROR_FATAL, "outer: %s (%s)", err.text,
			   err.text);
	assert_string_equal(err.text, "outer: inner (inner)");
}

/* A text of `ascii` letters and then one character, against the limit. */
static void
a_long_text_is_cut_between_characters(void **state)
{
	static const char *const chars[] = {"x", "\xc3\xa9", "\xeb\xb0\xb0",
					    "\xf0\x9f\x98\x80"};
	char in[PJ_ERROR_TEXT + 64];
	struct pj_error err;

	(void)state;
	for (size_t k = 0; k < COUNT(chars); k++) {
		size_t size = strlen(chars[k]);

		for (size_t ascii = PJ_ERROR_TEXT - 8;
		     ascii < PJ_ERROR_TEXT + 4; ascii++) {
			size_t want = ascii + size;

			memset(in, 'a', ascii);
			strcpy(in + ascii, chars[k]);
			(void)pj_error_set(&err, PJ_ERROR_INPUT, "%s", in);
			if (want > PJ_ERROR_TEXT - 1)
				want = ascii < PJ_ERROR_TEXT - 1
					       ? ascii
					       : PJ_ERROR_TEXT - 1;
			assert_int_equal(strlen(err.text), want);
			assert_memory_equal(err.text, in, want);
		}
	}
}

static void
a_character_is_measured_or_refused(void **state)
{
	static const struct {
		const char *s;
		size_t len, want;
	} cases[] = {
		{"a", 1, 1},
		{"\0", 1, 1},
		{"\x7f", 1, 1},
		{"\x80", 1, 0},
		{"\xbf", 1, 0},
		{"\xc1\xbf", 2, 0},
		{"\xc2\x80z", 3, 2},
		{"\xc2", 1, 0},
		{"\xc2z", 2, 0},
		{"\xe0\x9f\xbf", 3, 0},
		{"\xe0\xa0\x80", 3, 3},
		{"\xe1\x80\x80", 3, 3},
		{"\xe1\x80", 2, 0},
		{"\xe1\x80\xc0", 3, 0},
		{"\xed\x9f\xbf", 3, 3},
		{"\xed\xa0\x80", 3, 0},
		{"\xee\x80\x80", 3, 3},
		{"\xf0\x8f\xbf\xbf", 4, 0},
		{"\xf0\x90\x80\x80", 4, 4},
		{"\xf4\x8f\xbf\xbf", 4, 4},
		{"\xf4\x90\x80\x80", 4, 0},
		{"\xf0\x90\x80", 3, 0},
		{"\xf0\x90\x80\x7f", 4, 0},
		{"\xf5\x80\x80\x80", 4, 0},
		{"\xff", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(utf8_char(cases[i].s, cases[i].len),
				 cases[i].want);
}

static void
only_a_sequence_that_is_not_complete_is_trimmed(void **state)
{
	(void)state;
	assert_int_equal(utf8_trim("", 0), 0);
	assert_int_equal(utf8_trim("ab", 2), 2);
	assert_int_equal(utf8_trim("a\xc3\xa9", 3), 3);
	assert_int_equal(utf8_trim("a\xc3", 2), 1);
	assert_int_equal(utf8_trim("\xeb\xb0\xb0", 3), 3);
	assert_int_equal(utf8_trim("\xeb\xb0", 2), 0);
	assert_int_equal(utf8_trim("a\xf0\x9f\x98\x80", 5), 5);
	assert_int_equal(utf8_trim("a\xf0\x9f\x98", 4), 1);
	assert_int_equal(utf8_trim("a\xf0", 2), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_error_has_its_class_and_text_and_is_returned_as_minus_one),
		cmocka_unit_test(an_error_may_be_wrapped_into_itself),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(a_character_is_measured_or_refused),
		cmocka_unit_test(
			only_a_sequence_that_is_not_complete_is_trimmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
