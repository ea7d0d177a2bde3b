/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted store's rows, checkpoints and port (scripted_docs.h says how).
 */
#ifndef TESTS_COMPONENT_SCRIPTED_STORE_H
#define TESTS_COMPONENT_SCRIPTED_STORE_H

#include "tests/component/scripted_docs.h"

/* ---- Rows ---------------------------------------------------------------- */

static inline struct pj_str
scripted_copy(struct pj_str s)
{
	return (struct pj_str){s.ptr ? mem_strndup(s.ptr, s.len) : NULL, s.len};
}

static inline void
scripted_row_free(struct scripted_row *r)
{
	const struct store_parked *row = &r->row;
	const void *all[] = {row->generation, row->unit_type, row->unit.ptr,
			     row->topic,      row->type,      row->cause,
			     row->detail,     row->key.ptr,   row->value.ptr};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		free((void *)all[i]);
	for (size_t i = 0; i < 2 * row->n_headers; i++)
		free((void *)r->headers[i].ptr);
}

static inline void
scripted_park(const struct store_parked *p)
{
	struct scripted_row *r;

	if (scripted_row(p->generation, p->unit_type, p->unit, p->topic,
			 p->partition, p->offset))
		return; /* idempotent */
	MEM_GROW(scripted.rows, scripted.n_rows, scripted.rows_cap);
	r = &scripted.rows[scripted.n_rows++];
	*r = (struct scripted_row){.row = *p, .call = scripted.calls};
	r->row.generation = mem_strdup(p->generation);
	r->row.unit_type = mem_strdup(p->unit_type);
	r->row.unit = scripted_copy(p->unit);
	r->row.topic = mem_strdup(p->topic);
	r->row.type = mem_strdup(p->type);
	r->row.cause = mem_strdup(p->cause);
	r->row.detail = mem_strdup(p->detail);
	r->row.key = scripted_copy(p->key);
	r->row.value = scripted_copy(p->value);
	assert_true(2 * p->n_headers <=
		    sizeof(r->headers) / sizeof(*r->headers));
	for (size_t i = 0; i < 2 * p->n_headers; i++)
		r->headers[i] = scripted_copy(p->headers[i]);
	scripted_note(mem_printf("row %s %s %.*s %s/%d@%lld", p->generation,
				 p->unit_type, (int)p->unit.len, p->unit.ptr,
				 p->topic, (int)p->partition,
				 (long long)p->offset));
}

/* The document that holds the queue of a row. */
static inline const struct scripted_doc *
scripted_marker(const char *generation, const char *unit_type,
		struct pj_str unit, int32_t source, int64_t offset)
{
	const struct scripted_doc *doc;
	struct buf key = BUF_INIT;

	if (strcmp(unit_type, "document") == 0)
		return scripted_doc(generation, unit);
	if (strcmp(unit_type, "key") == 0)
		readmodel_unit_key(&key, generation, source, "key", unit);
	else
		readmodel_lone_key(&key, generation, source, offset);
	doc = scripted_doc(READMODEL_UNITS, (struct pj_str){key.data, key.len});
	buf_release(&key);
	return doc;
}

static inline void
scripted_unpark(const struct store_unpark *un)
{
	int32_t source = scripted.source_of(un->topic, un->partition);
	struct scripted_row *r =
		scripted_row(un->generation, un->unit_type, un->unit, un->topic,
			     un->partition, un->offset);
	struct scripted_queue queues[8];
	size_t n =
		scripted_queues(scripted_marker(un->generation, un->unit_type,
						un->unit, source, un->offset),
				queues);

	for (size_t i = 0; i < n; i++)
		if (queues[i].source == source &&
		    un->offset >= queues[i].first &&
		    un->offset <= queues[i].tail)
			fail_msg("the row at %lld goes while it is queued",
				 (long long)un->offset);
	scripted_note(mem_printf("unpark %s/%d@%lld", un->topic,
				 (int)un->partition, (long long)un->offset));
	if (!r)
		return;
	if (un->action) {
		MEM_GROW(scripted.audit, scripted.n_audit, scripted.audit_cap);
		scripted.audit[scripted.n_audit++] = mem_printf(
			"%s %s %s %.*s %s/%d@%lld %s %s", un->action,
			un->generation, un->unit_type, (int)un->unit.len,
			un->unit.ptr, un->topic, (int)un->partition,
			(long long)un->offset, un->reason, un->by);
	}
	scripted_row_free(r);
	*r = scripted.rows[--scripted.n_rows];
}

static inline void
scripted_refuse(const struct store_refusal *ref)
{
	struct scripted_row *r =
		scripted_row(ref->generation, ref->unit_type, ref->unit,
			     ref->topic, ref->partition, ref->offset);

	scripted_note(mem_printf("refused %s/%d@%lld", ref->topic,
				 (int)ref->partition, (long long)ref->offset));
	if (!r)
		return;
	free((void *)r->row.cause);
	free((void *)r->row.detail);
	r->row.cause = mem_strdup(ref->cause);
	r->row.detail = mem_strdup(ref->detail);
	r->row.refused_at_ms = ref->at_ms;
	r->row.n_refused++;
}

/* ---- Checkpoints --------------------------------------------------------- */

