/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and writing documents in LMDB. */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_lmdb.h"

/* ---- Load -------------------------------------------------------------- */

struct lmdb_loading {
	MDB_dbi dbi;
	struct store_doc *docs;
	size_t n_docs;
};

static int
lmdb_load_body(MDB_txn *txn, void *arg)
{
	struct lmdb_loading *l = arg;
	size_t i, bytes = 0;

	for (i = 0; i < l->n_docs; i++) {
		struct store_doc *doc = &l->docs[i];
		MDB_val key = lmdb_val(doc->key.ptr, doc->key.len), val;
		int rc;

		doc->left_out = bytes >= STORE_LOAD_BYTES;
		if (doc->left_out)
			continue;
		/* No document can have such a key. */
		if (doc->key.len == 0 || doc->key.len > LMDB_KEY_MAX)
			continue;
		rc = mdb_get(txn, l->dbi, &key, &val);
		if (rc == MDB_NOTFOUND)
			continue;
		if (rc)
			return rc;
		doc->bson = mem_alloc(val.mv_size);
		memcpy(doc->bson, val.mv_data, val.mv_size);
		doc->len = val.mv_size;
		bytes += val.mv_size;
	}
	return 0;
}

int
lmdb_load(struct store_session *ses, const char *collection,
	  struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	struct lmdb_loading l = {.docs = docs, .n_docs = n_docs};
	struct lmdb_env *env;
	bool found;

	if (lmdb_session_env(ses, &env, err) ||
	    lmdb_database(env, collection, false, &l.dbi, &found, err))
		return -1;
	if (!found)
		return 0;
	return lmdb_run(env, LMDB_READ, lmdb_load_body, &l, collection, err);
}

/* ---- Apply ------------------------------------------------------------- */

/* Where a document goes. */
struct lmdb_target {
	MDB_dbi dbi;
	const struct lmdb_index *index; /* NULL: none */
};

struct lmdb_applying {
	struct store_job *job;
	struct lmdb_target *writes; /* one per write */
	struct lmdb_target *purges; /* one per purge */
	struct lmdb_keys before, after;
	MDB_dbi parked, checkpoints, audit;
	/* Told only after the commit. */
	enum store_outcome *outcomes;
};

/* Absent for an insert, else the base token: as of this transaction. */
static int
lmdb_write(MDB_txn *txn, struct lmdb_applying *a, const struct lmdb_target *at,
	   const struct store_write *w, enum store_outcome *ret_outcome)
{
	MDB_val key = lmdb_val(w->key.ptr, w->key.len);
	MDB_val val = lmdb_val(w->bson, w->len), old;
	struct store_token token;
	int rc;

	*ret_outcome = STORE_UNKNOWN;
	lmdb_keys_of(&a->before, at->index, NULL, 0);
	if (w->insert) {
		rc = mdb_put(txn, at->dbi, &key, &val, MDB_NOOVERWRITE);
		if (rc == MDB_KEYEXIST)
			return 0;
	} else {
		rc = mdb_get(txn, at->dbi, &key, &old);
		if (rc == MDB_NOTFOUND)
			return 0;
		if (rc)
			return rc;
		if (!store_token_read(old.mv_data, old.mv_size, &token) ||
		    memcmp(token.bytes, w->base.bytes, STORE_TOKEN_BYTES) != 0)
			return 0;
		/* Before the put: it may move what `old` points to. */
		lmdb_keys_of(&a->before, at->index, old.mv_data, old.mv_size);
		rc = mdb_put(txn, at->dbi, &key, &val, 0);
	}
	if (rc)
		return rc;
	lmdb_keys_of(&a->after, at->index, w->bson, w->len);
	rc = lmdb_keys_move(txn, at->index, w->key, &a->before, &a->after);
	if (rc)
		return rc;
	*ret_outcome = STORE_APPLIED;
	return 0;
}

static int
lmdb_purge(MDB_txn *txn, struct lmdb_applying *a, const struct lmdb_target *at,
	   const struct store_purge *purge)
{
	MDB_val key = lmdb_val(purge->key.ptr, purge->key.len), old;
	struct store_token token;
	int rc;

	if (purge->key.len == 0 || purge->key.len > LMDB_KEY_MAX)
		return 0;
	rc = mdb_get(txn, at->dbi, &key, &old);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (!store_token_read(old.mv_data, old.mv_size, &token) ||
	    memcmp(token.bytes, purge->base.bytes, STORE_TOKEN_BYTES) != 0)
		return 0;
	lmdb_keys_of(&a->before, at->index, old.mv_data, old.mv_size);
	lmdb_keys_of(&a->after, at->index, NULL, 0);
	rc = mdb_del(txn, at->dbi, &key, NULL);
	return rc ? rc
		  : lmdb_keys_move(txn, at->index, purge->key, &a->before,
				   &a->after);
}

