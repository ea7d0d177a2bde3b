/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "projector/source_archive.h"

/* Bytes per read; also the least distance between two marks. */
#define CHUNK (256 * 1024)
/* A longer line is no record: Kafka's own limits are far below. */
#define LINE_MAX_BYTES (64 * 1024 * 1024)

static int
stop_at(const struct partition *part, int64_t pos, const char *what,
	struct pj_error *err)
{
	return pj_error_set(
		err, PJ_ERROR_STOP, "archive %.100s/%d.ndjson, byte %lld: %s",
		part->topic, (int)part->number, (long long)pos, what);
}

static int
io_error(const char *path, const char *verb, struct pj_error *err)
{
	return pj_error_set(err, PJ_ERROR_FATAL, "%.200s: %s: %s", path, verb,
			    strerror(errno));
}

void
archive_tail_init(struct archive_tail *tail, const struct partition *part,
		  const char *path, int fd)
{
	struct stat st = {0};

	(void)fstat(fd, &st);
	*tail = (struct archive_tail){.path = path,
				      .part = part,
				      .fd = fd,
				      .dev = st.st_dev,
				      .ino = st.st_ino,
				      .next = -1,
				      .last = -1};
}

void
archive_tail_release(struct archive_tail *tail)
{
	if (tail->fd >= 0)
		(void)close(tail->fd);
	free(tail->data);
	free(tail->marks);
	tail->fd = -1;
	tail->data = NULL;
	tail->marks = NULL;
}

void
archive_tail_seek(struct archive_tail *tail, int64_t next)
{
	size_t lo = 0, hi = tail->n_marks, mid;

	/* The last mark at or below `next`. */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (tail->marks[mid].offset <= next)
			lo = mid + 1;
		else
			hi = mid;
	}
	tail->next = next;
	tail->pos = lo > 0 ? tail->marks[lo - 1].pos : 0;
	tail->last = tail->pos > 0 ? tail->marks[lo - 1].offset - 1 : -1;
	tail->len = tail->start = tail->scanned = 0;
}

/* Half a line may go again; whole ones that were read may not. */
static int
cut_off(const struct archive_tail *tail, struct pj_error *err)
{
	return stop_at(tail->part, tail->read_to,
		       "the file was cut off before this place, up to which it "
		       "was read; restore it or rebuild the projection",
		       err);
}

/* Reads on; *ret_n 0 = nothing there now. */
static int
fill(struct archive_tail *tail, size_t *ret_n, struct pj_error *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(tail->fd, &st))
		return io_error(tail->path, "fstat", err);
	if (st.st_size < tail->read_to)
		return cut_off(tail, err);
	if (tail->start > 0) {
		tail->len -= tail->start;
		memmove(tail->data, tail->data + tail->start, tail->len);
		tail->pos += (off_t)tail->start;
		tail->scanned -= tail->start;
		tail->start = 0;
	}
	if (tail->len > LINE_MAX_BYTES)
		return stop_at(tail->part, tail->pos,
			       "the line is longer than 64 MiB", err);
	/* The rest of a half line is read afresh: it may have been redone. */
	tail->len = tail->scanned = 0;
	if (tail->cap == 0) {
		tail->cap = CHUNK;
		tail->data = mem_alloc(tail->cap);
	}
	for (;;) {
		n = pread(tail->fd, tail->data, tail->cap, tail->pos);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_error(tail->path, "read", err);
		tail->len = (size_t)n;
		if (memchr(tail->data, '\n', tail->len) ||
		    tail->len < tail->cap || tail->cap > LINE_MAX_BYTES)
			break;
		tail->cap *= 2;
		tail->data = mem_realloc(tail->data, tail->cap);
	}
	*ret_n = tail->len;
	return 0;
}

/* The next whole line in data, or NULL. */
static char *
line_end(struct archive_tail *tail)
{
	char *nl = NULL;

	if (tail->scanned < tail->len)
		nl = memchr(tail->data + tail->scanned, '\n',
			    tail->len - tail->scanned);
	if (!nl)
		tail->scanned = tail->len;
	return nl;
}

