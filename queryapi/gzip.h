/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gzip content coding: whether a client takes it, and making it.
 */
#ifndef QUERYAPI_GZIP_H
#define QUERYAPI_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "queryapi/http_request.h"

/*
 * True when the Accept-Encoding lines allow gzip and do not rank it below
 * identity (RFC 9110, 12.5.3). No such line: false.
 */
bool
gzip_is_accepted(const struct http_request *req);

/* A compressor that is kept: its 260 KB of state are made once per thread. */
struct gzip;

struct gzip *
gzip_new(void);
void
gzip_free(struct gzip *gz);
/* Appends the coded bytes. The same input gives the same bytes. */
void
gzip_write(struct gzip *gz, struct buf *out, const void *data, size_t len);

#endif
