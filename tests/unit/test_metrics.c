/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted, as Prometheus reads it (metrics.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "queryapi/metrics.h"

static struct metrics met;

static int
setup(void **state)
{
	(void)state;
	metrics_init(&met, 2);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metrics_release(&met);
	return 0;
}

static struct buf
text_of_all(void)
{
	struct metrics_sum sum;
	struct buf out = BUF_INIT;

	metrics_sum(&met, &sum);
	metrics_write(&sum, &out);
	return out;
}

static void
assert_says(const struct buf *text, const char *line)
{
	if (!strstr(text->data, line))
		fail_msg("nothing of %s in:\n%s", line, text->data);
}

#define SECONDS	     "shopview_http_request_seconds"
#define OF_DOCUMENTS "route=\"/v1/{view}/{key}\""

/* From one cumulative bucket to the next: bounds rise, so do numbers. */
static void
a_histogram_is_cumulative_up_to_all_that_was_counted(void **state)
{
	/* On a bound, right behind it, and behind the last; of both loops. */
	static const uint64_t us[] = {0,    100,  101,	   2500,
				      2501, 5000, 5000000, 5000001};
	static const char head[] = SECONDS "_bucket{" OF_DOCUMENTS ",le=\"";
	uint64_t n_buckets = 0, sum_us = 0, count = 0;
	double bound = 0;
	struct buf text;

	(void)state;
	for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++) {
		metrics_request(&met.sets[i % 2], ROUTE_DOCUMENT, 200, us[i]);
		sum_us += us[i];
		count++;
	}
	text = text_of_all();
	for (const char *at = text.data; (at = strstr(at, head)); n_buckets++) {
		char *end;
		double le = strtod(at += sizeof(head) - 1, &end);
		uint64_t below = 0;

		assert_true(le > bound);
		bound = le;
		for (size_t i = 0; i < count; i++)
			below += (double)us[i] <= le * 1e6 + 0.5;
		assert_memory_equal(end, "\"} ", 3);
		assert_int_equal(strtoull(end + 3, NULL, 10), below);
	}
	assert_int_equal(n_buckets, METRICS_BUCKETS);
	/* strtod() reads "+Inf" as what it is: everything is below. */
	assert_true(bound > 1e300);
	assert_says(&text, SECONDS "_count{" OF_DOCUMENTS "} 8\n");
	assert_int_equal(sum_us, 10010202 + 1);
	assert_says(&text, SECONDS "_sum{" OF_DOCUMENTS "} 10.010203\n");
	assert_says(&text, "# TYPE " SECONDS " histogram\n");
	buf_release(&text);
}

static void
requests_are_counted_by_route_and_status(void **state)
{
	struct buf text;

	(void)state;
	for (int i = 0; i < 3; i++)
		metrics_request(&met.sets[i % 2], ROUTE_DOCUMENT, 304, 1);
	metrics_request(&met.sets[0], ROUTE_DOCUMENT, 404, 1);
	metrics_request(&met.sets[0], ROUTE_NONE, 400, 1);
	text = text_of_all();
	assert_says(&text, "\nshopview_http_requests_total{" OF_DOCUMENTS
			   ",status=\"304\"} 3\n");
	assert_says(&text, "\nshopview_http_requests_total{" OF_DOCUMENTS
			   ",status=\"404\"} 1\n");
	assert_says(&text, "\nshopview_http_requests_total{route=\"none\","
			   "status=\"400\"} 1\n");
	assert_null(strstr(text.data, "status=\"200\""));
	assert_says(&text, SECONDS "_count{" OF_DOCUMENTS "} 4\n");
	buf_release(&text);
}

static void
what_loops_count_is_summed(void **state)
{
	struct buf text;

	(void)state;
	for (int i = 0; i < 2; i++) {
		metrics_count(&met.sets[i].hits);
		metrics_count(&met.sets[i].misses);
		metrics_count(&met.sets[1].stale);
		metrics_move(&met.sets[i].connections, 3 - 4 * i);
	}
	metrics_count(&met.sets[0].hits);
	text = text_of_all();
	assert_says(&text, "\nshopview_cache_hits_total 3\n");
	assert_says(&text, "\nshopview_cache_misses_total 2\n");
	assert_says(&text, "\nshopview_cache_stale_total 2\n");
	assert_says(&text, "\nshopview_http_connections 2\n");
	buf_release(&text);
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		COUNTED(a_histogram_is_cumulative_up_to_all_that_was_counted),
		COUNTED(requests_are_counted_by_route_and_status),
		COUNTED(what_loops_count_is_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
