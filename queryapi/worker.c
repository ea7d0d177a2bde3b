/* SPDX-License-Identifier: Apache-2.0 */
/* Takes jobs: load_run.c, or a fetch, which goes back to its loop done. */
#include "queryapi/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "queryapi/fetch.h"
#include "queryapi/loop.h"
#include "queryapi/problem.h"

struct workers {
	struct queue *jobs;
	struct catalog *catalog;
	struct metrics *metrics;
	pthread_t *threads;
	size_t n_threads;
	pthread_mutex_t lock; /* n_running; a leaf */
	pthread_cond_t ended;
	size_t n_running;
};

int
worker_session(struct worker *wrk, struct pj_error *err)
{
	struct store *store = catalog_store(wrk->catalog);

	if (wrk->ses)
		return 0;
	if (!store)
		return pj_error_set(err, PJ_ERROR_RETRY,
				    "the store has not been reached yet");
	return store_session_open(store, &wrk->ses, err);
}

static void
run(struct worker *wrk, struct fetch *fetch)
{
	struct pj_error err;

	/* The client is gone, or has been told that this took too long. */
	if (atomic_load(&fetch->abandoned) ||
	    clock_mono_ms() >= fetch->deadline_mono_ms) {
		problem_write(&fetch->res, PROBLEM_TIMEOUT, fetch->request_id,
			      "the request waited too long for the store");
		return;
	}
	if (worker_session(wrk, &err) < 0) {
		problem_write(&fetch->res, PROBLEM_STORE, fetch->request_id,
			      "the store is not reachable");
		return;
	}
	catalog_update(wrk->catalog, &wrk->hold);
	if (!wrk->hold.snap) {
		problem_write(&fetch->res, PROBLEM_STORE, fetch->request_id,
			      "the store has not been reached yet");
		return;
	}
	fetch->run(fetch, wrk);
}

void
fetch_run(struct job *job, struct worker *wrk)
{
	struct fetch *fetch = (struct fetch *)job;

	run(wrk, fetch);
	loop_complete(fetch);
}

static void *
worker_thread(void *arg)
{
	struct workers *wks = arg;
	struct worker wrk = {.catalog = wks->catalog, .metrics = wks->metrics};
	struct job *job;

	wrk.gz = gzip_new();
	while ((job = queue_pop(wks->jobs, -1)))
		job->run(job, &wrk);
	if (wrk.ses)
		store_session_close(wrk.ses);
	snapshot_unref(wrk.hold.snap);
	gzip_free(wrk.gz);
	buf_release(&wrk.json);
	buf_release(&wrk.gzip);
	buf_release(&wrk.sets);
	(void)pthread_mutex_lock(&wks->lock);
	wks->n_running--;
	(void)pthread_cond_broadcast(&wks->ended);
	(void)pthread_mutex_unlock(&wks->lock);
	return NULL;
}

struct workers *
workers_start(uint32_t n, struct queue *jobs, struct catalog *cat,
	      struct metrics *met, struct pj_error *err)
{
	struct workers *wks = mem_calloc(1, sizeof(*wks));
	pthread_condattr_t attr;

	wks->jobs = jobs;
	wks->catalog = cat;
	wks->metrics = met;
	wks->threads = mem_calloc(n, sizeof(*wks->threads));
	(void)pthread_mutex_init(&wks->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&wks->ended, &attr);
	(void)pthread_condattr_destroy(&attr);
	for (; wks->n_threads < n; wks->n_threads++) {
		(void)pthread_mutex_lock(&wks->lock);
		wks->n_running++;
		(void)pthread_mutex_unlock(&wks->lock);
		if (pthread_create(&wks->threads[wks->n_threads], NULL,
				   worker_thread, wks) == 0)
			continue;
		wks->n_running--;
		(void)pj_error_set(err, PJ_ERROR_FATAL,
				   "cannot start worker thread %zu",
				   wks->n_threads);
		(void)workers_stop(wks, clock_mono_ms() + 1000);
		return NULL;
	}
	return wks;
}

bool
workers_stop(struct workers *wks, int64_t until_mono_ms)
{
	struct timespec until = {until_mono_ms / 1000,
				 until_mono_ms % 1000 * 1000000};
	bool all;

	queue_close(wks->jobs);
	(void)pthread_mutex_lock(&wks->lock);
	while (wks->n_running && pthread_cond_timedwait(&wks->ended, &wks->lock,
							&until) != ETIMEDOUT)
		;
	all = wks->n_running == 0;
	(void)pthread_mutex_unlock(&wks->lock);
	if (!all)
		return false;
	for (size_t i = 0; i < wks->n_threads; i++)
		(void)pthread_join(wks->threads[i], NULL);
	(void)pthread_cond_destroy(&wks->ended);
	(void)pthread_mutex_destroy(&wks->lock);
	free(wks->threads);
	free(wks);
	return true;
}
