/* SPDX-License-Identifier: Apache-2.0 */
/* The port's front: checks, then the adapter. Rows: store_meta.c. */
#include "lib/store.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_impl.h"
#include "lib/store_rows.h"

const char *const store_fixed_collections[] = {
	READMODEL_GENERATIONS, READMODEL_LIVE,	 READMODEL_CHECKPOINTS,
	READMODEL_SOURCES,     READMODEL_PARKED, NULL,
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
store_load(struct store_session *ses, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	size_t i;

	for (i = 0; i < n_docs; i++) {
		docs[i].bson = NULL;
		docs[i].len = 0;
	}
	if (n_docs == 0 ||
	    ses->store->ops->load(ses, collection, docs, n_docs, err) == 0)
		return 0;
	for (i = 0; i < n_docs; i++) {
		free(docs[i].bson);
		docs[i].bson = NULL;
		docs[i].len = 0;
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

/* ---- Apply ------------------------------------------------------------- */

/* What neither adapter can keep; the same limits for both. */
static bool
write_is_possible(const struct store_write *w)
{
	bson_t doc;

	return w->key.len > 0 && w->key.len <= READMODEL_KEY_MAX &&
	       w->len <= STORE_DOCUMENT_MAX &&
	       bson_init_static(&doc, w->bson, w->len);
}

static int
job_rows(struct store_job *job, const struct store_batch *batch,
	 struct pj_error *err)
{
	size_t i;

	job->parked = mem_calloc(batch->n_parked, sizeof(*job->parked));
	job->checkpoints =
		mem_calloc(batch->n_checkpoints, sizeof(*job->checkpoints));
	for (i = 0; i < batch->n_parked; i++) {
		const struct store_parked *p = &batch->parked[i];

		rows_parked(&job->parked[i], p);
		job->n_parked++;
		if (job->parked[i].bson->len > STORE_DOCUMENT_MAX)
			return pj_error_set(
				err, PJ_ERROR_STOP,
				"parked record %s/%d@%lld of %s is over 16 MiB "
				"and cannot be kept",
				p->topic, (int)p->partition,
				(long long)p->offset, p->generation);
	}
	for (i = 0; i < batch->n_checkpoints; i++) {
		rows_checkpoint(&job->checkpoints[i], &batch->checkpoints[i]);
		job->n_checkpoints++;
	}
	return 0;
}

static void
job_release(struct store_job *job)
{
	size_t i;

	for (i = 0; i < job->n_parked; i++)
		store_row_release(&job->parked[i]);
	for (i = 0; i < job->n_checkpoints; i++)
		store_row_release(&job->checkpoints[i]);
	free(job->parked);
	free(job->checkpoints);
}

int
store_apply(struct store_session *ses, struct store_batch *batch,
	    struct pj_error *err)
{
	struct store_job job = {.writes = batch->writes,
				.n_writes = batch->n_writes};
	size_t i;
	int ret = -1;

	if (ses->store->read_only)
		return pj_error_set(err, PJ_ERROR_FATAL, "%s is read-only",
				    ses->store->name);
	for (i = 0; i < batch->n_writes; i++) {
		struct store_write *w = &batch->writes[i];

		w->outcome =
			write_is_possible(w) ? STORE_PENDING : STORE_REFUSED;
	}
	if (job_rows(&job, batch, err))
		goto out;
	ret = ses->store->ops->apply(ses, &job, err);
out:
	job_release(&job);
	return ret;
}
