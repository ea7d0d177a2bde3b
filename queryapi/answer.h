/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is answered about one key: 200, 304, 404, 410, 412, from a ready entry.
 *
 * Thread: a loop.
 */
#ifndef QUERYAPI_ANSWER_H
#define QUERYAPI_ANSWER_H

#include "queryapi/conditions.h"
#include "queryapi/entry.h"
#include "queryapi/http_response.h"
#include "queryapi/problem.h"
#include "queryapi/snapshot.h"

struct answer {
	const struct snapshot_view *view;
	const struct conditions *cond;
	const struct http_reply *how;
	bool stale;    /* the store is away, or being asked (RFC 5861) */
	int64_t age_s; /* of a stale one */
	size_t set;    /* only this part (1 + its index); 0: the whole */
};

/*
 * Writes the whole response; the status. `ret_current` false: the entry ceased
 * to be the newest meanwhile, so that no checkpoint of then was told.
 */
int
answer_entry(struct buf *out, struct entry *ent, const struct answer *ans,
	     bool *ret_current);

/* Whether it would be a 304, of the whole or of a part. */
bool
answer_is_unchanged(const struct entry *ent, const struct conditions *cond,
		    size_t set);

/* An answer is in memory at once, so it is bounded. */
enum { ANSWER_MAX_BYTES = 32 << 20 };

/*
 * Makes *res the problem that is the answer about these entries: none, gone, or
 * not at the tag that was asked for. False: as above.
 */
bool
answer_problem(struct http_response *res, struct entry *const *entries,
	       size_t n, const struct answer *ans, enum problem kind,
	       const char *detail);

/* Appends Cache-Control, Vary, and for a stale one Age and Cache-Status, whole
 * lines. */
void
answer_policy(struct buf *out, const struct answer *ans);

/*
 * Whether an entry may be served while the store is away, and how old it then
 * is in seconds: documents within the view's stale-if-error, nothing else.
 */
bool
answer_may_be_stale(const struct entry *ent, const struct snapshot_view *view,
		    int64_t now_mono_ms, int64_t *ret_age_s);

/*
 * Whether an entry that is superseded may be served while the newer version is
 * read, and how old it then is in seconds: documents within the view's
 * stale-while-revalidate, for limit_ms at most.
 */
bool
answer_may_be_superseded(const struct entry *ent,
			 const struct snapshot_view *view, uint32_t limit_ms,
			 int64_t now_mono_ms, int64_t *ret_age_s);

#endif
