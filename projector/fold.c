/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/fold.h"

#include <inttypes.h>
#include <string.h>

#include "lib/str.h"
#include "projector/event_data.h"

static enum fold_outcome
repeated(struct lane *lane)
{
	lane->folded.repeated++;
	return FOLD_REPEATED;
}

/* The sequence that is to be checked here; 0 = none. */
static int64_t
sequence_of(const struct lane *lane, const struct pj_event *ev,
	    const struct pj_doc *doc)
{
	struct pj_str key = pj_doc_key(doc);

	if (ev->sequence == 0 || !module_is_keyed_by_record(lane->mod) ||
	    !str_equal(key, ev->key))
		return 0;
	return ev->sequence;
}

/* FOLD_CHANGED: it is the next one. */
static enum fold_outcome
check_sequence(struct lane *lane, const struct record *rec, int64_t sequence,
	       const struct pj_doc *doc, struct pj_error *err)
{
	int64_t last = doc_sequence(doc, rec->partition->topic);

	if (sequence <= last)
		return repeated(lane);
	if (sequence == last + 1 || last == DOC_SEQUENCE_UNKNOWN)
		return FOLD_CHANGED;
	(void)pj_error_set(err, PJ_ERROR_INPUT,
			   "got %" PRId64 ", expected %" PRId64, sequence,
			   last + 1);
	return FOLD_GAP;
}

/* Rule 1, and the parked queue. FOLD_CHANGED: it may be folded. */
enum fold_outcome
fold_place(struct lane *lane, const struct record *rec,
	   const struct pj_doc *doc)
{
	int32_t source = rec->partition->source_index;
	const struct doc_queue *queue = doc_queue(doc, source);

	if (doc_has_applied(doc, source, rec->offset) ||
	    doc_has_late(doc, source, rec->offset) ||
	    (queue && rec->offset <= queue->tail))
		return repeated(lane);
	return queue ? FOLD_QUEUED : FOLD_CHANGED;
}

static enum fold_outcome
apply_sequence(struct lane *lane, const struct record *rec, int64_t sequence,
	       struct pj_doc *doc, struct pj_error *err)
{
	enum fold_outcome outcome =
		check_sequence(lane, rec, sequence, doc, err);

	if (outcome != FOLD_CHANGED)
		return outcome;
	doc_set_position(doc, rec->partition->source_index, rec->offset);
	doc_set_sequence(doc, rec->partition->topic, sequence);
	lane->folded.unchanged++;
	return FOLD_CHANGED;
}

enum fold_outcome
fold_sequence(struct lane *lane, const struct record *rec, int64_t sequence,
	      struct pj_doc *doc, struct pj_error *err)
{
	enum fold_outcome outcome = fold_place(lane, rec, doc);

	if (outcome != FOLD_CHANGED)
		return outcome;
	return apply_sequence(lane, rec, sequence, doc, err);
}

static enum pj_fold
call_module(const struct lane *lane, const struct pj_event *ev,
	    struct pj_doc *doc, struct pj_error *err)
{
	memset(err, 0, sizeof(*err));
	doc_begin(doc);
	return lane->mod->desc->fold(&lane->mod->options, ev, doc, err);
}

static void
name_reason(const struct lane *lane, enum doc_change change,
	    struct pj_error *err)
{
	if (change == DOC_REJECTED && err->cls == PJ_ERROR_NONE)
		(void)pj_error_set(err, PJ_ERROR_INPUT,
				   "projection %s rejected the event and gave "
				   "no reason",
				   lane->mod->desc->name);
}

