/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scans over LMDB, piece by piece: a piece is copied in one short transaction
 * and handed out after it. So each() may use the store, a slow reader keeps no
 * old pages alive, and the map can be resized in between.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/store_lmdb.h"

enum {
	LMDB_PIECE_DOCS = 256,
	LMDB_PIECE_BYTES = 1 << 20, /* at least one document, however big */
};

struct lmdb_piece {
	MDB_dbi dbi;
	struct pj_str end;
	struct buf after; /* the last key handed out */
	struct buf bytes;
	size_t lens[LMDB_PIECE_DOCS];
	size_t n;
	bool count_only;
	int64_t count;
};

int
lmdb_cursor_seek(MDB_cursor *cur, const struct buf *after, MDB_val *key,
		 MDB_val *val)
{
	/* A longer bound sorts like its first 511 bytes: no key is longer. */
	size_t len = after->len < LMDB_KEY_MAX ? after->len : LMDB_KEY_MAX;
	int rc;

	if (len == 0)
		return mdb_cursor_get(cur, key, val, MDB_FIRST);
	*key = lmdb_val(after->data, len);
	rc = mdb_cursor_get(cur, key, val, MDB_SET_RANGE);
	if (!rc && key->mv_size == len &&
	    memcmp(key->mv_data, after->data, len) == 0)
		rc = mdb_cursor_get(cur, key, val, MDB_NEXT);
	return rc;
}

static bool
lmdb_is_before(const MDB_val *key, struct pj_str end)
{
	size_t len = key->mv_size < end.len ? key->mv_size : end.len;
	int order;

	if (end.len == 0)
		return true;
	order = memcmp(key->mv_data, end.ptr, len);
	return order < 0 || (order == 0 && key->mv_size < end.len);
}

static void
lmdb_piece_add(struct lmdb_piece *p, const MDB_val *key, const MDB_val *val)
{
	buf_add(&p->bytes, val->mv_data, val->mv_size);
	p->lens[p->n++] = val->mv_size;
	buf_clear(&p->after);
	buf_add(&p->after, key->mv_data, key->mv_size);
}

static int
lmdb_piece_body(MDB_txn *txn, void *arg)
{
	struct lmdb_piece *p = arg;
	MDB_cursor *cur;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, p->dbi, &cur);

	if (rc)
		return rc;
	p->n = 0;
	p->count = 0;
	buf_clear(&p->bytes);
	rc = lmdb_cursor_seek(cur, &p->after, &key, &val);
	while (!rc && lmdb_is_before(&key, p->end)) {
		if (p->count_only)
			p->count++;
		else
			lmdb_piece_add(p, &key, &val);
		if (p->n == LMDB_PIECE_DOCS || p->bytes.len > LMDB_PIECE_BYTES)
			break;
		rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool
lmdb_piece_hand_out(const struct lmdb_piece *p, store_each_fn each, void *arg)
{
	const uint8_t *at = (const uint8_t *)p->bytes.data;
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (!each(arg, at, p->lens[i]))
			return false;
		at += p->lens[i];
	}
	return true;
}

/* *ret_found false: nothing to scan. */
static int
lmdb_piece_begin(struct lmdb_piece *p, struct store_session *ses,
		 const char *collection, struct pj_str after, struct pj_str end,
		 struct lmdb_env **ret_env, bool *ret_found,
		 struct pj_error *err)
{
	memset(p, 0, sizeof(*p));
	if (lmdb_session_env(ses, ret_env, err) ||
	    lmdb_database(*ret_env, collection, false, &p->dbi, ret_found, err))
		return -1;
	p->end = end;
	buf_add(&p->after, after.ptr, after.len);
	return 0;
}

int
lmdb_scan(struct store_session *ses, const char *collection,
	  struct pj_str after, struct pj_str end, store_each_fn each, void *arg,
	  struct pj_error *err)
{
	struct lmdb_piece *p = mem_alloc(sizeof(*p));
	struct lmdb_env *env;
	bool more;
	int ret = lmdb_piece_begin(p, ses, collection, after, end, &env, &more,
				   err);

	while (!ret && more) {
		ret = lmdb_run(env, LMDB_READ, lmdb_piece_body, p, collection,
			       err);
		more = !ret && p->n > 0 && lmdb_piece_hand_out(p, each, arg);
	}
	buf_release(&p->after);
	buf_release(&p->bytes);
	free(p);
	return ret;
}

int
lmdb_count(struct store_session *ses, const char *collection,
	   struct pj_str after, struct pj_str end, int64_t *ret_n,
	   struct pj_error *err)
{
	struct lmdb_piece *p = mem_alloc(sizeof(*p));
	struct lmdb_env *env;
	bool found;
	int ret = lmdb_piece_begin(p, ses, collection, after, end, &env, &found,
				   err);

	p->count_only = true;
	if (!ret && found)
		ret = lmdb_run(env, LMDB_READ, lmdb_piece_body, p, collection,
			       err);
	if (!ret)
		*ret_n = p->count;
	buf_release(&p->after);
	free(p);
	return ret;
}

struct lmdb_finding {
	const struct store_cond *conds;
	size_t n_conds;
	store_each_fn each;
	void *arg;
};

static bool
lmdb_find_each(void *arg, const uint8_t *bson, size_t len)
{
	const struct lmdb_finding *f = arg;

	for (size_t i = 0; i < f->n_conds; i++)
		if (!lmdb_holds(bson, len, &f->conds[i]))
			return true;
	return f->each(f->arg, bson, len);
}

/* Everything is looked at: an embedded store is small, its disk is near. */
int
lmdb_find(struct store_session *ses, const char *collection,
	  const struct store_cond *conds, size_t n_conds, store_each_fn each,
	  void *arg, struct pj_error *err)
{
	struct lmdb_finding f = {conds, n_conds, each, arg};

	return lmdb_scan(ses, collection, PJ_STR(""), PJ_STR(""),
			 lmdb_find_each, &f, err);
}
