/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decimal to double, correctly rounded, whatever the locale.
 *
 * Fill it digit run by digit run, adjust `point` by the exponent, take the
 * value. Time is linear in the digits; more than a double's rounding can need
 * are not kept.
 */
#ifndef LIB_DECIMAL_H
#define LIB_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The midpoint between two doubles has up to 768 significant digits. */
enum { DECIMAL_MAX_DIGITS = 780 };

/* value = 0.digits × 10^point */
struct decimal {
	int64_t point;
	size_t n;	   /* significant digits kept */
	uint64_t mantissa; /* the first 19 of them */
	char digits[DECIMAL_MAX_DIGITS + 32];
};

static inline void
decimal_init(struct decimal *dec)
{
	dec->point = 0;
	dec->n = 0;
	dec->mantissa = 0;
}

/* Takes ASCII digits [p, end): those before the point (whole), or after it. */
void
decimal_add(struct decimal *dec, const char *p, const char *end, bool whole);

/* Infinity when it overflows a double, 0 when it underflows. Uses dec up. */
double
decimal_value(struct decimal *dec);

#endif
