/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core on numbered events: repeats, gaps, types nobody reads, under all
 * that may happen to it. What should come of it is worked out here by the
 * contract's words, record by record, without router, fold.c or batch.
 *
 * A failing seed prints its number; CORE_SEED=n runs that one alone,
 * CORE_SEEDS=n that many of each kind.
 */
#include "tests/component/core_world.h"

enum { SEEDS = 200, CHAOS_STEPS = 900, CALM_STEPS = 200000, KEYS_MAX = 64 };

static struct core_modules modules;
static struct world world;
static uint64_t running_seed;

/* How often each thing was really met. */
static struct {
	unsigned repeats, gaps, unlisted, nothing_but_sequences;
} met;

/* ---- Numbering ----------------------------------------------------------- */

struct count {
	char key[64];
	int64_t last;
};

static struct count *
count_of(struct count *counts, size_t *n, const char *key)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(counts[i].key, key) == 0)
			return &counts[i];
	assert_true(*n < KEYS_MAX);
	memset(&counts[*n], 0, sizeof(counts[*n]));
	strcpy(counts[*n].key, key);
	return &counts[(*n)++];
}

/* Numbers an event; some again with an old number, some with a number left out,
 * some without one at all. */
static void
number_event(struct dice *dice, struct log_event *ev, struct count *count)
{
	size_t len = ev->value ? strlen(ev->value) : 0;
	int64_t sequence = count->last + 1;
	char *value;

	if (len < 20 || ev->value[len - 1] != '}' || dice_percent(dice, 10))
		return;
	if (count->last && dice_percent(dice, 12))
		sequence = 1 + dice_below(dice, (unsigned)count->last);
	else if (dice_percent(dice, 3))
		sequence++;
	if (dice_percent(dice, 15))
		value = mem_printf("{\"eventType\":\"Unheard\",\"data\":{},"
				   "\"sequence\":%lld}",
				   (long long)sequence);
	else
		value = mem_printf("%.*s,\"sequence\":%lld}", (int)len - 1,
				   ev->value, (long long)sequence);
	if (sequence > count->last)
		count->last = sequence;
	free(ev->value);
	ev->value = value;
}

static void
number_logs(struct world *w)
{
	for (size_t l = 0; l < w->n_logs; l++) {
		struct count counts[KEYS_MAX];
		size_t n = 0;

		for (size_t e = 0; e < w->logs[l].n; e++) {
			struct log_event *ev = &w->logs[l].events[e];

			number_event(&w->dice, ev,
				     count_of(counts, &n, ev->key));
		}
	}
}

/* ---- What should come of it ---------------------------------------------- */

struct expected {
	struct pj_doc *doc;
	int64_t last; /* sequence */
	bool any;     /* a write is due: a change, or a sequence */
};

struct model {
	struct world *w;
	struct lane *lane;
	struct log *log;
	struct decoder *dec;
	struct partition part;
	const struct decode_topic *topic;
};

/* The cause it is parked for, or NULL. */
static const char *
model_event(struct model *m, const struct record *rec, struct expected *exp)
{
	const struct pj_event *ev;
	const char *cause;
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	enum decode_result result =
		decode(m->dec, m->topic, rec, &ev, &cause, &err);
	int64_t sequence = decode_last_sequence(m->dec);

	if (result == DECODE_INVALID || result == DECODE_UNREADABLE)
		return cause;
	if (sequence && sequence <= exp->last) {
		met.repeats++;
		return NULL;
	}
	if (sequence > exp->last + 1) {
		met.gaps++;
		return "sequence gap";
	}
	if (result == DECODE_SKIP) {
		met.unlisted += sequence != 0;
	} else {
		enum pj_fold fold;

		doc_begin(exp->doc);
		fold = m->lane->mod->desc->fold(&m->lane->mod->options, ev,
						exp->doc, &err);
		if (doc_end(exp->doc, fold, m->log->source, rec->offset,
			    pj_event_time_ms(ev), &err) == DOC_CHANGED)
			exp->any = true;
	}
	if (sequence) {
		exp->last = sequence;
		exp->any = true;
	}
	return NULL;
}

/* Whatever its unit: an event at fault may tell another document's key. */
static const struct fake_row *
find_row(const struct model *m, int64_t offset)
{
	for (size_t i = 0; i < m->w->store.n_rows; i++) {
		const struct fake_row *row = &m->w->store.rows[i];

		if (row->offset == offset && row->partition == m->log->number &&
		    strcmp(row->topic, m->log->topic) == 0 &&
		    strcmp(row->generation, m->lane->generation) == 0)
			return row;
	}
	return NULL;
}

