/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/claimlook.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/queue.h"

struct looker {
	struct queue *asked, *done;
	struct store_session *ses;
	pthread_t thread;
};

void
claimlook_add(struct claimlook *look, const char *generation, int32_t source,
	      int64_t epoch)
{
	struct claimed *row;

	MEM_GROW(look->rows, look->n, look->cap);
	row = &look->rows[look->n++];
	(void)snprintf(row->generation, sizeof(row->generation), "%s",
		       generation);
	row->source = source;
	row->epoch = epoch;
}

void
claimlook_free(struct claimlook *look)
{
	if (!look)
		return;
	free(look->rows);
	free(look);
}

static bool
is_there(const struct store_checkpoint *all, size_t n,
	 const struct claimed *row)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].source == row->source && all[i].epoch == row->epoch)
			return true;
	return false;
}

/* Those of the generation of rows[first]; returns how many, or -1. */
static int
compare_generation(struct claimlook *look, size_t first,
		   struct store_session *ses)
{
	const struct claimed *rows = look->rows + first;
	struct store_checkpoint *all;
	size_t n_all, n = 0;

	if (store_checkpoints(ses, rows->generation, &all, &n_all, &look->err))
		return -1;
	while (first + n < look->n &&
	       strcmp(rows[n].generation, rows->generation) == 0)
		if (!is_there(all, n_all, &rows[n++]))
			look->ours = false;
	free(all);
	return (int)n;
}

static void
look_run(struct claimlook *look, struct store_session *ses)
{
	int n;

	look->ours = true;
	look->rc = store_sync(ses, &look->err);
	for (size_t i = 0; look->rc == 0 && look->ours && i < look->n;
	     i += (size_t)n) {
		n = compare_generation(look, i, ses);
		if (n < 0)
			look->rc = n;
	}
}

static void *
looker_main(void *arg)
{
	struct looker *looker = arg;
	struct claimlook *look;

	while ((look = queue_pop(looker->asked, -1))) {
		look_run(look, looker->ses);
		if (!queue_push(looker->done, look))
			abort(); /* closed after this thread has ended */
	}
	return NULL;
}

int
looker_start(struct store *store, struct looker **ret_looker,
	     struct pj_error *err)
{
	struct looker *looker = mem_calloc(1, sizeof(*looker));

	if (store_session_open(store, &looker->ses, err)) {
		free(looker);
		return -1;
	}
	looker->asked = queue_new(1);
	looker->done = queue_new(1);
	if (pthread_create(&looker->thread, NULL, looker_main, looker)) {
		store_session_close(looker->ses);
		queue_free(looker->asked);
		queue_free(looker->done);
		free(looker);
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot start a thread that looks at "
				    "claims");
	}
	*ret_looker = looker;
	return 0;
}

void
looker_stop(struct looker *looker)
{
	if (!looker)
		return;
	queue_close(looker->asked);
	(void)pthread_join(looker->thread, NULL);
	store_session_close(looker->ses);
	claimlook_free(queue_try_pop(looker->done));
	queue_free(looker->asked);
	queue_free(looker->done);
	free(looker);
}

void
looker_give(struct looker *looker, struct claimlook *look)
{
	if (!queue_push(looker->asked, look))
		abort(); /* given after stop: our bug */
}

struct claimlook *
looker_take(struct looker *looker)
{
	return queue_try_pop(looker->done);
}
