/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/figures.h"

#include <inttypes.h>

#define PREFIX "shopview_projector_"

/* The head of a family of samples; name without the prefix. */
static void
family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out,
		   "# HELP " PREFIX "%s %s\n"
		   "# TYPE " PREFIX "%s %s\n",
		   name, help, name, type);
}

static void
one(struct buf *out, const char *name, const char *type, const char *help,
    uint64_t value)
{
	family(out, name, type, help);
	buf_printf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void
seconds(struct buf *out, const char *name, const char *help, int64_t ms)
{
	family(out, name, "gauge", help);
	buf_printf(out, PREFIX "%s %" PRId64 ".%03d\n", name, ms / 1000,
		   (int)(ms % 1000));
}

/* A label's value in quotes: backslash, quote and line feed are escaped. */
static void
quoted(struct buf *out, const char *text)
{
	buf_addch(out, '"');
	for (; *text; text++) {
		if (*text == '\n')
			buf_addstr(out, "\\n");
		else if (*text == '\\' || *text == '"')
			buf_printf(out, "\\%c", *text);
		else
			buf_addch(out, *text);
	}
	buf_addch(out, '"');
}

static void
write_process(const struct figures *fig, const struct figures_now *now,
	      struct buf *out)
{
	family(out, "info", "gauge", "The program's version; always 1.");
	buf_addstr(out, PREFIX "info{version=");
	quoted(out, SHOPVIEW_VERSION);
	buf_addstr(out, "} 1\n");
	seconds(out, "start_time_seconds",
		"When the process started, seconds since the epoch.",
		now->started_at_ms);
	seconds(out, "tick_age_seconds",
		"Age of what is shown here: time since the pipeline's last "
		"tick.",
		figures_age_ms(fig, now));
	one(out, "ready", "gauge",
	    "Whether partitions are being read and the store answers.",
	    !now->unready);
	one(out, "partitions_assigned", "gauge",
	    "Topic-partitions this process is reading.", fig->n_parts);
}

static void
write_counts(const struct figures *fig, struct buf *out)
{
	const struct core_counts *c = &fig->counts;

	one(out, "events_consumed_total", "counter",
	    "Records read from the log.", c->consumed);
	one(out, "events_skipped_total", "counter",
	    "Records of a type that no projection reads, or without a "
	    "document.",
	    c->skipped);
	one(out, "records_parked_total", "counter",
	    "Records parked, counted once per projection.", c->parked);
	one(out, "keys_strayed_total", "counter",
	    "Events of keys that came by another partition of their topic "
	    "before: producers that disagree where a key belongs break its "
	    "order.",
	    c->strayed);
	one(out, "writes_total", "counter",
	    "Document writes sent to the store.", c->writes);
	one(out, "write_conflicts_total", "counter",
	    "Writes that met another owner's and were folded again.",
	    c->conflicts);
	one(out, "writes_verified_total", "counter",
	    "Writes of unknown outcome that were read back and compared.",
	    c->verified);
	one(out, "held_records", "gauge",
	    "Records in memory because what they changed is not durable yet.",
	    fig->held_records);
	one(out, "held_bytes", "gauge", "Bytes of those records.",
	    fig->held_bytes);
	one(out, "jobs_out", "gauge", "Store calls under way.", fig->jobs_out);
}

static void
lane_sample(struct buf *out, const char *name, const struct figures_lane *lane,
	    uint64_t value)
{
	buf_printf(out, PREFIX "%s{projection=", name);
	quoted(out, lane->projection);
	buf_printf(out, "} %" PRIu64 "\n", value);
}

static void
write_lane_queues(const struct figures *fig, struct buf *out)
{
	family(out, "projection_queued_total", "counter",
	       "Of the parked: records behind another one of their key.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_queued_total", &fig->lanes[i],
			    fig->lanes[i].queued);
	family(out, "projection_retried_total", "counter",
	       "Parked records applied by a retry.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_retried_total", &fig->lanes[i],
			    fig->lanes[i].retried);
	family(out, "projection_discarded_total", "counter",
	       "Parked records given up by a person.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_discarded_total", &fig->lanes[i],
			    fig->lanes[i].discarded);
	family(out, "projection_stopped", "gauge",
	       "1: stopped by name, a person has to act.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_stopped", &fig->lanes[i],
			    fig->lanes[i].stopped);
}

static void
write_lanes(const struct figures *fig, struct buf *out)
{
	family(out, "projection_generation", "gauge",
	       "The generation this process feeds.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_generation", &fig->lanes[i],
			    (uint64_t)fig->lanes[i].generation);
	family(out, "projection_applied_total", "counter",
	       "Events that changed their document, durably.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_applied_total", &fig->lanes[i],
			    fig->lanes[i].applied);
	family(out, "projection_unchanged_total", "counter",
	       "Events that changed nothing in their document.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_unchanged_total", &fig->lanes[i],
			    fig->lanes[i].unchanged);
	family(out, "projection_repeated_total", "counter",
	       "Events that their document had applied already.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_repeated_total", &fig->lanes[i],
			    fig->lanes[i].repeated);
	family(out, "projection_parked_total", "counter",
	       "Records parked by this projection.");
	for (size_t i = 0; i < fig->n_lanes; i++)
		lane_sample(out, "projection_parked_total", &fig->lanes[i],
			    fig->lanes[i].parked);
	write_lane_queues(fig, out);
}

static void
part_labels(struct buf *out, const struct figures_part *part)
{
	buf_addstr(out, "topic=");
	quoted(out, part->topic);
	buf_printf(out, ",partition=\"%" PRId32 "\"}", part->number);
}

static void
write_parts(const struct figures *fig, struct buf *out)
{
	family(out, "partition_position", "gauge",
	       "Offset below which everything read is durable.");
	for (size_t i = 0; i < fig->n_parts; i++) {
		if (fig->parts[i].position < 0)
			continue;
		buf_addstr(out, PREFIX "partition_position{");
		part_labels(out, &fig->parts[i]);
		buf_printf(out, " %" PRId64 "\n", fig->parts[i].position);
	}
	family(out, "partition_end", "gauge",
	       "Next offset of the log, as far as it is known: what was read, "
	       "the log's word at its end, and its answer when asked, at most "
	       "every 5 s.");
	for (size_t i = 0; i < fig->n_parts; i++) {
		if (fig->parts[i].end < 0)
			continue;
		buf_addstr(out, PREFIX "partition_end{");
		part_labels(out, &fig->parts[i]);
		buf_printf(out, " %" PRId64 "\n", fig->parts[i].end);
	}
}

static void
write_open(const struct figures *fig, struct buf *out)
{
	family(out, "partition_transaction_open_seconds", "gauge",
	       "For how long an open transaction has held back all that the "
	       "log has behind partition_end; 0: none does.");
	for (size_t i = 0; i < fig->n_parts; i++) {
		buf_addstr(out, PREFIX "partition_transaction_open_seconds{");
		part_labels(out, &fig->parts[i]);
		buf_printf(out, " %" PRId64 ".%03d\n",
			   fig->parts[i].open_ms / 1000,
			   (int)(fig->parts[i].open_ms % 1000));
	}
}

static void
lag_labels(struct buf *out, const struct figures *fig,
	   const struct figures_lag *lag)
{
	buf_addstr(out, "projection=");
	quoted(out, fig->lanes[lag->lane].projection);
	buf_addch(out, ',');
	part_labels(out, &fig->parts[lag->part]);
}

static void
write_lags(const struct figures *fig, struct buf *out)
{
	family(out, "lag_events", "gauge",
	       "Offsets between a projection's stored position and "
	       "partition_end; absent without a claim.");
	for (size_t i = 0; i < fig->n_lags; i++) {
		const struct figures_lag *lag = &fig->lags[i];

		if (lag->events < 0)
			continue;
		buf_addstr(out, PREFIX "lag_events{");
		lag_labels(out, fig, lag);
		buf_printf(out, " %" PRId64 "\n", lag->events);
	}
	family(out, "lag_seconds", "gauge",
	       "0 at the end of the log, else the age of the newest record "
	       "that is durable; absent until this process made one durable.");
	for (size_t i = 0; i < fig->n_lags; i++) {
		const struct figures_lag *lag = &fig->lags[i];

		if (lag->ms < 0)
			continue;
		buf_addstr(out, PREFIX "lag_seconds{");
		lag_labels(out, fig, lag);
		buf_printf(out, " %" PRId64 ".%03d\n", lag->ms / 1000,
			   (int)(lag->ms % 1000));
	}
}

void
figures_metrics(const struct figures *fig, const struct figures_now *now,
		struct buf *out)
{
	write_process(fig, now, out);
	write_counts(fig, out);
	write_lanes(fig, out);
	write_parts(fig, out);
	write_open(fig, out);
	write_lags(fig, out);
}
