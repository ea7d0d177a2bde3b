/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document: 200, 304, 404, 410, 412.
 * Takes a routed request on the loop, gives a fetch; the fetch's second half
 * runs on a worker. Next: worker.c, reading.c.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/readmodel.h"
#include "queryapi/reading.h"
#include "queryapi/views.h"

static void
add_policy(const struct snapshot_view *view, struct http_response *res)
{
	http_response_field(res, "Cache-Control", "%s", view->cache_control);
	http_response_field(res, "Vary",
			    "Accept-Encoding, Projection-Min-Position");
}

/* 404 and 410 may be kept as long as a document, but not served stale: the
 * next event may be the document's first. */
static void
answer_none(struct fetch *fetch, const struct reading *rdg, enum problem kind,
	    const char *detail)
{
	problem_write(&fetch->res, kind, fetch->request_id, detail);
	http_response_field(&fetch->res, "Cache-Control", "public, max-age=%u",
			    (unsigned)reading_view(rdg)->max_age_s);
	http_response_field(&fetch->res, "Vary",
			    "Accept-Encoding, Projection-Min-Position");
}

static void
answer_absent(struct fetch *fetch, struct worker *wrk,
	      const struct reading *rdg)
{
	struct pj_error err;
	bool parked;

	if (store_parked_has(wrk->ses, reading_view(rdg)->generation_id,
			     fetch->keys[0], &parked, &err) < 0) {
		reading_failed(wrk, &fetch->res, fetch->request_id, &err);
		return;
	}
	if (parked)
		answer_none(fetch, rdg, PROBLEM_PARKED,
			    "no document yet: this key has only parked "
			    "records");
	else
		answer_none(fetch, rdg, PROBLEM_NOT_FOUND,
			    "no document of this key was ever seen");
}

static void
answer_body(struct fetch *fetch, struct worker *wrk, const struct etag *tag,
	    struct buf *json)
{
	const char *sent = tag->identity;

	if (fetch->gzip && json->len >= fetch->gzip_min_bytes) {
		gzip_write(wrk->gz, &fetch->res.body, json->data, json->len);
		http_response_field(&fetch->res, "Content-Encoding", "gzip");
		sent = tag->gzip;
	} else {
		fetch->res.body = *json;
		*json = BUF_INIT;
	}
	fetch->res.status = 200;
	fetch->res.type = "application/json";
	http_response_field(&fetch->res, "ETag", "%s", sent);
}

/* A document that is there: preconditions before the body is made. */
static int
answer_document(struct fetch *fetch, struct worker *wrk,
		const struct reading *rdg, const struct store_doc *doc,
		const struct reading_meta *meta, struct pj_error *err)
{
	const struct snapshot_view *view = reading_view(rdg);
	struct buf json = BUF_INIT;
	struct etag tag;
	const char *match;

	etag_of_document(&tag, view->generation, meta->meta.revision);
	if (fetch->if_match.ptr &&
	    !etag_match(&tag, fetch->if_match, fetch->gzip, true)) {
		problem_write(&fetch->res, PROBLEM_PRECONDITION,
			      fetch->request_id,
			      "the document is not at an entity tag of "
			      "If-Match");
		return 0;
	}
	match = fetch->if_none_match.ptr
			? etag_match(&tag, fetch->if_none_match, fetch->gzip,
				     false)
			: NULL;
	if (match) {
		/* The tag that matched: it tells a cache which of its copies
		 * this is about. */
		fetch->res.status = 304;
		http_response_field(&fetch->res, "ETag", "%s", match);
	} else {
		if (bsonjson_write(&json, doc->bson, doc->len, err) < 0) {
			buf_release(&json);
			return -1;
		}
		answer_body(fetch, wrk, &tag, &json);
		buf_release(&json);
	}
	add_policy(view, &fetch->res);
	return 0;
}

static int
answer(struct fetch *fetch, struct worker *wrk, const struct reading *rdg,
       const struct store_doc *doc, struct pj_error *err)
{
	struct reading_meta meta;
	int rc = 0;

	if (!doc->bson) {
		answer_absent(fetch, wrk, rdg);
		return 0;
	}
	if (reading_meta_of(doc, &meta, err) < 0)
		return -1;
	switch (meta.meta.state) {
	case READMODEL_LIVE_DOC:
		rc = answer_document(fetch, wrk, rdg, doc, &meta, err);
		break;
	case READMODEL_DELETED:
		answer_none(fetch, rdg, PROBLEM_DELETED,
			    "the document was deleted");
		break;
	default:
		answer_absent(fetch, wrk, rdg);
		break;
	}
	if (rc == 0 && fetch->res.status < 500)
		reading_position(rdg, &meta, 1, &fetch->res);
	reading_meta_release(&meta);
	return rc;
}

static int
load(struct reading *rdg, struct worker *wrk, struct store_doc *doc,
     struct pj_error *err)
{
	bool moved = true;

	while (moved && rdg->view >= 0) {
		moved = false;
		if (reading_load(rdg, wrk, doc, 1, err) < 0)
			return -1;
		if (!doc->bson && reading_moved(rdg, wrk, &moved, err) < 0)
			return -1;
	}
	return 0;
}

static void
view_get_run(struct fetch *fetch, struct worker *wrk)
{
	struct store_doc doc = {.key = fetch->keys[0]};
	struct reading rdg;
	struct pj_error err;
	int rc;

	reading_open(&rdg, wrk, fetch->view);
	rc = load(&rdg, wrk, &doc, &err);
	if (rc == 0 && rdg.view < 0)
		problem_write(&fetch->res, PROBLEM_VIEW_NOT_FOUND,
			      fetch->request_id, "no view of this name");
	else if (rc == 0)
		rc = answer(fetch, wrk, &rdg, &doc, &err);
	if (rc < 0)
		reading_failed(wrk, &fetch->res, fetch->request_id, &err);
	free(doc.bson);
	reading_release(&rdg);
}

void
view_get(struct exchange *ex)
{
	struct fetch *fetch;

	if (ex->uri.n_params) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "unknown query parameter");
		return;
	}
	if (ex->key.len > READMODEL_KEY_MAX) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "the key is longer than 480 bytes");
		return;
	}
	fetch = view_fetch(ex, 1, ex->key.len);
	if (!fetch)
		return;
	fetch->run = view_get_run;
	memcpy(fetch->key_bytes, ex->key.ptr, ex->key.len);
	fetch->keys[0] = (struct pj_str){fetch->key_bytes, ex->key.len};
}
