/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event-loop thread: accepts, owns its connections from first to last
 * byte, gets back their fetches and what their gathers wait for.
 *
 * All loops watch the one listening socket (each through a descriptor of its
 * own) and take one connection per wake-up: a loop that is busy leaves the
 * next to an idle one, which SO_REUSEPORT's hashing would not.
 *
 * Threads: everything is the loop's own but loop_complete(), loop_arrive(),
 * loop_wake(), and the atomics.
 */
#ifndef QUERYAPI_LOOP_H
#define QUERYAPI_LOOP_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/queue.h"
#include "lib/settings.h"
#include "queryapi/admission.h"
#include "queryapi/cache.h"
#include "queryapi/catalog.h"
#include "queryapi/feed.h"
#include "queryapi/loads.h"
#include "queryapi/http_response.h"
#include "queryapi/fetch.h"
#include "queryapi/metrics.h"
#include "queryapi/tokens.h"
#include "queryapi/watchers.h"

/* What all loops share; made by server.c, outlives them. */
struct loop_shared {
	const struct settings *set;
	struct catalog *catalog;
	struct cache *cache;
	struct loads *loads;
	struct feed *feed;
	struct watchers *watchers;
	struct queue *jobs; /* for the workers */
	struct admission *admission;
	struct guard *guard;
	struct tls *tls; /* NULL: none */
	struct metrics *metrics;
	/*
	 * Held around accept: at EMFILE a loop gives up its reserve descriptor
	 * for one accept, and no other loop may take it in between. A leaf.
	 */
	pthread_mutex_t accept_lock;
	atomic_bool stopping;
	_Atomic int64_t stop_by_mono_ms;
};

struct loop {
	struct loop_shared *shared;
	size_t index; /* also as a reader of the cache */
	struct metrics_set *met;
	struct event_base *base;
	pthread_t thread;

	int listen_fd;
	int reserve_fd; /* given up to get rid of a client at EMFILE */
	struct event *accept_ev, *resume_ev, *tick_ev, *wake_ev;
	int wake_fd;

	struct connection *connections; /* list of all */
	size_t n_connections;
	size_t n_refused;    /* of them, those that are only told 503 */
	size_t unsent_bytes; /* of all connections' answers */
	struct snapshot_hold hold;
	struct tokens_hold tokens;
	char date[HTTP_DATE_MAX];
	int64_t date_s;
	uint64_t id_seed, id_counter, draws;
	struct buf out;	 /* one response at a time */
	struct buf more; /* lines of it */
	char *space;	 /* a decoded target */
	bool stopping;

	_Atomic int64_t beat_mono_ms;

	pthread_mutex_t lock; /* what follows; a leaf */
	struct fetch *completed;
	struct load_wait *arrived;
};

/* What would be put into the workers' queue would wait for too long there: told
 * at once, a client can do something else with the time. */
bool
loop_workers_are_full(const struct loop_shared *sh);

/* listen_fd is duplicated. */
int
loop_init(struct loop *lp, struct loop_shared *shared, size_t index,
	  int listen_fd, struct pj_error *err)
	__attribute__((warn_unused_result));
int
loop_start(struct loop *lp, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Any thread: shared->stopping was set, or watches of it rang. */
void
loop_wake(struct loop *lp);
/* Waits for the thread; it ends by shared->stop_by_mono_ms. */
void
loop_join(struct loop *lp);
/* Frees what loop_init() made; no fetch may come back any more. */
void
loop_release(struct loop *lp);

/* Any thread: gives a fetch back to the loop that made it. */
void
loop_complete(struct fetch *fetch);

/* Any thread: a load or a coding (compress.c) is done with this wait. */
void
loop_arrive(struct load_wait *wait);

/* For connections. */
const char *
loop_date(struct loop *lp);
void
loop_request_id(struct loop *lp, char out[FETCH_REQUEST_ID_MAX]);
/* A connection is gone. */
void
loop_forget(struct loop *lp);

#endif
