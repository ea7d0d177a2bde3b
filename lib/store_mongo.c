/* SPDX-License-Identifier: Apache-2.0 */
/* The MongoDB store: uri, open, sessions, check. */
#include "lib/store_mongo.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* ---- URI --------------------------------------------------------------- */

static void
mongo_uri_default(mongoc_uri_t *uri, const char *option, int32_t value)
{
	if (!mongoc_uri_has_option(uri, option))
		mongo_must(mongoc_uri_set_option_as_int32(uri, option, value));
}

/* The protocol rests on these: only what it says anyway may be said. */
static const char *
mongo_uri_conflict(const mongoc_uri_t *uri)
{
	const mongoc_write_concern_t *w = mongoc_uri_get_write_concern(uri);
	const mongoc_read_concern_t *r = mongoc_uri_get_read_concern(uri);
	const mongoc_read_prefs_t *p = mongoc_uri_get_read_prefs_t(uri);
	const char *level = mongoc_read_concern_get_level(r);
	int32_t acks = mongoc_write_concern_get_w(w);

	if (acks != MONGOC_WRITE_CONCERN_W_DEFAULT &&
	    acks != MONGOC_WRITE_CONCERN_W_MAJORITY)
		return "w (writes are acknowledged by the majority)";
	if (mongoc_write_concern_journal_is_set(w) &&
	    !mongoc_write_concern_get_journal(w))
		return "journal=false (writes are journaled)";
	if (level && strcmp(level, MONGOC_READ_CONCERN_LEVEL_MAJORITY) != 0)
		return "readConcernLevel (reads are majority reads)";
	if (mongoc_read_prefs_get_mode(p) != MONGOC_READ_PRIMARY)
		return "readPreference (reads go to the primary)";
	return NULL;
}

static int
mongo_uri_parse(const char *text, mongoc_uri_t **ret_uri, struct pj_error *err)
{
	bson_error_t error = {0};
	mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
	const char *conflict;

	if (!uri)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "store mongodb: uri: %s", error.message);
	conflict = mongo_uri_conflict(uri);
	if (conflict) {
		mongoc_uri_destroy(uri);
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "store mongodb: uri sets %s", conflict);
	}
	mongo_uri_default(uri, MONGOC_URI_SOCKETTIMEOUTMS,
			  MONGO_SOCKET_TIMEOUT_MS);
	mongo_uri_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
			  MONGO_SELECTION_TIMEOUT_MS);
	mongo_uri_default(uri, MONGOC_URI_WAITQUEUETIMEOUTMS,
			  MONGO_SELECTION_TIMEOUT_MS);
	*ret_uri = uri;
	return 0;
}

/* ---- Sessions ---------------------------------------------------------- */

static int
mongo_session_open(struct store *base, struct store_session **ret_session,
		   struct pj_error *err)
{
	struct mongo_store *store = (struct mongo_store *)base;
	mongoc_client_t *client = mongoc_client_pool_pop(store->pool);
	struct mongo_session *ses;

	if (!client)
		return pj_error_set(
			err, PJ_ERROR_RETRY,
			"%s: all connections of the pool are in use",
			base->name);
	ses = mem_calloc(1, sizeof(*ses));
	ses->base.store = base;
	ses->client = client;
	*ret_session = &ses->base;
	return 0;
}

static void
mongo_session_close(struct store_session *base)
{
	struct mongo_session *ses = (struct mongo_session *)base;

	if (ses->causal)
		mongoc_client_session_destroy(ses->causal);
	mongoc_client_pool_push(mongo_store_of(base)->pool, ses->client);
	free(ses);
}

/* ---- Check ------------------------------------------------------------- */

static int
mongo_admin(struct mongo_session *ses, const char *name, bson_t *ret_reply,
	    struct pj_error *err)
{
	bson_t command = BSON_INITIALIZER;
	bson_error_t error = {0};
	int ret = 0;

	mongo_must(bson_append_int32(&command, name, -1, 1));
	if (!mongoc_client_command_simple(ses->client, "admin", &command, NULL,
					  ret_reply, &error))
		ret = mongo_error_set(err, ses->base.store, name, &error,
				      ret_reply);
	bson_destroy(&command);
	return ret;
}

/* Is it a replica set (or a router before some)? */
static int
mongo_check_topology(struct mongo_session *ses, bool *ret_replica_set,
		     struct pj_error *err)
{
	bson_t reply;
	bson_iter_t it;
	bool router;
	int ret = mongo_admin(ses, "hello", &reply, err);

	if (ret)
		goto out;
	*ret_replica_set = bson_iter_init_find(&it, &reply, "setName");
	router = bson_iter_init_find(&it, &reply, "msg") &&
		 BSON_ITER_HOLDS_UTF8(&it) &&
		 strcmp(bson_iter_utf8(&it, NULL), "isdbgrid") == 0;
	if (!*ret_replica_set && !router &&
	    !mongo_store_of(&ses->base)->allow_standalone)
		ret = pj_error_set(err, PJ_ERROR_CONFIG,
				   "%s: the server is no replica set; start it "
				   "with --replSet, or for development only: "
				   "store.allow_standalone = true",
				   ses->base.store->name);
out:
	bson_destroy(&reply);
	return ret;
}

/*
 * Majority reads may show what is lost with the primary's power when the
 * members acknowledge from memory. A single row of settings decides that.
 */
