/* SPDX-License-Identifier: Apache-2.0 */
/* Copies in a dead-letter topic, as a consumer of it gets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/deadletter.h"
#include "tests/support/kafka_mock.h"
#include "tests/support/source_steps.h"

/* Kafka's request number. */
#define API_PRODUCE 0

#define STR(text) ((struct pj_str){text, sizeof(text) - 1})

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

static struct source_settings
settings(const char *prefix)
{
	static const char *const properties[] = {"session.timeout.ms",
						 "6000",
						 "reconnect.backoff.ms",
						 "50",
						 "reconnect.backoff.max.ms",
						 "200",
						 NULL};

	return (struct source_settings){.type = SOURCE_KAFKA,
					.brokers = mock->brokers,
					.group = "shop-group",
					.topic_prefix = prefix,
					.properties = properties};
}

static struct deadletter *
open_dead(const char *prefix)
{
	struct source_settings set = settings(prefix);
	struct deadletter *dl = NULL;
	struct pj_error err = {0};

	if (deadletter_open(&set, "dead", &dl, &err))
		fail_msg("open: %s", err.text);
	return dl;
}

/* A reader of the dead-letter topic, from its first record. */
static struct source *
read_dead(const char *prefix)
{
	static const char *const topics[] = {"dead"};
	struct source_settings set = settings(prefix);
	struct source *src = NULL;
	struct source_event ev;
	struct pj_error err = {0};

	if (source_open(&set, SOURCE_ALL, topics, 1, &src, &err))
		fail_msg("open: %s", err.text);
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	return src;
}

static struct store_parked
parked(void)
{
	return (struct store_parked){
		.generation = "stock.2",
		.unit_type = "document",
		.unit = STR("shop-1"),
		.topic = "stock",
		.partition = 3,
		.offset = 4294967301, /* 2^32 + 5 */
		.timestamp_ms = 1700000000000,
		.type = "StockChanged",
		.cause = "missing field",
		.detail = "quantity",
		.key = STR("k-1"),
		.value = STR("{\"n\":1}"),
	};
}

static void
expect_header(const struct record *rec, size_t i, const char *name,
	      const void *value, size_t len)
{
	const struct record_header *head = &rec->headers[i];

	assert_true(i < rec->n_headers);
	if (!str_is(head->name, name))
		fail_msg("header %zu is %.*s, not %s", i, (int)head->name.len,
			 head->name.ptr, name);
	assert_int_equal(head->value.len, len);
	assert_memory_equal(head->value.ptr, value, len);
}

#define TEXT(rec, i, name, text)                                               \
	expect_header(rec, i, name, text, sizeof(text) - 1)

static void
a_copy_carries_the_record_and_both_conventions(void **state)
{
	static const struct pj_str heads[] = {
		STR("trace"), STR("t-9"),  STR("kafka_dlt-original-topic"),
		STR("older"), STR("none"), {NULL, 0}};
	struct store_parked row = parked();
	struct deadletter *dl;
	struct source *src;
	struct record *rec;

	(void)state;
	kafka_mock_create(mock, "dead", 1);
	row.headers = heads;
	row.n_headers = 3;
	dl = open_dead(NULL);
	deadletter_send(dl, &row);
	src = read_dead(NULL);
	step_read(src, &rec, 1);
	assert_true(str_is(rec->key, "k-1"));
	assert_true(str_is(rec->value, "{\"n\":1}"));
	assert_int_equal(rec->n_headers, 20);
	/* Its own, as they were, then Spring's … */
	TEXT(rec, 0, "trace", "t-9");
	TEXT(rec, 1, "kafka_dlt-original-topic", "older");
	assert_true(str_is(rec->headers[2].name, "none"));
	assert_null(rec->headers[2].value.ptr);
	TEXT(rec, 3, "kafka_dlt-original-topic", "stock");
	TEXT(rec, 4, "kafka_dlt-original-partition", "\0\0\0\3");
	TEXT(rec, 5, "kafka_dlt-original-offset", "\0\0\0\1\0\0\0\5");
	/* 1700000000000 = 0x18BCFE56800 */
	TEXT(rec, 6, "kafka_dlt-original-timestamp",
	     "\0\0\x01\x8b\xcf\xe5\x68\x00");
	TEXT(rec, 7, "kafka_dlt-original-timestamp-type", "CreateTime");
	TEXT(rec, 8, "kafka_dlt-original-consumer-group", "shop-group");
	TEXT(rec, 9, "kafka_dlt-exception-fqcn",
	     "shopview.parked.missing_field");
	TEXT(rec, 10, "kafka_dlt-exception-message", "missing field: quantity");
	/* … and Connect's. */
	TEXT(rec, 11, "__connect.errors.topic", "stock");
	TEXT(rec, 12, "__connect.errors.partition", "3");
	TEXT(rec, 13, "__connect.errors.offset", "4294967301");
	TEXT(rec, 14, "__connect.errors.connector.name", "stock.2");
	TEXT(rec, 15, "__connect.errors.task.id", "0");
	TEXT(rec, 16, "__connect.errors.stage", "TASK_PUT");
	TEXT(rec, 17, "__connect.errors.class.name", "shopview.projector");
	TEXT(rec, 18, "__connect.errors.exception.class.name",
	     "shopview.parked.missing_field");
	TEXT(rec, 19, "__connect.errors.exception.message",
	     "missing field: quantity");
	record_release(rec);
	source_close(src);
	deadletter_close(dl);
}

