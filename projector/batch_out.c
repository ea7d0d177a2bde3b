/* SPDX-License-Identifier: Apache-2.0 */
/* What to ask of the store next: loads, rows of queues, batches. */
#include "projector/batch_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "projector/ledger.h"

/* Protocol rule 13: with `_m`, below the server's 16 MiB. */
static const size_t DOCUMENT_CAP = 15u << 20;

static const char *
collection_of(const struct entry *e)
{
	return e->unit ? READMODEL_UNITS : e->lane->generation;
}

/* ---- Load ------------------------------------------------------------------
 */

static int
by_collection(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;
	unsigned i = x->unit ? LANES_MAX : x->lane->index;
	unsigned j = y->unit ? LANES_MAX : y->lane->index;

	return (i > j) - (i < j);
}

/* One load per collection: entries are sorted by it. */
static void
load_job_fill(struct job *job)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		const struct entry *e = job->entries[i];
		struct job_load *load = &job->loads[job->n_loads];

		if (i == 0 || by_collection(&job->entries[i - 1],
					    &job->entries[i]) != 0) {
			load->collection = collection_of(e);
			load->first = i;
			job->n_loads++;
		}
		job->loads[job->n_loads - 1].n++;
		buf_add(&job->keys, e->key.ptr, e->key.len);
		job->docs[i].key.len = e->key.len;
	}
	for (size_t i = 0, at = 0; i < job->n_entries; i++) {
		job->docs[i].key.ptr = job->keys.data + at;
		at += job->docs[i].key.len;
	}
}

static struct job *
job_begin(const struct batch *bat, enum job_kind kind)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	job->kind = kind;
	job->era = bat->era;
	return job;
}

struct job *
batch_load_job(struct batch *bat)
{
	size_t n = bat->work.n_in_list[LIST_LOAD];
	struct job *job;
	struct entry *e;

	if (n == 0)
		return NULL;
	if (n > bat->set.max_load)
		n = bat->set.max_load;
	job = job_begin(bat, JOB_LOAD);
	job->entries = mem_calloc(n, sizeof(*job->entries));
	job->docs = mem_calloc(n, sizeof(*job->docs));
	job->loads = mem_calloc(n, sizeof(*job->loads));
	while (job->n_entries < n) {
		e = TAILQ_FIRST(&bat->work.lists[LIST_LOAD]);
		workset_move(&bat->work, e, LIST_LOADING);
		job->entries[job->n_entries++] = e;
	}
	qsort(job->entries, n, sizeof(struct entry *), by_collection);
	load_job_fill(job);
	return job;
}

/* ---- Rows of a queue -------------------------------------------------------
 */

struct job *
batch_rows_job(struct batch *bat)
{
	struct entry *e = TAILQ_FIRST(&bat->work.lists[LIST_DRAIN]);
	const struct doc_queue *queue;
	struct job_rows *rows;
	struct job *job;

	if (!e)
		return NULL;
	queue = doc_queue(e->doc, e->drain->part->source_index);
	job = job_begin(bat, JOB_ROWS);
	job->entries = mem_calloc(1, sizeof(*job->entries));
	job->entries[job->n_entries++] = e;
	rows = &job->rows;
	(void)snprintf(rows->generation, sizeof(rows->generation), "%s",
		       e->lane->generation);
	(void)snprintf(rows->unit_type, sizeof(rows->unit_type), "%s",
		       e->drain->unit_type);
	(void)snprintf(rows->topic, sizeof(rows->topic), "%s",
		       e->drain->part->topic);
	rows->unit =
		(struct pj_str){mem_strndup(e->drain->unit, e->drain->unit_len),
				e->drain->unit_len};
	rows->partition = e->drain->part->number;
	rows->first = e->drain->sweep_from;
	/* It may have come into being meanwhile. */
	if (queue && (e->drain->swept || queue->first < rows->first))
		rows->first = queue->first;
	rows->queued = queue != NULL;
	rows->tail = queue     ? queue->tail
		     : e->lone ? e->drain->offset
			       : INT64_MAX;
	rows->max = e->unit ? 1 : JOB_ROWS_MAX;
	workset_move(&bat->work, e, LIST_DRAINING);
	return job;
}

/* ---- Apply
 * -------------------------------------------------------------------
 */

static void
make_token(struct batch *bat, struct store_token *ret_token)
{
	uint64_t counter = ++bat->token_counter;

	memcpy(ret_token->bytes, &bat->set.token_random, 8);
	memcpy(ret_token->bytes + 8, &counter, 8);
}

static size_t
document_cap(const struct entry *e)
{
	uint32_t own = e->lane->mod->desc->max_bytes;

	return own && own < DOCUMENT_CAP ? own : DOCUMENT_CAP;
}

/* Protocol rule 3: it is too long ago that the store had none. */
static bool
is_late_insert(const struct batch *bat, const struct entry *e)
{
	return !e->stored &&
	       bat->now_mono_ms - e->absent_mono_ms > BATCH_INSERT_MS;
}

/*
 * Turns what changed into a flight; NULL when it cannot be sent as it is: the
 * document is too large, or has to be looked for again. Metadata alone is no
 * reason to refuse: a parked queue must always find room.
 */
