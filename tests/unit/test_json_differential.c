/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/json against jansson on generated texts: valid documents, which both must
 * read to the same values, and broken ones, on which both must agree. What may
 * differ, and why, is listed in tests/fuzz/json_oracle.h.
 *
 * Every run is the same; JSON_SEED=n tries another one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "lib/buf.h"
#include "tests/fuzz/json_oracle.h"

enum {
	VALID_CASES = 60000,
	BROKEN_CASES = 180000,
	DEEPEST = 4,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(a)	 ((a)[below(COUNT(a))])

static uint64_t random_state;

static uint64_t
random_next(void)
{
	/* xorshift64*: small, and the same everywhere. */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t
below(size_t n)
{
	return (size_t)(random_next() >> 33) % n;
}

static void
seed(void)
{
	const char *other = getenv("JSON_SEED");

	random_state = other ? strtoull(other, NULL, 10) : 0;
	random_state = random_state * 2 + UINT64_C(0x9e3779b97f4a7c15);
}

static void
add_space(struct buf *out)
{
	static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t\r"};

	buf_addstr(out, PICK(spaces));
}

static void
add_digits(struct buf *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addch(out, (char)('0' + below(10)));
}

static void
add_int(struct buf *out)
{
	static const char *const edges[] = {
		"0",
		"-0",
		"9223372036854775807",
		"-9223372036854775808",
		"999999999999999999",
		"1000000000000000000",
		"4294967296",
		"-2147483648",
	};

	if (below(4) == 0) {
		buf_addstr(out, PICK(edges));
		return;
	}
	buf_addstr(out, below(3) ? "" : "-");
	buf_addch(out, (char)('1' + below(9)));
	add_digits(out, below(18));
}

/* Any real that is in range: digits and exponent together stay under 1e300. */
static void
add_real(struct buf *out)
{
	size_t whole = below(20), frac = below(24);

	buf_addstr(out, below(3) ? "" : "-");
	if (whole == 0) {
		buf_addch(out, '0');
	} else {
		buf_addch(out, (char)('1' + below(9)));
		add_digits(out, whole - 1);
	}
	if (frac) {
		buf_addch(out, '.');
		if (below(8) == 0)
			buf_addstr(out, "000000000000000000000");
		add_digits(out, frac);
	}
	if (frac == 0 || below(2)) {
		buf_addch(out, below(2) ? 'e' : 'E');
		if (below(3) == 0)
			buf_printf(out, "-%zu", below(360));
		else
			buf_printf(out, "%s%zu", below(2) ? "+" : "",
				   below(below(2) ? 30 : 280));
	}
}

static void
add_string(struct buf *out, bool name)
{
	static const char *const pieces[] = {
		"\\n",
		"\\\"",
		"\\\\",
		"\\/",
		"\\t",
		"\\u0041",
		"\\u00e9",
		"\\uac00",
		"\\ud83d\\ude00",
		"\\uDBFF\\uDFFF",
		"\\uffff",
		"\\b\\f\\r",
		"\xc3\xa9",
		"\xeb\xb0\xb0\xec\xb0\xa8",
		"\xf0\x9f\x98\x80",
		"\xef\xbf\xbf",
		"\x7f",
		"\xf4\x8f\xbf\xbf",
		"abcdefgh",
		"the quick brown fox jumps",
	};
	size_t n = below(below(4) ? 4 : 12);

	buf_addch(out, '"');
	for (size_t i = 0; i < n; i++) {
		if (below(3) == 0)
			buf_addstr(out, PICK(pieces));
		else if (!name && below(64) == 0)
			buf_addstr(out, "\\u0000"); /* not in names: oracle */
		else
			for (size_t k = below(10); k > 0; k--)
				buf_addch(out, (char)('0' + below(10)));
	}
	buf_addch(out, '"');
}

static void
add_value(struct buf *out, int depth);

/* Names end in a number of their own, so that no two are the same. */
static void
add_object(struct buf *out, int depth)
{
	size_t n = below(20) ? below(7) : below(40);

	buf_addch(out, '{');
	for (size_t i = 0; i < n; i++) {
		buf_addstr(out, i ? "," : "");
		add_space(out);
		add_string(out, true);
		out->len--;
		buf_printf(out, "#%zu\"", i);
		add_space(out);
		buf_addch(out, ':');
		add_value(out, depth + 1);
	}
	add_space(out);
	buf_addch(out, '}');
}

static void
add_array(struct buf *out, int depth)
{
	size_t n = below(6);

	buf_addch(out, '[');
	for (size_t i = 0; i < n; i++) {
		buf_addstr(out, i ? "," : "");
		add_value(out, depth + 1);
	}
	add_space(out);
	buf_addch(out, ']');
}

static void
add_value(struct buf *out, int depth)
{
	static const char *const words[] = {"null", "true", "false"};
	size_t kinds = depth < DEEPEST ? 8 : 5;

	add_space(out);
	switch (depth == 0 ? 3 + below(5) : below(kinds)) {
	case 0:
		buf_addstr(out, PICK(words));
		break;
	case 1:
		add_int(out);
		break;
	case 2:
		add_real(out);
		break;
	case 3:
	case 4:
		add_string(out, false);
		break;
	case 5:
		add_array(out, depth);
		break;
	default:
		add_object(out, depth);
		break;
	}
	add_space(out);
}

/* ---- Damage ------------------------------------------------------------ */

static void
replace(struct buf *b, size_t at, size_t cut, const char *s, size_t len)
{
	struct buf out = BUF_INIT;

	buf_add(&out, b->data, at);
	buf_add(&out, s, len);
	buf_add(&out, b->data + at + cut, b->len - at - cut);
	buf_release(b);
	*b = out;
}

static const char *const tokens[] = {"\"",
				     "\\",
				     "{",
				     "}",
				     "[",
				     "]",
				     ",",
				     ":",
				     "-",
				     "0",
				     "1e",
				     ".",
				     "e400",
				     "99",
				     "null",
				     "tru",
				     " ",
				     "\n",
				     "\x01",
				     "\x80",
				     "\xc3",
				     "\xed\xa0\x80",
				     "\xf0\x9f",
				     "\xef\xbb\xbf",
				     "\\u",
				     "\\ud800",
				     "\\udc00",
				     "\\u0000",
				     "\"\":0,",
				     "\"#0\":1,",
				     "\"a\":1,",
				     "/**/",
				     "9223372036854775808",
				     "-9223372036854775809",
				     "[[",
				     "]]",
				     "}}",
				     "'",
				     "+",
				     "NaN",
				     "\\x"};

static void
damage(struct buf *b)
{
	size_t at = below(b->len + 1);
	size_t left = b->len - at;
	const char *token = PICK(tokens);
	struct buf piece = BUF_INIT;
	char byte;

	switch (below(7)) {
	case 0: /* flip a bit */
		if (left)
			b->data[at] = (char)(b->data[at] ^ 1 << below(8));
		break;
	case 1: /* any byte, NUL included */
		byte = (char)below(256);
		replace(b, at, 0, &byte, 1);
		break;
	case 2: /* a few bytes less */
		replace(b, at, left ? 1 + below(left < 4 ? left : 4) : 0, "",
			0);
		break;
	case 3: /* a token more, or instead */
		replace(b, at, left ? below(2) : 0, token, strlen(token));
		break;
	case 4: /* cut off */
		if (below(4) == 0)
			b->len = at;
		break;
	default: /* a piece of the text again, elsewhere */
		buf_add(&piece, b->data + at, left ? below(left) % 24 : 0);
		replace(b, below(b->len + 1), 0, piece.data, piece.len);
		buf_release(&piece);
		break;
	}
}

/* From a copy of exactly that size, so that overreads are seen. */
static enum oracle_verdict
compare(struct json_reader *r, const struct buf *text)
{
	char *copy = malloc(text->len + 1);
	struct oracle_doc doc;
	enum oracle_verdict verdict;

	assert_non_null(copy);
	/* Behind the end, where nobody may look: what would change a value. */
	memcpy(copy, text->data, text->len);
	copy[text->len] = '7';
	verdict = oracle_compare(r, copy, text->len, &doc);
	free(copy);
	return verdict;
}

static void
valid_documents_are_read_to_the_values_jansson_reads(void **state)
{
	struct json_reader *r = json_reader_new();
	struct buf text = BUF_INIT;

	(void)state;
	seed();
	for (int i = 0; i < VALID_CASES; i++) {
		buf_clear(&text);
		add_value(&text, 0);
		if (compare(r, &text) != ORACLE_BOTH_ACCEPT)
			fail_msg("case %d: %.*s", i, (int)text.len, text.data);
	}
	buf_release(&text);
	json_reader_free(r);
}

static void
damaged_documents_are_judged_as_jansson_judges_them(void **state)
{
	struct json_reader *r = json_reader_new();
	struct buf text = BUF_INIT;
	unsigned seen[ORACLE_DIFFER + 1] = {0};

	(void)state;
	seed();
	for (int i = 0; i < BROKEN_CASES; i++) {
		enum oracle_verdict verdict;

		/* Several kinds of damage to each document, one by one. */
		if (i % 4 == 0) {
			buf_clear(&text);
			add_value(&text, 1);
		}
		damage(&text);
		verdict = compare(r, &text);
		if (verdict == ORACLE_DIFFER)
			fail_msg("case %d: %.*s", i, (int)text.len, text.data);
		seen[verdict]++;
	}
	/* Both answers have to be common, or this compares nothing. */
	assert_true(seen[ORACLE_BOTH_ACCEPT] > BROKEN_CASES / 20);
	assert_true(seen[ORACLE_BOTH_REFUSE] > BROKEN_CASES / 4);
	assert_true(seen[ORACLE_EXCUSED] < BROKEN_CASES / 100);
	buf_release(&text);
	json_reader_free(r);
}

/* Any sequence of the bytes that matter, valid by chance only. */
static void
soups_of_tokens_are_judged_as_jansson_judges_them(void **state)
{
	static const char alphabet[] = "{}[],:\"\\u0d8c1e-+. tfn\n\xc3\xa9\xed";
	struct json_reader *r = json_reader_new();
	struct buf text = BUF_INIT;

	(void)state;
	seed();
	for (int i = 0; i < BROKEN_CASES; i++) {
		buf_clear(&text);
		for (size_t n = below(9); n > 0; n--)
			buf_addch(&text, alphabet[below(sizeof(alphabet))]);
		buf_add(&text, "", 0);
		if (compare(r, &text) == ORACLE_DIFFER)
			fail_msg("case %d: %.*s", i, (int)text.len, text.data);
	}
	buf_release(&text);
	json_reader_free(r);
}

static void
the_intended_differences_are_those_and_no_others(void **state)
{
	static const char name[] = "{\"\\u0000\":1}";
	static const char *const nul[] = {"81", "-1.5", "true", "[1", "[null"};
	struct json_reader *r = json_reader_new();
	struct buf text = BUF_INIT;
	struct oracle_doc doc;

	(void)state;
	assert_int_equal(oracle_compare(r, name, sizeof(name) - 1, &doc),
			 ORACLE_EXCUSED);
	for (size_t i = 0; i < COUNT(nul); i++) {
		buf_clear(&text);
		buf_add(&text, nul[i], strlen(nul[i]) + 1);
		buf_addstr(&text, *nul[i] == '[' ? "]" : "");
		assert_int_equal(compare(r, &text), ORACLE_EXCUSED);
	}
	for (int depth = 100; depth <= 101; depth++) {
		buf_clear(&text);
		for (int i = 0; i < depth; i++)
			buf_addch(&text, '[');
		for (int i = 0; i < depth; i++)
			buf_addch(&text, ']');
		assert_int_equal(compare(r, &text), depth == 100
							    ? ORACLE_BOTH_ACCEPT
							    : ORACLE_EXCUSED);
	}
	buf_release(&text);
	json_reader_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			valid_documents_are_read_to_the_values_jansson_reads),
		cmocka_unit_test(
			damaged_documents_are_judged_as_jansson_judges_them),
		cmocka_unit_test(
			soups_of_tokens_are_judged_as_jansson_judges_them),
		cmocka_unit_test(
			the_intended_differences_are_those_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
