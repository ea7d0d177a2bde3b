/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At rest: every record of every lane, in the order of its log, against what
 * the store holds.
 *
 * Whether a record waits in the unit of its key is the store's word; that it
 * has to, or must not, is judged here. All else is predicted.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "tests/sim/oracle_impl.h"
#include "tests/sim/tell.h"

/* The queue of a record key, as it should be. */
struct unit_due {
	struct unit_due *next;
	struct row *row;
	size_t log;
	struct due due;
};

/*
 * A record that could be applied later than at first, or given up: its document
 * has to agree with one of both.
 */
struct doubt {
	struct doubt *next;
	const struct lane *lane;
	struct pj_str key;
	const struct view *view;
	bool discarded;
};

/* One record in one lane. */
struct seen {
	struct oracle *oracle;
	size_t log;
	const struct view *view;
	unsigned lane;
};

_Noreturn static void
wrong(const struct seen *s, struct pj_str key, const char *what)
{
	oracle_broken(s->oracle, s->log, s->view, s->lane, key, what);
}

static struct truth *
truth_of(const struct seen *s, struct pj_str key)
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

/* ---- Queues
 * ------------------------------------------------------------------- */

/* It has to wait; cause: for its own fault, NULL: behind others. */
static void
due_add(const struct seen *s, struct due *due, const struct wait *wait,
	const char *cause)
{
	int64_t offset = s->view->ev->offset;
	const struct parked_content *content;
	const void *got;

	if (!oracle_row_is_there(s->oracle, ROW_PARKED, s->lane, s->log, wait,
				 offset, &got))
		wrong(s, wait->unit, cause ? cause : "has to wait, has no row");
	content = got;
	/* One that got to the front was behind others when it was parked. */
	if (cause && strcmp(content->row.cause, cause) != 0 &&
	    strcmp(content->row.cause, "behind a parked record") != 0)
		wrong(s, wait->unit, content->row.cause);
	if (!due->open)
		due->first = offset;
	due->open = true;
	due->tail = offset;
	due->n++;
	s->oracle->n_rows_due++;
}

static void
due_compare(const struct due *due, const struct document *doc, int32_t source,
	    struct pj_str name)
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

/* ---- Documents
 * ------------------------------------------------------------------ */

/* Folded as the modules were; where they refuse, as they are since. */
static enum verdict
fold(const struct seen *s, struct truth *t, const struct sight *sight,
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

static bool
was_discarded(const struct seen *s, const struct wait *wait)
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
		return was_discarded(s, wait);
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
static bool
doubt_next(const struct oracle *oracle, const struct truth *t)
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
	    doubt_next(s->oracle, t))
		s->oracle->again = true;
	else
		due_add(s, &t->due[s->log], &wait, verdict_cause(verdict));
}

static void
judge_document(const struct seen *s, const struct sight *sight)
{
	struct truth *t = truth_of(s, sight->key);
	struct due *due = &t->due[s->log];
	struct wait wait = {"document", sight->key};
	enum verdict verdict;

	if (due->open) {
		due_add(s, due, &wait, NULL);
		return;
	}
	if (sight->kind == SIGHT_DOCUMENT) {
		if (is_parked(s, &wait) || !was_discarded(s, &wait))
			due_add(s, due, &wait, sight->cause);
		else
			truth_discard(t, s->log, s->view);
		return;
	}
	verdict = fold(s, t, sight, false);
	if (!verdict_parks(verdict))
		return;
	if (is_parked(s, &wait)) {
		judge_waiting(s, t, sight, verdict);
		return;
	}
	if (verdict == VERDICT_REJECTED && s->oracle->w->mended &&
	    !is_taken_as_discarded(s, t, &wait))
		verdict = fold(s, t, sight, true);
	if (!verdict_parks(verdict))
		return;
	if (was_discarded(s, &wait))
		truth_discard(t, s->log, s->view);
	else
		judge_waiting(s, t, sight, verdict);
}

