/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json_escape.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Four hexadecimal digits, or -1. */
static int32_t
json_hex4(const char *p, const char *end)
{
	int32_t value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

static char *
json_encode(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xe0 | c >> 12);
		} else {
			*out++ = (char)(0xf0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* \uXXXX, whose other half may have to follow. */
static const char *
json_unicode(const char *p, const char *end, uint32_t *ret_char,
	     const char **ret_fault)
{
	int32_t c = json_hex4(p + 2, end);
	int32_t low = -1;

	*ret_fault = "invalid \\u escape";
	if (c < 0)
		return NULL;
	if (c < 0xd800 || c > 0xdfff) {
		*ret_char = (uint32_t)c;
		return p + 6;
	}
	*ret_fault = "lone surrogate";
	if (c < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u')
		low = json_hex4(p + 8, end);
	if (low < 0xdc00 || low > 0xdfff)
		return NULL;
	*ret_char = 0x10000u +
		    ((uint32_t)(c & 0x3ff) << 10 | (uint32_t)(low & 0x3ff));
	return p + 12;
}

const char *
json_escape(const char *p, const char *end, char **out, bool *has_nul,
	    const char **ret_fault)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	uint32_t c;

	if (end - p >= 2 && p[1] == 'u') {
		p = json_unicode(p, end, &c, ret_fault);
		if (!p)
			return NULL;
		*out = json_encode(*out, c);
		if (c == 0)
			*has_nul = true;
		return p;
	}
	found = end - p >= 2 && p[1] ? strchr(from, p[1]) : NULL;
	if (!found) {
		*ret_fault = "invalid escape";
		return NULL;
	}
	*(*out)++ = to[found - from];
	return p + 2;
}
