/* SPDX-License-Identifier: Apache-2.0 */
/* What is MongoDB's own: collections with their indexes, and the check. */
#include "tests/support/list_fixture.h"
#include "tests/support/mongo_fixture.h"

#define DOCS "stock.1"

static void
a_generation_brings_an_index_for_each_filter(void **state)
{
	struct fixture *fx = *state;
	struct store_generation gen = {
		.projection = "stock",
		.number = 1,
		.collection = DOCS,
		.reader_json = (char *)(uintptr_t) "{\"filters\":[\"areaId\","
						   "\"state\"]}",
	};
	bool created;
	bson_t *reply;
	char *json;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	assert_true(created);
	reply = run_admin(fx, fx->database, "{\"listIndexes\": \"" DOCS "\"}");
	json = bson_as_relaxed_extended_json(reply, NULL);
	assert_non_null(strstr(json, "{ \"areaId\" : 1, \"_id\" : 1 }"));
	assert_non_null(strstr(json, "{ \"state\" : 1, \"_id\" : 1 }"));
	bson_free(json);
	bson_destroy(reply);
}

static void
deleted_documents_are_found_by_an_index_of_those_alone(void **state)
{
	struct fixture *fx = *state;
	struct store_generation gen = {
		.projection = "stock", .number = 1, .collection = DOCS};
	bool created;
	bson_t *reply;
	char *json;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	reply = run_admin(fx, fx->database,
			  "{\"explain\": {\"find\": \"" DOCS
			  "\", \"filter\": {\"_m.d\": 1, "
			  "\"_m.x\": {\"$lte\": 5}}}, "
			  "\"verbosity\": \"queryPlanner\"}");
	json = bson_as_relaxed_extended_json(reply, NULL);
	assert_non_null(strstr(json, "\"IXSCAN\""));
	assert_non_null(strstr(json, "\"isSparse\" : true"));
	assert_null(strstr(json, "\"COLLSCAN\""));
	bson_free(json);
	bson_destroy(reply);
}

/* What the server did for the last list: its profile's entry, as JSON. */
static char *
profile_of_list(struct fixture *fx, const struct store_filter *filters,
		size_t n)
{
	struct store_query query = {.collection = LISTED,
				    .after = PJ_STR("k0050"),
				    .filters = filters,
				    .n_filters = n,
				    .limit = 10};
	struct store_page page;
	bson_t *reply;
	char *json;

	bson_destroy(run_admin(fx, fx->database, "{\"profile\": 2}"));
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_int_equal(page.n, 10);
	store_page_release(&page);
	bson_destroy(run_admin(fx, fx->database, "{\"profile\": 0}"));
	reply = run_admin(fx, fx->database,
			  "{\"find\": \"system.profile\", \"filter\": "
			  "{\"command.find\": \"" LISTED "\"}, "
			  "\"sort\": {\"ts\": -1}, \"limit\": 1}");
	json = bson_as_relaxed_extended_json(reply, NULL);
	bson_destroy(reply);
	return json;
}

/* By that index, in its order: no document too many, nothing sorted. */
static void
expect_profile(char *json, const char *plan)
{
	assert_non_null(strstr(json, plan));
	assert_non_null(strstr(json, "\"docsExamined\" : 11,"));
	assert_null(strstr(json, "hasSortStage"));
	assert_non_null(strstr(json, "\"maxTimeMS\" : 2000"));
	assert_non_null(strstr(json, "\"level\" : \"majority\""));
	bson_free(json);
}

static void
lists_go_by_an_index_and_sort_nothing(void **state)
{
	struct fixture *fx = *state;
	struct store_filter x = text_filter("areaId", "x");
	char key[8];

	make_listed(fx);
	for (unsigned i = 0; i < 400; i++) {
		(void)sprintf(key, "k%04u", i);
		put_listed(fx, key, 1, 0,
			   i % 10 ? "{\"areaId\":\"y\"}"
				  : "{\"areaId\":\"x\"}");
	}
	expect_profile(profile_of_list(fx, &x, 1),
		       "\"planSummary\" : \"IXSCAN { areaId: 1, _id: 1 }\"");
	expect_profile(profile_of_list(fx, NULL, 0),
		       "\"planSummary\" : \"IXSCAN { _id: 1 }\"");
}

