/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/wire.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "tests/sim/tell.h"

static const char *const kind_names[] = {
	[COMMAND_INSERT] = "insert", [COMMAND_REPLACE] = "replace",
	[COMMAND_PARK] = "park",     [COMMAND_CHECKPOINT] = "checkpoint",
	[COMMAND_AUDIT] = "audit",   [COMMAND_UNPARK] = "unpark",
	[COMMAND_PURGE] = "purge",   [COMMAND_CLAIM] = "claim",
	[COMMAND_ANSWER] = "answer", [COMMAND_COUNT] = "count",
	[COMMAND_MOVE] = "move",
};

static const char *
node_name(enum node node)
{
	return node == NODE_STALE ? "the stale primary" : "the primary";
}

/* ---- Late ones -------------------------------------------------------- */

static void
keep_for_later(struct wire *wire, struct command *cmd)
{
	MEM_GROW(wire->late, wire->n_late, wire->late_cap);
	wire->late[wire->n_late++] = cmd;
}

void
wire_deliver_late(struct wire *wire)
{
	struct cluster *cluster = &wire->server->cluster;
	size_t i = dice_below(wire->dice, (unsigned)wire->n_late);
	struct command *cmd = wire->late[i];
	enum node node = cluster->has_stale && dice_percent(wire->dice, 30)
				 ? NODE_STALE
				 : NODE_PRIMARY;
	int64_t before = cluster->last_ts;

	wire->late[i] = wire->late[--wire->n_late];
	(void)server_execute(wire->server, node, cmd, wire->dice, 100);
	met(MET_LATE);
	if (cluster->last_ts > before)
		met(MET_LATE_EFFECTS);
	tell("%s #%u arrives late at %s%s", kind_names[cmd->kind], cmd->number,
	     node_name(node),
	     cluster->last_ts > before ? "" : ", without effect");
}

void
wire_release(struct wire *wire)
{
	free(wire->late);
}

/* ---- Calls ------------------------------------------------------------ */

enum fault {
	FAULT_NONE,
	FAULT_LOST,	  /* nothing happens, the call fails */
	FAULT_LATE,	  /* the call fails; it happens later */
	FAULT_LOST_REPLY, /* it happens, the call fails */
	FAULT_PART,	  /* some of it happens, the call fails */
	FAULT_DOUBT,	  /* it happens; whether for good is not told */
	FAULT_TWICE,	  /* it happens, and later once more */
	FAULTS,
};

static enum fault
draw_fault(struct wire *wire)
{
	if (wire->atomic || !dice_percent(wire->dice, wire->faults))
		return FAULT_NONE;
	return (enum fault)(1 + dice_below(wire->dice, FAULTS - 1));
}

static enum call_end
call_lost(struct wire *wire, struct call *call, bool later)
{
	met(MET_LOST);
	tell("  %s #%u is lost%s", kind_names[call->cmd->kind],
	     call->cmd->number, later ? " for now" : "");
	if (later)
		keep_for_later(wire, call->cmd);
	return CALL_FAILED;
}

/* The first of its rows, for people. */
static const char *
some_rows(const struct command *cmd)
{
	static char room[200];
	size_t at = 0;

	room[0] = '\0';
	for (size_t i = 0; i < cmd->n && i < 4 && at < sizeof(room); i++) {
		const struct pj_str *name = &cmd->st[i].row->name;

		at += (size_t)snprintf(room + at, sizeof(room) - at, " %.*s",
				       name->len > 40 ? 40 : (int)name->len,
				       name->ptr);
	}
	return room;
}

