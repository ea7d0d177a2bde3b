/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches to MongoDB: parked rows, inserts, compare-and-set replaces and
 * checkpoints, each as unordered commands of one kind.
 *
 * Invariant: APPLIED is said only of a command whose reply is clean and counts
 * every document that was sent; a reply to an update has totals only, so one
 * miss makes all of its documents UNKNOWN.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_mongo.h"

static void
command_insert(struct mongo_command *cmd, const uint8_t *bson, size_t len)
{
	char name[16];
	const char *at = mongo_command_next(cmd, len, name);
	bson_t doc;

	mongo_must(bson_init_static(&doc, bson, len) &&
		   bson_append_document(&cmd->array, at, -1, &doc));
}

/* {$cond: [{$eq: ["$_m.w", base]}, {$literal: the document}, "$$ROOT"]} */
static bool
command_condition(bson_t *stage, const struct store_write *w, const bson_t *doc)
{
	bson_t choice, parts, is, pair, literal;

	return bson_append_document_begin(stage, "$replaceWith", -1, &choice) &&
	       bson_append_array_begin(&choice, "$cond", -1, &parts) &&
	       bson_append_document_begin(&parts, "0", -1, &is) &&
	       bson_append_array_begin(&is, "$eq", -1, &pair) &&
	       bson_append_utf8(&pair, "0", -1, "$" READMODEL_META ".w", -1) &&
	       bson_append_binary(&pair, "1", -1, BSON_SUBTYPE_BINARY,
				  w->base.bytes, STORE_TOKEN_BYTES) &&
	       bson_append_array_end(&is, &pair) &&
	       bson_append_document_end(&parts, &is) &&
	       bson_append_document_begin(&parts, "1", -1, &literal) &&
	       bson_append_document(&literal, "$literal", -1, doc) &&
	       bson_append_document_end(&parts, &literal) &&
	       bson_append_utf8(&parts, "2", -1, "$$ROOT", -1) &&
	       bson_append_array_end(&choice, &parts) &&
	       bson_append_document_end(stage, &choice);
}

/*
 * Replaces the document that holds the base token, and only that: another one
 * becomes what it is, and is not counted as modified. By its _id alone it is
 * found without a query plan, and what the server logs of a pipeline is what
 * has changed, not the whole.
 */
static void
command_replace(struct mongo_command *cmd, const struct store_write *w)
{
	char name[16];
	const char *at = mongo_command_next(cmd, w->len, name);
	bson_t doc, stmt, q, stages, stage;

	mongo_must(bson_init_static(&doc, w->bson, w->len) &&
		   bson_append_document_begin(&cmd->array, at, -1, &stmt) &&
		   bson_append_document_begin(&stmt, "q", -1, &q) &&
		   bson_append_utf8(&q, READMODEL_ID, -1, w->key.ptr,
				    (int)w->key.len) &&
		   bson_append_document_end(&stmt, &q) &&
		   bson_append_array_begin(&stmt, "u", -1, &stages) &&
		   bson_append_document_begin(&stages, "0", -1, &stage) &&
		   command_condition(&stage, w, &doc) &&
		   bson_append_document_end(&stages, &stage) &&
		   bson_append_array_end(&stmt, &stages) &&
		   bson_append_bool(&stmt, "upsert", -1, false) &&
		   bson_append_document_end(&cmd->array, &stmt));
}

/* ---- Documents --------------------------------------------------------- */

struct mongo_chunk {
	const char *collection;
	bool insert;
	size_t *at; /* indexes into writes */
	size_t n;
};

static void
chunk_set(const struct mongo_chunk *chunk, struct store_write *writes,
	  enum store_outcome outcome)
{
	size_t i;

	for (i = 0; i < chunk->n; i++)
		writes[chunk->at[i]].outcome = outcome;
}

static void
write_refuse(struct store_write *w, char *why)
{
	free(w->why);
	w->why = why;
	w->outcome = STORE_REFUSED;
}

/* The documents the server says it will never take. */
static void
chunk_refuse(const struct mongo_chunk *chunk, struct store_write *writes,
	     const bson_t *reply)
{
	bson_iter_t it, errors, e;

	if (!bson_iter_init_find(&it, reply, "writeErrors") ||
	    !bson_iter_recurse(&it, &errors))
		return;
	while (bson_iter_next(&errors)) {
		const uint8_t *data;
		int64_t index = -1;
		bson_t entry;
		uint32_t len;

		if (!BSON_ITER_HOLDS_DOCUMENT(&errors))
			continue;
		bson_iter_document(&errors, &len, &data);
		if (bson_init_static(&entry, data, len) &&
		    bson_iter_init_find(&e, &entry, "index"))
			index = bson_iter_as_int64(&e);
		if (index >= 0 && (size_t)index < chunk->n &&
		    mongo_is_refusal(&entry))
			write_refuse(&writes[chunk->at[index]],
				     mongo_refusal_text(&entry));
	}
}

static int
chunk_send(struct mongo_session *ses, const struct mongo_chunk *chunk,
	   struct mongo_command *cmd, struct store_write *writes,
	   struct pj_error *err)
{
	struct mongo_result res;
	int ret = -1;

	mongo_command_end(cmd);
	if (mongo_write(ses, &cmd->bson, chunk->collection, &res, err))
		goto out;
	if (res.clean &&
	    (chunk->insert ? res.n : res.modified) == (int64_t)chunk->n) {
		chunk_set(chunk, writes, STORE_APPLIED);
	} else {
		chunk_set(chunk, writes, STORE_UNKNOWN);
		chunk_refuse(chunk, writes, &res.reply);
	}
	ret = 0;
out:
	mongo_result_release(&res);
	bson_destroy(&cmd->bson);
	return ret;
}