static void
a_list_that_takes_the_server_too_long_says_so(void **state)
{
	struct fixture *fx = *state;
	struct store_query query = {.collection = LISTED, .limit = 10};
	struct store_page page;

	make_listed(fx);
	put_listed(fx, "a", 1, 0, "{}");
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"find\"], \"errorCode\": 50");
	assert_int_equal(store_list(fx->ses, &query, &page, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_int_equal(fx->err.code, STORE_PAGE_TOO_LONG);
	store_page_release(&page);
	fail_nothing(fx);
	OK(fx, store_list(fx->ses, &query, &page, &fx->err));
	assert_int_equal(page.n, 1);
	store_page_release(&page);
}

static void
a_generation_of_before_purges_has_purged_nothing(void **state)
{
	struct fixture *fx = *state;
	struct store_generation gen = {.projection = "stock",
				       .number = 1,
				       .collection = DOCS,
				       .purged_revision = 3},
				*rows;
	bool created;
	size_t n;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	bson_destroy(run_admin(fx, fx->database,
			       "{\"update\": \"generations\", \"updates\": "
			       "[{\"q\": {}, \"u\": {\"$unset\": "
			       "{\"purgedRevision\": 1}}}]}"));
	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].purged_revision, 0);
	store_generations_free(rows, n);
	OK(fx, store_generation_purged(fx->ses, "stock", 1, 7, &fx->err));
	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(rows[0].purged_revision, 7);
	store_generations_free(rows, n);
}

static size_t
count_collections(const struct fixture *fx)
{
	bson_t *reply = run_admin(fx, fx->database, "{\"listCollections\": 1}");
	bson_iter_t it, batch, each;
	size_t n = 0;

	assert_true(bson_iter_init(&it, reply));
	assert_true(
		bson_iter_find_descendant(&it, "cursor.firstBatch", &batch));
	assert_true(bson_iter_recurse(&batch, &each));
	while (bson_iter_next(&each))
		n++;
	bson_destroy(reply);
	return n;
}

static void
check_makes_the_fixed_collections_but_not_for_a_reader(void **state)
{
	struct fixture *fx = *state;

	fixture_close(fx);
	fx->settings.read_only = true;
	fixture_open(fx);
	OK(fx, store_check(fx->ses, &fx->err));
	assert_int_equal(count_collections(fx), 0);
	fixture_close(fx);
	fx->settings.read_only = false;
	fixture_open(fx);
	OK(fx, store_check(fx->ses, &fx->err));
	assert_int_equal(count_collections(fx), 10);
}

/* The real configuration with that one setting given. */
static void
set_journal_default(const struct fixture *fx, bool on)
{
	bson_t *reply = run_admin(fx, "admin", "{\"replSetGetConfig\": 1}");
	bson_iter_t it, at;
	const uint8_t *data;
	uint32_t len;
	bson_t config;
	char *json, *command;

	assert_true(bson_iter_init(&it, reply));
	assert_true(bson_iter_find_descendant(
		&it, "config.writeConcernMajorityJournalDefault", &at));
	bson_iter_overwrite_bool(&at, on);
	assert_true(bson_iter_init(&it, reply));
	assert_true(bson_iter_find_descendant(&it, "config.version", &at));
	bson_iter_overwrite_int32(&at, bson_iter_int32(&at) + 1);
	assert_true(bson_iter_init_find(&it, reply, "config"));
	bson_iter_document(&it, &len, &data);
	assert_true(bson_init_static(&config, data, len));
	json = bson_as_canonical_extended_json(&config, NULL);
	command = mem_printf("{\"replSetReconfig\": %s}", json);
	bson_destroy(run_admin(fx, "admin", command));
	free(command);
	bson_free(json);
	bson_destroy(reply);
}

static void
a_set_that_acknowledges_from_memory_is_refused(void **state)
{
	struct fixture *fx = *state;
	int failed;

	set_journal_default(fx, false);
	failed = store_check(fx->ses, &fx->err);
	/* First of all the server as it was, for the other tests. */
	set_journal_default(fx, true);
	assert_int_equal(failed, -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_CONFIG);
	assert_non_null(
		strstr(fx->err.text, "writeConcernMajorityJournalDefault"));
	OK(fx, store_check(fx->ses, &fx->err));
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_setup_mongo, mongo_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_generation_brings_an_index_for_each_filter),
		TEST(deleted_documents_are_found_by_an_index_of_those_alone),
		TEST(lists_go_by_an_index_and_sort_nothing),
		TEST(a_list_that_takes_the_server_too_long_says_so),
		TEST(a_generation_of_before_purges_has_purged_nothing),
		TEST(check_makes_the_fixed_collections_but_not_for_a_reader),
		TEST(a_set_that_acknowledges_from_memory_is_refused),
	};

	if (!getenv(STORE_TEST_URI)) {
		puts("store mongodb: NOT RUN: " STORE_TEST_URI " is not set");
		return EXIT_SUCCESS;
	}
	return cmocka_run_group_tests_name("store mongodb check", tests, NULL,
					   NULL);
}
