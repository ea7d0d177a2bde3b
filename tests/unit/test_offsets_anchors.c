/* SPDX-License-Identifier: Apache-2.0 */
/* Anchors (protocol rule 10), epochs (rule 8) and lanes that were stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
const struct pj_projection *
pj_projection_shop_products(void);

/* All three read stock; prices are for the latter two. */
enum { STOCK, PRODUCT, CARDS, LANES };

struct log {
	struct lanes lanes;
	struct module *mods[LANES];
	struct offsets *off;
	struct partition stock, price;
	struct store_checkpoint starts[LANES_MAX];
	size_t out; /* records not given back */
};

static struct log *the_log;

static void
release(struct record *rec)
{
	the_log->out--;
	free(rec);
}

/* Every record of the log is made from its offset. */
static struct record
record_at(struct partition *part, int64_t offset)
{
	static const char *const values[] = {"zero", "one", "two", "three"};
	const char *value = values[offset % 4];

	return (struct record){.partition = part,
			       .offset = offset,
			       .timestamp_ms = 1000 + offset,
			       .key = PJ_STR("key"),
			       .value = {value, strlen(value)},
			       .release = release};
}

static uint32_t
crc_at(int64_t offset)
{
	struct record rec = record_at(NULL, offset);
	uLong crc = crc32(0, (const Bytef *)rec.key.ptr, 3);

	return (uint32_t)crc32(crc, (const Bytef *)rec.value.ptr,
			       (uInt)rec.value.len);
}

static int
setup(void **state)
{
	static const struct pj_projection *(*const make[LANES])(void) = {
		pj_projection_stock, pj_projection_product,
		pj_projection_shop_products};
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
	assert_int_equal(log->out, 0);
	for (unsigned i = 0; i < LANES; i++)
		module_free(log->mods[i]);
	free(log);
	return 0;
}

/* The lane's checkpoint: next, and the record at `anchor` below it (-1: none).
 */
static void
begins(struct log *log, unsigned lane, int64_t next, int64_t anchor)
{
	log->starts[lane] = (struct store_checkpoint){
		.next = next,
		.epoch = 11 + lane,
		.anchor_offset = anchor,
		.anchor_timestamp_ms = anchor < 0 ? 0 : 1000 + anchor,
		.anchor_crc = anchor < 0 ? 0 : crc_at(anchor),
	};
}

static int64_t
assign(struct log *log, struct partition *part)
{
	return offsets_assign(log->off, part, log->starts, NULL);
}

static void
stop(struct log *log, unsigned lane)
{
	(void)pj_error_set(&log->lanes.lane[lane].stop, PJ_ERROR_STOP, "asked");
}

/* Lanes whose anchor the record (or the end) proves lost, as bits. */
static unsigned
lost(struct log *log, const struct partition *part, const struct record *rec,
     int64_t end)
{
	unsigned bits = 0;
	struct lane *lane;
	int64_t anchor = -7;

	while ((lane = offsets_lost_anchor(log->off, part, rec, end,
					   &anchor))) {
		assert_int_equal(anchor,
				 log->starts[lane->index].anchor_offset);
		assert_false(bits & 1u << lane->index);
		bits |= 1u << lane->index;
	}
	return bits;
}

static unsigned
lost_at(struct log *log, int64_t offset)
{
	struct record rec = record_at(&log->stock, offset);

	return lost(log, &log->stock, &rec, -1);
}

static struct record *
add(struct log *log, struct partition *part, int64_t offset, uint32_t pending)
{
	struct record *rec = mem_calloc(1, sizeof(*rec));

	*rec = record_at(part, offset);
	offsets_add(log->off, rec);
	rec->pending = pending;
	rec->folded = true;
	log->out++;
	return rec;
}

static size_t
take(struct log *log, struct store_checkpoint rows[8])
{
	size_t due, n;

	offsets_settle(log->off);
	due = offsets_rows_due(log->off);
	n = offsets_take_rows(log->off, rows, 8);
	assert_int_equal(n, due);
	return n;
}

/* ---- Anchors ------------------------------------------------------------- */

static void
an_anchor_that_is_delivered_and_equal_is_no_loss(void **state)
{
	struct log *log = *state;

	begins(log, STOCK, 41, 40);
	begins(log, PRODUCT, 41, 40);
	begins(log, CARDS, 41, 40);
	assert_int_equal(assign(log, &log->stock), 40);
	assert_int_equal(lost_at(log, 40), 0);
	assert_int_equal(lost_at(log, 41), 0);
	assert_int_equal(lost(log, &log->stock, NULL, 41), 0);
}

