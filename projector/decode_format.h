/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a wire format has to find in a record; decode.c does the rest.
 *
 * A format is one function. It reads the JSON, says where type, time, sequence
 * and data are, and judges none of them: an unlisted type is skipped whatever
 * the rest looks like, and that is decided before the rest is read.
 *
 * Ownership: everything found is borrowed from the record and the reader.
 */
#ifndef PROJECTOR_DECODE_FORMAT_H
#define PROJECTOR_DECODE_FORMAT_H

#include <projector/error.h>
#include <projector/event.h>

#include "lib/json.h"
#include "projector/decode.h"
#include "projector/record.h"

/* A time as it was sent. */
struct decode_time {
	enum {
		DECODE_TIME_NONE, /* absent or null */
		DECODE_TIME_TEXT,
		DECODE_TIME_MS,
		DECODE_TIME_WRONG, /* neither text nor integer */
	} kind;
	struct pj_str text;
	int64_t ms;
};

struct decode_sequence {
	enum {
		DECODE_SEQUENCE_NONE, /* absent or null */
		DECODE_SEQUENCE_NUMBER,
		DECODE_SEQUENCE_WRONG, /* no integer */
	} kind;
	int64_t number;
};

enum { DECODE_TIMES = 2 };

struct decode_found {
	const struct json_node *tape;
	struct pj_str type; /* not empty */
	bool has_data;
	uint32_t data; /* the data's node, of any type */
	/* Where there are several, they have to agree. */
	struct decode_time times[DECODE_TIMES];
	struct decode_sequence sequence;
};

struct decode_input {
	const struct record *rec; /* its value is not null */
	const struct decode_topic *topic;
	struct json_reader *json;
};

/*
 * -1: nothing of the record can be used; *ret_cause and *err say why. *found is
 * all zero bytes on entry.
 */
typedef int (*decode_format_fn)(const struct decode_input *in,
				struct decode_found *found,
				const char **ret_cause, struct pj_error *err);

/* Reads the record's value, with the cause filled in on failure. */
int
decode_read_json(const struct decode_input *in, struct decode_found *found,
		 const char **ret_cause, struct pj_error *err)
	__attribute__((warn_unused_result));

int
decode_envelope(const struct decode_input *in, struct decode_found *found,
		const char **ret_cause, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
