/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is MongoDB's own: fail points on a real replica set, and refusals.
 */
#include "tests/support/mongo_fixture.h"

#define DOCS "stock.1"

/* ---- Fail points ------------------------------------------------------- */

static void
a_cut_connection_is_an_outage_and_tells_nothing_of_the_outcome(void **state)
{
	struct fixture *fx = *state;
	bson_t *doc = doc_new(PJ_STR("a"), 2, 0, 8);
	struct store_write w = replace_of(DOCS, PJ_STR("a"), 1, doc);
	struct store_batch batch = {.writes = &w, .n_writes = 1};

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"update\"], "
		      "\"closeConnection\": true");
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_int_equal(w.outcome, STORE_PENDING);
	/* Verify by loading: reads still work, the base is there. */
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 1);
	fail_nothing(fx);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_int_equal(w.outcome, STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 2);
	bson_destroy(doc);
}

/* The write is done, its reply is lost: the retry must not count twice. */
static void
a_reply_lost_once_is_retried_by_the_driver_and_still_applied(void **state)
{
	struct fixture *fx = *state;
	bson_t *reply;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	reply = run_admin(fx, "admin",
			  "{\"configureFailPoint\": "
			  "\"onPrimaryTransactionalWrite\", "
			  "\"mode\": {\"times\": 1}}");
	bson_destroy(reply);
	assert_int_equal(put_over(fx, DOCS, PJ_STR("a"), 1, 2), STORE_APPLIED);
	reply = run_admin(fx, "admin",
			  "{\"configureFailPoint\": "
			  "\"onPrimaryTransactionalWrite\", "
			  "\"mode\": \"off\"}");
	bson_destroy(reply);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 2);
}

static void
a_write_concern_error_is_unknown_not_applied(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"update\", \"insert\"], "
		      "\"writeConcernError\": {\"code\": 64, "
		      "\"errmsg\": \"waiting timed out\"}");
	assert_int_equal(put_over(fx, DOCS, PJ_STR("a"), 1, 2), STORE_UNKNOWN);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("b"), 1), STORE_UNKNOWN);
	/* Both did happen: that is why they are to be read back. */
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 2);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("b")), 1);
}

static void
rows_without_durability_are_not_reported_as_written(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint cp = fixture_claim(fx, "stock.1", 0);
	struct store_batch batch = {.checkpoints = &cp, .n_checkpoints = 1};
	struct store_parked row = {.generation = "stock.1",
				   .unit_type = "key",
				   .topic = "stock",
				   .type = "",
				   .cause = "",
				   .detail = ""};
	bool moved;

	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"update\", \"insert\"], "
		      "\"writeConcernError\": {\"code\": 64, "
		      "\"errmsg\": \"waiting timed out\"}");
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	batch = (struct store_batch){.parked = &row, .n_parked = 1};
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_int_equal(
		store_live_move(fx->ses, "stock", 0, 1, &moved, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
}

static void
a_claim_in_doubt_is_an_outage_and_the_next_one_counts(void **state)
{
	struct fixture *fx = *state;
	struct store_owner owner = {{1}};
	struct store_checkpoint row;
	int32_t source = 0;
	bool mine;

	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"update\"], "
		      "\"writeConcernError\": {\"code\": 64, "
		      "\"errmsg\": \"waiting timed out\"}");
	assert_int_equal(store_claim(fx->ses, "stock.1", &source, 1, &owner,
				     &row, &mine, &fx->err),
			 -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	fail_nothing(fx);
	/* It did count: only the answer said nothing. */
	assert_int_equal(fixture_claim(fx, "stock.1", 0).epoch, 2);
}

static void
a_checkpoint_behind_a_fence_that_cannot_be_looked_at_is_an_outage(void **state)
{
	struct fixture *fx = *state;
	struct store_checkpoint old = fixture_claim(fx, "stock.1", 0);
	struct store_batch batch = {.checkpoints = &old, .n_checkpoints = 1};

	(void)fixture_claim(fx, "stock.1", 0);
	old.next = 5;
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"find\"], "
		      "\"closeConnection\": true");
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_false(batch.fenced);
	fail_nothing(fx);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_true(batch.fenced);
}

/* How many linearizable reads the server has had. */
static int64_t
linearizable_reads(const struct fixture *fx)
{
	bson_t *reply = run_admin(fx, "admin", "{\"serverStatus\": 1}");
	bson_iter_t it, at;
	int64_t n = -1;

	if (bson_iter_init(&it, reply) &&
	    bson_iter_find_descendant(
		    &it, "readConcernCounters.nonTransactionOps.linearizable",
		    &at))
		n = bson_iter_as_int64(&at);
	bson_destroy(reply);
	assert_true(n >= 0);
	return n;
}

