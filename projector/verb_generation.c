/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector generation list NAME: the generations of one projection.
 * projector generation promote NAME [GEN]: make one that is there live.
 * projector generation rollback NAME [GEN]: the one that was live before.
 * projector generation adopt NAME --reason TEXT: the running code for the live
 * one's documents, although other code made them.
 *
 * What becomes live is fed first, up to where no reader goes backward.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/clock.h"
#include "projector/candidate.h"
#include "projector/generation.h"
#include "projector/operator.h"
#include "projector/stop.h"
#include "projector/verbs.h"

struct scope {
	struct host host;
	struct store *store;
	struct store_session *ses;
	const struct module *mod;
	const char *name;
};

/* With the one module NAME. */
static int
scope_open(struct scope *s, const struct cli_args *args, bool read_only,
	   struct pj_error *err)
{
	memset(s, 0, sizeof(*s));
	if (host_open(args, &s->host, err))
		return -1;
	if (host_load_modules(&s->host, args->positional[0], err) ||
	    host_open_store(&s->host, read_only, &s->store, &s->ses, err)) {
		host_close(&s->host);
		return -1;
	}
	s->mod = s->host.modules[0];
	s->name = s->mod->desc->name;
	return 0;
}

static void
scope_close(struct scope *s)
{
	store_session_close(s->ses);
	store_close(s->store);
	host_close(&s->host);
}

/* ---- list -----------------------------------------------------------------
 */

static void
print_json(const struct scope *s, const struct store_generation *gen,
	   const struct store_live *live, const char *running)
{
	struct buf out = BUF_INIT;

	buf_printf(&out,
		   "{\"projection\":\"%s\",\"version\":%" PRId32
		   ",\"generation\":%" PRId32 ",\"live\":%s,\"previous\":%s"
		   ",\"state\":\"%s\",\"collection\":\"%s\",\"code\":\"%s\""
		   ",\"running\":%s,\"created\":",
		   s->name, gen->version, gen->number,
		   gen->number == live->number ? "true" : "false",
		   gen->number == live->previous ? "true" : "false",
		   generation_state_name(gen->state), gen->collection,
		   gen->code_hash,
		   strcmp(gen->code_hash, running) == 0 ? "true" : "false");
	bsonjson_date(&out, gen->created_at_ms);
	printf("%s}\n", out.data);
	buf_release(&out);
}

static void
print_text(const struct store_generation *gen, const struct store_live *live,
	   const char *running)
{
	struct buf created = BUF_INIT;

	bsonjson_date(&created, gen->created_at_ms);
	printf("%10" PRId32 " %7" PRId32
	       " %-8s %-9s %-12.12s %-7s %-24.*s %s\n",
	       gen->number, gen->version,
	       gen->number == live->number     ? "live"
	       : gen->number == live->previous ? "previous"
					       : "",
	       generation_state_name(gen->state), gen->code_hash,
	       strcmp(gen->code_hash, running) == 0 ? "yes" : "",
	       (int)created.len - 2, created.data + 1, gen->collection);
	buf_release(&created);
}

static int
list(const struct scope *s, bool json, struct pj_error *err)
{
	struct store_generation *rows;
	struct store_live live;
	char running[65];
	size_t n;

	if (generation_live(s->ses, s->name, &live, err) ||
	    store_generations(s->ses, &rows, &n, err))
		return -1;
	module_code_hash(s->mod, s->host.set, running);
	if (!json)
		printf("%10s %7s %-8s %-9s %-12s %-7s %-24s %s\n", "GENERATION",
		       "VERSION", "SERVED", "STATE", "CODE", "RUNNING",
		       "CREATED", "COLLECTION");
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].projection, s->name) != 0)
			continue;
		if (json)
			print_json(s, &rows[i], &live, running);
		else
			print_text(&rows[i], &live, running);
	}
	store_generations_free(rows, n);
	return fflush(stdout) ? pj_error_set(err, PJ_ERROR_FATAL,
					     "stdout: cannot write")
			      : 0;
}

int
verb_generation_list(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct scope s;
	int status = CLI_DONE;

	if (scope_open(&s, args, true, &err))
		return host_exit(&err);
	if (list(&s, cli_has(args, "--json"), &err))
		status = host_exit(&err);
	scope_close(&s);
	return status;
}

/* ---- promote, rollback ------------------------------------------------------
 */

/* GEN, or 0 when it is not given. Returns an exit status. */
static int
read_number(const struct cli_args *args, const char *verb, int32_t *ret_number)
{
	const char *text = args->n_positional > 1 ? args->positional[1] : NULL;
	long long number;
	char *end;

	*ret_number = 0;
	if (!text)
		return CLI_DONE;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end || *text < '1' || *text > '9' || number > INT32_MAX) {
		fprintf(stderr,
			"projector generation %s: GEN is '%s', but must be the "
			"number of a generation\n",
			verb, text);
		return CLI_USAGE;
	}
	*ret_number = (int32_t)number;
	return CLI_DONE;
}

