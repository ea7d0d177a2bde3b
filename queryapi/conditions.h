/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request asks of a representation: its coding, and the preconditions
 * that entity tags decide (RFC 9110, 12.5.3 and 13).
 *
 * Ownership: read ones point into the request; kept ones are copies.
 */
#ifndef QUERYAPI_CONDITIONS_H
#define QUERYAPI_CONDITIONS_H

#include "queryapi/http_request.h"

struct conditions {
	bool gzip; /* the client takes it */
	/* The field's value, lines joined; ptr NULL = none. */
	struct pj_str if_none_match, if_match;
	char *joined[2]; /* owned: what came in several lines, or was kept */
};

void
conditions_read(struct conditions *cond, const struct http_request *req);
/* So that the request may go. */
void
conditions_keep(struct conditions *cond);
void
conditions_release(struct conditions *cond);

#endif
