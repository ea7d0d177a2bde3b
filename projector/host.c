/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* realpath */
#include "projector/host.h"

#include <projector/contract.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/stop.h"

enum { WAIT_MS = 500 };

static const char DEFAULT_ZONE[] = "Asia/Seoul";

int
host_open(const struct cli_args *args, struct host *ret_host,
	  struct pj_error *err)
{
	memset(ret_host, 0, sizeof(*ret_host));
	if (settings_load(args->config, args->overrides, args->n_overrides,
			  &ret_host->set, err))
		return -1;
	log_setup("projector", ret_host->set->log.level,
		  ret_host->set->log.format);
	return 0;
}

int
host_open_bare(const struct cli_args *args, struct host *ret_host,
	       struct pj_error *err)
{
	struct cli_args bare = *args;

	if (!bare.config)
		bare.config = "/dev/null";
	return host_open(&bare, ret_host, err);
}

void
host_close(struct host *host)
{
	for (size_t i = 0; i < host->n_modules; i++)
		module_free(host->modules[i]);
	for (size_t i = 0; i < host->n_topics; i++)
		zone_free(host->zones[i]);
	free(host->zones);
	free(host->topics);
	free((void *)host->topic_names);
	settings_free(host->set);
	memset(host, 0, sizeof(*host));
}

static const struct settings_projection *
find_section(const struct settings *set, const char *name)
{
	for (size_t i = 0; i < set->n_projections; i++)
		if (strcmp(set->projections[i].name, name) == 0)
			return &set->projections[i];
	return NULL;
}

static int
load_module(struct host *host, const char *dir, const char *name,
	    struct pj_error *err)
{
	if (host->n_modules == LANES_MAX)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "more than %d projections", LANES_MAX);
	if (module_load(dir, name, find_section(host->set, name),
			&host->modules[host->n_modules], err))
		return -1;
	host->n_modules++;
	return 0;
}

/* Claims first: a copy would be refused for less than what it is. */
static int
load_modules(struct host *host, const char *dir, char *const *names, size_t n,
	     struct pj_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (module_check_claims(dir, names[i], err))
			return -1;
	for (size_t i = 0; i < n; i++)
		if (load_module(host, dir, names[i], err))
			return -1;
	return 0;
}

/* Those with a section, or all of the directory. */
static int
load_all(struct host *host, const char *dir, struct pj_error *err)
{
	const struct settings *set = host->set;
	char **names = NULL;
	size_t n = set->n_projections;
	int rc;

	if (n == 0 && module_names(dir, &names, &n, err))
		return -1;
	if (set->n_projections) {
		names = mem_calloc(n, sizeof(*names));
		for (size_t i = 0; i < n; i++)
			names[i] = mem_strdup(set->projections[i].name);
	}
	rc = load_modules(host, dir, names, n, err);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}

static const struct settings_topic *
find_topic(const struct settings *set, const char *name)
{
	for (size_t i = 0; i < set->n_topics; i++)
		if (strcmp(set->topics[i].name, name) == 0)
			return &set->topics[i];
	return NULL;
}

static int
by_topic_name(const void *a, const void *b)
{
	const struct decode_topic *x = a, *y = b;

	return strcmp(x->topic->name, y->topic->name);
}

/* Every topic once; two modules that bring different tables for one name are
 * told apart by their field and type counts. */
static int
collect_topics(struct host *host, struct pj_error *err)
{
	size_t cap = 0;

	for (size_t m = 0; m < host->n_modules; m++) {
		const struct pj_projection *desc = host->modules[m]->desc;

		for (const struct pj_reads *r = desc->reads; r->topic; r++) {
			const struct pj_topic *known = NULL;

			for (size_t i = 0; i < host->n_topics && !known; i++)
				if (!strcmp(host->topics[i].topic->name,
					    r->topic->name))
					known = host->topics[i].topic;
			if (known && known != r->topic)
				return pj_error_set(
					err, PJ_ERROR_CONFIG,
					"projection %s brings its own table "
					"for topic %s, which another module "
					"declares too",
					desc->name, known->name);
			if (known)
				continue;
			MEM_GROW(host->topics, host->n_topics, cap);
			host->topics[host->n_topics++] = (struct decode_topic){
				.topic = r->topic,
				.format = DECODE_ENVELOPE,
			};
		}
	}
	qsort(host->topics, host->n_topics, sizeof(*host->topics),
	      by_topic_name);
	return 0;
}

