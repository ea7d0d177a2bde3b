/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records out of parked queues, on request.
 *
 *	request → rows job → each record, in order → the documents' writes
 *	        → its row goes, the audit keeps it → next rows, or the answer
 *
 * A document's own queue drains in the document's own writes. A unit's queue
 * drains one record at a time: first its documents are written, then the unit,
 * which moves on.
 */
#include "projector/core_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"

/* ---- Requests
 * ---------------------------------------------------------------- */

static void
answer(struct core *core, const char *request, enum store_request_state state,
       const char *text)
{
	struct core_answer *a;

	MEM_GROW(core->answers, core->n_answers, core->answers_cap);
	a = &core->answers[core->n_answers++];
	(void)snprintf(a->request, sizeof(a->request), "%s", request);
	(void)snprintf(a->text, sizeof(a->text), "%s", text);
	a->state = state;
}

bool
core_take_answer(struct core *core, struct core_answer *ret_answer)
{
	if (core->answers_taken == core->n_answers) {
		core->answers_taken = core->n_answers = 0;
		return false;
	}
	*ret_answer = core->answers[core->answers_taken++];
	return true;
}

/* The entry whose queue is asked for; NULL: a unit that is not there. */
static struct entry *
request_entry(struct core *core, struct lane *lane,
	      const struct partition *part, const struct store_request *req)
{
	struct pj_str unit = {req->unit, req->unit_len};

	if (strcmp(req->unit_type, "document") == 0)
		return batch_checkout(&core->batch, lane, unit);
	buf_clear(&core->key);
	if (strcmp(req->unit_type, "key") == 0)
		readmodel_unit_key(&core->key, lane->generation,
				   part->source_index, "key", unit);
	else
		readmodel_lone_key(&core->key, lane->generation,
				   part->source_index, req->offset);
	return workset_find(&core->batch.work, lane, true,
			    (struct pj_str){core->key.data, core->key.len});
}

static struct drain *
drain_new(const struct store_request *req, struct partition *part)
{
	struct drain *drain = mem_calloc(1, sizeof(*drain));

	(void)snprintf(drain->request, sizeof(drain->request), "%s", req->id);
	(void)snprintf(drain->unit_type, sizeof(drain->unit_type), "%s",
		       req->unit_type);
	drain->part = part;
	drain->unit = mem_strndup(req->unit, req->unit_len);
	drain->unit_len = req->unit_len;
	drain->discard = strcmp(req->action, "discard") == 0;
	drain->offset = req->offset;
	/* Others that are alone have the same unit. */
	if (strcmp(req->unit_type, "record") == 0)
		drain->sweep_from = req->offset;
	drain->reason = mem_strdup(req->reason ? req->reason : "");
	drain->by = mem_strdup(req->by ? req->by : "");
	return drain;
}

/*
 * Of a unit's records the documents may still lack what came before, be it
 * between two of them: after a crash it is read again, and has to be folded
 * first.
 */
static bool
is_ahead(const struct entry *e, const struct partition *part)
{
	const struct doc_queue *queue =
		e->unit ? doc_queue(e->doc, part->source_index) : NULL;

	return queue && !offsets_has_fed(part, e->lane, queue->tail);
}

bool
core_request(struct core *core, struct lane *lane, struct partition *part,
	     const struct store_request *req)
{
	struct entry *e;

	if (lane_is_stopped(lane)) {
		answer(core, req->id, STORE_REQ_FAILED, lane->stop.text);
		return true;
	}
	/* It is another reader's, or nobody knows yet whose it will be. */
	if (lane_rests(lane))
		return false;
	e = request_entry(core, lane, part, req);
	if (!e) {
		answer(core, req->id, STORE_REQ_FAILED, "nothing is parked");
		return true;
	}
	if (e->drain || is_ahead(e, part))
		return false;
	batch_drain_take(&core->batch, e, drain_new(req, part));
	core_after_drains(core);
	return true;
}

static void
say_drained(const struct drain *drain, struct buf *text)
{
	if (drain->refused && drain->given_up) {
		buf_addstr(text, "discard done: ");
		if (!drain->n_discarded)
			buf_printf(text,
				   "the record at %" PRId64
				   " had left the queue before, ",
				   drain->offset);
	}
	buf_printf(text, "applied %" PRIu64 ", discarded %" PRIu64,
		   drain->n_applied, drain->n_discarded);
	if (drain->n_cleared)
		buf_printf(text,
			   ", cleared %" PRIu64
			   " that had left the queue before",
			   drain->n_cleared);
	if (!drain->refused)
		buf_addstr(text, ", nothing is left");
	else
		buf_printf(text, "; %s%s",
			   drain->given_up ? "the queue goes on with a record "
					     "that stays: "
					   : "then ",
			   drain->why);
}

