/* SPDX-License-Identifier: Apache-2.0 */
/* What a generation's record says of its module: hash and reader description.
 */
#include <jansson.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "projector/module.h"

/* Raised when a host helper's meaning changes (setters, dates, keys). */
static const char HOST_SEMANTICS[] = "1";

static const char *
setting_of(const struct settings *set, const char *topic, bool zone)
{
	for (size_t i = 0; set && i < set->n_topics; i++)
		if (strcmp(set->topics[i].name, topic) == 0)
			return zone ? set->topics[i].zone
				    : set->topics[i].format;
	return zone ? "Asia/Seoul" : "envelope";
}

void
module_code_hash(const struct module *mod, const struct settings *set,
		 char out[65])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	struct buf text = BUF_INIT;
	const struct pj_option *o = mod->desc->options;

	buf_printf(&text, "host %s\nsource %s\nversion %" PRIu32 "\n",
		   HOST_SEMANTICS, mod->desc->source_hash, mod->desc->version);
	for (size_t i = 0; o && o[i].name; i++)
		buf_printf(&text, "option %s=%" PRId64 "\n", o[i].name,
			   mod->option_values[i]);
	for (const struct pj_reads *r = mod->desc->reads; r->topic; r++)
		buf_printf(&text, "topic %s zone=%s format=%s\n",
			   r->topic->name,
			   setting_of(set, r->topic->name, true),
			   setting_of(set, r->topic->name, false));
	if (!EVP_Digest(text.data, text.len, digest, &len, EVP_sha256(), NULL))
		abort();
	for (unsigned i = 0; i < 32; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[64] = '\0';
	buf_release(&text);
}

static const char *
type_name(const struct pj_shape *shape)
{
	static const char *const names[] = {
		[PJ_SERVED_STRING] = "string", [PJ_SERVED_INT] = "int",
		[PJ_SERVED_NUMBER] = "number", [PJ_SERVED_BOOL] = "bool",
		[PJ_SERVED_DATE] = "date",     [PJ_SERVED_OBJECT] = "object",
		[PJ_SERVED_LIST] = "list",     [PJ_SERVED_MAP] = "map",
	};

	return names[shape->type];
}

static json_t *
describe_fields(const struct pj_shape *shape)
{
	json_t *fields = json_array();

	for (; shape->name; shape++) {
		json_t *field = json_pack("{s:s, s:s, s:b, s:b}", "name",
					  shape->name, "type", type_name(shape),
					  "required", (int)shape->required,
					  "nullable", (int)shape->nullable);

		if (shape->of)
			(void)json_object_set_new(field, "fields",
						  describe_fields(shape->of));
		(void)json_array_append_new(fields, field);
	}
	return fields;
}

static json_t *
describe_field_sets(const struct pj_field_set *set)
{
	json_t *sets = json_array();

	for (; set && set->name; set++) {
		json_t *fields = json_array();

		for (size_t i = 0; set->fields[i]; i++)
			(void)json_array_append_new(
				fields, json_string(set->fields[i]));
		(void)json_array_append_new(sets, json_pack("{s:s, s:o}",
							    "name", set->name,
							    "fields", fields));
	}
	return sets;
}

char *
module_reader_json(const struct module *mod)
{
	static const struct pj_shape updated_at[] = {
		{.name = READMODEL_UPDATED_AT,
		 .type = PJ_SERVED_DATE,
		 .required = true},
		{.name = NULL},
	};
	const struct pj_cache_policy *cache = &mod->desc->cache;
	json_t *fields = describe_fields(mod->desc->shape);
	json_t *tail = describe_fields(updated_at);
	json_t *filters = json_array();
	json_t *root;
	char *text;

	(void)json_array_extend(fields, tail);
	json_decref(tail);
	for (const struct pj_index *i = mod->desc->indexes; i && i->field; i++)
		(void)json_array_append_new(filters, json_string(i->field));
	root = json_pack("{s:s, s:{s:I, s:I, s:I}, s:o, s:o, s:o}", "summary",
			 mod->desc->summary, "cache", "maxAge",
			 (json_int_t)cache->max_age_s, "staleWhileRevalidate",
			 (json_int_t)cache->stale_while_revalidate_s,
			 "staleIfError", (json_int_t)cache->stale_if_error_s,
			 "filters", filters, "fieldSets",
			 describe_field_sets(mod->desc->field_sets), "fields",
			 fields);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (!text)
		abort(); /* a module's names are literals in UTF-8 */
	return text;
}
