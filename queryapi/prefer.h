/* SPDX-License-Identifier: Apache-2.0 */
/* What a client would like (RFC 7240): of that only `wait`. Pure. */
#ifndef QUERYAPI_PREFER_H
#define QUERYAPI_PREFER_H

#include "queryapi/http_request.h"

enum { PREFER_WAIT_MAX_S = 60 };

/*
 * The seconds of `Prefer: wait=N` (section 4.3), at most PREFER_WAIT_MAX_S;
 * -1: none. The first one counts; what is malformed is ignored, as all of
 * Prefer may be (section 2).
 */
int
prefer_wait_s(const struct http_request *req);

#endif
