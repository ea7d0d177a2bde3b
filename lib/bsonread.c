/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bsonread.h"

#include <stdbool.h>

enum { SMALLEST_DOCUMENT = 5, SMALLEST_SCOPED_CODE = 14 };

int
bsonread_open(struct bsonread *r, const uint8_t *bson, size_t len)
{
	if (len < SMALLEST_DOCUMENT || len > INT32_MAX)
		return -1;
	if (bsonread_u32(bson) != len || bson[len - 1] != 0)
		return -1;
	r->at = bson + 4;
	r->end = bson + len - 1;
	return 0;
}

/* An int32 length that is at least `min`; `extra` bytes come on top of it. */
static bool
counted(const uint8_t *p, size_t left, uint32_t min, size_t extra,
	size_t *ret_len)
{
	uint32_t n;

	if (left < 4)
		return false;
	n = bsonread_u32(p);
	if (n > INT32_MAX || n < min || n + extra > left)
		return false;
	*ret_len = n + extra;
	return true;
}

/* int32 length, bytes, NUL; then `extra` more bytes. */
static bool
string(const uint8_t *p, size_t left, size_t extra, size_t *ret_len)
{
	return counted(p, left, 1, 4 + extra, ret_len) &&
	       p[*ret_len - extra - 1] == 0;
}

static bool
regex(const uint8_t *p, size_t left, size_t *ret_len)
{
	const uint8_t *options = memchr(p, 0, left);
	const uint8_t *end;

	if (!options)
		return false;
	options++;
	end = memchr(options, 0, left - (size_t)(options - p));
	if (!end)
		return false;
	*ret_len = (size_t)(end + 1 - p);
	return true;
}

static bool
fixed(size_t len, size_t left, size_t *ret_len)
{
	*ret_len = len;
	return len <= left;
}

static bool
value_len(uint8_t type, const uint8_t *p, size_t left, size_t *ret_len)
{
	switch (type) {
	case BSONREAD_DOUBLE:
	case BSONREAD_DATE:
	case BSONREAD_TIMESTAMP:
	case BSONREAD_INT64:
		return fixed(8, left, ret_len);
	case BSONREAD_INT32:
		return fixed(4, left, ret_len);
	case BSONREAD_BOOL:
		return fixed(1, left, ret_len) && p[0] <= 1;
	case BSONREAD_NULL:
	case BSONREAD_UNDEFINED:
	case BSONREAD_MIN_KEY:
	case BSONREAD_MAX_KEY:
		return fixed(0, left, ret_len);
	case BSONREAD_OBJECT_ID:
		return fixed(12, left, ret_len);
	case BSONREAD_DECIMAL128:
		return fixed(16, left, ret_len);
	case BSONREAD_STRING:
	case BSONREAD_CODE:
	case BSONREAD_SYMBOL:
		return string(p, left, 0, ret_len);
	case BSONREAD_DB_POINTER:
		return string(p, left, 12, ret_len);
	case BSONREAD_OBJECT:
	case BSONREAD_ARRAY:
		return counted(p, left, SMALLEST_DOCUMENT, 0, ret_len);
	case BSONREAD_SCOPED_CODE:
		return counted(p, left, SMALLEST_SCOPED_CODE, 0, ret_len);
	case BSONREAD_BINARY:
		return counted(p, left, 0, 5, ret_len);
	case BSONREAD_REGEX:
		return regex(p, left, ret_len);
	default:
		return false;
	}
}

int
bsonread_next(struct bsonread *r, struct bsonread_element *el)
{
	const uint8_t *name_end;

	if (r->at == r->end)
		return 0;
	el->type = *r->at;
	el->name.ptr = (const char *)r->at + 1;
	name_end = memchr(el->name.ptr, 0, (size_t)(r->end - r->at - 1));
	if (!name_end)
		return -1;
	el->name.len = (size_t)((const char *)name_end - el->name.ptr);
	el->value = name_end + 1;
	if (!value_len(el->type, el->value, (size_t)(r->end - el->value),
		       &el->len))
		return -1;
	r->at = el->value + el->len;
	return 1;
}
