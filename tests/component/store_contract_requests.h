/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of test_store.c that is about what operators ask for and what owners
 * note: requests, crashes, topics.
 */
#ifndef TESTS_STORE_CONTRACT_REQUESTS_H
#define TESTS_STORE_CONTRACT_REQUESTS_H

#include "lib/buf.h"
#include "tests/component/store_race.h"

/* ---- Requests ---------------------------------------------------------- */

static char *
fixed(const char *text)
{
	return (char *)(uintptr_t)text;
}

static struct store_request
request_of(unsigned id, int64_t at_ms)
{
	struct store_request req = {.generation = "stock.1",
				    .action = "retry",
				    .unit_type = "document",
				    .unit = fixed("a\0b"),
				    .unit_len = 3,
				    .topic = "stock",
				    .partition = 3,
				    .offset = INT64_MAX,
				    .reason = fixed("the module was mended"),
				    .by = fixed("김"),
				    .at_ms = at_ms};

	(void)sprintf(req.id, "%032x", id);
	return req;
}

static void
add_request(struct fixture *fx, unsigned id, int64_t at_ms)
{
	struct store_request req = request_of(id, at_ms);

	OK(fx, store_request_add(fx->ses, &req, &fx->err));
}

/* Their ids in order, and their results. */
static void
expect_requests(struct fixture *fx, int state, const char *want)
{
	struct store_request *rows;
	char text[256] = "";
	size_t n, i;

	OK(fx, store_requests(fx->ses, state, &rows, &n, &fx->err));
	for (i = 0; i < n; i++)
		(void)sprintf(text + strlen(text), "%lu:%d:%s ",
			      strtoul(rows[i].id, NULL, 16), (int)rows[i].state,
			      rows[i].result);
	assert_string_equal(text, want);
	store_requests_free(rows, n);
}

static bool
end_request(struct fixture *fx, unsigned id, enum store_request_state state,
	    const char *result)
{
	struct store_request req = request_of(id, 0);
	const struct store_ending ending = {req.id, state, result};
	size_t n_ended = 7;

	OK(fx, store_requests_end(fx->ses, &ending, 1, &n_ended, &fx->err));
	assert_in_range(n_ended, 0, 1);
	return n_ended == 1;
}

static void
a_request_comes_back_whole(void **state)
{
	struct fixture *fx = *state;
	struct store_request want = request_of(7, 1700000000123), *rows;
	size_t n;

	OK(fx, store_request_add(fx->ses, &want, &fx->err));
	OK(fx, store_requests(fx->ses, STORE_REQ_NEW, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].id, want.id);
	assert_string_equal(rows[0].generation, want.generation);
	assert_string_equal(rows[0].action, want.action);
	assert_string_equal(rows[0].unit_type, want.unit_type);
	assert_int_equal(rows[0].unit_len, 3);
	assert_memory_equal(rows[0].unit, "a\0b", 3);
	assert_string_equal(rows[0].topic, want.topic);
	assert_int_equal(rows[0].partition, 3);
	assert_int_equal(rows[0].offset, INT64_MAX);
	assert_string_equal(rows[0].reason, want.reason);
	assert_string_equal(rows[0].by, want.by);
	assert_int_equal(rows[0].at_ms, want.at_ms);
	assert_int_equal(rows[0].state, STORE_REQ_NEW);
	assert_string_equal(rows[0].result, "");
	store_requests_free(rows, n);
}

static void
requests_are_listed_by_state_oldest_first(void **state)
{
	struct fixture *fx = *state;

	expect_requests(fx, -1, "");
	expect_requests(fx, STORE_REQ_NEW, "");
	add_request(fx, 5, 30);
	add_request(fx, 9, 10);
	add_request(fx, 7, 20);
	add_request(fx, 6, 20);
	assert_true(end_request(fx, 7, STORE_REQ_DONE, "2 records"));
	assert_true(end_request(fx, 9, STORE_REQ_FAILED, "the head has moved"));
	expect_requests(fx, STORE_REQ_NEW, "6:0: 5:0: ");
	expect_requests(fx, STORE_REQ_DONE, "7:1:2 records ");
	expect_requests(fx, STORE_REQ_FAILED, "9:2:the head has moved ");
	expect_requests(fx, -1,
			"9:2:the head has moved 6:0: 7:1:2 records 5:0: ");
}

static void
a_request_is_one_however_often_it_is_added_and_ends_once(void **state)
{
	struct fixture *fx = *state;

	assert_false(end_request(fx, 5, STORE_REQ_DONE, "nothing"));
	expect_requests(fx, -1, "");
	add_request(fx, 5, 30);
	add_request(fx, 5, 31);
	expect_requests(fx, -1, "5:0: ");
	assert_true(end_request(fx, 5, STORE_REQ_DONE, "first"));
	assert_false(end_request(fx, 5, STORE_REQ_FAILED, "second"));
	add_request(fx, 5, 32);
	expect_requests(fx, -1, "5:1:first ");
}

