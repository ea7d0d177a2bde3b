/* SPDX-License-Identifier: Apache-2.0 */
/* Directories, locks and wake-ups. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "projector/source_archive.h"

/* ---- Wake-ups ---------------------------------------------------------- */

#define WATCHED                                                                \
	(IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM |     \
	 IN_ATTRIB)

/*
 * Without inotify (none left, or a file system that has none) a look every
 * ARCHIVE_LOOK_MS does the same, slower.
 */
static void
watch(struct archive *a, const char *path)
{
	if (a->inotify_fd < 0)
		return;
	/* Watching what is watched already changes nothing. */
	if (inotify_add_watch(a->inotify_fd, path, WATCHED) < 0 &&
	    errno != ENOENT && errno != ENOTDIR) {
		(void)close(a->inotify_fd);
		a->inotify_fd = -1;
	}
}

void
archive_watch_start(struct archive *a)
{
	a->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch(a, a->dir);
}

static void
all_ready(struct archive *a)
{
	size_t i;

	for (i = 0; i < a->src.n_parts; i++)
		((struct archive_part *)a->src.parts[i])->ready = true;
}

void
archive_watch_take(struct archive *a)
{
	char events[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *ev;
	ssize_t n, at;

	if (a->inotify_fd < 0) {
		all_ready(a);
		return;
	}
	while ((n = read(a->inotify_fd, events, sizeof(events))) > 0) {
		all_ready(a);
		for (at = 0; at < n;) {
			ev = (const struct inotify_event *)(events + at);
			if (ev->mask & ~(uint32_t)IN_MODIFY)
				a->rescan = true;
			at += (ssize_t)sizeof(*ev) + (ssize_t)ev->len;
		}
	}
}

void
archive_watch_wait(struct archive *a, int64_t timeout_ms)
{
	struct pollfd pfd = {.fd = a->inotify_fd, .events = POLLIN};

	/* poll() ignores a negative descriptor and only sleeps. */
	if (a->inotify_fd < 0 && timeout_ms > ARCHIVE_LOOK_MS)
		timeout_ms = ARCHIVE_LOOK_MS;
	if (timeout_ms > 0)
		(void)poll(&pfd, 1, (int)timeout_ms);
}

/* ---- Files ------------------------------------------------------------- */

static int
opened_wrong(const char *path, const char *verb, struct pj_error *err)
{
	return pj_error_set(err, PJ_ERROR_FATAL, "%.200s: %s: %s", path, verb,
			    strerror(errno));
}

/* 0 also when somebody else has it. */
static int
open_part(struct archive *a, struct archive_part *ap, struct pj_error *err)
{
	int fd = open(ap->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return opened_wrong(ap->path, "open", err);
	if (a->src.mode == SOURCE_SHARE && flock(fd, LOCK_EX | LOCK_NB)) {
		int code = errno;

		(void)close(fd);
		errno = code;
		return code == EWOULDBLOCK
			       ? 0
			       : opened_wrong(ap->path, "lock", err);
	}
	archive_tail_init(&ap->tail, &ap->part, ap->path, fd);
	ap->open = ap->ready = true;
	a->changed = true;
	return 0;
}

/* "12.ndjson" → 12; else -1. Other names are not ours to judge. */
static int32_t
partition_number(const char *name)
{
	char *end;
	long number;

	if (name[0] < '0' || name[0] > '9' ||
	    (name[0] == '0' && name[1] != '.'))
		return -1;
	errno = 0;
	number = strtol(name, &end, 10);
	if (errno || number > INT32_MAX || strcmp(end, ".ndjson") != 0)
		return -1;
	return (int32_t)number;
}

/* "0.ndjson.gz" alone: nobody meant an archive without that partition. */
static int
refuse_compressed(const char *dir, const char *name, struct pj_error *err)
{
	size_t len = strlen(name);
	char *path;
	bool alone;

	if (len <= 10 || strcmp(name + len - 10, ".ndjson.gz") != 0)
		return 0;
	path = mem_printf("%s/%.*s", dir, (int)(len - 3), name);
	alone = access(path, F_OK) != 0;
	free(path);
	if (!alone)
		return 0;
	return pj_error_set(err, PJ_ERROR_CONFIG,
			    "%.200s/%.60s is compressed: gunzip it first", dir,
			    name);
}

static int
scan_topic(struct archive *a, const char *topic, bool open_them,
	   struct pj_error *err)
{
	char *path = mem_printf("%s/%s", a->dir, topic);
	struct archive_part *ap;
	struct dirent *entry;
	int32_t number;
	int status = 0;
	DIR *dir;

	/* Watched before it is read: what comes later wakes us. */
	watch(a, path);
	dir = opendir(path);
	if (!dir && errno != ENOENT && errno != ENOTDIR)
		status = opened_wrong(path, "open", err);
	while (dir && status == 0 && (entry = readdir(dir))) {
		number = partition_number(entry->d_name);
		if (number < 0) {
			if (a->scan_at_mono_ms == 0)
				status = refuse_compressed(path, entry->d_name,
							   err);
			continue;
		}
		ap = (struct archive_part *)source_partition(&a->src, topic,
							     number);
		if (!ap->path)
			ap->path = mem_printf("%s/%s", path, entry->d_name);
		if (open_them && !ap->open)
			status = open_part(a, ap, err);
	}
	if (dir)
		(void)closedir(dir);
	free(path);
	return status;
}

int
archive_count(struct archive *a, const char *topic, int32_t *ret_n,
	      struct pj_error *err)
{
	char *path = mem_printf("%s/%s", a->dir, topic);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int status = 0;
	int32_t n = 0;

	if (!dir && errno != ENOENT && errno != ENOTDIR)
		status = opened_wrong(path, "open", err);
	while (dir && (entry = readdir(dir)))
		n += partition_number(entry->d_name) >= 0;
	if (dir)
		(void)closedir(dir);
	free(path);
	if (status == 0)
		*ret_n = n;
	return status;
}

/* SOURCE_GIVEN: only what was named, which somebody else has the lock of. */
static int
open_given(struct archive *a, struct pj_error *err)
{
	struct archive_part *ap;
	char *path;
	size_t i;

	for (i = 0; i < a->src.n_given; i++) {
		ap = (struct archive_part *)a->src.given[i];
		path = mem_printf("%s/%s", a->dir, ap->part.topic);
		watch(a, path);
		if (!ap->path)
			ap->path = mem_printf("%s/%d.ndjson", path,
					      (int)ap->part.number);
		free(path);
		if (!ap->open && open_part(a, ap, err))
			return -1;
		if (!ap->open)
			return pj_error_set(err, PJ_ERROR_RETRY,
					    "archive %.200s is not there",
					    ap->path);
	}
	return 0;
}

static int
scan_topics(struct archive *a, bool open_them, struct pj_error *err)
{
	size_t i;

	for (i = 0; i < a->src.n_topics; i++)
		if (scan_topic(a, a->src.topics[i], open_them, err))
			return -1;
	return 0;
}

int
archive_scan(struct archive *a, bool open_them, struct pj_error *err)
{
	if (open_them && a->src.mode == SOURCE_GIVEN) {
		if (open_given(a, err))
			return -1;
	} else if (scan_topics(a, open_them, err)) {
		return -1;
	}
	if (open_them) {
		a->rescan = false;
		a->scan_at_mono_ms = clock_mono_ms() + ARCHIVE_SCAN_MS;
	}
	return 0;
}
