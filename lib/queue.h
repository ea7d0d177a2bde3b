/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded, closeable queue of pointers between threads.
 *
 * Lock order: a queue's lock is a leaf; nothing is called while it is held.
 * Ownership: a pointer belongs to the queue from push to pop.
 * Thread: any number of pushers and poppers.
 */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue *
queue_new(size_t cap);
/* The queue must be empty or its items of no further use. */
void
queue_free(struct queue *q);

/* False when full or closed: the item stays with the caller. */
bool
queue_try_push(struct queue *q, void *item) __attribute__((warn_unused_result));
/* Waits for room; false when closed. */
bool
queue_push(struct queue *q, void *item) __attribute__((warn_unused_result));
/* NULL when empty, or closed and empty. */
void *
queue_try_pop(struct queue *q);
/* Waits up to timeout_ms (-1 = for ever); NULL on timeout or closed + empty. */
void *
queue_pop(struct queue *q, int timeout_ms);
/* Wakes every waiter; items already in can still be popped. */
void
queue_close(struct queue *q);
size_t
queue_len(struct queue *q);
/* How long what comes out next has been in; 0 when empty. */
int64_t
queue_waited_ms(struct queue *q);

#endif