static void
absent_and_empty_keys_and_values_stay_what_they_are(void **state)
{
	struct store_parked row = parked();
	struct deadletter *dl;
	struct source *src;
	struct record *recs[2];

	(void)state;
	kafka_mock_create(mock, "dead", 1);
	dl = open_dead(NULL);
	row.key_null = row.value_null = true;
	row.key = row.value = (struct pj_str){NULL, 0};
	row.timestamp_ms = -1;
	row.type = "";
	row.detail = "";
	deadletter_send(dl, &row);
	row.cause = "JSON";
	row.detail = "JSON: end of text at byte 0";
	row.key_null = row.value_null = false;
	deadletter_send(dl, &row);
	src = read_dead(NULL);
	step_read(src, recs, 2);
	assert_true(recs[0]->key_null && recs[0]->value_null);
	assert_false(recs[1]->key_null || recs[1]->value_null);
	assert_int_equal(recs[1]->key.len, 0);
	assert_int_equal(recs[1]->value.len, 0);
	TEXT(recs[0], 3, "kafka_dlt-original-timestamp",
	     "\xff\xff\xff\xff\xff\xff\xff\xff");
	TEXT(recs[0], 4, "kafka_dlt-original-timestamp-type",
	     "NoTimestampType");
	TEXT(recs[0], 7, "kafka_dlt-exception-message", "missing field");
	TEXT(recs[1], 6, "kafka_dlt-exception-fqcn", "shopview.parked.json");
	TEXT(recs[1], 7, "kafka_dlt-exception-message",
	     "JSON: end of text at byte 0");
	TEXT(recs[0], 13, "__connect.errors.stage", "VALUE_CONVERTER");
	step_release(recs, 2);
	source_close(src);
	deadletter_close(dl);
}

static void
the_prefix_is_before_the_topic_and_the_original_name(void **state)
{
	struct store_parked row = parked();
	struct deadletter *dl;
	struct source *src;
	struct record *rec;

	(void)state;
	kafka_mock_create(mock, "prod.dead", 1);
	dl = open_dead("prod.");
	deadletter_send(dl, &row);
	src = read_dead("prod.");
	step_read(src, &rec, 1);
	TEXT(rec, 0, "kafka_dlt-original-topic", "prod.stock");
	TEXT(rec, 8, "__connect.errors.topic", "prod.stock");
	record_release(rec);
	source_close(src);
	deadletter_close(dl);
}

/*
 * The hashes are of testMurmur2() in UtilsTest.java of Kafka's own tests
 * (github.com/apache/kafka at f55581dc); Java's producer takes the positive
 * part of it modulo the number of partitions.
 */
