/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits is woken by what the stream of changes tells, and by nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

enum { PART_MS = 100 };

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

/* ---- Streams ----------------------------------------------------------- */

/* Reads on until the text has come; all of it is in `answer`. */
static void
read_until(int fd, size_t *n, const char *text)
{
	ssize_t got = 1;

	while (got > 0 && !strstr(answer, text)) {
		got = read(fd, answer + *n, sizeof(answer) - 1 - *n);
		*n += got > 0 ? (size_t)got : 0;
		answer[*n] = '\0';
	}
	assert_non_null(strstr(answer, text));
}

static int
begin_stream(const char *target, const char *text, size_t *n)
{
	int fd = ask_data(target, "");

	*n = 0;
	answer[0] = '\0';
	read_until(fd, n, text);
	return fd;
}

static void
a_stream_is_told_of_its_own_key_alone(void **state)
{
	size_t n;
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	fd = begin_stream("/v1/shop/a/events", "id: \"1.7\"", &n);
	tell_document("b", 9);
	tell_checkpoint(30);
	tell_document("a", 7); /* what it has */
	DOUBLE_SET(dbl.revision = 8);
	tell_document("a", 8);
	read_until(fd, &n, "id: \"1.8\"");
	(void)close(fd);
	assert_int_equal(double_get(&dbl.loads), 2);
}

/* What changes while the store hangs is sent when it goes on, though the stream
 * of changes had told it long before. */
static void
a_change_that_cannot_be_read_at_first_is_sent_later(void **state)
{
	size_t n;
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	fd = begin_stream("/v1/shop/a/events", "id: \"1.7\"", &n);
	DOUBLE_SET(dbl.hangs = true);
	tell_document("a", 8);
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	/* Its look is over meanwhile, without news. */
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"in_flight\":0"));
	n = 0;
	answer[0] = '\0';
	DOUBLE_SET(dbl.revision = 8; dbl.hangs = false);
	read_until(fd, &n, "id: \"1.8\"");
	(void)close(fd);
}

static void
a_stream_outlives_the_store(void **state)
{
	size_t n;
	int fd, began;

	(void)state;
	WAIT_FOR(is_following());
	fd = begin_stream("/v1/shop/a/events", "id: \"1.7\"", &n);
	DOUBLE_SET(dbl.away = true);
	WAIT_FOR(get("/v1/shop/b") == 503);
	/* Nothing is kept of this one, so there is nothing to say yet. */
	answer[0] = '\0';
	began = ask_data("/v1/shop/c/events", "");
	n = 0;
	read_until(began, &n, "retry: ");
	assert_null(strstr(answer, "data:"));
	DOUBLE_SET(dbl.away = false; dbl.revision = 8);
	read_until(began, &n, "id: \"1.8\"");
	n = 0;
	answer[0] = '\0';
	read_until(fd, &n, "id: \"1.8\"");
	(void)close(fd);
	(void)close(began);
}

static int
start_with_policy(void **state)
{
	(void)state;
	prepare();
	set.queryapi.part_timeout_ms = PART_MS;
	DOUBLE_SET(dbl.cache = ",\"cache\":{\"maxAge\":5,"
			       "\"staleWhileRevalidate\":30,"
			       "\"staleIfError\":300}");
	return start_prepared();
}

#define KEPT(test)                                                             \
	cmocka_unit_test_setup_teardown(test, start_with_policy, stop)
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_position_is_waited_for_until_the_stream_tells_it),
		SERVED(a_load_that_began_before_the_position_is_not_enough),
		SERVED(a_long_poll_is_woken_by_its_own_key_alone),
		SERVED(what_changed_while_no_stream_was_there_wakes_too),
		KEPT(a_position_is_not_shown_by_what_is_stale),
		KEPT(a_stream_is_told_of_its_own_key_alone),
		KEPT(a_change_that_cannot_be_read_at_first_is_sent_later),
		KEPT(a_stream_outlives_the_store),
		SERVED(a_store_that_goes_away_ends_the_wait_for_a_load_of_a_position),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
