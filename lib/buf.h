/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer.
 *
 * Invariant: data[len] is always NUL once anything was added, so a buffer of
 * text can be printed; len never counts that byte. BUF_INIT needs no release
 * until something was added.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stddef.h>
#include <string.h>

#include "lib/digits.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

#define BUF_INIT ((struct buf){NULL, 0, 0})

/* Frees and returns to BUF_INIT. */
void
buf_release(struct buf *b);
/* Makes room for `more` bytes and the NUL; b->data may move. */
void
buf_reserve(struct buf *b, size_t more);
void
buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Hands the bytes to the caller (free()) and empties the buffer. */
char *
buf_detach(struct buf *b, size_t *ret_len);

static inline void
buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

/* Where the next bytes go, with room for `more` of them and the NUL. Who wrote
 * there calls buf_grown() then. */
static inline char *
buf_room(struct buf *b, size_t more)
{
	if (b->cap - b->len <= more)
		buf_reserve(b, more);
	return b->data + b->len;
}

static inline void
buf_grown(struct buf *b, size_t len)
{
	b->len += len;
	b->data[b->len] = '\0';
}

static inline void
buf_add(struct buf *b, const void *data, size_t len)
{
	char *to = buf_room(b, len);

	if (len)
		memcpy(to, data, len);
	buf_grown(b, len);
}

static inline void
buf_addch(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

static inline void
buf_addstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_addint(struct buf *b, int64_t n)
{
	char *to = buf_room(b, DIGITS_MAX);

	buf_grown(b, (size_t)(digits_put(to, n) - to));
}

#endif
