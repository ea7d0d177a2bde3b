/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "lib/mem.h"
#include "projector/offsets.h"

const struct pj_projection *
pj_projection_stock(void);
const struct pj_projection *
pj_projection_product(void);

enum { STOCK, PRODUCT, LANES };

struct log {
	struct lanes lanes;
	struct module *mods[LANES];
	struct offsets *off;
	struct partition stock, price; /* price: read by product alone */
	struct record *recs[300];
	size_t n, released;
};

static struct log *the_log;

static void
release(struct record *rec)
{
	the_log->released++;
	free(rec);
}

static int
setup(void **state)
{
	static const struct pj_projection *(*const make[LANES])(void) = {
		pj_projection_stock, pj_projection_product};
	struct log *log = mem_calloc(1, sizeof(*log));
	struct pj_error err;

	for (unsigned i = 0; i < LANES; i++) {
		struct lane *lane = &log->lanes.lane[log->lanes.n++];

		if (module_adopt(make[i](), make[i]()->name, "linked", NULL,
				 &log->mods[i], &err))
			fail_msg("%s", err.text);
		lane->mod = log->mods[i];
		lane->index = i;
		readmodel_generation_id(lane->generation, lane->mod->desc->name,
					7);
	}
	strcpy(log->stock.topic, "stock");
	log->stock.source_index = 4;
	strcpy(log->price.topic, "price");
	log->price.source_index = 5;
	log->off = offsets_new(&log->lanes);
	the_log = log;
	*state = log;
	return 0;
}

static int
teardown(void **state)
{
	struct log *log = *state;

	offsets_free(log->off);
	assert_int_equal(log->released, log->n);
	for (unsigned i = 0; i < LANES; i++)
		module_free(log->mods[i]);
	free(log);
	return 0;
}

static int64_t
assign(struct log *log, struct partition *part, int64_t stock, int64_t product)
{
	const struct store_checkpoint starts[LANES_MAX] = {
		{.next = stock, .epoch = 3, .anchor_offset = -1},
		{.next = product, .epoch = 8, .anchor_offset = -1},
	};

	return offsets_assign(log->off, part, starts, NULL);
}

/* A record that `pending` things wait for. */
static struct record *
add(struct log *log, struct partition *part, int64_t offset, uint32_t pending)
{
	struct record *rec = mem_calloc(1, sizeof(*rec));

	rec->partition = part;
	rec->offset = offset;
	rec->timestamp_ms = 1000 + offset;
	rec->key = PJ_STR("key");
	rec->value = PJ_STR("value");
	rec->release = release;
	offsets_add(log->off, rec);
	rec->pending = pending;
	rec->folded = true;
	log->recs[log->n++] = rec;
	return rec;
}

static int64_t
position(struct log *log, struct partition *part)
{
	offsets_settle(log->off);
	return offsets_of(log->off, part)->next;
}

static size_t
take(struct log *log, struct store_checkpoint rows[8])
{
	size_t due = offsets_rows_due(log->off);
	size_t n = offsets_take_rows(log->off, rows, 8);

	assert_int_equal(n, due);
	return n;
}

/* ---- Positions ----------------------------------------------------------- */

static void
a_position_is_behind_what_is_settled_across_gaps(void **state)
{
	struct log *log = *state;

	assert_int_equal(assign(log, &log->stock, -1, -1), -1);
	assert_int_equal(position(log, &log->stock), -1);
	(void)add(log, &log->stock, 5, 0);
	assert_int_equal(position(log, &log->stock), 6);
	(void)add(log, &log->stock, 90, 0);
	(void)add(log, &log->stock, 91, 0);
	assert_int_equal(position(log, &log->stock), 92);
	assert_int_equal(log->released, 3);
}

static void
a_record_that_is_pending_holds_the_position_however_late_it_ends(void **state)
{
	struct log *log = *state;
	struct record *first, *third;

	(void)assign(log, &log->stock, 10, 10);
	first = add(log, &log->stock, 10, 2);
	(void)add(log, &log->stock, 11, 0);
	third = add(log, &log->stock, 12, 1);
	(void)add(log, &log->stock, 13, 0);
	assert_int_equal(position(log, &log->stock), 10);
	offsets_done(log->off, third);
	offsets_done(log->off, first);
	assert_int_equal(position(log, &log->stock), 10);
	offsets_done(log->off, first);
	assert_int_equal(position(log, &log->stock), 14);
}

