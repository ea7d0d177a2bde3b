/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event source's contract, held against both adapters: the archive in a
 * temporary directory, Kafka on librdkafka's mock cluster.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/log.h"
#include "tests/support/source_log.h"

/* ---- The contract ------------------------------------------------------ */

static void
the_first_event_names_every_partition_once(void **state)
{
	struct log *log = *state;
	struct source_event ev;
	struct source *src;
	bool seen[2][3] = {{false}};
	size_t i;

	log_create(log, "stock", 3);
	log_create(log, "price", 2);
	src = log_open(log, SOURCE_SHARE, "one");
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 5);
	for (i = 0; i < 5; i++) {
		bool price = strcmp(ev.partitions[i]->topic, "price") == 0;

		assert_true(price ||
			    strcmp(ev.partitions[i]->topic, "stock") == 0);
		assert_in_range(ev.partitions[i]->number, 0, price ? 1 : 2);
		assert_false(seen[price][ev.partitions[i]->number]);
		seen[price][ev.partitions[i]->number] = true;
		assert_int_equal(ev.partitions[i]->source_index, -1);
	}
	source_close(src);
}

static void
records_come_in_offset_order_from_the_first_on(void **state)
{
	struct log *log = *state;
	struct record *recs[300];
	int64_t next[2] = {0, 0};
	struct source_event ev;
	struct source *src;
	size_t i;

	log_create(log, "stock", 2);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 200);
	log_append(log, "stock", 1, 0, 100);
	src = log_read(log, -1, &ev);
	step_read(src, recs, 300);
	for (i = 0; i < 300; i++) {
		assert_string_equal(recs[i]->partition->topic, "stock");
		assert_int_equal(recs[i]->offset,
				 next[recs[i]->partition->number]++);
		assert_int_equal(recs[i]->assignment, 1);
	}
	assert_int_equal(next[0], 200);
	assert_int_equal(next[1], 100);
	step_expect_none(src);
	step_release(recs, 300);
	source_close(src);
}

static void
a_record_carries_what_the_log_holds(void **state)
{
	struct log *log = *state;
	struct record *rec;
	struct source_event ev;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	/* Reading starts at 1 everywhere: there stock has nothing more. */
	log_append(log, "stock", 0, 0, 1);
	log_append(log, "price", 0, 0, 2);
	src = log_read(log, 1, &ev);
	step_read(src, &rec, 1);
	assert_true(is_at(rec, "price", 0, 1));
	assert_int_equal(rec->timestamp_ms, T0_MS + 1);
	assert_false(rec->key_null);
	assert_true(str_is(rec->key, "k1"));
	assert_false(rec->value_null);
	assert_true(str_is(rec->value, "{\"n\":1}"));
	assert_int_equal(rec->n_headers, 0);
	assert_int_equal(rec->pending, 0);
	assert_false(rec->folded);
	record_release(rec);
	source_close(src);
}

/* One record with two headers, then a tombstone without key. */
static void
append_odd(struct log *log)
{
	rd_kafka_headers_t *hdrs;

	if (!log->kafka) {
		log_line_raw(log, "stock", 0,
			     "{\"topic\":\"stock\",\"partition\":0,\"offset\":0"
			     ",\"timestamp\":5,\"key\":\"k\",\"headers\":{"
			     "\"a\":\"x\",\"b\":null},\"value\":{}}");
		log_line_raw(log, "stock", 0,
			     "{\"topic\":\"stock\",\"partition\":0,\"offset\":1"
			     ",\"timestamp\":6,\"key\":null,\"headers\":{},"
			     "\"value\":null}");
		return;
	}
	hdrs = rd_kafka_headers_new(2);
	rd_kafka_header_add(hdrs, "a", -1, "x", 1);
	rd_kafka_header_add(hdrs, "b", -1, NULL, 0);
	kafka_mock_append(log->mock, "stock", 0, "k", "{}", 5, hdrs);
	kafka_mock_append(log->mock, "stock", 0, NULL, NULL, 6, NULL);
	kafka_mock_flush(log->mock);
}

