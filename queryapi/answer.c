/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/answer.h"

#include <inttypes.h>
#include <string.h>

#include "queryapi/position.h"

static const char vary[] = "Vary: Accept-Encoding, Projection-Min-Position\r\n";

void
answer_policy(struct buf *out, const struct answer *ans)
{
	buf_addstr(out, "Cache-Control: ");
	buf_addstr(out, ans->view->cache_control);
	buf_add(out, "\r\n", 2);
	buf_add(out, vary, sizeof(vary) - 1);
	if (ans->stale)
		buf_printf(out,
			   "Age: %" PRId64 "\r\n"
			   "Cache-Status: shopview; hit; detail=stale\r\n",
			   ans->age_s);
}

bool
answer_problem(struct http_response *res, struct entry *const *entries,
	       size_t n, const struct answer *ans, enum problem kind,
	       const char *detail)
{
	problem_write(res, kind, ans->how->request_id, detail);
	if (kind != PROBLEM_PRECONDITION) {
		/* 404 and 410 may be kept as long as a document, but not
		 * served stale: the next event may be its first. */
		http_response_field(res, "Cache-Control",
				    "public, max-age=%" PRIu32,
				    ans->view->policy.max_age_s);
		buf_add(&res->fields, vary, sizeof(vary) - 1);
	}
	return position_write(&res->fields, entries, n);
}

static int
problem(struct buf *out, struct entry *ent, const struct answer *ans,
	enum problem kind, const char *detail, bool *ret_current)
{
	struct http_response res = HTTP_RESPONSE_INIT;
	int status;

	*ret_current = answer_problem(&res, &ent, 1, ans, kind, detail);
	buf_add(&res.fields, ent->parked.ptr, ent->parked.len);
	http_response_write(out, &res, ans->how);
	status = res.status;
	http_response_release(&res);
	return status;
}

/* What is sent of a document, and the tags it may be asked by. */
struct form {
	struct pj_str head, body;
	const char *tag, *other;
};

static struct form
form_of(const struct entry *ent, const struct conditions *cond, size_t set)
{
	bool gzip = cond->gzip && ent->gzip.ptr;
	const struct etag *tag = &ent->tag;
	struct form form = {gzip ? ent->gzip_head : ent->json_head,
			    gzip ? ent->gzip : ent->json,
			    gzip ? tag->gzip : tag->identity,
			    gzip ? tag->identity : tag->gzip};

	if (set) {
		const struct entry_set *part = &ent->sets[set - 1];

		form = (struct form){part->head, part->json, part->tag, ""};
	}
	return form;
}

/* Preconditions first (RFC 9110, 13.2.2), the body only when it is sent. */
static int
document(struct buf *out, struct entry *ent, const struct answer *ans,
	 bool *ret_current)
{
	const struct conditions *cond = ans->cond;
	const struct form form = form_of(ent, cond, ans->set);
	const char *match = NULL;

	if (cond->if_match.ptr &&
	    !etag_match_texts(form.tag, form.other, cond->if_match, true))
		return problem(out, ent, ans, PROBLEM_PRECONDITION,
			       "the document is not at an entity tag of "
			       "If-Match",
			       ret_current);
	if (cond->if_none_match.ptr)
		match = etag_match_texts(form.tag, form.other,
					 cond->if_none_match, false);
	buf_reserve(out, 1024 + form.head.len + (match ? 0 : form.body.len));
	http_head_begin(out, match ? 304 : 200, ans->how);
	if (match) {
		/* The tag that matched: it tells a cache which of its copies
		 * this is about. */
		buf_addstr(out, "ETag: ");
		buf_addstr(out, match);
		buf_add(out, "\r\n", 2);
	} else {
		buf_add(out, form.head.ptr, form.head.len);
	}
	answer_policy(out, ans);
	if (ent->parked.len)
		buf_add(out, ent->parked.ptr, ent->parked.len);
	*ret_current = position_write(out, &ent, 1);
	http_head_end(out, ans->how);
	if (!match && !ans->how->head_only)
		buf_add(out, form.body.ptr, form.body.len);
	return match ? 304 : 200;
}

int
answer_entry(struct buf *out, struct entry *ent, const struct answer *ans,
	     bool *ret_current)
{
	switch (ent->state) {
	case ENTRY_DOCUMENT:
		break;
	case ENTRY_DELETED:
		return problem(out, ent, ans, PROBLEM_DELETED,
			       "the document was deleted", ret_current);
	case ENTRY_PARKED:
		return problem(out, ent, ans, PROBLEM_PARKED,
			       "no document yet: this key has only parked "
			       "records",
			       ret_current);
	case ENTRY_ABSENT:
		return problem(out, ent, ans, PROBLEM_NOT_FOUND,
			       "no document of this key was ever seen",
			       ret_current);
	}
	return document(out, ent, ans, ret_current);
}

bool
answer_is_unchanged(const struct entry *ent, const struct conditions *cond,
		    size_t set)
{
	struct form form;

	if (ent->state != ENTRY_DOCUMENT || !cond->if_none_match.ptr)
		return false;
	form = form_of(ent, cond, set);
	return (!cond->if_match.ptr ||
		etag_match_texts(form.tag, form.other, cond->if_match, true)) &&
	       etag_match_texts(form.tag, form.other, cond->if_none_match,
				false);
}

bool
answer_may_be_stale(const struct entry *ent, const struct snapshot_view *view,
		    int64_t now_mono_ms, int64_t *ret_age_s)
{
	int64_t superseded = atomic_load(&ent->superseded_mono_ms);
	uint64_t since = atomic_load(&ent->since);
	int64_t at = atomic_load(&ent->at_mono_ms), proven;

	if (ent->state != ENTRY_DOCUMENT)
		return false;
	/* While it was followed it was the newest. */
	proven = atomic_load(&ent->served->proven_mono_ms);
	if (since && since == atomic_load(&ent->served->proven_since) &&
	    proven > at)
		at = proven;
	if (superseded && superseded < at)
		at = superseded;
	*ret_age_s = (now_mono_ms - at) / 1000;
	return view->policy.stale_if_error_s &&
	       *ret_age_s <= (int64_t)view->policy.stale_if_error_s;
}

bool
answer_may_be_superseded(const struct entry *ent,
			 const struct snapshot_view *view, uint32_t limit_ms,
			 int64_t now_mono_ms, int64_t *ret_age_s)
{
	int64_t at = atomic_load(&ent->superseded_mono_ms), age_ms;
	uint64_t since = atomic_load(&ent->since);

	if (!at || !since || since != atomic_load(&ent->served->since) ||
	    ent->state != ENTRY_DOCUMENT)
		return false;
	age_ms = now_mono_ms - at;
	*ret_age_s = age_ms / 1000;
	return age_ms < limit_ms &&
	       *ret_age_s < (int64_t)view->policy.stale_while_revalidate_s;
}
