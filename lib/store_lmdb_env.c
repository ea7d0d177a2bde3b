/* SPDX-License-Identifier: Apache-2.0 */
/* The LMDB environment: map, transactions, database handles. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/dir.h"
#include "lib/mem.h"
#include "lib/store_lmdb.h"

enum {
	LMDB_MAX_DATABASES = 512,
	LMDB_MAX_READERS = 512,
	LMDB_MAP_STEP = 1 << 20, /* map sizes are multiples of this */
};
static const uint64_t LMDB_MAP_DEFAULT = UINT64_C(1) << 30;

struct lmdb_handle {
	char *name;
	MDB_dbi dbi;
};

struct lmdb_env {
	MDB_env *env;
	char *path;
	dev_t dev; /* with ino: the directory, whatever its name */
	ino_t ino;
	bool read_only;
	unsigned refs;	       /* by lmdb_registry_lock */
	struct lmdb_env *next; /* by lmdb_registry_lock */
	/*
	 * Shared by every transaction; exclusive for what LMDB allows only
	 * without one: resizing the map, opening a database handle.
	 */
	pthread_rwlock_t busy;
	pthread_mutex_t names; /* handles; taken before busy */
	struct lmdb_handle *handles;
	size_t n_handles, cap_handles;
	struct lmdb_indexes *indexes;
};

static pthread_mutex_t lmdb_registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lmdb_env *lmdb_registry;

static int
lmdb_fail(const char *path, const char *what, int rc, struct pj_error *err)
{
	enum pj_error_class cls = PJ_ERROR_FATAL;

	if (rc == MDB_READERS_FULL)
		cls = PJ_ERROR_RETRY;
	else if (rc == EACCES || rc == EROFS || rc == EPERM || rc == ENOTDIR)
		cls = PJ_ERROR_CONFIG;
	pj_error_set(err, cls, "store lmdb %s: %s: %s", path, what,
		     mdb_strerror(rc));
	err->code = rc;
	return -1;
}

/* ---- The map ----------------------------------------------------------- */

static size_t
lmdb_map_size(MDB_env *env)
{
	MDB_envinfo info;

	mdb_env_info(env, &info);
	return info.me_mapsize;
}

/* Doubles the map, unless somebody has changed it since `seen`. */
static int
lmdb_map_grow(struct lmdb_env *env, size_t seen)
{
	int rc = 0, dead;

	pthread_rwlock_wrlock(&env->busy);
	if (lmdb_map_size(env->env) == seen) {
		/* A dead reader keeps old pages from being used again. */
		(void)mdb_reader_check(env->env, &dead);
		rc = mdb_env_set_mapsize(env->env, seen * 2);
	}
	pthread_rwlock_unlock(&env->busy);
	return rc;
}

/* Takes over the size another process has given the map. */
static int
lmdb_map_adopt(struct lmdb_env *env)
{
	int rc;

	pthread_rwlock_wrlock(&env->busy);
	rc = mdb_env_set_mapsize(env->env, 0);
	pthread_rwlock_unlock(&env->busy);
	return rc;
}

/* ---- Transactions ------------------------------------------------------ */

static int
lmdb_once(struct lmdb_env *env, enum lmdb_mode mode, lmdb_body_fn body,
	  void *arg)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->env, NULL,
			       mode == LMDB_READ ? MDB_RDONLY : 0, &txn);

	if (rc)
		return rc;
	rc = body(txn, arg);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	/* Read transactions too: handles opened in one live on only so. */
	return mdb_txn_commit(txn);
}

static int
lmdb_repeat(struct lmdb_env *env, enum lmdb_mode mode, bool alone,
	    lmdb_body_fn body, void *arg)
{
	for (;;) {
		size_t seen;
		int rc;

		if (alone)
			pthread_rwlock_wrlock(&env->busy);
		else
			pthread_rwlock_rdlock(&env->busy);
		seen = lmdb_map_size(env->env);
		rc = lmdb_once(env, mode, body, arg);
		pthread_rwlock_unlock(&env->busy);
		if (rc == MDB_MAP_FULL)
			rc = lmdb_map_grow(env, seen);
		else if (rc == MDB_MAP_RESIZED)
			rc = lmdb_map_adopt(env);
		else
			return rc;
		if (rc)
			return rc;
	}
}

