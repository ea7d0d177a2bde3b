/* SPDX-License-Identifier: Apache-2.0 */
/* A job on its way: the store port's side, as lib/store.h says. */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/queued.h"
#include "tests/sim/tell.h"
#include "tests/sim/wire.h"

/* ---- A batch as commands ---------------------------------------------- */

static struct command *
errand_command(struct errand *errand, struct wire *wire, enum command_kind kind,
	       size_t n)
{
	struct command *cmd = command_new(wire->server, kind, n);

	errand->cmds[errand->n++] = cmd;
	return cmd;
}

static struct statement *
statement_add(struct command *cmd, struct row *row)
{
	struct statement *st = &cmd->st[cmd->n++];

	st->row = row;
	return st;
}

static void
add_parked(struct errand *errand, struct wire *wire)
{
	const struct store_batch *batch = &errand->job->batch;
	struct server *server = wire->server;
	struct command *cmd;

	if (batch->n_parked == 0)
		return;
	cmd = errand_command(errand, wire, COMMAND_PARK, batch->n_parked);
	for (size_t i = 0; i < batch->n_parked; i++) {
		const struct store_parked *p = &batch->parked[i];
		struct parked_content *content =
			arena_add(&server->arena, sizeof(*content));

		content->row = server_copy_parked(&server->arena, p);
		statement_add(cmd, server_parked_row(
					   server, ROW_PARKED, p->generation,
					   p->unit_type, p->unit, p->topic,
					   p->partition, p->offset))
			->content = content;
	}
}

/* The first write of `batch` not yet sent begins one; its like join it. */
static void
add_documents(struct errand *errand, struct wire *wire, bool *sent,
	      size_t first)
{
	const struct store_batch *batch = &errand->job->batch;
	const struct store_write *like = &batch->writes[first];
	struct server *server = wire->server;
	struct command *cmd = errand_command(
		errand, wire, like->insert ? COMMAND_INSERT : COMMAND_REPLACE,
		batch->n_writes);

	cmd->first = first;
	for (size_t i = first; i < batch->n_writes; i++) {
		const struct store_write *w = &batch->writes[i];
		struct statement *st;

		if (sent[i] || w->insert != like->insert ||
		    strcmp(w->collection, like->collection) != 0)
			continue;
		sent[i] = true;
		st = statement_add(cmd, server_document_row(
						server, w->collection, w->key));
		st->content = document_new(&server->arena, w->bson, w->len);
		st->base = w->base;
		met(MET_WRITES);
	}
}

static void
add_checkpoints(struct errand *errand, struct wire *wire)
{
	const struct store_batch *batch = &errand->job->batch;
	struct server *server = wire->server;
	struct command *cmd;

	if (batch->n_checkpoints == 0)
		return;
	cmd = errand_command(errand, wire, COMMAND_CHECKPOINT,
			     batch->n_checkpoints);
	for (size_t i = 0; i < batch->n_checkpoints; i++) {
		struct checkpoint_content *content =
			arena_add(&server->arena, sizeof(*content));

		content->at = batch->checkpoints[i];
		statement_add(cmd, server_checkpoint_row(server,
							 content->at.generation,
							 content->at.source))
			->content = content;
	}
}

static struct store_unpark *
copy_unpark(struct arena *arena, const struct store_unpark *from)
{
	struct store_unpark *to = arena_add(arena, sizeof(*to));

	*to = *from;
	to->action = from->action ? arena_text(arena, from->action) : NULL;
	to->reason = arena_text(arena, from->reason ? from->reason : "");
	to->by = arena_text(arena, from->by ? from->by : "");
	return to;
}

/* What is to be kept of them first, then they go. */
static void
add_unparks(struct errand *errand, struct wire *wire)
{
	const struct store_batch *batch = &errand->job->batch;
	struct server *server = wire->server;
	struct command *audit, *unpark;

	if (batch->n_unparks == 0)
		return;
	audit = errand_command(errand, wire, COMMAND_AUDIT, batch->n_unparks);
	unpark = errand_command(errand, wire, COMMAND_UNPARK, batch->n_unparks);
	for (size_t i = 0; i < batch->n_unparks; i++) {
		const struct store_unpark *un = &batch->unparks[i];
		struct row *row = server_parked_row(
			server, ROW_PARKED, un->generation, un->unit_type,
			un->unit, un->topic, un->partition, un->offset);
		struct statement *st;

		(void)statement_add(unpark, row);
		if (!un->action)
			continue;
		st = statement_add(
			audit,
			server_parked_row(server, ROW_AUDIT, un->generation,
					  un->unit_type, un->unit, un->topic,
					  un->partition, un->offset));
		st->other = row;
		st->unpark = copy_unpark(&server->arena, un);
	}
}

