/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of test_store.c that is about parked rows as queues: read in order,
 * taken out of it, and what the audit says afterwards.
 */
#ifndef TESTS_STORE_CONTRACT_QUEUE_H
#define TESTS_STORE_CONTRACT_QUEUE_H

#include "tests/component/store_contract_parked.h"

/* ---- Reading ----------------------------------------------------------- */

static void
expect_queue(struct fixture *fx, struct pj_str unit, int64_t from,
	     const char *want)
{
	struct parked_seen seen = {0};

	OK(fx, store_parked_unit(fx->ses, "stock.1", "document", unit, "stock",
				 3, from, see_parked, &seen, &fx->err));
	assert_string_equal(seen.text, want);
}

static void
a_queue_is_one_unit_and_partition_by_offset_from_where_asked(void **state)
{
	struct fixture *fx = *state;
	struct store_parked rows[10];
	struct parked_seen two = {.stop_at = 2};
	size_t i;

	for (i = 0; i < 10; i++)
		rows[i] = parked_of(PJ_STR("a"), 10);
	rows[0].offset = 9;
	rows[2].offset = 100;
	rows[3].offset = INT64_MAX;
	/* None of that queue, by one part each. */
	rows[4].unit = PJ_STR("ab");
	rows[5].unit = PJ_STR("");
	rows[6].unit_type = "key";
	rows[7].topic = "stock-x";
	rows[8].partition = 30;
	rows[9].generation = "stock.10";
	park(fx, rows, 10);
	expect_queue(fx, PJ_STR("a"), 0,
		     "a/stock/3@9 a/stock/3@10 a/stock/3@100 "
		     "a/stock/3@9223372036854775807 ");
	expect_queue(fx, PJ_STR("a"), 9,
		     "a/stock/3@9 a/stock/3@10 a/stock/3@100 "
		     "a/stock/3@9223372036854775807 ");
	expect_queue(fx, PJ_STR("a"), 10,
		     "a/stock/3@10 a/stock/3@100 "
		     "a/stock/3@9223372036854775807 ");
	expect_queue(fx, PJ_STR("a"), 101, "a/stock/3@9223372036854775807 ");
	expect_queue(fx, PJ_STR("b"), 0, "");
	OK(fx, store_parked_unit(fx->ses, "stock.1", "document", PJ_STR("a"),
				 "stock", 3, 0, see_parked, &two, &fx->err));
	assert_string_equal(two.text, "a/stock/3@9 a/stock/3@10 ");
}

/* ---- Taking out -------------------------------------------------------- */

static struct store_unpark
unpark_of(const struct store_parked *row, const char *action)
{
	return (struct store_unpark){.generation = row->generation,
				     .unit_type = row->unit_type,
				     .unit = row->unit,
				     .topic = row->topic,
				     .partition = row->partition,
				     .offset = row->offset,
				     .action = action,
				     .reason = "mended",
				     .by = "kim",
				     .at_ms = 1700000001000};
}

static void
unpark(struct fixture *fx, const struct store_unpark *unparks, size_t n)
{
	struct store_batch batch = {.unparks = unparks, .n_unparks = n};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
}

/* All entries of "stock.1": "action offset key/value by reason@at, …" */
struct audit_seen {
	char text[512];
	size_t n, stop_at, bytes;
};

static bool
see_audit(void *arg, const struct store_audit *entry)
{
	struct audit_seen *seen = arg;
	const struct store_parked *row = &entry->row;

	if (seen->n < 6)
		(void)sprintf(seen->text + strlen(seen->text),
			      "%s %d %d%d%d %s/%s@%lld, ", entry->action,
			      (int)row->offset, !row->key_null,
			      !row->value_null, (int)row->n_headers, entry->by,
			      entry->reason, (long long)entry->at_ms);
	seen->bytes += row->value.len;
	return ++seen->n != seen->stop_at;
}

static void
expect_audit(struct fixture *fx, const char *want)
{
	struct audit_seen seen = {0};

	OK(fx,
	   store_audit_scan(fx->ses, "stock.1", see_audit, &seen, &fx->err));
	assert_string_equal(seen.text, want);
}

static bool
compare_audited(void *arg, const struct store_audit *entry)
{
	return compare_parked(arg, &entry->row);
}

static void
a_discarded_row_goes_and_the_audit_keeps_it_whole(void **state)
{
	struct fixture *fx = *state;
	const struct pj_str headers[] = {PJ_STR("name"), {NULL, 0}};
	struct store_parked row = parked_of(PJ_STR("a"), 5);
	struct store_unpark done = unpark_of(&row, "discarded");

	row.headers = headers;
	row.n_headers = 1;
	park(fx, &row, 1);
	unpark(fx, &done, 1);
	assert_int_equal(count_parked(fx, "stock.1"), 0);
	expect_audit(fx, "discarded 5 111 kim/mended@1700000001000, ");
	OK(fx, store_audit_scan(fx->ses, "stock.1", compare_audited, &row,
				&fx->err));
}

static void
a_retried_row_goes_and_the_audit_keeps_only_what_it_was(void **state)
{
	struct fixture *fx = *state;
	const struct pj_str headers[] = {PJ_STR("name"), {NULL, 0}};
	struct store_parked row = parked_of(PJ_STR("a"), 5);
	struct store_unpark done = unpark_of(&row, "retried");

	row.headers = headers;
	row.n_headers = 1;
	park(fx, &row, 1);
	unpark(fx, &done, 1);
	assert_int_equal(count_parked(fx, "stock.1"), 0);
	row.key_null = row.value_null = true;
	row.key = row.value = (struct pj_str){NULL, 0};
	row.n_headers = 0;
	OK(fx, store_audit_scan(fx->ses, "stock.1", compare_audited, &row,
				&fx->err));
	expect_audit(fx, "retried 5 000 kim/mended@1700000001000, ");
}

