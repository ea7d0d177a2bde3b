/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive adapter: DIR/TOPIC/PARTITION.ndjson, growing files.
 *
 * SOURCE_SHARE: whoever holds the lock of a file owns the partition, until it
 * closes or dies; files held by others are tried again every second. New files
 * (and freed ones) come as SOURCE_REVOKED and SOURCE_ASSIGNED of the new set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "projector/source_archive.h"

/* Records of one partition before the next one's turn. */
#define TURN_RECORDS 256

/* ---- Records ----------------------------------------------------------- */

static void
record_free(struct record *rec)
{
	free(rec);
}

static char *
put(char *to, struct pj_str *str)
{
	if (str->ptr) {
		if (str->len)
			memcpy(to, str->ptr, str->len);
		str->ptr = to;
	}
	return to + str->len;
}

/* One allocation: record, headers, bytes. */
static struct record *
record_new(struct archive *a, struct archive_part *ap,
	   const struct archive_line *line)
{
	size_t heads = line->n_headers * sizeof(struct record_header);
	size_t bytes = line->key.len + line->value.len;
	struct record_header *head;
	struct record *rec;
	char *to;
	size_t i;

	for (i = 0; i < line->n_headers; i++)
		bytes += line->headers[i].name.len + line->headers[i].value.len;
	rec = mem_alloc(sizeof(*rec) + heads + bytes);
	head = (struct record_header *)(rec + 1);
	to = (char *)head + heads;
	*rec = (struct record){
		.partition = &ap->part,
		.offset = line->offset,
		.timestamp_ms = line->timestamp_ms,
		.assignment = a->src.assignment,
		.key_null = line->key_null,
		.value_null = line->value_null,
		.key = line->key,
		.value = line->value,
		.headers = head,
		.n_headers = line->n_headers,
		.release = record_free,
	};
	to = put(to, &rec->key);
	to = put(to, &rec->value);
	for (i = 0; i < line->n_headers; i++) {
		head[i] = line->headers[i];
		to = put(to, &head[i].name);
		to = put(to, &head[i].value);
	}
	return rec;
}

/* ---- Polling ----------------------------------------------------------- */

static void
stop_part(struct archive *a, struct archive_part *ap,
	  const struct pj_error *err)
{
	ap->stopped = true;
	source_stop(&a->src, &ap->part, err);
}

/* Up to max records of one partition; true = it was worth the turn. */
static bool
take_turn(struct archive *a, struct archive_part *ap, size_t max, size_t *n)
{
	enum archive_step step;
	struct archive_line line;
	struct pj_error err;
	size_t i;

	if (!ap->ready || ap->stopped)
		return false;
	for (i = 0; i < max; i++) {
		if (archive_tail_next(&ap->tail, a->reader, &step, &line,
				      &err)) {
			if (err.cls == PJ_ERROR_STOP)
				stop_part(a, ap, &err);
			else
				a->failed = err;
			return i > 0;
		}
		if (step == ARCHIVE_MORE)
			return true;
		if (step == ARCHIVE_END) {
			ap->ready = false;
			ap->part.end_seen = ap->tail.last + 1;
			return i > 0;
		}
		a->src.recs[(*n)++] = record_new(a, ap, &line);
	}
	return true;
}

static size_t
fill(struct archive *a, size_t max_recs, int64_t end_mono_ms)
{
	size_t n = 0, idle = 0, room;
	struct archive_part *ap;

	while (n < max_recs && idle < a->src.n_mine) {
		if (a->turn >= a->src.n_mine)
			a->turn = 0;
		ap = (struct archive_part *)a->src.mine[a->turn++];
		room = max_recs - n;
		if (take_turn(a, ap, room < TURN_RECORDS ? room : TURN_RECORDS,
			      &n))
			idle = 0;
		else
			idle++;
		if (a->failed.cls)
			break;
		/* A long way to the first wanted line: not in one poll. */
		if (n == 0 && a->turn >= a->src.n_mine &&
		    clock_mono_ms() >= end_mono_ms)
			break;
	}
	return n;
}

