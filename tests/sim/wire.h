/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies between a process and the cluster: commands that get lost, or whose
 * replies do, that arrive late or twice or in part; and the store port's side
 * of it, which says no more than it can know (lib/store.h).
 *
 * A job is an errand: its commands one after the other, each executed at some
 * time and told of at some later time. In between anything may happen.
 */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include "projector/job.h"
#include "tests/sim/server.h"

/* What a store must not do; a run with one has to end badly. */
enum weakness {
	WEAKNESS_NONE,
	WEAKNESS_LOCAL_READS, /* what the node holds, committed or not */
	WEAKNESS_STALE_READS, /* its own snapshot, however old */
	WEAKNESSES,
};

struct wire {
	struct server *server;
	struct dice *dice;
	struct command **late; /* still to arrive, some day */
	size_t n_late, late_cap;
	unsigned faults; /* percent of commands that something happens to */
	bool atomic;	 /* a batch is one transaction of a local store */
	enum weakness weakness;
};

/* One process's way to the cluster. */
struct line {
	enum node node;
	int64_t after_ts; /* the newest time it has seen (causality) */
};

enum call_end {
	CALL_BUSY,
	CALL_CLEAN, /* replied, and durable */
	CALL_DOUBT, /* replied, not known to be durable */
	CALL_FAILED,
};

struct call {
	struct command *cmd;
	struct reply reply;
	bool sent;
};

/* One step of a call; again until it is not busy. */
enum call_end
call_step(struct wire *wire, struct line *line, struct call *call);

/*
 * What is read next is as new as now, which only the primary can say (as
 * store_sync()): a stale one is asked in vain.
 */
void
wire_sync(struct wire *wire, struct line *line);

enum read_end { READ_BUSY, READ_DONE, READ_FAILED };

/* Whether a majority read can be answered now (protocol rule 1). */
enum read_end
wire_read_begin(struct wire *wire, struct line *line);
const void *
wire_read(const struct wire *wire, const struct line *line,
	  const struct row *row);

struct errand {
	struct job *job;
	struct command **cmds;
	size_t n, at;
	struct call call;
	bool done;
	bool kills; /* the process that ran it is gone */
};

void
errand_begin(struct errand *errand, struct wire *wire, struct job *job);
/* False: nothing could be done. */
bool
errand_step(struct errand *errand, struct wire *wire, struct line *line);
/* Its sender is gone: what was sent may still arrive. Frees no job. */
void
errand_abandon(struct errand *errand, struct wire *wire);

void
wire_deliver_late(struct wire *wire);
void
wire_release(struct wire *wire);

#endif
