/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named stops of single partitions: the event source's
 * contract, held against both adapters (test_source.c has the rest).
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/log.h"
#include "tests/support/source_log.h"

/* Where stock/0 is to begin; price/0 from its first record. */
static void
assign_stock(struct source *src, const struct source_event *ev, int64_t next)
{
	struct source_position pos[2];
	struct pj_error err = {0};
	uint32_t assignment;
	size_t i;

	assert_int_equal(ev->n_partitions, 2);
	for (i = 0; i < 2; i++) {
		bool stock = strcmp(ev->partitions[i]->topic, "stock") == 0;

		pos[i].partition = ev->partitions[i];
		pos[i].next = stock ? next : -1;
	}
	if (source_assign(src, pos, 2, &assignment, &err))
		fail_msg("assign: %s", err.text);
}

static void
expect_one(struct source *src, const char *topic, int64_t offset)
{
	struct record *rec;

	step_read(src, &rec, 1);
	assert_true(is_at(rec, topic, 0, offset));
	record_release(rec);
}

static void
a_start_behind_the_end_stops_the_partition_by_name(void **state)
{
	struct log *log = *state;
	struct source_event ev, stop;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 5);
	src = log_open(log, SOURCE_ALL, NULL);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assign_stock(src, &ev, 7);
	stop = step_wait_stop(src, "stock/0: offset 7 ");
	assert_string_equal(stop.stopped->topic, "stock");
	assert_int_equal(stop.stopped->number, 0);
	assert_non_null(strstr(stop.why.text, "first 0, next 5"));
	assert_non_null(strstr(stop.why.text, "rebuild"));
	source_close(src);
}

static void
a_stop_is_told_once_and_again_under_a_new_assignment(void **state)
{
	struct log *log = *state;
	struct source_event ev;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 5);
	src = log_open(log, SOURCE_ALL, NULL);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assign_stock(src, &ev, 7);
	(void)step_wait_stop(src, "stock/0: offset 7 ");
	/* No event but records, and none of the partition, may come now. */
	step_expect_none(src);
	assign_stock(src, &ev, 9);
	(void)step_wait_stop(src, "stock/0: offset 9 ");
	step_expect_none(src);
	/* What lies in the log is another matter. */
	assign_stock(src, &ev, 4);
	expect_one(src, "stock", 4);
	log_append(log, "stock", 0, 5, 1);
	expect_one(src, "stock", 5);
	step_expect_none(src);
	source_close(src);
}

static void
a_stopped_partition_delivers_nothing_while_the_others_go_on(void **state)
{
	struct log *log = *state;
	struct source_event ev;
	struct source *src;
	int i;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 3);
	src = log_open(log, SOURCE_ALL, NULL);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assign_stock(src, &ev, 9);
	(void)step_wait_stop(src, "stock/0");
	/* Its log grows past the place where it was to begin. */
	log_append(log, "stock", 0, 3, 10);
	for (i = 0; i < 3; i++) {
		log_append(log, "price", 0, i, 1);
		expect_one(src, "price", i);
	}
	step_expect_none(src);
	source_close(src);
}

static void
each_partition_that_stops_is_told(void **state)
{
	struct log *log = *state;
	struct source_event ev, first, second;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	src = log_read(log, 3, &ev);
	first = step_wait_stop(src, "offset 3 ");
	second = step_wait_stop(src, "offset 3 ");
	assert_ptr_not_equal(first.stopped, second.stopped);
	step_expect_none(src);
	source_close(src);
}

static void
a_pause_does_not_wake_what_has_stopped(void **state)
{
	struct log *log = *state;
	struct record *recs[2];
	struct pj_error err = {0};
	struct source_event ev;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 3);
	src = log_open(log, SOURCE_ALL, NULL);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assign_stock(src, &ev, 9);
	(void)step_wait_stop(src, "stock/0");
	assert_int_equal(source_pause(src, true, &err), 0);
	log_append(log, "stock", 0, 3, 10);
	log_append(log, "price", 0, 0, 1);
	step_expect_none(src);
	assert_int_equal(source_pause(src, false, &err), 0);
	expect_one(src, "price", 0);
	step_expect_none(src);
	assign_stock(src, &ev, 12);
	step_read(src, recs, 2); /* stock 12, price 0 */
	step_release(recs, 2);
	step_expect_none(src);
	source_close(src);
}

#define CONTRACT(setup)                                                                \
	{                                                                              \
		T(a_start_behind_the_end_stops_the_partition_by_name, setup),          \
			T(a_stop_is_told_once_and_again_under_a_new_assignment,        \
			  setup),                                                      \
			T(a_stopped_partition_delivers_nothing_while_the_others_go_on, \
			  setup),                                                      \
			T(each_partition_that_stops_is_told, setup),                   \
			T(a_pause_does_not_wake_what_has_stopped, setup),              \
	}
#define T(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest archive[] = CONTRACT(setup_archive);
	const struct CMUnitTest kafka[] = CONTRACT(setup_kafka);
	int failed;

	log_setup("test", LOG_ERROR, LOG_LOGFMT);
	failed = cmocka_run_group_tests_name("archive", archive, NULL, NULL);
	failed += cmocka_run_group_tests_name("kafka", kafka, NULL, NULL);
	return failed > 0;
}
