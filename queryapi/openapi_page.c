/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/openapi_page.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "queryapi/openapi_events.h"
#include "queryapi/routes.h"

/* What is packed here is constant: it fails by our own mistake only. */
static json_t *
made(json_t *value)
{
	assert(value);
	return value;
}

static json_t *
reference(const char *to)
{
	return made(json_pack("{s:s}", "$ref", to));
}

static json_t *
schema_of_part(const json_t *schemas, const char *view)
{
	char *to = mem_printf("#/components/schemas/%s", view);
	json_t *document = json_object_get(schemas, view)
				   ? reference(to)
				   : made(json_pack("{s:s}", "type", "object"));

	free(to);
	return made(json_pack("{s:s, s:[s,s], s:{s:{s:s, s:s}, s:o}}", "type",
			      "object", "required", "revision", "document",
			      "properties", "revision", "type", "integer",
			      "format", "int64", "document", document));
}

static json_t *
schema_of_page(const json_t *schemas, const struct settings_page *page)
{
	json_t *parts = json_object(), *missing = json_object();

	for (size_t i = 0; i < page->n_parts; i++) {
		const char *view = page->parts[i];

		(void)json_object_set_new(parts, view,
					  schema_of_part(schemas, view));
		(void)json_object_set_new(
			missing, view,
			made(json_pack("{s:[s,s,s,s]}", "enum", "absent",
				       "deleted", "parked", "late")));
	}
	return made(json_pack("{s:s, s:[s,s,s], s:{s:{s:s}, s:{s:s, s:b, s:o}, "
			      "s:{s:s, s:b, s:o}}}",
			      "type", "object", "required", "id", "parts",
			      "missing", "properties", "id", "type", "string",
			      "parts", "type", "object", "additionalProperties",
			      0, "properties", parts, "missing", "type",
			      "object", "additionalProperties", 0, "properties",
			      missing));
}

static json_t *
header(const char *name)
{
	char *to = mem_printf("#/components/headers/%s", name);
	json_t *value = reference(to);

	free(to);
	return value;
}

static json_t *
responses(json_t *schema)
{
	static const char *const problems[] = {"400", "404", "409",
					       "410", "503", "default"};
	json_t *all = made(json_pack(
		"{s:{s:s, s:{s:o, s:o, s:o}, s:{s:{s:o}}}, s:{s:s}}", "200",
		"description",
		"The documents there are, and why the others are not.",
		"headers", "ETag", header("ETag"), "Cache-Control",
		header("CacheControl"), "Projection-Position",
		header("ProjectionPosition"), "content", "application/json",
		"schema", schema, "304", "description",
		"The copy at hand is current."));

	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		(void)json_object_set_new(
			all, problems[i],
			reference("#/components/responses/Problem"));
	return all;
}

void
openapi_add_page(json_t *paths, const json_t *schemas,
		 const struct settings_page *page)
{
	char *path = mem_printf("/v1/pages/%s/{key}", page->name);
	json_t *parameters = made(json_pack(
		"[{s:s, s:s, s:b, s:s, s:{s:s, s:i, s:i, s:{s:s}}},"
		" {s:s, s:s, s:s, s:{s:s}}, {s:s}, {s:s}]",
		"name", "key", "in", "path", "required", 1, "description",
		"The key of all parts: one path segment, percent-encoded.",
		"schema", "type", "string", "minLength", 1, "maxLength",
		READMODEL_KEY_MAX, "not", "pattern", "\\u0000", "name",
		"If-None-Match", "in", "header", "description",
		"Entity tags of the copies at hand; 304 when one is current.",
		"schema", "type", "string", "$ref",
		"#/components/parameters/MinPosition", "$ref",
		"#/components/parameters/Prefer"));

	(void)json_object_set_new(
		paths, path,
		made(json_pack("{s:{s:s, s:[s], s:o, s:o}}", "get", "summary",
			       routes_summary(ROUTE_PAGE), "tags", "pages",
			       "parameters", parameters, "responses",
			       responses(schema_of_page(schemas, page)))));
	free(path);
	path = mem_printf("pages/%s", page->name);
	openapi_add_events(paths, path, "pages",
			   routes_summary(ROUTE_PAGE_EVENTS));
	free(path);
}
