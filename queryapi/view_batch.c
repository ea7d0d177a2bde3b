/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several documents of one view in one answer, in request order.
 * Takes a routed request, gives a gather; the answer is put together of ready
 * entries when they are there. Only its compression is a worker's.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/str.h"
#include "queryapi/answer.h"
#include "queryapi/compress.h"
#include "queryapi/guard.h"
#include "queryapi/ids.h"
#include "queryapi/loop.h"
#include "queryapi/minimum.h"
#include "queryapi/position.h"
#include "queryapi/views.h"

/* Ids as they came; slots of the gather are distinct keys. */
struct batch_get {
	size_t n;
	size_t slot_of[IDS_MAX];
};

static void
add_item(struct buf *json, struct pj_str id, const struct entry *ent,
	 size_t set)
{
	struct pj_str document = entry_json(ent, set);

	buf_addstr(json, "{\"id\":");
	bsonjson_string(json, id.ptr, id.len);
	switch (ent->state) {
	case ENTRY_DOCUMENT:
		buf_printf(json,
			   ",\"found\":true,\"revision\":%" PRId64
			   ",\"document\":",
			   ent->revision);
		buf_add(json, document.ptr, document.len);
		buf_addch(json, '}');
		break;
	case ENTRY_DELETED:
		buf_printf(json,
			   ",\"found\":false,\"deleted\":true,"
			   "\"revision\":%" PRId64 ",\"document\":null}",
			   ent->revision);
		break;
	default:
		buf_addstr(json, ",\"found\":false,\"revision\":null,"
				 "\"document\":null}");
	}
}

static size_t
bytes_of(const struct gather *gat, const struct batch_get *bat)
{
	size_t bytes = 0;

	for (size_t i = 0; i < bat->n; i++)
		bytes += entry_json(gat->slots[bat->slot_of[i]].entry, gat->set)
				 .len;
	return bytes;
}

static void
write_body(struct buf *json, const struct gather *gat,
	   const struct batch_get *bat)
{
	buf_addstr(json, "{\"items\":[");
	for (size_t i = 0; i < bat->n; i++) {
		const struct gather_slot *slot = &gat->slots[bat->slot_of[i]];

		if (i)
			buf_addch(json, ',');
		add_item(json, slot->key, slot->entry, gat->set);
	}
	buf_addstr(json, "]}");
}

static void
write_fields(struct buf *fields, const struct gather *gat,
	     const struct exchange *ex)
{
	struct answer ans = {gather_view(gat, 0), &gat->cond, ex->how,
			     gat->n_stale > 0,	  gat->age_s, gat->set};
	struct entry *entries[IDS_MAX];

	for (size_t i = 0; i < gat->n; i++)
		entries[i] = gat->slots[i].entry;
	answer_policy(fields, &ans);
	(void)position_write(fields, entries, gat->n);
}

static void
finish(struct gather *gat, struct exchange *ex)
{
	const struct batch_get *bat = gat->more;

	if (bytes_of(gat, bat) > ANSWER_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "the answer would be larger than 32 MiB: ask "
				 "for fewer ids");
		return;
	}
	write_body(&ex->res->body, gat, bat);
	write_fields(&ex->res->fields, gat, ex);
	ex->res->status = 200;
	ex->res->type = "application/json";
	compress_response(ex, gat, &(struct compress_tags){NULL, NULL});
}

/* The store is asked once for an id that is given twice. */
static size_t
slot_for(struct gather *gat, struct pj_str key, int view)
{
	size_t i = 0;

	while (i < gat->n && !str_equal(gat->slots[i].key, key))
		i++;
	if (i == gat->n) {
		gat->slots[i].key = key;
		gat->slots[i].view = view;
		gat->n++;
	}
	return i;
}

/* Copies the ids and gathers their documents. */
static void
begin(struct exchange *ex, const struct ids *ids)
{
	struct conditions cond;
	struct batch_get *bat;
	struct gather *gat;
	char *space;
	size_t set;
	int view;

	for (size_t i = 0; i < ids->n; i++)
		if (!guard_key(ex, ids->at[i]))
			return;
	view = exchange_view(ex);
	if (view < 0 || !exchange_fields(ex, view, &set) ||
	    !minimum_reached(ex, &view, 1))
		return;
	conditions_read(&cond, ex->req);
	gat = gather_new(ex->loop, ex->snap, &cond, ids->n, ids->bytes);
	gat->n = 0;
	gat->exact = ex->minimum;
	gat->before = !ex->minimum;
	gat->finish = finish;
	gather_ask_set(gat, view, set);
	gat->more = bat = mem_calloc(1, sizeof(*bat));
	space = gat->key_bytes;
	for (size_t i = 0; i < ids->n; i++) {
		struct pj_str key = {space, ids->at[i].len};

		memcpy(space, ids->at[i].ptr, key.len);
		space += key.len;
		bat->slot_of[bat->n++] = slot_for(gat, key, view);
	}
	ex->gather = gat;
}

void
view_batch(struct exchange *ex)
{
	struct pj_str raw = {NULL, 0};
	struct pj_error err;
	struct ids ids;

	for (size_t i = 0; i < ex->uri.n_params; i++) {
		const struct uri_param *param = &ex->uri.params[i];

		if (uri_is_named(param, "ids")) {
			raw = param->raw;
		} else if (!uri_is_named(param, "fields")) {
			exchange_problem(ex, PROBLEM_BAD_REQUEST,
					 "unknown query parameter");
			return;
		}
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

	for (size_t i = 0; i < ex->uri.n_params; i++)
		if (!uri_is_named(&ex->uri.params[i], "fields")) {
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
