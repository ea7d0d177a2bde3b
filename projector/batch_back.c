/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a job. */
#include "projector/batch_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"

static void
mark(struct entry ***list, size_t *n, size_t *cap, struct entry *e)
{
	MEM_GROW(*list, *n, *cap);
	(*list)[(*n)++] = e;
}

void
batch_mark_ready(struct batch *bat, struct entry *e)
{
	mark(&bat->ready, &bat->n_ready, &bat->ready_cap, e);
}

/* A drain with nothing under way: on to the next rows, or to its answer. */
static bool
settle_drain(struct batch *bat, struct entry *e)
{
	const struct drain *drain = e->drain;

	/* With rows on their way the next one may be among them. */
	if (!drain || drain->n_out || !e->doc || e->backlog.n || e->rows)
		return false;
	if (!drain->refused && !lane_is_stopped(e->lane) &&
	    doc_queue(e->doc, drain->part->source_index)) {
		workset_move(&bat->work, e, LIST_DRAIN);
		return true;
	}
	mark(&bat->drained, &bat->n_drained, &bat->drained_cap, e);
	return false;
}

/* Where an entry belongs when nothing of it is under way. */
void
batch_settle(struct batch *bat, struct entry *e)
{
	batch_count_unit(bat, e);
	if (settle_drain(bat, e))
		return;
	workset_move(&bat->work, e,
		     e->rows	    ? LIST_ROWS
		     : e->changed.n ? batch_dirty_list(bat, e)
				    : LIST_NONE);
	if (e->backlog.n && !e->changed.n)
		batch_mark_ready(bat, e);
	else if (!e->backlog.n && !e->changed.n)
		e->careful = false;
}

static void
flight_landed(struct batch *bat, struct entry *e)
{
	struct flight *flight = e->flight;

	batch_won(bat, e);
	for (size_t i = 0; i < flight->recs.n; i++)
		batch_done(bat, flight->recs.recs[i]);
	e->base = flight->token;
	e->stored = true;
	e->flight = NULL;
	flight_free(flight);
	batch_settle(bat, e);
}

static int
adopt_document(struct batch *bat, struct entry *e, const struct store_doc *got,
	       struct pj_error *err)
{
	const struct pj_shape *shape = e->lane->mod->desc->shape;

	doc_free(e->doc);
	e->doc = NULL;
	if (!got->bson) {
		e->doc = doc_new(shape, e->key);
		doc_set_revision_floor(e->doc, e->lane->purged_revision);
		e->absent_mono_ms = bat->now_mono_ms;
	} else if (doc_load(shape, e->key, got->bson, got->len, &e->doc, err)) {
		return -1;
	}
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
	batch_lost(bat, e);
	batch_unfold(e, e->flight);
	flight_free(e->flight);
	e->flight = NULL;
	if (adopt_document(bat, e, got, err))
		return -1;
	batch_settle(bat, e);
	return 0;
}

static bool
token_equal(const struct store_token *a, const struct store_token *b)
{
	return memcmp(a->bytes, b->bytes, STORE_TOKEN_BYTES) == 0;
}

/* The store holds what the flight was made from. */
static bool
holds_base(const struct flight *flight, const struct store_doc *got,
	   const struct store_token *token)
{
	if (!got->bson)
		return flight->insert;
	return !flight->insert && token_equal(token, &flight->base);
}

/* It was without effect: the same bytes again, or it cannot be stored. */
static void
fly_again(struct batch *bat, struct entry *e)
{
	struct flight *flight = e->flight;

	/* Rule 3: as of now the store says so. */
	e->absent_mono_ms = bat->now_mono_ms;
	if (!flight->refused) {
		bat->in_vain |= flight->resent;
		flight->resent = true;
		workset_move(&bat->work, e, LIST_RESEND);
		return;
	}
	e->flight = NULL;
	batch_refuse(bat, e, flight);
}

/* Protocol rule 5: what the store holds says what became of the flight. */
static int
verify(struct batch *bat, struct entry *e, const struct store_doc *got,
       struct pj_error *err)
{
	struct bsonjson_meta meta;
	struct store_token token;

	memset(&meta, 0, sizeof(meta));
	if (got->bson &&
	    bsonjson_meta(got->bson, got->len, &meta, NULL, 0, err))
		return -1;
	memcpy(token.bytes, meta.token, sizeof(token.bytes));
	bat->n_verified++;
	if (got->bson && token_equal(&token, &e->flight->token))
		flight_landed(bat, e);
	else if (holds_base(e->flight, got, &token))
		fly_again(bat, e);
	else if (!e->unit)
		return conflict(bat, e, got, err);
	else
		bat->reread = true;
	return 0;
}

