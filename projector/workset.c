/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/workset.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"

enum { BUCKETS_MIN = 1024, ENTRY_OVERHEAD = sizeof(struct entry) + 64 };

void
records_add(struct records *list, struct record *rec)
{
	MEM_GROW(list->recs, list->n, list->cap);
	list->recs[list->n++] = rec;
}

void
records_release(struct records *list)
{
	free(list->recs);
	*list = (struct records){NULL, 0, 0};
}

void
records_move(struct records *list, struct records *from)
{
	if (list->n == 0) {
		free(list->recs);
		*list = *from;
		*from = (struct records){NULL, 0, 0};
		return;
	}
	for (size_t i = 0; i < from->n; i++)
		records_add(list, from->recs[i]);
	records_release(from);
}

void
flight_free(struct flight *flight)
{
	if (!flight)
		return;
	free(flight->bytes);
	free(flight->why);
	records_release(&flight->recs);
	free(flight);
}

void
workset_init(struct workset *set, uint64_t seed)
{
	memset(set, 0, sizeof(*set));
	set->seed = seed;
	set->n_buckets = BUCKETS_MIN;
	set->buckets = mem_calloc(set->n_buckets, sizeof(*set->buckets));
	for (int i = 0; i < LIST_MAX; i++)
		TAILQ_INIT(&set->lists[i]);
	TAILQ_INIT(&set->lru);
}

void
drain_free(struct drain *drain)
{
	if (!drain)
		return;
	free(drain->unit);
	free(drain->reason);
	free(drain->by);
	free(drain);
}

static void
entry_free(struct entry *e)
{
	/* What was sent belongs to the job until the job comes back. */
	if (e->list != LIST_SENT)
		flight_free(e->flight);
	doc_free(e->doc);
	drain_free(e->drain);
	free(e->why);
	free(e->told);
	records_release(&e->changed);
	records_release(&e->backlog);
	free((void *)e->key.ptr);
	free(e);
}

void
workset_clear(struct workset *set)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&set->lru))) {
		TAILQ_REMOVE(&set->lru, e, lru);
		entry_free(e);
	}
	for (int i = 0; i < LIST_MAX; i++) {
		TAILQ_INIT(&set->lists[i]);
		set->n_in_list[i] = 0;
	}
	memset(set->buckets, 0, set->n_buckets * sizeof(*set->buckets));
	memset(set->n_units, 0, sizeof(set->n_units));
	set->n_entries = 0;
	set->memory = set->unit_memory = 0;
}

void
workset_release(struct workset *set)
{
	workset_clear(set);
	free(set->buckets);
}

/* FNV-1a with a per-process seed, finished with murmur3's mixer. */
static uint64_t
entry_hash(const struct workset *set, const struct lane *lane, bool unit,
	   struct pj_str key)
{
	uint64_t h = set->seed ^ UINT64_C(0xcbf29ce484222325) ^
		     (lane->index * 2 + unit);

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.ptr[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	return h;
}

struct entry *
workset_find(struct workset *set, const struct lane *lane, bool unit,
	     struct pj_str key)
{
	uint64_t hash = entry_hash(set, lane, unit, key);
	struct entry *e = set->buckets[hash & (set->n_buckets - 1)];

	for (; e; e = e->chain)
		if (e->hash == hash && e->lane == lane && e->unit == unit &&
		    str_equal(e->key, key))
			break;
	if (e && TAILQ_NEXT(e, lru)) {
		TAILQ_REMOVE(&set->lru, e, lru);
		TAILQ_INSERT_TAIL(&set->lru, e, lru);
	}
	return e;
}

static void
workset_grow(struct workset *set)
{
	struct entry *e;

	free(set->buckets);
	set->n_buckets *= 2;
	set->buckets = mem_calloc(set->n_buckets, sizeof(*set->buckets));
	TAILQ_FOREACH(e, &set->lru, lru)
	{
		struct entry **head =
			&set->buckets[e->hash & (set->n_buckets - 1)];

		e->chain = *head;
		*head = e;
	}
}

struct entry *
workset_add(struct workset *set, struct lane *lane, bool unit,
	    struct pj_str key)
{
	struct entry *e = mem_calloc(1, sizeof(*e));
	struct entry **head;

	e->lane = lane;
	e->unit = unit;
	e->key.ptr = mem_strndup(key.ptr, key.len);
	e->key.len = key.len;
	e->hash = entry_hash(set, lane, unit, key);
	e->memory = ENTRY_OVERHEAD + key.len;
	set->memory += e->memory;
	set->unit_memory += unit ? e->memory : 0;
	set->n_units[lane->index] += unit;
	if (++set->n_entries > set->n_buckets)
		workset_grow(set);
	head = &set->buckets[e->hash & (set->n_buckets - 1)];
	e->chain = *head;
	*head = e;
	TAILQ_INSERT_TAIL(&set->lru, e, lru);
	return e;
}

void
workset_move(struct workset *set, struct entry *e, enum entry_list list)
{
	if (e->list == list)
		return;
	if (e->list != LIST_NONE) {
		TAILQ_REMOVE(&set->lists[e->list], e, link);
		set->n_in_list[e->list]--;
	}
	e->list = list;
	if (list != LIST_NONE) {
		TAILQ_INSERT_TAIL(&set->lists[list], e, link);
		set->n_in_list[list]++;
	}
}

void
workset_count(struct workset *set, struct entry *e)
{
	size_t memory =
		ENTRY_OVERHEAD + e->key.len + (e->doc ? doc_memory(e->doc) : 0);

	set->memory = set->memory - e->memory + memory;
	if (e->unit)
		set->unit_memory = set->unit_memory - e->memory + memory;
	e->memory = memory;
}

static void
workset_drop(struct workset *set, struct entry *e)
{
	struct entry **at = &set->buckets[e->hash & (set->n_buckets - 1)];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	TAILQ_REMOVE(&set->lru, e, lru);
	set->memory -= e->memory;
	set->n_entries--;
	entry_free(e);
}

void
workset_evict(struct workset *set, size_t max_memory)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&set->lru);
	     e && set->memory - set->unit_memory > max_memory; e = next) {
		next = TAILQ_NEXT(e, lru);
		/* In no list: nothing sent, changed, waiting. */
		if (e->list == LIST_NONE && !e->drain && !e->unit)
			workset_drop(set, e);
	}
}

/* ---- Rows that were told of ---------------------------------------------- */

static bool
is_before(const struct bsonjson_position *at, int32_t source, int64_t offset)
{
	return at->source < source ||
	       (at->source == source && at->offset < offset);
}

bool
workset_tell(struct entry *e, int32_t source, int64_t offset)
{
	uint32_t low = 0, high = e->n_told;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (is_before(&e->told[mid], source, offset))
			low = mid + 1;
		else
			high = mid;
	}
	if (low < e->n_told && e->told[low].source == source &&
	    e->told[low].offset == offset)
		return false;
	MEM_GROW(e->told, e->n_told, e->cap_told);
	memmove(e->told + low + 1, e->told + low,
		(e->n_told - low) * sizeof(*e->told));
	e->told[low] = (struct bsonjson_position){source, offset};
	e->n_told++;
	return true;
}

void
workset_forget_told(struct entry *e)
{
	free(e->told);
	e->told = NULL;
	e->n_told = e->cap_told = 0;
}
