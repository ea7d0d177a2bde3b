/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_fields.h"

void
store_row_release(struct store_row *row)
{
	free(row->id);
	if (row->bson)
		bson_destroy(row->bson);
	*row = (struct store_row){0};
}

void
row_begin(struct store_row *ret_row, char *id)
{
	*ret_row = (struct store_row){.id = id, .bson = bson_new()};
	put_text(ret_row->bson, READMODEL_ID, id);
}

struct store_row *
store_rows_add(struct store_rows *rows)
{
	MEM_GROW(rows->row, rows->n, rows->cap);
	rows->row[rows->n] = (struct store_row){0};
	return &rows->row[rows->n++];
}

void
store_rows_release(struct store_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		store_row_release(&rows->row[i]);
	free(rows->row);
	*rows = (struct store_rows){0};
}

/* ---- Changes ----------------------------------------------------------- */

static void
row_change(struct store_row *row, struct store_change change)
{
	assert(row->n_changes < STORE_CHANGES_MAX);
	row->changes[row->n_changes++] = change;
}

void
row_set_int32(struct store_row *row, const char *field, int32_t value)
{
	row_change(row, (struct store_change){.field = field,
					      .op = STORE_SET_INT32,
					      .number = value});
}

void
row_set_int64(struct store_row *row, const char *field, int64_t value)
{
	row_change(row, (struct store_change){.field = field,
					      .op = STORE_SET_INT64,
					      .number = value});
}

void
row_set_text(struct store_row *row, const char *field, const char *text)
{
	row_change(row, (struct store_change){.field = field,
					      .op = STORE_SET_TEXT,
					      .bytes = store_str(text)});
}

void
row_set_bytes(struct store_row *row, const char *field, struct pj_str bytes)
{
	row_change(row, (struct store_change){.field = field,
					      .op = STORE_SET_BYTES,
					      .bytes = bytes});
}

void
row_add(struct store_row *row, const char *field, int64_t value)
{
	row_change(row, (struct store_change){.field = field,
					      .op = STORE_ADD,
					      .number = value});
}

void
row_raise(struct store_row *row, const char *field, int64_t value)
{
	row_change(row, (struct store_change){.field = field,
					      .op = STORE_RAISE,
					      .number = value});
}

static void
row_cond(struct store_row *row, struct store_cond cond)
{
	assert(row->n_conds < STORE_CONDS_MAX && !row->bson);
	row->conds[row->n_conds++] = cond;
}

void
row_if(struct store_row *row, const char *field, int64_t value)
{
	row_cond(row, (struct store_cond){field, STORE_IS, value});
}

void
row_if_at_most(struct store_row *row, const char *field, int64_t value)
{
	row_cond(row, (struct store_cond){field, STORE_AT_MOST, value});
}

/* ---- Sources ----------------------------------------------------------- */

char *
rows_source_id(const char *topic, int32_t partition)
{
	return mem_printf("%s/%" PRId32, topic, partition);
}

void
rows_source(struct store_row *ret_row, const char *topic, int32_t partition,
	    int32_t index)
{
	row_begin(ret_row, rows_source_id(topic, partition));
	put_text(ret_row->bson, "topic", topic);
	put_int32(ret_row->bson, "partition", partition);
	put_int32(ret_row->bson, "index", index);
}

int
rows_source_read(const uint8_t *bson, size_t len, struct store_source_row *ret,
		 struct pj_error *err)
{
	struct store_source_row row = {0};
	const struct field fields[] = {
		{"topic", FIELD_CHARS, row.topic, sizeof(row.topic)},
		{"partition", FIELD_INT32, &row.partition, 0},
		{"index", FIELD_INT32, &row.index, 0},
	};

	if (fields_read(bson, len, READMODEL_SOURCES, fields, 3, err))
		return -1;
	*ret = row;
	return 0;
}

/* ---- Checkpoints ------------------------------------------------------- */

char *
rows_checkpoint_id(const char *generation, int32_t source)
{
	return mem_printf("%s/%" PRId32, generation, source);
}

void
rows_checkpoint(struct store_row *ret_row, const struct store_checkpoint *cp)
{
	*ret_row = (struct store_row){
		.id = rows_checkpoint_id(cp->generation, cp->source)};
	row_if(ret_row, "epoch", cp->epoch);
	row_if_at_most(ret_row, "next", cp->next);
	row_set_int64(ret_row, "next", cp->next);
	row_set_int64(ret_row, "anchorOffset", cp->anchor_offset);
	row_set_int64(ret_row, "anchorTimestamp", cp->anchor_timestamp_ms);
	row_set_int64(ret_row, "anchorCrc", cp->anchor_crc);
}

void
rows_claim(struct store_row *ret_row, const char *generation, int32_t source,
	   const struct store_owner *owner)
{
	row_begin(ret_row, rows_checkpoint_id(generation, source));
	put_text(ret_row->bson, "generation", generation);
	put_int32(ret_row->bson, "source", source);
	put_int64(ret_row->bson, "next", -1);
	put_int64(ret_row->bson, "anchorOffset", -1);
	put_int64(ret_row->bson, "anchorTimestamp", 0);
	put_int64(ret_row->bson, "anchorCrc", 0);
	row_add(ret_row, "epoch", 1);
	row_set_bytes(ret_row, "owner",
		      (struct pj_str){(const char *)owner->bytes,
				      sizeof(owner->bytes)});
}

