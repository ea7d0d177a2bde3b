/* SPDX-License-Identifier: Apache-2.0 */
/* The Kafka adapter under injected errors (librdkafka's mock cluster). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "projector/source_kafka.h"
#include "tests/support/kafka_mock.h"
#include "tests/support/source_steps.h"

/* Kafka's request numbers. */
#define API_FETCH	 1
#define API_LIST_OFFSETS 2

static struct kafka_mock *mock;

static int
setup(void **state)
{
	(void)state;
	mock = kafka_mock_start(1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kafka_mock_stop(mock);
	return 0;
}

static struct source *
open_topics(enum source_mode mode, const char *instance, const char *prefix,
	    const char *const *topics, size_t n)
{
	static const char *const properties[] = {
		"session.timeout.ms",
		"6000",
		"heartbeat.interval.ms",
		"500",
		"reconnect.backoff.ms",
		"50",
		"reconnect.backoff.max.ms",
		"200",
		"topic.metadata.refresh.interval.ms",
		"300",
		"topic.metadata.propagation.max.ms",
		"0",
		NULL};
	struct source_settings set = {.type = SOURCE_KAFKA,
				      .brokers = mock->brokers,
				      .group = "g",
				      .instance_id = instance,
				      .topic_prefix = prefix,
				      .properties = properties};
	struct source *src = NULL;
	struct pj_error err = {0};

	if (source_open(&set, mode, topics, n, &src, &err))
		fail_msg("open: %s", err.text);
	return src;
}

static struct source *
open_stock(enum source_mode mode)
{
	static const char *const topics[] = {"stock"};

	return open_topics(mode, "one", NULL, topics, 1);
}

static void
append(const char *topic, int32_t partition, int first, int n)
{
	char value[32];
	int i;

	for (i = first; i < first + n; i++) {
		(void)snprintf(value, sizeof(value), "{\"n\":%d}", i);
		kafka_mock_append(mock, topic, partition, "k", value, 1 + i,
				  NULL);
	}
	kafka_mock_flush(mock);
}

/* Reads n records of partition 0 and wants them in order from `first`. */
static void
expect_records(struct source *src, int64_t first, size_t n)
{
	struct record **recs = mem_calloc(n, sizeof(*recs));
	size_t i;

	step_read(src, recs, n);
	for (i = 0; i < n; i++)
		assert_int_equal(recs[i]->offset, first + (int64_t)i);
	step_release(recs, n);
	free(recs);
}

static struct source *
read_stock(int64_t next, struct source_event *ret_ev)
{
	struct source *src = open_stock(SOURCE_ALL);

	*ret_ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, ret_ev, next);
	return src;
}

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
	struct pj_error err;
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	push_out_the_first();
	src = read_stock(0, &ev);
	err = step_wait_error(src, PJ_ERROR_STOP, "stock/0: offset 0 ");
	assert_non_null(strstr(err.text, "removed"));
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
a_member_reads_what_exists_while_a_topic_does_not(void **state)
{
	static const char *const topics[] = {"stock", "coupon"};
	struct source *src;
	struct source_event ev;
	struct pj_error err = {0};
	int i;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	kafka_mock_create(mock, "coupon", 2);
	append("stock", 0, 0, 5);
	rd_kafka_mock_topic_set_error(mock->cluster, "coupon",
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	src = open_topics(SOURCE_SHARE, "one", NULL, topics, 2);
	(void)step_wait_error(src, PJ_ERROR_RETRY,
			      "topic coupon does not exist yet (waiting)");
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 1);
	(void)step_assign(src, &ev, -1);
	expect_records(src, 0, 5);
	/* It comes into being: everything is dealt out anew. */
	rd_kafka_mock_topic_set_error(mock->cluster, "coupon",
				      RD_KAFKA_RESP_ERR_NO_ERROR);
	(void)step_wait(src, SOURCE_REVOKED);
	assert_int_equal(source_unassign(src, &err), 0);
	ev = step_wait(src, SOURCE_ASSIGNED);
	for (i = 0; ev.n_partitions != 3 && i < 5; i++) {
		(void)step_assign(src, &ev, 5);
		(void)step_wait(src, SOURCE_REVOKED);
		assert_int_equal(source_unassign(src, &err), 0);
		ev = step_wait(src, SOURCE_ASSIGNED);
	}
	assert_int_equal(ev.n_partitions, 3);
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
a_fenced_instance_is_fatal_for_good(void **state)
{
	struct source *src;
	struct source_event ev;
	struct pj_error err = {0};

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	src = read_stock(-1, &ev);
	rd_kafka_test_fatal_error(((struct kafka *)src)->rk,
				  RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
				  "fenced by a twin");
	err = step_wait_error(src, PJ_ERROR_FATAL, "another process");
	assert_int_equal(err.code, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	assert_int_equal(source_poll(src, 0, 1, &ev, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_FATAL);
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

static void
the_mirror_shows_as_the_groups_offset(void **state)
{
	struct source *src = NULL;
	struct source_event ev;
	struct source_position pos;
	rd_kafka_topic_partition_list_t *list;
	int64_t end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 9);
	src = open_stock(SOURCE_SHARE);
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	pos = (struct source_position){ev.partitions[0], 7};
	source_mirror(src, &pos, 1);
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, "stock", 0);
	do {
		assert_int_equal(rd_kafka_committed(((struct kafka *)src)->rk,
						    list, 10000),
				 0);
	} while (list->elems[0].offset != 7 && clock_mono_ms() < end_mono_ms);
	assert_int_equal(list->elems[0].offset, 7);
	rd_kafka_topic_partition_list_destroy(list);
	expect_records(src, 0, 9);
	source_close(src);
}

/* ---- Two members over one set of checkpoints --------------------------- */

#define PARTS 4

/* Gives back what it has read so far, and no more than it was given. */
static void
work(struct source *src, int64_t *next, bool *ret_owner)
{
	struct source_position pos[PARTS];
	struct source_event ev;
	struct pj_error err = {0};
	uint32_t assignment;
	size_t i;

	if (source_poll(src, 20, 7, &ev, &err)) {
		if (err.cls != PJ_ERROR_RETRY)
			fail_msg("%s", err.text);
		return;
	}
	switch (ev.kind) {
	case SOURCE_ASSIGNED:
		for (i = 0; i < ev.n_partitions; i++)
			pos[i] = (struct source_position){
				ev.partitions[i],
				next[ev.partitions[i]->number]};
		assert_int_equal(source_assign(src, pos, ev.n_partitions,
					       &assignment, &err),
				 0);
		*ret_owner = ev.n_partitions > 0;
		break;
	case SOURCE_REVOKED:
		assert_int_equal(source_unassign(src, &err), 0);
		*ret_owner = false;
		break;
	case SOURCE_RECORDS:
		for (i = 0; i < ev.n_recs; i++)
			assert_int_equal(ev.recs[i]->offset,
					 next[ev.recs[i]->partition->number]++);
		step_release(ev.recs, ev.n_recs);
		break;
	case SOURCE_NOTHING:
		break;
	}
}

static void
a_rebalance_continues_exactly_at_the_checkpoints(void **state)
{
	static const char *const topics[] = {"stock"};
	int64_t next[PARTS] = {0}, end_mono_ms;
	bool a_owns = false, b_owns = false;
	struct source *a, *b;
	int32_t part;

	(void)state;
	kafka_mock_create(mock, "stock", PARTS);
	for (part = 0; part < PARTS; part++)
		append("stock", part, 0, 300);
	a = open_topics(SOURCE_SHARE, "a", NULL, topics, 1);
	end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	while (next[0] < 30 && clock_mono_ms() < end_mono_ms)
		work(a, next, &a_owns);
	b = open_topics(SOURCE_SHARE, "b", NULL, topics, 1);
	while (!(a_owns && b_owns) && clock_mono_ms() < end_mono_ms) {
		work(a, next, &a_owns);
		work(b, next, &b_owns);
	}
	assert_true(a_owns && b_owns);
	source_close(a);
	for (part = 0; part < PARTS; part++)
		append("stock", part, 300, 50);
	end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	while (clock_mono_ms() < end_mono_ms &&
	       (next[0] < 350 || next[1] < 350 || next[2] < 350 ||
		next[3] < 350))
		work(b, next, &b_owns);
	for (part = 0; part < PARTS; part++)
		assert_int_equal(next[part], 350);
	source_close(b);
}

static void
closing_is_bounded_when_brokers_are_away(void **state)
{
	int64_t begin_mono_ms;
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	src = open_stock(SOURCE_SHARE);
	/* Closed with an assignment that nobody has answered. */
	(void)step_wait(src, SOURCE_ASSIGNED);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	begin_mono_ms = clock_mono_ms();
	source_close(src);
	assert_in_range(clock_mono_ms() - begin_mono_ms, 0, 7000);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
		T(the_first_record_is_the_first_there_is_now),
		T(a_topic_that_does_not_exist_is_waited_for),
		T(a_member_reads_what_exists_while_a_topic_does_not),
		T(a_refused_topic_is_a_matter_of_configuration),
		T(a_fenced_instance_is_fatal_for_good),
		T(a_prefix_is_put_before_topics_and_taken_off_records),
		T(records_stay_whole_while_everything_changes_around_them),
		T(the_mirror_shows_as_the_groups_offset),
		T(a_rebalance_continues_exactly_at_the_checkpoints),
		T(closing_is_bounded_when_brokers_are_away),
	};

	log_setup("test", LOG_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
