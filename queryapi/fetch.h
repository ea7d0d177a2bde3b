/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A piece of store work between a loop and a worker.
 *
 * The way: a handler makes it, the connection hands it to the queue, a worker
 * runs it, the loop gets it back and answers. It holds a copy of everything it
 * needs: request and connection may be gone while it runs.
 *
 * Ownership: the loop that made it, except between queue and loop_complete(),
 * when it is the worker's.
 * Threads: `conn` is the loop's alone (NULL: nobody waits any more);
 * `abandoned` is the loop's word to a worker that this need not be done;
 * everything else is written by whoever owns it.
 */
#ifndef QUERYAPI_FETCH_H
#define QUERYAPI_FETCH_H

#include <projector/event.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queryapi/http_response.h"
#include "queryapi/job.h"
#include "queryapi/trace.h"

struct connection;
struct loop;
struct worker;

enum { FETCH_VIEW_MAX = 33, FETCH_REQUEST_ID_MAX = 129 };

struct fetch {
	struct job job; /* fetch_run() */
	/* What is to be done, on a worker. */
	void (*run)(struct fetch *fetch, struct worker *wrk);
	char view[FETCH_VIEW_MAX];
	struct pj_str *keys;
	size_t n_keys;
	char *key_bytes; /* what keys point into */
	size_t limit;	 /* of a list; what keys are: view_list.c */
	bool gzip;	 /* the client takes it */
	bool exact;	 /* a picture of before will not do */
	uint32_t gzip_min_bytes;
	char request_id[FETCH_REQUEST_ID_MAX];
	char trace_id[TRACE_ID_MAX];
	int64_t deadline_mono_ms; /* later nobody waits */

	struct http_response res; /* the worker's answer */

	struct loop *loop;
	struct connection *conn;
	atomic_bool abandoned;
	struct fetch *next; /* list of completed fetches */
};

/* The job's run (worker.c): runs it and gives it back to its loop. */
void
fetch_run(struct job *job, struct worker *wrk);

struct fetch *
fetch_new(size_t n_keys, size_t key_bytes);
void
fetch_free(struct fetch *fetch);

#endif
