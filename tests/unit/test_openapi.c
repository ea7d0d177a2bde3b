/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document, from what generations say of themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/settings.h"
#include "queryapi/openapi.h"

static json_t *
read_text(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static json_t *
document(const char *reader_json)
{
	json_t *reader = reader_json ? read_text(reader_json) : NULL;
	struct openapi_view view = {"shop", 2, reader};
	char *text = openapi_write(&view, 1, NULL, 0, 0);
	json_t *root = read_text(text);

	free(text);
	json_decref(reader);
	return root;
}

/* The value at a path of names, which has to be there. */
static const json_t *
at(const json_t *value, const char *path)
{
	char name[64];

	while (*path) {
		size_t len = strcspn(path, "|");

		memcpy(name, path, len);
		name[len] = '\0';
		value = json_is_array(value)
				? json_array_get(value, (size_t)atoi(name))
				: json_object_get(value, name);
		if (!value)
			fail_msg("nothing at %s", path);
		path += len + (path[len] == '|');
	}
	return value;
}

static void
assert_text(const json_t *root, const char *path, const char *want)
{
	assert_string_equal(json_string_value(at(root, path)), want);
}

static const char shop[] =
	"{\"summary\":\"Shops\",\"fields\":["
	"{\"name\":\"name\",\"type\":\"string\",\"required\":true},"
	"{\"name\":\"count\",\"type\":\"int\"},"
	"{\"name\":\"average\",\"type\":\"number\",\"nullable\":true},"
	"{\"name\":\"at\",\"type\":\"date\"},"
	"{\"name\":\"open\",\"type\":\"bool\"},"
	"{\"name\":\"location\",\"type\":\"object\"},"
	"{\"name\":\"lines\",\"type\":\"list\",\"fields\":["
	"{\"name\":\"productId\",\"type\":\"string\",\"required\":true}]},"
	"{\"name\":\"hours\",\"type\":\"list\"},"
	"{\"name\":\"products\",\"type\":\"map\",\"fields\":["
	"{\"name\":\"units\",\"type\":\"int\"}]},"
	"{\"name\":\"histogram\",\"type\":\"map\"}]}";

static void
declared_types_become_schemas(void **state)
{
	json_t *root = document(shop);
	const json_t *p = at(root, "components|schemas|shop|properties");

	(void)state;
	assert_text(p, "id|type", "string");
	assert_text(p, "name|type", "string");
	assert_text(p, "count|type", "integer");
	assert_text(p, "count|format", "int64");
	assert_text(p, "average|type|0", "number");
	assert_text(p, "average|type|1", "null");
	assert_text(p, "at|format", "date-time");
	assert_text(p, "open|type", "boolean");
	assert_text(p, "location|type", "object");
	assert_text(p, "lines|type", "array");
	assert_text(p, "lines|items|properties|productId|type", "string");
	assert_text(p, "lines|items|required|0", "productId");
	assert_int_equal(json_object_size(at(p, "hours|items")), 0);
	assert_text(p, "products|additionalProperties|properties|units|type",
		    "integer");
	assert_text(p, "histogram|type", "object");
	assert_text(root, "components|schemas|shop|required|0", "id");
	assert_text(root, "components|schemas|shop|required|1", "name");
	assert_int_equal(
		json_array_size(at(root, "components|schemas|shop|required")),
		2);
	json_decref(root);
}

static const char with_sets[] =
	"{\"fields\":["
	"{\"name\":\"name\",\"type\":\"string\",\"required\":true},"
	"{\"name\":\"count\",\"type\":\"int\",\"required\":true},"
	"{\"name\":\"open\",\"type\":\"bool\"}],"
	"\"fieldSets\":[{\"name\":\"card\",\"fields\":[\"open\",\"name\"]},"
	"{\"name\":\"row\",\"fields\":[\"open\"]}]}";

static void
assert_takes_sets(const json_t *operation)
{
	const json_t *parameters = at(operation, "parameters");
	const json_t *last =
		json_array_get(parameters, json_array_size(parameters) - 1);

	assert_text(last, "name", "fields");
	assert_text(last, "in", "query");
	assert_int_equal(json_array_size(at(last, "schema|enum")), 2);
	assert_text(last, "schema|enum|0", "card");
	assert_text(last, "schema|enum|1", "row");
}

static void
sets_of_fields_are_an_enum_and_a_schema_each(void **state)
{
	json_t *root = document(with_sets), *plain = document(shop);
	const json_t *schemas = at(root, "components|schemas");
	char *text;

	(void)state;
	assert_takes_sets(at(root, "paths|/v1/shop/{key}|get"));
	assert_takes_sets(at(root, "paths|/v1/shop|get"));
	assert_takes_sets(at(root, "paths|/v1/shop/batch|post"));
	assert_text(root,
		    "paths|/v1/shop/{key}|get|responses|200|content|"
		    "application/json|schema|$ref",
		    "#/components/schemas/shop-any");
	assert_text(schemas, "shop-any|anyOf|0|$ref",
		    "#/components/schemas/shop");
	assert_text(schemas, "shop-any|anyOf|1|$ref",
		    "#/components/schemas/shop.card");
	assert_text(schemas, "shop-any|anyOf|2|$ref",
		    "#/components/schemas/shop.row");
	assert_text(schemas, "shop.card|properties|open|type", "boolean");
	assert_text(schemas, "shop.card|required|1", "name");
	assert_int_equal(json_object_size(at(schemas, "shop.card|properties")),
			 3);
	assert_int_equal(json_array_size(at(schemas, "shop.row|required")), 1);
	assert_text(schemas, "shop.row|required|0", "id");
	/* A view without sets has none of it. */
	text = json_dumps(plain, JSON_COMPACT);
	assert_null(strstr(text, "\"name\":\"fields\""));
	assert_null(strstr(text, "shop-any"));
	free(text);
	json_decref(plain);
	json_decref(root);
}

static void
each_view_has_its_two_paths(void **state)
{
	json_t *root = document(shop);

	(void)state;
	assert_text(root, "openapi", "3.1.0");
	assert_text(root, "paths|/v1/shop/{key}|get|description", "Shops");
	assert_text(root, "paths|/v1/shop/{key}|get|parameters|0|name", "key");
	assert_text(root,
		    "paths|/v1/shop/{key}|get|responses|200|content|"
		    "application/json|schema|$ref",
		    "#/components/schemas/shop");
	assert_text(root, "paths|/v1/shop|get|parameters|0|name", "ids");
	assert_text(root, "paths|/openapi.json|get|summary",
		    "This description");
	json_decref(root);
}

/* Every $ref leads somewhere. */
static void
check_refs(const json_t *root, const json_t *value)
{
	const char *name;
	json_t *member;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)value, name, member)
	{
		if (strcmp(name, "$ref") == 0) {
			char path[128];

			assert_memory_equal(json_string_value(member), "#/", 2);
			strcpy(path, json_string_value(member) + 2);
			for (char *c = path; *c; c++)
				if (*c == '/')
					*c = '|';
			(void)at(root, path);
		}
		check_refs(root, member);
	}
	json_array_foreach(value, i, member)
	{
		check_refs(root, member);
	}
}

