/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/gather.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "queryapi/answer.h"
#include "queryapi/loop.h"

struct gather *
gather_new(struct loop *lp, struct snapshot *snap, struct conditions *cond,
	   size_t n, size_t key_bytes)
{
	struct gather *gat =
		mem_calloc(1, sizeof(*gat) + n * sizeof(gat->slots[0]));

	gat->loop = lp;
	atomic_init(&gat->let_go, false);
	gat->snap = snapshot_ref(snap);
	conditions_keep(cond);
	gat->cond = *cond;
	memset(cond, 0, sizeof(*cond));
	gat->key_bytes = mem_alloc(key_bytes + 1);
	gat->n = n;
	return gat;
}

void
gather_ask_set(struct gather *gat, int view, size_t set)
{
	gat->set = set;
	if (set)
		memcpy(gat->set_name,
		       gat->snap->views[view].sets.rows[set - 1].name,
		       sizeof(gat->set_name));
}

bool
gather_lost_set(const struct gather *gat)
{
	return gat->set_name[0] && !gat->set;
}

static void
drop_entries(struct gather *gat)
{
	for (size_t i = 0; i < gat->n; i++) {
		entry_unref(gat->slots[i].entry);
		gat->slots[i].entry = NULL;
	}
	gat->n_stale = 0;
	gat->age_s = 0;
}

static void
leave_loads(struct gather *gat)
{
	for (size_t i = 0; gat->n_waiting && i < gat->n; i++) {
		struct gather_slot *slot = &gat->slots[i];

		if (!slot->waiting ||
		    !loads_leave(gat->loop->shared->loads, &slot->wait))
			continue;
		slot->waiting = false;
		gat->n_waiting--;
	}
}

void
gather_let_go(struct gather *gat)
{
	if (!gat)
		return;
	gat->conn = NULL;
	atomic_store(&gat->let_go, true);
	leave_loads(gat);
	if (gat->n_waiting)
		return;
	drop_entries(gat);
	snapshot_unref(gat->snap);
	conditions_release(&gat->cond);
	free(gat->key_bytes);
	if (gat->free_more)
		gat->free_more(gat->more);
	else
		free(gat->more);
	free(gat);
}

const struct snapshot_view *
gather_view(const struct gather *gat, size_t slot)
{
	return &gat->snap->views[gat->slots[slot].view];
}

/* By the picture's declaration: an entry of another one's is none of this. */
static struct entry_want
want_of(const struct gather *gat, size_t i)
{
	return (struct entry_want){gat->coded,
				   gat->set ? gather_view(gat, i)->sets.id : 0};
}

static enum load_join
fill_slot(struct gather *gat, size_t i)
{
	struct gather_slot *slot = &gat->slots[i];
	struct loop_shared *sh = gat->loop->shared;
	struct served *srv = gather_view(gat, i)->served;
	uint64_t hash = cache_hash(sh->cache, srv, slot->key);
	const struct entry_want want = want_of(gat, i);
	enum load_join how;

	slot->wait = (struct load_wait){
		.loop = gat->loop, .gather = gat, .slot = i, .ids = gat->ids};
	how = loads_join(sh->loads, srv, slot->key, hash, &want,
			 gat->told && !gat->exact, !gat->n_waiting,
			 gat->loop->index, &slot->wait, &slot->entry);
	if (how == LOAD_THERE)
		cache_touch(slot->entry);
	slot->waiting = how == LOAD_JOINED;
	gat->n_waiting += slot->waiting;
	return how;
}

/* By a reader's turn. */
static struct entry *
cached(const struct gather *gat, size_t i)
{
	struct cache *cache = gat->loop->shared->cache;
	struct served *srv = gather_view(gat, i)->served;
	struct pj_str key = gat->slots[i].key;

	return cache_get(cache, srv, key, cache_hash(cache, srv, key));
}

static bool
is_empty(const struct gather_slot *slot)
{
	return slot->view >= 0 && !slot->entry;
}

bool
gather_is_whole(const struct gather *gat)
{
	for (size_t i = 0; i < gat->n; i++)
		if (is_empty(&gat->slots[i]))
			return false;
	return true;
}

static void
add_stale(struct gather *gat, size_t i, struct entry *ent, int64_t age_s)
{
	gat->slots[i].entry = entry_ref(ent);
	gat->n_stale++;
	if (age_s > gat->age_s)
		gat->age_s = age_s;
}

static void
take(struct gather *gat, size_t i, struct entry *ent)
{
	uint32_t limit_ms = gat->loop->shared->set->queryapi.superseded_ms;
	const struct entry_want want = want_of(gat, i);
	int64_t age_s;

	if (!entry_has(ent, &want))
		return;
	if (entry_is_current(ent)) {
		cache_touch(ent);
		gat->slots[i].entry = entry_ref(ent);
	} else if (gat->before &&
		   answer_may_be_superseded(ent, gather_view(gat, i), limit_ms,
					    clock_mono_ms(), &age_s)) {
		cache_touch(ent);
		add_stale(gat, i, ent, age_s);
	}
}

