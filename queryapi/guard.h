/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let through to what: tokens (auth.h), how often (rate.h), and from
 * pages of which origins (cors.h).
 *
 * Order: first how often, so that guessing a token is limited too; then who;
 * then what. A request with a good token counts for the token alone, every
 * other for its client's address.
 *
 * Ownership: made by server.c, outlives the loops; settings are borrowed.
 * Thread: any.
 */
#ifndef QUERYAPI_GUARD_H
#define QUERYAPI_GUARD_H

#include "queryapi/routes.h"

struct guard *
guard_new(const struct settings *set);
void
guard_free(struct guard *grd);

/* Whether requests need a token; then no answer may say "public". */
bool
guard_is_closed(const struct guard *grd);

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
/* One key of several. */
bool
guard_key(struct exchange *ex, struct pj_str key);

#endif
