/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector rebuild NAME: a new generation from the start of the topics, in a
 * collection of its own, while the live one goes on being fed and served by
 * whoever runs it; then it takes its place. Running processes and readers
 * follow. Killed, it goes on with the same generation at the next call.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "projector/candidate.h"
#include "projector/generation.h"
#include "projector/stop.h"
#include "projector/verbs.h"

static int
rebuild(struct candidate *cand, struct pj_error *err)
{
	const struct module *mod = cand->host->modules[0];
	bool resumed;
	int rc;

	do {
		rc = generation_attach_candidate(
			cand->ses, cand->host->set, mod, clock_wall_ms(),
			&cand->lane, &cand->live, &resumed, err);
	} while (rc && host_waits(err));
	if (rc)
		return -1;
	fprintf(stderr,
		"rebuild %s: %s generation %" PRId32 ", live is %" PRId32 "\n",
		mod->desc->name, resumed ? "going on with" : "new",
		cand->lane.number, cand->live);
	return candidate_run(cand, err);
}

int
verb_rebuild(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct candidate cand;
	struct host host;
	int status = CLI_DONE;

	memset(&cand, 0, sizeof(cand));
	cand.host = &host;
	cand.verb = "rebuild";
	if (host_open(args, &host, &err))
		return host_exit(&err);
	if (stop_install(CLI_FATAL, &err) ||
	    host_load_modules(&host, args->positional[0], &err) ||
	    host_open_store(&host, false, &cand.store, &cand.ses, &err) ||
	    rebuild(&cand, &err))
		status = host_exit(&err);
	store_session_close(cand.ses);
	store_close(cand.store);
	host_close(&host);
	return status;
}
