/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/catchup.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/behind.h"
#include "projector/claim_gate.h"
#include "projector/pipeline.h"
#include "projector/watchdog.h"

enum {
	TICK_MS = 100,
	LOOK_MS = 500,	   /* between comparisons with the others */
	FIGURES_MS = 1000, /* between what is published */
	CAUGHT_UP = 10,	   /* within this part of the limit */
	MEMORY = 2,	   /* this part of projector.memory_bytes */
	/* The main one waits for it at a rebalance, and modules may be slow. */
	TURN_RECORDS = 200,
};

struct catchup {
	const struct host *host;
	struct store *store;
	const atomic_int *stop;
	struct settings set; /* the host's, with less memory */

	/* The main pipeline's thread. */
	bool running;
	int64_t begun_mono_ms;
	pthread_t thread;

	struct claim_gate gate; /* closed: it is to stop */
	atomic_bool ended;

	/* The thread's own, from start to its end. */
	struct lanes lanes;
	struct source_name *names; /* of the partitions it reads */
	size_t n_names;
	struct store_session *ses;
	struct source *source;
	struct ledger *ledger;
	struct watchdog *dog;
	struct deadletter *dead;
	struct meter *met;
	int64_t look_mono_ms, figures_mono_ms;
	int rc;
	struct pj_error err;

	pthread_mutex_t lock;
	struct figures *figures; /* lock: the newest */
};

struct catchup *
catchup_new(const struct host *host, struct store *store,
	    const atomic_int *stop)
{
	struct catchup *cu = mem_calloc(1, sizeof(*cu));

	cu->host = host;
	cu->store = store;
	cu->stop = stop;
	cu->set = *host->set;
	cu->set.projector.memory_bytes /= MEMORY;
	(void)pthread_mutex_init(&cu->lock, NULL);
	(void)pthread_mutex_init(&cu->gate.lock, NULL);
	return cu;
}

void
catchup_free(struct catchup *cu)
{
	if (!cu)
		return;
	figures_free(cu->figures);
	free(cu->names);
	(void)pthread_mutex_destroy(&cu->lock);
	(void)pthread_mutex_destroy(&cu->gate.lock);
	free(cu);
}

/* ---- On its thread ---------------------------------------------------------
 */

/* All of its lanes have been stopped by name. */
static bool
has_nothing_left(const struct catchup *cu)
{
	for (unsigned l = 0; l < cu->lanes.n; l++)
		if (!lane_rests(&cu->lanes.lane[l]))
			return false;
	return true;
}

static int
has_caught_up(struct catchup *cu, struct pipeline *pipe, bool *ret_has,
	      struct pj_error *err)
{
	struct offsets *off = core_offsets(pipeline_core(pipe));
	struct partition **parts = mem_calloc(cu->n_names, sizeof(*parts));
	int64_t *next = mem_calloc(cu->n_names, LANES_MAX * sizeof(*next));
	int64_t behind[LANES_MAX];
	struct progress *pro;
	size_t n = 0;
	int rc;

	while (n < cu->n_names && (pro = offsets_at(off, n)))
		parts[n++] = pro->part;
	rc = behind_positions(cu->ses, &cu->lanes, parts, n, next, err);
	if (rc == 0) {
		behind_measure(&cu->lanes, parts, n, next, behind);
		*ret_has = true;
		for (unsigned l = 0; l < cu->lanes.n; l++)
			if (!lane_rests(&cu->lanes.lane[l]) &&
			    behind[l] > cu->set.projector.catch_up_records /
						CAUGHT_UP)
				*ret_has = false;
	}
	free(parts);
	free(next);
	return rc;
}

static void
publish(struct catchup *cu, struct pipeline *pipe)
{
	struct figures *fig = meter_read(cu->met, pipeline_core(pipe));

	(void)pthread_mutex_lock(&cu->lock);
	figures_free(cu->figures);
	cu->figures = fig;
	(void)pthread_mutex_unlock(&cu->lock);
}

static int
tick(void *arg, struct pipeline *pipe, bool *ret_done, struct pj_error *err)
{
	struct catchup *cu = arg;
	int64_t now = clock_mono_ms();

	if (claim_gate_is_closed(&cu->gate) || has_nothing_left(cu)) {
		*ret_done = true;
		return 0;
	}
	if (now - cu->figures_mono_ms >= FIGURES_MS) {
		cu->figures_mono_ms = now;
		publish(cu, pipe);
	}
	if (!pipeline_is_reading(pipe) || now - cu->look_mono_ms < LOOK_MS)
		return 0;
	cu->look_mono_ms = now;
	return has_caught_up(cu, pipe, ret_done, err);
}

static int
open_all(struct catchup *cu, struct pj_error *err)
{
	if (store_session_open(cu->store, &cu->ses, err) ||
	    host_open_ledger(cu->host, &cu->ledger, err) ||
	    watchdog_start(cu->ledger, cu->set.projector.fold_cpu_ms, &cu->dog,
			   err) ||
	    host_open_source(cu->host, SOURCE_GIVEN, &cu->source, err) ||
	    host_open_deadletter(cu->host, &cu->dead, err))
		return -1;
	source_give(cu->source, cu->names, cu->n_names);
	cu->met = meter_new(&cu->lanes, cu->source);
	return 0;
}

