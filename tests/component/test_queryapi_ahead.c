/* SPDX-License-Identifier: Apache-2.0 */
/* A kept document that changes: it is read again before anybody asks, and who
 * asks meanwhile is given the one before, or the newer one, never both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "tests/component/served_double.h"

/* How often a load is tried while the store gives what is older than told. */
enum { ROUNDS = 4 };

static int
start_declared(void)
{
	(void)start_prepared();
	DOUBLE_SET(dbl.cache = ",\"cache\":{\"maxAge\":5,"
			       "\"staleWhileRevalidate\":30,"
			       "\"staleIfError\":300}");
	WAIT_FOR(get("/v1/shop/a") == 200 && strstr(answer, "max-age=5"));
	WAIT_FOR(is_following());
	return 0;
}

static int
start_with_policy(void **state)
{
	(void)state;
	prepare();
	return start_declared();
}

static int
start_with_short(void **state)
{
	(void)state;
	prepare();
	set.queryapi.superseded_ms = 50;
	return start_declared();
}

static int
start_without(void **state)
{
	(void)state;
	prepare();
	set.queryapi.superseded_ms = 0;
	return start_declared();
}

static bool
is_stale(void)
{
	return strstr(answer, "\r\nAge: ") &&
	       strstr(answer,
		      "\r\nCache-Status: shopview; hit; detail=stale\r\n");
}

static bool
has_joined(int n)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "\nshopview_loads_joined_total %d\n",
		       n);
	return metric_is(line);
}

/* "a" is kept, has changed to that revision, and its load hangs. */
static void
hang_behind_a_change(int64_t revision)
{
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	assert_false(is_stale());
	DOUBLE_SET(dbl.hangs = true; dbl.loads = 0);
	tell_document("a", revision);
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	DOUBLE_SET(dbl.revision = revision);
}

/* ---- Read ahead --------------------------------------------------------- */

static void
what_was_asked_for_is_read_again_before_anybody_asks(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	DOUBLE_SET(dbl.revision = 8);
	tell_document("a", 8);
	WAIT_FOR(double_get(&dbl.loads) == 2);
	assert_true(has_etag("/v1/shop/a", "\"1.8\""));
	assert_int_equal(double_get(&dbl.loads), 2);
	assert_true(metric_is("\nshopview_loads_ahead_total 1\n"));
	assert_true(metric_is("\nshopview_cache_superseded_total 1\n"));
}

static void
what_nobody_had_is_not_read(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	tell_document("b", 8);
	assert_int_equal(get("/v1/shop/c"), 200);
	assert_int_equal(double_get(&dbl.loads), 1);
	assert_true(metric_is("\nshopview_loads_ahead_total 0\n"));
}

/* It may come back with any revision, or never. */
static void
what_was_taken_away_is_asked_for_by_who_wants_it(void **state)
{
	(void)state;
	hang_behind_a_change(8);
	tell_document("a", -1);
	DOUBLE_SET(dbl.hangs = false; dbl.revision = 3);
	assert_true(has_etag("/v1/shop/a", "\"1.3\""));
	assert_false(is_stale());
}

static void
it_is_read_with_the_coding_that_was_asked_for(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_true(is_gzipped("/v1/shop/a"));
	assert_int_equal(get("/v1/shop/b"), 200);
	DOUBLE_SET(dbl.revision = 8);
	tell_document("a", 8);
	tell_document("b", 8);
	WAIT_FOR(double_get(&dbl.loads) == 4);
	assert_true(is_gzipped("/v1/shop/a"));
	assert_non_null(strstr(answer, "\"1.8-gzip\""));
	assert_true(has_etag("/v1/shop/b", "\"1.8\""));
	assert_int_equal(double_get(&dbl.loads), 4);
	/* Of this one only now. */
	assert_true(is_gzipped("/v1/shop/b"));
	assert_int_equal(double_get(&dbl.loads), 5);
}

