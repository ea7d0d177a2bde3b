/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/problem.h"

#include <string.h>

#include "lib/bsonjson.h"

/* Seconds; an outage or a full queue is worth asking again soon. */
static const char retry_after[] = "1";

static const struct {
	int status;
	const char *slug;
} kinds[] = {
	[PROBLEM_BAD_REQUEST] = {400, "bad-request"},
	[PROBLEM_UNAUTHORIZED] = {401, "unauthorized"},
	[PROBLEM_FORBIDDEN] = {403, "forbidden"},
	[PROBLEM_VIEW_NOT_FOUND] = {404, "view-not-found"},
	[PROBLEM_PAGE_NOT_FOUND] = {404, "page-not-found"},
	[PROBLEM_NOT_FOUND] = {404, "not-found"},
	[PROBLEM_PARKED] = {404, "parked"},
	[PROBLEM_NO_SUCH_RESOURCE] = {404, "no-such-resource"},
	[PROBLEM_METHOD] = {405, "method-not-allowed"},
	[PROBLEM_REQUEST_TIMEOUT] = {408, "request-timeout"},
	[PROBLEM_NOT_APPLICABLE] = {409, "position-not-applicable"},
	[PROBLEM_DELETED] = {410, "deleted"},
	[PROBLEM_PRECONDITION] = {412, "precondition-failed"},
	[PROBLEM_CONTENT_LARGE] = {413, "content-too-large"},
	[PROBLEM_URI_TOO_LONG] = {414, "uri-too-long"},
	[PROBLEM_MEDIA_TYPE] = {415, "unsupported-media-type"},
	[PROBLEM_EXPECTATION] = {417, "expectation-failed"},
	[PROBLEM_TOO_MANY] = {429, "too-many-requests"},
	[PROBLEM_HEADERS] = {431, "headers-too-large"},
	[PROBLEM_INTERNAL] = {500, "internal"},
	[PROBLEM_NOT_SUPPORTED] = {501, "not-supported"},
	[PROBLEM_STORE] = {503, "store-unavailable"},
	[PROBLEM_OVERLOADED] = {503, "overloaded"},
	[PROBLEM_TIMEOUT] = {503, "timeout"},
	[PROBLEM_NOT_REACHED] = {503, "position-not-reached"},
	[PROBLEM_VERSION] = {505, "http-version-not-supported"},
};

enum problem
problem_of_status(int status)
{
	switch (status) {
	case 414:
		return PROBLEM_URI_TOO_LONG;
	case 417:
		return PROBLEM_EXPECTATION;
	case 431:
		return PROBLEM_HEADERS;
	case 501:
		return PROBLEM_NOT_SUPPORTED;
	case 505:
		return PROBLEM_VERSION;
	default:
		return PROBLEM_BAD_REQUEST;
	}
}

void
problem_write(struct http_response *res, enum problem kind,
	      const char *request_id, const char *detail)
{
	int status = kinds[kind].status;

	res->status = status;
	res->type = "application/problem+json";
	buf_clear(&res->fields);
	buf_clear(&res->body);
	buf_printf(&res->body,
		   "{\"type\":\"urn:shopview:problem:%s\",\"title\":\"%s\","
		   "\"status\":%d,\"detail\":",
		   kinds[kind].slug, http_reason(status), status);
	bsonjson_string(&res->body, detail, strlen(detail));
	if (request_id)
		buf_printf(&res->body,
			   ",\"instance\":\"urn:shopview:request:%s\"",
			   request_id);
	buf_addch(&res->body, '}');
	if (status == 503)
		http_response_field(res, "Retry-After", "%s", retry_after);
	if (status != 404 && status != 410)
		http_response_field(res, "Cache-Control", "no-store");
}
