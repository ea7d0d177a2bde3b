/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/offsets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "lib/mem.h"

struct offsets {
	struct lanes *lanes;
	struct progress **parts;
	size_t n, cap;
	size_t held, held_bytes;
};

/* A record costs its bytes and about this much beside them. */
enum { RECORD_OVERHEAD = 256 };

static size_t
record_bytes(const struct record *rec)
{
	return rec->key.len + rec->value.len + RECORD_OVERHEAD;
}

struct offsets *
offsets_new(struct lanes *lanes)
{
	struct offsets *off = mem_calloc(1, sizeof(*off));

	off->lanes = lanes;
	return off;
}

void
offsets_free(struct offsets *off)
{
	if (!off)
		return;
	offsets_clear(off);
	free(off->parts);
	free(off);
}

static struct record *
progress_pop(struct offsets *off, struct progress *pro)
{
	struct record *rec = pro->ring[pro->head];

	pro->head = (pro->head + 1) % pro->cap;
	pro->len--;
	off->held--;
	off->held_bytes -= record_bytes(rec);
	return rec;
}

void
offsets_clear(struct offsets *off)
{
	for (size_t i = 0; i < off->n; i++) {
		struct progress *pro = off->parts[i];

		while (pro->len)
			record_release(progress_pop(off, pro));
		pro->part->pipeline = NULL;
		free(pro->ring);
		free(pro);
	}
	off->n = 0;
}

static void
progress_lane_init(struct progress *pro, unsigned index,
		   const struct lane *lane,
		   const struct store_checkpoint *start, bool waived)
{
	struct progress_lane *pl = &pro->lane[index];

	*pl = (struct progress_lane){
		.reads = module_reads_topic(lane->mod, pro->part->topic),
		.start = start->next,
		.sent = start->next,
		.saved = start->next,
		.epoch = start->epoch,
		.anchor_offset = start->anchor_offset,
		.anchor_timestamp_ms = start->anchor_timestamp_ms,
		.anchor_crc = start->anchor_crc,
	};
	pl->anchor_open = !waived && pl->reads && !lane_rests(lane) &&
			  start->next >= 0 && start->anchor_offset >= 0;
	pro->n_anchors_open += pl->anchor_open;
}

int64_t
offsets_assign(struct offsets *off, struct partition *part,
	       const struct store_checkpoint *starts, const bool *waived)
{
	struct progress *pro = mem_calloc(1, sizeof(*pro));
	int64_t lowest = INT64_MAX, from = INT64_MAX;

	pro->part = part;
	pro->anchor_offset = -1;
	for (unsigned i = 0; i < off->lanes->n; i++) {
		const struct progress_lane *pl = &pro->lane[i];
		int64_t at;

		progress_lane_init(pro, i, &off->lanes->lane[i], &starts[i],
				   waived && waived[i]);
		if (!pl->reads || lane_rests(&off->lanes->lane[i]))
			continue;
		at = pl->anchor_open ? pl->anchor_offset : pl->start;
		from = at < from ? at : from;
		lowest = pl->start < lowest ? pl->start : lowest;
	}
	pro->next = lowest == INT64_MAX ? -1 : lowest;
	pro->fed = pro->next;
	MEM_GROW(off->parts, off->n, off->cap);
	off->parts[off->n++] = pro;
	part->pipeline = pro;
	return from == INT64_MAX ? -1 : from;
}

struct progress *
offsets_of(struct offsets *off, const struct partition *part)
{
	(void)off;
	return part->pipeline;
}

struct progress *
offsets_at(struct offsets *off, size_t index)
{
	return index < off->n ? off->parts[index] : NULL;
}

bool
offsets_wants(const struct offsets *off, const struct record *rec,
	      const struct lane *lane)
{
	const struct progress *pro = rec->partition->pipeline;

	(void)off;
	return !lane_rests(lane) && rec->offset >= pro->lane[lane->index].start;
}

static uint32_t
record_crc(const struct record *rec)
{
	uLong crc = crc32(0, Z_NULL, 0);

	if (rec->key.len)
		crc = crc32_z(crc, (const Bytef *)rec->key.ptr, rec->key.len);
	if (rec->value.len)
		crc = crc32_z(crc, (const Bytef *)rec->value.ptr,
			      rec->value.len);
	return (uint32_t)crc;
}

static bool
is_anchor(const struct progress_lane *pl, const struct record *rec)
{
	return rec->offset == pl->anchor_offset &&
	       rec->timestamp_ms == pl->anchor_timestamp_ms &&
	       record_crc(rec) == pl->anchor_crc;
}

struct lane *
offsets_lost_anchor(struct offsets *off, const struct partition *part,
		    const struct record *rec, int64_t end, int64_t *ret_anchor)
{
	struct progress *pro = part->pipeline;

	if (!pro || pro->n_anchors_open == 0)
		return NULL;
	for (unsigned i = 0; i < off->lanes->n; i++) {
		struct progress_lane *pl = &pro->lane[i];
		bool lost;

		if (!pl->anchor_open ||
		    (rec ? rec->offset < pl->anchor_offset : end < 0))
			continue;
		lost = !rec || !is_anchor(pl, rec);
		pl->anchor_open = false;
		pro->n_anchors_open--;
		*ret_anchor = pl->anchor_offset;
		if (lost && !lane_rests(&off->lanes->lane[i]))
			return &off->lanes->lane[i];
	}
	return NULL;
}

int64_t
offsets_place(const struct partition *part, const struct lane *lane)
{
	const struct progress *pro = part->pipeline;
	const struct progress_lane *pl = &pro->lane[lane->index];

	if (pl->anchor_open)
		return pl->anchor_offset;
	return pl->start > pro->fed ? pl->start : pro->fed;
}

