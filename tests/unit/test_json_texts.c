/* SPDX-License-Identifier: Apache-2.0 */
/* Texts by hand: what is JSON, with its value, and what is not, with why. */
#include "tests/unit/json_read.h"

#include <stdio.h>

struct text {
	const char *s;
	size_t len;
	const char *want; /* accepted: the rendering below */
};

/* Texts may contain NUL, so their length is taken from the literal. */
/* clang-format off */
#define T(s)	     {(s), sizeof(s) - 1, NULL}
#define SAME(s)	     {(s), sizeof(s) - 1, (s)}
#define READ(s, want) {(s), sizeof(s) - 1, (want)}
/* clang-format on */

/* clang-format off */
static const struct text accepted[] = {
	/* Literals and bare values. */
	SAME("null"), SAME("true"), SAME("false"), SAME("\"\""), SAME("[]"),
	SAME("{}"), READ(" \t\r\n null \t\r\n ", "null"), READ("[ ]", "[]"),
	READ("{\n}", "{}"), READ("true ", "true"), READ("\n0", "0"),
	/* Integers, to the ends of int64. */
	SAME("0"), READ("-0", "0"), SAME("1"), SAME("-1"), SAME("10"),
	SAME("1234567890123"), SAME("999999999999999999"),
	SAME("1000000000000000000"), SAME("9223372036854775806"),
	SAME("9223372036854775807"), SAME("-9223372036854775807"),
	SAME("-9223372036854775808"), READ("[0 ,-1]", "[0,-1]"),
	/* A fraction or an exponent makes a real, whatever its value. */
	READ("0.0", "~0"), READ("-0.0", "~-0"), READ("1.0", "~1"),
	READ("1e0", "~1"), READ("1E2", "~100"), READ("1e+2", "~100"),
	READ("1e-2", "~0.01"), READ("0e0", "~0"), READ("0E+00", "~0"),
	READ("0.5", "~0.5"), READ("-1.25", "~-1.25"), READ("4.5e1", "~45"),
	READ("12.50E-1", "~1.25"), READ("1e007", "~10000000"),
	READ("9223372036854775808.0", "~9.223372036854776e+18"),
	READ("1e22", "~1e+22"), READ("0e999999999999999999999999", "~0"),
	READ("0.000e+400", "~0"), READ("1e-999999999999999999999", "~0"),
	READ("-1e-500", "~-0"), READ("1.7976931348623157e308",
				     "~1.797693134862316e+308"),
	READ("[1.5,2]", "[~1.5,2]"), READ("1.5 ", "~1.5"),
	/* Escapes. */
	READ("\"\\\"\\\\\\/\"", "\"\"\\/\""),
	READ("\"\\b\\f\\n\\r\\t\"", "\"\b\f\n\r\t\""),
	READ("\"\\u0041\"", "\"A\""), READ("\"\\u007f\"", "\"\x7f\""),
	READ("\"\\u0080\"", "\"\xc2\x80\""), READ("\"\\u07FF\"", "\"\xdf\xbf\""),
	READ("\"\\u0800\"", "\"\xe0\xa0\x80\""),
	READ("\"\\ud7ff\"", "\"\xed\x9f\xbf\""),
	READ("\"\\ue000\"", "\"\xee\x80\x80\""),
	READ("\"\\uFFFF\"", "\"\xef\xbf\xbf\""),
	READ("\"\\ufEfF\"", "\"\xef\xbb\xbf\""),
	READ("\"\\ud800\\udc00\"", "\"\xf0\x90\x80\x80\""),
	READ("\"\\uDBFF\\uDFFF\"", "\"\xf4\x8f\xbf\xbf\""),
	READ("\"\\ud83d\\ude00!\"", "\"\xf0\x9f\x98\x80!\""),
	READ("\"a\\nb\\nc\"", "\"a\nb\nc\""), READ("\"\\\\u0041\"", "\"\\u0041\""),
	READ("\"\\u0022\\u005c\"", "\"\"\\\""), READ("\"\\u001f\"", "\"\x1f\""),
	/* UTF-8, each length at both ends, and what is odd but legal. */
	SAME("\"\x7f\""), SAME("\"\xc2\x80\""), SAME("\"\xdf\xbf\""),
	SAME("\"\xe0\xa0\x80\""), SAME("\"\xec\xbf\xbf\""),
	SAME("\"\xed\x80\x80\""), SAME("\"\xed\x9f\xbf\""),
	SAME("\"\xee\x80\x80\""), SAME("\"\xef\xbf\xbf\""),
	SAME("\"\xf0\x90\x80\x80\""), SAME("\"\xf3\xbf\xbf\xbf\""),
	SAME("\"\xf4\x8f\xbf\xbf\""), SAME("\"\xef\xbb\xbf\""),
	SAME("\"\xe2\x80\xa8\xe2\x80\xa9\""), SAME("\"\xef\xb7\x90\""),
	SAME("\"\xeb\xb0\xb0\xec\xb0\xa8\xec\x99\x84\xeb\xa3\x8c ok\""),
	/* Things that only look odd inside a string. */
	SAME("\"/* // */\""), SAME("\"[{,:}]\""), SAME("\" \""), SAME("\"'\""),
	/* Containers. */
	SAME("[null]"), SAME("[[]]"), SAME("[[],[[]],{}]"), SAME("[1,2,3]"),
	SAME("{\"\":0}"), SAME("{\"a\":{}}"), SAME("{\"a\":{\"a\":{\"a\":1}}}"),
	SAME("{\"a\":1,\"b\":2}"), SAME("{\"a\":1,\"A\":2}"),
	SAME("[{\"a\":1},{\"a\":1}]"), SAME("{\"a\":[],\"b\":[{\"a\":null}]}"),
	SAME("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}"),
	READ("{\"a\\u0062\":1,\"a\":2,\"b\":3}", "{\"ab\":1,\"a\":2,\"b\":3}"),
	READ(" { \"a\" : [ 1 , 2 ] , \"b\" : { } } ", "{\"a\":[1,2],\"b\":{}}"),
	READ("{\"a\":\t-1\r\n}", "{\"a\":-1}"), READ("[\"a\" , \"b\"]",
						    "[\"a\",\"b\"]"),
	SAME("{\"a\":true,\"b\":false,\"c\":null,\"d\":\"\"}"),
};

