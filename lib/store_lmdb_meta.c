/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the fixed collections whose making is told, in LMDB. */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_lmdb.h"
#include "lib/store_rows.h"

static int
lmdb_open_fixed(struct store_session *ses, const char *collection,
		struct lmdb_env **ret_env, MDB_dbi *ret_dbi,
		struct pj_error *err)
{
	bool found;

	if (lmdb_session_env(ses, ret_env, err))
		return -1;
	return lmdb_database(*ret_env, collection, true, ret_dbi, &found, err);
}

/* ---- Insert ------------------------------------------------------------ */

struct lmdb_inserting {
	MDB_dbi dbi;
	const struct store_row *row;
	bool inserted;
};

static int
lmdb_insert_body(MDB_txn *txn, void *arg)
{
	struct lmdb_inserting *in = arg;
	MDB_val key = lmdb_val(in->row->id, strlen(in->row->id));
	MDB_val val =
		lmdb_val(bson_get_data(in->row->bson), in->row->bson->len);
	int rc = mdb_put(txn, in->dbi, &key, &val, MDB_NOOVERWRITE);

	in->inserted = rc == 0;
	return rc == MDB_KEYEXIST ? 0 : rc;
}

int
lmdb_row_insert(struct store_session *ses, const char *collection,
		const struct store_row *row, bool *ret_inserted,
		struct pj_error *err)
{
	struct lmdb_inserting in = {.row = row};
	struct lmdb_env *env;

	if (lmdb_open_fixed(ses, collection, &env, &in.dbi, err) ||
	    lmdb_run(env, LMDB_WRITE, lmdb_insert_body, &in, row->id, err))
		return -1;
	*ret_inserted = in.inserted;
	return 0;
}

/* ---- Sources ----------------------------------------------------------- */

struct lmdb_sourcing {
	MDB_dbi dbi;
	const char *id, *topic;
	int32_t partition;
	int32_t index;
	struct pj_error err;
};

static int
lmdb_source_index(struct lmdb_sourcing *s, const MDB_val *val, int32_t *ret)
{
	struct store_source_row row;

	if (rows_source_read(val->mv_data, val->mv_size, &row, &s->err))
		return MDB_CORRUPTED;
	*ret = row.index;
	return 0;
}

/* One more than the highest given so far. */
static int
lmdb_source_next(MDB_txn *txn, struct lmdb_sourcing *s)
{
	MDB_cursor *cur;
	MDB_val key, val;
	int32_t index;
	int rc = mdb_cursor_open(txn, s->dbi, &cur);

	if (rc)
		return rc;
	s->index = 0;
	while (!(rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT))) {
		rc = lmdb_source_index(s, &val, &index);
		if (rc)
			break;
		if (index >= s->index)
			s->index = index + 1;
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
lmdb_source_body(MDB_txn *txn, void *arg)
{
	struct lmdb_sourcing *s = arg;
	MDB_val key = lmdb_val(s->id, strlen(s->id)), val;
	struct store_row row;
	int rc = mdb_get(txn, s->dbi, &key, &val);

	if (rc == 0)
		return lmdb_source_index(s, &val, &s->index);
	if (rc == MDB_NOTFOUND)
		rc = lmdb_source_next(txn, s);
	if (rc)
		return rc;
	rows_source(&row, s->topic, s->partition, s->index);
	val = lmdb_val(bson_get_data(row.bson), row.bson->len);
	rc = mdb_put(txn, s->dbi, &key, &val, MDB_NOOVERWRITE);
	store_row_release(&row);
	return rc;
}

int
lmdb_source_make(struct store_session *ses, const char *id, const char *topic,
		 int32_t partition, int32_t *ret_index, struct pj_error *err)
{
	struct lmdb_sourcing s = {
		.id = id, .topic = topic, .partition = partition};
	struct lmdb_env *env;

	if (lmdb_open_fixed(ses, READMODEL_SOURCES, &env, &s.dbi, err))
		return -1;
	if (lmdb_run(env, LMDB_WRITE, lmdb_source_body, &s, id, err)) {
		if (s.err.cls != PJ_ERROR_NONE)
			*err = s.err;
		return -1;
	}
	*ret_index = s.index;
	return 0;
}
