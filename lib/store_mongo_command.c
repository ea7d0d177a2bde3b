/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of many statements, held below the server's limits. */
#include "lib/readmodel.h"
#include "lib/store_mongo.h"

void
mongo_command_begin(struct mongo_command *cmd, const char *verb,
		    const char *collection, const char *array)
{
	bson_init(&cmd->bson);
	cmd->n = 0;
	cmd->bytes = 0;
	mongo_must(bson_append_utf8(&cmd->bson, verb, -1, collection, -1) &&
		   bson_append_bool(&cmd->bson, "ordered", -1, false) &&
		   bson_append_array_begin(&cmd->bson, array, -1, &cmd->array));
}

void
mongo_command_end(struct mongo_command *cmd)
{
	mongo_must(bson_append_array_end(&cmd->bson, &cmd->array));
}

bool
mongo_command_has_room(const struct mongo_command *cmd, size_t len)
{
	return cmd->n == 0 || (cmd->n < MONGO_COMMAND_DOCS &&
			       cmd->bytes + len <= MONGO_COMMAND_BYTES);
}

const char *
mongo_command_next(struct mongo_command *cmd, size_t len, char name[16])
{
	const char *at;

	bson_uint32_to_string((uint32_t)cmd->n, &at, name, 16);
	cmd->n++;
	cmd->bytes += len;
	return at;
}

void
mongo_put_conds(bson_t *filter, const struct store_cond *conds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct store_cond *c = &conds[i];
		bson_t at_most;

		if (c->op == STORE_IS) {
			mongo_must(bson_append_int64(filter, c->field, -1,
						     c->value));
			continue;
		}
		mongo_must(bson_append_document_begin(filter, c->field, -1,
						      &at_most) &&
			   bson_append_int64(&at_most, "$lte", -1, c->value) &&
			   bson_append_document_end(filter, &at_most));
	}
}

void
mongo_command_delete(struct mongo_command *cmd, struct pj_str id,
		     const struct store_token *token)
{
	char name[16];
	const char *at = mongo_command_next(cmd, id.len, name);
	bson_t stmt, q;

	mongo_must(bson_append_document_begin(&cmd->array, at, -1, &stmt) &&
		   bson_append_document_begin(&stmt, "q", -1, &q) &&
		   bson_append_utf8(&q, READMODEL_ID, -1, id.ptr, (int)id.len));
	if (token)
		mongo_must(bson_append_binary(&q, READMODEL_META ".w", -1,
					      BSON_SUBTYPE_BINARY, token->bytes,
					      STORE_TOKEN_BYTES));
	mongo_must(bson_append_document_end(&stmt, &q) &&
		   bson_append_int32(&stmt, "limit", -1, 1) &&
		   bson_append_document_end(&cmd->array, &stmt));
}

/* ---- Sending ----------------------------------------------------------- */

/* Write errors by kind: duplicate keys, and all others. */
static void
command_errors(const bson_t *reply, size_t *ret_duplicates, size_t *ret_others)
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
command_send_once(struct mongo_session *ses, const char *collection,
		  const bson_t *command, size_t *ret_done,
		  size_t *ret_duplicates, struct pj_error *err)
{
	struct mongo_result res;
	size_t duplicates, others;
	int ret = mongo_write(ses, command, collection, &res, err);

	if (ret)
		goto out;
	command_errors(&res.reply, &duplicates, &others);
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
int
mongo_command_send(struct mongo_session *ses, const char *collection,
		   struct mongo_command *cmd, size_t *ret_done,
		   struct pj_error *err)
{
	size_t duplicates;
	int ret;

	mongo_command_end(cmd);
	ret = command_send_once(ses, collection, &cmd->bson, ret_done,
				&duplicates, err);
	if (!ret && duplicates)
		ret = command_send_once(ses, collection, &cmd->bson, ret_done,
					NULL, err);
	bson_destroy(&cmd->bson);
	return ret;
}