static const struct text no_value[] = {
	T(""), T(" "), T("\n\t"), T("["), T("[ "), T("[1,"), T("[1, "), T("[,]"),
	T("[,1]"), T("[1,]"), T("[1,,2]"), T("[1,,]"), T("{\"a\":"), T("{\"a\":}"),
	T("{\"a\":,}"), T("{\"a\"::1}"), T("]"), T("}"), T(","), T(":"),
	T("nul"), T("nulL"), T("Null"), T("NULL"), T("tru"), T("True"), T("TRUE"),
	T("fals"), T("falsy"), T("False"), T("undefined"), T("NaN"), T("nan"),
	T("Infinity"), T("inf"), T("+1"), T("+"), T(".5"), T("e1"), T("'a'"),
	T("a"), T("[a]"), T("{\"a\":b}"), T("\\n"), T("\\u0031"), T("/**/1"),
	T("//\n1"), T("#\n1"), T("(1)"), T("<null>"), T("`a`"),
	/* Byte order marks, other encodings, spaces that are none. */
	T("\xef\xbb\xbf{}"), T("\xef\xbb\xbf"), T("\xff\xfe[\0]\0"),
	T("\xfe\xff\0[\0]"), T("\0[\0]"), T("\0"), T("\0null"), T("\x0b" "1"),
	T("\x0c" "1"), T("\xc2\xa0" "1"), T("\xe2\x80\xa8" "1"), T("\x1f" "1"),
	T("[\0]"), T("[\x0c]"), T("\x7f"), T("\xe2\x80\x9c" "a\xe2\x80\x9d"),
};

static const struct text no_digit[] = {
	T("-"), T("- 1"), T("--1"), T("-a"), T("-.5"), T("[-]"), T("-Infinity"),
	T("-NaN"), T("1."), T("1.e1"), T("1. 5"), T("-1."), T("[1.]"), T("0."),
	T("1.-1"), T("1e"), T("1e+"), T("1E-"), T("1e 1"), T("1e++1"),
	T("1e+-1"), T("1.5e"), T("[1e]"), T("1e.5"), T("0e"), T("-e1"),
	T("1ea"), T("-\0" "1"), T("1.\xd9\xa1"),
};

static const struct text zero_first[] = {
	T("00"), T("01"), T("-00"), T("-01"), T("007"), T("00.5"), T("01e1"),
	T("[012]"), T("0123456789"), T("-0000000000000000000000001"),
};