static enum fold_outcome
apply_event(struct lane *lane, const struct record *rec,
	    const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err)
{
	int64_t sequence = sequence_of(lane, ev, doc);
	enum fold_outcome outcome;
	enum doc_change change;

	if (sequence && !module_reads(lane->mod, ev))
		return apply_sequence(lane, rec, sequence, doc, err);
	if (sequence) {
		outcome = check_sequence(lane, rec, sequence, doc, err);
		if (outcome != FOLD_CHANGED)
			return outcome;
	}
	change = doc_end(doc, call_module(lane, ev, doc, err),
			 rec->partition->source_index, rec->offset,
			 pj_event_time_ms(ev), err);
	name_reason(lane, change, err);
	if (change == DOC_REJECTED)
		return FOLD_REJECTED;
	if (sequence)
		doc_set_sequence(doc, rec->partition->topic, sequence);
	if (change == DOC_CHANGED)
		lane->folded.applied++;
	else
		lane->folded.unchanged++;
	return change == DOC_CHANGED || sequence ? FOLD_CHANGED
						 : FOLD_UNCHANGED;
}

enum fold_outcome
fold_event(struct lane *lane, const struct record *rec,
	   const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err)
{
	enum fold_outcome outcome = fold_place(lane, rec, doc);

	if (outcome != FOLD_CHANGED)
		return outcome;
	return apply_event(lane, rec, ev, doc, err);
}

/* ---- Out of queues ------------------------------------------------------- */

static bool
is_waiting(const struct pj_doc *doc, const struct record *rec)
{
	const struct doc_queue *queue =
		doc_queue(doc, rec->partition->source_index);

	return queue && rec->offset >= queue->first &&
	       rec->offset <= queue->tail;
}

enum fold_outcome
fold_retry(struct lane *lane, const struct record *rec,
	   const struct pj_event *ev, int64_t sequence, struct pj_doc *doc,
	   struct pj_error *err)
{
	enum fold_outcome outcome = FOLD_UNCHANGED;

	if (!is_waiting(doc, rec))
		return repeated(lane);
	if (ev)
		outcome = apply_event(lane, rec, ev, doc, err);
	else if (sequence > 0)
		outcome = apply_sequence(lane, rec, sequence, doc, err);
	if (outcome == FOLD_REJECTED || outcome == FOLD_GAP)
		return outcome;
	/* A repeated sequence too: it is done with. */
	doc_set_position(doc, rec->partition->source_index, rec->offset);
	doc_dequeue(doc, rec->partition->source_index, rec->offset);
	return FOLD_CHANGED;
}

enum fold_outcome
fold_discard(struct lane *lane, const struct record *rec, int64_t sequence,
	     struct pj_doc *doc)
{
	if (!is_waiting(doc, rec))
		return repeated(lane);
	/* A repeat, at fault in something else, stands below what there is. */
	if (sequence && module_is_keyed_by_record(lane->mod) &&
	    (sequence < 0 ||
	     sequence > doc_sequence(doc, rec->partition->topic)))
		doc_set_sequence(doc, rec->partition->topic,
				 sequence > 0 ? sequence
					      : DOC_SEQUENCE_UNKNOWN);
	doc_set_position(doc, rec->partition->source_index, rec->offset);
	doc_dequeue(doc, rec->partition->source_index, rec->offset);
	return FOLD_CHANGED;
}

enum fold_outcome
fold_late(struct lane *lane, const struct record *rec,
	  const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err)
{
	int32_t source = rec->partition->source_index;
	const struct doc_queue *queue = doc_queue(doc, source);
	enum doc_change change;

	if (doc_has_late(doc, source, rec->offset))
		return repeated(lane);
	if (queue && rec->offset > queue->first)
		return FOLD_QUEUED;
	if (doc_is_late_full(doc))
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "%d records were retried in this document: "
				    "rebuild the projection",
				    DOC_LATE_MAX),
		       FOLD_REJECTED;
	change = doc_end_late(doc, call_module(lane, ev, doc, err),
			      pj_event_time_ms(ev), err);
	name_reason(lane, change, err);
	if (change == DOC_REJECTED)
		return FOLD_REJECTED;
	doc_set_late(doc, source, rec->offset);
	if (change == DOC_CHANGED)
		lane->folded.applied++;
	else
		lane->folded.unchanged++;
	return FOLD_CHANGED;
}

const char *
fold_cause(enum fold_outcome outcome)
{
	switch (outcome) {
	case FOLD_GAP:
		return "sequence gap";
	case FOLD_QUEUED:
		return "behind a parked record";
	default:
		return "rejected by fold";
	}
}
