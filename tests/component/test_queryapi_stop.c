/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked, or read, while the read side stops is answered and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

static pthread_t stopper;

static int
start_with_time(void **state)
{
	(void)state;
	prepare();
	/* Longer than any test's patience: who is forgotten is missed. */
	set.queryapi.stop_timeout_ms = 2 * PATIENCE_MS;
	return start_prepared();
}

static void *
run_stop(void *arg)
{
	(void)arg;
	return server_stop(srv) ? srv : NULL;
}

static bool
is_refused(const char *address)
{
	int fd = reach(address);

	if (fd >= 0)
		(void)close(fd);
	return fd < 0;
}

/* The loop has begun to stop. */
static void
begin_stop(void)
{
	char address[64];

	(void)snprintf(address, sizeof(address), "%s",
		       server_data_address(srv));
	assert_int_equal(pthread_create(&stopper, NULL, run_stop, NULL), 0);
	WAIT_FOR(is_refused(address));
}

static int
await_stop(void **state)
{
	void *ended;

	(void)state;
	assert_int_equal(pthread_join(stopper, &ended), 0);
	assert_non_null(ended);
	release_settings();
	return 0;
}

/* Until the server ends the connection; it may not wait for its own time. */
static int
read_in_time(int fd)
{
	struct timeval patience = {PATIENCE_MS / 1000, 0};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
				    sizeof(patience)),
			 0);
	return read_answer(fd);
}

/* All of a head but its end. */
static int
begin_head(const char *lines)
{
	return send_text(server_data_address(srv), lines);
}

static int
end_head(int fd)
{
	assert_int_equal(write(fd, "\r\n", 2), 2);
	return read_in_time(fd);
}

static void
a_long_poll_that_was_being_read_is_answered(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	fd = ask_with(server_data_address(srv), "/v1/shop/a?wait=60",
		      "If-None-Match: \"1.7\"\r\n");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	begin_stop();
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_in_time(fd), 304);
}

static void
what_would_wait_is_answered(void **state)
{
	int poll, position;

	(void)state;
	WAIT_FOR(is_following());
	poll = begin_head("GET /v1/shop/a?wait=60 HTTP/1.1\r\nHost: a\r\n"
			  "If-None-Match: \"1.7\"\r\n");
	position = begin_head("GET /v1/shop/a HTTP/1.1\r\nHost: a\r\n"
			      "Projection-Min-Position: \"shop/0@20\"\r\n"
			      "Prefer: wait=60\r\n");
	begin_stop();
	assert_int_equal(end_head(poll), 304);
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_int_equal(end_head(position), 503);
	assert_non_null(strstr(answer, "problem:position-not-reached\""));
}

static void
no_stream_begins(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_following());
	fd = begin_head("GET /v1/shop/a/events HTTP/1.1\r\nHost: a\r\n");
	begin_stop();
	assert_int_equal(end_head(fd), 503);
	assert_non_null(strstr(answer, "the server is stopping"));
}

#define STOPPED(test)                                                          \
	cmocka_unit_test_setup_teardown(test, start_with_time, await_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STOPPED(a_long_poll_that_was_being_read_is_answered),
		STOPPED(what_would_wait_is_answered),
		STOPPED(no_stream_begins),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
