/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/job.h"

#include <stdlib.h>

static void
job_run_load(struct job *job, struct store_session *ses)
{
	for (size_t i = 0; i < job->n_loads && job->rc == 0; i++) {
		const struct job_load *load = &job->loads[i];

		job->rc =
			store_load(ses, load->collection,
				   job->docs + load->first, load->n, &job->err);
	}
}

void
job_run(struct job *job, struct store_session *ses)
{
	if (job->kind == JOB_LOAD)
		job_run_load(job, ses);
	else
		job->rc = store_apply(ses, &job->batch, &job->err);
}

void
job_free(struct job *job)
{
	if (!job)
		return;
	if (job->kind == JOB_LOAD)
		for (size_t i = 0; i < job->n_entries; i++)
			free(job->docs[i].bson);
	free(job->entries);
	free(job->docs);
	buf_release(&job->keys);
	free(job->loads);
	free(job->flights);
	free(job->parked);
	free(job->batch.writes);
	free((void *)job->batch.parked);
	free((void *)job->batch.checkpoints);
	free(job);
}
