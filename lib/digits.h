/* SPDX-License-Identifier: Apache-2.0 */
/* Integers as decimal text: what printf() would take ten times as long for. */
#ifndef LIB_DIGITS_H
#define LIB_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* INT64_MIN: a sign and 19 digits. */
enum { DIGITS_MAX = 20 };

/* Up to DIGITS_MAX bytes at `to`, no NUL; behind them. */
static inline char *
digits_put(char *to, int64_t n)
{
	char text[DIGITS_MAX], *at = text + sizeof(text);
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	size_t len;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (n < 0)
		*--at = '-';
	len = (size_t)(text + sizeof(text) - at);
	memcpy(to, at, len);
	return to + len;
}

#endif
