/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *out, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	buf_reserve(out, (len + 2) / 3 * 4);
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t w = (uint32_t)p[i] << 16;
		char four[4];

		if (n > 1)
			w |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			w |= p[i + 2];
		four[0] = digits[w >> 18];
		four[1] = digits[w >> 12 & 63];
		four[2] = n > 1 ? digits[w >> 6 & 63] : '=';
		four[3] = n > 2 ? digits[w & 63] : '=';
		buf_add(out, four, sizeof(four));
	}
}

/* 64: no digit. */
static uint32_t
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* The three bytes of four digits; the last n digits are padding. */
static int
base64_group(const char *four, size_t n_padding, unsigned char three[3])
{
	uint32_t w = 0;

	for (size_t i = 0; i < 4; i++) {
		uint32_t digit = i < 4 - n_padding ? base64_digit(four[i]) : 0;

		if (digit > 63)
			return -1;
		w = w << 6 | digit;
	}
	/* Bits that belong to no byte must be zero. */
	if (w & ((UINT32_C(1) << 8 * n_padding) - 1))
		return -1;
	three[0] = (unsigned char)(w >> 16);
	three[1] = (unsigned char)(w >> 8);
	three[2] = (unsigned char)w;
	return 0;
}

int
base64_decode(struct buf *out, const char *text, size_t len)
{
	size_t start = out->len;
	size_t n_padding = 0;

	if (len % 4 != 0)
		return -1;
	if (len > 0 && text[len - 1] == '=')
		n_padding = text[len - 2] == '=' ? 2 : 1;
	buf_reserve(out, len / 4 * 3);
	for (size_t i = 0; i < len; i += 4) {
		size_t n = i + 4 == len ? n_padding : 0;
		unsigned char three[3];

		if (base64_group(text + i, n, three) < 0) {
			out->len = start;
			return -1;
		}
		buf_add(out, three, 3 - n);
	}
	return 0;
}
