/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/content.h"

#include <string.h>

#include "queryapi/methods.h"

bool
content_is_json(struct pj_str value)
{
	const char *semi = memchr(value.ptr, ';', value.len);

	if (semi)
		value.len = (size_t)(semi - value.ptr);
	while (value.len && (value.ptr[value.len - 1] == ' ' ||
			     value.ptr[value.len - 1] == '\t'))
		value.len--;
	return http_token_is(value, "application/json");
}

static bool
refuse_type(struct exchange *ex, const char *detail)
{
	exchange_problem(ex, PROBLEM_MEDIA_TYPE, detail);
	/* RFC 9110, 12.5.1; RFC 10008, 3: what would have been taken. */
	http_response_field(ex->res, "Accept", "application/json");
	if (ex->allowed & METHOD_QUERY)
		http_response_field(ex->res, "Accept-Query",
				    "application/json");
	return false;
}

bool
content_check(struct exchange *ex)
{
	size_t from = 0, coding_from = 0;
	const struct http_header *type =
		http_request_header(ex->req, "content-type", &from);

	if (!type || http_request_header(ex->req, "content-type", &from) ||
	    !content_is_json(type->value))
		return refuse_type(ex, "the body's Content-Type has to be "
				       "application/json");
	if (http_request_header(ex->req, "content-encoding", &coding_from)) {
		exchange_problem(ex, PROBLEM_MEDIA_TYPE,
				 "no content coding is taken in a request");
		/* RFC 9110, 12.5.3 */
		http_response_field(ex->res, "Accept-Encoding", "identity");
		return false;
	}
	if (ex->req->body_bytes > ex->body_max_bytes) {
		exchange_problem(ex, PROBLEM_CONTENT_LARGE,
				 "the body is larger than this server reads");
		return false;
	}
	return true;
}
