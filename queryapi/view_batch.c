/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several documents of one view in one answer, in request order.
 * As view_get.c: first half on the loop, second on a worker.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "queryapi/guard.h"
#include "queryapi/ids.h"
#include "queryapi/reading.h"
#include "queryapi/views.h"

/* Slices bound what is in memory at once; the answer is bounded too. */
enum { SLICE = 25, ANSWER_MAX_BYTES = 32 << 20 };

/* The work of one batch; keys are distinct, of[] leads from item to key. */
struct batch_get {
	struct store_doc docs[IDS_MAX];
	struct buf items[IDS_MAX]; /* rendered, without "id" */
	struct reading_meta metas[IDS_MAX];
	size_t n_docs;
	size_t of[IDS_MAX];
	size_t bytes;	       /* of the answer so far, repetitions included */
	size_t asked[IDS_MAX]; /* how often each key was */
	bool some_absent;
};

/* The store is asked once for an id that is given twice. */
static void
collect(struct batch_get *bat, const struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->n_keys; i++) {
		struct pj_str key = fetch->keys[i];
		size_t d = 0;

		while (d < bat->n_docs &&
		       (bat->docs[d].key.len != key.len ||
			memcmp(bat->docs[d].key.ptr, key.ptr, key.len) != 0))
			d++;
		if (d == bat->n_docs)
			bat->docs[bat->n_docs++].key = key;
		bat->of[i] = d;
		bat->asked[d]++;
	}
}

static int
render(struct batch_get *bat, size_t d, struct pj_error *err)
{
	struct store_doc *doc = &bat->docs[d];
	struct buf *item = &bat->items[d];
	int rc = 0;

	bat->some_absent |= !doc->bson;
	if (doc->bson && reading_meta_of(doc, &bat->metas[d], err) < 0)
		return -1;
	if (!doc->bson || bat->metas[d].meta.state == READMODEL_META_ONLY) {
		buf_addstr(item, "\"found\":false,\"revision\":null,"
				 "\"document\":null}");
	} else if (bat->metas[d].meta.state == READMODEL_DELETED) {
		buf_printf(item,
			   "\"found\":false,\"deleted\":true,"
			   "\"revision\":%" PRId64 ",\"document\":null}",
			   bat->metas[d].meta.revision);
	} else {
		buf_printf(item,
			   "\"found\":true,\"revision\":%" PRId64
			   ",\"document\":",
			   bat->metas[d].meta.revision);
		rc = bsonjson_write(item, doc->bson, doc->len, err);
		buf_addch(item, '}');
	}
	bat->bytes += item->len * bat->asked[d];
	free(doc->bson);
	doc->bson = NULL;
	return rc;
}

static void
forget(struct batch_get *bat)
{
	for (size_t d = 0; d < bat->n_docs; d++) {
		free(bat->docs[d].bson);
		bat->docs[d].bson = NULL;
		buf_release(&bat->items[d]);
		reading_meta_release(&bat->metas[d]);
		bat->metas[d].meta.n_positions = 0;
	}
	bat->bytes = 0;
	bat->some_absent = false;
}

/* Loads and renders slice by slice; stops early when it gets too much. */
static int
load_slices(struct batch_get *bat, struct worker *wrk,
	    const struct reading *rdg, struct pj_error *err)
{
	for (size_t at = 0; at < bat->n_docs; at += SLICE) {
		size_t n = bat->n_docs - at < SLICE ? bat->n_docs - at : SLICE;

		if (reading_load(rdg, wrk, bat->docs + at, n, err) < 0)
			return -1;
		for (size_t d = at; d < at + n; d++)
			if ((bat->docs[d].left_out &&
			     reading_load(rdg, wrk, &bat->docs[d], 1, err) <
				     0) ||
			    render(bat, d, err) < 0)
				return -1;
		if (bat->bytes > ANSWER_MAX_BYTES)
			return 0;
	}
	return 0;
}

static int
load(struct batch_get *bat, struct worker *wrk, struct reading *rdg,
     struct pj_error *err)
{
	bool moved = true;

	while (moved && rdg->view >= 0) {
		moved = false;
		forget(bat);
		if (load_slices(bat, wrk, rdg, err) < 0)
			return -1;
		if (bat->some_absent &&
		    reading_moved(rdg, wrk, &moved, err) < 0)
			return -1;
	}
	return 0;
}

