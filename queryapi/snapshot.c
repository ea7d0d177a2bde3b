/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "queryapi/viewset.h"

/* The public part first; the rest is what it borrows from. */
struct snapshot_owner {
	struct snapshot snap;
	atomic_uint refs;
	struct snapshot_checkpoints *checkpoints;
	struct store_source_row *sources;
};

static int
by_source(const void *a, const void *b)
{
	const struct snapshot_checkpoint *ca = a, *cb = b;

	return (ca->source > cb->source) - (ca->source < cb->source);
}

static int
by_index(const void *a, const void *b)
{
	const struct store_source_row *ra = a, *rb = b;

	return (ra->index > rb->index) - (ra->index < rb->index);
}

/* Sorts the checkpoints into the views' lists. */
static struct snapshot_checkpoints *
deal_checkpoints(const struct viewset *sch, const struct store_checkpoint *rows,
		 size_t n)
{
	struct snapshot_checkpoints *lists =
		mem_calloc(sch->n_views + 1, sizeof(*lists));

	for (size_t v = 0; v < sch->n_views; v++) {
		struct snapshot_checkpoints *list = &lists[v];
		size_t cap = 0;

		for (size_t i = 0; i < n; i++) {
			if (strcmp(rows[i].generation,
				   sch->views[v].generation_id) != 0)
				continue;
			MEM_GROW(list->rows, list->n, cap);
			/* -1: claimed by a projector that applied nothing yet;
			 * still, this is a source of the view. */
			list->rows[list->n++] = (struct snapshot_checkpoint){
				rows[i].source,
				rows[i].next < 0 ? 0 : rows[i].next};
		}
		if (list->n)
			qsort(list->rows, list->n, sizeof(*list->rows),
			      by_source);
	}
	return lists;
}

static struct snapshot *
make_snapshot(struct viewset *sch, const struct store_checkpoint *rows,
	      size_t n_rows, struct store_source_row *sources, size_t n_sources)
{
	struct snapshot_owner *own = mem_calloc(1, sizeof(*own));
	struct snapshot *snap = &own->snap;

	atomic_init(&own->refs, 1);
	if (n_sources)
		qsort(sources, n_sources, sizeof(*sources), by_index);
	own->sources = sources;
	own->checkpoints = deal_checkpoints(sch, rows, n_rows);
	snap->viewset = sch;
	snap->views = sch->views;
	snap->n_views = sch->n_views;
	snap->checkpoints = own->checkpoints;
	snap->sources = sources;
	snap->n_sources = n_sources;
	snap->openapi = (struct pj_str){sch->openapi.data, sch->openapi.len};
	snap->openapi_gzip =
		(struct pj_str){sch->openapi_gzip.data, sch->openapi_gzip.len};
	snap->openapi_tag = sch->tag;
	return snap;
}

int
snapshot_read(struct store_session *ses, struct served_list *list,
	      const struct settings *set, const struct snapshot *before,
	      struct snapshot **ret_snap, struct pj_error *err)
{
	struct store_live *live = NULL;
	struct store_generation *gens = NULL;
	struct store_checkpoint *rows = NULL;
	struct store_source_row *sources = NULL;
	size_t n_live = 0, n_gens = 0, n_rows = 0, n_sources = 0;
	struct viewset *sch;
	int rc = -1;

	/* Pointers before records: what a pointer names exists by then.
	 * Checkpoints before sources, likewise. */
	if (store_live(ses, &live, &n_live, err) < 0 ||
	    store_generations(ses, &gens, &n_gens, err) < 0 ||
	    store_checkpoints(ses, NULL, &rows, &n_rows, err) < 0 ||
	    store_sources(ses, &sources, &n_sources, err) < 0)
		goto out;
	sch = viewset_new(live, n_live, gens, n_gens, list);
	if (before && viewset_same(before->viewset, sch)) {
		viewset_unref(sch);
		sch = before->viewset;
		(void)atomic_fetch_add(&sch->refs, 1);
	} else {
		viewset_finish(sch, set);
	}
	*ret_snap = make_snapshot(sch, rows, n_rows, sources, n_sources);
	sources = NULL;
	rc = 0;
out:
	free(live);
	store_generations_free(gens, n_gens);
	free(rows);
	free(sources);
	return rc;
}

struct snapshot *
snapshot_ref(struct snapshot *snap)
{
	(void)atomic_fetch_add(&((struct snapshot_owner *)snap)->refs, 1);
	return snap;
}

void
snapshot_unref(struct snapshot *snap)
{
	struct snapshot_owner *own = (struct snapshot_owner *)snap;

	if (!own || atomic_fetch_sub(&own->refs, 1) > 1)
		return;
	for (size_t i = 0; i < snap->n_views; i++)
		free(own->checkpoints[i].rows);
	free(own->checkpoints);
	free(own->sources);
	viewset_unref(snap->viewset);
	free(own);
}

int
snapshot_view(const struct snapshot *snap, const char *name, size_t len)
{
	size_t lo = 0, hi = snap->n_views;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strncmp(name, snap->views[mid].name, len);

		if (c == 0 && snap->views[mid].name[len])
			c = -1;
		if (c == 0)
			return (int)mid;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return -1;
}

const struct store_source_row *
snapshot_source(const struct snapshot *snap, int32_t index)
{
	struct store_source_row want = {.index = index};

	return snap->n_sources ? bsearch(&want, snap->sources, snap->n_sources,
					 sizeof(want), by_index)
			       : NULL;
}

static const struct snapshot_checkpoint *
find_checkpoint(const struct snapshot_checkpoints *list, int32_t source)
{
	struct snapshot_checkpoint want = {source, 0};

	return list->n ? bsearch(&want, list->rows, list->n, sizeof(want),
				 by_source)
		       : NULL;
}

int64_t
snapshot_checkpoints_next(const struct snapshot_checkpoints *list,
			  int32_t source)
{
	const struct snapshot_checkpoint *row = find_checkpoint(list, source);

	return row ? row->next : 0;
}

int64_t
snapshot_next(const struct snapshot *snap, int view, int32_t source)
{
	return snapshot_checkpoints_next(&snap->checkpoints[view], source);
}

bool
snapshot_reads(const struct snapshot *snap, int view, int32_t source)
{
	return find_checkpoint(&snap->checkpoints[view], source) != NULL;
}

/* Not by the source alone: a partition that is new may be in no checkpoint. */
bool
snapshot_reads_topic(const struct snapshot *snap, int view, int32_t source)
{
	const struct snapshot_checkpoints *list = &snap->checkpoints[view];
	const struct store_source_row *row = snapshot_source(snap, source),
				      *own;

	for (size_t i = 0; row && i < list->n; i++) {
		own = snapshot_source(snap, list->rows[i].source);
		if (!own || strcmp(own->topic, row->topic) == 0)
			return true;
	}
	return !row || list->n == 0;
}

const struct store_source_row *
snapshot_source_of(const struct snapshot *snap, struct pj_str topic,
		   int32_t partition)
{
	for (size_t i = 0; i < snap->n_sources; i++) {
		const struct store_source_row *row = &snap->sources[i];

		if (row->partition == partition && str_is(topic, row->topic))
			return row;
	}
	return NULL;
}