static void
headers_tombstones_and_absent_keys_are_kept(void **state)
{
	struct log *log = *state;
	struct record *recs[2];
	struct source_event ev;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	append_odd(log);
	src = log_read(log, -1, &ev);
	step_read(src, recs, 2);
	assert_int_equal(recs[0]->n_headers, 2);
	assert_true(str_is(recs[0]->headers[0].name, "a"));
	assert_true(str_is(recs[0]->headers[0].value, "x"));
	assert_true(str_is(recs[0]->headers[1].name, "b"));
	assert_null(recs[0]->headers[1].value.ptr);
	assert_true(str_is(recs[0]->value, "{}"));
	assert_true(recs[1]->key_null);
	assert_true(recs[1]->value_null);
	assert_int_equal(recs[1]->value.len, 0);
	assert_int_equal(recs[1]->n_headers, 0);
	step_release(recs, 2);
	source_close(src);
}

static void
records_written_later_arrive(void **state)
{
	struct log *log = *state;
	struct record *recs[3];
	struct source_event ev;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	src = log_read(log, -1, &ev);
	step_expect_none(src);
	log_append(log, "stock", 0, 0, 2);
	step_read(src, recs, 2);
	log_append(log, "stock", 0, 2, 1);
	step_read(src, recs + 2, 1);
	assert_true(is_at(recs[2], "stock", 0, 2));
	step_release(recs, 3);
	source_close(src);
}

static void
a_start_at_the_end_waits_for_the_next_record(void **state)
{
	struct log *log = *state;
	struct record *rec;
	struct source_event ev;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 5);
	log_append(log, "price", 0, 0, 5);
	src = log_read(log, 5, &ev);
	step_expect_none(src);
	log_append(log, "stock", 0, 5, 1);
	step_read(src, &rec, 1);
	assert_true(is_at(rec, "stock", 0, 5));
	record_release(rec);
	source_close(src);
}

static void
moving_to_other_positions_reads_exactly_from_there(void **state)
{
	struct log *log = *state;
	struct record *recs[1500];
	struct source_event ev;
	struct source *src;
	int64_t round;
	size_t i, n;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 1000);
	log_append(log, "price", 0, 0, 500);
	src = log_read(log, -1, &ev);
	for (round = 0; round < 5; round++) {
		int64_t next[2] = {round * 70, round * 70};

		/* Much was read ahead when the position changes. */
		if (round > 0)
			(void)step_assign(src, &ev, 400);
		step_read(src, recs, 10);
		step_release(recs, 10);
		assert_int_equal(step_assign(src, &ev, next[0]), 2 * round + 2);
		n = 1500 - 2 * (size_t)next[0];
		step_read(src, recs, n);
		for (i = 0; i < n; i++) {
			bool price =
				strcmp(recs[i]->partition->topic, "price") == 0;

			assert_int_equal(recs[i]->assignment, 2 * round + 2);
			assert_int_equal(recs[i]->offset, next[price]++);
		}
		step_expect_none(src);
		step_release(recs, n);
	}
	source_close(src);
}

static void
a_pause_loses_and_repeats_nothing(void **state)
{
	struct log *log = *state;
	struct record *recs[800];
	struct pj_error err = {0};
	struct source_event ev;
	struct source *src;
	size_t i, n = 0;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 800);
	src = log_read(log, -1, &ev);
	while (n < 800) {
		step_read(src, recs + n, 100);
		n += 100;
		assert_int_equal(source_pause(src, true, &err), 0);
		if (n == 300)
			step_expect_none(src);
		assert_int_equal(source_pause(src, false, &err), 0);
	}
	for (i = 0; i < 800; i++)
		assert_int_equal(recs[i]->offset, i);
	step_expect_none(src);
	step_release(recs, 800);
	source_close(src);
}

static void
a_pause_holds_over_an_assignment(void **state)
{
	struct log *log = *state;
	struct pj_error err = {0};
	struct record *rec;
	struct source_event ev;
	struct source *src;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 3);
	src = log_open(log, SOURCE_SHARE, "one");
	assert_int_equal(source_pause(src, true, &err), 0);
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	step_expect_none(src);
	(void)step_assign(src, &ev, 0);
	step_expect_none(src);
	assert_int_equal(source_pause(src, false, &err), 0);
	step_read(src, &rec, 1);
	assert_true(is_at(rec, "stock", 0, 0));
	record_release(rec);
	source_close(src);
}