static inline bool
scripted_checkpoint(const struct store_checkpoint *cp)
{
	struct store_checkpoint *at =
		scripted_point(cp->generation, cp->source);

	if (!at || at->epoch != cp->epoch)
		return false;
	if (cp->next >= at->next)
		*at = *cp;
	scripted_note(mem_printf("point %s %d %lld", cp->generation,
				 (int)cp->source, (long long)cp->next));
	return true;
}

/* What store_claim() does for one row. */
static inline struct store_checkpoint
scripted_claim(const char *generation, int32_t source)
{
	struct store_checkpoint *at = scripted_point(generation, source);

	if (!at) {
		MEM_GROW(scripted.points, scripted.n_points,
			 scripted.points_cap);
		at = &scripted.points[scripted.n_points++];
		*at = (struct store_checkpoint){
			.source = source, .next = -1, .anchor_offset = -1};
		(void)snprintf(at->generation, sizeof(at->generation), "%s",
			       generation);
	}
	at->epoch++;
	return *at;
}

/* ---- The port ------------------------------------------------------------ */

int
store_load(struct store_session *ses, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	(void)ses;
	if (scripted.mood == AWAY)
		return pj_error_set(err, PJ_ERROR_RETRY, "store away");
	for (size_t i = 0; i < n_docs; i++) {
		const struct scripted_doc *doc =
			scripted_doc(collection, docs[i].key);

		if (!doc)
			continue;
		docs[i].bson = mem_alloc(doc->len);
		memcpy(docs[i].bson, doc->bson, doc->len);
		docs[i].len = doc->len;
	}
	return 0;
}

int
store_apply(struct store_session *ses, struct store_batch *batch,
	    struct pj_error *err)
{
	(void)ses;
	batch->fenced = false;
	if (scripted.mood == AWAY)
		return pj_error_set(err, PJ_ERROR_RETRY, "store away");
	scripted.calls++;
	for (size_t i = 0; i < batch->n_parked; i++)
		scripted_park(&batch->parked[i]);
	for (size_t i = 0; i < batch->n_writes; i++) {
		struct store_write *w = &batch->writes[i];

		w->outcome = scripted.mood == IN_VAIN ? STORE_UNKNOWN
						      : scripted_write(w);
		if (scripted.mood == IN_DOUBT || scripted.mood == LOST)
			w->outcome = scripted.mood == LOST ? STORE_PENDING
							   : STORE_UNKNOWN;
	}
	for (size_t i = 0; i < batch->n_checkpoints; i++)
		batch->fenced |= !scripted_checkpoint(&batch->checkpoints[i]);
	for (size_t i = 0; i < batch->n_refusals; i++)
		scripted_refuse(&batch->refusals[i]);
	for (size_t i = 0; i < batch->n_unparks; i++)
		scripted_unpark(&batch->unparks[i]);
	if (scripted.mood == LOST)
		return pj_error_set(err, PJ_ERROR_RETRY, "answer lost");
	return 0;
}

static inline int
scripted_by_offset(const void *a, const void *b)
{
	const struct store_parked *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

int
store_crash_remove(struct store_session *ses, const struct store_crash *crash,
		   struct pj_error *err)
{
	(void)ses;
	if (scripted.mood == AWAY)
		return pj_error_set(err, PJ_ERROR_RETRY, "away");
	scripted_note(mem_printf("absolved %s %s/%d@%lld", crash->generation,
				 crash->topic, (int)crash->partition,
				 (long long)crash->offset));
	return 0;
}

int
store_parked_unit(struct store_session *ses, const char *generation,
		  const char *unit_type, struct pj_str unit, const char *topic,
		  int32_t partition, int64_t from,
		  bool (*each)(void *arg, const struct store_parked *row),
		  void *arg, struct pj_error *err)
{
	struct store_parked *rows =
		mem_calloc(scripted.n_rows + 1, sizeof(*rows));
	size_t n = 0;

	(void)ses;
	for (size_t i = 0; i < scripted.n_rows; i++) {
		const struct store_parked *row = &scripted.rows[i].row;

		if (row->offset < from || row->partition != partition ||
		    strcmp(row->generation, generation) != 0 ||
		    strcmp(row->unit_type, unit_type) != 0 ||
		    strcmp(row->topic, topic) != 0 ||
		    !scripted_same(row->unit, unit))
			continue;
		rows[n] = *row;
		rows[n++].headers = scripted.rows[i].headers;
	}
	qsort(rows, n, sizeof(*rows), scripted_by_offset);
	for (size_t i = 0; i < n && each(arg, &rows[i]); i++)
		;
	free(rows);
	return scripted.mood == AWAY
		       ? pj_error_set(err, PJ_ERROR_RETRY, "store away")
		       : 0;
}

/* ---- Life ---------------------------------------------------------------- */

static inline void
scripted_reset(void)
{
	for (size_t i = 0; i < scripted.n_docs; i++) {
		free(scripted.docs[i].collection);
		free(scripted.docs[i].key);
		free(scripted.docs[i].bson);
	}
	for (size_t i = 0; i < scripted.n_rows; i++)
		scripted_row_free(&scripted.rows[i]);
	for (size_t i = 0; i < scripted.n_audit; i++)
		free(scripted.audit[i]);
	for (size_t i = 0; i < scripted.n_steps; i++)
		free(scripted.steps[i].text);
	free(scripted.docs);
	free(scripted.rows);
	free(scripted.points);
	free(scripted.audit);
	free(scripted.steps);
	memset(&scripted, 0, sizeof(scripted));
}

#endif