static void
a_newer_change_meanwhile_is_read_too(void **state)
{
	(void)state;
	hang_behind_a_change(8);
	tell_document("a", 9);
	DOUBLE_SET(dbl.let = 1; dbl.revision_after = 9);
	WAIT_FOR(double_get(&dbl.loads) == 1 && double_get(&dbl.waiting) == 1);
	assert_true(has_etag("/v1/shop/a", "\"1.7\"") && is_stale());
	DOUBLE_SET(dbl.hangs = false);
	WAIT_FOR(has_etag("/v1/shop/a", "\"1.9\"") && !is_stale());
	assert_int_equal(double_get(&dbl.loads), 2);
}

/* ---- The one before ----------------------------------------------------- */

static void
the_one_before_is_given_until_the_newer_is_there(void **state)
{
	(void)state;
	hang_behind_a_change(8);
	tell_checkpoint(21);
	assert_true(has_etag("/v1/shop/a", "\"1.7\"") && is_stale());
	/* It does not contain what the checkpoint covers. */
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@9\""));
	assert_int_equal(get("/v1/shop?ids=a"), 200);
	assert_true(strstr(answer, "\"revision\":7") && is_stale());
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@9\""));
	assert_int_equal(
		read_answer(ask_with(server_data_address(srv), "/v1/shop/a",
				     "If-None-Match: \"1.7\"\r\n")),
		304);
	assert_true(is_stale());
	assert_true(metric_is("\nshopview_cache_hits_superseded_total 3\n"));
	DOUBLE_SET(dbl.hangs = false);
	WAIT_FOR(has_etag("/v1/shop/a", "\"1.8\""));
	assert_false(is_stale());
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@20\""));
	assert_int_equal(double_get(&dbl.loads), 1);
}

static void
who_asks_for_the_newer_one_waits_for_it(void **state)
{
	static const char least[] =
		"Projection-Min-Position: \"shop/0@20\"\r\n";
	const char *address;
	int fds[3];

	(void)state;
	address = server_data_address(srv);
	hang_behind_a_change(8);
	tell_checkpoint(21);
	fds[0] = ask_with(address, "/v1/shop/a", least);
	fds[1] = ask_with(address, "/v1/shop?ids=a", least);
	fds[2] = ask_with(address, "/v1/shop/a?wait=60",
			  "If-None-Match: \"1.7\"\r\n");
	WAIT_FOR(has_joined(3));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fds[0]), 200);
	assert_true(strstr(answer, "\"1.8\"") && !is_stale());
	assert_int_equal(read_answer(fds[1]), 200);
	assert_true(strstr(answer, "\"revision\":8") && !is_stale());
	assert_int_equal(read_answer(fds[2]), 200);
	assert_true(strstr(answer, "\"1.8\"") && !is_stale());
}

static void
a_long_poll_ends_with_the_newer_one(void **state)
{
	int fd;

	(void)state;
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	fd = ask_with(server_data_address(srv), "/v1/shop/a?wait=60",
		      "If-None-Match: \"1.7\"\r\n");
	WAIT_FOR(metric_is("\nshopview_watches 1\n"));
	hang_behind_a_change(8);
	WAIT_FOR(has_joined(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fd), 200);
	assert_true(strstr(answer, "\"1.8\"") && !is_stale());
}

static void
where_it_is_not_wanted_everybody_waits(void **state)
{
	int fds[2];

	(void)state;
	WAIT_FOR(is_following());
	hang_behind_a_change(8);
	fds[0] = ask(server_data_address(srv), "/v1/shop/a");
	fds[1] = ask(server_data_address(srv), "/v1/shop?ids=a");
	WAIT_FOR(has_joined(2));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fds[0]), 200);
	assert_non_null(strstr(answer, "\"1.8\""));
	assert_int_equal(read_answer(fds[1]), 200);
	assert_non_null(strstr(answer, "\"revision\":8"));
}

