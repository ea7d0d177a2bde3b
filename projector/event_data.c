/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accessors of <projector/event.h>: plain reads of what decode.c left.
 */
/* Modules call these by name. */
#pragma GCC visibility push(default)
#include <projector/event.h>
#pragma GCC visibility pop

#include "projector/event_data.h"

/* The slot, or NULL when the field has no value. */
static const struct event_slot *
data_slot(const struct pj_data *data, unsigned field)
{
	if (!data || field >= data->n_fields ||
	    data->slots[field].presence != PJ_VALUE)
		return NULL;
	return &data->slots[field];
}

/* ---- Events ------------------------------------------------------------ */

int
pj_event_type(const struct pj_event *ev)
{
	return ev->type;
}

const char *
pj_event_type_name(const struct pj_event *ev)
{
	return ev->type == PJ_TOMBSTONE ? "" : ev->topic->types[ev->type].name;
}

const struct pj_topic *
pj_event_topic(const struct pj_event *ev)
{
	return ev->topic;
}

int64_t
pj_event_time_ms(const struct pj_event *ev)
{
	return ev->time_ms;
}

struct pj_str
pj_event_key(const struct pj_event *ev)
{
	return ev->key;
}

struct pj_str
pj_event_local_date(const struct pj_event *ev)
{
	if (!ev->has_time)
		return PJ_STR("");
	if (!ev->date->made) {
		zone_local_date(ev->zone, ev->time_ms, ev->date->text);
		ev->date->made = true;
	}
	return (struct pj_str){ev->date->text, sizeof(ev->date->text) - 1};
}

const struct pj_data *
pj_event_data(const struct pj_event *ev)
{
	return ev->type == PJ_TOMBSTONE ? NULL : &ev->data;
}

/* ---- Fields ------------------------------------------------------------ */

enum pj_presence
pj_has(const struct pj_data *data, unsigned field)
{
	if (!data || field >= data->n_fields)
		return PJ_ABSENT;
	return (enum pj_presence)data->slots[field].presence;
}

struct pj_str
pj_string(const struct pj_data *data, unsigned field)
{
	const struct event_slot *slot = data_slot(data, field);

	if (!slot || (data->fields[field].type != PJ_TYPE_STRING &&
		      data->fields[field].type != PJ_TYPE_ID))
		return PJ_STR("");
	return data->tape[slot->index].str;
}

int64_t
pj_int(const struct pj_data *data, unsigned field)
{
	const struct event_slot *slot = data_slot(data, field);

	if (!slot || (data->fields[field].type != PJ_TYPE_INT &&
		      data->fields[field].type != PJ_TYPE_RATING))
		return 0;
	return data->tape[slot->index].i;
}

bool
pj_bool(const struct pj_data *data, unsigned field)
{
	const struct event_slot *slot = data_slot(data, field);

	return slot && data->tape[slot->index].type == JSON_TRUE;
}

int64_t
pj_date_ms(const struct pj_data *data, unsigned field)
{
	const struct event_slot *slot = data_slot(data, field);

	if (!slot || data->fields[field].type != PJ_TYPE_DATE)
		return 0;
	return slot->i;
}

size_t
pj_list_len(const struct pj_data *data, unsigned field)
{
	const struct event_slot *slot = data_slot(data, field);

	if (!slot || data->fields[field].type != PJ_TYPE_LIST)
		return 0;
	return data->tape[slot->index].count;
}

const struct pj_data *
pj_list_at(const struct pj_data *data, unsigned field, size_t index)
{
	if (index >= pj_list_len(data, field))
		return NULL;
	return &data->slots[field].items[index];
}

/* ---- For the document's code ------------------------------------------- */

struct event_value
event_data_value(const struct pj_data *data, unsigned field)
{
	const struct event_slot *slot = data_slot(data, field);

	if (!slot)
		return (struct event_value){NULL, 0};
	return (struct event_value){data->tape, slot->index};
}

enum pj_type
event_data_type(const struct pj_data *data, unsigned field)
{
	return data->fields[field].type;
}

const struct pj_field *
event_data_field(const struct pj_data *data, unsigned field)
{
	return &data->fields[field];
}

unsigned
event_data_n_fields(const struct pj_data *data)
{
	return data->n_fields;
}
