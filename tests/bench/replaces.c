/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replaces URI PID BATCH [follow|lookup]: what it costs MongoDB, which is
 * process PID, to change documents under compare-and-set in the ways of
 * docs/adr/0020; beside a change stream, or one that looks documents up.
 *
 * Documents of 2 KB, of which one field and `_m` change, in commands of BATCH.
 * The ways take turns for seven rounds; prints medians, each of one document:
 * CPU and elapsed time in microseconds, bytes of the journal. Leaves the
 * database "replaces", and drops it when it begins.
 *
 * Exit status: 0; 1 when the store fails; 64 usage.
 */
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	USAGE = 64,
	DOCUMENTS = 5000,
	TEXT_BYTES = 1800,
	ROUNDS = 7,
	OF_ONE_ROUND = 3000, /* documents */
	BATCH_MAX = 1000,
	TOKEN_BYTES = 16,
};

enum way { REPLACE, SET, PIPELINE, NO_TOKEN, N_WAYS };
static const char *const way_names[N_WAYS] = {"token, document", "token, $set",
					      "pipeline", "no token, $set"};

struct cost {
	double cpu_us, elapsed_us, journal_bytes;
};

struct bench {
	mongoc_client_t *client;
	const char *pid;
	unsigned batch;
	int64_t version[DOCUMENTS];
	unsigned at; /* the next document */
};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "replaces: %s: %s\n", what, why);
	exit(1);
}

/* ---- Statements ---------------------------------------------------------- */

static void
append_token(bson_t *to, const char *name, unsigned doc, int64_t version)
{
	uint64_t token[2] = {doc, (uint64_t)version};

	_Static_assert(sizeof(token) == TOKEN_BYTES, "a token");
	BSON_APPEND_BINARY(to, name, BSON_SUBTYPE_BINARY,
			   (const uint8_t *)token, sizeof(token));
}

/* The fields that change. */
static void
append_changes(bson_t *to, unsigned doc, int64_t version)
{
	bson_t meta;

	BSON_APPEND_INT64(to, "number", version);
	BSON_APPEND_DOCUMENT_BEGIN(to, "_m", &meta);
	append_token(&meta, "w", doc, version);
	BSON_APPEND_INT64(&meta, "r", version);
	bson_append_document_end(to, &meta);
}

static void
append_document(bson_t *to, unsigned doc, int64_t version)
{
	char text[TEXT_BYTES + 1], id[16];
	uint32_t random = doc + 1;

	for (size_t i = 0; i < TEXT_BYTES; i++) {
		random = random * 1664525 + 1013904223;
		text[i] = (char)('a' + (random >> 24) % 26);
	}
	text[TEXT_BYTES] = '\0';
	(void)snprintf(id, sizeof(id), "%06u", doc);
	BSON_APPEND_UTF8(to, "_id", id);
	BSON_APPEND_UTF8(to, "text", text);
	append_changes(to, doc, version);
}

static void
append_pipeline(bson_t *stmt, unsigned doc, int64_t version)
{
	bson_t stages, stage, choice, parts, is, pair, literal, all;

	BSON_APPEND_ARRAY_BEGIN(stmt, "u", &stages);
	BSON_APPEND_DOCUMENT_BEGIN(&stages, "0", &stage);
	BSON_APPEND_DOCUMENT_BEGIN(&stage, "$replaceWith", &choice);
	BSON_APPEND_ARRAY_BEGIN(&choice, "$cond", &parts);
	BSON_APPEND_DOCUMENT_BEGIN(&parts, "0", &is);
	BSON_APPEND_ARRAY_BEGIN(&is, "$eq", &pair);
	BSON_APPEND_UTF8(&pair, "0", "$_m.w");
	append_token(&pair, "1", doc, version - 1);
	bson_append_array_end(&is, &pair);
	bson_append_document_end(&parts, &is);
	BSON_APPEND_DOCUMENT_BEGIN(&parts, "1", &literal);
	BSON_APPEND_DOCUMENT_BEGIN(&literal, "$literal", &all);
	append_document(&all, doc, version);
	bson_append_document_end(&literal, &all);
	bson_append_document_end(&parts, &literal);
	BSON_APPEND_UTF8(&parts, "2", "$$ROOT");
	bson_append_array_end(&choice, &parts);
	bson_append_document_end(&stage, &choice);
	bson_append_document_end(&stages, &stage);
	bson_append_array_end(stmt, &stages);
}

