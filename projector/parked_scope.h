/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every 'projector parked' verb starts from: a generation of a projection
 * in the store, and the queues that the command line names.
 *
 * Thread: main.
 */
#ifndef PROJECTOR_PARKED_SCOPE_H
#define PROJECTOR_PARKED_SCOPE_H

#include "lib/readmodel.h"
#include "projector/host.h"
#include "projector/parked_list.h"

struct parked_scope {
	struct host host;
	struct store *store;
	struct store_session *ses;
	const char *projection;
	int32_t number; /* of the generation */
	char generation[READMODEL_GENERATION_ID_MAX];
	struct parked_filter filter;
};

/*
 * Reads NAME, KEY and the filters, opens the store and finds the generation
 * (--generation, else the live one). Returns the exit status, CLI_DONE when all
 * is well; else it said why and nothing is open. verb: for what is said.
 */
int
parked_scope_open(struct parked_scope *scope, const struct cli_args *args,
		  const char *verb, bool read_only);
void
parked_scope_close(struct parked_scope *scope);

/* "projector parked VERB: …" on stderr; returns CLI_USAGE. */
int
parked_usage(const char *verb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole number from 0 to max; else it says so. */
int
parked_number(const struct cli_args *args, const char *verb, const char *flag,
	      int64_t max, int64_t *ret_number)
	__attribute__((warn_unused_result));

/* Whole lines are out, or *err says that they are not. */
int
parked_flush(struct pj_error *err) __attribute__((warn_unused_result));

#endif
