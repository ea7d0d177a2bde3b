/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field Projection-Position: which events an answer contains.
 */
#ifndef QUERYAPI_POSITION_H
#define QUERYAPI_POSITION_H

#include "lib/buf.h"
#include "queryapi/entry.h"
#include "queryapi/snapshot.h"

/*
 * Appends the whole line, or nothing when there is no position to tell. Per
 * source, what every one of the entries contains: the smallest of max(own
 * offset, checkpoint − 1), where checkpoints count only for entries that are
 * current once they were read (served.h). What is told of an entry is told of
 * it ever after, also as a stale one. False: one of them is not current.
 */
bool
position_write(struct buf *out, struct entry *const *entries, size_t n);
/*
 * The same of entries of several views of a picture: a view that reads nothing
 * of a topic has no part in what is told of it.
 */
bool
position_write_of(struct buf *out, struct entry *const *entries,
		  const int *views, size_t n, const struct snapshot *snap);

/* Appends `"topic/partition@offset"` to a list of them. */
void
position_add(struct buf *list, const struct store_source_row *row,
	     int64_t offset);

#endif