static void
mark(struct archive_tail *tail, int64_t offset, off_t pos)
{
	size_t n = tail->n_marks;

	if (n > 0 && pos < tail->marks[n - 1].pos + CHUNK)
		return;
	MEM_GROW(tail->marks, tail->n_marks, tail->cap_marks);
	tail->marks[tail->n_marks++] = (struct archive_mark){offset, pos};
}

/* A line that belongs here, in order. */
static int
check_line(const struct partition *part, const struct archive_line *line,
	   int64_t last, off_t pos, struct pj_error *err)
{
	if (line->partition != part->number ||
	    !str_is(line->topic, part->topic))
		return stop_at(part, pos,
			       "the line is of another topic or partition",
			       err);
	if (line->offset <= last)
		return pj_error_set(err, PJ_ERROR_STOP,
				    "archive %.100s/%d.ndjson, byte %lld: "
				    "offset %lld follows offset %lld: the file "
				    "was rewritten or damaged",
				    part->topic, (int)part->number,
				    (long long)pos, (long long)line->offset,
				    (long long)last);
	return 0;
}

static int
outside(const struct archive_tail *tail, int64_t low, int64_t high,
	struct pj_error *err)
{
	return pj_error_set(err, PJ_ERROR_STOP,
			    "%.100s/%d: offset %lld is outside the archive "
			    "(first %lld, next %lld): it was cut off, made "
			    "anew, or begins later; restore it or rebuild the "
			    "projection",
			    tail->part->topic, (int)tail->part->number,
			    (long long)tail->next, (long long)low,
			    (long long)high);
}

static int
read_line(struct archive_tail *tail, struct archive_reader *reader,
	  const char *nl, struct archive_line *line, struct pj_error *err)
{
	const char *text = tail->data + tail->start;
	off_t pos = tail->pos + (off_t)tail->start;
	struct pj_error why;

	if (archive_line_read(reader, text, (size_t)(nl - text), line, &why))
		return stop_at(tail->part, pos, why.text, err);
	if (check_line(tail->part, line, tail->last, pos, err))
		return -1;
	if (pos == 0 && tail->next >= 0 && tail->next < line->offset)
		return outside(tail, line->offset, line->offset + 1, err);
	mark(tail, line->offset, pos);
	tail->last = line->offset;
	tail->start = tail->scanned = (size_t)(nl - tail->data) + 1;
	if (tail->read_to < tail->pos + (off_t)tail->start)
		tail->read_to = tail->pos + (off_t)tail->start;
	return 0;
}

int
archive_tail_next(struct archive_tail *tail, struct archive_reader *reader,
		  enum archive_step *ret_step, struct archive_line *ret_line,
		  struct pj_error *err)
{
	struct archive_line line;
	size_t n;
	char *nl = line_end(tail);

	if (!nl) {
		if (fill(tail, &n, err))
			return -1;
		nl = line_end(tail);
	}
	if (!nl) {
		/* Everything was read: is the start in it, or right behind? */
		if (tail->next > tail->last + 1)
			return outside(
				tail, tail->n_marks ? tail->marks[0].offset : 0,
				tail->last + 1, err);
		*ret_step = ARCHIVE_END;
		return 0;
	}
	do {
		if (read_line(tail, reader, nl, &line, err))
			return -1;
		if (line.offset >= tail->next) {
			tail->next = line.offset + 1;
			*ret_line = line;
			*ret_step = ARCHIVE_LINE;
			return 0;
		}
		nl = line_end(tail);
	} while (nl);
	*ret_step = ARCHIVE_MORE;
	return 0;
}

