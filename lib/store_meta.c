/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed collections: what their rows mean, over either adapter. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_impl.h"
#include "lib/store_rows.h"

static int
meta_must_write(struct store_session *ses, struct pj_error *err)
{
	if (!ses->store->read_only)
		return 0;
	return pj_error_set(err, PJ_ERROR_FATAL, "%s is read-only",
			    ses->store->name);
}

static int
meta_scan(struct store_session *ses, const char *collection, const char *after,
	  const char *end, store_each_fn each, void *arg, struct pj_error *err)
{
	return ses->store->ops->scan(ses, collection, store_str(after),
				     store_str(end), each, arg, err);
}

/* ---- Listing: rows of any kind into an array --------------------------- */

struct listing {
	size_t row_size;
	int (*read)(struct listing *list, void *row, const uint8_t *bson,
		    size_t len);
	char *rows;
	size_t n;
	struct pj_error err;
};

static bool
listing_each(void *arg, const uint8_t *bson, size_t len)
{
	struct listing *list = arg;

	list->rows = mem_reallocarray(list->rows, list->n + 1, list->row_size);
	if (list->read(list, list->rows + list->n * list->row_size, bson, len))
		return false;
	list->n++;
	return true;
}

/* On failure the rows read so far are left to the caller in *list. */
static int
listing_run(struct listing *list, struct store_session *ses,
	    const char *collection, const char *after, const char *end,
	    struct pj_error *err)
{
	if (meta_scan(ses, collection, after, end, listing_each, list, err))
		return -1;
	if (list->err.cls == PJ_ERROR_NONE)
		return 0;
	*err = list->err;
	return -1;
}

/* ---- Sources ----------------------------------------------------------- */

static int
source_read(struct listing *list, void *row, const uint8_t *bson, size_t len)
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
	struct listing list = {.row_size = sizeof(struct store_source_row),
			       .read = source_read};

	if (listing_run(&list, ses, READMODEL_SOURCES, "", "", err)) {
		free(list.rows);
		return -1;
	}
	if (list.n > 1)
		qsort(list.rows, list.n, list.row_size, source_compare);
	*ret_rows = (struct store_source_row *)(void *)list.rows;
	*ret_n = list.n;
	return 0;
}

/* ---- Checkpoints ------------------------------------------------------- */

static int
checkpoint_read(struct listing *list, void *row, const uint8_t *bson,
		size_t len)
{
	return rows_checkpoint_read(bson, len, row, &list->err);
}

static int
checkpoint_compare(const void *a, const void *b)
{
	const struct store_checkpoint *x = a, *y = b;
	int order = strcmp(x->generation, y->generation);

	return order ? order
		     : (x->source > y->source) - (x->source < y->source);
}

int
store_checkpoints(struct store_session *ses, const char *generation,
		  struct store_checkpoint **ret_rows, size_t *ret_n,
		  struct pj_error *err)
{
	struct listing list = {.row_size = sizeof(struct store_checkpoint),
			       .read = checkpoint_read};
	/* "stock.3/" … "stock.30": '0' is the byte after '/'. */
	char *after =
		generation ? mem_printf("%s/", generation) : mem_strdup("");
	char *end = generation ? mem_printf("%s0", generation) : mem_strdup("");
	int ret = -1;

	if (listing_run(&list, ses, READMODEL_CHECKPOINTS, after, end, err)) {
		free(list.rows);
		goto out;
	}
	if (list.n > 1)
		qsort(list.rows, list.n, list.row_size, checkpoint_compare);
	*ret_rows = (struct store_checkpoint *)(void *)list.rows;
	*ret_n = list.n;
	ret = 0;
out:
	free(after);
	free(end);
	return ret;
}

/* ---- Generations ------------------------------------------------------- */

/* The names in reader_json's "filters"; *ret_root holds them. */
static int
generation_filters(const struct store_generation *gen, const char ***ret_names,
		   size_t *ret_n, json_t **ret_root, struct pj_error *err)
{
	json_error_t error;
	json_t *filters, *name;
	size_t i;

	*ret_names = NULL;
	*ret_n = 0;
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
	*ret_names = mem_calloc(json_array_size(filters), sizeof(**ret_names));
	json_array_foreach(filters, i, name)
	{
		if (!json_is_string(name))
			return pj_error_set(err, PJ_ERROR_FATAL,
					    "generation %s.%" PRId32
					    ": a filter is not a name",
					    gen->projection, gen->number);
		(*ret_names)[(*ret_n)++] = json_string_value(name);
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
	const char **names = NULL;
	json_t *root = NULL;
	size_t n_names;
	int ret = -1;

	if (meta_must_write(ses, err))
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
	if (generation_filters(gen, &names, &n_names, &root, err) ||
	    ses->store->ops->collection_make(ses, gen->collection, names,
					     n_names, err))
		goto out;
	ret = ses->store->ops->row_insert(ses, READMODEL_GENERATIONS, &row,
					  ret_created, err);
out:
	free(doc.bson);
	free(names);
	json_decref(root);
	store_row_release(&row);
	return ret;
}

int
store_generation_set_state(struct store_session *ses, const char *projection,
			   int32_t number, enum store_generation_state state,
			   struct pj_error *err)
{
	char id[READMODEL_GENERATION_ID_MAX];
	bool set;

	if (meta_must_write(ses, err))
		return -1;
	readmodel_generation_id(id, projection, number);
	if (ses->store->ops->row_set(ses, READMODEL_GENERATIONS, id, "state",
				     NULL, (int32_t)state, &set, err))
		return -1;
	if (!set)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "%s has no generation %s", ses->store->name,
				    id);
	return 0;
}

