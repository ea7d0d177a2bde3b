/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entity tags: "<generation>.<revision>", with -gzip inside the quotes for the
 * gzip coding. Both are strong: the same tag is the same bytes. Of one store's
 * history, that is: revisions never go back within a generation, and a
 * generation's number is never used twice. A store that is put back to an older
 * copy begins another one (docs/operations.md, "Backup").
 */
#ifndef QUERYAPI_ETAG_H
#define QUERYAPI_ETAG_H

#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

enum { ETAG_MAX = 48 };

struct etag {
	char identity[ETAG_MAX]; /* quotes included */
	char gzip[ETAG_MAX];
};

void
etag_of_document(struct etag *tag, int32_t generation, int64_t revision);

/*
 * "<generation>.<revision>-<mark>": of a part of a document. The mark names the
 * set of fields and what it consists of, so that this tag, too, is always the
 * same bytes.
 */
enum { ETAG_SET_MAX = 96 };
void
etag_of_set(char out[ETAG_SET_MAX], int32_t generation, int64_t revision,
	    const char *mark);

/* The tag of bytes that have no revision; 64-bit FNV-1a. */
void
etag_of_bytes(struct etag *tag, const void *data, size_t len);

/*
 * Looks a field value (If-None-Match, If-Match; several lines joined by
 * commas) through for one of our two tags: the matching one is returned, the
 * preferred coding's first, NULL when there is none. `*` matches the preferred.
 * strong: W/"…" does not count (RFC 9110, 8.8.3.2). A malformed value matches
 * nothing.
 */
const char *
etag_match(const struct etag *tag, struct pj_str list, bool prefer_gzip,
	   bool strong);
/* The same for tags that are kept elsewhere. "" is no tag: only `*` matches. */
const char *
etag_match_texts(const char *preferred, const char *other, struct pj_str list,
		 bool strong);

#endif
