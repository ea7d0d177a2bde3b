/* SPDX-License-Identifier: Apache-2.0 */
/* What bsonjson.c and bsonjson_scalar.c share. */
#ifndef LIB_BSONJSON_TEXT_H
#define LIB_BSONJSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/* As bsonjson_string(); false when s is not valid UTF-8 (the bytes at fault
 * become U+FFFD). */
bool
bsonjson_text(struct buf *out, const char *s, size_t len);

#endif
