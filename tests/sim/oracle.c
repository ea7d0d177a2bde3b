/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "tests/sim/oracle_impl.h"
#include "tests/sim/tell.h"

void
oracle_broken(const struct oracle *oracle, size_t log, const struct view *view,
	      unsigned lane, struct pj_str key, const char *what)
{
	const struct log *l = &oracle->w->logs[log];

	broken("%s/%d@%lld in %s \"%.*s\": %s", l->topic, (int)l->number,
	       (long long)view->ev->offset,
	       oracle->w->lanes.lane[lane].generation, (int)key.len, key.ptr,
	       what);
}

/* ---- What the store holds for good ------------------------------------ */

static const void *
committed(const struct oracle *oracle, const struct row *row)
{
	return row ? cluster_committed(&oracle->w->server.cluster, row) : NULL;
}

const struct document *
oracle_document(const struct oracle *oracle, const char *generation,
		struct pj_str key)
{
	return committed(oracle, server_document_row(&oracle->w->server,
						     generation, key));
}

const struct document *
oracle_unit(const struct oracle *oracle, unsigned lane, size_t log,
	    struct pj_str record_key, int64_t lone_offset, struct row **ret_row)
{
	const char *generation = oracle->w->lanes.lane[lane].generation;
	int32_t source = oracle->w->logs[log].source;
	struct buf key = BUF_INIT;

	if (lone_offset >= 0)
		readmodel_lone_key(&key, generation, source, lone_offset);
	else
		readmodel_unit_key(&key, generation, source, "key", record_key);
	*ret_row = server_document_row(&oracle->w->server, READMODEL_UNITS,
				       (struct pj_str){key.data, key.len});
	buf_release(&key);
	return committed(oracle, *ret_row);
}

bool
oracle_row_is_there(const struct oracle *oracle, enum row_kind kind,
		    unsigned lane, size_t log, const struct wait *wait,
		    int64_t offset, const void **ret_content)
{
	const struct log *l = &oracle->w->logs[log];
	const void *content = committed(
		oracle,
		server_parked_row(&oracle->w->server, kind,
				  oracle->w->lanes.lane[lane].generation,
				  wait->type, wait->unit, l->topic, l->number,
				  offset));

	if (ret_content)
		*ret_content = content;
	return content != NULL;
}

static bool
is_discard_of(const struct store_request *req, const char *generation,
	      const struct log *log, const struct wait *wait, int64_t offset)
{
	return req->offset == offset && strcmp(req->action, "discard") == 0 &&
	       req->partition == log->number &&
	       strcmp(req->topic, log->topic) == 0 &&
	       strcmp(req->generation, generation) == 0 &&
	       strcmp(req->unit_type, wait->type) == 0 &&
	       req->unit_len == wait->unit.len &&
	       (req->unit_len == 0 ||
		memcmp(req->unit, wait->unit.ptr, req->unit_len) == 0);
}

static bool
was_discard_asked_for(const struct oracle *oracle, unsigned lane, size_t log,
		      const struct wait *wait, int64_t offset)
{
	const struct world *w = oracle->w;
	const struct cluster *cluster = &w->server.cluster;

	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct request_content *content =
			cluster->rows[i]->kind == ROW_REQUEST
				? committed(oracle, cluster->rows[i])
				: NULL;

		if (content &&
		    is_discard_of(&content->req, w->lanes.lane[lane].generation,
				  &w->logs[log], wait, offset))
			return true;
	}
	return false;
}

enum end
oracle_end_of(const struct oracle *oracle, unsigned lane, size_t log,
	      const struct wait *wait, int64_t offset)
{
	const void *content;
	const struct audit_content *audit;

	(void)oracle_row_is_there(oracle, ROW_AUDIT, lane, log, wait, offset,
				  &content);
	audit = content;
	if (audit && strcmp(audit->action, "cleared") != 0)
		return strcmp(audit->action, "discarded") == 0 ? END_DISCARDED
							       : END_APPLIED;
	return was_discard_asked_for(oracle, lane, log, wait, offset)
		       ? END_UNKNOWN
		       : END_APPLIED;
}

bool
oracle_is_covered(const struct document *doc, int32_t source, int64_t offset)
{
	const struct queue_mark *k = document_queue(doc, source);

	return k && offset >= k->first && offset <= k->tail;
}

