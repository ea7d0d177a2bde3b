/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, dates and doubles as JSON. */
#include "lib/bsonjson.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/bsonjson_text.h"
#include "lib/utf8.h"

/* ---- Strings ------------------------------------------------------------ */

/* How many of the next bytes are ASCII that needs no escape; by eights. */
static size_t
plain_run(const unsigned char *p, size_t left)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = UINT64_C(0x8080808080808080);
	size_t n = 0;

	for (; n + 8 <= left; n += 8) {
		uint64_t w, quote, slash;

		memcpy(&w, p + n, 8);
		quote = w ^ (ones * '"');
		slash = w ^ (ones * '\\');
		/* a byte < 0x20, == '"', == '\\' borrows into its top bit */
		if ((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) &
		    tops)
			break;
	}
	while (n < left && p[n] >= 0x20 && p[n] < 0x80 && p[n] != '"' &&
	       p[n] != '\\')
		n++;
	return n;
}

static void
add_escape(struct buf *out, unsigned char c)
{
	static const char short_form[32] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',
		['\r'] = 'r', ['\t'] = 't',
	};
	static const char hex[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', '0', '0', 0, 0};

	if (c >= 0x20) {
		text[1] = (char)c;
		buf_add(out, text, 2);
	} else if (short_form[c]) {
		text[1] = short_form[c];
		buf_add(out, text, 2);
	} else {
		text[4] = hex[c >> 4];
		text[5] = hex[c & 15];
		buf_add(out, text, 6);
	}
}

/* Behind all that goes into JSON as it is: to an escape, a fault or the end. */
static const unsigned char *
skip_plain(const unsigned char *p, const unsigned char *end)
{
	for (;;) {
		size_t n;

		p += plain_run(p, (size_t)(end - p));
		do {
			if (p == end || *p < 0x80)
				break;
			n = utf8_char((const char *)p, (size_t)(end - p));
			if (n == 0)
				return p;
			p += n;
		} while (true);
		if (p == end || *p < 0x20 || *p == '"' || *p == '\\')
			return p;
	}
}

bool
bsonjson_text(struct buf *out, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	const unsigned char *end = p + len;
	bool valid = true;

	buf_reserve(out, len + 2);
	buf_addch(out, '"');
	for (;;) {
		const unsigned char *run = p;

		p = skip_plain(p, end);
		buf_add(out, run, (size_t)(p - run));
		if (p == end)
			break;
		if (*p < 0x80) {
			add_escape(out, *p);
		} else {
			buf_addstr(out, "\xef\xbf\xbd"); /* U+FFFD */
			valid = false;
		}
		p++;
	}
	buf_addch(out, '"');
	return valid;
}

void
bsonjson_string(struct buf *out, const char *s, size_t len)
{
	(void)bsonjson_text(out, s, len);
}

/* ---- Integers and dates ------------------------------------------------- */

void
bsonjson_int(struct buf *out, int64_t i)
{
	char text[20];
	size_t at = sizeof(text);
	uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;

	do {
		text[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (i < 0)
		buf_addch(out, '-');
	buf_add(out, text + at, sizeof(text) - at);
}

static void
digits(char *at, int64_t value, int n)
{
	while (n-- > 0) {
		at[n] = (char)('0' + value % 10);
		value /= 10;
	}
}

void
bsonjson_date(struct buf *out, int64_t ms)
{
	/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z */
	const int64_t first = INT64_C(-62167219200000);
	const int64_t last = INT64_C(253402300799999);
	const int64_t day_ms = 86400000;
	char text[] = "\"0000-00-00T00:00:00.000Z\"";
	int64_t days, day, of_era, year, month, rest;

	if (ms < first || ms > last) {
		buf_addstr(out, "null");
		return;
	}
	/* Days since 0000-03-01 of the era before, so that all is positive. */
	rest = (ms - first) % day_ms;
	days = (ms - first) / day_ms + 365 * 400 + 97 - 60;
	/* years begin in March: the leap day is a year's last */
	day = days % 146097;
	of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * of_era + of_era / 4 - of_era / 100;
	month = (5 * day + 2) / 153;
	day = day - (153 * month + 2) / 5 + 1;
	year = days / 146097 * 400 + of_era - 400 + (month >= 10);
	month = month < 10 ? month + 3 : month - 9;

	digits(text + 1, year, 4);
	digits(text + 6, month, 2);
	digits(text + 9, day, 2);
	digits(text + 12, rest / 3600000, 2);
	digits(text + 15, rest / 60000 % 60, 2);
	digits(text + 18, rest / 1000 % 60, 2);
	digits(text + 21, rest % 1000, 3);
	buf_add(out, text, sizeof(text) - 1);
}

/* ---- Doubles ------------------------------------------------------------ */

/* A positive number 0.d1d2d3… × 10^exponent, no zeros at the end. */
struct shortest {
	char digits[20];
	int n;
	int exponent;
};

static double
shortest_value(const struct shortest *num)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "0.%.*se%d", num->n, num->digits,
		       num->exponent);
	return strtod(text, NULL);
}

