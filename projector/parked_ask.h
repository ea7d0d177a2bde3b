/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the owners of parked queues to retry or discard (protocol rule 11):
 * one stored request per queue, carried out by whoever runs the source.
 *
 * A request stays in the store until it is done, whoever asked; asking again
 * meanwhile waits for the one that is there.
 *
 * Ownership: struct asks owns everything in it; asks_release() frees.
 * Errors: the store's. Thread: whoever owns the session.
 */
#ifndef PROJECTOR_PARKED_ASK_H
#define PROJECTOR_PARKED_ASK_H

#include <projector/error.h>

#include <stdbool.h>

#include "lib/store.h"
#include "projector/parked_list.h"

enum ask_state { ASK_WAITING, ASK_DONE, ASK_FAILED };

struct ask {
	char id[33];
	char unit_type[16];
	char *unit;
	size_t unit_len;
	char *key; /* parked_key() */
	char *topic;
	int32_t partition;
	int64_t offset; /* of the head */
	char *cause;	/* why the head is parked */
	int64_t n;	/* records in the queue */
	enum ask_state state;
	char *result; /* what became of it, in words; NULL while it waits */
};

struct asks {
	struct ask *ask;
	size_t n, cap;
};

void
asks_add(struct asks *asks, const struct parked_queue *queue);
void
asks_release(struct asks *asks);

/* What is wanted of them all. */
struct ask_wish {
	const char *generation;
	const char *action; /* "retry" or "discard" */
	const char *reason;
	const char *by;
};

/*
 * Stores the requests, but those that are there already; takes away what has
 * ended days ago.
 */
int
asks_send(struct asks *asks, const struct ask_wish *wish,
	  struct store_session *ses, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Waits until all have ended, or none did for wait_ms. each() is told of every
 * one that ended. Outages are waited out, within wait_ms.
 */
int
asks_wait(struct asks *asks, struct store_session *ses, int64_t wait_ms,
	  void (*each)(void *arg, const struct ask *ask), void *arg,
	  struct pj_error *err) __attribute__((warn_unused_result));

#endif
