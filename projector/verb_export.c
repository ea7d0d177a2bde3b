/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector export TOPIC... --to DIR: the topics as an archive, from the first
 * record to the end of the log as it was when the export began; a partition
 * that was added later is no part of it. Nothing is overwritten: a file that
 * exists already is an error.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "projector/archive_line.h"
#include "projector/host.h"
#include "projector/stop.h"
#include "projector/verbs.h"

enum { ASK_MS = 10000, POLL_MS = 200, POLL_RECORDS = 2000 };

struct out {
	struct partition *part;
	FILE *file;
	char *path;
	int64_t end;  /* next offset of the log when we began */
	int64_t next; /* written up to */
	uint64_t n;   /* lines */
};

struct export
{
	struct source *source;
	struct archive_reader *reader;
	struct out *outs;
	size_t n_outs;
};

static int
make_directory(const char *path, struct pj_error *err)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		return pj_error_set(err, PJ_ERROR_FATAL, "%s: %s", path,
				    strerror(errno));
	return 0;
}

/* A new topic has partitions before their leaders know of it. */
static int
ask_ends(struct out *out, struct source *source, struct pj_error *err)
{
	int rc;

	do {
		rc = source_watermarks(source, out->part, ASK_MS, &out->next,
				       &out->end, err);
	} while (rc && host_waits(err));
	return rc;
}

static int
open_out(struct out *out, struct source *source, const char *dir,
	 struct pj_error *err)
{
	char *topic_dir = mem_printf("%s/%s", dir, out->part->topic);
	int rc = make_directory(topic_dir, err);

	out->path = mem_printf("%s/%" PRId32 ".ndjson", topic_dir,
			       out->part->number);
	free(topic_dir);
	if (rc || ask_ends(out, source, err))
		return -1;
	out->file = fopen(out->path, "wx");
	if (!out->file)
		return pj_error_set(err, PJ_ERROR_FATAL, "%s: %s", out->path,
				    strerror(errno));
	return 0;
}

static int
open_outs(struct export *x, const struct source_event *event, const char *dir,
	  struct pj_error *err)
{
	int rc = make_directory(dir, err);

	x->outs = mem_calloc(event->n_partitions, sizeof(*x->outs));
	for (size_t i = 0; rc == 0 && i < event->n_partitions; i++) {
		x->outs[i].part = event->partitions[i];
		event->partitions[i]->pipeline = &x->outs[i];
		x->n_outs++;
		rc = open_out(&x->outs[i], x->source, dir, err);
	}
	return rc;
}

/* Each file goes on where it is. Partitions that were added have none. */
static int
assign_all(struct export *x, const struct source_event *event,
	   struct pj_error *err)
{
	size_t n = event->n_partitions;
	struct source_position *at = mem_calloc(n, sizeof(*at));
	uint32_t assignment;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct out *out = event->partitions[i]->pipeline;

		at[i].partition = event->partitions[i];
		at[i].next = out && out->n ? out->next : -1;
	}
	rc = source_assign(x->source, at, n, &assignment, err);
	free(at);
	return rc;
}

static int
write_record(struct export *x, struct record *rec, struct pj_error *err)
{
	struct out *out = rec->partition->pipeline;
	struct buf line = BUF_INIT;
	int rc = 0;

	if (out && rec->offset < out->end) {
		archive_line_write(&line, x->reader, rec);
		if (fwrite(line.data, 1, line.len, out->file) != line.len)
			rc = pj_error_set(err, PJ_ERROR_FATAL, "%s: %s",
					  out->path, strerror(errno));
		out->next = rec->offset + 1;
		out->n++;
		buf_release(&line);
	} else if (out) {
		out->next = out->end;
	}
	record_release(rec);
	return rc;
}

static bool
all_written(const struct export *x)
{
	for (size_t i = 0; i < x->n_outs; i++)
		if (x->outs[i].next < x->outs[i].end &&
		    x->outs[i].part->end_seen < x->outs[i].end)
			return false;
	return true;
}

static int
write_records(struct export *x, const struct source_event *event,
	      struct pj_error *err)
{
	for (size_t i = 0; i < event->n_recs; i++)
		if (write_record(x, event->recs[i], err))
			return -1;
	return 0;
}

static int
take_event(struct export *x, const struct source_event *event, const char *dir,
	   struct pj_error *err)
{
	switch (event->kind) {
	case SOURCE_ASSIGNED:
		if (!x->outs && open_outs(x, event, dir, err))
			return -1;
		return assign_all(x, event, err);
	case SOURCE_REVOKED: /* partitions were added */
		return source_unassign(x->source, err);
	case SOURCE_RECORDS:
		return write_records(x, event, err);
	case SOURCE_STOPPED:
		if (!event->stopped->pipeline)
			return 0;
		*err = event->why;
		return -1;
	case SOURCE_NOTHING:
		break;
	}
	return 0;
}

static int
export_loop(struct export *x, const char *dir, struct pj_error *err)
{
	struct source_event event;

	while (!stop_requested && !(x->outs && all_written(x))) {
		if (source_poll(x->source, POLL_MS, POLL_RECORDS, &event,
				err)) {
			if (!host_waits(err) && !stop_requested)
				return -1;
			continue;
		}
		if (take_event(x, &event, dir, err))
			return -1;
	}
	if (stop_requested)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "export: stopped before the end");
	return 0;
}

static int
close_outs(struct export *x, int rc, struct pj_error *err)
{
	for (size_t i = 0; i < x->n_outs; i++) {
		struct out *out = &x->outs[i];

		if (out->file && fclose(out->file) && rc == 0)
			rc = pj_error_set(err, PJ_ERROR_FATAL, "%s: %s",
					  out->path, strerror(errno));
		if (rc == 0)
			printf("%s %" PRIu64 " records\n", out->path, out->n);
		free(out->path);
	}
	free(x->outs);
	return rc;
}

int
verb_export(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	const char *dir = cli_value(args, "--to");
	struct export x;
	struct host host;
	int rc = -1;

	if (!dir) {
		fprintf(stderr, "projector export: --to DIR is missing\n");
		return CLI_USAGE;
	}
	memset(&x, 0, sizeof(x));
	if (host_open(args, &host, &err))
		return host_exit(&err);
	x.reader = archive_reader_new();
	if (stop_install(CLI_FATAL, &err) == 0 &&
	    host_open_source_topics(&host, SOURCE_ALL, args->positional,
				    args->n_positional, &x.source, &err) == 0)
		rc = close_outs(&x, export_loop(&x, dir, &err), &err);
	archive_reader_free(x.reader);
	source_close(x.source);
	host_close(&host);
	return rc == 0 ? CLI_DONE : host_exit(&err);
}
