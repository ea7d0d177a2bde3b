/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of an answer that was put together for one request. */
#ifndef QUERYAPI_COMPRESS_H
#define QUERYAPI_COMPRESS_H

#include "queryapi/routes.h"

/* The ETags of an answer, by coding; NULL: it has none. */
struct compress_tags {
	const char *plain, *gzip;
};

/*
 * Completes ex->res, the gather's answer: with its ETag, and gzipped when the
 * client takes that and it pays. A worker does it, as it takes too long for a
 * loop: ex->gather is a new one then, which waits for that alone.
 *
 * A coding is optional (RFC 9110, 12.5.3), and a store can hold all workers up:
 * when the gather had to make do, when workers are late, when the store goes
 * away meanwhile or time is over, the answer goes out as it is.
 */
void
compress_response(struct exchange *ex, const struct gather *gat,
		  const struct compress_tags *tags);

#endif
