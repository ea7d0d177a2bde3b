/* SPDX-License-Identifier: Apache-2.0 */
/* Doubles as JSON: the shortest decimal that reads back the same. */
#include "lib/bsonjson.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/bsonjson_text.h"

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

static void
shortest_set(struct shortest *num, uint64_t m, int exponent)
{
	char text[20];
	int at = sizeof(text);

	for (; m % 10 == 0; m /= 10)
		exponent++;
	for (; m; m /= 10)
		text[--at] = (char)('0' + m % 10);
	num->n = (int)sizeof(text) - at;
	num->exponent = exponent + num->n;
	memcpy(num->digits, text + at, (size_t)num->n);
}

/* What shortest_decimal() is for; integers are written before. */
static const double decimal_min = 1e-7, decimal_end = 1e15;

/*
 * A decimal of at most 15 digits, m / 10^k: both are exact in a double, so that
 * their quotient is rounded like reading it; and no other decimal of 15 digits
 * reads back the same. If there is one, d × 10^k is less than 0.2 away from m.
 * False: there is none.
 */
static bool
shortest_decimal(struct shortest *num, double d)
{
	static const double power[] = {1e0,  1e1,  1e2,	 1e3,  1e4,  1e5,
				       1e6,  1e7,  1e8,	 1e9,  1e10, 1e11,
				       1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
				       1e18, 1e19, 1e20, 1e21, 1e22};
	int k = 15;
	double m;

	while (d >= power[15 - k])
		k--;
	while (k >= 15 && d * power[k - 14] < 1)
		k++;
	m = nearbyint(d * power[k]);
	if (m / power[k] != d)
		return false;
	shortest_set(num, (uint64_t)m, -k);
	return true;
}

/*
 * Rounding to n digits gives the right ones when any n digits do, but for
 * powers of two: doubles lie closer below them than above, so the neighbour
 * above may read back where the nearest does not.
 */
static void
shortest_find(struct shortest *num, double d)
{
	int n = d < DBL_MIN ? 1 : 15;
	int exponent;

	if (d >= decimal_min && d < decimal_end) {
		if (shortest_decimal(num, d))
			return;
		n = 16;
	}
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

	if (!isfinite(d)) {
		buf_addstr(out, "null");
		return;
	}
	if (signbit(d))
		buf_addch(out, '-');
	d = fabs(d);
	if (d < 1e15 && d == trunc(d)) {
		buf_addint(out, (int64_t)d);
		return;
	}
	shortest_find(&num, d);
	shortest_write(out, &num);
}
