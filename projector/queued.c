/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/queued.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

static size_t
row_bytes(const struct store_parked *row)
{
	size_t n = row->unit.len + row->key.len + row->value.len + 1;

	for (size_t i = 0; i < 2 * row->n_headers; i++)
		n += row->headers[i].len;
	return n;
}

/* A null stays a null. */
static struct pj_str
keep(char **at, struct pj_str s)
{
	struct pj_str kept = {*at, s.len};

	if (!s.ptr)
		return s;
	memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return kept;
}

struct queued *
queued_new(const struct store_parked *row)
{
	struct queued *q = mem_calloc(1, sizeof(*q));
	char *at;

	at = q->bytes = mem_alloc(row_bytes(row));
	q->unit = keep(&at, row->unit);
	q->rec = (struct record){
		.offset = row->offset,
		.timestamp_ms = row->timestamp_ms,
		.key_null = row->key_null,
		.value_null = row->value_null,
		.key = keep(&at, row->key),
		.value = keep(&at, row->value),
		.n_headers = row->n_headers,
		.folded = true,
		.queued = q,
	};
	q->headers = mem_calloc(row->n_headers, sizeof(*q->headers));
	for (size_t i = 0; i < row->n_headers; i++) {
		q->headers[i].name = keep(&at, row->headers[2 * i]);
		q->headers[i].value = keep(&at, row->headers[2 * i + 1]);
	}
	q->rec.headers = q->headers;
	(void)snprintf(q->generation, sizeof(q->generation), "%s",
		       row->generation);
	(void)snprintf(q->unit_type, sizeof(q->unit_type), "%s",
		       row->unit_type);
	return q;
}

void
queued_free(struct queued *q)
{
	if (!q)
		return;
	free(q->bytes);
	free(q->headers);
	free(q->cause);
	free(q->detail);
	free(q->reason);
	free(q->by);
	free(q);
}
