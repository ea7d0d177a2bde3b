/* SPDX-License-Identifier: Apache-2.0 */
/* projector list [--json]: projections and their generations. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "projector/generation.h"
#include "projector/host.h"
#include "projector/verbs.h"

static void
print_row(const struct store_generation *gen, bool live, bool json)
{
	if (json)
		printf("{\"projection\":\"%s\",\"version\":%" PRId32
		       ",\"generation\":%" PRId32
		       ",\"live\":%s,\"state\":\"%s\",\"collection\":\"%s\"}\n",
		       gen->projection, gen->version, gen->number,
		       live ? "true" : "false",
		       generation_state_name(gen->state), gen->collection);
	else
		printf("%-20s %7" PRId32 " %10" PRId32 " %-5s %-9s %s\n",
		       gen->projection, gen->version, gen->number,
		       live ? "yes" : "", generation_state_name(gen->state),
		       gen->collection);
}

/* Modules that have no generation yet are listed too: they can be run. */
static void
print_unstarted(const struct host *host, const struct store_generation *rows,
		size_t n, bool json)
{
	for (size_t m = 0; m < host->n_modules; m++) {
		const struct pj_projection *desc = host->modules[m]->desc;
		bool known = false;

		for (size_t i = 0; i < n && !known; i++)
			known = strcmp(rows[i].projection, desc->name) == 0;
		if (known)
			continue;
		if (json)
			printf("{\"projection\":\"%s\",\"version\":%" PRIu32
			       ",\"generation\":0,\"live\":false,\"state\":"
			       "\"none\",\"collection\":null}\n",
			       desc->name, desc->version);
		else
			printf("%-20s %7" PRIu32 " %10s %-5s %-9s -\n",
			       desc->name, desc->version, "-", "", "none");
	}
}

/* ses NULL: there is no store yet. */
static int
list(const struct host *host, struct store_session *ses, bool json,
     struct pj_error *err)
{
	struct store_generation *rows = NULL;
	struct store_live *live = NULL;
	size_t n = 0, n_live = 0;

	if (ses && store_generations(ses, &rows, &n, err))
		return -1;
	if (ses && store_live(ses, &live, &n_live, err)) {
		store_generations_free(rows, n);
		return -1;
	}
	if (!json)
		printf("%-20s %7s %10s %-5s %-9s %s\n", "PROJECTION", "VERSION",
		       "GENERATION", "LIVE", "STATE", "COLLECTION");
	for (size_t i = 0; i < n; i++)
		print_row(&rows[i], store_is_live(live, n_live, &rows[i]),
			  json);
	print_unstarted(host, rows, n, json);
	store_generations_free(rows, n);
	free(live);
	return 0;
}

int
verb_list(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct host host;
	struct store *store = NULL;
	struct store_session *ses = NULL;

	if (host_open(args, &host, &err))
		return host_exit(&err);
	if (host_load_modules(&host, NULL, &err) == 0 &&
	    (!host_has_store(&host) ||
	     host_open_store(&host, true, &store, &ses, &err) == 0))
		(void)list(&host, ses, cli_has(args, "--json"), &err);
	store_session_close(ses);
	store_close(store);
	host_close(&host);
	return host_exit(&err);
}
