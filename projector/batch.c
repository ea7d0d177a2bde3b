/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/batch.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"

/* Protocol rule 13: with `_m`, below the server's 16 MiB. */
static const size_t DOCUMENT_CAP = 15u << 20;

void
batch_init(struct batch *bat, const struct batch_settings *set,
	   struct offsets *offsets)
{
	memset(bat, 0, sizeof(*bat));
	bat->set = *set;
	bat->offsets = offsets;
	workset_init(&bat->work, set->token_random);
}

void
batch_drop(struct batch *bat)
{
	for (size_t i = 0; i < bat->n_parked; i++)
		parked_free(bat->parked[i]);
	bat->n_parked = 0;
	bat->n_ready = 0;
	bat->n_refusals = 0;
	bat->in_vain = false;
	bat->era++;
	workset_clear(&bat->work);
}

void
batch_release(struct batch *bat)
{
	batch_drop(bat);
	workset_release(&bat->work);
	free(bat->parked);
	free(bat->ready);
	free(bat->refusals);
}

struct entry *
batch_checkout(struct batch *bat, struct lane *lane, struct pj_str key)
{
	struct entry *e = workset_find(&bat->work, lane, key);

	if (!e) {
		e = workset_add(&bat->work, lane, key);
		workset_move(&bat->work, e, LIST_LOAD);
	}
	return e;
}

bool
batch_can_fold(const struct entry *e)
{
	return e->doc && e->backlog.n == 0 && !e->careful;
}

void
batch_defer(struct batch *bat, struct entry *e, struct record *rec)
{
	(void)bat;
	records_add(&e->backlog, rec);
}

void
batch_changed(struct batch *bat, struct entry *e, struct record *rec)
{
	records_add(&e->changed, rec);
	if (e->list == LIST_NONE)
		workset_move(&bat->work, e, LIST_DIRTY);
}

bool
batch_unchanged(struct entry *e, struct record *rec)
{
	if (e->changed.n)
		records_add(&e->changed, rec);
	else if (e->flight)
		records_add(&e->flight->recs, rec);
	else
		return false;
	return true;
}

static void
queue_row(struct batch *bat, struct parked_row *row)
{
	MEM_GROW(bat->parked, bat->n_parked, bat->parked_cap);
	bat->parked[bat->n_parked++] = row;
}

void
batch_park_take(struct batch *bat, struct parked_row *row, struct entry *e)
{
	queue_row(bat, row);
	row->entry = e;
	if (!e)
		return;
	e->rows++;
	if (e->list == LIST_NONE || e->list == LIST_DIRTY)
		workset_move(&bat->work, e, LIST_ROWS);
}

bool
batch_is_idle(const struct batch *bat)
{
	for (int i = LIST_NONE + 1; i < LIST_MAX; i++)
		if (bat->work.n_in_list[i])
			return false;
	return bat->n_parked == 0;
}

/* ---- Out: load --------------------------------------------------------- */

static int
by_lane(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;

	return (x->lane->index > y->lane->index) -
	       (x->lane->index < y->lane->index);
}

/* One load per collection: entries are sorted by lane. */
static void
load_job_fill(struct job *job)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		const struct entry *e = job->entries[i];
		struct job_load *load = &job->loads[job->n_loads];

		if (i == 0 || e->lane != job->entries[i - 1]->lane) {
			load->collection = e->lane->generation;
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
	job = mem_calloc(1, sizeof(*job));
	job->kind = JOB_LOAD;
	job->era = bat->era;
	job->entries = mem_calloc(n, sizeof(*job->entries));
	job->docs = mem_calloc(n, sizeof(*job->docs));
	job->loads =
		mem_calloc(bat->work.n_entries < n ? bat->work.n_entries : n,
			   sizeof(*job->loads));
	while (job->n_entries < n) {
		e = TAILQ_FIRST(&bat->work.lists[LIST_LOAD]);
		workset_move(&bat->work, e, LIST_LOADING);
		job->entries[job->n_entries++] = e;
	}
	qsort(job->entries, n, sizeof(struct entry *), by_lane);
	load_job_fill(job);
	return job;
}

/* ---- Out: apply -------------------------------------------------------- */

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

/*
 * The document cannot be stored as it is. With several records in it, they are
 * folded again one per write; the one that is alone is the one to park.
 */
