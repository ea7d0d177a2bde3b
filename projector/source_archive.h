/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive adapter's own; for source_archive*.c only.
 *
 *	source_archive.c       open, close, poll, assign
 *	source_archive_scan.c  directories, locks, wake-ups
 *	source_archive_tail.c  one growing file, read line by line
 */
#ifndef PROJECTOR_SOURCE_ARCHIVE_H
#define PROJECTOR_SOURCE_ARCHIVE_H

#include <sys/types.h>

#include "projector/archive_line.h"
#include "projector/source_impl.h"

/* ---- One growing file -------------------------------------------------- */

struct archive_mark {
	int64_t offset; /* of the line that begins at pos */
	off_t pos;
};

/*
 * Invariant: `last` is the offset of the line that ends at position
 * pos + start, -1 at the beginning of the file (or before a mark: one less
 * than the mark's); every line before it was whole and in order.
 */
struct archive_tail {
	const char *path; /* borrowed */
	const struct partition *part;
	int fd;
	dev_t dev;
	ino_t ino;
	int64_t next; /* lowest offset still wanted; -1 = first */
	int64_t last;
	char *data; /* file bytes from pos on, `len` of them */
	size_t len, cap;
	size_t start;	/* where the next line begins in data */
	size_t scanned; /* no newline in data[start..scanned) */
	off_t pos;
	off_t read_to;		    /* end of the farthest line read so far */
	struct archive_mark *marks; /* sparse: offset → position */
	size_t n_marks, cap_marks;
};

enum archive_step {
	ARCHIVE_LINE, /* a line at or above `next` */
	ARCHIVE_END,  /* no whole line more, as of now */
	ARCHIVE_MORE, /* went through some lines below `next`; call again */
};

/* Takes the descriptor over. */
void
archive_tail_init(struct archive_tail *tail, const struct partition *part,
		  const char *path, int fd);
void
archive_tail_release(struct archive_tail *tail);
void
archive_tail_seek(struct archive_tail *tail, int64_t next);
/*
 * The line borrows from the tail and the reader until the next call. Errors:
 * STOP (shrunk, unreadable, out of order, start outside the file), FATAL (I/O).
 */
int
archive_tail_next(struct archive_tail *tail, struct archive_reader *reader,
		  enum archive_step *ret_step, struct archive_line *ret_line,
		  struct pj_error *err);
/* Still the file it was? STOP when it was replaced, removed or cut. */
int
archive_tail_check(const struct archive_tail *tail, struct pj_error *err);
/* First offset and one past the last, of the file as it is now. */
int
archive_bounds(const char *path, const struct partition *part, int64_t *ret_low,
	       int64_t *ret_high, struct pj_error *err);

/* ---- The adapter ------------------------------------------------------- */

struct archive_part {
	struct partition part; /* first */
	char *path;	       /* NULL: file not found so far */
	bool open;	       /* ours: tail.fd is open (and locked) */
	bool ready;	       /* there may be lines not read yet */
	bool stopped;
	struct archive_tail tail;
};

struct archive {
	struct source src; /* first */
	char *dir;
	struct archive_reader *reader;
	int inotify_fd; /* -1: look every ARCHIVE_LOOK_MS instead */
	bool changed;	/* the open set differs from the one handed out */
	bool rescan;
	int64_t scan_at_mono_ms;
	size_t turn;		/* whose turn it is in the round robin */
	struct pj_error failed; /* cls NONE: none */
};

#define ARCHIVE_LOOK_MS 50
#define ARCHIVE_SCAN_MS 1000

void
archive_watch_start(struct archive *a);
/* Takes what the kernel told: marks files ready, asks for a scan. */
void
archive_watch_take(struct archive *a);
/* Sleeps until something may have changed, timeout_ms at most. */
void
archive_watch_wait(struct archive *a, int64_t timeout_ms);
/*
 * Finds partition files; opens (SOURCE_SHARE: and locks) those that are not
 * ours yet. open_them false: only makes them known, for source_partitions().
 * SOURCE_GIVEN opens what was given, and says RETRY while a file is missing.
 */
int
archive_scan(struct archive *a, bool open_them, struct pj_error *err);
/* How many files of the topic there are. */
int
archive_count(struct archive *a, const char *topic, int32_t *ret_n,
	      struct pj_error *err);

#endif
