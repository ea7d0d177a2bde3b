/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka is not thread-safe: threads only count, the test thread asserts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/queue.h"

static int items[4];

static void
items_come_out_in_the_order_they_went_in(void **state)
{
	struct queue *q = queue_new(3);

	(void)state;
	/* Twice around, so that the ring wraps at every place. */
	for (int i = 0; i < 7; i++) {
		assert_true(queue_try_push(q, &items[0]));
		assert_true(queue_try_push(q, &items[1]));
		assert_int_equal(queue_len(q), 2);
		assert_ptr_equal(queue_try_pop(q), &items[0]);
		assert_ptr_equal(queue_pop(q, 0), &items[1]);
		assert_null(queue_try_pop(q));
	}
	queue_free(q);
}

static void
a_full_queue_takes_no_more_until_one_leaves(void **state)
{
	struct queue *q = queue_new(2);

	(void)state;
	assert_true(queue_try_push(q, &items[0]));
	assert_true(queue_push(q, &items[1]));
	assert_false(queue_try_push(q, &items[2]));
	assert_int_equal(queue_len(q), 2);
	assert_ptr_equal(queue_try_pop(q), &items[0]);
	assert_true(queue_try_push(q, &items[2]));
	assert_ptr_equal(queue_try_pop(q), &items[1]);
	assert_ptr_equal(queue_try_pop(q), &items[2]);
	queue_free(q);
}

static void
what_comes_out_next_says_how_long_it_has_been_in(void **state)
{
	struct queue *q = queue_new(2);
	struct timespec ts = {0, 20000000};
	int64_t second_mono_ms;

	(void)state;
	assert_int_equal(queue_waited_ms(q), 0);
	assert_true(queue_try_push(q, &items[0]));
	(void)nanosleep(&ts, NULL);
	second_mono_ms = clock_mono_ms();
	assert_true(queue_try_push(q, &items[1]));
	assert_true(queue_waited_ms(q) >= 19);
	(void)queue_try_pop(q);
	assert_true(queue_waited_ms(q) <= clock_mono_ms() - second_mono_ms);
	(void)nanosleep(&ts, NULL);
	assert_true(queue_waited_ms(q) >= 19);
	(void)queue_try_pop(q);
	assert_int_equal(queue_waited_ms(q), 0);
	queue_free(q);
}

static void
an_empty_queue_is_waited_for_as_long_as_asked(void **state)
{
	struct queue *q = queue_new(1);
	int64_t start = clock_mono_ms();

	(void)state;
	assert_null(queue_pop(q, 0));
	assert_null(queue_pop(q, 30));
	assert_true(clock_mono_ms() - start >= 29);
	queue_free(q);
}

static void
a_closed_queue_gives_what_it_has_and_takes_nothing(void **state)
{
	struct queue *q = queue_new(2);

	(void)state;
	assert_true(queue_try_push(q, &items[0]));
	queue_close(q);
	assert_false(queue_try_push(q, &items[1]));
	assert_false(queue_push(q, &items[1]));
	assert_ptr_equal(queue_pop(q, -1), &items[0]);
	assert_null(queue_pop(q, -1));
	assert_null(queue_try_pop(q));
	queue_close(q);
	queue_free(q);
	queue_free(NULL);
}

/* ---- Threads ----------------------------------------------------------- */

static void *
pop_for_ever(void *arg)
{
	return queue_pop(arg, -1);
}

static void *
push_one(void *arg)
{
	return queue_push(arg, &items[3]) ? &items[3] : NULL;
}

static void
a_waiting_popper_gets_what_is_pushed(void **state)
{
	struct queue *q = queue_new(1);
	pthread_t thread;
	void *got;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, pop_for_ever, q), 0);
	assert_true(queue_push(q, &items[2]));
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_ptr_equal(got, &items[2]);
	queue_free(q);
}

