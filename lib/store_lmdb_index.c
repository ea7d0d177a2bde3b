/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a collection in LMDB: made, known, kept. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_lmdb.h"

struct lmdb_indexes {
	pthread_mutex_t lock; /* taken before the environment's */
	struct lmdb_index **known;
	size_t n, cap;
};

struct lmdb_indexes *
lmdb_indexes_new(void)
{
	struct lmdb_indexes *all = mem_calloc(1, sizeof(*all));

	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void
lmdb_indexes_free(struct lmdb_indexes *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->known[i]->collection);
		free(all->known[i]);
	}
	free(all->known);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

static char *
index_name(const char *collection)
{
	return mem_printf("%s#index", collection);
}

static MDB_val
fields_key(void)
{
	return lmdb_val("", 1);
}

/* ---- Made with its collection -------------------------------------------- */

struct index_making {
	const char *collection;
	char *name;
	const struct store_index *indexes;
	size_t n_indexes;
};

/* The field of a filter; other indexes are for a server. */
static bool
is_kept(const struct store_index *index)
{
	return !index->sparse && strlen(index->field) <= LMDB_FIELD_MAX;
}

static int
index_make(MDB_txn *txn, const struct index_making *m)
{
	MDB_val key = fields_key(), val;
	MDB_dbi dbi = 0;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < m->n_indexes; i++) {
		const char *field = m->indexes[i].field;

		if (!is_kept(&m->indexes[i]) || n == LMDB_INDEX_FIELDS)
			continue;
		if (n++ == 0)
			rc = mdb_dbi_open(txn, m->name,
					  MDB_CREATE | MDB_DUPSORT, &dbi);
		val = lmdb_val(field, strlen(field));
		if (!rc)
			rc = mdb_put(txn, dbi, &key, &val, 0);
	}
	return rc;
}

/* A collection that is there stays as it is: its documents are not indexed. */
static int
index_making_body(MDB_txn *txn, void *arg)
{
	const struct index_making *m = arg;
	MDB_dbi dbi;
	int rc = mdb_dbi_open(txn, m->collection, 0, &dbi);

	if (rc != MDB_NOTFOUND)
		return rc;
	rc = mdb_dbi_open(txn, m->collection, MDB_CREATE, &dbi);
	return rc ? rc : index_make(txn, m);
}

int
lmdb_collection_make(struct store_session *ses, const char *collection,
		     const struct store_index *indexes, size_t n_indexes,
		     struct pj_error *err)
{
	struct index_making m = {.collection = collection,
				 .indexes = indexes,
				 .n_indexes = n_indexes};
	struct lmdb_env *env;
	int ret;

	if (lmdb_session_env(ses, &env, err))
		return -1;
	m.name = index_name(collection);
	ret = lmdb_run_alone(env, LMDB_WRITE, index_making_body, &m, collection,
			     err);
	free(m.name);
	return ret;
}

/* ---- Known ----------------------------------------------------------------
 */

static int
index_fields_body(MDB_txn *txn, void *arg)
{
	struct lmdb_index *idx = arg;
	MDB_val key = fields_key(), val;
	MDB_cursor *cur;
	int rc = mdb_cursor_open(txn, idx->dbi, &cur);

	if (rc)
		return rc;
	idx->n_fields = 0;
	for (rc = mdb_cursor_get(cur, &key, &val, MDB_SET);
	     !rc && idx->n_fields < LMDB_INDEX_FIELDS;
	     rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT_DUP)) {
		char *field = idx->fields[idx->n_fields++];

		if (val.mv_size > LMDB_FIELD_MAX)
			val.mv_size = LMDB_FIELD_MAX;
		memcpy(field, val.mv_data, val.mv_size);
		field[val.mv_size] = '\0';
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
index_read(struct lmdb_env *env, struct lmdb_index *idx, struct pj_error *err)
{
	char *name = index_name(idx->collection);
	int ret = lmdb_database(env, name, false, &idx->dbi, &idx->exists, err);

	if (ret == 0 && idx->exists)
		ret = lmdb_run(env, LMDB_READ, index_fields_body, idx, name,
			       err);
	free(name);
	return ret;
}

static struct lmdb_index *
index_find(const struct lmdb_indexes *all, const char *collection)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->known[i]->collection, collection) == 0)
			return all->known[i];
	return NULL;
}

