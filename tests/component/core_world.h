/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for the core: several owners that share one store, a log, and what
 * may happen to them, one seeded step at a time.
 *
 * Each owner drives a real core through core_feed(), core_next_job() and
 * core_job_done(); jobs are executed against fake_store.h some time after they
 * were made and come back some time after that, in any order. Owners die, are
 * dropped and re-assigned, or live on as zombies beside their successors.
 */
#ifndef TESTS_COMPONENT_CORE_WORLD_H
#define TESTS_COMPONENT_CORE_WORLD_H

#include "tests/component/core_log.h"
#include "projector/core.h"

enum { OWNERS_MAX = 32, JOBS_MAX = 8 };

/* What may happen in a run. */
struct world_rules {
	const char *name;
	unsigned owners;
	bool faults;  /* the store loses, doubts, delays */
	bool crashes; /* owners die or are re-assigned */
	bool zombies; /* ... and go on all the same */
	bool bad;     /* records that park */
	bool heavy;   /* documents that cannot be stored */
	bool tiny;    /* next to no memory */
};

struct owner {
	struct core *core;
	struct lanes lanes;
	struct partition parts[LOGS_MAX];
	bool has[LOGS_MAX];
	size_t at[LOGS_MAX];		    /* next event to feed */
	int64_t offered[LOGS_MAX][MODULES]; /* checkpoints of this assignment */
	struct owner_job {
		struct job *job;
		bool executed;
	} jobs[JOBS_MAX];
	size_t n_jobs;
	bool dead;   /* only its jobs are still about */
	bool zombie; /* somebody else has its partitions */
};

struct world {
	const struct world_rules *rules;
	const struct core_modules *modules;
	struct dice dice;
	struct fake_store store;
	struct log logs[LOGS_MAX];
	size_t n_logs;
	struct lanes lanes; /* as every owner has them */
	struct owner owners[OWNERS_MAX];
	size_t n_owners;
	struct core_settings set;
	int64_t now_mono_ms;
	size_t records_out;
	/* Checked so far: all below is accounted for. */
	int64_t accounted[MODULES][LOGS_MAX];
	struct core_counts counts; /* of owners that are gone */
};

/* ---- Making ------------------------------------------------------------- */

static inline void
world_add_logs(struct world *w, const char *topic, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct log *log = &w->logs[w->n_logs];
		unsigned events = dice_below(&w->dice, EVENTS_MAX);

		log->topic = topic;
		log->number = (int32_t)i;
		log->source = (int32_t)w->n_logs++ + 3;
		log->end = dice_below(&w->dice, 2) ? 0 : 1000;
		for (unsigned e = 0; e < events; e++)
			log_event_make(log, &w->dice, w->rules->bad,
				       w->rules->heavy);
	}
}

static inline void
world_add_lanes(struct world *w)
{
	for (size_t i = 0; i < MODULES; i++) {
		struct lane *lane = &w->lanes.lane[w->lanes.n];

		if (dice_percent(&w->dice, 50) &&
		    !(i == MODULES - 1 && w->lanes.n == 0))
			continue;
		memset(lane, 0, sizeof(*lane));
		lane->mod = w->modules->mod[i];
		lane->number = 1;
		readmodel_generation_id(lane->generation, lane->mod->desc->name,
					1);
		lane->index = w->lanes.n++;
	}
}

static inline struct owner *
world_add_owner(struct world *w)
{
	struct owner *o = &w->owners[w->n_owners++];

	assert_true(w->n_owners <= OWNERS_MAX);
	memset(o, 0, sizeof(*o));
	o->lanes = w->lanes;
	w->set.batch.token_random = dice_roll(&w->dice);
	for (size_t i = 0; i < w->n_logs; i++) {
		(void)snprintf(o->parts[i].topic, sizeof(o->parts[i].topic),
			       "%s", w->logs[i].topic);
		o->parts[i].number = w->logs[i].number;
		o->parts[i].source_index = w->logs[i].source;
	}
	return o;
}

static inline void
on_parked(void *arg, const struct store_parked *row)
{
	const struct world *w = arg;

	assert_non_null(w);
	assert_true(row->cause[0] != '\0');
}

/* Takes a partition on, from where the store says. */
static inline void
owner_take(struct world *w, struct owner *o, size_t l)
{
	int64_t starts[LANES_MAX], next;

	for (unsigned i = 0; i < o->lanes.n; i++) {
		starts[i] = fake_next(&w->store, o->lanes.lane[i].generation,
				      w->logs[l].source);
		o->offered[l][i] = starts[i];
	}
	next = core_assign(o->core, &o->parts[l], starts);
	o->has[l] = true;
	o->at[l] = 0;
	while (o->at[l] < w->logs[l].n &&
	       w->logs[l].events[o->at[l]].offset < next)
		o->at[l]++;
}

