/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queryapi/routes.h"

const uint32_t metrics_bounds_us[METRICS_BUCKETS - 1] = {
	100,   250,   500,    1000,   2500,    5000,	10000,
	25000, 50000, 100000, 250000, 1000000, 5000000,
};

const int metrics_statuses[METRICS_STATUSES + 1] = {
	200, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412,
	413, 414, 415, 417, 429, 431, 500, 501, 503, 505, 0,
};

void
metrics_init(struct metrics *met, size_t n_sets)
{
	met->sets = mem_calloc(n_sets, sizeof(*met->sets));
	met->n_sets = n_sets;
	atomic_init(&met->store_errors, 0);
}

void
metrics_release(struct metrics *met)
{
	free(met->sets);
}

/* One writer: a load and a store, no locked instruction. */
void
metrics_count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(
		counter,
		atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

void
metrics_move(_Atomic int64_t *gauge, int64_t by)
{
	atomic_store_explicit(
		gauge, atomic_load_explicit(gauge, memory_order_relaxed) + by,
		memory_order_relaxed);
}

void
metrics_request(struct metrics_set *set, enum route_id route, int status,
		uint64_t us)
{
	size_t s = 0, b = 0;

	while (metrics_statuses[s] && metrics_statuses[s] != status)
		s++;
	metrics_count(&set->requests[route][s]);
	while (b < METRICS_BUCKETS - 1 && us > metrics_bounds_us[b])
		b++;
	metrics_count(&set->latency[route][b]);
	atomic_store_explicit(&set->latency_us[route],
			      atomic_load_explicit(&set->latency_us[route],
						   memory_order_relaxed) +
				      us,
			      memory_order_relaxed);
}

static uint64_t
get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
add_set(const struct metrics_set *set, struct metrics_sum *sum)
{
	for (size_t r = 0; r < ROUTE_COUNT; r++) {
		for (size_t s = 0; s < METRICS_STATUSES; s++)
			sum->requests[r][s] += get(&set->requests[r][s]);
		for (size_t b = 0; b < METRICS_BUCKETS; b++)
			sum->latency[r][b] += get(&set->latency[r][b]);
		sum->latency_us[r] += get(&set->latency_us[r]);
	}
	sum->accepted += get(&set->accepted);
	sum->refused += get(&set->refused);
	sum->hangups += get(&set->hangups);
	sum->cut_off += get(&set->cut_off);
	sum->lines_lost += get(&set->lines_lost);
	sum->hits += get(&set->hits);
	sum->misses += get(&set->misses);
	sum->superseded += get(&set->superseded);
	sum->stale += get(&set->stale);
	sum->late += get(&set->late);
	sum->connections +=
		atomic_load_explicit(&set->connections, memory_order_relaxed);
	sum->in_flight +=
		atomic_load_explicit(&set->in_flight, memory_order_relaxed);
	sum->streams +=
		atomic_load_explicit(&set->streams, memory_order_relaxed);
	sum->stream_writes += get(&set->stream_writes);
}

void
metrics_sum(const struct metrics *met, struct metrics_sum *ret_sum)
{
	memset(ret_sum, 0, sizeof(*ret_sum));
	for (size_t i = 0; i < met->n_sets; i++)
		add_set(&met->sets[i], ret_sum);
	ret_sum->store_errors = get(&met->store_errors);
}

static void
write_histogram(const struct metrics_sum *sum, size_t r, struct buf *out)
{
	const char *route = routes_template((enum route_id)r);
	uint64_t n = 0;

	for (size_t b = 0; b < METRICS_BUCKETS; b++) {
		n += sum->latency[r][b];
		buf_printf(out,
			   "shopview_http_request_seconds_bucket{route=\"%s\","
			   "le=\"",
			   route);
		if (b == METRICS_BUCKETS - 1)
			buf_addstr(out, "+Inf");
		else
			buf_printf(out, "%g", metrics_bounds_us[b] / 1e6);
		buf_printf(out, "\"} %" PRIu64 "\n", n);
	}
	buf_printf(out,
		   "shopview_http_request_seconds_sum{route=\"%s\"} %.6f\n"
		   "shopview_http_request_seconds_count{route=\"%s\"} %" PRIu64
		   "\n",
		   route, (double)sum->latency_us[r] / 1e6, route, n);
}

void
metrics_write_one(struct buf *out, const char *name, const char *type,
		  const char *help, int64_t value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", name,
		   help, name, type, name, value);
}

