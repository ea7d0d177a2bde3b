/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a read may see (protocol rule 1), on a real replica set whose newest
 * writes are not in a majority: it holds them, and could still lose them.
 */
#include <pthread.h>

#include "lib/clock.h"
#include "lib/store_page.h"
#include "tests/support/mongo_fixture.h"

#define DOCS "stock.1"

enum { BELATED_MS = 500 };

/* ---- A majority that falls behind --------------------------------------- */

/* From now on nothing that is written becomes durable, as far as it knows. */
static void
hold_majority(const struct fixture *fx)
{
	bson_destroy(run_admin(fx, "admin",
			       "{\"configureFailPoint\": "
			       "\"disableSnapshotting\", "
			       "\"mode\": \"alwaysOn\"}"));
}

/* ... and all of it is, with one more write. */
static void
release_majority(const struct fixture *fx)
{
	bson_destroy(run_admin(fx, "admin",
			       "{\"configureFailPoint\": "
			       "\"disableSnapshotting\", "
			       "\"mode\": \"off\"}"));
	bson_destroy(run_admin(fx, "admin",
			       "{\"appendOplogNote\": 1, "
			       "\"data\": {\"goes\": \"on\"}}"));
}

static int
reads_teardown(void **state)
{
	release_majority(*state);
	return fixture_teardown(state);
}

/* Somebody writes it, as far as the primary goes. */
static void
write_on_the_primary(const struct fixture *fx, const char *collection,
		     const char *set)
{
	char *json =
		mem_printf("{\"update\": \"%s\", \"updates\": [{\"q\": {}, "
			   "\"u\": {\"$set\": %s}}], "
			   "\"writeConcern\": {\"w\": 1}}",
			   collection, set);
	bson_t *reply = run_admin(fx, fx->database, json);
	bson_iter_t it;

	assert_true(bson_iter_init_find(&it, reply, "nModified"));
	assert_int_equal(bson_iter_as_int64(&it), 1);
	bson_destroy(reply);
	free(json);
}

/* What the primary itself holds. */
static void
assert_primary_has(const struct fixture *fx, const char *collection,
		   const char *says)
{
	char *find = mem_printf("{\"find\": \"%s\", "
				"\"readConcern\": {\"level\": \"local\"}}",
				collection);
	bson_t *reply = run_admin(fx, fx->database, find);
	char *json = bson_as_relaxed_extended_json(reply, NULL);

	assert_non_null(strstr(json, says));
	bson_free(json);
	bson_destroy(reply);
	free(find);
}

static void
a_load_gives_what_a_majority_has(void **state)
{
	struct fixture *fx = *state;
	struct store_doc doc = {.key = PJ_STR("a")};
	bson_iter_t it;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	hold_majority(fx);
	write_on_the_primary(fx, DOCS, "{\"text\": \"could be lost\"}");
	assert_primary_has(fx, DOCS, "could be lost");
	OK(fx, store_load(fx->ses, DOCS, &doc, 1, &fx->err));
	assert_non_null(doc.bson);
	assert_true(bson_iter_init_from_data(&it, doc.bson, doc.len));
	assert_true(bson_iter_find(&it, "text"));
	assert_string_equal(bson_iter_utf8(&it, NULL), "xxxxxxxx");
	free(doc.bson);
}

static void
a_checkpoint_is_read_as_a_majority_has_it(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint *rows;
	size_t n;

	fixture_checkpoint(fx, DOCS, 0, 7);
	hold_majority(fx);
	write_on_the_primary(fx, "checkpoints", "{\"next\": 9}");
	assert_primary_has(fx, "checkpoints", "\"next\" : 9");
	OK(fx, store_checkpoints(fx->ses, DOCS, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].next, 7);
	free(rows);
}

/* ---- After one's own writes --------------------------------------------- */

static void *
release_belatedly(void *arg)
{
	clock_sleep_ms(BELATED_MS);
	release_majority(arg);
	return NULL;
}

/* Else it would be taken for one that had no effect. */
static void
a_load_waits_for_a_write_that_is_in_doubt(void **state)
{
	struct fixture *fx = *state;
	struct store_session *another;
	pthread_t thread;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	hold_majority(fx);
	/* Not in a majority before its time is over. */
	assert_int_equal(put_over(fx, DOCS, PJ_STR("a"), 1, 2), STORE_UNKNOWN);
	/* Loads have sessions of their own. */
	another = fixture_session(fx);
	assert_int_equal(pthread_create(&thread, NULL, release_belatedly, fx),
			 0);
	assert_int_equal(stored_token(fx, another, DOCS, PJ_STR("a")), 2);
	assert_int_equal(pthread_join(thread, NULL), 0);
	store_session_close(another);
}

/* ---- What goes over the wire -------------------------------------------- */