static struct flight *
take_off(struct batch *bat, struct entry *e)
{
	bool revised = doc_is_revised(e->doc);
	struct buf bytes = BUF_INIT;
	struct flight *flight;

	if (is_late_insert(bat, e)) {
		if (e->unit)
			bat->reread = true;
		else
			batch_reload(bat, e);
		return NULL;
	}
	flight = mem_calloc(1, sizeof(*flight));
	flight->entry = e;
	flight->insert = !e->stored;
	flight->base = e->base;
	make_token(bat, &flight->token);
	doc_stamp_deleted(e->doc, bat->now_at_ms);
	doc_encode(e->doc, &flight->token, &bytes);
	flight->bytes = (uint8_t *)buf_detach(&bytes, &flight->len);
	records_move(&flight->recs, &e->changed);
	flight->revised = revised;
	lane_tally_move(&flight->tally, &e->tally);
	if (!revised || flight->len <= document_cap(e)) {
		e->flight = flight;
		return flight;
	}
	flight->why = mem_printf("%zu bytes, over the limit of %zu",
				 flight->len, document_cap(e));
	batch_refuse(bat, e, flight);
	return NULL;
}

static void
apply_job_add(struct batch *bat, struct job *job, struct flight *flight)
{
	struct entry *e = flight->entry;
	size_t i = job->n_entries++;

	flight->sent_mono_ms = bat->now_mono_ms;
	job->flights[i] = flight;
	job->batch.writes[i] = (struct store_write){
		.collection = collection_of(e),
		.key = e->key,
		.bson = flight->bytes,
		.len = flight->len,
		.insert = flight->insert,
		.base = flight->base,
	};
	/* The job outlives the entry: its key lives in job->keys. */
	buf_add(&job->keys, e->key.ptr, e->key.len);
	workset_move(&bat->work, e, LIST_SENT);
}

/* The flight that is to be sent again; NULL: it has to be looked for again. */
static struct flight *
fly_on(struct batch *bat, struct entry *e)
{
	if (!is_late_insert(bat, e))
		return e->flight;
	workset_move(&bat->work, e, LIST_LOAD);
	return NULL;
}

/* The first of the unit's records that are not durable in it. */
static uint64_t
oldest_of(const struct entry *unit)
{
	const struct records *recs = &unit->backlog;

	if (unit->changed.n)
		recs = &unit->changed;
	if (unit->flight && unit->flight->recs.n)
		recs = &unit->flight->recs;
	return recs->n ? recs->recs[0]->serial : UINT64_MAX;
}

/* It may not pass what was taken on before its last record. */
static bool
is_behind_unit(const struct batch *bat, const struct entry *e)
{
	return !e->unit && e->changed.n > 0 &&
	       e->changed.recs[e->changed.n - 1]->serial >
		       bat->oldest_open[e->lane->index];
}

/* Documents that no record on its way into a unit has come before. */
static void
release_behind_units(struct batch *bat)
{
	struct entry *e, *next;

	for (unsigned i = 0; i < LANES_MAX; i++)
		bat->oldest_open[i] = UINT64_MAX;
	TAILQ_FOREACH(e, &bat->open_units, open_link)
	{
		uint64_t *oldest = &bat->oldest_open[e->lane->index];
		uint64_t first = oldest_of(e);

		*oldest = first < *oldest ? first : *oldest;
	}
	for (e = TAILQ_FIRST(&bat->work.lists[LIST_UNITS]); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (!is_behind_unit(bat, e))
			workset_move(&bat->work, e, batch_dirty_list(bat, e));
	}
}

static void
apply_job_take(struct batch *bat, struct job *job, enum entry_list list,
	       size_t room, size_t *bytes)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&bat->work.lists[list]);
	     e && job->n_entries < room && *bytes < bat->set.max_bytes;
	     e = next) {
		struct flight *flight;

		next = TAILQ_NEXT(e, link);
		if (list != LIST_RESEND && is_behind_unit(bat, e)) {
			workset_move(&bat->work, e, LIST_UNITS);
			continue;
		}
		flight =
			list == LIST_RESEND ? fly_on(bat, e) : take_off(bat, e);
		if (!flight)
			continue;
		*bytes += flight->len;
		apply_job_add(bat, job, flight);
	}
}

/* What was sent before and what lost to others go first, alone. */
static void
apply_job_documents(struct batch *bat, struct job *job)
{
	static const enum entry_list order[] = {LIST_RESEND, LIST_URGENT,
						LIST_DIRTY};
	size_t room = 0, bytes = 0, at = 0;

	for (size_t i = 0; i < 3; i++)
		room += bat->work.n_in_list[order[i]];
	if (room > bat->set.max_documents)
		room = bat->set.max_documents;
	job->flights = mem_calloc(room, sizeof(*job->flights));
	job->batch.writes = mem_calloc(room, sizeof(*job->batch.writes));
	for (size_t i = 0; i < 3; i++) {
		if (i == 2 && job->n_entries)
			break;
		apply_job_take(bat, job, order[i], room, &bytes);
	}
	for (size_t i = 0; i < job->n_entries; i++) {
		job->batch.writes[i].key.ptr = job->keys.data + at;
		at += job->batch.writes[i].key.len;
	}
	job->batch.n_writes = job->n_entries;
	bat->n_writes += job->n_entries;
}

