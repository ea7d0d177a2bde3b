/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists over LMDB: by the index entry with the fewest documents, or along the
 * documents themselves. Whatever leads to a document, it is looked at whole: an
 * entry is a hint. One page is one transaction.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_lmdb.h"
#include "lib/str.h"

struct lmdb_paging {
	const struct store_query *query;
	struct store_page *page;
	MDB_dbi dbi;
	const struct lmdb_index *index; /* NULL: none */
	struct buf key, best;		/* index keys */
	size_t looks, bytes;
};

/* ---- One document ---------------------------------------------------------
 */

/* int32 and int64 are one type here, and so is a double that equals one. */
bool
lmdb_filter_value(const struct bsonread_element *el, struct store_filter *ret)
{
	double d;

	ret->type = STORE_FILTER_INT;
	switch (el->type) {
	case BSONREAD_STRING:
		ret->type = STORE_FILTER_STRING;
		ret->text = bsonread_text(el);
		return true;
	case BSONREAD_BOOL:
		ret->type = STORE_FILTER_BOOL;
		ret->number = el->value[0];
		return true;
	case BSONREAD_INT32:
		ret->number = bsonread_i32(el->value);
		return true;
	case BSONREAD_INT64:
		ret->number = bsonread_i64(el->value);
		return true;
	case BSONREAD_DOUBLE:
		d = bsonread_f64(el->value);
		if (!(d >= -0x1p63 && d < 0x1p63))
			return false;
		ret->number = (int64_t)d;
		return !((double)ret->number < d || (double)ret->number > d);
	default:
		return false;
	}
}

bool
lmdb_is_live(const uint8_t *bson, size_t len)
{
	struct bsonread r, meta;
	struct bsonread_element el;

	if (bsonread_open(&r, bson, len) < 0)
		return false;
	while (bsonread_next(&r, &el) == 1) {
		if (!bsonread_is(&el, READMODEL_META) ||
		    el.type != BSONREAD_OBJECT)
			continue;
		if (bsonread_open(&meta, el.value, el.len) < 0)
			return false;
		while (bsonread_next(&meta, &el) == 1)
			if (bsonread_is(&el, "d"))
				return el.type == BSONREAD_INT32 &&
				       bsonread_i32(el.value) ==
					       READMODEL_LIVE_DOC;
		return false;
	}
	return false;
}

static bool
is_same(const struct store_filter *a, const struct store_filter *b)
{
	if (a->type != b->type)
		return false;
	if (a->type != STORE_FILTER_STRING)
		return a->number == b->number;
	return str_equal(a->text, b->text);
}

static bool
is_wanted(const struct store_query *query, const MDB_val *val)
{
	size_t left = query->n_filters;
	struct bsonread_element el;
	struct store_filter value;
	struct bsonread r;

	if (!lmdb_is_live(val->mv_data, val->mv_size) ||
	    bsonread_open(&r, val->mv_data, val->mv_size) < 0)
		return false;
	while (left && bsonread_next(&r, &el) == 1) {
		for (size_t i = 0; i < query->n_filters; i++) {
			if (!bsonread_is(&el, query->filters[i].field))
				continue;
			if (!lmdb_filter_value(&el, &value) ||
			    !is_same(&value, &query->filters[i]))
				return false;
			left--;
		}
	}
	return left == 0;
}

/* False: the page is full, this document is not in it. */
static bool
page_look(struct lmdb_paging *p, const MDB_val *id, const MDB_val *val)
{
	struct store_page *page = p->page;
	struct pj_str key = {id->mv_data, id->mv_size};
	bool wanted;

	if (p->looks == STORE_PAGE_LOOKS) {
		page->more = true;
		return false;
	}
	p->looks++;
	wanted = is_wanted(p->query, val);
	if (wanted &&
	    (page->n == p->query->limit || p->bytes >= STORE_LOAD_BYTES)) {
		page->more = true;
		return false;
	}
	if (wanted) {
		store_page_add(page, key, val->mv_data, val->mv_size);
		p->bytes += val->mv_size;
	} else {
		store_page_last(page, key);
	}
	return true;
}

/* ---- The way to them ------------------------------------------------------
 */

