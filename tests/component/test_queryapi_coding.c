/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that was put together is compressed by a worker. When none is to be
 * had, it is as good without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

enum { WAIT_MS = 50, REQUEST_MS = 2000 };

static char shop[] = "shop", front[] = "front";
static char *parts[] = {shop};
static struct settings_page page = {front, parts, 1};

static const char batch[] = "/v1/shop?ids=a,b";
static const char of_page[] = "/v1/pages/front/a";

/* Policies let what is kept be served while the store is away. */
static void
begin(void)
{
	set.pages = &page;
	set.n_pages = 1;
	set.queryapi.part_timeout_ms = set.queryapi.request_timeout_ms;
	DOUBLE_SET(dbl.cache = ",\"cache\":{\"maxAge\":5,"
			       "\"staleWhileRevalidate\":30,"
			       "\"staleIfError\":300}");
	(void)start_prepared();
	WAIT_FOR(is_following() && get(batch) == 200);
}

static int
start_one_worker(void **state)
{
	(void)state;
	prepare();
	begin();
	return 0;
}

static int
start_in_a_hurry(void **state)
{
	(void)state;
	prepare();
	set.queryapi.queue_depth = 100;
	set.queryapi.queue_wait_ms = WAIT_MS;
	begin();
	return 0;
}

static int
start_with_one_place(void **state)
{
	(void)state;
	prepare();
	set.queryapi.queue_depth = 1;
	begin();
	return 0;
}

static int
start_impatient(void **state)
{
	(void)state;
	prepare();
	set.queryapi.request_timeout_ms = REQUEST_MS;
	begin();
	return 0;
}

static int
ask_gzip(const char *target)
{
	return ask_with(server_data_address(srv), target,
			"Accept-Encoding: gzip\r\n");
}

static bool
has(const char *text)
{
	return strstr(answer, text) != NULL;
}

static bool
is_queued(int n)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "\"queued\":%d", n);
	return read_answer(ask(server_admin_address(srv), "/status")) == 200 &&
	       has(want);
}

/* The one worker is in a read of this key from here on. */
static int
hold_worker(const char *target)
{
	int fd;

	DOUBLE_SET(dbl.hangs = true);
	fd = ask(server_data_address(srv), target);
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	return fd;
}

static void
assert_coded(int fd)
{
	assert_int_equal(read_answer(fd), 200);
	assert_true(has("\r\nContent-Encoding: gzip\r\n"));
	assert_false(has("\"revision\":7"));
}

static void
assert_plain(int fd)
{
	assert_int_equal(read_answer(fd), 200);
	assert_false(has("Content-Encoding"));
	assert_true(has("\"revision\":7"));
	/* Another client may be sent the other one. */
	assert_true(has("\r\nVary: Accept-Encoding"));
}

static void
a_free_worker_compresses(void **state)
{
	(void)state;
	assert_coded(ask_gzip(batch));
	assert_coded(ask_gzip(of_page));
	assert_true(has("\r\nETag: \"1.7_"));
	assert_true(has("-gzip\"\r\n"));
	assert_plain(ask(server_data_address(srv), batch));
}

