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

/* The newest offset of the source that this entry surely contains; -1: none. */
static int64_t
contained(const struct entry *ent, int32_t source, bool current)
{
	int64_t offset = current ? served_next(ent->served, source) - 1 : -1;

	for (size_t i = 0; i < ent->n_positions; i++)
		if (ent->positions[i].source == source &&
		    ent->positions[i].offset > offset)
			return ent->positions[i].offset;
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
least_of(const struct entries *of, int32_t source, const bool *current)
{
	int64_t least = INT64_MAX;

	for (size_t m = 0; m < of->n; m++) {
		int64_t has;

		if (of->snap &&
		    !snapshot_reads_topic(of->snap, of->views[m], source))
			continue;
		has = contained(of->at[m], source, current[m]);
		least = has < least ? has : least;
	}
	return least;
}

static void
write_list(struct buf *out, const struct entries *of, const bool *current)
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
			least = least_of(of, pos->source, current);
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

/* True when none of those that counted as current had ceased to be it. */
static bool
still_current(struct entry *const *entries, size_t n, const bool *current)
{
	for (size_t i = 0; i < n; i++)
		if (current[i] && !entry_is_current(entries[i]))
			return false;
	return true;
}

static bool
write_current(struct buf *out, const struct entries *of)
{
	struct entry *const *entries = of->at;
	size_t n = of->n;
	bool current[POSITION_ENTRIES_MAX] = {false}, all;
	size_t from = out->len;

	do {
		all = true;
		for (size_t i = 0; i < n; i++) {
			current[i] = entry_is_current(entries[i]);
			all &= current[i];
		}
		out->len = from;
		write_list(out, of, current);
	} while (!still_current(entries, n, current));
	return all;
}

bool
position_write(struct buf *out, struct entry *const *entries, size_t n)
{
	return write_current(out, &(struct entries){.at = entries, .n = n});
}

bool
position_write_of(struct buf *out, struct entry *const *entries,
		  const int *views, size_t n, const struct snapshot *snap)
{
	return write_current(out, &(struct entries){entries, n, views, snap});
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
