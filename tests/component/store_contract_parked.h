/* SPDX-License-Identifier: Apache-2.0 */
/* The part of test_store.c that is about parked rows. */
#ifndef TESTS_STORE_CONTRACT_PARKED_H
#define TESTS_STORE_CONTRACT_PARKED_H

#include "tests/support/store_fixture.h"

static struct store_parked
parked_of(struct pj_str unit, int64_t offset)
{
	return (struct store_parked){.generation = "stock.1",
				     .unit_type = "document",
				     .unit = unit,
				     .topic = "stock",
				     .partition = 3,
				     .offset = offset,
				     .timestamp_ms = 1700000000000,
				     .type = "StockChanged",
				     .cause = "missing field",
				     .detail = "quantity",
				     .parked_at_ms = 1700000000999,
				     .key = PJ_STR("k"),
				     .value = PJ_STR("v")};
}

static void
park(struct fixture *fx, const struct store_parked *rows, size_t n)
{
	struct store_batch batch = {.parked = rows, .n_parked = n};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
}

static void
assert_str(struct pj_str a, struct pj_str b)
{
	assert_int_equal(a.len, b.len);
	if (a.len)
		assert_memory_equal(a.ptr, b.ptr, a.len);
}

static bool
compare_parked(void *arg, const struct store_parked *row)
{
	const struct store_parked *want = arg;
	size_t i;

	assert_string_equal(row->generation, want->generation);
	assert_string_equal(row->unit_type, want->unit_type);
	assert_str(row->unit, want->unit);
	assert_string_equal(row->topic, want->topic);
	assert_int_equal(row->partition, want->partition);
	assert_int_equal(row->offset, want->offset);
	assert_int_equal(row->timestamp_ms, want->timestamp_ms);
	assert_string_equal(row->type, want->type);
	assert_string_equal(row->cause, want->cause);
	assert_string_equal(row->detail, want->detail);
	assert_int_equal(row->parked_at_ms, want->parked_at_ms);
	assert_int_equal(row->key_null, want->key_null);
	assert_int_equal(row->value_null, want->value_null);
	assert_str(row->key, want->key);
	assert_str(row->value, want->value);
	assert_int_equal(row->n_headers, want->n_headers);
	for (i = 0; i < 2 * want->n_headers; i++) {
		assert_str(row->headers[i], want->headers[i]);
		assert_int_equal(!row->headers[i].ptr, !want->headers[i].ptr);
	}
	return true;
}

static void
parked_rows_come_back_whole(void **state)
{
	struct fixture *fx = *state;
	const struct pj_str headers[] = {
		PJ_STR("traceparent"), PJ_STR("00-\xff\x00-01"),
		PJ_STR("none"),	       {NULL, 0},
		PJ_STR("empty"),       {"", 0},
	};
	struct store_parked row = parked_of(PJ_STR("a"), INT64_MAX);

	row.key = (struct pj_str){"\x00\xff", 2};
	row.value = (struct pj_str){NULL, 0};
	row.value_null = true;
	row.headers = headers;
	row.n_headers = 3;
	park(fx, &row, 1);
	OK(fx, store_parked_scan(fx->ses, "stock.1", compare_parked, &row,
				 &fx->err));

	/* An empty value is not a null one; a null key neither. */
	row = parked_of(PJ_STR("b"), 0);
	row.generation = "stock.2";
	row.value = PJ_STR("");
	row.key = (struct pj_str){NULL, 0};
	row.key_null = true;
	park(fx, &row, 1);
	OK(fx, store_parked_scan(fx->ses, "stock.2", compare_parked, &row,
				 &fx->err));
}

static int64_t
count_parked(struct fixture *fx, const char *generation)
{
	int64_t n = -1;

	OK(fx, store_parked_count(fx->ses, generation, &n, &fx->err));
	return n;
}

static void
parking_again_keeps_the_first_row(void **state)
{
	struct fixture *fx = *state;
	struct store_parked first = parked_of(PJ_STR("a"), 5), again = first;
	struct store_parked rows[3];

	assert_int_equal(count_parked(fx, "stock.1"), 0);
	park(fx, &first, 1);
	again.parked_at_ms++;
	park(fx, &again, 1);
	assert_int_equal(count_parked(fx, "stock.1"), 1);
	OK(fx, store_parked_scan(fx->ses, "stock.1", compare_parked, &first,
				 &fx->err));
	/* Known and new ones in one batch; other units, generations. */
	rows[0] = again;
	rows[1] = parked_of(PJ_STR("b"), 5);
	rows[2] = parked_of(PJ_STR("a"), 5);
	rows[2].generation = "stock.10";
	park(fx, rows, 3);
	assert_int_equal(count_parked(fx, "stock.1"), 2);
	assert_int_equal(count_parked(fx, "stock.10"), 1);
	assert_int_equal(count_parked(fx, "stock"), 0);
}

struct parked_seen {
	char text[256];
	size_t stop_at, n;
};

static bool
see_parked(void *arg, const struct store_parked *row)
{
	struct parked_seen *seen = arg;

	(void)sprintf(seen->text + strlen(seen->text), "%.*s/%s/%d@%lld ",
		      (int)row->unit.len, row->unit.ptr, row->topic,
		      (int)row->partition, (long long)row->offset);
	return ++seen->n != seen->stop_at;
}