static void
a_row_that_never_was_in_the_queue_goes_without_a_trace(void **state)
{
	struct fixture *fx = *state;
	struct store_parked rows[2] = {parked_of(PJ_STR("a"), 5),
				       parked_of(PJ_STR("a"), 6)};
	struct store_unpark done[3] = {unpark_of(&rows[0], NULL),
				       unpark_of(&rows[1], NULL),
				       unpark_of(&rows[1], "retried")};

	park(fx, rows, 1);
	/* The second one is not there: no error, and nothing to tell of. */
	unpark(fx, done, 3);
	assert_int_equal(count_parked(fx, "stock.1"), 0);
	expect_audit(fx, "");
}

static void
what_is_told_twice_is_one_entry_and_what_happens_twice_is_two(void **state)
{
	struct fixture *fx = *state;
	struct store_parked row = parked_of(PJ_STR("a"), 5);
	struct store_unpark done = unpark_of(&row, "retried");

	park(fx, &row, 1);
	unpark(fx, &done, 1);
	/* As if the row had outlived its process. */
	park(fx, &row, 1);
	done.at_ms++;
	unpark(fx, &done, 1);
	assert_int_equal(count_parked(fx, "stock.1"), 0);
	expect_audit(fx, "retried 5 000 kim/mended@1700000001000, ");
	/* Parked anew, another day. */
	row.parked_at_ms++;
	park(fx, &row, 1);
	done.action = "discarded";
	unpark(fx, &done, 1);
	expect_audit(fx, "retried 5 000 kim/mended@1700000001000, "
			 "discarded 5 110 kim/mended@1700000001001, ");
}

static void
the_audit_is_told_oldest_first_by_generation(void **state)
{
	struct fixture *fx = *state;
	struct store_parked rows[4] = {
		parked_of(PJ_STR("c"), 1), parked_of(PJ_STR("a"), 2),
		parked_of(PJ_STR("b"), 3), parked_of(PJ_STR("d"), 4)};
	struct store_unpark done[4];
	struct audit_seen two = {.stop_at = 2};
	size_t i;

	rows[3].generation = "stock.10";
	park(fx, rows, 4);
	for (i = 0; i < 4; i++) {
		done[i] = unpark_of(&rows[i], "retried");
		done[i].at_ms = (int64_t[]){9, 30, 10, 1}[i];
	}
	unpark(fx, done, 4);
	expect_audit(fx, "retried 1 000 kim/mended@9, "
			 "retried 3 000 kim/mended@10, "
			 "retried 2 000 kim/mended@30, ");
	OK(fx, store_audit_scan(fx->ses, "stock.1", see_audit, &two, &fx->err));
	assert_string_equal(two.text, "retried 1 000 kim/mended@9, "
				      "retried 3 000 kim/mended@10, ");
}

enum { HEAVY_ROWS = 5, HEAVY_BYTES = 12 << 20 };

static void
rows_that_are_more_than_one_load_are_taken_out_and_told_whole(void **state)
{
	struct fixture *fx = *state;
	char *value = mem_calloc(HEAVY_BYTES, 1);
	struct store_parked rows[HEAVY_ROWS];
	struct store_unpark done[HEAVY_ROWS];
	struct audit_seen seen = {0};
	int64_t i;

	for (i = 0; i < HEAVY_ROWS; i++) {
		rows[i] = parked_of(PJ_STR("a"), i);
		rows[i].value = (struct pj_str){value, HEAVY_BYTES};
		park(fx, &rows[i], 1);
		done[i] = unpark_of(&rows[i], "discarded");
		/* The last comes first. */
		done[i].at_ms = 100 - i;
	}
	unpark(fx, done, HEAVY_ROWS);
	assert_int_equal(count_parked(fx, "stock.1"), 0);
	OK(fx,
	   store_audit_scan(fx->ses, "stock.1", see_audit, &seen, &fx->err));
	assert_int_equal(seen.bytes, (size_t)HEAVY_ROWS * HEAVY_BYTES);
	assert_string_equal(seen.text, "discarded 4 110 kim/mended@96, "
				       "discarded 3 110 kim/mended@97, "
				       "discarded 2 110 kim/mended@98, "
				       "discarded 1 110 kim/mended@99, "
				       "discarded 0 110 kim/mended@100, ");
	free(value);
}

/* What can be parked can be discarded: the audit adds to it. */
static void
the_largest_row_that_can_be_parked_can_be_discarded(void **state)
{
	struct fixture *fx = *state;
	size_t len = (16 << 20) - (33 << 10);
	char *value = mem_calloc(len, 1), *reason = mem_calloc(4001, 1);
	struct store_parked row = parked_of(PJ_STR("a"), 1);
	struct store_unpark done = unpark_of(&row, "discarded");
	struct audit_seen seen = {0};

	memset(reason, 'r', 4000);
	row.value = (struct pj_str){value, len};
	park(fx, &row, 1);
	done.reason = reason;
	unpark(fx, &done, 1);
	seen.n = 6; /* not to be written down */
	OK(fx,
	   store_audit_scan(fx->ses, "stock.1", see_audit, &seen, &fx->err));
	assert_int_equal(seen.bytes, len);
	free(reason);
	free(value);
}

#endif
