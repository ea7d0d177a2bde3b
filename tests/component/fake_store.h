/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document store in memory that does what a real one may do to a batch: lose
 * it, lose the answer, execute a part of it, execute it late or once more.
 *
 * It holds the store port's promises and no others: rows before documents
 * before checkpoints, compare-and-set by token, monotone checkpoints; and it
 * checks what every document write must keep: revisions count one by one, or
 * stand still where nothing but metadata is new; positions never go back.
 */
#ifndef TESTS_COMPONENT_FAKE_STORE_H
#define TESTS_COMPONENT_FAKE_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "projector/job.h"

/* ---- Randomness: seeded, the same everywhere (splitmix64) --------------- */

struct dice {
	uint64_t state;
};

static inline uint64_t
dice_roll(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline unsigned
dice_below(struct dice *dice, unsigned n)
{
	return (unsigned)(dice_roll(dice) % n);
}

static inline bool
dice_percent(struct dice *dice, unsigned percent)
{
	return dice_below(dice, 100) < percent;
}

/* ---- The store ---------------------------------------------------------- */

enum { FAKE_POSITIONS = 32 };

struct fake_doc {
	char collection[64];
	char key[512];
	size_t key_len;
	uint8_t *bson;
	size_t len;
	struct bsonjson_meta meta;
	struct bsonjson_position p[FAKE_POSITIONS];
};

struct fake_row {
	char generation[64];
	char unit_type[16];
	char unit[512];
	size_t unit_len;
	char topic[32];
	int32_t partition;
	int64_t offset;
	char cause[64];
};

struct fake_store {
	struct fake_doc *docs;
	size_t n_docs, docs_cap;
	struct fake_row *rows;
	size_t n_rows, rows_cap;
	struct store_checkpoint *points;
	size_t n_points, points_cap;
	/* Batches that are still on their way although they were given up. */
	struct store_batch *late;
	size_t n_late, late_cap;
	struct dice *dice;
};

/* A document with this text in it is one the store can never hold. */
#define FAKE_POISON "poison"

enum fake_fault {
	FAKE_FINE,
	FAKE_LOST,	 /* nothing happens, the call fails */
	FAKE_LATE,	 /* the call fails; it happens later */
	FAKE_LOST_REPLY, /* all happens, the call fails */
	FAKE_PART,	 /* some of it happens, the call fails */
	FAKE_DOUBT,	 /* all happens, some outcomes are not told */
	FAKE_TWICE,	 /* all happens, and later once more */
	FAKE_FAULTS,
};

static inline struct fake_doc *
fake_find(struct fake_store *store, const char *collection, struct pj_str key)
{
	for (size_t i = 0; i < store->n_docs; i++) {
		struct fake_doc *doc = &store->docs[i];

		if (doc->key_len == key.len &&
		    memcmp(doc->key, key.ptr, key.len) == 0 &&
		    strcmp(doc->collection, collection) == 0)
			return doc;
	}
	return NULL;
}

static inline int64_t
fake_position(const struct fake_doc *doc, int32_t source)
{
	for (size_t i = 0; doc && i < doc->meta.n_positions; i++)
		if (doc->p[i].source == source)
			return doc->p[i].offset;
	return -1;
}

static inline bool
fake_is_poison(const struct store_write *w)
{
	size_t len = strlen(FAKE_POISON);

	for (size_t i = 0; i + len <= w->len; i++)
		if (memcmp(w->bson + i, FAKE_POISON, len) == 0)
			return true;
	return false;
}

/* The same but for `_m`, which is last, and the length. */
static inline bool
fake_same_content(const struct fake_doc *a, const struct fake_doc *b)
{
	for (size_t n = 4; n + 4 <= a->len && n + 4 <= b->len; n++) {
		if (a->bson[n] != b->bson[n])
			return false;
		if (memcmp(a->bson + n, "\x03_m", 4) == 0)
			return memcmp(a->bson + n, b->bson + n, 4) == 0;
	}
	return false;
}

/* Protocol rule 12: a write for a sequence alone. */
static inline bool
fake_is_metadata_only(const struct fake_doc *doc, const struct fake_doc *old)
{
	if (doc->meta.revision != old->meta.revision)
		return false;
	if (!old->bson)
		return doc->meta.state == READMODEL_META_ONLY;
	return doc->meta.state == old->meta.state &&
	       doc->meta.updated_at_ms == old->meta.updated_at_ms &&
	       fake_same_content(doc, old);
}

static inline void
fake_put(struct fake_store *store, struct fake_doc *doc,
	 const struct store_write *w)
{
	struct fake_doc old = {.collection = ""};
	struct pj_error err;

	if (doc) {
		old = *doc;
	} else {
		MEM_GROW(store->docs, store->n_docs, store->docs_cap);
		doc = &store->docs[store->n_docs++];
		memset(doc, 0, sizeof(*doc));
		assert_true(strlen(w->collection) < sizeof(doc->collection));
		strcpy(doc->collection, w->collection);
		assert_true(w->key.len < sizeof(doc->key));
		memcpy(doc->key, w->key.ptr, w->key.len);
		doc->key_len = w->key.len;
	}
	doc->bson = mem_alloc(w->len);
	memcpy(doc->bson, w->bson, w->len);
	doc->len = w->len;
	if (bsonjson_meta(doc->bson, doc->len, &doc->meta, doc->p,
			  FAKE_POSITIONS, &err))
		fail_msg("%s", err.text);
	assert_true(doc->meta.n_positions <= FAKE_POSITIONS);
	if (doc->meta.revision != old.meta.revision + 1 &&
	    !fake_is_metadata_only(doc, &old))
		fail_msg("%s/%.*s: revision %lld after %lld", doc->collection,
			 (int)doc->key_len, doc->key,
			 (long long)doc->meta.revision,
			 (long long)old.meta.revision);
	for (size_t i = 0; i < old.meta.n_positions; i++)
		if (fake_position(doc, old.p[i].source) < old.p[i].offset)
			fail_msg("%s/%.*s: position of source %d goes back",
				 doc->collection, (int)doc->key_len, doc->key,
				 (int)old.p[i].source);
	free(old.bson);
}

static inline enum store_outcome
fake_write(struct fake_store *store, const struct store_write *w)
{
	struct fake_doc *doc = fake_find(store, w->collection, w->key);

	if (fake_is_poison(w))
		return STORE_REFUSED;
	if (w->insert ? doc != NULL
		      : !doc || memcmp(doc->meta.token, w->base.bytes,
				       STORE_TOKEN_BYTES) != 0)
		return STORE_UNKNOWN;
	fake_put(store, doc, w);
	return STORE_APPLIED;
}

static inline const struct fake_row *
fake_row(const struct fake_store *store, const char *generation,
	 const char *topic, int32_t partition, int64_t offset,
	 struct pj_str unit)
{
	for (size_t i = 0; i < store->n_rows; i++) {
		const struct fake_row *row = &store->rows[i];

		if (row->offset == offset && row->partition == partition &&
		    strcmp(row->topic, topic) == 0 &&
		    strcmp(row->generation, generation) == 0 &&
		    row->unit_len == unit.len &&
		    memcmp(row->unit, unit.ptr, unit.len) == 0)
			return row;
	}
	return NULL;
}

static inline void
fake_park(struct fake_store *store, const struct store_parked *parked)
{
	struct fake_row *row;

	assert_true(parked->unit.len < sizeof(row->unit));
	if (fake_row(store, parked->generation, parked->topic,
		     parked->partition, parked->offset, parked->unit))
		return; /* idempotent */
	MEM_GROW(store->rows, store->n_rows, store->rows_cap);
	row = &store->rows[store->n_rows++];
	memset(row, 0, sizeof(*row));
	(void)snprintf(row->generation, sizeof(row->generation), "%s",
		       parked->generation);
	(void)snprintf(row->unit_type, sizeof(row->unit_type), "%s",
		       parked->unit_type);
	(void)snprintf(row->topic, sizeof(row->topic), "%s", parked->topic);
	(void)snprintf(row->cause, sizeof(row->cause), "%s", parked->cause);
	if (parked->unit.len)
		memcpy(row->unit, parked->unit.ptr, parked->unit.len);
	row->unit_len = parked->unit.len;
	row->partition = parked->partition;
	row->offset = parked->offset;
}

/* Where the generation goes on in the source; -1: no checkpoint. */
static inline int64_t
fake_next(const struct fake_store *store, const char *generation,
	  int32_t source)
{
	for (size_t i = 0; i < store->n_points; i++)
		if (store->points[i].source == source &&
		    strcmp(store->points[i].generation, generation) == 0)
			return store->points[i].next;
	return -1;
}

static inline void
fake_checkpoint(struct fake_store *store, const struct store_checkpoint *point)
{
	for (size_t i = 0; i < store->n_points; i++)
		if (store->points[i].source == point->source &&
		    strcmp(store->points[i].generation, point->generation) ==
			    0) {
			if (point->next >= store->points[i].next)
				store->points[i] = *point;
			return;
		}
	MEM_GROW(store->points, store->n_points, store->points_cap);
	store->points[store->n_points++] = *point;
}

/* ---- Batches ------------------------------------------------------------ */

static inline void
fake_rows(struct fake_store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->n_parked; i++)
		fake_park(store, &batch->parked[i]);
}

