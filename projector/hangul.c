/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Composition is arithmetic (Unicode 3.12): a syllable is its leading, vowel
 * and trailing jamo as the digits of a number.
 */
#include "projector/hangul.h"

#include <stdint.h>
#include <string.h>

enum {
	L_BASE = 0x1100, /* leading consonants */
	V_BASE = 0x1161, /* vowels */
	T_BASE = 0x11a7, /* one before the trailing consonants: none */
	S_BASE = 0xac00, /* syllables */
	L_COUNT = 19,
	V_COUNT = 21,
	T_COUNT = 28,
	S_COUNT = L_COUNT * V_COUNT * T_COUNT,
	JAMO_LEAD = 0xe1, /* first byte of U+1000 to U+1FFF */
};

bool
hangul_may_compose(struct pj_str text)
{
	return text.len > 0 && memchr(text.ptr, JAMO_LEAD, text.len) != NULL;
}

/* The character at p when it has three bytes, as all Hangul has; else 0. */
static uint32_t
hangul_read(const char *p, const char *end)
{
	const unsigned char *b = (const unsigned char *)p;

	if (end - p < 3 || b[0] < 0xe0 || b[0] > 0xef)
		return 0;
	return (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 |
	       (b[2] & 0x3f);
}

static void
hangul_write(char *out, uint32_t c)
{
	out[0] = (char)(0xe0 | c >> 12);
	out[1] = (char)(0x80 | (c >> 6 & 0x3f));
	out[2] = (char)(0x80 | (c & 0x3f));
}

/* Both as one character, or 0. */
static uint32_t
hangul_pair(uint32_t first, uint32_t second)
{
	if (first >= L_BASE && first < L_BASE + L_COUNT && second >= V_BASE &&
	    second < V_BASE + V_COUNT)
		return S_BASE +
		       ((first - L_BASE) * V_COUNT + (second - V_BASE)) *
			       T_COUNT;
	if (first >= S_BASE && first < S_BASE + S_COUNT &&
	    (first - S_BASE) % T_COUNT == 0 && second > T_BASE &&
	    second < T_BASE + T_COUNT)
		return first + (second - T_BASE);
	return 0;
}

size_t
hangul_compose(struct pj_str text, char *out)
{
	const char *end = text.ptr + text.len;
	uint32_t last = 0; /* the character just written, if Hangul may be */
	size_t len = 0;

	for (const char *p = text.ptr; p < end;) {
		uint32_t c = hangul_read(p, end);
		uint32_t both = last && c ? hangul_pair(last, c) : 0;

		if (both) {
			hangul_write(out + len - 3, both);
			last = both;
			p += 3;
		} else if (c) {
			memcpy(out + len, p, 3);
			len += 3;
			last = c;
			p += 3;
		} else {
			out[len++] = *p++;
			last = 0;
		}
	}
	return len;
}
