/* SPDX-License-Identifier: Apache-2.0 */
/* At rest: every record of every lane, in the order of its log. */
#include "tests/sim/judge.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "tests/sim/tell.h"

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
			judge_wrong(s, sight->key, sight->cause);
		else
			judge_document(s, sight);
	}
}

/* ---- The whole -------------------------------------------------------- */

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
	    judge_doubt_next(oracle, t))
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

	if (!doc && t->any && judge_doubt_next(oracle, t))
		return false;
	REQUIRE(doc || !t->any, "%s \"%.*s\" is missing", t->lane->generation,
		(int)t->key.len, t->key.ptr);
	if (doc && !compare_content(oracle, t, doc))
		return false;
	for (size_t l = 0; l < w->n_logs; l++) {
		int32_t source = w->logs[l].source;

		judge_compare_due(&t->due[l], doc, source, t->key);
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

static bool
is_unit(const struct row *row)
{
	static const char units[] = READMODEL_UNITS "/";
	size_t len = strlen(units);

	return row->name.len > len && memcmp(row->name.ptr, units, len) == 0;
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
		if (row->kind != ROW_DOCUMENT || !content || is_unit(row))
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
		judge_compare_due(&u->due,
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
