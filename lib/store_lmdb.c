/* SPDX-License-Identifier: Apache-2.0 */
/* The LMDB store: open, sessions, check. */
#include "lib/store_lmdb.h"

#include <stdlib.h>

#include "lib/mem.h"

/* LMDB has nothing to keep per thread; the environment does it all. */
static int
lmdb_session_open(struct store *store, struct store_session **ret_session,
		  struct pj_error *err)
{
	struct store_session *ses = mem_alloc(sizeof(*ses));

	(void)err;
	ses->store = store;
	*ret_session = ses;
	return 0;
}

static void
lmdb_session_close(struct store_session *ses)
{
	free(ses);
}

static int
lmdb_open_late(struct lmdb_store *store, struct lmdb_env **ret_env,
	       struct pj_error *err)
{
	int ret = 0;

	pthread_mutex_lock(&store->lock);
	*ret_env = atomic_load(&store->env);
	if (!*ret_env)
		ret = lmdb_env_open(store->path, store->map_bytes,
				    store->base.read_only, ret_env, err);
	if (ret == 0)
		atomic_store(&store->env, *ret_env);
	pthread_mutex_unlock(&store->lock);
	return ret;
}

int
lmdb_session_env(struct store_session *ses, struct lmdb_env **ret_env,
		 struct pj_error *err)
{
	struct lmdb_store *store = (struct lmdb_store *)ses->store;

	*ret_env = atomic_load(&store->env);
	return *ret_env ? 0 : lmdb_open_late(store, ret_env, err);
}

static int
lmdb_check(struct store_session *ses, struct pj_error *err)
{
	struct lmdb_env *env;
	size_t i;

	if (lmdb_session_env(ses, &env, err))
		return -1;
	for (i = 0; !ses->store->read_only && store_fixed[i].name; i++)
		if (lmdb_collection_make(ses, store_fixed[i].name, NULL, 0,
					 err))
			return -1;
	return 0;
}

static void
lmdb_close(struct store *base)
{
	struct lmdb_store *store = (struct lmdb_store *)base;
	struct lmdb_env *env = atomic_load(&store->env);

	if (env)
		lmdb_env_close(env);
	pthread_mutex_destroy(&store->lock);
	free(store->path);
	free(store->base.name);
	free(store);
}

static const struct store_ops lmdb_ops = {
	.close = lmdb_close,
	.session_open = lmdb_session_open,
	.session_close = lmdb_session_close,
	.check = lmdb_check,
	.load = lmdb_load,
	.apply = lmdb_apply,
	.scan = lmdb_scan,
	.count = lmdb_count,
	.find = lmdb_find,
	.page = lmdb_page,
	.row_insert = lmdb_row_insert,
	.rows_write = lmdb_rows_write,
	.rows_delete = lmdb_rows_delete,
	.source_make = lmdb_source_make,
	.watch_open = lmdb_watch_open,
	.watch_next = lmdb_watch_next,
	.watch_close = lmdb_watch_close,
	.commits = lmdb_commits,
	.commits_seen = lmdb_commits_seen,
	.collection_make = lmdb_collection_make,
};

int
store_lmdb_open(const struct store_settings *settings, struct store **ret_store,
		struct pj_error *err)
{
	struct lmdb_env *env = NULL;
	struct lmdb_store *store;

	if (!settings->path || !settings->path[0])
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "store lmdb: no path given");
	store = mem_calloc(1, sizeof(*store));
	store->base.ops = &lmdb_ops;
	store->base.read_only = settings->read_only;
	store->base.name = mem_printf("store lmdb %s", settings->path);
	store->path = mem_strdup(settings->path);
	store->map_bytes = settings->map_bytes;
	pthread_mutex_init(&store->lock, NULL);
	/* A reader may be there before the writer has made anything. */
	if (!settings->read_only &&
	    lmdb_env_open(store->path, store->map_bytes, false, &env, err)) {
		lmdb_close(&store->base);
		return -1;
	}
	atomic_store(&store->env, env);
	*ret_store = &store->base;
	return 0;
}
