/* SPDX-License-Identifier: Apache-2.0 */
/* Parked rows, ids that sort as the queue does; what became of them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_fields.h"
#include "lib/store_rows.h"

/* "<generation>!<unit type>!<unit>!" */
static void
parked_add_prefix(struct buf *id, const char *generation, const char *unit_type,
		  struct pj_str unit)
{
	buf_printf(id, "%s!%s!", generation, unit_type);
	readmodel_add_unit(id, unit);
	buf_addch(id, '!');
}

char *
rows_parked_id(const char *generation, const char *unit_type,
	       struct pj_str unit, const char *topic, int32_t partition,
	       int64_t offset)
{
	struct buf id = BUF_INIT;

	parked_add_prefix(&id, generation, unit_type, unit);
	buf_printf(&id, "%s!%010" PRId32 "!%020" PRId64, topic, partition,
		   offset);
	return buf_detach(&id, NULL);
}

/* All that begins as the prefix does, which ends with '!'. */
static void
parked_range_of(struct parked_range *ret, struct buf *prefix)
{
	size_t len = prefix->len;

	ret->after = buf_detach(prefix, NULL);
	ret->end = mem_strndup(ret->after, len);
	/* The next byte after '!': behind everything that begins with it. */
	ret->end[len - 1] = '!' + 1;
}

void
rows_parked_range(struct parked_range *ret, const char *generation,
		  const char *unit_type, const struct pj_str *unit)
{
	struct buf prefix = BUF_INIT;

	if (unit_type)
		parked_add_prefix(&prefix, generation, unit_type, *unit);
	else
		buf_printf(&prefix, "%s!", generation);
	parked_range_of(ret, &prefix);
}

void
rows_parked_queue_range(struct parked_range *ret, const char *generation,
			const char *unit_type, struct pj_str unit,
			const char *topic, int32_t partition, int64_t from)
{
	struct buf prefix = BUF_INIT;

	parked_add_prefix(&prefix, generation, unit_type, unit);
	buf_printf(&prefix, "%s!%010" PRId32 "!", topic, partition);
	parked_range_of(ret, &prefix);
	if (from <= 0)
		return;
	free(ret->after);
	ret->after = rows_parked_id(generation, unit_type, unit, topic,
				    partition, from - 1);
}

static char *
parked_id(const struct store_parked *parked)
{
	return rows_parked_id(parked->generation, parked->unit_type,
			      parked->unit, parked->topic, parked->partition,
			      parked->offset);
}

/* Takes the id. */
static void
parked_begin(struct store_row *ret_row, char *id,
	     const struct store_parked *parked)
{
	bson_t *b = bson_new();
	bson_t list;
	size_t i;

	*ret_row = (struct store_row){.id = id, .bson = b};
	put_text(b, READMODEL_ID, id);
	put_text(b, "generation", parked->generation);
	put_text(b, "unitType", parked->unit_type);
	put_bytes(b, "unit", parked->unit, false);
	put_text(b, "topic", parked->topic);
	put_int32(b, "partition", parked->partition);
	put_int64(b, "offset", parked->offset);
	put_int64(b, "timestamp", parked->timestamp_ms);
	put_text(b, "type", parked->type);
	put_text(b, "cause", parked->cause);
	put_text(b, "detail", parked->detail);
	put_int64(b, "parkedAt", parked->parked_at_ms);
	put_bytes(b, "key", parked->key, parked->key_null);
	put_bytes(b, "value", parked->value, parked->value_null);
	bson_append_array_begin(b, "headers", -1, &list);
	for (i = 0; i < 2 * parked->n_headers; i++) {
		char name[16];
		const char *at;

		bson_uint32_to_string((uint32_t)i, &at, name, sizeof(name));
		put_bytes(&list, at, parked->headers[i],
			  i % 2 == 1 && !parked->headers[i].ptr);
	}
	bson_append_array_end(b, &list);
}

void
rows_parked(struct store_row *ret_row, const struct store_parked *parked)
{
	parked_begin(ret_row, parked_id(parked), parked);
}

void
rows_refusal(struct store_row *ret_row, const struct store_refusal *refusal)
{
	*ret_row = (struct store_row){
		.id = rows_parked_id(refusal->generation, refusal->unit_type,
				     refusal->unit, refusal->topic,
				     refusal->partition, refusal->offset)};
	row_set_text(ret_row, "cause", refusal->cause);
	row_set_text(ret_row, "detail", refusal->detail);
	row_set_int64(ret_row, "refusedAt", refusal->at_ms);
	row_add(ret_row, "refused", 1);
}

/* Only of a row that was refused once more. */
static int64_t
parked_number(const uint8_t *bson, size_t len, const char *field)
{
	bson_iter_t it;

	return bson_iter_init_from_data(&it, bson, len) &&
			       bson_iter_find(&it, field) &&
			       BSON_ITER_HOLDS_NUMBER(&it)
		       ? bson_iter_as_int64(&it)
		       : 0;
}