/* An outage, when the server answers so; it goes on answering so. */
static void
assert_no_sync(struct fixture *fx, int code)
{
	char *what = mem_printf("\"failCommands\": [\"find\"], "
				"\"errorCode\": %d",
				code);

	fail_commands(fx, "\"alwaysOn\"", what);
	assert_int_equal(store_sync(fx->ses, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	free(what);
}

static void
a_sync_asks_for_a_primary_that_a_majority_confirms(void **state)
{
	struct fixture *fx = *state;
	int64_t before = linearizable_reads(fx);

	OK(fx, store_sync(fx->ses, &fx->err));
	assert_int_equal(linearizable_reads(fx), before + 1);
	assert_no_sync(fx, 50);
	fail_nothing(fx);
	OK(fx, store_sync(fx->ses, &fx->err));
}

/* What a server that is no replica set says; by any session of the store. */
static void
a_standalone_server_is_in_sync_where_that_is_allowed(void **state)
{
	struct fixture *fx = *state;

	assert_no_sync(fx, 123);
	fixture_close(fx);
	fx->settings.allow_standalone = true;
	fixture_open(fx);
	OK(fx, store_sync(fx->ses, &fx->err));
	/* An outage is one there, too. */
	assert_no_sync(fx, 50);
	/* It has been a member of a set: that may have another primary now. */
	fail_nothing(fx);
	OK(fx, store_sync(fx->ses, &fx->err));
	assert_no_sync(fx, 123);
}

static bool
count_audit(void *arg, const struct store_audit *entry)
{
	(void)entry;
	++*(int64_t *)arg;
	return true;
}

static void
expect_rows(struct fixture *fx, int64_t parked, int64_t audited)
{
	int64_t n_parked, n_audited = 0;

	OK(fx, store_parked_count(fx->ses, "stock.1", &n_parked, &fx->err));
	OK(fx, store_audit_scan(fx->ses, "stock.1", count_audit, &n_audited,
				&fx->err));
	assert_int_equal(n_parked, parked);
	assert_int_equal(n_audited, audited);
}

static void
a_parked_row_stays_until_its_audit_is_durable(void **state)
{
	struct fixture *fx = *state;
	struct store_parked row = {.generation = "stock.1",
				   .unit_type = "key",
				   .topic = "stock",
				   .type = "",
				   .cause = "",
				   .detail = ""};
	struct store_unpark done = {.generation = "stock.1",
				    .unit_type = "key",
				    .topic = "stock",
				    .action = "discarded",
				    .reason = "",
				    .by = ""};
	struct store_batch batch = {.parked = &row, .n_parked = 1};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	batch = (struct store_batch){.unparks = &done, .n_unparks = 1};
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"update\"], "
		      "\"writeConcernError\": {\"code\": 64, "
		      "\"errmsg\": \"waiting timed out\"}");
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	expect_rows(fx, 1, 1);
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"delete\"], "
		      "\"closeConnection\": true");
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	expect_rows(fx, 1, 1);
	fail_nothing(fx);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	expect_rows(fx, 0, 1);
}

static void
an_election_is_an_outage(void **state)
{
	struct fixture *fx = *state;
	bson_t *doc = doc_new(PJ_STR("a"), 1, 0, 8);
	struct store_write w = insert_of(DOCS, PJ_STR("a"), doc);
	struct store_batch batch = {.writes = &w, .n_writes = 1};

	OK(fx, store_check(fx->ses, &fx->err));
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"insert\"], \"errorCode\": 11602");
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_int_equal(w.outcome, STORE_PENDING);
	bson_destroy(doc);
}

static void
a_failed_load_gives_nothing(void **state)
{
	struct fixture *fx = *state;
	struct store_doc doc = {.key = PJ_STR("a")};

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"find\"], "
		      "\"closeConnection\": true");
	assert_int_equal(store_load(fx->ses, DOCS, &doc, 1, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_null(doc.bson);
}

/* Inserts go first: they are known when the updates are cut off. */
static void
a_batch_cut_in_the_middle_tells_which_part_is_known(void **state)
{
	struct fixture *fx = *state;
	bson_t *a = doc_new(PJ_STR("a"), 2, 0, 8);
	bson_t *b = doc_new(PJ_STR("b"), 2, 0, 8);
	struct store_write writes[2] = {
		replace_of(DOCS, PJ_STR("a"), 1, a),
		insert_of(DOCS, PJ_STR("b"), b),
	};
	struct store_batch batch = {.writes = writes, .n_writes = 2};

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	fail_commands(fx, "\"alwaysOn\"",
		      "\"failCommands\": [\"update\"], "
		      "\"closeConnection\": true");
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(writes[0].outcome, STORE_PENDING);
	assert_int_equal(writes[1].outcome, STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("b")), 2);
	bson_destroy(a);
	bson_destroy(b);
}

