/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log to read, of either kind, filled by the same calls: an archive in a
 * directory of its own, or a topic on librdkafka's mock cluster (cmocka
 * included).
 */
#ifndef TESTS_SUPPORT_SOURCE_LOG_H
#define TESTS_SUPPORT_SOURCE_LOG_H

#include "lib/mem.h"
#include "tests/support/kafka_mock.h"
#include "tests/support/scratch.h"
#include "tests/support/source_steps.h"

#define T0_MS 1700000000000

struct log {
	bool kafka;
	struct kafka_mock *mock;
	char *dir;
	char group[32];
	const char *properties[5];
};

static inline void
log_create(struct log *log, const char *topic, int partitions)
{
	char *path;
	FILE *file;
	int i;

	if (log->kafka) {
		kafka_mock_create(log->mock, topic, partitions);
		return;
	}
	path = mem_printf("%s/%s", log->dir, topic);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	for (i = 0; i < partitions; i++) {
		path = mem_printf("%s/%s/%d.ndjson", log->dir, topic, i);
		file = fopen(path, "a");
		assert_non_null(file);
		fclose(file);
		free(path);
	}
}

static inline void
log_line_raw(struct log *log, const char *topic, int partition,
	     const char *line)
{
	char *path = mem_printf("%s/%s/%d.ndjson", log->dir, topic, partition);
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	fputs(line, file);
	fputc('\n', file);
	fclose(file);
	free(path);
}

/* n records whose value is {"n":OFFSET} and whose key is k0, k1, k2, k0 … */
static inline void
log_append(struct log *log, const char *topic, int partition, int first, int n)
{
	char key[8], text[400];
	int i;

	for (i = first; i < first + n; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i % 3);
		if (log->kafka) {
			(void)snprintf(text, sizeof(text), "{\"n\":%d}", i);
			kafka_mock_append(log->mock, topic, partition, key,
					  text, T0_MS + i, NULL);
			continue;
		}
		(void)snprintf(text, sizeof(text),
			       "{\"topic\":\"%s\",\"partition\":%d,\"offset\":"
			       "%d,\"timestamp\":%lld,\"key\":\"%s\","
			       "\"headers\":{},\"value\":{\"n\":%d}}",
			       topic, partition, i, (long long)(T0_MS + i), key,
			       i);
		log_line_raw(log, topic, partition, text);
	}
	if (log->kafka)
		kafka_mock_flush(log->mock);
}

static inline struct source *
log_open(struct log *log, enum source_mode mode, const char *instance)
{
	static const char *const topics[] = {"stock", "price"};
	struct source_settings set = {
		.type = log->kafka ? SOURCE_KAFKA : SOURCE_ARCHIVE,
		.dir = log->dir,
		.brokers = log->kafka ? log->mock->brokers : NULL,
		.group = log->group,
		.instance_id = instance,
		.properties = log->properties,
	};
	struct source *src = NULL;
	struct pj_error err = {0};

	if (source_open(&set, mode, topics, 2, &src, &err))
		fail_msg("open: %s", err.text);
	return src;
}

/*
 * Opened, told its partitions, and reading from `next`. Without membership,
 * where that is not the point: the mock lets a new group wait three seconds.
 */
static inline struct source *
log_read(struct log *log, int64_t next, struct source_event *ret_ev)
{
	struct source *src = log_open(log, SOURCE_ALL, NULL);

	*ret_ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, ret_ev, next);
	return src;
}

static inline int
setup(struct log *log)
{
	static int number;

	(void)snprintf(log->group, sizeof(log->group), "group-%d", number++);
	log->properties[0] = "session.timeout.ms";
	log->properties[1] = "6000";
	log->properties[2] = "heartbeat.interval.ms";
	log->properties[3] = "500";
	if (log->kafka)
		log->mock = kafka_mock_start(1);
	else
		log->dir = scratch_make();
	return 0;
}

static inline int
setup_archive(void **state)
{
	struct log *log = mem_calloc(1, sizeof(*log));

	*state = log;
	return setup(log);
}

static inline int
setup_kafka(void **state)
{
	struct log *log = mem_calloc(1, sizeof(*log));

	*state = log;
	log->kafka = true;
	return setup(log);
}

static inline int
teardown(void **state)
{
	struct log *log = *state;

	if (log->mock)
		kafka_mock_stop(log->mock);
	if (log->dir)
		scratch_remove(log->dir);
	free(log);
	return 0;
}

#endif
