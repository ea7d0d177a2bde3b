/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world: processes that share one store and one log, and what may happen to
 * them, one seeded step at a time.
 *
 *	log.h      the log
 *	cluster.h  what the store holds, and what it takes back
 *	wire.h     what gets there
 *	owner.h    a process around a real core
 *	group.h    who has which partition, and who thinks so
 *	promoter.h who makes another generation the live one
 *	oracle.h   what must hold
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/log.h"
#include "tests/sim/modules.h"
#include "tests/sim/owner.h"
#include "tests/sim/promoter.h"
#include "tests/sim/wire.h"

enum { OWNERS_MAX = 48 };

/* What may happen in a run. */
struct world_rules {
	const char *name;
	unsigned owners;
	unsigned share;	    /* of the seeds of a run, in parts */
	unsigned faults;    /* percent of commands that something happens to */
	unsigned failovers; /* once in so many steps; 0 = never */
	unsigned stale;	    /* likewise: the old primary is found out */
	unsigned crashes;   /* likewise: somebody dies */
	unsigned moves;	    /* likewise: partitions change hands */
	unsigned zombies;   /* likewise: somebody is evicted unawares */
	unsigned freezes;   /* likewise: somebody stands still */
	unsigned again;	    /* likewise: records are delivered again */
	unsigned requests;  /* likewise: somebody asks for parked records */
	unsigned mends;	    /* likewise: the modules take all events */
	unsigned adds;	    /* likewise: projections are added */
	unsigned promotes;  /* likewise: a rebuilt generation is to go live */
	unsigned leaps;	    /* likewise: everybody stands still for minutes */
	bool clear;	    /* in the end nothing is left parked */
	struct log_mix mix;
	bool slow;   /* records come one by one, and it takes longer */
	bool tiny;   /* next to no memory */
	bool atomic; /* a local store: one transaction per batch */
	bool calm;   /* nobody is in the way: nothing is ever in doubt */
	enum weakness weakness;
};

struct world {
	const struct world_rules *rules;
	const struct modules *modules;
	struct dice dice;
	struct server server;
	struct wire wire;
	struct log logs[LOGS_MAX];
	size_t n_logs;
	struct lanes lanes;   /* all there will be */
	unsigned n_lanes_now; /* what processes that start have of them */
	struct core_settings set;
	struct owner *owners[OWNERS_MAX];
	size_t n_owners;
	/* The group: who has what, by the coordinator's word. */
	uint32_t assignment;
	struct owner *has[LOGS_MAX];
	int64_t now_mono_ms, now_at_ms;
	size_t records_out;
	unsigned n_requests;
	bool settling; /* the misfortunes are over */
	bool mended;
	struct promoter promoter;
	struct oracle *oracle;
};

void
world_init(struct world *w, const struct world_rules *rules,
	   const struct modules *modules, uint64_t seed);
void
world_step(struct world *w);
/* From here on all goes well. */
void
world_settle(struct world *w);
/* Why it is not at rest; NULL: it is. */
const char *
world_unrest(const struct world *w);
void
world_release(struct world *w);

#endif