bool
oracle_was_covered(const struct oracle *oracle, const struct row *row,
		   int32_t source, int64_t offset)
{
	const struct memory *memory = row->oracle;

	if (document_has_late(committed(oracle, row), source, offset))
		return true;
	for (size_t i = 0; memory && i < memory->n; i++) {
		const struct queue_mark *k = &memory->marks[i];

		if (k->source == source && offset >= k->first &&
		    offset <= k->tail)
			return true;
	}
	return false;
}

/* ---- Documents -------------------------------------------------------- */

static void
remember(struct row *row, const struct document *doc)
{
	struct memory *memory = row->oracle;

	if (!memory)
		memory = row->oracle = mem_calloc(1, sizeof(*memory));
	for (size_t i = 0; i < doc->n_k; i++) {
		MEM_GROW(memory->marks, memory->n, memory->cap);
		memory->marks[memory->n++] = doc->k[i];
	}
}

static bool
is_metadata_only(const struct document *before, const struct document *after)
{
	if (!before)
		return after->revision == 0 &&
		       after->state == READMODEL_META_ONLY;
	return after->revision == before->revision &&
	       after->state == before->state &&
	       after->newest_ms == before->newest_ms &&
	       document_same_content(before, after);
}

static void
check_queue(const struct row *row, const struct queue_mark *was,
	    const struct document *after, bool unit)
{
	const struct queue_mark *is = document_queue(after, was->source);

	if (is)
		REQUIRE(is->first >= was->first && is->tail >= was->tail,
			"%.*s: queue of source %d goes from %lld–%lld to "
			"%lld–%lld",
			(int)row->name.len, row->name.ptr, (int)was->source,
			(long long)was->first, (long long)was->tail,
			(long long)is->first, (long long)is->tail);
	else
		REQUIRE(unit || document_position(after, was->source) >=
					was->tail,
			"%.*s: the queue of source %d ends with position %lld "
			"before its tail %lld",
			(int)row->name.len, row->name.ptr, (int)was->source,
			(long long)document_position(after, was->source),
			(long long)was->tail);
}

/* The lane of a document by its row's name; NULL: it is a unit's. */
static struct lane *
lane_of(struct oracle *oracle, const struct row *row, struct pj_str *ret_key)
{
	for (unsigned i = 0; i < oracle->eyes.lanes.n; i++) {
		struct lane *lane = &oracle->eyes.lanes.lane[i];
		size_t len = strlen(lane->generation);

		if (row->name.len > len && row->name.ptr[len] == '/' &&
		    memcmp(row->name.ptr, lane->generation, len) == 0) {
			*ret_key = (struct pj_str){row->name.ptr + len + 1,
						   row->name.len - len - 1};
			return lane;
		}
	}
	return NULL;
}

static void
check_document(struct oracle *oracle, struct row *row,
	       const struct document *before, const struct document *after)
{
	struct pj_str key;
	struct lane *lane = lane_of(oracle, row, &key);

	if (!after)
		return;
	REQUIRE(is_metadata_only(before, after) ||
			after->revision == (before ? before->revision : 0) + 1,
		"%.*s: revision %lld after %lld", (int)row->name.len,
		row->name.ptr, (long long)after->revision,
		(long long)(before ? before->revision : 0));
	for (size_t i = 0; before && i < before->n_p; i++)
		REQUIRE(document_position(after, before->p[i].source) >=
				before->p[i].offset,
			"%.*s: position of source %d goes back",
			(int)row->name.len, row->name.ptr,
			(int)before->p[i].source);
	for (size_t i = 0; before && i < before->n_o; i++)
		REQUIRE(document_has_late(after, before->o[i].source,
					  before->o[i].offset),
			"%.*s: forgets that it applied %d@%lld late",
			(int)row->name.len, row->name.ptr,
			(int)before->o[i].source,
			(long long)before->o[i].offset);
	for (size_t i = 0; before && i < before->n_k; i++)
		check_queue(row, &before->k[i], after, !lane);
	for (size_t i = 0; i < after->n_k; i++)
		REQUIRE(document_position(after, after->k[i].source) <
				after->k[i].first,
			"%.*s: position %lld of source %d is behind the head "
			"of its queue, %lld",
			(int)row->name.len, row->name.ptr,
			(long long)document_position(after, after->k[i].source),
			(int)after->k[i].source, (long long)after->k[i].first);
	remember(row, after);
	if (lane)
		oracle_check_content(oracle, lane, key, after);
}

/* ---- Checkpoints ------------------------------------------------------ */

/*
 * It changed nothing, by what came before it: given up were those that could
 * not be applied, or they were applied after all.
 */
