/* SPDX-License-Identifier: Apache-2.0 */
/* Pages on a store that misbehaves: parts that are late, stale, or nowhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

enum { PART_MS = 150, REQUEST_MS = 1500 };

static char shop[] = "shop", stock[] = "stock", front[] = "front";
static char *parts[] = {shop, stock};
static struct settings_page page = {front, parts, 2};

static int
start_page(void **state)
{
	(void)state;
	prepare();
	set.pages = &page;
	set.n_pages = 1;
	set.queryapi.workers = 2;
	set.queryapi.part_timeout_ms = PART_MS;
	set.queryapi.request_timeout_ms = REQUEST_MS;
	/* Documents may be served for five minutes while the store is away. */
	DOUBLE_SET(dbl.stock = true; dbl.hung = "stock.1";
		   dbl.cache = ",\"cache\":{\"maxAge\":5,"
			       "\"staleWhileRevalidate\":30,"
			       "\"staleIfError\":300}");
	(void)start_prepared();
	WAIT_FOR(readyz() == 200);
	return 0;
}

static bool
has(const char *text)
{
	return strstr(answer, text) != NULL;
}

/* What is kept is old from here on, but still there. */
static void
forget_following(void)
{
	int before = double_get(&dbl.watches);

	DOUBLE_SET(dbl.stream_breaks = true);
	WAIT_FOR(double_get(&dbl.watches) > before && is_following());
}

static void
assert_whole(const char *key)
{
	char target[64];

	(void)snprintf(target, sizeof(target), "/v1/pages/front/%s", key);
	assert_int_equal(get(target), 200);
	assert_true(has("\r\nETag: \"1.7_1.7_"));
	assert_true(has("\"missing\":{}}"));
	assert_false(has("\r\nAge: "));
}

