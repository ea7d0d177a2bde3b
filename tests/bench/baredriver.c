/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baredriver URI DATABASE COLLECTION KEYS BATCH: what the store can give at
 * most.
 *
 * Reads every document of KEYS (one a line) once, BATCH of them per question
 * ({_id: {$in: […]}}), by as many threads and in the order in which a read API
 * asks that has nothing, and does nothing with them. No server that asks the
 * same store like this can be faster. Prints one JSON object.
 *
 * Exit status: 0; 1 when a document is missing or the store fails; 64 usage.
 */
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/mem.h"
#include "tests/bench/keys.h"

/* As many as queryapi.fetch_threads. */
enum { THREADS = 4, USAGE = 64 };

struct reads {
	mongoc_client_pool_t *pool;
	const char *database, *collection;
	struct keys keys;
	size_t batch;
	atomic_size_t next, documents, bytes;
};

static int
compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

	return order ? order : x->len - y->len;
}

/* Ascending, as the store's index is walked. */
static void
add_ids(bson_t *filter, struct key *keys, size_t n)
{
	bson_t id, ids;

	qsort(keys, n, sizeof(*keys), compare);
	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &id);
	BSON_APPEND_ARRAY_BEGIN(&id, "$in", &ids);
	for (size_t i = 0; i < n; i++) {
		char name[16];
		const char *at;

		bson_uint32_to_string((uint32_t)i, &at, name, sizeof(name));
		bson_append_utf8(&ids, at, -1, keys[i].text, keys[i].len);
	}
	bson_append_array_end(&id, &ids);
	bson_append_document_end(filter, &id);
}

static void
read_batch(struct reads *reads, mongoc_collection_t *coll, struct key *keys,
	   size_t n)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	const bson_t *found;
	bson_error_t err;

	add_ids(&filter, keys, n);
	BSON_APPEND_INT32(&opts, "batchSize", (int32_t)n + 1);
	cursor = mongoc_collection_find_with_opts(coll, &filter, &opts, NULL);
	while (mongoc_cursor_next(cursor, &found)) {
		atomic_fetch_add(&reads->documents, 1);
		atomic_fetch_add(&reads->bytes, found->len);
	}
	if (mongoc_cursor_error(cursor, &err)) {
		fprintf(stderr, "baredriver: %s\n", err.message);
		exit(1);
	}
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(&opts);
}

static void *
read_all(void *arg)
{
	struct reads *reads = arg;
	mongoc_client_t *client = mongoc_client_pool_pop(reads->pool);
	mongoc_collection_t *coll = mongoc_client_get_collection(
		client, reads->database, reads->collection);
	size_t at;

	while ((at = atomic_fetch_add(&reads->next, reads->batch)) <
	       reads->keys.n) {
		size_t left = reads->keys.n - at;

		read_batch(reads, coll, reads->keys.all + at,
			   left < reads->batch ? left : reads->batch);
	}
	mongoc_collection_destroy(coll);
	mongoc_client_pool_push(reads->pool, client);
	return NULL;
}

static void
print_result(const struct reads *reads, double seconds)
{
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);
	printf("{\"documents\":%zu,\"bytes\":%zu,\"seconds\":%.6f,"
	       "\"cpu_s\":%.6f}\n",
	       reads->documents, reads->bytes, seconds,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		       1e-6 * (double)(used.ru_utime.tv_usec +
				       used.ru_stime.tv_usec));
}

int
main(int argc, char **argv)
{
	struct reads reads = {0};
	pthread_t threads[THREADS];
	mongoc_uri_t *uri;
	int64_t begun;

	reads.batch = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
	if (reads.batch < 1 || reads.batch > 10000) {
		fprintf(stderr, "usage: baredriver URI DATABASE COLLECTION "
				"KEYS BATCH\n");
		return USAGE;
	}
	mongoc_init();
	uri = mongoc_uri_new(argv[1]);
	if (!uri) {
		fprintf(stderr, "baredriver: %s is no connection string\n",
			argv[1]);
		return USAGE;
	}
	reads.pool = mongoc_client_pool_new(uri);
	reads.database = argv[2];
	reads.collection = argv[3];
	keys_read(&reads.keys, argv[4], 0);
	begun = bson_get_monotonic_time();
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, read_all, &reads) != 0) {
			fprintf(stderr, "baredriver: no thread\n");
			return 1;
		}
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	print_result(&reads, (double)(bson_get_monotonic_time() - begun) / 1e6);
	mongoc_client_pool_destroy(reads.pool);
	mongoc_uri_destroy(uri);
	mongoc_cleanup();
	if (reads.documents == reads.keys.n)
		return 0;
	fprintf(stderr, "baredriver: %zu documents of %zu were found\n",
		reads.documents, reads.keys.n);
	return 1;
}
