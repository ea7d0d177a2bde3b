/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/fold.h"

#include <string.h>

enum fold_outcome
fold_event(struct lane *lane, const struct record *rec,
	   const struct pj_event *ev, struct pj_doc *doc, struct pj_error *err)
{
	int32_t source = rec->partition->source_index;
	enum pj_fold result;

	if (doc_has_applied(doc, source, rec->offset)) {
		lane->n_repeated++;
		return FOLD_REPEATED;
	}
	memset(err, 0, sizeof(*err));
	doc_begin(doc);
	result = lane->mod->desc->fold(&lane->mod->options, ev, doc, err);
	switch (doc_end(doc, result, source, rec->offset, pj_event_time_ms(ev),
			err)) {
	case DOC_CHANGED:
		lane->n_applied++;
		return FOLD_CHANGED;
	case DOC_UNCHANGED:
		lane->n_unchanged++;
		return FOLD_UNCHANGED;
	case DOC_REJECTED:
		break;
	}
	if (err->cls == PJ_ERROR_NONE)
		(void)pj_error_set(err, PJ_ERROR_INPUT,
				   "projection %s rejected the event and gave "
				   "no reason",
				   lane->mod->desc->name);
	return FOLD_REJECTED;
}
