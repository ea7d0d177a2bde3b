/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event as a projection sees it: read-only, typed, already validated.
 *
 * Topics declare their event types and fields as tables (struct pj_topic). The
 * host checks an event whole against its table before any projection sees it,
 * so an accessor below never fails: a field that is required is there, and a
 * field that is there has its declared type. The bundled topics' tables are in
 * contract.h; a module may bring a table of its own.
 *
 * Ownership: everything returned is borrowed and lives until key() or fold()
 * returns.
 * Thread: the pipeline thread.
 * Limits: 64 fields and 64 types per topic (they are kept as bit masks).
 */
#ifndef PROJECTOR_EVENT_H
#define PROJECTOR_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct pj_event; /* opaque */
struct pj_data;	 /* opaque: the declared fields of one JSON object */

/* A borrowed UTF-8 string; not necessarily ended by NUL. */
struct pj_str {
	const char *ptr;
	size_t len;
};

#define PJ_STR(literal) ((struct pj_str){(literal), sizeof(literal) - 1})

/* ---- Tables: what a topic carries ------------------------------------- */

enum pj_type {
	PJ_TYPE_STRING, /* any string */
	PJ_TYPE_ID,	/* non-empty string, <= 256 bytes, no U+0000 */
	PJ_TYPE_INT,	/* int64; a number with fraction or exponent is none */
	PJ_TYPE_RATING, /* integer 1..10 */
	PJ_TYPE_BOOL,
	PJ_TYPE_DATE,	/* the envelope's three forms; read as ms since epoch */
	PJ_TYPE_OBJECT, /* any object, kept as given */
	PJ_TYPE_ARRAY,	/* any array, kept as given */
	PJ_TYPE_LIST,	/* array of objects with fields of their own */
};

struct pj_field {
	const char *name;
	enum pj_type type;
	/* PJ_TYPE_LIST only: the items' fields and which of them must be. */
	const struct pj_field *items;
	unsigned n_items;
	uint64_t items_required;
};

/* Bit of a field or type number in a mask. */
#define PJ_BIT(number) (UINT64_C(1) << (number))

struct pj_event_type {
	const char *name;	    /* canonical */
	const char *const *aliases; /* NULL, or NULL-ended, NFC */
	uint64_t fields;	    /* fields listed for this type */
	uint64_t required;	    /* subset: missing or null parks */
	/*
	 * Null is the same as absent, except in types with null_removes: there
	 * a null is handed on as PJ_NULL (remove), and a null for one of
	 * not_null parks.
	 */
	bool null_removes;
	uint64_t not_null;
};

struct pj_topic {
	uint32_t size; /* sizeof(struct pj_topic) */
	const char *name;
	const struct pj_field *fields;
	unsigned n_fields;
	const struct pj_event_type *types;
	unsigned n_types;
};

/* ---- The event --------------------------------------------------------- */

/* A record with a null value; it has no data, its time is the record's. */
#define PJ_TOMBSTONE (-1)

/* Index into the topic's types, or PJ_TOMBSTONE. */
int
pj_event_type(const struct pj_event *ev);

/* The canonical type name; "" for a tombstone. */
const char *
pj_event_type_name(const struct pj_event *ev);

const struct pj_topic *
pj_event_topic(const struct pj_event *ev);

/* Event time in ms since the epoch, UTC. */
int64_t
pj_event_time_ms(const struct pj_event *ev);

/* The record's key, normalised; len 0 when the record has none. */
struct pj_str
pj_event_key(const struct pj_event *ev);

/* The day of the event time in the topic's zone: "2023-11-15". */
struct pj_str
pj_event_local_date(const struct pj_event *ev);

/* The event's data; NULL for a tombstone. */
const struct pj_data *
pj_event_data(const struct pj_event *ev);

/* ---- Fields of an event or of a list item ------------------------------ */

enum pj_presence { PJ_ABSENT, PJ_NULL, PJ_VALUE };

enum pj_presence
pj_has(const struct pj_data *data, unsigned field);

/* The getters return "", 0 or false for a field that has no value. */
struct pj_str
pj_string(const struct pj_data *data, unsigned field);
int64_t
pj_int(const struct pj_data *data, unsigned field);
bool
pj_bool(const struct pj_data *data, unsigned field);
int64_t
pj_date_ms(const struct pj_data *data, unsigned field);

/* Items of a PJ_TYPE_LIST field. */
size_t
pj_list_len(const struct pj_data *data, unsigned field);
const struct pj_data *
pj_list_at(const struct pj_data *data, unsigned field, size_t index);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
