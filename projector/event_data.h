/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is inside an event: one slot per declared field, over the JSON tape.
 *
 * Written by decode.c and schema.c, read through <projector/event.h>, and by
 * the document's code, which needs the raw value of fields kept as given.
 *
 * Ownership: everything belongs to the decoder that made the event, until its
 * next decode().
 * Thread: the decoder's.
 */
#ifndef PROJECTOR_EVENT_DATA_H
#define PROJECTOR_EVENT_DATA_H

#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/json.h"
#include "projector/zone.h"

/* ---- For the document's code ------------------------------------------- */

struct event_value {
	const struct json_node *tape; /* NULL: the field has no value */
	uint32_t index;		      /* of the value's node in the tape */
};

/* The value as it stands in the JSON; for PJ_VALUE only, else tape NULL. */
struct event_value
event_data_value(const struct pj_data *data, unsigned field);

/* The field's declared type, its row in the table, and how many there are. */
enum pj_type
event_data_type(const struct pj_data *data, unsigned field);
const struct pj_field *
event_data_field(const struct pj_data *data, unsigned field);
unsigned
event_data_n_fields(const struct pj_data *data);

/* ---- For the decoder --------------------------------------------------- */

/* The value of one field; all zero bytes = absent. */
struct event_slot {
	uint8_t presence;	       /* enum pj_presence */
	uint32_t index;		       /* PJ_VALUE: the value's node */
	union {			       /* PJ_VALUE: */
		int64_t i;	       /* PJ_TYPE_DATE: ms since the epoch */
		struct pj_data *items; /* PJ_TYPE_LIST: one per array item */
	};
};

struct pj_data {
	const struct json_node *tape;
	const struct pj_field *fields;
	unsigned n_fields;
	struct event_slot *slots; /* n_fields of them */
};

/* Made when first asked for: most projections have no use for it. */
struct event_date {
	bool made;
	char text[11];
};

struct pj_event {
	const struct pj_topic *topic;
	int type; /* index into the topic's types, or PJ_TOMBSTONE */
	/* False only for an invalid event whose time is what is at fault: its
	 * time then reads as 0 and its local date as "". */
	bool has_time;
	int64_t time_ms;
	int64_t sequence; /* 0: none */
	struct pj_str key;
	const struct zone *zone;
	struct event_date *date;
	struct pj_data data;
};

#endif