static inline void
world_init(struct world *w, const struct world_rules *rules,
	   const struct core_modules *modules, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->rules = rules;
	w->modules = modules;
	w->dice.state = seed;
	w->store.dice = &w->dice;
	w->now_mono_ms = 1000;
	world_add_logs(w, "stock", 1 + dice_below(&w->dice, 2));
	world_add_logs(w, "review", dice_below(&w->dice, 2));
	world_add_logs(w, "order", 1 + dice_below(&w->dice, 3));
	world_add_logs(w, "coupon", 1 + dice_below(&w->dice, 3));
	world_add_lanes(w);
	memset(w->accounted, 0, sizeof(w->accounted));
	w->set = (struct core_settings){
		.batch = {.max_documents = 1 + dice_below(&w->dice, 8),
			  .max_bytes = 300 + dice_below(&w->dice, 4000),
			  .max_load = 1 + dice_below(&w->dice, 5)},
		.memory_bytes = rules->tiny ? 1500 : 1 << 20,
		.max_apply_jobs = 1 + dice_below(&w->dice, 3),
		.max_load_jobs = 1 + dice_below(&w->dice, 2),
		.topics = modules->topics,
		.n_topics = COUNT(modules->topics),
	};
	for (unsigned i = 0; i < rules->owners; i++) {
		struct owner *o = world_add_owner(w);

		o->core = core_new(&o->lanes, &w->set, on_parked, w);
	}
	for (size_t l = 0; l < w->n_logs; l++)
		owner_take(w, &w->owners[dice_below(&w->dice, rules->owners)],
			   l);
}

/* ---- Jobs --------------------------------------------------------------- */

static inline enum fake_fault
world_fault(struct world *w, bool calm)
{
	if (calm || !w->rules->faults || dice_percent(&w->dice, 60))
		return FAKE_FINE;
	return (enum fake_fault)dice_below(&w->dice, FAKE_FAULTS);
}

/* Offers of positions never go back while the assignment lasts. */
static inline void
owner_check_offer(struct world *w, struct owner *o, const struct job *job)
{
	for (size_t i = 0; i < job->batch.n_checkpoints; i++) {
		const struct store_checkpoint *cp = &job->batch.checkpoints[i];

		for (size_t l = 0; l < w->n_logs; l++)
			for (unsigned n = 0; n < o->lanes.n; n++) {
				int64_t *offered = &o->offered[l][n];

				if (w->logs[l].source != cp->source ||
				    strcmp(o->lanes.lane[n].generation,
					   cp->generation) != 0)
					continue;
				assert_true(cp->next >= *offered);
				*offered = cp->next;
			}
	}
}

static inline bool
owner_ask(struct world *w, struct owner *o)
{
	struct job *job;

	if (o->dead || o->n_jobs == JOBS_MAX)
		return false;
	job = core_next_job(o->core, w->now_mono_ms);
	if (!job)
		return false;
	owner_check_offer(w, o, job);
	o->jobs[o->n_jobs++] = (struct owner_job){job, false};
	return true;
}

static inline bool
owner_execute(struct world *w, struct owner *o, bool calm)
{
	struct owner_job *j;

	if (o->n_jobs == 0)
		return false;
	j = &o->jobs[dice_below(&w->dice, (unsigned)o->n_jobs)];
	if (j->executed)
		return false;
	fake_run(&w->store, j->job, world_fault(w, calm));
	j->executed = true;
	return true;
}

static inline void
owner_end(struct world *w, struct owner *o)
{
	struct core_counts c = core_counts(o->core);

	w->counts.writes += c.writes;
	w->counts.conflicts += c.conflicts;
	w->counts.verified += c.verified;
	w->counts.parked += c.parked;
	core_free(o->core);
	o->core = NULL;
}

static inline bool
owner_return(struct world *w, struct owner *o)
{
	struct pj_error outage, err = {.cls = PJ_ERROR_NONE};
	struct owner_job j;
	size_t i;

	if (o->n_jobs == 0)
		return false;
	i = dice_below(&w->dice, (unsigned)o->n_jobs);
	j = o->jobs[i];
	if (!j.executed)
		return false;
	o->jobs[i] = o->jobs[--o->n_jobs];
	if (core_job_done(o->core, j.job, w->now_mono_ms, 0, &outage, &err))
		fail_msg("core_job_done: %s", err.text);
	if (o->dead && core_jobs_out(o->core) == 0)
		owner_end(w, o);
	return true;
}

