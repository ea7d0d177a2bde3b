/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens (RFC 6750): who asks, and what they may read.
 *
 * Only hashes are kept. A token is random and long (`queryapi token`), so that
 * one SHA-256 is enough; the hash of what came is compared with all of them in
 * constant time. Without any token configured everybody may read everything.
 *
 * Ownership: the settings are borrowed for the life of struct auth.
 * Thread: any; nothing changes after auth_new().
 */
#ifndef QUERYAPI_AUTH_H
#define QUERYAPI_AUTH_H

#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/settings.h"
#include "queryapi/http_request.h"

/* Random bytes of a token, and its text: "sv_" and base64url. */
enum { AUTH_TOKEN_BYTES = 32, AUTH_TOKEN_TEXT = 48, AUTH_HASH_TEXT = 65 };
/* The longest token that is looked at. */
enum { AUTH_TOKEN_MAX = 512 };

enum auth_result {
	AUTH_OK,
	AUTH_MISSING,	/* no Authorization, or another scheme */
	AUTH_MALFORMED, /* more than one, or no token68 behind Bearer */
	AUTH_UNKNOWN,	/* a token that is none of ours */
};

struct auth;

/* The hashes were checked by settings_load(). */
struct auth *
auth_new(const struct settings *set);
void
auth_free(struct auth *auth);
/* Whether there is any token. */
bool
auth_is_on(const struct auth *auth);
size_t
auth_count(const struct auth *auth);

/* OK: *ret_index is the token's place in the settings. */
enum auth_result
auth_check(const struct auth *auth, const struct http_request *req,
	   size_t *ret_index);

bool
auth_may_view(const struct settings_token *tok, struct pj_str view);
bool
auth_may_key(const struct settings_token *tok, struct pj_str key);

/* Makes a token and its hash; -1 when the system gives no random bytes. */
int
auth_make_token(char ret_text[AUTH_TOKEN_TEXT], char ret_hash[AUTH_HASH_TEXT])
	__attribute__((warn_unused_result));

#endif