static enum call_end
call_send(struct wire *wire, struct line *line, struct call *call)
{
	enum fault fault = draw_fault(wire);
	unsigned part = fault == FAULT_PART ? 50 : 100;

	if (line->node == NODE_STALE && !wire->server->cluster.has_stale)
		line->node = NODE_PRIMARY;
	if (fault == FAULT_LOST || fault == FAULT_LATE)
		return call_lost(wire, call, fault == FAULT_LATE);
	call->reply = server_execute(wire->server, line->node, call->cmd,
				     wire->dice, part);
	call->sent = true;
	tell("  %s #%u: %s%zu of %zu at %s:%s", kind_names[call->cmd->kind],
	     call->cmd->number, part < 100 ? "in part, " : "", call->reply.n,
	     call->cmd->n, node_name(line->node), some_rows(call->cmd));
	if (fault == FAULT_TWICE)
		keep_for_later(wire, call->cmd);
	if (fault == FAULT_PART)
		met(MET_PARTIAL);
	if (fault == FAULT_LOST_REPLY)
		met(MET_LOST_REPLIES);
	if (fault == FAULT_PART || fault == FAULT_LOST_REPLY) {
		tell("  ... and its reply is lost");
		return CALL_FAILED;
	}
	if (fault == FAULT_DOUBT) {
		met(MET_DOUBT);
		tell("  ... with a write concern error");
		return CALL_DOUBT;
	}
	return CALL_BUSY;
}

static void
line_saw(struct line *line, int64_t ts)
{
	if (ts > line->after_ts)
		line->after_ts = ts;
}

enum call_end
call_step(struct wire *wire, struct line *line, struct call *call)
{
	const struct cluster *cluster = &wire->server->cluster;
	enum call_end end;

	if (!call->sent) {
		end = call_send(wire, line, call);
		if (end == CALL_DOUBT)
			line_saw(line, call->reply.wait_ts);
		if (end != CALL_BUSY || !cluster->instant)
			return end;
	}
	if (cluster_is_committed(cluster, call->reply.wait_ts)) {
		line_saw(line, call->reply.wait_ts);
		return CALL_CLEAN;
	}
	/* A time-out, a step-down, or nothing to be heard of it any more. */
	if (cluster_is_lost(cluster, call->reply.wait_ts)
		    ? dice_percent(wire->dice, 80)
		    : !dice_percent(wire->dice, wire->faults / 10))
		return CALL_BUSY;
	end = dice_percent(wire->dice, 50) ? CALL_DOUBT : CALL_FAILED;
	if (end == CALL_DOUBT)
		line_saw(line, call->reply.wait_ts);
	met(end == CALL_DOUBT ? MET_DOUBT : MET_LOST_REPLIES);
	tell("  %s #%u is not confirmed", kind_names[call->cmd->kind],
	     call->cmd->number);
	return end;
}

/* ---- Reads ------------------------------------------------------------ */

void
wire_sync(struct wire *wire, struct line *line)
{
	struct cluster *cluster = &wire->server->cluster;

	cluster_write_nothing(cluster);
	line_saw(line, cluster_last_ts(cluster, NODE_PRIMARY));
}

enum read_end
wire_read_begin(struct wire *wire, struct line *line)
{
	struct cluster *cluster = &wire->server->cluster;

	if (line->node == NODE_STALE && !cluster->has_stale)
		line->node = NODE_PRIMARY;
	if (!wire->atomic && dice_percent(wire->dice, wire->faults / 2))
		return READ_FAILED;
	if (wire->weakness == WEAKNESS_NONE &&
	    cluster_snapshot_ts(cluster, line->node) < line->after_ts) {
		met(MET_READS_REFUSED);
		/* Asked for a time that is still to come, it makes it come. */
		if (line->node == NODE_PRIMARY)
			cluster_write_nothing(cluster);
		return dice_percent(wire->dice, 20) ? READ_FAILED : READ_BUSY;
	}
	if (line->node == NODE_STALE)
		met(MET_STALE_READS);
	else if (cluster_snapshot_ts(cluster, line->node) <
		 cluster_last_ts(cluster, line->node))
		met(MET_OLD_READS);
	if (wire->weakness == WEAKNESS_NONE)
		line_saw(line, cluster_snapshot_ts(cluster, line->node));
	return READ_DONE;
}

const void *
wire_read(const struct wire *wire, const struct line *line,
	  const struct row *row)
{
	const struct cluster *cluster = &wire->server->cluster;

	return wire->weakness == WEAKNESS_LOCAL_READS
		       ? cluster_local(cluster, line->node, row)
		       : cluster_majority(cluster, line->node, row);
}