/* More than one command of MongoDB's takes. */
static void
of_many_requests_the_new_ones_are_ended_at_once(void **state)
{
	enum { N = 2500 };
	struct fixture *fx = *state;
	struct store_ending *ends = mem_calloc(N, sizeof(*ends));
	struct store_request *reqs = mem_calloc(N, sizeof(*reqs)), *rows;
	size_t n, n_ended;

	for (unsigned i = 0; i < N; i++) {
		reqs[i] = request_of(i, 30);
		ends[i] = (struct store_ending){
			reqs[i].id, i % 2 ? STORE_REQ_DONE : STORE_REQ_FAILED,
			i % 2 ? "odd" : "even"};
	}
	for (unsigned i = 0; i < 5; i++)
		add_request(fx, i, i);
	add_request(fx, N - 1, N - 1);
	assert_true(end_request(fx, 3, STORE_REQ_FAILED, "first"));
	OK(fx, store_requests_end(fx->ses, ends, N, &n_ended, &fx->err));
	assert_int_equal(n_ended, 5);
	expect_requests(fx, -1,
			"0:2:even 1:1:odd 2:2:even 3:2:first 4:2:even "
			"2499:1:odd ");
	OK(fx, store_requests_end(fx->ses, ends, N, &n_ended, &fx->err));
	assert_int_equal(n_ended, 0);
	OK(fx, store_requests_end(fx->ses, ends, 0, &n_ended, &fx->err));
	assert_int_equal(n_ended, 0);
	OK(fx, store_requests(fx->ses, STORE_REQ_NEW, &rows, &n, &fx->err));
	assert_int_equal(n, 0);
	store_requests_free(rows, n);
	free(ends);
	free(reqs);
}

static void
a_request_that_is_removed_is_gone_and_may_be_removed_again(void **state)
{
	struct fixture *fx = *state;
	struct store_request req = request_of(5, 0);

	add_request(fx, 5, 30);
	add_request(fx, 6, 31);
	OK(fx, store_request_remove(fx->ses, req.id, &fx->err));
	expect_requests(fx, -1, "6:0: ");
	OK(fx, store_request_remove(fx->ses, req.id, &fx->err));
	expect_requests(fx, -1, "6:0: ");
}

static void *
race_requests(void *arg)
{
	struct racer *r = arg;
	struct store_request req = request_of(5, 0);
	char result[16];
	const struct store_ending ending = {req.id, STORE_REQ_DONE, result};
	size_t n_ended = 0;

	(void)sprintf(result, "by %d", r->rank);
	(void)pthread_barrier_wait(r->together);
	if (store_requests_end(r->ses, &ending, 1, &n_ended, &r->err))
		r->failed = 1;
	r->moved = n_ended == 1;
	return NULL;
}

static void
of_racing_enders_one_ends_the_request(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[4] = {0};
	char want[32] = "";
	int i, n = 0;

	add_request(fx, 5, 30);
	race(fx, racers, 4, race_requests);
	for (i = 0; i < 4; i++)
		if (racers[i].moved) {
			n++;
			(void)sprintf(want, "5:1:by %d ", i);
		}
	assert_int_equal(n, 1);
	expect_requests(fx, -1, want);
}

