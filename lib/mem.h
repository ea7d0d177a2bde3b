/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that does not fail: out of memory ends the process.
 *
 * libbson and librdkafka do the same, and a crash is safe here because replay
 * starts at the last durable checkpoint (docs/adr/0002). Sizes that come from
 * input are limited by the caller before they get here.
 *
 * Ownership: what these return is freed by free().
 */
#ifndef LIB_MEM_H
#define LIB_MEM_H

#include <stddef.h>

void *
mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* n * size, zeroed; an overflow of the product aborts too. */
void *
mem_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *
mem_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
/* Array growth: n * size. */
void *
mem_reallocarray(void *ptr, size_t n, size_t size)
	__attribute__((returns_nonnull));
char *
mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
/* A copy of len bytes with a NUL behind them. */
char *
mem_strndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
char *
mem_printf(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), malloc, returns_nonnull));

/*
 * Makes room for one more element: grows *cap (elements) by doubling.
 * Use: GROW(array, n, cap); array[n++] = x;
 */
#define MEM_GROW(array, n, cap)                                                \
	do {                                                                   \
		if ((n) == (cap)) {                                            \
			(cap) = (cap) ? (cap)*2 : 8;                           \
			(array) = mem_reallocarray((array), (cap),             \
						   sizeof(*(array)));          \
		}                                                              \
	} while (0)

#endif
