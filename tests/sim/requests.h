/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators ask of parked queues, and the owners that hear of it (protocol
 * rule 11).
 */
#ifndef TESTS_SIM_REQUESTS_H
#define TESTS_SIM_REQUESTS_H

#include "tests/sim/world.h"

/* Somebody looks at what is parked and asks for something. */
void
requests_ask(struct world *w);
/*
 * Asks for every queue that is left: retry, or when that was of no use,
 * discard. False: there is none.
 */
bool
requests_ask_for_all(struct world *w);
/* No request is new any more. */
bool
requests_are_ended(const struct world *w);

/* An owner looks for requests that concern it. */
void
requests_poll(struct world *w, struct owner *o);
/* ... and says what came of them; false: nothing to say. */
bool
requests_answer(struct world *w, struct owner *o);

#endif
