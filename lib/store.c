/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port's front: checks, then the adapter. Batches: store_apply.c; fixed
 * collections: store_checkpoints.c, store_meta.c, store_parked_scan.c,
 * store_audit.c, store_requests.c, store_topics.c, store_crashes.c.
 */
#include "lib/store.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_impl.h"
#include "lib/store_rows.h"

const struct store_fixed store_fixed[] = {
	{.name = READMODEL_GENERATIONS},
	{.name = READMODEL_LIVE},
	{.name = READMODEL_CHECKPOINTS},
	{.name = READMODEL_SOURCES},
	{.name = READMODEL_PARKED},
	{.name = READMODEL_UNITS},
	{.name = READMODEL_AUDIT},
	/* Those that are done stay; the new ones are asked for all the time. */
	{.name = READMODEL_REQUESTS, .index = {"state", false}, .n_indexes = 1},
	{.name = READMODEL_CRASHES},
	{.name = READMODEL_TOPICS},
	{.name = NULL},
};

int
store_open(const struct store_settings *settings, struct store **ret_store,
	   struct pj_error *err)
{
	if (settings->type == STORE_MONGODB)
		return store_mongo_open(settings, ret_store, err);
	return store_lmdb_open(settings, ret_store, err);
}

void
store_close(struct store *store)
{
	if (store)
		store->ops->close(store);
}

int
store_session_open(struct store *store, struct store_session **ret_session,
		   struct pj_error *err)
{
	return store->ops->session_open(store, ret_session, err);
}

void
store_session_close(struct store_session *ses)
{
	if (ses)
		ses->store->ops->session_close(ses);
}

int
store_check(struct store_session *ses, struct pj_error *err)
{
	return ses->store->ops->check(ses, err);
}

int
store_sync(struct store_session *ses, struct pj_error *err)
{
	const struct store_ops *ops = ses->store->ops;

	return ops->sync ? ops->sync(ses, err) : 0;
}

int
store_load(struct store_session *ses, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	size_t i;

	for (i = 0; i < n_docs; i++) {
		docs[i].bson = NULL;
		docs[i].len = 0;
		docs[i].left_out = false;
	}
	if (n_docs == 0 ||
	    ses->store->ops->load(ses, collection, docs, n_docs, err) == 0)
		return 0;
	for (i = 0; i < n_docs; i++) {
		free(docs[i].bson);
		docs[i].bson = NULL;
		docs[i].len = 0;
		docs[i].left_out = false;
	}
	return -1;
}

int
store_scan(struct store_session *ses, const char *collection,
	   struct pj_str after, store_each_fn each, void *arg,
	   struct pj_error *err)
{
	return ses->store->ops->scan(ses, collection, after, PJ_STR(""), each,
				     arg, err);
}

int
store_watch_open(struct store_session *ses, const char *const *collections,
		 size_t n, int wait_ms, struct store_watch **ret_watch,
		 struct pj_error *err)
{
	return ses->store->ops->watch_open(ses, collections, n, wait_ms,
					   ret_watch, err);
}

int
store_watch_next(struct store_watch *watch, struct store_news *ret_news,
		 struct pj_error *err)
{
	*ret_news = (struct store_news){.kind = STORE_NEWS_NONE};
	return watch->ses->store->ops->watch_next(watch, ret_news, err);
}

void
store_watch_close(struct store_watch *watch)
{
	if (watch)
		watch->ses->store->ops->watch_close(watch);
}

uint64_t
store_commits(struct store *store)
{
	return store->ops->commits ? store->ops->commits(store) : 0;
}

int
store_commits_seen(struct store_session *ses, uint64_t *ret_commits,
		   struct pj_error *err)
{
	const struct store_ops *ops = ses->store->ops;

	*ret_commits = 0;
	return ops->commits_seen ? ops->commits_seen(ses, ret_commits, err) : 0;
}

int
store_must_write(const struct store_session *ses, struct pj_error *err)
{
	if (!ses->store->read_only)
		return 0;
	return pj_error_set(err, PJ_ERROR_FATAL, "%s is read-only",
			    ses->store->name);
}

int
store_row_load(struct store_session *ses, const char *collection,
	       const char *id, uint8_t **ret_bson, size_t *ret_len,
	       struct pj_error *err)
{
	struct store_doc doc = {.key = store_str(id)};

	if (store_load(ses, collection, &doc, 1, err))
		return -1;
	*ret_bson = doc.bson;
	*ret_len = doc.len;
	return 0;
}

int
store_row_write_take(struct store_session *ses, const char *collection,
		     struct store_row *row, bool *ret_done,
		     struct pj_error *err)
{
	struct store_rows rows = {.row = row, .n = 1};
	size_t done;
	int ret =
		ses->store->ops->rows_write(ses, collection, &rows, &done, err);

	store_row_release(row);
	if (ret == 0 && ret_done)
		*ret_done = done == 1;
	return ret;
}

int
store_scan_deleted(struct store_session *ses, const char *collection,
		   int64_t before_at_ms, store_each_fn each, void *arg,
		   struct pj_error *err)
{
	struct store_cond conds[] = {
		{READMODEL_META ".d", STORE_IS, READMODEL_DELETED},
		{READMODEL_META ".x", STORE_AT_MOST, 0},
	};

	if (before_at_ms == INT64_MIN)
		return 0;
	conds[1].value = before_at_ms - 1;
	return ses->store->ops->find(ses, collection, conds, 2, each, arg, err);
}

bool
store_token_read(const uint8_t *bson, size_t len, struct store_token *ret)
{
	bson_iter_t it, token;
	const uint8_t *bytes;
	uint32_t n;

	if (!bson_iter_init_from_data(&it, bson, len) ||
	    !bson_iter_find_descendant(&it, READMODEL_META ".w", &token) ||
	    !BSON_ITER_HOLDS_BINARY(&token))
		return false;
	bson_iter_binary(&token, NULL, &n, &bytes);
	if (n != STORE_TOKEN_BYTES)
		return false;
	memcpy(ret->bytes, bytes, STORE_TOKEN_BYTES);
	return true;
}
