/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second reader: feeds the projections that are far behind, so that the
 * others need not wait for them (protocol rule 8).
 *
 * It is a pipeline of its own, on a thread of its own, with its own core, store
 * sessions, ledger and watchdog. It reads the partitions that the process owns,
 * as far as its projections read them, without membership (SOURCE_GIVEN), and
 * claims positions for its own projections: by (generation, source), so the two
 * readers share nothing. It ends when all of its projections have caught up to
 * within a tenth of projector.catch_up_records; then the main reader takes them
 * back at a new begin.
 *
 * It never begins or ends an assignment. When the main reader loses its
 * partitions it asks this one to stop; what it still writes afterwards is
 * fenced, as with any owner that was replaced (rule 9).
 *
 *	catchup_start() → catchup_take() … ended → lanes are the caller's again
 *
 * Ownership: catchup_free() frees; not while it runs.
 * Errors: of the second pipeline, told by catchup_take().
 * Thread: the main pipeline's, for everything here. catchup_figures() too.
 */
#ifndef PROJECTOR_CATCHUP_H
#define PROJECTOR_CATCHUP_H

#include <projector/error.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "projector/figures.h"
#include "projector/host.h"

struct catchup;

/* host, store and stop outlive it. */
struct catchup *
catchup_new(const struct host *host, struct store *store,
	    const atomic_int *stop);
void
catchup_free(struct catchup *cu);

/* Started, and not taken back yet. */
bool
catchup_is_running(const struct catchup *cu);
/* ... and asked to stop. */
bool
catchup_is_stopping(const struct catchup *cu);

/*
 * Feeds the lanes that are marked elsewhere, of the partitions they read.
 * Errors here: FATAL (no thread).
 */
int
catchup_start(struct catchup *cu, const struct lanes *lanes,
	      struct partition *const *parts, size_t n_parts,
	      struct pj_error *err) __attribute__((warn_unused_result));
/* Asks it to flush and end. It claims nothing from here on: before partitions
 * are given back. Waits for a claim that is under way. Nothing when it does not
 * run. */
void
catchup_stop(struct catchup *cu);
/*
 * *ret_ended: it has just ended, the lanes it fed are in `lanes` again and no
 * longer elsewhere. wait: until it ends.
 */
int
catchup_take(struct catchup *cu, bool wait, struct lanes *lanes,
	     bool *ret_ended, struct pj_error *err)
	__attribute__((warn_unused_result));

/* Adds what it says of the lanes it feeds, as of a second ago or so. */
void
catchup_add_figures(struct catchup *cu, struct figures *fig);

#endif
