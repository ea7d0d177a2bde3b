/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world.h"

#include <string.h>

#include "tests/sim/group.h"
#include "tests/sim/oracle.h"
#include "tests/sim/requests.h"
#include "tests/sim/tell.h"

/* ---- Making ----------------------------------------------------------- */

static void
add_logs(struct world *w, const char *topic, unsigned n, unsigned events)
{
	for (unsigned i = 0; i < n; i++) {
		struct log *log = &w->logs[w->n_logs];

		log->topic = topic;
		log->number = (int32_t)i;
		log->source = (int32_t)w->n_logs++ + 3;
		log_make(log, &w->server.arena, &w->dice, &w->rules->mix,
			 dice_below(&w->dice, events));
		log->n_there = log->n;
		if (w->rules->promotes)
			log->n_there =
				dice_below(&w->dice, (unsigned)log->n / 2 + 1);
	}
}

static void
add_lanes(struct world *w)
{
	for (size_t i = 0; i < MODULES; i++) {
		struct lane *lane = &w->lanes.lane[w->lanes.n];

		if (dice_percent(&w->dice, 60) &&
		    !(i == MODULES - 1 && w->lanes.n == 0))
			continue;
		lane->mod = w->modules->mod[i];
		lane->number = 1;
		readmodel_generation_id(lane->generation, lane->mod->desc->name,
					1);
		lane->index = w->lanes.n++;
	}
}

static void
world_settings(struct world *w)
{
	struct dice *dice = &w->dice;

	w->set = (struct core_settings){
		.batch = {.max_documents = 1 + dice_below(dice, 8),
			  .max_bytes = 300 + dice_below(dice, 4000),
			  .max_load = 1 + dice_below(dice, 5)},
		.memory_bytes = w->rules->tiny ? 1500 : 1 << 20,
		.max_apply_jobs = 1 + dice_below(dice, 3),
		.max_load_jobs = 1 + dice_below(dice, 2),
		.topics = w->modules->topics,
		.n_topics = MODULE_TOPICS,
	};
}

static void
tell_log(const struct world *w)
{
	for (size_t l = 0; l < w->n_logs; l++)
		for (size_t e = 0; e < w->logs[l].n; e++) {
			const struct log_event *ev = &w->logs[l].events[e];

			tell("%s/%d@%lld key %.*s: %.*s", w->logs[l].topic,
			     (int)w->logs[l].number, (long long)ev->offset,
			     ev->key.ptr ? (int)ev->key.len : 4,
			     ev->key.ptr ? ev->key.ptr : "none",
			     ev->value.ptr ? (int)ev->value.len : 4,
			     ev->value.ptr ? ev->value.ptr : "none");
		}
	for (unsigned i = 0; i < w->lanes.n; i++)
		tell("lane %s", w->lanes.lane[i].generation);
}

void
world_init(struct world *w, const struct world_rules *rules,
	   const struct modules *modules, uint64_t seed)
{
	/* Some are small, so that what fails can be read. */
	static const unsigned sizes[] = {4, 16, EVENTS_MAX};
	unsigned events;

	memset(w, 0, sizeof(*w));
	modules_mended = false;
	w->rules = rules;
	w->modules = modules;
	w->dice.state = seed;
	w->now_mono_ms = 1000;
	w->now_at_ms = INT64_C(1800000000000);
	w->wire = (struct wire){.server = &w->server,
				.dice = &w->dice,
				.faults = rules->faults,
				.atomic = rules->atomic,
				.weakness = rules->weakness};
	w->server.cluster.instant = rules->atomic || rules->calm;
	events = sizes[dice_below(&w->dice, 3)];
	add_logs(w, "stock", 1 + dice_below(&w->dice, 2), events);
	add_logs(w, "review", dice_below(&w->dice, 2), events);
	add_logs(w, "order", dice_below(&w->dice, 3), events);
	add_logs(w, "coupon", 1 + dice_below(&w->dice, 3), events);
	add_lanes(w);
	world_settings(w);
	w->n_lanes_now = w->lanes.n;
	if (rules->adds)
		w->n_lanes_now = 1 + dice_below(&w->dice, w->lanes.n);
	tell_log(w);
	w->oracle = oracle_new(w);
	for (unsigned i = 0; i < rules->owners; i++)
		(void)group_join(w);
	group_rebalance(w);
}

/* ---- Steps ------------------------------------------------------------ */

/* A store that was away, a machine that slept: what was read is old by now. */
enum { LEAP_MS = 6 * 60 * 1000 };

