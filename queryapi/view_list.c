/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page of a view's documents, by key or by declared fields.
 * As view_batch.c: first half on the loop, second on a worker.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/store_page.h"
#include "queryapi/list_query.h"
#include "queryapi/minimum.h"
#include "queryapi/reading.h"
#include "queryapi/views.h"

/* A page ends before the document that would make it larger; one that is larger
 * all by itself goes alone. */
enum { PAGE_MAX_BYTES = 32 << 20 };

/* ---- On a worker ----------------------------------------------------------
 */

struct list_get {
	struct cursor_list asked;
	struct cursor_pair pairs[STORE_FILTERS_MAX];
	struct pj_str after;
	size_t limit;
	struct pj_str fields;	     /* the set's name, or empty */
	const struct field_set *set; /* NULL: whole documents */
	struct store_page page;
	struct reading_meta metas[STORE_PAGE_MAX];
	size_t n;	 /* items in json */
	struct buf json; /* the items */
	struct buf next; /* the cursor; empty: the last page */
};

/* What view_list() put there: the key to begin behind, the set of fields, then
 * the filters. */
enum { KEY_AFTER, KEY_FIELDS, KEY_FILTERS };

static void
unpack(struct list_get *get, const struct fetch *fetch)
{
	get->after = fetch->keys[KEY_AFTER];
	get->fields = fetch->keys[KEY_FIELDS];
	get->limit = fetch->limit;
	get->asked = (struct cursor_list){{fetch->view, strlen(fetch->view)},
					  get->pairs,
					  (fetch->n_keys - KEY_FILTERS) / 2};
	for (size_t i = 0; i < get->asked.n_pairs; i++)
		get->pairs[i] = (struct cursor_pair){
			fetch->keys[KEY_FILTERS + 2 * i],
			fetch->keys[KEY_FILTERS + 2 * i + 1]};
}

/* The set by the picture's declaration. */
static int
find_set(struct list_get *get, const struct field_sets *sets,
	 struct pj_error *err)
{
	size_t set;

	get->set = NULL;
	if (get->fields.len == 0)
		return 0;
	if (field_sets_ask(sets, get->fields, &set, err) < 0)
		return -1;
	get->set = &sets->rows[set - 1];
	return 0;
}

/* INPUT: the generation that is live by now does not take these filters, or has
 * no such set of fields. */
static int
load_page(struct list_get *get, struct worker *wrk, const struct reading *rdg,
	  struct pj_error *err)
{
	struct store_filter filters[STORE_FILTERS_MAX];
	const struct snapshot_view *view = reading_view(rdg);
	struct store_query query = {.collection = view->collection,
				    .after = get->after,
				    .filters = filters,
				    .n_filters = get->asked.n_pairs,
				    .limit = get->limit};

	store_page_release(&get->page);
	if (list_query_conditions(get->pairs, get->asked.n_pairs,
				  &view->filters, filters, err) < 0 ||
	    find_set(get, &view->sets, err) < 0 ||
	    store_list(wrk->ses, &query, &get->page, err) < 0)
		return -1;
	catalog_note_answer(wrk->catalog);
	return 0;
}

/* The end is only said of a generation that was live after it was read. */
static int
load(struct list_get *get, struct worker *wrk, struct reading *rdg,
     struct pj_error *err)
{
	bool moved = true;

	while (moved && rdg->view >= 0) {
		moved = false;
		if (load_page(get, wrk, rdg, err) < 0)
			return -1;
		if (!get->page.more && reading_moved(rdg, wrk, &moved, err) < 0)
			return -1;
	}
	return 0;
}

static int
render_document(const struct list_get *get, struct buf *json,
		const struct store_doc *doc, struct pj_error *err)
{
	return get->set ? bsonjson_write_fields(json, doc->bson, doc->len,
						get->set->fields,
						get->set->n_fields, err)
			: bsonjson_write(json, doc->bson, doc->len, err);
}