static void
a_waiting_pusher_goes_on_when_there_is_room(void **state)
{
	struct queue *q = queue_new(1);
	pthread_t thread;
	void *got;

	(void)state;
	assert_true(queue_try_push(q, &items[0]));
	assert_int_equal(pthread_create(&thread, NULL, push_one, q), 0);
	assert_ptr_equal(queue_pop(q, -1), &items[0]);
	assert_ptr_equal(queue_pop(q, -1), &items[3]);
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_ptr_equal(got, &items[3]);
	queue_free(q);
}

/* Whether they wait already or come too late: all of them return. */
static void
closing_wakes_every_waiter(void **state)
{
	struct queue *empty = queue_new(1), *full = queue_new(1);
	pthread_t poppers[3], pushers[3];
	void *got;

	(void)state;
	assert_true(queue_try_push(full, &items[0]));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			pthread_create(&poppers[i], NULL, pop_for_ever, empty),
			0);
		assert_int_equal(
			pthread_create(&pushers[i], NULL, push_one, full), 0);
	}
	queue_close(empty);
	queue_close(full);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(poppers[i], &got), 0);
		assert_null(got);
		assert_int_equal(pthread_join(pushers[i], &got), 0);
		assert_null(got);
	}
	queue_free(empty);
	queue_free(full);
}

enum { PUSHERS = 3, POPPERS = 3, EACH = 20000 };

static char numbers[PUSHERS * EACH + 1];

struct worker {
	pthread_t thread;
	struct queue *q;
	size_t first; /* pusher: its range of numbers */
	size_t seen;
	uint64_t sum;
	bool in_order; /* popper: each pusher's numbers ascended */
};

static void *
push_range(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < EACH; i++)
		w->seen += queue_push(w->q, &numbers[w->first + i]);
	return NULL;
}

static void *
pop_all(void *arg)
{
	struct worker *w = arg;
	size_t last[PUSHERS] = {0};
	char *item;

	while ((item = queue_pop(w->q, w->first ? -1 : 60000))) {
		size_t number = (size_t)(item - numbers);
		size_t from = (number - 1) / EACH;

		w->in_order &= number > last[from];
		last[from] = number;
		w->seen++;
		w->sum += number;
	}
	return NULL;
}

static void
many_threads_lose_and_repeat_nothing(void **state)
{
	struct queue *q = queue_new(7);
	struct worker pushers[PUSHERS], poppers[POPPERS];
	uint64_t sum = 0, n = (uint64_t)PUSHERS * EACH;
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < POPPERS; i++) {
		poppers[i] =
			(struct worker){.q = q, .first = i, .in_order = true};
		assert_int_equal(pthread_create(&poppers[i].thread, NULL,
						pop_all, &poppers[i]),
				 0);
	}
	for (size_t i = 0; i < PUSHERS; i++) {
		pushers[i] = (struct worker){.q = q, .first = 1 + i * EACH};
		assert_int_equal(pthread_create(&pushers[i].thread, NULL,
						push_range, &pushers[i]),
				 0);
	}
	for (size_t i = 0; i < PUSHERS; i++) {
		assert_int_equal(pthread_join(pushers[i].thread, NULL), 0);
		assert_int_equal(pushers[i].seen, EACH);
	}
	queue_close(q);
	for (size_t i = 0; i < POPPERS; i++) {
		assert_int_equal(pthread_join(poppers[i].thread, NULL), 0);
		assert_true(poppers[i].in_order);
		seen += poppers[i].seen;
		sum += poppers[i].sum;
	}
	assert_int_equal(seen, n);
	assert_int_equal(sum, n * (n + 1) / 2);
	queue_free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_out_in_the_order_they_went_in),
		cmocka_unit_test(a_full_queue_takes_no_more_until_one_leaves),
		cmocka_unit_test(
			what_comes_out_next_says_how_long_it_has_been_in),
		cmocka_unit_test(an_empty_queue_is_waited_for_as_long_as_asked),
		cmocka_unit_test(
			a_closed_queue_gives_what_it_has_and_takes_nothing),
		cmocka_unit_test(a_waiting_popper_gets_what_is_pushed),
		cmocka_unit_test(a_waiting_pusher_goes_on_when_there_is_room),
		cmocka_unit_test(closing_wakes_every_waiter),
		cmocka_unit_test(many_threads_lose_and_repeat_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
