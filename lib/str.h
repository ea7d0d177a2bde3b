/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed strings, by their bytes. A ptr of NULL is an empty one here. */
#ifndef LIB_STR_H
#define LIB_STR_H

#include <stdbool.h>
#include <string.h>

#include <projector/event.h>

static inline struct pj_str
str_of(const char *text)
{
	return (struct pj_str){text, strlen(text)};
}

static inline bool
str_equal(struct pj_str a, struct pj_str b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
str_is(struct pj_str a, const char *text)
{
	return str_equal(a, str_of(text));
}

/* By bytes, the shorter first: <0, 0, >0. */
static inline int
str_compare(struct pj_str a, struct pj_str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