static const struct text behind[] = {
	T("null null"), T("1 2"), T("1a"), T("1.5.5"), T("1e1e1"), T("1e1.5"),
	T("0x10"), T("0b1"), T("1_000"), T("1,"), T("1,2"), T("-1-"), T("1+1"),
	T("nulll"), T("truefalse"), T("true,"), T("[]]"), T("[][]"), T("[],"),
	T("{}}"), T("{}{}"), T("{};"), T("\"a\"\"b\""), T("\"a\"b"), T("\"\"\""),
	T("[]\0"), T("null\0"), T("1\0"), T("{} \0 "), T("{}#"), T("{}//"),
	T("{}/**/"), T("1\xc2\xa0"), T("1\x0c"), T("1\xef\xbb\xbf"), T("1f"),
	T("1L"), T("0\"\""), T("[1]x"),
};

static const struct text no_comma_in_array[] = {
	T("[1"), T("[1 "), T("[1 2]"), T("[1}"), T("[\"a\":1]"), T("[\"a\" \"b\"]"),
	T("[[]"), T("[{}"), T("[1;2]"), T("[[] []]"), T("[null1]"), T("[1\0]"),
	T("[1:2]"), T("[{}}"), T("[1.5.5]"), T("[0x1]"), T("[\"a\"b]"),
};

static const struct text no_comma_in_object[] = {
	T("{\"a\":1"), T("{\"a\":1 "), T("{\"a\":1]"), T("{\"a\":1 \"b\":2}"),
	T("{\"a\":1;\"b\":2}"), T("{\"a\":1:2}"), T("{\"a\":{}"), T("{\"a\":[]"),
	T("{\"a\":\"b\"\"c\"}"), T("{\"a\":true false}"), T("{\"a\":1\0}"),
	T("{\"a\":1\"b\":2}"),
};

static const struct text no_name[] = {
	T("{"), T("{ "), T("{,}"), T("{:1}"), T("{1:1}"), T("{a:1}"), T("{'a':1}"),
	T("{null:1}"), T("{[]:1}"), T("{{}:1}"), T("{]"), T("{\"a\":1,"),
	T("{\"a\":1,}"), T("{\"a\":1, }"), T("{\"a\":1,,\"b\":2}"), T("{,\"a\":1}"),
	T("{\"a\":1,2}"), T("{\\u0022a\":1}"), T("{\0}"), T("{\"a\":1,\0\"b\":1}"),
};

static const struct text no_colon[] = {
	T("{\"a\""), T("{\"a\" "), T("{\"a\"}"), T("{\"a\",1}"), T("{\"a\" 1}"),
	T("{\"a\"=1}"), T("{\"a\"\"b\"}"), T("{\"a\"\0:1}"), T("{\"a\":1,\"b\"}"),
	T("{\"a\"]"),
};

static const struct text open_string[] = {
	T("\""), T("\"a"), T("[\"a"), T("{\"a"), T("{\"a\":\"b"), T("\"\\\""),
	T("\"\\\\\\\""), T("\"abcdefgh"), T("\"abcdefghijklmnop"),
	T("\"\\n"), T("\"\\u0041"), T("\"\xc3\xa9"), T("[\"a]"), T("\"a'"),
};

static const struct text control[] = {
	T("\"\n\""), T("\"\t\""), T("\"\r\""), T("\"\0\""), T("\"\x01\""),
	T("\"\x1f\""), T("\"abcdefgh\x1f\""), T("\"\\n\n\""), T("{\"\t\":1}"),
	T("\"a\0b\""), T("\"\xc3\xa9\x0b\""), T("\"abc\0"), T("[\"\b\"]"),
	T("\"\x0c\""), T("\"\x1b[0m\""),
};

static const struct text bad_escape[] = {
	T("\"\\a\""), T("\"\\v\""), T("\"\\0\""), T("\"\\x41\""), T("\"\\'\""),
	T("\"\\U0041\""), T("\"\\N\""), T("\"\\ \""), T("\"\\\n\""), T("\"\\\0\""),
	T("\"\\"), T("\"a\\"), T("{\"\\e\":1}"), T("\"\\\xc3\xa9\""), T("\"\\1\""),
	T("\"\\n\\q\""),
};

static const struct text bad_unicode[] = {
	T("\"\\u\""), T("\"\\u0\""), T("\"\\u00\""), T("\"\\u000\""), T("\"\\u"),
	T("\"\\u004"), T("\"\\u004g\""), T("\"\\ug041\""), T("\"\\u 041\""),
	T("\"\\u+041\""), T("\"\\u-041\""), T("\"\\u0x41\""), T("\"\\u{41}\""),
	T("\"\\u00\0" "1\""), T("\"\\u00\xc3\xa9\""), T("\"\\u00:0\""),
	T("\"\\u00@0\""), T("\"\\u00`0\""), T("\"\\u00/0\""), T("\"\\u00G0\""),
};

