/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Methods by name, and what a path says of those it has (RFC 9110, 9 and
 * 10.2.1; RFC 10008).
 *
 * HEAD goes wherever GET goes, OPTIONS goes everywhere: neither stands in a
 * route's table.
 */
#ifndef QUERYAPI_METHODS_H
#define QUERYAPI_METHODS_H

#include <stdbool.h>

#include "queryapi/http_request.h"
#include "queryapi/http_response.h"

/* A set of methods. Their order here is the order Allow names them in. */
enum method {
	METHOD_GET = 1 << 0,
	METHOD_HEAD = 1 << 1,
	METHOD_OPTIONS = 1 << 2,
	METHOD_POST = 1 << 3,
	METHOD_QUERY = 1 << 4,
	METHOD_OTHER = 1 << 5, /* HTTP knows it, no resource here has it */
};

/* 0 = a name HTTP does not know; names have a case (RFC 9110, 9.1). */
unsigned
method_of(const struct http_request *req);

/* The request's method as a name to be shown; "-" for one HTTP does not know.
 */
const char *
method_name(const struct http_request *req);

/* Adds Allow, and Accept-Query (RFC 10008, 3) where QUERY is among them. */
void
methods_add_allow(struct http_response *res, unsigned methods);

/* "GET, HEAD and OPTIONS", for problems; at most METHODS_TEXT_MAX bytes. */
enum { METHODS_TEXT_MAX = 64 };
void
methods_text(unsigned methods, const char *last, char out[METHODS_TEXT_MAX]);

#endif
