/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fill_store TYPE WHERE < operations: writes into a store what a test wants to
 * read. TYPE lmdb: WHERE is the directory; mongodb: WHERE is the URI, database
 * "shopview_test" (FILL_DATABASE overrides).
 *
 * One operation per line, JSON; `generation` is "shop.1":
 *   {"op":"generation","projection":"shop","number":1,"reader":{…}}
 *   {"op":"live","projection":"shop","from":0,"to":1}
 *   {"op":"checkpoint","generation":"shop.1","topic":"t","partition":0,
 *    "next":42}
 *   {"op":"document","generation":"shop.1","id":"a","revision":1,"state":0,
 *    "positions":{"t/0":5},"meta":{…},"fields":{…}}   replaces what is there;
 *    meta: more of `_m`; both in extended JSON
 *   {"op":"parked","generation":"shop.1","key":"a","topic":"t","partition":0,
 *    "offset":7}
 * A line that could not be done is named on stderr, exit status 1. After each
 * line that was, "ok" goes to stdout.
 */
#include <bson/bson.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store.h"

static uint64_t tokens;

static const char *
text_of(const json_t *op, const char *name)
{
	const char *text = json_string_value(json_object_get(op, name));

	return text ? text : "";
}

static json_int_t
number_of(const json_t *op, const char *name)
{
	return json_integer_value(json_object_get(op, name));
}

static int
do_generation(struct store_session *ses, const json_t *op, struct pj_error *err)
{
	struct store_generation gen = {
		.number = (int32_t)number_of(op, "number"),
		.version = 1,
		.created_at_ms = 1700000000000,
	};
	const json_t *reader = json_object_get(op, "reader");
	bool created;
	int rc;

	(void)snprintf(gen.projection, sizeof(gen.projection), "%s",
		       text_of(op, "projection"));
	readmodel_generation_id(gen.collection, gen.projection, gen.number);
	gen.reader_json = json_dumps(reader, JSON_COMPACT);
	rc = store_generation_create(ses, &gen, &created, err);
	free(gen.reader_json);
	return rc;
}

static int
do_live(struct store_session *ses, const json_t *op, struct pj_error *err)
{
	bool moved;

	if (store_live_move(ses, text_of(op, "projection"),
			    (int32_t)number_of(op, "from"),
			    (int32_t)number_of(op, "to"), &moved, err) < 0)
		return -1;
	return moved ? 0
		     : pj_error_set(err, PJ_ERROR_FATAL, "somebody was faster");
}

static int
do_checkpoint(struct store_session *ses, const json_t *op, struct pj_error *err)
{
	struct store_owner owner = {"fill-store"};
	struct store_checkpoint ckpt;
	struct store_batch batch = {.checkpoints = &ckpt, .n_checkpoints = 1};
	int32_t source;
	bool mine;

	if (store_source(ses, text_of(op, "topic"),
			 (int32_t)number_of(op, "partition"), &source,
			 err) < 0 ||
	    store_claim(ses, text_of(op, "generation"), &source, 1, &owner,
			&ckpt, &mine, err) < 0)
		return -1;
	ckpt.next = number_of(op, "next");
	if (store_apply(ses, &batch, err) < 0)
		return -1;
	return mine && !batch.fenced
		       ? 0
		       : pj_error_set(err, PJ_ERROR_FATAL, "claimed meanwhile");
}

static int
add_positions(struct store_session *ses, const json_t *op, bson_t *meta,
	      struct pj_error *err)
{
	json_t *positions = json_object_get(op, "positions"), *offset;
	const char *name;
	bson_t p;

	bson_append_document_begin(meta, "p", -1, &p);
	json_object_foreach(positions, name, offset)
	{
		const char *slash = strrchr(name, '/');
		char *topic = mem_strndup(name, slash ? (size_t)(slash - name)
						      : strlen(name));
		char index[16];
		int32_t source;
		int rc = store_source(ses, topic, slash ? atoi(slash + 1) : 0,
				      &source, err);

		free(topic);
		if (rc < 0)
			return -1;
		(void)snprintf(index, sizeof(index), "%d", (int)source);
		bson_append_int64(&p, index, -1, json_integer_value(offset));
	}
	bson_append_document_end(meta, &p);
	return 0;
}

/* The members of an object of the operation, if it has one of that name. */
static int
add_object(const json_t *op, const char *name, bson_t *doc,
	   struct pj_error *err)
{
	char *text = json_dumps(json_object_get(op, name), JSON_COMPACT);
	bson_t *fields;
	bson_error_t why;

	if (!text)
		return 0;
	fields = bson_new_from_json((const uint8_t *)text, -1, &why);
	free(text);
	if (!fields)
		return pj_error_set(err, PJ_ERROR_FATAL, "%s", why.message);
	bson_concat(doc, fields);
	bson_destroy(fields);
	return 0;
}

static int
add_meta(struct store_session *ses, const json_t *op, bson_t *doc,
	 struct pj_error *err)
{
	uint8_t token[STORE_TOKEN_BYTES] = "fill-store";
	bson_t meta;
	int rc;