int
lmdb_run(struct lmdb_env *env, enum lmdb_mode mode, lmdb_body_fn body,
	 void *arg, const char *what, struct pj_error *err)
{
	int rc = lmdb_repeat(env, mode, false, body, arg);

	return rc ? lmdb_fail(env->path, what, rc, err) : 0;
}

int
lmdb_run_alone(struct lmdb_env *env, enum lmdb_mode mode, lmdb_body_fn body,
	       void *arg, const char *what, struct pj_error *err)
{
	int rc = lmdb_repeat(env, mode, true, body, arg);

	return rc ? lmdb_fail(env->path, what, rc, err) : 0;
}

struct lmdb_indexes *
lmdb_env_indexes(struct lmdb_env *env)
{
	return env->indexes;
}

size_t
lmdb_serial(struct lmdb_env *env)
{
	MDB_envinfo info;

	pthread_rwlock_rdlock(&env->busy);
	mdb_env_info(env->env, &info);
	pthread_rwlock_unlock(&env->busy);
	return info.me_last_txnid;
}

/* ---- Database handles -------------------------------------------------- */

struct lmdb_opening {
	const char *name;
	unsigned flags;
	MDB_dbi dbi;
};

static int
lmdb_opening_body(MDB_txn *txn, void *arg)
{
	struct lmdb_opening *o = arg;

	return mdb_dbi_open(txn, o->name, o->flags, &o->dbi);
}

int
lmdb_database(struct lmdb_env *env, const char *name, bool make,
	      MDB_dbi *ret_dbi, bool *ret_found, struct pj_error *err)
{
	struct lmdb_opening o = {.name = name, .flags = make ? MDB_CREATE : 0};
	int ret = 0, rc;
	size_t i;

	*ret_found = true;
	pthread_mutex_lock(&env->names);
	for (i = 0; i < env->n_handles; i++) {
		if (strcmp(env->handles[i].name, name) == 0) {
			*ret_dbi = env->handles[i].dbi;
			goto out;
		}
	}
	rc = lmdb_repeat(env, make ? LMDB_WRITE : LMDB_READ, true,
			 lmdb_opening_body, &o);
	if (rc == MDB_NOTFOUND) {
		*ret_found = false;
		goto out;
	}
	if (rc) {
		ret = lmdb_fail(env->path, name, rc, err);
		goto out;
	}
	MEM_GROW(env->handles, env->n_handles, env->cap_handles);
	env->handles[env->n_handles++] =
		(struct lmdb_handle){mem_strdup(name), o.dbi};
	*ret_dbi = o.dbi;
out:
	pthread_mutex_unlock(&env->names);
	return ret;
}

/* ---- Open and close ---------------------------------------------------- */

static uint64_t
lmdb_round_map(uint64_t bytes)
{
	if (bytes == 0)
		bytes = LMDB_MAP_DEFAULT;
	return (bytes + LMDB_MAP_STEP - 1) / LMDB_MAP_STEP * LMDB_MAP_STEP;
}

static int
lmdb_env_start(struct lmdb_env *env, uint64_t map_bytes)
{
	unsigned flags = MDB_NOTLS | (env->read_only ? MDB_RDONLY : 0);
	int rc, dead;

	rc = mdb_env_create(&env->env);
	if (rc)
		return rc;
	rc = mdb_env_set_maxdbs(env->env, LMDB_MAX_DATABASES);
	if (!rc)
		rc = mdb_env_set_maxreaders(env->env, LMDB_MAX_READERS);
	/* A reader takes the size the file says. */
	if (!rc && !env->read_only)
		rc = mdb_env_set_mapsize(env->env, lmdb_round_map(map_bytes));
	if (!rc)
		rc = mdb_env_open(env->env, env->path, flags, 0660);
	if (!rc)
		rc = mdb_reader_check(env->env, &dead);
	if (rc) {
		mdb_env_close(env->env);
		env->env = NULL;
	}
	return rc;
}

