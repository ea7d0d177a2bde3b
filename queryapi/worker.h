/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads: the only ones that read documents. Each has a session of its
 * own for life and takes jobs from the one queue: loads (loads.h), fetches.
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
	struct buf json, gzip, sets; /* one document at a time */
};

/* The worker's session, opened when the store has been. */
int
worker_session(struct worker *wrk, struct pj_error *err)
	__attribute__((warn_unused_result));

struct workers;

struct workers *
workers_start(uint32_t n, struct queue *jobs, struct catalog *cat,
	      struct metrics *met, struct pj_error *err);
/*
 * Closes the queue and waits for the threads; false when some did not end in
 * time (store stuck): then nothing is freed and the process had better go.
 */
bool
workers_stop(struct workers *wks, int64_t until_mono_ms);

#endif
