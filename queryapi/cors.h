/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of other origins that may read answers (Fetch, CORS protocol): none,
 * those of queryapi.cors_origins, or all. Credentials in the browser's sense
 * (cookies) are never allowed; a token in Authorization is.
 */
#ifndef QUERYAPI_CORS_H
#define QUERYAPI_CORS_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/settings.h"
#include "queryapi/http_request.h"
#include "queryapi/http_response.h"

/* The value of Access-Control-Allow-Origin, borrowed from the settings; NULL:
 * no such page asks, or it may not. */
const char *
cors_origin(const struct settings *set, const struct http_request *req);

/* Appends what every answer says, whole lines; origin as above. */
void
cors_write(const struct settings *set, const char *origin, struct buf *out);

/* The request asks what it may ask: Origin and Access-Control-Request-Method
 * are there. */
bool
cors_is_preflight(const struct http_request *req);
/* Adds the answer to that; methods: those of the path (methods.h). */
void
cors_add_preflight(struct http_response *res, unsigned methods);

#endif
