/* SPDX-License-Identifier: Apache-2.0 */
/* The Kafka adapter under injected errors (librdkafka's mock cluster). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/log.h"
#include "tests/component/source_kafka_log.h"

/* Kafka's request numbers. */
#define API_FETCH	 1
#define API_LIST_OFFSETS 2

/*
 * From version 7 on a fetch has an error for the whole answer, and injected
 * ones go there; before, they are the partitions'.
 */
static void
errors_are_the_partitions(void)
{
	if (rd_kafka_mock_set_apiversion(mock->cluster, API_FETCH, 0, 6))
		fail_msg("mock: fetch versions");
}

/* Twice: the mock spends one when it lets an empty fetch wait. */
static void
refuse_fetch(rd_kafka_resp_err_t code)
{
	rd_kafka_mock_push_request_errors(mock->cluster, API_FETCH, 2, code,
					  code);
}

static void
a_broker_that_goes_away_is_told_and_waited_for(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 10);
	src = read_stock(-1, &ev);
	expect_records(src, 0, 10);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	(void)step_wait_error(src, PJ_ERROR_RETRY, "down");
	rd_kafka_mock_broker_set_up(mock->cluster, 1);
	append("stock", 0, 10, 5);
	expect_records(src, 10, 5);
	step_expect_none(src);
	source_close(src);
}

static void
an_unreachable_broker_at_start_is_an_outage(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	src = open_stock(SOURCE_ALL);
	(void)step_wait_error(src, PJ_ERROR_RETRY, "stock");
	rd_kafka_mock_broker_set_up(mock->cluster, 1);
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	expect_records(src, 0, 1);
	source_close(src);
}

static void
fail_fetches(void)
{
	static const rd_kafka_resp_err_t codes[] = {
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
		RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
		RD_KAFKA_RESP_ERR_UNKNOWN,
		RD_KAFKA_RESP_ERR__TRANSPORT,
	};
	struct source_event ev;
	struct source *src;
	size_t i;

	kafka_mock_create(mock, "stock", 1);
	src = read_stock(-1, &ev);
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		rd_kafka_mock_push_request_errors(mock->cluster, API_FETCH, 2,
						  codes[i], codes[i]);
		append("stock", 0, (int)i * 20, 20);
		expect_records(src, (int64_t)i * 20, 20);
	}
	step_expect_none(src);
	source_close(src);
}

static void
failing_fetches_lose_and_repeat_nothing(void **state)
{
	(void)state;
	fail_fetches();
}

static void
failing_partitions_lose_and_repeat_nothing(void **state)
{
	(void)state;
	errors_are_the_partitions();
	fail_fetches();
}

static void
an_offset_refused_by_mistake_is_read_again(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	errors_are_the_partitions();
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 10);
	src = read_stock(-1, &ev);
	expect_records(src, 0, 10);
	refuse_fetch(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
	(void)step_wait_error(src, PJ_ERROR_RETRY, "stock/0: offset 10 ");
	append("stock", 0, 10, 10);
	expect_records(src, 10, 10);
	step_expect_none(src);
	source_close(src);
}

static void
a_refusal_is_not_believed_while_the_log_cannot_be_asked(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	errors_are_the_partitions();
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 10);
	src = read_stock(-1, &ev);
	expect_records(src, 0, 10);
	rd_kafka_mock_push_request_errors(mock->cluster, API_LIST_OFFSETS, 2,
					  RD_KAFKA_RESP_ERR_UNKNOWN,
					  RD_KAFKA_RESP_ERR_UNKNOWN);
	refuse_fetch(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
	(void)step_wait_error(src, PJ_ERROR_RETRY, "first and last offset");
	append("stock", 0, 10, 5);
	expect_records(src, 10, 5);
	source_close(src);
}

/* The mock keeps 5 MB per partition: the first records go. */
static void
push_out_the_first(void)
{
	char *big = mem_alloc(900 * 1024);
	int i;

	memset(big, 'x', 900 * 1024);
	big[900 * 1024 - 1] = '\0';
	for (i = 0; i < 8; i++) {
		kafka_mock_append(mock, "stock", 0, "k", big, 1, NULL);
		kafka_mock_flush(mock);
	}
	free(big);
}

static void
a_start_that_retention_has_passed_is_a_named_stop(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	push_out_the_first();
	src = read_stock(0, &ev);
	ev = step_wait_stop(src, "stock/0: offset 0 ");
	assert_non_null(strstr(ev.why.text, "removed"));
	source_close(src);
}

static bool
is_paused_in_librdkafka(struct source *src)
{
	return ((struct kafka_part *)src->mine[0])->paused;
}

/* What librdkafka says of a batch it cannot read, and then goes past. */
static void
a_batch_that_cannot_be_read_stops_its_partition(void **state)
{
	struct source_event ev, stop;
	struct source *src;

	(void)state;
	errors_are_the_partitions();
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 4);
	src = read_stock(-1, &ev);
	expect_records(src, 0, 4);
	refuse_fetch(RD_KAFKA_RESP_ERR__BAD_MSG);
	stop = step_wait_stop(src, "stock/0@4 cannot be read (_BAD_MSG)");
	assert_int_equal(stop.why.code, RD_KAFKA_RESP_ERR__BAD_MSG);
	assert_true(is_paused_in_librdkafka(src));
	/* The mock may not have spent both. */
	rd_kafka_mock_clear_request_errors(mock->cluster, API_FETCH);
	append("stock", 0, 4, 4);
	step_expect_none(src);
	(void)step_assign(src, &ev, 4);
	assert_false(is_paused_in_librdkafka(src));
	expect_records(src, 4, 4);
	source_close(src);
}