static void
a_poll_gives_no_more_than_asked(void **state)
{
	struct log *log = *state;
	struct record *recs[20];
	struct source_event ev;
	struct source *src;
	size_t n = 0;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 20);
	src = log_read(log, -1, &ev);
	while (n < 20)
		n += step_take(src, recs + n, 20 - n < 3 ? 20 - n : 3, 20000);
	assert_int_equal(recs[19]->offset, 19);
	step_release(recs, 20);
	source_close(src);
}

static void
watermarks_are_the_first_offset_and_the_next(void **state)
{
	struct log *log = *state;
	int64_t low = -7, high = -7;
	struct pj_error err = {0};
	struct source_event ev;
	struct source *src;
	size_t i;

	log_create(log, "stock", 1);
	log_create(log, "price", 1);
	log_append(log, "stock", 0, 0, 11);
	src = log_read(log, -1, &ev);
	for (i = 0; i < 2; i++) {
		bool stock = strcmp(ev.partitions[i]->topic, "stock") == 0;

		if (source_watermarks(src, ev.partitions[i], 10000, &low, &high,
				      &err))
			fail_msg("%s", err.text);
		assert_int_equal(low, 0);
		assert_int_equal(high, stock ? 11 : 0);
	}
	source_close(src);
}

static void
partitions_are_listed_without_membership(void **state)
{
	struct log *log = *state;
	struct partition **parts = NULL;
	struct pj_error err = {0};
	struct source *src;
	size_t n = 0;
	int tries = 0;

	log_create(log, "stock", 2);
	log_create(log, "price", 1);
	src = log_open(log, SOURCE_ALL, NULL);
	while (source_partitions(src, 10000, &parts, &n, &err))
		if (err.cls != PJ_ERROR_RETRY || ++tries > 20)
			fail_msg("%s", err.text);
	assert_int_equal(n, 3);
	assert_string_equal(parts[0]->topic, "price");
	assert_string_equal(parts[1]->topic, "stock");
	assert_int_equal(parts[1]->number, 0);
	assert_int_equal(parts[2]->number, 1);
	source_close(src);
}

static void
topics_are_described_without_membership(void **state)
{
	struct log *log = *state;
	const struct source_topic *topics = NULL;
	struct pj_error err = {0};
	struct source *src;
	size_t n = 0;
	int tries = 0;

	log_create(log, "stock", 3);
	src = log_open(log, SOURCE_ALL, NULL);
	while (source_topics(src, 10000, &topics, &n, &err))
		if (err.cls != PJ_ERROR_RETRY || ++tries > 20)
			fail_msg("%s", err.text);
	assert_int_equal(n, 2);
	assert_string_equal(topics[0].name, "stock");
	assert_int_equal(topics[0].n_partitions, 3);
	assert_string_equal(topics[1].name, "price");
	/* Not there yet, which is no error. */
	if (!log->kafka)
		assert_int_equal(topics[1].n_partitions, 0);
	/* The mock cluster does not tell how topics are configured. */
	if (log->kafka) {
		assert_int_equal(topics[0].compacted, SOURCE_UNKNOWN);
		assert_int_equal(topics[0].retention_ms, -2);
		assert_string_not_equal(topics[0].unknown, "");
	} else {
		assert_int_equal(topics[0].compacted, SOURCE_NO);
		assert_int_equal(topics[0].retention_ms, -1);
		assert_string_equal(topics[0].unknown, "");
	}
	source_close(src);
}

static void
reading_all_needs_and_disturbs_no_membership(void **state)
{
	struct log *log = *state;
	struct record *recs[6];
	struct source_event ev, all_ev;
	struct source *src, *all;

	log_create(log, "stock", 2);
	log_create(log, "price", 1);
	log_append(log, "stock", 1, 0, 3);
	src = log_open(log, SOURCE_SHARE, "one");
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	step_read(src, recs, 3);
	all = log_open(log, SOURCE_ALL, NULL);
	all_ev = step_wait(all, SOURCE_ASSIGNED);
	assert_int_equal(all_ev.n_partitions, 3);
	(void)step_assign(all, &all_ev, -1);
	step_read(all, recs + 3, 3);
	assert_true(is_at(recs[5], "stock", 1, 2));
	step_expect_none(src); /* no SOURCE_REVOKED either */
	step_release(recs, 6);
	source_close(all);
	source_close(src);
}

