/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs; signals, start and stop. Next: server.c. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/config.h"
#include "lib/log.h"
#include "lib/settings.h"
#include "queryapi/auth.h"
#include "queryapi/openapi.h"
#include "queryapi/server.h"
#include "queryapi/snapshot.h"

/* Descriptors beside the connections: listeners, loops, store, logs. */
enum { SPARE_DESCRIPTORS = 128 };

static int
exit_status(const struct pj_error *err)
{
	return err->cls == PJ_ERROR_CONFIG ? CLI_CONFIG : CLI_FATAL;
}

static int
fail(const struct pj_error *err)
{
	fprintf(stderr, "queryapi: %s\n", err->text);
	return exit_status(err);
}

static int
load(const struct cli_args *args, struct settings **ret_set)
{
	struct pj_error err;

	if (settings_load(args->config, args->overrides, args->n_overrides,
			  ret_set, &err) < 0)
		return fail(&err);
	log_setup("queryapi", (*ret_set)->log.level, (*ret_set)->log.format);
	return CLI_DONE;
}

/* ---- run --------------------------------------------------------------- */

static void
end_at_once(int sig)
{
	(void)sig;
	_exit(CLI_FATAL);
}

static void
set_handler(int sig, void (*handler)(int))
{
	struct sigaction act = {.sa_handler = handler};

	(void)sigaction(sig, &act, NULL);
}

/* As many descriptors as the connection limit asks for, if we may. */
static void
raise_limit(const struct settings *set)
{
	rlim_t want = (rlim_t)set->queryapi.max_connections + SPARE_DESCRIPTORS;
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur >= want)
		return;
	lim.rlim_cur = want < lim.rlim_max ? want : lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur < want)
		log_warn("limit",
			 "text=\"fewer descriptors than max_connections\" "
			 "descriptors=%llu",
			 (unsigned long long)lim.rlim_cur);
}

static void
reload(struct server *srv, const struct cli_args *args)
{
	char quoted[2 * PJ_ERROR_TEXT];
	struct settings *set = NULL;
	struct pj_error err;

	if (settings_load(args->config, args->overrides, args->n_overrides,
			  &set, &err) < 0)
		log_error("reload.refused", "text=%s",
			  log_quote(quoted, sizeof(quoted), err.text,
				    strlen(err.text)));
	server_reload_take(srv, set);
}

/* Serves until the first SIGTERM or SIGINT; the second ends the process. SIGHUP
 * has files read again. */
static void
serve(struct server *srv, const sigset_t *signals, const struct cli_args *args)
{
	int sig = 0;

	while (sigwait(signals, &sig) != 0 || sig == SIGHUP)
		if (sig == SIGHUP)
			reload(srv, args);
	log_info("stop", "signal=%d", sig);
	set_handler(SIGTERM, end_at_once);
	set_handler(SIGINT, end_at_once);
	set_handler(SIGHUP, SIG_IGN);
	(void)pthread_sigmask(SIG_UNBLOCK, signals, NULL);
	if (!server_stop(srv)) {
		log_warn("stop.stuck", "text=\"the store did not let go\"");
		_exit(CLI_DONE);
	}
	log_info("stopped", "connections=0");
}

static int
verb_run(const struct cli_args *args)
{
	struct settings *set = NULL;
	struct server *srv = NULL;
	struct pj_error err;
	char quoted[2 * PJ_ERROR_TEXT];
	sigset_t signals;
	int status = load(args, &set);

	if (status != CLI_DONE)
		return status;
	/* Blocked before there are threads, so that only serve() gets them. */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	set_handler(SIGPIPE, SIG_IGN);
	raise_limit(set);
	if (server_start(set, &srv, &err) < 0) {
		log_error("start.failed", "text=%s",
			  log_quote(quoted, sizeof(quoted), err.text,
				    strlen(err.text)));
		status = exit_status(&err);
	} else {
		serve(srv, &signals, args);
	}
	settings_free(set);
	return status;
}

/* ---- check, openapi ---------------------------------------------------- */

/* One look at the store, by hand. */
static int
look(const struct settings *set, struct snapshot **ret_snap,
     struct pj_error *err)
{
	struct store_settings how = settings_store(set, true, "shopview-check");
	struct store *store = NULL;
	struct store_session *ses = NULL;
	int rc = -1;

	if (store_open(&how, &store, err) < 0)
		return -1;
	if (store_session_open(store, &ses, err) == 0 &&
	    store_check(ses, err) == 0 &&
	    snapshot_read(ses, NULL, set, NULL, ret_snap, err) == 0)
		rc = 0;
	if (ses)
		store_session_close(ses);
	store_close(store);
	return rc;
}

