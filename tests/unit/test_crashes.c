/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "projector/crashes.h"

static struct store_crash
crash(const char *generation, const char *topic, int32_t partition,
      int64_t offset, int32_t count)
{
	struct store_crash row = {
		.partition = partition, .offset = offset, .count = count};

	strcpy(row.generation, generation);
	strcpy(row.topic, topic);
	return row;
}

static bool
condemns_in(const struct crashes *list, enum step step, const char *generation,
	    const char *topic, int32_t partition, int64_t offset)
{
	struct partition part = {.number = partition};
	struct record rec = {.partition = &part, .offset = offset};

	strcpy(part.topic, topic);
	return crashes_condemns(list, step, generation, &rec);
}

static bool
condemns(const struct crashes *list, const char *generation, const char *topic,
	 int32_t partition, int64_t offset)
{
	return condemns_in(list, *generation ? STEP_FOLD : STEP_DECODE,
			   generation, topic, partition, offset);
}

static void
an_empty_list_condemns_nothing(void **state)
{
	struct crashes list = {NULL, 0, 0};

	(void)state;
	assert_false(condemns(&list, "", "stock", 0, 0));
	assert_false(condemns(&list, "stock.1", "stock", 0, 0));
	crashes_release(&list);
}

static void
a_record_is_condemned_at_the_limit_and_not_below(void **state)
{
	const struct store_crash rows[] = {
		crash("stock.1", "stock", 0, 7, 2),
		crash("stock.1", "stock", 0, 8, 3),
		crash("stock.1", "stock", 0, 9, 4),
	};
	struct crashes list = {NULL, 0, 0};

	(void)state;
	crashes_set(&list, rows, 3, 3);
	assert_false(condemns(&list, "stock.1", "stock", 0, 7));
	assert_true(condemns(&list, "stock.1", "stock", 0, 8));
	assert_true(condemns(&list, "stock.1", "stock", 0, 9));
	/* A list that was read again stands in place of the old one. */
	crashes_set(&list, rows, 1, 2);
	assert_true(condemns(&list, "stock.1", "stock", 0, 7));
	assert_false(condemns(&list, "stock.1", "stock", 0, 8));
	crashes_release(&list);
}

static void
limit_0_condemns_nothing(void **state)
{
	const struct store_crash row = crash("stock.1", "stock", 0, 7, 1000);
	struct crashes list = {NULL, 0, 0};

	(void)state;
	crashes_set(&list, &row, 1, 0);
	assert_false(condemns(&list, "stock.1", "stock", 0, 7));
	crashes_release(&list);
}

static void
only_the_very_record_of_the_very_generation_is_condemned(void **state)
{
	const struct store_crash row = crash("stock.1", "stock", 1, 7, 3);
	struct crashes list = {NULL, 0, 0};

	(void)state;
	crashes_set(&list, &row, 1, 3);
	assert_true(condemns(&list, "stock.1", "stock", 1, 7));
	assert_false(condemns(&list, "stock.2", "stock", 1, 7));
	assert_false(condemns(&list, "stock.1", "stocks", 1, 7));
	assert_false(condemns(&list, "stock.1", "stock", 0, 7));
	assert_false(condemns(&list, "stock.1", "stock", 1, 6));
	assert_false(condemns(&list, "stock.1", "stock", 1, 8));
	assert_false(condemns(&list, "", "stock", 1, 7));
	crashes_release(&list);
}

static void
each_step_of_a_record_is_condemned_for_itself(void **state)
{
	const struct store_crash rows[] = {
		crash("stock.1", "stock", 1, 7, 3),
		crash("stock.2:key", "stock", 1, 7, 3),
		crash("", "stock", 1, 8, 3),
	};
	struct crashes list = {NULL, 0, 0};

	(void)state;
	crashes_set(&list, rows, 3, 3);
	assert_true(condemns_in(&list, STEP_FOLD, "stock.1", "stock", 1, 7));
	assert_false(condemns_in(&list, STEP_KEY, "stock.1", "stock", 1, 7));
	assert_false(condemns_in(&list, STEP_FOLD, "stock.2", "stock", 1, 7));
	assert_true(condemns_in(&list, STEP_KEY, "stock.2", "stock", 1, 7));
	assert_false(condemns_in(&list, STEP_KEY, "stock.22", "stock", 1, 7));
	assert_false(condemns_in(&list, STEP_DECODE, "", "stock", 1, 7));
	/* While it was decoded: nobody gets to see it. */
	assert_true(condemns_in(&list, STEP_DECODE, "", "stock", 1, 8));
	assert_false(condemns_in(&list, STEP_FOLD, "stock.1", "stock", 1, 8));
	crashes_release(&list);
}