static bool
chunk_takes(const struct mongo_chunk *chunk, const struct store_write *w)
{
	return chunk->n == 0 || (chunk->insert == w->insert &&
				 strcmp(chunk->collection, w->collection) == 0);
}

/* Sends up to max writes of one kind and collection from *next on. */
static int
mongo_send_chunk(struct mongo_session *ses, struct store_job *job,
		 size_t *order, size_t *next, size_t max, struct pj_error *err)
{
	const struct store_write *w = &job->writes[order[*next]];
	struct mongo_chunk chunk = {.collection = w->collection,
				    .insert = w->insert,
				    .at = order + *next};
	struct mongo_command cmd;

	mongo_command_begin(&cmd, w->insert ? "insert" : "update",
			    w->collection, w->insert ? "documents" : "updates");
	for (; *next < job->n_writes && chunk.n < max; (*next)++) {
		w = &job->writes[order[*next]];
		if (w->outcome != STORE_PENDING || !chunk_takes(&chunk, w) ||
		    !mongo_command_has_room(&cmd, w->len))
			break;
		if (w->insert)
			command_insert(&cmd, w->bson, w->len);
		else
			command_replace(&cmd, w);
		chunk.n++;
	}
	return chunk_send(ses, &chunk, &cmd, job->writes, err);
}

/* Collection by collection, inserts first; refused ones last. */
struct mongo_order {
	const struct store_write *w;
	size_t index;
};

static int
mongo_order_compare(const void *a, const void *b)
{
	const struct mongo_order *x = a, *y = b;
	int order = (x->w->outcome != STORE_PENDING) -
		    (y->w->outcome != STORE_PENDING);

	if (!order && x->w->collection != y->w->collection)
		order = strcmp(x->w->collection, y->w->collection);
	if (!order)
		order = y->w->insert - x->w->insert;
	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static size_t *
mongo_order_writes(const struct store_job *job)
{
	struct mongo_order *sorted = mem_calloc(job->n_writes, sizeof(*sorted));
	size_t *order = mem_calloc(job->n_writes, sizeof(*order));
	size_t i;

	for (i = 0; i < job->n_writes; i++)
		sorted[i] = (struct mongo_order){&job->writes[i], i};
	if (job->n_writes > 1)
		qsort(sorted, job->n_writes, sizeof(*sorted),
		      mongo_order_compare);
	for (i = 0; i < job->n_writes; i++)
		order[i] = sorted[i].index;
	free(sorted);
	return order;
}

/*
 * One document has made the server refuse the whole command, unread: each goes
 * alone, to find it. Sent twice or not, the token decides.
 */
static int
mongo_send_singly(struct mongo_session *ses, struct store_job *job,
		  size_t *order, size_t from, size_t end, struct pj_error *err)
{
	while (from < end) {
		struct store_write *w = &job->writes[order[from]];

		if (mongo_send_chunk(ses, job, order, &from, 1, err) == 0)
			continue;
		if (!mongo_is_command_refusal(err->code))
			return -1;
		write_refuse(w, mem_strdup(err->text));
	}
	return 0;
}

static int
mongo_send_writes(struct mongo_session *ses, struct store_job *job,
		  struct pj_error *err)
{
	size_t *order = mongo_order_writes(job);
	size_t next = 0;
	int ret = 0;

	while (!ret && next < job->n_writes &&
	       job->writes[order[next]].outcome == STORE_PENDING) {
		size_t from = next;

		ret = mongo_send_chunk(ses, job, order, &next,
				       MONGO_COMMAND_DOCS, err);
		if (ret && mongo_is_command_refusal(err->code))
			ret = mongo_send_singly(ses, job, order, from, next,
						err);
	}
	free(order);
	return ret;
}

/* ---- Purges ------------------------------------------------------------ */

static int
mongo_purge(struct mongo_session *ses, const struct store_job *job,
	    struct pj_error *err)
{
	size_t i = 0, done;

	while (i < job->n_purges) {
		const char *collection = job->purges[i].collection;
		struct mongo_command cmd;

		mongo_command_begin(&cmd, "delete", collection, "deletes");
		for (; i < job->n_purges && mongo_command_has_room(&cmd, 0) &&
		       strcmp(job->purges[i].collection, collection) == 0;
		     i++)
			mongo_command_delete(&cmd, job->purges[i].key,
					     &job->purges[i].base);
		if (mongo_command_send(ses, collection, &cmd, &done, err))
			return -1;
	}
	return 0;
}

int
mongo_apply(struct store_session *base, struct store_job *job,
	    struct pj_error *err)
{
	struct mongo_session *ses = (struct mongo_session *)base;

	size_t made;

	if (mongo_rows_write(base, READMODEL_PARKED, &job->parked, &made,
			     err) ||
	    mongo_send_writes(ses, job, err) ||
	    mongo_rows_write(base, READMODEL_CHECKPOINTS, &job->checkpoints,
			     &job->n_checkpoints_done, err) ||
	    mongo_rows_write(base, READMODEL_PARKED, &job->refused, &made,
			     err) ||
	    mongo_rows_write(base, READMODEL_AUDIT, &job->audit, &made, err) ||
	    mongo_rows_delete(base, READMODEL_PARKED, &job->unparked, err) ||
	    mongo_purge(ses, job, err))
		return -1;
	return 0;
}