static inline void
fake_checkpoints(struct fake_store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->n_checkpoints; i++)
		fake_checkpoint(store, &batch->checkpoints[i]);
}

/* Documents only: rows and checkpoints of a late batch are idempotent. */
static inline void
fake_delay(struct fake_store *store, const struct store_batch *batch)
{
	struct store_batch copy = {.n_writes = batch->n_writes};

	copy.writes = mem_calloc(copy.n_writes, sizeof(*copy.writes));
	for (size_t i = 0; i < copy.n_writes; i++) {
		struct store_write *w = &copy.writes[i];
		uint8_t *bytes = mem_alloc(batch->writes[i].len);

		*w = batch->writes[i];
		memcpy(bytes, w->bson, w->len);
		w->bson = bytes;
		w->key.ptr = mem_strndup(w->key.ptr, w->key.len);
		w->collection = mem_strdup(w->collection);
	}
	MEM_GROW(store->late, store->n_late, store->late_cap);
	store->late[store->n_late++] = copy;
}

static inline void
fake_late_free(struct store_batch *late)
{
	for (size_t i = 0; i < late->n_writes; i++) {
		free((void *)late->writes[i].bson);
		free((void *)late->writes[i].key.ptr);
		free((void *)late->writes[i].collection);
	}
	free(late->writes);
}

