/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of a world, worked out without the core: records folded one
 * after the other, straight into fresh documents.
 */
#ifndef TESTS_COMPONENT_CORE_ORACLE_H
#define TESTS_COMPONENT_CORE_ORACLE_H

#include "tests/component/core_world.h"
#include "projector/fold.h"
#include "projector/router.h"

/* A document as it should be. */
struct truth {
	struct lane *lane;
	char key[512];
	size_t key_len;
	struct pj_doc *doc;
	/* Positions of the last record that changed it, by log. */
	int64_t changed[LOGS_MAX], last[LOGS_MAX];
};

struct oracle {
	struct world *w;
	struct lanes lanes;
	struct decoder *dec;
	struct router *router;
	struct truth truths[256];
	size_t n_truths;
	size_t n_rows; /* parked rows that have their reason */
	struct partition parts[LOGS_MAX];
};

static inline void
oracle_init(struct oracle * or, struct world *w)
{
	memset(or, 0, sizeof(* or));
	or->w = w;
	or->lanes = w->lanes;
	or->dec = decoder_new();
	or->router = router_new(& or->lanes);
	for (size_t l = 0; l < w->n_logs; l++) {
		(void)snprintf(or->parts[l].topic, sizeof(or->parts[l].topic),
			       "%s", w->logs[l].topic);
		or->parts[l].number = w->logs[l].number;
		or->parts[l].source_index = w->logs[l].source;
	}
}

static inline void
oracle_clear(struct oracle * or)
{
	for (size_t i = 0; i < or->n_truths; i++)
		doc_free(or->truths[i].doc);
	or->n_truths = 0;
	or->n_rows = 0;
}

static inline void
oracle_release(struct oracle * or)
{
	oracle_clear(or);
	router_free(or->router);
	decoder_free(or->dec);
}

static inline struct truth *
oracle_truth(struct oracle * or, struct lane *lane, struct pj_str key)
{
	struct truth *t;

	for (size_t i = 0; i < or->n_truths; i++) {
		t = & or->truths[i];
		if (t->lane == lane && t->key_len == key.len &&
		    memcmp(t->key, key.ptr, key.len) == 0)
			return t;
	}
	assert_true(or->n_truths < COUNT(or->truths));
	t = & or->truths[or->n_truths++];
	memset(t, 0, sizeof(*t));
	t->lane = lane;
	memcpy(t->key, key.ptr, key.len);
	t->key_len = key.len;
	t->doc = doc_new(lane->mod->desc->shape, key);
	for (size_t l = 0; l < LOGS_MAX; l++)
		t->changed[l] = t->last[l] = -1;
	return t;
}

/* A record as one lane sees it. */
struct sight {
	struct oracle * or ;
	size_t log;
	const struct log_event *logged;
	struct record *rec;
	const struct pj_event *ev;
	enum decode_result result;
	const char *cause;
};

/* Calls back with every (record, route) of a log up to an offset, in order. */
typedef void (*sight_fn)(struct sight *s, struct lane *lane, struct pj_str unit,
			 const char *cause, void *arg);

static inline void
oracle_see(struct sight *s, sight_fn each, void *arg)
{
	struct oracle * or = s->or ;
	const struct route *routes = NULL;
	size_t n = 0;

	if (s->ev)
		router_route(or->router, s->ev, &routes, &n);
	for (size_t i = 0; i < n; i++) {
		const char *cause = s->cause;
		struct pj_str unit = routes[i].key;

		if (s->result == DECODE_EVENT)
			cause = routes[i].kind == ROUTE_LONG_KEY
					? "long document key"
				: routes[i].kind == ROUTE_UNKNOWN_KEY
					? "unknown document key"
					: NULL;
		if (unit.len == 0)
			unit = s->rec->key;
		each(s, routes[i].lane, unit, cause, arg);
	}
	for (unsigned i = 0; s->result == DECODE_UNREADABLE && i < or->lanes.n;
	     i++)
		if (module_reads_topic(or->lanes.lane[i].mod,
				       s->rec->partition->topic))
			each(s, & or->lanes.lane[i], s->rec->key, s->cause,
			     arg);
}

static inline void
oracle_walk(struct oracle * or, size_t l, int64_t from, int64_t below,
	    sight_fn each, void *arg)
{
	const struct log *log = & or->w->logs[l];

	for (size_t e = 0; e < log->n; e++) {
		struct sight s = {.or = or
				  , .log = l, .logged = &log->events[e]};
		struct pj_error err;

		if (log->events[e].offset < from ||
		    log->events[e].offset >= below)
			continue;
		s.rec = log_record_new(s.logged, & or->parts[l],
				       & or->w->records_out);
		s.ev = NULL;
		for (size_t t = 0; t < COUNT(or->w->modules->topics); t++)
			if (strcmp(or->w->modules->topics[t].topic->name,
				   log->topic) == 0)
				s.result = decode(or->dec,
						  & or->w->modules->topics[t],
						  s.rec, &s.ev, &s.cause, &err);
		if (s.result != DECODE_SKIP)
			oracle_see(&s, each, arg);
		record_release(s.rec);
	}
}

