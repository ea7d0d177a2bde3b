/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real core against scripted_store.h, one job at a time: the test hands out
 * jobs, lets the store do what it says with each, and gives them back when it
 * likes. Time stands still unless the test moves it.
 *
 * Two topics feed documents of two kinds: `keyed`, whose key is the record key,
 * and `spread`, whose keys are in the data. Their events add numbers; which
 * numbers they refuse is the test's word, and so is which records cannot even
 * be decoded.
 */
#ifndef TESTS_COMPONENT_CORE_STAGE_H
#define TESTS_COMPONENT_CORE_STAGE_H

#include "tests/component/scripted_store.h"
#include "tests/component/stage_modules.h"
#include "projector/core.h"
#include "projector/module.h"

/* ---- The stage ----------------------------------------------------------- */

enum {
	STAGE_PARTS = 3, /* steps/0, steps/1, words/0 */
	STEPS = 0,
	STEPS_1 = 1,
	WORDS = 2,
	FIRST_SOURCE = 10,
	STAGE_RECORDS = 700,
};

static const int64_t STAGE_AT_MS = INT64_C(1700000000000);

struct stage {
	struct core *core;
	struct core_settings set;
	struct decode_topic topics[2];
	struct module *mods[4];
	struct lanes lanes;
	struct partition parts[STAGE_PARTS];
	int64_t from[STAGE_PARTS]; /* where reading has to start */
	int64_t now;		   /* monotonic; wall time goes with it */
	/* All that was ever fed: the log. */
	struct stage_event {
		int part;
		int64_t offset;
		char *key, *value; /* NULL: null */
	} log[STAGE_RECORDS];
	size_t n_log;
	size_t out;		/* records not given back */
	int64_t undecodable[4]; /* offsets, in any partition */
	size_t n_undecodable;
	/* Not to be tried again in this step; any lane: NULL. */
	struct stage_condemned {
		enum step step;
		const struct lane *lane;
		int64_t offset;
	} condemned[4];
	size_t n_condemned;
	/* What may end the process just now. */
	struct {
		bool open;
		enum step step;
		const struct lane *lane;
		int64_t offset;
	} begun;
	unsigned n_begun[STEP_FOLD + 1];
	unsigned told_parked, told_stopped, told_losing, told_strayed;
	struct pj_error outage; /* of the last job */
};

static struct stage *the_stage;

static inline int32_t
stage_source_of(const char *topic, int32_t partition)
{
	return FIRST_SOURCE + (strcmp(topic, "words") == 0 ? WORDS : partition);
}

static inline void
stage_on_parked(void *arg, const struct store_parked *row)
{
	struct stage *st = arg;

	assert_non_null(row->cause);
	assert_non_null(scripted_row(row->generation, row->unit_type, row->unit,
				     row->topic, row->partition, row->offset));
	st->told_parked++;
}

static inline void
stage_on_stopped(void *arg, const struct lane *lane)
{
	struct stage *st = arg;

	assert_int_equal(lane->stop.cls, PJ_ERROR_STOP);
	st->told_stopped++;
}

static inline void
stage_on_losing(void *arg, const struct lane *lane, struct pj_str key,
		unsigned losses)
{
	struct stage *st = arg;

	(void)lane;
	(void)key;
	(void)losses;
	st->told_losing++;
}

static inline void
stage_on_strayed(void *arg, const struct lane *lane, struct pj_str key,
		 const struct record *rec)
{
	struct stage *st = arg;

	(void)lane;
	(void)key;
	(void)rec;
	st->told_strayed++;
}

static inline bool
stage_condemns(void *arg, enum step step, const struct lane *lane,
	       const struct record *rec)
{
	const struct stage *st = arg;

	for (size_t i = 0; i < st->n_condemned; i++)
		if (st->condemned[i].step == step &&
		    st->condemned[i].offset == rec->offset &&
		    (!lane || st->condemned[i].lane == lane))
			/* A person lets it try again, or gives it up. */
			return !rec->queued || rec->queued->discard;
	for (size_t i = 0; !lane && i < st->n_undecodable; i++)
		if (st->undecodable[i] == rec->offset)
			return true;
	return false;
}

