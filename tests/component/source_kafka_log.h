/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mock cluster and a source that reads it, quick to notice what changes.
 * Included by tests/component/test_source_kafka*.c only (after cmocka).
 */
#ifndef TESTS_COMPONENT_SOURCE_KAFKA_LOG_H
#define TESTS_COMPONENT_SOURCE_KAFKA_LOG_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "projector/source_kafka.h"
#include "tests/support/kafka_mock.h"
#include "tests/support/source_steps.h"

static struct kafka_mock *mock;

static inline int
setup(void **state)
{
	(void)state;
	mock = kafka_mock_start(1);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	kafka_mock_stop(mock);
	return 0;
}

static inline struct source *
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

static inline struct source *
open_stock(enum source_mode mode)
{
	static const char *const topics[] = {"stock"};

	return open_topics(mode, "one", NULL, topics, 1);
}

static inline void
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
static inline void
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

static inline struct source *
read_stock(int64_t next, struct source_event *ret_ev)
{
	struct source *src = open_stock(SOURCE_ALL);

	*ret_ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, ret_ev, next);
	return src;
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
