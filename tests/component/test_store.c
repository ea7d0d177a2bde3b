/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store port's contract, one suite for both adapters: lmdb always, mongodb
 * when SHOPVIEW_TEST_MONGODB holds the URI of a replica set
 * (tests/support/mongo.sh starts one).
 */
#include "tests/component/store_contract_many.h"
#include "tests/component/store_contract_live.h"
#include "tests/component/store_contract_owner.h"
#include "tests/component/store_contract_page.h"
#include "tests/component/store_contract_purge.h"
#include "tests/component/store_contract_queue.h"
#include "tests/component/store_contract_requests.h"
#include "tests/component/store_contract_rows.h"
#include "tests/support/store_fixture.h"

/* ---- Documents --------------------------------------------------------- */

static void
loads_of_absent_keys_and_collections_are_absent(void **state)
{
	struct fixture *fx = *state;
	struct store_doc docs[2] = {{.key = PJ_STR("a")}, {.key = PJ_STR("b")}};

	OK(fx, store_load(fx->ses, "never_made.1", docs, 2, &fx->err));
	assert_null(docs[0].bson);
	assert_null(docs[1].bson);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("c"), 1), STORE_APPLIED);
	OK(fx, store_load(fx->ses, DOCS, docs, 2, &fx->err));
	assert_null(docs[0].bson);
	OK(fx, store_load(fx->ses, DOCS, docs, 0, &fx->err));
}

static void
an_insert_is_read_back_byte_for_byte(void **state)
{
	struct fixture *fx = *state;
	struct store_doc doc = {.key = PJ_STR("a")};
	bson_t *bson = doc_new(PJ_STR("a"), 7, 0, 3000);

	assert_int_equal(write_one(fx, insert_of(DOCS, PJ_STR("a"), bson)),
			 STORE_APPLIED);
	OK(fx, store_load(fx->ses, DOCS, &doc, 1, &fx->err));
	assert_int_equal(doc.len, bson->len);
	assert_memory_equal(doc.bson, bson_get_data(bson), bson->len);
	free(doc.bson);
	bson_destroy(bson);
}

static void
an_insert_over_an_existing_document_is_unknown_and_changes_nothing(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 2), STORE_UNKNOWN);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 1);
}

static void
a_replace_needs_the_base_token(void **state)
{
	struct fixture *fx = *state;
	struct pj_str key = PJ_STR("a");

	assert_int_equal(put_over(fx, DOCS, key, 1, 2), STORE_UNKNOWN);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, key), -1);
	assert_int_equal(put_new(fx, DOCS, key, 1), STORE_APPLIED);
	assert_int_equal(put_over(fx, DOCS, key, 1, 2), STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, key), 2);
	assert_int_equal(put_over(fx, DOCS, key, 1, 3), STORE_UNKNOWN);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, key), 2);
}

static void
a_tombstone_is_a_document_like_any_other(void **state)
{
	struct fixture *fx = *state;
	struct pj_str key = PJ_STR("gone");
	bson_t *deleted = doc_new(key, 2, READMODEL_DELETED, 0);

	assert_int_equal(put_new(fx, DOCS, key, 1), STORE_APPLIED);
	assert_int_equal(write_one(fx, replace_of(DOCS, key, 1, deleted)),
			 STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, key), 2);
	assert_int_equal(put_new(fx, DOCS, key, 3), STORE_UNKNOWN);
	assert_int_equal(put_over(fx, DOCS, key, 2, 4), STORE_APPLIED);
	bson_destroy(deleted);
}

static void
one_batch_mixes_inserts_replaces_and_collections(void **state)
{
	struct fixture *fx = *state;
	bson_t *a = doc_new(PJ_STR("a"), 2, 0, 1);
	bson_t *b = doc_new(PJ_STR("b"), 3, 0, 1);
	struct store_write writes[4];
	struct store_batch batch = {.writes = writes, .n_writes = 4};
	size_t i;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	writes[0] = insert_of("sales.1", PJ_STR("b"), b);
	writes[1] = replace_of(DOCS, PJ_STR("a"), 1, a);
	writes[2] = insert_of("sales.1", PJ_STR("a"), a);
	writes[3] = insert_of(DOCS, PJ_STR("b"), b);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	for (i = 0; i < 4; i++)
		assert_int_equal(writes[i].outcome, STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("a")), 2);
	assert_int_equal(stored_token(fx, fx->ses, "sales.1", PJ_STR("b")), 3);
	bson_destroy(a);
	bson_destroy(b);
}

