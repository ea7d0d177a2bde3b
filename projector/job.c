/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/job.h"

#include <stdlib.h>

#include "lib/mem.h"
#include "projector/queued.h"

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

static bool
job_add_row(void *arg, const struct store_parked *row)
{
	struct job_rows *rows = arg;

	/* Behind the tail there are no rows but those that failed to be. */
	if (row->offset > rows->tail)
		return false;
	MEM_GROW(rows->got, rows->n, rows->cap);
	rows->got[rows->n++] = queued_new(row);
	rows->bytes += row->key.len + row->value.len;
	return rows->n < rows->max && rows->bytes < JOB_ROWS_BYTES;
}

static void
job_run_rows(struct job *job, struct store_session *ses)
{
	struct job_rows *rows = &job->rows;

	job->rc = store_parked_unit(ses, rows->generation, rows->unit_type,
				    rows->unit, rows->topic, rows->partition,
				    rows->first, job_add_row, rows, &job->err);
}

static void
job_run_apply(struct job *job, struct store_session *ses)
{
	for (size_t i = 0; i < job->n_crashes && job->rc == 0; i++)
		job->rc = store_crash_remove(ses, &job->crashes[i], &job->err);
	if (job->rc == 0)
		job->rc = store_apply(ses, &job->batch, &job->err);
}

void
job_run(struct job *job, struct store_session *ses)
{
	switch (job->kind) {
	case JOB_LOAD:
		job_run_load(job, ses);
		break;
	case JOB_APPLY:
		job_run_apply(job, ses);
		break;
	case JOB_ROWS:
		job_run_rows(job, ses);
		break;
	}
}

void
job_free(struct job *job)
{
	if (!job)
		return;
	if (job->kind == JOB_LOAD)
		for (size_t i = 0; i < job->n_entries; i++)
			free(job->docs[i].bson);
	for (size_t i = 0; i < job->batch.n_writes; i++)
		free(job->batch.writes[i].why);
	free(job->entries);
	free(job->docs);
	buf_release(&job->keys);
	free(job->loads);
	free(job->flights);
	free(job->parked);
	free(job->unparks);
	free(job->crashes);
	free((void *)job->batch.unparks);
	free((void *)job->batch.refusals);
	free((void *)job->rows.unit.ptr);
	free(job->rows.got);
	free(job->batch.writes);
	free((void *)job->batch.parked);
	free((void *)job->batch.checkpoints);
	free(job);
}
