/* SPDX-License-Identifier: Apache-2.0 */
/* One command to MongoDB: session, concerns, and what the reply proves. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/readmodel.h"
#include "lib/store_mongo.h"

void
mongo_must(bool ok)
{
	assert(ok);
	(void)ok;
}

/* ---- Causal consistency ------------------------------------------------ */

/* Starting one asks for a server: so not before the first command. */
static int
mongo_causal(struct mongo_session *ses, struct pj_error *err)
{
	mongoc_session_opt_t *opts;
	bson_error_t error = {0};

	if (ses->causal)
		return 0;
	opts = mongoc_session_opts_new();
	mongoc_session_opts_set_causal_consistency(opts, true);
	ses->causal = mongoc_client_start_session(ses->client, opts, &error);
	mongoc_session_opts_destroy(opts);
	if (ses->causal)
		return 0;
	return mongo_error_set(err, ses->base.store, "cannot start a session",
			       &error, NULL);
}

/*
 * What another session of this store has written or read must not be missing
 * from this one's reads. The cluster time is gossiped by the pool itself.
 */
static void
mongo_take_time(struct mongo_session *ses)
{
	struct mongo_store *store = mongo_store_of(&ses->base);
	uint32_t s, i;

	pthread_mutex_lock(&store->lock);
	s = store->time_s;
	i = store->time_i;
	pthread_mutex_unlock(&store->lock);
	if (s)
		mongoc_client_session_advance_operation_time(ses->causal, s, i);
}

void
mongo_note_time(struct mongo_session *ses)
{
	struct mongo_store *store = mongo_store_of(&ses->base);
	uint32_t s, i;

	if (!ses->causal)
		return;
	mongoc_client_session_get_operation_time(ses->causal, &s, &i);
	pthread_mutex_lock(&store->lock);
	if (s > store->time_s || (s == store->time_s && i > store->time_i)) {
		store->time_s = s;
		store->time_i = i;
	}
	pthread_mutex_unlock(&store->lock);
}

static int
mongo_session_opts(struct mongo_session *ses, bson_t *ret_opts,
		   struct pj_error *err)
{
	bson_error_t error = {0};

	bson_init(ret_opts);
	if (mongo_causal(ses, err))
		return -1;
	mongo_take_time(ses);
	if (!mongoc_client_session_append(ses->causal, ret_opts, &error))
		return mongo_error_set(err, ses->base.store, "session", &error,
				       NULL);
	return 0;
}

/* ---- Reads ------------------------------------------------------------- */

int
mongo_open_opts(struct mongo_session *ses, bson_t *ret_opts,
		struct pj_error *err)
{
	struct mongo_store *store = mongo_store_of(&ses->base);

	if (mongo_session_opts(ses, ret_opts, err))
		return -1;
	mongo_must(mongoc_read_concern_append(store->read_concern, ret_opts));
	return 0;
}

/* Who waited may have given up: without this the server would go on. */
int
mongo_read_opts(struct mongo_session *ses, bson_t *ret_opts,
		struct pj_error *err)
{
	uint32_t read_ms = mongo_store_of(&ses->base)->read_ms;

	if (mongo_open_opts(ses, ret_opts, err))
		return -1;
	if (read_ms)
		mongo_must(
			bson_append_int64(ret_opts, "maxTimeMS", -1, read_ms));
	return 0;
}

int
mongo_read(struct mongo_session *ses, const bson_t *command, bson_t *ret_reply,
	   const char *what, struct pj_error *err)
{
	struct mongo_store *store = mongo_store_of(&ses->base);
	bson_error_t error = {0};
	bson_t opts;
	int ret = -1;

	if (mongo_read_opts(ses, &opts, err)) {
		bson_init(ret_reply);
		goto out;
	}
	if (mongoc_client_read_command_with_opts(ses->client, store->database,
						 command, store->read_prefs,
						 &opts, ret_reply, &error))
		ret = 0;
	else
		mongo_error_set(err, &store->base, what, &error, ret_reply);
	mongo_note_time(ses);
out:
	bson_destroy(&opts);
	return ret;
}

/*
 * A linearizable read is answered by a primary that a majority has confirmed
 * after it came (MongoDB manual, "Read Concern linearizable"): the operation
 * time it gives is behind all that was acknowledged before. It goes without the
 * session, whose own reads wait for that time from then on.
 */
static int
mongo_linearizable(struct mongo_session *ses, bson_t *ret_reply,
		   struct pj_error *err)
{
	struct mongo_store *store = mongo_store_of(&ses->base);
	mongoc_read_concern_t *concern = mongoc_read_concern_new();
	bson_t command = BSON_INITIALIZER, opts = BSON_INITIALIZER, filter;
	bson_error_t error = {0};
	int ret = 0;

	mongo_must(
		bson_append_utf8(&command, "find", -1, READMODEL_LIVE, -1) &&
		bson_append_document_begin(&command, "filter", -1, &filter) &&
		bson_append_utf8(&filter, READMODEL_ID, -1, "", 0) &&
		bson_append_document_end(&command, &filter) &&
		bson_append_int32(&command, "limit", -1, 1) &&
		bson_append_int32(&command, "maxTimeMS", -1, MONGO_SYNC_MS) &&
		mongoc_read_concern_set_level(
			concern, MONGOC_READ_CONCERN_LEVEL_LINEARIZABLE) &&
		mongoc_read_concern_append(concern, &opts));
	if (!mongoc_client_read_command_with_opts(ses->client, store->database,
						  &command, store->read_prefs,
						  &opts, ret_reply, &error))
		ret = mongo_error_set(err, &store->base, "look at the primary",
				      &error, ret_reply);
	mongoc_read_concern_destroy(concern);
	bson_destroy(&command);
	bson_destroy(&opts);
	return ret;
}