static void
end_drain(struct core *core, struct entry *e)
{
	struct drain *drain = e->drain;
	bool nothing = !drain->refused && drain->n_applied == 0 &&
		       drain->n_discarded == 0 && drain->n_cleared == 0;
	struct buf text = BUF_INIT;

	say_drained(drain, &text);
	/* Of a discard the rest was not asked for: it may be refused. */
	answer(core, drain->request,
	       (drain->refused && !drain->given_up) || nothing
		       ? STORE_REQ_FAILED
		       : STORE_REQ_DONE,
	       nothing ? "nothing is parked" : text.data);
	buf_release(&text);
	if (!drain->refused && !nothing && e->lane->n_units_parked)
		e->lane->n_units_parked--;
	e->drain = NULL;
	drain_free(drain);
}

/* ---- Records
 * -------------------------------------------------------------------
 */

/* It stays where it is, and so does all behind it. */
static void
hold(struct queued *q, const char *cause, const char *detail)
{
	struct drain *drain = q->home->drain;

	/* The first of them is what the others wait for. */
	if (drain->refused && q->rec.offset >= drain->refused_at)
		return;
	drain->refused = true;
	drain->refused_at = q->rec.offset;
	(void)snprintf(drain->why, sizeof(drain->why),
		       "the record at %" PRId64 " was refused: %s: %.120s",
		       q->rec.offset, cause, detail);
}

/* It was tried, so its row says why it stays, as of now. */
static void
refuse(struct queued *q, const char *cause, const char *detail)
{
	hold(q, cause, detail);
	free(q->cause);
	free(q->detail);
	q->cause = mem_strdup(cause);
	q->detail = mem_strdup(detail);
}

/* What a discarded record leaves in the key's sequence (rule 12). */
static int64_t
discarded_sequence(struct core *core, const struct entry *e,
		   const struct record *rec, const struct reading *rd)
{
	struct pj_str key = decode_key(core->decoder, rec->key);

	/* Numbers count in the record key's own document. */
	if (!str_equal(key, e->key))
		return 0;
	if (rd->result == DECODE_UNREADABLE ||
	    decode_sequence_is_invalid(core->decoder))
		return DOC_SEQUENCE_UNKNOWN;
	return decode_last_sequence(core->decoder);
}

static enum fold_outcome
fold_by_home(struct core *core, struct entry *e, struct record *rec,
	     const struct reading *rd, struct pj_error *err)
{
	if (rec->queued->home != e)
		return fold_late(e->lane, rec, rd->ev, e->doc, err);
	if (rec->queued->discard)
		return fold_discard(e->lane, rec,
				    discarded_sequence(core, e, rec, rd),
				    e->doc);
	return fold_retry(e->lane, rec, rd->ev,
			  decode_last_sequence(core->decoder), e->doc, err);
}

static bool
is_its_turn(const struct entry *e, const struct record *rec)
{
	const struct doc_queue *queue =
		doc_queue(e->doc, rec->partition->source_index);

	return rec->queued->home != e || !queue || rec->offset < queue->first ||
	       rec->offset > queue->tail || rec->queued->first == queue->first;
}

void
core_fold_queued(struct core *core, struct entry *e, struct record *rec,
		 const struct reading *rd)
{
	enum fold_outcome outcome = FOLD_REJECTED;
	const struct drain *drain = rec->queued->home->drain;
	struct pj_error err;
	const char *cause = core_fault(core, e, rec, rd, &err);

	/*
	 * One before it was found to be refused, or others came between. What
	 * is before the refused one is folded again as ever: its write may have
	 * been lost, or be what the store refuses.
	 */
	if ((drain->refused && rec->offset >= drain->refused_at) ||
	    !is_its_turn(e, rec)) {
		if (rec == e->refused)
			e->refused = NULL;
		rec->queued->counts = false;
		batch_done(&core->batch, rec);
		return;
	}
	if (!cause || (rec->queued->home == e && rec->queued->discard)) {
		core_begins(core, STEP_FOLD, e->lane, rec);
		outcome = fold_by_home(core, e, rec, rd, &err);
		core_ends(core);
		cause = fold_cause(outcome);
	}
	switch (outcome) {
	case FOLD_CHANGED:
	case FOLD_UNCHANGED:
	case FOLD_REPEATED:
		/* Repeated: by a write whose answer was lost. */
		rec->queued->counts = true;
		free(rec->queued->cause);
		rec->queued->cause = NULL;
		core_folded(core, e, rec, outcome);
		break;
	case FOLD_REJECTED:
	case FOLD_GAP:
	case FOLD_QUEUED:
		rec->queued->counts = false;
		refuse(rec->queued, cause,
		       outcome == FOLD_QUEUED ? "its document has a queue of "
						"its own"
					      : err.text);
		batch_done(&core->batch, rec);
		break;
	}
	if (rec == e->refused)
		e->refused = NULL;
}

/* Why it cannot go to all of the lane's documents, or NULL. */
static const char *
unit_fault(const struct lane *lane, const struct route *routes, size_t n,
	   const struct reading *rd)
{
	if (rd->result == DECODE_UNREADABLE)
		return rd->cause;
	for (size_t i = 0; i < n; i++) {
		if (routes[i].lane != lane || routes[i].kind == ROUTE_SEQUENCE)
			continue;
		if (rd->result == DECODE_INVALID)
			return rd->cause;
		if (routes[i].kind != ROUTE_DOCUMENT)
			return "no document key";
	}
	return NULL;
}

