/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long answers about a view may be kept (RFC 9111; stale-*: RFC 5861), as
 * its module declares.
 */
#ifndef QUERYAPI_POLICY_H
#define QUERYAPI_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct json_t; /* jansson's: lib/json.h has names of its own */

enum { POLICY_TEXT_MAX = 128 };

/* All zero: none is declared, and nothing is kept by anybody. */
struct policy {
	bool declared;
	uint32_t max_age_s, stale_while_revalidate_s, stale_if_error_s;
};

/* Of a generation's reader_json (readmodel.h), or NULL. */
void
policy_read(struct policy *pol, const struct json_t *reader);
/* What both allow. */
void
policy_narrow(struct policy *pol, const struct policy *other);
/* Cache-Control's value of a 200 or 304. */
void
policy_write(char out[POLICY_TEXT_MAX], const struct policy *pol);

#endif
