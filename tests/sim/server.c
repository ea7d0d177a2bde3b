/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/server.h"

#include <inttypes.h>
#include <string.h>

#include "lib/buf.h"
#include "tests/sim/tell.h"

struct command *
command_new(struct server *server, enum command_kind kind, size_t n)
{
	struct command *cmd = arena_add(&server->arena, sizeof(*cmd));

	cmd->kind = kind;
	cmd->number = ++server->n_commands;
	cmd->st = arena_add(&server->arena, n * sizeof(*cmd->st));
	return cmd;
}

void
server_release(struct server *server)
{
	cluster_release(&server->cluster);
	arena_release(&server->arena);
}

/* ---- Names ------------------------------------------------------------ */

static struct row *
row_of(struct server *server, enum row_kind kind, struct buf *name)
{
	struct row *row = cluster_row(&server->cluster, kind,
				      (struct pj_str){name->data, name->len});

	buf_release(name);
	return row;
}

struct row *
server_document_row(struct server *server, const char *collection,
		    struct pj_str key)
{
	struct buf name = BUF_INIT;

	buf_printf(&name, "%s/", collection);
	buf_add(&name, key.ptr, key.len);
	return row_of(server, ROW_DOCUMENT, &name);
}

struct row *
server_checkpoint_row(struct server *server, const char *generation,
		      int32_t source)
{
	struct buf name = BUF_INIT;

	buf_printf(&name, "%s/%" PRId32, generation, source);
	return row_of(server, ROW_CHECKPOINT, &name);
}

struct row *
server_parked_row(struct server *server, enum row_kind kind,
		  const char *generation, const char *unit_type,
		  struct pj_str unit, const char *topic, int32_t partition,
		  int64_t offset)
{
	struct buf name = BUF_INIT;

	buf_printf(&name, "%s/%s/%s/%" PRId32 "@%" PRId64 "/", generation,
		   unit_type, topic, partition, offset);
	buf_add(&name, unit.ptr, unit.len);
	return row_of(server, kind, &name);
}

struct store_parked
server_copy_parked(struct arena *arena, const struct store_parked *from)
{
	struct store_parked to = *from;
	struct pj_str *headers =
		arena_add(arena, 2 * from->n_headers * sizeof(*from->headers));

	to.generation = arena_text(arena, from->generation);
	to.unit_type = arena_text(arena, from->unit_type);
	to.unit = arena_str(arena, from->unit);
	to.topic = arena_text(arena, from->topic);
	to.type = arena_text(arena, from->type);
	to.cause = arena_text(arena, from->cause);
	to.detail = arena_text(arena, from->detail);
	to.key = arena_str(arena, from->key);
	to.value = arena_str(arena, from->value);
	for (size_t i = 0; i < 2 * from->n_headers; i++)
		headers[i] = arena_str(arena, from->headers[i]);
	to.headers = headers;
	return to;
}

/* ---- Execution -------------------------------------------------------- */

struct execution {
	struct server *server;
	enum node node;
	struct reply reply;
};

static const void *
held(const struct execution *x, const struct row *row)
{
	return cluster_local(&x->server->cluster, x->node, row);
}

static void
put(struct execution *x, struct row *row, const void *content)
{
	cluster_write(&x->server->cluster, x->node, row, content);
}

static bool
holds_token(const struct document *doc, const struct store_token *token)
{
	return doc &&
	       memcmp(doc->token.bytes, token->bytes, STORE_TOKEN_BYTES) == 0;
}

static void
write_document(struct execution *x, struct statement *st, bool insert)
{
	const struct document *doc = held(x, st->row);
	const struct document *new = st->content;

	st->refused = document_is_poison(new->bson, new->len);
	if (st->refused ||
	    (insert ? doc != NULL : !holds_token(doc, &st->base)))
		return;
	put(x, st->row, new);
	x->reply.n++;
}