static void
a_record_that_not_every_stage_has_seen_holds_the_position(void **state)
{
	struct log *log = *state;
	struct record *rec;

	(void)assign(log, &log->stock, 0, 0);
	rec = add(log, &log->stock, 0, 0);
	rec->folded = false;
	assert_int_equal(position(log, &log->stock), 0);
	rec->folded = true;
	assert_int_equal(position(log, &log->stock), 1);
}

static void
partitions_move_by_themselves(void **state)
{
	struct log *log = *state;

	(void)assign(log, &log->stock, 0, 0);
	(void)assign(log, &log->price, 0, 0);
	struct record *rec = add(log, &log->stock, 0, 1);

	(void)add(log, &log->price, 0, 0);
	assert_int_equal(position(log, &log->price), 1);
	assert_int_equal(position(log, &log->stock), 0);
	offsets_done(log->off, rec);
	assert_int_equal(position(log, &log->stock), 1);
}

static void
the_line_grows_and_goes_round(void **state)
{
	struct log *log = *state;
	int64_t offset = 0, done = 0;

	(void)assign(log, &log->stock, 0, 0);
	while (offset < 40)
		(void)add(log, &log->stock, offset++, 1);
	while (done < 30)
		offsets_done(log->off, log->recs[done++]);
	assert_int_equal(position(log, &log->stock), 30);
	while (offset < 250)
		(void)add(log, &log->stock, offset++, 1);
	assert_int_equal(offsets_held(log->off), 220);
	while (done < 250) {
		offsets_done(log->off, log->recs[done++]);
		assert_int_equal(position(log, &log->stock), done);
	}
	assert_int_equal(offsets_held(log->off), 0);
	assert_int_equal(offsets_held_bytes(log->off), 0);
}

static void
the_logs_own_word_moves_an_empty_line_and_no_other(void **state)
{
	struct log *log = *state;
	struct record *rec;

	(void)assign(log, &log->stock, -1, -1);
	offsets_reached(log->off, &log->stock, -1);
	assert_int_equal(position(log, &log->stock), -1);
	rec = add(log, &log->stock, 3, 1);
	offsets_reached(log->off, &log->stock, 9);
	assert_int_equal(position(log, &log->stock), -1);
	offsets_done(log->off, rec);
	assert_int_equal(position(log, &log->stock), 4);
	offsets_reached(log->off, &log->stock, 9);
	assert_int_equal(position(log, &log->stock), 9);
	offsets_reached(log->off, &log->stock, 7);
	assert_int_equal(position(log, &log->stock), 9);
}

/* ---- Lanes --------------------------------------------------------------- */

static void
reading_starts_where_the_slowest_reader_of_the_topic_is(void **state)
{
	struct log *log = *state;

	assert_int_equal(assign(log, &log->stock, 40, 20), 20);
	/* stock does not read prices: its start says nothing there. */
	assert_int_equal(assign(log, &log->price, -1, 33), 33);
}

static void
a_lane_is_given_nothing_below_its_own_checkpoint(void **state)
{
	struct log *log = *state;
	struct record *below, *at;

	(void)assign(log, &log->stock, 40, 20);
	below = add(log, &log->stock, 39, 1);
	at = add(log, &log->stock, 40, 1);
	assert_false(offsets_wants(log->off, below, &log->lanes.lane[STOCK]));
	assert_true(offsets_wants(log->off, below, &log->lanes.lane[PRODUCT]));
	assert_true(offsets_wants(log->off, at, &log->lanes.lane[STOCK]));
}

static void
a_lane_that_is_ahead_is_not_set_back(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];

	(void)assign(log, &log->stock, 40, 20);
	(void)add(log, &log->stock, 30, 0);
	offsets_settle(log->off);
	assert_int_equal(take(log, rows), 1);
	assert_string_equal(rows[0].generation, "product.7");
	assert_int_equal(rows[0].next, 31);
	(void)add(log, &log->stock, 45, 0);
	offsets_settle(log->off);
	assert_int_equal(take(log, rows), 2);
	assert_int_equal(rows[0].next, 46);
	assert_int_equal(rows[1].next, 46);
}

static void
only_readers_of_the_topic_get_checkpoints(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];

	(void)assign(log, &log->price, 0, 0);
	(void)add(log, &log->price, 0, 0);
	offsets_settle(log->off);
	assert_int_equal(take(log, rows), 1);
	assert_string_equal(rows[0].generation, "product.7");
	assert_int_equal(rows[0].source, 5);
}

/* ---- Checkpoints --------------------------------------------------------- */

