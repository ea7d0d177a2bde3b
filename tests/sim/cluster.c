/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "tests/sim/tell.h"

/* ---- Rows ------------------------------------------------------------- */

static size_t
bucket_of(enum row_kind kind, struct pj_str name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)kind;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.ptr[i]) * UINT64_C(0x100000001b3);
	return (h ^ h >> 32) % CLUSTER_BUCKETS;
}

struct row *
cluster_find(const struct cluster *c, enum row_kind kind, struct pj_str name)
{
	struct row *row = c->buckets[bucket_of(kind, name)];

	while (row && (row->kind != kind || row->name.len != name.len ||
		       memcmp(row->name.ptr, name.ptr, name.len) != 0))
		row = row->chain;
	return row;
}

struct row *
cluster_row(struct cluster *c, enum row_kind kind, struct pj_str name)
{
	struct row *row = cluster_find(c, kind, name);
	struct row **head;

	if (row)
		return row;
	row = mem_calloc(1, sizeof(*row));
	row->kind = kind;
	row->name = (struct pj_str){mem_strndup(name.ptr, name.len), name.len};
	head = &c->buckets[bucket_of(kind, name)];
	row->chain = *head;
	*head = row;
	MEM_GROW(c->rows, c->n_rows, c->rows_cap);
	c->rows[c->n_rows++] = row;
	return row;
}

void
cluster_release(struct cluster *c)
{
	for (size_t i = 0; i < c->n_rows; i++) {
		free((void *)c->rows[i]->name.ptr);
		free(c->rows[i]->versions);
		free(c->rows[i]);
	}
	free(c->rows);
	free(c->ops);
	memset(c, 0, sizeof(*c));
}

/* ---- Reading ---------------------------------------------------------- */

static const struct version *
version_at(const struct row *row, int64_t ts)
{
	for (size_t i = row->n; i > 0; i--)
		if (row->versions[i - 1].ts <= ts)
			return &row->versions[i - 1];
	return NULL;
}

static const void *
content_at(const struct row *row, int64_t ts)
{
	const struct version *version = version_at(row, ts);

	return version ? version->content : NULL;
}

const void *
cluster_local(const struct cluster *c, enum node node, const struct row *row)
{
	if (node == NODE_PRIMARY)
		return row->n ? row->versions[row->n - 1].content : NULL;
	return row->stale.ts ? row->stale.content
			     : content_at(row, c->stale_base_ts);
}

const void *
cluster_majority(const struct cluster *c, enum node node, const struct row *row)
{
	return content_at(row, cluster_snapshot_ts(c, node));
}

static int64_t
commit_ts(const struct cluster *c)
{
	return c->n_committed ? c->ops[c->n_committed - 1].ts : 0;
}

const void *
cluster_committed(const struct cluster *c, const struct row *row)
{
	return content_at(row, commit_ts(c));
}

int64_t
cluster_last_ts(const struct cluster *c, enum node node)
{
	if (node == NODE_STALE)
		return c->stale_last_ts;
	return c->n_ops ? c->ops[c->n_ops - 1].ts : 0;
}

int64_t
cluster_snapshot_ts(const struct cluster *c, enum node node)
{
	return node == NODE_STALE ? c->stale_snapshot_ts : c->snapshot_ts;
}

static bool
is_in_log(const struct cluster *c, int64_t ts)
{
	size_t low = 0, high = c->n_ops;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->ops[mid].ts < ts)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->n_ops && c->ops[low].ts == ts;
}

bool
cluster_is_committed(const struct cluster *c, int64_t ts)
{
	return ts == 0 || (ts <= commit_ts(c) && is_in_log(c, ts));
}

bool
cluster_is_lost(const struct cluster *c, int64_t ts)
{
	return ts != 0 && !is_in_log(c, ts);
}

/* ---- Writing ---------------------------------------------------------- */

void
cluster_write(struct cluster *c, enum node node, struct row *row,
	      const void *content)
{
	struct version version = {++c->last_ts, content};

	if (node == NODE_STALE) {
		row->stale = version;
		c->stale_last_ts = version.ts;
		met(MET_STALE_WRITES);
		return;
	}
	MEM_GROW(row->versions, row->n, row->cap);
	row->versions[row->n++] = version;
	MEM_GROW(c->ops, c->n_ops, c->ops_cap);
	c->ops[c->n_ops++] = (struct op){version.ts, row};
	if (c->instant)
		cluster_commit(c, 1);
}

void
cluster_write_nothing(struct cluster *c)
{
	MEM_GROW(c->ops, c->n_ops, c->ops_cap);
	c->ops[c->n_ops++] = (struct op){++c->last_ts, NULL};
}

void
cluster_commit(struct cluster *c, size_t n)
{
	for (; n > 0 && c->n_committed < c->n_ops; n--) {
		const struct op *op = &c->ops[c->n_committed++];

		c->snapshot_ts = op->ts;
		if (c->on_commit && op->row)
			c->on_commit(c->arg, op->row,
				     content_at(op->row, op->ts - 1),
				     content_at(op->row, op->ts));
	}
	c->snapshot_ts = commit_ts(c);
}

/* ---- Failing over ----------------------------------------------------- */

static void
cut_off(struct cluster *c, size_t keep, bool for_stale)
{
	met_n(MET_ROLLED_BACK, for_stale ? 0 : c->n_ops - keep);
	while (c->n_ops > keep) {
		struct row *row = c->ops[--c->n_ops].row;
		struct version cut;

		if (!row)
			continue;
		cut = row->versions[--row->n];
		if (for_stale && row->stale.ts == 0)
			row->stale = cut;
	}
}

void
cluster_fail_over(struct cluster *c, struct dice *dice, bool keep_stale)
{
	size_t open = c->n_ops - c->n_committed;
	size_t keep = c->n_committed + dice_below(dice, (unsigned)open + 1);
	size_t known = c->n_committed;

	cluster_heal(c);
	if (keep_stale) {
		c->has_stale = true;
		c->stale_last_ts = cluster_last_ts(c, NODE_PRIMARY);
		c->stale_snapshot_ts = commit_ts(c);
		c->stale_base_ts = keep ? c->ops[keep - 1].ts : 0;
	}
	cut_off(c, keep, keep_stale);
	/* What it was told of the commit point last. */
	if (dice_percent(dice, 50))
		known -= dice_below(dice, known < 6 ? (unsigned)known + 1 : 6);
	c->snapshot_ts = known ? c->ops[known - 1].ts : 0;
	met(MET_FAILOVERS);
}

void
cluster_heal(struct cluster *c)
{
	for (size_t i = 0; c->has_stale && i < c->n_rows; i++) {
		met_n(MET_ROLLED_BACK, c->rows[i]->stale.ts != 0);
		c->rows[i]->stale = (struct version){0, NULL};
	}
	c->has_stale = false;
	c->stale_last_ts = 0;
}
