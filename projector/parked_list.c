/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/parked_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/utf8.h"
#include "projector/parked_marker.h"

/* ---- Names -------------------------------------------------------------- */

static const char BASE64[] = "base64:";

/* NUL is valid UTF-8, but no argument of a command. */
static bool
is_text(struct pj_str s)
{
	size_t prefix = sizeof(BASE64) - 1;

	if (s.len >= prefix && memcmp(s.ptr, BASE64, prefix) == 0)
		return false;
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_char(s.ptr + i, s.len - i);

		if (n == 0 || s.ptr[i] == '\0')
			return false;
		i += n;
	}
	return true;
}

void
parked_key(struct buf *out, const char *unit_type, struct pj_str unit,
	   const char *topic, int32_t partition, int64_t offset)
{
	if (strcmp(unit_type, "record") == 0) {
		buf_printf(out, "%s/%" PRId32 "@%" PRId64, topic, partition,
			   offset);
	} else if (is_text(unit)) {
		buf_add(out, unit.ptr, unit.len);
	} else {
		buf_addstr(out, BASE64);
		base64_encode(out, unit.ptr, unit.len);
	}
}

/* ---- Filters ------------------------------------------------------------ */

void
parked_filter_init(struct parked_filter *filter, const char *generation)
{
	*filter = (struct parked_filter){
		.generation = generation,
		.partition = -1,
		.since_at_ms = INT64_MIN,
		.before_at_ms = INT64_MAX,
	};
}

static bool
is_of_unit(const struct parked_filter *f, const struct store_parked *row)
{
	struct buf key = BUF_INIT;
	bool same;

	if (!f->key)
		return true;
	parked_key(&key, row->unit_type, row->unit, row->topic, row->partition,
		   row->offset);
	same = key.len == strlen(f->key) &&
	       (key.len == 0 || memcmp(key.data, f->key, key.len) == 0);
	buf_release(&key);
	return same;
}

static bool
matches(const struct parked_filter *f, const struct parked_queue *q)
{
	return (!f->cause || strstr(q->cause, f->cause)) &&
	       (!f->topic || strcmp(q->topic, f->topic) == 0) &&
	       (!f->type || strcmp(q->type, f->type) == 0) &&
	       (f->partition < 0 || q->partition == f->partition) &&
	       q->parked_at_ms >= f->since_at_ms &&
	       q->parked_at_ms < f->before_at_ms;
}

bool
parked_filter_takes(const struct parked_filter *filter,
		    const struct store_parked *row)
{
	struct parked_queue queue = {
		.topic = row->topic,
		.partition = row->partition,
		.parked_at_ms = row->parked_at_ms,
		.type = row->type,
		.cause = row->cause,
	};

	return is_of_unit(filter, row) && matches(filter, &queue);
}

/* ---- Queues out of rows -------------------------------------------------- */

/* Rows of one unit and source, of one kind: the queue, or the orphans. */
struct part {
	int64_t n, offset, parked_at_ms, tail;
	struct buf type, cause; /* of the head */
};

struct walk {
	struct store_session *ses;
	const struct parked_filter *filter;
	bool (*each)(void *arg, const struct parked_queue *queue);
	void *arg;
	struct pj_error *err;
	int rc;
	bool ended; /* each() has had enough */
	struct marker_batch markers;
	/* The unit and source whose rows are being seen. */
	struct buf unit;
	char unit_type[16];
	char topic[250];
	int32_t partition;
	bool open;
	struct part queue, orphans;
};

static void
part_add(struct part *part, const struct marker_row *row)
{
	if (part->n++ == 0) {
		part->offset = row->offset;
		part->parked_at_ms = row->parked_at_ms;
		buf_clear(&part->type);
		buf_addstr(&part->type, row->type);
		buf_clear(&part->cause);
		buf_addstr(&part->cause, row->cause);
	}
	part->tail = row->offset;
}