/* The one to go back to; one that never was live is nothing to go back to. */
static int
check_was_live(const struct scope *s, int32_t number, struct pj_error *err)
{
	enum store_generation_state state = STORE_GEN_READY;
	struct store_generation *rows;
	size_t n;

	if (store_generations(s->ses, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == number &&
		    strcmp(rows[i].projection, s->name) == 0)
			state = rows[i].state;
	store_generations_free(rows, n);
	if (state == STORE_GEN_BUILDING)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "projection %s: generation %" PRId32
				    " has never been live; 'projector "
				    "generation promote %s %" PRId32
				    "' makes it so",
				    s->name, number, s->name, number);
	return 0;
}

static int
find_previous(const struct scope *s, const struct store_live *live,
	      int32_t *number, struct pj_error *err)
{
	if (*number == 0)
		*number = live->previous;
	if (*number == 0)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "projection %s: no generation was live "
				    "before %" PRId32,
				    s->name, live->number);
	return check_was_live(s, *number, err);
}

/* Which one it is, and what is live now. */
static int
choose(struct scope *s, struct candidate *cand, int32_t number, bool back,
       struct pj_error *err)
{
	struct store_live live;

	if (generation_live(s->ses, s->name, &live, err))
		return -1;
	cand->live = live.number;
	/*
	 * Live after a rollback: the same command once more must not go
	 * forward again to what somebody has just left.
	 */
	if (back && number == 0 && live.previous > live.number)
		number = live.number;
	if (back && find_previous(s, &live, &number, err))
		return -1;
	return generation_attach_number(s->ses, s->host.set, s->mod, number,
					&cand->lane, err);
}

static int
make_live(struct scope *s, const char *verb, int32_t number,
	  struct pj_error *err)
{
	struct candidate cand = {.host = &s->host,
				 .store = s->store,
				 .ses = s->ses,
				 .verb = verb};
	bool back = strcmp(verb, "rollback") == 0;
	int rc;

	do {
		rc = choose(s, &cand, number, back, err);
	} while (rc && host_waits(err));
	if (rc)
		return -1;
	if (cand.lane.number == cand.live) {
		fprintf(stderr, "%s %s: generation %" PRId32 " is live\n", verb,
			s->name, cand.live);
		return 0;
	}
	fprintf(stderr, "%s %s: from generation %" PRId32 " to %" PRId32 "\n",
		verb, s->name, cand.live, cand.lane.number);
	return candidate_run(&cand, err);
}

static int
run_make_live(const struct cli_args *args, const char *verb)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	int32_t number;
	struct scope s;
	int status = read_number(args, verb, &number);

	if (status != CLI_DONE)
		return status;
	if (scope_open(&s, args, false, &err))
		return host_exit(&err);
	if (stop_install(CLI_FATAL, &err) || make_live(&s, verb, number, &err))
		status = host_exit(&err);
	scope_close(&s);
	return status;
}

int
verb_generation_promote(const struct cli_args *args)
{
	return run_make_live(args, "promote");
}

int
verb_generation_rollback(const struct cli_args *args)
{
	return run_make_live(args, "rollback");
}

/* ---- adopt ------------------------------------------------------------------
 */

static int
adopt(struct scope *s, const char *reason, struct pj_error *err)
{
	char *by = operator_name();
	struct generation_adoption how = {
		.reason = reason,
		.by = by,
		.at_ms = clock_wall_ms(),
	};
	int32_t number;
	bool adopted;
	int rc = generation_adopt(s->ses, s->host.set, s->mod, &how, &number,
				  &adopted, err);

	free(by);
	if (rc == 0)
		fprintf(stderr,
			"adopt %s: the running code is %s generation %" PRId32
			"'s\n",
			s->name, adopted ? "now" : "already", number);
	return rc;
}

int
verb_generation_adopt(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	const char *reason = cli_value(args, "--reason");
	struct scope s;
	int status = CLI_DONE;

	if (!reason || !operator_is_reason(reason)) {
		fprintf(stderr,
			"projector generation adopt: --reason must be text of "
			"up to %d bytes: the audit keeps why the documents are "
			"taken to be the same\n",
			STORE_REQUEST_TEXT_MAX);
		return CLI_USAGE;
	}
	if (scope_open(&s, args, false, &err))
		return host_exit(&err);
	if (adopt(&s, reason, &err))
		status = host_exit(&err);
	scope_close(&s);
	return status;
}
