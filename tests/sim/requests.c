/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/requests.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/tell.h"

/* ---- Operators -------------------------------------------------------- */

static const struct store_parked *
parked_of(const struct world *w, const struct row *row)
{
	const struct parked_content *content =
		row->kind == ROW_PARKED
			? cluster_committed(&w->server.cluster, row)
			: NULL;

	return content ? &content->row : NULL;
}

static bool
same_queue(const struct store_parked *a, const struct store_parked *b)
{
	return a->partition == b->partition &&
	       strcmp(a->topic, b->topic) == 0 &&
	       strcmp(a->generation, b->generation) == 0 &&
	       strcmp(a->unit_type, b->unit_type) == 0 &&
	       a->unit.len == b->unit.len &&
	       (a->unit.len == 0 ||
		memcmp(a->unit.ptr, b->unit.ptr, a->unit.len) == 0) &&
	       /* Alone is alone. */
	       (strcmp(a->unit_type, "record") != 0 || a->offset == b->offset);
}

/* The first row of the same queue, as far as can be seen. */
static const struct store_parked *
head_of(const struct world *w, const struct store_parked *of)
{
	const struct cluster *cluster = &w->server.cluster;
	const struct store_parked *head = of;

	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct store_parked *row = parked_of(w, cluster->rows[i]);

		if (row && same_queue(row, of) && row->offset < head->offset)
			head = row;
	}
	return head;
}

static void
add_request(struct world *w, const struct store_parked *of, int64_t offset,
	    bool discard)
{
	struct arena *arena = &w->server.arena;
	struct request_content *content = arena_add(arena, sizeof(*content));
	struct store_request *req = &content->req;
	enum node node = NODE_PRIMARY;

	(void)snprintf(req->id, sizeof(req->id), "%032u", ++w->n_requests);
	(void)snprintf(req->generation, sizeof(req->generation), "%s",
		       of->generation);
	(void)snprintf(req->action, sizeof(req->action), "%s",
		       discard ? "discard" : "retry");
	(void)snprintf(req->unit_type, sizeof(req->unit_type), "%s",
		       of->unit_type);
	(void)snprintf(req->topic, sizeof(req->topic), "%s", of->topic);
	req->unit = (char *)arena_str(arena, of->unit).ptr;
	req->unit_len = of->unit.len;
	req->partition = of->partition;
	req->offset = offset;
	req->reason = (char *)"because";
	req->by = (char *)"somebody";
	req->result = (char *)"";
	req->at_ms = w->now_at_ms;
	tell("somebody asks to %s %s/%d@%lld in %s, unit %s \"%.*s\"",
	     req->action, req->topic, (int)req->partition,
	     (long long)req->offset, req->generation, req->unit_type,
	     (int)req->unit_len, req->unit);
	cluster_write(&w->server.cluster, node,
		      cluster_row(&w->server.cluster, ROW_REQUEST,
				  (struct pj_str){req->id, strlen(req->id)}),
		      content);
	met(MET_REQUESTS);
}

void
requests_ask(struct world *w)
{
	const struct cluster *cluster = &w->server.cluster;
	const struct store_parked *row = NULL;

	for (unsigned tries = 0; !row && tries < 20 && cluster->n_rows; tries++)
		row = parked_of(w,
				cluster->rows[dice_below(
					&w->dice, (unsigned)cluster->n_rows)]);
	if (!row)
		return;
	if (dice_percent(&w->dice, 85))
		row = head_of(w, row);
	add_request(w, row, row->offset, dice_percent(&w->dice, 40));
}

/* ---- All of them ------------------------------------------------------ */

static bool
was_asked(const struct world *w, const struct store_parked *of,
	  const char *action)
{
	const struct cluster *cluster = &w->server.cluster;

	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct row *row = cluster->rows[i];
		const struct request_content *content =
			row->kind == ROW_REQUEST
				? cluster_committed(cluster, row)
				: NULL;
		const struct store_request *req =
			content ? &content->req : NULL;

		if (req && req->offset == of->offset &&
		    strcmp(req->action, action) == 0 &&
		    strcmp(req->generation, of->generation) == 0 &&
		    strcmp(req->topic, of->topic) == 0 &&
		    strcmp(req->unit_type, of->unit_type) == 0 &&
		    req->partition == of->partition &&
		    req->unit_len == of->unit.len &&
		    (req->unit_len == 0 ||
		     memcmp(req->unit, of->unit.ptr, req->unit_len) == 0))
			return true;
	}
	return false;
}