/* ---- Refusals by the server -------------------------------------------- */

static void
a_document_nested_too_deep_is_refused_and_the_others_are_written(void **state)
{
	struct fixture *fx = *state;
	enum { DEPTH = 250 };
	bson_t *deep = doc_new(PJ_STR("deep"), 1, 0, 1);
	bson_t *good = doc_new(PJ_STR("good"), 1, 0, 1);
	bson_t *inner = bson_new(), *outer;
	struct store_write writes[2];
	struct store_batch batch = {.writes = writes, .n_writes = 2};
	int i;

	for (i = 0; i < DEPTH; i++) {
		outer = bson_new();
		bson_append_document(outer, "d", 1, inner);
		bson_destroy(inner);
		inner = outer;
	}
	bson_append_document(deep, "d", 1, inner);
	writes[0] = insert_of(DOCS, PJ_STR("deep"), deep);
	writes[1] = insert_of(DOCS, PJ_STR("good"), good);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_int_equal(writes[0].outcome, STORE_REFUSED);
	assert_int_equal(writes[1].outcome, STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("deep")), -1);
	assert_non_null(writes[0].why);
	free(writes[0].why);
	bson_destroy(inner);
	bson_destroy(deep);
	bson_destroy(good);
}

/*
 * What a person has added to the collection, a document that is at odds with
 * it, and what the store then says: which of them it was.
 */
static const struct {
	const char *what, *setup, *at_odds, *says;
} added[] = {
	{"a unique index",
	 "{\"createIndexes\": \"" DOCS "\", \"indexes\": [{\"key\": "
	 "{\"name\": 1}, \"name\": \"one_name\", \"unique\": true}]}",
	 "{\"name\": \"taken\"}", "one_name"},
	{"a unique index of several fields",
	 "{\"createIndexes\": \"" DOCS "\", \"indexes\": [{\"key\": "
	 "{\"name\": 1, \"place\": 1}, \"name\": \"one_each\", "
	 "\"unique\": true}]}",
	 "{\"name\": \"taken\"}", "one_each"},
	{"a 2dsphere index",
	 "{\"createIndexes\": \"" DOCS "\", \"indexes\": [{\"key\": "
	 "{\"place\": \"2dsphere\"}, \"name\": \"where\"}]}",
	 "{\"name\": \"x\", \"place\": {\"lat\": 37.5, \"lng\": 127.0}}",
	 "geo keys"},
	{"a 2d index",
	 "{\"createIndexes\": \"" DOCS "\", \"indexes\": [{\"key\": "
	 "{\"place\": \"2d\"}, \"name\": \"where\"}]}",
	 "{\"name\": \"x\", \"place\": [37.5, 227.0]}", "interval"},
	{"an index of two lists",
	 "{\"createIndexes\": \"" DOCS "\", \"indexes\": [{\"key\": "
	 "{\"a\": 1, \"b\": 1}, \"name\": \"both\"}]}",
	 "{\"name\": \"x\", \"a\": [1, 2], \"b\": [1, 2]}", "parallel arrays"},
	{"a hashed index of a list",
	 "{\"createIndexes\": \"" DOCS "\", \"indexes\": [{\"key\": "
	 "{\"a\": \"hashed\"}, \"name\": \"hash\"}]}",
	 "{\"name\": \"x\", \"a\": [1, 2]}", "hashed"},
	{"a text index",
	 "{\"createIndexes\": \"" DOCS "\", \"indexes\": [{\"key\": "
	 "{\"a\": \"text\"}, \"name\": \"words\"}]}",
	 "{\"name\": \"x\", \"a\": \"b\", \"language\": \"klingon\"}",
	 "klingon"},
	{"a validator",
	 "{\"collMod\": \"" DOCS "\", \"validator\": {\"$jsonSchema\": "
	 "{\"properties\": {\"price\": {\"bsonType\": \"int\", "
	 "\"minimum\": 0}}}}, \"validationAction\": \"error\"}",
	 "{\"name\": \"x\", \"price\": -1}", "price minimum"},
	{"a validator that is a query",
	 "{\"collMod\": \"" DOCS "\", \"validator\": {\"price\": "
	 "{\"$not\": {\"$lt\": 0}}}}",
	 "{\"name\": \"x\", \"price\": -1}", "price $lt 0"},
};

/* The document of fixture's making, with more members. */
static bson_t *
doc_with(struct pj_str key, unsigned token, const char *json)
{
	bson_t *doc = doc_new(key, token, 0, 1);
	bson_error_t error;
	bson_t *more = bson_new_from_json((const uint8_t *)json, -1, &error);

	if (!more)
		fail_msg("%s: %s", json, error.message);
	bson_concat(doc, more);
	bson_destroy(more);
	return doc;
}

