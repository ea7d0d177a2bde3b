/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648, section 4), the strict kind: one text per byte string.
 *
 * Refused when reading: other alphabets, white space, missing padding, bits
 * left over in the last character.
 */
#ifndef LIB_BASE64_H
#define LIB_BASE64_H

#include <stddef.h>

#include "lib/buf.h"

/* Appends the text of the bytes. */
void
base64_encode(struct buf *out, const void *bytes, size_t len);

/* Appends the bytes of the text; -1, with out as it was, when it is none. */
int
base64_decode(struct buf *out, const char *text, size_t len)
	__attribute__((warn_unused_result));

#endif
