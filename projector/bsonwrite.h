/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BSON written straight into a buffer, for documents of the projector's own
 * making: names hold no NUL, nesting is bounded by who calls.
 *
 * Source of the layout: bsonspec.org, version 1.1.
 */
#ifndef PROJECTOR_BSONWRITE_H
#define PROJECTOR_BSONWRITE_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/bsonread.h"
#include "lib/buf.h"

static inline void
put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void
put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}

/* Makes sure of the room, counts it as used and says where it begins. */
static inline uint8_t *
extend(struct buf *out, size_t len)
{
	uint8_t *at;

	if (out->cap - out->len < len + 1)
		buf_reserve(out, len);
	at = (uint8_t *)out->data + out->len;
	out->len += len;
	return at;
}

/* Type and name; then `len` bytes for the caller to fill. */
static inline uint8_t *
put_head(struct buf *out, enum bsonread_type type, struct pj_str name,
	 size_t len)
{
	uint8_t *at = extend(out, 2 + name.len + len);

	*at++ = (uint8_t)type;
	if (name.len)
		memcpy(at, name.ptr, name.len);
	at[name.len] = 0;
	return at + name.len + 1;
}

static inline void
put_i64(struct buf *out, enum bsonread_type type, struct pj_str name,
	int64_t value)
{
	put_u64(put_head(out, type, name, 8), (uint64_t)value);
}

static inline void
put_string(struct buf *out, struct pj_str name, struct pj_str text)
{
	uint8_t *at = put_head(out, BSONREAD_STRING, name, 4 + text.len + 1);

	put_u32(at, (uint32_t)text.len + 1);
	if (text.len)
		memcpy(at + 4, text.ptr, text.len);
	at[4 + text.len] = 0;
}

/* A container's length is known at its end. */
static inline size_t
open_container(struct buf *out)
{
	size_t start = out->len;

	(void)extend(out, 4);
	return start;
}

static inline void
close_container(struct buf *out, size_t start)
{
	*extend(out, 1) = 0;
	assert(out->len - start <= INT32_MAX);
	put_u32((uint8_t *)out->data + start, (uint32_t)(out->len - start));
}

/* The number as text at the end of `room`. */
static inline struct pj_str
decimal(uint32_t n, char room[10])
{
	size_t at = 10;

	do {
		room[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return (struct pj_str){room + at, 10 - at};
}

#endif
