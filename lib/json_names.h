/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a repeated name in a large object in linear time.
 *
 * Names come from outside, so the hash is keyed: who does not know the seed
 * cannot make names collide. Small objects are compared in json.c.
 *
 * Ownership: the table is the reader's and is reused.
 */
#ifndef LIB_JSON_NAMES_H
#define LIB_JSON_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/json.h"

struct json_names {
	struct json_names_slot {
		uint32_t hash;
		uint32_t node; /* 0 = free: the root is no name */
	} * slots;
	size_t cap;
	uint64_t seed[2];
};

void
json_names_init(struct json_names *names);
void
json_names_release(struct json_names *names);

/* The first name that stands in the object a second time, or 0. */
uint32_t
json_names_repeated(struct json_names *names, const struct json_node *nodes,
		    uint32_t object);

#endif