static inline bool
stage_absolves(void *arg, const struct lane *lane, const struct record *rec)
{
	struct stage *st = arg;
	bool any = false;

	for (size_t i = 0; i < st->n_condemned; i++)
		any |= st->condemned[i].offset == rec->offset &&
		       (!st->condemned[i].lane ||
			st->condemned[i].lane == lane);
	return any;
}

static inline void
stage_begins(void *arg, enum step step, const struct lane *lane,
	     const struct record *rec)
{
	struct stage *st = arg;

	assert_int_equal(lane == NULL, step == STEP_DECODE);
	st->begun.open = true;
	st->begun.step = step;
	st->begun.lane = lane;
	st->begun.offset = rec->offset;
	st->n_begun[step]++;
}

static inline void
stage_ends(void *arg)
{
	struct stage *st = arg;

	st->begun.open = false;
}

static inline void
stage_open(struct stage *st)
{
	memset(st, 0, sizeof(*st));
	mend();
	scripted_reset();
	scripted.source_of = stage_source_of;
	the_stage = st;
	st->now = 1000;
	st->topics[0].topic = &steps_topic;
	st->topics[1].topic = &words_topic;
	st->set = (struct core_settings){
		.batch = {.max_documents = 100,
			  .max_bytes = 1 << 20,
			  .max_load = 100,
			  .token_random = 77},
		.memory_bytes = 1 << 24,
		.max_apply_jobs = 4,
		.max_load_jobs = 4,
		.topics = st->topics,
		.n_topics = 2,
	};
	for (int i = 0; i < STAGE_PARTS; i++) {
		struct partition *part = &st->parts[i];

		strcpy(part->topic, i == WORDS ? "words" : "steps");
		part->number = i == WORDS ? 0 : i;
		part->source_index = FIRST_SOURCE + i;
		part->end_seen = -1;
	}
}

static inline struct lane *
stage_lane(struct stage *st, const struct pj_projection *desc)
{
	struct lane *lane = &st->lanes.lane[st->lanes.n];
	struct pj_error err;

	if (module_adopt(desc, desc->name, "linked", NULL,
			 &st->mods[st->lanes.n], &err))
		fail_msg("%s", err.text);
	lane->mod = st->mods[st->lanes.n];
	lane->number = 1;
	lane->index = st->lanes.n++;
	readmodel_generation_id(lane->generation, desc->name, 1);
	return lane;
}

/* What the owner of a partition does before it reads (protocol rule 9). */
static inline void
stage_claim(struct stage *st, int i)
{
	struct store_checkpoint starts[LANES_MAX] = {{.generation = ""}};

	for (unsigned l = 0; l < st->lanes.n; l++)
		starts[l] = scripted_claim(st->lanes.lane[l].generation,
					   st->parts[i].source_index);
	st->from[i] = core_assign(st->core, &st->parts[i], starts, true);
}

static inline void
stage_add_units(struct stage *st)
{
	for (size_t i = 0; i < scripted.n_docs; i++) {
		const struct scripted_doc *doc = &scripted.docs[i];
		struct pj_error err;

		if (strcmp(doc->collection, READMODEL_UNITS) != 0)
			continue;
		for (unsigned l = 0; l < st->lanes.n; l++) {
			struct lane *lane = &st->lanes.lane[l];
			size_t len = strlen(lane->generation);

			if (strncmp(doc->key, lane->generation, len) == 0 &&
			    doc->key[len] == '!' &&
			    core_add_unit(
				    st->core, lane,
				    (struct pj_str){doc->key, doc->key_len},
				    doc->bson, doc->len, &err))
				fail_msg("%s", err.text);
		}
	}
}

/* Of a process that has, or gets back, the assignment. */
static inline void
stage_take_on(struct stage *st)
{
	for (int i = 0; i < STAGE_PARTS; i++)
		stage_claim(st, i);
	stage_add_units(st);
}

/* Every partition is taken on. Again: as another process. */
static inline void
stage_begin(struct stage *st)
{
	const struct core_hooks hooks = {
		.arg = st,
		.parked = stage_on_parked,
		.lane_stopped = stage_on_stopped,
		.losing = stage_on_losing,
		.strayed = stage_on_strayed,
		.condemns = stage_condemns,
		.absolves = stage_absolves,
		.begins = stage_begins,
		.ends = stage_ends,
	};

	core_free(st->core);
	assert_int_equal(st->out, 0);
	st->set.batch.token_random++;
	for (unsigned i = 0; i < st->lanes.n; i++) {
		st->lanes.lane[i].n_units_parked = 0;
		st->lanes.lane[i].park_mono_ms = 0;
		memset(&st->lanes.lane[i].stop, 0, sizeof(struct pj_error));
	}
	st->core = core_new(&st->lanes, &st->set, &hooks);
	stage_take_on(st);
}

