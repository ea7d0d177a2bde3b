/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on one HTTP server: N connections, one request on each at a time, from
 * one thread.
 *
 * Open loop (rate > 0): request i is due at begin + i/rate, whatever the server
 * does, and its latency counts from then. While all connections are busy the
 * next ones wait, and that wait is part of their latency.
 * Closed loop (rate 0): each connection sends its next request when it has the
 * last answer; latency counts from the sending. This finds the most that the
 * server can do, and says nothing about waiting.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/choice.h"
#include "tests/bench/histogram.h"
#include "tests/bench/keys.h"

struct load_settings {
	const char *host; /* a numeric IPv4 address */
	unsigned port;
	const char *target; /* "{}" in it stands for the key, or the keys */
	unsigned batch;	    /* keys per request, separated by commas */
	unsigned
		conditional; /* per cent that send If-None-Match, if they can */
	bool browser;	     /* the header lines of a browser */
	unsigned connections;
	double rate; /* per second; 0: closed loop */
	double seconds;
	uint64_t requests; /* sends no more than this; 0: any number */
};

struct load_result {
	uint64_t sent, answered, conditional;
	uint64_t by_status[1000];
	uint64_t body_bytes, head_bytes;
	uint64_t hung_up;   /* closed before the answer was whole */
	uint64_t malformed; /* answers that reply.h refuses */
	uint64_t reconnects;
	uint64_t unanswered; /* due or sent, no answer within the grace */
	char first_fault[80];
	double seconds; /* from the first request to the last answer */
	struct histogram latency_ns;
	struct histogram given_ns; /* of those that were not refused by 503 */
};

enum {
	LOAD_GRACE_S = 5, /* how long the end waits for what is due */
	LOAD_BATCH_MAX = 100,
};

/* Ends the program with a message when the server cannot be connected to. */
void
load_run(const struct load_settings *set, struct keys *keys,
	 struct choice *choice, struct load_result *res);

#endif
