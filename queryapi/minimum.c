/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/minimum.h"

#include <string.h>

#include "queryapi/held.h"
#include "queryapi/loop.h"
#include "queryapi/position.h"
#include "queryapi/prefer.h"

static const char field[] = "projection-min-position";

/* ---- The field's value ------------------------------------------------- */

/* Decimal digits without a sign, at most max. */
static bool
read_number(struct pj_str digits, int64_t max, int64_t *ret)
{
	int64_t n = 0;

	if (digits.len == 0)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		int d = digits.ptr[i] - '0';

		if (d < 0 || d > 9 || n > (max - d) / 10)
			return false;
		n = n * 10 + d;
	}
	*ret = n;
	return true;
}

/* Cuts the text at the last `mark`; the rest is what stands behind it. */
static bool
cut_last(struct pj_str *text, char mark, struct pj_str *ret_rest)
{
	size_t at = text->len;

	while (at && text->ptr[at - 1] != mark)
		at--;
	if (at == 0)
		return false;
	*ret_rest = (struct pj_str){text->ptr + at, text->len - at};
	text->len = at - 1;
	return true;
}

/* `topic/partition@offset` */
static bool
read_position(struct pj_str text, struct minimum_position *ret_pos)
{
	struct pj_str offset, partition;
	int64_t n;

	if (!cut_last(&text, '@', &offset) ||
	    !cut_last(&text, '/', &partition) || text.len == 0 ||
	    !read_number(partition, INT32_MAX, &n) ||
	    !read_number(offset, INT64_MAX - 1, &ret_pos->offset))
		return false;
	ret_pos->topic = text;
	ret_pos->partition = (int32_t)n;
	return true;
}

/* White space and commas in front: empty members count for nothing (RFC 9110,
 * 5.6.1). */
static void
skip_to_member(struct pj_str *list)
{
	while (list->len &&
	       (*list->ptr == ' ' || *list->ptr == '\t' || *list->ptr == ',')) {
		list->ptr++;
		list->len--;
	}
}

int
minimum_next(struct pj_str *list, struct minimum_position *ret_pos)
{
	const char *close;
	struct pj_str text;

	skip_to_member(list);
	if (list->len == 0)
		return 0;
	if (*list->ptr != '"')
		return -1;
	close = memchr(list->ptr + 1, '"', list->len - 1);
	if (!close)
		return -1;
	text = (struct pj_str){list->ptr + 1, (size_t)(close - list->ptr - 1)};
	list->ptr += text.len + 2;
	list->len -= text.len + 2;
	while (list->len && (*list->ptr == ' ' || *list->ptr == '\t')) {
		list->ptr++;
		list->len--;
	}
	if (list->len && *list->ptr != ',')
		return -1;
	return read_position(text, ret_pos) ? 1 : -1;
}

/* All lines of it; -1: malformed, or too many. 0: it asks for nothing. */
static int
read_all(const struct http_request *req, struct minimum_position *out)
{
	const struct http_header *h;
	int n = 0;

	for (size_t from = 0; (h = http_request_header(req, field, &from));) {
		struct pj_str list = h->value;
		int got;

		do {
			struct minimum_position pos;

			got = minimum_next(&list, &pos);
			if (got < 0 || (got && n == MINIMUM_POSITIONS_MAX))
				return -1;
			if (got)
				out[n++] = pos;
		} while (got);
	}
	return n;
}

/* ---- Against what is served -------------------------------------------- */

/* What is asked of, and where it stands. */
struct asked {
	struct exchange *ex;
	const int *views;
	size_t n_views;
	const struct minimum_position *positions;
	size_t n_positions;
};

static const struct snapshot_view *
view_of(const struct asked *ask, size_t i)
{
	return &ask->ex->snap->views[ask->views[i]];
}

/* The newest offset of the source that all of the views have. */
static int64_t
reached(const struct asked *ask, int32_t source)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < ask->n_views; i++) {
		int64_t next = served_next(view_of(ask, i)->served, source);

		if (snapshot_reads(ask->ex->snap, ask->views[i], source) &&
		    next < least)
			least = next;
	}
	return least - 1;
}

/* The answer says how far it is. */
static void
not_reached(const struct asked *ask)
{
	struct http_response *res = ask->ex->res;
	struct buf list = BUF_INIT;

	exchange_problem(ask->ex, PROBLEM_NOT_REACHED,
			 "the projection is not there yet");
	for (size_t i = 0; i < ask->n_positions; i++) {
		const struct minimum_position *pos = &ask->positions[i];
		const struct store_source_row *row = snapshot_source_of(
			ask->ex->snap, pos->topic, pos->partition);
		int64_t offset = row ? reached(ask, row->index) : -1;

		if (offset >= 0)
			position_add(&list, row, offset);
	}
	if (list.len)
		http_response_field(res, "Projection-Position", "%s",
				    list.data);
	buf_release(&list);
}

/* True: it came while the watch was set. */
static bool
wait_for(const struct asked *ask, struct served *srv, int32_t source,
	 int64_t offset)
{
	struct exchange *ex = ask->ex;

	if (ex->wait_s <= 0) {
		not_reached(ask);
		return false;
	}
	exchange_watch_checkpoint(ex, srv, source, offset + 1);
	if (served_next(srv, source) > offset)
		return true;
	if (!exchange_park(ex, (int64_t)ex->wait_s * 1000))
		not_reached(ask);
	return false;
}

static bool
has(const struct asked *ask, const struct minimum_position *pos)
{
	const struct snapshot *snap = ask->ex->snap;
	const struct store_source_row *row =
		snapshot_source_of(snap, pos->topic, pos->partition);
	bool reads = false;

	for (size_t i = 0; row && i < ask->n_views; i++) {
		struct served *srv = view_of(ask, i)->served;

		if (!snapshot_reads(snap, ask->views[i], row->index))
			continue;
		reads = true;
		if (served_next(srv, row->index) <= pos->offset &&
		    !wait_for(ask, srv, row->index, pos->offset))
			return false;
	}
	if (!reads)
		exchange_problem(ask->ex, PROBLEM_NOT_APPLICABLE,
				 "a position is of no topic and partition that "
				 "this is made of: waiting would not help");
	return reads;
}

bool
minimum_reached(struct exchange *ex, const int *views, size_t n)
{
	struct minimum_position positions[MINIMUM_POSITIONS_MAX];
	int n_positions = read_all(ex->req, positions);
	const struct asked ask = {ex, views, n, positions,
				  n_positions < 0 ? 0 : (size_t)n_positions};

	if (n_positions == 0)
		return true;
	ex->minimum = true;
	ex->wait_s = prefer_wait_s(ex->req);
	if (n_positions < 0) {
		exchange_problem(ex, PROBLEM_BAD_REQUEST,
				 "Projection-Min-Position is a list of at most "
				 "64 quoted topic/partition@offset");
		return false;
	}
	/* What is kept cannot be shown to have it. */
	if (ex->store_away) {
		exchange_problem(ex, PROBLEM_STORE,
				 "the store is not reachable");
		return false;
	}
	for (size_t i = 0; i < ask.n_positions; i++)
		if (!has(&ask, &positions[i]))
			return false;
	return true;
}
