/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/figures.h"

#include <inttypes.h>
#include <string.h>

#include "lib/bsonjson.h"

static void
text(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\":", name);
	bsonjson_string(out, value, strlen(value));
	buf_addch(out, ',');
}

/* A number, or null when it is not known. */
static void
number(struct buf *out, const char *name, int64_t value)
{
	if (value < 0)
		buf_printf(out, "\"%s\":null,", name);
	else
		buf_printf(out, "\"%s\":%" PRId64 ",", name, value);
}

static void
count(struct buf *out, const char *name, uint64_t value)
{
	buf_printf(out, "\"%s\":%" PRIu64 ",", name, value);
}

/* Ends an object or array: its last comma becomes the bracket. */
static void
end(struct buf *out, char bracket)
{
	if (out->data[out->len - 1] == ',')
		out->data[out->len - 1] = bracket;
	else
		buf_addch(out, bracket);
}

/* All partitions of a lane; unknown when one of them is. */
static void
lane_lag(const struct figures *fig, size_t lane, struct buf *out)
{
	int64_t events = 0, ms = 0;
	bool any = false;

	for (size_t i = 0; i < fig->n_lags; i++) {
		const struct figures_lag *lag = &fig->lags[i];

		if (lag->lane != lane)
			continue;
		any = true;
		events = events < 0 || lag->events < 0 ? -1
						       : events + lag->events;
		if (ms >= 0 && (lag->ms < 0 || lag->ms > ms))
			ms = lag->ms;
	}
	/* The second reader has just begun and said nothing so far. */
	if (!fig->reading || (fig->lanes[lane].elsewhere && !any))
		events = ms = -1;
	number(out, "lag", events);
	number(out, "lag_ms", ms);
}

static void
write_lanes(const struct figures *fig, struct buf *out)
{
	buf_addstr(out, "\"projections\":[");
	for (size_t i = 0; i < fig->n_lanes; i++) {
		const struct figures_lane *lane = &fig->lanes[i];

		buf_addch(out, '{');
		text(out, "projection", lane->projection);
		number(out, "generation", lane->generation);
		count(out, "applied", lane->applied);
		count(out, "unchanged", lane->unchanged);
		count(out, "repeated", lane->repeated);
		count(out, "parked", lane->parked);
		count(out, "queued", lane->queued);
		count(out, "retried", lane->retried);
		count(out, "discarded", lane->discarded);
		buf_printf(out, "\"stopped\":%s,",
			   lane->stopped ? "true" : "false");
		lane_lag(fig, i, out);
		end(out, '}');
		buf_addch(out, ',');
	}
	end(out, ']');
}

static void
write_part(const struct figures *fig, size_t p, struct buf *out)
{
	const struct figures_part *part = &fig->parts[p];

	buf_addch(out, '{');
	text(out, "topic", part->topic);
	number(out, "partition", part->number);
	number(out, "position", part->position);
	number(out, "end", part->end);
	buf_addstr(out, "\"projections\":[");
	for (size_t i = 0; i < fig->n_lags; i++) {
		const struct figures_lag *lag = &fig->lags[i];

		if (lag->part != p)
			continue;
		buf_addch(out, '{');
		text(out, "projection", fig->lanes[lag->lane].projection);
		number(out, "position", lag->position);
		number(out, "lag", lag->events);
		number(out, "lag_ms", lag->ms);
		end(out, '}');
		buf_addch(out, ',');
	}
	end(out, ']');
	buf_addch(out, '}');
}

void
figures_json(const struct figures *fig, const struct figures_now *now,
	     struct buf *out)
{
	const struct core_counts *c = &fig->counts;

	buf_addch(out, '{');
	text(out, "version", SHOPVIEW_VERSION);
	number(out, "uptime_ms", now->mono_ms - now->started_mono_ms);
	buf_printf(out, "\"ready\":%s,", now->unready ? "false" : "true");
	if (now->unready)
		text(out, "reason", now->unready);
	/* When the figures were taken, on a clock that only counts up. */
	number(out, "taken_mono_ms", fig->taken_mono_ms);
	number(out, "tick_age_ms", figures_age_ms(fig, now));
	count(out, "consumed", c->consumed);
	count(out, "skipped", c->skipped);
	count(out, "parked", c->parked);
	count(out, "writes", c->writes);
	count(out, "conflicts", c->conflicts);
	count(out, "verified", c->verified);
	count(out, "held_records", fig->held_records);
	count(out, "held_bytes", fig->held_bytes);
	count(out, "jobs_out", fig->jobs_out);
	write_lanes(fig, out);
	buf_addstr(out, ",\"partitions\":[");
	for (size_t p = 0; p < fig->n_parts; p++) {
		write_part(fig, p, out);
		buf_addch(out, ',');
	}
	end(out, ']');
	buf_addstr(out, "}\n");
}