static int
lmdb_apply_body(MDB_txn *txn, void *arg)
{
	struct lmdb_applying *a = arg;
	struct store_job *job = a->job;
	size_t i, made;
	int rc = lmdb_rows_put(txn, a->parked, &job->parked, &made);

	for (i = 0; !rc && i < job->n_writes; i++) {
		a->outcomes[i] = job->writes[i].outcome;
		if (a->outcomes[i] == STORE_PENDING)
			rc = lmdb_write(txn, a, &a->writes[i], &job->writes[i],
					&a->outcomes[i]);
	}
	if (!rc)
		rc = lmdb_rows_put(txn, a->checkpoints, &job->checkpoints,
				   &job->n_checkpoints_done);
	if (!rc)
		rc = lmdb_rows_put(txn, a->parked, &job->refused, &made);
	if (!rc)
		rc = lmdb_rows_put(txn, a->audit, &job->audit, &made);
	if (!rc)
		rc = lmdb_rows_del(txn, a->parked, &job->unparked);
	for (i = 0; !rc && i < job->n_purges; i++)
		rc = lmdb_purge(txn, a, &a->purges[i], &job->purges[i]);
	return rc;
}

/* One that many ask for in a row is looked up once. */
static int
lmdb_open_next(struct lmdb_env *env, const char *name, const char *before,
	       struct lmdb_target *at, struct pj_error *err)
{
	bool found;

	if (before && strcmp(name, before) == 0) {
		*at = at[-1];
		return 0;
	}
	if (lmdb_database(env, name, true, &at->dbi, &found, err))
		return -1;
	return lmdb_index_open(env, name, &at->index, err);
}

/* Handles are opened before the transaction: it contains prepared puts only. */
static int
lmdb_apply_open(struct lmdb_env *env, struct lmdb_applying *a,
		struct pj_error *err)
{
	const struct store_job *job = a->job;
	const char *before = NULL;
	bool found;
	size_t i;

	if ((job->parked.n || job->unparked.n || job->refused.n) &&
	    lmdb_database(env, READMODEL_PARKED, true, &a->parked, &found, err))
		return -1;
	if (job->checkpoints.n &&
	    lmdb_database(env, READMODEL_CHECKPOINTS, true, &a->checkpoints,
			  &found, err))
		return -1;
	if (job->audit.n &&
	    lmdb_database(env, READMODEL_AUDIT, true, &a->audit, &found, err))
		return -1;
	for (i = 0; i < job->n_writes; i++) {
		const char *name = job->writes[i].collection;

		if (lmdb_open_next(env, name, before, &a->writes[i], err))
			return -1;
		before = name;
	}
	before = NULL;
	for (i = 0; i < job->n_purges; i++) {
		const char *name = job->purges[i].collection;

		if (lmdb_open_next(env, name, before, &a->purges[i], err))
			return -1;
		before = name;
	}
	return 0;
}

int
lmdb_apply(struct store_session *ses, struct store_job *job,
	   struct pj_error *err)
{
	struct lmdb_applying a = {.job = job};
	struct lmdb_env *env;
	size_t i;
	int ret = -1;

	a.writes = mem_calloc(job->n_writes, sizeof(*a.writes));
	a.purges = mem_calloc(job->n_purges, sizeof(*a.purges));
	a.outcomes = mem_calloc(job->n_writes, sizeof(*a.outcomes));
	if (lmdb_session_env(ses, &env, err) || lmdb_apply_open(env, &a, err) ||
	    lmdb_run(env, LMDB_WRITE, lmdb_apply_body, &a, "cannot write", err))
		goto out;
	for (i = 0; i < job->n_writes; i++)
		job->writes[i].outcome = a.outcomes[i];
	ret = 0;
out:
	free(a.writes);
	free(a.purges);
	buf_release(&a.before.bytes);
	buf_release(&a.after.bytes);
	free(a.outcomes);
	return ret;
}
