/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page: 200, 304, 404, 410, 412, 503.
 * Takes a routed request, gives a gather; the answer is put together of ready
 * entries when they are there, or have been waited for long enough.
 */
#include <string.h>

#include "queryapi/answer.h"
#include "queryapi/compress.h"
#include "queryapi/guard.h"
#include "queryapi/loop.h"
#include "queryapi/minimum.h"
#include "queryapi/page.h"
#include "queryapi/position.h"

/* A page being answered. */
struct page {
	struct gather *gat;
	struct exchange *ex;
	struct page_parts parts;
	struct snapshot_view view; /* but for the policy: the strictest */
	struct answer ans;
	struct entry *entries[SETTINGS_PARTS_MAX];
	int views[SETTINGS_PARTS_MAX]; /* of the entries */
	size_t n_entries;
};

static void
look_at(struct page *page, struct gather *gat, struct exchange *ex)
{
	static const struct policy none;
	struct policy *pol = &page->view.policy;

	memset(page, 0, sizeof(*page));
	page->gat = gat;
	page->ex = ex;
	page->parts = page_parts(gat);
	for (size_t i = 0; i < gat->n; i++) {
		const struct policy *part =
			gat->slots[i].view < 0 ? &none
					       : &gather_view(gat, i)->policy;

		if (i == 0)
			*pol = *part;
		else
			policy_narrow(pol, part);
		if (!gat->slots[i].entry)
			continue;
		page->views[page->n_entries] = gat->slots[i].view;
		page->entries[page->n_entries++] = gat->slots[i].entry;
	}
	policy_write(page->view.cache_control, pol);
	page->ans = (struct answer){&page->view,      &gat->cond, ex->how,
				    gat->n_stale > 0, gat->age_s, 0};
}

static void
answer_none(struct page *page, enum problem kind, const char *detail)
{
	(void)answer_problem(page->ex->res, page->entries, page->n_entries,
			     &page->ans, kind, detail);
}

/* No part has a document. */
static void
answer_nothing(struct page *page)
{
	const struct page_parts *n = &page->parts;

	if (n->late && page->ex->store_away)
		exchange_problem(page->ex, PROBLEM_STORE,
				 "the store is not reachable");
	else if (n->late)
		exchange_problem(page->ex, PROBLEM_TIMEOUT,
				 "the store did not answer in time");
	else if (n->deleted)
		answer_none(page, PROBLEM_DELETED,
			    "the page's documents were deleted");
	else if (n->absent)
		answer_none(page, PROBLEM_NOT_FOUND,
			    "no document of this key was ever seen in the "
			    "page's views");
	else
		answer_none(page, PROBLEM_PARKED,
			    "no document yet: this key has only parked "
			    "records");
}

/* Without a late part it is not the whole page: nobody keeps it, and it has no
 * position, which would be told of all parts. */
static void
write_fields(struct page *page)
{
	struct buf *fields = &page->ex->res->fields;

	if (page->parts.late)
		(void)strcpy(page->view.cache_control, "no-store");
	answer_policy(fields, &page->ans);
	if (!page->parts.late)
		(void)position_write_of(fields, page->entries, page->views,
					page->n_entries, page->gat->snap);
}

/* True when the conditions were answered (RFC 9110, 13.2.2). */
static bool
answer_conditions(struct page *page, const char *tag, const char *other)
{
	const struct conditions *cond = &page->gat->cond;
	struct http_response *res = page->ex->res;
	const char *match = NULL;

	if (cond->if_match.ptr &&
	    !etag_match_texts(tag, other, cond->if_match, true)) {
		answer_none(page, PROBLEM_PRECONDITION,
			    "the page is not at an entity tag of If-Match");
		return true;
	}
	/* A late part is to be had: no copy at hand is current. */
	if (cond->if_none_match.ptr && !page->parts.late)
		match = etag_match_texts(tag, other, cond->if_none_match,
					 false);
	if (!match)
		return false;
	res->status = 304;
	http_response_field(res, "ETag", "%s", match);
	write_fields(page);
	return true;
}

static size_t
bytes_of(const struct page *page)
{
	size_t bytes = 0;

	for (size_t i = 0; i < page->n_entries; i++)
		bytes += page->entries[i]->json.len;
	return bytes;
}

static void
answer_body(struct page *page, const char *tag, const char *gzip_tag)
{
	struct exchange *ex = page->ex;
	struct compress_tags tags = {tag, gzip_tag};

	if (page->parts.late)
		tags = (struct compress_tags){NULL, NULL};
	page_write_body(&ex->res->body, page->gat);
	ex->res->status = 200;
	ex->res->type = "application/json";
	write_fields(page);
	compress_response(ex, page->gat, &tags);
}

static void
finish(struct gather *gat, struct exchange *ex)
{
	char tag[PAGE_TAG_MAX], gzip_tag[PAGE_TAG_MAX];
	struct page page;
	bool gzip;

	look_at(&page, gat, ex);
	if (page.parts.late)
		metrics_count(&ex->loop->met->late);
	if (page.parts.found == 0) {
		answer_nothing(&page);
		return;
	}
	page_tag(tag, gat, false);
	page_tag(gzip_tag, gat, true);
	gzip = gat->cond.gzip && bytes_of(&page) >= ex->gzip_min_bytes;
	if (answer_conditions(&page, gzip ? gzip_tag : tag,
			      gzip ? tag : gzip_tag))
		return;
	if (bytes_of(&page) > ANSWER_MAX_BYTES)
		exchange_problem(ex, PROBLEM_INTERNAL,
				 "the page would be larger than 32 MiB: its "
				 "parts can be read one by one");
	else
		answer_body(&page, tag, gzip_tag);
}

static bool
has_minimum(struct exchange *ex, const struct settings_page *page)
{
	int views[SETTINGS_PARTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < page->n_parts; i++) {
		const char *name = page->parts[i];
		int view = snapshot_view(ex->snap, name, strlen(name));

		if (view >= 0)
			views[n++] = view;
	}
	return minimum_reached(ex, views, n);
}

const struct settings_page *
page_asked(struct exchange *ex)
{
	const struct settings_page *page =
		page_find(ex->loop->shared->set, ex->page);

	if (!exchange_takes_no_query(ex) || !exchange_key(ex))
		return NULL;
	if (!page) {
		exchange_problem(ex, PROBLEM_PAGE_NOT_FOUND,
				 "no page of this name");
		return NULL;
	}
	for (size_t i = 0; i < page->n_parts; i++)
		if (!guard_view(ex, (struct pj_str){page->parts[i],
						    strlen(page->parts[i])}))
			return NULL;
	return exchange_picture(ex) && has_minimum(ex, page) ? page : NULL;
}

/* Who has a version, or says what is to be in it, gets the newest; what one
 * part may not be, the page may not. */
static bool
may_be_before(const struct gather *gat, bool minimum)
{
	for (size_t i = 0; i < gat->n; i++)
		if (gat->slots[i].view >= 0 &&
		    !gather_view(gat, i)->policy.stale_while_revalidate_s)
			return false;
	return !minimum && !gat->cond.if_match.ptr &&
	       !gat->cond.if_none_match.ptr;
}

void
page_get(struct exchange *ex)
{
	const struct settings_page *page = page_asked(ex);
	struct conditions cond;

	if (!page)
		return;
	conditions_read(&cond, ex->req);
	ex->gather = page_gather(ex->loop, ex->snap, page, ex->key, &cond);
	ex->gather->exact = ex->minimum;
	ex->gather->before = may_be_before(ex->gather, ex->minimum);
	ex->gather->finish = finish;
}
