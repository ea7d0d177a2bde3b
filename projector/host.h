/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every verb of the projector starts from: settings, the modules that run,
 * the topics they read and how those are decoded.
 *
 * Ownership: host_close() releases all. Errors: CONFIG; STOP where said.
 */
#ifndef PROJECTOR_HOST_H
#define PROJECTOR_HOST_H

#include <projector/error.h>

#include "lib/cli.h"
#include "lib/settings.h"
#include "projector/deadletter.h"
#include "projector/decode.h"
#include "projector/lane.h"
#include "projector/ledger.h"
#include "projector/module.h"
#include "projector/source.h"

struct host {
	struct settings *set;
	struct module *modules[LANES_MAX];
	size_t n_modules;
	/* Topics some module reads, ascending by name; names[i] = topics[i]. */
	struct decode_topic *topics;
	const char **topic_names;
	size_t n_topics;
	struct zone **zones; /* of topics[i] */
};

/* Settings (from -c and -s) and logging only. */
int
host_open(const struct cli_args *args, struct host *ret_host,
	  struct pj_error *err) __attribute__((warn_unused_result));
/* Without any file: the defaults and what -s says. */
int
host_open_bare(const struct cli_args *args, struct host *ret_host,
	       struct pj_error *err) __attribute__((warn_unused_result));
void
host_close(struct host *host);

/*
 * The configured modules, or all there are; with `only`, that one alone. Then
 * their topics. STOP: two files of the directory bring one of them.
 */
int
host_load_modules(struct host *host, const char *only, struct pj_error *err)
	__attribute__((warn_unused_result));

/* The source as configured, for the topics of the loaded modules. */
int
host_open_source(const struct host *host, enum source_mode mode,
		 struct source **ret_source, struct pj_error *err)
	__attribute__((warn_unused_result));
/* The same for topics named on the command line. */
int
host_open_source_topics(const struct host *host, enum source_mode mode,
			const char *const *topics, size_t n,
			struct source **ret_source, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * The dead-letter topic as configured, *ret_dl NULL: none. After the modules
 * are loaded: a topic they read cannot be it.
 */
int
host_open_deadletter(const struct host *host, struct deadletter **ret_dl,
		     struct pj_error *err) __attribute__((warn_unused_result));

/* The store as configured. */
int
host_open_store(const struct host *host, bool read_only,
		struct store **ret_store, struct store_session **ret_session,
		struct pj_error *err) __attribute__((warn_unused_result));

/*
 * The crash ledger as configured, for the configured store (which is open
 * already).
 */
int
host_open_ledger(const struct host *host, struct ledger **ret_led,
		 struct pj_error *err) __attribute__((warn_unused_result));

/*
 * False when the store is embedded and nothing was ever written: that is no
 * fault, the first run makes it.
 */
bool
host_has_store(const struct host *host);

/*
 * An outage: says so on stderr, waits a little and returns true. False: *err
 * is none, or a signal came.
 */
bool
host_waits(const struct pj_error *err);

/* Prints the error (log line when logging, else text) → exit status. */
int
host_exit(const struct pj_error *err);

#endif
