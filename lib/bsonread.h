/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BSON, read element by element, in bounds whatever the bytes are.
 *
 * Invariant: an element that was given out lies whole within the bytes that
 * were opened; a container's inside is checked when it is opened itself.
 * Strings are checked for their length and end, not for UTF-8.
 *
 * Ownership: everything points into the bytes that were opened.
 * Why by hand: it is inlined into the one pass of bsonjson.c and doc_bson.c.
 */
#ifndef LIB_BSONREAD_H
#define LIB_BSONREAD_H

#include <projector/event.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum bsonread_type {
	BSONREAD_DOUBLE = 0x01,
	BSONREAD_STRING = 0x02,
	BSONREAD_OBJECT = 0x03,
	BSONREAD_ARRAY = 0x04,
	BSONREAD_BINARY = 0x05,
	BSONREAD_UNDEFINED = 0x06,
	BSONREAD_OBJECT_ID = 0x07,
	BSONREAD_BOOL = 0x08,
	BSONREAD_DATE = 0x09,
	BSONREAD_NULL = 0x0a,
	BSONREAD_REGEX = 0x0b,
	BSONREAD_DB_POINTER = 0x0c,
	BSONREAD_CODE = 0x0d,
	BSONREAD_SYMBOL = 0x0e,
	BSONREAD_SCOPED_CODE = 0x0f,
	BSONREAD_INT32 = 0x10,
	BSONREAD_TIMESTAMP = 0x11,
	BSONREAD_INT64 = 0x12,
	BSONREAD_DECIMAL128 = 0x13,
	BSONREAD_MAX_KEY = 0x7f,
	BSONREAD_MIN_KEY = 0xff,
};

struct bsonread {
	const uint8_t *at, *end; /* next element, the closing NUL */
};

struct bsonread_element {
	uint8_t type;
	struct pj_str name;
	const uint8_t *value;
	size_t len; /* of the value's bytes */
};

/* -1 when these len bytes cannot be one document. */
int
bsonread_open(struct bsonread *r, const uint8_t *bson, size_t len)
	__attribute__((warn_unused_result));

/* 1: *el is the next element; 0: the end; -1: damaged. */
int
bsonread_next(struct bsonread *r, struct bsonread_element *el)
	__attribute__((warn_unused_result));

static inline uint32_t
bsonread_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t
bsonread_u64(const uint8_t *p)
{
	return (uint64_t)bsonread_u32(p) | (uint64_t)bsonread_u32(p + 4) << 32;
}

static inline int64_t
bsonread_i64(const uint8_t *p)
{
	return (int64_t)bsonread_u64(p);
}

static inline int32_t
bsonread_i32(const uint8_t *p)
{
	return (int32_t)bsonread_u32(p);
}

static inline double
bsonread_f64(const uint8_t *p)
{
	uint64_t bits = bsonread_u64(p);
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

/* The text of a BSONREAD_STRING element. */
static inline struct pj_str
bsonread_text(const struct bsonread_element *el)
{
	return (struct pj_str){(const char *)el->value + 4, el->len - 5};
}

static inline bool
bsonread_is(const struct bsonread_element *el, const char *name)
{
	size_t len = strlen(name);

	return el->name.len == len && memcmp(el->name.ptr, name, len) == 0;
}

#endif