static int
configure_topics(struct host *host, struct pj_error *err)
{
	size_t n = host->n_topics;

	host->zones = mem_calloc(n, sizeof(struct zone *));
	host->topic_names = mem_calloc(n, sizeof(*host->topic_names));
	for (size_t i = 0; i < n; i++) {
		const char *name = host->topics[i].topic->name;
		const struct settings_topic *t = find_topic(host->set, name);

		host->topic_names[i] = name;
		if (zone_load(t ? t->zone : DEFAULT_ZONE, &host->zones[i], err))
			return pj_error_set(err, err->cls, "topic.%s: %s", name,
					    err->text);
		host->topics[i].zone = host->zones[i];
	}
	return 0;
}

/* A section for a topic that nobody could read is a slip of the pen. */
static int
check_topic_sections(const struct host *host, struct pj_error *err)
{
	const struct pj_topic *const contract[] = {
		&pj_topic_shop,	  &pj_topic_product, &pj_topic_price,
		&pj_topic_stock,  &pj_topic_order,   &pj_topic_delivery,
		&pj_topic_review, &pj_topic_coupon,
	};
	size_t n_contract = sizeof(contract) / sizeof(contract[0]);
	size_t n = n_contract + host->n_topics;
	const char **known = mem_calloc(n, sizeof(*known));
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		known[i] = i < n_contract ? contract[i]->name
					  : host->topic_names[i - n_contract];
	for (size_t i = 0; rc == 0 && i < host->set->n_topics; i++) {
		const char *name = host->set->topics[i].name;
		const char *near = cli_nearest(name, known, n);

		if (near && strcmp(near, name) == 0)
			continue;
		rc = pj_error_set(err, PJ_ERROR_CONFIG,
				  "topic \"%s\": no projection reads it%s%s%s",
				  name, near ? " (did you mean '" : "",
				  near ? near : "", near ? "'?)" : "");
	}
	free((void *)known);
	return rc;
}

int
host_load_modules(struct host *host, const char *only, struct pj_error *err)
{
	char *dir = module_dir(host->set->projector.modules);
	char *name = only ? mem_strdup(only) : NULL;
	int rc = only ? load_modules(host, dir, &name, 1, err)
		      : load_all(host, dir, err);

	free(name);
	free(dir);
	if (rc || collect_topics(host, err))
		return -1;
	if (configure_topics(host, err))
		return -1;
	/* With one module alone, the others' topics are not known. */
	return only ? 0 : check_topic_sections(host, err);
}

/* Borrows from the settings; the caller frees ret_source->properties. */
static void
source_settings(const struct settings *set, struct source_settings *ret_source)
{
	const char **properties = mem_calloc(set->source.n_properties + 1,
					     2 * sizeof(*properties));

	for (size_t i = 0; i < set->source.n_properties; i++) {
		properties[2 * i] = set->source.properties[i].name;
		properties[2 * i + 1] = set->source.properties[i].value;
	}
	*ret_source = (struct source_settings){
		.type = strcmp(set->source.type, "kafka") == 0 ? SOURCE_KAFKA
							       : SOURCE_ARCHIVE,
		.dir = set->source.dir,
		.brokers = set->source.brokers,
		.group = set->source.group,
		.topic_prefix = set->source.topic_prefix,
		.properties = properties,
	};
	if (set->source.instance_id && *set->source.instance_id)
		ret_source->instance_id = set->source.instance_id;
}

int
host_open_source_topics(const struct host *host, enum source_mode mode,
			const char *const *topics, size_t n,
			struct source **ret_source, struct pj_error *err)
{
	struct source_settings source;
	int rc;

	source_settings(host->set, &source);
	rc = source_open(&source, mode, topics, n, ret_source, err);
	free((void *)(uintptr_t)source.properties);
	return rc;
}

