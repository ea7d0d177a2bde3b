/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/openapi_list.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "queryapi/filters.h"
#include "queryapi/list_query.h"

/* What is packed here is constant: it fails by our own mistake only. */
static json_t *
made(json_t *value)
{
	assert(value);
	return value;
}

static void
add_parameter(json_t *parameters, const char *name, const char *description,
	      json_t *schema)
{
	(void)json_array_append_new(
		parameters, made(json_pack("{s:s, s:s, s:s, s:o}", "name", name,
					   "in", "query", "description",
					   description, "schema", schema)));
}

static json_t *
schema_of_filter(const struct filter *filter)
{
	switch (filter->type) {
	case STORE_FILTER_INT:
		return made(json_pack("{s:s, s:s}", "type", "integer", "format",
				      "int64"));
	case STORE_FILTER_BOOL:
		return made(json_pack("{s:s}", "type", "boolean"));
	default:
		return made(json_pack("{s:s, s:i, s:i}", "type", "string",
				      "minLength", 1, "maxLength",
				      FILTER_VALUE_MAX));
	}
}

static void
add_parameters(json_t *parameters, const json_t *reader)
{
	struct filters filters;

	add_parameter(parameters, "limit",
		      "Of a list: documents of one page, at most.",
		      made(json_pack("{s:s, s:i, s:i, s:i}", "type", "integer",
				     "minimum", 1, "maximum", LIST_LIMIT_MAX,
				     "default", LIST_LIMIT_DEFAULT)));
	add_parameter(
		parameters, "cursor",
		"Of a list: `next` of the page before, with the same "
		"filters.",
		made(json_pack("{s:s, s:i, s:i}", "type", "string", "minLength",
			       1, "maxLength", CURSOR_TEXT_MAX)));
	filters_read(&filters, reader);
	for (size_t i = 0; i < filters.n; i++)
		add_parameter(parameters, filters.rows[i].name,
			      "Of a list: only documents with this value.",
			      schema_of_filter(&filters.rows[i]));
	filters_release(&filters);
}

static json_t *
schema_of_page(const char *name)
{
	char *document = mem_printf("#/components/schemas/%s", name);
	json_t *schema = made(json_pack(
		"{s:s, s:[s], s:{s:{s:s, s:i, s:{s:s, s:[s,s,s], s:{s:{s:s}, "
		"s:{s:s, s:s}, s:{s:s}}}}, s:{s:s, s:s}}}",
		"type", "object", "required", "items", "properties", "items",
		"type", "array", "maxItems", LIST_LIMIT_MAX, "items", "type",
		"object", "required", "id", "revision", "document",
		"properties", "id", "type", "string", "revision", "type",
		"integer", "format", "int64", "document", "$ref", document,
		"next", "type", "string", "description",
		"The cursor of the next page; absent on the last one."));

	free(document);
	return schema;
}

void
openapi_add_list(json_t *operation, const char *schema, const json_t *reader)
{
	json_t *ok =
		json_object_get(json_object_get(operation, "responses"), "200");
	json_t *json = json_object_get(json_object_get(ok, "content"),
				       "application/json");
	json_t *batch = json_object_get(json, "schema");

	add_parameters(json_object_get(operation, "parameters"), reader);
	(void)json_object_set_new(
		ok, "description",
		json_string("With ids: one item per id, in that order. "
			    "Without: a page of live documents in key order."));
	(void)json_object_set_new(
		json_object_get(ok, "headers"), "Link",
		made(json_pack("{s:s, s:{s:s}}", "description",
			       "Of a list, but not its last page: the next "
			       "one, rel=\"next\" (RFC 8288).",
			       "schema", "type", "string")));
	(void)json_object_set_new(json, "schema",
				  made(json_pack("{s:[O, o]}", "anyOf", batch,
						 schema_of_page(schema))));
}
