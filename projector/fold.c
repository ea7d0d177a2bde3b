/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/fold.h"

#include <inttypes.h>
#include <string.h>

#include "projector/event_data.h"

static enum fold_outcome
repeated(struct lane *lane)
{
	lane->n_repeated++;
	return FOLD_REPEATED;
}

/* The sequence that is to be checked here; 0 = none. */
static int64_t
sequence_of(const struct lane *lane, const struct pj_event *ev,
	    const struct pj_doc *doc)
{
	struct pj_str key = pj_doc_key(doc);

	if (ev->sequence == 0 || !module_is_keyed_by_record(lane->mod) ||
	    key.len != ev->key.len ||
	    memcmp(key.ptr, ev->key.ptr, key.len) != 0)
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
	if (sequence == last + 1)
		return FOLD_CHANGED;
	(void)pj_error_set(err, PJ_ERROR_INPUT,
			   "got %" PRId64 ", expected %" PRId64, sequence,
			   last + 1);
	return FOLD_GAP;
}

enum fold_outcome
fold_sequence(struct lane *lane, const struct record *rec, int64_t sequence,
	      struct pj_doc *doc, struct pj_error *err)
{
	int32_t source = rec->partition->source_index;
	enum fold_outcome outcome;

	if (doc_has_applied(doc, source, rec->offset))
		return repeated(lane);
	outcome = check_sequence(lane, rec, sequence, doc, err);
	if (outcome != FOLD_CHANGED)
		return outcome;
	doc_set_position(doc, source, rec->offset);
	doc_set_sequence(doc, rec->partition->topic, sequence);
	lane->n_unchanged++;
	return FOLD_CHANGED;
}

static enum doc_change
fold_module(const struct lane *lane, const struct record *rec,
	    const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err)
{
	enum pj_fold result;
	enum doc_change change;

	memset(err, 0, sizeof(*err));
	doc_begin(doc);
	result = lane->mod->desc->fold(&lane->mod->options, ev, doc, err);
	change = doc_end(doc, result, rec->partition->source_index, rec->offset,
			 pj_event_time_ms(ev), err);
	if (change == DOC_REJECTED && err->cls == PJ_ERROR_NONE)
		(void)pj_error_set(err, PJ_ERROR_INPUT,
				   "projection %s rejected the event and gave "
				   "no reason",
				   lane->mod->desc->name);
	return change;
}

enum fold_outcome
fold_event(struct lane *lane, const struct record *rec,
	   const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err)
{
	int64_t sequence = sequence_of(lane, ev, doc);
	enum fold_outcome outcome;
	enum doc_change change;

	if (sequence && !module_reads(lane->mod, ev))
		return fold_sequence(lane, rec, sequence, doc, err);
	if (doc_has_applied(doc, rec->partition->source_index, rec->offset))
		return repeated(lane);
	if (sequence) {
		outcome = check_sequence(lane, rec, sequence, doc, err);
		if (outcome != FOLD_CHANGED)
			return outcome;
	}
	change = fold_module(lane, rec, ev, doc, err);
	if (change == DOC_REJECTED)
		return FOLD_REJECTED;
	if (sequence)
		doc_set_sequence(doc, rec->partition->topic, sequence);
	if (change == DOC_CHANGED)
		lane->n_applied++;
	else
		lane->n_unchanged++;
	return change == DOC_CHANGED || sequence ? FOLD_CHANGED
						 : FOLD_UNCHANGED;
}

const char *
fold_cause(enum fold_outcome outcome)
{
	return outcome == FOLD_GAP ? "sequence gap" : "rejected by fold";
}
