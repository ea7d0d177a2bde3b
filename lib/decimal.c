/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/decimal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Digits beyond what rounding can need only say "a little more". */
void
decimal_add(struct decimal *dec, const char *p, const char *end, bool whole)
{
	for (; p < end; p++) {
		if (dec->n == 0 && *p == '0') {
			dec->point -= whole ? 0 : 1;
			continue;
		}
		dec->point += whole ? 1 : 0;
		if (dec->n < DECIMAL_MAX_DIGITS) {
			if (dec->n < 19)
				dec->mantissa = dec->mantissa * 10 +
						(uint64_t)(*p - '0');
			dec->digits[dec->n++] = *p;
		} else if (*p != '0') {
			dec->digits[DECIMAL_MAX_DIGITS - 1] = '1';
		}
	}
}

double
decimal_value(struct decimal *dec)
{
	/* Every one of these is exact. */
	static const double powers[] = {1e0,  1e1,  1e2,  1e3,	1e4,  1e5,
					1e6,  1e7,  1e8,  1e9,	1e10, 1e11,
					1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
					1e18, 1e19, 1e20, 1e21, 1e22};
	int64_t exp = dec->point - (int64_t)dec->n;

	if (dec->n == 0 || dec->point < -400)
		return 0;
	if (dec->point > 400)
		return HUGE_VAL;
	/* Two exact operands: one operation rounds once, correctly. */
	if (FLT_EVAL_METHOD == 0 && dec->n <= 19 &&
	    dec->mantissa <= UINT64_C(1) << 53 && exp >= -22 && exp <= 22)
		return exp < 0 ? (double)dec->mantissa / powers[-exp]
			       : (double)dec->mantissa * powers[exp];
	/* Without a point: that one depends on the locale. */
	(void)snprintf(dec->digits + dec->n, sizeof(dec->digits) - dec->n,
		       "e%d", (int)exp);
	return strtod(dec->digits, NULL);
}
