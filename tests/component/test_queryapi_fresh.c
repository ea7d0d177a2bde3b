/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept ready is as new as what the stream of changes has told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

static void
a_document_is_read_once_until_it_changes(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	for (int i = 0; i < 50; i++)
		assert_true(has_etag("/v1/shop/a", "ETag: \"1.7\""));
	assert_int_equal(get("/v1/shop?ids=a,a"), 200);
	assert_int_equal(double_get(&dbl.loads), 1);
	/* Of others, and of what it is already, nothing follows. */
	tell_document("b", 9);
	tell_document("a", 7);
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	assert_int_equal(double_get(&dbl.loads), 1);
	DOUBLE_SET(dbl.revision = 8);
	tell_document("a", 8);
	WAIT_FOR(has_etag("/v1/shop/a", "\"1.8\""));
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
an_absent_key_is_found_once_it_is_there(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_int_equal(get("/v1/shop/-x"), 404);
	assert_int_equal(get("/v1/shop/-x"), 404);
	assert_int_equal(double_get(&dbl.loads), 1);
	tell_document("-x", 1);
	WAIT_FOR(get("/v1/shop/-x") == 404 && double_get(&dbl.loads) > 1);
}

static void
all_who_miss_a_key_wait_for_one_load(void **state)
{
	int fds[20];

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	for (size_t i = 0; i < 20; i++)
		fds[i] = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"in_flight\":20"));
	DOUBLE_SET(dbl.hangs = false);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(read_answer(fds[i]), 200);
	assert_int_equal(double_get(&dbl.loads), 1);
}

static void
a_load_that_is_older_than_what_was_told_is_read_again(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	fd = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	tell_document("a", 9);
	/* Told before the load is through; it brings 7, the next one 9. */
	DOUBLE_SET(dbl.hangs = false; dbl.revision_after = 9);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "\"1.9\""));
	assert_true(has_etag("/v1/shop/a", "\"1.9\""));
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
a_load_under_which_a_document_is_taken_away_is_read_again(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	fd = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	tell_document("a", 9);
	tell_document("a", -1);
	/* A document that came back may have any revision. */
	DOUBLE_SET(dbl.hangs = false; dbl.revision_after = 2);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "\"1.2\""));
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
what_is_older_than_was_told_tells_no_newer_checkpoint(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	fd = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	tell_document("a", 9);
	tell_checkpoint(21);
	/* The store gives what it had, as often as it is asked. */
	for (int round = 1; round < 4; round++) {
		DOUBLE_SET(dbl.let = 1);
		WAIT_FOR(double_get(&dbl.loads) == round &&
			 double_get(&dbl.waiting) == 1);
	}
	tell_checkpoint(41); /* behind the last question */
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "\"1.7\""));
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@20\""));
	assert_int_equal(double_get(&dbl.loads), 4);
}

static void
an_old_load_that_nobody_waits_for_is_forgotten(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	fd = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	(void)close(fd);
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"in_flight\":0"));
	tell_document("a", 9);
	DOUBLE_SET(dbl.hangs = false; dbl.revision_after = 9);
	WAIT_FOR(double_get(&dbl.loads) == 1);
	assert_true(has_etag("/v1/shop/b", "\"1.9\""));
	assert_int_equal(double_get(&dbl.loads), 2);
	/* It takes no room from others. */
	assert_int_equal(read_answer(ask(server_admin_address(srv), "/status")),
			 200);
	assert_non_null(strstr(answer, "\"queued\":0"));
	assert_true(has_etag("/v1/shop/a", "\"1.9\""));
}

static void
a_checkpoint_moves_the_position_of_what_is_kept(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@9\""));
	tell_checkpoint(21);
	WAIT_FOR(get("/v1/shop/a") == 200 && strstr(answer, "\"shop/0@20\""));
	assert_int_equal(double_get(&dbl.loads), 1);
}

static void
between_two_streams_no_lesser_position_is_told(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	tell_checkpoint(21); /* the picture has 10 */
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@20\""));
	DOUBLE_SET(dbl.stream_breaks = dbl.opening_hangs = true);
	WAIT_FOR(!is_following());
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_int_equal(double_get(&dbl.loads), 2);
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@20\""));
	DOUBLE_SET(dbl.opening_hangs = false);
	WAIT_FOR(is_following());
}

static void
after_a_lost_stream_everything_is_read_again(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	DOUBLE_SET(dbl.stream_breaks = true; dbl.revision = 8);
	WAIT_FOR(has_etag("/v1/shop/a", "\"1.8\""));
	WAIT_FOR(is_following());
	assert_true(has_etag("/v1/shop/a", "\"1.8\""));
}

static void
a_silent_stream_is_not_believed(void **state)
{
	int before;

	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	before = double_get(&dbl.watches);
	/* The store moves on, the stream tells nothing. */
	DOUBLE_SET(dbl.revision = 8; dbl.next = 50);
	WAIT_FOR(has_etag("/v1/shop/a", "\"1.8\""));
	WAIT_FOR(double_get(&dbl.watches) > before);
}

static int
start_with_policy(void **state)
{
	(void)start(state);
	DOUBLE_SET(dbl.cache = ",\"cache\":{\"maxAge\":5,"
			       "\"staleWhileRevalidate\":30,"
			       "\"staleIfError\":300}");
	return 0;
}

static void
while_the_store_is_away_what_was_read_is_served_as_stale(void **state)
{
	(void)state;
	WAIT_FOR(get("/v1/shop/a") == 200 && strstr(answer, "max-age=5"));
	assert_null(strstr(answer, "Age:"));
	WAIT_FOR(is_following());
	tell_checkpoint(21);
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@20\""));
	DOUBLE_SET(dbl.away = true);
	WAIT_FOR(get("/v1/shop/b") == 503);
	WAIT_FOR(get("/v1/shop/a") == 200 &&
		 strstr(answer,
			"\r\nCache-Status: shopview; hit; detail=stale"));
	assert_non_null(strstr(answer, "\r\nAge: "));
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@20\""));
	assert_int_equal(get("/v1/shop?ids=a"), 200);
	assert_non_null(strstr(answer, "detail=stale"));
	/* What is missing cannot be made up. */
	assert_int_equal(get("/v1/shop?ids=a,b"), 503);
	assert_int_equal(readyz(), 200);
	DOUBLE_SET(dbl.away = false);
	WAIT_FOR(get("/v1/shop/a") == 200 && !strstr(answer, "detail=stale"));
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_document_is_read_once_until_it_changes),
		SERVED(an_absent_key_is_found_once_it_is_there),
		SERVED(all_who_miss_a_key_wait_for_one_load),
		SERVED(a_load_that_is_older_than_what_was_told_is_read_again),
		SERVED(a_load_under_which_a_document_is_taken_away_is_read_again),
		SERVED(what_is_older_than_was_told_tells_no_newer_checkpoint),
		SERVED(an_old_load_that_nobody_waits_for_is_forgotten),
		SERVED(a_checkpoint_moves_the_position_of_what_is_kept),
		SERVED(between_two_streams_no_lesser_position_is_told),
		SERVED(after_a_lost_stream_everything_is_read_again),
		SERVED(a_silent_stream_is_not_believed),
		cmocka_unit_test_setup_teardown(
			while_the_store_is_away_what_was_read_is_served_as_stale,
			start_with_policy, stop),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
