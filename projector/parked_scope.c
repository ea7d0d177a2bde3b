/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/parked_scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/config.h"
#include "projector/generation.h"

int
parked_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "projector parked %s: ", verb);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_USAGE;
}

int
parked_number(const struct cli_args *args, const char *verb, const char *flag,
	      int64_t max, int64_t *ret_number)
{
	const char *text = cli_value(args, flag);
	long long number;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || number > max)
		return parked_usage(verb,
				    "%s is '%s', but must be a whole number "
				    "from 0 to %" PRId64,
				    flag, text, max);
	*ret_number = number;
	return 0;
}

/* "2h": the time that was so long ago. */
static int
read_ago(const struct cli_args *args, const char *verb, const char *flag,
	 int64_t *ret_at_ms)
{
	/* A hundred years. */
	static const struct config_key key = {
		.name = "ago",
		.type = CONFIG_MS,
		.max = UINT64_C(100) * 366 * 24 * 3600000,
	};
	const char *text = cli_value(args, flag);
	struct pj_error err;
	uint64_t ago_ms;
	char place[64];

	if (!text)
		return 0;
	(void)snprintf(place, sizeof(place), "projector parked %s", verb);
	if (config_number(&key, text, place, flag, &ago_ms, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return CLI_USAGE;
	}
	*ret_at_ms = clock_wall_ms() - (int64_t)ago_ms;
	return 0;
}

static int
read_filter(struct parked_scope *scope, const struct cli_args *args,
	    const char *verb)
{
	struct parked_filter *f = &scope->filter;
	int64_t partition = -1, number = 0;

	parked_filter_init(f, scope->generation);
	f->key = args->n_positional > 1 ? args->positional[1] : NULL;
	f->cause = cli_value(args, "--cause");
	f->topic = cli_value(args, "--topic");
	f->type = cli_value(args, "--type");
	if (parked_number(args, verb, "--partition", INT32_MAX, &partition) ||
	    parked_number(args, verb, "--generation", INT32_MAX, &number) ||
	    read_ago(args, verb, "--since", &f->since_at_ms) ||
	    read_ago(args, verb, "--before", &f->before_at_ms))
		return CLI_USAGE;
	f->partition = (int32_t)partition;
	scope->number = (int32_t)number;
	return CLI_DONE;
}

/* One that was asked for by its number has to be there. */
static int
check_generation(const struct parked_scope *scope, struct pj_error *err)
{
	struct store_generation *rows;
	bool found = false;
	size_t n;

	if (store_generations(scope->ses, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		found |= rows[i].number == scope->number &&
			 strcmp(rows[i].projection, scope->projection) == 0;
	store_generations_free(rows, n);
	return found ? 0
		     : pj_error_set(err, PJ_ERROR_FATAL,
				    "projection %s has no generation %" PRId32
				    " in this store",
				    scope->projection, scope->number);
}

static int
find_generation(struct parked_scope *scope, struct pj_error *err)
{
	const char *name = scope->projection;

	if (!readmodel_is_projection_name(name))
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "'%s' is no projection's name", name);
	if (scope->number ? check_generation(scope, err)
			  : generation_live_number(scope->ses, name,
						   &scope->number, err))
		return -1;
	if (scope->number == 0)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "projection %s has no live generation in "
				    "this store",
				    name);
	readmodel_generation_id(scope->generation, name, scope->number);
	return 0;
}

int
parked_scope_open(struct parked_scope *scope, const struct cli_args *args,
		  const char *verb, bool read_only)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};

	memset(scope, 0, sizeof(*scope));
	scope->projection = args->positional[0];
	if (read_filter(scope, args, verb))
		return CLI_USAGE;
	if (host_open(args, &scope->host, &err))
		return host_exit(&err);
	if (host_open_store(&scope->host, read_only, &scope->store, &scope->ses,
			    &err) ||
	    find_generation(scope, &err)) {
		parked_scope_close(scope);
		return host_exit(&err);
	}
	return CLI_DONE;
}

void
parked_scope_close(struct parked_scope *scope)
{
	store_session_close(scope->ses);
	store_close(scope->store);
	host_close(&scope->host);
}

int
parked_flush(struct pj_error *err)
{
	if (fflush(stdout) || ferror(stdout))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "stdout: cannot write");
	return 0;
}