int
archive_tail_check(const struct archive_tail *tail, struct pj_error *err)
{
	struct stat st;

	if (stat(tail->path, &st)) {
		if (errno != ENOENT && errno != ENOTDIR)
			return io_error(tail->path, "stat", err);
		return stop_at(tail->part, tail->read_to,
			       "the file was removed while it was read", err);
	}
	if (st.st_dev != tail->dev || st.st_ino != tail->ino)
		return stop_at(tail->part, tail->read_to,
			       "the file was replaced while it was read", err);
	if (st.st_size < tail->read_to)
		return cut_off(tail, err);
	return 0;
}

/* ---- Bounds ------------------------------------------------------------ */

/* Reads bytes [from, to) into *data; the caller frees it. */
static int
slurp(int fd, const char *path, off_t from, off_t to, char **ret_data,
      struct pj_error *err)
{
	size_t want = (size_t)(to - from), have = 0;
	char *data = mem_alloc(want + 1);
	ssize_t n;

	while (have < want) {
		n = pread(fd, data + have, want - have, from + (off_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(data);
			if (n == 0)
				errno = ESTALE; /* it shrank meanwhile */
			return io_error(path, "read", err);
		}
		have += (size_t)n;
	}
	*ret_data = data;
	return 0;
}

/*
 * The window [*from, *to) of the last whole line (without its newline);
 * *to == 0: there is none. Widens backward until the line is in it.
 */
static int
last_line(int fd, const char *path, off_t size, char **ret_data,
	  size_t *ret_start, size_t *ret_end, struct pj_error *err)
{
	off_t from, window = CHUNK;
	size_t end, start;
	char *data = NULL;

	for (;; window *= 2) {
		from = size > window ? size - window : 0;
		if (slurp(fd, path, from, size, &data, err))
			return -1;
		end = (size_t)(size - from);
		while (end > 0 && data[end - 1] != '\n')
			end--;
		start = end > 0 ? end - 1 : 0;
		while (start > 0 && data[start - 1] != '\n')
			start--;
		if ((start > 0 && end > 0) || from == 0)
			break;
		free(data);
		if (window > LINE_MAX_BYTES)
			return pj_error_set(err, PJ_ERROR_STOP,
					    "%.200s: the last line is longer "
					    "than 64 MiB",
					    path);
	}
	*ret_data = data;
	*ret_start = start;
	*ret_end = end > 0 ? end - 1 : 0;
	return 0;
}

static int
first_and_last(int fd, const char *path, const struct partition *part,
	       struct archive_reader *reader, int64_t *ret_low,
	       int64_t *ret_high, struct pj_error *err)
{
	struct archive_tail tail;
	struct archive_line line;
	enum archive_step step;
	struct pj_error why;
	struct stat st;
	char *data = NULL;
	size_t start = 0, end = 0;
	int status = -1;

	archive_tail_init(&tail, part, path, fd);
	if (archive_tail_next(&tail, reader, &step, &line, err))
		goto out;
	*ret_low = *ret_high = 0;
	if (step == ARCHIVE_LINE) {
		*ret_low = line.offset;
		if (fstat(fd, &st)) {
			(void)io_error(path, "fstat", err);
			goto out;
		}
		if (last_line(fd, path, st.st_size, &data, &start, &end, err))
			goto out;
		if (archive_line_read(reader, data + start, end - start, &line,
				      &why)) {
			(void)stop_at(part, st.st_size, why.text, err);
			goto out;
		}
		*ret_high = line.offset + 1;
	}
	status = 0;
out:
	free(data);
	tail.fd = -1; /* the caller's */
	archive_tail_release(&tail);
	return status;
}

int
archive_bounds(const char *path, const struct partition *part, int64_t *ret_low,
	       int64_t *ret_high, struct pj_error *err)
{
	struct archive_reader *reader;
	int64_t low, high;
	int fd, status;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return pj_error_set(err, PJ_ERROR_RETRY, "%.200s: open: %s",
				    path, strerror(errno));
	reader = archive_reader_new();
	status = first_and_last(fd, path, part, reader, &low, &high, err);
	archive_reader_free(reader);
	(void)close(fd);
	if (status)
		return -1;
	*ret_low = low;
	*ret_high = high;
	return 0;
}