bool
offsets_is_last(const struct offsets *off, const struct partition *part,
		const struct lane *lane)
{
	const struct progress *pro = part->pipeline;

	if (lane_rests(lane) || !pro->lane[lane->index].reads)
		return false;
	for (unsigned i = 0; i < off->lanes->n; i++)
		if (pro->lane[i].reads && !lane_rests(&off->lanes->lane[i]) &&
		    offsets_place(part, &off->lanes->lane[i]) <
			    offsets_place(part, lane))
			return false;
	return true;
}

bool
offsets_has_fed(const struct partition *part, const struct lane *lane,
		int64_t offset)
{
	const struct progress *pro = part->pipeline;

	return offset <= pro->fed || offset <= pro->lane[lane->index].start;
}

void
offsets_add(struct offsets *off, struct record *rec)
{
	struct progress *pro = rec->partition->pipeline;

	if (pro->len == pro->cap) {
		size_t cap = pro->cap ? pro->cap * 2 : 64;
		struct record **ring = mem_calloc(cap, sizeof(*ring));

		for (size_t i = 0; i < pro->len; i++)
			ring[i] = pro->ring[(pro->head + i) % pro->cap];
		free(pro->ring);
		pro->ring = ring;
		pro->head = 0;
		pro->cap = cap;
	}
	pro->ring[(pro->head + pro->len++) % pro->cap] = rec;
	if (rec->offset >= pro->fed)
		pro->fed = rec->offset + 1;
	off->held++;
	off->held_bytes += record_bytes(rec);
}

void
offsets_done(struct offsets *off, struct record *rec)
{
	(void)off;
	assert(rec->pending > 0);
	rec->pending--;
}

static void
progress_settle(struct offsets *off, struct progress *pro)
{
	struct record *last = NULL;

	while (pro->len) {
		struct record *rec = pro->ring[pro->head];

		if (!rec->folded || rec->pending)
			break;
		if (last)
			record_release(last);
		last = progress_pop(off, pro);
	}
	if (!last)
		return;
	if (last->offset + 1 > pro->next)
		pro->next = last->offset + 1;
	pro->anchor_offset = last->offset;
	pro->anchor_timestamp_ms = last->timestamp_ms;
	pro->anchor_crc = record_crc(last);
	record_release(last);
}

void
offsets_settle(struct offsets *off)
{
	for (size_t i = 0; i < off->n; i++)
		progress_settle(off, off->parts[i]);
}

void
offsets_reached(struct offsets *off, const struct partition *part, int64_t end)
{
	struct progress *pro = part->pipeline;

	(void)off;
	if (!pro)
		return;
	if (end > pro->fed)
		pro->fed = end;
	if (pro->len == 0 && end > pro->next)
		pro->next = end;
}

size_t
offsets_held(const struct offsets *off)
{
	return off->held;
}

size_t
offsets_held_bytes(const struct offsets *off)
{
	return off->held_bytes;
}

static bool
row_is_due(const struct offsets *off, const struct progress *pro, unsigned lane)
{
	return pro->lane[lane].reads && pro->next > pro->lane[lane].sent &&
	       !lane_rests(&off->lanes->lane[lane]);
}

size_t
offsets_rows_due(const struct offsets *off)
{
	size_t n = 0;

	for (size_t i = 0; i < off->n; i++)
		for (unsigned l = 0; l < off->lanes->n; l++)
			n += row_is_due(off, off->parts[i], l);
	return n;
}

size_t
offsets_take_rows(struct offsets *off, struct store_checkpoint *rows,
		  size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < off->n; i++) {
		struct progress *pro = off->parts[i];

		for (unsigned l = 0; l < off->lanes->n && n < max; l++) {
			struct store_checkpoint *row = &rows[n];

			if (!row_is_due(off, pro, l))
				continue;
			memset(row, 0, sizeof(*row));
			memcpy(row->generation, off->lanes->lane[l].generation,
			       sizeof(row->generation));
			row->source = pro->part->source_index;
			row->next = pro->next;
			row->epoch = pro->lane[l].epoch;
			row->anchor_offset = pro->anchor_offset;
			row->anchor_timestamp_ms = pro->anchor_timestamp_ms;
			row->anchor_crc = pro->anchor_crc;
			pro->lane[l].sent = pro->next;
			n++;
		}
	}
	return n;
}

static void
row_done(struct progress *pro, unsigned lane, int64_t next, bool saved)
{
	struct progress_lane *pl = &pro->lane[lane];

	if (saved && next > pl->saved)
		pl->saved = next;
	if (!saved)
		pl->sent = pl->saved;
}

void
offsets_rows_done(struct offsets *off, const struct store_checkpoint *rows,
		  size_t n, bool saved)
{
	for (size_t r = 0; r < n; r++) {
		unsigned l = 0;

		while (l < off->lanes->n &&
		       strcmp(off->lanes->lane[l].generation,
			      rows[r].generation) != 0)
			l++;
		for (size_t i = 0; l < off->lanes->n && i < off->n; i++)
			if (off->parts[i]->part->source_index == rows[r].source)
				row_done(off->parts[i], l, rows[r].next, saved);
	}
}

bool
offsets_is_saved(const struct offsets *off)
{
	for (size_t i = 0; i < off->n; i++) {
		const struct progress *pro = off->parts[i];

		if (pro->len)
			return false;
		for (unsigned l = 0; l < off->lanes->n; l++)
			if (pro->lane[l].reads &&
			    pro->next > pro->lane[l].saved &&
			    !lane_rests(&off->lanes->lane[l]))
				return false;
	}
	return true;
}