static void
parked_rows_are_scanned_by_unit_and_coordinates(void **state)
{
	struct fixture *fx = *state;
	struct store_parked rows[6] = {
		parked_of(PJ_STR("b"), 1),  parked_of(PJ_STR("a"), 10),
		parked_of(PJ_STR("a"), 9),  parked_of(PJ_STR("ab"), 2),
		parked_of(PJ_STR("a"), 11), parked_of(PJ_STR("a"), 12),
	};
	struct parked_seen all = {0}, some = {.stop_at = 2};

	rows[4].partition = 10;
	rows[5].topic = "stock-x";
	park(fx, rows, 6);
	OK(fx,
	   store_parked_scan(fx->ses, "stock.1", see_parked, &all, &fx->err));
	assert_string_equal(all.text,
			    "a/stock/3@9 a/stock/3@10 a/stock/10@11 "
			    "a/stock-x/3@12 ab/stock/3@2 b/stock/3@1 ");
	OK(fx,
	   store_parked_scan(fx->ses, "stock.1", see_parked, &some, &fx->err));
	assert_string_equal(some.text, "a/stock/3@9 a/stock/3@10 ");
}

static bool
has_parked(struct fixture *fx, struct pj_str unit)
{
	bool has = false;

	OK(fx, store_parked_has(fx->ses, "stock.1", unit, &has, &fx->err));
	return has;
}

static void
parked_units_are_told_apart_however_long(void **state)
{
	struct fixture *fx = *state;
	static char big[100000], other[100000];
	struct pj_str unit = {big, sizeof(big)};
	struct store_parked row = parked_of(PJ_STR("a"), 1);

	memset(big, 'u', sizeof(big));
	memset(other, 'u', sizeof(other));
	other[sizeof(other) - 1] = 'v';
	park(fx, &row, 1);
	row.unit = unit;
	park(fx, &row, 1);
	row.unit = PJ_STR("record-key");
	row.unit_type = "key";
	park(fx, &row, 1);
	assert_true(has_parked(fx, PJ_STR("a")));
	assert_false(has_parked(fx, PJ_STR("")));
	assert_false(has_parked(fx, PJ_STR("aa")));
	assert_false(has_parked(fx, PJ_STR("record-key")));
	assert_true(has_parked(fx, unit));
	assert_false(has_parked(fx, (struct pj_str){other, sizeof(other)}));
	assert_false(has_parked(fx, (struct pj_str){big, sizeof(big) - 1}));
	assert_int_equal(count_parked(fx, "stock.1"), 3);
}

struct refused_seen {
	char cause[32], detail[32], value[32];
	int64_t n, at_ms;
};

static bool
see_refused(void *arg, const struct store_parked *row)
{
	struct refused_seen *seen = arg;

	(void)snprintf(seen->cause, sizeof(seen->cause), "%s", row->cause);
	(void)snprintf(seen->detail, sizeof(seen->detail), "%s", row->detail);
	(void)snprintf(seen->value, sizeof(seen->value), "%.*s",
		       (int)row->value.len, row->value.ptr);
	seen->n = row->n_refused;
	seen->at_ms = row->refused_at_ms;
	return true;
}

static void
a_refusal_says_why_in_its_row_and_makes_none(void **state)
{
	struct fixture *fx = *state;
	struct store_parked row = parked_of(PJ_STR("a"), 1);
	struct store_refusal refusals[2];
	struct store_batch batch = {.refusals = refusals, .n_refusals = 2};
	struct refused_seen seen = {.n = -1};

	row.value = PJ_STR("whole");
	park(fx, &row, 1);
	OK(fx,
	   store_parked_scan(fx->ses, "stock.1", see_refused, &seen, &fx->err));
	assert_int_equal(seen.n, 0);
	for (int64_t i = 0; i < 2; i++)
		refusals[i] = (struct store_refusal){
			.generation = row.generation,
			.unit_type = row.unit_type,
			.unit = row.unit,
			.topic = row.topic,
			.partition = row.partition,
			.offset = row.offset + i, /* that one is not there */
			.cause = "another",
			.detail = "in detail",
			.at_ms = 77,
		};
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	refusals[0].at_ms = 99;
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	assert_int_equal(count_parked(fx, "stock.1"), 1);
	OK(fx,
	   store_parked_scan(fx->ses, "stock.1", see_refused, &seen, &fx->err));
	assert_string_equal(seen.cause, "another");
	assert_string_equal(seen.detail, "in detail");
	assert_string_equal(seen.value, "whole");
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.at_ms, 99);
}

static void
a_parked_row_that_cannot_be_kept_is_a_named_stop(void **state)
{
	struct fixture *fx = *state;
	size_t len = (16 << 20) + 1;
	char *value = mem_calloc(len, 1);
	struct store_parked row = parked_of(PJ_STR("a"), 1);
	struct store_batch batch = {.parked = &row, .n_parked = 1};

	row.value = (struct pj_str){value, len};
	assert_int_equal(store_apply(fx->ses, &batch, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_STOP);
	assert_int_equal(count_parked(fx, "stock.1"), 0);
	free(value);
}

#endif