static bool
is_answered(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, 0) == 1;
}

static void
it_is_given_for_so_long_only(void **state)
{
	int fd;

	(void)state;
	hang_behind_a_change(8);
	for (;;) {
		fd = ask(server_data_address(srv), "/v1/shop/a");
		WAIT_FOR(is_answered(fd) || has_joined(1));
		if (!is_answered(fd))
			break;
		assert_int_equal(read_answer(fd), 200);
		assert_true(strstr(answer, "\"1.7\"") && is_stale());
	}
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fd), 200);
	assert_true(strstr(answer, "\"1.8\"") && !is_stale());
}

/* What was given to who waited is newer than what was kept, and older than what
 * was told: neither is given thereafter. */
static void
who_had_a_newer_one_is_not_given_the_one_before(void **state)
{
	int fd;

	(void)state;
	hang_behind_a_change(8);
	tell_checkpoint(21);
	fd = ask_with(server_data_address(srv), "/v1/shop/a",
		      "Projection-Min-Position: \"shop/0@20\"\r\n");
	WAIT_FOR(has_joined(1));
	tell_document("a", 9);
	for (int round = 1; round < ROUNDS; round++) {
		DOUBLE_SET(dbl.let = 1);
		WAIT_FOR(double_get(&dbl.loads) == round &&
			 double_get(&dbl.waiting) == 1);
	}
	DOUBLE_SET(dbl.let = 1);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "\"1.8\""));
	DOUBLE_SET(dbl.hangs = false);
	assert_true(has_etag("/v1/shop/a", "\"1.8\"") && !is_stale());
}

/* Which may be the newer one. */
static void
who_has_another_version_waits_for_the_newer(void **state)
{
	const char *address;
	int fds[3];

	(void)state;
	address = server_data_address(srv);
	hang_behind_a_change(8);
	fds[0] = ask_with(address, "/v1/shop/a", "If-None-Match: \"1.8\"\r\n");
	fds[1] = ask_with(address, "/v1/shop/a", "If-Match: \"1.8\"\r\n");
	fds[2] = ask_with(address, "/v1/shop/a",
			  "If-None-Match: \"1.8\", \"1.7\"\r\n");
	WAIT_FOR(has_joined(3));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fds[0]), 304);
	assert_int_equal(read_answer(fds[1]), 200);
	assert_int_equal(read_answer(fds[2]), 304);
	assert_non_null(strstr(answer, "ETag: \"1.8\""));
}

/* By the time the other one is there it would be too old. */
static void
a_batch_that_waits_has_the_newer_one(void **state)
{
	int fd;

	(void)state;
	hang_behind_a_change(8);
	fd = ask(server_data_address(srv), "/v1/shop?ids=a,b");
	WAIT_FOR(has_joined(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fd), 200);
	assert_null(strstr(answer, "\"revision\":7"));
	assert_false(is_stale());
}

/* What nobody was given does not count against the store. */
static void
who_comes_when_it_was_tried_often_gets_what_was_told(void **state)
{
	int fd;

	(void)state;
	hang_behind_a_change(9);
	DOUBLE_SET(dbl.revision = 7);
	tell_checkpoint(21);
	for (int round = 1; round < ROUNDS; round++) {
		DOUBLE_SET(dbl.let = 1);
		WAIT_FOR(double_get(&dbl.loads) == round &&
			 double_get(&dbl.waiting) == 1);
	}
	fd = ask_with(server_data_address(srv), "/v1/shop/a",
		      "Projection-Min-Position: \"shop/0@20\"\r\n");
	WAIT_FOR(has_joined(1));
	DOUBLE_SET(dbl.hangs = false; dbl.revision_after = 9);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "\"1.9\""));
}

