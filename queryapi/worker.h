/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads: the only ones that read documents. Each has a session of its
 * own for life, takes fetches from the one queue, runs them and gives them
 * back.
 */
#ifndef QUERYAPI_WORKER_H
#define QUERYAPI_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/queue.h"
#include "lib/store.h"
#include "queryapi/catalog.h"
#include "queryapi/gzip.h"
#include "queryapi/metrics.h"

/* What a fetch works with; the thread's own. */
struct worker {
	struct catalog *catalog;
	struct metrics *metrics;
	struct store_session *ses;
	struct snapshot_hold hold;
	struct gzip *gz;
};

struct workers;

struct workers *
workers_start(uint32_t n, struct queue *fetches, struct catalog *cat,
	      struct metrics *met, struct pj_error *err);
/*
 * Closes the queue and waits for the threads; false when some did not end in
 * time (store stuck): then nothing is freed and the process had better go.
 */
bool
workers_stop(struct workers *wks, int64_t until_mono_ms);

#endif
