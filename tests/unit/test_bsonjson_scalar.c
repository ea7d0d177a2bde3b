/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, dates and doubles as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/bsonjson.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t random_state = 42;

static uint64_t
next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
assert_text(struct buf *out, const char *want)
{
	assert_string_equal(out->data, want);
	assert_int_equal(out->len, strlen(want));
	buf_release(out);
}

/* ---- Scalars
 * ------------------------------------------------------------------------ */

static void
strings_are_escaped_where_json_demands_it(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	bsonjson_string(&out, "", 0);
	assert_text(&out, "\"\"");
	bsonjson_string(&out, "a\"b\\c/\x7f", 7);
	assert_text(&out, "\"a\\\"b\\\\c/\x7f\"");
	bsonjson_string(&out, "\b\f\n\r\t\x00\x1f", 7);
	assert_text(&out, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\"");
	bsonjson_string(&out, "12345678\"", 9);
	assert_text(&out, "\"12345678\\\"\"");
	bsonjson_string(&out, "1234567\n9", 9);
	assert_text(&out, "\"1234567\\n9\"");
}

/* One byte among `len` letters, in memory that ends behind them. */
static void
check_byte_at(size_t len, size_t at, unsigned char byte, const char *want)
{
	struct buf out = BUF_INIT, expected = BUF_INIT;
	char *text = malloc(len);

	assert_non_null(text);
	buf_addch(&expected, '"');
	for (size_t i = 0; i < len; i++) {
		text[i] = (char)('a' + i % 26);
		if (i == at)
			buf_addstr(&expected, want);
		else
			buf_addch(&expected, text[i]);
	}
	text[at] = (char)byte;
	buf_addch(&expected, '"');
	bsonjson_string(&out, text, len);
	assert_text(&out, expected.data);
	buf_release(&expected);
	free(text);
}

static void
a_byte_is_found_wherever_it_stands_in_a_text(void **state)
{
	static const struct {
		unsigned char byte;
		const char *want;
	} cases[] = {
		{'"', "\\\""},
		{'\\', "\\\\"},
		{'\0', "\\u0000"},
		{0x1f, "\\u001f"},
		{' ', " "},
		{'!', "!"},
		{'#', "#"},
		{0x7f, "\x7f"},
		{0x80, "\xef\xbf\xbd"},
		{0xa0, "\xef\xbf\xbd"},
		{0xff, "\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t len = 1; len <= 40; len++)
		for (size_t at = 0; at < len; at++)
			for (size_t i = 0; i < COUNT(cases); i++)
				check_byte_at(len, at, cases[i].byte,
					      cases[i].want);
}

static void
dates_end_at_the_years_0000_and_9999(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} cases[] = {
		{0, "\"1970-01-01T00:00:00.000Z\""},
		{-1, "\"1969-12-31T23:59:59.999Z\""},
		{951782400000, "\"2000-02-29T00:00:00.000Z\""},
		{-2203891200001, "\"1900-02-28T23:59:59.999Z\""},
		{-2203891200000, "\"1900-03-01T00:00:00.000Z\""},
		{-62135596800000, "\"0001-01-01T00:00:00.000Z\""},
		{-62167219200000, "\"0000-01-01T00:00:00.000Z\""},
		{-62167219200001, "null"},
		{253402300799999, "\"9999-12-31T23:59:59.999Z\""},
		{253402300800000, "null"},
		{INT64_MIN, "null"},
		{INT64_MAX, "null"},
	};
	struct buf out = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		bsonjson_date(&out, cases[i].ms);
		assert_text(&out, cases[i].want);
	}
}

static void
every_day_is_the_c_librarys(void **state)
{
	const int64_t first = -62167219200;
	struct buf out = BUF_INIT;
	int64_t day;

	(void)state;
	for (day = 0; day < 3652425; day++) {
		time_t seconds = (time_t)(first + day * 86400);
		struct tm tm;
		char want[32];

		/* two leap cycles closely, the rest by samples */
		if (day > 800 * 366 && day % 23 != 0)
			continue;
		assert_non_null(gmtime_r(&seconds, &tm));
		(void)snprintf(want, sizeof(want),
			       "\"%04d-%02d-%02dT00:00:00.000Z\"",
			       (tm.tm_year + 1900) % 10000,
			       (tm.tm_mon + 1) % 100, tm.tm_mday % 100);
		buf_clear(&out);
		bsonjson_date(&out, (int64_t)seconds * 1000);
		if (strcmp(out.data, want) != 0)
			assert_string_equal(out.data, want);
	}
	buf_release(&out);
}

