/* SPDX-License-Identifier: Apache-2.0 */
/* projector run [--until-end]: every configured projection's live generation.
 */
#include <string.h>

#include "lib/log.h"
#include "projector/admin.h"
#include "projector/catchup.h"
#include "projector/host.h"
#include "projector/pipeline.h"
#include "projector/stop.h"
#include "projector/verbs.h"
#include "projector/watchdog.h"

enum { TICK_MS = 1000 };

/* What the admin listener shows, and where it comes from. */
struct showing {
	struct admin *adm; /* NULL: nobody looks */
	struct meter *met;
	struct catchup *second;
};

static int
tick(void *arg, struct pipeline *pipe, bool *ret_done, struct pj_error *err)
{
	struct showing *show = arg;
	struct figures *fig;

	(void)ret_done;
	(void)err;
	if (!show->adm)
		return 0;
	fig = meter_read(show->met, pipeline_core(pipe));
	catchup_add_figures(show->second, fig);
	fig->reading = pipeline_is_reading(pipe);
	fig->store_away = pipeline_store_is_away(pipe);
	admin_publish_take(show->adm, fig);
	return 0;
}

/* Projecting goes on without it. */
static void
open_admin(struct showing *show, const char *address)
{
	char bound[ADMIN_ADDRESS_MAX], text[2 * PJ_ERROR_TEXT];
	struct pj_error err;

	if (!*address)
		return;
	if (admin_open(address, &show->adm, bound, &err)) {
		log_warn("listen.failed", "listener=admin error=%s",
			 log_quote(text, sizeof(text), err.text,
				   strlen(err.text)));
		return;
	}
	log_info("listen", "listener=admin address=%s", bound);
}

static void
point_lanes(const struct host *host, struct lanes *lanes)
{
	memset(lanes, 0, sizeof(*lanes));
	for (size_t i = 0; i < host->n_modules; i++) {
		lanes->lane[i].mod = host->modules[i];
		lanes->lane[i].index = lanes->n++;
	}
}

static int
run(struct host *host, bool until_end, struct pj_error *err)
{
	struct store *store = NULL;
	struct store_session *ses = NULL;
	struct source *source = NULL;
	struct ledger *ledger = NULL;
	struct watchdog *dog = NULL;
	struct deadletter *dead = NULL;
	struct showing show = {NULL, NULL, NULL};
	struct lanes lanes;
	struct pipeline_settings settings;
	int rc = -1;

	if (host_load_modules(host, NULL, err) ||
	    host_open_store(host, false, &store, &ses, err) ||
	    host_open_ledger(host, &ledger, err) ||
	    watchdog_start(ledger, host->set->projector.fold_cpu_ms, &dog,
			   err) ||
	    host_open_source(host, SOURCE_SHARE, &source, err) ||
	    host_open_deadletter(host, &dead, err))
		goto out;
	point_lanes(host, &lanes);
	show.second = catchup_new(host, store, &stop_requested);
	settings = (struct pipeline_settings){
		.set = host->set,
		.store = store,
		.session = ses,
		.source = source,
		.ledger = ledger,
		.deadletter = dead,
		.catchup = show.second,
		.lanes = &lanes,
		.topics = host->topics,
		.n_topics = host->n_topics,
		.until_end = until_end,
		.follow_live = true,
		.tick = tick,
		.arg = &show,
		.tick_ms = TICK_MS,
		.stop = &stop_requested,
	};
	log_info("start", "projections=%u topics=%zu source=%s store=%s",
		 lanes.n, host->n_topics, host->set->source.type,
		 host->set->store.type == STORE_MONGODB ? "mongodb" : "lmdb");
	show.met = meter_new(&lanes, source);
	open_admin(&show, host->set->projector.admin_listen);
	rc = pipeline_run(&settings, err);
out:
	admin_close(show.adm);
	meter_free(show.met);
	catchup_free(show.second);
	watchdog_stop(dog);
	ledger_close(ledger);
	deadletter_close(dead);
	source_close(source);
	store_session_close(ses);
	store_close(store);
	return rc;
}

int
verb_run(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct host host;

	if (host_open(args, &host, &err))
		return host_exit(&err);
	if (stop_install(CLI_DONE, &err) == 0)
		(void)run(&host, cli_has(args, "--until-end"), &err);
	host_close(&host);
	return host_exit(&err);
}
