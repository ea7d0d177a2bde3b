/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/filters.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"

bool
filters_is_reserved(const char *name)
{
	return strcmp(name, "ids") == 0 || strcmp(name, "limit") == 0 ||
	       strcmp(name, "cursor") == 0 || strcmp(name, "fields") == 0;
}

static bool
is_name(const char *name)
{
	return name[0] && name[0] != '_' && name[0] != '$' &&
	       !strchr(name, '.') && !filters_is_reserved(name);
}

/* The declared type of a field at the top; false: none to filter by. */
static bool
type_of(const json_t *reader, const char *name, enum store_filter_type *ret)
{
	static const struct {
		const char *name;
		enum store_filter_type type;
	} types[] = {{"string", STORE_FILTER_STRING},
		     {"int", STORE_FILTER_INT},
		     {"bool", STORE_FILTER_BOOL}};
	const json_t *field;
	size_t i;

	json_array_foreach(json_object_get(reader, "fields"), i, field)
	{
		const char *is =
			json_string_value(json_object_get(field, "name"));
		const char *type =
			json_string_value(json_object_get(field, "type"));

		if (!is || !type || strcmp(is, name) != 0)
			continue;
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			*ret = types[t].type;
			if (strcmp(types[t].name, type) == 0)
				return true;
		}
		return false;
	}
	return false;
}

void
filters_read(struct filters *ret_filters, const json_t *reader)
{
	const json_t *list = json_object_get(reader, "filters"), *value;
	size_t i;

	*ret_filters = (struct filters){
		mem_calloc(json_array_size(list) + 1, sizeof(struct filter)),
		0};
	json_array_foreach(list, i, value)
	{
		const char *name = json_string_value(value);
		struct filter *row = &ret_filters->rows[ret_filters->n];

		if (!name || !is_name(name) ||
		    filters_find(ret_filters,
				 (struct pj_str){name, strlen(name)}) ||
		    !type_of(reader, name, &row->type))
			continue;
		row->name = mem_strdup(name);
		ret_filters->n++;
	}
}

void
filters_release(struct filters *filters)
{
	for (size_t i = 0; i < filters->n; i++)
		free(filters->rows[i].name);
	free(filters->rows);
	*filters = (struct filters){NULL, 0};
}

const struct filter *
filters_find(const struct filters *filters, struct pj_str name)
{
	for (size_t i = 0; i < filters->n; i++)
		if (str_is(name, filters->rows[i].name))
			return &filters->rows[i];
	return NULL;
}

/* One text per number, so that one list has one cursor. */
static bool
read_int(struct pj_str text, int64_t *ret)
{
	size_t at = text.len && text.ptr[0] == '-';
	bool minus = at == 1;
	uint64_t n = 0, most = (uint64_t)INT64_MAX + minus;

	if (at == text.len || text.len - at > 19 ||
	    (text.ptr[at] == '0' && text.len > 1))
		return false;
	for (; at < text.len; at++) {
		if (text.ptr[at] < '0' || text.ptr[at] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.ptr[at] - '0');
	}
	if (n > most)
		return false;
	*ret = minus ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

static bool
read_bool(struct pj_str text, int64_t *ret)
{
	*ret = str_is(text, "true");
	return *ret || str_is(text, "false");
}

int
filter_value(const struct filter *filter, struct pj_str text,
	     struct store_filter *ret_cond, struct pj_error *err)
{
	struct store_filter cond = {
		.field = filter->name, .type = filter->type, .text = text};

	if (text.len == 0)
		return pj_error_set(err, PJ_ERROR_INPUT, "%s has no value",
				    filter->name);
	if (text.len > FILTER_VALUE_MAX)
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "the value of %s is longer than 480 bytes",
				    filter->name);
	if (filter->type == STORE_FILTER_INT && !read_int(text, &cond.number))
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "%s has to be an integer of 64 bits",
				    filter->name);
	if (filter->type == STORE_FILTER_BOOL && !read_bool(text, &cond.number))
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "%s has to be true or false", filter->name);
	*ret_cond = cond;
	return 0;
}