static inline const struct fake_row *
sight_row(const struct sight *s, const struct lane *lane, struct pj_str unit)
{
	return fake_row(&s->or->w->store, lane->generation,
			s->rec->partition->topic, s->rec->partition->number,
			s->rec->offset, unit);
}

/* ---- One record into the truth ------------------------------------------ */

static inline bool
truth_fits(struct truth *t)
{
	static const struct store_token token;
	struct buf out = BUF_INIT;
	struct store_write write;
	bool fits;

	doc_encode(t->doc, &token, &out);
	write.bson = (uint8_t *)out.data;
	write.len = out.len;
	fits = (!t->lane->mod->desc->max_bytes ||
		out.len <= t->lane->mod->desc->max_bytes) &&
	       !fake_is_poison(&write);
	buf_release(&out);
	return fits;
}

static inline struct pj_doc *
truth_copy(struct truth *t)
{
	static const struct store_token token;
	struct buf out = BUF_INIT;
	struct pj_error err;
	struct pj_doc *copy;

	doc_encode(t->doc, &token, &out);
	if (doc_load(t->lane->mod->desc->shape,
		     (struct pj_str){t->key, t->key_len}, (uint8_t *)out.data,
		     out.len, &copy, &err))
		fail_msg("%s", err.text);
	buf_release(&out);
	return copy;
}

static inline void
sight_fail(const struct sight *s, const struct lane *lane, struct pj_str unit,
	   const char *what)
{
	fail_msg("%s/%d@%lld in %s of %.*s: %s", s->rec->partition->topic,
		 (int)s->rec->partition->number, (long long)s->rec->offset,
		 lane->generation, (int)unit.len, unit.ptr, what);
}

/* A parked record has to be one that could not be applied. */
static inline void
truth_check_parked(struct truth *t, struct sight *s, const struct fake_row *row)
{
	struct pj_str unit = {t->key, t->key_len};
	struct pj_doc *before = truth_copy(t);
	struct pj_error err;
	enum fold_outcome outcome =
		fold_event(t->lane, s->rec, s->ev, t->doc, &err);

	if (strcmp(row->cause, "rejected by fold") == 0) {
		if (outcome != FOLD_REJECTED)
			sight_fail(s, t->lane, unit, "parked, not rejected");
	} else if (strcmp(row->cause, "document too large") != 0) {
		sight_fail(s, t->lane, unit, row->cause);
	} else if (outcome != FOLD_CHANGED || truth_fits(t)) {
		sight_fail(s, t->lane, unit, "parked as too large, but fits");
	}
	doc_free(t->doc);
	t->doc = before;
}

static inline void
truth_add(struct sight *s, struct lane *lane, struct pj_str unit,
	  const char *cause, void *arg)
{
	const struct fake_row *row = sight_row(s, lane, unit);
	struct truth *t;
	struct pj_error err;

	(void)arg;
	if (row)
		s->or->n_rows++;
	if (cause) {
		if (!row)
			sight_fail(s, lane, unit,
				   "is neither applied nor "
				   "parked");
		assert_string_equal(row->cause, cause);
		return;
	}
	t = oracle_truth(s->or, lane, unit);
	if (row) {
		truth_check_parked(t, s, row);
		return;
	}
	t->last[s->log] = s->rec->offset;
	switch (fold_event(lane, s->rec, s->ev, t->doc, &err)) {
	case FOLD_CHANGED:
		t->changed[s->log] = s->rec->offset;
		break;
	case FOLD_UNCHANGED:
		break;
	case FOLD_REPEATED:
	case FOLD_REJECTED:
	case FOLD_GAP:
		sight_fail(s, lane, unit,
			   "cannot be applied and is not "
			   "parked");
	}
}

/* ---- At every step ------------------------------------------------------ */

struct unchanged {
	struct truth *truth;
	enum fold_outcome outcome;
	int64_t offset;
};

static inline void
unchanged_add(struct sight *s, struct lane *lane, struct pj_str unit,
	      const char *cause, void *arg)
{
	struct unchanged *u = arg;
	struct pj_error err;

	if (cause || lane != u->truth->lane || unit.len != u->truth->key_len ||
	    memcmp(unit.ptr, u->truth->key, unit.len) != 0 ||
	    sight_row(s, lane, unit))
		return;
	u->outcome = fold_event(lane, s->rec, s->ev, u->truth->doc, &err);
	u->offset = s->rec->offset;
}

