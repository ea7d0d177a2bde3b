/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/parked.h"

#include <stdlib.h>

#include "lib/mem.h"

static const char *const unit_types[] = {
	[PARKED_DOCUMENT] = "document",
	[PARKED_KEY] = "key",
	[PARKED_RECORD] = "record",
};

/*
 * Copies a string behind the others; the room was reserved, nothing moves. A
 * null stays a null.
 */
static struct pj_str
keep(struct parked_row *p, struct pj_str s)
{
	size_t at = p->bytes.len;

	if (!s.ptr)
		return s;
	buf_add(&p->bytes, s.ptr, s.len);
	buf_addch(&p->bytes, '\0');
	return (struct pj_str){p->bytes.data + at, s.len};
}

static struct pj_str
text(const char *s)
{
	return (struct pj_str){s, strlen(s)};
}

struct parked_row *
parked_new(struct lane *lane, struct record *rec, const struct pj_event *ev,
	   enum parked_unit unit_type, struct pj_str unit, const char *cause,
	   const char *detail, int64_t now_at_ms)
{
	struct parked_row *p = mem_calloc(1, sizeof(*p));
	const char *type = ev ? pj_event_type_name(ev) : "";
	size_t room = unit.len + rec->key.len + rec->value.len + strlen(type) +
		      strlen(detail) + 8;

	for (size_t i = 0; i < rec->n_headers; i++)
		room += rec->headers[i].name.len + rec->headers[i].value.len +
			2;
	buf_reserve(&p->bytes, room);
	p->rec = rec;
	p->lane = lane;
	p->row = (struct store_parked){
		.generation = lane->generation,
		.unit_type = unit_types[unit_type],
		.unit = keep(p, unit),
		.topic = rec->partition->topic,
		.partition = rec->partition->number,
		.offset = rec->offset,
		.timestamp_ms = rec->timestamp_ms,
		.type = keep(p, text(type)).ptr,
		.cause = cause,
		.detail = keep(p, text(detail)).ptr,
		.parked_at_ms = now_at_ms,
		.key_null = rec->key_null,
		.value_null = rec->value_null,
		.key = keep(p, rec->key),
		.value = keep(p, rec->value),
		.n_headers = rec->n_headers,
	};
	p->headers = mem_calloc(rec->n_headers, 2 * sizeof(*p->headers));
	for (size_t i = 0; i < rec->n_headers; i++) {
		p->headers[2 * i] = keep(p, rec->headers[i].name);
		p->headers[2 * i + 1] = keep(p, rec->headers[i].value);
	}
	p->row.headers = p->headers;
	rec->pending++;
	return p;
}

void
parked_free(struct parked_row *p)
{
	if (!p)
		return;
	buf_release(&p->bytes);
	free(p->headers);
	free(p);
}