/* d > 0 rounded to n significant digits. */
static void
shortest_round(struct shortest *num, double d, int n)
{
	char text[40];
	const char *from = text;
	int i;

	(void)snprintf(text, sizeof(text), "%.*e", n - 1, d);
	for (i = 0; *from != 'e'; from++) {
		if (*from >= '0' && *from <= '9')
			num->digits[i++] = *from;
	}
	num->exponent = (int)strtol(from + 1, NULL, 10) + 1;
	while (i > 1 && num->digits[i - 1] == '0')
		i--;
	num->n = i;
}

/* One more in the last of n digits. */
static void
shortest_step(struct shortest *num, int n)
{
	int i = n;

	while (num->n < n)
		num->digits[num->n++] = '0';
	while (i > 0 && num->digits[i - 1] == '9')
		i--;
	num->n = i;
	if (i > 0) {
		num->digits[i - 1]++;
	} else {
		num->digits[0] = '1';
		num->n = 1;
		num->exponent++;
	}
}

/*
 * Up to 15 digits are unique in the normal range, so 15 is where to begin.
 * Rounding to n digits gives the right ones when any n digits do, but for
 * powers of two: doubles lie closer below them than above, so the neighbour
 * above may read back where the nearest does not.
 */
static void
shortest_find(struct shortest *num, double d)
{
	int n = d < DBL_MIN ? 1 : 15;
	int exponent;

	for (; n < 17; n++) {
		shortest_round(num, d, n);
		if (shortest_value(num) == d)
			return;
		if (frexp(d, &exponent) == 0.5) {
			shortest_step(num, n);
			if (shortest_value(num) == d)
				return;
		}
	}
	shortest_round(num, d, 17);
}

static void
shortest_write(struct buf *out, const struct shortest *num)
{
	int exponent = num->exponent - 1;

	if (exponent < -5 || exponent >= 15) {
		buf_add(out, num->digits, 1);
		if (num->n > 1) {
			buf_addch(out, '.');
			buf_add(out, num->digits + 1, (size_t)num->n - 1);
		}
		buf_printf(out, "e%+d", exponent);
	} else if (exponent < 0) {
		buf_add(out, "0.0000", (size_t)(1 - exponent));
		buf_add(out, num->digits, (size_t)num->n);
	} else {
		/* integral ones never come here */
		buf_add(out, num->digits, (size_t)exponent + 1);
		buf_addch(out, '.');
		buf_add(out, num->digits + exponent + 1,
			(size_t)(num->n - exponent - 1));
	}
}

void
bsonjson_number(struct buf *out, double d)
{
	struct shortest num;
	double hundred = d * 100;

	if (!isfinite(d)) {
		buf_addstr(out, "null");
		return;
	}
	if (signbit(d))
		buf_addch(out, '-');
	d = fabs(d);
	hundred = fabs(hundred);
	if (d < 1e15 && d == trunc(d)) {
		bsonjson_int(out, (int64_t)d);
		return;
	}
	/* Two decimals, the usual case: m / 100 is rounded like reading it. */
	if (hundred < 1e13 && nearbyint(hundred) / 100 == d) {
		int64_t m = (int64_t)nearbyint(hundred);
		char text[3] = {'.', (char)('0' + m / 10 % 10),
				(char)('0' + m % 10)};

		bsonjson_int(out, m / 100);
		buf_add(out, text, m % 10 ? 3 : 2);
		return;
	}
	shortest_find(&num, d);
	shortest_write(out, &num);
}
