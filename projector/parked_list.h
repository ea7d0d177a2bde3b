/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is parked in a generation, as the protocol sees it: one queue per unit
 * and source.
 *
 * A row of the store's `parked` collection exists only when the marker of its
 * unit and source says so: `_m.k` of the document, or of the unit's own row in
 * `parked_units` (lib/store.h, protocol "Parking"). Rows below `first`, beyond
 * `tail` or without a marker are orphans: what a crash or a lost race left
 * behind, and nobody will ever apply.
 *
 * Errors: the store's; FATAL for a document whose `_m.k` is damaged.
 * Thread: whoever owns the session.
 * Limits: memory is bounded (about 1 MiB of names, and STORE_LOAD_BYTES of
 * documents at a time), whatever is parked. No snapshot: what moves meanwhile
 * may be seen or not.
 */
#ifndef PROJECTOR_PARKED_LIST_H
#define PROJECTOR_PARKED_LIST_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/store.h"

/* Borrowed for the call of each(). */
struct parked_queue {
	const char *unit_type; /* as in struct store_parked */
	struct pj_str unit;
	const char *topic;
	int32_t partition;
	bool orphan;  /* not a queue: rows that no marker names */
	int64_t tail; /* the last record's offset */
	int64_t n;    /* records, the head included */
	/* Of the head, the first record: */
	int64_t offset;
	int64_t parked_at_ms;
	const char *type, *cause;
};

struct parked_filter {
	const char *generation;
	const char *key; /* parked_key(); NULL: every unit */
	/* Of the head; NULL, -1: any. cause: a part of it. */
	const char *cause, *topic, *type;
	int32_t partition;
	int64_t since_at_ms, before_at_ms; /* parked at or after, before */
	bool orphans;			   /* these too, behind their queue */
};

/* Matches everything of the generation but orphans. */
void
parked_filter_init(struct parked_filter *filter, const char *generation);

/* Whether the filter takes a row for itself, whatever its place in a queue. */
bool
parked_filter_takes(const struct parked_filter *filter,
		    const struct store_parked *row);

/*
 * Calls each() with every queue that matches, in order of unit and source.
 * each() returns false to end early; it may use the store.
 */
int
parked_list(struct store_session *ses, const struct parked_filter *filter,
	    bool (*each)(void *arg, const struct parked_queue *queue),
	    void *arg, struct pj_error *err)
	__attribute__((warn_unused_result));

/* How many records are parked in the generation. */
int
parked_count(struct store_session *ses, const char *generation, int64_t *ret_n,
	     struct pj_error *err) __attribute__((warn_unused_result));

/*
 * Appends the name that people use for a unit: the document key or the record
 * key; "base64:…" when that is no text; "topic/partition@offset" for a record
 * alone.
 */
void
parked_key(struct buf *out, const char *unit_type, struct pj_str unit,
	   const char *topic, int32_t partition, int64_t offset);

#endif
