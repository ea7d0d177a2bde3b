/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose making is told, collections and indexes in MongoDB. */
#include <stdlib.h>
#include <string.h>

#include "lib/readmodel.h"
#include "lib/store_mongo.h"
#include "lib/store_rows.h"

/*
 * One write command whose only expected failure is a duplicate key. The write
 * concern must hold: a row seen by nobody but a lost primary is no row.
 */
static int
mongo_write_row(struct mongo_session *ses, const bson_t *command,
		const char *what, bool *ret_done, struct pj_error *err)
{
	struct mongo_result res;
	int ret = mongo_write(ses, command, what, &res, err);

	if (ret)
		goto out;
	if (!res.durable || (!res.clean && res.code != MONGO_DUPLICATE_KEY))
		ret = pj_error_set(err, PJ_ERROR_RETRY, "%s: %s: %s",
				   ses->base.store->name, what, res.text);
	else
		*ret_done = res.n == 1;
out:
	mongo_result_release(&res);
	return ret;
}

int
mongo_row_insert(struct store_session *base, const char *collection,
		 const struct store_row *row, bool *ret_inserted,
		 struct pj_error *err)
{
	bson_t command = BSON_INITIALIZER, docs;
	int ret;

	mongo_must(bson_append_utf8(&command, "insert", -1, collection, -1) &&
		   bson_append_array_begin(&command, "documents", -1, &docs) &&
		   bson_append_document(&docs, "0", -1, row->bson) &&
		   bson_append_array_end(&command, &docs));
	ret = mongo_write_row((struct mongo_session *)base, &command, row->id,
			      ret_inserted, err);
	bson_destroy(&command);
	return ret;
}

/* ---- Collections ------------------------------------------------------- */

static int
mongo_create(struct mongo_session *ses, const char *collection,
	     struct pj_error *err)
{
	bson_t command = BSON_INITIALIZER;
	struct mongo_result res;
	int ret;

	mongo_must(bson_append_utf8(&command, "create", -1, collection, -1));
	ret = mongo_write(ses, &command, collection, &res, err);
	if (ret && err->code == MONGO_NAMESPACE_EXISTS)
		ret = 0;
	else if (!ret && !res.durable)
		ret = pj_error_set(err, PJ_ERROR_RETRY, "%s: %s: %s",
				   ses->base.store->name, collection, res.text);
	mongo_result_release(&res);
	bson_destroy(&command);
	return ret;
}

enum index_kind { INDEX_WITH_ID, INDEX_UNIQUE, INDEX_SPARSE };

/* Idempotent. */
static int
mongo_index(struct mongo_session *ses, const char *collection,
	    const char *field, enum index_kind kind, struct pj_error *err)
{
	bson_t command = BSON_INITIALIZER, list, index, key;
	struct mongo_result res;
	char *name = bson_strdup_printf("by_%s", field);
	int ret;

	mongo_must(
		bson_append_utf8(&command, "createIndexes", -1, collection,
				 -1) &&
		bson_append_array_begin(&command, "indexes", -1, &list) &&
		bson_append_document_begin(&list, "0", -1, &index) &&
		bson_append_document_begin(&index, "key", -1, &key) &&
		bson_append_int32(&key, field, -1, 1) &&
		(kind != INDEX_WITH_ID ||
		 bson_append_int32(&key, READMODEL_ID, -1, 1)) &&
		bson_append_document_end(&index, &key) &&
		bson_append_utf8(&index, "name", -1, name, -1) &&
		bson_append_bool(&index, "unique", -1, kind == INDEX_UNIQUE) &&
		bson_append_bool(&index, "sparse", -1, kind == INDEX_SPARSE) &&
		bson_append_document_end(&list, &index) &&
		bson_append_array_end(&command, &list));
	ret = mongo_write(ses, &command, collection, &res, err);
	if (!ret && !res.durable)
		ret = pj_error_set(err, PJ_ERROR_RETRY, "%s: %s: %s",
				   ses->base.store->name, collection, res.text);
	mongo_result_release(&res);
	bson_destroy(&command);
	bson_free(name);
	return ret;
}

/* Two processes never give one index twice: the unique index holds that. */
static int
mongo_sources_ready(struct mongo_session *ses, struct pj_error *err)
{
	struct mongo_store *store = mongo_store_of(&ses->base);
	bool ready;

	pthread_mutex_lock(&store->lock);
	ready = store->sources_ready;
	pthread_mutex_unlock(&store->lock);
	if (ready)
		return 0;
	if (mongo_index(ses, READMODEL_SOURCES, "index", INDEX_UNIQUE, err))
		return -1;
	pthread_mutex_lock(&store->lock);
	store->sources_ready = true;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

int
mongo_collection_make(struct store_session *base, const char *collection,
		      const struct store_index *indexes, size_t n_indexes,
		      struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	size_t i;

	if (mongo_create(ses, collection, err))
		return -1;
	if (strcmp(collection, READMODEL_SOURCES) == 0 &&
	    mongo_sources_ready(ses, err))
		return -1;
	for (i = 0; i < n_indexes; i++)
		if (mongo_index(ses, collection, indexes[i].field,
				indexes[i].sparse ? INDEX_SPARSE
						  : INDEX_WITH_ID,
				err))
			return -1;
	return 0;
}

/* ---- Sources ----------------------------------------------------------- */

struct mongo_source_search {
	const char *id;
	int32_t index; /* of this id; -1: not there */
	int32_t next;  /* one more than the highest */
	struct pj_error err;
};

static bool
mongo_source_each(void *arg, const uint8_t *bson, size_t len)
{
	struct mongo_source_search *s = arg;
	struct store_source_row row;
	size_t topic_len;

	if (rows_source_read(bson, len, &row, &s->err))
		return false;
	if (row.index >= s->next)
		s->next = row.index + 1;
	topic_len = strlen(row.topic);
	if (strncmp(s->id, row.topic, topic_len) == 0 &&
	    s->id[topic_len] == '/' &&
	    strtol(s->id + topic_len + 1, NULL, 10) == row.partition)
		s->index = row.index;
	return s->index < 0;
}

static int
mongo_source_search(struct store_session *base, struct mongo_source_search *s,
		    struct pj_error *err)
{
	s->index = -1;
	s->next = 0;
	if (mongo_scan(base, READMODEL_SOURCES, PJ_STR(""), PJ_STR(""),
		       mongo_source_each, s, err))
		return -1;
	if (s->err.cls == PJ_ERROR_NONE)
		return 0;
	*err = s->err;
	return -1;
}

int
mongo_source_make(struct store_session *base, const char *id, const char *topic,
		  int32_t partition, int32_t *ret_index, struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	struct mongo_source_search search = {.id = id};
	struct store_row row;
	bool inserted = false;
	int attempts;

	if (mongo_sources_ready(ses, err))
		return -1;
	/* Who loses the index to another loses to one that has moved on. */
	for (attempts = 0; attempts < 1000; attempts++) {
		int ret;

		if (mongo_source_search(base, &search, err))
			return -1;
		if (search.index >= 0) {
			*ret_index = search.index;
			return 0;
		}
		rows_source(&row, topic, partition, search.next);
		ret = mongo_row_insert(base, READMODEL_SOURCES, &row, &inserted,
				       err);
		store_row_release(&row);
		if (ret)
			return -1;
		if (inserted) {
			*ret_index = search.next;
			return 0;
		}
	}
	return pj_error_set(err, PJ_ERROR_RETRY,
			    "%s: source %s: too many at once",
			    base->store->name, id);
}
