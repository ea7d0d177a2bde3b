/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One key of one generation as the cache holds it: what is sent, ready made.
 * One block of memory; immutable but for the marks of the cache and for
 * positions, which rise.
 *
 * Ownership: counted by references; the last one frees it.
 * Threads: any, through a reference or within a reader's turn (cache.h).
 */
#ifndef QUERYAPI_ENTRY_H
#define QUERYAPI_ENTRY_H

#include <projector/event.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/bsonjson.h"
#include "queryapi/etag.h"
#include "queryapi/field_sets.h"
#include "queryapi/served.h"

enum entry_state {
	ENTRY_DOCUMENT,
	ENTRY_DELETED,
	ENTRY_ABSENT,
	ENTRY_PARKED, /* absent, but there are parked records */
};

/* The newest offset of one source that the document is known to contain: it
 * rises with what is told of it. */
struct entry_position {
	int32_t source;
	_Atomic int64_t offset;
	struct pj_str name; /* "stock/3" */
};

/* A part of the document (field_sets.h), ready to be sent, never gzipped: it
 * is small. */
struct entry_set {
	struct pj_str json, head;
	const char *tag; /* quotes included */
};

enum { ENTRY_FREQ_MAX = 3 };

struct entry {
	/* The cache's: bucket chain and queue, by its lock; marks by anybody.
	 */
	struct entry *_Atomic chain;
	struct entry *newer, *older;
	uint8_t queue;
	atomic_uint refs;
	atomic_bool gone;	    /* out of the cache, or superseded */
	_Atomic uint64_t since;	    /* current while it is the generation's */
	_Atomic uint8_t freq;	    /* hits since it was looked at, at most 3 */
	_Atomic int64_t at_mono_ms; /* when it was the store's newest */
	/* Since when a newer revision is known of, which is being read: until
	 * that is here this one stays in the cache, gone. 0: none is. */
	_Atomic int64_t superseded_mono_ms;

	struct served *served;
	uint64_t hash;
	struct pj_str key;
	enum entry_state state;
	int64_t revision; /* -1: absent */
	struct etag tag;
	struct entry_position *positions;
	size_t n_positions;
	/* Projection-Parked: the whole line, or empty. */
	struct pj_str parked;
	struct pj_str json; /* ENTRY_DOCUMENT */
	struct pj_str gzip; /* ptr NULL: none */
	bool coded;	    /* gzip is made, or would not pay */
	/* When it, or the version before it, was last known to be of use;
	 * before it is in the cache. */
	int64_t used_mono_ms;
	/* ENTRY_DOCUMENT: its parts, in the order of the sets of that id. */
	const struct entry_set *sets;
	size_t n_sets;
	uint64_t sets_id;
	/* Content fields of a 200, whole lines, by coding. */
	struct pj_str json_head, gzip_head;
	size_t bytes; /* of memory */
};

/* What an entry is made of; all borrowed. */
struct entry_parts {
	struct served *served;
	uint64_t hash;
	struct pj_str key;
	enum entry_state state;
	int64_t revision;
	int32_t generation; /* for the tag */
	const struct entry_position *positions;
	size_t n_positions;
	struct pj_str parked, json, gzip;
	bool coded;
	/* The sets it was rendered by (or NULL), and one text each. */
	const struct field_sets *sets;
	const struct pj_str *set_json;
	uint64_t since; /* as of before the store was asked */
	int64_t at_mono_ms;
};

/* One reference, the caller's. */
struct entry *
entry_new(const struct entry_parts *parts);

static inline struct entry *
entry_ref(struct entry *ent)
{
	(void)atomic_fetch_add_explicit(&ent->refs, 1, memory_order_relaxed);
	return ent;
}

/* NULL is allowed. */
void
entry_unref(struct entry *ent);

/* What was told of an older version holds for this one, which nobody has yet;
 * and its hits go on. */
void
entry_succeed(struct entry *ent, const struct entry *older);

/* What a request needs of an entry. */
struct entry_want {
	bool gzip;
	uint64_t sets_id; /* of the sets one of which is asked for; 0: none */
};

/* What is sent of a document: the whole, or a part (1 + its index). */
static inline struct pj_str
entry_json(const struct entry *ent, size_t set)
{
	static const struct pj_str none = {NULL, 0};

	if (!set)
		return ent->json;
	return set <= ent->n_sets ? ent->sets[set - 1].json : none;
}

static inline bool
entry_has_sets(const struct entry *ent, uint64_t sets_id)
{
	return !sets_id || ent->sets_id == sets_id;
}

static inline bool
entry_has(const struct entry *ent, const struct entry_want *want)
{
	return (!want->gzip || ent->coded) &&
	       entry_has_sets(ent, want->sets_id);
}

/*
 * True while nothing newer is known. What was read of the generation's
 * checkpoints before this was asked is contained in the entry.
 */
static inline bool
entry_is_current(const struct entry *ent)
{
	uint64_t since =
		atomic_load_explicit(&ent->since, memory_order_acquire);

	return since &&
	       !atomic_load_explicit(&ent->gone, memory_order_acquire) &&
	       since == atomic_load_explicit(&ent->served->since,
					     memory_order_acquire);
}

#endif
