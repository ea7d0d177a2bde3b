/* SPDX-License-Identifier: Apache-2.0 */
/* Ends that somebody chose, and those of a process with two threads at work. */
#define _XOPEN_SOURCE 700
#include "tests/unit/ledger_process.h"

#include <pthread.h>
#include <semaphore.h>

/* ---- Chosen ends --------------------------------------------------------- */

static void
an_exit_within_a_record_is_a_failure_and_leaves_the_record(void **state)
{
	int status = run_to_its_end(*state, STORE, fold_offset_12,
				    end_by_calling_exit);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_found_12(*state);
	status = run_to_its_end(*state, STORE, fold_and_finish,
				end_by_calling_exit);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_chosen_end_leaves_nothing_when_records_still_came_to_their_end(void **state)
{
	struct ledger *led = open_for(*state, STORE);

	ledger_mark();
	fold_offset_12(led);
	ledger_absolve();
	/* As _exit() does: the entry stays as it is. */
	assert_int_equal(led->page->chosen, 1);
	ledger_close(led);
	led = open_for(*state, STORE);
	assert_int_equal(led->page->chosen, 0);
	ledger_close(led);
}

static void
stop_in_another_record(struct ledger *led)
{
	begin(led, STEP_FOLD, 11);
	ledger_mark();
	fold_offset_12(led);
	ledger_absolve();
}

static void
stop_in_the_same_record(struct ledger *led)
{
	fold_offset_12(led);
	ledger_mark();
	ledger_absolve();
}

static void
stop_between_records(struct ledger *led)
{
	fold_and_finish(led);
	ledger_mark();
	ledger_absolve();
	fold_offset_12(led); /* in the instant before the end */
}

static void
a_chosen_end_leaves_the_record_that_held_it_up(void **state)
{
	(void)run_to_its_end(*state, STORE, stop_in_another_record,
			     end_by_exit);
	assert_nothing_found(*state, STORE);
	(void)run_to_its_end(*state, STORE, stop_between_records, end_by_exit);
	assert_nothing_found(*state, STORE);
	(void)run_to_its_end(*state, STORE, stop_in_the_same_record,
			     end_by_exit);
	assert_found_12(*state);
}

/* ---- Two threads ------------------------------------------------------------
 */

static char *the_dir;

/* Is in the middle of offset 13 for good. */
static void *
work_beside(void *arg)
{
	struct ledger *led = open_for(the_dir, STORE);

	ledger_lanes(led, &lanes);
	begin(led, STEP_FOLD, 13);
	(void)sem_post(arg);
	for (;;)
		(void)pause();
	return NULL;
}

static void
fold_offset_12_beside_13(struct ledger *led)
{
	pthread_t thread;
	sem_t ready;

	(void)sem_init(&ready, 0, 0);
	if (pthread_create(&thread, NULL, work_beside, &ready))
		_exit(97);
	while (sem_wait(&ready))
		;
	fold_offset_12(led);
}

static void
finish_12_beside_13(struct ledger *led)
{
	fold_offset_12_beside_13(led);
	ledger_end(led);
}

static void
a_fault_counts_against_the_record_of_its_own_thread_alone(void **state)
{
	static void (*const ends[])(void) = {end_by_segfault, abort,
					     end_by_calling_exit};

	the_dir = *state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct ledger *led;
		int status = run_to_its_end(*state, STORE,
					    fold_offset_12_beside_13, ends[i]);

		if (i == 2)
			assert_int_equal(WEXITSTATUS(status), 1);
		assert_found_12(*state);
		led = open_for(*state, STORE);
		ledger_forget(led);
		ledger_close(led);
	}
}

static void
a_fault_on_a_thread_in_no_record_counts_against_those_at_work(void **state)
{
	struct ledger *led;

	the_dir = *state;
	(void)run_to_its_end(*state, STORE, finish_12_beside_13, abort);
	led = open_for(*state, STORE);
	assert_non_null(ledger_found(led, 0));
	assert_int_equal(ledger_found(led, 0)->offset, 13);
	ledger_close(led);
}

static void
a_kill_counts_against_the_records_of_all_threads(void **state)
{
	struct ledger *led;

	the_dir = *state;
	(void)run_to_its_end(*state, STORE, fold_offset_12_beside_13,
			     end_by_kill);
	led = open_for(*state, STORE);
	assert_non_null(ledger_found(led, 1));
	ledger_close(led);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fault_counts_against_the_record_of_its_own_thread_alone),
		TEST(a_fault_on_a_thread_in_no_record_counts_against_those_at_work),
		TEST(a_kill_counts_against_the_records_of_all_threads),
		TEST(a_chosen_end_leaves_nothing_when_records_still_came_to_their_end),
		TEST(a_chosen_end_leaves_the_record_that_held_it_up),
		TEST(an_exit_within_a_record_is_a_failure_and_leaves_the_record),
	};

	take_handlers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
