/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queryapi/rate.h"

static const int64_t second = 1000000000;

static void
a_bucket_holds_what_it_gets_in_a_second(void **state)
{
	struct rate_bucket bucket = {0};
	int64_t now = 5 * second;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(rate_take(&bucket, 10, now), 0);
	assert_true(rate_take(&bucket, 10, now) > 0);
}

static void
who_waits_as_long_as_was_said_gets_one(void **state)
{
	struct rate_bucket bucket = {0};
	int64_t now = 5 * second, wait;

	(void)state;
	while ((wait = rate_take(&bucket, 4, now)) == 0)
		continue;
	assert_int_equal(wait, second / 4);
	assert_true(rate_take(&bucket, 4, now + wait - 1) > 0);
	assert_int_equal(rate_take(&bucket, 4, now + wait), 0);
	assert_true(rate_take(&bucket, 4, now + wait) > 0);
}

static void
over_a_long_time_the_rate_is_kept_exactly(void **state)
{
	struct rate_bucket bucket = {0};
	int64_t now = second, taken = 0;

	(void)state;
	for (int64_t ms = 0; ms < 60000; ms++)
		taken += rate_take(&bucket, 7, now + ms * 1000000) == 0;
	assert_in_range(taken, 60 * 7, 60 * 7 + 7);
}

static void
rest_earns_one_bucket_and_no_more(void **state)
{
	struct rate_bucket bucket = {0};
	int taken = 0;

	(void)state;
	assert_int_equal(rate_take(&bucket, 3, second), 0);
	for (int i = 0; i < 100; i++)
		taken += rate_take(&bucket, 3, 1000 * second) == 0;
	assert_int_equal(taken, 3);
}

static void
without_a_rate_there_is_no_limit(void **state)
{
	struct rate_bucket bucket = {0};
	struct admission_address addr = {{1}};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rate_take(&bucket, 0, second), 0);
	assert_null(rate_addresses_new(0));
	assert_int_equal(rate_addresses_take(NULL, &addr, second), 0);
}

static struct admission_address
address(uint32_t n)
{
	struct admission_address addr = {{4}};

	memcpy(addr.bytes + 12, &n, sizeof(n));
	return addr;
}

static void
addresses_have_buckets_of_their_own(void **state)
{
	struct rate_addresses *rates = rate_addresses_new(2);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct admission_address addr = address(i);

		assert_int_equal(rate_addresses_take(rates, &addr, second), 0);
		assert_int_equal(rate_addresses_take(rates, &addr, second), 0);
		assert_true(rate_addresses_take(rates, &addr, second) > 0);
	}
	rate_addresses_free(rates);
}

/* Many addresses at once do not make room for one that is out of tokens. */
static void
who_is_out_of_tokens_is_remembered_among_many_others(void **state)
{
	struct rate_addresses *rates = rate_addresses_new(100);
	struct admission_address greedy = address(7);

	(void)state;
	while (rate_addresses_take(rates, &greedy, second) == 0)
		continue;
	for (uint32_t i = 0; i < 2 * RATE_CLIENTS; i++) {
		struct admission_address addr = address(1000 + i);

		assert_int_equal(rate_addresses_take(rates, &addr, second), 0);
	}
	assert_true(rate_addresses_take(rates, &greedy, second) > 0);
	rate_addresses_free(rates);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_holds_what_it_gets_in_a_second),
		cmocka_unit_test(who_waits_as_long_as_was_said_gets_one),
		cmocka_unit_test(over_a_long_time_the_rate_is_kept_exactly),
		cmocka_unit_test(rest_earns_one_bucket_and_no_more),
		cmocka_unit_test(without_a_rate_there_is_no_limit),
		cmocka_unit_test(addresses_have_buckets_of_their_own),
		cmocka_unit_test(
			who_is_out_of_tokens_is_remembered_among_many_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
