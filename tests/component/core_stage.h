/* SPDX-License-Identifier: Apache-2.0 */
/* What a test does on the stage (stage.h), and what it looks at. */
#ifndef TESTS_COMPONENT_CORE_STAGE_H
#define TESTS_COMPONENT_CORE_STAGE_H

#include "tests/component/stage.h"

/* ---- Jobs ---------------------------------------------------------------- */

static inline struct job *
next(struct stage *st)
{
	return core_next_job(st->core, st->now);
}

/* The store does with it as the mood is. */
static inline void
run(struct job *job, enum mood mood)
{
	assert_non_null(job);
	scripted.mood = mood;
	job_run(job, NULL);
	scripted.mood = FINE;
}

static inline void
back(struct stage *st, struct job *job)
{
	struct pj_error err;

	if (core_job_done(st->core, job, st->now, STAGE_AT_MS + st->now,
			  &st->outage, &err))
		fail_msg("%s", err.text);
}

static inline void
finish(struct stage *st, struct job *job, enum mood mood)
{
	run(job, mood);
	back(st, job);
}

/* All there is to do now, in an order that lets nothing wait. */
static inline void
rest(struct stage *st)
{
	struct job *job;

	for (int i = 0; (job = next(st)); i++) {
		assert_true(i < 1000);
		finish(st, job, FINE);
	}
}

/* The same, however long holds and pauses are. */
static inline void
settle(struct stage *st)
{
	rest(st);
	for (int i = 0; !core_is_saved(st->core); i++) {
		if (i == 200)
			fail_msg("it does not come to rest");
		st->now += 100;
		rest(st);
	}
	assert_int_equal(st->out, 0);
}

/* The next job that is no load; loads on the way are done. */
static inline struct job *
next_apply(struct stage *st)
{
	struct job *job;

	while ((job = next(st)) && job->kind == JOB_LOAD)
		finish(st, job, FINE);
	assert_true(!job || job->kind == JOB_APPLY);
	return job;
}

/* Whether the batch has the document (or unit) among its writes. */
static inline bool
writes(const struct job *job, const char *key)
{
	for (size_t i = 0; i < job->batch.n_writes; i++)
		if (scripted_same(job->batch.writes[i].key,
				  (struct pj_str){key, strlen(key)}))
			return true;
	return false;
}

/* ---- Somebody else ------------------------------------------------------- */

/* Another owner writes the document: one event of a source of its own, of
 * `steps` when it has a sequence. */
static inline void
another_counts(const struct lane *lane, const char *key, int64_t n,
	       int64_t sequence)
{
	static uint8_t counter;
	struct pj_str name = {key, strlen(key)};
	struct scripted_doc *has = scripted_doc(lane->generation, name);
	struct store_token token = {{0xaa, ++counter}};
	struct buf bytes = BUF_INIT;
	struct pj_error err;
	struct pj_doc *doc;

	if (!has)
		doc = doc_new(stage_shape, name);
	else if (doc_load(stage_shape, name, has->bson, has->len, &doc, &err))
		fail_msg("%s", err.text);
	doc_begin(doc);
	assert_int_equal(pj_add(pj_doc_root(doc), "sum", n, &err), 0);
	(void)doc_end(doc, PJ_DONE, 99, counter, STAGE_AT_MS, &err);
	if (sequence)
		doc_set_sequence(doc, "steps", sequence);
	doc_encode(doc, &token, &bytes);
	scripted_put(has, &(struct store_write){
				  .collection = lane->generation,
				  .key = name,
				  .bson = (uint8_t *)bytes.data,
				  .len = bytes.len,
			  });
	buf_release(&bytes);
	doc_free(doc);
}

static inline void
another_writes(const struct lane *lane, const char *key, int64_t n)
{
	another_counts(lane, key, n, 0);
}

/* ---- What the store holds ------------------------------------------------ */

/* A number at the top of a document, or -1. */
static inline int64_t
stored(const struct lane *lane, const char *key, const char *field)
{
	const struct scripted_doc *doc = scripted_doc(
		lane->generation, (struct pj_str){key, strlen(key)});
	bson_iter_t iter;
	bson_t bson;

	if (!doc)
		return -1;
	assert_true(bson_init_static(&bson, doc->bson, doc->len));
	return bson_iter_init_find(&iter, &bson, field)
		       ? bson_iter_as_int64(&iter)
		       : -1;
}