static void
part_release(struct part *part)
{
	buf_release(&part->type);
	buf_release(&part->cause);
}

static void
emit(struct walk *w, const struct part *part, bool orphan)
{
	struct parked_queue q = {
		.unit_type = w->unit_type,
		.unit = {w->unit.data, w->unit.len},
		.topic = w->topic,
		.partition = w->partition,
		.orphan = orphan,
		.tail = part->tail,
		.n = part->n,
		.offset = part->offset,
		.parked_at_ms = part->parked_at_ms,
		.type = part->type.data,
		.cause = part->cause.data,
	};

	if (part->n && !w->ended && matches(w->filter, &q))
		w->ended = !w->each(w->arg, &q);
}

/* The unit and source is seen to its end. */
static void
finish(struct walk *w)
{
	if (!w->open)
		return;
	emit(w, &w->queue, false);
	if (w->filter->orphans)
		emit(w, &w->orphans, true);
	w->queue.n = w->orphans.n = 0;
	w->open = false;
}

/* A lone record is a unit of its own, whatever the unit says. */
static bool
is_same_queue(const struct walk *w, const struct marker_row *row)
{
	return w->open && strcmp(row->unit_type, "record") != 0 &&
	       w->unit.len == row->unit.len &&
	       (row->unit.len == 0 ||
		memcmp(w->unit.data, row->unit.ptr, row->unit.len) == 0) &&
	       strcmp(w->unit_type, row->unit_type) == 0 &&
	       w->partition == row->partition &&
	       strcmp(w->topic, row->topic) == 0;
}

static void
take_row(void *arg, const struct marker_row *row)
{
	struct walk *w = arg;

	if (!is_same_queue(w, row)) {
		finish(w);
		w->open = true;
		buf_clear(&w->unit);
		buf_add(&w->unit, row->unit.ptr, row->unit.len);
		(void)snprintf(w->unit_type, sizeof(w->unit_type), "%s",
			       row->unit_type);
		(void)snprintf(w->topic, sizeof(w->topic), "%s", row->topic);
		w->partition = row->partition;
	}
	part_add(row->exists ? &w->queue : &w->orphans, row);
}

/* ---- The walk ------------------------------------------------------------ */

static bool
walk_row(void *arg, const struct store_parked *row)
{
	struct walk *w = arg;

	if (!is_of_unit(w->filter, row))
		return true;
	marker_batch_add(&w->markers, row);
	if (marker_batch_is_full(&w->markers))
		w->rc = marker_batch_resolve(&w->markers, w->ses, take_row, w,
					     w->err);
	return w->rc == 0 && !w->ended;
}

int
parked_list(struct store_session *ses, const struct parked_filter *filter,
	    bool (*each)(void *arg, const struct parked_queue *queue),
	    void *arg, struct pj_error *err)
{
	struct walk w = {.ses = ses, .filter = filter, .each = each};
	int rc = -1;

	w.arg = arg;
	w.err = err;
	if (marker_batch_init(&w.markers, ses, filter->generation, err))
		return -1;
	if (store_parked_scan(ses, filter->generation, walk_row, &w, err) ||
	    w.rc)
		goto out;
	if (!w.ended &&
	    marker_batch_resolve(&w.markers, ses, take_row, &w, err))
		goto out;
	finish(&w);
	rc = 0;
out:
	marker_batch_release(&w.markers);
	part_release(&w.queue);
	part_release(&w.orphans);
	buf_release(&w.unit);
	return rc;
}

static bool
count_each(void *arg, const struct parked_queue *queue)
{
	*(int64_t *)arg += queue->n;
	return true;
}

int
parked_count(struct store_session *ses, const char *generation, int64_t *ret_n,
	     struct pj_error *err)
{
	struct parked_filter filter;
	int64_t n = 0;

	parked_filter_init(&filter, generation);
	if (parked_list(ses, &filter, count_each, &n, err))
		return -1;
	*ret_n = n;
	return 0;
}
