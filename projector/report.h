/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pipeline tells people in its log: outages at most every few seconds,
 * each kind of parked record once (the rest is counted), progress while there
 * is any.
 *
 * Ownership: report_release() frees what a zeroed report has gathered.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_REPORT_H
#define PROJECTOR_REPORT_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/log.h"
#include "lib/store.h"
#include "projector/core.h"

struct report {
	struct log_gate source, store, strayed;
	/* (generation, topic, type, cause) that were told already. */
	char **told;
	size_t n_told, told_cap;
	int64_t progress_mono_ms;
	uint64_t progress_consumed;
};

void
report_release(struct report *rep);

void
report_outage(struct log_gate *gate, const char *event,
	      const struct pj_error *err);
void
report_strayed(struct report *rep, const struct lane *lane, struct pj_str key,
	       const struct record *rec);
/* core_parked_fn; arg is the report. */
void
report_parked(void *arg, const struct store_parked *row);
/* last: in any case, as the run's end. */
void
report_progress(struct report *rep, const struct core *core,
		int64_t now_mono_ms, bool last);

#endif