static void
model_check_row(struct model *m, const struct record *rec, const char *cause)
{
	const struct fake_row *row = find_row(m, rec->offset);

	if (!cause != !row)
		fail_msg("%s: %s/%d@%lld %s", m->lane->generation,
			 m->log->topic, (int)m->log->number,
			 (long long)rec->offset,
			 row ? row->cause : "should be parked");
	if (row)
		assert_string_equal(row->cause, cause);
}

static void
model_check_doc(struct model *m, struct pj_str key, struct expected *exp)
{
	static const struct store_token token;
	const struct pj_shape *shape = m->lane->mod->desc->shape;
	const struct fake_doc *stored =
		fake_find(&m->w->store, m->lane->generation, key);
	struct fake_doc want = {.key = ""};
	struct buf bytes = BUF_INIT;
	struct pj_error err;
	struct pj_doc *doc;

	assert_int_equal(stored != NULL, exp->any);
	if (!stored)
		return;
	doc_encode(exp->doc, &token, &bytes);
	want.bson = (uint8_t *)bytes.data;
	want.len = bytes.len;
	if (!fake_same_content(stored, &want))
		fail_msg("%s/%.*s differs", m->lane->generation, (int)key.len,
			 key.ptr);
	if (doc_load(shape, key, stored->bson, stored->len, &doc, &err))
		fail_msg("%s", err.text);
	assert_int_equal(pj_doc_state(doc), pj_doc_state(exp->doc));
	assert_int_equal(doc_sequence(doc, m->log->topic), exp->last);
	if (pj_doc_state(doc) == PJ_DOC_UNKNOWN) {
		met.nothing_but_sequences++;
		assert_int_equal(doc_revision(doc), 0);
	}
	doc_free(doc);
	buf_release(&bytes);
}

/* Every record of one key, in the order of its log. */
static void
model_key(struct model *m, const char *text)
{
	struct pj_str key = {text, strlen(text)};
	struct expected exp = {.doc = doc_new(m->lane->mod->desc->shape, key)};

	for (size_t e = 0; e < m->log->n; e++) {
		struct record *rec;

		if (strcmp(m->log->events[e].key, text) != 0)
			continue;
		rec = log_record_new(&m->log->events[e], &m->part,
				     &m->w->records_out);
		model_check_row(m, rec, model_event(m, rec, &exp));
		record_release(rec);
	}
	model_check_doc(m, key, &exp);
	doc_free(exp.doc);
}

static void
model_log(struct model *m)
{
	struct count keys[KEYS_MAX];
	size_t n = 0;

	(void)snprintf(m->part.topic, sizeof(m->part.topic), "%s",
		       m->log->topic);
	m->part.number = m->log->number;
	m->part.source_index = m->log->source;
	for (size_t t = 0; t < COUNT(modules.topics); t++)
		if (strcmp(modules.topics[t].topic->name, m->log->topic) == 0)
			m->topic = &modules.topics[t];
	for (size_t e = 0; e < m->log->n; e++)
		(void)count_of(keys, &n, m->log->events[e].key);
	for (size_t i = 0; i < n; i++)
		model_key(m, keys[i].key);
}

static void
check_end(struct world *w)
{
	struct model m = {.w = w, .dec = decoder_new()};

	for (unsigned i = 0; i < w->lanes.n; i++) {
		m.lane = &w->lanes.lane[i];
		if (!(m.lane->mod->desc->flags & PJ_KEYED_BY_RECORD))
			continue;
		for (size_t l = 0; l < w->n_logs; l++) {
			m.log = &w->logs[l];
			if (module_reads_topic(m.lane->mod, m.log->topic))
				model_log(&m);
		}
	}
	decoder_free(m.dec);
	/* Elsewhere nobody checks. */
	for (size_t i = 0; i < w->store.n_rows; i++)
		for (unsigned n = 0; n < w->lanes.n; n++)
			if (strcmp(w->store.rows[i].generation,
				   w->lanes.lane[n].generation) == 0 &&
			    !(w->lanes.lane[n].mod->desc->flags &
			      PJ_KEYED_BY_RECORD))
				assert_string_not_equal(w->store.rows[i].cause,
							"sequence gap");
}

/* ---- Worlds -------------------------------------------------------------- */

static void
run_world(const struct world_rules *rules, uint64_t seed)
{
	unsigned steps;

	running_seed = seed;
	world_init(&world, rules, &modules, seed);
	number_logs(&world);
	for (steps = 0; steps < CHAOS_STEPS; steps++)
		world_step(&world, false);
	for (size_t i = 0; i < world.n_owners; i++)
		if (world.owners[i].zombie && !world.owners[i].dead)
			owner_die(&world, &world.owners[i]);
	for (steps = 0; !world_is_at_rest(&world); steps++) {
		if (steps == CALM_STEPS)
			fail_msg("does not come to rest");
		world_step(&world, true);
	}
	while (world.store.n_late)
		fake_deliver_late(&world.store);
	check_end(&world);
	world_release(&world);
}

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : otherwise;
}

