/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/judge.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "tests/sim/tell.h"

static struct unit_due *
unit_of(const struct seen *s, struct row *row)
{
	struct unit_due *u;

	for (u = s->oracle->units; u; u = u->next)
		if (u->row == row)
			return u;
	u = mem_calloc(1, sizeof(*u));
	u->row = row;
	u->log = s->log;
	u->next = s->oracle->units;
	s->oracle->units = u;
	return u;
}

static bool
is_at_fault(const struct sight *sight)
{
	return sight->kind != SIGHT_EVENT && sight->kind != SIGHT_SEQUENCE;
}

/* It went into the document out of the queue of its key. */
static bool
is_late(const struct seen *s, const struct sight *sight)
{
	const struct world *w = s->oracle->w;

	return document_has_late(
		oracle_document(s->oracle, w->lanes.lane[s->lane].generation,
				sight->key),
		w->logs[s->log].source, s->view->ev->offset);
}

/* Of a queue that came and went between two writes only the audit tells. */
static bool
left_a_queue(const struct seen *s, const struct sight *sight)
{
	const struct log *log = &s->oracle->w->logs[s->log];
	const struct wait wait = {"document", sight->key};

	for (size_t i = 0; i < log->n; i++)
		if (log->events[i].offset < s->view->ev->offset &&
		    oracle_row_is_there(s->oracle, ROW_AUDIT, s->lane, s->log,
					&wait, log->events[i].offset, NULL))
			return true;
	return false;
}

static bool
had_queue(const struct seen *s, const struct sight *sight)
{
	const struct world *w = s->oracle->w;
	const struct row *row = server_document_row(
		&s->oracle->w->server, w->lanes.lane[s->lane].generation,
		sight->key);
	const struct memory *memory = row->oracle;

	for (size_t i = 0; memory && i < memory->n; i++)
		if (memory->marks[i].source == w->logs[s->log].source &&
		    memory->marks[i].first < s->view->ev->offset)
			return true;
	return left_a_queue(s, sight);
}

/* The head of its key's queue: what is wrong with it? */
static void
judge_head(const struct seen *s)
{
	bool wrong_with_it = false;

	for (size_t i = 0; i < s->view->n; i++) {
		const struct sight *sight = &s->view->sights[i];
		struct truth *t;
		enum verdict verdict = VERDICT_REJECTED;

		if (sight->lane != s->lane)
			continue;
		if (is_at_fault(sight)) {
			wrong_with_it = true;
			continue;
		}
		t = judge_truth(s, sight->key);
		modules_mended = false;
		if (!t->due[s->log].open)
			verdict = truth_try(t, &s->oracle->eyes,
					    &s->oracle->w->logs[s->log], s->log,
					    s->view, sight);
		/* Retried, it went into those documents that took it. */
		if (is_late(s, sight))
			(void)judge_fold(s, t, sight, true);
		/* Others may have waited before it, and been retried since. */
		wrong_with_it = wrong_with_it || verdict_parks(verdict) ||
				had_queue(s, sight);
	}
	if (!wrong_with_it)
		judge_wrong(s, s->view->key,
			    "waits, first of its key, and nothing is wrong "
			    "with it");
}

static const char *
cause_of(const struct seen *s)
{
	for (size_t i = 0; i < s->view->n; i++)
		if (s->view->sights[i].lane == s->lane &&
		    s->view->sights[i].cause)
			return s->view->sights[i].cause;
	return NULL;
}

/* Given up: only what had taken it before has it. */
static void
judge_discarded(const struct seen *s)
{
	for (size_t i = 0; i < s->view->n; i++) {
		const struct sight *sight = &s->view->sights[i];

		if (sight->lane == s->lane && !is_at_fault(sight) &&
		    is_late(s, sight))
			(void)judge_fold(s, judge_truth(s, sight->key), sight,
					 true);
	}
}

/* True: it waits, or waited, in the unit of its key; all is said of it. */
bool
judge_unit(const struct seen *s)
{
	struct wait wait = {"key", s->view->key};
	int64_t offset = s->view->ev->offset;
	const struct document *doc;
	struct unit_due *u;
	struct row *row;
	bool waits;

	if (s->view->key.len == 0)
		return false;
	doc = oracle_unit(s->oracle, s->lane, s->log, wait.unit, -1, &row);
	waits = oracle_is_covered(doc, s->oracle->w->logs[s->log].source,
				  offset);
	u = unit_of(s, row);
	if (u->due.open && !waits)
		judge_wrong(s, wait.unit, "has to wait for others of its key");
	if (waits) {
		if (!u->due.open)
			judge_head(s);
		judge_due(s, &u->due, &wait, u->due.open ? NULL : cause_of(s));
		return true;
	}
	/* What was given up has gone through the queue. */
	if (!document_has_late(doc, s->oracle->w->logs[s->log].source,
			       offset) ||
	    !judge_was_discarded(s, &wait))
		return false;
	judge_discarded(s);
	return true;
}

void
judge_lone(const struct seen *s, const struct sight *sight)
{
	struct wait wait = {"record", sight->key};
	const struct document *doc;
	struct due due = {.open = false};
	struct row *row;

	doc = oracle_unit(s->oracle, s->lane, s->log, sight->key,
			  s->view->ev->offset, &row);
	if (oracle_is_covered(doc, s->oracle->w->logs[s->log].source,
			      s->view->ev->offset) ||
	    !judge_was_discarded(s, &wait))
		judge_due(s, &due, &wait, sight->cause);
	judge_compare_due(&due, doc, s->oracle->w->logs[s->log].source,
			  row->name);
}