static void
apply_job_parked(struct batch *bat, struct job *job)
{
	struct store_parked *rows;

	job->n_parked = bat->n_parked;
	job->parked = bat->parked;
	bat->parked = NULL;
	bat->n_parked = bat->parked_cap = 0;
	rows = mem_calloc(job->n_parked, sizeof(*rows));
	for (size_t i = 0; i < job->n_parked; i++)
		rows[i] = job->parked[i]->row;
	job->batch.parked = rows;
	job->batch.n_parked = job->n_parked;
}

static struct store_unpark
unpark_of(const struct queued *q)
{
	return (struct store_unpark){
		.generation = q->generation,
		.unit_type = q->unit_type,
		.unit = q->unit,
		.topic = q->rec.partition->topic,
		.partition = q->rec.partition->number,
		.offset = q->rec.offset,
		.action = q->cleared   ? "cleared"
			  : q->discard ? "discarded"
				       : "retried",
		.reason = q->reason ? q->reason : "",
		.by = q->by ? q->by : "",
		.at_ms = q->at_ms,
	};
}

static struct store_refusal
refusal_of(const struct queued *q)
{
	return (struct store_refusal){
		.generation = q->generation,
		.unit_type = q->unit_type,
		.unit = q->unit,
		.topic = q->rec.partition->topic,
		.partition = q->rec.partition->number,
		.offset = q->rec.offset,
		.cause = q->cause,
		.detail = q->detail,
		.at_ms = q->at_ms,
	};
}

/*
 * What was counted of it while its documents were looked for, or it was folded;
 * while it was decoded, too, when that has been done again: that concerns all
 * generations.
 */
static void
apply_job_crashes(struct job *job, const struct queued *q)
{
	const char *const steps[] = {
		q->generation,
		q->generation,
		"",
	};
	bool decoded = !q->discard && !q->cleared;

	for (size_t i = 0; i < (decoded ? 3 : 2); i++) {
		struct store_crash *crash = &job->crashes[job->n_crashes++];

		crash->partition = q->rec.partition->number;
		crash->offset = q->rec.offset;
		(void)snprintf(crash->generation, sizeof(crash->generation),
			       "%s%s", steps[i], i == 1 ? LEDGER_IN_KEY : "");
		(void)snprintf(crash->topic, sizeof(crash->topic), "%s",
			       q->rec.partition->topic);
	}
}

/* Rows that go, and those that stay for another reason. */
static void
apply_job_unparks(struct batch *bat, struct job *job)
{
	struct store_unpark *rows;
	struct store_refusal *refusals;
	size_t n_absolved = 0;

	job->n_unparks = bat->n_unparks;
	job->unparks = bat->unparks;
	bat->n_unparks_out += bat->n_unparks;
	bat->unparks = NULL;
	bat->n_unparks = bat->unparks_cap = 0;
	rows = mem_calloc(job->n_unparks, sizeof(*rows));
	refusals = mem_calloc(job->n_unparks, sizeof(*refusals));
	for (size_t i = 0; i < job->n_unparks; i++)
		n_absolved += job->unparks[i]->absolved;
	job->crashes = mem_calloc(3 * n_absolved, sizeof(*job->crashes));
	for (size_t i = 0; i < job->n_unparks; i++) {
		const struct queued *q = job->unparks[i];

		if (q->absolved)
			apply_job_crashes(job, q);
		if (q->cause)
			refusals[job->batch.n_refusals++] = refusal_of(q);
		else
			rows[job->batch.n_unparks++] = unpark_of(q);
	}
	job->batch.unparks = rows;
	job->batch.refusals = refusals;
}

static void
apply_job_checkpoints(struct batch *bat, struct job *job, size_t max)
{
	struct store_checkpoint *rows = mem_calloc(max, sizeof(*rows));

	job->batch.n_checkpoints = offsets_take_rows(bat->offsets, rows, max);
	job->batch.checkpoints = rows;
}

struct job *
batch_apply_job(struct batch *bat, bool checkpoints)
{
	struct job *job;
	size_t rows = checkpoints ? offsets_rows_due(bat->offsets) : 0;

	release_behind_units(bat);
	batch_unhold(bat);
	if (!rows && bat->n_parked == 0 && bat->n_unparks == 0 &&
	    bat->work.n_in_list[LIST_DIRTY] == 0 &&
	    bat->work.n_in_list[LIST_URGENT] == 0 &&
	    bat->work.n_in_list[LIST_RESEND] == 0)
		return NULL;
	job = job_begin(bat, JOB_APPLY);
	/* First the positions: they cover what was durable before this. */
	if (rows)
		apply_job_checkpoints(bat, job, rows);
	apply_job_parked(bat, job);
	apply_job_unparks(bat, job);
	apply_job_documents(bat, job);
	if (job->n_entries || job->n_parked || job->n_unparks || rows)
		return job;
	job_free(job);
	return NULL;
}
