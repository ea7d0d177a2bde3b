/* SPDX-License-Identifier: Apache-2.0 */
/* What all sessions of a MongoDB store share, used by all of them at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "lib/store_mongo.h"

enum { THREADS = 4, STORES = 8000 };

static struct mongo_store *store;
static pthread_barrier_t at_once;

static bool
says_majority(const bson_t *opts, const char *path)
{
	bson_iter_t it, at;

	return bson_iter_init(&it, opts) &&
	       bson_iter_find_descendant(&it, path, &at) &&
	       BSON_ITER_HOLDS_UTF8(&at) &&
	       strcmp(bson_iter_utf8(&at, NULL), "majority") == 0;
}

/* Returns arg when both concerns are whole. */
static void *
append(void *arg)
{
	bson_t opts = BSON_INITIALIZER;
	bool whole;

	(void)pthread_barrier_wait(&at_once);
	whole = mongoc_read_concern_append(store->read_concern, &opts) &&
		mongoc_write_concern_append(store->write_concern, &opts) &&
		says_majority(&opts, "readConcern.level") &&
		says_majority(&opts, "writeConcern.w");
	bson_destroy(&opts);
	return whole ? arg : NULL;
}

static void
the_first_commands_of_all_sessions_say_majority(void **state)
{
	struct store_settings how = {
		.type = STORE_MONGODB,
		.uri = "mongodb://127.0.0.1:1/?replicaSet=rs0",
		.database = "none",
	};
	pthread_t threads[THREADS];
	int torn = 0;

	(void)state;
	(void)pthread_barrier_init(&at_once, NULL, THREADS);
	for (int i = 0; i < STORES; i++) {
		struct store *base;
		struct pj_error err;

		assert_int_equal(store_open(&how, &base, &err), 0);
		store = (struct mongo_store *)base;
		for (int t = 0; t < THREADS; t++)
			(void)pthread_create(&threads[t], NULL, append, store);
		for (int t = 0; t < THREADS; t++) {
			void *whole;

			(void)pthread_join(threads[t], &whole);
			torn += !whole;
		}
		store_close(base);
	}
	(void)pthread_barrier_destroy(&at_once);
	assert_int_equal(torn, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_first_commands_of_all_sessions_say_majority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
