/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/openapi.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "queryapi/openapi_events.h"
#include "queryapi/openapi_fields.h"
#include "queryapi/openapi_list.h"
#include "queryapi/openapi_page.h"
#include "queryapi/routes.h"

/* As deep as declared fields may nest; readers' JSON is data, not code. */
enum { DEPTH_MAX = 16 };

/*
 * JSON written as JSON: ' stands for ", @ for the view's name, ~ for the name
 * of the schema of what is answered, ^ for a summary of the route table. None
 * of them occurs in the values.
 */
static json_t *
of_answer(const char *template, const char *view, const char *schema,
	  const char *summary)
{
	struct buf text = BUF_INIT;
	json_t *value;

	for (const char *p = template; *p; p++) {
		if (*p == '\'')
			buf_addch(&text, '"');
		else if (*p == '@')
			buf_addstr(&text, view);
		else if (*p == '~')
			buf_addstr(&text, schema);
		else if (*p == '^')
			buf_addstr(&text, summary);
		else
			buf_addch(&text, *p);
	}
	value = json_loadb(text.data, text.len, 0, NULL);
	assert(value);
	buf_release(&text);
	return value;
}

static json_t *
from_template(const char *template, const char *view, const char *summary)
{
	return of_answer(template, view, view, summary);
}

static json_t *
schema_of_fields(const json_t *fields, int depth);

static json_t *
schema_of_type(const char *type, const json_t *fields, int depth)
{
	static const struct {
		const char *type, *schema;
	} plain[] = {
		{"string", "{'type':'string'}"},
		{"date", "{'type':'string','format':'date-time'}"},
		{"int", "{'type':'integer','format':'int64'}"},
		{"number", "{'type':'number'}"},
		{"bool", "{'type':'boolean'}"},
	};
	bool list = strcmp(type, "list") == 0;
	json_t *below, *schema;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(type, plain[i].type) == 0)
			return from_template(plain[i].schema, "", "");
	below = json_is_array(fields) && depth < DEPTH_MAX
			? schema_of_fields(fields, depth + 1)
			: NULL;
	if (strcmp(type, "object") == 0 && below)
		return below;
	schema = json_object();
	(void)json_object_set_new(schema, "type",
				  json_string(list ? "array" : "object"));
	if (list)
		(void)json_object_set_new(schema, "items",
					  below ? below : json_object());
	else if (below)
		(void)json_object_set_new(schema, "additionalProperties",
					  below);
	return schema;
}

static json_t *
schema_of_field(const json_t *field, int depth)
{
	const char *type = json_string_value(json_object_get(field, "type"));
	json_t *schema =
		schema_of_type(type ? type : "object",
			       json_object_get(field, "fields"), depth);

	if (json_is_true(json_object_get(field, "nullable")))
		(void)json_object_set_new(
			schema, "type",
			json_pack("[O,s]", json_object_get(schema, "type"),
				  "null"));
	return schema;
}

