/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A replica set as its clients can tell: rows with versions, a primary whose
 * newest writes may be taken back, and at times a stale one.
 *
 *	local     what the primary holds
 *	majority  what is never taken back: all up to the commit point
 *
 * A failover keeps what is committed and, of the rest, any beginning; what is
 * cut off is rolled back. The old primary may go on unaware, as the stale one:
 * it serves what it has, takes writes that are never committed, and all of its
 * own is rolled back when it is found out. A new primary's majority snapshot
 * may at first be older than what is committed.
 *
 * Ownership: contents are borrowed and never change (arena.h); rows are the
 * cluster's.
 */
#ifndef TESTS_SIM_CLUSTER_H
#define TESTS_SIM_CLUSTER_H

#include <projector/event.h>

#include <stddef.h>

#include "tests/sim/dice.h"

enum row_kind {
	ROW_DOCUMENT,
	ROW_PARKED,
	ROW_AUDIT,
	ROW_CHECKPOINT,
	ROW_REQUEST,
	ROW_POINTER,
	ROW_KINDS,
};

struct version {
	int64_t ts;	     /* of the write; none is used twice */
	const void *content; /* NULL: the row is not there */
};

struct row {
	enum row_kind kind;
	struct pj_str name; /* unique within its kind */
	struct row *chain;
	struct version *versions; /* of the primary, ascending */
	size_t n, cap;
	struct version stale; /* the stale primary's own; ts 0: none */
	void *oracle;	      /* the oracle's */
};

enum node { NODE_PRIMARY, NODE_STALE };

struct op {
	int64_t ts;
	struct row *row; /* NULL: nothing was written */
};

/* Told of each version as it is committed, in order. */
typedef void (*cluster_commit_fn)(void *arg, struct row *row,
				  const void *before, const void *after);

enum { CLUSTER_BUCKETS = 512 };

struct cluster {
	struct row *buckets[CLUSTER_BUCKETS];
	struct row **rows; /* in order of making */
	size_t n_rows, rows_cap;
	struct op *ops; /* the primary's log */
	size_t n_ops, ops_cap;
	size_t n_committed; /* of ops */
	int64_t last_ts;    /* given out */
	int64_t snapshot_ts;
	bool has_stale;
	int64_t stale_base_ts;	   /* the last op it shares */
	int64_t stale_snapshot_ts; /* its commit point, for good */
	int64_t stale_last_ts;
	bool instant; /* every write is committed at once */
	cluster_commit_fn on_commit;
	void *arg;
};

/* The row of that name; made, empty, when it never was. */
struct row *
cluster_row(struct cluster *c, enum row_kind kind, struct pj_str name);
/* NULL when it never was. */
struct row *
cluster_find(const struct cluster *c, enum row_kind kind, struct pj_str name);

const void *
cluster_local(const struct cluster *c, enum node node, const struct row *row);
/* By the node's own snapshot. */
const void *
cluster_majority(const struct cluster *c, enum node node,
		 const struct row *row);
/* What is committed, whichever node knows. */
const void *
cluster_committed(const struct cluster *c, const struct row *row);

/* NULL takes the row away. */
void
cluster_write(struct cluster *c, enum node node, struct row *row,
	      const void *content);
/* On the primary, so that its time goes on. */
void
cluster_write_nothing(struct cluster *c);
/* Of the node's newest write: what a majority write waits for. */
int64_t
cluster_last_ts(const struct cluster *c, enum node node);
int64_t
cluster_snapshot_ts(const struct cluster *c, enum node node);
bool
cluster_is_committed(const struct cluster *c, int64_t ts);
/* It was cut off, or was the stale primary's own: it never will be. */
bool
cluster_is_lost(const struct cluster *c, int64_t ts);

/* Commits n more writes, or what there is. */
void
cluster_commit(struct cluster *c, size_t n);
void
cluster_fail_over(struct cluster *c, struct dice *dice, bool keep_stale);
/* The stale primary is found out. */
void
cluster_heal(struct cluster *c);

void
cluster_release(struct cluster *c);

#endif