static void
the_first_record_is_the_first_there_is_now(void **state)
{
	struct source_event ev;
	struct record *rec;
	int64_t low, high;
	struct pj_error err = {0};
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 3);
	src = read_stock(-1, &ev);
	expect_records(src, 0, 3);
	push_out_the_first();
	assert_int_equal(source_watermarks(src, ev.partitions[0], 10000, &low,
					   &high, &err),
			 0);
	assert_true(low > 0);
	assert_int_equal(high, 11);
	(void)step_assign(src, &ev, -1);
	step_read(src, &rec, 1);
	assert_int_equal(rec->offset, low);
	record_release(rec);
	source_close(src);
}

static void
a_topic_that_does_not_exist_is_waited_for(void **state)
{
	struct source *src;
	struct source_event ev;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 1);
	rd_kafka_mock_topic_set_error(mock->cluster, "stock",
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	src = open_stock(SOURCE_ALL);
	(void)step_wait_error(src, PJ_ERROR_RETRY,
			      "topic stock does not exist yet (waiting)");
	rd_kafka_mock_topic_set_error(mock->cluster, "stock",
				      RD_KAFKA_RESP_ERR_NO_ERROR);
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	expect_records(src, 0, 1);
	source_close(src);
}

static void
a_topic_that_does_not_exist_is_described_without_partitions(void **state)
{
	static const char *const names[] = {"stock", "coupon"};
	const struct source_topic *topics;
	struct pj_error err = {0};
	struct source *src;
	size_t n;

	(void)state;
	kafka_mock_create(mock, "stock", 3);
	kafka_mock_create(mock, "coupon", 1);
	rd_kafka_mock_topic_set_error(mock->cluster, "coupon",
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	src = open_topics(SOURCE_ALL, NULL, NULL, names, 2);
	if (source_topics(src, 10000, &topics, &n, &err))
		fail_msg("%s", err.text);
	assert_int_equal(topics[0].n_partitions, 3);
	assert_int_equal(topics[1].n_partitions, 0);
	assert_string_equal(topics[1].unknown, "");
	source_close(src);
}

static void
topics_cannot_be_described_while_the_log_is_away(void **state)
{
	const struct source_topic *topics;
	struct pj_error err = {0};
	int64_t begin_mono_ms;
	struct source *src;
	size_t n;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	src = open_stock(SOURCE_ALL);
	begin_mono_ms = clock_mono_ms();
	assert_int_equal(source_topics(src, 1000, &topics, &n, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_RETRY);
	assert_in_range(clock_mono_ms() - begin_mono_ms, 0, 3000);
	source_close(src);
}

static void
a_refused_topic_is_a_matter_of_configuration(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	errors_are_the_partitions();
	kafka_mock_create(mock, "stock", 1);
	src = read_stock(-1, &ev);
	refuse_fetch(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	(void)step_wait_error(src, PJ_ERROR_CONFIG, "stock");
	source_close(src);
}

static void
a_prefix_is_put_before_topics_and_taken_off_records(void **state)
{
	static const char *const topics[] = {"stock", "price"};
	struct source_event ev;
	struct record *rec;
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "prod.stock", 1);
	kafka_mock_create(mock, "prod.price", 1);
	kafka_mock_create(mock, "stock", 1);
	append("prod.price", 0, 0, 1);
	append("stock", 0, 0, 1);
	src = open_topics(SOURCE_ALL, NULL, "prod.", topics, 2);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 2);
	(void)step_assign(src, &ev, -1);
	step_read(src, &rec, 1);
	assert_true(is_at(rec, "price", 0, 0));
	record_release(rec);
	step_expect_none(src);
	source_close(src);
}

static void
records_stay_whole_while_everything_changes_around_them(void **state)
{
	struct record *recs[100];
	struct source_event ev;
	struct pj_error err = {0};
	struct source *src;
	char want[32];
	size_t i;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 200);
	src = read_stock(-1, &ev);
	step_read(src, recs, 100);
	(void)step_assign(src, &ev, 150);
	expect_records(src, 150, 50);
	assert_int_equal(source_unassign(src, &err), 0);
	for (i = 0; i < 100; i++) {
		(void)snprintf(want, sizeof(want), "{\"n\":%zu}", i);
		assert_true(str_is(recs[i]->value, want));
		assert_int_equal(recs[i]->assignment, 1);
	}
	step_release(recs, 100);
	source_close(src);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_broker_that_goes_away_is_told_and_waited_for),
		T(an_unreachable_broker_at_start_is_an_outage),
		T(failing_fetches_lose_and_repeat_nothing),
		T(failing_partitions_lose_and_repeat_nothing),
		T(an_offset_refused_by_mistake_is_read_again),
		T(a_refusal_is_not_believed_while_the_log_cannot_be_asked),
		T(a_start_that_retention_has_passed_is_a_named_stop),
		T(a_batch_that_cannot_be_read_stops_its_partition),
		T(the_first_record_is_the_first_there_is_now),
		T(a_topic_that_does_not_exist_is_waited_for),
		T(a_topic_that_does_not_exist_is_described_without_partitions),
		T(topics_cannot_be_described_while_the_log_is_away),
		T(a_refused_topic_is_a_matter_of_configuration),
		T(a_prefix_is_put_before_topics_and_taken_off_records),
		T(records_stay_whole_while_everything_changes_around_them),
	};

	log_setup("test", LOG_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