static void
write_cache(const struct metrics_sum *sum, struct buf *out)
{
	metrics_write_one(out, "shopview_cache_hits_total", "counter",
			  "Keys answered from what was ready.",
			  (int64_t)sum->hits);
	metrics_write_one(out, "shopview_cache_misses_total", "counter",
			  "Keys that were loaded, or waited for.",
			  (int64_t)sum->misses);
	metrics_write_one(out, "shopview_cache_hits_superseded_total",
			  "counter",
			  "Hits answered with what was the newest, while that "
			  "is read.",
			  (int64_t)sum->superseded);
}

void
metrics_write(const struct metrics_sum *sum, struct buf *out)
{
	buf_addstr(out, "# HELP shopview_http_requests_total Requests answered."
			"\n# TYPE shopview_http_requests_total counter\n");
	for (size_t r = 0; r < ROUTE_COUNT; r++)
		for (size_t s = 0; metrics_statuses[s]; s++)
			if (sum->requests[r][s])
				buf_printf(out,
					   "shopview_http_requests_total{"
					   "route=\"%s\",status=\"%d\"} "
					   "%" PRIu64 "\n",
					   routes_template((enum route_id)r),
					   metrics_statuses[s],
					   sum->requests[r][s]);
	buf_addstr(out, "# HELP shopview_http_request_seconds From the head "
			"read to the answer made.\n"
			"# TYPE shopview_http_request_seconds histogram\n");
	for (size_t r = 0; r < ROUTE_COUNT; r++)
		write_histogram(sum, r, out);
	metrics_write_one(out, "shopview_http_connections", "gauge",
			  "Connections open.", sum->connections);
	metrics_write_one(out, "shopview_http_in_flight", "gauge",
			  "Requests waiting for the store.", sum->in_flight);
	metrics_write_one(out, "shopview_streams", "gauge",
			  "Clients that are told of newer versions.",
			  sum->streams);
	metrics_write_one(out, "shopview_stream_writes_total", "counter",
			  "What was sent to them, in pieces.",
			  (int64_t)sum->stream_writes);
	metrics_write_one(out, "shopview_http_connections_accepted_total",
			  "counter", "Connections accepted.",
			  (int64_t)sum->accepted);
	metrics_write_one(out, "shopview_http_connections_refused_total",
			  "counter", "Connections refused by a limit.",
			  (int64_t)sum->refused);
	metrics_write_one(out, "shopview_http_hangups_total", "counter",
			  "Clients gone before their answer.",
			  (int64_t)sum->hangups);
	metrics_write_one(out, "shopview_http_cut_off_total", "counter",
			  "Connections ended by a deadline.",
			  (int64_t)sum->cut_off);
	metrics_write_one(out, "shopview_access_lines_lost_total", "counter",
			  "Access log lines left out because stderr was full.",
			  (int64_t)sum->lines_lost);
	write_cache(sum, out);
	metrics_write_one(out, "shopview_pages_late_total", "counter",
			  "Pages answered without a part that was late.",
			  (int64_t)sum->late);
	metrics_write_one(out, "shopview_cache_stale_total", "counter",
			  "Requests answered with what was kept, the store "
			  "being away.",
			  (int64_t)sum->stale);
	metrics_write_one(out, "shopview_store_errors_total", "counter",
			  "Store operations that failed.",
			  (int64_t)sum->store_errors);
}
