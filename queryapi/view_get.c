/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document: 200, 304, 404, 410, 412.
 * Takes a routed request, gives the answer: at once from the cache (answer.c),
 * else behind a gather of one. With `wait` a 304 is put off (held.h).
 */
#include <string.h>

#include "lib/clock.h"
#include "lib/readmodel.h"
#include "queryapi/answer.h"
#include "queryapi/held.h"
#include "queryapi/loop.h"
#include "queryapi/minimum.h"
#include "queryapi/prefer.h"
#include "queryapi/views.h"

/* A long poll goes on for as long as the client has the newest. */
static bool
goes_on(struct exchange *ex, const struct entry *ent,
	const struct conditions *cond)
{
	const struct held *held = exchange_held(ex);

	return held && held->poll_ms && answer_is_unchanged(ent, cond) &&
	       exchange_park(ex, held->poll_ms);
}

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
		if (!goes_on(ex, ent, cond))
			status = answer_entry(ex->out, ent, &ans, &current);
	}
	cache_turn_end(cache, lp->index);
	if (ex->parked)
		return true;
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
	struct entry *ent = gat->slots[0].entry;
	bool current;

	if (!goes_on(ex, ent, &gat->cond))
		ex->sent = answer_entry(ex->out, ent, &ans, &current);
}

static void
gather(struct exchange *ex, int view, struct conditions *cond)
{
	struct gather *gat =
		gather_new(ex->loop, ex->snap, cond, 1, ex->key.len);

	gat->finish = finish;
	gat->exact = ex->minimum;
	gat->slots[0].view = view;
	gat->slots[0].key = (struct pj_str){gat->key_bytes, ex->key.len};
	memcpy(gat->key_bytes, ex->key.ptr, ex->key.len);
	ex->gather = gat;
}

/* `wait=10`: whole seconds, 1 to 60. */
static bool
read_wait(struct exchange *ex, int *ret_s)
{
	const struct uri_param *param = ex->uri.params;
	int s = 0;

	*ret_s = 0;
	if (ex->uri.n_params == 0)
		return true;
	if (ex->uri.n_params > 1 || param->name.len != 4 ||
	    memcmp(param->name.ptr, "wait", 4) != 0) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "unknown query parameter");
		return false;
	}
	for (size_t i = 0; i < param->raw.len && s <= PREFER_WAIT_MAX_S; i++) {
		char c = param->raw.ptr[i];

		s = c < '0' || c > '9' ? PREFER_WAIT_MAX_S + 1
				       : s * 10 + (c - '0');
	}
	*ret_s = s;
	if (s >= 1 && s <= PREFER_WAIT_MAX_S)
		return true;
	exchange_problem(ex, PROBLEM_BAD_REQUEST,
			 "wait is whole seconds, 1 to 60");
	return false;
}

void
view_get(struct exchange *ex)
{
	struct conditions cond;
	int view, wait_s;

	if (!read_wait(ex, &wait_s) || !exchange_key(ex))
		return;
	view = exchange_view(ex);
	if (view < 0 || !minimum_reached(ex, &view, 1))
		return;
	conditions_read(&cond, ex->req);
	if (wait_s && cond.if_none_match.ptr) {
		exchange_watch_key(ex, ex->snap->views[view].served, ex->key);
		exchange_held(ex)->poll_ms = (int64_t)wait_s * 1000;
	}
	if (ex->store_away || !catalog_is_told(ex->loop->shared->catalog) ||
	    !answer_hit(ex, &ex->snap->views[view], &cond))
		gather(ex, view, &cond);
	conditions_release(&cond);
}
