/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives as long as its world: what a store, a network and an oracle
 * remember is shared by all of them and freed at once.
 */
#ifndef TESTS_SIM_ARENA_H
#define TESTS_SIM_ARENA_H

#include <projector/event.h>

#include <stddef.h>

struct arena {
	struct arena_block *blocks;
	size_t used; /* of the first block */
};

/* Zeroed, aligned for anything. */
void *
arena_add(struct arena *arena, size_t size);
/* A copy with a NUL behind it; a null stays a null. */
struct pj_str
arena_str(struct arena *arena, struct pj_str s);
char *
arena_text(struct arena *arena, const char *s);
void
arena_release(struct arena *arena);

#endif