static const struct text surrogates[] = {
	T("\"\\ud800\""), T("\"\\udbff\""), T("\"\\udc00\""), T("\"\\udfff\""),
	T("\"\\uD800\\uD800\""), T("\"\\udc00\\ud800\""), T("\"\\ud800\\u0041\""),
	T("\"\\ud800\\ue000\""), T("\"\\ud800\\udbff\""), T("\"\\ud800x\""),
	T("\"\\ud800\\n\""), T("\"\\ud800\\\\udc00\""), T("\"\\ud800\\"),
	T("\"\\ud800\\u"), T("\"\\ud800\\udc0"), T("\"\\ud800 \\udc00\""),
	T("\"\\ud800\\ud800\\udc00\""), T("\"\\ud800\\udc0g\""),
	T("\"\\ud800\\Udc00\""), T("{\"\\ud800\":1}"), T("\"\\ud800"),
};

static const struct text bad_utf8[] = {
	/* Continuations without a lead, leads without continuations. */
	T("\"\x80\""), T("\"\xbf\""), T("\"a\x80\""), T("\"\xc3\""),
	T("\"\xc3" "a\""), T("\"\xe2\x82\""), T("\"\xe2\x82" "a\""),
	T("\"\xe2" "aa\""), T("\"\xf0\x9f\x98\""), T("\"\xf0\x9f\x98" "a\""),
	T("\"\xf0\x9f" "aa\""), T("\"\xc3\xa9\x80\""), T("\"\xc3\xc3\""),
	/* The text ends inside a sequence. */
	T("\"\xc3"), T("\"\xe2\x82"), T("\"\xe2"), T("\"\xf0\x9f\x98"),
	T("\"\xf0"),
	/* Overlong. */
	T("\"\xc0\x80\""), T("\"\xc0\xaf\""), T("\"\xc1\xbf\""),
	T("\"\xe0\x80\x80\""), T("\"\xe0\x9f\xbf\""), T("\"\xf0\x80\x80\x80\""),
	T("\"\xf0\x8f\xbf\xbf\""),
	/* Surrogates, beyond U+10FFFF, five and six bytes, never bytes. */
	T("\"\xed\xa0\x80\""), T("\"\xed\xbf\xbf\""),
	T("\"\xed\xa0\x81\xed\xb0\x80\""), T("\"\xf4\x90\x80\x80\""),
	T("\"\xf5\x80\x80\x80\""), T("\"\xf8\x88\x80\x80\x80\""),
	T("\"\xfc\x84\x80\x80\x80\x80\""), T("\"\xfe\""), T("\"\xff\""),
	/* Latin-1, CP949, in names and behind escapes too. */
	T("\"caf\xe9\""), T("\"\xb9\xe8\xb4\xde\""), T("{\"\xff\":1}"),
	T("\"\\n\xff\""), T("\"abcdefg\xff\""), T("\"abcdefgh\xff\""),
};

static const struct text int_range[] = {
	T("9223372036854775808"), T("-9223372036854775809"),
	T("9999999999999999999"), T("-9999999999999999999"),
	T("10000000000000000000"), T("18446744073709551615"),
	T("18446744073709551616"), T("18446744073709551617"),
	T("-18446744073709551616"), T("27670116110564327423"),
	T("100000000000000000000000000000000000000000"),
	T("[9223372036854775808]"), T("{\"a\":-9223372036854775809}"),
	T("36893488147419103232"),
};

static const struct text real_range[] = {
	T("1e400"), T("-1e400"), T("1e309"), T("1.8e308"), T("1e99999"),
	T("1.7976931348623159e308"), T("1e999999999999999999999999999"),
	T("0.1e310"), T("[1e400]"), T("123456789e301"),
	T("-1.0E+0000000000000000000400"),
	/* The midpoint above the greatest double rounds to infinity. */
	T("179769313486231580793728971405303415079934132710037826936173778980"
	  "444968292764750946649017977587207096330286416692887910946555547851"
	  "940402630657488671505820681908902000708383676273854845817711531764"
	  "475730270069855571366959622842914819860834936475292719074168444365"
	  "510704342711559699508093042880177904174497792.0"),
};

