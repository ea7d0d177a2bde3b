/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document: 200, 304, 404, 410, 412.
 * Takes a routed request, gives the answer: at once from the cache (answer.c),
 * else behind a gather of one.
 */
#include <string.h>

#include "lib/clock.h"
#include "lib/readmodel.h"
#include "queryapi/answer.h"
#include "queryapi/loop.h"
#include "queryapi/views.h"

/* A hit: nothing is copied but into the answer. */
static bool
answer_hit(struct exchange *ex, const struct snapshot_view *view,
	   const struct conditions *cond)
{
	struct loop *lp = ex->loop;
	struct cache *cache = lp->shared->cache;
	struct answer ans = {view, cond, ex->how, false, 0};
	bool current = false;
	struct entry *ent;
	int status = 0;

	cache_turn_begin(cache, lp->index);
	ent = cache_get(cache, view->served, ex->key,
			cache_hash(cache, view->served, ex->key));
	if (ent && entry_is_current(ent) && (!cond->gzip || ent->coded)) {
		cache_touch(ent);
		status = answer_entry(ex->out, ent, &ans, &current);
	}
	cache_turn_end(cache, lp->index);
	if (!current) {
		/* None, or something newer came while it was written down. */
		buf_clear(ex->out);
		return false;
	}
	metrics_count(&lp->met->hits);
	ex->sent = status;
	return true;
}

static void
finish(struct gather *gat, struct exchange *ex)
{
	struct answer ans = {gather_view(gat, 0), &gat->cond, ex->how,
			     ex->store_away, gat->age_s};
	bool current;

	ex->sent = answer_entry(ex->out, gat->slots[0].entry, &ans, &current);
}

void
view_get(struct exchange *ex)
{
	struct conditions cond;
	int view;

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
	view = exchange_view(ex);
	if (view < 0)
		return;
	conditions_read(&cond, ex->req);
	if (ex->store_away || !catalog_is_told(ex->loop->shared->catalog) ||
	    !answer_hit(ex, &ex->snap->views[view], &cond)) {
		struct gather *gat =
			gather_new(ex->loop, ex->snap, &cond, 1, ex->key.len);

		gat->finish = finish;
		gat->slots[0].view = view;
		gat->slots[0].key =
			(struct pj_str){gat->key_bytes, ex->key.len};
		memcpy(gat->key_bytes, ex->key.ptr, ex->key.len);
		ex->gather = gat;
	}
	conditions_release(&cond);
}
