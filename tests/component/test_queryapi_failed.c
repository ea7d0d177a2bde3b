/* SPDX-License-Identifier: Apache-2.0 */
/* What the log says of what failed: of a read, whose it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queryapi/reading.h"
#include "tests/component/served_double.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define LINES(id)                                                              \
	"X-Request-Id: " id "\r\n"                                             \
	"traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\n"

static char file[] = "/tmp/test_queryapi_failed.XXXXXX";
static int log_fd, real_stderr;

static int
start_logging(void **state)
{
	log_fd = mkstemp(file);
	real_stderr = dup(STDERR_FILENO);
	assert_true(log_fd >= 0 && real_stderr >= 0);
	assert_true(dup2(log_fd, STDERR_FILENO) >= 0);
	return start(state);
}

static int
stop_logging(void **state)
{
	int rc = stop(state);

	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
	(void)close(real_stderr);
	(void)close(log_fd);
	(void)unlink(file);
	memcpy(file + sizeof(file) - 7, "XXXXXX", 6);
	return rc;
}

static const char *
whole_log(void)
{
	static char text[65536];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* The last line of that event ("name "), from there on, or NULL. */
static const char *
last_of(const char *event)
{
	const char *found = NULL, *at = whole_log();

	while ((at = strstr(at, "event=")))
		if (strncmp(at += strlen("event="), event, strlen(event)) == 0)
			found = at;
	return found;
}

static const char *
last_failed(void)
{
	return last_of("read.failed ");
}

static void
a_load_that_fails_names_who_asked_first(void **state)
{
	const char *address = server_data_address(srv);
	int first, second;

	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.hangs = dbl.damaged = true);
	first = ask_with(address, "/v1/shop/b", LINES("first-1"));
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	second = ask_with(address, "/v1/shop/b", LINES("second-2"));
	WAIT_FOR(read_answer(ask(server_admin_address(srv), "/status")) &&
		 strstr(answer, "\"in_flight\":2"));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(first), 500);
	assert_int_equal(read_answer(second), 500);
	assert_non_null(last_failed());
	assert_non_null(strstr(last_failed(),
			       " request=first-1 trace=" TRACE " text="));
}

static void
a_store_that_goes_away_is_told_with_a_request(void **state)
{
	(void)state;
	WAIT_FOR(readyz() == 200);
	DOUBLE_SET(dbl.away = true);
	assert_int_equal(
		read_answer(ask_with(server_data_address(srv), "/v1/shop/a",
				     "X-Request-Id: alone\r\n")),
		503);
	assert_non_null(last_failed());
	assert_non_null(
		strstr(last_failed(), " request=alone text=\"double: away\""));
	DOUBLE_SET(dbl.away = false);
}

static void
a_list_that_fails_names_its_request(void **state)
{
	struct fetch *fetch = fetch_new(0, 0);
	struct metrics met = {.n_sets = 0};
	struct worker wrk = {.metrics = &met};
	struct pj_error err;

	(void)state;
	strcpy(fetch->request_id, "list-3");
	strcpy(fetch->trace_id, TRACE);
	(void)pj_error_set(&err, PJ_ERROR_RETRY, "no list");
	reading_failed(&wrk, fetch, &err);
	assert_int_equal(fetch->res.status, 503);
	assert_non_null(strstr(last_failed(), " request=list-3 trace=" TRACE
					      " text=\"no list\""));
	fetch_free(fetch);
}

static int
count_of(const char *event)
{
	int n = 0;

	for (const char *at = whole_log(); (at = strstr(at, event)); at++)
		n++;
	return n;
}

static void
a_stream_that_breaks_is_said_once_until_there_is_another(void **state)
{
	const char *line;
	int before;

	(void)state;
	WAIT_FOR(is_following());
	assert_null(last_of("feed.lost "));
	DOUBLE_SET(dbl.stream_breaks = true);
	WAIT_FOR(last_of("feed.lost "));
	line = last_of("feed.lost ");
	assert_memory_equal(line, "feed.lost text=\"double: broken\" ", 32);
	assert_non_null(strstr(line, " do=\"every read asks the store"));
	WAIT_FOR(strstr(last_of("feed.lost "), "event=feed.following views=1"));
	/* However often it is tried. */
	DOUBLE_SET(dbl.away = true; before = dbl.openings);
	WAIT_FOR(double_get(&dbl.openings) >= before + 3);
	DOUBLE_SET(dbl.away = false);
	/* The metric says so before the log. */
	WAIT_FOR(count_of("event=feed.following ") == 3);
	assert_int_equal(count_of("event=feed.lost "), 2);
}

static void
a_stream_that_is_behind_the_store_is_said(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	/* The store moves on, the stream tells nothing. */
	DOUBLE_SET(dbl.next = 50);
	WAIT_FOR(last_of("feed.late "));
	assert_true(atoi(last_of("feed.late ms=") + strlen("feed.late ms=")) >
		    1000);
	assert_non_null(strstr(last_of("feed.late "),
			       " text=\"the stream of changes is behind the "
			       "store"));
}

#define SERVED(test)                                                           \
	cmocka_unit_test_setup_teardown(test, start_logging, stop_logging)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_load_that_fails_names_who_asked_first),
		SERVED(a_store_that_goes_away_is_told_with_a_request),
		SERVED(a_list_that_fails_names_its_request),
		SERVED(a_stream_that_breaks_is_said_once_until_there_is_another),
		SERVED(a_stream_that_is_behind_the_store_is_said),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
