/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for the owners of parked queues, on a real LMDB store. */
#include "tests/support/parked_fixture.h"
#include "lib/clock.h"
#include "projector/parked_ask.h"

static const struct ask_wish retry = {
	.generation = GENERATION,
	.action = "retry",
	.reason = "",
	.by = "kim@host",
};
static const struct ask_wish discard = {
	.generation = GENERATION,
	.action = "discard",
	.reason = "late",
	.by = "kim@host",
};

static void
add(struct asks *asks, const char *unit, int32_t partition, int64_t offset)
{
	asks_add(asks, &(struct parked_queue){.unit_type = "document",
					      .unit = str(unit),
					      .topic = "stock",
					      .partition = partition,
					      .offset = offset,
					      .n = 3,
					      .type = "Type",
					      .cause = "missing field"});
}

/* A record without a key, alone. */
static void
add_lone(struct asks *asks, int64_t offset)
{
	asks_add(asks, &(struct parked_queue){.unit_type = "record",
					      .unit = str(""),
					      .topic = "stock",
					      .partition = 0,
					      .offset = offset,
					      .n = 1,
					      .type = "",
					      .cause = "no JSON"});
}

static void
ask_for(struct fixture *fx, struct asks *asks, const struct ask_wish *wish)
{
	OK(fx, asks_send(asks, wish, fx->ses, &fx->err));
}

static size_t
count_requests(struct fixture *fx, int state)
{
	struct store_request *rows;
	size_t n;

	OK(fx, store_requests(fx->ses, state, &rows, &n, &fx->err));
	store_requests_free(rows, n);
	return n;
}

static void
end(struct fixture *fx, const char *id, enum store_request_state state,
    const char *result)
{
	const struct store_ending ending = {id, state, result};
	size_t n_ended;

	OK(fx, store_requests_end(fx->ses, &ending, 1, &n_ended, &fx->err));
	assert_int_equal(n_ended, 1);
}

static void
note_end(void *arg, const struct ask *ask)
{
	buf_printf(arg, "%s %s: %s\n", ask->key,
		   ask->state == ASK_DONE ? "done" : "failed", ask->result);
}

static void
assert_waits(struct fixture *fx, struct asks *asks, const char *expected)
{
	struct buf told = BUF_INIT;

	buf_addstr(&told, "");
	OK(fx, asks_wait(asks, fx->ses, 0, note_end, &told, &fx->err));
	assert_string_equal(told.data, expected);
	buf_release(&told);
}

static void
a_request_says_what_is_wanted_of_which_queue(void **state)
{
	struct fixture *fx = *state;
	struct store_request *rows;
	struct asks asks = {NULL, 0, 0};
	size_t n;

	add(&asks, "a", 3, 10);
	ask_for(fx, &asks, &discard);
	OK(fx, store_requests(fx->ses, STORE_REQ_NEW, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].id, asks.ask[0].id);
	assert_int_equal(strlen(rows[0].id), 32);
	assert_string_equal(rows[0].generation, GENERATION);
	assert_string_equal(rows[0].action, "discard");
	assert_string_equal(rows[0].unit_type, "document");
	assert_int_equal(rows[0].unit_len, 1);
	assert_memory_equal(rows[0].unit, "a", 1);
	assert_string_equal(rows[0].topic, "stock");
	assert_int_equal(rows[0].partition, 3);
	assert_int_equal(rows[0].offset, 10);
	assert_string_equal(rows[0].reason, "late");
	assert_string_equal(rows[0].by, "kim@host");
	store_requests_free(rows, n);
	asks_release(&asks);
}

static void
asking_again_waits_for_what_was_asked(void **state)
{
	struct fixture *fx = *state;
	struct asks first = {NULL, 0, 0}, second = {NULL, 0, 0};

	add(&first, "a", 0, 10);
	ask_for(fx, &first, &retry);
	/* The queue's head has moved, it is the same queue. */
	add(&second, "a", 0, 12);
	ask_for(fx, &second, &retry);
	assert_string_equal(first.ask[0].id, second.ask[0].id);
	assert_int_equal(count_requests(fx, -1), 1);
	asks_release(&second);
	/* Another queue, another wish, another head to give up. */
	add(&second, "a", 1, 10);
	add(&second, "b", 0, 10);
	ask_for(fx, &second, &retry);
	assert_int_equal(count_requests(fx, -1), 3);
	asks_release(&second);
	add(&second, "a", 0, 10);
	ask_for(fx, &second, &discard);
	assert_int_equal(count_requests(fx, -1), 4);
	asks_release(&second);
	add(&second, "a", 0, 12);
	ask_for(fx, &second, &discard);
	assert_int_equal(count_requests(fx, -1), 5);
	asks_release(&second);
	/* What has ended is no answer to a new wish. */
	end(fx, first.ask[0].id, STORE_REQ_DONE, "");
	add(&second, "a", 0, 10);
	ask_for(fx, &second, &retry);
	assert_string_not_equal(first.ask[0].id, second.ask[0].id);
	asks_release(&first);
	asks_release(&second);
}

