/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let through to what: tokens (tokens.h, auth.h), how often (rate.h),
 * and from pages of which origins (cors.h).
 *
 * Order: first how often, so that guessing a token is limited too; then who;
 * then what. A request with a good token counts for the token alone, every
 * other for its client's address.
 *
 * Tokens may be replaced at run time. Each loop holds the set it works with,
 * and looks at the beginning of every request whether there is another one:
 * one comparison, no lock.
 *
 * Ownership: made by server.c, outlives the loops; settings are borrowed.
 * Thread: any. One lock, a leaf.
 */
#ifndef QUERYAPI_GUARD_H
#define QUERYAPI_GUARD_H

#include "queryapi/routes.h"
#include "queryapi/tokens.h"

struct guard *
guard_new(const struct settings *set);
void
guard_free(struct guard *grd);

/* Takes the newest set. */
void
guard_update(struct guard *grd, struct tokens_hold *hold);
/* From now on these are the tokens; takes the settings, also when it fails.
 * Errors: CONFIG, none is left where there were some; the old ones stay. */
int
guard_replace_take(struct guard *grd, struct settings *set,
		   struct pj_error *err) __attribute__((warn_unused_result));
size_t
guard_count(struct guard *grd);

/* Whether requests need a token; then no answer may say "public". */
bool
guard_is_closed(const struct tokens_hold *hold);

/* Each false: ex->res is filled (401, 403, 429, or 400 for credentials that
 * are malformed). */
/* Sets ex->token, counts the request; once per request. */
bool
guard_enter(struct exchange *ex);
/* Is there a good token, where one is needed? */
bool
guard_identify(struct exchange *ex);
/* The view and the key of the path. */
bool
guard_path(struct exchange *ex);
/* One view of several. */
bool
guard_view(struct exchange *ex, struct pj_str view);
/* One key of several. */
bool
guard_key(struct exchange *ex, struct pj_str key);

#endif
