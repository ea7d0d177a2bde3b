/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/decode.h"

#include "lib/str.h"
#include "projector/decode_format.h"

#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/mem.h"
#include "projector/event_data.h"
#include "projector/hangul.h"
#include "projector/schema.h"

static const decode_format_fn formats[] = {
	[DECODE_ENVELOPE] = decode_envelope,
};

enum {
	TYPES_MAX = 64,	      /* masks are 64 bits wide */
	NAME_MAX_BYTES = 512, /* a decomposed name longer than that is none */
};

/* What is worth keeping of a topic's table, by its address. */
struct known_topic {
	const struct pj_topic *topic;
	const struct schema_table *table;
	unsigned n_types;
	size_t name_len[TYPES_MAX];
};

struct decoder {
	/* Apart, so that a key never takes the event's strings away. */
	struct json_reader *json, *event_key_json, *key_json;
	struct schema *schema;
	struct known_topic **known;
	size_t n_known, cap_known;
	const struct known_topic *last;
	int64_t last_sequence;
	bool sequence_is_invalid;
	struct pj_event ev;
	struct event_date date;
};

/* The first fault is the one that is told. */
struct fault {
	bool any;
	const char **ret_cause;
	struct pj_error *err;
};

struct decoder *
decoder_new(void)
{
	struct decoder *dec = mem_calloc(1, sizeof(*dec));

	dec->json = json_reader_new();
	dec->event_key_json = json_reader_new();
	dec->key_json = json_reader_new();
	dec->schema = schema_new();
	return dec;
}

void
decoder_free(struct decoder *dec)
{
	if (!dec)
		return;
	json_reader_free(dec->json);
	json_reader_free(dec->event_key_json);
	json_reader_free(dec->key_json);
	schema_free(dec->schema);
	for (size_t i = 0; i < dec->n_known; i++)
		free(dec->known[i]);
	free(dec->known);
	free(dec);
}

int
decode_read_json(const struct decode_input *in, struct decode_found *found,
		 const char **ret_cause, struct pj_error *err)
{
	uint32_t n;

	if (json_read(in->json, in->rec->value.ptr, in->rec->value.len,
		      &found->tape, &n, err) < 0) {
		*ret_cause = "JSON";
		return -1;
	}
	return 0;
}

/* ---- Keys -------------------------------------------------------------- */

static struct pj_str
key_normalise(struct json_reader *json, struct pj_str key)
{
	const struct json_node *node;
	struct pj_error err;
	uint32_t n;

	if (key.len < 2 || key.ptr[0] != '"' || key.ptr[key.len - 1] != '"')
		return key;
	if (json_read(json, key.ptr, key.len, &node, &n, &err) < 0)
		return key;
	return node->type == JSON_STRING ? node->str : key;
}

struct pj_str
decode_key(struct decoder *dec, struct pj_str key)
{
	return key_normalise(dec->key_json, key);
}

/* ---- Types ------------------------------------------------------------- */

static const struct known_topic *
decoder_topic(struct decoder *dec, const struct pj_topic *topic)
{
	struct known_topic *known;

	if (dec->last && dec->last->topic == topic)
		return dec->last;
	for (size_t i = 0; i < dec->n_known; i++) {
		if (dec->known[i]->topic == topic)
			return dec->last = dec->known[i];
	}
	known = mem_calloc(1, sizeof(*known));
	known->topic = topic;
	known->table =
		schema_table(dec->schema, topic->fields, topic->n_fields);
	known->n_types =
		topic->n_types < TYPES_MAX ? topic->n_types : TYPES_MAX;
	for (unsigned i = 0; i < known->n_types; i++)
		known->name_len[i] = strlen(topic->types[i].name);
	MEM_GROW(dec->known, dec->n_known, dec->cap_known);
	dec->known[dec->n_known++] = known;
	return dec->last = known;
}

/* The type of exactly this name, or -1. */
static int
type_named(const struct known_topic *known, struct pj_str name)
{
	const struct pj_event_type *types = known->topic->types;

	for (unsigned i = 0; i < known->n_types; i++) {
		if (known->name_len[i] == name.len &&
		    !memcmp(types[i].name, name.ptr, name.len))
			return (int)i;
	}
	for (unsigned i = 0; i < known->n_types; i++) {
		const char *const *alias = types[i].aliases;

		for (; alias && *alias; alias++) {
			if (str_is(name, *alias))
				return (int)i;
		}
	}
	return -1;
}

static int
type_find(const struct known_topic *known, struct pj_str name)
{
	char composed[NAME_MAX_BYTES];
	int type = type_named(known, name);

	if (type >= 0 || name.len > sizeof(composed) ||
	    !hangul_may_compose(name))
		return type;
	return type_named(
		known,
		(struct pj_str){composed, hangul_compose(name, composed)});
}

/* ---- Time and sequence ------------------------------------------------- */

static void
fault_tell(struct fault *fault, const char *cause, const char *text)
{
	if (fault->any)
		return;
	fault->any = true;
	*fault->ret_cause = cause;
	(void)pj_error_set(fault->err, PJ_ERROR_INPUT, "%s", text);
}

static int
time_read(const struct zone *zone, const struct decode_time *sent,
	  int64_t *ret_ms)
{
	if (sent->kind == DECODE_TIME_TEXT)
		return zone_parse(zone, sent->text, ret_ms);
	if (sent->kind != DECODE_TIME_MS || sent->ms < ZONE_MIN_MS ||
	    sent->ms > ZONE_MAX_MS)
		return -1;
	*ret_ms = sent->ms;
	return 0;
}

