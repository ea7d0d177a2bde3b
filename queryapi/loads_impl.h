/* SPDX-License-Identifier: Apache-2.0 */
/* Between loads.c, who keeps them, and load_run.c, who carries them out. */
#ifndef QUERYAPI_LOADS_IMPL_H
#define QUERYAPI_LOADS_IMPL_H

#include "queryapi/job.h"
#include "queryapi/loads.h"
#include "queryapi/snapshot.h"

/* As many as one question to the store pays for; a batch's worth. */
enum { LOADS_AT_ONCE = 128 };

struct load {
	struct load *chain; /* of the table of all that are under way */
	/* Of those no worker has taken up: the generation's queue of those that
	 * somebody asked for, or of those that are read ahead. */
	struct load_queue *queue;
	TAILQ_ENTRY(load) pending;
	int64_t pending_mono_ms; /* since when */
	struct served *served;
	uint64_t hash;
	/* Behind the struct: */
	struct pj_str key;
	struct trace_ids ids; /* of who asked for it first; "-": nobody */
	int64_t used_mono_ms; /* of what it is read ahead for */
	bool ahead;	      /* for who asks next, nobody may wait */
	bool gzip;	      /* somebody wants that coding */
	bool coding; /* the same as of when a worker took it up: its own */
	/* What the feed has told since it was asked for. */
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

/* Loads of one generation that a worker has taken up, side by side with their
 * documents. */
struct loads_taken {
	struct served *served;
	struct load *load[LOADS_AT_ONCE];
	struct store_doc docs[LOADS_AT_ONCE];
	size_t n;
	/* As of before the store is asked, and not after what was told
	 * (served.h): of the sources in it, the caller's. */
	struct snapshot_checkpoints reached;
	uint64_t since;
	int64_t at_mono_ms;
};

/* Takes up to LOADS_AT_ONCE off; asks for another worker when more wait. */
void
loads_take(struct loads *lds, struct loads_taken *taken);
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