/* Ready partitions that have nothing to wait for. */
static bool
has_work(const struct archive *a)
{
	const struct archive_part *ap;
	size_t i;

	for (i = 0; i < a->src.n_mine; i++) {
		ap = (const struct archive_part *)a->src.mine[i];
		if (ap->ready && !ap->stopped)
			return true;
	}
	return false;
}

/* The files of an earlier set; what is given stays open. */
static void
close_others(struct archive *a)
{
	struct archive_part *ap;
	size_t i, j;

	for (i = 0; i < a->src.n_parts; i++) {
		ap = (struct archive_part *)a->src.parts[i];
		for (j = 0; j < a->src.n_mine; j++)
			if (a->src.mine[j] == &ap->part)
				break;
		if (j == a->src.n_mine && ap->open) {
			archive_tail_release(&ap->tail);
			ap->open = false;
		}
	}
}

static bool
given_dance(struct archive *a, struct source_event *ret_event)
{
	if (!source_given_dance(&a->src, ret_event))
		return false;
	if (ret_event->kind == SOURCE_ASSIGNED)
		close_others(a);
	return true;
}

static bool
dance(struct archive *a, struct source_event *ret_event)
{
	struct archive_part *ap;
	size_t i;

	if (a->src.mode == SOURCE_GIVEN)
		return given_dance(a, ret_event);
	if (a->src.state == SOURCE_LEAVING)
		return false;
	if (a->src.state != SOURCE_IDLE) {
		if (a->changed)
			source_revoke(&a->src, ret_event);
		return a->changed;
	}
	source_mine_clear(&a->src);
	for (i = 0; i < a->src.n_parts; i++) {
		ap = (struct archive_part *)a->src.parts[i];
		if (ap->open)
			source_mine_add(&a->src, &ap->part);
	}
	a->changed = false;
	source_offer(&a->src, ret_event);
	return true;
}

/* Replaced and removed files, seen at every scan. */
static int
check_files(struct archive *a, struct pj_error *err)
{
	struct archive_part *ap;
	struct pj_error why;
	size_t i;

	for (i = 0; i < a->src.n_mine; i++) {
		ap = (struct archive_part *)a->src.mine[i];
		if (ap->stopped || !archive_tail_check(&ap->tail, &why))
			continue;
		if (why.cls != PJ_ERROR_STOP) {
			*err = why;
			return -1;
		}
		stop_part(a, ap, &why);
	}
	return 0;
}

/* One look at everything: 1 = *ret_event says something, 0 = nothing yet. */
static int
look(struct archive *a, size_t max_recs, int64_t end_mono_ms,
     struct source_event *ret_event, struct pj_error *err)
{
	struct source *src = &a->src;
	size_t n = 0;

	archive_watch_take(a);
	if (a->rescan || src->given_is_new ||
	    clock_mono_ms() >= a->scan_at_mono_ms) {
		if (archive_scan(a, true, err))
			return -1;
		if (src->state == SOURCE_ACTIVE && check_files(a, err))
			return -1;
	}
	if (dance(a, ret_event) || source_tell_stop(src, ret_event))
		return 1;
	if (src->state == SOURCE_ACTIVE && !src->paused)
		n = fill(a, max_recs, end_mono_ms);
	if (n > 0) {
		*ret_event = (struct source_event){
			.kind = SOURCE_RECORDS, .recs = src->recs, .n_recs = n};
		return 1;
	}
	if (a->failed.cls) {
		*err = a->failed;
		a->failed.cls = PJ_ERROR_NONE;
		return -1;
	}
	return source_tell_stop(src, ret_event);
}

static int
archive_poll(struct source *src, int timeout_ms, size_t max_recs,
	     struct source_event *ret_event, struct pj_error *err)
{
	struct archive *a = (struct archive *)src;
	int64_t end_mono_ms = clock_mono_ms() + timeout_ms;
	int64_t left, to_scan;
	int found;

	for (;;) {
		found = look(a, max_recs, end_mono_ms, ret_event, err);
		if (found)
			return found < 0 ? -1 : 0;
		left = end_mono_ms - clock_mono_ms();
		if (left <= 0)
			break;
		/* Skipping to a start far into a file goes on at once. */
		if (src->state == SOURCE_ACTIVE && !src->paused && has_work(a))
			continue;
		to_scan = a->scan_at_mono_ms - clock_mono_ms();
		archive_watch_wait(a, left < to_scan ? left : to_scan);
	}
	*ret_event = (struct source_event){.kind = SOURCE_NOTHING};
	return 0;
}

