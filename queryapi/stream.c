/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream says. Takes a gather of its parts, gives events.
 * Next: connection_stream.c sends them.
 */
#include "queryapi/stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"

/* ---- Begin and end ----------------------------------------------------- */

static struct stream *
stream_new(size_t n, struct pj_str key, struct pj_str last_id)
{
	struct stream *st =
		mem_calloc(1, sizeof(*st) + n * sizeof(st->watches[0]));

	st->n = n;
	st->key = (struct pj_str){mem_strndup(key.ptr, key.len), key.len};
	/* Of somebody else's it is never the id of what there is. */
	if (last_id.len < sizeof(st->last))
		memcpy(st->last, last_id.ptr, last_id.len);
	return st;
}

struct stream *
stream_new_view(struct pj_str view, struct pj_str key, struct pj_str last_id)
{
	struct stream *st = stream_new(1, key, last_id);

	st->view = mem_strndup(view.ptr, view.len);
	st->page.name = st->view;
	st->page.parts = &st->view;
	st->page.n_parts = 1;
	return st;
}

struct stream *
stream_new_page(const struct settings_page *page, struct pj_str key,
		struct pj_str last_id)
{
	struct stream *st = stream_new(page->n_parts, key, last_id);

	st->page = *page;
	return st;
}

void
stream_free(struct stream *st)
{
	free(st->view);
	free((char *)(uintptr_t)st->key.ptr);
	free(st);
}

struct gather *
stream_gather(const struct stream *st, struct loop *lp, struct snapshot *snap)
{
	struct conditions none = {0};

	return page_gather(lp, snap, &st->page, st->key, &none);
}

/* ---- Events ------------------------------------------------------------ */

static void
begin_event(struct buf *out, const char *type)
{
	if (type) {
		buf_addstr(out, "event: ");
		buf_addstr(out, type);
		buf_addch(out, '\n');
	}
	/* JSON as it is written here has no line breaks. */
	buf_addstr(out, "data: ");
}

static void
end_event(struct buf *out, const char *id)
{
	buf_addch(out, '\n');
	if (*id) {
		buf_addstr(out, "id: ");
		buf_addstr(out, id);
		buf_addch(out, '\n');
	}
	buf_addch(out, '\n');
}

static void
write_view(struct buf *out, const struct gather *gat, const char *id)
{
	const struct entry *ent = gat->slots[0].entry;

	if (page_parts(gat).found) {
		begin_event(out, NULL);
		buf_add(out, ent->json.ptr, ent->json.len);
	} else {
		begin_event(out, "missing");
		buf_addstr(out, "{\"id\":");
		bsonjson_string(out, gat->slots[0].key.ptr,
				gat->slots[0].key.len);
		buf_addstr(out, ",\"missing\":");
		page_write_missing(out, gat, 0);
		buf_addch(out, '}');
	}
	end_event(out, id);
}

static void
write_page(struct buf *out, const struct gather *gat, const char *id)
{
	begin_event(out, NULL);
	page_write_body(out, gat);
	end_event(out, id);
}

static void
write_part(struct buf *out, const struct stream *st, const struct gather *gat,
	   size_t i, const char *id)
{
	const struct entry *ent = gat->slots[i].entry;

	begin_event(out, "part");
	buf_printf(out, "{\"part\":\"%s\",", st->page.parts[i]);
	if (ent && ent->state == ENTRY_DOCUMENT) {
		buf_printf(out, "\"revision\":%" PRId64 ",\"document\":",
			   ent->revision);
		buf_add(out, ent->json.ptr, ent->json.len);
	} else {
		buf_addstr(out, "\"missing\":");
		page_write_missing(out, gat, i);
	}
	buf_addch(out, '}');
	end_event(out, id);
}

/* ---- What is newer ----------------------------------------------------- */

/* Takes what stands before the next '_' of two tags; false at both ends. */
static bool
next_piece(const char **a, const char **b, bool *ret_same)
{
	size_t len_a = strcspn(*a, "_"), len_b = strcspn(*b, "_");

	if (!**a || !**b)
		return false;
	*ret_same = len_a == len_b && memcmp(*a, *b, len_a) == 0;
	*a += len_a + ((*a)[len_a] == '_');
	*b += len_b + ((*b)[len_b] == '_');
	return true;
}

/* Which parts differ; false when they are not tags of the same parts. */
static bool
compare(const struct stream *st, const char *tag, bool *ret_differs,
	size_t *ret_last)
{
	const char *was = st->last;
	bool same;

	for (size_t i = 0; i < st->n; i++) {
		if (!next_piece(&was, &tag, &same))
			return false;
		ret_differs[i] = !same;
		if (!same)
			*ret_last = i;
	}
	/* The mark of the declared parts. */
	return *was && strcmp(was, tag) == 0;
}

/* Only behind the last of several everything the id names has been sent. */
static bool
write_parts(struct stream *st, struct buf *out, const struct gather *gat,
	    const char *tag)
{
	bool differs[SETTINGS_PARTS_MAX];
	size_t last = 0;

	if (!compare(st, tag, differs, &last))
		return false;
	for (size_t i = 0; i < st->n; i++)
		if (differs[i])
			write_part(out, st, gat, i, i == last ? tag : "");
	return true;
}

bool
stream_write(struct stream *st, struct buf *out, const struct gather *gat)
{
	char tag[PAGE_TAG_MAX];

	if (st->view)
		page_part_tag(tag, gat, 0);
	else
		page_tag(tag, gat, false);
	if (!*tag) {
		/* A part is late. The first look at a page is shown as it is;
		 * the rest waits until there is a whole one. */
		if (!st->view && !st->begun && !*st->last)
			write_page(out, gat, "");
		return false;
	}
	if (strcmp(tag, st->last) == 0)
		return true;
	if (st->view)
		write_view(out, gat, tag);
	else if (!write_parts(st, out, gat, tag))
		write_page(out, gat, tag);
	(void)memcpy(st->last, tag, strlen(tag) + 1);
	return true;
}
