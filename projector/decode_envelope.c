/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `envelope` format: a flat object around the data.
 *
 *	{"eventId":"shop-17","eventType":"StockChanged","data":{…},
 *	 "occurrenceDateTime":"2023-11-15 12:00:04","sequence":7}
 *
 * Members come in any order. `eventId` is the target's id, informational and
 * not looked at; `traceparent` neither. Two spellings of the time are in use.
 */
#include "projector/decode_format.h"

#include <string.h>

static struct decode_time
envelope_time(const struct json_node *node)
{
	switch (node->type) {
	case JSON_NULL:
		return (struct decode_time){.kind = DECODE_TIME_NONE};
	case JSON_STRING:
		return (struct decode_time){.kind = DECODE_TIME_TEXT,
					    .text = node->str};
	case JSON_INT:
		return (struct decode_time){.kind = DECODE_TIME_MS,
					    .ms = node->i};
	default:
		return (struct decode_time){.kind = DECODE_TIME_WRONG};
	}
}

static struct decode_sequence
envelope_sequence(const struct json_node *node)
{
	switch (node->type) {
	case JSON_NULL:
		return (struct decode_sequence){.kind = DECODE_SEQUENCE_NONE};
	case JSON_INT:
		return (struct decode_sequence){.kind = DECODE_SEQUENCE_NUMBER,
						.number = node->i};
	default:
		return (struct decode_sequence){.kind = DECODE_SEQUENCE_WRONG};
	}
}

static inline bool
envelope_is(struct pj_str name, const char *literal)
{
	return memcmp(name.ptr, literal, name.len) == 0;
}

static void
envelope_member(struct decode_found *found, struct pj_str name, uint32_t value)
{
	const struct json_node *node = &found->tape[value];

	/* The names differ in length, so that tells them apart. */
	switch (name.len) {
	case sizeof("data") - 1:
		if (envelope_is(name, "data")) {
			found->has_data = true;
			found->data = value;
		}
		break;
	case sizeof("sequence") - 1:
		if (envelope_is(name, "sequence"))
			found->sequence = envelope_sequence(node);
		break;
	case sizeof("eventType") - 1:
		if (envelope_is(name, "eventType") && node->type == JSON_STRING)
			found->type = node->str;
		break;
	case sizeof("occurrenceDateTime") - 1:
		if (envelope_is(name, "occurrenceDateTime"))
			found->times[0] = envelope_time(node);
		break;
	case sizeof("occurenceDateTime") - 1:
		if (envelope_is(name, "occurenceDateTime"))
			found->times[1] = envelope_time(node);
		break;
	default:
		break;
	}
}

int
decode_envelope(const struct decode_input *in, struct decode_found *found,
		const char **ret_cause, struct pj_error *err)
{
	const struct json_node *tape;

	if (decode_read_json(in, found, ret_cause, err) < 0)
		return -1;
	tape = found->tape;
	if (tape[0].type != JSON_OBJECT) {
		*ret_cause = "not an object";
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "envelope: not a JSON object");
	}
	for (uint32_t at = 1; at < tape[0].skip; at = tape[at + 1].skip)
		envelope_member(found, tape[at].str, at + 1);
	if (found->type.len == 0) {
		*ret_cause = "no event type";
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "field eventType: missing, empty or not a "
				    "string");
	}
	return 0;
}
