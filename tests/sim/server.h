/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands, and what a node of the cluster does with one.
 *
 * A command is what the store port sends at once: statements of one kind, each
 * with a filter, in no order. It is a copy of all it needs, so that it can
 * arrive long after its sender forgot it, or twice, or in part.
 *
 * Ownership: commands and what they carry live in the world's arena.
 */
#ifndef TESTS_SIM_SERVER_H
#define TESTS_SIM_SERVER_H

#include "lib/store.h"
#include "tests/sim/arena.h"
#include "tests/sim/cluster.h"
#include "tests/sim/document.h"
#include "tests/sim/log.h"

/* What a row of each kind holds. Documents: struct document. */
struct parked_content {
	struct store_parked row;
};

struct audit_content {
	const char *action, *reason, *by;
	int64_t at_ms;
	struct store_parked row;
};

struct request_content {
	struct store_request req;
};

struct checkpoint_content {
	struct store_checkpoint at;
	struct store_owner owner;
};

/* Which generation readers get, as far as that matters (promoter.h). */
struct pointer_content {
	int64_t moves, claims;
	int64_t ends[LOGS_MAX]; /* what the newest one has reached */
};

enum command_kind {
	COMMAND_INSERT,	    /* documents that must be absent */
	COMMAND_REPLACE,    /* documents that must hold a token */
	COMMAND_PARK,	    /* rows; kept as they were first parked */
	COMMAND_CHECKPOINT, /* of the same epoch only, and never back */
	COMMAND_AUDIT,	    /* rows made from the parked ones */
	COMMAND_UNPARK,	    /* rows that go */
	COMMAND_PURGE,	    /* documents that go if they hold a token */
	COMMAND_CLAIM,	    /* counts an epoch up */
	COMMAND_ANSWER,	    /* ends a request that is new */
	COMMAND_COUNT,	    /* a claim of what the pointer names */
	COMMAND_MOVE,	    /* the pointer, if nobody claimed or moved */
};

struct statement {
	struct row *row;
	struct row *other;   /* AUDIT: the parked row */
	const void *content; /* to be written */
	struct store_token base;
	struct store_owner owner; /* CLAIM */
	const struct store_unpark *unpark;
	bool refused; /* out: it never can be */
};

struct command {
	enum command_kind kind;
	unsigned number; /* for people: which one of the world's */
	struct statement *st;
	size_t n;
	size_t first; /* caller's: where its writes are in the batch */
};

/* What the node has to say, if the reply arrives. */
struct reply {
	size_t n;	 /* statements that matched */
	size_t fenced;	 /* checkpoints of another epoch */
	int64_t wait_ts; /* durable once this is committed */
};

struct server {
	struct cluster cluster;
	struct arena arena;
	unsigned n_commands;
};

struct command *
command_new(struct server *server, enum command_kind kind, size_t n);

/*
 * Executes the statements that `part` percent of the dice choose: 100 is all of
 * them.
 */
struct reply
server_execute(struct server *server, enum node node, struct command *cmd,
	       struct dice *dice, unsigned part);

/* Names of rows, by the store's collections. */
struct row *
server_document_row(struct server *server, const char *collection,
		    struct pj_str key);
struct row *
server_checkpoint_row(struct server *server, const char *generation,
		      int32_t source);
struct row *
server_parked_row(struct server *server, enum row_kind kind,
		  const char *generation, const char *unit_type,
		  struct pj_str unit, const char *topic, int32_t partition,
		  int64_t offset);
struct store_parked
server_copy_parked(struct arena *arena, const struct store_parked *from);

void
server_release(struct server *server);

#endif
