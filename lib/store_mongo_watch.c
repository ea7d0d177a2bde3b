/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching MongoDB: one change stream over the database, for keys and revisions
 * of documents and for the numbers of checkpoints. All are taken from the
 * change itself: what the server looks up for one is of later, and costs.
 *
 * Order: the stream follows the log of operations, and a checkpoint is written
 * after the documents that it covers (protocol rule 8). It is opened within the
 * session, so the store's reads are causally behind its beginning: what they do
 * not see it tells (https://www.mongodb.com/docs/manual/changeStreams/).
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_mongo.h"
#include "lib/str.h"

struct mongo_watch {
	struct store_watch base;
	mongoc_change_stream_t *stream;
};

/* The names that matter to readers; what is built meanwhile is not among them.
 */
static void
mongo_watch_names(bson_t *match, const char *const *collections, size_t n)
{
	static const char *const fixed[] = {
		READMODEL_CHECKPOINTS, READMODEL_LIVE, READMODEL_GENERATIONS};
	enum { N_FIXED = sizeof(fixed) / sizeof(fixed[0]) };
	bson_t name, in;

	mongo_must(bson_append_document_begin(match, "ns.coll", -1, &name) &&
		   bson_append_array_begin(&name, "$in", -1, &in));
	for (size_t i = 0; i < N_FIXED + n; i++) {
		const char *text =
			i < N_FIXED ? fixed[i] : collections[i - N_FIXED];
		char space[16];
		const char *at;

		bson_uint32_to_string((uint32_t)i, &at, space, sizeof(space));
		mongo_must(bson_append_utf8(&in, at, -1, text, -1));
	}
	mongo_must(bson_append_array_end(&name, &in) &&
		   bson_append_document_end(match, &name));
}

/*
 * A change is told as a document or as what differs from the one before
 * (docs/adr/0020). A member that differs alone has its path for a name: "_m.r".
 * https://www.mongodb.com/docs/manual/reference/change-events/update/
 */
#define MONGO_DIFFERENCE "$updateDescription.updatedFields"

static bson_t *
mongo_watch_revision(void)
{
	return BCON_NEW("$ifNull", "[", "{", "$getField", "{", "field", "{",
			"$literal", READMODEL_META ".r", "}", "input",
			MONGO_DIFFERENCE, "}", "}",
			MONGO_DIFFERENCE "." READMODEL_META ".r",
			"$fullDocument." READMODEL_META ".r", "]");
}

/* Of those only names and numbers; and the stream's own end. */
static bson_t *
mongo_watch_pipeline(const char *const *collections, size_t n)
{
	bson_t names = BSON_INITIALIZER, *pipeline;
	bson_t *revision = mongo_watch_revision();

	mongo_watch_names(&names, collections, n);
	pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "$or", "[",
			    BCON_DOCUMENT(&names), "{", "operationType", "{",
			    "$in", "[", "dropDatabase", "invalidate", "]", "}",
			    "}", "]", "}", "}", "{", "$project", "{",
			    "operationType", BCON_INT32(1), "ns.coll",
			    BCON_INT32(1), "documentKey._id", BCON_INT32(1),
			    "revision", BCON_DOCUMENT(revision), "next", "{",
			    "$ifNull", "[", MONGO_DIFFERENCE ".next",
			    "$fullDocument.next", "]", "}", "}", "}", "]");
	bson_destroy(&names);
	bson_destroy(revision);
	return pipeline;
}

int
mongo_watch_open(struct store_session *base, const char *const *collections,
		 size_t n, int wait_ms, struct store_watch **ret_watch,
		 struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	struct mongo_store *store = mongo_store_of(base);
	mongoc_change_stream_t *stream = NULL;
	mongoc_database_t *db = NULL;
	struct mongo_watch *watch;
	bson_error_t error = {0};
	const bson_t *reply;
	bson_t opts, *pipeline = mongo_watch_pipeline(collections, n);
	int ret = -1;

	if (mongo_open_opts(ses, &opts, err))
		goto out;
	mongo_must(bson_append_int64(&opts, "maxAwaitTimeMS", -1, wait_ms));
	db = mongoc_client_get_database(ses->client, store->database);
	stream = mongoc_database_watch(db, pipeline, &opts);
	mongo_note_time(ses);
	if (mongoc_change_stream_error_document(stream, &error, &reply)) {
		mongo_error_set(err, &store->base, "cannot watch changes",
				&error, reply);
		goto out;
	}
	watch = mem_calloc(1, sizeof(*watch));
	watch->base.ses = base;
	watch->stream = stream;
	stream = NULL;
	*ret_watch = &watch->base;
	ret = 0;
out:
	mongoc_change_stream_destroy(stream);
	mongoc_database_destroy(db);
	bson_destroy(&opts);
	bson_destroy(pipeline);
	return ret;
}