static void
refuse(struct batch *bat, struct entry *e, struct records *recs)
{
	struct records again = {NULL, 0, 0};
	size_t first = 0;

	if (recs->n == 1) {
		MEM_GROW(bat->refusals, bat->n_refusals, bat->refusals_cap);
		bat->refusals[bat->n_refusals++] =
			(struct refusal){e, recs->recs[0]};
		first = 1;
	}
	for (size_t i = first; i < recs->n; i++)
		records_add(&again, recs->recs[i]);
	records_release(recs);
	records_move(&again, &e->changed);
	records_move(&again, &e->backlog);
	e->backlog = again;
	e->careful = true;
	doc_free(e->doc);
	e->doc = NULL;
	workset_count(&bat->work, e);
	workset_move(&bat->work, e, LIST_LOAD);
}

/* Turns what changed into a flight; NULL when the document is too large. */
static struct flight *
entry_take_off(struct batch *bat, struct entry *e)
{
	struct flight *flight = mem_calloc(1, sizeof(*flight));
	struct buf bytes = BUF_INIT;

	flight->entry = e;
	flight->insert = !e->stored;
	flight->base = e->base;
	make_token(bat, &flight->token);
	doc_encode(e->doc, &flight->token, &bytes);
	flight->bytes = (uint8_t *)buf_detach(&bytes, &flight->len);
	records_move(&flight->recs, &e->changed);
	if (flight->len <= document_cap(e)) {
		e->flight = flight;
		return flight;
	}
	refuse(bat, e, &flight->recs);
	flight_free(flight);
	return NULL;
}

