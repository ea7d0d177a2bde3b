/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: the documents of one key in several views, in one answer. Which views
 * is declared (settings: page "NAME" { parts = {…} }).
 *
 *	{"id":"s-1","parts":{"shop":{"revision":42,"document":{…}}},
 *	 "missing":{"review_summary":"absent"}}
 *
 * A page's gather has one slot per part, in the declared order. A slot without
 * an entry is late, or its view is in no picture yet: absent.
 *
 * Thread: a loop.
 */
#ifndef QUERYAPI_PAGE_H
#define QUERYAPI_PAGE_H

#include "lib/settings.h"
#include "queryapi/routes.h"

/* Quotes, eight times generation and revision, the page's mark. */
enum { PAGE_TAG_MAX = 320 };

/* NULL: there is no page of this name. */
const struct settings_page *
page_find(const struct settings *set, struct pj_str name);

/* Copies the key; takes over what cond owns. `finish` is the caller's. */
struct gather *
page_gather(struct loop *lp, struct snapshot *snap,
	    const struct settings_page *page, struct pj_str key,
	    struct conditions *cond);

/* What a finished gather has, by part. */
struct page_parts {
	size_t found, deleted, parked, absent, late;
};
struct page_parts
page_parts(const struct gather *gat);

/* Appends the body. */
void
page_write_body(struct buf *json, const struct gather *gat);

/*
 * The entity tag, quotes included: of each part "<generation>.<revision>", "x"
 * for an absent one, "p" for one that is absent with parked records, then a
 * mark of the declared parts, all joined by "_"; "-gzip" for that coding.
 * Strong: the same tag is the same bytes, also over a change of the settings.
 * "" when a part is late.
 */
void
page_tag(char out[PAGE_TAG_MAX], const struct gather *gat, bool gzip);

/* The same of one part alone: `"3.17"`; "" when it is late. */
void
page_part_tag(char out[PAGE_TAG_MAX], const struct gather *gat, size_t part);
/* Appends why the part is missing, a quoted word. */
void
page_write_missing(struct buf *json, const struct gather *gat, size_t part);

/* For handlers: the page of the path, with all that is asked of it looked at;
 * NULL: there is nothing more to be done for now. */
const struct settings_page *
page_asked(struct exchange *ex);

/* GET /v1/pages/{page}/{key} */
void
page_get(struct exchange *ex);

#endif
