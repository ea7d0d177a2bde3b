/* SPDX-License-Identifier: Apache-2.0 */
/* What the stream brings along is answered without a question to the store, and
 * only for as long as it is the newest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

/* More than the cache has room for. */
enum { OTHERS = 3000 };

static bool
has_etag(const char *target, const char *etag)
{
	return get(target) == 200 && strstr(answer, etag);
}

/* The stream has had nothing more to tell, so it is beyond what it began with.
 */
static bool
is_up_to_date(void)
{
	int asked;

	if (!is_following())
		return false;
	asked = double_get(&dbl.asked);
	WAIT_FOR(double_get(&dbl.asked) > asked + 1);
	return is_following();
}

static void
what_was_had_is_answered_as_it_was_told(void **state)
{
	(void)state;
	WAIT_FOR(is_up_to_date());
	assert_true(has_etag("/v1/shop/a", "ETag: \"1.7\""));
	assert_int_equal(get("/v1/shop/-x"), 404);
	assert_int_equal(double_get(&dbl.loads), 2);
	tell_whole("a", 8);
	tell_whole("a", 9); /* in place of the other */
	tell_checkpoint(31);
	assert_true(has_etag("/v1/shop/a", "ETag: \"1.9\""));
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@30\""));
	assert_true(has_etag("/v1/shop/a", "ETag: \"1.9\""));
	/* Of a key that had no document too. */
	tell_whole("-x", 10);
	assert_true(has_etag("/v1/shop/-x", "ETag: \"1.10\""));
	assert_int_equal(get("/v1/shop?ids=a,-x"), 200);
	assert_non_null(strstr(answer, "\"revision\":10"));
	assert_int_equal(double_get(&dbl.loads), 2);
	assert_true(metric_is("\nshopview_loads_total 2\n"));
	assert_true(metric_is("\nshopview_loads_told_total 2\n"));
}

static void
what_nobody_had_is_not_kept(void **state)
{
	(void)state;
	WAIT_FOR(is_up_to_date());
	tell_whole("b", 9);
	assert_true(has_etag("/v1/shop/b", "\"1.9\""));
	assert_int_equal(double_get(&dbl.loads), 1);
}

static void
what_is_told_without_its_document_is_asked_for(void **state)
{
	(void)state;
	WAIT_FOR(is_up_to_date());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	tell_whole("a", 8);
	DOUBLE_SET(dbl.revision = 9);
	tell_document("a", 9);
	assert_true(has_etag("/v1/shop/a", "\"1.9\""));
	assert_int_equal(double_get(&dbl.loads), 2);
	tell_whole("a", 10);
	DOUBLE_SET(dbl.revision = 3);
	tell_document("a", -1);
	assert_true(has_etag("/v1/shop/a", "\"1.3\""));
	assert_int_equal(double_get(&dbl.loads), 3);
}

/* A load that asks the store gets what the stream tells later. */
static void
what_was_told_is_not_behind_what_was_answered(void **state)
{
	char target[32];
	int fd;

	(void)state;
	WAIT_FOR(is_up_to_date());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	DOUBLE_SET(dbl.hangs = true);
	/* A coding that is not there yet. */
	fd = ask_with(server_data_address(srv), "/v1/shop/a",
		      "Accept-Encoding: gzip\r\n");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	tell_whole("a", 8);
	DOUBLE_SET(dbl.hangs = false; dbl.revision = 10);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "\"1.10-gzip\""));
	tell_whole("a", 9);
	DOUBLE_SET(dbl.revision = 10);
	/* Until others have pushed it out. */
	for (int i = 0; i < OTHERS; i++) {
		(void)snprintf(target, sizeof(target), "/v1/shop/%d", i);
		assert_int_equal(get(target), 200);
	}
	fd = double_get(&dbl.loads);
	assert_true(has_etag("/v1/shop/a", "\"1.10\""));
	assert_int_equal(double_get(&dbl.loads), fd + 1);
}

static void
what_is_older_than_the_picture_is_asked_for(void **state)
{
	struct store_doc doc = {.key = {"a", 1}};

	(void)state;
	WAIT_FOR(is_up_to_date());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	DOUBLE_SET(dbl.stream_breaks = dbl.opening_hangs = true);
	WAIT_FOR(!is_following());
	/* Between the stream's beginning and the picture there were two. */
	DOUBLE_SET(dbl.revision = 8; double_document(&doc));
	DOUBLE_SET(dbl.revision = 9; dbl.next = 31;
		   dbl.news = ((struct store_news){
			   .kind = STORE_NEWS_DOCUMENT,
			   .collection = "shop.1",
			   .key = doc.key,
			   .revision = 8,
			   .bson = {(char *)doc.bson, doc.len}});
		   dbl.opening_hangs = false);
	WAIT_FOR(metric_is("\nshopview_feed_documents_total 1\n"));
	assert_true(has_etag("/v1/shop/a", "\"1.9\""));
	assert_non_null(strstr(answer, "Projection-Position: \"shop/0@30\""));
	assert_int_equal(double_get(&dbl.loads), 2);
	free(doc.bson);
}

static void
what_another_stream_told_is_not_believed(void **state)
{
	(void)state;
	WAIT_FOR(is_up_to_date());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	tell_whole("a", 8);
	DOUBLE_SET(dbl.stream_breaks = true; dbl.revision = 9);
	WAIT_FOR(double_get(&dbl.watches) == 2);
	WAIT_FOR(is_up_to_date());
	assert_true(has_etag("/v1/shop/a", "\"1.9\""));
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
a_long_poll_is_answered_as_told(void **state)
{
	int fd;

	(void)state;
	WAIT_FOR(is_up_to_date());
	assert_true(has_etag("/v1/shop/a", "\"1.7\""));
	fd = ask_with(server_data_address(srv), "/v1/shop/a?wait=60",
		      "If-None-Match: \"1.7\"\r\n");
	WAIT_FOR(metric_is("\nshopview_watches 1\n"));
	tell_whole("a", 8);
	assert_int_equal(read_answer(fd), 200);
	assert_non_null(strstr(answer, "\"1.8\""));
	assert_int_equal(double_get(&dbl.loads), 1);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(what_was_had_is_answered_as_it_was_told),
		SERVED(what_nobody_had_is_not_kept),
		SERVED(what_is_told_without_its_document_is_asked_for),
		SERVED(what_was_told_is_not_behind_what_was_answered),
		SERVED(what_is_older_than_the_picture_is_asked_for),
		SERVED(what_another_stream_told_is_not_believed),
		SERVED(a_long_poll_is_answered_as_told),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
