/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker says of a topic's configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "projector/source_kafka.h"

static struct source_topic
told(const char *name, const char *value)
{
	struct source_topic topic = {.retention_ms = -2};

	kafka_describe_entry(&topic, name, value);
	return topic;
}

static void
compact_alone_or_among_others_is_compacted(void **state)
{
	static const char *const yes[] = {"compact", "compact,delete",
					  "delete,compact", "delete, compact "};
	static const char *const no[] = {"delete", "", "compacted", "xcompact",
					 "delete,compactor"};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (told("cleanup.policy", yes[i]).compacted != SOURCE_YES)
			fail_msg("'%s'", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (told("cleanup.policy", no[i]).compacted != SOURCE_NO)
			fail_msg("'%s'", no[i]);
	assert_int_equal(told("cleanup.policy", NULL).compacted,
			 SOURCE_UNKNOWN);
}

static void
elections_and_retention_are_told(void **state)
{
	(void)state;
	assert_int_equal(told("unclean.leader.election.enable", "true").unclean,
			 SOURCE_YES);
	assert_int_equal(
		told("unclean.leader.election.enable", "false").unclean,
		SOURCE_NO);
	assert_int_equal(told("retention.ms", "604800000").retention_ms,
			 604800000);
	assert_int_equal(told("retention.ms", "-1").retention_ms, -1);
	assert_int_equal(told("retention.ms", "").retention_ms, -2);
	assert_int_equal(told("retention.ms", "7d").retention_ms, -2);
}

static void
other_entries_say_nothing(void **state)
{
	struct source_topic topic = told("min.insync.replicas", "2");

	(void)state;
	assert_int_equal(topic.compacted, SOURCE_UNKNOWN);
	assert_int_equal(topic.unclean, SOURCE_UNKNOWN);
	assert_int_equal(topic.retention_ms, -2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compact_alone_or_among_others_is_compacted),
		cmocka_unit_test(elections_and_retention_are_told),
		cmocka_unit_test(other_entries_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
