/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes decoding: the first byte picks the topic ('0' to '7') and whether the
 * record has a time of its own (not for '8' to '?'); the rest is the value,
 * which also serves as the key.
 *
 * Whatever comes out is read through every accessor and held against the
 * topic's table, and a decoder that read other records before has to say the
 * same as a new one.
 */
#include <projector/contract.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "projector/decode.h"
#include "projector/event_data.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pj_topic *const topics[8] = {
	&pj_topic_shop,	 &pj_topic_product,  &pj_topic_price,  &pj_topic_stock,
	&pj_topic_order, &pj_topic_delivery, &pj_topic_review, &pj_topic_coupon,
};

static struct zone *zone;

/* A sum over all that was read, so that nothing is optimised away. */
static volatile uint64_t touched;

static uint64_t
mix(uint64_t sum, uint64_t x)
{
	return (sum ^ x) * UINT64_C(0x100000001b3);
}

static uint64_t
mix_str(uint64_t sum, struct pj_str s)
{
	for (size_t i = 0; i < s.len; i++)
		sum = mix(sum, (unsigned char)s.ptr[i]);
	return mix(sum, s.len);
}

static void
want(bool holds)
{
	if (!holds)
		abort();
}

/* What the table promises of one value. */
static void
check_value(const struct pj_data *data, unsigned field)
{
	struct event_value value = event_data_value(data, field);
	const struct json_node *node = &value.tape[value.index];
	struct pj_str text = pj_string(data, field);
	int64_t number = pj_int(data, field);

	switch (event_data_type(data, field)) {
	case PJ_TYPE_ID:
		want(text.len > 0 && text.len <= 256 &&
		     !memchr(text.ptr, '\0', text.len));
		break;
	case PJ_TYPE_STRING:
		want(node->type == JSON_STRING);
		break;
	case PJ_TYPE_INT:
		want(node->type == JSON_INT && node->i == number);
		break;
	case PJ_TYPE_RATING:
		want(number >= 1 && number <= 10);
		break;
	case PJ_TYPE_BOOL:
		want(node->type ==
		     (pj_bool(data, field) ? JSON_TRUE : JSON_FALSE));
		break;
	case PJ_TYPE_DATE:
		number = pj_date_ms(data, field);
		want(number >= ZONE_MIN_MS && number <= ZONE_MAX_MS);
		break;
	case PJ_TYPE_OBJECT:
		want(node->type == JSON_OBJECT);
		break;
	case PJ_TYPE_ARRAY:
	case PJ_TYPE_LIST:
		want(node->type == JSON_ARRAY);
		break;
	}
}

static uint64_t
check_data(const struct pj_data *data, uint64_t sum)
{
	for (unsigned i = 0; i < event_data_n_fields(data); i++) {
		size_t n = pj_list_len(data, i);

		sum = mix(sum, pj_has(data, i));
		sum = mix_str(sum, pj_string(data, i));
		sum = mix(sum, (uint64_t)pj_int(data, i));
		sum = mix(sum, pj_bool(data, i));
		sum = mix(sum, (uint64_t)pj_date_ms(data, i));
		if (pj_has(data, i) == PJ_VALUE)
			check_value(data, i);
		for (size_t k = 0; k < n; k++)
			sum = check_data(pj_list_at(data, i, k), sum);
	}
	return sum;
}

static void
check_masks(const struct pj_topic *topic, const struct pj_event *ev,
	    enum decode_result result)
{
	const struct pj_event_type *type = &topic->types[pj_event_type(ev)];
	const struct pj_data *data = pj_event_data(ev);

	for (unsigned i = 0; i < topic->n_fields; i++) {
		enum pj_presence has = pj_has(data, i);

		want(has == PJ_ABSENT || type->fields & PJ_BIT(i));
		want(has != PJ_NULL || type->null_removes);
		want(has != PJ_NULL || !(type->not_null & PJ_BIT(i)));
		want(result != DECODE_EVENT || has == PJ_VALUE ||
		     !(type->required & PJ_BIT(i)));
	}
}

static uint64_t
read_record(struct decoder *dec, const struct pj_topic *topic,
	    const struct record *rec)
{
	struct decode_topic how = {topic, DECODE_ENVELOPE, zone};
	const struct pj_event *ev = NULL;
	const char *cause = NULL;
	struct pj_error err;
	enum decode_result result = decode(dec, &how, rec, &ev, &cause, &err);
	uint64_t sum = mix(0, result);

	want((ev != NULL) ==
	     (result == DECODE_EVENT || result == DECODE_INVALID));
	if (result == DECODE_INVALID || result == DECODE_UNREADABLE) {
		want(err.cls == PJ_ERROR_INPUT && cause && err.text[0]);
		sum = mix_str(sum, (struct pj_str){err.text, strlen(err.text)});
	}
	sum = mix(sum, (uint64_t)decode_last_sequence(dec));
	sum = mix_str(sum, decode_key(dec, rec->key));
	if (!ev)
		return sum;
	sum = mix_str(sum, pj_event_key(ev));
	sum = mix_str(sum, pj_event_local_date(ev));
	sum = mix(sum, (uint64_t)pj_event_time_ms(ev));
	sum = mix(sum, (uint64_t)pj_event_type(ev));
	if (result == DECODE_EVENT)
		want(pj_event_local_date(ev).len == 10 && ev->sequence >= 0);
	if (pj_event_type(ev) == PJ_TOMBSTONE)
		return sum;
	check_masks(topic, ev, result);
	return check_data(pj_event_data(ev), sum);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoder *reused;
	struct decoder *fresh;
	const struct pj_topic *topic;
	struct record rec;
	struct pj_error err;
	uint64_t sum;

	if (size == 0)
		return 0;
	if (!zone && zone_load("Europe/Berlin", &zone, &err) < 0)
		abort();
	if (!reused)
		reused = decoder_new();
	topic = topics[data[0] & 7];
	rec = (struct record){
		.timestamp_ms = data[0] & 8 ? -1 : 1700000000000,
		.key = {(const char *)data + 1, size - 1},
		.value = {(const char *)data + 1, size - 1},
	};
	fresh = decoder_new();
	sum = read_record(fresh, topic, &rec);
	want(read_record(reused, topic, &rec) == sum);
	touched = sum;
	decoder_free(fresh);
	return 0;
}
