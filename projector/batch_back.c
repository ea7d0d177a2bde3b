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
	if (!drain->refused && !lane_rests(e->lane) &&
	    (!drain->swept || doc_queue(e->doc, drain->part->source_index))) {
		workset_move(&bat->work, e, LIST_DRAIN);
		return true;
	}
	/* The answer says what is durable. */
	if (drain->n_unparks)
		return false;
	mark(&bat->drained, &bat->n_drained, &bat->drained_cap, e);
	return false;
}

/* Where an entry belongs when nothing of it is under way. */
void
batch_settle(struct batch *bat, struct entry *e)
{
	batch_track_unit(bat, e);
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
	if (e->list == LIST_NONE && !e->backlog.n && e->n_told)
		workset_forget_told(e);
}

static void
flight_landed(struct batch *bat, struct entry *e)
{
	struct flight *flight = e->flight;

	batch_won(bat, e);
	for (size_t i = 0; i < flight->recs.n; i++)
		batch_done(bat, flight->recs.recs[i]);
	bat->n_rows_parked += flight->tally.parked;
	bat->n_rows_queued += flight->tally.queued;
	lane_count(e->lane, &flight->tally);
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
	batch_track_unit(bat, e);
}

static int
load_done(struct batch *bat, struct job *job, struct pj_error *err)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		struct entry *e = job->entries[i];
		const struct store_doc *got = &job->docs[i];

		if (lane_rests(e->lane)) {
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
row_gone(struct batch *bat, struct queued *q)
{
	struct entry *e = q->home;

	queued_free(q);
	if (e->drain && --e->drain->n_unparks == 0 && e->list == LIST_NONE)
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
	bat->n_unparks_out -= job->n_unparks;
	for (size_t i = 0; i < job->n_unparks; i++)
		if (job->rc)
			batch_queue_unpark(bat, job->unparks[i]);
		else
			row_gone(bat, job->unparks[i]);
}

static void
apply_done(struct batch *bat, struct job *job)
{
	for (size_t i = 0; i < job->n_entries; i++) {
		struct flight *flight = job->flights[i];
		struct entry *e = flight->entry;
		enum store_outcome outcome = job->batch.writes[i].outcome;

		flight->refused = outcome == STORE_REFUSED;
		free(flight->why);
		flight->why = job->batch.writes[i].why;
		job->batch.writes[i].why = NULL;
		if (outcome == STORE_APPLIED)
			flight_landed(bat, e);
		else if (lane_rests(e->lane))
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

/*
 * Out of its queue already: by a process that did not get so far as its row,
 * or it never was in it. Which of both nobody can tell any more, so the audit
 * keeps it whole.
 */
static void
take_leftover(struct batch *bat, struct entry *e, struct queued *q)
{
	struct drain *drain = e->drain;
	bool discard = drain->discard && q->rec.offset != drain->offset;

	batch_add_queued_take(bat, e, q);
	drain->discard = discard;
	drain->n_cleared++;
	q->cleared = true;
	q->absolved = true; /* whatever was counted of it */
	batch_end_queued(bat, q, true);
}

static bool
lists_record(const struct records *recs, const struct record *rec)
{
	for (size_t i = 0; i < recs->n; i++)
		if (recs->recs[i]->offset == rec->offset &&
		    recs->recs[i]->partition == rec->partition)
			return true;
	return false;
}

/*
 * It has left its queue, or was applied without one, for good: what is only in
 * memory may come to nothing, and then its row is needed.
 */
static bool
has_left(const struct entry *e, const struct record *rec)
{
	int32_t source = rec->partition->source_index;

	if (!doc_has_applied(e->doc, source, rec->offset) &&
	    !doc_has_late(e->doc, source, rec->offset))
		return false;
	return !lists_record(&e->changed, rec) &&
	       !(e->flight && lists_record(&e->flight->recs, rec));
}

/* *first: where the queue begins, as far as the rows have come. */
static void
take_row(struct batch *bat, struct entry *e, struct queued *q, int64_t *first)
{
	struct drain *drain = e->drain;
	int32_t source = drain->part->source_index;
	const struct doc_queue *queue = doc_queue(e->doc, source);
	int64_t offset = q->rec.offset;

	if (queue && offset >= queue->first) {
		drain->swept = true;
		if (offset > queue->tail) {
			queued_free(q); /* it is not in the queue yet */
			return;
		}
		q->first = *first;
		*first = offset + 1;
		batch_add_queued_take(bat, e, q);
		return;
	}
	drain->sweep_from = offset + 1;
	q->rec.partition = drain->part;
	if (has_left(e, &q->rec))
		take_leftover(bat, e, q);
	else
		queued_free(q); /* its marker never was, or not yet */
}

static void
take_rows(struct batch *bat, struct entry *e, struct job_rows *rows)
{
	struct drain *drain = e->drain;
	const struct doc_queue *queue =
		doc_queue(e->doc, drain->part->source_index);
	int64_t first = queue ? queue->first : 0;

	if (queue && (!rows->queued || queue->first < rows->first)) {
		/*
		 * It has begun since, or was lengthened in front. What there
		 * was may be rows that others have left, with gaps: once more.
		 */
		for (size_t i = 0; i < rows->n; i++)
			queued_free(rows->got[i]);
		return;
	}
	if (rows->n == 0) {
		drain->swept = true;
		drain->refused = queue != NULL;
		(void)snprintf(drain->why, sizeof(drain->why),
			       "its rows are not in the store");
	}
	for (size_t i = 0; i < rows->n; i++)
		take_row(bat, e, rows->got[i], &first);
}

static void
rows_done(struct batch *bat, struct job *job)
{
	struct entry *e = job->entries[0];

	if (job->rc || lane_rests(e->lane)) {
		for (size_t i = 0; i < job->rows.n; i++)
			queued_free(job->rows.got[i]);
		if (lane_rests(e->lane))
			abandon(bat, e);
		else
			workset_move(&bat->work, e,
				     e->rows ? LIST_ROWS : LIST_DRAIN);
		return;
	}
	take_rows(bat, e, &job->rows);
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
