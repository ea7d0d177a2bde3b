/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/truth.h"

#include <string.h>

#include "tests/sim/document.h"
#include "tests/sim/tell.h"

static const struct store_token no_token;

static void
encode(struct truth *t)
{
	buf_clear(&t->bytes);
	doc_encode(t->doc, &no_token, &t->bytes);
}

void
truth_init(struct truth *t, struct lane *lane, struct pj_str key)
{
	memset(t, 0, sizeof(*t));
	t->lane = lane;
	t->key = key;
	t->doc = doc_new(lane->mod->desc->shape, key);
	for (size_t l = 0; l < LOGS_MAX; l++)
		t->last[l] = -1;
	encode(t);
}

void
truth_release(struct truth *t)
{
	doc_free(t->doc);
	buf_release(&t->bytes);
}

static bool
fits(const struct truth *t)
{
	uint32_t max = t->lane->mod->desc->max_bytes;

	return (max == 0 || t->bytes.len <= max) &&
	       !document_is_poison((uint8_t *)t->bytes.data, t->bytes.len);
}

static void
undo(struct truth *t, const struct buf *before)
{
	struct pj_error err;

	doc_free(t->doc);
	REQUIRE(doc_load(t->lane->mod->desc->shape, t->key,
			 (uint8_t *)before->data, before->len, &t->doc,
			 &err) == 0,
		"%s", err.text);
}

static enum verdict
apply(struct truth *t, struct eyes *eyes, const struct log *log, size_t part,
      const struct view *view)
{
	const struct pj_event *ev;
	struct record *rec = eyes_read(eyes, log, part, view->ev, &ev);
	struct buf before = t->bytes;
	enum doc_change change;
	enum pj_fold fold;
	struct pj_error err = {.cls = PJ_ERROR_NONE};

	doc_begin(t->doc);
	fold = t->lane->mod->desc->fold(&t->lane->mod->options, ev, t->doc,
					&err);
	change = doc_end(t->doc, fold, log->source, view->ev->offset,
			 pj_event_time_ms(ev), &err);
	record_release(rec);
	if (change != DOC_CHANGED)
		return change == DOC_REJECTED ? VERDICT_REJECTED
					      : VERDICT_UNCHANGED;
	t->bytes = BUF_INIT;
	encode(t);
	if (fits(t)) {
		buf_release(&before);
		return VERDICT_CHANGED;
	}
	undo(t, &before);
	buf_release(&t->bytes);
	t->bytes = before;
	return VERDICT_TOO_LARGE;
}

/* Numbers are of the record's key: in its own document they count. */
static bool
counts(const struct truth *t, const struct view *view)
{
	struct pj_str key = view->key;

	return view->sequence && module_is_keyed_by_record(t->lane->mod) &&
	       key.len == t->key.len &&
	       memcmp(key.ptr, t->key.ptr, key.len) == 0;
}

enum verdict
truth_fold(struct truth *t, struct eyes *eyes, const struct log *log,
	   size_t part, const struct view *view, const struct sight *sight)
{
	bool numbered = counts(t, view);
	int64_t last = t->sequence[part];
	enum verdict verdict = VERDICT_UNCHANGED;

	if (numbered && view->sequence <= last)
		return VERDICT_REPEATED;
	if (numbered && last != SEQUENCE_UNKNOWN && view->sequence != last + 1)
		return VERDICT_GAP;
	if (sight->kind == SIGHT_EVENT)
		verdict = apply(t, eyes, log, part, view);
	if (verdict_parks(verdict))
		return verdict;
	if (numbered)
		t->sequence[part] = view->sequence;
	if (!numbered && verdict == VERDICT_UNCHANGED)
		return verdict;
	t->any = true;
	t->last[part] = view->ev->offset;
	return VERDICT_CHANGED;
}

enum verdict
truth_try(struct truth *t, struct eyes *eyes, const struct log *log,
	  size_t part, const struct view *view, const struct sight *sight)
{
	struct truth before = *t;
	enum verdict verdict;

	before.bytes = BUF_INIT;
	buf_add(&before.bytes, t->bytes.data, t->bytes.len);
	verdict = truth_fold(t, eyes, log, part, view, sight);
	undo(t, &before.bytes);
	buf_release(&t->bytes);
	before.doc = t->doc;
	*t = before;
	return verdict;
}

void
truth_discard(struct truth *t, size_t part, const struct view *view)
{
	int64_t last = t->sequence[part];

	/* Never back: an old number that is given up changes nothing. */
	if (counts(t, view) &&
	    (view->sequence == SEQUENCE_UNKNOWN || last == SEQUENCE_UNKNOWN ||
	     view->sequence > last))
		t->sequence[part] = view->sequence;
}

const char *
verdict_cause(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_GAP:
		return "sequence gap";
	case VERDICT_TOO_LARGE:
		return "document cannot be stored";
	default:
		return "rejected by fold";
	}
}
