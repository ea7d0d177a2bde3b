/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of one reading of the configuration. Another reading makes another
 * set; who is in the middle of a request goes on with the one it has.
 *
 * Ownership: counted by references. Names are shared by all sets and stay for
 * as long as struct token_names: what is logged of a request may come after its
 * token has gone.
 * Thread: nothing changes but the buckets, which are anybody's; token_names
 * belongs to who makes the sets.
 */
#ifndef QUERYAPI_TOKENS_H
#define QUERYAPI_TOKENS_H

#include <stdatomic.h>
#include <stddef.h>

#include "lib/settings.h"
#include "queryapi/auth.h"
#include "queryapi/rate.h"

struct tokens {
	atomic_size_t refs;
	struct settings *own; /* NULL: borrowed */
	struct auth *auth;
	struct settings_token *list; /* as `auth` counts them */
	struct rate_bucket *buckets; /* one each */
	size_t n;
};

/* Every name there ever was; begins with zeros. */
struct token_names {
	char **all;
	size_t n;
};

/* The settings are borrowed. One reference, the caller's. */
struct tokens *
tokens_new(const struct settings *set, struct token_names *names);
/* The settings are the set's from now on. Who keeps its name keeps what it has
 * used of its rate. */
struct tokens *
tokens_new_take(struct settings *set, const struct tokens *before,
		struct token_names *names);
struct tokens *
tokens_ref(struct tokens *tks);
/* NULL is allowed. */
void
tokens_unref(struct tokens *tks);

/* A loop's own hold on the newest set (guard_update()); begins with zeros, ends
 * with tokens_unref(hold.tokens). */
struct tokens_hold {
	struct tokens *tokens;
	uint64_t serial;
};

/* No set may be left. */
void
token_names_release(struct token_names *names);

#endif
