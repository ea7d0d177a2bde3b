/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/openapi_events.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "lib/readmodel.h"

static json_t *
parameters(void)
{
	return json_pack(
		"[{s:s, s:s, s:b, s:s, s:{s:s, s:i, s:i, s:{s:s}}},"
		" {s:s, s:s, s:s, s:{s:s}},"
		" {s:s}, {s:s}]",
		"name", "key", "in", "path", "required", 1, "description",
		"The key: one path segment, percent-encoded.", "schema", "type",
		"string", "minLength", 1, "maxLength", READMODEL_KEY_MAX, "not",
		"pattern", "\\u0000", "name", "Last-Event-ID", "in", "header",
		"description",
		"The id of the last event that was received; what is the same "
		"is not sent again.",
		"schema", "type", "string", "$ref",
		"#/components/parameters/MinPosition", "$ref",
		"#/components/parameters/Prefer");
}

static json_t *
responses(void)
{
	static const char *const problems[] = {"400", "404", "409", "503",
					       "default"};
	json_t *all = json_pack(
		"{s:{s:s, s:{s:{s:{s:s}}}}}", "200", "description",
		"Server-Sent Events, for as long as the client "
		"stays.",
		"content", "text/event-stream", "schema", "type", "string");

	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		(void)json_object_set_new(
			all, problems[i],
			json_pack("{s:s}", "$ref",
				  "#/components/responses/Problem"));
	return all;
}

void
openapi_add_events(json_t *paths, const char *name, const char *tag,
		   const char *summary)
{
	char *path = mem_printf("/v1/%s/{key}/events", name);
	json_t *get = json_pack("{s:{s:s, s:[s], s:o, s:o}}", "get", "summary",
				summary, "tags", tag, "parameters",
				parameters(), "responses", responses());

	/* What is packed is constant: it fails by our own mistake only. */
	assert(get);
	(void)json_object_set_new(paths, path, get);
	free(path);
}