static void
run_worlds(const struct world_rules *rules)
{
	uint64_t first = from_environment("CORE_SEED", 1);
	uint64_t n =
		getenv("CORE_SEED") ? 1 : from_environment("CORE_SEEDS", SEEDS);

	memset(&met, 0, sizeof(met));
	for (uint64_t i = 0; i < n; i++)
		run_world(rules, first + i);
	running_seed = 0;
	print_message("%u repeats, %u gaps, %u unlisted types, %u documents of "
		      "nothing but sequences\n",
		      met.repeats, met.gaps, met.unlisted,
		      met.nothing_but_sequences);
	if (n < SEEDS)
		return;
	assert_true(met.repeats > 0 && met.gaps > 0 && met.unlisted > 0);
	assert_true(met.nothing_but_sequences > 0);
}

#define WORLD(NAME, ...)                                                       \
	static void NAME(void **state)                                         \
	{                                                                      \
		static const struct world_rules rules = {.name = #NAME,        \
							 __VA_ARGS__};         \
		(void)state;                                                   \
		run_worlds(&rules);                                            \
	}

WORLD(one_owner_and_a_healthy_store, .owners = 1)
WORLD(parked_events_make_gaps_of_their_successors, .owners = 1, .bad = true)
WORLD(a_store_that_loses_doubts_and_delays, .owners = 2, .faults = true)
WORLD(crashes_and_rebalances, .owners = 2, .faults = true, .crashes = true,
      .bad = true)
WORLD(zombies_and_next_to_no_memory, .owners = 3, .faults = true,
      .crashes = true, .zombies = true, .bad = true, .tiny = true)

/* ---- By hand ------------------------------------------------------------- */

#define ORDER_DATA "{\"orderId\":\"o\",\"shopId\":\"s\"}"
#define ORDER(TYPE, SEQUENCE, DATA)                                            \
	"{\"eventType\":\"" TYPE "\",\"data\":" DATA ",\"sequence\":" SEQUENCE \
	"}"

static void
run_jobs(struct core *core, struct fake_store *store)
{
	struct pj_error outage, err;
	struct job *job;

	while ((job = core_next_job(core, 0))) {
		fake_run(store, job, FAKE_FINE);
		assert_int_equal(core_job_done(core, job, 0, 0, &outage, &err),
				 0);
	}
	assert_true(core_is_saved(core));
}

static const char *
row_cause(const struct fake_store *store, int64_t offset)
{
	const struct fake_row *row =
		fake_row(store, "order.1", "order", 0, offset, PJ_STR("o"));

	return row ? row->cause : "not parked";
}

static const char *const repeat_values[] = {
	ORDER("OrderCreated", "1",
	      "{\"orderId\":\"o\",\"shopId\":\"s\",\"lines\":[],"
	      "\"totalAmount\":1}"),
	ORDER("OrderCreated", "2",
	      "{\"orderId\":\"o\",\"shopId\":\"" FAKE_POISON
	      "\",\"lines\":[],\"totalAmount\":1}"),
	ORDER("OrderAccepted", "2", ORDER_DATA),
	ORDER("OrderUnheard", "3", ORDER_DATA),
	ORDER("OrderCompleted", "5", ORDER_DATA),
};

/*
 * The second event is in memory when the third repeats its number, but then the
 * store refuses it: the third is the one that counts.
 */
static void
a_repeat_shares_the_fate_of_what_it_repeats(void **state)
{
	static const struct core_settings set = {
		.batch = {.max_documents = 9, .max_bytes = 9999, .max_load = 9},
		.memory_bytes = 1 << 20,
		.max_apply_jobs = 1,
		.max_load_jobs = 1,
		.topics = modules.topics,
		.n_topics = COUNT(modules.topics),
	};
	struct dice dice = {1};
	struct fake_store store = {.dice = &dice};
	struct partition part = {.topic = "order", .source_index = 7};
	struct lanes lanes = {.n = 1};
	int64_t start = -1;
	size_t out = 0;
	struct pj_error err;
	struct pj_doc *doc;
	struct core *core;

	(void)state;
	lanes.lane[0].mod = modules.mod[MODULES - 1];
	strcpy(lanes.lane[0].generation, "order.1");
	core = core_new(&lanes, &set, on_parked, &world);
	(void)core_assign(core, &part, &start);
	for (size_t i = 0; i < COUNT(repeat_values); i++) {
		struct log_event ev = {.offset = (int64_t)i,
				       .timestamp_ms = LOG_TIME,
				       .key = "o",
				       .value = (char *)repeat_values[i]};

		core_feed(core, log_record_new(&ev, &part, &out), 0);
	}
	run_jobs(core, &store);
	assert_int_equal(out, 0);
	assert_int_equal(store.n_rows, 2);
	assert_string_equal(row_cause(&store, 1), "document too large");
	assert_string_equal(row_cause(&store, 4), "sequence gap");
	assert_int_equal(store.n_docs, 1);
	assert_int_equal(doc_load(lanes.lane[0].mod->desc->shape, PJ_STR("o"),
				  store.docs[0].bson, store.docs[0].len, &doc,
				  &err),
			 0);
	assert_int_equal(doc_sequence(doc, "order"), 3);
	assert_true(pj_get_string(pj_doc_root(doc), "state").len ==
		    strlen("ACCEPTED"));
	assert_int_equal(fake_next(&store, "order.1", 7), 5);
	doc_free(doc);
	core_free(core);
	fake_release(&store);
}

