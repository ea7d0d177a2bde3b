/* SPDX-License-Identifier: Apache-2.0 */
/* Sources, generations, live pointers: over either adapter. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_impl.h"
#include "lib/store_list.h"
#include "lib/store_rows.h"

/* ---- Sources ----------------------------------------------------------- */

static int
source_read(struct store_list *list, void *row, const uint8_t *bson, size_t len)
{
	return rows_source_read(bson, len, row, &list->err);
}

static int
source_find(struct store_session *ses, const char *id, bool *ret_found,
	    int32_t *ret_index, struct pj_error *err)
{
	struct store_doc doc = {.key = store_str(id)};
	struct store_source_row row;
	int ret = -1;

	if (store_load(ses, READMODEL_SOURCES, &doc, 1, err))
		return -1;
	*ret_found = doc.bson != NULL;
	if (doc.bson && rows_source_read(doc.bson, doc.len, &row, err))
		goto out;
	if (doc.bson)
		*ret_index = row.index;
	ret = 0;
out:
	free(doc.bson);
	return ret;
}

int
store_source(struct store_session *ses, const char *topic, int32_t partition,
	     int32_t *ret_index, struct pj_error *err)
{
	char *id = rows_source_id(topic, partition);
	bool found;
	int ret = -1;

	if (strlen(topic) >= sizeof(((struct store_source_row *)0)->topic)) {
		pj_error_set(err, PJ_ERROR_CONFIG,
			     "topic name '%s' is longer than 249 bytes", topic);
		goto out;
	}
	if (source_find(ses, id, &found, ret_index, err))
		goto out;
	if (found)
		ret = 0;
	else if (ses->store->read_only)
		pj_error_set(err, PJ_ERROR_RETRY, "%s: no source %s yet",
			     ses->store->name, id);
	else
		ret = ses->store->ops->source_make(ses, id, topic, partition,
						   ret_index, err);
out:
	free(id);
	return ret;
}

static int
source_compare(const void *a, const void *b)
{
	const struct store_source_row *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

int
store_sources(struct store_session *ses, struct store_source_row **ret_rows,
	      size_t *ret_n, struct pj_error *err)
{
	struct store_list list = {.row_size = sizeof(struct store_source_row),
				  .read = source_read};

	if (store_list_run(&list, ses, READMODEL_SOURCES, "", "", err)) {
		free(list.rows);
		return -1;
	}
	if (list.n > 1)
		qsort(list.rows, list.n, list.row_size, source_compare);
	*ret_rows = (struct store_source_row *)(void *)list.rows;
	*ret_n = list.n;
	return 0;
}

/* ---- Generations ------------------------------------------------------- */

/*
 * One index for each name in reader_json's "filters", *ret_root holds them; and
 * one for the deleted documents.
 */
static int
generation_indexes(const struct store_generation *gen,
		   struct store_index **ret_indexes, size_t *ret_n,
		   json_t **ret_root, struct pj_error *err)
{
	json_error_t error;
	json_t *filters, *name;
	size_t i;

	*ret_indexes = mem_calloc(1, sizeof(**ret_indexes));
	(*ret_indexes)[0] = (struct store_index){READMODEL_META ".x", true};
	*ret_n = 1;
	*ret_root = NULL;
	if (!gen->reader_json || !gen->reader_json[0])
		return 0;
	*ret_root = json_loads(gen->reader_json, 0, &error);
	if (!*ret_root)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "generation %s.%" PRId32
				    ": reader_json: %s",
				    gen->projection, gen->number, error.text);
	filters = json_object_get(*ret_root, "filters");
	*ret_indexes =
		mem_reallocarray(*ret_indexes, json_array_size(filters) + 1,
				 sizeof(**ret_indexes));
	json_array_foreach(filters, i, name)
	{
		if (!json_is_string(name))
			return pj_error_set(err, PJ_ERROR_FATAL,
					    "generation %s.%" PRId32
					    ": a filter is not a name",
					    gen->projection, gen->number);
		(*ret_indexes)[(*ret_n)++] =
			(struct store_index){json_string_value(name), false};
	}
	return 0;
}