int
lmdb_index_open(struct lmdb_env *env, const char *collection,
		const struct lmdb_index **ret_index, struct pj_error *err)
{
	struct lmdb_indexes *all = lmdb_env_indexes(env);
	struct lmdb_index *idx;
	int ret = 0;

	pthread_mutex_lock(&all->lock);
	idx = index_find(all, collection);
	if (!idx) {
		idx = mem_calloc(1, sizeof(*idx));
		idx->collection = mem_strdup(collection);
		ret = index_read(env, idx, err);
		if (ret) {
			free(idx->collection);
			free(idx);
			goto out;
		}
		MEM_GROW(all->known, all->n, all->cap);
		all->known[all->n++] = idx;
	}
	*ret_index = idx->exists ? idx : NULL;
out:
	pthread_mutex_unlock(&all->lock);
	return ret;
}

/* ---- Kept -----------------------------------------------------------------
 */

/* No key is longer than LMDB takes: 64 of the name, at most 120 of a value. */
static void
put_key(struct buf *out, const char *field, const struct store_filter *value)
{
	buf_add(out, field, strlen(field) + 1);
	switch (value->type) {
	case STORE_FILTER_STRING:
		buf_addch(out, 's');
		readmodel_add_unit(out, value->text);
		break;
	case STORE_FILTER_INT:
		buf_printf(out, "i%" PRId64, value->number);
		break;
	case STORE_FILTER_BOOL:
		buf_printf(out, "b%d", value->number != 0);
		break;
	}
}

bool
lmdb_filter_key(const struct lmdb_index *idx, const struct store_filter *f,
		struct buf *ret_key)
{
	for (size_t i = 0; idx && i < idx->n_fields; i++) {
		if (strcmp(idx->fields[i], f->field) != 0)
			continue;
		buf_clear(ret_key);
		put_key(ret_key, f->field, f);
		return true;
	}
	return false;
}

/* The value of one field at the top; false: absent, or no such value. */
static bool
find_value(const uint8_t *bson, size_t len, const char *field,
	   struct store_filter *ret)
{
	struct bsonread r;
	struct bsonread_element el;

	if (bsonread_open(&r, bson, len) < 0)
		return false;
	while (bsonread_next(&r, &el) == 1)
		if (bsonread_is(&el, field))
			return lmdb_filter_value(&el, ret);
	return false;
}

void
lmdb_keys_of(struct lmdb_keys *keys, const struct lmdb_index *idx,
	     const uint8_t *bson, size_t len)
{
	bool live = idx && bson && lmdb_is_live(bson, len);
	struct store_filter value;

	buf_clear(&keys->bytes);
	keys->n = idx ? idx->n_fields : 0;
	for (size_t i = 0; i < keys->n; i++) {
		if (live && find_value(bson, len, idx->fields[i], &value))
			put_key(&keys->bytes, idx->fields[i], &value);
		keys->end[i] = keys->bytes.len;
	}
}

static MDB_val
nth_key(const struct lmdb_keys *keys, size_t i)
{
	size_t from = i ? keys->end[i - 1] : 0;

	return lmdb_val(keys->bytes.data + from, keys->end[i] - from);
}

int
lmdb_keys_move(MDB_txn *txn, const struct lmdb_index *idx, struct pj_str id,
	       const struct lmdb_keys *from, const struct lmdb_keys *to)
{
	MDB_val val = lmdb_val(id.ptr, id.len);
	int rc = 0;

	for (size_t i = 0; idx && !rc && i < idx->n_fields; i++) {
		MDB_val old = nth_key(from, i), new = nth_key(to, i);

		if (old.mv_size == new.mv_size &&
		    (old.mv_size == 0 ||
		     memcmp(old.mv_data, new.mv_data, old.mv_size) == 0))
			continue;
		if (old.mv_size) {
			rc = mdb_del(txn, idx->dbi, &old, &val);
			if (rc == MDB_NOTFOUND)
				rc = 0;
		}
		if (!rc && new.mv_size)
			rc = mdb_put(txn, idx->dbi, &new, &val, 0);
	}
	return rc;
}
