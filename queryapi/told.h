/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents as the stream of changes told them, for whoever asks next: a key
 * that is written often and read often costs the store no question.
 *
 * Invariant: of a key it holds the document that was told last in a
 * following, or none.
 *
 * Bounded in bytes; what was told first goes first, to be asked of the store.
 * Threads: the caller's lock (loads.c).
 */
#ifndef QUERYAPI_TOLD_H
#define QUERYAPI_TOLD_H

#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queryapi/served.h"

struct told;

struct told *
told_new(uint64_t max_bytes);
void
told_free(struct told *told);

bool
told_has(struct told *told, const struct served *srv, struct pj_str key,
	 uint64_t hash);
/* In place of an older one; `since`: of the following that tells. One that is
 * too large by itself is not kept. The bytes are copied. */
void
told_put(struct told *told, const struct served *srv, struct pj_str key,
	 uint64_t hash, uint64_t since, struct pj_str bson);
void
told_drop(struct told *told, const struct served *srv, struct pj_str key,
	  uint64_t hash);
/* Takes it out: malloc'ed, the caller's. NULL: none of this following. */
uint8_t *
told_take(struct told *told, const struct served *srv, struct pj_str key,
	  uint64_t hash, uint64_t since, size_t *ret_len);

#endif
