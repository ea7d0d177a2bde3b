/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector rebuild NAME: a new generation from the start of the topics, in a
 * collection of its own, while the live one goes on being fed and served by
 * whoever runs it. When the new one has passed the live one on every partition,
 * the pointer moves by compare-and-set; running processes and readers follow.
 *
 * It reads every partition without joining the group, so it disturbs nobody.
 * Killed, it goes on from the candidate's own checkpoints at the next call.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "projector/generation.h"
#include "projector/host.h"
#include "projector/pipeline.h"
#include "projector/stop.h"
#include "projector/verbs.h"
#include "projector/watchdog.h"

enum { TICK_MS = 500, FLUSH_MS = 5000, WAIT_MS = 500, ASK_MS = 1000 };

struct rebuild {
	struct host *host;
	struct store_session *ses;
	struct source *source;
	struct ledger *ledger;
	struct lanes lanes;
	int32_t live;
	char live_generation[READMODEL_GENERATION_ID_MAX];
	int64_t begun_mono_ms;
	int64_t last_done; /* events, at the last look */
	int64_t last_mono_ms;
	bool promoted;
};

/*
 * How far the candidate is, over all partitions. False when the log does not
 * say just now: then nobody knows whether it is complete.
 */
static bool
measure(struct rebuild *r, struct pipeline *pipe, int64_t *ret_done,
	int64_t *ret_total)
{
	struct offsets *off = core_offsets(pipeline_core(pipe));
	struct pj_error err;
	struct progress *pro;

	*ret_done = *ret_total = 0;
	for (size_t i = 0; (pro = offsets_at(off, i)); i++) {
		int64_t low = 0, high = 0, next = pro->next;

		if (source_watermarks(r->source, pro->part, ASK_MS, &low, &high,
				      &err))
			return false;
		if (next < low)
			next = low;
		*ret_done += next - low;
		*ret_total += high - low;
	}
	return true;
}

static void
show(struct rebuild *r, int64_t done, int64_t total)
{
	int64_t now = clock_mono_ms();
	int64_t ms = now - r->last_mono_ms;
	int64_t rate = ms > 0 ? (done - r->last_done) * 1000 / ms : 0;
	int64_t eta_s = rate > 0 ? (total - done) / rate : -1;
	const struct lane *lane = &r->lanes.lane[0];

	r->last_mono_ms = now;
	r->last_done = done;
	fprintf(stderr,
		"rebuild %s: generation %" PRId32 ", %" PRId64 " of %" PRId64
		" events (%d %%), %" PRId64 "/s",
		lane->mod->desc->name, lane->number, done, total,
		total ? (int)(done * 100 / total) : 100, rate);
	if (eta_s >= 0)
		fprintf(stderr, ", about %" PRId64 " s left", eta_s);
	fputc('\n', stderr);
}

static int
tick(void *arg, struct pipeline *pipe, bool *ret_done, struct pj_error *err)
{
	struct rebuild *r = arg;
	int64_t done, total;
	bool caught_up = false;

	if (!offsets_at(core_offsets(pipeline_core(pipe)), 0))
		return 0; /* nothing assigned yet */
	if (!measure(r, pipe, &done, &total))
		return 0;
	if (done != r->last_done || done < total)
		show(r, done, total);
	if (done < total)
		return 0;
	if (pipeline_flush(pipe, FLUSH_MS, err))
		return -1;
	if (!core_is_saved(pipeline_core(pipe)))
		return 0;
	if (r->live == 0)
		caught_up = true;
	else if (generation_has_caught_up(r->ses, &r->lanes.lane[0],
					  r->live_generation, &caught_up, err))
		return -1;
	if (!caught_up)
		return 0;
	if (generation_promote(r->ses, &r->lanes.lane[0], r->live, err))
		return -1;
	r->promoted = true;
	*ret_done = true;
	return 0;
}

/* The store may be away: wait for it, and say so. */
static int
attach(struct rebuild *r, bool *ret_resumed, struct pj_error *err)
{
	while (generation_attach_candidate(
		r->ses, r->host->set, r->host->modules[0], clock_wall_ms(),
		&r->lanes.lane[0], &r->live, ret_resumed, err)) {
		if (err->cls != PJ_ERROR_RETRY || stop_requested)
			return -1;
		fprintf(stderr, "waiting: %s\n", err->text);
		clock_sleep_ms(WAIT_MS);
	}
	return 0;
}

static int
rebuild_run(struct rebuild *r, struct store *store, struct pj_error *err)
{
	struct host *host = r->host;
	const char *name = host->modules[0]->desc->name;
	bool resumed;
	struct pipeline_settings settings;

	r->lanes.n = 1;
	if (attach(r, &resumed, err) ||
	    host_open_source(host, SOURCE_ALL, &r->source, err))
		return -1;
	readmodel_generation_id(r->live_generation, name, r->live);
	fprintf(stderr,
		"rebuild %s: %s generation %" PRId32 ", live is %" PRId32 "\n",
		name, resumed ? "going on with" : "new",
		r->lanes.lane[0].number, r->live);
	settings = (struct pipeline_settings){
		.set = host->set,
		.store = store,
		.session = r->ses,
		.source = r->source,
		.ledger = r->ledger,
		.lanes = &r->lanes,
		.topics = host->topics,
		.n_topics = host->n_topics,
		.tick = tick,
		.arg = r,
		.tick_ms = TICK_MS,
		.stop = &stop_requested,
	};
	r->begun_mono_ms = r->last_mono_ms = clock_mono_ms();
	if (pipeline_run(&settings, err))
		return -1;
	if (!r->promoted)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "rebuild %s: stopped before generation "
				    "%" PRId32
				    " was complete; the same command "
				    "goes on with it",
				    name, r->lanes.lane[0].number);
	fprintf(stderr,
		"rebuild %s: generation %" PRId32 " is live (%" PRId64 " ms)\n",
		name, r->lanes.lane[0].number,
		clock_mono_ms() - r->begun_mono_ms);
	return 0;
}

int
verb_rebuild(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct rebuild r;
	struct host host;
	struct store *store = NULL;
	struct watchdog *dog = NULL;

	memset(&r, 0, sizeof(r));
	r.host = &host;
	if (host_open(args, &host, &err))
		return host_exit(&err);
	if (stop_install(CLI_FATAL, &err) == 0 &&
	    host_load_modules(&host, args->positional[0], &err) == 0 &&
	    host_open_store(&host, false, &store, &r.ses, &err) == 0 &&
	    host_open_ledger(&host, &r.ledger, &err) == 0 &&
	    watchdog_start(r.ledger, host.set->projector.fold_cpu_ms, &dog,
			   &err) == 0)
		(void)rebuild_run(&r, store, &err);
	watchdog_stop(dog);
	ledger_close(r.ledger);
	source_close(r.source);
	store_session_close(r.ses);
	store_close(store);
	host_close(&host);
	return host_exit(&err);
}