/* One of the late batches arrives. */
static inline void
fake_deliver_late(struct fake_store *store)
{
	size_t i = dice_below(store->dice, (unsigned)store->n_late);
	struct store_batch late = store->late[i];

	store->late[i] = store->late[--store->n_late];
	for (size_t w = 0; w < late.n_writes; w++)
		(void)fake_write(store, &late.writes[w]);
	fake_late_free(&late);
}

static inline int
fake_away(struct job *job)
{
	job->rc = pj_error_set(&job->err, PJ_ERROR_RETRY, "fake store away");
	return job->rc;
}

static inline void
fake_apply(struct fake_store *store, struct job *job, enum fake_fault fault)
{
	struct store_batch *batch = &job->batch;
	unsigned part = fault == FAKE_PART ? 50 : 100;
	bool rows_only = fault == FAKE_PART && dice_percent(store->dice, 30);

	if (fault == FAKE_LATE || fault == FAKE_TWICE)
		fake_delay(store, batch);
	if (fault == FAKE_LOST || fault == FAKE_LATE) {
		(void)fake_away(job);
		return;
	}
	fake_rows(store, batch);
	for (size_t i = 0; !rows_only && i < batch->n_writes; i++) {
		struct store_write *w = &batch->writes[i];
		enum store_outcome outcome;

		if (!dice_percent(store->dice, part))
			continue;
		outcome = fake_write(store, w);
		if (fault == FAKE_FINE || fault == FAKE_TWICE ||
		    dice_percent(store->dice, 50))
			w->outcome = outcome;
		else if (fault == FAKE_DOUBT)
			w->outcome = STORE_UNKNOWN;
	}
	if (fault != FAKE_PART)
		fake_checkpoints(store, batch);
	if (fault == FAKE_LOST_REPLY || fault == FAKE_PART)
		(void)fake_away(job);
}

static inline void
fake_load(struct fake_store *store, struct job *job, enum fake_fault fault)
{
	if (fault != FAKE_FINE && dice_percent(store->dice, 50)) {
		(void)fake_away(job);
		return;
	}
	for (size_t l = 0; l < job->n_loads; l++) {
		const struct job_load *load = &job->loads[l];

		for (size_t i = load->first; i < load->first + load->n; i++) {
			struct store_doc *got = &job->docs[i];
			const struct fake_doc *doc =
				fake_find(store, load->collection, got->key);

			if (!doc)
				continue;
			got->bson = mem_alloc(doc->len);
			memcpy(got->bson, doc->bson, doc->len);
			got->len = doc->len;
		}
	}
}

/* Stands in for job_run(). */
static inline void
fake_run(struct fake_store *store, struct job *job, enum fake_fault fault)
{
	if (job->kind == JOB_LOAD)
		fake_load(store, job, fault);
	else
		fake_apply(store, job, fault);
}

static inline void
fake_release(struct fake_store *store)
{
	for (size_t i = 0; i < store->n_docs; i++)
		free(store->docs[i].bson);
	for (size_t i = 0; i < store->n_late; i++)
		fake_late_free(&store->late[i]);
	free(store->docs);
	free(store->rows);
	free(store->points);
	free(store->late);
	memset(store, 0, sizeof(*store));
}

#endif
