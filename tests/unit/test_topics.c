/* SPDX-License-Identifier: Apache-2.0 */
/* What a topic has to be, so that it can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "projector/topics.h"

static struct source_topic
fit(int32_t n_partitions)
{
	return (struct source_topic){.name = "stock",
				     .n_partitions = n_partitions,
				     .compacted = SOURCE_NO,
				     .unclean = SOURCE_NO,
				     .retention_ms = -1};
}

static void
expect_fit(const struct source_topic *seen, int32_t known, uint32_t accepted)
{
	struct pj_error why = {0};

	if (topics_judge(seen, known, accepted, &why))
		fail_msg("%s", why.text);
}

static void
expect_stop(const struct source_topic *seen, int32_t known, uint32_t accepted,
	    const char *const *texts)
{
	struct pj_error why = {0};

	assert_int_equal(topics_judge(seen, known, accepted, &why), -1);
	assert_int_equal(why.cls, PJ_ERROR_STOP);
	assert_null(strchr(why.text, '\n'));
	/* Whole: an error's text is cut where it is too long. */
	assert_in_range(strlen(why.text), 1, PJ_ERROR_TEXT - 2);
	for (; *texts; texts++)
		if (!strstr(why.text, *texts))
			fail_msg("'%s' is not in: %s", *texts, why.text);
}

#define STOPS(seen, known, accepted, ...)                                      \
	expect_stop(seen, known, accepted,                                     \
		    (const char *const[]){__VA_ARGS__, NULL})

static void
a_topic_with_the_known_number_of_partitions_is_read(void **state)
{
	struct source_topic seen = fit(8);

	(void)state;
	expect_fit(&seen, 8, 0);
	expect_fit(&seen, 0, 0); /* nobody knew it */
	expect_fit(&seen, 8, 8);
}

static void
another_number_of_partitions_is_a_stop_until_it_is_accepted(void **state)
{
	struct source_topic seen = fit(12);

	(void)state;
	STOPS(&seen, 8, 0, "partition count changed", "topic stock has 12",
	      "had 8", "partitions = 12 in its topic section");
	STOPS(&seen, 16, 0, "partition count changed", "topic stock has 12",
	      "had 16", "partitions = 12 in its topic section", "rebuild");
	expect_fit(&seen, 8, 12);
}

static void
what_was_accepted_must_be_what_there_is(void **state)
{
	struct source_topic seen = fit(12);

	(void)state;
	STOPS(&seen, 8, 16, "partition count changed", "topic stock has 12",
	      "partitions = 16");
	STOPS(&seen, 12, 8, "partitions = 8");
	STOPS(&seen, 0, 8, "partitions = 8");
}

static void
a_compacted_topic_is_a_stop_whatever_its_partitions(void **state)
{
	struct source_topic seen = fit(8);

	(void)state;
	seen.compacted = SOURCE_YES;
	STOPS(&seen, 8, 0, "compacted topic", "stock", "cleanup.policy");
	STOPS(&seen, 8, 8, "compacted topic");
	/* Not known is no reason to stop. */
	seen.compacted = SOURCE_UNKNOWN;
	expect_fit(&seen, 8, 0);
}

static void
a_topic_that_does_not_exist_yet_has_no_fault(void **state)
{
	struct source_topic seen = fit(0);

	(void)state;
	expect_fit(&seen, 8, 0);
	expect_fit(&seen, 0, 8);
}

static void
a_long_name_leaves_room_for_what_to_do(void **state)
{
	struct source_topic seen = fit(999999);
	char name[250];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	seen.name = name;
	STOPS(&seen, 888888, 0, "has 999999", "had 888888");
	STOPS(&seen, 1999999, 0, "has 999999", "had 1999999");
}

static void
weak_settings_are_told_and_strong_ones_are_not(void **state)
{
	struct source_topic seen = fit(8);
	char room[400];

	(void)state;
	for (unsigned w = 0; w < TOPIC_WARNINGS; w++)
		assert_null(topics_warning(&seen, (enum topic_warning)w, room,
					   sizeof(room)));
	seen.retention_ms = 7 * 24 * 3600 * 1000LL;
	assert_null(topics_warning(&seen, TOPIC_SHORT_RETENTION, room,
				   sizeof(room)));
	seen.retention_ms--;
	assert_non_null(strstr(topics_warning(&seen, TOPIC_SHORT_RETENTION,
					      room, sizeof(room)),
			       "604799999"));
	seen.unclean = SOURCE_YES;
	assert_non_null(
		strstr(topics_warning(&seen, TOPIC_UNCLEAN, room, sizeof(room)),
		       "unclean.leader.election.enable"));
	(void)strcpy(seen.unknown, "no answer in time");
	assert_non_null(
		strstr(topics_warning(&seen, TOPIC_UNKNOWN, room, sizeof(room)),
		       "no answer in time"));
	/* Of a topic that is not there nothing is expected. */
	seen.n_partitions = 0;
	for (unsigned w = 0; w < TOPIC_WARNINGS; w++)
		assert_null(topics_warning(&seen, (enum topic_warning)w, room,
					   sizeof(room)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_topic_with_the_known_number_of_partitions_is_read),
		cmocka_unit_test(
			another_number_of_partitions_is_a_stop_until_it_is_accepted),
		cmocka_unit_test(what_was_accepted_must_be_what_there_is),
		cmocka_unit_test(
			a_compacted_topic_is_a_stop_whatever_its_partitions),
		cmocka_unit_test(a_topic_that_does_not_exist_yet_has_no_fault),
		cmocka_unit_test(a_long_name_leaves_room_for_what_to_do),
		cmocka_unit_test(
			weak_settings_are_told_and_strong_ones_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