/* ---- Units
 * ------------------------------------------------------------------------ */

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
	return false;
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
		t = truth_of(s, sight->key);
		modules_mended = false;
		if (!t->due[s->log].open)
			verdict = truth_try(t, &s->oracle->eyes,
					    &s->oracle->w->logs[s->log], s->log,
					    s->view, sight);
		/* Retried, it went into those documents that took it. */
		if (is_late(s, sight))
			(void)fold(s, t, sight, true);
		/* Others may have waited before it, and been retried since. */
		wrong_with_it = wrong_with_it || verdict_parks(verdict) ||
				had_queue(s, sight);
	}
	if (!wrong_with_it)
		wrong(s, s->view->ev->key,
		      "waits, first of its key, and nothing is wrong with it");
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
			(void)fold(s, truth_of(s, sight->key), sight, true);
	}
}

/* True: it waits, or waited, in the unit of its key; all is said of it. */
static bool
judge_unit(const struct seen *s)
{
	struct wait wait = {"key", s->view->ev->key};
	int64_t offset = s->view->ev->offset;
	const struct document *doc;
	struct unit_due *u;
	struct row *row;
	bool waits;

	if (s->view->ev->key.len == 0)
		return false;
	doc = oracle_unit(s->oracle, s->lane, s->log, wait.unit, -1, &row);
	waits = oracle_is_covered(doc, s->oracle->w->logs[s->log].source,
				  offset);
	u = unit_of(s, row);
	if (u->due.open && !waits)
		wrong(s, wait.unit, "has to wait for others of its key");
	if (waits) {
		if (!u->due.open)
			judge_head(s);
		due_add(s, &u->due, &wait, u->due.open ? NULL : cause_of(s));
		return true;
	}
	/* What was given up has gone through the queue. */
	if (!document_has_late(doc, s->oracle->w->logs[s->log].source,
			       offset) ||
	    !was_discarded(s, &wait))
		return false;
	judge_discarded(s);
	return true;
}

static void
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
	    !was_discarded(s, &wait))
		due_add(s, &due, &wait, sight->cause);
	due_compare(&due, doc, s->oracle->w->logs[s->log].source, row->name);
}

static void
judge(const struct seen *s)
{
	bool any = false;

	for (size_t i = 0; i < s->view->n; i++)
		any = any || s->view->sights[i].lane == s->lane;
	if (!any || judge_unit(s))
		return;
	for (size_t i = 0; i < s->view->n; i++) {
		const struct sight *sight = &s->view->sights[i];

		if (sight->lane != s->lane)
			continue;
		if (sight->kind == SIGHT_LONE)
			judge_lone(s, sight);
		else if (sight->kind == SIGHT_KEY)
			wrong(s, sight->key, sight->cause);
		else
			judge_document(s, sight);
	}
}

/* ---- The whole
 * -------------------------------------------------------------------- */

/* False: in doubt, and to be taken in another way. */
static bool
compare_content(const struct oracle *oracle, const struct truth *t,
		const struct document *doc)
{
	static const struct store_token token;
	struct arena *arena = &oracle->w->server.arena;
	struct buf bytes = BUF_INIT;
	const struct document *want;

	doc_encode(t->doc, &token, &bytes);
	want = document_new(arena, (uint8_t *)bytes.data, bytes.len);
	buf_release(&bytes);
	if (tell_traced && !document_same_content(doc, want)) {
		document_tell("is       ", doc);
		document_tell("should be", want);
	}
	if ((!document_same_content(doc, want) || doc->state != want->state) &&
	    doubt_next(oracle, t))
		return false;
	REQUIRE(document_same_content(doc, want) && doc->state == want->state,
		"%s \"%.*s\" differs from what it should be",
		t->lane->generation, (int)t->key.len, t->key.ptr);
	REQUIRE(doc->state == READMODEL_META_ONLY ||
			doc->newest_ms == want->newest_ms,
		"%s \"%.*s\": newest event time", t->lane->generation,
		(int)t->key.len, t->key.ptr);
	return true;
}

