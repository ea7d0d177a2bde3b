/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters. Each loop writes its own set and nobody else's, so counting is a
 * plain add on a cache line that stays; the admin thread sums the sets.
 */
#ifndef QUERYAPI_METRICS_H
#define QUERYAPI_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/* The rows of the route table (routes.c), and "none of them". */
enum route_id {
	ROUTE_DOCUMENT,
	ROUTE_BATCH,
	ROUTE_BATCH_POST,
	ROUTE_EVENTS,
	ROUTE_PAGE,
	ROUTE_PAGE_EVENTS,
	ROUTE_OPENAPI,
	ROUTE_NONE,
	ROUTE_COUNT,
};

enum { METRICS_STATUSES = 24, METRICS_BUCKETS = 14 };

struct metrics_set {
	_Atomic uint64_t requests[ROUTE_COUNT][METRICS_STATUSES];
	/* buckets as in metrics_bounds_us, not cumulative */
	_Atomic uint64_t latency[ROUTE_COUNT][METRICS_BUCKETS];
	_Atomic uint64_t latency_us[ROUTE_COUNT];
	_Atomic uint64_t accepted, refused, hangups, cut_off, lines_lost;
	_Atomic uint64_t hits, misses, superseded; /* keys */
	_Atomic uint64_t stale;			   /* requests */
	_Atomic uint64_t late;			   /* pages with late parts */
	_Atomic uint64_t stream_writes;
	_Atomic int64_t connections, in_flight, streams;
};

struct metrics {
	struct metrics_set *sets;
	size_t n_sets;
	_Atomic uint64_t store_errors; /* any thread */
};

/* Upper bounds in µs, ascending; the last bucket has none. */
extern const uint32_t metrics_bounds_us[METRICS_BUCKETS - 1];
/* The status codes this program sends; ends with 0. */
extern const int metrics_statuses[METRICS_STATUSES + 1];

void
metrics_init(struct metrics *met, size_t n_sets);
void
metrics_release(struct metrics *met);

/* Thread: the set's loop. */
void
metrics_count(_Atomic uint64_t *counter);
void
metrics_move(_Atomic int64_t *gauge, int64_t by);
void
metrics_request(struct metrics_set *set, enum route_id route, int status,
		uint64_t us);

/* Sums; any thread. */
struct metrics_sum {
	uint64_t requests[ROUTE_COUNT][METRICS_STATUSES];
	uint64_t latency[ROUTE_COUNT][METRICS_BUCKETS];
	uint64_t latency_us[ROUTE_COUNT];
	uint64_t accepted, refused, hangups, cut_off, lines_lost, store_errors;
	uint64_t hits, misses, superseded, stale, late;
	uint64_t stream_writes;
	int64_t connections, in_flight, streams;
};
void
metrics_sum(const struct metrics *met, struct metrics_sum *ret_sum);

/* One metric without labels, as Prometheus text. */
void
metrics_write_one(struct buf *out, const char *name, const char *type,
		  const char *help, int64_t value);
/* Prometheus text of the sums. */
void
metrics_write(const struct metrics_sum *sum, struct buf *out);

#endif