static void
a_record_out_of_a_queue_is_tried_once_more(void **state)
{
	struct store_crash row = crash("stock.1", "stock", 1, 7, 3);
	struct partition part = {.topic = "stock", .number = 1};
	struct queued queued = {.discard = false};
	struct record rec = {
		.partition = &part, .offset = 7, .queued = &queued};
	struct crashes list = {NULL, 0, 0};

	(void)state;
	crashes_set(&list, &row, 1, 3);
	assert_false(crashes_condemns(&list, STEP_FOLD, "stock.1", &rec));
	row.count = 4;
	crashes_set(&list, &row, 1, 3);
	assert_true(crashes_condemns(&list, STEP_FOLD, "stock.1", &rec));
	crashes_release(&list);
}

static void
a_record_that_is_given_up_is_not_tried_at_all(void **state)
{
	struct store_crash row = crash("", "stock", 1, 7, 3);
	struct partition part = {.topic = "stock", .number = 1};
	struct queued queued = {.discard = true};
	struct record rec = {
		.partition = &part, .offset = 7, .queued = &queued};
	struct crashes list = {NULL, 0, 0};

	(void)state;
	crashes_set(&list, &row, 1, 3);
	assert_true(crashes_condemns(&list, STEP_DECODE, "", &rec));
	queued.discard = false;
	assert_false(crashes_condemns(&list, STEP_DECODE, "", &rec));
	crashes_release(&list);
}

/* Of the decoding only when it has been done again: others wait for that. */
static void
a_record_that_left_its_queue_is_taken_off_for_its_generation(void **state)
{
	const struct store_crash rows[] = {
		crash("", "stock", 1, 7, 3),
		crash("stock.1", "stock", 1, 7, 3),
		crash("stock.1:key", "stock", 1, 7, 3),
		crash("stock.2", "stock", 1, 7, 3),
		crash("stock.1", "stock", 0, 7, 3),
		crash("stock.1", "stock", 1, 8, 3),
	};
	struct partition part = {.topic = "stock", .number = 1};
	struct queued queued = {.discard = true};
	struct record rec = {
		.partition = &part, .offset = 7, .queued = &queued};
	struct crashes list = {NULL, 0, 0};

	(void)state;
	crashes_set(&list, rows, 6, 3);
	assert_true(crashes_absolve(&list, "stock.1", &rec));
	assert_int_equal(list.n, 4);
	assert_false(condemns(&list, "stock.1", "stock", 1, 7));
	assert_true(condemns(&list, "", "stock", 1, 7));
	assert_true(condemns(&list, "stock.2", "stock", 1, 7));
	assert_true(condemns(&list, "stock.1", "stock", 0, 7));
	assert_true(condemns(&list, "stock.1", "stock", 1, 8));
	assert_false(crashes_absolve(&list, "stock.1", &rec));
	queued.discard = false;
	assert_true(crashes_absolve(&list, "stock.1", &rec));
	assert_int_equal(list.n, 3);
	assert_false(condemns(&list, "", "stock", 1, 7));
	crashes_release(&list);
}

static void
every_row_of_many_is_found_and_nothing_between(void **state)
{
	enum { N = 300 };
	struct store_crash rows[N];
	struct crashes list = {NULL, 0, 0};
	size_t n = 0;

	(void)state;
	/* Not in order: even offsets from the highest down, two partitions,
	 * three generations. */
	for (int64_t at = 98; at >= 0; at -= 2)
		for (int32_t part = 1; part >= 0; part--)
			for (char g = '3'; g >= '1'; g--) {
				char generation[] = "sales.0";

				generation[6] = g;
				rows[n++] =
					crash(generation, "order", part, at, 3);
			}
	assert_int_equal(n, N);
	crashes_set(&list, rows, n, 3);
	for (size_t i = 0; i < n; i++)
		assert_true(condemns(&list, rows[i].generation, "order",
				     rows[i].partition, rows[i].offset));
	for (int64_t at = -1; at < 101; at += 2)
		assert_false(condemns(&list, "sales.2", "order", 0, at));
	assert_false(condemns(&list, "sales.2", "order", 2, 50));
	assert_false(condemns(&list, "sales.4", "order", 1, 50));
	assert_false(condemns(&list, "sales.2", "a", 1, 50));
	assert_false(condemns(&list, "sales.2", "z", 1, 50));
	crashes_release(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_list_condemns_nothing),
		cmocka_unit_test(
			a_record_is_condemned_at_the_limit_and_not_below),
		cmocka_unit_test(limit_0_condemns_nothing),
		cmocka_unit_test(
			only_the_very_record_of_the_very_generation_is_condemned),
		cmocka_unit_test(each_step_of_a_record_is_condemned_for_itself),
		cmocka_unit_test(a_record_out_of_a_queue_is_tried_once_more),
		cmocka_unit_test(a_record_that_is_given_up_is_not_tried_at_all),
		cmocka_unit_test(
			a_record_that_left_its_queue_is_taken_off_for_its_generation),
		cmocka_unit_test(
			every_row_of_many_is_found_and_nothing_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
