/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector parked retry NAME [KEY]: apply what is parked once more, in order.
 * projector parked discard NAME KEY --reason TEXT: give up the head of a queue;
 * what waits behind it is then applied.
 *
 * Both store requests and wait for the owner of the source to carry them out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "projector/operator.h"
#include "projector/parked_ask.h"
#include "projector/parked_print.h"
#include "projector/parked_scope.h"
#include "projector/verbs.h"

enum { WAIT_S = 30, WAIT_MAX_S = 24 * 3600 };

struct job_of_verb {
	const char *action;
	const struct parked_scope *scope;
	struct asks asks;
	bool json;
	size_t n_failed;
};

static bool
collect(void *arg, const struct parked_queue *queue)
{
	asks_add(arg, queue);
	return true;
}

/* ---- What is said ---------------------------------------------------------
 */

static const char *
state_name(const struct ask *ask, bool asked)
{
	if (!asked)
		return "dry-run";
	return ask->state == ASK_DONE	  ? "done"
	       : ask->state == ASK_FAILED ? "failed"
					  : "waiting";
}

static void
say_json(const struct job_of_verb *job, const struct ask *ask, bool asked)
{
	struct parked_print print = {.projection = job->scope->projection,
				     .number = job->scope->number};
	const char *result = ask->result ? ask->result : "";
	struct buf out = BUF_INIT;

	print_place_json(&out, &print, ask->key, ask->topic, ask->partition,
			 ask->offset);
	buf_printf(&out,
		   ",\"records\":%" PRId64
		   ",\"action\":\"%s\",\"state\":\"%s\",\"result\":",
		   ask->n, job->action, state_name(ask, asked));
	bsonjson_string(&out, result, strlen(result));
	buf_addstr(&out, "}\n");
	(void)fwrite(out.data, 1, out.len, stdout);
	buf_release(&out);
}

static void
say(const struct job_of_verb *job, const struct ask *ask, bool asked)
{
	struct buf out = BUF_INIT;

	if (job->json) {
		say_json(job, ask, asked);
		return;
	}
	buf_printf(&out, "%s%s ", asked ? "" : "would ", job->action);
	print_text(&out, ask->key);
	buf_printf(&out, " %s/%" PRId32 "@%" PRId64 " (%" PRId64 " record%s): ",
		   ask->topic, ask->partition, ask->offset, ask->n,
		   ask->n == 1 ? "" : "s");
	if (asked)
		buf_printf(&out, "%s%s%s\n", state_name(ask, true),
			   ask->result && *ask->result ? ": " : "",
			   ask->result ? ask->result : "");
	else
		buf_printf(&out, "parked for %s\n", ask->cause);
	(void)fwrite(out.data, 1, out.len, stdout);
	buf_release(&out);
}

static void
ended(void *arg, const struct ask *ask)
{
	struct job_of_verb *job = arg;

	job->n_failed += ask->state == ASK_FAILED;
	say(job, ask, true);
	(void)fflush(stdout);
}

