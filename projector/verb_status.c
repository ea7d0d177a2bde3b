/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector status [--json]: how far every generation is on every partition.
 * position = next offset to apply, end = next offset of the log. lag_seconds:
 * age of the newest applied record while there is something left to apply.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "projector/host.h"
#include "projector/parked_list.h"
#include "projector/verbs.h"

enum { ASK_MS = 5000 };

struct status {
	const struct host *host;
	struct store_session *ses; /* NULL: there is no store yet */
	struct source *source;
	struct partition **parts;
	size_t n_parts;
	struct store_source_row *sources;
	size_t n_sources;
	bool json;
};

struct row {
	const struct store_generation *gen;
	bool live;
	int64_t parked;
	const struct partition *part;
	int64_t position, end, lag, lag_seconds;
};

static void
print_row(const struct row *r, bool json)
{
	struct buf topic = BUF_INIT;

	if (!json) {
		printf("%-16s %4" PRId32 " %-4s %-16s %4" PRId32 " %12" PRId64
		       " %12" PRId64 " %10" PRId64 " %8" PRId64 " %8" PRId64
		       "\n",
		       r->gen->projection, r->gen->number, r->live ? "yes" : "",
		       r->part->topic, r->part->number, r->position, r->end,
		       r->lag, r->lag_seconds, r->parked);
		return;
	}
	bsonjson_string(&topic, r->part->topic, strlen(r->part->topic));
	printf("{\"projection\":\"%s\",\"generation\":%" PRId32
	       ",\"live\":%s,\"topic\":%s,\"partition\":%" PRId32
	       ",\"position\":%" PRId64 ",\"end\":%" PRId64 ",\"lag\":%" PRId64
	       ",\"lag_seconds\":%" PRId64 ",\"parked\":%" PRId64 "}\n",
	       r->gen->projection, r->gen->number, r->live ? "true" : "false",
	       topic.data, r->part->number, r->position, r->end, r->lag,
	       r->lag_seconds, r->parked);
	buf_release(&topic);
}

static int32_t
source_index(const struct status *s, const struct partition *part)
{
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].partition == part->number &&
		    strcmp(s->sources[i].topic, part->topic) == 0)
			return s->sources[i].index;
	return -1;
}

static int
status_partition(const struct status *s, struct row *r,
		 const struct store_checkpoint *rows, size_t n,
		 struct pj_error *err)
{
	int32_t index = source_index(s, r->part);
	int64_t low, newest = -1;

	if (source_watermarks(s->source, r->part, ASK_MS, &low, &r->end, err))
		return -1;
	r->position = low;
	for (size_t i = 0; i < n; i++)
		if (rows[i].source == index && rows[i].next > low) {
			r->position = rows[i].next;
			newest = rows[i].anchor_timestamp_ms;
		}
	r->lag = r->end > r->position ? r->end - r->position : 0;
	r->lag_seconds = 0;
	if (r->lag && newest >= 0)
		r->lag_seconds = (clock_wall_ms() - newest) / 1000;
	if (r->lag_seconds < 0)
		r->lag_seconds = 0;
	print_row(r, s->json);
	return 0;
}

static const struct module *
find_module(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->n_modules; i++)
		if (strcmp(host->modules[i]->desc->name, name) == 0)
			return host->modules[i];
	return NULL;
}

static int
status_generation(const struct status *s, const struct store_generation *gen,
		  bool live, struct pj_error *err)
{
	const struct module *mod = find_module(s->host, gen->projection);
	char id[READMODEL_GENERATION_ID_MAX];
	struct store_checkpoint *rows;
	struct row r = {.gen = gen, .live = live};
	size_t n;
	int rc = 0;

	if (!mod || gen->state == STORE_GEN_DROPPED)
		return 0;
	readmodel_generation_id(id, gen->projection, gen->number);
	if (parked_count(s->ses, id, &r.parked, err) ||
	    store_checkpoints(s->ses, id, &rows, &n, err))
		return -1;
	for (size_t p = 0; rc == 0 && p < s->n_parts; p++) {
		r.part = s->parts[p];
		if (module_reads_topic(mod, r.part->topic))
			rc = status_partition(s, &r, rows, n, err);
	}
	free(rows);
	return rc;
}

static int
status(struct status *s, struct pj_error *err)
{
	struct store_generation *rows = NULL;
	struct store_live *live = NULL;
	size_t n = 0, n_live = 0;
	int rc = -1;

	if (s->ses && (store_generations(s->ses, &rows, &n, err) ||
		       store_live(s->ses, &live, &n_live, err) ||
		       store_sources(s->ses, &s->sources, &s->n_sources, err)))
		goto out;
	if (source_partitions(s->source, ASK_MS, &s->parts, &s->n_parts, err))
		goto out;
	if (!s->json)
		printf("%-16s %4s %-4s %-16s %4s %12s %12s %10s %8s %8s\n",
		       "PROJECTION", "GEN", "LIVE", "TOPIC", "PART", "POSITION",
		       "END", "LAG", "LAG_S", "PARKED");
	rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = status_generation(s, &rows[i],
				       store_is_live(live, n_live, &rows[i]),
				       err);
out:
	store_generations_free(rows, n);
	free(live);
	free(s->sources);
	return rc;
}

int
verb_status(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct host host;
	struct store *store = NULL;
	struct status s;

	memset(&s, 0, sizeof(s));
	s.host = &host;
	s.json = cli_has(args, "--json");
	if (host_open(args, &host, &err))
		return host_exit(&err);
	if (host_load_modules(&host, NULL, &err) == 0 &&
	    (!host_has_store(&host) ||
	     host_open_store(&host, true, &store, &s.ses, &err) == 0) &&
	    host_open_source(&host, SOURCE_ALL, &s.source, &err) == 0)
		(void)status(&s, &err);
	source_close(s.source);
	store_session_close(s.ses);
	store_close(store);
	host_close(&host);
	return host_exit(&err);
}