static void
clocks_step(struct world *w)
{
	/* Where seconds matter, more happens in each. */
	unsigned step_ms = w->rules->promotes ? 6 : 20;

	w->now_mono_ms += dice_below(&w->dice, step_ms);
	w->now_at_ms += dice_below(&w->dice, step_ms);
	if (w->settling || !w->rules->leaps ||
	    !dice_once_in(&w->dice, w->rules->leaps))
		return;
	tell("six minutes go by");
	w->now_mono_ms += LEAP_MS;
	w->now_at_ms += LEAP_MS;
	met(MET_LEAPS);
}

/* A driver stays with the primary it knows until it hears of another. */
static void
cluster_fails_over(struct world *w)
{
	bool keep = dice_percent(&w->dice, 70);

	tell("the cluster fails over%s",
	     keep ? "; the old primary does not know" : "");
	cluster_fail_over(&w->server.cluster, &w->dice, keep);
	for (size_t i = 0; i < w->n_owners; i++)
		w->owners[i]->line.node = keep && dice_percent(&w->dice, 60)
						  ? NODE_STALE
						  : NODE_PRIMARY;
}

static void
cluster_step(struct world *w)
{
	struct cluster *cluster = &w->server.cluster;

	if (w->rules->failovers && !w->settling &&
	    dice_once_in(&w->dice, w->rules->failovers))
		cluster_fails_over(w);
	if (cluster->has_stale &&
	    dice_once_in(&w->dice, w->rules->stale ? w->rules->stale : 80)) {
		tell("the old primary is found out");
		cluster_heal(cluster);
	}
	if (w->settling)
		cluster_commit(cluster, SIZE_MAX);
	else if (dice_percent(&w->dice, 30))
		cluster_commit(cluster, 1 + dice_below(&w->dice, 8));
}

static void
producers_step(struct world *w)
{
	struct log *log = &w->logs[dice_below(&w->dice, (unsigned)w->n_logs)];

	/* Quiet owners do not learn by their writes that they were fenced. */
	if (log->n_there < log->n &&
	    dice_once_in(&w->dice, promoter_is_late(w) ? 60 : 500))
		log->n_there++;
}

static void
people_step(struct world *w)
{
	if (w->rules->promotes)
		promoter_step(w);
	if (w->rules->requests && dice_once_in(&w->dice, w->rules->requests))
		requests_ask(w);
	if (w->n_lanes_now < w->lanes.n &&
	    dice_once_in(&w->dice, w->rules->adds)) {
		tell("projections are added: whoever starts has them");
		w->n_lanes_now = w->lanes.n;
		met(MET_ADDED);
	}
	if (w->rules->mends && !w->mended &&
	    dice_once_in(&w->dice, w->rules->mends)) {
		tell("the modules are mended: whoever starts has the new ones");
		w->mended = true;
	}
}

void
world_step(struct world *w)
{
	struct owner *o;

	tally->step++;
	met(MET_STEPS);
	clocks_step(w);
	if (!w->settling) {
		group_misfortune(w);
		people_step(w);
		producers_step(w);
	}
	group_tidy(w);
	cluster_step(w);
	if (w->wire.n_late && dice_percent(&w->dice, 3))
		wire_deliver_late(&w->wire);
	o = w->owners[dice_below(&w->dice, (unsigned)w->n_owners)];
	/* Who is the primary is hearsay. */
	if (w->server.cluster.has_stale && dice_once_in(&w->dice, 15))
		o->line.node =
			dice_percent(&w->dice, 40) ? NODE_STALE : NODE_PRIMARY;
	(void)owner_step(w, o);
}

void
world_settle(struct world *w)
{
	tell("---- from here on all goes well");
	w->settling = true;
	w->n_lanes_now = w->lanes.n;
	for (size_t l = 0; l < w->n_logs; l++)
		w->logs[l].n_there = w->logs[l].n;
	w->wire.faults = 0;
	if (w->server.cluster.has_stale)
		cluster_heal(&w->server.cluster);
	for (size_t i = 0; i < w->n_owners; i++) {
		w->owners[i]->deaf_until = w->owners[i]->frozen_until = 0;
		w->owners[i]->line.node = NODE_PRIMARY;
	}
}

const char *
world_unrest(const struct world *w)
{
	for (size_t i = 0; i < w->n_owners; i++) {
		const char *why = owner_unrest(w, w->owners[i]);

		if (why)
			return why;
	}
	if (w->server.cluster.n_committed < w->server.cluster.n_ops)
		return "not all is committed";
	return requests_are_ended(w) ? NULL : "a request was not answered";
}

void
world_release(struct world *w)
{
	for (size_t i = 0; i < w->n_owners; i++)
		owner_free(w->owners[i]);
	REQUIRE(w->records_out == 0, "%zu records were never given back",
		w->records_out);
	oracle_free(w->oracle);
	wire_release(&w->wire);
	server_release(&w->server);
}