	tokens++;
	memcpy(token + 8, &tokens, sizeof(tokens));
	bson_append_document_begin(doc, READMODEL_META, -1, &meta);
	bson_append_binary(&meta, "w", -1, BSON_SUBTYPE_BINARY, token,
			   sizeof(token));
	bson_append_int64(&meta, "r", -1, number_of(op, "revision"));
	bson_append_int32(&meta, "d", -1, (int32_t)number_of(op, "state"));
	bson_append_int64(&meta, "t", -1, 1700000000000);
	rc = add_positions(ses, op, &meta, err);
	if (rc == 0)
		rc = add_object(op, "meta", &meta, err);
	bson_append_document_end(doc, &meta);
	return rc;
}

/* The token the store holds now, or none. */
static int
find_base(struct store_session *ses, const char *collection, struct pj_str key,
	  struct store_write *write, struct pj_error *err)
{
	struct store_doc now = {.key = key};
	bson_iter_t it, at;
	const uint8_t *token;
	uint32_t len;
	bson_t doc;

	if (store_load(ses, collection, &now, 1, err) < 0)
		return -1;
	write->insert = !now.bson;
	if (now.bson && bson_init_static(&doc, now.bson, now.len) &&
	    bson_iter_init(&it, &doc) &&
	    bson_iter_find_descendant(&it, READMODEL_META ".w", &at)) {
		bson_iter_binary(&at, NULL, &len, &token);
		memcpy(write->base.bytes, token, STORE_TOKEN_BYTES);
	}
	free(now.bson);
	return 0;
}

static int
do_document(struct store_session *ses, const json_t *op, struct pj_error *err)
{
	const char *id = text_of(op, "id");
	struct pj_str key = {id, strlen(id)};
	bson_t doc = BSON_INITIALIZER;
	struct store_write write = {.collection = text_of(op, "generation"),
				    .key = key};
	struct store_batch batch = {.writes = &write, .n_writes = 1};
	int rc = -1;

	bson_append_utf8(&doc, READMODEL_ID, -1, id, (int)key.len);
	if (add_object(op, "fields", &doc, err) < 0 ||
	    add_meta(ses, op, &doc, err) < 0 ||
	    find_base(ses, write.collection, key, &write, err) < 0)
		goto out;
	write.bson = bson_get_data(&doc);
	write.len = doc.len;
	rc = store_apply(ses, &batch, err);
	if (rc == 0 && write.outcome != STORE_APPLIED)
		rc = pj_error_set(err, PJ_ERROR_FATAL, "not applied");
out:
	bson_destroy(&doc);
	return rc;
}

static int
do_parked(struct store_session *ses, const json_t *op, struct pj_error *err)
{
	const char *key = text_of(op, "key");
	struct store_parked row = {
		.generation = text_of(op, "generation"),
		.unit_type = "document",
		.unit = {key, strlen(key)},
		.topic = text_of(op, "topic"),
		.partition = (int32_t)number_of(op, "partition"),
		.offset = number_of(op, "offset"),
		.type = "",
		.cause = "missing field",
		.detail = "",
		.key = {key, strlen(key)},
		.value_null = true,
	};
	struct store_batch batch = {.parked = &row, .n_parked = 1};

	return store_apply(ses, &batch, err);
}

static int
do_line(struct store_session *ses, const char *line, struct pj_error *err)
{
	static const struct {
		const char *name;
		int (*fn)(struct store_session *ses, const json_t *op,
			  struct pj_error *err);
	} ops[] = {
		{"generation", do_generation}, {"live", do_live},
		{"checkpoint", do_checkpoint}, {"document", do_document},
		{"parked", do_parked},
	};
	json_error_t why;
	json_t *op = json_loads(line, 0, &why);
	int rc = pj_error_set(err, PJ_ERROR_FATAL, "no such operation");

	if (!op)
		return pj_error_set(err, PJ_ERROR_FATAL, "%s", why.text);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(text_of(op, "op"), ops[i].name) == 0)
			rc = ops[i].fn(ses, op, err);
	json_decref(op);
	return rc;
}

static int
fill(struct store_session *ses, struct pj_error *err)
{
	char *line = NULL;
	size_t cap = 0;
	int rc = 0;

	while (rc == 0 && getline(&line, &cap, stdin) > 0) {
		rc = do_line(ses, line, err);
		if (rc == 0) {
			puts("ok");
			(void)fflush(stdout);
		} else {
			fprintf(stderr, "fill_store: %s: %s", err->text, line);
		}
	}
	free(line);
	return rc;
}

int
main(int argc, char **argv)
{
	struct store_settings how = {.map_bytes = 64 << 20,
				     .app_name = "fill_store"};
	struct store *store = NULL;
	struct store_session *ses = NULL;
	struct pj_error err;
	int rc;

	if (argc != 3) {
		fputs("usage: fill_store lmdb DIR | mongodb URI\n", stderr);
		return 64;
	}
	how.type = strcmp(argv[1], "lmdb") == 0 ? STORE_LMDB : STORE_MONGODB;
	how.path = how.uri = argv[2];
	how.database = getenv("FILL_DATABASE");
	if (!how.database)
		how.database = "shopview_test";
	if (store_open(&how, &store, &err) < 0 ||
	    store_session_open(store, &ses, &err) < 0 ||
	    store_check(ses, &err) < 0) {
		fprintf(stderr, "fill_store: %s\n", err.text);
		return 1;
	}
	rc = fill(ses, &err);
	store_session_close(ses);
	store_close(store);
	return rc < 0 ? 1 : 0;
}