static void
append_statement(bson_t *stmt, enum way way, unsigned doc, int64_t version)
{
	bson_t q, u, set;
	char id[16];

	(void)snprintf(id, sizeof(id), "%06u", doc);
	BSON_APPEND_DOCUMENT_BEGIN(stmt, "q", &q);
	BSON_APPEND_UTF8(&q, "_id", id);
	if (way == REPLACE || way == SET)
		append_token(&q, "_m.w", doc, version - 1);
	bson_append_document_end(stmt, &q);
	if (way == PIPELINE) {
		append_pipeline(stmt, doc, version);
		return;
	}
	BSON_APPEND_DOCUMENT_BEGIN(stmt, "u", &u);
	if (way == REPLACE) {
		append_document(&u, doc, version);
	} else {
		BSON_APPEND_DOCUMENT_BEGIN(&u, "$set", &set);
		append_changes(&set, doc, version);
		bson_append_document_end(&u, &set);
	}
	bson_append_document_end(stmt, &u);
}

/* ---- Commands ------------------------------------------------------------ */

/* Sends it, and destroys it; all n documents must be inserted or modified. */
static void
send_all(struct bench *b, bson_t *command, const char *counter, unsigned n)
{
	bson_error_t err;
	bson_t reply;
	bson_iter_t it;

	if (!mongoc_client_command_simple(b->client, "replaces", command, NULL,
					  &reply, &err))
		die("write", err.message);
	if (!bson_iter_init_find(&it, &reply, counter) ||
	    bson_iter_as_int64(&it) != n)
		die("write", bson_as_relaxed_extended_json(&reply, NULL));
	bson_destroy(&reply);
	bson_destroy(command);
}

static bson_t *
command_new(const char *verb)
{
	return BCON_NEW(verb, BCON_UTF8("docs"), "ordered", BCON_BOOL(false),
			"writeConcern", "{", "w", "majority", "j",
			BCON_BOOL(true), "}");
}

static void
send_batch(struct bench *b, enum way way)
{
	bson_t *command = command_new("update"), updates, stmt;
	char space[16];
	const char *name;

	BSON_APPEND_ARRAY_BEGIN(command, "updates", &updates);
	for (unsigned i = 0; i < b->batch; i++) {
		unsigned doc = b->at++ % DOCUMENTS;

		bson_uint32_to_string(i, &name, space, sizeof(space));
		BSON_APPEND_DOCUMENT_BEGIN(&updates, name, &stmt);
		append_statement(&stmt, way, doc, ++b->version[doc]);
		bson_append_document_end(&updates, &stmt);
	}
	bson_append_array_end(command, &updates);
	send_all(b, command, "nModified", b->batch);
}

static void
insert_documents(struct bench *b)
{
	enum { EACH = 500 };

	for (unsigned at = 0; at < DOCUMENTS; at += EACH) {
		bson_t *command = command_new("insert"), docs, doc;
		char space[16];
		const char *name;

		BSON_APPEND_ARRAY_BEGIN(command, "documents", &docs);
		for (unsigned i = 0; i < EACH; i++) {
			bson_uint32_to_string(i, &name, space, sizeof(space));
			BSON_APPEND_DOCUMENT_BEGIN(&docs, name, &doc);
			append_document(&doc, at + i, 0);
			bson_append_document_end(&docs, &doc);
		}
		bson_append_array_end(command, &docs);
		send_all(b, command, "n", EACH);
	}
}

static void
drop(struct bench *b)
{
	mongoc_database_t *db =
		mongoc_client_get_database(b->client, "replaces");
	bson_error_t err;

	if (!mongoc_database_drop(db, &err))
		die("drop", err.message);
	mongoc_database_destroy(db);
}

struct following {
	const char *uri;
	bool lookup;
};

