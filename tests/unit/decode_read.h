/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding one record at a time in tests: everything of it is set by a global
 * fixture, and what came out is in it.
 */
#ifndef TESTS_UNIT_DECODE_READ_H
#define TESTS_UNIT_DECODE_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <projector/contract.h>

#include "lib/mem.h"
#include "projector/decode.h"
#include "projector/event_data.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RECORD_TIME INT64_C(1600000000000)

struct decoded {
	struct decoder *dec;
	struct zone *zone;
	struct record rec;
	char *value, *key; /* exactly as long as they are */
	enum decode_result result;
	const struct pj_event *ev;
	const char *cause;
	struct pj_error err;
};

static inline int
decoded_setup(void **state)
{
	struct decoded *d = mem_calloc(1, sizeof(*d));
	struct pj_error err;

	d->dec = decoder_new();
	if (zone_load("Asia/Seoul", &d->zone, &err) < 0)
		fail_msg("%s", err.text);
	*state = d;
	return 0;
}

static inline int
decoded_teardown(void **state)
{
	struct decoded *d = *state;

	decoder_free(d->dec);
	zone_free(d->zone);
	free(d->value);
	free(d->key);
	free(d);
	return 0;
}

/* value NULL: a tombstone; key NULL: none. */
static inline void
decode_record(struct decoded *d, const struct pj_topic *topic, const char *key,
	      const char *value, size_t len, int64_t timestamp_ms)
{
	struct decode_topic how = {topic, DECODE_ENVELOPE, d->zone};

	free(d->value);
	free(d->key);
	d->value = mem_alloc(len ? len : 1);
	d->key = mem_alloc(key ? strlen(key) + 1 : 1);
	if (value)
		memcpy(d->value, value, len);
	if (key)
		memcpy(d->key, key, strlen(key));
	d->rec = (struct record){
		.timestamp_ms = timestamp_ms,
		.key_null = !key,
		.value_null = !value,
		.key = {d->key, key ? strlen(key) : 0},
		.value = {d->value, len},
	};
	d->cause = NULL;
	d->err = (struct pj_error){0};
	d->result = decode(d->dec, &how, &d->rec, &d->ev, &d->cause, &d->err);
	if (d->result == DECODE_INVALID || d->result == DECODE_UNREADABLE) {
		assert_int_equal(d->err.cls, PJ_ERROR_INPUT);
		assert_non_null(d->cause);
	}
	assert_true((d->ev != NULL) ==
		    (d->result == DECODE_EVENT || d->result == DECODE_INVALID));
}

static inline void
decode_text(struct decoded *d, const struct pj_topic *topic, const char *value)
{
	decode_record(d, topic, "k", value, strlen(value), RECORD_TIME);
}

static inline const struct pj_data *
decode_event(struct decoded *d, const struct pj_topic *topic, const char *value)
{
	decode_text(d, topic, value);
	if (d->result != DECODE_EVENT)
		fail_msg("%s: result %d, %s", value, (int)d->result,
			 d->err.text);
	return pj_event_data(d->ev);
}

/* The record is at fault, with this cause and text. */
static inline void
decode_fault(struct decoded *d, const struct pj_topic *topic, const char *value,
	     enum decode_result result, const char *cause, const char *text)
{
	decode_text(d, topic, value);
	if (d->result != result)
		fail_msg("%s: result %d", value, (int)d->result);
	assert_string_equal(d->cause, cause);
	assert_string_equal(d->err.text, text);
}

static inline void
assert_str(struct pj_str str, const char *want)
{
	if (str.len != strlen(want) || memcmp(str.ptr, want, str.len) != 0)
		fail_msg("\"%.*s\", not \"%s\"", (int)str.len, str.ptr, want);
}

#endif
