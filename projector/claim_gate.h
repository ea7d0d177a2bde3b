/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a reader may still claim positions (protocol rule 9).
 *
 * The second reader (catchup.h) claims on a thread of its own what the process
 * was assigned. Who takes over an assignment claims it last, so nothing here
 * may claim once the assignment is given back: who gives it back closes the
 * gate first, and waits for a claim that is under way.
 *
 * Threads: claim_gate_close() and _is_closed() any; the rest the reader's.
 */
#ifndef PROJECTOR_CLAIM_GATE_H
#define PROJECTOR_CLAIM_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct claim_gate {
	pthread_mutex_t lock; /* held while something is claimed */
	atomic_bool closed;
};

static inline bool
claim_gate_is_closed(const struct claim_gate *gate)
{
	return atomic_load(&gate->closed);
}

/* Nothing is claimed from here on. */
static inline void
claim_gate_close(struct claim_gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	atomic_store(&gate->closed, true);
	(void)pthread_mutex_unlock(&gate->lock);
}

/* false: it is closed. Else claim, and leave it. */
static inline bool
claim_gate_enter(struct claim_gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	if (!claim_gate_is_closed(gate))
		return true;
	(void)pthread_mutex_unlock(&gate->lock);
	return false;
}

static inline void
claim_gate_leave(struct claim_gate *gate)
{
	(void)pthread_mutex_unlock(&gate->lock);
}

#endif
