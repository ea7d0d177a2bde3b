/* SPDX-License-Identifier: Apache-2.0 */
/* Record values of the topics, good ones and such as are at fault. */
#ifndef TESTS_SIM_VALUES_H
#define TESTS_SIM_VALUES_H

#include "tests/sim/arena.h"
#include "tests/sim/dice.h"

/* An event of the topic about the record's key, drawn by the dice. */
struct pj_str
value_event(struct arena *arena, struct dice *dice, const char *topic,
	    const char *key, int64_t at_ms);
/* One of two: what it says may be so already. */
struct pj_str
value_toggle(struct arena *arena, struct dice *dice, const char *topic,
	     const char *key, int64_t at_ms);
/* One that makes a document which no store can hold. */
struct pj_str
value_heavy(struct arena *arena, struct dice *dice, const char *topic,
	    const char *key, int64_t at_ms);
/* One that cannot be read, or is not whole, or is of no interest. */
struct pj_str
value_bad(struct arena *arena, struct dice *dice, const char *topic,
	  const char *key, int64_t at_ms);
/* The same value with a sequence, or another type with it. */
struct pj_str
value_numbered(struct arena *arena, struct pj_str value, int64_t sequence);
struct pj_str
value_unheard(struct arena *arena, int64_t sequence);

#endif