/* A view may come later: until then its part is absent. */
static bool
check_page(const struct snapshot *snap, const struct settings_page *page)
{
	bool all = true;

	for (size_t i = 0; i < page->n_parts; i++) {
		const char *view = page->parts[i];

		if (snapshot_view(snap, view, strlen(view)) >= 0)
			continue;
		printf("fault   page %s: no view %s is live\n", page->name,
		       view);
		all = false;
	}
	if (all)
		printf("ok      page %s\n", page->name);
	return all;
}

static int
verb_check(const struct cli_args *args)
{
	struct settings *set = NULL;
	struct snapshot *snap = NULL;
	struct pj_error err;
	int status = load(args, &set);

	if (status != CLI_DONE)
		return status;
	printf("ok      settings\n");
	if (look(set, &snap, &err) < 0) {
		printf("fault   %s\n", err.text);
		status = exit_status(&err);
		goto out;
	}
	printf("ok      store\n");
	for (size_t v = 0; v < snap->n_views; v++)
		printf("%s view %s generation %" PRId32 " version %" PRId32
		       "%s\n",
		       snap->views[v].readable ? "ok     " : "fault  ",
		       snap->views[v].name, snap->views[v].generation,
		       snap->views[v].version,
		       snap->views[v].readable
			       ? ""
			       : ": the generation's description is no JSON "
				 "object");
	if (snap->n_views == 0) {
		printf("fault   no view has a live generation\n");
		status = CLI_FATAL;
	}
	for (size_t i = 0; i < set->n_pages; i++)
		if (!check_page(snap, &set->pages[i]))
			status = CLI_FATAL;
out:
	snapshot_unref(snap);
	settings_free(set);
	return status;
}

/* The server's own document is compact; this one is for reading. */
static char *
openapi_text(const struct snapshot *snap)
{
	json_t *root =
		json_loadb(snap->openapi.ptr, snap->openapi.len, 0, NULL);
	char *text = json_dumps(root, JSON_INDENT(2));

	json_decref(root);
	return text;
}

static int
verb_openapi(const struct cli_args *args)
{
	struct settings *set = NULL;
	struct snapshot *snap = NULL;
	struct pj_error err;
	char *text;
	int status = load(args, &set);

	if (status != CLI_DONE)
		return status;
	if (look(set, &snap, &err) < 0) {
		status = fail(&err);
	} else {
		text = openapi_text(snap);
		printf("%s\n", text);
		free(text);
	}
	snapshot_unref(snap);
	settings_free(set);
	return status;
}

/* Says the token once and keeps only its hash. */
static int
verb_token(const struct cli_args *args)
{
	char token[AUTH_TOKEN_TEXT], hash[AUTH_HASH_TEXT];
	const char *name = args->n_positional ? args->positional[0] : "NAME";

	if (!config_is_title(name)) {
		fprintf(stderr,
			"queryapi: '%s' is no name for a token: "
			"letters, digits, '.', '_' and '-'\n",
			name);
		return CLI_USAGE;
	}
	if (auth_make_token(token, hash) < 0) {
		fprintf(stderr, "queryapi: the system gives no random bytes\n");
		return CLI_FATAL;
	}
	printf("# Give this to the client; it is not kept anywhere:\n"
	       "# %s\n"
	       "token \"%s\" { sha256 = \"%s\" }\n",
	       token, name, hash);
	return CLI_DONE;
}

static int
verb_config(const struct cli_args *args)
{
	struct settings *set = NULL;
	int status;

	if (cli_has(args, "--reference")) {
		settings_reference(stdout);
		return CLI_DONE;
	}
	status = load(args, &set);
	if (status != CLI_DONE)
		return status;
	settings_print(set, stdout);
	settings_free(set);
	return CLI_DONE;
}

static const struct cli_flag config_flags[] = {
	{"--reference", NULL, "the reference of all settings, in Markdown"},
	{NULL, NULL, NULL},
};

static const struct cli_verb verbs[] = {
	{"run", "", "serve until stopped", NULL, 0, 0, verb_run, NULL},
	{"check", "", "look at configuration, store, views; changes nothing",
	 NULL, 0, 0, verb_check, NULL},
	{"config", "", "the effective configuration, secrets masked",
	 config_flags, 0, 0, verb_config, NULL},
	{"token", "[NAME]", "make a bearer token and its line of configuration",
	 NULL, 0, 1, verb_token, NULL},
	{"openapi", "", "the OpenAPI 3.1 document of the views", NULL, 0, 0,
	 verb_openapi, NULL},
	{NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};

int
main(int argc, char **argv)
{
	return cli_main("queryapi", "serves documents over HTTP", verbs, argc,
			argv);
}
