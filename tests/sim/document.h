/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored document as the simulator reads it: its bytes, and `_m` taken apart
 * with libbson, without the product's own readers (lib/store.h says the shape).
 */
#ifndef TESTS_SIM_DOCUMENT_H
#define TESTS_SIM_DOCUMENT_H

#include "lib/store.h"
#include "tests/sim/arena.h"

struct place {
	int32_t source;
	int64_t offset;
};

struct queue_mark {
	int32_t source;
	int64_t first, tail, n;
};

struct sequence_mark {
	const char *topic;
	int64_t last;
};

struct document {
	const uint8_t *bson;
	size_t len;
	struct store_token token;
	int64_t revision;
	int32_t state; /* READMODEL_LIVE_DOC … */
	int64_t newest_ms, deleted_at_ms;
	const struct place *p, *o;
	size_t n_p, n_o;
	const struct queue_mark *k;
	size_t n_k;
	const struct sequence_mark *s;
	size_t n_s;
	size_t content_len; /* of bson, up to `_m` */
};

/* A copy. What is no such document is a broken promise. */
const struct document *
document_new(struct arena *arena, const uint8_t *bson, size_t len);

/* A line of the schedule. */
void
document_tell(const char *what, const struct document *doc);

/* -1 when there is none; doc may be NULL. */
int64_t
document_position(const struct document *doc, int32_t source);
bool
document_has_late(const struct document *doc, int32_t source, int64_t offset);
/* NULL when there is none. */
const struct queue_mark *
document_queue(const struct document *doc, int32_t source);
/* 0 when there is none. */
int64_t
document_sequence(const struct document *doc, const char *topic);

/* The same but for `_m`. */
bool
document_same_content(const struct document *a, const struct document *b);

/* Bytes with this text in them are such as the store can never hold. */
#define DOCUMENT_POISON "poison"

bool
document_is_poison(const uint8_t *bson, size_t len);

#endif
