/* SPDX-License-Identifier: Apache-2.0 */
/* The whole read side, in this process, on a store that misbehaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

static void
an_outage_is_told_quickly_and_ends_by_itself(void **state)
{
	int64_t begun;

	(void)state;
	WAIT_FOR(readyz() == 200);
	assert_int_equal(get("/v1/shop/a"), 200);
	DOUBLE_SET(dbl.away = true);
	begun = clock_mono_ms();
	assert_int_equal(get("/v1/shop/b"), 503);
	assert_true(clock_mono_ms() - begun < 2000);
	assert_non_null(strstr(answer, "problem:store-unavailable\""));
	assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
	/* The driver's words are for the log, not for strangers. */
	assert_null(strstr(answer, "double"));
	WAIT_FOR(readyz() == 503);
	assert_int_equal(get("/v1/shop/a"), 503);
	assert_int_equal(get("/v1/shop?ids=a"), 503);
	/* Known to be away, it is not even asked: a driver may take long. */
	DOUBLE_SET(dbl.hangs = true);
	begun = clock_mono_ms();
	assert_int_equal(get("/v1/shop/a"), 503);
	assert_non_null(strstr(answer, "problem:store-unavailable\""));
	assert_true(clock_mono_ms() - begun < 2000);
	DOUBLE_SET(dbl.hangs = false);
	/* What needs no document goes on. */
	assert_int_equal(get("/openapi.json"), 200);
	assert_int_equal(get("/nothing"), 404);
	DOUBLE_SET(dbl.away = false);
	WAIT_FOR(readyz() == 200);
	assert_int_equal(get("/v1/shop/a"), 200);
}

static void
who_waits_for_a_store_that_hangs_is_told(void **state)
{
	int in_work, queued;
	int64_t begun;

	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.hangs = dbl.looks_hang = true);
	begun = clock_mono_ms();
	in_work = ask(server_data_address(srv), "/v1/shop/work");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	queued = ask(server_data_address(srv), "/v1/shop/queued");
	assert_int_equal(read_answer(in_work), 503);
	assert_non_null(strstr(answer, "problem:store-unavailable\""));
	assert_int_equal(read_answer(queued), 503);
	assert_true(clock_mono_ms() - begun < 3000);
	assert_int_equal(readyz(), 503);
	DOUBLE_SET(dbl.hangs = dbl.looks_hang = false);
	WAIT_FOR(readyz() == 200);
	assert_int_equal(get("/v1/shop/a"), 200);
}

static void
a_look_that_hangs_is_no_outage_while_reads_are_answered(void **state)
{
	int64_t until = clock_mono_ms() + 2500;

	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.looks_hang = true);
	for (int i = 0; clock_mono_ms() < until; i++) {
		char target[32];

		(void)snprintf(target, sizeof(target), "/v1/shop/%d", i);
		assert_int_equal(get(target), 200);
		pause_ms(20);
	}
	/* Nobody asks, so nothing is known but that the look hangs. */
	WAIT_FOR(readyz() == 503);
	DOUBLE_SET(dbl.looks_hang = false);
	WAIT_FOR(readyz() == 200);
}

static void
a_generation_dropped_under_a_read_is_no_absent_document(void **state)
{
	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.move_on_load = true);
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_non_null(strstr(answer, "ETag: \"2.7\""));
	DOUBLE_SET(dbl.live = 1);
	WAIT_FOR(readyz() == 200);
	assert_int_equal(get("/v1/shop?ids=a,-none"), 200);
	assert_non_null(strstr(answer, "{\"id\":\"a\",\"found\":true"));
	assert_non_null(strstr(answer, "{\"id\":\"-none\",\"found\":false"));
}

static void
a_checkpoint_newer_than_the_read_is_not_told(void **state)
{
	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.next_on_load = 1000);
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@9\""));
	/* Of a key without document too: its absence was read at that time. */
	DOUBLE_SET(dbl.next_on_load = 0);
	WAIT_FOR(get("/v1/shop/a") == 200 && strstr(answer, "shop/0@999"));
}