static int
generation_read(struct listing *list, void *row, const uint8_t *bson,
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
	struct listing list = {.row_size = sizeof(struct store_generation),
			       .read = generation_read};
	int failed =
		listing_run(&list, ses, READMODEL_GENERATIONS, "", "", err);
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

/* ---- Live pointers ----------------------------------------------------- */

static int
live_read(struct listing *list, void *row, const uint8_t *bson, size_t len)
{
	return rows_live_read(bson, len, row, &list->err);
}

int
store_live(struct store_session *ses, struct store_live **ret_rows,
	   size_t *ret_n, struct pj_error *err)
{
	struct listing list = {.row_size = sizeof(struct store_live),
			       .read = live_read};

	if (listing_run(&list, ses, READMODEL_LIVE, "", "", err)) {
		free(list.rows);
		return -1;
	}
	*ret_rows = (struct store_live *)(void *)list.rows;
	*ret_n = list.n;
	return 0;
}

bool
store_is_live(const struct store_live *rows, size_t n,
	      const struct store_generation *gen)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == gen->number &&
		    strcmp(rows[i].projection, gen->projection) == 0)
			return true;
	return false;
}

int
store_live_move(struct store_session *ses, const char *projection,
		int32_t expected, int32_t number, bool *ret_moved,
		struct pj_error *err)
{
	struct store_row row;
	int ret;

	if (meta_must_write(ses, err))
		return -1;
	if (expected != 0)
		return ses->store->ops->row_set(ses, READMODEL_LIVE, projection,
						"number", &expected, number,
						ret_moved, err);
	rows_live(&row, projection, number);
	ret = ses->store->ops->row_insert(ses, READMODEL_LIVE, &row, ret_moved,
					  err);
	store_row_release(&row);
	return ret;
}

/* ---- Parked rows ------------------------------------------------------- */

int
store_parked_count(struct store_session *ses, const char *generation,
		   int64_t *ret_n, struct pj_error *err)
{
	struct parked_range range;
	int ret;

	rows_parked_range(&range, generation, NULL, NULL);
	ret = ses->store->ops->count(ses, READMODEL_PARKED,
				     store_str(range.after),
				     store_str(range.end), ret_n, err);
	free(range.after);
	free(range.end);
	return ret;
}

struct parked_walk {
	bool (*each)(void *arg, const struct store_parked *row);
	void *arg;
	struct pj_error err;
};

static bool
parked_each(void *arg, const uint8_t *bson, size_t len)
{
	struct parked_walk *walk = arg;
	struct store_parked row;
	struct pj_str *headers;
	bool more;

	if (rows_parked_read(bson, len, &row, &headers, &walk->err))
		return false;
	more = walk->each(walk->arg, &row);
	free(headers);
	return more;
}

static int
parked_walk(struct store_session *ses, const struct parked_range *range,
	    struct parked_walk *walk, struct pj_error *err)
{
	if (meta_scan(ses, READMODEL_PARKED, range->after, range->end,
		      parked_each, walk, err))
		return -1;
	if (walk->err.cls == PJ_ERROR_NONE)
		return 0;
	*err = walk->err;
	return -1;
}

int
store_parked_scan(struct store_session *ses, const char *generation,
		  bool (*each)(void *arg, const struct store_parked *row),
		  void *arg, struct pj_error *err)
{
	struct parked_walk walk = {.each = each, .arg = arg};
	struct parked_range range;
	int ret;

	rows_parked_range(&range, generation, NULL, NULL);
	ret = parked_walk(ses, &range, &walk, err);
	free(range.after);
	free(range.end);
	return ret;
}

struct parked_search {
	struct pj_str unit;
	bool found;
};

/* Ids of long units are hashes: the unit itself decides. */
static bool
parked_search_each(void *arg, const struct store_parked *row)
{
	struct parked_search *search = arg;

	search->found =
		row->unit.len == search->unit.len &&
		(row->unit.len == 0 ||
		 memcmp(row->unit.ptr, search->unit.ptr, row->unit.len) == 0);
	return !search->found;
}

int
store_parked_has(struct store_session *ses, const char *generation,
		 struct pj_str unit, bool *ret_has, struct pj_error *err)
{
	struct parked_search search = {.unit = unit};
	struct parked_walk walk = {.each = parked_search_each, .arg = &search};
	struct parked_range range;
	int ret;

	rows_parked_range(&range, generation, "document", &unit);
	ret = parked_walk(ses, &range, &walk, err);
	if (ret == 0)
		*ret_has = search.found;
	free(range.after);
	free(range.end);
	return ret;
}
