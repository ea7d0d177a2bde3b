/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/core_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum {
	BACKOFF_FIRST_MS = 50,
	BACKOFF_LAST_MS = 5000,
	/* Under load positions are written this often; idle: at once. */
	CHECKPOINT_EVERY_MS = 200,
	LOSSES_TOLD = 20, /* writes lost in a row that are worth a word */
};

struct core *
core_new(struct lanes *lanes, const struct core_settings *settings,
	 const struct core_hooks *hooks)
{
	struct core *core = mem_calloc(1, sizeof(*core));

	core->lanes = lanes;
	core->set = *settings;
	core->hooks = *hooks;
	core->decoder = decoder_new();
	core->router = router_new(lanes);
	core->offsets = offsets_new(lanes);
	batch_init(&core->batch, &settings->batch, core->offsets);
	core->jitter = settings->batch.token_random | 1;
	return core;
}

void
core_free(struct core *core)
{
	if (!core)
		return;
	batch_release(&core->batch);
	offsets_free(core->offsets);
	router_free(core->router);
	decoder_free(core->decoder);
	buf_release(&core->key);
	free(core->answers);
	free(core);
}

int64_t
core_assign(struct core *core, struct partition *part,
	    const struct store_checkpoint *starts, const bool *waived)
{
	return offsets_assign(core->offsets, part, starts, waived);
}

int
core_add_unit(struct core *core, struct lane *lane, struct pj_str key,
	      const uint8_t *bson, size_t len, struct pj_error *err)
{
	return batch_add_unit(&core->batch, lane, key, bson, len, err);
}

void
core_drop(struct core *core)
{
	batch_drop(&core->batch);
	offsets_clear(core->offsets);
	for (unsigned i = 0; i < core->lanes->n; i++)
		core->lanes->lane[i].n_units_parked = 0;
}

/* ---- Jobs -------------------------------------------------------------- */

/* Exponential, with jitter so that processes do not come back in step. */
static void
core_back_off(struct core *core)
{
	int64_t half;

	core->backoff_ms =
		core->backoff_ms ? core->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (core->backoff_ms > BACKOFF_LAST_MS)
		core->backoff_ms = BACKOFF_LAST_MS;
	core->jitter ^= core->jitter << 13;
	core->jitter ^= core->jitter >> 7;
	core->jitter ^= core->jitter << 17;
	half = core->backoff_ms / 2;
	core->retry_mono_ms = core->batch.now_mono_ms + half +
			      (int64_t)(core->jitter % (uint64_t)(half + 1));
}

static struct job *
core_load_job(struct core *core)
{
	struct job *job;

	if (core->load_out >= core->set.max_load_jobs)
		return NULL;
	job = batch_load_job(&core->batch);
	if (!job)
		job = batch_rows_job(&core->batch);
	if (job)
		core->load_out++;
	return job;
}

struct job *
core_next_job(struct core *core, int64_t now_mono_ms)
{
	struct job *job;
	bool checkpoints;

	core->batch.now_mono_ms = now_mono_ms;
	if (core->batch.fenced || core->batch.reread ||
	    now_mono_ms < core->retry_mono_ms)
		return NULL;
	job = core_load_job(core);
	if (job || core->apply_out >= core->set.max_apply_jobs)
		return job;
	checkpoints =
		batch_is_idle(&core->batch) ||
		now_mono_ms - core->checkpoint_mono_ms >= CHECKPOINT_EVERY_MS;
	job = batch_apply_job(&core->batch, checkpoints);
	if (!job) /* it may have found what has to be looked for again */
		return core_load_job(core);
	if (job->batch.n_checkpoints)
		core->checkpoint_mono_ms = now_mono_ms;
	core->apply_out++;
	return job;
}

static void
core_tell_parked(struct core *core, const struct job *job)
{
	if (job->rc || job->era != core->batch.era || !core->hooks.parked)
		return;
	for (size_t i = 0; i < job->n_parked; i++) {
		const struct record *rec = job->parked[i]->rec;

		if (workset_tell(job->parked[i]->entry,
				 rec->partition->source_index, rec->offset))
			core->hooks.parked(core->hooks.arg,
					   &job->batch.parked[i]);
	}
}

static void
core_after_job(struct core *core)
{
	struct batch *bat = &core->batch;

	for (size_t i = 0; i < bat->n_ready; i++) {
		struct entry *e = bat->ready[i];

		if (e->losses >= LOSSES_TOLD && e->losses % LOSSES_TOLD == 0 &&
		    core->hooks.losing)
			core->hooks.losing(core->hooks.arg, e->lane, e->key,
					   e->losses);
		core_fold_backlog(core, e);
	}
	bat->n_ready = 0;
	core_after_drains(core);
	core_stop_stuck(core);
	offsets_settle(core->offsets);
	workset_evict(&bat->work, core->set.memory_bytes / 2);
}

int
core_job_done(struct core *core, struct job *job, int64_t now_mono_ms,
	      int64_t now_at_ms, struct pj_error *ret_outage,
	      struct pj_error *err)
{
	struct pj_error told = job->err;
	int failed = job->rc;

	core->batch.now_mono_ms = now_mono_ms;
	core->batch.now_at_ms = now_at_ms;
	memset(ret_outage, 0, sizeof(*ret_outage));
	if (job->kind == JOB_APPLY)
		core->apply_out--;
	else
		core->load_out--;
	core_tell_parked(core, job);
	if (batch_job_done(&core->batch, job, err))
		return -1;
	if (failed && told.cls != PJ_ERROR_RETRY) {
		*err = told;
		return -1;
	}
	if (failed)
		*ret_outage = told;
	if (failed || core->batch.in_vain) {
		core->batch.in_vain = false;
		core_back_off(core);
	} else {
		core->backoff_ms = 0;
		core->retry_mono_ms = 0;
	}
	core_after_job(core);
	return 0;
}

/* ---- How it stands ---------------------------------------------------------
 */

bool
core_is_fenced(const struct core *core)
{
	return core->batch.fenced;
}

bool
core_must_reread(const struct core *core)
{
	return core->batch.reread;
}

bool
core_is_full(const struct core *core)
{
	const struct workset *work = &core->batch.work;

	/* Units never go: waiting for that would be for ever. */
	return offsets_held_bytes(core->offsets) > core->set.memory_bytes / 2 ||
	       work->memory - work->unit_memory > core->set.memory_bytes;
}

unsigned
core_jobs_out(const struct core *core)
{
	return core->apply_out + core->load_out;
}

bool
core_is_saved(const struct core *core)
{
	return batch_is_idle(&core->batch) && offsets_is_saved(core->offsets);
}

struct offsets *
core_offsets(struct core *core)
{
	return core->offsets;
}

size_t
core_held(const struct core *core)
{
	return offsets_held(core->offsets);
}

struct core_counts
core_counts(const struct core *core)
{
	struct core_counts counts = core->counts;

	counts.parked = core->batch.n_rows_parked;
	counts.queued = core->batch.n_rows_queued;
	counts.writes = core->batch.n_writes;
	counts.conflicts = core->batch.n_conflicts;
	counts.verified = core->batch.n_verified;
	return counts;
}