static void
a_worker_that_comes_in_time_is_waited_for(void **state)
{
	int held = hold_worker("/v1/shop/held"), coded;

	(void)state;
	coded = ask_gzip(batch);
	WAIT_FOR(is_queued(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(held), 200);
	assert_coded(coded);
}

static void
what_is_kept_is_served_uncompressed_while_the_store_hangs(void **state)
{
	int held = hold_worker("/v1/shop/held");

	(void)state;
	DOUBLE_SET(dbl.looks_hang = true);
	assert_int_equal(read_answer(held), 503);
	assert_plain(ask_gzip(batch));
	assert_true(has("detail=stale"));
	assert_plain(ask_gzip(of_page));
	assert_true(has("detail=stale"));
	/* No worker was asked. */
	assert_true(is_queued(0));
}

static void
what_waits_for_a_worker_goes_out_as_it_is_when_the_store_hangs(void **state)
{
	int held = hold_worker("/v1/shop/held"), several, one;

	(void)state;
	several = ask_gzip(batch);
	WAIT_FOR(is_queued(1));
	one = ask_gzip(of_page);
	WAIT_FOR(is_queued(2));
	DOUBLE_SET(dbl.looks_hang = true);
	assert_int_equal(read_answer(held), 503);
	assert_plain(several);
	/* It was the newest when it was asked for. */
	assert_false(has("detail=stale"));
	assert_plain(one);
	assert_true(has("\r\nETag: \"1.7_"));
	assert_false(has("-gzip"));
}

/* It was read for whoever asked: nothing that is kept takes its place. */
static void
what_waits_for_a_worker_has_the_position_that_was_asked_for(void **state)
{
	int held = hold_worker("/v1/shop/held"), own;

	(void)state;
	own = ask_with(server_data_address(srv), batch,
		       "Accept-Encoding: gzip\r\n"
		       "Projection-Min-Position: \"shop/0@9\"\r\n");
	WAIT_FOR(is_queued(1));
	DOUBLE_SET(dbl.looks_hang = true);
	assert_int_equal(read_answer(held), 503);
	assert_plain(own);
}

static void
behind_what_waited_too_long_nothing_is_compressed(void **state)
{
	int held = hold_worker("/v1/shop/held"), queued;

	(void)state;
	queued = ask(server_data_address(srv), "/v1/shop/queued");
	WAIT_FOR(is_queued(1));
	pause_ms(WAIT_MS + 10);
	assert_plain(ask_gzip(batch));
	assert_plain(ask_gzip(of_page));
	assert_true(has("\r\nETag: \"1.7_"));
	assert_false(has("-gzip"));
	assert_true(is_queued(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(held), 200);
	assert_int_equal(read_answer(queued), 200);
	assert_coded(ask_gzip(batch));
}

static void
when_the_queue_is_full_nothing_is_compressed(void **state)
{
	int held = hold_worker("/v1/shop/held"), queued;

	(void)state;
	queued = ask_gzip(batch);
	WAIT_FOR(is_queued(1));
	assert_plain(ask_gzip(batch));
	assert_plain(ask_gzip(of_page));
	assert_true(is_queued(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(held), 200);
	assert_coded(queued);
}

static void
when_its_time_is_over_an_answer_goes_out_as_it_is(void **state)
{
	int held = hold_worker("/v1/shop/held"), queued;

	(void)state;
	queued = ask_gzip(batch);
	assert_plain(queued);
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(held), 503);
	assert_true(has("problem:timeout\""));
}

static void
of_who_went_away_nothing_is_left(void **state)
{
	int held = hold_worker("/v1/shop/held"), gone;

	(void)state;
	gone = ask_gzip(batch);
	WAIT_FOR(is_queued(1));
	(void)close(gone);
	WAIT_FOR(metric_is("shopview_http_hangups_total 1\n"));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(held), 200);
	WAIT_FOR(is_queued(0));
	assert_coded(ask_gzip(batch));
}

#define WITH(test, setup) cmocka_unit_test_setup_teardown(test, setup, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(a_free_worker_compresses, start_one_worker),
		WITH(a_worker_that_comes_in_time_is_waited_for,
		     start_one_worker),
		WITH(what_is_kept_is_served_uncompressed_while_the_store_hangs,
		     start_one_worker),
		WITH(what_waits_for_a_worker_goes_out_as_it_is_when_the_store_hangs,
		     start_one_worker),
		WITH(what_waits_for_a_worker_has_the_position_that_was_asked_for,
		     start_one_worker),
		WITH(behind_what_waited_too_long_nothing_is_compressed,
		     start_in_a_hurry),
		WITH(when_the_queue_is_full_nothing_is_compressed,
		     start_with_one_place),
		WITH(when_its_time_is_over_an_answer_goes_out_as_it_is,
		     start_impatient),
		WITH(of_who_went_away_nothing_is_left, start_one_worker),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