static void
add_purges(struct errand *errand, struct wire *wire)
{
	const struct store_batch *batch = &errand->job->batch;
	struct command *cmd;

	if (batch->n_purges == 0)
		return;
	cmd = errand_command(errand, wire, COMMAND_PURGE, batch->n_purges);
	for (size_t i = 0; i < batch->n_purges; i++)
		statement_add(cmd,
			      server_document_row(wire->server,
						  batch->purges[i].collection,
						  batch->purges[i].key))
			->base = batch->purges[i].base;
}

void
errand_begin(struct errand *errand, struct wire *wire, struct job *job)
{
	struct store_batch *batch = &job->batch;
	bool *sent;

	memset(errand, 0, sizeof(*errand));
	errand->job = job;
	if (job->kind != JOB_APPLY) {
		errand->n = job->kind == JOB_LOAD ? job->n_loads : 1;
		return;
	}
	sent = mem_calloc(batch->n_writes, sizeof(*sent));
	errand->cmds = mem_calloc(batch->n_writes + 8, sizeof(*errand->cmds));
	for (size_t i = 0; i < batch->n_writes; i++)
		batch->writes[i].outcome = STORE_PENDING;
	add_parked(errand, wire);
	for (size_t i = 0; i < batch->n_writes; i++)
		if (!sent[i])
			add_documents(errand, wire, sent, i);
	add_checkpoints(errand, wire);
	add_unparks(errand, wire);
	add_purges(errand, wire);
	free(sent);
}

static void
errand_end(struct errand *errand)
{
	free(errand->cmds);
	errand->cmds = NULL;
	errand->done = true;
}

void
errand_abandon(struct errand *errand, struct wire *wire)
{
	if (errand->cmds && errand->at < errand->n && !errand->call.sent &&
	    dice_percent(wire->dice, 30)) {
		MEM_GROW(wire->late, wire->n_late, wire->late_cap);
		wire->late[wire->n_late++] = errand->cmds[errand->at];
	}
	if (errand->cmds && errand->at > 0 && errand->at < errand->n)
		met(MET_CRASHES_MIDWAY);
	errand_end(errand);
}

/* ---- What is told ----------------------------------------------------- */

static void
errand_fail(struct errand *errand, const char *why)
{
	errand->job->rc = pj_error_set(&errand->job->err, PJ_ERROR_RETRY,
				       "simulated store: %s", why);
	errand_end(errand);
}

/*
 * Of documents: durable only when the reply is clean and counts them all; one
 * miss leaves all of the command in doubt, for a reply has totals only.
 */
static void
tell_documents(struct errand *errand, const struct command *cmd,
	       enum call_end end)
{
	struct store_batch *batch = &errand->job->batch;
	const struct store_write *like = &batch->writes[cmd->first];
	bool clean = end == CALL_CLEAN && errand->call.reply.n == cmd->n;
	size_t s = 0;

	for (size_t i = cmd->first; i < batch->n_writes && s < cmd->n; i++) {
		struct store_write *w = &batch->writes[i];

		if (w->insert != like->insert ||
		    strcmp(w->collection, like->collection) != 0)
			continue;
		w->outcome = clean		  ? STORE_APPLIED
			     : cmd->st[s].refused ? STORE_REFUSED
						  : STORE_UNKNOWN;
		met_n(MET_REFUSED, cmd->st[s].refused);
		s++;
	}
}

/* True: the next command may go. */
static bool
command_done(struct errand *errand, enum call_end end)
{
	const struct command *cmd = errand->cmds[errand->at];

	if (end == CALL_FAILED) {
		errand_fail(errand, "no reply");
		return false;
	}
	if (cmd->kind == COMMAND_INSERT || cmd->kind == COMMAND_REPLACE) {
		tell_documents(errand, cmd, end);
		return true;
	}
	if (end == CALL_DOUBT) {
		errand_fail(errand, "write concern error");
		return false;
	}
	if (cmd->kind == COMMAND_CHECKPOINT && errand->call.reply.fenced) {
		errand->job->batch.fenced = true;
		met(MET_FENCED);
		tell("  ... fenced");
	}
	return true;
}

