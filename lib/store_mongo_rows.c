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

static void
rows_put_filter(bson_t *q, const struct store_row *row)
{
	mongo_must(bson_append_utf8(q, READMODEL_ID, -1, row->id, -1));
	for (size_t i = 0; i < row->n_conds; i++) {
		const struct store_cond *c = &row->conds[i];
		bson_t at_most;

		if (c->op == STORE_IS) {
			mongo_must(
				bson_append_int64(q, c->field, -1, c->value));
			continue;
		}
		mongo_must(
			bson_append_document_begin(q, c->field, -1, &at_most) &&
			bson_append_int64(&at_most, "$lte", -1, c->value) &&
			bson_append_document_end(q, &at_most));
	}
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
	rows_put_filter(&q, row);
	mongo_must(bson_append_document_end(&stmt, &q) &&
		   bson_append_document_begin(&stmt, "u", -1, &u));
	rows_put_update(&u, row);
	mongo_must(bson_append_document_end(&stmt, &u) &&
		   bson_append_bool(&stmt, "upsert", -1, row->bson != NULL) &&
		   bson_append_document_end(&cmd->array, &stmt));
}

/* ---- Sending ----------------------------------------------------------- */

/* Write errors by kind: duplicate keys, and all others. */
static void
rows_errors(const bson_t *reply, size_t *ret_duplicates, size_t *ret_others)
{
	bson_iter_t it, errors, e;

	*ret_duplicates = 0;
	*ret_others = 0;
	if (!bson_iter_init_find(&it, reply, "writeErrors") ||
	    !bson_iter_recurse(&it, &errors))
		return;
	while (bson_iter_next(&errors)) {
		if (bson_iter_recurse(&errors, &e) &&
		    bson_iter_find(&e, "code") &&
		    bson_iter_as_int64(&e) == MONGO_DUPLICATE_KEY)
			++*ret_duplicates;
		else
			++*ret_others;
	}
}

/* ret_duplicates NULL: they are a failure too. */
static int
rows_send_once(struct mongo_session *ses, const char *collection,
	       const bson_t *command, size_t *ret_done, size_t *ret_duplicates,
	       struct pj_error *err)
{
	struct mongo_result res;
	size_t duplicates, others;
	int ret = mongo_write(ses, command, collection, &res, err);

	if (ret)
		goto out;
	rows_errors(&res.reply, &duplicates, &others);
	if (!res.durable || others || (duplicates && !ret_duplicates))
		ret = pj_error_set(err, PJ_ERROR_RETRY, "%s: %s: %s",
				   ses->base.store->name, collection, res.text);
	*ret_done = (size_t)res.n;
	if (ret_duplicates)
		*ret_duplicates = duplicates;
out:
	mongo_result_release(&res);
	return ret;
}

/*
 * A duplicate key means that another upsert came first. So once more, all of
 * it: now the row is there. What is added is then added twice to the others:
 * who adds must bear that.
 */
static int
rows_send(struct mongo_session *ses, const char *collection,
	  struct mongo_command *cmd, size_t *ret_done, struct pj_error *err)
{
	size_t duplicates;
	int ret;

	mongo_command_end(cmd);
	ret = rows_send_once(ses, collection, &cmd->bson, ret_done, &duplicates,
			     err);
	if (!ret && duplicates)
		ret = rows_send_once(ses, collection, &cmd->bson, ret_done,
				     NULL, err);
	bson_destroy(&cmd->bson);
	return ret;
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
		if (rows_send(ses, collection, &cmd, &done, err))
			return -1;
		*ret_done += done;
	}
	return 0;
}