/* Until the process ends. */
static void *
follow(void *arg)
{
	const struct following *how = arg;
	mongoc_client_t *client = mongoc_client_new(how->uri);
	mongoc_collection_t *coll =
		mongoc_client_get_collection(client, "replaces", "docs");
	bson_t *pipeline = bson_new();
	bson_t *opts = how->lookup ? BCON_NEW("fullDocument", "updateLookup")
				   : bson_new();
	mongoc_change_stream_t *stream =
		mongoc_collection_watch(coll, pipeline, opts);
	const bson_t *event;
	bson_error_t err;

	for (;;) {
		while (mongoc_change_stream_next(stream, &event))
			;
		if (mongoc_change_stream_error_document(stream, &err, NULL))
			die("change stream", err.message);
	}
	return NULL;
}

/* ---- Costs --------------------------------------------------------------- */

static double
cpu_us(const char *pid)
{
	unsigned long user = 0, sys = 0;
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	file = fopen(path, "r");
	if (!file ||
	    fscanf(file,
		   "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		   "%lu %lu",
		   &user, &sys) != 2)
		die(path, "cannot be read");
	(void)fclose(file);
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK) * 1e6;
}

static double
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static double
journal_bytes(struct bench *b)
{
	bson_t *command = BCON_NEW("serverStatus", BCON_INT32(1)), reply;
	bson_iter_t it, at;
	bson_error_t err;
	double bytes;

	if (!mongoc_client_command_simple(b->client, "admin", command, NULL,
					  &reply, &err))
		die("serverStatus", err.message);
	if (!bson_iter_init(&it, &reply) ||
	    !bson_iter_find_descendant(&it, "wiredTiger.log.log bytes written",
				       &at))
		die("serverStatus", "tells no bytes of the journal");
	bytes = (double)bson_iter_as_int64(&at);
	bson_destroy(&reply);
	bson_destroy(command);
	return bytes;
}

static struct cost
cost_of(struct bench *b, enum way way)
{
	unsigned commands = (OF_ONE_ROUND + b->batch - 1) / b->batch;
	double n = (double)commands * b->batch;
	double bytes = journal_bytes(b), cpu = cpu_us(b->pid), at = now_us();
	struct cost cost;

	for (unsigned i = 0; i < commands; i++)
		send_batch(b, way);
	cost.elapsed_us = (now_us() - at) / n;
	cost.cpu_us = (cpu_us(b->pid) - cpu) / n;
	cost.journal_bytes = (journal_bytes(b) - bytes) / n;
	return cost;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
middle(double of[ROUNDS])
{
	qsort(of, ROUNDS, sizeof(*of), compare);
	return of[ROUNDS / 2];
}

int
main(int argc, char **argv)
{
	static struct bench b;
	static struct cost all[N_WAYS][ROUNDS];
	static struct following how;
	pthread_t follower;

	if (argc < 4 || argc > 5 ||
	    (argc == 5 && strcmp(argv[4], "follow") != 0 &&
	     strcmp(argv[4], "lookup") != 0) ||
	    (b.batch = (unsigned)strtoul(argv[3], NULL, 10)) < 1 ||
	    b.batch > BATCH_MAX) {
		fprintf(stderr, "usage: replaces URI PID BATCH "
				"[follow|lookup]\n");
		return USAGE;
	}
	mongoc_init();
	b.client = mongoc_client_new(argv[1]);
	b.pid = argv[2];
	if (!b.client)
		die(argv[1], "no connection string");
	drop(&b);
	insert_documents(&b);
	how.uri = argv[1];
	how.lookup = argc == 5 && strcmp(argv[4], "lookup") == 0;
	if (argc == 5 && (pthread_create(&follower, NULL, follow, &how) ||
			  pthread_detach(follower)))
		die("thread", "cannot be started");
	for (unsigned r = 0; r < ROUNDS; r++)
		for (enum way w = REPLACE; w < N_WAYS; w++)
			all[w][r] = cost_of(&b, w);
	printf("%-16s %8s %8s %8s\n", "", "cpu us", "us", "journal");
	for (enum way w = REPLACE; w < N_WAYS; w++) {
		double cpu[ROUNDS], elapsed[ROUNDS], bytes[ROUNDS];

		for (unsigned r = 0; r < ROUNDS; r++) {
			cpu[r] = all[w][r].cpu_us;
			elapsed[r] = all[w][r].elapsed_us;
			bytes[r] = all[w][r].journal_bytes;
		}
		printf("%-16s %8.0f %8.0f %8.0f\n", way_names[w], middle(cpu),
		       middle(elapsed), middle(bytes));
	}
	return 0;
}