static bool
is_among(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static void
assert_durable(const bson_t *command, const char *verb)
{
	bson_iter_t it, at;

	if (!bson_iter_init(&it, command) ||
	    !bson_iter_find_descendant(&it, "writeConcern.w", &at) ||
	    strcmp(bson_iter_utf8(&at, NULL), "majority") != 0)
		fail_msg("%s is not written to a majority", verb);
	if (!bson_iter_init(&it, command) ||
	    !bson_iter_find_descendant(&it, "writeConcern.j", &at) ||
	    !bson_iter_as_bool(&at))
		fail_msg("%s is not written to the journal", verb);
}

static void
assert_of_a_majority(const bson_t *command, const char *verb)
{
	bson_iter_t it, at;

	if (!bson_iter_init(&it, command) ||
	    !bson_iter_find_descendant(&it, "readConcern.level", &at) ||
	    strcmp(bson_iter_utf8(&at, NULL), "majority") != 0)
		fail_msg("%s does not ask for what a majority has", verb);
	if (!bson_iter_init(&it, command) ||
	    !bson_iter_find_descendant(&it, "readConcern.afterClusterTime",
				       &at))
		fail_msg("%s does not ask for what was written before", verb);
}

static const char *const reads[] = {"find", "aggregate", "count", "distinct",
				    NULL};

/* A command as the server got it; false: none of documents or rows. */
static bool
check_command(const bson_iter_t *entry)
{
	/* Of updates and deletes it notes each statement, no concern. */
	static const char *const writes[] = {"insert", "findAndModify", NULL};
	const uint8_t *data;
	const char *verb;
	bson_iter_t it;
	uint32_t len;
	bson_t command;

	bson_iter_document(entry, &len, &data);
	assert_true(bson_init_static(&command, data, len));
	assert_true(bson_iter_init(&it, &command) && bson_iter_next(&it));
	verb = bson_iter_key(&it);
	if (is_among(verb, reads))
		assert_of_a_majority(&command, verb);
	else if (is_among(verb, writes))
		assert_durable(&command, verb);
	else
		return false;
	return true;
}

/* Of these clients; how many were looked at. */
static unsigned
check_profile(const struct fixture *fx, const char *app_name,
	      bool (*check)(const bson_iter_t *entry))
{
	char *find = mem_printf("{\"find\": \"system.profile\", "
				"\"filter\": {\"appName\": \"%s\"}, "
				"\"batchSize\": 1000}",
				app_name);
	bson_t *reply = run_admin(fx, fx->database, find);
	bson_iter_t it, batch, each, entry, at;
	unsigned n = 0;

	assert_true(bson_iter_init(&it, reply));
	assert_true(
		bson_iter_find_descendant(&it, "cursor.firstBatch", &batch));
	assert_true(bson_iter_recurse(&batch, &each));
	while (bson_iter_next(&each)) {
		assert_true(bson_iter_recurse(&each, &entry));
		if (bson_iter_find_descendant(&entry, "command", &at))
			n += check(&at);
	}
	bson_destroy(reply);
	free(find);
	return n;
}

static bool
count_one(void *arg, const uint8_t *bson, size_t len)
{
	(void)bson;
	(void)len;
	++*(int64_t *)arg;
	return true;
}

static void
each_command_says_how_new_and_how_durable_it_has_to_be(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint *rows;
	int64_t n = 0;
	size_t n_rows;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	bson_destroy(run_admin(fx, fx->database, "{\"profile\": 2}"));
	assert_int_equal(put_new(fx, DOCS, PJ_STR("b"), 1), STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 1);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("b")), 1);
	fixture_checkpoint(fx, DOCS, 0, 7);
	OK(fx, store_checkpoints(fx->ses, DOCS, &rows, &n_rows, &fx->err));
	free(rows);
	OK(fx, store_scan(fx->ses, DOCS, PJ_STR(""), count_one, &n, &fx->err));
	assert_int_equal(n, 2);
	OK(fx, store_scan_deleted(fx->ses, DOCS, INT64_MAX, count_one, &n,
				  &fx->err));
	OK(fx, store_parked_count(fx->ses, DOCS, &n, &fx->err));
	bson_destroy(run_admin(fx, fx->database, "{\"profile\": 0}"));
	/* An insert; two loads, rows, two scans, a count. */
	assert_true(check_profile(fx, "store-test", check_command) >= 7);
}

/* ---- Reads that nobody waits for any more ------------------------------- */

/* The first is enough for every read here, however slow the server is. */
enum { READ_MS = 5000, SHORT_MS = 300 };

