/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/viewset.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/settings.h"
#include "queryapi/gzip.h"
#include "queryapi/openapi.h"

void
viewset_unref(struct viewset *sch)
{
	if (!sch || atomic_fetch_sub(&sch->refs, 1) > 1)
		return;
	for (size_t i = 0; i < sch->n_views; i++) {
		free(sch->views[i].reader_json);
		filters_release(&sch->views[i].filters);
		field_sets_release(&sch->views[i].sets);
	}
	free(sch->views);
	buf_release(&sch->openapi);
	buf_release(&sch->openapi_gzip);
	free(sch);
}

static void
make_openapi(struct viewset *sch, const struct settings *set, json_t **readers)
{
	struct openapi_view *about =
		mem_calloc(sch->n_views + 1, sizeof(*about));
	struct gzip *gz = gzip_new();
	char *text;

	for (size_t i = 0; i < sch->n_views; i++)
		about[i] = (struct openapi_view){
			sch->views[i].name, sch->views[i].version, readers[i]};
	text = openapi_write(about, sch->n_views, set ? set->pages : NULL,
			     set ? set->n_pages : 0, 0);
	buf_addstr(&sch->openapi, text);
	gzip_write(gz, &sch->openapi_gzip, text, strlen(text));
	etag_of_bytes(&sch->tag, text, strlen(text));
	free(text);
	gzip_free(gz);
	free(about);
}

static const struct store_generation *
find_generation(const struct store_generation *rows, size_t n,
		const struct store_live *live)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == live->number &&
		    strcmp(rows[i].projection, live->projection) == 0)
			return &rows[i];
	return NULL;
}

static int
by_name(const void *a, const void *b)
{
	const struct snapshot_view *va = a, *vb = b;

	return strcmp(va->name, vb->name);
}

/* `/v1/pages/…` is another resource, so no view is called that. */
static bool
is_served(const struct store_live *live)
{
	return live->number > 0 &&
	       readmodel_is_projection_name(live->projection) &&
	       strcmp(live->projection, "pages") != 0;
}

struct viewset *
viewset_new(const struct store_live *live, size_t n_live,
	    const struct store_generation *gens, size_t n_gens,
	    struct served_list *list)
{
	struct viewset *sch = mem_calloc(1, sizeof(*sch));

	atomic_init(&sch->refs, 1);
	sch->views = mem_calloc(n_live + 1, sizeof(*sch->views));
	for (size_t i = 0; i < n_live; i++) {
		const struct store_generation *gen =
			find_generation(gens, n_gens, &live[i]);
		struct snapshot_view *view = &sch->views[sch->n_views];

		if (!gen || !is_served(&live[i]))
			continue;
		memcpy(view->name, gen->projection, sizeof(view->name));
		view->generation = gen->number;
		view->version = gen->version;
		readmodel_generation_id(view->generation_id, gen->projection,
					gen->number);
		if (list)
			view->served = served_find(list, view->generation_id);
		memcpy(view->collection, gen->collection,
		       sizeof(view->collection));
		if (gen->reader_json)
			view->reader_json = mem_strdup(gen->reader_json);
		sch->n_views++;
	}
	if (sch->n_views)
		qsort(sch->views, sch->n_views, sizeof(*sch->views), by_name);
	return sch;
}

void
viewset_finish(struct viewset *sch, const struct settings *set)
{
	json_t **readers = mem_calloc(sch->n_views + 1, sizeof(json_t *));

	for (size_t i = 0; i < sch->n_views; i++) {
		struct snapshot_view *view = &sch->views[i];

		readers[i] = json_loads(
			view->reader_json ? view->reader_json : "", 0, NULL);
		view->readable = json_is_object(readers[i]);
		policy_read(&view->policy, readers[i]);
		policy_write(view->cache_control, &view->policy);
		filters_read(&view->filters, readers[i]);
		field_sets_read(&view->sets, readers[i]);
	}
	make_openapi(sch, set, readers);
	for (size_t i = 0; i < sch->n_views; i++)
		json_decref(readers[i]);
	free(readers);
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool
viewset_same(const struct viewset *a, const struct viewset *b)
{
	if (a->n_views != b->n_views)
		return false;
	for (size_t i = 0; i < a->n_views; i++) {
		const struct snapshot_view *va = &a->views[i],
					   *vb = &b->views[i];

		if (strcmp(va->name, vb->name) != 0 ||
		    va->generation != vb->generation ||
		    va->version != vb->version ||
		    strcmp(va->collection, vb->collection) != 0 ||
		    !same_text(va->reader_json, vb->reader_json))
			return false;
	}
	return true;
}
