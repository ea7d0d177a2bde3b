/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a list goes on: an opaque text that a client gives back as it got it.
 *
 * It holds the last key told and a digest of that key, the view and the
 * filters: with another view, with other filters or with a changed byte it is
 * refused. It names no generation, so that a list goes on in the next one; nor
 * a limit, which may change between pages. It is no secret and no right: all it
 * can do is name a key to begin behind.
 *
 * Form: base64url (RFC 4648, section 5) without padding of: a byte of version,
 * 12 bytes of digest, the key. Pure.
 */
#ifndef QUERYAPI_CURSOR_H
#define QUERYAPI_CURSOR_H

#include <projector/event.h>

#include "lib/buf.h"
#include "lib/readmodel.h"

enum {
	CURSOR_HEAD = 13,
	CURSOR_BYTES_MAX = CURSOR_HEAD + READMODEL_KEY_MAX,
	CURSOR_TEXT_MAX = (CURSOR_BYTES_MAX * 4 + 2) / 3,
};

/* A filter as it was asked for: name and value, decoded, no NUL in them. */
struct cursor_pair {
	struct pj_str name, value;
};

/* What a cursor belongs to; pairs ascend by name (bytes). */
struct cursor_list {
	struct pj_str view;
	const struct cursor_pair *pairs;
	size_t n_pairs;
};

/* Appends the cursor behind that key. */
void
cursor_write(struct buf *out, const struct cursor_list *list,
	     struct pj_str key);

/* *ret_key, empty before, is the key; -1: no cursor of this list. */
int
cursor_read(struct pj_str text, const struct cursor_list *list,
	    struct buf *ret_key) __attribute__((warn_unused_result));

#endif
