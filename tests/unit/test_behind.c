/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "projector/behind.h"

const struct pj_projection *
pj_projection_stock(void);
const struct pj_projection *
pj_projection_review_summary(void);

/* stock reads stock; review_summary reads review. */
enum { STOCK, REVIEWS, STOCK_TOO, LANES };
enum { STOCK_0, STOCK_1, REVIEW_0, COUPON_0, PARTS };

static struct {
	struct lanes lanes;
	struct module *mods[2];
	struct partition part[PARTS];
	struct partition *parts[PARTS];
	int64_t next[PARTS * LANES_MAX];
	int64_t behind[LANES_MAX];
} the;

static int
setup(void **state)
{
	static const char *const topics[PARTS] = {"stock", "stock", "review",
						  "coupon"};
	struct pj_error err;

	(void)state;
	memset(&the, 0, sizeof(the));
	if (module_adopt(pj_projection_stock(), "stock", "linked", NULL,
			 &the.mods[0], &err) ||
	    module_adopt(pj_projection_review_summary(), "review_summary",
			 "linked", NULL, &the.mods[1], &err))
		fail_msg("%s", err.text);
	the.lanes.n = LANES;
	for (unsigned l = 0; l < LANES; l++)
		the.lanes.lane[l].index = l;
	the.lanes.lane[STOCK].mod = the.lanes.lane[STOCK_TOO].mod = the.mods[0];
	the.lanes.lane[REVIEWS].mod = the.mods[1];
	for (int p = 0; p < PARTS; p++) {
		strcpy(the.part[p].topic, topics[p]);
		the.part[p].number = p == STOCK_1;
		the.parts[p] = &the.part[p];
	}
	for (size_t i = 0; i < PARTS * LANES_MAX; i++)
		the.next[i] = -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	module_free(the.mods[0]);
	module_free(the.mods[1]);
	return 0;
}

static void
at(unsigned lane, int part, int64_t next)
{
	the.next[part * LANES_MAX + (int)lane] = next;
}

static void
assert_behind(int64_t stock, int64_t reviews, int64_t stock_too)
{
	behind_measure(&the.lanes, the.parts, PARTS, the.next, the.behind);
	assert_int_equal(the.behind[STOCK], stock);
	assert_int_equal(the.behind[REVIEWS], reviews);
	assert_int_equal(the.behind[STOCK_TOO], stock_too);
}

static void
assert_elsewhere(int64_t max, bool some, bool stock, bool reviews,
		 bool stock_too)
{
	behind_measure(&the.lanes, the.parts, PARTS, the.next, the.behind);
	assert_int_equal(behind_split(&the.lanes, the.behind, max), some);
	assert_int_equal(the.lanes.lane[STOCK].elsewhere, stock);
	assert_int_equal(the.lanes.lane[REVIEWS].elsewhere, reviews);
	assert_int_equal(the.lanes.lane[STOCK_TOO].elsewhere, stock_too);
}

/* ---- Tests -----------------------------------------------------------------
 */

static void
only_those_that_read_the_partition_are_compared(void **state)
{
	(void)state;
	at(STOCK, STOCK_0, 100);
	at(STOCK_TOO, STOCK_0, 70);
	at(REVIEWS, REVIEW_0, 5000);
	/* Somebody's old position on a topic that nobody here reads. */
	at(STOCK, COUPON_0, 9000);
	assert_behind(0, 0, 30);
}

static void
the_partition_where_it_is_most_counts(void **state)
{
	(void)state;
	at(STOCK, STOCK_0, 100);
	at(STOCK_TOO, STOCK_0, 99);
	at(STOCK, STOCK_1, 50);
	at(STOCK_TOO, STOCK_1, 10);
	assert_behind(0, 0, 40);
}

static void
without_a_position_it_is_at_the_first_record(void **state)
{
	(void)state;
	assert_behind(0, 0, 0);
	at(STOCK, STOCK_0, 1000);
	assert_behind(0, 0, 1000);
}

static void
who_is_stopped_leads_nobody_and_lags_behind_nobody(void **state)
{
	(void)state;
	at(STOCK, STOCK_0, 1000);
	at(STOCK_TOO, STOCK_0, 10);
	the.lanes.lane[STOCK].stop.cls = PJ_ERROR_STOP;
	assert_behind(0, 0, 0);
	at(STOCK, STOCK_0, 0);
	assert_behind(0, 0, 0);
	assert_elsewhere(5, false, false, false, false);
}

static void
over_the_limit_it_is_fed_elsewhere_and_at_it_not(void **state)
{
	(void)state;
	at(STOCK, STOCK_0, 1000);
	at(STOCK_TOO, STOCK_0, 900);
	assert_elsewhere(100, false, false, false, false);
	assert_elsewhere(99, true, false, false, true);
	/* Caught up, it is back. */
	at(STOCK_TOO, STOCK_0, 1000);
	assert_elsewhere(99, false, false, false, false);
}

static void
nobody_goes_when_nobody_would_be_left(void **state)
{
	(void)state;
	/* Each is far behind the other somewhere. */
	the.lanes.lane[REVIEWS].stop.cls = PJ_ERROR_STOP;
	at(STOCK, STOCK_0, 1000);
	at(STOCK_TOO, STOCK_1, 1000);
	assert_elsewhere(100, false, false, false, false);
	the.lanes.lane[REVIEWS].stop.cls = PJ_ERROR_NONE;
	assert_elsewhere(100, true, true, false, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_those_that_read_the_partition_are_compared),
		TEST(the_partition_where_it_is_most_counts),
		TEST(without_a_position_it_is_at_the_first_record),
		TEST(who_is_stopped_leads_nobody_and_lags_behind_nobody),
		TEST(over_the_limit_it_is_fed_elsewhere_and_at_it_not),
		TEST(nobody_goes_when_nobody_would_be_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
