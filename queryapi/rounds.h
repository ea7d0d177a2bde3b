/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that does the same again and again, with rests, until it is stopped.
 * Its end is waited for, but not for ever: it may be stuck in the store.
 */
#ifndef QUERYAPI_ROUNDS_H
#define QUERYAPI_ROUNDS_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

struct rounds;

/*
 * turn() returns how long to rest, in milliseconds; end() is the thread's last
 * call. `what` is for the error: "the feed".
 */
int
rounds_start(struct rounds **ret_rounds, int (*turn)(void *arg),
	     void (*end)(void *arg), void *arg, const char *what,
	     struct pj_error *err) __attribute__((warn_unused_result));
/* True: it has ended and is freed (NULL is allowed). False: it did not end in
 * time, and nothing that it uses may be freed. */
bool
rounds_stop(struct rounds *rds, int64_t until_mono_ms);

#endif