static bool
errand_step_apply(struct errand *errand, struct wire *wire, struct line *line)
{
	enum call_end end;

	if (errand->at < errand->n) {
		errand->call.cmd = errand->cmds[errand->at];
		end = call_step(wire, line, &errand->call);
		if (end == CALL_BUSY)
			return true;
		if (!command_done(errand, end))
			return true;
		errand->call = (struct call){NULL, {0, 0, 0}, false};
		errand->at++;
	}
	if (errand->at == errand->n)
		errand_end(errand);
	return true;
}

/* ---- Loads ------------------------------------------------------------ */

static bool
errand_step_load(struct errand *errand, struct wire *wire, struct line *line)
{
	struct job *job = errand->job;
	const struct job_load *load = &job->loads[errand->at];

	switch (wire_read_begin(wire, line)) {
	case READ_BUSY:
		return true;
	case READ_FAILED:
		errand_fail(errand, "no answer");
		return true;
	case READ_DONE:
		break;
	}
	for (size_t i = load->first; i < load->first + load->n; i++) {
		struct store_doc *got = &job->docs[i];
		const struct document *doc = wire_read(
			wire, line,
			server_document_row(wire->server, load->collection,
					    got->key));

		tell("    %s/%.*s: %s", load->collection, (int)got->key.len,
		     got->key.ptr, doc ? "there" : "not there");
		if (!doc)
			continue;
		got->bson = mem_alloc(doc->len);
		memcpy(got->bson, doc->bson, doc->len);
		got->len = doc->len;
	}
	if (++errand->at == errand->n)
		errand_end(errand);
	return true;
}

/* Those of the unit and partition from `first` to `tail`, by offset. */
static bool
is_asked_for(const struct job_rows *rows, const struct store_parked *row,
	     int64_t above)
{
	return row->offset > above && row->offset >= rows->first &&
	       row->offset <= rows->tail && row->partition == rows->partition &&
	       row->unit.len == rows->unit.len &&
	       (row->unit.len == 0 ||
		memcmp(row->unit.ptr, rows->unit.ptr, row->unit.len) == 0) &&
	       strcmp(row->topic, rows->topic) == 0 &&
	       strcmp(row->unit_type, rows->unit_type) == 0 &&
	       strcmp(row->generation, rows->generation) == 0;
}

static bool
errand_step_rows(struct errand *errand, struct wire *wire, struct line *line)
{
	const struct cluster *cluster = &wire->server->cluster;
	struct job_rows *rows = &errand->job->rows;
	const struct parked_content *next = NULL;
	int64_t above = -1;

	switch (wire_read_begin(wire, line)) {
	case READ_BUSY:
		return true;
	case READ_FAILED:
		errand_fail(errand, "no answer");
		return true;
	case READ_DONE:
		break;
	}
	do {
		next = NULL;
		for (size_t i = 0; i < cluster->n_rows; i++) {
			const struct row *row = cluster->rows[i];
			const struct parked_content *p =
				row->kind == ROW_PARKED
					? wire_read(wire, line, row)
					: NULL;

			if (p && is_asked_for(rows, &p->row, above) &&
			    (!next || p->row.offset < next->row.offset))
				next = p;
		}
		if (!next)
			break;
		above = next->row.offset;
		MEM_GROW(rows->got, rows->n, rows->cap);
		rows->got[rows->n++] = queued_new(&next->row);
	} while (rows->n < rows->max);
	errand_end(errand);
	return true;
}

/* One transaction: all of it or nothing, and whoever cannot tell is gone. */
static void
errand_run_atomic(struct errand *errand, struct wire *wire, struct line *line)
{
	errand->kills = dice_percent(wire->dice, wire->faults / 8);
	if (errand->kills && dice_percent(wire->dice, 50)) {
		tell("  the process dies before its commit");
		errand_fail(errand, "dead");
		return;
	}
	if (errand->kills)
		tell("  the process dies after its commit");
	while (!errand->done)
		(void)errand_step_apply(errand, wire, line);
}

bool
errand_step(struct errand *errand, struct wire *wire, struct line *line)
{
	if (errand->done)
		return false;
	if (errand->job->kind == JOB_LOAD)
		return errand_step_load(errand, wire, line);
	if (errand->job->kind == JOB_ROWS)
		return errand_step_rows(errand, wire, line);
	if (wire->atomic)
		errand_run_atomic(errand, wire, line);
	else
		return errand_step_apply(errand, wire, line);
	return true;
}
