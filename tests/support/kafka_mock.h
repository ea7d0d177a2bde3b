/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librdkafka's mock cluster, for tests: brokers inside this process, on
 * loopback, with errors on demand. It is no broker: memory only, and data
 * beyond 5 MB per partition is dropped.
 */
#ifndef TESTS_SUPPORT_KAFKA_MOCK_H
#define TESTS_SUPPORT_KAFKA_MOCK_H

#include <assert.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct kafka_mock {
	rd_kafka_t *producer; /* also the mock's owner */
	rd_kafka_mock_cluster_t *cluster;
	const char *brokers;
	int failed;
};

static inline void
kafka_mock_delivered(rd_kafka_t *rk, const rd_kafka_message_t *msg,
		     void *opaque)
{
	struct kafka_mock *mock = opaque;

	(void)rk;
	if (msg->err)
		mock->failed++;
}

static inline void
kafka_mock_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[200];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)))
		abort();
}

static inline struct kafka_mock *
kafka_mock_start(int n_brokers)
{
	struct kafka_mock *mock = calloc(1, sizeof(*mock));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char count[12], text[200];

	assert(mock);
	(void)snprintf(count, sizeof(count), "%d", n_brokers);
	kafka_mock_set(conf, "test.mock.num.brokers", count);
	kafka_mock_set(conf, "acks", "all");
	kafka_mock_set(conf, "linger.ms", "0");
	kafka_mock_set(conf, "log_level", "2");
	rd_kafka_conf_set_opaque(conf, mock);
	rd_kafka_conf_set_dr_msg_cb(conf, kafka_mock_delivered);
	mock->producer =
		rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	assert(mock->producer);
	mock->cluster = rd_kafka_handle_mock_cluster(mock->producer);
	mock->brokers = rd_kafka_mock_cluster_bootstraps(mock->cluster);
	return mock;
}

static inline void
kafka_mock_stop(struct kafka_mock *mock)
{
	rd_kafka_destroy(mock->producer);
	free(mock);
}

static inline void
kafka_mock_create(struct kafka_mock *mock, const char *topic, int partitions)
{
	if (rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1))
		abort();
}

/* key, value NULL: none. */
static inline void
kafka_mock_append(struct kafka_mock *mock, const char *topic, int32_t partition,
		  const char *key, const char *value, int64_t timestamp_ms,
		  rd_kafka_headers_t *headers)
{
	rd_kafka_resp_err_t code;

	code = rd_kafka_producev(
		mock->producer, RD_KAFKA_V_TOPIC(topic),
		RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)value,
				 value ? strlen(value) : 0),
		RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	if (code)
		abort();
}

/* Returns when everything appended so far is in the log. */
static inline void
kafka_mock_flush(struct kafka_mock *mock)
{
	if (rd_kafka_flush(mock->producer, 10000) || mock->failed)
		abort();
}

#endif