static void
what_a_request_says_is_text_of_bounded_length(void **state)
{
	struct fixture *fx = *state;
	char long_text[STORE_REQUEST_TEXT_MAX + 2] = "";
	struct store_request req = request_of(5, 30);

	memset(long_text, 'r', STORE_REQUEST_TEXT_MAX + 1);
	req.reason = long_text;
	assert_int_equal(store_request_add(fx->ses, &req, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(fx->err.text, "reason"));
	long_text[STORE_REQUEST_TEXT_MAX] = '\0';
	req.by = fixed("\xff");
	assert_int_equal(store_request_add(fx->ses, &req, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(fx->err.text, "author"));
	expect_requests(fx, -1, "");
	req.by = fixed("");
	OK(fx, store_request_add(fx->ses, &req, &fx->err));
	expect_requests(fx, -1, "5:0: ");
}

/* ---- Crashes ----------------------------------------------------------- */

static struct store_crash
crash_of(const char *generation, int64_t offset, int64_t at_ms)
{
	struct store_crash crash = {.topic = "stock",
				    .partition = 3,
				    .offset = offset,
				    .count = 77, /* not to be looked at */
				    .last_at_ms = at_ms};

	strcpy(crash.generation, generation);
	return crash;
}

static int32_t
add_crash(struct fixture *fx, const char *generation, int64_t offset,
	  int64_t at_ms)
{
	struct store_crash crash = crash_of(generation, offset, at_ms);
	int32_t count = -1;

	OK(fx, store_crash_add(fx->ses, &crash, &count, &fx->err));
	return count;
}

static int
crash_compare(const void *a, const void *b)
{
	const struct store_crash *x = a, *y = b;
	int order = strcmp(x->generation, y->generation);

	return order ? order
		     : (x->offset > y->offset) - (x->offset < y->offset);
}

static void
expect_crashes(struct fixture *fx, const char *want)
{
	struct store_crash *rows;
	struct buf text = BUF_INIT;
	size_t n, i;

	buf_addstr(&text, "");
	OK(fx, store_crashes(fx->ses, &rows, &n, &fx->err));
	if (n > 1)
		qsort(rows, n, sizeof(*rows), crash_compare);
	for (i = 0; i < n; i++)
		buf_printf(&text, "%s %s/%d@%lld %dx %lld, ",
			   rows[i].generation, rows[i].topic,
			   (int)rows[i].partition, (long long)rows[i].offset,
			   (int)rows[i].count, (long long)rows[i].last_at_ms);
	assert_string_equal(text.data, want);
	buf_release(&text);
	free(rows);
}

static void
crashes_are_counted_by_record_and_forgotten(void **state)
{
	struct fixture *fx = *state;
	struct store_crash crash = crash_of("stock.1", 5, 0);

	expect_crashes(fx, "");
	assert_int_equal(add_crash(fx, "stock.1", 5, 100), 1);
	assert_int_equal(add_crash(fx, "stock.1", 5, 300), 2);
	assert_int_equal(add_crash(fx, "stock.1", 5, 200), 3);
	assert_int_equal(add_crash(fx, "stock.1", 55, 100), 1);
	/* Before it was anybody's. */
	assert_int_equal(add_crash(fx, "", 5, 100), 1);
	expect_crashes(fx, " stock/3@5 1x 100, stock.1 stock/3@5 3x 300, "
			   "stock.1 stock/3@55 1x 100, ");
	OK(fx, store_crash_remove(fx->ses, &crash, &fx->err));
	OK(fx, store_crash_remove(fx->ses, &crash, &fx->err));
	expect_crashes(fx, " stock/3@5 1x 100, stock.1 stock/3@55 1x 100, ");
	assert_int_equal(add_crash(fx, "stock.1", 5, 400), 1);
}

enum { CRASH_RACES = 10 };

static void *
race_crashes(void *arg)
{
	struct racer *r = arg;
	struct store_crash crash = crash_of("stock.1", 5, r->rank);
	int i;

	(void)pthread_barrier_wait(r->together);
	for (i = 0; i < CRASH_RACES; i++)
		if (store_crash_add(r->ses, &crash, &r->indexes[0], &r->err))
			r->failed = 1;
	return NULL;
}

static void
racing_processes_lose_no_crash(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[4] = {0};

	OK(fx, store_check(fx->ses, &fx->err));
	race(fx, racers, 4, race_crashes);
	assert_int_equal(add_crash(fx, "stock.1", 5, 9), 4 * CRASH_RACES + 1);
}

/* ---- Topics ------------------------------------------------------------ */

static int32_t
partitions(struct fixture *fx, const char *topic, int32_t seen, bool set)
{
	int32_t known = -1;

	OK(fx,
	   store_topic_partitions(fx->ses, topic, seen, set, &known, &fx->err));
	return known;
}

static void
the_first_count_of_partitions_stays_until_a_person_sets_another(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(partitions(fx, "stock", 4, false), 4);
	assert_int_equal(partitions(fx, "stock", 8, false), 4);
	assert_int_equal(partitions(fx, "sales", 2, false), 2);
	assert_int_equal(partitions(fx, "stock", 8, true), 8);
	assert_int_equal(partitions(fx, "stock", 4, false), 8);
	/* Also of a topic that nobody has seen. */
	assert_int_equal(partitions(fx, "order", 3, true), 3);
	assert_int_equal(partitions(fx, "order", 5, false), 3);
	assert_int_equal(partitions(fx, "sales", 9, false), 2);
}

static void *
race_topics(void *arg)
{
	struct racer *r = arg;

	(void)pthread_barrier_wait(r->together);
	if (store_topic_partitions(r->ses, "stock", 10 + r->rank, false,
				   &r->indexes[0], &r->err))
		r->failed = 1;
	return NULL;
}

static void
racing_owners_are_told_one_count_of_partitions(void **state)
{
	struct fixture *fx = *state;
	struct racer racers[4] = {0};
	int i;

	OK(fx, store_check(fx->ses, &fx->err));
	race(fx, racers, 4, race_topics);
	for (i = 1; i < 4; i++)
		assert_int_equal(racers[i].indexes[0], racers[0].indexes[0]);
	assert_in_range(racers[0].indexes[0], 10, 13);
}

#endif