int
store_generation_create(struct store_session *ses,
			const struct store_generation *gen, bool *ret_created,
			struct pj_error *err)
{
	struct store_row row = {0};
	struct store_doc doc = {0};
	struct store_index *indexes = NULL;
	json_t *root = NULL;
	size_t n_indexes;
	int ret = -1;

	if (store_must_write(ses, err))
		return -1;
	rows_generation(&row, gen);
	doc.key = store_str(row.id);
	if (store_load(ses, READMODEL_GENERATIONS, &doc, 1, err))
		goto out;
	if (doc.bson) {
		*ret_created = false;
		ret = 0;
		goto out;
	}
	/* The record comes last: who sees it finds collection and indexes. */
	if (generation_indexes(gen, &indexes, &n_indexes, &root, err) ||
	    ses->store->ops->collection_make(ses, gen->collection, indexes,
					     n_indexes, err))
		goto out;
	ret = ses->store->ops->row_insert(ses, READMODEL_GENERATIONS, &row,
					  ret_created, err);
out:
	free(doc.bson);
	free(indexes);
	json_decref(root);
	store_row_release(&row);
	return ret;
}

/* Takes the row; the generation has to be there. */
static int
generation_change_take(struct store_session *ses, const char *id,
		       struct store_row *row, struct pj_error *err)
{
	bool found;

	if (store_must_write(ses, err)) {
		store_row_release(row);
		return -1;
	}
	if (store_row_write_take(ses, READMODEL_GENERATIONS, row, &found, err))
		return -1;
	if (!found)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "%s has no generation %s", ses->store->name,
				    id);
	return 0;
}

int
store_generation_set_state(struct store_session *ses, const char *projection,
			   int32_t number, enum store_generation_state state,
			   struct pj_error *err)
{
	char id[READMODEL_GENERATION_ID_MAX];
	struct store_row row = {0};

	readmodel_generation_id(id, projection, number);
	row.id = mem_strdup(id);
	row_set_int32(&row, "state", (int32_t)state);
	return generation_change_take(ses, id, &row, err);
}

int
store_generation_purged(struct store_session *ses, const char *projection,
			int32_t number, int64_t revision, struct pj_error *err)
{
	char id[READMODEL_GENERATION_ID_MAX];
	struct store_row row = {0};

	readmodel_generation_id(id, projection, number);
	row.id = mem_strdup(id);
	row_raise(&row, "purgedRevision", revision);
	return generation_change_take(ses, id, &row, err);
}

static int
generation_read(struct store_list *list, void *row, const uint8_t *bson,
		size_t len)
{
	return rows_generation_read(bson, len, row, &list->err);
}

static int
generation_compare(const void *a, const void *b)
{
	const struct store_generation *x = a, *y = b;
	int order = strcmp(x->projection, y->projection);

	return order ? order
		     : (x->number > y->number) - (x->number < y->number);
}

int
store_generations(struct store_session *ses, struct store_generation **ret_rows,
		  size_t *ret_n, struct pj_error *err)
{
	struct store_list list = {.row_size = sizeof(struct store_generation),
				  .read = generation_read};
	int failed =
		store_list_run(&list, ses, READMODEL_GENERATIONS, "", "", err);
	struct store_generation *rows =
		(struct store_generation *)(void *)list.rows;

	if (failed) {
		store_generations_free(rows, list.n);
		return -1;
	}
	if (list.n > 1)
		qsort(rows, list.n, sizeof(*rows), generation_compare);
	*ret_rows = rows;
	*ret_n = list.n;
	return 0;
}

void
store_generations_free(struct store_generation *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(rows[i].reader_json);
	free(rows);
}