/* ---- One event --------------------------------------------------------- */

static bool
mongo_news_text(const bson_t *event, const char *path, struct pj_str *ret_text)
{
	bson_iter_t it, at;
	uint32_t len;

	if (!bson_iter_init(&it, event) ||
	    !bson_iter_find_descendant(&it, path, &at) ||
	    !BSON_ITER_HOLDS_UTF8(&at))
		return false;
	ret_text->ptr = bson_iter_utf8(&at, &len);
	ret_text->len = len;
	return true;
}

static bool
mongo_news_number(const bson_t *event, const char *path, int64_t *ret_number)
{
	bson_iter_t it, at;

	if (!bson_iter_init(&it, event) ||
	    !bson_iter_find_descendant(&it, path, &at) ||
	    !BSON_ITER_HOLDS_NUMBER(&at))
		return false;
	*ret_number = bson_iter_as_int64(&at);
	return true;
}

/* "stock.3/7": generation and source. */
static bool
mongo_news_checkpoint(struct pj_str id, struct store_news *news)
{
	const char *slash = memchr(id.ptr, '/', id.len);
	size_t len = slash ? (size_t)(slash - id.ptr) : 0;
	char *end;
	long source;

	if (!slash || len >= sizeof(news->generation))
		return false;
	memcpy(news->generation, id.ptr, len);
	news->generation[len] = '\0';
	/* BSON strings end in a NUL. */
	source = strtol(slash + 1, &end, 10);
	if (*end || end == slash + 1 || source < 0 || source > INT32_MAX)
		return false;
	news->source = (int32_t)source;
	return true;
}

static void
mongo_news_of(const bson_t *event, struct store_news *news)
{
	struct pj_str coll = {NULL, 0}, id = {NULL, 0};

	if (!mongo_news_text(event, "ns.coll", &coll) ||
	    coll.len >= sizeof(news->collection) ||
	    !mongo_news_text(event, "documentKey._id", &id)) {
		/* A collection was dropped, renamed, … */
		news->kind = STORE_NEWS_ANYTHING;
		return;
	}
	if (str_is(coll, READMODEL_CHECKPOINTS)) {
		/* A claim alone moves none. */
		if (mongo_news_checkpoint(id, news) &&
		    mongo_news_number(event, "next", &news->next))
			news->kind = STORE_NEWS_CHECKPOINT;
		return;
	}
	if (str_is(coll, READMODEL_LIVE) ||
	    str_is(coll, READMODEL_GENERATIONS)) {
		news->kind = STORE_NEWS_CATALOG;
		return;
	}
	news->kind = STORE_NEWS_DOCUMENT;
	memcpy(news->collection, coll.ptr, coll.len);
	news->collection[coll.len] = '\0';
	news->key = id;
	news->revision = -1;
	(void)mongo_news_number(event, "revision", &news->revision);
}

static bool
mongo_news_is_end(const bson_t *event)
{
	struct pj_str type;

	return mongo_news_text(event, "operationType", &type) &&
	       (str_is(type, "dropDatabase") || str_is(type, "invalidate"));
}

int
mongo_watch_next(struct store_watch *base, struct store_news *ret_news,
		 struct pj_error *err)
{
	struct mongo_watch *watch = (struct mongo_watch *)base;
	struct mongo_session *ses = (struct mongo_session *)base->ses;
	const bson_t *event, *reply;
	bson_error_t error = {0};
	bool got;

	/* NONE says that there is nothing more: a claim is no news, but what
	 * comes behind it may be. */
	do {
		got = mongoc_change_stream_next(watch->stream, &event);
		mongo_note_time(ses);
		if (got && mongo_news_is_end(event))
			return pj_error_set(err, PJ_ERROR_RETRY,
					    "%s: the database was dropped",
					    base->ses->store->name);
		if (got)
			mongo_news_of(event, ret_news);
	} while (got && ret_news->kind == STORE_NEWS_NONE);
	if (got)
		return 0;
	if (mongoc_change_stream_error_document(watch->stream, &error, &reply))
		return mongo_error_set(err, base->ses->store,
				       "the change stream broke", &error,
				       reply);
	return 0;
}

void
mongo_watch_close(struct store_watch *base)
{
	struct mongo_watch *watch = (struct mongo_watch *)base;

	mongoc_change_stream_destroy(watch->stream);
	free(watch);
}
