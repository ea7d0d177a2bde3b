/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
mem_must(void *ptr)
{
	if (!ptr) {
		fputs("shopview: out of memory\n", stderr);
		abort();
	}
	return ptr;
}

void *
mem_alloc(size_t size)
{
	return mem_must(malloc(size ? size : 1));
}

void *
mem_calloc(size_t n, size_t size)
{
	return mem_must(calloc(n ? n : 1, size ? size : 1));
}

void *
mem_realloc(void *ptr, size_t size)
{
	return mem_must(realloc(ptr, size ? size : 1));
}

void *
mem_reallocarray(void *ptr, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		mem_must(NULL);
	return mem_realloc(ptr, n * size);
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t len)
{
	char *copy = mem_alloc(len + 1);

	if (len)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		mem_must(NULL);
	text = mem_alloc((size_t)len + 1);
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}