static void
close_all(struct catchup *cu)
{
	meter_free(cu->met);
	watchdog_stop(cu->dog);
	ledger_close(cu->ledger);
	deadletter_close(cu->dead);
	source_close(cu->source);
	store_session_close(cu->ses);
	cu->met = NULL;
	cu->dog = NULL;
	cu->ledger = NULL;
	cu->dead = NULL;
	cu->source = NULL;
	cu->ses = NULL;
}

static void *
catchup_main(void *arg)
{
	struct catchup *cu = arg;
	const struct host *host = cu->host;

	cu->rc = open_all(cu, &cu->err);
	if (cu->rc == 0)
		cu->rc = pipeline_run(
			&(struct pipeline_settings){
				.set = &cu->set,
				.store = cu->store,
				.session = cu->ses,
				.source = cu->source,
				.ledger = cu->ledger,
				.deadletter = cu->dead,
				.gate = &cu->gate,
				.lanes = &cu->lanes,
				.topics = host->topics,
				.n_topics = host->n_topics,
				.follow_live = true,
				.tick = tick,
				.arg = cu,
				.tick_ms = TICK_MS,
				.stop = cu->stop,
				.quiet = true,
				.turn_records = TURN_RECORDS,
			},
			&cu->err);
	close_all(cu);
	atomic_store(&cu->ended, true);
	return NULL;
}

/* ---- On the main pipeline's -----------------------------------------------
 */

bool
catchup_is_running(const struct catchup *cu)
{
	return cu->running;
}

bool
catchup_is_stopping(const struct catchup *cu)
{
	return cu->running && claim_gate_is_closed(&cu->gate);
}

/* Its own copy, in which what is elsewhere is what it does not feed. */
static void
take_over(struct catchup *cu, const struct lanes *lanes,
	  struct partition *const *parts, size_t n_parts)
{
	cu->lanes = *lanes;
	for (unsigned l = 0; l < cu->lanes.n; l++)
		cu->lanes.lane[l].elsewhere = !lanes->lane[l].elsewhere;
	free(cu->names);
	cu->names = mem_calloc(n_parts, sizeof(*cu->names));
	cu->n_names = 0;
	for (size_t p = 0; p < n_parts; p++) {
		bool reads = false;

		for (unsigned l = 0; l < cu->lanes.n; l++)
			if (!lane_rests(&cu->lanes.lane[l]) &&
			    module_reads_topic(cu->lanes.lane[l].mod,
					       parts[p]->topic))
				reads = true;
		if (reads)
			cu->names[cu->n_names++] = (struct source_name){
				parts[p]->topic, parts[p]->number};
	}
}

/* "stock.3,sales.1"; free() it. */
static char *
names_of(const struct catchup *cu)
{
	struct buf names = BUF_INIT;

	for (unsigned l = 0; l < cu->lanes.n; l++)
		if (!cu->lanes.lane[l].elsewhere)
			buf_printf(&names, "%s%s", names.len ? "," : "",
				   cu->lanes.lane[l].generation);
	buf_addch(&names, '\0');
	return names.data;
}

static void
tell_end(const struct catchup *cu)
{
	int64_t ms = clock_mono_ms() - cu->begun_mono_ms;
	char *names = names_of(cu);

	if (claim_gate_is_closed(&cu->gate) || *cu->stop)
		log_info("catchup.stopped", "generations=%s ms=%" PRId64, names,
			 ms);
	else
		log_info("catchup.done", "generations=%s ms=%" PRId64, names,
			 ms);
	free(names);
}

int
catchup_start(struct catchup *cu, const struct lanes *lanes,
	      struct partition *const *parts, size_t n_parts,
	      struct pj_error *err)
{
	sigset_t all, before;
	char *names;
	int rc;

	take_over(cu, lanes, parts, n_parts);
	names = names_of(cu);
	log_info("catchup.begins", "generations=%s partitions=%zu", names,
		 cu->n_names);
	free(names);
	cu->begun_mono_ms = clock_mono_ms();
	cu->err.cls = PJ_ERROR_NONE;
	atomic_store(&cu->gate.closed, false);
	atomic_store(&cu->ended, false);
	/* Signals are the other threads'. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&cu->thread, NULL, catchup_main, cu);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot start the second reader: %s",
				    strerror(rc));
	cu->running = true;
	return 0;
}

void
catchup_stop(struct catchup *cu)
{
	if (cu->running)
		claim_gate_close(&cu->gate);
}

int
catchup_take(struct catchup *cu, bool wait, struct lanes *lanes,
	     bool *ret_ended, struct pj_error *err)
{
	*ret_ended = false;
	if (!cu->running || !(wait || atomic_load(&cu->ended)))
		return 0;
	(void)pthread_join(cu->thread, NULL);
	cu->running = false;
	for (unsigned l = 0; l < lanes->n; l++) {
		if (cu->lanes.lane[l].elsewhere)
			continue;
		lanes->lane[l] = cu->lanes.lane[l];
		lanes->lane[l].elsewhere = false;
		/* Of partitions that were not ours any more. */
		if (claim_gate_is_closed(&cu->gate))
			lanes->lane[l].let_go = false;
	}
	figures_free(cu->figures);
	cu->figures = NULL;
	if (cu->rc) {
		*err = cu->err;
		return -1;
	}
	tell_end(cu);
	*ret_ended = true;
	return 0;
}

void
catchup_add_figures(struct catchup *cu, struct figures *fig)
{
	(void)pthread_mutex_lock(&cu->lock);
	if (cu->figures)
		figures_merge(fig, cu->figures);
	(void)pthread_mutex_unlock(&cu->lock);
}