/* ---- The rest of the port ---------------------------------------------- */

static int
archive_assign(struct source *src, const struct source_position *positions,
	       size_t n, struct pj_error *err)
{
	struct archive_part *ap;
	size_t i;

	(void)err;
	for (i = 0; i < n; i++) {
		ap = (struct archive_part *)positions[i].partition;
		archive_tail_seek(&ap->tail, positions[i].next);
		ap->ready = true;
		ap->stopped = false;
	}
	/* A file that was replaced is so still. */
	((struct archive *)src)->rescan = true;
	return 0;
}

static int
archive_unassign(struct source *src, struct pj_error *err)
{
	(void)src;
	(void)err;
	return 0; /* the locks stay: what was ours is in the next set too */
}

static int
archive_pause(struct source *src, bool paused, struct pj_error *err)
{
	(void)src;
	(void)paused;
	(void)err;
	return 0; /* look() reads src->paused */
}

static int
archive_watermarks(struct source *src, const struct partition *part,
		   int timeout_ms, int64_t *ret_low, int64_t *ret_high,
		   struct pj_error *err)
{
	const struct archive_part *ap = (const struct archive_part *)part;

	(void)src;
	(void)timeout_ms;
	return archive_bounds(ap->path, part, ret_low, ret_high, err);
}

static int
archive_discover(struct source *src, int timeout_ms, struct pj_error *err)
{
	(void)timeout_ms;
	return archive_scan((struct archive *)src, false, err);
}

/* A file keeps everything there ever was; one cut short is a stop. */
static int
archive_describe(struct source *src, int timeout_ms, struct pj_error *err)
{
	struct source_topic *topic;
	size_t i;

	(void)timeout_ms;
	for (i = 0; i < src->n_topics; i++) {
		topic = &src->described[i];
		topic->compacted = topic->unclean = SOURCE_NO;
		topic->retention_ms = -1;
		if (archive_count((struct archive *)src, topic->name,
				  &topic->n_partitions, err))
			return -1;
	}
	return 0;
}

static void
archive_mirror(struct source *src, const struct source_position *positions,
	       size_t n)
{
	(void)src;
	(void)positions;
	(void)n;
}

static void
archive_close(struct source *src)
{
	struct archive *a = (struct archive *)src;
	struct archive_part *ap;
	size_t i;

	for (i = 0; i < src->n_parts; i++) {
		ap = (struct archive_part *)src->parts[i];
		if (ap->open)
			archive_tail_release(&ap->tail); /* and its lock */
		free(ap->path);
	}
	if (a->inotify_fd >= 0)
		(void)close(a->inotify_fd);
	archive_reader_free(a->reader);
	free(a->dir);
	source_release(src);
	free(a);
}

static const struct source_ops archive_ops = {
	.close = archive_close,
	.poll = archive_poll,
	.assign = archive_assign,
	.unassign = archive_unassign,
	.pause = archive_pause,
	.watermarks = archive_watermarks,
	.discover = archive_discover,
	.describe = archive_describe,
	.mirror = archive_mirror,
};

static int
check_dir(const char *dir, struct pj_error *err)
{
	struct stat st;

	if (!dir || !dir[0])
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "source.dir is empty");
	if (stat(dir, &st))
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "archive directory %.200s: %s", dir,
				    strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "archive directory %.200s: %s", dir,
				    strerror(ENOTDIR));
	return 0;
}

int
source_archive_open(const struct source_settings *settings,
		    enum source_mode mode, const char *const *topics,
		    size_t n_topics, struct source **ret_source,
		    struct pj_error *err)
{
	struct archive *a;

	if (check_dir(settings->dir, err))
		return -1;
	a = mem_calloc(1, sizeof(*a));
	source_init(&a->src, &archive_ops, mode, sizeof(struct archive_part),
		    topics, n_topics);
	a->dir = mem_strdup(settings->dir);
	a->reader = archive_reader_new();
	archive_watch_start(a);
	*ret_source = &a->src;
	return 0;
}
