/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in MongoDB: one update statement each, many to a command.
 *
 * A row that is to be made goes as an upsert whose `bson` is $setOnInsert: what
 * is there keeps everything but the changes.
 */
#include <string.h>

#include "lib/readmodel.h"
#include "lib/store_mongo.h"

/* ---- Statements -------------------------------------------------------- */

static void
rows_put_change(bson_t *to, const struct store_change *c)
{
	const uint8_t *bytes = (const uint8_t *)c->bytes.ptr;
	bool ok = false;

	switch (c->op) {
	case STORE_SET_INT32:
		ok = bson_append_int32(to, c->field, -1, (int32_t)c->number);
		break;
	case STORE_SET_TEXT:
		ok = bson_append_utf8(to, c->field, -1, c->bytes.ptr,
				      (int)c->bytes.len);
		break;
	case STORE_SET_BYTES:
		ok = bson_append_binary(to, c->field, -1, BSON_SUBTYPE_BINARY,
					bytes, (uint32_t)c->bytes.len);
		break;
	case STORE_SET_INT64:
	case STORE_ADD:
	case STORE_RAISE:
		ok = bson_append_int64(to, c->field, -1, c->number);
		break;
	}
	mongo_must(ok);
}

static const char *
rows_operator(const struct store_change *c)
{
	return c->op == STORE_ADD     ? "$inc"
	       : c->op == STORE_RAISE ? "$max"
				      : "$set";
}

/* {$set: {…}, $inc: {…}, $max: {…}, $setOnInsert: the row} */
static void
rows_put_update(bson_t *u, const struct store_row *row)
{
	static const char *const operators[] = {"$set", "$inc", "$max"};

	for (size_t o = 0; o < 3; o++) {
		bson_t fields = BSON_INITIALIZER;

		for (size_t i = 0; i < row->n_changes; i++)
			if (strcmp(rows_operator(&row->changes[i]),
				   operators[o]) == 0)
				rows_put_change(&fields, &row->changes[i]);
		if (!bson_empty(&fields))
			mongo_must(bson_append_document(u, operators[o], -1,
							&fields));
		bson_destroy(&fields);
	}
	if (row->bson)
		mongo_must(
			bson_append_document(u, "$setOnInsert", -1, row->bson));
}

static size_t
rows_bytes(const struct store_row *row)
{
	size_t bytes = row->bson ? row->bson->len : 0;

	for (size_t i = 0; i < row->n_changes; i++)
		bytes += row->changes[i].bytes.len;
	return bytes;
}

static void
command_row(struct mongo_command *cmd, const struct store_row *row)
{
	char name[16];
	const char *at = mongo_command_next(cmd, rows_bytes(row), name);
	bson_t stmt, q, u;

	mongo_must(bson_append_document_begin(&cmd->array, at, -1, &stmt) &&
		   bson_append_document_begin(&stmt, "q", -1, &q));
	mongo_must(bson_append_utf8(&q, READMODEL_ID, -1, row->id, -1));
	mongo_put_conds(&q, row->conds, row->n_conds);
	mongo_must(bson_append_document_end(&stmt, &q) &&
		   bson_append_document_begin(&stmt, "u", -1, &u));
	rows_put_update(&u, row);
	mongo_must(bson_append_document_end(&stmt, &u) &&
		   bson_append_bool(&stmt, "upsert", -1, row->bson != NULL) &&
		   bson_append_document_end(&cmd->array, &stmt));
}

int
mongo_rows_write(struct store_session *base, const char *collection,
		 const struct store_rows *rows, size_t *ret_done,
		 struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	size_t i = 0, done;

	*ret_done = 0;
	while (i < rows->n) {
		struct mongo_command cmd;

		mongo_command_begin(&cmd, "update", collection, "updates");
		for (; i < rows->n &&
		       mongo_command_has_room(&cmd, rows_bytes(&rows->row[i]));
		     i++)
			command_row(&cmd, &rows->row[i]);
		if (mongo_command_send(ses, collection, &cmd, &done, err))
			return -1;
		*ret_done += done;
	}
	return 0;
}

int
mongo_rows_delete(struct store_session *base, const char *collection,
		  const struct store_rows *rows, struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;
	size_t i = 0, done;

	while (i < rows->n) {
		struct mongo_command cmd;

		mongo_command_begin(&cmd, "delete", collection, "deletes");
		for (; i < rows->n && mongo_command_has_room(&cmd, 0); i++)
			mongo_command_delete(&cmd, store_str(rows->row[i].id),
					     NULL);
		if (mongo_command_send(ses, collection, &cmd, &done, err))
			return -1;
	}
	return 0;
}
