/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who makes a rebuilt generation the live one: promotion.c as the store and the
 * log see it, one command or read a step. The candidate itself is not there: it
 * has reached what it has to, a while after that is known.
 *
 *	idle ─▶ claims all rows ─▶ sees them, and the pointer ─▶ waits the grace
 *	time ─▶ asks where the log ends ─▶ the candidate reaches that ─▶ looks
 *	whether its fence stands ─▶ moves the pointer
 *
 * Whatever is in the way: from the beginning. The generation of one lane is
 * replaced; its owners go on with it afterwards, as after a rollback. An owner
 * that was fenced lets go of all it has, where the product keeps the siblings.
 */
#ifndef TESTS_SIM_PROMOTER_H
#define TESTS_SIM_PROMOTER_H

#include "tests/sim/wire.h"

enum { PROMOTED = 0 }; /* index of the lane */

enum promoter_state {
	PROMOTER_IDLE,
	PROMOTER_LISTING,
	PROMOTER_CLAIMING,
	PROMOTER_READING_BACK,
	PROMOTER_SEEING,
	PROMOTER_WAITING,
	PROMOTER_REACHING,
	PROMOTER_CHECKING,
	PROMOTER_MOVING,
};

struct promoter {
	enum promoter_state state;
	struct call call;
	struct line line;
	struct store_owner owner;
	int64_t epochs[LOGS_MAX]; /* 0: no row */
	struct pointer_content seen;
	int64_t fenced_mono_ms;
	uint64_t frozen_until; /* step */
};

struct world;

struct row *
promoter_pointer(struct world *w);
/* It has asked where the log ends, the pointer has not moved yet. */
bool
promoter_is_late(const struct world *w);
void
promoter_step(struct world *w);
/* The pointer has another content, for good. */
void
promoter_check(const struct world *w, const struct pointer_content *before,
	       const struct pointer_content *after);

#endif
