/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/field_sets.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/str.h"

/* FNV-1a, 64 bits. */
static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

/* With its NUL, so that "ab" "c" is not "a" "bc". */
static uint64_t
hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

static bool
is_declared(const json_t *reader, const char *name)
{
	const json_t *field;
	size_t i;

	json_array_foreach(json_object_get(reader, "fields"), i, field)
	{
		const char *is =
			json_string_value(json_object_get(field, "name"));

		if (is && strcmp(is, name) == 0)
			return true;
	}
	return false;
}

static void
release_row(struct field_set *row)
{
	for (size_t i = 0; i < row->n_fields; i++)
		free((char *)row->fields[i].ptr);
	free(row->fields);
}

/* False: a field is none; what was taken is given back. */
static bool
read_fields(struct field_set *row, const json_t *reader, const json_t *list)
{
	uint64_t hash = hash_start;
	const json_t *value;
	size_t i;

	row->fields =
		mem_calloc(json_array_size(list) + 1, sizeof(*row->fields));
	row->n_fields = 0;
	json_array_foreach(list, i, value)
	{
		const char *name = json_string_value(value);

		if (!name || !is_declared(reader, name))
			break;
		row->fields[row->n_fields++] =
			(struct pj_str){mem_strdup(name), strlen(name)};
		hash = hash_text(hash, name);
	}
	if (row->n_fields == 0 || row->n_fields < json_array_size(list)) {
		release_row(row);
		return false;
	}
	(void)snprintf(row->mark, sizeof(row->mark), "%s-%08" PRIx32, row->name,
		       (uint32_t)(hash >> 32 ^ hash));
	return true;
}

/* Of all that decides what is rendered. */
static uint64_t
id_of(const struct field_sets *sets)
{
	uint64_t hash = hash_start;

	for (size_t i = 0; i < sets->n; i++) {
		const struct field_set *row = &sets->rows[i];

		hash = hash_text(hash, row->name);
		for (size_t f = 0; f < row->n_fields; f++)
			hash = hash_text(hash, row->fields[f].ptr);
		hash = hash_text(hash, "");
	}
	return sets->n == 0 ? 0 : hash ? hash : 1;
}

void
field_sets_read(struct field_sets *ret_sets, const json_t *reader)
{
	const json_t *list = json_object_get(reader, "fieldSets"), *value;
	size_t i;

	*ret_sets = (struct field_sets){
		mem_calloc(FIELD_SETS_MAX, sizeof(struct field_set)), 0, 0};
	json_array_foreach(list, i, value)
	{
		const char *name =
			json_string_value(json_object_get(value, "name"));
		struct field_set *row = &ret_sets->rows[ret_sets->n];

		if (ret_sets->n == FIELD_SETS_MAX)
			break;
		if (!name || !readmodel_is_projection_name(name) ||
		    field_sets_find(ret_sets,
				    (struct pj_str){name, strlen(name)}))
			continue;
		(void)snprintf(row->name, sizeof(row->name), "%s", name);
		if (read_fields(row, reader, json_object_get(value, "fields")))
			ret_sets->n++;
	}
	ret_sets->id = id_of(ret_sets);
}

void
field_sets_release(struct field_sets *sets)
{
	for (size_t i = 0; i < sets->n; i++)
		release_row(&sets->rows[i]);
	free(sets->rows);
	*sets = (struct field_sets){NULL, 0, 0};
}

size_t
field_sets_find(const struct field_sets *sets, struct pj_str name)
{
	for (size_t i = 0; i < sets->n; i++)
		if (str_is(name, sets->rows[i].name))
			return i + 1;
	return 0;
}

int
field_sets_ask(const struct field_sets *sets, struct pj_str name,
	       size_t *ret_set, struct pj_error *err)
{
	struct buf names = BUF_INIT;
	int ret;

	*ret_set = field_sets_find(sets, name);
	if (*ret_set)
		return 0;
	for (size_t i = 0; i < sets->n; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", sets->rows[i].name);
	ret = sets->n ? pj_error_set(err, PJ_ERROR_INPUT,
				     "unknown set of fields: this view has %s",
				     names.data)
		      : pj_error_set(err, PJ_ERROR_INPUT,
				     "unknown set of fields: this view has "
				     "none");
	buf_release(&names);
	return ret;
}
