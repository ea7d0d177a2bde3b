/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching LMDB: every commit counts the environment's transactions up, and
 * that number is in the map, so asking for it costs no call of the system.
 */
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "lib/store_lmdb.h"

/* How old what a reader takes for new can be. */
enum { LMDB_WATCH_EVERY_MS = 2 };

struct lmdb_watch {
	struct store_watch base;
	struct lmdb_env *env;
	size_t serial;
	int wait_ms;
};

uint64_t
lmdb_commits(struct store *base)
{
	struct lmdb_store *store = (struct lmdb_store *)base;
	struct lmdb_env *env;

	pthread_mutex_lock(&store->lock);
	env = store->env;
	pthread_mutex_unlock(&store->lock);
	return env ? lmdb_serial(env) : 0;
}

int
lmdb_watch_open(struct store_session *ses, const char *const *collections,
		size_t n, int wait_ms, struct store_watch **ret_watch,
		struct pj_error *err)
{
	struct lmdb_watch *watch;
	struct lmdb_env *env;

	(void)collections;
	(void)n;
	if (lmdb_session_env(ses, &env, err))
		return -1;
	watch = mem_calloc(1, sizeof(*watch));
	watch->base.ses = ses;
	watch->env = env;
	watch->serial = lmdb_serial(env);
	watch->wait_ms = wait_ms;
	*ret_watch = &watch->base;
	return 0;
}

int
lmdb_watch_next(struct store_watch *base, struct store_news *ret_news,
		struct pj_error *err)
{
	struct lmdb_watch *watch = (struct lmdb_watch *)base;
	int64_t until = clock_mono_ms() + watch->wait_ms;

	(void)err;
	do {
		size_t serial = lmdb_serial(watch->env);

		if (serial != watch->serial) {
			watch->serial = serial;
			ret_news->kind = STORE_NEWS_ANYTHING;
			return 0;
		}
		clock_sleep_ms(LMDB_WATCH_EVERY_MS);
	} while (clock_mono_ms() < until);
	return 0;
}

void
lmdb_watch_close(struct store_watch *base)
{
	free(base);
}