static inline void
stage_close(struct stage *st)
{
	core_free(st->core);
	assert_int_equal(st->out, 0);
	for (unsigned i = 0; i < st->lanes.n; i++)
		module_free(st->mods[i]);
	for (size_t i = 0; i < st->n_log; i++) {
		free(st->log[i].key);
		free(st->log[i].value);
	}
	scripted_reset();
}

/* ---- Records ------------------------------------------------------------- */

struct stage_record {
	struct record rec;
	struct stage *st;
	char bytes[];
};

static inline void
stage_release(struct record *rec)
{
	((struct stage_record *)rec)->st->out--;
	free(rec);
}

static inline void
stage_hand_in(struct stage *st, const struct stage_event *ev)
{
	size_t key = ev->key ? strlen(ev->key) : 0;
	size_t value = ev->value ? strlen(ev->value) : 0;
	struct stage_record *r = mem_calloc(1, sizeof(*r) + key + value + 1);

	if (key)
		memcpy(r->bytes, ev->key, key);
	if (value)
		memcpy(r->bytes + key, ev->value, value);
	r->st = st;
	r->rec = (struct record){
		.partition = &st->parts[ev->part],
		.offset = ev->offset,
		.timestamp_ms = STAGE_AT_MS + ev->offset,
		.key_null = !ev->key,
		.value_null = !ev->value,
		.key = {ev->key ? r->bytes : NULL, key},
		.value = {ev->value ? r->bytes + key : NULL, value},
		.release = stage_release,
	};
	st->out++;
	core_feed(st->core, &r->rec, st->now, STAGE_AT_MS + st->now);
}

static inline void
feed_raw(struct stage *st, int part, int64_t offset, const char *key,
	 const char *value)
{
	struct stage_event *ev = &st->log[st->n_log++];

	assert_true(st->n_log <= STAGE_RECORDS);
	*ev = (struct stage_event){
		.part = part,
		.offset = offset,
		.key = key ? mem_strdup(key) : NULL,
		.value = value ? mem_strdup(value) : NULL,
	};
	stage_hand_in(st, ev);
}

/* A Step; `more` is further members of its data, or "". */
static inline void
feed(struct stage *st, int part, int64_t offset, const char *key, int64_t n,
     const char *more)
{
	char *value = mem_printf("{\"eventType\":\"Step\",\"data\":{"
				 "\"id\":\"%s\",\"n\":%lld%s}}",
				 key, (long long)n, more);

	feed_raw(st, part, offset, key, value);
	free(value);
}

/* What it is set to it may be already. */
static inline void
feed_set(struct stage *st, int part, int64_t offset, const char *key, int64_t n)
{
	char *value = mem_printf("{\"eventType\":\"Set\",\"data\":{"
				 "\"id\":\"%s\",\"n\":%lld}}",
				 key, (long long)n);

	feed_raw(st, part, offset, key, value);
	free(value);
}

/* One of a `spread` document. */
static inline void
feed_to(struct stage *st, int part, int64_t offset, const char *key,
	const char *to, int64_t n)
{
	char *more = mem_printf(",\"to\":\"%s\"", to);

	feed(st, part, offset, key, n, more);
	free(more);
}

/* A Step with a number in its key's sequence. */
static inline void
feed_numbered(struct stage *st, int part, int64_t offset, const char *key,
	      int64_t n, int64_t sequence)
{
	char *value = mem_printf("{\"eventType\":\"Step\",\"data\":{"
				 "\"id\":\"%s\",\"n\":%lld},\"sequence\":%lld}",
				 key, (long long)n, (long long)sequence);

	feed_raw(st, part, offset, key, value);
	free(value);
}

/* Hands the log in once more, from where reading has to start. */
static inline void
replay(struct stage *st)
{
	for (size_t i = 0; i < st->n_log; i++)
		if (st->log[i].offset >= st->from[st->log[i].part])
			stage_hand_in(st, &st->log[i]);
}

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
