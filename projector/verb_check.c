/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector check: configuration, modules, log, topics, store. Changes nothing.
 * Every line says one thing that was looked at; the first fault decides the
 * exit status, the rest is still looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "projector/host.h"
#include "projector/verbs.h"

enum { ASK_MS = 5000 };

static void
keep_first(struct pj_error *first, const struct pj_error *err)
{
	printf("fault   %s\n", err->text);
	if (first->cls == PJ_ERROR_NONE)
		*first = *err;
}

static void
check_modules(const struct host *host)
{
	for (size_t i = 0; i < host->n_modules; i++)
		printf("ok      module %s version %" PRIu32 ": %s\n",
		       host->modules[i]->desc->name,
		       host->modules[i]->desc->version,
		       host->modules[i]->desc->summary);
}

static void
check_topics(const struct host *host, struct partition **parts, size_t n,
	     struct pj_error *first)
{
	for (size_t t = 0; t < host->n_topics; t++) {
		size_t n_parts = 0;
		struct pj_error err;

		for (size_t p = 0; p < n; p++)
			n_parts += strcmp(parts[p]->topic,
					  host->topic_names[t]) == 0;
		if (n_parts) {
			printf("ok      topic %s: %zu partitions\n",
			       host->topic_names[t], n_parts);
			continue;
		}
		(void)pj_error_set(&err, PJ_ERROR_FATAL,
				   "topic %s does not exist yet",
				   host->topic_names[t]);
		keep_first(first, &err);
	}
}

static void
check_log(const struct host *host, struct pj_error *first)
{
	struct source *source = NULL;
	struct partition **parts;
	struct pj_error err;
	size_t n;

	if (host_open_source(host, SOURCE_ALL, &source, &err) ||
	    source_partitions(source, ASK_MS, &parts, &n, &err)) {
		keep_first(first, &err);
	} else {
		printf("ok      source %s\n", host->set->source.type);
		check_topics(host, parts, n, first);
	}
	source_close(source);
}

static void
check_store(const struct host *host, struct pj_error *first)
{
	struct store *store = NULL;
	struct store_session *ses = NULL;
	struct pj_error err;

	if (!host_has_store(host)) {
		printf("ok      store lmdb: none yet at %s, the first run "
		       "makes it\n",
		       host->set->store.path);
		return;
	}
	if (host_open_store(host, true, &store, &ses, &err) ||
	    store_check(ses, &err))
		keep_first(first, &err);
	else
		printf("ok      store %s\n",
		       host->set->store.type == STORE_MONGODB ? "mongodb"
							      : "lmdb");
	store_session_close(ses);
	store_close(store);
}

int
verb_check(const struct cli_args *args)
{
	struct pj_error first = {.cls = PJ_ERROR_NONE}, err;
	struct host host;

	if (host_open(args, &host, &err))
		return host_exit(&err);
	printf("ok      configuration\n");
	if (host_load_modules(&host, NULL, &err)) {
		keep_first(&first, &err);
	} else {
		check_modules(&host);
		check_log(&host, &first);
		check_store(&host, &first);
	}
	host_close(&host);
	return host_exit(&first);
}