static int
render_item(struct list_get *get, const struct store_doc *doc,
	    struct pj_error *err)
{
	struct reading_meta *meta = &get->metas[get->n];
	struct buf *json = &get->json;

	if (reading_meta_of(doc, meta, err) < 0)
		return -1;
	get->n++;
	buf_addstr(json, json->len ? ",{\"id\":" : "{\"id\":");
	bsonjson_string(json, doc->key.ptr, doc->key.len);
	buf_printf(json, ",\"revision\":%" PRId64 ",\"document\":",
		   meta->meta.revision);
	if (render_document(get, json, doc, err) < 0)
		return -1;
	buf_addch(json, '}');
	return 0;
}

static int
render(struct list_get *get, struct pj_error *err)
{
	struct store_page *page = &get->page;
	struct pj_str last = {page->last.data, page->last.len};
	bool more = page->more;

	for (size_t i = 0; i < page->n; i++) {
		size_t before = get->json.len;

		if (render_item(get, &page->docs[i], err) < 0)
			return -1;
		if (i && get->json.len > PAGE_MAX_BYTES) {
			get->json.len = before;
			reading_meta_release(&get->metas[--get->n]);
			last = page->docs[i - 1].key;
			more = true;
			break;
		}
	}
	if (more)
		cursor_write(&get->next, &get->asked, last);
	return 0;
}

static void
add_link(const struct list_get *get, struct http_response *res)
{
	struct buf link = BUF_INIT;

	list_query_link(&link, &get->asked, get->limit, get->fields,
			(struct pj_str){get->next.data, get->next.len});
	http_response_field(res, "Link", "<%s>; rel=\"next\"", link.data);
	buf_release(&link);
}

static void
answer(struct fetch *fetch, struct worker *wrk, const struct list_get *get,
       const struct reading *rdg)
{
	struct http_response *res = &fetch->res;
	struct buf json = BUF_INIT;

	buf_reserve(&json, get->json.len + get->next.len + 32);
	buf_addstr(&json, "{\"items\":[");
	buf_add(&json, get->json.data, get->json.len);
	buf_addch(&json, ']');
	if (get->next.len)
		buf_printf(&json, ",\"next\":\"%s\"", get->next.data);
	buf_addch(&json, '}');
	if (fetch->gzip && json.len >= fetch->gzip_min_bytes) {
		gzip_write(wrk->gz, &res->body, json.data, json.len);
		http_response_field(res, "Content-Encoding", "gzip");
		buf_release(&json);
	} else {
		res->body = json;
	}
	res->status = 200;
	res->type = "application/json";
	if (get->next.len)
		add_link(get, res);
	http_response_field(res, "Cache-Control", "%s",
			    reading_view(rdg)->cache_control);
	http_response_field(res, "Vary",
			    "Accept-Encoding, Projection-Min-Position");
	reading_position(rdg, get->metas, get->n, res);
}

static void
answer_failed(struct fetch *fetch, struct worker *wrk,
	      const struct pj_error *err)
{
	if (err->cls == PJ_ERROR_INPUT)
		problem_write(&fetch->res, PROBLEM_BAD_REQUEST,
			      fetch->request_id, err->text);
	else if (err->cls == PJ_ERROR_RETRY && err->code == STORE_PAGE_TOO_LONG)
		problem_write(&fetch->res, PROBLEM_TIMEOUT, fetch->request_id,
			      "too many documents had to be looked at for one "
			      "page: ask by a filter that fewer of them match");
	else
		reading_failed(wrk, fetch, err);
}