static void
write_checkpoint(struct execution *x, struct statement *st)
{
	const struct checkpoint_content *stored = held(x, st->row);
	const struct checkpoint_content *new = st->content;
	struct checkpoint_content *content;

	if (!stored || stored->at.epoch != new->at.epoch) {
		x->reply.fenced++;
		return;
	}
	x->reply.n++;
	if (new->at.next < stored->at.next)
		return;
	content = arena_add(&x->server->arena, sizeof(*content));
	*content = *new;
	content->owner = stored->owner;
	put(x, st->row, content);
}

static void
claim(struct execution *x, struct statement *st)
{
	const struct checkpoint_content *stored = held(x, st->row);
	struct checkpoint_content *content =
		arena_add(&x->server->arena, sizeof(*content));

	*content = *(const struct checkpoint_content *)st->content;
	if (stored)
		*content = *stored;
	content->at.epoch++;
	content->owner = st->owner;
	put(x, st->row, content);
	x->reply.n++;
}

static void
answer(struct execution *x, struct statement *st)
{
	const struct request_content *stored = held(x, st->row);

	if (!stored || stored->req.state != STORE_REQ_NEW)
		return;
	put(x, st->row, st->content);
	x->reply.n++;
}

static void
count_claim(struct execution *x, struct statement *st)
{
	struct pointer_content *content =
		arena_add(&x->server->arena, sizeof(*content));

	if (held(x, st->row))
		*content = *(const struct pointer_content *)held(x, st->row);
	content->claims++;
	put(x, st->row, content);
	x->reply.n++;
}

static void
move_pointer(struct execution *x, struct statement *st)
{
	static const struct pointer_content none;
	const struct pointer_content *stored = held(x, st->row);
	const struct pointer_content *new = st->content;

	if (!stored)
		stored = &none;
	if (stored->moves != new->moves - 1 || stored->claims != new->claims)
		return;
	put(x, st->row, new);
	x->reply.n++;
}

/* What is kept of it is what the row holds; none: nothing to tell. */
static void
audit(struct execution *x, struct statement *st)
{
	const struct parked_content *parked = held(x, st->other);
	const struct store_unpark *un = st->unpark;
	struct audit_content *content;

	x->reply.n++;
	if (!parked || held(x, st->row))
		return;
	content = arena_add(&x->server->arena, sizeof(*content));
	content->action = un->action;
	content->reason = un->reason;
	content->by = un->by;
	content->at_ms = un->at_ms;
	content->row = parked->row;
	put(x, st->row, content);
}

static void
execute_one(struct execution *x, enum command_kind kind, struct statement *st)
{
	switch (kind) {
	case COMMAND_INSERT:
	case COMMAND_REPLACE:
		write_document(x, st, kind == COMMAND_INSERT);
		break;
	case COMMAND_PARK:
		if (!held(x, st->row))
			put(x, st->row, st->content);
		x->reply.n++;
		break;
	case COMMAND_CHECKPOINT:
		write_checkpoint(x, st);
		break;
	case COMMAND_AUDIT:
		audit(x, st);
		break;
	case COMMAND_UNPARK:
		if (held(x, st->row))
			put(x, st->row, NULL);
		x->reply.n++;
		break;
	case COMMAND_PURGE:
		if (holds_token(held(x, st->row), &st->base))
			put(x, st->row, NULL);
		x->reply.n++;
		break;
	case COMMAND_CLAIM:
		claim(x, st);
		break;
	case COMMAND_ANSWER:
		answer(x, st);
		break;
	case COMMAND_COUNT:
		count_claim(x, st);
		break;
	case COMMAND_MOVE:
		move_pointer(x, st);
		break;
	}
}

struct reply
server_execute(struct server *server, enum node node, struct command *cmd,
	       struct dice *dice, unsigned part)
{
	struct execution x = {.server = server, .node = node};

	for (size_t i = 0; i < cmd->n; i++)
		if (part == 100 || dice_percent(dice, part))
			execute_one(&x, cmd->kind, &cmd->st[i]);
	/*
	 * Also one that changed nothing waits for all that it has seen: a row
	 * that is there already may not be there for good yet.
	 */
	x.reply.wait_ts = cluster_last_ts(&server->cluster, node);
	return x.reply;
}
