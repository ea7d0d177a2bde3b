/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of a record's way, and the loop that walks it.
 *
 *	stage             file        promise
 *	1 source          source.c    owns the bytes, knows the assignment
 *	2 decode          decode.c    only place that knows the wire format
 *	3 router          router.c    pure: event → (projection, document key)
 *	4 fold            fold.c      skips what a document applied already
 *	5 batch           batch.c     one write per document per batch
 *	6 writer          writer.c    executes and reports, never decides
 *	7 offsets         offsets.c   a position covers only what is durable
 *
 * core.c strings 2 to 5 and 7 together without I/O; the pipeline adds the
 * source, the store threads and the clock, and is the only one that decides to
 * wait, to back off or to stop. Folding goes on while batches are in flight;
 * what changes meanwhile is the next batch (no timer).
 *
 *	pipeline.c          the loop
 *	pipeline_begin.c    assignments: positions, units, what ends them
 *	pipeline_claims.c   what the store says we may feed
 *	pipeline_stops.c    partitions that cannot be read on
 *	pipeline_second.c   projections that lag, fed by catchup.c meanwhile
 *	pipeline_chores.c   once a tick: what operators ask of parked queues,
 *	                    purges
 *
 * Thread: pipeline_run() is the pipeline thread.
 */
#ifndef PROJECTOR_PIPELINE_H
#define PROJECTOR_PIPELINE_H

#include <projector/error.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/settings.h"
#include "lib/store.h"
#include "projector/core.h"
#include "projector/deadletter.h"
#include "projector/lane.h"
#include "projector/ledger.h"
#include "projector/source.h"

struct catchup;
struct claim_gate;
struct pipeline;

struct pipeline_settings {
	const struct settings *set;
	struct store *store;
	struct store_session *session; /* the pipeline thread's own */
	struct source *source;
	struct deadletter *deadletter; /* copies of what is parked; or NULL */
	struct ledger *ledger;	       /* names each record that is worked on */
	struct catchup *catchup; /* feeds who lags far; NULL: nobody does */
	struct claim_gate *gate; /* to be gone through to claim; or NULL */
	struct lanes *lanes;
	const struct decode_topic *topics;
	size_t n_topics;
	bool until_end; /* stop at the end of the log as it was at the start */
	bool follow_live; /* lanes move when a live pointer moves */
	/*
	 * Called about every tick_ms with everything fed so far on its way;
	 * *ret_done ends the run.
	 */
	int (*tick)(void *arg, struct pipeline *pipe, bool *ret_done,
		    struct pj_error *err);
	void *arg;
	int tick_ms;
	const atomic_int *stop; /* non-zero: flush and return */
	bool quiet;	     /* totals and progress are told by somebody else */
	size_t turn_records; /* at most, between two looks at stop; 0: many */
};

/*
 * Runs until stopped, done or failed. 0: stopped or done, all saved. STOP: no
 * projection is left running, or one was stopped in a run to the end.
 */
int
pipeline_run(const struct pipeline_settings *settings, struct pj_error *err)
	__attribute__((warn_unused_result));

/* For ticks. */
struct core *
pipeline_core(struct pipeline *pipe);
/* Partitions are assigned and read, from positions the store gave. */
bool
pipeline_is_reading(const struct pipeline *pipe);
/* The last thing asked of the store failed as an outage. */
bool
pipeline_store_is_away(const struct pipeline *pipe);
/* Writes what is pending, positions included, within timeout_ms. */
int
pipeline_flush(struct pipeline *pipe, int timeout_ms, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