/*
 * A standalone server says so: there is no other primary, nor a majority. Only
 * sets have operation times: a member of one that was started without its set
 * is not to be written to.
 */
static bool
mongo_is_standalone(struct mongo_store *store, const struct pj_error *err)
{
	bool timed;

	(void)pthread_mutex_lock(&store->lock);
	timed = store->time_s != 0;
	(void)pthread_mutex_unlock(&store->lock);
	return store->allow_standalone && !timed &&
	       err->code == MONGO_NOT_A_REPLICA_SET;
}

int
mongo_sync(struct store_session *base, struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	uint32_t s = 0, i = 0;
	bson_iter_t it;
	bson_t reply;
	int ret;

	if (mongo_causal(ses, err))
		return -1;
	ret = mongo_linearizable(ses, &reply, err);
	if (ret && mongo_is_standalone(mongo_store_of(base), err)) {
		bson_destroy(&reply);
		return 0;
	}
	if (ret == 0 && bson_iter_init_find(&it, &reply, "operationTime") &&
	    BSON_ITER_HOLDS_TIMESTAMP(&it))
		bson_iter_timestamp(&it, &s, &i);
	if (ret == 0 && s == 0)
		ret = pj_error_set(err, PJ_ERROR_RETRY,
				   "%s: look at the primary: a reply without "
				   "operationTime",
				   base->store->name);
	if (ret == 0)
		mongoc_client_session_advance_operation_time(ses->causal, s, i);
	mongo_note_time(ses);
	bson_destroy(&reply);
	return ret;
}

/* ---- Writes ------------------------------------------------------------ */

static void
mongo_result_note(struct mongo_result *res, const bson_iter_t *at,
		  const char *kind)
{
	bson_iter_t it;
	const char *text = "no reason given";
	int32_t code = 0;

	if (bson_iter_recurse(at, &it) && bson_iter_find(&it, "code"))
		code = (int32_t)bson_iter_as_int64(&it);
	if (bson_iter_recurse(at, &it) && bson_iter_find(&it, "errmsg") &&
	    BSON_ITER_HOLDS_UTF8(&it))
		text = bson_iter_utf8(&it, NULL);
	if (res->text[0])
		return;
	res->code = code;
	(void)snprintf(res->text, sizeof(res->text), "%s %d: %s", kind,
		       (int)code, text);
}

static void
mongo_result_read(struct mongo_result *res)
{
	bson_iter_t it, errors;

	res->clean = true;
	res->durable = true;
	if (bson_iter_init_find(&it, &res->reply, "n") &&
	    BSON_ITER_HOLDS_NUMBER(&it))
		res->n = bson_iter_as_int64(&it);
	if (bson_iter_init_find(&it, &res->reply, "nModified") &&
	    BSON_ITER_HOLDS_NUMBER(&it))
		res->modified = bson_iter_as_int64(&it);
	if (bson_iter_init_find(&it, &res->reply, "upserted"))
		res->upserted = true;
	if (bson_iter_init_find(&it, &res->reply, "writeErrors")) {
		res->clean = false;
		if (bson_iter_recurse(&it, &errors) && bson_iter_next(&errors))
			mongo_result_note(res, &errors, "write error");
	}
	if (bson_iter_init_find(&it, &res->reply, "writeConcernError")) {
		res->clean = false;
		res->durable = false;
		mongo_result_note(res, &it, "write concern error");
	}
}

int
mongo_write(struct mongo_session *ses, const bson_t *command, const char *what,
	    struct mongo_result *ret_result, struct pj_error *err)
{
	struct mongo_store *store = mongo_store_of(&ses->base);
	bson_error_t error = {0};
	bson_iter_t it;
	bson_t opts;
	bool ok;
	int ret = -1;

	memset(ret_result, 0, sizeof(*ret_result));
	bson_init(&ret_result->reply);
	if (mongo_session_opts(ses, &opts, err))
		goto out;
	mongo_must(mongoc_write_concern_append(store->write_concern, &opts));
	bson_destroy(&ret_result->reply);
	ok = mongoc_client_write_command_with_opts(ses->client, store->database,
						   command, &opts,
						   &ret_result->reply, &error);
	mongo_note_time(ses);
	/*
	 * libmongoc's verdict differs between versions when ok is 1 beside
	 * write errors or a write concern error: the reply itself decides.
	 */
	if (bson_iter_init_find(&it, &ret_result->reply, "ok") &&
	    bson_iter_as_bool(&it)) {
		mongo_result_read(ret_result);
		ret = 0;
	} else if (!ok) {
		mongo_error_set(err, &store->base, what, &error,
				&ret_result->reply);
	} else {
		pj_error_set(err, PJ_ERROR_RETRY, "%s: %s: reply without ok",
			     store->base.name, what);
	}
out:
	bson_destroy(&opts);
	return ret;
}

void
mongo_result_release(struct mongo_result *result)
{
	bson_destroy(&result->reply);
}