static void
every_reference_leads_somewhere(void **state)
{
	json_t *root = document(shop);

	(void)state;
	check_refs(root, root);
	json_decref(root);
}

static void
a_view_that_says_nothing_is_any_object(void **state)
{
	static const char *const odd[] = {
		NULL,
		"{}",
		"{\"fields\":7}",
		"{\"fields\":[1,{\"type\":\"int\"},{\"name\":\"x\"}]}",
		"{\"summary\":[],\"fields\":[{\"name\":\"a\",\"type\":\"?\","
		"\"fields\":{}}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		json_t *root = document(odd[i]);

		assert_text(root, "components|schemas|shop|type", "object");
		json_decref(root);
	}
}

static void
deep_declarations_end(void **state)
{
	struct openapi_view view = {"deep", 1, NULL};
	json_t *fields = json_array(), *reader;
	char *text;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		json_t *outer = json_array(), *field = json_object();

		(void)json_object_set_new(field, "name", json_string("n"));
		(void)json_object_set_new(field, "type", json_string("object"));
		(void)json_object_set_new(field, "fields", fields);
		(void)json_array_append_new(outer, field);
		fields = outer;
	}
	reader = json_object();
	(void)json_object_set_new(reader, "fields", fields);
	view.reader = reader;
	text = openapi_write(&view, 1, NULL, 0, 2);
	assert_true(strlen(text) < 40000);
	free(text);
	json_decref(reader);
}