static void
lmdb_env_locks(struct lmdb_env *env)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
#ifdef __GLIBC__
	/* A stream of readers must not keep a resize out for ever. */
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	pthread_rwlock_init(&env->busy, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&env->names, NULL);
}

/* Under lmdb_registry_lock. */
static int
lmdb_env_new(const char *path, const struct stat *st, uint64_t map_bytes,
	     bool read_only, struct lmdb_env **ret_env, struct pj_error *err)
{
	struct lmdb_env *env = mem_calloc(1, sizeof(*env));
	int rc;

	env->path = mem_strdup(path);
	env->dev = st->st_dev;
	env->ino = st->st_ino;
	env->read_only = read_only;
	rc = lmdb_env_start(env, map_bytes);
	if (rc) {
		free(env->path);
		free(env);
		if (read_only && rc == ENOENT)
			return pj_error_set(err, PJ_ERROR_RETRY,
					    "no store yet at %s", path);
		return lmdb_fail(path, "cannot open", rc, err);
	}
	lmdb_env_locks(env);
	env->indexes = lmdb_indexes_new();
	env->refs = 1;
	env->next = lmdb_registry;
	lmdb_registry = env;
	*ret_env = env;
	return 0;
}

/* Under lmdb_registry_lock. */
static int
lmdb_env_share(const char *path, const struct stat *st, uint64_t map_bytes,
	       bool read_only, struct lmdb_env **ret_env, struct pj_error *err)
{
	struct lmdb_env *env;

	for (env = lmdb_registry; env; env = env->next)
		if (env->dev == st->st_dev && env->ino == st->st_ino)
			break;
	if (!env)
		return lmdb_env_new(path, st, map_bytes, read_only, ret_env,
				    err);
	if (env->read_only && !read_only)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "store lmdb %s: open read-only in this "
				    "process already",
				    path);
	env->refs++;
	*ret_env = env;
	return 0;
}

int
lmdb_env_open(const char *path, uint64_t map_bytes, bool read_only,
	      struct lmdb_env **ret_env, struct pj_error *err)
{
	struct stat st;
	int ret, rc;

	rc = read_only ? 0 : dir_make(path);
	if (rc)
		return lmdb_fail(path, "cannot make the directory", rc, err);
	if (stat(path, &st)) {
		rc = errno;
		if (rc == ENOENT)
			return pj_error_set(err, PJ_ERROR_RETRY,
					    "no store yet at %s", path);
		return lmdb_fail(path, "cannot open", rc, err);
	}
	pthread_mutex_lock(&lmdb_registry_lock);
	ret = lmdb_env_share(path, &st, map_bytes, read_only, ret_env, err);
	pthread_mutex_unlock(&lmdb_registry_lock);
	return ret;
}

void
lmdb_env_close(struct lmdb_env *env)
{
	struct lmdb_env **at;
	size_t i;
	bool last;

	pthread_mutex_lock(&lmdb_registry_lock);
	last = --env->refs == 0;
	if (last) {
		for (at = &lmdb_registry; *at != env; at = &(*at)->next)
			continue;
		*at = env->next;
		/* Under the lock: the next open must not overlap. */
		mdb_env_close(env->env);
	}
	pthread_mutex_unlock(&lmdb_registry_lock);
	if (!last)
		return;
	for (i = 0; i < env->n_handles; i++)
		free(env->handles[i].name);
	free(env->handles);
	lmdb_indexes_free(env->indexes);
	pthread_rwlock_destroy(&env->busy);
	pthread_mutex_destroy(&env->names);
	free(env->path);
	free(env);
}
