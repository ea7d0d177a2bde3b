/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log that a world projects: seeded records of several topic-partitions,
 * with gaps in the offsets, and what they look like as a source hands them out.
 */
#ifndef TESTS_SIM_LOG_H
#define TESTS_SIM_LOG_H

#include "projector/record.h"
#include "tests/sim/arena.h"
#include "tests/sim/dice.h"

enum { LOGS_MAX = 12, EVENTS_MAX = 48 };

struct log_event {
	int64_t offset;
	int64_t timestamp_ms;
	struct pj_str key;   /* ptr NULL: none */
	struct pj_str value; /* ptr NULL: a tombstone */
	struct record_header header;
};

struct log {
	const char *topic;
	int32_t number;
	int32_t source; /* index in the store's registry */
	struct log_event events[EVENTS_MAX];
	size_t n;
	size_t n_there; /* of them; the others come later */
	int64_t end;
};

/* Percent of the records that are … */
struct log_mix {
	unsigned bad;	    /* unreadable, incomplete, unlisted */
	unsigned tombstone; /* without a value */
	unsigned keyless;   /* of the bad ones: without a key */
	unsigned heavy;	    /* making documents no store can hold */
	unsigned numbered;  /* counted by a sequence, with repeats and gaps */
	unsigned quoted;    /* with a JSON string as key */
	unsigned toggle;    /* on and off and on again */
};

/* Behind what is there. */
int64_t
log_end_now(const struct log *log);

void
log_make(struct log *log, struct arena *arena, struct dice *dice,
	 const struct log_mix *mix, unsigned events);

/* A record as a source hands it out; counts `out` until it is given back. */
struct record *
log_record_new(const struct log_event *ev, struct partition *part,
	       uint32_t assignment, size_t *out);

#endif