static struct store_owner
checkpoint_owner(const uint8_t *bson, size_t len)
{
	struct store_owner owner = {{0}};
	const uint8_t *bytes;
	bson_iter_t it;
	uint32_t n;

	if (!bson_iter_init_from_data(&it, bson, len) ||
	    !bson_iter_find(&it, "owner") || !BSON_ITER_HOLDS_BINARY(&it))
		return owner;
	bson_iter_binary(&it, NULL, &n, &bytes);
	if (n == sizeof(owner.bytes))
		memcpy(owner.bytes, bytes, n);
	return owner;
}

int
rows_checkpoint_read(const uint8_t *bson, size_t len,
		     struct store_checkpoint *ret,
		     struct store_owner *ret_owner, struct pj_error *err)
{
	struct store_checkpoint row = {0};
	int64_t crc = 0;
	const struct field fields[] = {
		{"generation", FIELD_CHARS, row.generation,
		 sizeof(row.generation)},
		{"source", FIELD_INT32, &row.source, 0},
		{"next", FIELD_INT64, &row.next, 0},
		{"epoch", FIELD_INT64, &row.epoch, 0},
		{"anchorOffset", FIELD_INT64, &row.anchor_offset, 0},
		{"anchorTimestamp", FIELD_INT64, &row.anchor_timestamp_ms, 0},
		{"anchorCrc", FIELD_INT64, &crc, 0},
	};

	if (fields_read(bson, len, READMODEL_CHECKPOINTS, fields, 7, err))
		return -1;
	row.anchor_crc = (uint32_t)crc;
	if (ret_owner)
		*ret_owner = checkpoint_owner(bson, len);
	*ret = row;
	return 0;
}

/* ---- Generations ------------------------------------------------------- */

void
rows_generation(struct store_row *ret_row, const struct store_generation *gen)
{
	char *id = mem_alloc(READMODEL_GENERATION_ID_MAX);

	readmodel_generation_id(id, gen->projection, gen->number);
	row_begin(ret_row, id);
	put_text(ret_row->bson, "projection", gen->projection);
	put_int32(ret_row->bson, "number", gen->number);
	put_int32(ret_row->bson, "version", gen->version);
	put_text(ret_row->bson, "codeHash", gen->code_hash);
	put_int32(ret_row->bson, "state", (int32_t)gen->state);
	put_text(ret_row->bson, "collection", gen->collection);
	put_int64(ret_row->bson, "createdAt", gen->created_at_ms);
	put_int64(ret_row->bson, "purgedRevision", gen->purged_revision);
	put_text(ret_row->bson, "reader",
		 gen->reader_json ? gen->reader_json : "");
}

/* Rows of before nothing was purged do not have it. */
static int64_t
generation_purged(const uint8_t *bson, size_t len)
{
	bson_iter_t it;

	if (!bson_iter_init_from_data(&it, bson, len) ||
	    !bson_iter_find(&it, "purgedRevision") ||
	    !BSON_ITER_HOLDS_NUMBER(&it))
		return 0;
	return bson_iter_as_int64(&it);
}

int
rows_generation_read(const uint8_t *bson, size_t len,
		     struct store_generation *ret, struct pj_error *err)
{
	struct store_generation row = {0};
	struct pj_str reader = {0};
	int32_t state = 0;
	const struct field fields[] = {
		{"projection", FIELD_CHARS, row.projection,
		 sizeof(row.projection)},
		{"number", FIELD_INT32, &row.number, 0},
		{"version", FIELD_INT32, &row.version, 0},
		{"codeHash", FIELD_CHARS, row.code_hash, sizeof(row.code_hash)},
		{"state", FIELD_INT32, &state, 0},
		{"collection", FIELD_CHARS, row.collection,
		 sizeof(row.collection)},
		{"createdAt", FIELD_INT64, &row.created_at_ms, 0},
		{"reader", FIELD_STR, &reader, 0},
	};

	if (fields_read(bson, len, READMODEL_GENERATIONS, fields, 8, err))
		return -1;
	if (state < STORE_GEN_BUILDING || state > STORE_GEN_DROPPED)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "%s %s.%" PRId32 ": unknown state %" PRId32,
				    READMODEL_GENERATIONS, row.projection,
				    row.number, state);
	row.state = (enum store_generation_state)state;
	row.purged_revision = generation_purged(bson, len);
	row.reader_json = mem_strndup(reader.ptr, reader.len);
	*ret = row;
	return 0;
}

/* ---- Live pointers ----------------------------------------------------- */

void
rows_live(struct store_row *ret_row, const char *projection, int32_t number)
{
	row_begin(ret_row, mem_strdup(projection));
	put_int32(ret_row->bson, "number", number);
	put_int32(ret_row->bson, "previous", 0);
	put_int64(ret_row->bson, "claims", 0);
}

int
rows_live_read(const uint8_t *bson, size_t len, struct store_live *ret,
	       struct pj_error *err)
{
	struct store_live row = {0};
	const struct field fields[] = {
		{READMODEL_ID, FIELD_CHARS, row.projection,
		 sizeof(row.projection)},
		{"number", FIELD_INT32, &row.number, 0},
		{"previous", FIELD_INT32, &row.previous, 0},
		{"claims", FIELD_INT64, &row.claims, 0},
	};

	if (fields_read(bson, len, READMODEL_LIVE, fields, 4, err))
		return -1;
	*ret = row;
	return 0;
}