static bool
is_without_effect(struct oracle *oracle, size_t log, size_t event,
		  const struct sight *sight, bool mended)
{
	struct truth truth;
	enum verdict verdict = VERDICT_REJECTED;
	bool before = modules_mended;

	modules_mended = mended;
	truth_init(&truth, &oracle->eyes.lanes.lane[sight->lane], sight->key);
	for (size_t e = 0; e <= event; e++) {
		const struct view *view = &oracle->views[log][e];

		for (size_t i = 0; i < view->n; i++) {
			const struct sight *s = &view->sights[i];

			if (s->lane != sight->lane ||
			    s->key.len != sight->key.len ||
			    memcmp(s->key.ptr, sight->key.ptr, s->key.len) != 0)
				continue;
			verdict = VERDICT_REJECTED;
			if (s->kind == SIGHT_EVENT || s->kind == SIGHT_SEQUENCE)
				verdict = truth_fold(&truth, &oracle->eyes,
						     &oracle->w->logs[log], log,
						     view, s);
			if (verdict_parks(verdict))
				truth_discard(&truth, log, view);
		}
	}
	truth_release(&truth);
	modules_mended = before;
	return verdict == VERDICT_UNCHANGED || verdict == VERDICT_REPEATED;
}

static void
check_sight(struct oracle *oracle, size_t log, size_t event,
	    const struct sight *sight)
{
	struct world *w = oracle->w;
	const struct view *view = &oracle->views[log][event];
	const struct document *doc;
	int32_t source = w->logs[log].source;
	int64_t offset = view->ev->offset;
	struct row *row;

	if (sight->kind == SIGHT_KEY || sight->kind == SIGHT_LONE) {
		(void)oracle_unit(oracle, sight->lane, log, sight->key,
				  sight->kind == SIGHT_LONE ? offset : -1,
				  &row);
		if (!oracle_was_covered(oracle, row, source, offset))
			oracle_broken(oracle, log, view, sight->lane,
				      sight->key,
				      "the checkpoint passed it, it is not "
				      "parked");
		return;
	}
	doc = oracle_document(oracle, w->lanes.lane[sight->lane].generation,
			      sight->key);
	if (document_position(doc, source) >= offset ||
	    document_has_late(doc, source, offset) ||
	    oracle_is_covered(doc, source, offset))
		return;
	if (sight->kind != SIGHT_DOCUMENT &&
	    (is_without_effect(oracle, log, event, sight, false) ||
	     (w->mended && is_without_effect(oracle, log, event, sight, true))))
		return;
	oracle_broken(oracle, log, view, sight->lane, sight->key,
		      "the checkpoint passed it, its document lacks it");
}

static void
check_passed(struct oracle *oracle, unsigned lane, size_t log, size_t event)
{
	const struct view *view = &oracle->views[log][event];
	struct row *row;

	/* With others of its key it may wait, or have waited. */
	(void)oracle_unit(oracle, lane, log, view->key, -1, &row);
	if (view->key.len &&
	    oracle_was_covered(oracle, row, oracle->w->logs[log].source,
			       view->ev->offset))
		return;
	for (size_t i = 0; i < view->n; i++)
		if (view->sights[i].lane == lane)
			check_sight(oracle, log, event, &view->sights[i]);
}

static void
check_checkpoint(struct oracle *oracle, const struct checkpoint_content *before,
		 const struct checkpoint_content *after)
{
	struct world *w = oracle->w;
	const struct store_checkpoint *at = &after->at;

	REQUIRE(!before || (at->next >= before->at.next &&
			    at->epoch >= before->at.epoch),
		"a checkpoint of %s goes back", at->generation);
	for (size_t l = 0; l < w->n_logs; l++)
		for (unsigned n = 0; n < w->lanes.n; n++) {
			int64_t *done = &oracle->accounted[n][l];

			if (w->logs[l].source != at->source ||
			    strcmp(w->lanes.lane[n].generation,
				   at->generation) != 0)
				continue;
			REQUIRE(at->next <= w->logs[l].end,
				"a checkpoint is behind the end");
			for (size_t e = 0; e < w->logs[l].n; e++) {
				int64_t o = w->logs[l].events[e].offset;

				if (o >= *done && o < at->next)
					check_passed(oracle, n, l, e);
			}
			if (at->next > *done)
				*done = at->next;
		}
}

/* ---- Rows ------------------------------------------------------------- */

