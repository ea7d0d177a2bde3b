/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/rounds.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/mem.h"

struct rounds {
	int (*turn)(void *arg);
	void (*end)(void *arg);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock; /* what follows; a leaf */
	pthread_cond_t changed;
	bool stopping, ended;
};

static struct timespec
time_of(int64_t mono_ms)
{
	return (struct timespec){mono_ms / 1000, mono_ms % 1000 * 1000000};
}

/* False when it is time to stop. */
static bool
rest(struct rounds *rds, int ms)
{
	struct timespec until = time_of(clock_mono_ms() + ms);
	bool go_on;

	(void)pthread_mutex_lock(&rds->lock);
	while (ms && !rds->stopping &&
	       pthread_cond_timedwait(&rds->changed, &rds->lock, &until) !=
		       ETIMEDOUT)
		;
	go_on = !rds->stopping;
	(void)pthread_mutex_unlock(&rds->lock);
	return go_on;
}

static void *
rounds_thread(void *arg)
{
	struct rounds *rds = arg;

	while (rest(rds, rds->turn(rds->arg)))
		;
	rds->end(rds->arg);
	(void)pthread_mutex_lock(&rds->lock);
	rds->ended = true;
	(void)pthread_cond_broadcast(&rds->changed);
	(void)pthread_mutex_unlock(&rds->lock);
	return NULL;
}

static void
rounds_free(struct rounds *rds)
{
	(void)pthread_cond_destroy(&rds->changed);
	(void)pthread_mutex_destroy(&rds->lock);
	free(rds);
}

int
rounds_start(struct rounds **ret_rounds, int (*turn)(void *arg),
	     void (*end)(void *arg), void *arg, const char *what,
	     struct pj_error *err)
{
	struct rounds *rds = mem_calloc(1, sizeof(*rds));
	pthread_condattr_t attr;

	rds->turn = turn;
	rds->end = end;
	rds->arg = arg;
	(void)pthread_mutex_init(&rds->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&rds->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (pthread_create(&rds->thread, NULL, rounds_thread, rds) != 0) {
		rounds_free(rds);
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot start the thread of %s", what);
	}
	*ret_rounds = rds;
	return 0;
}

bool
rounds_stop(struct rounds *rds, int64_t until_mono_ms)
{
	struct timespec until = time_of(until_mono_ms);
	bool ended;

	if (!rds)
		return true;
	(void)pthread_mutex_lock(&rds->lock);
	rds->stopping = true;
	(void)pthread_cond_broadcast(&rds->changed);
	while (!rds->ended && pthread_cond_timedwait(&rds->changed, &rds->lock,
						     &until) != ETIMEDOUT)
		;
	ended = rds->ended;
	(void)pthread_mutex_unlock(&rds->lock);
	if (!ended)
		return false;
	(void)pthread_join(rds->thread, NULL);
	rounds_free(rds);
	return true;
}
