/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parked rows exist: looked up in the markers of their units, many at a
 * time.
 *
 * Rows are collected with what is needed of them until the batch is full; then
 * the documents and unit rows that hold the markers are loaded, and each row is
 * handed on, in the order it came, with the answer.
 *
 * Ownership: the batch holds copies. Thread: whoever owns the session.
 * Limits: see parked_list.h.
 */
#ifndef PROJECTOR_PARKED_MARKER_H
#define PROJECTOR_PARKED_MARKER_H

#include <projector/error.h>
#include <projector/event.h>

#include "lib/buf.h"
#include "lib/store.h"

/* What is kept of a row; borrowed for the call of each(). */
struct marker_row {
	const char *unit_type;
	struct pj_str unit;
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t parked_at_ms;
	const char *type, *cause;
	bool exists;
};

struct marker_batch {
	const char *generation;
	struct store_source_row *sources;
	size_t n_sources;
	struct marker_item *items;
	size_t n_items, cap_items;
	size_t n_units; /* to be loaded */
	struct buf text;
};

int
marker_batch_init(struct marker_batch *bat, struct store_session *ses,
		  const char *generation, struct pj_error *err)
	__attribute__((warn_unused_result));
void
marker_batch_release(struct marker_batch *bat);

void
marker_batch_add(struct marker_batch *bat, const struct store_parked *row);
bool
marker_batch_is_full(const struct marker_batch *bat);

/* Hands all rows on and empties the batch. */
int
marker_batch_resolve(struct marker_batch *bat, struct store_session *ses,
		     void (*each)(void *arg, const struct marker_row *row),
		     void *arg, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * The source's queue as a document's or unit's bytes have it; *ret_has false:
 * none. Errors: FATAL, for damaged bytes.
 */
int
marker_read(const uint8_t *bson, size_t len, int32_t source, bool *ret_has,
	    int64_t *ret_first, int64_t *ret_tail, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
