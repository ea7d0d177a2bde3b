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
	int64_t fed;  /* all below has been handed over; likewise */
	int64_t anchor_offset;
	int64_t anchor_timestamp_ms;
	uint32_t anchor_crc;

	/* Per lane: where it was when we began, is told, is stored. */
	struct progress_lane {
		bool reads;
		int64_t start; /* records below are not for it */
		int64_t sent, saved;
		int64_t epoch; /* of our claim (protocol rule 9) */
		/*
		 * Rule 10: the last record it has applied must be delivered,
		 * and be the same, before anything later is applied.
		 */
		bool anchor_open;
		int64_t anchor_offset, anchor_timestamp_ms;
		uint32_t anchor_crc;
	} lane[LANES_MAX];
	unsigned n_anchors_open;
};

struct offsets;

struct offsets *
offsets_new(struct lanes *lanes);
void
offsets_free(struct offsets *off);

/*
 * Takes on a partition. starts[lane index] is the lane's checkpoint, as
 * claimed. Returns the position reading has to start at: the lowest anchor (or
 * position, of a lane that has none) of the lanes that read the topic and are
 * not stopped, -1 = the first record there is. waived[lane index]: its anchor
 * is not asked for, a person has said so; NULL: every anchor is.
 */
int64_t
offsets_assign(struct offsets *off, struct partition *part,
	       const struct store_checkpoint *starts, const bool *waived);
/* Forgets all partitions and releases their records. */
void
offsets_clear(struct offsets *off);

struct progress *
offsets_of(struct offsets *off, const struct partition *part);
struct progress *
offsets_at(struct offsets *off, size_t index); /* NULL behind the last */

/* True when the record is for this lane: it is not stopped, nor further on. */
bool
offsets_wants(const struct offsets *off, const struct record *rec,
	      const struct lane *lane);

/*
 * The next lane whose anchor this record, or with rec NULL the log's end at
 * `end`, proves lost; *ret_anchor is its offset. NULL: none (any more). Each is
 * told once.
 */
struct lane *
offsets_lost_anchor(struct offsets *off, const struct partition *part,
		    const struct record *rec, int64_t end, int64_t *ret_anchor);

/*
 * The next record of the partition that the lane has to see: its anchor, as
 * long as that is open. -1: the first there is.
 */
int64_t
offsets_place(const struct partition *part, const struct lane *lane);
/*
 * No lane that reads the partition, and is not stopped, stands further back:
 * reading it goes on from this one's place.
 */
bool
offsets_is_last(const struct offsets *off, const struct partition *part,
		const struct lane *lane);

/* All records of the lane below the offset have been handed over. */
bool
offsets_has_fed(const struct partition *part, const struct lane *lane,
		int64_t offset);

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
