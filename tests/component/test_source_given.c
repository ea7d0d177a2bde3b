/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second reader of partitions that are owned: the event source's
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

/* ---- A second reader of one owner --------------------------------------- */

static void
nothing_comes_of_a_reader_that_was_given_nothing(void **state)
{
	struct log *log = *state;
	struct source_event ev;
	struct source *given;

	log_create(log, "stock", 2);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 3);
	given = log_open(log, SOURCE_GIVEN, NULL);
	step_expect_none(given);
	source_give(given, NULL, 0);
	ev = step_wait(given, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 0);
	source_close(given);
}

static void
a_given_partition_is_read_beside_its_owner(void **state)
{
	static const struct source_name lagging = {"stock", 1};
	struct log *log = *state;
	struct source_event owned, ev;
	struct source *owner, *given;
	struct record *recs[6];

	log_create(log, "stock", 2);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 5);
	log_append(log, "stock", 1, 0, 5);
	owner = log_open(log, SOURCE_SHARE, "one");
	owned = step_wait(owner, SOURCE_ASSIGNED);
	assert_int_equal(owned.n_partitions, 3);
	(void)step_assign(owner, &owned, 5);
	log_append(log, "price", 0, 0, 5);
	given = log_open(log, SOURCE_GIVEN, NULL);
	source_give(given, &lagging, 1);
	ev = step_wait(given, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 1);
	assert_string_equal(ev.partitions[0]->topic, "stock");
	assert_int_equal(ev.partitions[0]->number, 1);
	(void)step_assign(given, &ev, 2);
	step_read(given, recs, 3);
	assert_true(is_at(recs[0], "stock", 1, 2));
	assert_true(is_at(recs[2], "stock", 1, 4));
	step_release(recs, 3);
	/* Both get what comes, and the owner's set is not touched. */
	log_append(log, "stock", 1, 5, 1);
	step_read(given, recs, 1);
	step_read(owner, recs + 1, 1);
	assert_true(is_at(recs[0], "stock", 1, 5));
	assert_true(is_at(recs[1], "stock", 1, 5));
	assert_ptr_not_equal(recs[0]->partition, recs[1]->partition);
	step_release(recs, 2);
	step_expect_none(given);
	step_expect_none(owner);
	source_close(given);
	step_expect_none(owner);
	source_close(owner);
}

static void
giving_others_takes_the_former_away_first(void **state)
{
	static const struct source_name first = {"stock", 0};
	static const struct source_name then[] = {{"stock", 1}, {"price", 0}};
	struct log *log = *state;
	struct pj_error err = {0};
	struct source_event ev;
	struct source *given;
	struct record *recs[4];

	log_create(log, "stock", 2);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 9);
	log_append(log, "stock", 1, 0, 2);
	log_append(log, "price", 0, 0, 2);
	given = log_open(log, SOURCE_GIVEN, NULL);
	source_give(given, &first, 1);
	ev = step_wait(given, SOURCE_ASSIGNED);
	(void)step_assign(given, &ev, -1);
	step_read(given, recs, 1);
	step_release(recs, 1);
	source_give(given, then, 2);
	ev = step_wait(given, SOURCE_REVOKED);
	assert_int_equal(ev.n_partitions, 1);
	step_expect_none(given);
	assert_int_equal(source_unassign(given, &err), 0);
	ev = step_wait(given, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 2);
	(void)step_assign(given, &ev, -1);
	step_read(given, recs, 4);
	step_release(recs, 4);
	step_expect_none(given);
	source_close(given);
}

#define CONTRACT(setup)                                                        \
	{                                                                      \
		T(nothing_comes_of_a_reader_that_was_given_nothing, setup),    \
			T(a_given_partition_is_read_beside_its_owner, setup),  \
			T(giving_others_takes_the_former_away_first, setup),   \
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
