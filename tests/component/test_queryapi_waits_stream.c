/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits is woken by what the stream of changes tells, and by nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

static int
ask_data(const char *target, const char *fields)
{
	return ask_with(server_data_address(srv), target, fields);
}

#define WAIT_20 "Projection-Min-Position: \"shop/0@20\"\r\nPrefer: wait=60\r\n"

static void
a_position_is_waited_for_until_the_stream_tells_it(void **state)
{
	static const char *const targets[] = {"/v1/shop/a", "/v1/shop/-x",
					      "/v1/shop?ids=a,b"};
	int fds[3];

	(void)state;
	WAIT_FOR(is_following());
	for (size_t i = 0; i < 3; i++)
		fds[i] = ask_data(targets[i], WAIT_20);
	WAIT_FOR(metric_is("\nshopview_watches 3\n"));
	tell_document("a", 8);
	tell_checkpoint(20); /* 20 itself is missing */
	assert_true(metric_is("\nshopview_watches 3\n"));
	assert_int_equal(double_get(&dbl.loads), 0);
	tell_checkpoint(21);
	assert_int_equal(read_answer(fds[0]), 200);
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@20\""));
	assert_int_equal(read_answer(fds[1]), 404);
	assert_int_equal(read_answer(fds[2]), 200);
}

static void
a_load_that_began_before_the_position_is_not_enough(void **state)
{
	int plain, exact;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	plain = ask_data("/v1/shop/a", "");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	tell_checkpoint(21);
	exact = ask_data("/v1/shop/a", WAIT_20);
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"in_flight\":2"));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(plain), 200);
	assert_int_equal(read_answer(exact), 200);
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
a_long_poll_is_woken_by_its_own_key_alone(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	fd = ask_data("/v1/shop/a?wait=60", "If-None-Match: \"1.7\"\r\n");
	WAIT_FOR(metric_is("\nshopview_watches 1\n"));
	WAIT_FOR(double_get(&dbl.loads) == 1);
	tell_document("b", 9);
	tell_checkpoint(30);
	assert_int_equal(double_get(&dbl.loads), 1);
	DOUBLE_SET(dbl.revision = 8);
	tell_document("a", 8);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "ETag: \"1.8\""));
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
what_changed_while_no_stream_was_there_wakes_too(void **state)
{
	int fd, position;

	(void)state;
	WAIT_FOR(is_following());
	fd = ask_data("/v1/shop/a?wait=60", "If-None-Match: \"1.7\"\r\n");
	position = ask_data("/v1/shop/a", WAIT_20);
	WAIT_FOR(metric_is("\nshopview_watches 2\n"));
	DOUBLE_SET(dbl.stream_breaks = true; dbl.revision = 8; dbl.next = 21);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "ETag: \"1.8\""));
	assert_int_equal(read_answer(position), 200);
}

static void
a_position_is_not_shown_by_what_is_stale(void **state)
{
	(void)state;
	WAIT_FOR(get("/v1/shop/a") == 200 && strstr(answer, "max-age=5"));
	DOUBLE_SET(dbl.away = true);
	WAIT_FOR(get("/v1/shop/a") == 200 && strstr(answer, "detail=stale"));
	assert_int_equal(read_answer(ask_data(
				 "/v1/shop/a",
				 "Projection-Min-Position: \"shop/0@1\"\r\n")),
			 503);
	assert_non_null(strstr(answer, "store-unavailable"));
	DOUBLE_SET(dbl.away = false);
}

static void
a_store_that_goes_away_ends_the_wait_for_a_load_of_a_position(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(get("/v1/shop/b") == 200);
	DOUBLE_SET(dbl.hangs = dbl.looks_hang = true);
	fd = ask_data("/v1/shop/a",
		      "Projection-Min-Position: \"shop/0@1\"\r\n");
	assert_int_equal(read_answer(fd), 503);
	DOUBLE_SET(dbl.hangs = dbl.looks_hang = false);
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

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_position_is_waited_for_until_the_stream_tells_it),
		SERVED(a_load_that_began_before_the_position_is_not_enough),
		SERVED(a_long_poll_is_woken_by_its_own_key_alone),
		SERVED(what_changed_while_no_stream_was_there_wakes_too),
		cmocka_unit_test_setup_teardown(
			a_position_is_not_shown_by_what_is_stale,
			start_with_policy, stop),
		SERVED(a_store_that_goes_away_ends_the_wait_for_a_load_of_a_position),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