static const struct text twice[] = {
	T("{\"a\":1,\"a\":2}"), T("{\"a\":1,\"a\":1}"), T("{\"\":1,\"\":2}"),
	T("{\"a\":1,\"\\u0061\":2}"), T("{\"\\u0061\":1,\"a\":2}"),
	T("{\"\\u0061\":1,\"\\u0061\":2}"), T("{\"a\":1,\"b\":2,\"a\":3}"),
	T("{\"a\":{},\"a\":{}}"), T("{\"a\":[1,{\"b\":1}],\"b\":1,\"a\":1}"),
	T("[{\"a\":1,\"a\":2}]"), T("{\"x\":{\"a\":1,\"a\":2}}"),
	T("{\"\\n\":1,\"\\u000A\":2}"), T("{\"/\":1,\"\\/\":2}"),
	T("{\"\xc3\xa9\":1,\"\\u00e9\":2}"),
	T("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"),
	T("{\"\\u0000\":1,\"\\u0000\":2}"), T("{\"a\":1,\"a\""),
	T("{\"eventType\":\"A\",\"data\":{},\"eventType\":\"B\"}"),
};

#define GROUP(fault, texts) {(fault), (texts), COUNT(texts)}

static const struct {
	const char *fault;
	const struct text *texts;
	size_t n;
} refused[] = {
	GROUP("value expected", no_value),
	GROUP("digit expected", no_digit),
	GROUP("leading zero", zero_first),
	GROUP("trailing bytes", behind),
	GROUP("',' or ']' expected", no_comma_in_array),
	GROUP("',' or '}' expected", no_comma_in_object),
	GROUP("name expected", no_name),
	GROUP("':' expected", no_colon),
	GROUP("unterminated string", open_string),
	GROUP("control byte in a string", control),
	GROUP("invalid escape", bad_escape),
	GROUP("invalid \\u escape", bad_unicode),
	GROUP("lone surrogate", surrogates),
	GROUP("invalid UTF-8", bad_utf8),
	GROUP("integer out of range", int_range),
	GROUP("number out of range", real_range),
	GROUP("duplicate name", twice),
};
/* clang-format on */

static void
every_legal_text_is_read_to_its_value(void **state)
{
	struct buf out = BUF_INIT;
	struct pj_error err;

	(void)state;
	assert_true(COUNT(accepted) >= 80);
	for (size_t i = 0; i < COUNT(accepted); i++) {
		buf_clear(&out);
		if (read_text(accepted[i].s, accepted[i].len, &out, &err) != 0)
			fail_msg("case %zu %s: %s", i, accepted[i].s, err.text);
		if (out.len != strlen(accepted[i].want) ||
		    memcmp(out.data, accepted[i].want, out.len) != 0)
			fail_msg("case %zu: %s, not %s", i, out.data,
				 accepted[i].want);
	}
	buf_release(&out);
}

static void
every_illegal_text_is_refused_for_its_reason(void **state)
{
	struct pj_error err;
	char want[64];
	size_t n = 0;

	(void)state;
	for (size_t g = 0; g < COUNT(refused); g++) {
		(void)snprintf(want, sizeof(want), "JSON: %s at byte ",
			       refused[g].fault);
		for (size_t i = 0; i < refused[g].n; i++, n++) {
			const struct text *t = &refused[g].texts[i];

			if (read_text(t->s, t->len, NULL, &err) == 0)
				fail_msg("%s, case %zu: accepted %s",
					 refused[g].fault, i, t->s);
			if (strncmp(err.text, want, strlen(want)) != 0)
				fail_msg("%s, case %zu: %s", refused[g].fault,
					 i, err.text);
		}
	}
	assert_true(n >= 150);
}

static void
no_beginning_of_a_container_or_string_is_a_text(void **state)
{
	struct pj_error err;

	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		const struct text *t = &accepted[i];

		if (!strchr("[{\"", t->s[0]) || t->s[0] == '\0')
			continue;
		for (size_t len = 0; len < t->len; len++) {
			/* Space behind the value may go. */
			if (strspn(t->s + len, " \t\r\n") == t->len - len)
				continue;
			if (read_text(t->s, len, NULL, &err) == 0)
				fail_msg("%.*s", (int)len, t->s);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_legal_text_is_read_to_its_value),
		cmocka_unit_test(every_illegal_text_is_refused_for_its_reason),
		cmocka_unit_test(
			no_beginning_of_a_container_or_string_is_a_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
