/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/status.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "queryapi/metrics.h"

enum { BEAT_WITHIN_MS = 5000 };

bool
status_is_alive(const struct loop *loops, size_t n)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < n; i++)
		if (now - atomic_load(&loops[i].beat_mono_ms) > BEAT_WITHIN_MS)
			return false;
	return true;
}

/* Documents that were read are served still: of some view, at least. */
static bool
makes_do(struct loop_shared *shared, const struct snapshot *snap)
{
	int64_t away_ms =
		clock_mono_ms() - catalog_answered_mono_ms(shared->catalog);

	for (size_t v = 0; v < snap->n_views; v++)
		if (snap->views[v].policy.stale_if_error_s &&
		    away_ms <= (int64_t)snap->views[v].policy.stale_if_error_s *
				       1000)
			return true;
	return false;
}

const char *
status_unready(struct loop_shared *shared, const struct snapshot *snap)
{
	if (atomic_load(&shared->stopping))
		return "stopping";
	if (!snap)
		return "the store has not been reached yet";
	if (!catalog_store_is_well(shared->catalog) && !makes_do(shared, snap))
		return "the store is not reachable";
	return NULL;
}

static json_t *
views_json(const struct snapshot *snap)
{
	json_t *views = json_array();

	for (size_t v = 0; snap && v < snap->n_views; v++) {
		const struct snapshot_view *view = &snap->views[v];
		const struct snapshot_checkpoints *list = &snap->checkpoints[v];
		json_t *row = json_object(), *positions = json_object();

		for (size_t i = 0; i < list->n; i++) {
			const struct store_source_row *src =
				snapshot_source(snap, list->rows[i].source);
			struct buf name = BUF_INIT;

			if (!src || list->rows[i].next == 0)
				continue;
			buf_printf(&name, "%s/%d", src->topic,
				   (int)src->partition);
			(void)json_object_set_new(
				positions, name.data,
				json_integer(list->rows[i].next));
			buf_release(&name);
		}
		(void)json_object_set_new(row, "view", json_string(view->name));
		(void)json_object_set_new(row, "generation",
					  json_integer(view->generation));
		(void)json_object_set_new(row, "version",
					  json_integer(view->version));
		(void)json_object_set_new(row, "next", positions);
		(void)json_array_append_new(views, row);
	}
	return views;
}

/* Requests by status, and latency over all routes. */
static void
add_requests(json_t *root, const struct metrics_sum *sum)
{
	json_t *statuses = json_object(), *bounds = json_array();
	json_t *counts = json_array();
	uint64_t total = 0;

	for (size_t s = 0; metrics_statuses[s]; s++) {
		uint64_t n = 0;
		char code[16];

		for (size_t r = 0; r < ROUTE_COUNT; r++)
			n += sum->requests[r][s];
		(void)snprintf(code, sizeof(code), "%d", metrics_statuses[s]);
		if (n)
			(void)json_object_set_new(statuses, code,
						  json_integer((json_int_t)n));
		total += n;
	}
	for (size_t b = 0; b < METRICS_BUCKETS; b++) {
		uint64_t n = 0;

		for (size_t r = 0; r < ROUTE_COUNT; r++)
			n += sum->latency[r][b];
		(void)json_array_append_new(counts,
					    json_integer((json_int_t)n));
		if (b < METRICS_BUCKETS - 1)
			(void)json_array_append_new(
				bounds, json_integer(metrics_bounds_us[b]));
	}
	(void)json_object_set_new(root, "requests",
				  json_integer((json_int_t)total));
	(void)json_object_set_new(root, "statuses", statuses);
	(void)json_object_set_new(root, "latency_bounds_us", bounds);
	(void)json_object_set_new(root, "latency_counts", counts);
}

/* Documents and fetches that no worker has taken up. */
static size_t
queued(struct loop_shared *shared)
{
	struct loads_figures loads;
	size_t jobs = queue_len(shared->jobs);

	loads_figures(shared->loads, &loads);
	return loads.waiting + (jobs > loads.called ? jobs - loads.called : 0);
}

