/* SPDX-License-Identifier: Apache-2.0 */
/* The archive adapter on one file: lines that grow, and files that break. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/component/source_archive_files.h"

/* ---- Lines ------------------------------------------------------------- */

static void
half_a_line_is_no_record_until_its_newline(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 1);
	add("stock/0.ndjson",
	    "{\"topic\":\"stock\",\"partition\":0,\"offset\":1,");
	src = read_from(-1, &ev);
	expect_stock(src, 0, 1);
	step_expect_none(src);
	add("stock/0.ndjson", "\"key\":\"k\",\"value\":null}");
	step_expect_none(src);
	add("stock/0.ndjson", "\n");
	expect_stock(src, 1, 1);
	source_close(src);
}

static void
half_a_line_may_be_taken_back(void **state)
{
	struct source_event ev;
	struct stat st;
	struct source *src;
	char *path = path_of("stock/0.ndjson");

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 2);
	assert_int_equal(stat(path, &st), 0);
	add("stock/0.ndjson", "{\"topic\":\"stock\",\"par");
	src = read_from(-1, &ev);
	expect_stock(src, 0, 2);
	step_expect_none(src);
	assert_int_equal(truncate(path, st.st_size), 0);
	add_lines("stock", 0, 2, 1);
	expect_stock(src, 2, 1);
	source_close(src);
	free(path);
}

static void
a_line_longer_than_a_read_is_one_record(void **state)
{
	size_t size = 1000 * 1000;
	char *big = mem_alloc(size + 1);
	int64_t low = -1, high = -1;
	struct record *rec;
	struct source_event ev;
	struct pj_error err = {0};
	struct source *src;

	(void)state;
	memset(big, 'x', size);
	big[size] = '\0';
	make_dir("stock");
	add("stock/0.ndjson", "{\"topic\":\"stock\",\"partition\":0,"
			      "\"offset\":4,\"key\":null,\"value\":\"");
	add("stock/0.ndjson", big);
	add("stock/0.ndjson", "\"}\n");
	src = read_from(-1, &ev);
	step_read(src, &rec, 1);
	assert_int_equal(rec->value.len, size + 2);
	assert_memory_equal(rec->value.ptr + 1, big, size);
	record_release(rec);
	assert_int_equal(source_watermarks(src, ev.partitions[0], 1000, &low,
					   &high, &err),
			 0);
	assert_int_equal(low, 4);
	assert_int_equal(high, 5);
	source_close(src);
	free(big);
}

static void
gaps_are_no_fault_and_a_start_in_one_goes_to_the_next(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 10, 1);
	add_lines("stock", 0, 12, 2);
	src = read_from(11, &ev);
	expect_stock(src, 12, 2);
	step_expect_none(src);
	source_close(src);
}

static void
a_start_before_the_first_line_is_a_named_stop(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 10, 3);
	src = read_from(9, &ev);
	ev = step_wait_stop(src, "stock/0: offset 9 ");
	assert_non_null(strstr(ev.why.text, "first 10"));
	source_close(src);
}

static void
a_start_far_into_a_long_file_is_found_again_and_again(void **state)
{
	static const int64_t starts[] = {39990, 0, 20000, 39999, 12345, 1};
	struct record *rec;
	struct source_event ev;
	struct source *src;
	size_t i;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 40000);
	src = read_from(39998, &ev);
	expect_stock(src, 39998, 2);
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		(void)step_assign(src, &ev, starts[i]);
		step_read(src, &rec, 1);
		assert_int_equal(rec->offset, starts[i]);
		record_release(rec);
	}
	(void)step_assign(src, &ev, 40000);
	step_expect_none(src);
	add_lines("stock", 0, 40000, 1);
	expect_stock(src, 40000, 1);
	source_close(src);
}

/* ---- Broken files: named stops, after the records before --------------- */

static void
expect_stop_after_two(const char *line, const char *text)
{
	struct source_event ev, stop;
	struct source *src;

	make_dir("stock");
	add_lines("stock", 0, 0, 2);
	add("stock/0.ndjson", line);
	add_lines("stock", 0, 3, 1);
	src = read_from(-1, &ev);
	expect_stock(src, 0, 2);
	stop = step_wait_stop(src, text);
	assert_ptr_equal(stop.stopped, ev.partitions[0]);
	step_expect_none(src);
	source_close(src);
}

static void
an_unreadable_line_is_a_named_stop(void **state)
{
	(void)state;
	expect_stop_after_two("{\"topic\":\"stock\",\n",
			      "archive stock/0.ndjson, byte ");
}

static void
an_offset_that_does_not_increase_is_a_named_stop(void **state)
{
	(void)state;
	expect_stop_after_two("{\"topic\":\"stock\",\"partition\":0,"
			      "\"offset\":1,\"value\":null}\n",
			      "offset 1 follows offset 1");
}

static void
a_line_of_another_topic_is_a_named_stop(void **state)
{
	(void)state;
	expect_stop_after_two("{\"topic\":\"stocks\",\"partition\":0,"
			      "\"offset\":2,\"value\":null}\n",
			      "another topic or partition");
}

static void
a_line_of_another_partition_is_a_named_stop(void **state)
{
	(void)state;
	expect_stop_after_two("{\"topic\":\"stock\",\"partition\":1,"
			      "\"offset\":2,\"value\":null}\n",
			      "another topic or partition");
}

static void
a_file_that_shrinks_is_a_named_stop(void **state)
{
	struct source_event ev;
	struct source *src;
	char *path = path_of("stock/0.ndjson");

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 3);
	src = read_from(-1, &ev);
	expect_stock(src, 0, 3);
	assert_int_equal(truncate(path, 10), 0);
	(void)step_wait_stop(src, "cut off");
	/* Nor is it forgotten by going elsewhere in the file. */
	(void)step_assign(src, &ev, 0);
	(void)step_wait_stop(src, "cut off");
	source_close(src);
	free(path);
}

static void
a_file_that_is_replaced_is_a_named_stop(void **state)
{
	struct source_event ev;
	struct source *src;
	char *path = path_of("stock/0.ndjson");
	char *other = path_of("new");

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 3);
	src = read_from(-1, &ev);
	expect_stock(src, 0, 3);
	add("new", "x\n");
	assert_int_equal(rename(other, path), 0);
	(void)step_wait_stop(src, "replaced");
	source_close(src);
	free(other);
	free(path);
}

static void
a_file_that_is_removed_is_a_named_stop(void **state)
{
	struct source_event ev;
	struct source *src;
	char *path = path_of("stock/0.ndjson");

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 3);
	src = read_from(-1, &ev);
	expect_stock(src, 0, 3);
	assert_int_equal(unlink(path), 0);
	(void)step_wait_stop(src, "removed");
	source_close(src);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(half_a_line_is_no_record_until_its_newline),
		T(half_a_line_may_be_taken_back),
		T(a_line_longer_than_a_read_is_one_record),
		T(gaps_are_no_fault_and_a_start_in_one_goes_to_the_next),
		T(a_start_before_the_first_line_is_a_named_stop),
		T(a_start_far_into_a_long_file_is_found_again_and_again),
		T(an_unreadable_line_is_a_named_stop),
		T(an_offset_that_does_not_increase_is_a_named_stop),
		T(a_line_of_another_topic_is_a_named_stop),
		T(a_line_of_another_partition_is_a_named_stop),
		T(a_file_that_shrinks_is_a_named_stop),
		T(a_file_that_is_replaced_is_a_named_stop),
		T(a_file_that_is_removed_is_a_named_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
