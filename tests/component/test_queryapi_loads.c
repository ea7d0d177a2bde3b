/* SPDX-License-Identifier: Apache-2.0 */
/* What the store is asked for: once, together, and all of it counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queryapi/ids.h"
#include "tests/component/served_double.h"

/* Keys of one question to the store, at most (docs/adr/0017). */
enum { AT_ONCE = 128 };

static int
start_with_room(void **state)
{
	(void)state;
	prepare();
	set.queryapi.queue_depth = 1000;
	return start_prepared();
}

static int
start_with_small_documents(void **state)
{
	(void)state;
	prepare();
	set.queryapi.gzip_min_bytes = 1000;
	return start_prepared();
}

/* ---- Codings ------------------------------------------------------------ */

static void
a_version_is_gzipped_once(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	for (int i = 0; i < 5; i++)
		assert_true(is_gzipped("/v1/shop/a"));
	/* The other coding came with it. */
	assert_int_equal(get("/v1/shop/a"), 200);
	assert_int_equal(double_get(&dbl.loads), 1);
	/* Asked for only now, it is made now, and never again. */
	assert_int_equal(get("/v1/shop/b"), 200);
	assert_int_equal(double_get(&dbl.loads), 2);
	for (int i = 0; i < 5; i++)
		assert_true(is_gzipped("/v1/shop/b"));
	assert_int_equal(get("/v1/shop/b"), 200);
	assert_int_equal(double_get(&dbl.loads), 3);
	/* Nor of the next one more than once. */
	DOUBLE_SET(dbl.revision = 8);
	tell_document("a", 8);
	for (int i = 0; i < 5; i++)
		assert_true(is_gzipped("/v1/shop/a"));
	assert_int_equal(double_get(&dbl.loads), 4);
}

static void
what_does_not_pay_is_not_read_again_for_it(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_int_equal(get("/v1/shop/a"), 200);
	for (int i = 0; i < 5; i++)
		assert_false(is_gzipped("/v1/shop/a"));
	assert_int_equal(double_get(&dbl.loads), 1);
}

/* ---- Many at once ------------------------------------------------------- */

/* A batch of IDS_MAX keys of which nobody has asked before. */
static int
ask_batch(int number)
{
	struct buf target = BUF_INIT;
	int fd;

	buf_printf(&target, "/v1/shop?ids=%d-0", number);
	for (int i = 1; i < IDS_MAX; i++)
		buf_printf(&target, ",%d-%d", number, i);
	fd = ask(server_data_address(srv), target.data);
	buf_release(&target);
	return fd;
}

static bool
status_has(const char *text)
{
	return read_answer(ask(server_admin_address(srv), "/status")) == 200 &&
	       strstr(answer, text);
}

static void
keys_that_waited_go_with_few_questions(void **state)
{
	int in_work, fds[3];

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	in_work = ask(server_data_address(srv), "/v1/shop/work");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	for (int i = 0; i < 3; i++)
		fds[i] = ask_batch(i);
	WAIT_FOR(metric_is("\nshopview_http_queue_depth 300\n"));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(in_work), 200);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_answer(fds[i]), 200);
	assert_int_equal(double_get(&dbl.most), AT_ONCE);
	assert_int_equal(double_get(&dbl.loads), 1 + 3);
	assert_true(metric_is("\nshopview_loads_total 301\n"));
	assert_true(metric_is("\nshopview_load_questions_total 4\n"));
}

static int
count(const char *text)
{
	int n = 0;

	for (const char *at = answer; (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void
no_batch_mixes_two_generations(void **state)
{
	int in_work, other, fd;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	in_work = ask(server_data_address(srv), "/v1/shop/work");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	other = ask_batch(0);
	WAIT_FOR(metric_is("\nshopview_http_queue_depth 100\n"));
	fd = ask_batch(1);
	WAIT_FOR(metric_is("\nshopview_http_queue_depth 200\n"));
	/* Some of its keys go with the other's ... */
	for (int i = 1; i <= 2; i++) {
		DOUBLE_SET(dbl.let = 1);
		WAIT_FOR(double_get(&dbl.loads) == i &&
			 double_get(&dbl.waiting) == 1);
	}
	assert_int_equal(read_answer(in_work), 200);
	assert_int_equal(read_answer(other), 200);
	assert_int_equal(count("\"revision\":7,"), IDS_MAX);
	/* ... and of the rest another generation is the live one by now. */
	DOUBLE_SET(dbl.live = 2; dbl.revision = 9; dbl.hangs = false);
	assert_int_equal(read_answer(fd), 200);
	assert_int_equal(count("\"revision\":9,"), IDS_MAX);
}

/* ---- Counted ------------------------------------------------------------ */

static void
hits_misses_and_who_joined_are_counted(void **state)
{
	const char *address = server_data_address(srv);
	int fds[3];

	(void)state;
	WAIT_FOR(is_following());
	for (int i = 0; i < 4; i++)
		assert_int_equal(get("/v1/shop/a"), 200);
	assert_true(metric_is("\nshopview_cache_misses_total 1\n"));
	assert_true(metric_is("\nshopview_cache_hits_total 3\n"));
	assert_true(metric_is("\nshopview_loads_joined_total 0\n"));
	DOUBLE_SET(dbl.hangs = true);
	for (int i = 0; i < 3; i++)
		fds[i] = ask(address, "/v1/shop/b");
	WAIT_FOR(status_has("\"in_flight\":3"));
	DOUBLE_SET(dbl.hangs = false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_answer(fds[i]), 200);
	assert_true(metric_is("\nshopview_cache_misses_total 4\n"));
	assert_true(metric_is("\nshopview_cache_hits_total 3\n"));
	assert_true(metric_is("\nshopview_loads_joined_total 2\n"));
	assert_true(metric_is("\nshopview_loads_total 2\n"));
	assert_true(metric_is("\nshopview_cache_entries 2\n"));
	/* A batch is as many keys as it has. */
	assert_int_equal(get("/v1/shop?ids=a,b,c"), 200);
	assert_true(metric_is("\nshopview_cache_misses_total 5\n"));
	assert_true(metric_is("\nshopview_cache_hits_total 5\n"));
}

static int64_t
metric(const char *name)
{
	const char *at;

	assert_true(metric_is(name));
	at = strstr(answer, name);
	return strtoll(at + strlen(name), NULL, 10);
}

static void
what_went_to_make_room_is_counted(void **state)
{
	const int batches = 50;
	int64_t evicted, entries;

	(void)state;
	WAIT_FOR(is_following());
	for (int i = 0; i < batches; i++)
		assert_int_equal(read_answer(ask_batch(i)), 200);
	evicted = metric("\nshopview_cache_evicted_total ");
	entries = metric("\nshopview_cache_entries ");
	assert_true(evicted > 0 && entries > 0);
	/* Every key is in there or had to go. */
	assert_int_equal(evicted + entries, batches * IDS_MAX);
	assert_true(metric("\nshopview_cache_bytes ") <=
		    (int64_t)set.queryapi.cache_bytes);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_version_is_gzipped_once),
		cmocka_unit_test_setup_teardown(
			what_does_not_pay_is_not_read_again_for_it,
			start_with_small_documents, stop),
		cmocka_unit_test_setup_teardown(
			keys_that_waited_go_with_few_questions, start_with_room,
			stop),
		cmocka_unit_test_setup_teardown(no_batch_mixes_two_generations,
						start_with_room, stop),
		SERVED(hits_misses_and_who_joined_are_counted),
		cmocka_unit_test_setup_teardown(
			what_went_to_make_room_is_counted, start_with_room,
			stop),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
