/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures: what a running projector says of itself, as of one moment.
 *
 * The pipeline thread takes them about once a second; afterwards they never
 * change, so another thread may read them at leisure. Nothing in them points
 * into the pipeline.
 *
 * Unknown numbers are -1 here, and absent (metrics) or null (JSON) in texts.
 *
 * Ownership: figures_free() frees; NULL is fine.
 */
#ifndef PROJECTOR_FIGURES_H
#define PROJECTOR_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "projector/core.h"
#include "projector/lane.h"
#include "projector/source.h"

struct figures_lane {
	char projection[33];
	int32_t generation; /* 0: none attached yet */
	/* Since the process started. */
	uint64_t applied, unchanged, repeated, parked;
	uint64_t queued; /* of the parked: behind another one */
	uint64_t retried, discarded;
	bool stopped;	/* by name: a person has to act */
	bool elsewhere; /* fed by the second reader */
};

struct figures_part {
	char topic[250];
	int32_t number;
	int64_t position; /* all below is durable */
	int64_t end;	  /* of the log, as far as it is known */
	int64_t open_ms;  /* for so long a transaction holds back the rest */
};

/* A projection on a partition of a topic it reads. */
struct figures_lag {
	size_t lane, part; /* in the arrays below */
	int64_t position;  /* stored: where it would go on; -1: not ours */
	int64_t events;
	int64_t ms; /* age of the newest applied record, 0 at the end */
};

struct figures {
	int64_t taken_mono_ms; /* 0: there was no tick yet */
	bool reading;	       /* from positions the store gave */
	bool store_away;       /* as far as the pipeline knows */
	struct core_counts counts;
	size_t held_records, held_bytes;
	unsigned jobs_out;
	struct figures_lane *lanes;
	size_t n_lanes;
	struct figures_part *parts;
	size_t n_parts;
	struct figures_lag *lags; /* by partition, then lane */
	size_t n_lags;
};

/* What stays from one taking to the next: where the log was seen to end. */
struct meter;

struct meter *
meter_new(const struct lanes *lanes, struct source *source);
void
meter_free(struct meter *met);

/*
 * Asks the source for the ends of partitions it has not asked about for 5 s,
 * for 50 ms at most in all; what does not fit is asked at the next call.
 * Thread: the pipeline thread.
 */
struct figures *
meter_read(struct meter *met, struct core *core);

/* Takes in what the second reader says of the lanes it feeds. */
void
figures_merge(struct figures *fig, const struct figures *second);

struct figures *
figures_new(void);
void
figures_free(struct figures *fig);

/* What the reader of the figures knows beside them. */
struct figures_now {
	int64_t mono_ms;
	int64_t started_mono_ms;
	int64_t started_at_ms;
	const char *unready; /* NULL = ready, else why not */
};

/* Age of the figures; before the first tick, of the process. */
int64_t
figures_age_ms(const struct figures *fig, const struct figures_now *now);

/* Prometheus' text format, version 0.0.4. */
void
figures_metrics(const struct figures *fig, const struct figures_now *now,
		struct buf *out);
/* One JSON object. */
void
figures_json(const struct figures *fig, const struct figures_now *now,
	     struct buf *out);

#endif