int
host_open_source(const struct host *host, enum source_mode mode,
		 struct source **ret_source, struct pj_error *err)
{
	return host_open_source_topics(host, mode, host->topic_names,
				       host->n_topics, ret_source, err);
}

int
host_open_deadletter(const struct host *host, struct deadletter **ret_dl,
		     struct pj_error *err)
{
	const char *topic = host->set->dead_letter.topic;
	struct source_settings source;
	int rc;

	*ret_dl = NULL;
	if (!*topic)
		return 0;
	/* Copies would be read, parked again, and copied again. */
	for (size_t i = 0; i < host->n_topics; i++)
		if (strcmp(host->topic_names[i], topic) == 0)
			return pj_error_set(err, PJ_ERROR_CONFIG,
					    "dead_letter.topic: %s is a topic "
					    "that projections read",
					    topic);
	source_settings(host->set, &source);
	rc = deadletter_open(&source, topic, ret_dl, err);
	free((void *)(uintptr_t)source.properties);
	return rc;
}

int
host_open_store(const struct host *host, bool read_only,
		struct store **ret_store, struct store_session **ret_session,
		struct pj_error *err)
{
	struct store_settings settings =
		settings_store(host->set, read_only, "projector");
	struct store *store;

	if (store_open(&settings, &store, err))
		return -1;
	if (store_session_open(store, ret_session, err)) {
		store_close(store);
		return -1;
	}
	*ret_store = store;
	return 0;
}

/* systemd gives directories separated by colons. */
static char *
state_dir(const char *setting)
{
	const char *given = getenv("STATE_DIRECTORY");
	size_t len = given ? strcspn(given, ":") : 0;

	if (*setting)
		return mem_strdup(setting);
	return len ? mem_strndup(given, len) : mem_strdup("./data/state");
}

/* What tells one store from another, whatever the way to it looks like. */
static char *
store_name(const struct settings *set)
{
	const char *at = strrchr(set->store.uri, '@');
	char *real, *name;

	if (set->store.type == STORE_MONGODB)
		return mem_printf("mongodb %s %s", set->store.database,
				  at ? at + 1 : set->store.uri);
	real = realpath(set->store.path, NULL);
	name = mem_printf("lmdb %s", real ? real : set->store.path);
	free(real);
	return name;
}

int
host_open_ledger(const struct host *host, struct ledger **ret_led,
		 struct pj_error *err)
{
	char *dir = state_dir(host->set->projector.state_dir);
	char *store = store_name(host->set);
	int rc = ledger_open(dir, store, ret_led, err);

	free(dir);
	free(store);
	return rc;
}

bool
host_has_store(const struct host *host)
{
	char *file;
	bool has;

	if (host->set->store.type != STORE_LMDB)
		return true;
	file = mem_printf("%s/data.mdb", host->set->store.path);
	has = access(file, F_OK) == 0 || errno != ENOENT;
	free(file);
	return has;
}

bool
host_waits(const struct pj_error *err)
{
	if (err->cls != PJ_ERROR_RETRY || stop_requested)
		return false;
	fprintf(stderr, "waiting: %s\n", err->text);
	clock_sleep_ms(WAIT_MS);
	return true;
}

int
host_exit(const struct pj_error *err)
{
	char text[2 * PJ_ERROR_TEXT];
	static const struct {
		int status;
		const char *event;
	} exits[] = {
		[PJ_ERROR_NONE] = {CLI_DONE, "done"},
		[PJ_ERROR_INPUT] = {CLI_FATAL, "input"},
		[PJ_ERROR_RETRY] = {CLI_FATAL, "unavailable"},
		[PJ_ERROR_CONFIG] = {CLI_CONFIG, "config"},
		[PJ_ERROR_STOP] = {CLI_STOP, "stop"},
		[PJ_ERROR_FATAL] = {CLI_FATAL, "fatal"},
	};

	if (err->cls != PJ_ERROR_NONE)
		log_error(exits[err->cls].event, "error=%s",
			  log_quote(text, sizeof(text), err->text,
				    strlen(err->text)));
	return exits[err->cls].status;
}