static int
page_walk(MDB_txn *txn, struct lmdb_paging *p)
{
	struct buf after = {(char *)(uintptr_t)p->query->after.ptr,
			    p->query->after.len, 0};
	MDB_cursor *cur;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, p->dbi, &cur);

	if (rc)
		return rc;
	rc = lmdb_cursor_seek(cur, &after, &key, &val);
	while (!rc && page_look(p, &key, &val))
		rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
	mdb_cursor_close(cur);
	return rc;
}

/* To the first of the key's ids that is behind the query's `after`. */
static int
index_seek(MDB_cursor *cur, struct lmdb_paging *p, MDB_val *id)
{
	struct pj_str after = p->query->after;
	MDB_val key = lmdb_val(p->best.data, p->best.len);
	int rc;

	if (after.len == 0)
		return mdb_cursor_get(cur, &key, id, MDB_SET);
	*id = lmdb_val(after.ptr, after.len);
	rc = mdb_cursor_get(cur, &key, id, MDB_GET_BOTH_RANGE);
	if (!rc && id->mv_size == after.len &&
	    memcmp(id->mv_data, after.ptr, after.len) == 0)
		rc = mdb_cursor_get(cur, &key, id, MDB_NEXT_DUP);
	return rc;
}

static int
index_walk(MDB_txn *txn, struct lmdb_paging *p, MDB_cursor *cur)
{
	MDB_val key, id, val;
	int rc = index_seek(cur, p, &id);

	while (!rc) {
		rc = mdb_get(txn, p->dbi, &id, &val);
		if (!rc && !page_look(p, &id, &val))
			return 0;
		if (!rc || rc == MDB_NOTFOUND)
			rc = mdb_cursor_get(cur, &key, &id, MDB_NEXT_DUP);
	}
	return rc;
}

/*
 * p->best: of the filters' keys the one with the fewest documents; empty: none
 * of the fields is indexed. NOTFOUND: no document has one of the values.
 */
static int
index_choose(struct lmdb_paging *p, MDB_cursor *cur)
{
	size_t n, fewest = 0;
	MDB_val key, id;
	int rc;

	buf_clear(&p->best);
	for (size_t i = 0; i < p->query->n_filters; i++) {
		if (!lmdb_filter_key(p->index, &p->query->filters[i], &p->key))
			continue;
		key = lmdb_val(p->key.data, p->key.len);
		rc = mdb_cursor_get(cur, &key, &id, MDB_SET);
		if (!rc)
			rc = mdb_cursor_count(cur, &n);
		if (rc)
			return rc;
		if (p->best.len && n >= fewest)
			continue;
		fewest = n;
		buf_clear(&p->best);
		buf_add(&p->best, p->key.data, p->key.len);
	}
	return 0;
}

/* *ret_used false: no filter is indexed. */
static int
page_by_index(MDB_txn *txn, struct lmdb_paging *p, bool *ret_used)
{
	MDB_cursor *cur;
	int rc = mdb_cursor_open(txn, p->index->dbi, &cur);

	if (rc)
		return rc;
	rc = index_choose(p, cur);
	*ret_used = rc || p->best.len;
	if (!rc && p->best.len)
		rc = index_walk(txn, p, cur);
	mdb_cursor_close(cur);
	return rc;
}

static int
page_body(MDB_txn *txn, void *arg)
{
	struct lmdb_paging *p = arg;
	bool used = false;
	int rc = 0;

	store_page_clear(p->page);
	p->looks = 0;
	p->bytes = 0;
	if (p->index && p->query->n_filters)
		rc = page_by_index(txn, p, &used);
	if (!rc && !used)
		rc = page_walk(txn, p);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
lmdb_page(struct store_session *ses, const struct store_query *query,
	  struct store_page *page, struct pj_error *err)
{
	struct lmdb_paging p = {.query = query,
				.page = page,
				.key = BUF_INIT,
				.best = BUF_INIT};
	struct lmdb_env *env;
	bool found;
	int ret;

	if (lmdb_session_env(ses, &env, err) ||
	    lmdb_database(env, query->collection, false, &p.dbi, &found, err))
		return -1;
	if (!found)
		return 0;
	ret = lmdb_index_open(env, query->collection, &p.index, err);
	if (ret == 0)
		ret = lmdb_run(env, LMDB_READ, page_body, &p, query->collection,
			       err);
	buf_release(&p.key);
	buf_release(&p.best);
	return ret;
}
