/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes loads, gives entries: reads them from the store, renders each once.
 * Next: loads.c keeps them, loop.c brings them to whoever waits.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "queryapi/loads_impl.h"
#include "queryapi/position.h"
#include "queryapi/reading.h"
#include "queryapi/worker.h"

enum { PARKED_TOLD_MAX = 16 };

/* One question to the store, and what is needed to read its answer. */
struct load_run {
	struct worker *wrk;
	struct loads *loads;
	struct snapshot *snap;		  /* own reference */
	const struct snapshot_view *view; /* NULL: it has another one by now */
	struct loads_taken taken;
	int64_t n_parked; /* records of the generation; -1: not asked yet */
};

static void
end_all(struct load_run *run, enum load_result result)
{
	for (size_t i = 0; i < run->taken.n; i++) {
		loads_end(run->loads, run->taken.load[i], result, NULL);
		free(run->taken.docs[i].bson);
	}
	run->taken.n = 0;
}

static enum load_result
result_of(const struct pj_error *err)
{
	return err->cls == PJ_ERROR_RETRY ? LOAD_STORE : LOAD_DAMAGED;
}

/* The picture's view of the generation; NULL: it has another one by now. */
static const struct snapshot_view *
find_view(const struct snapshot *snap, const struct served *srv)
{
	for (size_t v = 0; snap && v < snap->n_views; v++)
		if (snap->views[v].served == srv)
			return &snap->views[v];
	return NULL;
}

/* Absent is only said of a generation that was live after the read: a dropped
 * one's collection reads as empty. */