static void
declared_filters_become_typed_parameters_of_a_list(void **state)
{
	json_t *root = document(
		"{\"filters\":[\"areaId\",\"seats\",\"open\",\"hours\",\"x\"],"
		"\"fields\":[{\"name\":\"areaId\",\"type\":\"string\"},"
		"{\"name\":\"seats\",\"type\":\"int\"},"
		"{\"name\":\"open\",\"type\":\"bool\"},"
		"{\"name\":\"hours\",\"type\":\"list\"}]}");
	const json_t *get = at(root, "paths|/v1/shop|get");
	/* Behind the ids two that all reads of documents have. */
	static const char *const names[] = {"ids",   NULL,     NULL,
					    "limit", "cursor", "areaId",
					    "seats", "open"};
	char path[32];

	(void)state;
	assert_int_equal(json_array_size(at(get, "parameters")), 8);
	for (size_t i = 0; i < 8; i++) {
		if (!names[i])
			continue;
		(void)snprintf(path, sizeof(path), "parameters|%zu|name", i);
		assert_text(get, path, names[i]);
		(void)snprintf(path, sizeof(path), "parameters|%zu|in", i);
		assert_text(get, path, "query");
		(void)snprintf(path, sizeof(path), "parameters|%zu", i);
		assert_null(json_object_get(at(get, path), "required"));
	}
	assert_int_equal(
		json_integer_value(at(get, "parameters|3|schema|maximum")),
		100);
	assert_text(get, "parameters|5|schema|type", "string");
	assert_text(get, "parameters|6|schema|format", "int64");
	assert_text(get, "parameters|7|schema|type", "boolean");
	(void)at(get, "responses|200|headers|Link");
	assert_text(get,
		    "responses|200|content|application/json|schema|anyOf|1|"
		    "properties|items|items|properties|document|$ref",
		    "#/components/schemas/shop");
	json_decref(root);
}

static void
a_page_is_described_by_its_views(void **state)
{
	char name[] = "front", live[] = "shop", soon[] = "soon";
	char *parts[] = {live, soon};
	struct settings_page page = {name, parts, 2};
	struct openapi_view view = {"shop", 2, NULL};
	char *text = openapi_write(&view, 1, &page, 1, 0);
	json_t *root = read_text(text);
	const json_t *schema =
		at(root, "paths|/v1/pages/front/{key}|get|responses|200|"
			 "content|application/json|schema|properties");

	(void)state;
	assert_text(schema, "parts|properties|shop|properties|document|$ref",
		    "#/components/schemas/shop");
	assert_text(schema, "parts|properties|soon|properties|document|type",
		    "object");
	assert_text(schema, "missing|properties|soon|enum|3", "late");
	assert_text(root, "paths|/v1/pages/front/{key}|get|responses|410|$ref",
		    "#/components/responses/Problem");
	json_decref(root);
	free(text);
}

static void
a_token_and_any_other_problem_are_part_of_every_operation(void **state)
{
	json_t *root = document("{\"fields\":[]}"), *path, *operation;
	const char *name, *method;
	size_t n = 0;

	(void)state;
	assert_text(root, "components|securitySchemes|Bearer|scheme", "bearer");
	assert_int_equal(json_object_size(at(root, "security|0")), 0);
	assert_non_null(at(root, "security|1|Bearer"));
	json_object_foreach(json_object_get(root, "paths"), name, path)
	{
		json_object_foreach(path, method, operation)
		{
			assert_text(operation, "responses|default|$ref",
				    "#/components/responses/Problem");
			n++;
		}
	}
	assert_int_equal(n, 5);
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declared_types_become_schemas),
		cmocka_unit_test(sets_of_fields_are_an_enum_and_a_schema_each),
		cmocka_unit_test(each_view_has_its_two_paths),
		cmocka_unit_test(every_reference_leads_somewhere),
		cmocka_unit_test(a_view_that_says_nothing_is_any_object),
		cmocka_unit_test(deep_declarations_end),
		cmocka_unit_test(
			declared_filters_become_typed_parameters_of_a_list),
		cmocka_unit_test(a_page_is_described_by_its_views),
		cmocka_unit_test(
			a_token_and_any_other_problem_are_part_of_every_operation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
