/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 6 of a record's way: the threads that talk to the store.
 *
 * Each thread has a session of its own, takes one job at a time, executes it
 * and reports; it never decides, retries or reorders. Batches and loads have
 * threads of their own, so that a cold document does not wait behind a bulk.
 *
 * Threads: the pipeline thread calls; jobs cross by queue.c. The queues hold as
 * many jobs as can be out, so giving never blocks.
 *
 * Next: offsets.c
 */
#ifndef PROJECTOR_WRITER_H
#define PROJECTOR_WRITER_H

#include <projector/error.h>

#include "lib/store.h"
#include "projector/job.h"

struct writers;

int
writers_start(struct store *store, unsigned n_apply, unsigned n_load,
	      struct writers **ret_writers, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Waits for the jobs that are being executed; frees those not yet taken. */
void
writers_stop(struct writers *writers);

void
writers_give(struct writers *writers, struct job *job);
/* A finished job, or NULL after timeout_ms. */
struct job *
writers_take(struct writers *writers, int timeout_ms);

#endif
