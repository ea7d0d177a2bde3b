/* SPDX-License-Identifier: Apache-2.0 */
/* Between loads.c, who keeps them, and load_run.c, who carries them out. */
#ifndef QUERYAPI_LOADS_IMPL_H
#define QUERYAPI_LOADS_IMPL_H

#include "queryapi/job.h"
#include "queryapi/loads.h"

/* As many as one question to the store pays for; a batch's worth. */
enum { LOADS_AT_ONCE = 128 };

struct load {
	struct load *chain; /* of the table of all that are under way */
	/* Of those no worker has taken up: the next, and what leads here. */
	struct load *pending, **pending_link;
	int64_t pending_mono_ms; /* since when */
	struct served *served;
	uint64_t hash;
	/* Behind the struct: */
	struct pj_str key;
	struct trace_ids ids; /* of who asked for it first */
	bool gzip;	      /* somebody wants that coding */
	bool coding; /* the same as of when a worker took it up: its own */
	/* What the feed told since a worker took it up. */
	int64_t least;
	bool again;
	int rounds;
	bool at_work;
	struct load_wait *waits;
};

/* The job of asking for one generation's loads. */
struct load_call {
	struct job job;
	struct loads *loads;
	struct served *served;
};

/* load_run.c: the job's run. */
void
load_call_run(struct job *job, struct worker *wrk);

/* Takes up to LOADS_AT_ONCE off; asks for another worker when more wait. */
size_t
loads_take(struct loads *lds, struct served *srv,
	   struct load *ret_loads[LOADS_AT_ONCE]);
/*
 * Ends a load: the entry (LOAD_DONE; its reference is taken) goes into the
 * cache and to whoever waits. Or not: what the feed told of meanwhile is newer,
 * so it is read once more. The load is gone then or somebody else's.
 */
void
loads_end(struct loads *lds, struct load *load, enum load_result result,
	  struct entry *ent);
uint32_t
loads_gzip_min_bytes(const struct loads *lds);

#endif