static void
records_alone_are_asked_for_one_by_one(void **state)
{
	static const struct ask_wish *const wishes[] = {&retry, &discard};
	struct fixture *fx = *state;

	for (size_t i = 0; i < 2; i++) {
		struct asks first = {NULL, 0, 0}, second = {NULL, 0, 0};

		add_lone(&first, 10);
		ask_for(fx, &first, wishes[i]);
		add_lone(&second, 10);
		add_lone(&second, 20);
		ask_for(fx, &second, wishes[i]);
		assert_string_equal(first.ask[0].id, second.ask[0].id);
		assert_string_not_equal(first.ask[0].id, second.ask[1].id);
		assert_int_equal(count_requests(fx, STORE_REQ_NEW),
				 2 * (i + 1));
		asks_release(&first);
		asks_release(&second);
	}
}

static void
each_end_is_told_once_with_its_result(void **state)
{
	struct fixture *fx = *state;
	struct asks asks = {NULL, 0, 0};
	struct buf told = BUF_INIT;

	add(&asks, "a", 0, 10);
	add(&asks, "b", 0, 11);
	add(&asks, "c", 0, 12);
	ask_for(fx, &asks, &retry);
	assert_waits(fx, &asks, "");
	end(fx, asks.ask[1].id, STORE_REQ_FAILED, "wrong type");
	assert_waits(fx, &asks, "b failed: wrong type\n");
	assert_int_equal(asks.ask[0].state, ASK_WAITING);
	assert_int_equal(asks.ask[1].state, ASK_FAILED);
	end(fx, asks.ask[0].id, STORE_REQ_DONE, "applied 3");
	end(fx, asks.ask[2].id, STORE_REQ_DONE, "applied 1");
	/* All have ended: nothing is waited for. */
	OK(fx, asks_wait(&asks, fx->ses, INT32_MAX, note_end, &told, &fx->err));
	assert_non_null(strstr(told.data, "a done: applied 3\n"));
	assert_non_null(strstr(told.data, "c done: applied 1\n"));
	assert_null(strstr(told.data, "b "));
	buf_release(&told);
	asks_release(&asks);
}

static void
put_old(struct fixture *fx, const char *id, int64_t age_ms)
{
	char empty[] = "", unit[] = "a";
	struct store_request req = {
		.generation = GENERATION,
		.action = "retry",
		.unit_type = "document",
		.unit = unit,
		.unit_len = 1,
		.topic = "stock",
		.reason = empty,
		.by = empty,
		.result = empty,
		.at_ms = clock_wall_ms() - age_ms,
	};

	strcpy(req.id, id);
	OK(fx, store_request_add(fx->ses, &req, &fx->err));
}

static void
what_has_ended_days_ago_is_taken_away(void **state)
{
	const int64_t hour_ms = 3600000;
	struct fixture *fx = *state;
	struct asks asks = {NULL, 0, 0};

	put_old(fx, "old", 49 * hour_ms);
	put_old(fx, "recent", hour_ms);
	put_old(fx, "waiting", 200 * hour_ms);
	end(fx, "old", STORE_REQ_DONE, "");
	end(fx, "recent", STORE_REQ_DONE, "");
	ask_for(fx, &asks, &retry);
	assert_int_equal(count_requests(fx, STORE_REQ_DONE), 1);
	assert_int_equal(count_requests(fx, STORE_REQ_NEW), 1);
	asks_release(&asks);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_request_says_what_is_wanted_of_which_queue),
		STORE_TEST(asking_again_waits_for_what_was_asked),
		STORE_TEST(records_alone_are_asked_for_one_by_one),
		STORE_TEST(each_end_is_told_once_with_its_result),
		STORE_TEST(what_has_ended_days_ago_is_taken_away),
	};

	return cmocka_run_group_tests_name("parked_ask", tests, NULL, NULL);
}
