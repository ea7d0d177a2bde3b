/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the content that a request announces content that is read here?
 *
 * JSON (RFC 9110, 8.3; RFC 10008, 2), not coded (8.4), at most body_max_bytes.
 * Decided by the head alone, so that nothing is read in vain.
 */
#ifndef QUERYAPI_CONTENT_H
#define QUERYAPI_CONTENT_H

#include "queryapi/routes.h"

/* False: ex->res is filled, 413 or 415. */
bool
content_check(struct exchange *ex);

/* A media type's field value is application/json, parameters aside. */
bool
content_is_json(struct pj_str value);

#endif
