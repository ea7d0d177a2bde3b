/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "projector/open_end.h"

enum { LIMIT = 1000 };

static void
a_log_that_is_read_to_its_end_is_no_news(void **state)
{
	struct open_end end = {0};

	(void)state;
	for (int64_t now = 1; now < 10 * LIMIT; now += 100)
		assert_int_equal(open_end_look(&end, 7, 7, now, LIMIT),
				 OPEN_END_NONE);
	assert_int_equal(open_end_ms(&end, 99999), 0);
}

static void
an_end_that_stands_before_more_is_told_at_the_limit_and_again(void **state)
{
	struct open_end end = {0};

	(void)state;
	assert_int_equal(open_end_look(&end, 7, 9, 100, LIMIT), OPEN_END_NONE);
	assert_int_equal(open_end_look(&end, 7, 12, 1099, LIMIT),
			 OPEN_END_NONE);
	assert_int_equal(open_end_look(&end, 7, 20, 1100, LIMIT),
			 OPEN_END_STANDS);
	assert_int_equal(end.written, 20);
	assert_int_equal(open_end_ms(&end, 1100), 1000);
	assert_int_equal(open_end_look(&end, 7, 20, 2099, LIMIT),
			 OPEN_END_NONE);
	assert_int_equal(open_end_look(&end, 7, 20, 2100, LIMIT),
			 OPEN_END_STANDS);
	assert_int_equal(open_end_ms(&end, 2100), 2000);
}

static void
transactions_that_follow_each_other_are_no_news(void **state)
{
	struct open_end end = {0};

	(void)state;
	/* Always one is open, never the same for long. */
	for (int64_t n = 0; n < 100; n++)
		assert_int_equal(
			open_end_look(&end, n, n + 5, 1 + n * 900, LIMIT),
			OPEN_END_NONE);
}

static void
an_end_that_moves_again_is_told_once_and_only_after_an_alarm(void **state)
{
	struct open_end end = {0};

	(void)state;
	(void)open_end_look(&end, 7, 9, 100, LIMIT);
	assert_int_equal(open_end_look(&end, 9, 9, 200, LIMIT), OPEN_END_NONE);
	(void)open_end_look(&end, 9, 12, 300, LIMIT);
	assert_int_equal(open_end_look(&end, 9, 12, 1300, LIMIT),
			 OPEN_END_STANDS);
	assert_int_equal(open_end_look(&end, 12, 12, 1400, LIMIT),
			 OPEN_END_MOVES);
	assert_int_equal(open_end_look(&end, 12, 12, 1500, LIMIT),
			 OPEN_END_NONE);
	assert_int_equal(open_end_ms(&end, 9999), 0);
}

static void
what_is_still_to_be_read_and_a_log_that_is_not_known_are_no_news(void **state)
{
	struct open_end end = {0};

	(void)state;
	(void)open_end_look(&end, 7, 9, 100, LIMIT);
	assert_int_equal(open_end_look(&end, 7, -1, 2000, LIMIT),
			 OPEN_END_NONE);
	assert_int_equal(open_end_ms(&end, 2000), 0);
	assert_int_equal(open_end_look(&end, 7, 9, 2100, LIMIT), OPEN_END_NONE);
}

static void
without_a_limit_nothing_is_told_and_the_time_is_known(void **state)
{
	struct open_end end = {0};

	(void)state;
	(void)open_end_look(&end, 7, 9, 100, 0);
	assert_int_equal(open_end_look(&end, 7, 9, 99999, 0), OPEN_END_NONE);
	assert_int_equal(open_end_ms(&end, 1100), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_that_is_read_to_its_end_is_no_news),
		cmocka_unit_test(
			an_end_that_stands_before_more_is_told_at_the_limit_and_again),
		cmocka_unit_test(
			transactions_that_follow_each_other_are_no_news),
		cmocka_unit_test(
			an_end_that_moves_again_is_told_once_and_only_after_an_alarm),
		cmocka_unit_test(
			what_is_still_to_be_read_and_a_log_that_is_not_known_are_no_news),
		cmocka_unit_test(
			without_a_limit_nothing_is_told_and_the_time_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
