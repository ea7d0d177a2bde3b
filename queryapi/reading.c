/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/reading.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "queryapi/position.h"
#include "queryapi/problem.h"

/* Most answers have a handful of sources. A partition each would make a header
 * that proxies refuse (8 KB); what is told is true without the rest. */
enum { POSITIONS_FIRST = 16, POSITION_BYTES_MAX = 4096 };

const struct snapshot_view *
reading_view(const struct reading *rdg)
{
	return &rdg->snap->views[rdg->view];
}

void
reading_release(struct reading *rdg)
{
	snapshot_unref(rdg->snap);
	rdg->snap = NULL;
}

int
reading_look(struct worker *wrk, struct pj_error *err)
{
	if (catalog_look(wrk->catalog, wrk->ses, err) < 0)
		return -1;
	catalog_update(wrk->catalog, &wrk->hold);
	return 0;
}

void
reading_open(struct reading *rdg, struct worker *wrk, const char *view)
{
	rdg->snap = snapshot_ref(wrk->hold.snap);
	rdg->view = snapshot_view(rdg->snap, view, strlen(view));
}

int
reading_load(const struct reading *rdg, struct worker *wrk,
	     struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	if (store_load(wrk->ses, reading_view(rdg)->collection, docs, n_docs,
		       err) < 0)
		return -1;
	catalog_note_answer(wrk->catalog);
	return 0;
}

int
reading_moved(struct reading *rdg, struct worker *wrk, bool *ret_moved,
	      struct pj_error *err)
{
	const struct snapshot_view *view = reading_view(rdg);
	struct store_live *rows = NULL;
	struct snapshot *fresh;
	bool same = false;
	size_t n = 0;
	char name[sizeof(view->name)];

	memcpy(name, view->name, sizeof(name));
	if (store_live(wrk->ses, &rows, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].projection, name) == 0)
			same = rows[i].number == view->generation;
	free(rows);
	*ret_moved = !same;
	if (same)
		return 0;
	if (snapshot_read(wrk->ses, NULL, NULL, wrk->hold.snap, &fresh, err) <
	    0)
		return -1;
	reading_release(rdg);
	rdg->snap = fresh;
	rdg->view = snapshot_view(fresh, name, strlen(name));
	return 0;
}

int
reading_meta_of(const struct store_doc *doc, struct reading_meta *ret_meta,
		struct pj_error *err)
{
	struct reading_meta meta = {.positions = NULL};
	size_t room = POSITIONS_FIRST;

	do {
		if (meta.positions)
			room = meta.meta.n_positions;
		meta.positions = mem_reallocarray(meta.positions, room,
						  sizeof(*meta.positions));
		if (bsonjson_meta(doc->bson, doc->len, &meta.meta,
				  meta.positions, room, err) < 0) {
			free(meta.positions);
			return -1;
		}
	} while (meta.meta.n_positions > room);
	*ret_meta = meta;
	return 0;
}

void
reading_meta_release(struct reading_meta *meta)
{
	free(meta->positions);
	meta->positions = NULL;
}

/* The newest offset of the source that this document surely contains. */
static int64_t
contained(const struct reading_meta *meta, int32_t source, int64_t checkpoint)
{
	for (size_t i = 0; i < meta->meta.n_positions; i++)
		if (meta->positions[i].source == source &&
		    meta->positions[i].offset > checkpoint)
			return meta->positions[i].offset;
	return checkpoint;
}

static bool
told_before(const struct reading_meta *metas, size_t upto, int32_t source)
{
	for (size_t i = 0; i < upto; i++)
		for (size_t k = 0; k < metas[i].meta.n_positions; k++)
			if (metas[i].positions[k].source == source)
				return true;
	return false;
}

/* A name that needs no escape in a quoted string. */
bool
reading_is_quotable(const char *topic)
{
	for (; *topic; topic++)
		if (*topic < ' ' || *topic > '~' || *topic == '"' ||
		    *topic == '\\')
			return false;
	return true;
}

void
reading_position(const struct reading *rdg, const struct reading_meta *metas,
		 size_t n, struct http_response *res)
{
	struct buf list = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < metas[i].meta.n_positions; k++) {
			int32_t source = metas[i].positions[k].source;
			const struct store_source_row *row =
				snapshot_source(rdg->snap, source);
			int64_t next =
				snapshot_next(rdg->snap, rdg->view, source);
			int64_t least = INT64_MAX;

			if (list.len > POSITION_BYTES_MAX)
				break;
			if (told_before(metas, i, source) || !row ||
			    !reading_is_quotable(row->topic))
				continue;
			for (size_t m = 0; m < n; m++) {
				int64_t has =
					contained(&metas[m], source, next - 1);

				least = has < least ? has : least;
			}
			if (least >= 0)
				position_add(&list, row, least);
		}
	}
	if (list.len)
		http_response_field(res, "Projection-Position", "%s",
				    list.data);
	buf_release(&list);
}

void
reading_say_failed(struct worker *wrk, const struct trace_ids *ids,
		   const struct pj_error *err)
{
	static _Thread_local struct log_gate gate;
	char quoted[PJ_ERROR_TEXT * 2], id[FETCH_REQUEST_ID_MAX * 2];
	unsigned long missed;

	(void)atomic_fetch_add(&wrk->metrics->store_errors, 1);
	if (log_gate_open(&gate, 1000, &missed))
		log_error("read.failed", "missed=%lu request=%s%s%s text=%s",
			  missed,
			  log_quote(id, sizeof(id), ids->request,
				    strlen(ids->request)),
			  *ids->trace ? " trace=" : "", ids->trace,
			  log_quote(quoted, sizeof(quoted), err->text,
				    strlen(err->text)));
}

void
reading_failed(struct worker *wrk, struct fetch *fetch,
	       const struct pj_error *err)
{
	const struct trace_ids ids = {fetch->request_id, fetch->trace_id};

	reading_say_failed(wrk, &ids, err);
	/* The text names servers and collections: it is for the log. */
	if (err->cls == PJ_ERROR_RETRY)
		problem_write(&fetch->res, PROBLEM_STORE, fetch->request_id,
			      "the store is not reachable");
	else
		problem_write(&fetch->res, PROBLEM_INTERNAL, fetch->request_id,
			      "the document could not be read");
}