/* Below a checkpoint: in the document, parked, or nothing that matters. */
static inline void
durable_check(struct sight *s, struct lane *lane, struct pj_str unit,
	      const char *cause, void *arg)
{
	struct oracle * or = s->or ;
	const struct lane *only = arg;
	struct truth truth = {.lane = lane, .key_len = unit.len};
	struct unchanged u = {&truth, FOLD_REJECTED, -1};
	struct oracle other;

	if (lane != only || sight_row(s, lane, unit))
		return;
	if (cause)
		sight_fail(s, lane, unit, "checkpoint passed it, no row");
	if (fake_position(fake_find(& or->w->store, lane->generation, unit),
			  s->rec->partition->source_index) >= s->rec->offset)
		return;
	memcpy(truth.key, unit.ptr, unit.len);
	truth.doc = doc_new(lane->mod->desc->shape, unit);
	oracle_init(&other, or->w);
	truth.lane = &other.lanes.lane[lane->index];
	oracle_walk(&other, s->log, 0, s->rec->offset + 1, unchanged_add, &u);
	doc_free(truth.doc);
	oracle_release(&other);
	if (u.offset != s->rec->offset || u.outcome != FOLD_UNCHANGED)
		sight_fail(s, lane, unit,
			   "checkpoint passed it, document lacks it");
}

static inline void
oracle_check_checkpoints(struct oracle * or)
{
	struct world *w = or->w;

	for (unsigned n = 0; n < or->lanes.n; n++)
		for (size_t l = 0; l < w->n_logs; l++) {
			int64_t *done = &w->accounted[n][l];
			int64_t next = fake_next(&w->store,
						 or->lanes.lane[n].generation,
						 w->logs[l].source);

			assert_true(next <= w->logs[l].end);
			if (next <= *done)
				continue;
			oracle_walk(or, l, *done, next, durable_check,
				    & or->lanes.lane[n]);
			*done = next;
		}
}

/* ---- At the end --------------------------------------------------------- */

static inline void
truth_compare(struct oracle * or, struct truth *t)
{
	static const struct store_token token;
	struct pj_str key = {t->key, t->key_len};
	const struct fake_doc *doc =
		fake_find(& or->w->store, t->lane->generation, key);
	struct bsonjson_meta meta;
	struct pj_error err;
	struct buf want = BUF_INIT;
	size_t n;

	doc_encode(t->doc, &token, &want);
	if (bsonjson_meta((uint8_t *)want.data, want.len, &meta, NULL, 0, &err))
		fail_msg("%s", err.text);
	if (meta.state == READMODEL_META_ONLY) {
		if (doc)
			fail_msg("%s/%s is there, nothing made it",
				 t->lane->generation, t->key);
		buf_release(&want);
		return;
	}
	if (!doc)
		fail_msg("%s/%s is missing", t->lane->generation, t->key);
	if (t->lane->mod->desc->max_bytes)
		assert_true(doc->len <= t->lane->mod->desc->max_bytes);
	assert_int_equal(doc->meta.state, meta.state);
	assert_int_equal(doc->meta.updated_at_ms, meta.updated_at_ms);
	for (size_t l = 0; l < or->w->n_logs; l++) {
		int64_t p = fake_position(doc, or->w->logs[l].source);

		if (p < t->changed[l] || p > t->last[l])
			fail_msg("%s/%s: position of log %zu is %lld",
				 t->lane->generation, t->key, l, (long long)p);
	}
	/* Up to `_m`, which is last, byte for byte but for the length. */
	for (n = 4; n + 4 < want.len; n++)
		if (memcmp(want.data + n, "\x03_m", 4) == 0)
			break;
	if (doc->len < n + 4 || memcmp(doc->bson + 4, want.data + 4, n) != 0)
		fail_msg("%s/%s differs", t->lane->generation, t->key);
	buf_release(&want);
}

static inline void
oracle_check_end(struct oracle * or)
{
	struct world *w = or->w;
	size_t n_docs = 0;

	oracle_check_checkpoints(or);
	for (size_t l = 0; l < w->n_logs; l++) {
		oracle_walk(or, l, 0, INT64_MAX, truth_add, NULL);
		for (unsigned n = 0; n < or->lanes.n; n++) {
			const struct lane *lane = & or->lanes.lane[n];
			int64_t next = fake_next(&w->store, lane->generation,
						 w->logs[l].source);

			if (module_reads_topic(lane->mod, w->logs[l].topic) &&
			    w->logs[l].n &&
			    next <= w->logs[l].events[w->logs[l].n - 1].offset)
				fail_msg("%s stays at %lld of %s/%d",
					 lane->generation, (long long)next,
					 w->logs[l].topic,
					 (int)w->logs[l].number);
		}
	}
	for (size_t i = 0; i < or->n_truths; i++) {
		truth_compare(or, & or->truths[i]);
		n_docs += fake_find(&w->store, or->truths[i].lane->generation,
				    (struct pj_str){ or->truths[i].key,
						     or->truths[i].key_len}) !=
			  NULL;
	}
	assert_int_equal(n_docs, w->store.n_docs);
	assert_int_equal(or->n_rows, w->store.n_rows);
}

#endif