/* ---- Two members ------------------------------------------------------- */

struct member {
	struct source *src;
	bool owns[4]; /* stock/0..3 */
	size_t n;
};

static void
member_step(struct member *m, struct member *other)
{
	struct source_event ev;
	struct pj_error err = {0};
	size_t i;

	if (source_poll(m->src, 20, 100, &ev, &err)) {
		if (err.cls != PJ_ERROR_RETRY)
			fail_msg("%s", err.text);
		return;
	}
	if (ev.kind == SOURCE_REVOKED) {
		assert_int_equal(ev.n_partitions, m->n);
		memset(m->owns, 0, sizeof(m->owns));
		m->n = 0;
		assert_int_equal(source_unassign(m->src, &err), 0);
	} else if (ev.kind == SOURCE_ASSIGNED) {
		for (i = 0; i < ev.n_partitions; i++) {
			if (strcmp(ev.partitions[i]->topic, "stock") != 0)
				continue;
			assert_false(other->owns[ev.partitions[i]->number]);
			m->owns[ev.partitions[i]->number] = true;
		}
		m->n = ev.n_partitions;
		(void)step_assign(m->src, &ev, -1);
	} else if (ev.kind == SOURCE_RECORDS) {
		for (i = 0; i < ev.n_recs; i++)
			assert_true(m->owns[ev.recs[i]->partition->number]);
		step_release(ev.recs, ev.n_recs);
	}
}

static void
two_members_never_own_the_same_and_one_inherits_all(void **state)
{
	struct log *log = *state;
	struct member a = {0}, b = {0}, gone = {0};
	int64_t end_mono_ms = clock_mono_ms() + 8000;

	log_create(log, "stock", 4);
	log_create(log, "price", 4);
	log_append(log, "stock", 0, 0, 50);
	log_append(log, "stock", 3, 0, 50);
	a.src = log_open(log, SOURCE_SHARE, "one");
	b.src = log_open(log, SOURCE_SHARE, "two");
	while (a.n + b.n < 8 && clock_mono_ms() < end_mono_ms + 20000) {
		member_step(&a, &b);
		member_step(&b, &a);
	}
	assert_int_equal(a.n + b.n, 8);
	end_mono_ms = clock_mono_ms() + 1000;
	while (clock_mono_ms() < end_mono_ms) {
		member_step(&a, &b);
		member_step(&b, &a);
	}
	source_close(a.src);
	end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	while (b.n < 8 && clock_mono_ms() < end_mono_ms)
		member_step(&b, &gone);
	assert_int_equal(b.n, 8);
	source_close(b.src);
}

#define CONTRACT(setup)                                                        \
	{                                                                      \
		T(the_first_event_names_every_partition_once, setup),          \
			T(records_come_in_offset_order_from_the_first_on,      \
			  setup),                                              \
			T(a_record_carries_what_the_log_holds, setup),         \
			T(headers_tombstones_and_absent_keys_are_kept, setup), \
			T(records_written_later_arrive, setup),                \
			T(a_start_at_the_end_waits_for_the_next_record,        \
			  setup),                                              \
			T(moving_to_other_positions_reads_exactly_from_there,  \
			  setup),                                              \
			T(a_pause_loses_and_repeats_nothing, setup),           \
			T(a_pause_holds_over_an_assignment, setup),            \
			T(a_poll_gives_no_more_than_asked, setup),             \
			T(watermarks_are_the_first_offset_and_the_next,        \
			  setup),                                              \
			T(partitions_are_listed_without_membership, setup),    \
			T(topics_are_described_without_membership, setup),     \
			T(reading_all_needs_and_disturbs_no_membership,        \
			  setup),                                              \
			T(two_members_never_own_the_same_and_one_inherits_all, \
			  setup),                                              \
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
