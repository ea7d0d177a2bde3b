/* SPDX-License-Identifier: Apache-2.0 */
/* Reading documents from MongoDB. */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_mongo.h"
#include "lib/str.h"

enum {
	MONGO_LOAD_DOCS = 500,	/* ids per find */
	MONGO_SCAN_DOCS = 1000, /* per reply; the server holds 16 MB anyway */
};

static void
mongo_put_key(bson_t *bson, const char *name, struct pj_str key)
{
	mongo_must(key.len <= INT32_MAX &&
		   bson_append_utf8(bson, name, -1, key.ptr ? key.ptr : "",
				    (int)key.len));
}

/* ---- Load -------------------------------------------------------------- */

static int
mongo_doc_compare(const void *a, const void *b)
{
	const struct store_doc *const *x = a, *const *y = b;

	return str_compare((*x)->key, (*y)->key);
}

/* Returns the bytes it takes. */
static size_t
mongo_doc_set(struct store_doc *doc, const bson_t *found)
{
	if (doc->bson)
		return 0;
	doc->len = found->len;
	doc->bson = mem_alloc(found->len);
	memcpy(doc->bson, bson_get_data(found), found->len);
	return found->len;
}

/*
 * Gives a found document to all who asked for its key; sorted is by key.
 * Returns the bytes they take.
 */
