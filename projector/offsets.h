/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 7 of a record's way: how far everything is durable.
 *
 * Keeps the records of each partition in offset order until all they changed is
 * durable; what has passed the front of that line is the partition's position.
 * A checkpoint is only ever made from records that were handed over here (or
 * from the log's own word that nothing more comes before an offset), never from
 * an offset that was merely seen. Offsets may have gaps.
 *
 * Ownership: offsets_add() takes the record; offsets_settle() releases it.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_OFFSETS_H
#define PROJECTOR_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/store.h"
#include "projector/lane.h"
#include "projector/record.h"

/* What is known of one partition of the assignment. */
struct progress {
	struct partition *part;
	/* Ring of records not yet settled, oldest at head. */
	struct record **ring;
	size_t head, len, cap;

	int64_t next; /* all below is durable; -1: nothing known yet */
	int64_t anchor_offset;
	int64_t anchor_timestamp_ms;
	uint32_t anchor_crc;

	/* Per lane: where it was when we began, is told, is stored. */
	int64_t lane_start[LANES_MAX]; /* records below are not for it */
	int64_t lane_sent[LANES_MAX];
	int64_t lane_saved[LANES_MAX];
	int64_t lane_epoch[LANES_MAX]; /* its checkpoint is ours under this */
	bool lane_reads[LANES_MAX];
};

struct offsets;

struct offsets *
offsets_new(const struct lanes *lanes);
void
offsets_free(struct offsets *off);

/*
 * Takes on a partition. starts[lane index] is the lane's checkpoint, -1 = none.
 * Returns the position reading has to start at: the lowest of the lanes that
 * read the topic, -1 = the first record there is.
 */
int64_t
offsets_assign(struct offsets *off, struct partition *part,
	       const int64_t *starts);
/* Which epoch of the lane's checkpoint is ours (store_claim()). */
void
offsets_claimed(struct offsets *off, const struct partition *part,
		const struct lane *lane, int64_t epoch);
/* Forgets all partitions and releases their records. */
void
offsets_clear(struct offsets *off);

struct progress *
offsets_of(struct offsets *off, const struct partition *part);
struct progress *
offsets_at(struct offsets *off, size_t index); /* NULL behind the last */

/* True when the record is for this lane (not below its own checkpoint). */
bool
offsets_wants(const struct offsets *off, const struct record *rec,
	      const struct lane *lane);

void
offsets_add(struct offsets *off, struct record *rec);
/* Gives one `pending` of the record back. */
void
offsets_done(struct offsets *off, struct record *rec);
/* Releases what is settled at the front of every line. */
void
offsets_settle(struct offsets *off);
/*
 * The log has nothing below `end` that we were not handed: with an empty line
 * that is our position (trailing transaction markers, compacted tails).
 */
void
offsets_reached(struct offsets *off, const struct partition *part, int64_t end);

size_t
offsets_held(const struct offsets *off); /* records */
size_t
offsets_held_bytes(const struct offsets *off);

/* Checkpoints that moved since they were last sent; marks them sent. */
size_t
offsets_take_rows(struct offsets *off, struct store_checkpoint *rows,
		  size_t max);
/* How many would be taken now. */
size_t
offsets_rows_due(const struct offsets *off);
/* The store has them / the call failed: they are due again. */
void
offsets_rows_done(struct offsets *off, const struct store_checkpoint *rows,
		  size_t n, bool saved);
/* Everything handed over is durable and so are its checkpoints. */
bool
offsets_is_saved(const struct offsets *off);

#endif
