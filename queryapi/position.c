/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/position.h"

/* A partition each would make a header that proxies refuse (8 KB); what is told
 * is true without the rest. */
enum { POSITION_BYTES_MAX = 4096 };

/* Whose position it is. */
struct entries {
	struct entry *const *at;
	size_t n;
	const int *views;
	const struct snapshot *snap; /* NULL: all are of one view */
};

/* At least that; what it is now. */
static int64_t
rise(_Atomic int64_t *offset, int64_t least)
{
	int64_t was = atomic_load_explicit(offset, memory_order_relaxed);

	while (was < least)
		if (atomic_compare_exchange_weak_explicit(offset, &was, least,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return least;
	return was;
}

/*
 * The newest offset of the source that this entry surely contains; -1: none.
 * The entry keeps it: it may be served once more when it is not current, and
 * nobody is to be told less than before.
 */
static int64_t
contained(struct entry *ent, int32_t source)
{
	int64_t offset = served_next(ent->served, source) - 1;

	/* Behind the checkpoint: see served.h. */
	if (!entry_is_current(ent))
		offset = -1;
	for (size_t i = 0; i < ent->n_positions; i++)
		if (ent->positions[i].source == source)
			return rise(&ent->positions[i].offset, offset);
	return offset;
}

static bool
told_before(struct entry *const *entries, size_t upto, int32_t source)
{
	for (size_t i = 0; i < upto; i++)
		for (size_t k = 0; k < entries[i]->n_positions; k++)
			if (entries[i]->positions[k].source == source)
				return true;
	return false;
}

/* The smallest of what the entries surely contain of the source. */
static int64_t
least_of(const struct entries *of, int32_t source)
{
	int64_t least = INT64_MAX;

	for (size_t m = 0; m < of->n; m++) {
		int64_t has;

		if (of->snap &&
		    !snapshot_reads_topic(of->snap, of->views[m], source))
			continue;
		has = contained(of->at[m], source);
		least = has < least ? has : least;
	}
	return least;
}

static void
write_list(struct buf *out, const struct entries *of)
{
	struct entry *const *entries = of->at;
	static const char name[] = "Projection-Position: ";
	size_t from = out->len;

	for (size_t i = 0; i < of->n; i++) {
		for (size_t k = 0; k < entries[i]->n_positions; k++) {
			const struct entry_position *pos =
				&entries[i]->positions[k];
			int64_t least;

			if (out->len - from > POSITION_BYTES_MAX)
				break;
			if (i && told_before(entries, i, pos->source))
				continue;
			least = least_of(of, pos->source);
			if (least < 0 || least == INT64_MAX)
				continue;
			buf_addstr(out, out->len == from ? name : ", ");
			buf_addch(out, '"');
			buf_add(out, pos->name.ptr, pos->name.len);
			buf_addch(out, '@');
			buf_addint(out, least);
			buf_addch(out, '"');
		}
	}
	if (out->len > from)
		buf_add(out, "\r\n", 2);
}

static bool
are_current(const struct entries *of)
{
	for (size_t i = 0; i < of->n; i++)
		if (!entry_is_current(of->at[i]))
			return false;
	return true;
}

bool
position_write(struct buf *out, struct entry *const *entries, size_t n)
{
	return position_write_of(out, entries, NULL, n, NULL);
}

bool
position_write_of(struct buf *out, struct entry *const *entries,
		  const int *views, size_t n, const struct snapshot *snap)
{
	const struct entries of = {entries, n, views, snap};

	write_list(out, &of);
	return are_current(&of);
}

void
position_add(struct buf *list, const struct store_source_row *row,
	     int64_t offset)
{
	buf_addstr(list, list->len ? ", \"" : "\"");
	buf_addstr(list, row->topic);
	buf_addch(list, '/');
	buf_addint(list, row->partition);
	buf_addch(list, '@');
	buf_addint(list, offset);
	buf_addch(list, '"');
}