/* Jobs until none is given at this time; writes have no effect. */
static unsigned
run_in_vain(struct core *core, struct fake_store *store, int64_t now_mono_ms)
{
	struct pj_error outage, err;
	struct job *job;
	unsigned n = 0;

	while (n < 100 && (job = core_next_job(core, now_mono_ms))) {
		if (job->kind == JOB_LOAD)
			fake_run(store, job, FAKE_FINE);
		for (size_t i = 0; i < job->batch.n_writes; i++)
			job->batch.writes[i].outcome = STORE_UNKNOWN;
		assert_int_equal(
			core_job_done(core, job, now_mono_ms, 0, &outage, &err),
			0);
		n++;
	}
	return n;
}

/* An index or a validator that a person added may keep a document out. */
static void
a_write_that_never_has_an_effect_is_repeated_with_pauses(void **state)
{
	static const struct core_settings set = {
		.batch = {.max_documents = 9, .max_bytes = 9999, .max_load = 9},
		.memory_bytes = 1 << 20,
		.max_apply_jobs = 1,
		.max_load_jobs = 1,
		.topics = modules.topics,
		.n_topics = COUNT(modules.topics),
	};
	struct log_event ev = {.timestamp_ms = LOG_TIME,
			       .key = "o",
			       .value = (char *)repeat_values[0]};
	struct dice dice = {1};
	struct fake_store store = {.dice = &dice};
	struct partition part = {.topic = "order", .source_index = 7};
	struct lanes lanes = {.n = 1};
	int64_t start = -1;
	size_t out = 0;
	struct core *core;

	(void)state;
	lanes.lane[0].mod = modules.mod[MODULES - 1];
	strcpy(lanes.lane[0].generation, "order.1");
	core = core_new(&lanes, &set, on_parked, &world);
	(void)core_assign(core, &part, &start);
	core_feed(core, log_record_new(&ev, &part, &out), 0);
	/* Load, write, verify, the same bytes again at once, verify. */
	assert_int_equal(run_in_vain(core, &store, 1000), 5);
	assert_int_equal(run_in_vain(core, &store, 10000), 2);
	assert_int_equal(run_in_vain(core, &store, 20000), 2);
	assert_int_equal(out, 1);
	assert_int_equal(store.n_points, 0);
	/* The index is gone: nothing was lost. */
	for (int64_t now = 30000; !core_is_saved(core); now += 10000) {
		struct pj_error outage, err;
		struct job *job = core_next_job(core, now);

		assert_non_null(job);
		fake_run(&store, job, FAKE_FINE);
		assert_int_equal(
			core_job_done(core, job, now, 0, &outage, &err), 0);
	}
	assert_int_equal(out, 0);
	assert_int_equal(store.n_docs, 1);
	core_free(core);
	fake_release(&store);
}

static int
load(void **state)
{
	(void)state;
	core_modules_load(&modules);
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	core_modules_free(&modules);
	return 0;
}

static int
tell(void **state)
{
	(void)state;
	if (running_seed)
		print_message("run again with CORE_SEED=%llu\n",
			      (unsigned long long)running_seed);
	running_seed = 0;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_owner_and_a_healthy_store, tell),
		cmocka_unit_test_teardown(
			parked_events_make_gaps_of_their_successors, tell),
		cmocka_unit_test_teardown(a_store_that_loses_doubts_and_delays,
					  tell),
		cmocka_unit_test_teardown(crashes_and_rebalances, tell),
		cmocka_unit_test_teardown(zombies_and_next_to_no_memory, tell),
		cmocka_unit_test(a_repeat_shares_the_fate_of_what_it_repeats),
		cmocka_unit_test(
			a_write_that_never_has_an_effect_is_repeated_with_pauses),
	};

	return cmocka_run_group_tests_name("core_sequence", tests, load,
					   unload);
}