static void
a_checkpoint_carries_the_last_record_as_its_anchor(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];

	(void)assign(log, &log->stock, 0, 99);
	(void)add(log, &log->stock, 4, 0);
	(void)add(log, &log->stock, 6, 0);
	offsets_settle(log->off);
	offsets_reached(log->off, &log->stock, 12);
	assert_int_equal(take(log, rows), 1);
	assert_int_equal(rows[0].next, 12);
	assert_int_equal(rows[0].anchor_offset, 6);
	assert_int_equal(rows[0].anchor_timestamp_ms, 1006);
	assert_int_equal(rows[0].anchor_crc,
			 crc32(0, (const Bytef *)"keyvalue", 8));
}

static void
what_was_taken_is_not_due_until_it_moves_or_fails(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8], again[8];

	(void)assign(log, &log->stock, 0, 99);
	assert_int_equal(offsets_rows_due(log->off), 0);
	assert_true(offsets_is_saved(log->off));
	(void)add(log, &log->stock, 0, 0);
	assert_false(offsets_is_saved(log->off));
	offsets_settle(log->off);
	assert_int_equal(take(log, rows), 1);
	assert_int_equal(take(log, again), 0);
	assert_false(offsets_is_saved(log->off));
	offsets_rows_done(log->off, rows, 1, false);
	assert_int_equal(take(log, rows), 1);
	offsets_rows_done(log->off, rows, 1, true);
	assert_int_equal(take(log, again), 0);
	assert_true(offsets_is_saved(log->off));
}

static void
answers_may_come_in_any_order(void **state)
{
	struct log *log = *state;
	struct store_checkpoint first[8], second[8], third[8];

	(void)assign(log, &log->stock, 0, 99);
	(void)add(log, &log->stock, 0, 0);
	offsets_settle(log->off);
	assert_int_equal(take(log, first), 1);
	(void)add(log, &log->stock, 1, 0);
	offsets_settle(log->off);
	assert_int_equal(take(log, second), 1);
	offsets_rows_done(log->off, second, 1, true);
	assert_true(offsets_is_saved(log->off));
	/* A late success or failure of the lower one takes nothing back. */
	offsets_rows_done(log->off, first, 1, true);
	offsets_rows_done(log->off, first, 1, false);
	assert_true(offsets_is_saved(log->off));
	assert_int_equal(take(log, third), 0);
}

static void
an_answer_about_another_generation_is_nobodys(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];

	(void)assign(log, &log->stock, 0, 99);
	(void)add(log, &log->stock, 0, 0);
	offsets_settle(log->off);
	assert_int_equal(take(log, rows), 1);
	strcpy(rows[0].generation, "stock.6");
	offsets_rows_done(log->off, rows, 1, true);
	assert_false(offsets_is_saved(log->off));
}

static void
forgetting_releases_every_record_and_all_partitions(void **state)
{
	struct log *log = *state;

	(void)assign(log, &log->stock, 0, 0);
	(void)assign(log, &log->price, 0, 0);
	(void)add(log, &log->stock, 0, 1);
	(void)add(log, &log->stock, 1, 0);
	(void)add(log, &log->price, 0, 3);
	offsets_clear(log->off);
	assert_int_equal(log->released, 3);
	assert_int_equal(offsets_held(log->off), 0);
	assert_int_equal(offsets_held_bytes(log->off), 0);
	assert_null(offsets_at(log->off, 0));
	assert_null(offsets_of(log->off, &log->stock));
	assert_true(offsets_is_saved(log->off));
	/* And the same partition is taken on again. */
	assert_int_equal(assign(log, &log->stock, 5, 5), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_position_is_behind_what_is_settled_across_gaps),
		TEST(a_record_that_is_pending_holds_the_position_however_late_it_ends),
		TEST(a_record_that_not_every_stage_has_seen_holds_the_position),
		TEST(partitions_move_by_themselves),
		TEST(the_line_grows_and_goes_round),
		TEST(the_logs_own_word_moves_an_empty_line_and_no_other),
		TEST(reading_starts_where_the_slowest_reader_of_the_topic_is),
		TEST(a_lane_is_given_nothing_below_its_own_checkpoint),
		TEST(a_lane_that_is_ahead_is_not_set_back),
		TEST(only_readers_of_the_topic_get_checkpoints),
		TEST(a_checkpoint_carries_the_last_record_as_its_anchor),
		TEST(what_was_taken_is_not_due_until_it_moves_or_fails),
		TEST(answers_may_come_in_any_order),
		TEST(an_answer_about_another_generation_is_nobodys),
		TEST(forgetting_releases_every_record_and_all_partitions),
	};

	return cmocka_run_group_tests_name("offsets", tests, NULL, NULL);
}
