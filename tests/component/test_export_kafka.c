/* SPDX-License-Identifier: Apache-2.0 */
/* `projector export` from a cluster whose leaders are not ready yet. */
#define _XOPEN_SOURCE 700 /* scratch.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/verbs.h"
#include "tests/support/kafka_mock.h"
#include "tests/support/scratch.h"

/* Kafka's request number. */
#define API_LIST_OFFSETS 2

static int
export_to(const struct kafka_mock *mock, const char *dir)
{
	char *brokers = mem_printf("source.brokers=%s", mock->brokers);
	const char *overrides[] = {"source.type=kafka",
				   "source.topic_prefix=", brokers};
	const char *topics[] = {"shop"};
	struct cli_given to = {.name = "--to", .value = dir};
	struct cli_args args = {
		.config = "/dev/null",
		.overrides = overrides,
		.n_overrides = sizeof(overrides) / sizeof(overrides[0]),
		.positional = topics,
		.n_positional = 1,
		.given = &to,
		.n_given = 1,
	};
	int status = verb_export(&args);

	free(brokers);
	return status;
}

static unsigned
count_lines(const char *dir, int partition)
{
	char *path = mem_printf("%s/shop/%d.ndjson", dir, partition);
	FILE *file = fopen(path, "r");
	unsigned n = 0;

	assert_non_null(file);
	for (int c = getc(file); c != EOF; c = getc(file))
		n += c == '\n';
	assert_int_equal(fclose(file), 0);
	free(path);
	return n;
}

static void
leaders_that_do_not_know_of_their_partition_are_waited_for(void **state)
{
	struct kafka_mock *mock = kafka_mock_start(1);
	char *dir = scratch_make();

	(void)state;
	kafka_mock_create(mock, "shop", 2);
	for (int i = 0; i < 3; i++)
		kafka_mock_append(mock, "shop", 1, "s-1", "{}", 1700000000000,
				  NULL);
	kafka_mock_flush(mock);
	rd_kafka_mock_push_request_errors(
		mock->cluster, API_LIST_OFFSETS, 2,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	assert_int_equal(export_to(mock, dir), CLI_DONE);
	assert_int_equal(count_lines(dir, 0), 0);
	assert_int_equal(count_lines(dir, 1), 3);
	scratch_remove(dir);
	kafka_mock_stop(mock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			leaders_that_do_not_know_of_their_partition_are_waited_for),
	};

	return cmocka_run_group_tests_name("export_kafka", tests, NULL, NULL);
}