static void
keys_are_bytes_whatever_they_look_like(void **state)
{
	struct fixture *fx = *state;
	char longest[READMODEL_KEY_MAX];
	const struct pj_str keys[] = {
		PJ_STR("a.b.c"),
		PJ_STR("$where"),
		PJ_STR("%2F%00"),
		PJ_STR("a/b//c"),
		PJ_STR("\xf0\x9f\x9b\xb5"), /* an emoji */
		PJ_STR("caf\xc3\xa9"),	    /* NFC */
		PJ_STR("cafe\xcc\x81"),	    /* NFD */
		PJ_STR(" "),
		PJ_STR("{\"$gt\":\"\"}"),
		PJ_STR("_id"),
		{longest, sizeof(longest)},
		{longest, sizeof(longest) - 1},
	};
	enum { N = sizeof(keys) / sizeof(keys[0]) };
	unsigned i;

	memset(longest, 'k', sizeof(longest));
	for (i = 0; i < N; i++)
		assert_int_equal(put_new(fx, DOCS, keys[i], i + 1),
				 STORE_APPLIED);
	for (i = 0; i < N; i++) {
		assert_int_equal(stored_token(fx, fx->ses, DOCS, keys[i]),
				 i + 1);
		assert_int_equal(put_over(fx, DOCS, keys[i], i + 1, i + 100),
				 STORE_APPLIED);
	}
}

static void
what_can_never_be_stored_is_refused_and_the_rest_goes_on(void **state)
{
	struct fixture *fx = *state;
	static char too_long[READMODEL_KEY_MAX + 1];
	struct pj_str key = {too_long, sizeof(too_long)};
	bson_t *big = doc_new(PJ_STR("big"), 1, 0, 16 << 20);
	bson_t *near = doc_new(PJ_STR("near"), 1, 0, (16 << 20) - 200);
	bson_t *good = doc_new(PJ_STR("good"), 1, 0, 1);
	struct store_write writes[5];
	struct store_batch batch = {.writes = writes, .n_writes = 5};

	memset(too_long, 'k', sizeof(too_long));
	writes[0] = insert_of(DOCS, PJ_STR("big"), big);
	writes[1] = insert_of(DOCS, PJ_STR("good"), good);
	writes[2] = insert_of(DOCS, key, good);
	writes[3] = insert_of(DOCS, PJ_STR(""), good);
	writes[4] = insert_of(DOCS, PJ_STR("near"), near);
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_int_equal(writes[0].outcome, STORE_REFUSED);
	assert_int_equal(writes[1].outcome, STORE_APPLIED);
	assert_int_equal(writes[2].outcome, STORE_REFUSED);
	assert_int_equal(writes[3].outcome, STORE_REFUSED);
	assert_int_equal(writes[4].outcome, STORE_APPLIED);
	assert_int_equal(stored_token(fx, fx->ses, DOCS, PJ_STR("big")), -1);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(writes[i].why != NULL,
				 writes[i].outcome == STORE_REFUSED);
		free(writes[i].why);
	}
	bson_destroy(big);
	bson_destroy(near);
	bson_destroy(good);
}

static void
a_session_sees_what_another_session_wrote(void **state)
{
	struct fixture *fx = *state;
	struct store_session *other = fixture_session(fx);
	unsigned i;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	for (i = 1; i < 50; i++) {
		assert_int_equal(stored_token(fx, other, DOCS, PJ_STR("a")), i);
		assert_int_equal(put_over(fx, DOCS, PJ_STR("a"), i, i + 1),
				 STORE_APPLIED);
	}
	store_session_close(other);
}

/* ---- Read-only --------------------------------------------------------- */

