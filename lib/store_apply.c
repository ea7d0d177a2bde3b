/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: made ready for the adapter, and what it cannot tell found out. */
#include <stdlib.h>

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

		w->outcome =
			write_is_possible(w) ? STORE_PENDING : STORE_REFUSED;
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
		if (row->bson->len > STORE_DOCUMENT_MAX)
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

int
store_apply(struct store_session *ses, struct store_batch *batch,
	    struct pj_error *err)
{
	struct store_job job = {0};
	int ret = -1;

	batch->fenced = false;
	if (store_must_write(ses, err))
		return -1;
	job_writes(&job, batch);
	job_checkpoints(&job, batch);
	if (job_parked(&job, batch, err))
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
	return ret;
}