/* ---- Feeding ------------------------------------------------------------ */

static inline bool
owner_feed(struct world *w, struct owner *o)
{
	size_t l = dice_below(&w->dice, (unsigned)w->n_logs);
	unsigned n = 1 + dice_below(&w->dice, 6);
	const struct log *log = &w->logs[l];
	bool fed = false;

	if (o->dead || !o->has[l])
		return false;
	for (; n && o->at[l] < log->n && !core_is_full(o->core); n--) {
		core_feed(o->core,
			  log_record_new(&log->events[o->at[l]++], &o->parts[l],
					 &w->records_out),
			  0);
		fed = true;
	}
	if (o->at[l] == log->n && dice_percent(&w->dice, 50))
		core_reached(o->core, &o->parts[l], log->end);
	return fed;
}

/* ---- Misfortunes -------------------------------------------------------- */

static inline void
owner_forget(struct owner *o)
{
	core_drop(o->core);
	memset(o->has, 0, sizeof(o->has));
}

static inline void
owner_die(struct world *w, struct owner *o)
{
	owner_forget(o);
	o->dead = true;
	if (core_jobs_out(o->core) == 0)
		owner_end(w, o);
}

/* The partitions of one owner go to a new process. */
static inline void
world_replace(struct world *w, struct owner *o)
{
	struct owner *new;
	bool had[LOGS_MAX];

	if (w->n_owners == OWNERS_MAX || o->zombie)
		return;
	memcpy(had, o->has, sizeof(had));
	if (w->rules->zombies && dice_percent(&w->dice, 60))
		o->zombie = true;
	else
		owner_die(w, o);
	new = world_add_owner(w);
	new->core = core_new(&new->lanes, &w->set, on_parked, w);
	for (size_t l = 0; l < w->n_logs; l++)
		if (had[l])
			owner_take(w, new, l);
}

/* Everybody is revoked, then everything is dealt out again. */
static inline void
world_rebalance(struct world *w)
{
	struct owner *live[OWNERS_MAX];
	unsigned n = 0;

	for (size_t i = 0; i < w->n_owners; i++) {
		struct owner *o = &w->owners[i];

		if (o->dead || o->zombie)
			continue;
		owner_forget(o);
		live[n++] = o;
	}
	for (size_t l = 0; l < w->n_logs; l++)
		owner_take(w, live[dice_below(&w->dice, n)], l);
}

static inline void
world_misfortune(struct world *w)
{
	struct owner *o =
		&w->owners[dice_below(&w->dice, (unsigned)w->n_owners)];

	if (o->dead)
		return;
	if (o->zombie) {
		if (dice_percent(&w->dice, 20))
			owner_die(w, o);
		return;
	}
	if (dice_percent(&w->dice, 60))
		world_replace(w, o);
	else
		world_rebalance(w);
}

/* ---- Steps -------------------------------------------------------------- */

static inline void
world_step(struct world *w, bool calm)
{
	struct owner *o =
		&w->owners[dice_below(&w->dice, (unsigned)w->n_owners)];

	w->now_mono_ms += dice_below(&w->dice, 20);
	if (!calm && w->rules->crashes && dice_below(&w->dice, 250) == 0)
		world_misfortune(w);
	if (w->store.n_late && dice_percent(&w->dice, 3))
		fake_deliver_late(&w->store);
	if (!o->core)
		return;
	switch (dice_below(&w->dice, 4)) {
	case 0:
		(void)owner_feed(w, o);
		break;
	case 1:
		(void)owner_ask(w, o);
		break;
	case 2:
		(void)owner_execute(w, o, calm);
		break;
	default:
		(void)owner_return(w, o);
	}
}

static inline bool
world_is_at_rest(const struct world *w)
{
	for (size_t i = 0; i < w->n_owners; i++) {
		const struct owner *o = &w->owners[i];

		if (o->core &&
		    (o->dead || o->n_jobs || !core_is_saved(o->core)))
			return false;
		for (size_t l = 0; l < w->n_logs; l++)
			if (o->has[l] && o->at[l] < w->logs[l].n)
				return false;
	}
	return true;
}

static inline void
world_release(struct world *w)
{
	for (size_t i = 0; i < w->n_owners; i++)
		if (w->owners[i].core)
			owner_end(w, &w->owners[i]);
	assert_int_equal(w->records_out, 0);
	for (size_t l = 0; l < w->n_logs; l++)
		log_release(&w->logs[l]);
	fake_release(&w->store);
}

#endif
