/* SPDX-License-Identifier: Apache-2.0 */
/* The Kafka adapter as a member of its group (librdkafka's mock cluster). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/log.h"
#include "tests/component/source_kafka_log.h"

static void
a_member_reads_what_exists_while_a_topic_does_not(void **state)
{
	static const char *const topics[] = {"stock", "coupon"};
	struct source *src;
	struct source_event ev;
	struct pj_error err = {0};
	int i;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	kafka_mock_create(mock, "coupon", 2);
	append("stock", 0, 0, 5);
	rd_kafka_mock_topic_set_error(mock->cluster, "coupon",
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	src = open_topics(SOURCE_SHARE, "one", NULL, topics, 2);
	(void)step_wait_error(src, PJ_ERROR_RETRY,
			      "topic coupon does not exist yet (waiting)");
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 1);
	(void)step_assign(src, &ev, -1);
	expect_records(src, 0, 5);
	/* It comes into being: everything is dealt out anew. */
	rd_kafka_mock_topic_set_error(mock->cluster, "coupon",
				      RD_KAFKA_RESP_ERR_NO_ERROR);
	(void)step_wait(src, SOURCE_REVOKED);
	assert_int_equal(source_unassign(src, &err), 0);
	ev = step_wait(src, SOURCE_ASSIGNED);
	for (i = 0; ev.n_partitions != 3 && i < 5; i++) {
		(void)step_assign(src, &ev, 5);
		(void)step_wait(src, SOURCE_REVOKED);
		assert_int_equal(source_unassign(src, &err), 0);
		ev = step_wait(src, SOURCE_ASSIGNED);
	}
	assert_int_equal(ev.n_partitions, 3);
	source_close(src);
}

static void
a_fenced_instance_is_fatal_for_good(void **state)
{
	struct source *src;
	struct source_event ev;
	struct pj_error err = {0};

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	src = read_stock(-1, &ev);
	rd_kafka_test_fatal_error(((struct kafka *)src)->rk,
				  RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
				  "fenced by a twin");
	err = step_wait_error(src, PJ_ERROR_FATAL, "another process");
	assert_int_equal(err.code, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	assert_int_equal(source_poll(src, 0, 1, &ev, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_FATAL);
	source_close(src);
}

static void
the_mirror_shows_as_the_groups_offset(void **state)
{
	struct source *src = NULL;
	struct source_event ev;
	struct source_position pos;
	rd_kafka_topic_partition_list_t *list;
	int64_t end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	append("stock", 0, 0, 9);
	src = open_stock(SOURCE_SHARE);
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	pos = (struct source_position){ev.partitions[0], 7};
	source_mirror(src, &pos, 1);
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, "stock", 0);
	do {
		assert_int_equal(rd_kafka_committed(((struct kafka *)src)->rk,
						    list, 10000),
				 0);
	} while (list->elems[0].offset != 7 && clock_mono_ms() < end_mono_ms);
	assert_int_equal(list->elems[0].offset, 7);
	rd_kafka_topic_partition_list_destroy(list);
	expect_records(src, 0, 9);
	source_close(src);
}

/* ---- Two members over one set of checkpoints --------------------------- */

#define PARTS 4

/* Gives back what it has read so far, and no more than it was given. */
static void
work(struct source *src, int64_t *next, bool *ret_owner)
{
	struct source_position pos[PARTS];
	struct source_event ev;
	struct pj_error err = {0};
	uint32_t assignment;
	size_t i;

	if (source_poll(src, 20, 7, &ev, &err)) {
		if (err.cls != PJ_ERROR_RETRY)
			fail_msg("%s", err.text);
		return;
	}
	switch (ev.kind) {
	case SOURCE_ASSIGNED:
		for (i = 0; i < ev.n_partitions; i++)
			pos[i] = (struct source_position){
				ev.partitions[i],
				next[ev.partitions[i]->number]};
		assert_int_equal(source_assign(src, pos, ev.n_partitions,
					       &assignment, &err),
				 0);
		*ret_owner = ev.n_partitions > 0;
		break;
	case SOURCE_REVOKED:
		assert_int_equal(source_unassign(src, &err), 0);
		*ret_owner = false;
		break;
	case SOURCE_RECORDS:
		for (i = 0; i < ev.n_recs; i++)
			assert_int_equal(ev.recs[i]->offset,
					 next[ev.recs[i]->partition->number]++);
		step_release(ev.recs, ev.n_recs);
		break;
	case SOURCE_STOPPED:
		fail_msg("%s", ev.why.text);
		break;
	case SOURCE_NOTHING:
		break;
	}
}

static void
a_rebalance_continues_exactly_at_the_checkpoints(void **state)
{
	static const char *const topics[] = {"stock"};
	int64_t next[PARTS] = {0}, end_mono_ms;
	bool a_owns = false, b_owns = false;
	struct source *a, *b;
	int32_t part;

	(void)state;
	kafka_mock_create(mock, "stock", PARTS);
	for (part = 0; part < PARTS; part++)
		append("stock", part, 0, 300);
	a = open_topics(SOURCE_SHARE, "a", NULL, topics, 1);
	end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	while (next[0] < 30 && clock_mono_ms() < end_mono_ms)
		work(a, next, &a_owns);
	b = open_topics(SOURCE_SHARE, "b", NULL, topics, 1);
	while (!(a_owns && b_owns) && clock_mono_ms() < end_mono_ms) {
		work(a, next, &a_owns);
		work(b, next, &b_owns);
	}
	assert_true(a_owns && b_owns);
	source_close(a);
	for (part = 0; part < PARTS; part++)
		append("stock", part, 300, 50);
	end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	while (clock_mono_ms() < end_mono_ms &&
	       (next[0] < 350 || next[1] < 350 || next[2] < 350 ||
		next[3] < 350))
		work(b, next, &b_owns);
	for (part = 0; part < PARTS; part++)
		assert_int_equal(next[part], 350);
	source_close(b);
}

static void
closing_is_bounded_when_brokers_are_away(void **state)
{
	int64_t begin_mono_ms;
	struct source *src;

	(void)state;
	kafka_mock_create(mock, "stock", 1);
	src = open_stock(SOURCE_SHARE);
	/* Closed with an assignment that nobody has answered. */
	(void)step_wait(src, SOURCE_ASSIGNED);
	rd_kafka_mock_broker_set_down(mock->cluster, 1);
	begin_mono_ms = clock_mono_ms();
	source_close(src);
	assert_in_range(clock_mono_ms() - begin_mono_ms, 0, 3000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_member_reads_what_exists_while_a_topic_does_not),
		T(a_fenced_instance_is_fatal_for_good),
		T(the_mirror_shows_as_the_groups_offset),
		T(a_rebalance_continues_exactly_at_the_checkpoints),
		T(closing_is_bounded_when_brokers_are_away),
	};

	log_setup("test", LOG_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
