/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace that a request is part of: `traceparent` of W3C Trace Context.
 *
 * Taken over only when it is valid to the letter (section 3.2): anything else
 * is as if it had not been sent. Fuzzed (tests/fuzz/fuzz_http.c).
 */
#ifndef QUERYAPI_TRACE_H
#define QUERYAPI_TRACE_H

#include <stdbool.h>

#include "queryapi/http_request.h"

enum { TRACE_ID_MAX = 33 };

/* What a request is found by in logs; "" = none. Borrowed. */
struct trace_ids {
	const char *request, *trace;
};

/* 32 hexadecimal digits; false and "" when there is no valid one. */
bool
trace_id_of(const struct http_request *req, char ret_id[TRACE_ID_MAX]);

#endif