/* What is in the cache, without the loads' lock. */
static void
take_cached(struct gather *gat)
{
	struct cache *cache = gat->loop->shared->cache;

	cache_turn_begin(cache, gat->loop->index);
	for (size_t i = 0; i < gat->n; i++) {
		struct entry *ent =
			is_empty(&gat->slots[i]) ? cached(gat, i) : NULL;

		if (ent)
			take(gat, i, ent);
	}
	cache_turn_end(cache, gat->loop->index);
}

/* By the time the others are there it may be too old. */
static void
drop_superseded(struct gather *gat)
{
	for (size_t i = 0; i < gat->n; i++) {
		struct entry **ent = &gat->slots[i].entry;

		if (!*ent || entry_is_current(*ent))
			continue;
		entry_unref(*ent);
		*ent = NULL;
	}
	gat->n_stale = 0;
	gat->age_s = 0;
}

enum gather_progress
gather_begin(struct gather *gat)
{
	struct metrics_set *met = gat->loop->met;

	gat->worst = LOAD_DONE;
	gat->told = catalog_is_told(gat->loop->shared->catalog);
	if (gat->told)
		take_cached(gat);
	if (!gather_is_whole(gat))
		drop_superseded(gat);
	for (size_t i = 0; i < gat->n_stale; i++)
		metrics_count(&met->superseded);
	for (size_t i = 0; i < gat->n; i++) {
		if (gat->slots[i].view < 0)
			continue;
		if (gat->slots[i].entry) {
			metrics_count(&met->hits);
			continue;
		}
		metrics_count(&met->misses);
		if (fill_slot(gat, i) == LOAD_FULL)
			return GATHER_FULL;
	}
	return gat->n_waiting ? GATHER_WAITING : GATHER_THERE;
}

bool
gather_stale(struct gather *gat)
{
	struct cache *cache = gat->loop->shared->cache;
	int64_t now = clock_mono_ms(), age_s;
	bool all = true;

	if (!gat->patience_ms)
		drop_entries(gat);
	cache_turn_begin(cache, gat->loop->index);
	for (size_t i = 0; i < gat->n && (all || gat->patience_ms); i++) {
		struct gather_slot *slot = &gat->slots[i];
		struct entry *ent;

		if (!is_empty(slot))
			continue;
		ent = cached(gat, i);
		if (!ent || !entry_has_sets(ent, want_of(gat, i).sets_id) ||
		    !answer_may_be_stale(ent, gather_view(gat, i), now,
					 &age_s)) {
			all = false;
			continue;
		}
		add_stale(gat, i, ent, age_s);
	}
	cache_turn_end(cache, gat->loop->index);
	return all || gat->patience_ms;
}

bool
gather_restart(struct gather *gat, struct snapshot *snap)
{
	struct snapshot *before = gat->snap;
	bool all = true;

	drop_entries(gat);
	for (size_t i = 0; i < gat->n; i++) {
		int *view = &gat->slots[i].view;
		const char *name = *view < 0 ? "" : before->views[*view].name;

		*view = snapshot_view(snap, name, strlen(name));
		all &= *view >= 0;
	}
	gat->snap = snapshot_ref(snap);
	snapshot_unref(before);
	gat->rounds++;
	if (all && gat->set_name[0])
		gat->set = field_sets_find(
			&gather_view(gat, 0)->sets,
			(struct pj_str){gat->set_name, strlen(gat->set_name)});
	return (all && !gather_lost_set(gat)) || gat->patience_ms;
}

bool
gather_has_old(const struct gather *gat)
{
	for (size_t i = 0; i < gat->n; i++)
		if (gat->slots[i].entry &&
		    !entry_is_current(gat->slots[i].entry))
			return true;
	return false;
}

struct gather *
gather_arrive(struct load_wait *wait)
{
	struct gather *gat = wait->gather;
	struct gather_slot *slot = &gat->slots[wait->slot];

	slot->waiting = false;
	/* It may have been made do without. */
	entry_unref(slot->entry);
	slot->entry = wait->entry;
	if (wait->result > gat->worst)
		gat->worst = wait->result;
	/* Taken up by a picture with other sets: ask by the newest. */
	if (slot->entry &&
	    !entry_has_sets(slot->entry, want_of(gat, wait->slot).sets_id))
		gat->worst = LOAD_MOVED;
	if (--gat->n_waiting)
		return NULL;
	if (gat->conn)
		return gat;
	gather_let_go(gat);
	return NULL;
}
