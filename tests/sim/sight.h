/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record as each lane has to see it: which documents it goes to, or what is
 * at fault and what it waits in (domain-contract, section 2).
 */
#ifndef TESTS_SIM_SIGHT_H
#define TESTS_SIM_SIGHT_H

#include "projector/decode.h"
#include "projector/router.h"
#include "tests/sim/log.h"
#include "tests/sim/modules.h"

enum sight_kind {
	SIGHT_EVENT,	/* into a document */
	SIGHT_SEQUENCE, /* likewise, of which only its number matters */
	SIGHT_DOCUMENT, /* at fault; its document is known */
	SIGHT_KEY,	/* at fault, and nothing but the record key is known */
	SIGHT_LONE,	/* at fault, and alone */
};

struct sight {
	enum sight_kind kind;
	unsigned lane;
	struct pj_str key; /* of the document; else the record's */
	const char *cause; /* when at fault */
};

enum { SIGHTS_MAX = 24, SEQUENCE_UNKNOWN = -1 };

struct view {
	const struct log_event *ev;
	struct pj_str key; /* the record's, quoted or not; len 0: none */
	struct sight sights[SIGHTS_MAX];
	size_t n;
	int64_t sequence; /* 0 none; SEQUENCE_UNKNOWN: nobody can read it */
};

/* Who sees. */
struct eyes {
	struct arena *arena;
	const struct modules *modules;
	struct lanes lanes;
	struct decoder *decoder;
	struct router *router;
	struct partition parts[LOGS_MAX];
	size_t records_out;
};

void
view_make(struct view *view, struct eyes *eyes, const struct log *log,
	  size_t part, const struct log_event *ev);

/* The record and its event, once more: until the next call. */
struct record *
eyes_read(struct eyes *eyes, const struct log *log, size_t part,
	  const struct log_event *ev, const struct pj_event **ret_event);

#endif