/* Of a lane that was stopped meanwhile: nothing more is asked for it. */
static void
abandon(struct batch *bat, struct entry *e)
{
	if (e->flight)
		for (size_t i = 0; i < e->flight->recs.n; i++)
			batch_done(bat, e->flight->recs.recs[i]);
	flight_free(e->flight);
	e->flight = NULL;
	workset_move(&bat->work, e, e->rows ? LIST_ROWS : LIST_NONE);
	batch_count_unit(bat, e);
}

static int
load_done(struct batch *bat, struct job *job, struct pj_error *err)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		struct entry *e = job->entries[i];
		const struct store_doc *got = &job->docs[i];

		if (lane_is_stopped(e->lane)) {
			abandon(bat, e);
		} else if (job->rc || got->left_out) {
			workset_move(&bat->work, e, LIST_LOAD);
		} else if (e->flight) {
			if (verify(bat, e, got, err))
				return -1;
		} else {
			if (adopt_document(bat, e, got, err))
				return -1;
			batch_settle(bat, e);
		}
	}
	return 0;
}

static void
row_landed(struct batch *bat, struct parked_row *row)
{
	struct entry *e = row->entry;

	batch_done(bat, row->rec);
	parked_free(row);
	if (--e->rows == 0 && e->list == LIST_ROWS)
		batch_settle(bat, e);
}

static void
apply_rows_done(struct batch *bat, struct job *job)
{
	for (size_t i = 0; i < job->n_parked; i++)
		if (job->rc)
			batch_queue_row(bat, job->parked[i]);
		else
			row_landed(bat, job->parked[i]);
	for (size_t i = 0; i < job->n_unparks; i++)
		if (job->rc)
			batch_queue_unpark(bat, job->unparks[i]);
		else
			queued_free(job->unparks[i]);
}

static void
apply_done(struct batch *bat, struct job *job)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		struct flight *flight = job->flights[i];
		struct entry *e = flight->entry;
		enum store_outcome outcome = job->batch.writes[i].outcome;

		flight->refused = outcome == STORE_REFUSED;
		if (outcome == STORE_APPLIED)
			flight_landed(bat, e);
		else if (lane_is_stopped(e->lane))
			abandon(bat, e);
		else
			workset_move(&bat->work, e, LIST_LOAD);
	}
	apply_rows_done(bat, job);
	bat->fenced |= job->rc == 0 && job->batch.fenced;
	offsets_rows_done(bat->offsets, job->batch.checkpoints,
			  job->batch.n_checkpoints,
			  job->rc == 0 && !job->batch.fenced);
}

static void
rows_done(struct batch *bat, struct job *job)
{
	struct entry *e = job->entries[0];
	struct drain *drain = e->drain;

	if (job->rc || lane_is_stopped(e->lane)) {
		for (size_t i = 0; i < job->rows.n; i++)
			queued_free(job->rows.got[i]);
		if (lane_is_stopped(e->lane))
			abandon(bat, e);
		else
			workset_move(&bat->work, e, LIST_DRAIN);
		return;
	}
	if (job->rows.n == 0) {
		drain->refused = true;
		(void)snprintf(drain->why, sizeof(drain->why),
			       "its rows are not in the store");
	}
	for (size_t i = 0; i < job->rows.n; i++)
		batch_add_queued_take(bat, e, job->rows.got[i]);
	workset_move(&bat->work, e, LIST_NONE);
	mark(&bat->drained, &bat->n_drained, &bat->drained_cap, e);
}

/* A job of an earlier era: its entries are gone, its own things go too. */
static void
discard(struct job *job)
{
	for (size_t i = 0; job->kind == JOB_APPLY && i < job->n_entries; i++)
		flight_free(job->flights[i]);
	for (size_t i = 0; i < job->n_parked; i++)
		parked_free(job->parked[i]);
	for (size_t i = 0; i < job->n_unparks; i++)
		queued_free(job->unparks[i]);
	for (size_t i = 0; i < job->rows.n; i++)
		queued_free(job->rows.got[i]);
}

int
batch_job_done(struct batch *bat, struct job *job, struct pj_error *err)
{
	int rc = 0;

	if (job->era != bat->era)
		discard(job);
	else if (job->kind == JOB_LOAD)
		rc = load_done(bat, job, err);
	else if (job->kind == JOB_ROWS)
		rows_done(bat, job);
	else
		apply_done(bat, job);
	job_free(job);
	return rc;
}