static const struct {
	const char *key;
	int32_t hash;
} murmur2[] = {
	{"21", -973932308},
	{"foobar", -790332482},
	{"a-little-bit-long-string", -985981536},
	{"a-little-bit-longer-string", -1486304829},
	{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
	{"abc", 479470107},
};

static void
a_key_goes_where_javas_producer_sends_it(void **state)
{
	enum { N = sizeof(murmur2) / sizeof(murmur2[0]), PARTITIONS = 61 };
	struct store_parked row = parked();
	struct deadletter *dl;
	struct source *src;
	struct record *recs[N];

	(void)state;
	kafka_mock_create(mock, "dead", PARTITIONS);
	dl = open_dead(NULL);
	for (size_t i = 0; i < N; i++) {
		row.key =
			(struct pj_str){murmur2[i].key, strlen(murmur2[i].key)};
		row.offset = (int64_t)i;
		deadletter_send(dl, &row);
	}
	src = read_dead(NULL);
	step_read(src, recs, N);
	for (size_t r = 0; r < N; r++) {
		size_t i = 0;

		while (!str_is(recs[r]->key, murmur2[i].key))
			i++;
		assert_int_equal(recs[r]->partition->number,
				 (murmur2[i].hash & 0x7fffffff) % PARTITIONS);
	}
	step_release(recs, N);
	source_close(src);
	deadletter_close(dl);
}

/* Until every copy has an outcome. */
static struct deadletter_counts
wait_counts(struct deadletter *dl, uint64_t n)
{
	int64_t end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	struct timespec pause = {0, 5 * 1000 * 1000};
	struct deadletter_counts counts;

	do {
		counts = deadletter_counts(dl);
		(void)nanosleep(&pause, NULL);
	} while (counts.delivered + counts.failed < n &&
		 clock_mono_ms() < end_mono_ms);
	assert_int_equal(counts.delivered + counts.failed, n);
	return counts;
}

static void
what_the_broker_refuses_is_counted_and_the_next_goes_on(void **state)
{
	struct store_parked row = parked();
	struct deadletter_counts counts;
	struct deadletter *dl;

	(void)state;
	kafka_mock_create(mock, "dead", 1);
	dl = open_dead(NULL);
	rd_kafka_mock_push_request_errors(mock->cluster, API_PRODUCE, 1,
					  RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	deadletter_send(dl, &row);
	counts = wait_counts(dl, 1);
	assert_int_equal(counts.failed, 1);
	deadletter_send(dl, &row);
	counts = wait_counts(dl, 2);
	assert_int_equal(counts.delivered, 1);
	deadletter_close(dl);
}

static void
a_broker_that_is_away_holds_nothing_up(void **state)
{
	size_t size = 64 * 1024, n = 600; /* 37.5 MiB, queue 16 MiB */
	char *big = mem_calloc(size, 1);
	struct store_parked row = parked();
	struct deadletter_counts counts;
	int64_t begin_mono_ms;
	struct deadletter *dl;

	(void)state;
	kafka_mock_create(mock, "dead", 1);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	dl = open_dead(NULL);
	row.value = (struct pj_str){big, size};
	begin_mono_ms = clock_mono_ms();
	for (size_t i = 0; i < n; i++)
		deadletter_send(dl, &row);
	assert_in_range(clock_mono_ms() - begin_mono_ms, 0, 2000);
	/* What is over the limit was let go at once, no more and no less. */
	counts = deadletter_counts(dl);
	assert_int_equal(counts.delivered, 0);
	assert_in_range(counts.failed,
			n - DEADLETTER_QUEUE_KIB * 1024ULL / size,
			n - DEADLETTER_QUEUE_KIB * 1024ULL / size + 10);
	begin_mono_ms = clock_mono_ms();
	deadletter_close(dl);
	assert_in_range(clock_mono_ms() - begin_mono_ms, DEADLETTER_FLUSH_MS,
			DEADLETTER_FLUSH_MS + 1500);
	free(big);
}

static void
closing_takes_what_was_just_sent_along(void **state)
{
	struct store_parked row = parked();
	struct deadletter *dl;
	struct source *src;
	struct record *recs[100];

	(void)state;
	kafka_mock_create(mock, "dead", 1);
	dl = open_dead(NULL);
	for (row.offset = 0; row.offset < 100; row.offset++)
		deadletter_send(dl, &row);
	deadletter_close(dl);
	src = read_dead(NULL);
	step_read(src, recs, 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(recs[i]->offset, i);
	step_release(recs, 100);
	source_close(src);
}

static void
without_a_topic_nothing_happens(void **state)
{
	struct store_parked row = parked();

	(void)state;
	deadletter_send(NULL, &row);
	assert_int_equal(deadletter_counts(NULL).failed, 0);
	deadletter_close(NULL);
}

static void
what_cannot_be_is_a_matter_of_configuration(void **state)
{
	static const char *const wrong[] = {"no.such.property", "1", NULL};
	static const char *const conflicting[] = {
		"max.in.flight.requests.per.connection", "100", NULL};
	struct source_settings set = settings(NULL);
	struct deadletter *dl = NULL;
	struct pj_error err = {0};

	(void)state;
	set.properties = wrong;
	assert_int_equal(deadletter_open(&set, "dead", &dl, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "no.such.property"));
	set.properties = conflicting;
	assert_int_equal(deadletter_open(&set, "dead", &dl, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	set.type = SOURCE_ARCHIVE;
	assert_int_equal(deadletter_open(&set, "dead", &dl, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_null(dl);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_copy_carries_the_record_and_both_conventions),
		T(absent_and_empty_keys_and_values_stay_what_they_are),
		T(the_prefix_is_before_the_topic_and_the_original_name),
		T(a_key_goes_where_javas_producer_sends_it),
		T(what_the_broker_refuses_is_counted_and_the_next_goes_on),
		T(a_broker_that_is_away_holds_nothing_up),
		T(closing_takes_what_was_just_sent_along),
		T(without_a_topic_nothing_happens),
		T(what_cannot_be_is_a_matter_of_configuration),
	};

	log_setup("test", LOG_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