static void
a_read_only_store_reads_and_changes_nothing(void **state)
{
	struct fixture *fx = *state;
	struct store_settings settings = fx->settings;
	struct store_generation gen = generation_of("stock", 1), *rows;
	struct store *store;
	struct store_session *ses;
	struct store_batch batch = {0};
	struct store_owner owner = {{1}};
	struct store_checkpoint row;
	struct store_request req = request_of(1, 1);
	const struct store_ending ending = {req.id, STORE_REQ_DONE, ""};
	struct store_crash crash = crash_of("stock.1", 1, 1);
	int32_t index = 0;
	size_t n;
	bool done;

	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	settings.read_only = true;
	OK(fx, store_open(&settings, &store, &fx->err));
	OK(fx, store_session_open(store, &ses, &fx->err));
	OK(fx, store_check(ses, &fx->err));
	OK(fx, store_generations(ses, &rows, &n, &fx->err));
	assert_int_equal(n, 0);
	store_generations_free(rows, n);
	assert_int_equal(stored_token(fx, ses, DOCS, PJ_STR("a")), 1);
	assert_int_equal(store_apply(ses, &batch, &fx->err), -1);
	assert_int_equal(store_generation_create(ses, &gen, &done, &fx->err),
			 -1);
	assert_int_equal(store_generation_set_state(ses, "stock", 1,
						    STORE_GEN_READY, &fx->err),
			 -1);
	assert_int_equal(store_live_move(ses, "stock", 0, 1, &done, &fx->err),
			 -1);
	assert_int_equal(store_generation_purged(ses, "stock", 1, 5, &fx->err),
			 -1);
	assert_int_equal(store_request_add(ses, &req, &fx->err), -1);
	assert_int_equal(store_requests_end(ses, &ending, 1, &n, &fx->err), -1);
	assert_int_equal(store_crash_add(ses, &crash, &index, &fx->err), -1);
	assert_int_equal(store_crash_remove(ses, &crash, &fx->err), -1);
	assert_int_equal(
		store_topic_partitions(ses, "t", 4, true, &index, &fx->err),
		-1);
	/* What was seen is told, and forgotten. */
	OK(fx, store_topic_partitions(ses, "t", 4, false, &index, &fx->err));
	assert_int_equal(index, 4);
	OK(fx, store_topic_partitions(ses, "t", 5, false, &index, &fx->err));
	assert_int_equal(index, 5);
	index = 0;
	assert_int_equal(store_claim(ses, "stock.1", &index, 1, &owner, &row,
				     &done, &fx->err),
			 -1);
	assert_int_equal(store_source(ses, "stock", 0, &index, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	store_session_close(ses);
	store_close(store);
}

static void
check_prepares_the_store_and_may_be_repeated(void **state)
{
	struct fixture *fx = *state;

	OK(fx, store_check(fx->ses, &fx->err));
	OK(fx, store_check(fx->ses, &fx->err));
}

/* ---- Both adapters ----------------------------------------------------- */

#define TEST(f)                                                                \
	{                                                                      \
#f, f, NULL, NULL, NULL                                        \
	}

static const struct CMUnitTest contract[] = {
	TEST(loads_of_absent_keys_and_collections_are_absent),
	TEST(an_insert_is_read_back_byte_for_byte),
	TEST(an_insert_over_an_existing_document_is_unknown_and_changes_nothing),
	TEST(a_replace_needs_the_base_token),
	TEST(a_tombstone_is_a_document_like_any_other),
	TEST(a_bulk_applies_whole_and_loads_in_the_order_asked),
	TEST(misses_in_a_bulk_are_never_applied_and_hits_always_stored),
	TEST(a_load_takes_no_more_than_its_bytes_and_leaves_the_rest_for_the_next),
	TEST(one_batch_mixes_inserts_replaces_and_collections),
	TEST(keys_are_bytes_whatever_they_look_like),
	TEST(what_can_never_be_stored_is_refused_and_the_rest_goes_on),
	TEST(a_session_sees_what_another_session_wrote),
	TEST(scan_goes_by_bytes_begins_behind_and_ends_early),
	TEST(a_scan_gives_every_document_once_while_its_callback_writes),
	TEST(racing_threads_get_one_index_per_source_and_one_source_per_index),
	TEST(a_source_keeps_its_index_over_a_reopen),
	TEST(a_claim_makes_absent_rows_and_counts_the_epoch_of_all),
	TEST(a_claim_finds_position_and_anchor_as_they_were_left),
	TEST(of_racing_claimers_the_last_one_writes_and_no_other),
	TEST(a_checkpoint_of_an_older_epoch_is_fenced_and_changes_nothing),
	TEST(a_checkpoint_that_nobody_claimed_is_fenced_and_makes_no_row),
	TEST(a_fenced_checkpoint_holds_back_nothing_else),
	TEST(checkpoints_never_go_down_and_that_is_no_fence),
	TEST(checkpoints_are_listed_by_generation_exactly),
	TEST(racing_checkpoints_end_at_the_highest),
	TEST(generations_are_made_once_and_listed_in_order),
	TEST(one_of_racing_creators_makes_the_generation),
	TEST(the_live_pointer_moves_from_where_it_is_and_for_one_mover_only),
	TEST(claims_of_what_is_live_are_counted_in_its_pointer),
	TEST(a_promotion_moves_the_pointer_over_no_claim),
	TEST(a_promotion_that_races_with_claims_moves_before_or_not_at_all),
	TEST(adopted_code_is_in_the_generation_and_in_the_audit),
	TEST(parked_rows_come_back_whole),
	TEST(parking_again_keeps_the_first_row),
	TEST(parked_rows_are_scanned_by_unit_and_coordinates),
	TEST(parked_units_are_told_apart_however_long),
	TEST(a_refusal_says_why_in_its_row_and_makes_none),
	TEST(a_parked_row_that_cannot_be_kept_is_a_named_stop),
	TEST(a_queue_is_one_unit_and_partition_by_offset_from_where_asked),
	TEST(a_discarded_row_goes_and_the_audit_keeps_it_whole),
	TEST(a_retried_row_goes_and_the_audit_keeps_only_what_it_was),
	TEST(a_row_that_never_was_in_the_queue_goes_without_a_trace),
	TEST(what_is_told_twice_is_one_entry_and_what_happens_twice_is_two),
	TEST(the_audit_is_told_oldest_first_by_generation),
	TEST(rows_that_are_more_than_one_load_are_taken_out_and_told_whole),
	TEST(the_largest_row_that_can_be_parked_can_be_discarded),
	TEST(a_request_comes_back_whole),
	TEST(requests_are_listed_by_state_oldest_first),
	TEST(a_request_is_one_however_often_it_is_added_and_ends_once),
	TEST(of_many_requests_the_new_ones_are_ended_at_once),
	TEST(a_request_that_is_removed_is_gone_and_may_be_removed_again),
	TEST(of_racing_enders_one_ends_the_request),
	TEST(what_a_request_says_is_text_of_bounded_length),
	TEST(crashes_are_counted_by_record_and_forgotten),
	TEST(racing_processes_lose_no_crash),
	TEST(the_first_count_of_partitions_stays_until_a_person_sets_another),
	TEST(racing_owners_are_told_one_count_of_partitions),
	TEST(a_list_of_nothing_is_one_empty_page),
	TEST(pages_give_every_live_document_once_in_key_order),
	TEST(the_last_page_says_so_also_when_it_is_full),
	TEST(listed_keys_are_bytes_whatever_they_look_like),
	TEST(a_page_takes_no_more_than_its_bytes),
	TEST(a_filter_gives_those_that_have_the_value_in_its_type),
	TEST(a_filter_without_an_index_gives_the_same),
	TEST(filters_hold_all_at_once_whichever_is_indexed),
	TEST(a_value_is_data_whatever_it_looks_like),
	TEST(what_is_no_query_is_refused),
	TEST(a_list_follows_values_deletions_and_revivals),
	TEST(a_document_that_moves_between_pages_is_where_it_is_then),
	TEST(deleted_documents_are_found_by_when_that_was),
	TEST(a_purge_takes_away_only_what_still_has_the_token),
	TEST(the_highest_purged_revision_never_goes_down),
	TEST(a_read_only_store_reads_and_changes_nothing),
	TEST(check_prepares_the_store_and_may_be_repeated),
};
enum { N_CONTRACT = sizeof(contract) / sizeof(contract[0]) };

/* cmocka's macros take an array: one per adapter, with its own setup. */
static int
run_contract(const char *name, CMFixtureFunction setup)
{
	struct CMUnitTest tests[N_CONTRACT];
	size_t i;

	for (i = 0; i < N_CONTRACT; i++) {
		tests[i] = contract[i];
		tests[i].setup_func = setup;
		tests[i].teardown_func = fixture_teardown;
	}
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int
main(void)
{
	int failed = run_contract("store contract: lmdb", fixture_setup_lmdb);

	if (getenv(STORE_TEST_URI))
		failed += run_contract("store contract: mongodb",
				       fixture_setup_mongo);
	else
		puts("store contract: mongodb NOT RUN: " STORE_TEST_URI
		     " is not set");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