static int
mongo_check_journal(struct mongo_session *ses, struct pj_error *err)
{
	bson_t reply;
	bson_iter_t it, at;
	int ret = mongo_admin(ses, "replSetGetConfig", &reply, err);

	if (ret && err->code == MONGO_UNAUTHORIZED)
		ret = pj_error_set(err, PJ_ERROR_CONFIG,
				   "%s: the user may not read the replica "
				   "set's configuration; grant it the role "
				   "clusterMonitor",
				   ses->base.store->name);
	else if (!ret && bson_iter_init(&it, &reply) &&
		 bson_iter_find_descendant(
			 &it, "config.writeConcernMajorityJournalDefault",
			 &at) &&
		 !bson_iter_as_bool(&at))
		ret = pj_error_set(
			err, PJ_ERROR_CONFIG,
			"%s: the replica set has "
			"writeConcernMajorityJournalDefault: false, "
			"so majority writes can be lost; set it true",
			ses->base.store->name);
	bson_destroy(&reply);
	return ret;
}

static int
mongo_check(struct store_session *base, struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	bool replica_set = false;
	size_t i;

	if (mongo_check_topology(ses, &replica_set, err))
		return -1;
	/* A reader changes nothing, and its user need not see the set. */
	if (base->store->read_only)
		return 0;
	if (replica_set && mongo_check_journal(ses, err))
		return -1;
	for (i = 0; store_fixed[i].name; i++)
		if (mongo_collection_make(base, store_fixed[i].name,
					  &store_fixed[i].index,
					  store_fixed[i].n_indexes, err))
			return -1;
	return 0;
}

/* ---- Open and close ---------------------------------------------------- */

static void
mongo_close(struct store *base)
{
	struct mongo_store *store = (struct mongo_store *)base;

	if (store->pool)
		mongoc_client_pool_destroy(store->pool);
	mongoc_write_concern_destroy(store->write_concern);
	mongoc_read_concern_destroy(store->read_concern);
	mongoc_read_prefs_destroy(store->read_prefs);
	pthread_mutex_destroy(&store->lock);
	free(store->database);
	free(store->base.name);
	free(store);
}

static const struct store_ops mongo_ops = {
	.close = mongo_close,
	.session_open = mongo_session_open,
	.session_close = mongo_session_close,
	.check = mongo_check,
	.sync = mongo_sync,
	.load = mongo_load,
	.apply = mongo_apply,
	.scan = mongo_scan,
	.count = mongo_count,
	.find = mongo_find,
	.page = mongo_page,
	.row_insert = mongo_row_insert,
	.rows_write = mongo_rows_write,
	.rows_delete = mongo_rows_delete,
	.source_make = mongo_source_make,
	.watch_open = mongo_watch_open,
	.watch_next = mongo_watch_next,
	.watch_close = mongo_watch_close,
	.collection_make = mongo_collection_make,
};

/*
 * libmongoc makes a concern's document when it is first asked for, without a
 * lock: sessions that asked at the same time got half of it, or none, which the
 * server takes for its default.
 */
static void
mongo_make_concerns(struct mongo_store *store)
{
	bson_t once = BSON_INITIALIZER;

	mongo_must(mongoc_read_concern_append(store->read_concern, &once) &&
		   mongoc_write_concern_append(store->write_concern, &once));
	bson_destroy(&once);
}

static struct mongo_store *
mongo_store_new(const struct store_settings *settings)
{
	struct mongo_store *store = mem_calloc(1, sizeof(*store));

	store->base.ops = &mongo_ops;
	store->base.read_only = settings->read_only;
	store->base.name = mem_printf("store mongodb %s", settings->database);
	store->database = mem_strdup(settings->database);
	store->allow_standalone = settings->allow_standalone;
	store->read_ms = settings->read_ms;
	store->write_concern = mongoc_write_concern_new();
	mongoc_write_concern_set_wmajority(store->write_concern,
					   MONGO_WTIMEOUT_MS);
	mongoc_write_concern_set_journal(store->write_concern, true);
	store->read_concern = mongoc_read_concern_new();
	mongo_must(mongoc_read_concern_set_level(
		store->read_concern, MONGOC_READ_CONCERN_LEVEL_MAJORITY));
	mongo_make_concerns(store);
	store->read_prefs = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
	pthread_mutex_init(&store->lock, NULL);
	return store;
}

/*
 * libmongoc writes to stderr on its own; what matters comes back in errors,
 * and the programs' log is theirs.
 */
static void
mongo_start_library(void)
{
	mongoc_log_set_handler(NULL, NULL);
	mongoc_init();
}

int
store_mongo_open(const struct store_settings *settings,
		 struct store **ret_store, struct pj_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct mongo_store *store = NULL;
	mongoc_uri_t *uri = NULL;
	bson_error_t error = {0};
	int ret = -1;

	pthread_once(&once, mongo_start_library);
	if (!settings->uri || !settings->database || !settings->database[0])
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "store mongodb: uri and database are "
				    "required");
	if (mongo_uri_parse(settings->uri, &uri, err))
		return -1;
	store = mongo_store_new(settings);
	store->pool = mongoc_client_pool_new_with_error(uri, &error);
	if (!store->pool) {
		pj_error_set(err, PJ_ERROR_CONFIG, "%s: uri: %s",
			     store->base.name, error.message);
		goto out;
	}
	mongo_must(mongoc_client_pool_set_error_api(
		store->pool, MONGOC_ERROR_API_VERSION_2));
	if (settings->app_name && !mongoc_uri_get_appname(uri) &&
	    !mongoc_client_pool_set_appname(store->pool, settings->app_name)) {
		pj_error_set(err, PJ_ERROR_CONFIG,
			     "%s: the application's name is longer than 128 "
			     "bytes",
			     store->base.name);
		goto out;
	}
	*ret_store = &store->base;
	ret = 0;
out:
	mongoc_uri_destroy(uri);
	if (ret)
		mongo_close(&store->base);
	return ret;
}