bool
requests_ask_for_all(struct world *w)
{
	const struct cluster *cluster = &w->server.cluster;
	size_t n = cluster->n_rows;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		const struct store_parked *row = parked_of(w, cluster->rows[i]);

		if (!row || head_of(w, row) != row ||
		    was_asked(w, row, "discard"))
			continue;
		add_request(w, row, row->offset, was_asked(w, row, "retry"));
		any = true;
	}
	return any;
}

bool
requests_are_ended(const struct world *w)
{
	const struct cluster *cluster = &w->server.cluster;

	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct row *row = cluster->rows[i];
		const struct request_content *content =
			row->kind == ROW_REQUEST
				? cluster_committed(cluster, row)
				: NULL;

		if (content && content->req.state == STORE_REQ_NEW)
			return false;
	}
	return true;
}

/* ---- Owners ----------------------------------------------------------- */

static bool
is_answered(const struct owner *o, const char *id)
{
	for (size_t i = 0; i < o->dealings.n; i++)
		if (strcmp(o->dealings.answers[i].request, id) == 0)
			return true;
	return false;
}

static bool
give(struct world *w, struct owner *o, const struct store_request *req)
{
	for (size_t l = 0; l < w->n_logs; l++) {
		if (!o->has[l] || w->logs[l].number != req->partition ||
		    strcmp(w->logs[l].topic, req->topic) != 0)
			continue;
		for (unsigned i = 0; i < o->lanes.n; i++)
			if (strcmp(o->lanes.lane[i].generation,
				   req->generation) == 0)
				return core_request(o->core, &o->lanes.lane[i],
						    &o->parts[l], req);
	}
	return false;
}

static void
take_answers(struct owner *o)
{
	struct dealings *d = &o->dealings;

	while (d->n < ANSWERS_MAX &&
	       core_take_answer(o->core, &d->answers[d->n])) {
		tell("process %u: request %s is %s: %s", o->number,
		     d->answers[d->n].request + 24,
		     d->answers[d->n].state == STORE_REQ_DONE ? "done"
							      : "failed",
		     d->answers[d->n].text);
		d->n++;
	}
}

void
requests_poll(struct world *w, struct owner *o)
{
	const struct cluster *cluster = &w->server.cluster;

	take_answers(o);
	if (wire_read_begin(&w->wire, &o->line) != READ_DONE)
		return;
	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct row *row = cluster->rows[i];
		const struct request_content *content =
			row->kind == ROW_REQUEST
				? wire_read(&w->wire, &o->line, row)
				: NULL;

		if (content && content->req.state == STORE_REQ_NEW &&
		    !is_answered(o, content->req.id) &&
		    give(w, o, &content->req))
			tell("process %u takes on request %s", o->number,
			     content->req.id + 24);
	}
}

static struct command *
answer_command(struct world *w, const struct core_answer *answer)
{
	struct arena *arena = &w->server.arena;
	struct request_content *content = arena_add(arena, sizeof(*content));
	struct command *cmd = command_new(&w->server, COMMAND_ANSWER, 1);
	struct row *row = cluster_row(
		&w->server.cluster, ROW_REQUEST,
		(struct pj_str){answer->request, strlen(answer->request)});
	const struct request_content *asked =
		cluster_local(&w->server.cluster, NODE_PRIMARY, row);

	if (asked)
		content->req = asked->req;
	content->req.state = answer->state;
	content->req.result = arena_text(arena, answer->text);
	cmd->n = 1;
	cmd->st[0].row = row;
	cmd->st[0].content = content;
	return cmd;
}

bool
requests_answer(struct world *w, struct owner *o)
{
	struct dealings *d = &o->dealings;

	if (d->n == 0)
		take_answers(o);
	if (d->n == 0)
		return false;
	if (!d->call.cmd)
		d->call.cmd = answer_command(w, &d->answers[0]);
	switch (call_step(&w->wire, &o->line, &d->call)) {
	case CALL_BUSY:
		return true;
	case CALL_CLEAN:
		memmove(d->answers, d->answers + 1,
			--d->n * sizeof(*d->answers));
		break;
	case CALL_DOUBT:
	case CALL_FAILED:
		break;
	}
	d->call = (struct call){NULL, {0, 0, 0}, false};
	return true;
}