static size_t
mongo_hand_over(struct store_doc *const *sorted, size_t n, const bson_t *found)
{
	struct pj_str key;
	bson_iter_t it;
	uint32_t len;
	size_t low = 0, high = n, bytes = 0;

	if (!bson_iter_init_find(&it, found, READMODEL_ID) ||
	    !BSON_ITER_HOLDS_UTF8(&it))
		return 0;
	key.ptr = bson_iter_utf8(&it, &len);
	key.len = len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (str_compare(sorted[mid]->key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < n && str_compare(sorted[low]->key, key) == 0; low++)
		bytes += mongo_doc_set(sorted[low], found);
	return bytes;
}

static void
mongo_load_filter(bson_t *filter, struct store_doc *const *sorted, size_t n)
{
	bson_t id, ids;
	size_t i;

	mongo_must(bson_append_document_begin(filter, READMODEL_ID, -1, &id) &&
		   bson_append_array_begin(&id, "$in", -1, &ids));
	for (i = 0; i < n; i++) {
		char name[16];
		const char *at;

		bson_uint32_to_string((uint32_t)i, &at, name, sizeof(name));
		mongo_put_key(&ids, at, sorted[i]->key);
	}
	mongo_must(bson_append_array_end(&id, &ids) &&
		   bson_append_document_end(filter, &id));
}

static void
mongo_leave_out(struct store_doc *const *sorted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sorted[i]->left_out = !sorted[i]->bson;
}

static int
mongo_load_piece(struct mongo_session *ses, mongoc_collection_t *coll,
		 struct store_doc *const *sorted, size_t n, size_t *bytes,
		 struct pj_error *err)
{
	struct mongo_store *store = mongo_store_of(&ses->base);
	bson_t filter = BSON_INITIALIZER, opts;
	mongoc_cursor_t *cursor = NULL;
	const bson_t *found, *reply;
	bson_error_t error = {0};
	int ret = -1;

	mongo_load_filter(&filter, sorted, n);
	if (mongo_read_opts(ses, &opts, err))
		goto out;
	mongo_must(bson_append_int32(&opts, "batchSize", -1, (int32_t)n + 1));
	cursor = mongoc_collection_find_with_opts(coll, &filter, &opts,
						  store->read_prefs);
	while (*bytes < STORE_LOAD_BYTES && mongoc_cursor_next(cursor, &found))
		*bytes += mongo_hand_over(sorted, n, found);
	mongo_note_time(ses);
	if (mongoc_cursor_error_document(cursor, &error, &reply))
		mongo_error_set(err, &store->base,
				mongoc_collection_get_name(coll), &error,
				reply);
	else
		ret = 0;
	/* The server gives them in any order: of the rest nothing is known. */
	if (*bytes >= STORE_LOAD_BYTES)
		mongo_leave_out(sorted, n);
out:
	if (cursor)
		mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return ret;
}

int
mongo_load(struct store_session *base, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	struct mongo_store *store = mongo_store_of(base);
	struct store_doc **sorted =
		mem_calloc(n_docs, sizeof(struct store_doc *));
	mongoc_collection_t *coll;
	size_t i, n, bytes = 0;
	int ret = 0;

	coll = mongoc_client_get_collection(ses->client, store->database,
					    collection);
	for (i = 0; i < n_docs; i++)
		sorted[i] = &docs[i];
	qsort(sorted, n_docs, sizeof(*sorted), mongo_doc_compare);
	for (i = 0; !ret && i < n_docs; i += n) {
		n = n_docs - i;
		if (n > MONGO_LOAD_DOCS)
			n = MONGO_LOAD_DOCS;
		if (bytes >= STORE_LOAD_BYTES)
			mongo_leave_out(sorted + i, n);
		else
			ret = mongo_load_piece(ses, coll, sorted + i, n, &bytes,
					       err);
	}
	mongoc_collection_destroy(coll);
	free(sorted);
	return ret;
}

/* ---- Scan, find and count ---------------------------------------------- */

/* {_id: {$gt, $lt}}; strings only, compared by bytes. */
static void
mongo_range_filter(bson_t *filter, struct pj_str after, struct pj_str end)
{
	bson_t id;

	mongo_must(bson_append_document_begin(filter, READMODEL_ID, -1, &id));
	/* "" would hide the document of that id: there is none, by the port. */
	mongo_put_key(&id, "$gt", after);
	if (end.len)
		mongo_put_key(&id, "$lt", end);
	mongo_must(bson_append_document_end(filter, &id));
}

static int
mongo_each(struct store_session *base, const char *collection,
	   const bson_t *filter, bool by_id, store_each_fn each, void *arg,
	   struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	struct mongo_store *store = mongo_store_of(base);
	mongoc_collection_t *coll = NULL;
	mongoc_cursor_t *cursor = NULL;
	const bson_t *found, *reply;
	bson_error_t error = {0};
	bson_t opts, sort;
	bool more = true;
	int ret = -1;

	if (mongo_read_opts(ses, &opts, err))
		goto out;
	mongo_must((!by_id ||
		    (bson_append_document_begin(&opts, "sort", -1, &sort) &&
		     bson_append_int32(&sort, READMODEL_ID, -1, 1) &&
		     bson_append_document_end(&opts, &sort))) &&
		   bson_append_int32(&opts, "batchSize", -1, MONGO_SCAN_DOCS));
	coll = mongoc_client_get_collection(ses->client, store->database,
					    collection);
	cursor = mongoc_collection_find_with_opts(coll, filter, &opts,
						  store->read_prefs);
	while (more && mongoc_cursor_next(cursor, &found))
		more = each(arg, bson_get_data(found), found->len);
	mongo_note_time(ses);
	if (mongoc_cursor_error_document(cursor, &error, &reply))
		mongo_error_set(err, &store->base, collection, &error, reply);
	else
		ret = 0;
out:
	if (cursor)
		mongoc_cursor_destroy(cursor);
	if (coll)
		mongoc_collection_destroy(coll);
	bson_destroy(&opts);
	return ret;
}

int
mongo_scan(struct store_session *base, const char *collection,
	   struct pj_str after, struct pj_str end, store_each_fn each,
	   void *arg, struct pj_error *err)
{
	bson_t filter = BSON_INITIALIZER;
	int ret;

	mongo_range_filter(&filter, after, end);
	ret = mongo_each(base, collection, &filter, true, each, arg, err);
	bson_destroy(&filter);
	return ret;
}

int
mongo_find(struct store_session *base, const char *collection,
	   const struct store_cond *conds, size_t n_conds, store_each_fn each,
	   void *arg, struct pj_error *err)
{
	bson_t filter = BSON_INITIALIZER;
	int ret;

	mongo_put_conds(&filter, conds, n_conds);
	ret = mongo_each(base, collection, &filter, false, each, arg, err);
	bson_destroy(&filter);
	return ret;
}

static void
mongo_count_command(bson_t *command, const char *collection,
		    struct pj_str after, struct pj_str end)
{
	bson_t pipeline, stage, filter, cursor;

	mongo_must(bson_append_utf8(command, "aggregate", -1, collection, -1) &&
		   bson_append_array_begin(command, "pipeline", -1, &pipeline));
	bson_init(&filter);
	mongo_range_filter(&filter, after, end);
	mongo_must(bson_append_document_begin(&pipeline, "0", -1, &stage) &&
		   bson_append_document(&stage, "$match", -1, &filter) &&
		   bson_append_document_end(&pipeline, &stage) &&
		   bson_append_document_begin(&pipeline, "1", -1, &stage) &&
		   bson_append_utf8(&stage, "$count", -1, "n", -1) &&
		   bson_append_document_end(&pipeline, &stage) &&
		   bson_append_array_end(command, &pipeline) &&
		   bson_append_document_begin(command, "cursor", -1, &cursor) &&
		   bson_append_document_end(command, &cursor));
	bson_destroy(&filter);
}

int
mongo_count(struct store_session *base, const char *collection,
	    struct pj_str after, struct pj_str end, int64_t *ret_n,
	    struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	bson_t command = BSON_INITIALIZER, reply;
	bson_iter_t it, n;
	int ret = -1;

	mongo_count_command(&command, collection, after, end);
	if (mongo_read(ses, &command, &reply, collection, err))
		goto out;
	ret = 0;
	*ret_n = 0;
	if (bson_iter_init(&it, &reply) &&
	    bson_iter_find_descendant(&it, "cursor.firstBatch.0.n", &n))
		*ret_n = bson_iter_as_int64(&n);
out:
	bson_destroy(&command);
	bson_destroy(&reply);
	return ret;
}