static void
another_record_at_the_anchors_offset_is_a_loss_told_once(void **state)
{
	struct log *log = *state;
	struct record other;

	for (int what = 0; what < 4; what++) {
		begins(log, STOCK, 41, 40);
		begins(log, PRODUCT, -1, -1);
		begins(log, CARDS, -1, -1);
		(void)assign(log, &log->stock);
		other = record_at(&log->stock, 40);
		if (what == 0)
			other.timestamp_ms++;
		else if (what == 1)
			other.value = PJ_STR("zer0");
		else if (what == 2)
			other.key = PJ_STR("Key");
		else
			other.value = (struct pj_str){NULL, 0};
		assert_int_equal(lost(log, &log->stock, &other, -1),
				 1u << STOCK);
		assert_int_equal(lost(log, &log->stock, &other, -1), 0);
		assert_int_equal(lost_at(log, 41), 0);
		offsets_clear(log->off);
	}
}

static void
a_record_behind_an_anchor_that_never_came_is_a_loss(void **state)
{
	struct log *log = *state;

	begins(log, STOCK, 41, 40);
	begins(log, PRODUCT, -1, -1);
	begins(log, CARDS, -1, -1);
	(void)assign(log, &log->stock);
	/* Before it there may be others: other lanes read from further back. */
	assert_int_equal(lost_at(log, 12), 0);
	assert_int_equal(lost_at(log, 39), 0);
	assert_int_equal(lost_at(log, 41), 1u << STOCK);
}

static void
a_log_that_ends_before_the_anchor_came_is_a_loss(void **state)
{
	static const int64_t ends[] = {0, 12, 40, 41, 900};
	struct log *log = *state;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		begins(log, STOCK, 41, 40);
		begins(log, PRODUCT, -1, -1);
		begins(log, CARDS, -1, -1);
		(void)assign(log, &log->stock);
		/* Nothing was said of the end. */
		assert_int_equal(lost(log, &log->stock, NULL, -1), 0);
		assert_int_equal(lost(log, &log->stock, NULL, ends[i]),
				 1u << STOCK);
		assert_int_equal(lost(log, &log->stock, NULL, ends[i]), 0);
		offsets_clear(log->off);
	}
}

static void
each_lane_is_judged_by_its_own_anchor(void **state)
{
	struct log *log = *state;
	struct record other = record_at(&log->stock, 30);

	begins(log, STOCK, 41, 40);
	begins(log, PRODUCT, 31, 30);
	/* Trailing markers: its last record is far below. */
	begins(log, CARDS, 35, 20);
	assert_int_equal(assign(log, &log->stock), 20);
	assert_int_equal(lost_at(log, 20), 0);
	other.timestamp_ms = 5;
	assert_int_equal(lost(log, &log->stock, &other, -1), 1u << PRODUCT);
	assert_int_equal(lost_at(log, 34), 0);
	assert_int_equal(lost_at(log, 44), 1u << STOCK);
	assert_int_equal(lost(log, &log->stock, NULL, 50), 0);
}

static void
partitions_have_anchors_of_their_own(void **state)
{
	struct log *log = *state;
	struct record other = record_at(&log->price, 40);

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 41, 40);
	(void)assign(log, &log->stock);
	assert_int_equal(assign(log, &log->price), 40);
	other.timestamp_ms = 0;
	/* stock does not read prices: nothing of it can be lost there. */
	assert_int_equal(lost(log, &log->price, &other, -1),
			 1u << PRODUCT | 1u << CARDS);
	assert_int_equal(lost_at(log, 40), 0);
}

static void
a_lane_without_an_anchor_loses_none(void **state)
{
	struct log *log = *state;

	/* Never began; began, and the log said that nothing was before 12. */
	begins(log, STOCK, -1, -1);
	begins(log, PRODUCT, 12, -1);
	begins(log, CARDS, 12, -1);
	assert_int_equal(assign(log, &log->stock), -1);
	assert_int_equal(lost_at(log, 3), 0);
	assert_int_equal(lost_at(log, 77), 0);
	assert_int_equal(lost(log, &log->stock, NULL, 2), 0);
}

static void
anchors_are_not_asked_for_when_a_person_said_so(void **state)
{
	const bool all[LANES_MAX] = {true, true, true};
	struct log *log = *state;

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 41, 40);
	assert_int_equal(
		offsets_assign(log->off, &log->stock, log->starts, all), 41);
	assert_int_equal(lost_at(log, 60), 0);
	assert_int_equal(lost(log, &log->stock, NULL, 10), 0);
}