static void
a_late_part_is_left_out_and_the_answer_is_not_kept(void **state)
{
	int64_t begun = clock_mono_ms();

	(void)state;
	DOUBLE_SET(dbl.hangs = true);
	assert_int_equal(get("/v1/pages/front/a"), 200);
	assert_true(clock_mono_ms() - begun >= PART_MS);
	assert_true(has("{\"id\":\"a\",\"parts\":{\"shop\":{\"revision\":7,"
			"\"document\":{\"id\":\"a\"}}},"
			"\"missing\":{\"stock\":\"late\"}}"));
	assert_true(has("\r\nCache-Control: no-store\r\n"));
	/* The other one is as it was read: not looked for again. */
	assert_false(has("\r\nAge: "));
	assert_false(has("ETag"));
	assert_false(has("Projection-Position"));
	assert_int_equal(
		read_answer(ask(server_admin_address(srv), "/metrics")), 200);
	assert_true(has("\nshopview_pages_late_total 1\n"));
	/* Its load goes on for who comes next. */
	DOUBLE_SET(dbl.hangs = false);
	assert_whole("a");
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
a_late_part_that_is_kept_is_served_stale(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_whole("a");
	forget_following();
	DOUBLE_SET(dbl.hangs = true);
	assert_int_equal(get("/v1/pages/front/a"), 200);
	assert_true(has("\"stock\":{\"revision\":7,"));
	assert_true(has("\r\nETag: \"1.7_1.7_"));
	assert_true(has("\r\nAge: 0\r\nCache-Status: shopview; hit; "
			"detail=stale\r\n"));
	assert_true(has("\r\nCache-Control: public, max-age=5, "));
	/* The other part was read anew. */
	assert_int_equal(double_get(&dbl.loads), 3);
}

static void
a_page_without_any_part_in_time_is_given_up(void **state)
{
	(void)state;
	DOUBLE_SET(dbl.hung = NULL; dbl.hangs = true);
	assert_int_equal(get("/v1/pages/front/a"), 503);
	assert_true(has("problem:timeout\""));
	assert_true(has("\r\nRetry-After: 1\r\n"));
	/* Nor is an absent one a reason to say that there is nothing. */
	DOUBLE_SET(dbl.hung = "stock.1");
	assert_int_equal(get("/v1/pages/front/-none"), 503);
	assert_true(has("problem:timeout\""));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(get("/v1/pages/front/-none"), 404);
	assert_true(has("problem:not-found\""));
}

static void
an_outage_leaves_what_is_kept(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_whole("b");
	DOUBLE_SET(dbl.away = true);
	WAIT_FOR(get("/v1/pages/front/b") == 200 && has("detail=stale\r\n"));
	assert_true(has("\"missing\":{}}"));
	assert_true(has("\r\nETag: \"1.7_1.7_"));
	assert_int_equal(get("/v1/pages/front/a"), 200);
	assert_true(has("\"parts\":{\"shop\":{"));
	assert_true(has("\"missing\":{\"stock\":\"late\"}}"));
	assert_true(has("\r\nCache-Control: no-store\r\n"));
	assert_int_equal(get("/v1/pages/front/c"), 503);
	assert_true(has("problem:store-unavailable\""));
}

static void
each_request_behind_another_has_a_deadline_of_its_own(void **state)
{
	int64_t begun = clock_mono_ms();

	(void)state;
	DOUBLE_SET(dbl.hangs = true);
	assert_int_equal(
		read_answer(send_text(
			server_data_address(srv),
			"GET /v1/pages/front/a HTTP/1.1\r\nHost: a\r\n\r\n"
			"GET /v1/stock/b HTTP/1.1\r\nHost: a\r\n\r\n"
			"GET /v1/pages/front/a HTTP/1.1\r\nHost: a\r\n"
			"Connection: close\r\n\r\n")),
		200);
	assert_true(clock_mono_ms() - begun >= REQUEST_MS + 2 * PART_MS);
	assert_true(has("problem:timeout\""));
	assert_true(has("{\"id\":\"a\",\"parts\":{\"shop\""));
	assert_non_null(
		strstr(strstr(answer, "problem:timeout"), "\"late\"}}"));
}

static void
a_page_with_a_late_part_waits_for_no_compressor(void **state)
{
	static const char two[] =
		"GET /v1/pages/front/%c HTTP/1.1\r\nHost: a\r\n"
		"Accept-Encoding: gzip\r\nConnection: close\r\n\r\n";
	char text[256];

	(void)state;
	(void)snprintf(text, sizeof(text), two, 'a');
	assert_int_equal(read_answer(send_text(server_data_address(srv), text)),
			 200);
	assert_true(has("\r\nContent-Encoding: gzip\r\n"));
	assert_true(has("-gzip\"\r\n"));
	/* Now both workers are stuck. */
	DOUBLE_SET(dbl.hung = NULL; dbl.hangs = true);
	(void)snprintf(text, sizeof(text), two, 'a');
	forget_following();
	assert_int_equal(read_answer(send_text(server_data_address(srv), text)),
			 200);
	assert_false(has("Content-Encoding"));
	assert_true(has("detail=stale\r\n"));
}

static void
a_view_that_moves_under_a_page_is_asked_again(void **state)
{
	(void)state;
	DOUBLE_SET(dbl.move_on_load = true);
	assert_int_equal(get("/v1/pages/front/a"), 200);
	assert_true(has("\r\nETag: \"2.7_1.7_"));
	assert_true(has("\"missing\":{}}"));
}

static void
a_damaged_part_is_an_error_of_ours(void **state)
{
	(void)state;
	DOUBLE_SET(dbl.damaged = true);
	assert_int_equal(get("/v1/pages/front/a"), 500);
	assert_true(has("problem:internal\""));
}

#define PAGED(test) cmocka_unit_test_setup_teardown(test, start_page, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PAGED(a_late_part_is_left_out_and_the_answer_is_not_kept),
		PAGED(a_late_part_that_is_kept_is_served_stale),
		PAGED(a_page_without_any_part_in_time_is_given_up),
		PAGED(an_outage_leaves_what_is_kept),
		PAGED(each_request_behind_another_has_a_deadline_of_its_own),
		PAGED(a_page_with_a_late_part_waits_for_no_compressor),
		PAGED(a_view_that_moves_under_a_page_is_asked_again),
		PAGED(a_damaged_part_is_an_error_of_ours),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