static void
event_set_time(struct pj_event *ev, int64_t ms)
{
	ev->has_time = true;
	ev->time_ms = ms;
}

/* The record's own time, where the event has none. */
static void
event_take_record_time(struct pj_event *ev, const struct record *rec,
		       struct fault *fault)
{
	if (rec->timestamp_ms < 0)
		fault_tell(fault, "no time",
			   "event time: absent, and the record has none");
	else if (rec->timestamp_ms > ZONE_MAX_MS)
		fault_tell(fault, "unreadable time",
			   "event time: absent, and the record's is beyond "
			   "year 9999");
	else
		event_set_time(ev, rec->timestamp_ms);
}

static void
event_take_time(struct pj_event *ev, const struct decode_found *found,
		const struct record *rec, struct fault *fault)
{
	int64_t time_ms = 0;
	bool any = false;

	for (size_t i = 0; i < DECODE_TIMES; i++) {
		int64_t ms;

		if (found->times[i].kind == DECODE_TIME_NONE)
			continue;
		if (time_read(ev->zone, &found->times[i], &ms) < 0) {
			fault_tell(fault, "unreadable time",
				   "event time: neither yyyy-MM-dd HH:mm:ss, "
				   "nor RFC 3339, nor epoch milliseconds");
			return;
		}
		if (any && ms != time_ms) {
			fault_tell(fault, "two event times",
				   "event time: sent in two spellings that do "
				   "not agree");
			return;
		}
		time_ms = ms;
		any = true;
	}
	if (any)
		event_set_time(ev, time_ms);
	else
		event_take_record_time(ev, rec, fault);
}

/* 0 = none, -1 = sent, but no positive integer. */
static int64_t
sequence_read(const struct decode_sequence *sent)
{
	if (sent->kind == DECODE_SEQUENCE_NONE)
		return 0;
	if (sent->kind == DECODE_SEQUENCE_WRONG || sent->number < 1)
		return -1;
	return sent->number;
}

int64_t
decode_last_sequence(const struct decoder *dec)
{
	return dec->last_sequence;
}

bool
decode_sequence_is_invalid(const struct decoder *dec)
{
	return dec->sequence_is_invalid;
}

/* ---- Data ---------------------------------------------------------------- */

static void
data_read(struct decoder *dec, const struct decode_topic *topic,
	  const struct decode_found *found, struct fault *fault)
{
	const struct known_topic *known = decoder_topic(dec, topic->topic);
	const struct pj_event_type *type = &topic->topic->types[dec->ev.type];
	struct schema_input in = {known->table, type, found->tape, found->data,
				  topic->zone};
	const char *cause;
	struct pj_error err;

	if (!found->has_data || found->tape[found->data].type != JSON_OBJECT) {
		schema_absent(dec->schema, known->table, &dec->ev.data);
		fault_tell(fault, "no data",
			   "field data: missing or not an object");
	} else if (schema_check(dec->schema, &in, &dec->ev.data, &cause,
				&err)) {
		fault_tell(fault, cause, err.text);
	}
}

/* ---- The event --------------------------------------------------------- */

static enum decode_result
decode_tombstone(struct decoder *dec, const struct record *rec,
		 struct fault *fault)
{
	event_take_record_time(&dec->ev, rec, fault);
	return fault->any ? DECODE_INVALID : DECODE_EVENT;
}

static enum decode_result
decode_value(struct decoder *dec, const struct decode_topic *topic,
	     const struct record *rec, struct fault *fault)
{
	struct decode_input in = {rec, topic, dec->json};
	struct decode_found found;
	int64_t sequence;
	int type;

	memset(&found, 0, sizeof(found));
	if (formats[topic->format](&in, &found, fault->ret_cause, fault->err) <
	    0)
		return DECODE_UNREADABLE;
	sequence = sequence_read(&found.sequence);
	dec->last_sequence = sequence < 0 ? 0 : sequence;
	dec->sequence_is_invalid = sequence < 0;
	type = type_find(decoder_topic(dec, topic->topic), found.type);
	if (type < 0)
		return DECODE_SKIP;
	dec->ev.type = type;
	dec->ev.sequence = dec->last_sequence;
	event_take_time(&dec->ev, &found, rec, fault);
	if (sequence < 0)
		fault_tell(fault, "invalid sequence",
			   "field sequence: not a positive integer");
	data_read(dec, topic, &found, fault);
	return fault->any ? DECODE_INVALID : DECODE_EVENT;
}

enum decode_result
decode(struct decoder *dec, const struct decode_topic *topic,
       const struct record *rec, const struct pj_event **ret_event,
       const char **ret_cause, struct pj_error *err)
{
	struct fault fault = {false, ret_cause, err};
	enum decode_result result;

	*ret_event = NULL;
	schema_reset(dec->schema);
	dec->last_sequence = 0;
	dec->sequence_is_invalid = false;
	dec->date.made = false;
	dec->ev = (struct pj_event){
		.topic = topic->topic,
		.type = PJ_TOMBSTONE,
		.zone = topic->zone,
		.date = &dec->date,
	};
	if (rec->key_null)
		dec->ev.key = PJ_STR("");
	else
		dec->ev.key = key_normalise(dec->event_key_json, rec->key);
	result = rec->value_null ? decode_tombstone(dec, rec, &fault)
				 : decode_value(dec, topic, rec, &fault);
	if (result == DECODE_EVENT || result == DECODE_INVALID)
		*ret_event = &dec->ev;
	return result;
}