static void
apply_job_add(struct batch *bat, struct job *job, struct flight *flight)
{
	struct entry *e = flight->entry;
	size_t i = job->n_entries++;

	job->flights[i] = flight;
	job->batch.writes[i] = (struct store_write){
		.collection = e->lane->generation,
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

static void
apply_job_documents(struct batch *bat, struct job *job)
{
	size_t room = bat->work.n_in_list[LIST_DIRTY] +
		      bat->work.n_in_list[LIST_RESEND];
	size_t bytes = 0, at = 0;

	if (room > bat->set.max_documents)
		room = bat->set.max_documents;
	job->flights = mem_calloc(room, sizeof(*job->flights));
	job->batch.writes = mem_calloc(room, sizeof(*job->batch.writes));
	while (job->n_entries < room && bytes < bat->set.max_bytes) {
		struct entry *e = TAILQ_FIRST(&bat->work.lists[LIST_RESEND]);
		struct flight *flight = e ? e->flight : NULL;

		if (!e)
			e = TAILQ_FIRST(&bat->work.lists[LIST_DIRTY]);
		if (!e)
			break;
		if (!flight)
			flight = entry_take_off(bat, e);
		if (!flight)
			continue; /* refused: it has left the list */
		bytes += flight->len;
		apply_job_add(bat, job, flight);
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

	if (!rows && bat->n_parked == 0 &&
	    bat->work.n_in_list[LIST_DIRTY] == 0 &&
	    bat->work.n_in_list[LIST_RESEND] == 0)
		return NULL;
	job = mem_calloc(1, sizeof(*job));
	job->kind = JOB_APPLY;
	job->era = bat->era;
	/* First the positions: they cover what was durable before this. */
	if (rows)
		apply_job_checkpoints(bat, job, rows);
	apply_job_parked(bat, job);
	apply_job_documents(bat, job);
	return job;
}

/* ---- Back -------------------------------------------------------------- */

static void
mark_ready(struct batch *bat, struct entry *e)
{
	MEM_GROW(bat->ready, bat->n_ready, bat->ready_cap);
	bat->ready[bat->n_ready++] = e;
}

/* Where an entry belongs when nothing of it is under way. */
static void
settle_entry(struct batch *bat, struct entry *e)
{
	workset_move(&bat->work, e,
		     e->rows	    ? LIST_ROWS
		     : e->changed.n ? LIST_DIRTY
				    : LIST_NONE);
	if (e->backlog.n && !e->changed.n)
		mark_ready(bat, e);
	else if (!e->backlog.n && !e->changed.n)
		e->careful = false;
}

static void
flight_landed(struct batch *bat, struct entry *e)
{
	struct flight *flight = e->flight;

	for (size_t i = 0; i < flight->recs.n; i++)
		offsets_done(bat->offsets, flight->recs.recs[i]);
	e->base = flight->token;
	e->stored = true;
	e->flight = NULL;
	flight_free(flight);
	settle_entry(bat, e);
}

static int
adopt_document(struct batch *bat, struct entry *e, const struct store_doc *got,
	       struct pj_error *err)
{
	const struct pj_shape *shape = e->lane->mod->desc->shape;

	doc_free(e->doc);
	e->doc = NULL;
	if (!got->bson)
		e->doc = doc_new(shape, e->key);
	else if (doc_load(shape, e->key, got->bson, got->len, &e->doc, err))
		return -1;
	e->stored = got->bson != NULL;
	e->base = *doc_token(e->doc);
	workset_count(&bat->work, e);
	return 0;
}

/* Somebody else wrote it: its records are folded again on what is there. */
static int
conflict(struct batch *bat, struct entry *e, const struct store_doc *got,
	 struct pj_error *err)
{
	struct records again = {NULL, 0, 0};

	bat->n_conflicts++;
	records_move(&again, &e->flight->recs);
	records_move(&again, &e->changed);
	records_move(&again, &e->backlog);
	e->backlog = again;
	flight_free(e->flight);
	e->flight = NULL;
	if (adopt_document(bat, e, got, err))
		return -1;
	settle_entry(bat, e);
	return 0;
}

static bool
token_equal(const struct store_token *a, const struct store_token *b)
{
	return memcmp(a->bytes, b->bytes, STORE_TOKEN_BYTES) == 0;
}

/* Protocol rule 5: what the store holds says what became of the flight. */
static int
verify(struct batch *bat, struct entry *e, const struct store_doc *got,
       struct pj_error *err)
{
	struct bsonjson_meta meta;

	memset(&meta, 0, sizeof(meta));
	if (got->bson &&
	    bsonjson_meta(got->bson, got->len, &meta, NULL, 0, err))
		return -1;
	bat->n_verified++;
	if (got->bson &&
	    token_equal((struct store_token *)meta.token, &e->flight->token)) {
		flight_landed(bat, e);
		return 0;
	}
	if (got->bson ? !e->flight->insert &&
				token_equal((struct store_token *)meta.token,
					    &e->flight->base)
		      : e->flight->insert) {
		if (!e->flight->refused) {
			bat->in_vain |= e->flight->resent;
			e->flight->resent = true;
			workset_move(&bat->work, e, LIST_RESEND);
			return 0;
		}
		refuse(bat, e, &e->flight->recs);
		flight_free(e->flight);
		e->flight = NULL;
		return 0;
	}
	return conflict(bat, e, got, err);
}

static int
load_done(struct batch *bat, struct job *job, struct pj_error *err)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		struct entry *e = job->entries[i];
		const struct store_doc *got = &job->docs[i];

		if (job->rc || got->left_out) {
			workset_move(&bat->work, e, LIST_LOAD);
		} else if (e->flight) {
			if (verify(bat, e, got, err))
				return -1;
		} else {
			if (adopt_document(bat, e, got, err))
				return -1;
			settle_entry(bat, e);
		}
	}
	return 0;
}

static void
row_landed(struct batch *bat, struct parked_row *row)
{
	struct entry *e = row->entry;

	offsets_done(bat->offsets, row->rec);
	parked_free(row);
	if (e && --e->rows == 0 && e->list == LIST_ROWS)
		workset_move(&bat->work, e,
			     e->changed.n ? LIST_DIRTY : LIST_NONE);
}

static void
apply_done(struct batch *bat, struct job *job)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		struct flight *flight = job->flights[i];
		enum store_outcome outcome = job->batch.writes[i].outcome;

		flight->refused = outcome == STORE_REFUSED;
		if (outcome == STORE_APPLIED)
			flight_landed(bat, flight->entry);
		else
			workset_move(&bat->work, flight->entry, LIST_LOAD);
	}
	for (size_t i = 0; i < job->n_parked; i++) {
		struct parked_row *row = job->parked[i];

		if (job->rc)
			queue_row(bat, row);
		else
			row_landed(bat, row);
	}
	offsets_rows_done(bat->offsets, job->batch.checkpoints,
			  job->batch.n_checkpoints, job->rc == 0);
}

/* A job of an earlier era: its entries are gone, its own things go too. */
static void
discard(struct job *job)
{
	for (size_t i = 0; job->kind == JOB_APPLY && i < job->n_entries; i++)
		flight_free(job->flights[i]);
	for (size_t i = 0; i < job->n_parked; i++)
		parked_free(job->parked[i]);
}

int
batch_job_done(struct batch *bat, struct job *job, struct pj_error *err)
{
	int rc = 0;

	if (job->era != bat->era)
		discard(job);
	else if (job->kind == JOB_LOAD)
		rc = load_done(bat, job, err);
	else
		apply_done(bat, job);
	job_free(job);
	return rc;
}