static void
a_batch_asks_again_for_what_a_load_left_out(void **state)
{
	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.meager = true);
	assert_int_equal(get("/v1/shop?ids=a,b,c"), 200);
	assert_non_null(strstr(answer, "{\"id\":\"a\",\"found\":true"));
	assert_non_null(strstr(answer, "{\"id\":\"b\",\"found\":true"));
	assert_non_null(strstr(answer, "{\"id\":\"c\",\"found\":true"));
}

static void
damaged_documents_are_an_error_of_ours(void **state)
{
	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.damaged = true);
	assert_int_equal(get("/v1/shop/a"), 500);
	assert_non_null(strstr(answer, "application/problem+json"));
	assert_int_equal(get("/v1/shop?ids=a"), 500);
	DOUBLE_SET(dbl.damaged = false);
	assert_int_equal(get("/v1/shop/a"), 200);
}

static void
a_full_queue_sheds_at_once(void **state)
{
	const char *address = server_data_address(srv);
	int in_work, queued[2];

	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.hangs = true);
	in_work = ask(address, "/v1/shop/work");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	queued[0] = ask(address, "/v1/shop/q1");
	queued[1] = ask(address, "/v1/shop/q2");
	/* Until both are in, one more might still find room. */
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"queued\":2"));
	assert_int_equal(get("/v1/shop/more"), 503);
	assert_non_null(strstr(answer, "problem:overloaded\""));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(in_work), 200);
	assert_int_equal(read_answer(queued[0]), 200);
	assert_int_equal(read_answer(queued[1]), 200);
}

enum { WAIT_MS = 50 };

static int
start_in_a_hurry(void **state)
{
	(void)state;
	prepare();
	set.queryapi.queue_depth = 100;
	set.queryapi.queue_wait_ms = WAIT_MS;
	return start_prepared();
}

static bool
is_queued(int n)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "\"queued\":%d", n);
	return read_answer(ask(server_admin_address(srv), "/status")) == 200 &&
	       strstr(answer, want);
}

static void
assert_shed(const char *target)
{
	assert_int_equal(get(target), 503);
	assert_non_null(strstr(answer, "problem:overloaded\""));
	assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
}

static void
behind_what_waited_too_long_nothing_waits(void **state)
{
	const char *address = server_data_address(srv);
	int in_work, queued, joined;

	(void)state;
	WAIT_FOR(get("/v1/shop/hit") == 200 &&
		 read_answer(ask(server_admin_address(srv), "/metrics")) &&
		 strstr(answer, "\nshopview_feed_following 1\n"));
	assert_int_equal(get("/v1/shop/hit"), 200);
	DOUBLE_SET(dbl.hangs = true);
	in_work = ask(address, "/v1/shop/work");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	/* What is at work does not wait. */
	pause_ms(WAIT_MS + 10);
	queued = ask(address, "/v1/shop/q");
	WAIT_FOR(is_queued(1));
	pause_ms(WAIT_MS + 10);
	assert_shed("/v1/shop/more");
	assert_shed("/v1/shop?ids=more,hit");
	assert_shed("/v1/shop?limit=1");
	assert_int_equal(get("/v1/shop/hit"), 200);
	/* Nothing more is read for who asks for the same. */
	joined = ask(address, "/v1/shop/q");
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"in_flight\":3"));
	assert_true(is_queued(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(in_work), 200);
	assert_int_equal(read_answer(queued), 200);
	assert_int_equal(read_answer(joined), 200);
	assert_int_equal(get("/v1/shop/more"), 200);
}

static void
who_went_away_keeps_nobody_from_waiting(void **state)
{
	const char *address = server_data_address(srv);
	int in_work, gone, queued;

	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.hangs = true);
	in_work = ask(address, "/v1/shop/work");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	/* A list goes ahead of whatever comes: its place in the queue stays. */
	gone = ask(address, "/v1/shop?limit=1");
	WAIT_FOR(is_queued(1));
	pause_ms(WAIT_MS + 10);
	assert_shed("/v1/shop/more");
	(void)close(gone);
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/metrics")) &&
		 strstr(answer, "shopview_http_hangups_total 1\n"));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(in_work), 200);
	/* Until a worker has taken it away. */
	WAIT_FOR(is_queued(0));
	DOUBLE_SET(dbl.hangs = true);
	in_work = ask(address, "/v1/shop/again");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	queued = ask(address, "/v1/shop/q");
	WAIT_FOR(is_queued(1));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(in_work), 200);
	assert_int_equal(read_answer(queued), 200);
}

