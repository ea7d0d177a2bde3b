/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and dates as JSON; doubles: bsonjson_number.c. */
#include "lib/bsonjson.h"

#include "lib/bsonjson_text.h"
#include "lib/utf8.h"

/* ---- Strings ------------------------------------------------------------ */

/* Whether all eight bytes are ASCII that needs no escape. */
static inline bool
is_plain(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = UINT64_C(0x8080808080808080);
	uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');

	/* a byte < 0x20, == '"', == '\\' borrows into its top bit */
	return !((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) &
		 tops);
}

/* Fewer than eight bytes; some are taken twice, none beside them. */
static inline bool
copy_few(char *to, const unsigned char *p, size_t len)
{
	const uint64_t blanks = UINT64_C(0x2020202020202020);
	uint32_t first, last;

	if (len == 0)
		return true;
	if (len < 4) {
		to[0] = (char)p[0];
		to[len / 2] = (char)p[len / 2];
		to[len - 1] = (char)p[len - 1];
		return is_plain(blanks << 24 | (uint64_t)p[0] << 16 |
				(uint64_t)p[len / 2] << 8 | p[len - 1]);
	}
	memcpy(&first, p, 4);
	memcpy(&last, p + len - 4, 4);
	memcpy(to, &first, 4);
	memcpy(to + len - 4, &last, 4);
	return is_plain((uint64_t)first << 32 | last);
}

/* Copies all, or stops at what is not plain; the bytes that are and were
 * copied. Behind them anything may have been written, within len. */
static inline size_t
copy_plain(char *to, const unsigned char *p, size_t len)
{
	size_t n = 0;
	uint64_t w;

	if (len < 8)
		return copy_few(to, p, len) ? len : 0;
	for (; n + 8 <= len; n += 8) {
		memcpy(&w, p + n, 8);
		memcpy(to + n, &w, 8);
		if (!is_plain(w))
			return n;
	}
	/* Again some of the last eight, with the rest. */
	memcpy(&w, p + len - 8, 8);
	memcpy(to + len - 8, &w, 8);
	return is_plain(w) ? len : n;
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

/* How many of the next bytes are ASCII that needs no escape. */
static size_t
plain_run(const unsigned char *p, size_t left)
{
	size_t n = 0;
	uint64_t w;

	for (; n + 8 <= left; n += 8) {
		memcpy(&w, p + n, 8);
		if (!is_plain(w))
			break;
	}
	while (n < left && p[n] >= 0x20 && p[n] < 0x80 && p[n] != '"' &&
	       p[n] != '\\')
		n++;
	return n;
}

/* Behind all that goes into JSON as it is: to an escape, a fault or the end. */
static const unsigned char *
skip_plain(const unsigned char *p, const unsigned char *end)
{
	for (;;) {
		while (p < end && *p >= 0x80) {
			size_t n =
				utf8_char((const char *)p, (size_t)(end - p));

			if (n == 0)
				return p;
			p += n;
		}
		if (p == end || *p < 0x20 || *p == '"' || *p == '\\')
			return p;
		p += plain_run(p, (size_t)(end - p));
	}
}

/* The rest of a text that is not all plain. */
static bool
add_mixed(struct buf *out, const unsigned char *p, const unsigned char *end)
{
	bool valid = true;

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

bool
bsonjson_text(struct buf *out, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	char *to = buf_room(out, len + 2);
	size_t n;

	to[0] = '"';
	n = copy_plain(to + 1, p, len);
	if (n < len) {
		buf_grown(out, 1 + n);
		return add_mixed(out, p + n, p + len);
	}
	to[1 + len] = '"';
	buf_grown(out, len + 2);
	return true;
}

void
bsonjson_string(struct buf *out, const char *s, size_t len)
{
	(void)bsonjson_text(out, s, len);
}

/* ---- Dates ------------------------------------------------- */

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
