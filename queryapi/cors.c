/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/cors.h"

#include <string.h>

#include "lib/str.h"
#include "queryapi/methods.h"

/* What a script may send beyond what it always may. */
static const char request_headers[] =
	"Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, "
	"Prefer, Projection-Min-Position, Traceparent, X-Request-Id";
/* What a script may read beyond what it always may. */
static const char exposed[] =
	"Access-Control-Expose-Headers: ETag, Link, Projection-Position, "
	"Projection-Parked, Preference-Applied, X-Request-Id, Retry-After, "
	"Age, Cache-Status\r\n";
/* Two hours: no browser keeps it longer than that or a day. */
static const char max_age_s[] = "7200";

const char *
cors_origin(const struct settings *set, const struct http_request *req)
{
	size_t from = 0;
	const struct http_header *h = http_request_header(req, "origin", &from);

	if (!h || http_request_header(req, "origin", &from))
		return NULL;
	for (size_t i = 0; i < set->queryapi.n_cors_origins; i++) {
		const char *origin = set->queryapi.cors_origins[i];

		if (strcmp(origin, "*") == 0 || str_is(h->value, origin))
			return origin;
	}
	return NULL;
}

void
cors_write(const struct settings *set, const char *origin, struct buf *out)
{
	if (set->queryapi.n_cors_origins == 0)
		return;
	/* Also said to who sent none: a cache may ask for another. */
	if (strcmp(set->queryapi.cors_origins[0], "*") != 0)
		buf_addstr(out, "Vary: Origin\r\n");
	if (!origin)
		return;
	buf_addstr(out, "Access-Control-Allow-Origin: ");
	buf_addstr(out, origin);
	buf_add(out, "\r\n", 2);
	buf_add(out, exposed, sizeof(exposed) - 1);
}

bool
cors_is_preflight(const struct http_request *req)
{
	size_t from = 0, method_from = 0;

	return http_request_header(req, "origin", &from) &&
	       http_request_header(req, "access-control-request-method",
				   &method_from);
}

void
cors_add_preflight(struct http_response *res, unsigned methods)
{
	char text[METHODS_TEXT_MAX];

	methods_text(methods, ", ", text);
	http_response_field(res, "Access-Control-Allow-Methods", "%s", text);
	http_response_field(res, "Access-Control-Allow-Headers", "%s",
			    request_headers);
	http_response_field(res, "Access-Control-Max-Age", "%s", max_age_s);
}
