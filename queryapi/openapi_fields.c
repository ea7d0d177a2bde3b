/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/openapi_fields.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queryapi/field_sets.h"

/* What is packed here is constant: it fails by our own mistake only. */
static json_t *
made(json_t *value)
{
	assert(value);
	return value;
}

char *
openapi_fields_schema(const char *view, const json_t *reader)
{
	struct field_sets sets;
	char *name;

	field_sets_read(&sets, reader);
	/* No set of that name hides it: those come after a dot. */
	name = mem_printf(sets.n ? "%s-any" : "%s", view);
	field_sets_release(&sets);
	return name;
}

void
openapi_add_fields(json_t *operation, const json_t *reader)
{
	json_t *names = json_array();
	struct field_sets sets;

	field_sets_read(&sets, reader);
	for (size_t i = 0; i < sets.n; i++)
		(void)json_array_append_new(names,
					    json_string(sets.rows[i].name));
	if (sets.n)
		(void)json_array_append_new(
			json_object_get(operation, "parameters"),
			made(json_pack("{s:s, s:s, s:s, s:{s:s, s:O}}", "name",
				       "fields", "in", "query", "description",
				       "A set of fields instead of the whole "
				       "document.",
				       "schema", "type", "string", "enum",
				       names)));
	json_decref(names);
	field_sets_release(&sets);
}

static bool
is_shown(const struct field_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_fields; i++)
		if (strcmp(set->fields[i].ptr, name) == 0)
			return true;
	return strcmp(name, "id") == 0;
}

/* The whole document's, without what is not shown. */
static json_t *
schema_of_set(json_t *whole, const struct field_set *set)
{
	json_t *properties = json_object(), *required = json_array(), *value;
	const char *name;
	size_t i;

	json_object_foreach(json_object_get(whole, "properties"), name, value)
	{
		if (is_shown(set, name))
			(void)json_object_set(properties, name, value);
	}
	json_array_foreach(json_object_get(whole, "required"), i, value)
	{
		if (is_shown(set, json_string_value(value)))
			(void)json_array_append(required, value);
	}
	return made(json_pack("{s:s, s:b, s:o, s:o}", "type", "object",
			      "additionalProperties", 0, "properties",
			      properties, "required", required));
}

static void
add_reference(json_t *any, const char *name)
{
	char *to = mem_printf("#/components/schemas/%s", name);

	(void)json_array_append_new(any, made(json_pack("{s:s}", "$ref", to)));
	free(to);
}

void
openapi_add_set_schemas(json_t *schemas, const char *view, const json_t *reader)
{
	json_t *whole = json_object_get(schemas, view), *any = json_array();
	struct field_sets sets;
	char *name;

	field_sets_read(&sets, reader);
	add_reference(any, view);
	for (size_t i = 0; i < sets.n; i++) {
		name = mem_printf("%s.%s", view, sets.rows[i].name);
		(void)json_object_set_new(schemas, name,
					  schema_of_set(whole, &sets.rows[i]));
		add_reference(any, name);
		free(name);
	}
	if (sets.n) {
		name = openapi_fields_schema(view, reader);
		(void)json_object_set_new(
			schemas, name, made(json_pack("{s:O}", "anyOf", any)));
		free(name);
	}
	json_decref(any);
	field_sets_release(&sets);
}