void
status_write(struct loop_shared *shared, const struct snapshot *snap,
	     int64_t started_mono_ms, struct buf *out)
{
	const char *unready = status_unready(shared, snap);
	json_t *root = json_object(), *store = json_object();
	struct metrics_sum sum;
	struct pj_error trouble;
	char *text;

	metrics_sum(shared->metrics, &sum);
	catalog_trouble(shared->catalog, &trouble);
	(void)json_object_set_new(root, "version",
				  json_string(SHOPVIEW_VERSION));
	(void)json_object_set_new(
		root, "uptime_ms",
		json_integer(clock_mono_ms() - started_mono_ms));
	(void)json_object_set_new(root, "ready", json_boolean(!unready));
	if (unready)
		(void)json_object_set_new(root, "reason", json_string(unready));
	(void)json_object_set_new(
		store, "reachable",
		json_boolean(catalog_store_is_well(shared->catalog)));
	(void)json_object_set_new(store, "errors",
				  json_integer((json_int_t)sum.store_errors));
	if (trouble.text[0])
		(void)json_object_set_new(store, "text",
					  json_string(trouble.text));
	(void)json_object_set_new(root, "store", store);
	(void)json_object_set_new(root, "connections",
				  json_integer(sum.connections));
	(void)json_object_set_new(root, "in_flight",
				  json_integer(sum.in_flight));
	(void)json_object_set_new(root, "queued",
				  json_integer((json_int_t)queued(shared)));
	add_requests(root, &sum);
	(void)json_object_set_new(root, "views", views_json(snap));
	text = json_dumps(root, JSON_COMPACT);
	buf_addstr(out, text ? text : "{}");
	free(text);
	json_decref(root);
}

static void
cache_metrics(struct loop_shared *shared, struct buf *out)
{
	struct cache_figures cache;
	struct loads_figures loads;
	struct feed_figures feed;

	cache_figures(shared->cache, &cache);
	loads_figures(shared->loads, &loads);
	feed_figures(shared->feed, &feed);
	metrics_write_one(out, "shopview_cache_bytes", "gauge",
			  "Memory of documents kept ready.",
			  (int64_t)cache.bytes);
	metrics_write_one(out, "shopview_cache_entries", "gauge",
			  "Keys kept ready, absent ones included.",
			  (int64_t)cache.entries);
	metrics_write_one(out, "shopview_cache_evicted_total", "counter",
			  "Keys that went to make room.",
			  (int64_t)cache.evicted);
	metrics_write_one(out, "shopview_cache_superseded_total", "counter",
			  "Keys of which a newer revision was told.",
			  (int64_t)cache.superseded);
	metrics_write_one(out, "shopview_loads_total", "counter",
			  "Keys asked of the store.", (int64_t)loads.keys);
	metrics_write_one(out, "shopview_load_questions_total", "counter",
			  "Questions to the store for them.",
			  (int64_t)loads.calls);
	metrics_write_one(out, "shopview_loads_ahead_total", "counter",
			  "Keys that changed and are read again unasked.",
			  (int64_t)loads.ahead);
	metrics_write_one(out, "shopview_loads_ahead_waiting", "gauge",
			  "Of those, which no worker has taken up.",
			  (int64_t)loads.waiting_ahead);
	metrics_write_one(out, "shopview_loads_joined_total", "counter",
			  "Waits that found their key on its way.",
			  (int64_t)loads.joined);
	metrics_write_one(out, "shopview_feed_following", "gauge",
			  "Whether the stream of changes is followed.",
			  (int64_t)feed.following);
	metrics_write_one(out, "shopview_feed_documents_total", "counter",
			  "Changes of documents told by the stream.",
			  (int64_t)feed.documents);
	metrics_write_one(out, "shopview_feed_checkpoints_total", "counter",
			  "Checkpoints told by the stream.",
			  (int64_t)feed.checkpoints);
	metrics_write_one(out, "shopview_watches", "gauge",
			  "Who waits for a change or a position.",
			  (int64_t)watchers_count(shared->watchers));
	metrics_write_one(out, "shopview_feed_lost_total", "counter",
			  "Times the stream broke.", (int64_t)feed.lost);
}

void
status_metrics(struct loop_shared *shared, const struct snapshot *snap,
	       struct buf *out)
{
	cache_metrics(shared, out);
	buf_printf(out,
		   "# HELP shopview_http_queue_depth Documents and "
		   "lists no worker has taken up yet.\n"
		   "# TYPE shopview_http_queue_depth gauge\n"
		   "shopview_http_queue_depth %zu\n"
		   "# HELP shopview_store_up Whether the store was reachable "
		   "within 1 s.\n"
		   "# TYPE shopview_store_up gauge\n"
		   "shopview_store_up %d\n"
		   "# HELP shopview_view_generation The generation that is "
		   "served.\n"
		   "# TYPE shopview_view_generation gauge\n",
		   queued(shared), (int)catalog_store_is_well(shared->catalog));
	for (size_t v = 0; snap && v < snap->n_views; v++)
		buf_printf(out, "shopview_view_generation{view=\"%s\"} %d\n",
			   snap->views[v].name, (int)snap->views[v].generation);
}
