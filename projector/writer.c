/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "lib/queue.h"

enum { THREADS_MAX = 16 };

struct writer {
	struct writers *all;
	struct queue *in;
	struct store_session *ses;
	pthread_t thread;
};

struct writers {
	struct queue *apply, *load, *done;
	struct writer writer[THREADS_MAX];
	unsigned n;
};

static void *
writer_main(void *arg)
{
	struct writer *w = arg;
	struct job *job;

	while ((job = queue_pop(w->in, -1))) {
		job_run(job, w->ses);
		if (!queue_push(w->all->done, job))
			abort(); /* done is closed after the threads ended */
	}
	return NULL;
}

static int
writer_start(struct writers *all, struct store *store, struct queue *in,
	     struct pj_error *err)
{
	struct writer *w = &all->writer[all->n];

	w->all = all;
	w->in = in;
	if (store_session_open(store, &w->ses, err))
		return -1;
	if (pthread_create(&w->thread, NULL, writer_main, w)) {
		store_session_close(w->ses);
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot start a store thread");
	}
	all->n++;
	return 0;
}

int
writers_start(struct store *store, unsigned n_apply, unsigned n_load,
	      struct writers **ret_writers, struct pj_error *err)
{
	struct writers *all = mem_calloc(1, sizeof(*all));

	all->apply = queue_new(THREADS_MAX);
	all->load = queue_new(THREADS_MAX);
	all->done = queue_new((size_t)2 * THREADS_MAX);
	for (unsigned i = 0; i < n_apply + n_load; i++)
		if (writer_start(all, store,
				 i < n_apply ? all->apply : all->load, err)) {
			writers_stop(all);
			return -1;
		}
	*ret_writers = all;
	return 0;
}

void
writers_stop(struct writers *all)
{
	struct job *job;

	if (!all)
		return;
	queue_close(all->apply);
	queue_close(all->load);
	for (unsigned i = 0; i < all->n; i++) {
		(void)pthread_join(all->writer[i].thread, NULL);
		store_session_close(all->writer[i].ses);
	}
	while ((job = queue_try_pop(all->done)))
		job_free(job);
	queue_free(all->apply);
	queue_free(all->load);
	queue_free(all->done);
	free(all);
}

void
writers_give(struct writers *all, struct job *job)
{
	struct queue *in = job->kind == JOB_APPLY ? all->apply : all->load;

	if (!queue_push(in, job))
		abort(); /* given after stop: our bug */
}

struct job *
writers_take(struct writers *all, int timeout_ms)
{
	return queue_pop(all->done, timeout_ms);
}
