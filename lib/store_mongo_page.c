/* SPDX-License-Identifier: Apache-2.0 */
/* Lists over MongoDB: one find, by the index of the field or of `_id`. */
#include "lib/readmodel.h"
#include "lib/store_mongo.h"

/* The server's MaxTimeMSExpired. */
enum { MONGO_MAX_TIME_EXPIRED = 50 };

static void
page_put_filter(bson_t *filter, const struct store_filter *f)
{
	switch (f->type) {
	case STORE_FILTER_STRING:
		mongo_must(f->text.len <= INT32_MAX &&
			   bson_append_utf8(filter, f->field, -1, f->text.ptr,
					    (int)f->text.len));
		break;
	case STORE_FILTER_INT:
		mongo_must(bson_append_int64(filter, f->field, -1, f->number));
		break;
	case STORE_FILTER_BOOL:
		mongo_must(
			bson_append_bool(filter, f->field, -1, f->number != 0));
		break;
	}
}

/* {field: value, …, _id: {$gt}, "_m.d": 0} */
static void
page_filter(bson_t *filter, const struct store_query *query)
{
	const char *after = query->after.len ? query->after.ptr : "";
	bson_t id;

	for (size_t i = 0; i < query->n_filters; i++)
		page_put_filter(filter, &query->filters[i]);
	mongo_must(bson_append_document_begin(filter, READMODEL_ID, -1, &id) &&
		   bson_append_utf8(&id, "$gt", -1, after,
				    (int)query->after.len) &&
		   bson_append_document_end(filter, &id) &&
		   bson_append_int32(filter, READMODEL_META ".d", -1,
				     READMODEL_LIVE_DOC));
}

/* One more than wanted: so it is known whether there are others. */
static void
page_opts(bson_t *opts, const struct store_query *query)
{
	int32_t limit = (int32_t)query->limit + 1;
	bson_t sort;

	mongo_must(bson_append_document_begin(opts, "sort", -1, &sort) &&
		   bson_append_int32(&sort, READMODEL_ID, -1, 1) &&
		   bson_append_document_end(opts, &sort) &&
		   bson_append_int32(opts, "limit", -1, limit) &&
		   bson_append_int32(opts, "batchSize", -1, limit) &&
		   bson_append_int32(opts, "maxTimeMS", -1, STORE_PAGE_MS));
}

static void
page_take(mongoc_cursor_t *cursor, const struct store_query *query,
	  struct store_page *page)
{
	const bson_t *found;
	size_t bytes = 0;
	struct pj_str key;
	bson_iter_t it;
	uint32_t len;

	while (mongoc_cursor_next(cursor, &found)) {
		if (page->n == query->limit || bytes >= STORE_LOAD_BYTES) {
			page->more = true;
			return;
		}
		if (!bson_iter_init_find(&it, found, READMODEL_ID) ||
		    !BSON_ITER_HOLDS_UTF8(&it))
			continue;
		key.ptr = bson_iter_utf8(&it, &len);
		key.len = len;
		store_page_add(page, key, bson_get_data(found), found->len);
		bytes += found->len;
	}
}

int
mongo_page(struct store_session *base, const struct store_query *query,
	   struct store_page *page, struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	struct mongo_store *store = mongo_store_of(base);
	bson_t filter = BSON_INITIALIZER, opts;
	mongoc_collection_t *coll = NULL;
	mongoc_cursor_t *cursor = NULL;
	bson_error_t error = {0};
	const bson_t *reply;
	int ret = -1;

	page_filter(&filter, query);
	if (mongo_open_opts(ses, &opts, err))
		goto out;
	page_opts(&opts, query);
	coll = mongoc_client_get_collection(ses->client, store->database,
					    query->collection);
	cursor = mongoc_collection_find_with_opts(coll, &filter, &opts,
						  store->read_prefs);
	page_take(cursor, query, page);
	mongo_note_time(ses);
	if (mongoc_cursor_error_document(cursor, &error, &reply)) {
		mongo_error_set(err, &store->base, query->collection, &error,
				reply);
		/* Other reads have their time, too, and no filters. */
		if (err->code == MONGO_MAX_TIME_EXPIRED)
			err->code = STORE_PAGE_TOO_LONG;
	} else {
		ret = 0;
	}
out:
	if (cursor)
		mongoc_cursor_destroy(cursor);
	if (coll)
		mongoc_collection_destroy(coll);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return ret;
}