static bool
compare(const struct oracle *oracle, const struct truth *t)
{
	const struct world *w = oracle->w;
	const struct document *doc =
		oracle_document(oracle, t->lane->generation, t->key);

	if (!doc && t->any && doubt_next(oracle, t))
		return false;
	REQUIRE(doc || !t->any, "%s \"%.*s\" is missing", t->lane->generation,
		(int)t->key.len, t->key.ptr);
	if (doc && !compare_content(oracle, t, doc))
		return false;
	for (size_t l = 0; l < w->n_logs; l++) {
		int32_t source = w->logs[l].source;

		due_compare(&t->due[l], doc, source, t->key);
		REQUIRE(document_position(doc, source) >= t->last[l] ||
				document_has_late(doc, source, t->last[l]),
			"%s \"%.*s\": position of source %d",
			t->lane->generation, (int)t->key.len, t->key.ptr,
			(int)source);
		REQUIRE(!doc || !module_is_keyed_by_record(t->lane->mod) ||
				t->sequence[l] == 0 ||
				document_sequence(doc, w->logs[l].topic) ==
					t->sequence[l],
			"%s \"%.*s\": sequence %lld, not %lld",
			t->lane->generation, (int)t->key.len, t->key.ptr,
			(long long)document_sequence(doc, w->logs[l].topic),
			(long long)t->sequence[l]);
	}
	return true;
}

static void
check_reached(const struct oracle *oracle, const struct lane *lane, size_t l)
{
	const struct log *log = &oracle->w->logs[l];
	const struct checkpoint_content *at = cluster_committed(
		&oracle->w->server.cluster,
		server_checkpoint_row(&oracle->w->server, lane->generation,
				      log->source));

	REQUIRE(!module_reads_topic(lane->mod, log->topic) || log->n == 0 ||
			(at && at->at.next > log->events[log->n - 1].offset),
		"%s stays at %lld of %s/%d", lane->generation,
		(long long)(at ? at->at.next : -1), log->topic,
		(int)log->number);
}

/* Documents nobody expects, and rows without a queue. */
static void
count_rest(const struct oracle *oracle)
{
	const struct cluster *cluster = &oracle->w->server.cluster;
	size_t n = 0;

	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct row *row = cluster->rows[i];
		const void *content = cluster_committed(cluster, row);
		const struct truth *t = oracle->truths;

		n += row->kind == ROW_PARKED && content;
		if (row->kind != ROW_DOCUMENT || !content ||
		    memcmp(row->name.ptr, READMODEL_UNITS,
			   strlen(READMODEL_UNITS)) == 0)
			continue;
		while (t &&
		       server_document_row(&oracle->w->server,
					   t->lane->generation, t->key) != row)
			t = t->next;
		REQUIRE(t, "%.*s is there, nothing made it", (int)row->name.len,
			row->name.ptr);
	}
	REQUIRE(n >= oracle->n_rows_due, "%zu rows, %zu are due", n,
		oracle->n_rows_due);
	met_n(MET_STRANDED, n - oracle->n_rows_due);
}

/* False: once more, what is in doubt taken otherwise. */
static bool
judge_all(struct oracle *oracle)
{
	struct world *w = oracle->w;

	for (unsigned n = 0; n < w->lanes.n; n++)
		for (size_t l = 0; l < w->n_logs; l++) {
			check_reached(oracle, &w->lanes.lane[n], l);
			for (size_t e = 0; e < w->logs[l].n && !oracle->again;
			     e++)
				judge(&(struct seen){oracle, l,
						     &oracle->views[l][e], n});
		}
	if (oracle->again)
		return false;
	for (const struct truth *t = oracle->truths; t; t = t->next)
		if (!compare(oracle, t))
			return false;
	for (const struct unit_due *u = oracle->units; u; u = u->next)
		due_compare(&u->due,
			    cluster_committed(&w->server.cluster, u->row),
			    w->logs[u->log].source, u->row->name);
	count_rest(oracle);
	return true;
}

static void
forget(struct oracle *oracle)
{
	struct truth *t;
	struct unit_due *u;

	while ((t = oracle->truths)) {
		oracle->truths = t->next;
		truth_release(t);
		free(t);
	}
	while ((u = oracle->units)) {
		oracle->units = u->next;
		free(u);
	}
	oracle->n_rows_due = 0;
	oracle->again = false;
}

void
oracle_check_end(struct oracle *oracle)
{
	struct doubt *d;

	while (!judge_all(oracle))
		forget(oracle);
	forget(oracle);
	while ((d = oracle->doubts)) {
		oracle->doubts = d->next;
		free(d);
	}
	REQUIRE(oracle->eyes.records_out == 0, "the oracle holds records");
}