static void
who_was_not_meant_has_its_anchor_asked_for(void **state)
{
	const bool waived[LANES_MAX] = {[PRODUCT] = true};
	struct log *log = *state;

	begins(log, STOCK, 90, 89);
	begins(log, PRODUCT, 41, 30);
	begins(log, CARDS, 90, 89);
	assert_int_equal(
		offsets_assign(log->off, &log->stock, log->starts, waived), 41);
	assert_int_equal(lost_at(log, 41), 0);
	assert_int_equal(lost_at(log, 90), 1u << STOCK | 1u << CARDS);
}

/* ---- Where reading stands ------------------------------------------------ */

static unsigned
last(const struct log *log)
{
	unsigned found = 0;

	for (unsigned i = 0; i < LANES; i++)
		if (offsets_is_last(log->off, &log->stock, &log->lanes.lane[i]))
			found |= 1u << i;
	return found;
}

static void
reading_stands_where_the_last_lane_does(void **state)
{
	struct log *log = *state;

	begins(log, STOCK, 41, 40);
	begins(log, PRODUCT, 90, 40);
	begins(log, CARDS, 90, 89);
	(void)assign(log, &log->stock);
	assert_int_equal(last(log), 1u << STOCK | 1u << PRODUCT);
	assert_int_equal(offsets_place(&log->stock, &log->lanes.lane[CARDS]),
			 89);
	/* Behind their anchors one has all to see, the other what is new. */
	assert_int_equal(lost_at(log, 40), 0);
	assert_int_equal(last(log), 1u << STOCK);
	offsets_reached(log->off, &log->stock, 60);
	assert_int_equal(offsets_place(&log->stock, &log->lanes.lane[STOCK]),
			 60);
	assert_int_equal(last(log), 1u << STOCK);
	stop(log, STOCK);
	assert_int_equal(last(log), 1u << CARDS);
}

static void
who_begins_with_the_first_record_stands_before_all_others(void **state)
{
	struct log *log = *state;

	begins(log, STOCK, -1, -1);
	begins(log, PRODUCT, 41, 40);
	begins(log, CARDS, 0, -1);
	(void)assign(log, &log->stock);
	assert_int_equal(last(log), 1u << STOCK);
}

/* ---- Where reading starts ------------------------------------------------ */

static void
reading_starts_at_the_lowest_anchor_or_position(void **state)
{
	struct log *log = *state;

	begins(log, STOCK, 41, 40);
	begins(log, PRODUCT, 90, 30);
	begins(log, CARDS, 35, -1);
	assert_int_equal(assign(log, &log->stock), 30);
	offsets_clear(log->off);
	begins(log, CARDS, 25, -1);
	assert_int_equal(assign(log, &log->stock), 25);
	offsets_clear(log->off);
	begins(log, CARDS, -1, -1);
	assert_int_equal(assign(log, &log->stock), -1);
}

static void
an_anchor_that_is_read_again_takes_no_position_back(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];
	struct record *rec;

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 45, 40);
	assert_int_equal(assign(log, &log->stock), 40);
	rec = add(log, &log->stock, 40, 0);
	for (unsigned i = 0; i < LANES; i++)
		assert_false(offsets_wants(log->off, rec, &log->lanes.lane[i]));
	assert_int_equal(take(log, rows), 0);
	assert_true(offsets_is_saved(log->off));
	assert_int_equal(offsets_of(log->off, &log->stock)->next, 45);
	(void)add(log, &log->stock, 46, 0);
	assert_int_equal(take(log, rows), LANES);
	assert_int_equal(rows[0].next, 47);
	assert_int_equal(rows[0].anchor_offset, 46);
}

/* ---- Stopped lanes ------------------------------------------------------- */

static void
a_stopped_lane_holds_nobody_back(void **state)
{
	struct log *log = *state;
	struct record *rec;

	begins(log, STOCK, 3, 2);
	begins(log, PRODUCT, 41, 40);
	begins(log, CARDS, 51, 50);
	stop(log, STOCK);
	assert_int_equal(assign(log, &log->stock), 40);
	assert_int_equal(offsets_of(log->off, &log->stock)->next, 41);
	rec = add(log, &log->stock, 41, 0);
	assert_false(offsets_wants(log->off, rec, &log->lanes.lane[STOCK]));
	assert_true(offsets_wants(log->off, rec, &log->lanes.lane[PRODUCT]));
	assert_false(offsets_wants(log->off, rec, &log->lanes.lane[CARDS]));
}

static void
a_stopped_lane_has_no_anchor_to_lose(void **state)
{
	struct log *log = *state;

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 41, 40);
	stop(log, STOCK);
	(void)assign(log, &log->stock);
	stop(log, CARDS);
	assert_int_equal(lost_at(log, 44), 1u << PRODUCT);
}