static void
doubles_are_written_as_short_as_they_read_back(void **state)
{
	static const struct {
		double d;
		const char *want;
	} cases[] = {
		{0.0, "0"},
		{-0.0, "-0"},
		{10, "10"},
		{-3, "-3"},
		{9.04, "9.04"},
		{-9.5, "-9.5"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1.0 / 3, "0.3333333333333333"},
		{0.00001, "0.00001"},
		{1e-7, "1e-7"},
		{1.5e-7, "1.5e-7"},
		{999999999999999, "999999999999999"},
		{1e15, "1e+15"},
		{1e300, "1e+300"},
		{123456789012345.6, "123456789012345.6"},
		{1e23, "1e+23"},
		{9007199254740993.0, "9.007199254740992e+15"},
		{5e-324, "5e-324"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{1.7976931348623157e+308, "1.7976931348623157e+308"},
		{0x1p-44, "5.684341886080802e-14"},
		{37.566535, "37.566535"},
		{(double)NAN, "null"},
		{(double)INFINITY, "null"},
		{-(double)INFINITY, "null"},
	};
	struct buf out = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		bsonjson_number(&out, cases[i].d);
		assert_text(&out, cases[i].want);
	}
}

static int
count_digits(const char *text)
{
	int n = 0, zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text == '-' || *text == '.' || (n == 0 && *text == '0'))
			continue;
		zeros = *text == '0' ? zeros + 1 : 0;
		n++;
	}
	return n - zeros;
}

static void
assert_shortest(double d, struct buf *out)
{
	char shorter[40];
	int n;

	buf_clear(out);
	bsonjson_number(out, d);
	if (strtod(out->data, NULL) != d)
		fail_msg("%a became %s", d, out->data);
	n = count_digits(out->data);
	if (n > 1) {
		(void)snprintf(shorter, sizeof(shorter), "%.*e", n - 2, d);
		if (strtod(shorter, NULL) == d)
			fail_msg("%s could be %s", out->data, shorter);
	}
}

static void
random_doubles_read_back_and_no_digit_is_too_many(void **state)
{
	struct buf out = BUF_INIT;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		uint64_t bits = next_random();
		double d;

		memcpy(&d, &bits, sizeof(d));
		if (isfinite(d))
			assert_shortest(d, &out);
		assert_shortest((double)(bits >> 24) / 1000, &out);
		assert_shortest((double)(int64_t)bits / 1e6, &out);
	}
	for (i = -1074; i < 1024; i++)
		assert_shortest(ldexp(1, i), &out);
	buf_release(&out);
}

/* "12.5", "0.00125": n digits, the last no zero, behind `point` of them. */
static void
write_decimal(char *text, int n, int point)
{
	if (point <= 0) {
		text += sprintf(text, "0.");
		for (; point < 0; point++)
			*text++ = '0';
	}
	for (int i = 0; i < n; i++) {
		int least = i == 0 || i == n - 1;

		if (i == point && point > 0)
			*text++ = '.';
		*text++ = (char)('0' + least +
				 (int)(next_random() % (uint64_t)(10 - least)));
	}
	*text = '\0';
}

static void
decimals_of_15_digits_come_back_as_they_were_written(void **state)
{
	struct buf out = BUF_INIT;
	char text[40];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		for (int n = 1; n <= 15; n++) {
			for (int point = -4; point < n; point++) {
				write_decimal(text, n, point);
				buf_clear(&out);
				bsonjson_number(&out, strtod(text, NULL));
				if (strcmp(out.data, text) != 0)
					assert_string_equal(out.data, text);
			}
		}
	}
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped_where_json_demands_it),
		cmocka_unit_test(a_byte_is_found_wherever_it_stands_in_a_text),
		cmocka_unit_test(dates_end_at_the_years_0000_and_9999),
		cmocka_unit_test(every_day_is_the_c_librarys),
		cmocka_unit_test(
			doubles_are_written_as_short_as_they_read_back),
		cmocka_unit_test(
			random_doubles_read_back_and_no_digit_is_too_many),
		cmocka_unit_test(
			decimals_of_15_digits_come_back_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