static void
nothing_is_read_for_a_client_that_hung_up(void **state)
{
	const char *address = server_data_address(srv);
	int in_work, gone;

	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.hangs = true);
	in_work = ask(address, "/v1/shop/work");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	gone = ask(address, "/v1/shop/gone");
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"queued\":1"));
	(void)close(gone);
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/metrics")) &&
		 strstr(answer, "shopview_http_hangups_total 1\n"));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(in_work), 200);
	assert_int_equal(get("/v1/shop/last"), 200);
	assert_string_equal(dbl.loaded, "work last ");
}

static void
a_client_that_hangs_up_during_its_read_is_forgotten(void **state)
{
	char target[32];
	int gone;

	(void)state;
	WAIT_FOR(readyz() == 200);
	for (int i = 0; i < 20; i++) {
		DOUBLE_SET(dbl.hangs = true);
		(void)snprintf(target, sizeof(target), "/v1/shop/gone%d", i);
		gone = ask(server_data_address(srv), target);
		WAIT_FOR(double_get(&dbl.waiting) == 1);
		(void)close(gone);
		if (i % 2)
			WAIT_FOR(read_answer(ask(server_admin_address(srv),
						 "/status")) &&
				 strstr(answer, "\"in_flight\":0"));
		DOUBLE_SET(dbl.hangs = false);
		assert_int_equal(get("/v1/shop/a"), 200);
	}
}

static int
start_impatient(void **state)
{
	(void)start(state);
	/* Read at each use; nothing is asked before this returns. */
	set.queryapi.request_timeout_ms = 100;
	return 0;
}

static void
a_read_that_takes_too_long_is_given_up(void **state)
{
	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.hangs = true);
	assert_int_equal(get("/v1/shop/slow"), 503);
	assert_non_null(strstr(answer, "problem:timeout\""));
	assert_non_null(strstr(answer, "Retry-After"));
	/* Behind it in the queue: given up as well, and never read. */
	assert_int_equal(get("/v1/shop/behind"), 503);
	DOUBLE_SET(dbl.hangs = false);
	WAIT_FOR(get("/v1/shop/a") == 200);
	assert_string_equal(dbl.loaded, "slow a ");
}

static void
a_stuck_store_does_not_keep_the_process(void **state)
{
	int64_t begun;
	int fd;

	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.hangs = true);
	fd = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	begun = clock_mono_ms();
	/* The worker is stuck: the caller is told, nothing is freed. */
	assert_false(server_stop(srv));
	assert_true(clock_mono_ms() - begun < 5000);
	assert_int_equal(read_answer(fd), 0);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(an_outage_is_told_quickly_and_ends_by_itself),
		SERVED(who_waits_for_a_store_that_hangs_is_told),
		SERVED(a_look_that_hangs_is_no_outage_while_reads_are_answered),
		SERVED(a_generation_dropped_under_a_read_is_no_absent_document),
		SERVED(a_checkpoint_newer_than_the_read_is_not_told),
		SERVED(a_batch_asks_again_for_what_a_load_left_out),
		SERVED(damaged_documents_are_an_error_of_ours),
		SERVED(a_full_queue_sheds_at_once),
		cmocka_unit_test_setup_teardown(
			behind_what_waited_too_long_nothing_waits,
			start_in_a_hurry, stop),
		cmocka_unit_test_setup_teardown(
			who_went_away_keeps_nobody_from_waiting,
			start_in_a_hurry, stop),
		SERVED(nothing_is_read_for_a_client_that_hung_up),
		SERVED(a_client_that_hangs_up_during_its_read_is_forgotten),
		cmocka_unit_test_setup_teardown(
			a_read_that_takes_too_long_is_given_up, start_impatient,
			stop),
		cmocka_unit_test_setup(a_stuck_store_does_not_keep_the_process,
				       start),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
