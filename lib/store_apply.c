/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: made ready for the adapter, and what it cannot tell found out. */
#include <stdlib.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_rows.h"

/* What neither adapter can keep; the same limits for both. */
static bool
write_is_possible(const struct store_write *w)
{
	bson_t doc;

	return w->key.len > 0 && w->key.len <= READMODEL_KEY_MAX &&
	       w->len <= STORE_DOCUMENT_MAX &&
	       bson_init_static(&doc, w->bson, w->len);
}

static void
job_writes(struct store_job *job, const struct store_batch *batch)
{
	job->writes = batch->writes;
	job->n_writes = batch->n_writes;
	for (size_t i = 0; i < batch->n_writes; i++) {
		struct store_write *w = &batch->writes[i];

		free(w->why);
		w->why = NULL;
		w->outcome = STORE_PENDING;
		if (write_is_possible(w))
			continue;
		w->outcome = STORE_REFUSED;
		w->why = mem_printf("%zu bytes under a key of %zu: no store "
				    "keeps that",
				    w->len, w->key.len);
	}
}

static int
job_parked(struct store_job *job, const struct store_batch *batch,
	   struct pj_error *err)
{
	for (size_t i = 0; i < batch->n_parked; i++) {
		const struct store_parked *p = &batch->parked[i];
		struct store_row *row = store_rows_add(&job->parked);

		rows_parked(row, p);
		if (row->bson->len > STORE_PARKED_MAX)
			return pj_error_set(
				err, PJ_ERROR_STOP,
				"parked record %s/%d@%lld of %s is over 16 MiB "
				"and cannot be kept",
				p->topic, (int)p->partition,
				(long long)p->offset, p->generation);
	}
	return 0;
}

static void
job_checkpoints(struct store_job *job, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->n_checkpoints; i++)
		rows_checkpoint(store_rows_add(&job->checkpoints),
				&batch->checkpoints[i]);
}

static void
job_refusals(struct store_job *job, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->n_refusals; i++)
		rows_refusal(store_rows_add(&job->refused),
			     &batch->refusals[i]);
}

/* ---- Unparked rows ----------------------------------------------------- */

/* What is to be found out about them before any of them goes. */
struct unparking {
	const struct store_unpark **of; /* which row a doc is about */
	struct store_doc *docs;
	char **ids;
	size_t n;
};

static void
unparking_release(struct unparking *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->docs[i].bson);
		free(u->ids[i]);
	}
	free(u->of);
	free(u->docs);
	free(u->ids);
}

static void
job_unparked(struct store_job *job, const char *id)
{
	store_rows_add(&job->unparked)->id = mem_strdup(id);
}

static int
audit_row(struct store_job *job, const struct store_unpark *unpark,
	  const struct store_doc *doc, struct pj_error *err)
{
	struct store_row *row;
	struct store_parked parked;
	struct pj_str *headers;

	if (rows_parked_read(doc->bson, doc->len, &parked, &headers, err))
		return -1;
	row = store_rows_add(&job->audit);
	rows_audit(row, &parked, unpark);
	free(headers);
	if (row->bson->len > STORE_DOCUMENT_MAX)
		return pj_error_set(err, PJ_ERROR_STOP,
				    "parked record %s/%d@%lld of %s: with its "
				    "reason it is over 16 MiB and cannot be "
				    "kept in the audit; give a shorter one",
				    unpark->topic, (int)unpark->partition,
				    (long long)unpark->offset,
				    unpark->generation);
	return 0;
}

/* As many as one load gives; the rest moves to the front. */
static int
audit_some(struct store_session *ses, struct store_job *job,
	   struct unparking *u, struct pj_error *err)
{
	size_t left = 0;
	int ret = store_load(ses, READMODEL_PARKED, u->docs, u->n, err);

	for (size_t i = 0; i < u->n; i++) {
		struct store_doc *doc = &u->docs[i];

		if (doc->left_out) {
			u->of[left] = u->of[i];
			u->ids[left] = u->ids[i];
			u->docs[left++] = *doc;
			continue;
		}
		if (ret == 0 && doc->bson) {
			ret = audit_row(job, u->of[i], doc, err);
			job_unparked(job, u->ids[i]);
		}
		free(doc->bson);
		free(u->ids[i]);
	}
	u->n = left;
	return ret;
}

static int
job_unparks(struct store_session *ses, struct store_job *job,
	    const struct store_batch *batch, struct pj_error *err)
{
	size_t n = batch->n_unparks;
	struct unparking u = {
		.of = mem_calloc(n, sizeof(struct store_unpark *)),
		.docs = mem_calloc(n, sizeof(*u.docs)),
		.ids = mem_calloc(n, sizeof(char *))};
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		const struct store_unpark *p = &batch->unparks[i];
		char *id = rows_parked_id(p->generation, p->unit_type, p->unit,
					  p->topic, p->partition, p->offset);

		if (!p->action) {
			job_unparked(job, id);
			free(id);
			continue;
		}
		u.of[u.n] = p;
		u.ids[u.n] = id;
		u.docs[u.n++].key = store_str(id);
	}
	while (ret == 0 && u.n)
		ret = audit_some(ses, job, &u, err);
	unparking_release(&u);
	return ret;
}

/* ---- All of it --------------------------------------------------------- */

int
store_apply(struct store_session *ses, struct store_batch *batch,
	    struct pj_error *err)
{
	struct store_job job = {.purges = batch->purges,
				.n_purges = batch->n_purges};
	int ret = -1;

	batch->fenced = false;
	if (store_must_write(ses, err))
		return -1;
	job_writes(&job, batch);
	job_checkpoints(&job, batch);
	job_refusals(&job, batch);
	if (job_parked(&job, batch, err) || job_unparks(ses, &job, batch, err))
		goto out;
	ret = ses->store->ops->apply(ses, &job, err);
	/* One that was not written is fenced, or behind what is stored. */
	if (ret == 0 && job.n_checkpoints_done < batch->n_checkpoints)
		ret = store_is_fenced(ses, batch->checkpoints,
				      batch->n_checkpoints, &batch->fenced,
				      err);
out:
	store_rows_release(&job.parked);
	store_rows_release(&job.checkpoints);
	store_rows_release(&job.refused);
	store_rows_release(&job.audit);
	store_rows_release(&job.unparked);
	return ret;
}
