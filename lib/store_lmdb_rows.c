/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in LMDB, changed the way a server's update operators would. */
#include <string.h>

#include "lib/store_fields.h"
#include "lib/store_lmdb.h"

/* Foreign numbers are read leniently, as in store_fields.h. */
static bool
rows_number(const bson_iter_t *it, int64_t *ret)
{
	if (!BSON_ITER_HOLDS_NUMBER(it))
		return false;
	*ret = bson_iter_as_int64(it);
	return true;
}

bool
lmdb_holds(const uint8_t *bson, size_t len, const struct store_cond *cond)
{
	bson_iter_t it, at;
	int64_t n;

	if (!bson_iter_init_from_data(&it, bson, len) ||
	    !bson_iter_find_descendant(&it, cond->field, &at) ||
	    !rows_number(&at, &n))
		return false;
	return cond->op == STORE_IS ? n == cond->value : n <= cond->value;
}

/* old: the field as it is; NULL: it is not there. False: it is no number. */
static bool
rows_put_change(bson_t *to, const struct store_change *c,
		const bson_iter_t *old)
{
	int64_t n = 0;

	switch (c->op) {
	case STORE_SET_INT32:
		put_int32(to, c->field, (int32_t)c->number);
		return true;
	case STORE_SET_INT64:
		put_int64(to, c->field, c->number);
		return true;
	case STORE_SET_TEXT:
		put_text(to, c->field, c->bytes.ptr);
		return true;
	case STORE_SET_BYTES:
		put_bytes(to, c->field, c->bytes, false);
		return true;
	case STORE_ADD:
		if (old && !rows_number(old, &n))
			return false;
		put_int64(to, c->field, n + c->number);
		return true;
	case STORE_RAISE:
		if (old && !rows_number(old, &n))
			return false;
		put_int64(to, c->field, old && n > c->number ? n : c->number);
		return true;
	}
	return false;
}

static const struct store_change *
rows_change_of(const struct store_row *row, const char *field)
{
	for (size_t i = 0; i < row->n_changes; i++)
		if (strcmp(row->changes[i].field, field) == 0)
			return &row->changes[i];
	return NULL;
}

/* from, with the row's changes made. False: damaged. */
static bool
rows_changed(const bson_t *from, const struct store_row *row, bson_t *to)
{
	const struct store_change *c;
	bson_iter_t it;
	bool ok = bson_iter_init(&it, from);

	while (ok && bson_iter_next(&it)) {
		c = rows_change_of(row, bson_iter_key(&it));
		ok = c ? rows_put_change(to, c, &it)
		       : bson_append_iter(to, NULL, 0, &it);
	}
	for (size_t i = 0; ok && i < row->n_changes; i++) {
		c = &row->changes[i];
		if (!bson_has_field(from, c->field))
			ok = rows_put_change(to, c, NULL);
	}
	return ok;
}

static int
rows_put_changed(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, const bson_t *from,
		 const struct store_row *row)
{
	bson_t to = BSON_INITIALIZER;
	int rc = MDB_CORRUPTED;
	MDB_val val;

	if (rows_changed(from, row, &to)) {
		val = lmdb_val(bson_get_data(&to), to.len);
		rc = mdb_put(txn, dbi, key, &val, 0);
	}
	bson_destroy(&to);
	return rc;
}

static int
rows_put_one(MDB_txn *txn, MDB_dbi dbi, const struct store_row *row,
	     bool *ret_done)
{
	MDB_val key = lmdb_val(row->id, strlen(row->id)), old;
	int rc = mdb_get(txn, dbi, &key, &old);
	bson_t now;

	*ret_done = false;
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	if (rc && !row->bson)
		return 0;
	if (rc) {
		*ret_done = true;
		return rows_put_changed(txn, dbi, &key, row->bson, row);
	}
	if (!bson_init_static(&now, old.mv_data, old.mv_size))
		return MDB_CORRUPTED;
	for (size_t i = 0; i < row->n_conds; i++)
		if (!lmdb_holds(old.mv_data, old.mv_size, &row->conds[i]))
			return 0;
	*ret_done = true;
	return row->n_changes ? rows_put_changed(txn, dbi, &key, &now, row) : 0;
}

int
lmdb_rows_put(MDB_txn *txn, MDB_dbi dbi, const struct store_rows *rows,
	      size_t *ret_done)
{
	bool done;
	int rc = 0;

	*ret_done = 0;
	for (size_t i = 0; !rc && i < rows->n; i++) {
		rc = rows_put_one(txn, dbi, &rows->row[i], &done);
		*ret_done += done;
	}
	return rc;
}

struct rows_writing {
	MDB_dbi dbi;
	const struct store_rows *rows;
	size_t done;
};

static int
rows_write_body(MDB_txn *txn, void *arg)
{
	struct rows_writing *w = arg;

	return lmdb_rows_put(txn, w->dbi, w->rows, &w->done);
}

int
lmdb_rows_write(struct store_session *ses, const char *collection,
		const struct store_rows *rows, size_t *ret_done,
		struct pj_error *err)
{
	struct rows_writing w = {.rows = rows};
	struct lmdb_env *env;
	bool found;

	if (lmdb_session_env(ses, &env, err) ||
	    lmdb_database(env, collection, true, &w.dbi, &found, err) ||
	    lmdb_run(env, LMDB_WRITE, rows_write_body, &w, collection, err))
		return -1;
	*ret_done = w.done;
	return 0;
}

/* ---- Deleting ---------------------------------------------------------- */

int
lmdb_rows_del(MDB_txn *txn, MDB_dbi dbi, const struct store_rows *rows)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < rows->n; i++) {
		const char *id = rows->row[i].id;
		MDB_val key = lmdb_val(id, strlen(id));

		rc = mdb_del(txn, dbi, &key, NULL);
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	return rc;
}

static int
rows_delete_body(MDB_txn *txn, void *arg)
{
	struct rows_writing *w = arg;

	return lmdb_rows_del(txn, w->dbi, w->rows);
}

int
lmdb_rows_delete(struct store_session *ses, const char *collection,
		 const struct store_rows *rows, struct pj_error *err)
{
	struct rows_writing w = {.rows = rows};
	struct lmdb_env *env;
	bool found;

	if (lmdb_session_env(ses, &env, err) ||
	    lmdb_database(env, collection, true, &w.dbi, &found, err))
		return -1;
	return lmdb_run(env, LMDB_WRITE, rows_delete_body, &w, collection, err);
}