/* Another store on the same database, as a server of readers opens it. */
static struct store_session *
open_reader(struct fixture *fx, uint32_t read_ms, struct store **ret_store)
{
	struct store_settings settings = fx->settings;
	struct store_session *ses;

	settings.read_only = true;
	settings.read_ms = read_ms;
	settings.app_name = "store-reader";
	OK(fx, store_open(&settings, ret_store, &fx->err));
	OK(fx, store_session_open(*ret_store, &ses, &fx->err));
	return ses;
}

static bool
check_limit(const bson_iter_t *entry)
{
	const uint8_t *data;
	const char *verb;
	bson_iter_t it;
	uint32_t len;
	bson_t command;

	bson_iter_document(entry, &len, &data);
	assert_true(bson_init_static(&command, data, len));
	assert_true(bson_iter_init(&it, &command) && bson_iter_next(&it));
	verb = bson_iter_key(&it);
	if (!is_among(verb, reads))
		return false;
	if (!bson_iter_init_find(&it, &command, "maxTimeMS") ||
	    bson_iter_as_int64(&it) != READ_MS)
		fail_msg("%s of a reader goes on without it", verb);
	return true;
}

static void
each_read_of_a_reader_has_its_time(void **state)
{
	struct fixture *fx = *state;
	struct store_doc doc = {.key = PJ_STR("a")};
	struct store_generation *generations;
	struct store_checkpoint *checkpoints;
	struct store_source_row *sources;
	struct store_live *live;
	struct store_session *reader;
	struct store *store;
	int64_t count;
	bool has;
	size_t n;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	reader = open_reader(fx, READ_MS, &store);
	bson_destroy(run_admin(fx, fx->database, "{\"profile\": 2}"));
	OK(fx, store_load(reader, DOCS, &doc, 1, &fx->err));
	free(doc.bson);
	OK(fx, store_live(reader, &live, &n, &fx->err));
	free(live);
	OK(fx, store_generations(reader, &generations, &n, &fx->err));
	store_generations_free(generations, n);
	OK(fx, store_sources(reader, &sources, &n, &fx->err));
	free(sources);
	OK(fx, store_checkpoints(reader, DOCS, &checkpoints, &n, &fx->err));
	free(checkpoints);
	OK(fx, store_parked_count(reader, DOCS, &count, &fx->err));
	OK(fx, store_parked_has(reader, DOCS, PJ_STR("a"), &has, &fx->err));
	bson_destroy(run_admin(fx, fx->database, "{\"profile\": 0}"));
	assert_true(check_profile(fx, "store-reader", check_limit) >= 7);
	store_session_close(reader);
	store_close(store);
}

/* Finds of documents do not come to their end by themselves. */
static void
hold_finds(const struct fixture *fx, const char *mode)
{
	char *json = mem_printf("{\"configureFailPoint\": "
				"\"waitInFindBeforeMakingBatch\", "
				"\"mode\": \"%s\", \"data\": {"
				"\"nss\": \"%s." DOCS "\", "
				"\"shouldCheckForInterrupt\": true}}",
				mode, fx->database);

	bson_destroy(run_admin(fx, "admin", json));
	free(json);
}

static void
a_read_that_takes_too_long_is_ended_by_the_server(void **state)
{
	struct fixture *fx = *state;
	struct store_doc doc = {.key = PJ_STR("a")};
	struct store_session *reader;
	struct store *store;
	int64_t begun;
	int failed;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	reader = open_reader(fx, READ_MS, &store);
	OK(fx, store_load(reader, DOCS, &doc, 1, &fx->err));
	free(doc.bson);
	doc.bson = NULL;
	store_session_close(reader);
	store_close(store);
	reader = open_reader(fx, SHORT_MS, &store);
	hold_finds(fx, "alwaysOn");
	begun = clock_mono_ms();
	failed = store_load(reader, DOCS, &doc, 1, &fx->err);
	hold_finds(fx, "off");
	assert_int_equal(failed, -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	/* It is no page: nobody is told to ask for less. */
	assert_int_not_equal(fx->err.code, STORE_PAGE_TOO_LONG);
	/* Long before the socket's time is over. */
	assert_true(clock_mono_ms() - begun < 5000);
	store_session_close(reader);
	store_close(store);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_setup_mongo, reads_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_load_gives_what_a_majority_has),
		TEST(a_checkpoint_is_read_as_a_majority_has_it),
		TEST(a_load_waits_for_a_write_that_is_in_doubt),
		TEST(each_command_says_how_new_and_how_durable_it_has_to_be),
		TEST(each_read_of_a_reader_has_its_time),
		TEST(a_read_that_takes_too_long_is_ended_by_the_server),
	};

	if (!getenv(STORE_TEST_URI)) {
		puts("store mongodb reads: NOT RUN: " STORE_TEST_URI
		     " is not set");
		return EXIT_SUCCESS;
	}
	return cmocka_run_group_tests_name("store mongodb reads", tests, NULL,
					   NULL);
}
