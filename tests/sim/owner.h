/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process: a real core, driven as projector/pipeline.c drives it.
 *
 *	waiting ──learns of an assignment──▶ claiming ──▶ reading
 *	   ▲                                                 │
 *	   └────── fenced, revoked (after a flush) ──────────┘
 *
 * It knows of the group only what it was told. One that is deaf is told
 * nothing: it goes on with what it has, whoever has it by now. One that is
 * frozen does nothing at all, but what it sent goes on.
 */
#ifndef TESTS_SIM_OWNER_H
#define TESTS_SIM_OWNER_H

#include "projector/core.h"
#include "tests/sim/log.h"
#include "tests/sim/modules.h"
#include "tests/sim/wire.h"

enum { ERRANDS_MAX = 8, ANSWERS_MAX = 64 };

struct world;

enum owner_state {
	OWNER_WAITING, /* for an assignment */
	OWNER_CLAIMING,
	OWNER_READING,
	OWNER_FLUSHING, /* it was told to give up what it has */
	OWNER_DEAD,
};

struct claim {
	struct call call;
	struct store_owner owner;
	size_t lane;
	bool counted;	/* what the pointer names */
	bool read_back; /* all rows are claimed */
	bool compare;	/* ... and were before */
};

/* Answers of the core, the first of them on its way. */
struct dealings {
	struct core_answer answers[ANSWERS_MAX];
	size_t n;
	struct call call;
};

struct owner {
	unsigned number;
	enum owner_state state;
	struct core *core;
	struct lanes lanes;
	struct partition parts[LOGS_MAX];
	struct line line;
	struct errand errands[ERRANDS_MAX];
	size_t n_errands;

	bool mended;			   /* its modules are the new ones */
	bool joined;			   /* the group knows it */
	uint32_t assignment;		   /* the newest it was told of */
	bool has[LOGS_MAX];		   /* of that one */
	uint64_t deaf_until, frozen_until; /* steps */
	uint64_t flush_until, fenced_at;
	/* When it looked at its claims (worlds with promotions). */
	bool looking;
	uint64_t blind_until; /* step */
	int64_t asked_mono_ms, trusted_mono_ms, look_mono_ms;

	struct claim claim;
	struct dealings dealings;
	uint64_t n_claims;
	uint64_t nonce; /* distinct per process */
	struct store_checkpoint claimed[LOGS_MAX][MODULES];
	int64_t offered[LOGS_MAX][MODULES]; /* positions, this assignment */
	size_t at[LOGS_MAX];		    /* next event to feed */
};

struct owner *
owner_new(struct world *w, unsigned number);
/* One step of whatever it does; false: there was nothing to do. */
bool
owner_step(struct world *w, struct owner *o);
/* It is gone, with all it had not sent. */
void
owner_die(struct world *w, struct owner *o);
/* Forgets its assignment; the core and what is on its way live on. */
void
owner_forget(struct world *w, struct owner *o);
/* Others start with newer modules, or with more of them. */
bool
owner_is_outdated(const struct world *w, const struct owner *o);
/* Why it is not at rest; NULL: it is. */
const char *
owner_unrest(const struct world *w, const struct owner *o);
void
owner_free(struct owner *o);

#endif
