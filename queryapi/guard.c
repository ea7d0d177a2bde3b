/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/guard.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queryapi/methods.h"

enum { NS = 1000000000 };

struct guard {
	struct rate_addresses *addresses;
	pthread_mutex_t lock; /* what follows, but of `serial` the reading */
	struct tokens *tokens;
	_Atomic uint64_t serial;
	struct token_names names;
};

struct guard *
guard_new(const struct settings *set)
{
	struct guard *grd = mem_calloc(1, sizeof(*grd));

	(void)pthread_mutex_init(&grd->lock, NULL);
	grd->tokens = tokens_new(set, &grd->names);
	atomic_init(&grd->serial, 1);
	grd->addresses = rate_addresses_new(set->queryapi.address_rate);
	return grd;
}

void
guard_free(struct guard *grd)
{
	if (!grd)
		return;
	tokens_unref(grd->tokens);
	token_names_release(&grd->names);
	rate_addresses_free(grd->addresses);
	(void)pthread_mutex_destroy(&grd->lock);
	free(grd);
}

void
guard_update(struct guard *grd, struct tokens_hold *hold)
{
	struct tokens *before;

	if (atomic_load_explicit(&grd->serial, memory_order_acquire) ==
	    hold->serial)
		return;
	(void)pthread_mutex_lock(&grd->lock);
	before = hold->tokens;
	hold->tokens = tokens_ref(grd->tokens);
	hold->serial = atomic_load(&grd->serial);
	(void)pthread_mutex_unlock(&grd->lock);
	tokens_unref(before);
}

int
guard_replace_take(struct guard *grd, struct settings *set,
		   struct pj_error *err)
{
	struct tokens *before;

	/* Half a file is a file without tokens, too. */
	if (grd->tokens->n && !set->n_tokens) {
		settings_free(set);
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "no token section is left: anybody could "
				    "read then, which takes a restart");
	}
	(void)pthread_mutex_lock(&grd->lock);
	before = grd->tokens;
	grd->tokens = tokens_new_take(set, before, &grd->names);
	(void)atomic_fetch_add(&grd->serial, 1);
	(void)pthread_mutex_unlock(&grd->lock);
	tokens_unref(before);
	return 0;
}

size_t
guard_count(struct guard *grd)
{
	size_t n;

	(void)pthread_mutex_lock(&grd->lock);
	n = grd->tokens->n;
	(void)pthread_mutex_unlock(&grd->lock);
	return n;
}

bool
guard_is_closed(const struct tokens_hold *hold)
{
	return hold->tokens->n > 0;
}

static bool
too_many(struct exchange *ex, int64_t wait_ns)
{
	exchange_problem(ex, PROBLEM_TOO_MANY,
			 ex->token ? "this token's rate is used up"
				   : "this address's rate is used up");
	http_response_field(ex->res, "Retry-After", "%" PRId64,
			    (wait_ns + NS - 1) / NS);
	return false;
}

bool
guard_enter(struct exchange *ex)
{
	struct guard *grd = ex->guard;
	struct tokens *tks = ex->tokens;
	int64_t now_ns, wait_ns;
	size_t i;

	ex->token = NULL;
	ex->auth = AUTH_OK;
	if (auth_is_on(tks->auth)) {
		ex->auth = auth_check(tks->auth, ex->req, &i);
		if (ex->auth == AUTH_OK)
			ex->token = &tks->list[i];
	}
	if (ex->counted || (!grd->addresses && !ex->token))
		return true;
	now_ns = rate_now_ns();
	wait_ns =
		ex->token
			? rate_take(&tks->buckets[i], ex->token->rate, now_ns)
			: rate_addresses_take(grd->addresses, ex->addr, now_ns);
	return wait_ns == 0 || too_many(ex, wait_ns);
}

/* RFC 6750, 3. */
bool
guard_identify(struct exchange *ex)
{
	static const struct {
		enum problem kind;
		const char *detail, *error;
	} answers[] = {
		[AUTH_MISSING] = {PROBLEM_UNAUTHORIZED,
				  "a bearer token is needed", ""},
		[AUTH_MALFORMED] = {PROBLEM_BAD_REQUEST,
				    "malformed Authorization",
				    ", error=\"invalid_request\""},
		[AUTH_UNKNOWN] = {PROBLEM_UNAUTHORIZED,
				  "the bearer token is not known",
				  ", error=\"invalid_token\""},
	};

	if (ex->auth == AUTH_OK)
		return true;
	exchange_problem(ex, answers[ex->auth].kind, answers[ex->auth].detail);
	http_response_field(ex->res, "WWW-Authenticate",
			    "Bearer realm=\"shopview\"%s",
			    answers[ex->auth].error);
	return false;
}

static bool
out_of_scope(struct exchange *ex, const char *detail)
{
	exchange_problem(ex, PROBLEM_FORBIDDEN, detail);
	http_response_field(ex->res, "WWW-Authenticate",
			    "Bearer realm=\"shopview\", "
			    "error=\"insufficient_scope\"");
	return false;
}

bool
guard_key(struct exchange *ex, struct pj_str key)
{
	if (!ex->token || auth_may_key(ex->token, key))
		return true;
	return out_of_scope(ex, "this token does not reach keys like this");
}

bool
guard_view(struct exchange *ex, struct pj_str view)
{
	if (!ex->token || auth_may_view(ex->token, view))
		return true;
	return out_of_scope(ex, "this token does not reach this view");
}

static bool
names_its_keys(const struct exchange *ex)
{
	for (size_t i = 0; i < ex->uri.n_params; i++)
		if (uri_is_named(&ex->uri.params[i], "ids"))
			return true;
	return false;
}

bool
guard_path(struct exchange *ex)
{
	if (!ex->token)
		return true;
	if (ex->view.len && !guard_view(ex, ex->view))
		return false;
	/* Whatever reads a view without naming keys could meet any of them. */
	if (ex->route == ROUTE_BATCH && *ex->token->key_prefix &&
	    method_of(ex->req) != METHOD_QUERY && !names_its_keys(ex))
		return out_of_scope(ex, "this token reads only keys that the "
					"request names");
	return !ex->key.len || guard_key(ex, ex->key);
}
