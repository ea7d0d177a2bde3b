/* SPDX-License-Identifier: Apache-2.0 */
/* projector run [--until-end]: every configured projection's live generation. */
#include <string.h>

#include "lib/log.h"
#include "projector/host.h"
#include "projector/pipeline.h"
#include "projector/stop.h"
#include "projector/verbs.h"

enum { TICK_MS = 1000 };

static int
run(struct host *host, bool until_end, struct pj_error *err)
{
	struct store *store = NULL;
	struct store_session *ses = NULL;
	struct source *source = NULL;
	struct lanes lanes;
	struct pipeline_settings settings;
	int rc = -1;

	memset(&lanes, 0, sizeof(lanes));
	if (host_load_modules(host, NULL, err) ||
	    host_open_store(host, false, &store, &ses, err) ||
	    host_open_source(host, SOURCE_SHARE, &source, err))
		goto out;
	for (size_t i = 0; i < host->n_modules; i++) {
		lanes.lane[i].mod = host->modules[i];
		lanes.lane[i].index = lanes.n++;
	}
	settings = (struct pipeline_settings){
		.set = host->set,
		.store = store,
		.session = ses,
		.source = source,
		.lanes = &lanes,
		.topics = host->topics,
		.n_topics = host->n_topics,
		.until_end = until_end,
		.follow_live = true,
		.tick_ms = TICK_MS,
		.stop = &stop_requested,
	};
	log_info("start", "projections=%u topics=%zu source=%s store=%s",
		 lanes.n, host->n_topics, host->set->source.type,
		 host->set->store.type == STORE_MONGODB ? "mongodb" : "lmdb");
	rc = pipeline_run(&settings, err);
out:
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

	stop_install();
	if (host_open(args, &host, &err))
		return host_exit(&err);
	(void)run(&host, cli_has(args, "--until-end"), &err);
	host_close(&host);
	return host_exit(&err);
}
