/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 2 of a record's way: record in, event out.
 *
 * Takes a record and its topic's declaration, gives a typed event that passed
 * the topic's table whole. The only file that knows wire formats; a format is
 * one function that finds the event's type, time and data in the JSON
 * (decode_envelope.c; others plug in beside it). Pure: no clock, no I/O; a
 * record without a timestamp and without an event time is an INPUT error.
 *
 * Ownership: the event borrows the record's bytes and the decoder's memory; it
 * lives until the next decode() with this decoder.
 * Errors: INPUT, with `cause` a short constant text for grouping; the error's
 * text says where ("field quantity: string, not an integer").
 * Thread: one decoder, one thread.
 *
 * Next: router.c
 */
#ifndef PROJECTOR_DECODE_H
#define PROJECTOR_DECODE_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>

#include "projector/record.h"
#include "projector/zone.h"

enum decode_format { DECODE_ENVELOPE };

/* How one topic is to be read; topic and zone outlive the decoder. */
struct decode_topic {
	const struct pj_topic *topic;
	enum decode_format format;
	const struct zone *zone;
};

enum decode_result {
	DECODE_EVENT,	   /* the event is whole (tombstones too) */
	DECODE_SKIP,	   /* a type this topic's table does not list */
	DECODE_INVALID,	   /* its type is listed, but a field is at fault: the
			    * event's healthy fields can be read, so that the
			    * document key may still be known */
	DECODE_UNREADABLE, /* not even its type is known */
};

struct decoder;

struct decoder *
decoder_new(void);
void
decoder_free(struct decoder *dec);

/*
 * *ret_event is set for EVENT and INVALID (NULL otherwise). For INVALID and
 * UNREADABLE *err and *ret_cause are set. Of an INVALID event, fields at fault
 * read as absent, a time at fault as 0 and its local date as "".
 */
enum decode_result
decode(struct decoder *dec, const struct decode_topic *topic,
       const struct record *rec, const struct pj_event **ret_event,
       const char **ret_cause, struct pj_error *err);

/*
 * The optional gapless per-key sequence of the record decoded last, skipped
 * ones too: every record of a key counts in its sequence, whatever its type. 0
 * when it has none or an invalid one.
 */
int64_t
decode_last_sequence(const struct decoder *dec);
/* Whether that is because it had an invalid one. */
bool
decode_sequence_is_invalid(const struct decoder *dec);

/*
 * A record key, normalised: raw bytes, or the string of a JSON string literal
 * (`"shop-1"` and `shop-1` are one key). Borrowed from the key, or from the
 * decoder until the next decode_key(); an event's own key is not touched by it.
 */
struct pj_str
decode_key(struct decoder *dec, struct pj_str key);

#endif
