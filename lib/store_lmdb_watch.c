/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching LMDB: every commit counts the environment's transactions up, and
 * that number is in the map, so asking for it costs no call of the system, but
 * the lock that keeps the map where it is, which readers share.
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
	uint64_t seen; /* what whoever was told can read */
	int wait_ms;
};

uint64_t
lmdb_commits(struct store *base)
{
	struct lmdb_store *store = (struct lmdb_store *)base;
	struct lmdb_env *env = atomic_load(&store->env);

	return env ? lmdb_serial(env) : 0;
}

static int
lmdb_seen_body(MDB_txn *txn, void *arg)
{
	uint64_t *seen = arg;

	/* Of a reader it is the snapshot's. */
	*seen = mdb_txn_id(txn);
	return 0;
}

int
lmdb_commits_seen(struct store_session *ses, uint64_t *ret_commits,
		  struct pj_error *err)
{
	struct lmdb_env *env;

	return lmdb_session_env(ses, &env, err) == 0
		       ? lmdb_run(env, LMDB_READ, lmdb_seen_body, ret_commits,
				  "commits", err)
		       : -1;
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
	watch->wait_ms = wait_ms;
	if (lmdb_commits_seen(ses, &watch->seen, err)) {
		free(watch);
		return -1;
	}
	*ret_watch = &watch->base;
	return 0;
}

int
lmdb_watch_next(struct store_watch *base, struct store_news *ret_news,
		struct pj_error *err)
{
	struct lmdb_watch *watch = (struct lmdb_watch *)base;
	int64_t until = clock_mono_ms() + watch->wait_ms;

	do {
		uint64_t seen = watch->seen;

		if (lmdb_serial(watch->env) != seen &&
		    lmdb_commits_seen(base->ses, &seen, err))
			return -1;
		if (seen != watch->seen) {
			watch->seen = seen;
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