static json_t *
schema_of_fields(const json_t *fields, int depth)
{
	json_t *properties = json_object(), *required = json_array();
	json_t *field, *schema;
	size_t i;

	json_array_foreach(fields, i, field)
	{
		const char *name =
			json_string_value(json_object_get(field, "name"));

		if (!name)
			continue;
		(void)json_object_set_new(properties, name,
					  schema_of_field(field, depth));
		if (json_is_true(json_object_get(field, "required")))
			(void)json_array_append_new(required,
						    json_string(name));
	}
	schema = from_template("{'type':'object'}", "", "");
	(void)json_object_set_new(schema, "properties", properties);
	if (json_array_size(required))
		(void)json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

/* The served document: `id` in front of what the module declares. */
static json_t *
schema_of_view(const struct openapi_view *view)
{
	json_t *schema = schema_of_fields(
		view->reader ? json_object_get(view->reader, "fields") : NULL,
		0);
	json_t *declared = json_object_get(schema, "properties");
	json_t *properties = from_template("{'id':{'type':'string'}}", "", "");
	json_t *required = from_template("['id']", "", ""), *more;

	(void)json_object_update_missing(properties, declared);
	(void)json_object_set_new(schema, "properties", properties);
	more = json_object_get(schema, "required");
	if (more)
		(void)json_array_extend(required, more);
	(void)json_object_set_new(schema, "required", required);
	(void)json_object_set_new(schema, "x-document-version",
				  json_integer(view->version));
	return schema;
}

/* '^' is taken: so, instead of "anything but it". */
#define NO_NUL "'not':{'pattern':'\\\\u0000'}"

/* Reading one's own writes; of every read of documents. */
#define POSITION_PARAMETERS                                                    \
	"{'$ref':'#/components/parameters/MinPosition'},"                      \
	"{'$ref':'#/components/parameters/Prefer'}"

/* Limits, tokens, methods: told the same way everywhere. */
#define OTHERS "'default':{'$ref':'#/components/responses/Problem'}"

static const char document_operation[] =
	"{'get':{'summary':'^','tags':['@'],'parameters':["
	"{'name':'key','in':'path','required':true,'description':"
	"'The key: one path segment, percent-encoded.',"
	"'schema':{'type':'string','minLength':1,'maxLength':480," NO_NUL "}},"
	"{'name':'If-None-Match','in':'header','description':"
	"'Entity tags of the copies at hand; 304 when one is current.',"
	"'schema':{'type':'string'}},"
	"{'name':'wait','in':'query','description':"
	"'With If-None-Match: how many seconds a 304 is put off for the next "
	"version.','schema':{'type':'integer','minimum':1,'maximum':60}}"
	"," POSITION_PARAMETERS "],"
	"'responses':{'200':{'description':'The document.','headers':{"
	"'ETag':{'$ref':'#/components/headers/ETag'},"
	"'Cache-Control':{'$ref':'#/components/headers/CacheControl'},"
	"'Projection-Position':"
	"{'$ref':'#/components/headers/ProjectionPosition'}},"
	"'content':{'application/json':{'schema':"
	"{'$ref':'#/components/schemas/~'}}}},"
	"'304':{'description':'The copy at hand is current.'},"
	"'400':{'$ref':'#/components/responses/Problem'},"
	"'404':{'$ref':'#/components/responses/Problem'},"
	"'409':{'$ref':'#/components/responses/Problem'},"
	"'410':{'$ref':'#/components/responses/Problem'},"
	"'503':{'$ref':'#/components/responses/Problem'}," OTHERS "}}}";

/* Of a batch, however its ids came. */
#define BATCH_RESPONSES                                                        \
	"'responses':{'200':{'description':'One item per id, in that order.'," \
	"'headers':{"                                                          \
	"'Cache-Control':{'$ref':'#/components/headers/CacheControl'},"        \
	"'Projection-Position':"                                               \
	"{'$ref':'#/components/headers/ProjectionPosition'}},"                 \
	"'content':{'application/json':{'schema':{'type':'object',"            \
	"'required':['items'],'properties':{'items':{'type':'array','items':{" \
	"'type':'object','required':['id','found','revision','document'],"     \
	"'properties':{'id':{'type':'string'},'found':{'type':'boolean'},"     \
	"'deleted':{'type':'boolean'},"                                        \
	"'revision':{'type':['integer','null'],'format':'int64'},"             \
	"'document':{'anyOf':[{'$ref':'#/components/schemas/~'},"              \
	"{'type':'null'}]}}}}}}}}},"                                           \
	"'400':{'$ref':'#/components/responses/Problem'},"                     \
	"'404':{'$ref':'#/components/responses/Problem'},"                     \
	"'409':{'$ref':'#/components/responses/Problem'},"                     \
	"'503':{'$ref':'#/components/responses/Problem'}," OTHERS

static const char batch_operation[] =
	"{'get':{'summary':'^','tags':['@'],'parameters':["
	"{'name':'ids','in':'query','description':"
	"'Keys, split at literal commas, then percent-decoded.',"
	"'style':'form','explode':false,'schema':{'type':'array',"
	"'items':{'type':'string','minLength':1,'maxLength':480," NO_NUL "},"
	"'minItems':1,'maxItems':100}}," POSITION_PARAMETERS
	"]," BATCH_RESPONSES "}}}";

static const char batch_post_operation[] =
	"{'post':{'summary':'^','tags':['@'],'description':"
	"'QUERY on the path above takes the same body, and is safe and "
	"idempotent.','parameters':[" POSITION_PARAMETERS
	"],'requestBody':{'required':true,"
	"'content':{'application/json':{'schema':{'type':'object',"
	"'required':['ids'],'additionalProperties':false,'properties':{'ids':{"
	"'type':'array','minItems':1,'maxItems':100,"
	"'items':{'type':'string','minLength':1,'maxLength':480," NO_NUL
	"}}}}}}}"
	"," BATCH_RESPONSES ","
	"'408':{'$ref':'#/components/responses/Problem'},"
	"'413':{'$ref':'#/components/responses/Problem'},"
	"'415':{'$ref':'#/components/responses/Problem'}}}}";

static const char openapi_operation[] =
	"{'get':{'summary':'^','responses':{'200':{'description':"
	"'OpenAPI 3.1.','content':{'application/json':{'schema':"
	"{'type':'object'}}}},"
	"'503':{'$ref':'#/components/responses/Problem'}," OTHERS "}}}";

static const char shared_components[] =
	"{'schemas':{'Problem':{'type':'object',"
	"'required':['type','title','status','detail'],'properties':{"
	"'type':{'type':'string','format':'uri-reference'},"
	"'title':{'type':'string'},'status':{'type':'integer'},"
	"'detail':{'type':'string'},"
	"'instance':{'type':'string','format':'uri-reference'}}}},"
	"'parameters':{"
	"'MinPosition':{'name':'Projection-Min-Position','in':'header',"
	"'description':'A list of quoted topic/partition\\u0040offset that the "
	"answer has to contain: else 503, or 409 where waiting would not "
	"help.','schema':{'type':'string'}},"
	"'Prefer':{'name':'Prefer','in':'header','description':"
	"'wait=N: how many seconds to wait for the position, at most 60 "
	"(RFC 7240).','schema':{'type':'string'},'example':'wait=2'}},"
	"'securitySchemes':{'Bearer':{'type':'http','scheme':'bearer',"
	"'description':'Needed where the server has tokens.'}},"
	"'responses':{'Problem':{'description':'RFC 9457 problem details.',"
	"'content':{'application/problem+json':{'schema':"
	"{'$ref':'#/components/schemas/Problem'}}}}},"
	"'headers':{"
	"'ETag':{'description':'Strong: names exactly these bytes.',"
	"'schema':{'type':'string'}},"
	"'CacheControl':{'description':'The cache policy of the view.',"
	"'schema':{'type':'string'}},"
	"'ProjectionPosition':{'description':"
	"'What the answer contains: a list of quoted topic/partition\\u0040"
	"offset.','schema':{'type':'string'}}}}";

static void
add_view(json_t *paths, json_t *schemas, const struct openapi_view *view)
{
	char *schema = openapi_fields_schema(view->name, view->reader);
	json_t *document = of_answer(document_operation, view->name, schema,
				     routes_summary(ROUTE_DOCUMENT));
	json_t *batch = of_answer(batch_operation, view->name, schema,
				  routes_summary(ROUTE_BATCH));
	json_t *post = of_answer(batch_post_operation, view->name, schema,
				 routes_summary(ROUTE_BATCH_POST));
	json_t *about =
		view->reader ? json_object_get(view->reader, "summary") : NULL;
	char *path = mem_printf("/v1/%s/{key}", view->name);

	if (json_is_string(about))
		(void)json_object_set(json_object_get(document, "get"),
				      "description", about);
	(void)json_object_set_new(paths, path, document);
	free(path);
	openapi_add_list(json_object_get(batch, "get"), schema, view->reader);
	free(schema);
	openapi_add_fields(json_object_get(document, "get"), view->reader);
	openapi_add_fields(json_object_get(batch, "get"), view->reader);
	openapi_add_fields(json_object_get(post, "post"), view->reader);
	path = mem_printf("/v1/%s", view->name);
	(void)json_object_set_new(paths, path, batch);
	free(path);
	path = mem_printf("/v1/%s/batch", view->name);
	(void)json_object_set_new(paths, path, post);
	free(path);
	openapi_add_events(paths, view->name, view->name,
			   routes_summary(ROUTE_EVENTS));
	/* A view name is lower case: it never meets "Problem". */
	(void)json_object_set_new(schemas, view->name, schema_of_view(view));
	openapi_add_set_schemas(schemas, view->name, view->reader);
}

char *
openapi_write(const struct openapi_view *views, size_t n,
	      const struct settings_page *pages, size_t n_pages, int indent)
{
	json_t *root = from_template(
		"{'openapi':'3.1.0','info':{'title':'Shopview','version':'@'},"
		"'security':[{},{'Bearer':[]}],'paths':{}}",
		SHOPVIEW_VERSION, "");
	json_t *paths = json_object_get(root, "paths");
	json_t *shared = from_template(shared_components, "", "");
	char *text;

	for (size_t i = 0; i < n; i++)
		add_view(paths, json_object_get(shared, "schemas"), &views[i]);
	for (size_t i = 0; i < n_pages; i++)
		openapi_add_page(paths, json_object_get(shared, "schemas"),
				 &pages[i]);
	(void)json_object_set_new(paths, "/openapi.json",
				  from_template(openapi_operation, "",
						routes_summary(ROUTE_OPENAPI)));
	(void)json_object_set_new(root, "components", shared);
	text = json_dumps(root, indent ? (size_t)JSON_INDENT(indent)
				       : (size_t)JSON_COMPACT);
	assert(text);
	json_decref(root);
	return text;
}
