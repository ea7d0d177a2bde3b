/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector check: configuration, modules, store, log, topics. Changes nothing.
 * Every line says one thing that was looked at; the first fault decides the
 * exit status, the rest is still looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "projector/host.h"
#include "projector/topics.h"
#include "projector/verbs.h"

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

/* Before the first run nobody knows how many partitions the topic had. */
static int
known_partitions(struct store_session *ses, const struct source_topic *seen,
		 int32_t *ret_known, struct pj_error *err)
{
	*ret_known = 0;
	return ses ? store_topic_partitions(ses, seen->name, seen->n_partitions,
					    false, ret_known, err)
		   : 0;
}

static void
check_topic(const struct host *host, const struct source_topic *seen,
	    struct store_session *ses, struct pj_error *first)
{
	struct pj_error err;
	char room[400];
	int32_t known;

	if (seen->n_partitions == 0) {
		(void)pj_error_set(&err, PJ_ERROR_FATAL,
				   "topic %s does not exist yet", seen->name);
		keep_first(first, &err);
		return;
	}
	if (known_partitions(ses, seen, &known, &err) ||
	    topics_judge(seen, known, topics_accepted(host->set, seen->name),
			 &err))
		keep_first(first, &err);
	else
		printf("ok      topic %s: %" PRId32 " partitions\n", seen->name,
		       seen->n_partitions);
	for (unsigned w = 0; w < TOPIC_WARNINGS; w++) {
		const char *text = topics_warning(seen, (enum topic_warning)w,
						  room, sizeof(room));

		if (text)
			printf("warning topic %s: %s\n", seen->name, text);
	}
}

static void
check_log(const struct host *host, struct store_session *ses,
	  struct pj_error *first)
{
	struct source *source = NULL;
	const struct source_topic *topics;
	struct pj_error err;
	size_t n;

	if (host_open_source(host, SOURCE_ALL, &source, &err) ||
	    source_topics(source, TOPICS_ASK_MS, &topics, &n, &err)) {
		keep_first(first, &err);
	} else {
		printf("ok      source %s\n", host->set->source.type);
		for (size_t i = 0; i < n; i++)
			check_topic(host, &topics[i], ses, first);
	}
	source_close(source);
}

static void
check_deadletter(const struct host *host, struct pj_error *first)
{
	struct deadletter *dl;
	struct pj_error err;

	if (host_open_deadletter(host, &dl, &err))
		keep_first(first, &err);
	else if (dl)
		printf("ok      dead-letter topic %s\n",
		       host->set->dead_letter.topic);
	deadletter_close(dl);
}

/* Opens it when it is fit; else both stay NULL. */
static void
check_store(const struct host *host, struct store **ret_store,
	    struct store_session **ret_ses, struct pj_error *first)
{
	struct pj_error err;

	if (!host_has_store(host)) {
		printf("ok      store lmdb: none yet at %s, the first run "
		       "makes it\n",
		       host->set->store.path);
		return;
	}
	if (host_open_store(host, true, ret_store, ret_ses, &err)) {
		keep_first(first, &err);
		return;
	}
	if (store_check(*ret_ses, &err)) {
		keep_first(first, &err);
		store_session_close(*ret_ses);
		*ret_ses = NULL;
		return;
	}
	printf("ok      store %s\n",
	       host->set->store.type == STORE_MONGODB ? "mongodb" : "lmdb");
}

static void
check_all(const struct host *host, struct pj_error *first)
{
	struct store *store = NULL;
	struct store_session *ses = NULL;

	check_modules(host);
	check_store(host, &store, &ses, first);
	check_log(host, ses, first);
	check_deadletter(host, first);
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
		check_all(&host, &first);
	}
	host_close(&host);
	return host_exit(&first);
}
