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
	const struct conditions *cond, size_t set)
{
	const struct held *held = exchange_held(ex);

	return held && held->poll_ms && answer_is_unchanged(ent, cond, set) &&
	       exchange_park(ex, held->poll_ms);
}

/* None is named that may be the newer one's. */
static bool
has_no_other(const struct entry *ent, const struct conditions *cond, size_t set)
{
	struct pj_str tags = cond->if_none_match;

	return !cond->if_match.ptr &&
	       (!tags.ptr || (!memchr(tags.ptr, ',', tags.len) &&
			      answer_is_unchanged(ent, cond, set)));
}

/*
 * Who waits for what is newer, or says what it is to contain, is not given the
 * one before; nor who has another version.
 */
static bool
may_be_before(struct exchange *ex, const struct entry *ent,
	      const struct snapshot_view *view, int64_t *ret_age_s)
{
	const struct held *held = exchange_held(ex);

	return !ex->minimum && !(held && held->poll_ms) &&
	       answer_may_be_superseded(
		       ent, view, ex->loop->shared->set->queryapi.superseded_ms,
		       clock_mono_ms(), ret_age_s);
}

/* A hit: nothing is copied but into the answer. */
static bool
answer_hit(struct exchange *ex, const struct snapshot_view *view,
	   const struct conditions *cond, size_t set)
{
	struct loop *lp = ex->loop;
	struct cache *cache = lp->shared->cache;
	struct answer ans = {view, cond, ex->how, false, 0, set};
	const struct entry_want want = {cond->gzip, set ? view->sets.id : 0};
	bool current = false;
	struct entry *ent;
	int status = 0;

	cache_turn_begin(cache, lp->index);
	ent = cache_get(cache, view->served, ex->key,
			cache_hash(cache, view->served, ex->key));
	ans.stale = ent && !entry_is_current(ent);
	if (ent && entry_has(ent, &want) &&
	    (!ans.stale || (has_no_other(ent, cond, set) &&
			    may_be_before(ex, ent, view, &ans.age_s)))) {
		cache_touch(ent);
		if (!goes_on(ex, ent, cond, set))
			status = answer_entry(ex->out, ent, &ans, &current);
	}
	cache_turn_end(cache, lp->index);
	if (ex->parked)
		return true;
	if (!status || !(current || ans.stale)) {
		/* None, or something newer came while it was written down. */
		buf_clear(ex->out);
		return false;
	}
	metrics_count(&lp->met->hits);
	if (ans.stale)
		metrics_count(&lp->met->superseded);
	ex->sent = status;
	return true;
}

static void
finish(struct gather *gat, struct exchange *ex)
{
	struct answer ans = {gather_view(gat, 0), &gat->cond, ex->how,
			     gat->n_stale > 0,	  gat->age_s, gat->set};
	struct entry *ent = gat->slots[0].entry;
	bool current;

	if (!goes_on(ex, ent, &gat->cond, gat->set))
		ex->sent = answer_entry(ex->out, ent, &ans, &current);
}

static void
gather(struct exchange *ex, int view, struct conditions *cond, size_t set)
{
	struct gather *gat =
		gather_new(ex->loop, ex->snap, cond, 1, ex->key.len);

	gat->finish = finish;
	gat->exact = ex->minimum;
	gat->coded = gat->cond.gzip;
	gather_ask_set(gat, view, set);
	gat->slots[0].view = view;
	gat->slots[0].key = (struct pj_str){gat->key_bytes, ex->key.len};
	memcpy(gat->key_bytes, ex->key.ptr, ex->key.len);
	ex->gather = gat;
}

/* `wait=10`: whole seconds, 1 to 60. */
static bool
read_wait(struct exchange *ex, const struct uri_param *param, int *ret_s)
{
	int s = 0;

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

/* `fields` is looked at when there is a view. */
static bool
read_params(struct exchange *ex, int *ret_wait_s)
{
	*ret_wait_s = 0;
	for (size_t i = 0; i < ex->uri.n_params; i++) {
		const struct uri_param *param = &ex->uri.params[i];

		if (uri_is_named(param, "wait")) {
			if (!read_wait(ex, param, ret_wait_s))
				return false;
		} else if (!uri_is_named(param, "fields")) {
			exchange_problem(ex, PROBLEM_BAD_REQUEST,
					 "unknown query parameter");
			return false;
		}
	}
	return true;
}

void
view_get(struct exchange *ex)
{
	struct conditions cond;
	int view, wait_s;
	size_t set;

	if (!read_params(ex, &wait_s) || !exchange_key(ex))
		return;
	view = exchange_view(ex);
	if (view < 0 || !exchange_fields(ex, view, &set) ||
	    !minimum_reached(ex, &view, 1))
		return;
	conditions_read(&cond, ex->req);
	if (set)
		cond.gzip = false; /* parts have no coding */
	if (wait_s && cond.if_none_match.ptr) {
		exchange_watch_key(ex, ex->snap->views[view].served, ex->key);
		exchange_held(ex)->poll_ms = (int64_t)wait_s * 1000;
	}
	if (ex->store_away || !catalog_is_told(ex->loop->shared->catalog) ||
	    !answer_hit(ex, &ex->snap->views[view], &cond, set))
		gather(ex, view, &cond, set);
	conditions_release(&cond);
}
