/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/methods.h"

#include <string.h>

#include "lib/str.h"

static const struct {
	const char *name;
	unsigned method;
} names[] = {
	{"GET", METHOD_GET},	     {"HEAD", METHOD_HEAD},
	{"OPTIONS", METHOD_OPTIONS}, {"POST", METHOD_POST},
	{"QUERY", METHOD_QUERY},     {"PUT", METHOD_OTHER},
	{"DELETE", METHOD_OTHER},    {"PATCH", METHOD_OTHER},
	{"CONNECT", METHOD_OTHER},   {"TRACE", METHOD_OTHER},
};

enum { N_NAMES = sizeof(names) / sizeof(names[0]) };

/* N_NAMES: none of them. */
static size_t
find(const struct http_request *req)
{
	size_t i = 0;

	while (i < N_NAMES && !str_is(req->method, names[i].name))
		i++;
	return i;
}

unsigned
method_of(const struct http_request *req)
{
	size_t i = find(req);

	return i < N_NAMES ? names[i].method : 0;
}

const char *
method_name(const struct http_request *req)
{
	size_t i = find(req);

	return i < N_NAMES ? names[i].name : "-";
}

void
methods_text(unsigned methods, const char *last, char out[METHODS_TEXT_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; methods && i < N_NAMES; i++) {
		const char *between = len == 0 ? "" : ", ";
		size_t n;

		if (!(methods & names[i].method))
			continue;
		methods &= ~names[i].method;
		if (len && !methods)
			between = last;
		n = strlen(between) + strlen(names[i].name);
		if (len + n >= METHODS_TEXT_MAX)
			return;
		memcpy(out + len, between, strlen(between));
		memcpy(out + len + strlen(between), names[i].name,
		       strlen(names[i].name));
		len += n;
		out[len] = '\0';
	}
}

void
methods_add_allow(struct http_response *res, unsigned methods)
{
	char text[METHODS_TEXT_MAX];

	methods_text(methods, ", ", text);
	http_response_field(res, "Allow", "%s", text);
	if (methods & METHOD_QUERY)
		http_response_field(res, "Accept-Query", "application/json");
}
