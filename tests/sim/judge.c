/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/judge.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "tests/sim/tell.h"

_Noreturn void
judge_wrong(const struct seen *s, struct pj_str key, const char *what)
{
	oracle_broken(s->oracle, s->log, s->view, s->lane, key, what);
}

struct truth *
judge_truth(const struct seen *s, struct pj_str key)
{
	struct lane *lane = &s->oracle->eyes.lanes.lane[s->lane];
	struct truth *t;

	for (t = s->oracle->truths; t; t = t->next)
		if (t->lane == lane && t->key.len == key.len &&
		    memcmp(t->key.ptr, key.ptr, key.len) == 0)
			return t;
	t = mem_calloc(1, sizeof(*t));
	truth_init(t, lane, key);
	t->next = s->oracle->truths;
	s->oracle->truths = t;
	return t;
}

/* ---- Queues ----------------------------------------------------------- */

/* It has to wait; cause: for its own fault, NULL: behind others. */
void
judge_due(const struct seen *s, struct due *due, const struct wait *wait,
	  const char *cause)
{
	int64_t offset = s->view->ev->offset;
	const struct parked_content *content;
	const void *got;

	if (!oracle_row_is_there(s->oracle, ROW_PARKED, s->lane, s->log, wait,
				 offset, &got))
		judge_wrong(s, wait->unit,
			    cause ? cause : "has to wait, has no row");
	content = got;
	/* One that got to the front was behind others when it was parked. */
	if (cause && strcmp(content->row.cause, cause) != 0 &&
	    strcmp(content->row.cause, "behind a parked record") != 0)
		judge_wrong(s, wait->unit, content->row.cause);
	if (!due->open)
		due->first = offset;
	due->open = true;
	due->tail = offset;
	due->n++;
	s->oracle->n_rows_due++;
}

void
judge_compare_due(const struct due *due, const struct document *doc,
		  int32_t source, struct pj_str name)
{
	const struct queue_mark *k = document_queue(doc, source);

	REQUIRE(due->open == (k != NULL), "%.*s: queue of source %d %s",
		(int)name.len, name.ptr, (int)source,
		k ? "should not be there" : "is missing");
	if (!k)
		return;
	REQUIRE(k->tail == due->tail && k->n == due->n &&
			k->first <= due->first,
		"%.*s: queue of source %d is %lld–%lld, n %lld, not "
		"%lld–%lld, n %lld",
		(int)name.len, name.ptr, (int)source, (long long)k->first,
		(long long)k->tail, (long long)k->n, (long long)due->first,
		(long long)due->tail, (long long)due->n);
}

/* ---- Documents -------------------------------------------------------- */

/* Folded as the modules were; where they refuse, as they are since. */
enum verdict
judge_fold(const struct seen *s, struct truth *t, const struct sight *sight,
	   bool as_mended)
{
	enum verdict verdict;

	modules_mended = as_mended;
	verdict = truth_fold(t, &s->oracle->eyes, &s->oracle->w->logs[s->log],
			     s->log, s->view, sight);
	return verdict;
}

static bool
is_parked(const struct seen *s, const struct wait *wait)
{
	const struct document *doc = oracle_document(
		s->oracle, s->oracle->w->lanes.lane[s->lane].generation,
		wait->unit);

	return oracle_is_covered(doc, s->oracle->w->logs[s->log].source,
				 s->view->ev->offset);
}

bool
judge_was_discarded(const struct seen *s, const struct wait *wait)
{
	enum end end = oracle_end_of(s->oracle, s->lane, s->log, wait,
				     s->view->ev->offset);

	met_n(MET_UNAUDITED, end == END_UNKNOWN);
	return end != END_APPLIED;
}

/* Not by its audit: as the document is to be taken this time. */
static bool
is_taken_as_discarded(const struct seen *s, const struct truth *t,
		      const struct wait *wait)
{
	struct doubt *d;

	if (oracle_end_of(s->oracle, s->lane, s->log, wait,
			  s->view->ev->offset) != END_UNKNOWN)
		return judge_was_discarded(s, wait);
	for (d = s->oracle->doubts; d; d = d->next)
		if (d->lane == t->lane && d->key.ptr == t->key.ptr &&
		    d->view == s->view)
			return d->discarded;
	d = mem_calloc(1, sizeof(*d));
	*d = (struct doubt){s->oracle->doubts, t->lane, t->key, s->view, true};
	s->oracle->doubts = d;
	return true;
}

/* The next way to take what is in doubt of the document; false: none. */
bool
judge_doubt_next(const struct oracle *oracle, const struct truth *t)
{
	for (struct doubt *d = oracle->doubts; d; d = d->next) {
		if (d->lane != t->lane || d->key.ptr != t->key.ptr)
			continue;
		d->discarded = !d->discarded;
		if (!d->discarded)
			return true;
	}
	return false;
}

static bool
has_cause(const struct seen *s, const struct wait *wait, const char *cause)
{
	const struct parked_content *content;
	const void *got;

	if (!oracle_row_is_there(s->oracle, ROW_PARKED, s->lane, s->log, wait,
				 s->view->ev->offset, &got))
		return false;
	content = got;
	return strcmp(content->row.cause, cause) == 0 ||
	       strcmp(content->row.cause, "behind a parked record") == 0;
}

/*
 * It has to wait for its own fault. Who parked it may have had the new modules,
 * which find another one.
 */
static void
judge_waiting(const struct seen *s, struct truth *t, const struct sight *sight,
	      enum verdict verdict)
{
	struct wait wait = {"document", sight->key};
	enum verdict mended;

	if (s->oracle->w->mended &&
	    !has_cause(s, &wait, verdict_cause(verdict))) {
		modules_mended = true;
		mended = truth_try(t, &s->oracle->eyes,
				   &s->oracle->w->logs[s->log], s->log, s->view,
				   sight);
		if (verdict_parks(mended))
			verdict = mended;
	}
	if (!has_cause(s, &wait, verdict_cause(verdict)) &&
	    judge_doubt_next(s->oracle, t))
		s->oracle->again = true;
	else
		judge_due(s, &t->due[s->log], &wait, verdict_cause(verdict));
}

void
judge_document(const struct seen *s, const struct sight *sight)
{
	struct truth *t = judge_truth(s, sight->key);
	struct due *due = &t->due[s->log];
	struct wait wait = {"document", sight->key};
	enum verdict verdict;

	if (due->open) {
		judge_due(s, due, &wait, NULL);
		return;
	}
	if (sight->kind == SIGHT_DOCUMENT) {
		if (is_parked(s, &wait) || !judge_was_discarded(s, &wait))
			judge_due(s, due, &wait, sight->cause);
		else
			truth_discard(t, s->log, s->view);
		return;
	}
	verdict = judge_fold(s, t, sight, false);
	if (!verdict_parks(verdict))
		return;
	if (is_parked(s, &wait)) {
		judge_waiting(s, t, sight, verdict);
		return;
	}
	if (verdict == VERDICT_REJECTED && s->oracle->w->mended &&
	    !is_taken_as_discarded(s, t, &wait))
		verdict = judge_fold(s, t, sight, true);
	if (!verdict_parks(verdict))
		return;
	if (judge_was_discarded(s, &wait))
		truth_discard(t, s->log, s->view);
	else
		judge_waiting(s, t, sight, verdict);
}
