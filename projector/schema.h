/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding a JSON object against a topic's table.
 *
 * Fields the type does not list are not looked at. A field at fault is left
 * absent; the first fault found is the one that is told.
 *
 * Ownership: the schema owns what it fills in until schema_reset(). Tables are
 * remembered by address: they outlive the schema.
 * Errors: INPUT, with a short constant cause.
 * Thread: one schema, one thread.
 */
#ifndef PROJECTOR_SCHEMA_H
#define PROJECTOR_SCHEMA_H

#include <projector/error.h>
#include <projector/event.h>

#include "lib/json.h"
#include "projector/event_data.h"
#include "projector/zone.h"

struct schema;
struct schema_table; /* a field table with its names hashed */

struct schema *
schema_new(void);
void
schema_free(struct schema *schema);

/* Lives as long as the schema; made when first asked for. */
const struct schema_table *
schema_table(struct schema *schema, const struct pj_field *fields,
	     unsigned n_fields);

/* Takes back the memory of all data filled in so far. */
void
schema_reset(struct schema *schema);

/* Where and by which rules an object is read. */
struct schema_input {
	const struct schema_table *table;
	const struct pj_event_type *type;
	const struct json_node *tape;
	uint32_t object; /* index of a JSON_OBJECT */
	const struct zone *zone;
};

/* *ret_data is filled in either way. */
int
schema_check(struct schema *schema, const struct schema_input *in,
	     struct pj_data *ret_data, const char **ret_cause,
	     struct pj_error *err) __attribute__((warn_unused_result));

/* The data of an event that came without any: every field is absent. */
void
schema_absent(struct schema *schema, const struct schema_table *table,
	      struct pj_data *ret_data);

#endif