static int
look_behind(struct load_run *run, bool *ret_moved, struct pj_error *err)
{
	struct store_live *rows = NULL;
	size_t n = 0;
	bool live = false;

	if (store_live(run->wrk->ses, &rows, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		live |= strcmp(rows[i].projection, run->view->name) == 0 &&
			rows[i].number == run->view->generation;
	free(rows);
	*ret_moved = !live;
	return 0;
}

static int
read_store(struct load_run *run, bool *ret_moved, struct pj_error *err)
{
	struct loads_taken *taken = &run->taken;
	struct store_session *ses = run->wrk->ses;
	const char *collection = run->view->collection;
	bool absent = false;

	if (store_load(ses, collection, taken->docs, taken->n, err) < 0)
		return -1;
	catalog_note_answer(run->wrk->catalog);
	for (size_t i = 0; i < taken->n; i++) {
		struct store_doc *doc = &taken->docs[i];

		/* Large ones: one at a time is always given. */
		if (doc->left_out &&
		    store_load(ses, collection, doc, 1, err) < 0)
			return -1;
		absent |= !doc->bson;
	}
	*ret_moved = false;
	return absent ? look_behind(run, ret_moved, err) : 0;
}

/* ---- Rendering --------------------------------------------------------- */

/* Checkpoints were read before the document: what they cover is in there. */
static int64_t
contained(const struct load_run *run, const struct bsonjson_position *pos)
{
	int64_t last =
		snapshot_checkpoints_next(&run->taken.reached, pos->source) - 1;

	return pos->offset > last ? pos->offset : last;
}

/* Names each position's source; those the picture does not know are left out,
 * and those whose name would need escapes in a header. */
static size_t
name_positions(const struct load_run *run, const struct reading_meta *meta,
	       struct entry_position *out, struct buf *names)
{
	size_t n = 0, from = 0;

	for (size_t i = 0; i < meta->meta.n_positions; i++) {
		const struct store_source_row *row =
			snapshot_source(run->snap, meta->positions[i].source);

		if (!row || !reading_is_quotable(row->topic))
			continue;
		buf_addstr(names, row->topic);
		buf_addch(names, '/');
		buf_addint(names, row->partition);
		out[n++] = (struct entry_position){
			meta->positions[i].source,
			contained(run, &meta->positions[i]),
			{NULL, names->len - from}};
		from = names->len;
	}
	/* The buffer stands still now. */
	from = 0;
	for (size_t i = 0; i < n; i++) {
		out[i].name.ptr = names->data + from;
		from += out[i].name.len;
	}
	return n;
}

/* Which of its records wait for an operator: the field's whole line. A list
 * that proxies would refuse is cut: what is told is true without the rest. */
static int
write_parked(const struct load_run *run, const struct store_doc *doc,
	     struct buf *line, struct pj_error *err)
{
	struct bsonjson_position first[PARKED_TOLD_MAX];
	int n = bsonjson_parked(doc->bson, doc->len, first, PARKED_TOLD_MAX);
	struct buf list = BUF_INIT;

	if (n < 0)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "stored document: damaged _m.k "
				    "(%zu bytes)",
				    doc->len);
	for (int i = 0; i < n && i < PARKED_TOLD_MAX; i++) {
		const struct store_source_row *row =
			snapshot_source(run->snap, first[i].source);

		if (row && reading_is_quotable(row->topic))
			position_add(&list, row, first[i].offset);
	}
	if (list.len)
		buf_printf(line, "Projection-Parked: %s\r\n", list.data);
	buf_release(&list);
	return 0;
}

static int
absent_state(struct load_run *run, struct pj_str key,
	     enum entry_state *ret_state, struct pj_error *err)
{
	bool parked = false;

	/* Mostly there are none: one question for all. */
	if (run->n_parked < 0 &&
	    store_parked_count(run->wrk->ses, run->view->generation_id,
			       &run->n_parked, err) < 0)
		return -1;
	if (run->n_parked > 0 &&
	    store_parked_has(run->wrk->ses, run->view->generation_id, key,
			     &parked, err) < 0)
		return -1;
	*ret_state = parked ? ENTRY_PARKED : ENTRY_ABSENT;
	return 0;
}

/* The parts that may be asked for instead. */
static int
render_sets(struct load_run *run, const struct store_doc *doc,
	    struct pj_str *ret_json, struct pj_error *err)
{
	const struct field_sets *sets = &run->view->sets;
	struct buf *out = &run->wrk->sets;
	size_t from = 0;

	buf_clear(out);
	for (size_t i = 0; i < sets->n; i++) {
		const struct field_set *set = &sets->rows[i];

		if (bsonjson_write_fields(out, doc->bson, doc->len, set->fields,
					  set->n_fields, err) < 0)
			return -1;
		ret_json[i].len = out->len - from;
		from = out->len;
	}
	/* The buffer stands still now. */
	from = 0;
	for (size_t i = 0; i < sets->n; i++) {
		ret_json[i].ptr = out->data + from;
		from += ret_json[i].len;
	}
	return 0;
}

/* The bodies, into the worker's buffers. */
static int
render(struct load_run *run, const struct load *load,
       const struct store_doc *doc, struct entry_parts *parts,
       struct pj_error *err)
{
	struct worker *wrk = run->wrk;
	bool pays;

	buf_clear(&wrk->json);
	buf_clear(&wrk->gzip);
	if (bsonjson_write(&wrk->json, doc->bson, doc->len, err) < 0)
		return -1;
	pays = wrk->json.len >= loads_gzip_min_bytes(run->loads);
	parts->json = (struct pj_str){wrk->json.data, wrk->json.len};
	parts->coded = load->coding || !pays;
	if (load->coding && pays) {
		gzip_write(wrk->gz, &wrk->gzip, wrk->json.data, wrk->json.len);
		parts->gzip = (struct pj_str){wrk->gzip.data, wrk->gzip.len};
	}
	return 0;
}

static int
fill_parts(struct load_run *run, const struct load *load,
	   const struct store_doc *doc, const struct reading_meta *meta,
	   struct entry_parts *parts, struct pj_str *set_json,
	   struct pj_error *err)
{
	parts->revision = meta->meta.revision;
	switch (meta->meta.state) {
	case READMODEL_LIVE_DOC:
		parts->state = ENTRY_DOCUMENT;
		if (render_sets(run, doc, set_json, err) < 0)
			return -1;
		return render(run, load, doc, parts, err);
	case READMODEL_DELETED:
		parts->state = ENTRY_DELETED;
		return 0;
	default:
		return absent_state(run, load->key, &parts->state, err);
	}
}

static int
make_entry(struct load_run *run, const struct load *load,
	   const struct store_doc *doc, struct entry **ret_entry,
	   struct pj_error *err)
{
	struct pj_str set_json[FIELD_SETS_MAX];
	struct entry_parts parts = {
		.sets = &run->view->sets,
		.set_json = set_json,
		.served = run->taken.served,
		.hash = load->hash,
		.key = load->key,
		.revision = -1,
		.generation = run->view->generation,
		.since = run->taken.since,
		.at_mono_ms = run->taken.at_mono_ms,
		.coded = true,
	};
	struct reading_meta meta = {.positions = NULL};
	struct entry_position *positions = NULL;
	struct buf names = BUF_INIT, parked = BUF_INIT;
	int rc;

	if (!doc->bson) {
		rc = absent_state(run, load->key, &parts.state, err);
	} else if ((rc = reading_meta_of(doc, &meta, err)) == 0) {
		positions =
			mem_calloc(meta.meta.n_positions, sizeof(*positions));
		parts.n_positions =
			name_positions(run, &meta, positions, &names);
		parts.positions = positions;
		rc = meta.meta.parked ? write_parked(run, doc, &parked, err)
				      : 0;
		parts.parked = (struct pj_str){parked.data, parked.len};
		if (rc == 0)
			rc = fill_parts(run, load, doc, &meta, &parts, set_json,
					err);
	}
	if (rc == 0)
		*ret_entry = entry_new(&parts);
	reading_meta_release(&meta);
	free(positions);
	buf_release(&names);
	buf_release(&parked);
	return rc;
}

static void
end_one(struct load_run *run, size_t i)
{
	struct load *load = run->taken.load[i];
	struct entry *ent = NULL;
	struct pj_error err;

	if (make_entry(run, load, &run->taken.docs[i], &ent, &err) == 0) {
		loads_end(run->loads, load, LOAD_DONE, ent);
	} else {
		reading_say_failed(run->wrk, &load->ids, &err);
		loads_end(run->loads, load, result_of(&err), NULL);
	}
	free(run->taken.docs[i].bson);
	run->taken.docs[i].bson = NULL;
}

/* ---- The job ----------------------------------------------------------- */

static void
run_loads(struct load_run *run)
{
	struct loads_taken *taken = &run->taken;
	const struct trace_ids *ids;
	struct pj_error err;
	bool moved = false;

	if (!run->view) {
		end_all(run, LOAD_MOVED);
		return;
	}
	/* All of them fail together: one is enough to find the others' time. */
	ids = &taken->load[0]->ids;
	if (read_store(run, &moved, &err) < 0) {
		reading_say_failed(run->wrk, ids, &err);
		end_all(run, result_of(&err));
		return;
	}
	if (moved) {
		/* So that whoever waits finds where to. */
		if (catalog_look(run->wrk->catalog, run->wrk->ses, &err) < 0)
			reading_say_failed(run->wrk, ids, &err);
		end_all(run, LOAD_MOVED);
		return;
	}
	for (size_t i = 0; i < taken->n; i++)
		end_one(run, i);
}

/* Of whose checkpoints the answers can tell. */
static void
list_sources(struct load_run *run)
{
	struct snapshot_checkpoints *reached = &run->taken.reached;

	if (!run->snap)
		return;
	reached->n = run->snap->n_sources;
	reached->rows = mem_calloc(reached->n, sizeof(*reached->rows));
	for (size_t i = 0; i < reached->n; i++)
		reached->rows[i].source = run->snap->sources[i].index;
}

void
load_call_run(struct job *job, struct worker *wrk)
{
	struct load_call *call = (struct load_call *)job;
	struct load_run *run = mem_calloc(1, sizeof(*run));
	struct pj_error err;

	run->wrk = wrk;
	run->loads = call->loads;
	run->taken.served = call->served;
	run->n_parked = -1;
	free(call);
	catalog_update(wrk->catalog, &wrk->hold);
	run->snap = wrk->hold.snap ? snapshot_ref(wrk->hold.snap) : NULL;
	run->view = find_view(run->snap, run->taken.served);
	list_sources(run);
	loads_take(run->loads, &run->taken);
	if (run->taken.n == 0) {
		/* Whoever waited has left. */
	} else if (worker_session(wrk, &err) < 0) {
		end_all(run, LOAD_STORE);
	} else {
		run_loads(run);
	}
	free(run->taken.reached.rows);
	snapshot_unref(run->snap);
	free(run);
}
