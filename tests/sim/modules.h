/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modules that a world feeds: some of the bundled ones, and three of the
 * simulator's own, in which every event counts and so does its place.
 *
 *	chain	several documents per record key, one source each
 *	trail	keyed by the record: sequences, tombstones
 *	fan	two documents per event, several sources and record keys each;
 *		order counts within a record key only
 *
 * They reject some events until they are mended, which changes nothing in what
 * they make of those they took.
 */
#ifndef TESTS_SIM_MODULES_H
#define TESTS_SIM_MODULES_H

#include <projector/contract.h>

#include "projector/decode.h"
#include "projector/module.h"

enum { MODULES = 9, MODULE_TOPICS = 4 };

/* Numbers in events that have a meaning to chain. */
enum {
	CHAIN_REJECT = -13, /* quantities */
	CHAIN_DELETE = -7,
	CHAIN_NOTHING = 5, /* versions */
	CHAIN_GROW = 66,
	CHAIN_POISON = 77,
};

struct modules {
	struct module *mod[MODULES];
	struct decode_topic topics[MODULE_TOPICS];
	struct zone *zone;
};

extern bool modules_mended;

void
modules_load(struct modules *all);
void
modules_free(struct modules *all);
const struct decode_topic *
modules_topic(const struct modules *all, const char *name);

#endif