static bool
same(struct pj_str a, struct pj_str b)
{
	return a.len == b.len && !a.ptr == !b.ptr &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Whole, as it was in the log. */
static void
check_row(struct oracle *oracle, const struct store_parked *row)
{
	struct world *w = oracle->w;
	bool found = false;

	for (size_t l = 0; l < w->n_logs; l++)
		for (size_t e = 0; e < w->logs[l].n; e++) {
			const struct log_event *ev = &w->logs[l].events[e];

			if (w->logs[l].number != row->partition ||
			    ev->offset != row->offset ||
			    strcmp(w->logs[l].topic, row->topic) != 0)
				continue;
			found = same(ev->key, row->key) &&
				same(ev->value, row->value) &&
				row->key_null == !ev->key.ptr &&
				row->value_null == !ev->value.ptr &&
				ev->timestamp_ms == row->timestamp_ms &&
				row->n_headers ==
					(ev->header.name.len ? 1 : 0) &&
				(row->n_headers == 0 ||
				 (same(row->headers[0], ev->header.name) &&
				  same(row->headers[1], ev->header.value)));
		}
	REQUIRE(found, "the row of %s/%d@%lld is not the record", row->topic,
		(int)row->partition, (long long)row->offset);
}

/* Nobody discards what nobody asked to. */
static void
check_audit(struct oracle *oracle, const struct audit_content *audit)
{
	const struct cluster *cluster = &oracle->w->server.cluster;

	if (strcmp(audit->action, "discarded") != 0)
		return;
	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct request_content *content =
			cluster->rows[i]->kind == ROW_REQUEST
				? committed(oracle, cluster->rows[i])
				: NULL;

		if (content && content->req.offset == audit->row.offset &&
		    strcmp(content->req.action, "discard") == 0 &&
		    strcmp(content->req.topic, audit->row.topic) == 0)
			return;
	}
	broken("%s/%d@%lld was discarded, nobody asked for it",
	       audit->row.topic, (int)audit->row.partition,
	       (long long)audit->row.offset);
}

static void
on_commit(void *arg, struct row *row, const void *before, const void *after)
{
	struct oracle *oracle = arg;

	switch (row->kind) {
	case ROW_DOCUMENT:
		check_document(oracle, row, before, after);
		break;
	case ROW_CHECKPOINT:
		check_checkpoint(oracle, before, after);
		break;
	case ROW_PARKED:
		if (after)
			check_row(oracle,
				  &((const struct parked_content *)after)->row);
		break;
	case ROW_AUDIT:
		check_audit(oracle, after);
		break;
	case ROW_POINTER:
		promoter_check(oracle->w, before, after);
		break;
	case ROW_REQUEST:
	case ROW_KINDS:
		break;
	}
}

/* ---- Life ------------------------------------------------------------- */

struct oracle *
oracle_new(struct world *w)
{
	struct oracle *oracle = mem_calloc(1, sizeof(*oracle));

	oracle->w = w;
	oracle->eyes = (struct eyes){.arena = &w->server.arena,
				     .modules = w->modules,
				     .lanes = w->lanes,
				     .decoder = decoder_new()};
	oracle->eyes.router = router_new(&oracle->eyes.lanes);
	for (size_t l = 0; l < w->n_logs; l++) {
		struct partition *part = &oracle->eyes.parts[l];

		(void)snprintf(part->topic, sizeof(part->topic), "%s",
			       w->logs[l].topic);
		part->number = w->logs[l].number;
		part->source_index = w->logs[l].source;
		oracle->views[l] =
			mem_calloc(w->logs[l].n, sizeof(*oracle->views[l]));
		for (size_t e = 0; e < w->logs[l].n; e++)
			view_make(&oracle->views[l][e], &oracle->eyes,
				  &w->logs[l], l, &w->logs[l].events[e]);
	}
	w->server.cluster.on_commit = on_commit;
	w->server.cluster.arg = oracle;
	return oracle;
}

void
oracle_free(struct oracle *oracle)
{
	const struct cluster *cluster = &oracle->w->server.cluster;

	for (size_t i = 0; i < cluster->n_rows; i++) {
		struct memory *memory = cluster->rows[i]->oracle;

		if (memory)
			free(memory->marks);
		free(memory);
	}
	for (size_t l = 0; l < oracle->w->n_logs; l++)
		free(oracle->views[l]);
	router_free(oracle->eyes.router);
	decoder_free(oracle->eyes.decoder);
	free(oracle);
}