/* The `_id` of a unit's marker; lives until the next call. */
static inline const char *
unit_id(const struct lane *lane, int part, const char *key)
{
	static struct buf id;

	buf_clear(&id);
	readmodel_unit_key(&id, lane->generation, FIRST_SOURCE + part, "key",
			   (struct pj_str){key, strlen(key)});
	buf_addch(&id, '\0');
	return id.data;
}

static inline const char *
lone_id(const struct lane *lane, int part, int64_t offset)
{
	static struct buf id;

	buf_clear(&id);
	readmodel_lone_key(&id, lane->generation, FIRST_SOURCE + part, offset);
	buf_addch(&id, '\0');
	return id.data;
}

/* n 0: it has none of this source. */
static inline void
assert_queue(const char *collection, const char *key, int part, int64_t first,
	     int64_t tail, int64_t n)
{
	struct scripted_queue queues[8];
	size_t has = scripted_queues(
		scripted_doc(collection, (struct pj_str){key, strlen(key)}),
		queues);

	for (size_t i = 0; i < has; i++) {
		if (queues[i].source != FIRST_SOURCE + part)
			continue;
		if (queues[i].first != first || queues[i].tail != tail ||
		    queues[i].n != n)
			fail_msg("%s: %lld of %lld to %lld wait", key,
				 (long long)queues[i].n,
				 (long long)queues[i].first,
				 (long long)queues[i].tail);
		return;
	}
	if (n)
		fail_msg("%s: nothing waits", key);
}

static inline void
assert_no_queue(const char *collection, const char *key, int part)
{
	assert_queue(collection, key, part, 0, 0, 0);
}

/* The row of a steps/0 record, or NULL. */
static inline const struct store_parked *
parked(const struct lane *lane, const char *unit_type, const char *unit,
       int64_t offset)
{
	const struct scripted_row *r = scripted_row(
		lane->generation, unit_type,
		(struct pj_str){unit, strlen(unit)}, "steps", 0, offset);

	return r ? &r->row : NULL;
}

/* Where the lane goes on in the source, as stored; -1: from the first. */
static inline int64_t
checkpoint(const struct lane *lane, int part)
{
	return scripted_point(lane->generation, FIRST_SOURCE + part)->next;
}

/* ---- Requests ------------------------------------------------------------ */

static inline bool
request(struct stage *st, struct lane *lane, int part, const char *action,
	const char *unit_type, const char *unit, int64_t offset)
{
	struct store_request req = {
		.id = "0123456789abcdef0123456789abcdef",
		.unit = mem_strdup(unit),
		.unit_len = strlen(unit),
		.partition = st->parts[part].number,
		.offset = offset,
		.reason = mem_strdup("reason"),
		.by = mem_strdup("somebody"),
	};
	bool taken;

	strcpy(req.generation, lane->generation);
	strcpy(req.action, action);
	strcpy(req.unit_type, unit_type);
	strcpy(req.topic, st->parts[part].topic);
	taken = core_request(st->core, lane, &st->parts[part], &req);
	free(req.unit);
	free(req.reason);
	free(req.by);
	return taken;
}

/* The one answer there is; what it says. Lives until the next call. */
static inline const char *
answer(struct stage *st, enum store_request_state state)
{
	static struct core_answer a;
	struct core_answer more;

	if (!core_take_answer(st->core, &a))
		fail_msg("no answer");
	assert_false(core_take_answer(st->core, &more));
	assert_string_equal(a.request, "0123456789abcdef0123456789abcdef");
	if (a.state != state)
		fail_msg("%s: %s",
			 a.state == STORE_REQ_DONE ? "done" : "failed", a.text);
	return a.text;
}

static inline void
assert_no_answer(struct stage *st)
{
	struct core_answer a;

	if (core_take_answer(st->core, &a))
		fail_msg("answered already: %s", a.text);
}

#endif