/*
 * Into the documents of a unit's record, all of them or none; nothing else of
 * it is under way. What nobody reads any more is done with.
 */
static void
fold_out_of_unit(struct core *core, struct queued *q, const struct reading *rd)
{
	struct lane *lane = q->home->lane;
	const struct route *routes = NULL;
	const char *cause;
	size_t n = 0;

	if (rd->ev)
		core_route(core, &q->rec, rd->ev, &routes, &n);
	cause = unit_fault(lane, routes, n, rd);
	if (cause) {
		refuse(q, cause,
		       rd->result == DECODE_EVENT ? "" : rd->err.text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (routes[i].lane == lane && routes[i].kind == ROUTE_DOCUMENT)
			core_fold_or_defer(core,
					   batch_checkout(&core->batch, lane,
							  routes[i].key),
					   &q->rec, rd);
}

static void
start_queued(struct core *core, struct queued *q)
{
	struct entry *home = q->home;
	struct drain *drain = home->drain;
	struct reading rd;

	q->started = true;
	/* Given up before, by a process that did not get any further. */
	if (q->discard && q->rec.offset > drain->offset) {
		q->discard = false;
		drain->given_up = true;
	}
	if (q->discard && q->rec.offset != drain->offset)
		hold(q, "it is not the one to be discarded",
		     "the queue has moved on");
	/* It could not be remembered that this one has left. */
	if (home->unit && doc_is_late_full(home->doc))
		hold(q, "too many were retried or given up",
		     "rebuild the projection");
	if (drain->refused) {
		batch_end_queued(&core->batch, q, false);
		return;
	}
	q->rec.serial = ++core->serial;
	q->rec.pending = 1;
	core_read(core, &q->rec, &rd);
	if (!home->unit) {
		core_fold(core, home, &q->rec, &rd);
		return;
	}
	if (!q->discard)
		fold_out_of_unit(core, q, &rd);
	batch_done(&core->batch, &q->rec);
}

/*
 * What a stopped lane gives back is not written, whatever is in memory of the
 * queue: the answer must not say that nothing is left.
 */
static void
cut_short(struct entry *e)
{
	struct drain *drain = e->drain;

	if (drain->refused)
		return;
	drain->refused = true;
	drain->refused_at = 0;
	(void)snprintf(drain->why, sizeof(drain->why), "%s",
		       e->lane->stop.text);
}

/* Nothing is pending of it: its documents, or its queue, are written. */
static void
settled(struct core *core, struct queued *q)
{
	struct entry *home = q->home;
	struct drain *drain = home->drain;

	if (lane_rests(home->lane)) {
		cut_short(home);
		batch_end_queued(&core->batch, q, false);
		return;
	}
	if (home->unit && q->stage == QUEUED_FOLDING && !drain->refused) {
		q->stage = QUEUED_CLEARING;
		q->counts = true;
		q->rec.serial = ++core->serial;
		core_fold_or_defer(core, home, &q->rec, NULL);
		return;
	}
	if (q->counts && !(home->unit && q->stage == QUEUED_FOLDING)) {
		drain->given_up |= q->discard;
		drain->n_discarded += q->discard;
		drain->n_applied += !q->discard;
		core->counts.discarded += q->discard;
		core->counts.retried += !q->discard;
		home->lane->n_discarded += q->discard;
		home->lane->n_retried += !q->discard;
		q->absolved = core_absolves(core, home->lane, &q->rec);
		batch_end_queued(&core->batch, q, true);
	} else {
		batch_end_queued(&core->batch, q, q->cause != NULL);
	}
	if (home->list == LIST_NONE)
		batch_settle(&core->batch, home);
}

static bool
has_come_to_its_end(const struct entry *e)
{
	return e->drain->swept &&
	       !doc_queue(e->doc, e->drain->part->source_index);
}

static void
drained(struct core *core, struct entry *e)
{
	struct queued *q, *next;

	if (!e->drain)
		return;
	for (q = TAILQ_FIRST(&core->batch.queued); q; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->home == e && !q->started)
			start_queued(core, q);
	}
	if (!e->drain->n_out && !e->drain->n_unparks) {
		if (lane_rests(e->lane) && !has_come_to_its_end(e))
			cut_short(e);
		if (e->drain->refused || has_come_to_its_end(e))
			end_drain(core, e);
	}
	/* What came meanwhile goes out, be it that a drain is under way. */
	if (e->list == LIST_NONE)
		batch_settle(&core->batch, e);
}

void
core_after_drains(struct core *core)
{
	struct batch *bat = &core->batch;

	/* Each may bring on some of the others. */
	while (bat->n_settled || bat->n_drained || bat->n_ready) {
		if (bat->n_settled)
			settled(core, bat->settled[--bat->n_settled]);
		else if (bat->n_ready)
			core_fold_backlog(core, bat->ready[--bat->n_ready]);
		else
			drained(core, bat->drained[--bat->n_drained]);
	}
}