/* Who asks for a position again and again holds up nobody. */
static void
who_waits_is_answered_however_often_others_ask(void **state)
{
	static const char least[] = "Projection-Min-Position: \"shop/0@9\"\r\n";
	int first, fds[ROUNDS];

	(void)state;
	hang_behind_a_change(8);
	first = ask_with(server_data_address(srv), "/v1/shop/a",
			 "If-None-Match: \"1.6\"\r\n");
	WAIT_FOR(has_joined(1));
	for (int round = 0; round < ROUNDS; round++) {
		fds[round] =
			ask_with(server_data_address(srv), "/v1/shop/a", least);
		WAIT_FOR(has_joined(2 + round));
		DOUBLE_SET(dbl.let = 1);
		WAIT_FOR(double_get(&dbl.loads) == round + 1);
	}
	assert_int_equal(read_answer(first), 200);
	assert_non_null(strstr(answer, "\"1.8\""));
	DOUBLE_SET(dbl.hangs = false);
	for (int round = 0; round < ROUNDS; round++)
		assert_int_equal(read_answer(fds[round]), 200);
}

static void
while_the_store_is_away_it_is_what_there_is(void **state)
{
	(void)state;
	hang_behind_a_change(8);
	DOUBLE_SET(dbl.away = true; dbl.hangs = false);
	WAIT_FOR(get("/v1/shop/b") == 503);
	assert_true(has_etag("/v1/shop/a", "\"1.7\"") && is_stale());
	DOUBLE_SET(dbl.away = false);
	WAIT_FOR(has_etag("/v1/shop/a", "\"1.8\"") && !is_stale());
}

/* ---- Ends --------------------------------------------------------------- */

static void
a_lost_stream_ends_it(void **state)
{
	int fd;

	(void)state;
	hang_behind_a_change(8);
	assert_true(has_etag("/v1/shop/a", "\"1.7\"") && is_stale());
	DOUBLE_SET(dbl.stream_breaks = dbl.opening_hangs = true);
	WAIT_FOR(!is_following());
	fd = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(has_joined(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(fd), 200);
	assert_true(strstr(answer, "\"1.8\"") && !is_stale());
	DOUBLE_SET(dbl.opening_hangs = false);
	WAIT_FOR(is_following());
}

/* The server stops while nobody waits for a load. */
static void
a_load_that_nobody_waits_for_ends_with_the_server(void **state)
{
	(void)state;
	hang_behind_a_change(8);
	tell_document("a", 9);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define WITH_POLICY(test)                                                      \
	cmocka_unit_test_setup_teardown(test, start_with_policy, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(what_was_asked_for_is_read_again_before_anybody_asks),
		SERVED(what_nobody_had_is_not_read),
		WITH_POLICY(what_was_taken_away_is_asked_for_by_who_wants_it),
		SERVED(it_is_read_with_the_coding_that_was_asked_for),
		WITH_POLICY(a_newer_change_meanwhile_is_read_too),
		WITH_POLICY(the_one_before_is_given_until_the_newer_is_there),
		WITH_POLICY(who_asks_for_the_newer_one_waits_for_it),
		WITH_POLICY(a_long_poll_ends_with_the_newer_one),
		SERVED(where_it_is_not_wanted_everybody_waits),
		cmocka_unit_test_setup_teardown(
			where_it_is_not_wanted_everybody_waits, start_without,
			stop),
		cmocka_unit_test_setup_teardown(it_is_given_for_so_long_only,
						start_with_short, stop),
		WITH_POLICY(who_had_a_newer_one_is_not_given_the_one_before),
		WITH_POLICY(who_has_another_version_waits_for_the_newer),
		WITH_POLICY(a_batch_that_waits_has_the_newer_one),
		WITH_POLICY(
			who_comes_when_it_was_tried_often_gets_what_was_told),
		WITH_POLICY(who_waits_is_answered_however_often_others_ask),
		WITH_POLICY(while_the_store_is_away_it_is_what_there_is),
		WITH_POLICY(a_lost_stream_ends_it),
		WITH_POLICY(a_load_that_nobody_waits_for_ends_with_the_server),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