static int
parked_headers(const bson_iter_t *at, struct pj_str **ret_headers,
	       size_t *ret_n, struct pj_error *err)
{
	struct pj_str *strs = NULL;
	size_t n = 0, cap = 0;
	bson_iter_t it;

	if (!BSON_ITER_HOLDS_ARRAY(at) || !bson_iter_recurse(at, &it))
		goto damaged;
	while (bson_iter_next(&it)) {
		struct pj_str s = {NULL, 0};

		if (BSON_ITER_HOLDS_BINARY(&it)) {
			const uint8_t *bytes;
			uint32_t len;

			bson_iter_binary(&it, NULL, &len, &bytes);
			s = (struct pj_str){(const char *)bytes, len};
		} else if (!BSON_ITER_HOLDS_NULL(&it)) {
			goto damaged;
		}
		MEM_GROW(strs, n, cap);
		strs[n++] = s;
	}
	if (n % 2)
		goto damaged;
	*ret_headers = strs;
	*ret_n = n / 2;
	return 0;
damaged:
	free(strs);
	return pj_error_set(err, PJ_ERROR_FATAL,
			    "damaged row in %s: field 'headers'",
			    READMODEL_PARKED);
}

int
rows_parked_read(const uint8_t *bson, size_t len, struct store_parked *ret,
		 struct pj_str **ret_headers, struct pj_error *err)
{
	struct store_parked row = {0};
	struct pj_str generation, unit_type, topic, type, cause, detail;
	bson_iter_t headers;
	const struct field fields[] = {
		{"generation", FIELD_STR, &generation, 0},
		{"unitType", FIELD_STR, &unit_type, 0},
		{"unit", FIELD_BYTES, &row.unit, 0},
		{"topic", FIELD_STR, &topic, 0},
		{"partition", FIELD_INT32, &row.partition, 0},
		{"offset", FIELD_INT64, &row.offset, 0},
		{"timestamp", FIELD_INT64, &row.timestamp_ms, 0},
		{"type", FIELD_STR, &type, 0},
		{"cause", FIELD_STR, &cause, 0},
		{"detail", FIELD_STR, &detail, 0},
		{"parkedAt", FIELD_INT64, &row.parked_at_ms, 0},
		{"key", FIELD_BYTES, &row.key, 0},
		{"value", FIELD_BYTES, &row.value, 0},
		{"headers", FIELD_ITER, &headers, 0},
	};

	if (fields_read(bson, len, READMODEL_PARKED, fields,
			sizeof(fields) / sizeof(fields[0]), err) ||
	    parked_headers(&headers, ret_headers, &row.n_headers, err))
		return -1;
	/* BSON strings end with a NUL. */
	row.generation = generation.ptr;
	row.unit_type = unit_type.ptr;
	row.topic = topic.ptr;
	row.type = type.ptr;
	row.cause = cause.ptr;
	row.detail = detail.ptr;
	row.key_null = !row.key.ptr;
	row.value_null = !row.value.ptr;
	row.headers = *ret_headers;
	row.n_refused = parked_number(bson, len, "refused");
	row.refused_at_ms = parked_number(bson, len, "refusedAt");
	*ret = row;
	return 0;
}

/* ---- Audit ------------------------------------------------------------- */

void
rows_audit(struct store_row *ret_row, const struct store_parked *parked,
	   const struct store_unpark *unpark)
{
	struct store_parked kept = *parked;
	char *row = parked_id(parked);
	char *id = mem_printf("%s!%020" PRId64, row, parked->parked_at_ms);

	free(row);
	if (strcmp(unpark->action, "retried") == 0) {
		/* It is in its documents now. */
		kept.key_null = kept.value_null = true;
		kept.n_headers = 0;
	}
	parked_begin(ret_row, id, &kept);
	put_text(ret_row->bson, "action", unpark->action);
	put_text(ret_row->bson, "reason", unpark->reason);
	put_text(ret_row->bson, "by", unpark->by);
	put_int64(ret_row->bson, "at", unpark->at_ms);
}

int
rows_audit_read(const uint8_t *bson, size_t len, struct store_audit *ret,
		struct pj_str **ret_headers, struct pj_error *err)
{
	struct store_audit entry = {0};
	struct pj_str action, reason, by;
	const struct field fields[] = {
		{"action", FIELD_STR, &action, 0},
		{"reason", FIELD_STR, &reason, 0},
		{"by", FIELD_STR, &by, 0},
		{"at", FIELD_INT64, &entry.at_ms, 0},
	};

	if (fields_read(bson, len, READMODEL_AUDIT, fields, 4, err) ||
	    rows_parked_read(bson, len, &entry.row, ret_headers, err))
		return -1;
	entry.action = action.ptr;
	entry.reason = reason.ptr;
	entry.by = by.ptr;
	*ret = entry;
	return 0;
}

int
rows_audit_at(const uint8_t *bson, size_t len, struct pj_str *ret_id,
	      int64_t *ret_at_ms, struct pj_error *err)
{
	const struct field fields[] = {
		{READMODEL_ID, FIELD_STR, ret_id, 0},
		{"at", FIELD_INT64, ret_at_ms, 0},
	};

	return fields_read(bson, len, READMODEL_AUDIT, fields, 2, err);
}
