/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of an answer that was put together for one request. */
#ifndef QUERYAPI_COMPRESS_H
#define QUERYAPI_COMPRESS_H

#include "queryapi/routes.h"

/*
 * Moves the response to a fetch, which a worker compresses: that takes too long
 * for a loop. Content-Encoding is added; an ETag, if any, has to be that
 * coding's already.
 */
void
compress_response(struct exchange *ex);

#endif
