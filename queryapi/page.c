/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a page consists of. Takes a gather of its parts, gives body and tag.
 * Next: page_get.c.
 */
#include "queryapi/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "queryapi/loop.h"

/* The gather's own; the settings outlive it. */
struct page_more {
	const struct settings_page *page;
};

static const struct settings_page *
page_of(const struct gather *gat)
{
	return ((const struct page_more *)gat->more)->page;
}

const struct settings_page *
page_find(const struct settings *set, struct pj_str name)
{
	for (size_t i = 0; i < set->n_pages; i++)
		if (str_is(name, set->pages[i].name))
			return &set->pages[i];
	return NULL;
}

struct gather *
page_gather(struct loop *lp, struct snapshot *snap,
	    const struct settings_page *page, struct pj_str key,
	    struct conditions *cond)
{
	struct gather *gat = gather_new(lp, snap, cond, page->n_parts, key.len);
	struct page_more *more = mem_alloc(sizeof(*more));

	more->page = page;
	gat->more = more;
	gat->patience_ms = lp->shared->set->queryapi.part_timeout_ms;
	memcpy(gat->key_bytes, key.ptr, key.len);
	for (size_t i = 0; i < gat->n; i++) {
		const char *view = page->parts[i];

		gat->slots[i].view = snapshot_view(snap, view, strlen(view));
		gat->slots[i].key = (struct pj_str){gat->key_bytes, key.len};
	}
	return gat;
}

/* ---- Parts ------------------------------------------------------------- */

enum part { PART_FOUND, PART_DELETED, PART_PARKED, PART_ABSENT, PART_LATE };

static enum part
part_of(const struct gather *gat, size_t i)
{
	const struct gather_slot *slot = &gat->slots[i];

	if (slot->view < 0)
		return PART_ABSENT;
	if (!slot->entry)
		return PART_LATE;
	switch (slot->entry->state) {
	case ENTRY_DOCUMENT:
		return PART_FOUND;
	case ENTRY_DELETED:
		return PART_DELETED;
	case ENTRY_PARKED:
		return PART_PARKED;
	default:
		return PART_ABSENT;
	}
}

struct page_parts
page_parts(const struct gather *gat)
{
	struct page_parts n = {0};

	for (size_t i = 0; i < gat->n; i++) {
		enum part part = part_of(gat, i);

		n.found += part == PART_FOUND;
		n.deleted += part == PART_DELETED;
		n.parked += part == PART_PARKED;
		n.absent += part == PART_ABSENT;
		n.late += part == PART_LATE;
	}
	return n;
}

static void
write_found(struct buf *json, const struct gather *gat)
{
	const struct settings_page *page = page_of(gat);
	const char *between = "";

	for (size_t i = 0; i < gat->n; i++) {
		const struct entry *ent = gat->slots[i].entry;

		if (part_of(gat, i) != PART_FOUND)
			continue;
		buf_printf(json,
			   "%s\"%s\":{\"revision\":%" PRId64 ",\"document\":",
			   between, page->parts[i], ent->revision);
		buf_add(json, ent->json.ptr, ent->json.len);
		buf_addch(json, '}');
		between = ",";
	}
}

void
page_write_missing(struct buf *json, const struct gather *gat, size_t part)
{
	static const char *const words[] = {[PART_DELETED] = "\"deleted\"",
					    [PART_PARKED] = "\"parked\"",
					    [PART_ABSENT] = "\"absent\"",
					    [PART_LATE] = "\"late\""};

	buf_addstr(json, words[part_of(gat, part)]);
}

static void
write_missing(struct buf *json, const struct gather *gat)
{
	const struct settings_page *page = page_of(gat);
	const char *between = "";

	for (size_t i = 0; i < gat->n; i++) {
		if (part_of(gat, i) == PART_FOUND)
			continue;
		buf_printf(json, "%s\"%s\":", between, page->parts[i]);
		page_write_missing(json, gat, i);
		between = ",";
	}
}

void
page_write_body(struct buf *json, const struct gather *gat)
{
	buf_addstr(json, "{\"id\":");
	bsonjson_string(json, gat->slots[0].key.ptr, gat->slots[0].key.len);
	buf_addstr(json, ",\"parts\":{");
	write_found(json, gat);
	buf_addstr(json, "},\"missing\":{");
	write_missing(json, gat);
	buf_addstr(json, "}}");
}

/* ---- The tag ----------------------------------------------------------- */

/* 32-bit FNV-1a of the parts' names. */
static uint32_t
mark_of(const struct settings_page *page)
{
	uint32_t hash = UINT32_C(0x811c9dc5);

	for (size_t i = 0; i < page->n_parts; i++)
		for (const char *p = page->parts[i];; p++) {
			hash = (hash ^ (unsigned char)*p) *
			       UINT32_C(0x01000193);
			if (!*p)
				break;
		}
	return hash;
}

static int
write_part(char *out, size_t room, const struct gather *gat, size_t i)
{
	switch (part_of(gat, i)) {
	case PART_FOUND:
	case PART_DELETED:
		return snprintf(out, room, "%" PRId32 ".%" PRId64,
				gather_view(gat, i)->generation,
				gat->slots[i].entry->revision);
	case PART_PARKED:
		return snprintf(out, room, "p");
	default:
		return snprintf(out, room, "x");
	}
}

void
page_part_tag(char out[PAGE_TAG_MAX], const struct gather *gat, size_t part)
{
	int len;

	out[0] = '\0';
	if (part_of(gat, part) == PART_LATE)
		return;
	out[0] = '"';
	len = write_part(out + 1, PAGE_TAG_MAX - 1, gat, part);
	(void)memcpy(out + 1 + len, "\"", sizeof("\""));
}

void
page_tag(char out[PAGE_TAG_MAX], const struct gather *gat, bool gzip)
{
	size_t len = 0;

	out[0] = '\0';
	if (page_parts(gat).late)
		return;
	out[len++] = '"';
	for (size_t i = 0; i < gat->n; i++) {
		len += (size_t)write_part(out + len, PAGE_TAG_MAX - len, gat,
					  i);
		out[len++] = '_';
	}
	(void)snprintf(out + len, PAGE_TAG_MAX - len, "%08" PRIx32 "%s\"",
		       mark_of(page_of(gat)), gzip ? "-gzip" : "");
}
