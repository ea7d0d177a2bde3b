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
#ifndef TESTS_COMPONENT_STAGE_H
#define TESTS_COMPONENT_STAGE_H

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
	st->from[i] = core_assign(st->core, &st->parts[i], starts, NULL);
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

#endif