static void
view_list_run(struct fetch *fetch, struct worker *wrk)
{
	struct list_get *get = mem_calloc(1, sizeof(*get));
	struct reading rdg;
	struct pj_error err;
	int rc;

	unpack(get, fetch);
	rc = fetch->exact ? reading_look(wrk, &err) : 0;
	reading_open(&rdg, wrk, fetch->view);
	if (rc == 0)
		rc = load(get, wrk, &rdg, &err);
	if (rc == 0 && rdg.view >= 0)
		rc = render(get, &err);
	if (rc < 0)
		answer_failed(fetch, wrk, &err);
	else if (rdg.view < 0)
		problem_write(&fetch->res, PROBLEM_VIEW_NOT_FOUND,
			      fetch->request_id, "no view of this name");
	else
		answer(fetch, wrk, get, &rdg);
	for (size_t i = 0; i < get->n; i++)
		reading_meta_release(&get->metas[i]);
	store_page_release(&get->page);
	buf_release(&get->json);
	buf_release(&get->next);
	reading_release(&rdg);
	free(get);
}

/* ---- On the loop ----------------------------------------------------------
 */

static void
pack_text(struct fetch *fetch, size_t key, char **space, struct pj_str text)
{
	if (text.len)
		memcpy(*space, text.ptr, text.len);
	fetch->keys[key] = (struct pj_str){*space, text.len};
	*space += text.len;
}

/* A fetch for the exchange's view; NULL when a problem was answered instead. */
static struct fetch *
view_fetch(struct exchange *ex, size_t n_keys, size_t key_bytes)
{
	struct fetch *fetch;
	int view;

	if (ex->store_away) {
		/* Told at once: a queue of these would only be in the way. */
		exchange_problem(ex, PROBLEM_STORE,
				 "the store is not reachable");
		return NULL;
	}
	view = exchange_view(ex);
	if (view < 0 || !minimum_reached(ex, &view, 1))
		return NULL;
	fetch = fetch_new(n_keys, key_bytes);
	fetch->exact = ex->minimum;
	memcpy(fetch->view, ex->view.ptr, ex->view.len);
	fetch->n_keys = n_keys;
	fetch->gzip = gzip_is_accepted(ex->req);
	fetch->gzip_min_bytes = ex->gzip_min_bytes;
	memcpy(fetch->request_id, ex->request_id, sizeof(fetch->request_id));
	ex->fetch = fetch;
	return fetch;
}

static void
pack(struct exchange *ex, const struct list_query *query)
{
	size_t bytes = query->after.len + query->fields.len;
	struct fetch *fetch;
	char *space;

	for (size_t i = 0; i < query->n_pairs; i++)
		bytes += query->pairs[i].name.len + query->pairs[i].value.len;
	fetch = view_fetch(ex, KEY_FILTERS + 2 * query->n_pairs, bytes);
	if (!fetch)
		return;
	fetch->run = view_list_run;
	fetch->limit = query->limit;
	space = fetch->key_bytes;
	pack_text(fetch, KEY_AFTER, &space,
		  (struct pj_str){query->after.data, query->after.len});
	pack_text(fetch, KEY_FIELDS, &space, query->fields);
	for (size_t i = 0; i < query->n_pairs; i++) {
		pack_text(fetch, KEY_FILTERS + 2 * i, &space,
			  query->pairs[i].name);
		pack_text(fetch, KEY_FILTERS + 2 * i + 1, &space,
			  query->pairs[i].value);
	}
}

void
view_list(struct exchange *ex)
{
	int at = ex->snap ? snapshot_view(ex->snap, ex->view.ptr, ex->view.len)
			  : -1;
	const struct snapshot_view *view = at < 0 ? NULL : &ex->snap->views[at];
	struct list_query query = {.after = BUF_INIT, .space = BUF_INIT};
	struct pj_error err;

	/* Of a view that is not there, view_fetch() says why. */
	if (view && list_query_read(&query, ex->view, &view->filters,
				    &view->sets, &ex->uri, &err) < 0)
		exchange_problem(ex, PROBLEM_BAD_REQUEST, err.text);
	else
		pack(ex, &query);
	list_query_release(&query);
}

void
view_many(struct exchange *ex)
{
	for (size_t i = 0; i < ex->uri.n_params; i++)
		if (uri_is_named(&ex->uri.params[i], "ids")) {
			view_batch(ex);
			return;
		}
	view_list(ex);
}