static void
a_stopped_lanes_checkpoint_stays_while_its_siblings_move(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 10, -1);
	(void)assign(log, &log->stock);
	(void)add(log, &log->stock, 10, 0);
	assert_int_equal(take(log, rows), LANES);
	offsets_rows_done(log->off, rows, LANES, true);
	stop(log, PRODUCT);
	(void)add(log, &log->stock, 11, 0);
	assert_int_equal(take(log, rows), 2);
	assert_string_equal(rows[0].generation, "stock.7");
	assert_string_equal(rows[1].generation, "shop_products.7");
	offsets_rows_done(log->off, rows, 2, true);
	/* There is nothing left to be saved. */
	assert_true(offsets_is_saved(log->off));
	assert_int_equal(offsets_of(log->off, &log->stock)->lane[PRODUCT].saved,
			 11);
}

/* The call failed; meanwhile the lane was stopped. */
static void
a_checkpoint_of_a_lane_stopped_meanwhile_is_not_sent_again(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 10, -1);
	(void)assign(log, &log->stock);
	(void)add(log, &log->stock, 10, 0);
	assert_int_equal(take(log, rows), LANES);
	stop(log, STOCK);
	offsets_rows_done(log->off, rows, LANES, false);
	assert_int_equal(take(log, rows), 2);
	assert_string_equal(rows[0].generation, "product.7");
	assert_string_equal(rows[1].generation, "shop_products.7");
}

static void
with_all_lanes_stopped_nothing_is_due(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];
	struct record *rec;

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 10, 9);
	(void)assign(log, &log->stock);
	rec = add(log, &log->stock, 10, 1);
	for (unsigned i = 0; i < LANES; i++)
		stop(log, i);
	offsets_done(log->off, rec);
	assert_int_equal(take(log, rows), 0);
	assert_true(offsets_is_saved(log->off));
	offsets_reached(log->off, &log->stock, 20);
	assert_int_equal(take(log, rows), 0);
}

/* ---- Epochs -------------------------------------------------------------- */

static void
a_checkpoint_carries_the_epoch_of_its_lanes_claim(void **state)
{
	struct log *log = *state;
	struct store_checkpoint rows[8];

	for (unsigned i = 0; i < LANES; i++)
		begins(log, i, 10, -1);
	(void)assign(log, &log->stock);
	for (unsigned i = 0; i < LANES; i++)
		log->starts[i].epoch = 70 + i;
	(void)assign(log, &log->price);
	(void)add(log, &log->stock, 10, 0);
	(void)add(log, &log->price, 10, 0);
	assert_int_equal(take(log, rows), 5);
	for (size_t i = 0; i < 5; i++) {
		unsigned lane =
			strcmp(rows[i].generation, "stock.7") == 0     ? STOCK
			: strcmp(rows[i].generation, "product.7") == 0 ? PRODUCT
								       : CARDS;

		assert_int_equal(rows[i].epoch,
				 (rows[i].source == 4 ? 11u : 70u) + lane);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_anchor_that_is_delivered_and_equal_is_no_loss),
		TEST(another_record_at_the_anchors_offset_is_a_loss_told_once),
		TEST(a_record_behind_an_anchor_that_never_came_is_a_loss),
		TEST(a_log_that_ends_before_the_anchor_came_is_a_loss),
		TEST(each_lane_is_judged_by_its_own_anchor),
		TEST(partitions_have_anchors_of_their_own),
		TEST(a_lane_without_an_anchor_loses_none),
		TEST(anchors_are_not_asked_for_when_a_person_said_so),
		TEST(who_was_not_meant_has_its_anchor_asked_for),
		TEST(reading_stands_where_the_last_lane_does),
		TEST(who_begins_with_the_first_record_stands_before_all_others),
		TEST(reading_starts_at_the_lowest_anchor_or_position),
		TEST(an_anchor_that_is_read_again_takes_no_position_back),
		TEST(a_stopped_lane_holds_nobody_back),
		TEST(a_stopped_lane_has_no_anchor_to_lose),
		TEST(a_stopped_lanes_checkpoint_stays_while_its_siblings_move),
		TEST(a_checkpoint_of_a_lane_stopped_meanwhile_is_not_sent_again),
		TEST(with_all_lanes_stopped_nothing_is_due),
		TEST(a_checkpoint_carries_the_epoch_of_its_lanes_claim),
	};

	return cmocka_run_group_tests_name("offsets_anchors", tests, NULL,
					   NULL);
}