static void
answer(struct fetch *fetch, struct worker *wrk, const struct batch_get *bat,
       const struct reading *rdg)
{
	struct http_response *res = &fetch->res;
	struct buf json = BUF_INIT;

	buf_addstr(&json, "{\"items\":[");
	for (size_t i = 0; i < fetch->n_keys; i++) {
		const struct buf *item = &bat->items[bat->of[i]];

		buf_addstr(&json, i ? ",{\"id\":" : "{\"id\":");
		bsonjson_string(&json, fetch->keys[i].ptr, fetch->keys[i].len);
		buf_addch(&json, ',');
		buf_add(&json, item->data, item->len);
	}
	buf_addstr(&json, "]}");
	if (fetch->gzip && json.len >= fetch->gzip_min_bytes) {
		gzip_write(wrk->gz, &res->body, json.data, json.len);
		http_response_field(res, "Content-Encoding", "gzip");
		buf_release(&json);
	} else {
		res->body = json;
	}
	res->status = 200;
	res->type = "application/json";
	http_response_field(res, "Cache-Control", "%s",
			    reading_view(rdg)->cache_control);
	http_response_field(res, "Vary",
			    "Accept-Encoding, Projection-Min-Position");
	reading_position(rdg, bat->metas, bat->n_docs, res);
}

static void
view_batch_run(struct fetch *fetch, struct worker *wrk)
{
	struct batch_get *bat = mem_calloc(1, sizeof(*bat));
	struct reading rdg;
	struct pj_error err;
	int rc;

	collect(bat, fetch);
	reading_open(&rdg, wrk, fetch->view);
	rc = load(bat, wrk, &rdg, &err);
	if (rc < 0)
		reading_failed(wrk, &fetch->res, fetch->request_id, &err);
	else if (rdg.view < 0)
		problem_write(&fetch->res, PROBLEM_VIEW_NOT_FOUND,
			      fetch->request_id, "no view of this name");
	else if (bat->bytes > ANSWER_MAX_BYTES)
		problem_write(&fetch->res, PROBLEM_BAD_REQUEST,
			      fetch->request_id,
			      "the answer would be larger than 32 MiB: ask for "
			      "fewer ids");
	else
		answer(fetch, wrk, bat, &rdg);
	forget(bat);
	reading_release(&rdg);
	free(bat);
}

/* The fetch of these ids, with a copy of each. */
static void
begin(struct exchange *ex, const struct ids *ids)
{
	struct fetch *fetch;
	char *space;

	for (size_t i = 0; i < ids->n; i++)
		if (!guard_key(ex, ids->at[i]))
			return;
	fetch = view_fetch(ex, ids->n, ids->bytes);
	if (!fetch)
		return;
	fetch->run = view_batch_run;
	space = fetch->key_bytes;
	for (size_t i = 0; i < ids->n; i++) {
		memcpy(space, ids->at[i].ptr, ids->at[i].len);
		fetch->keys[i] = (struct pj_str){space, ids->at[i].len};
		space += ids->at[i].len;
	}
}

void
view_batch(struct exchange *ex)
{
	struct pj_str raw = {NULL, 0};
	struct pj_error err;
	struct ids ids;

	for (size_t i = 0; i < ex->uri.n_params; i++) {
		struct pj_str name = ex->uri.params[i].name;

		if (name.len != 3 || memcmp(name.ptr, "ids", 3) != 0) {
			exchange_problem(ex, PROBLEM_BAD_REQUEST,
					 "unknown query parameter");
			return;
		}
		raw = ex->uri.params[i].raw;
	}
	/* Of the space, the value's share is still free. */
	if (ids_of_query(raw, ex->space + ex->req->target.len - raw.len, &ids,
			 &err) < 0)
		exchange_problem(ex, PROBLEM_BAD_REQUEST, err.text);
	else
		begin(ex, &ids);
}

void
view_batch_body(struct exchange *ex)
{
	struct json_reader *reader;
	struct pj_error err;
	struct ids ids;

	if (ex->uri.n_params) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "unknown query parameter");
		return;
	}
	reader = json_reader_new();
	if (ids_of_body(reader, ex->body, &ids, &err) < 0)
		exchange_problem(ex, PROBLEM_BAD_REQUEST, err.text);
	else
		begin(ex, &ids);
	json_reader_free(reader);
}