/* One of several that are written at once. */
static void
expect_refused(struct fixture *fx, struct store_write *w, const char *says)
{
	bson_t *other = doc_with(PJ_STR("other"), 1, "{\"name\": \"other\"}");
	struct store_write writes[2] = {
		*w, insert_of(DOCS, PJ_STR("other"), other)};
	struct store_batch batch = {.writes = writes, .n_writes = 2};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_int_equal(writes[0].outcome, STORE_REFUSED);
	assert_non_null(writes[0].why);
	if (!strstr(writes[0].why, says))
		fail_msg("'%s' is not in: %s", says, writes[0].why);
	/* Totals tell nothing of it; it is there. */
	assert_int_not_equal(writes[1].outcome, STORE_REFUSED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("other")), 1);
	assert_null(writes[1].why);
	free(writes[0].why);
	bson_destroy(other);
}

static void
put(struct fixture *fx, struct pj_str key, const char *json)
{
	bson_t *doc = doc_with(key, 1, json);

	assert_int_equal(write_one(fx, insert_of(DOCS, key, doc)),
			 STORE_APPLIED);
	bson_destroy(doc);
}

/* Rule 5: what the document itself is at fault for would be for ever. */
static void
what_an_added_index_or_validator_keeps_out_is_refused_by_name(void **state)
{
	static const struct pj_str bad = {"bad", 3};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
		bson_t *doc = doc_with(bad, 2, added[i].at_odds);
		struct store_write w = insert_of(DOCS, bad, doc);

		print_message("%s\n", added[i].what);
		put(fx, PJ_STR("first"), "{\"name\": \"taken\"}");
		bson_destroy(run_admin(fx, fx->database, added[i].setup));
		expect_refused(fx, &w, added[i].says);
		assert_int_equal(stored_token(fx, fx->ses, DOCS, bad), -1);
		/* The same over a document that is fine. */
		put(fx, bad, "{\"name\": \"calm\"}");
		w = replace_of(DOCS, bad, 1, doc);
		expect_refused(fx, &w, added[i].says);
		assert_int_equal(stored_token(fx, fx->ses, DOCS, bad), 1);
		bson_destroy(run_admin(fx, fx->database,
				       "{\"drop\": \"" DOCS "\"}"));
		bson_destroy(doc);
	}
}

/* It is another owner's document, or ours: only its token tells. */
static void
a_duplicate_id_is_no_refusal_whatever_else_is_unique(void **state)
{
	struct fixture *fx = *state;
	bson_t *a = doc_with(PJ_STR("a"), 1, "{\"name\": \"a\"}");
	bson_t *again = doc_with(PJ_STR("a"), 2, "{\"name\": \"a\"}");
	struct store_write w = insert_of(DOCS, PJ_STR("a"), a);
	struct store_batch batch = {.writes = &w, .n_writes = 1};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	bson_destroy(run_admin(fx, fx->database, added[0].setup));
	w = insert_of(DOCS, PJ_STR("a"), again);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_int_equal(w.outcome, STORE_UNKNOWN);
	assert_null(w.why);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 1);
	bson_destroy(a);
	bson_destroy(again);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_setup_mongo, mongo_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cut_connection_is_an_outage_and_tells_nothing_of_the_outcome),
		TEST(a_reply_lost_once_is_retried_by_the_driver_and_still_applied),
		TEST(a_write_concern_error_is_unknown_not_applied),
		TEST(rows_without_durability_are_not_reported_as_written),
		TEST(a_claim_in_doubt_is_an_outage_and_the_next_one_counts),
		TEST(a_checkpoint_behind_a_fence_that_cannot_be_looked_at_is_an_outage),
		TEST(a_sync_asks_for_a_primary_that_a_majority_confirms),
		TEST(a_standalone_server_is_in_sync_where_that_is_allowed),
		TEST(a_parked_row_stays_until_its_audit_is_durable),
		TEST(an_election_is_an_outage),
		TEST(a_failed_load_gives_nothing),
		TEST(a_batch_cut_in_the_middle_tells_which_part_is_known),
		TEST(what_an_added_index_or_validator_keeps_out_is_refused_by_name),
		TEST(a_duplicate_id_is_no_refusal_whatever_else_is_unique),
		TEST(a_document_nested_too_deep_is_refused_and_the_others_are_written),
	};

	if (!getenv(STORE_TEST_URI)) {
		puts("store mongodb: NOT RUN: " STORE_TEST_URI " is not set");
		return EXIT_SUCCESS;
	}
	return cmocka_run_group_tests_name("store mongodb", tests, NULL, NULL);
}