static bool
is_source(const struct ask *a, const struct ask *b)
{
	return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

/* One line per source that something still waits for. */
static void
say_waiting(const struct asks *asks, size_t at)
{
	const struct ask *ask = &asks->ask[at];
	size_t n = 0, n_ended = 0;

	for (size_t i = 0; i < asks->n; i++) {
		if (!is_source(&asks->ask[i], ask))
			continue;
		if (asks->ask[i].state != ASK_WAITING)
			n_ended++;
		else if (n++ == 0 && i < at)
			return; /* said already */
	}
	if (n_ended)
		fprintf(stderr,
			"%zu of %s/%" PRId32
			" not done yet; the owner goes on with them\n",
			n, ask->topic, ask->partition);
	else
		fprintf(stderr,
			"no running projector owns %s/%" PRId32
			"; it is done when one runs\n",
			ask->topic, ask->partition);
}

/* ---- Asking ---------------------------------------------------------------
 */

/* Returns the exit status. */
static int
ask_owners(struct job_of_verb *job, const struct cli_args *args,
	   int64_t wait_ms, struct pj_error *err)
{
	const char *reason = cli_value(args, "--reason");
	char *by = operator_name();
	struct ask_wish wish = {
		.generation = job->scope->generation,
		.action = job->action,
		.reason = reason ? reason : "",
		.by = by,
	};
	struct asks *asks = &job->asks;
	size_t n_waiting = 0;
	int rc = asks_send(asks, &wish, job->scope->ses, err);

	if (rc == 0)
		rc = asks_wait(asks, job->scope->ses, wait_ms, ended, job, err);
	free(by);
	if (rc)
		return host_exit(err);
	for (size_t i = 0; i < asks->n; i++) {
		if (asks->ask[i].state != ASK_WAITING)
			continue;
		n_waiting++;
		say(job, &asks->ask[i], true);
		if (wait_ms > 0)
			say_waiting(asks, i);
	}
	if (parked_flush(err))
		return host_exit(err);
	/* Who does not wait wants to have asked, and has. */
	return job->n_failed || (n_waiting && wait_ms > 0) ? CLI_FATAL
							   : CLI_DONE;
}

static int
nothing_there(const struct job_of_verb *job, struct pj_error *err)
{
	const struct parked_filter *f = &job->scope->filter;

	/* Nothing at all is fine; a name that names nothing is a mistake. */
	if (!f->key)
		return CLI_DONE;
	(void)pj_error_set(err, PJ_ERROR_FATAL,
			   "%s: nothing is parked under '%s' that matches",
			   f->generation, f->key);
	return host_exit(err);
}

static int
act(struct job_of_verb *job, const struct cli_args *args, int64_t wait_ms,
    bool one, struct pj_error *err)
{
	const struct parked_scope *scope = job->scope;

	if (parked_list(scope->ses, &scope->filter, collect, &job->asks, err))
		return host_exit(err);
	if (job->asks.n == 0)
		return nothing_there(job, err);
	if (!cli_has(args, "--dry-run") && !(one && job->asks.n > 1))
		return ask_owners(job, args, wait_ms, err);
	for (size_t i = 0; i < job->asks.n; i++)
		say(job, &job->asks.ask[i], false);
	if (one && job->asks.n > 1)
		return parked_usage(job->action,
				    "'%s' has %zu queues: name one by --topic "
				    "and --partition, or give --all",
				    scope->filter.key, job->asks.n);
	return parked_flush(err) ? host_exit(err) : CLI_DONE;
}

static int
run(const struct cli_args *args, const char *action, bool one)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct job_of_verb job = {.action = action};
	struct parked_scope scope;
	int64_t wait_s = WAIT_S;
	int status;

	if (parked_number(args, action, "--wait", WAIT_MAX_S, &wait_s))
		return CLI_USAGE;
	status = parked_scope_open(&scope, args, action,
				   cli_has(args, "--dry-run"));
	if (status != CLI_DONE)
		return status;
	job.scope = &scope;
	job.json = cli_has(args, "--json");
	status = act(&job, args, wait_s * 1000, one, &err);
	asks_release(&job.asks);
	parked_scope_close(&scope);
	return status;
}

int
verb_parked_retry(const struct cli_args *args)
{
	return run(args, "retry", false);
}

int
verb_parked_discard(const struct cli_args *args)
{
	const char *reason = cli_value(args, "--reason");
	bool all = cli_has(args, "--all");

	if (!reason || !operator_is_reason(reason))
		return parked_usage("discard",
				    "--reason must be text of up to %d bytes: "
				    "the audit keeps why a record was given up",
				    STORE_REQUEST_TEXT_MAX);
	if (args->n_positional < 2 && !all)
		return parked_usage("discard", "a KEY is missing; --all means "
					       "the head of every queue that "
					       "matches");
	return run(args, "discard", !all);
}
