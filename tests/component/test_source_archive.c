/* SPDX-License-Identifier: Apache-2.0 */
/* The archive adapter: files that grow, break, come, go and are locked. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/mem.h"
#include "tests/support/source_steps.h"

static char *dir;

static int
setup(void **state)
{
	char name[] = "/tmp/shopview-archive-XXXXXX";

	(void)state;
	dir = mem_strdup(mkdtemp(name));
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(dir);
	return 0;
}

static char *
path_of(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void
make_dir(const char *name)
{
	char *path = path_of(name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static void
add(const char *name, const char *text)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void
add_lines(const char *topic, int partition, int first, int n)
{
	char *name = mem_printf("%s/%d.ndjson", topic, partition);
	char *path = path_of(name);
	FILE *file = fopen(path, "a");
	int i;

	assert_non_null(file);
	for (i = first; i < first + n; i++)
		fprintf(file,
			"{\"topic\":\"%s\",\"partition\":%d,\"offset\":%d,"
			"\"timestamp\":%d,\"key\":\"k\",\"headers\":{},"
			"\"value\":{\"n\":%d}}\n",
			topic, partition, i, i, i);
	assert_int_equal(fclose(file), 0);
	free(path);
	free(name);
}

static int
open_mode(enum source_mode mode, struct source **ret_src, struct pj_error *err)
{
	static const char *const topics[] = {"stock", "price"};
	struct source_settings set = {.type = SOURCE_ARCHIVE, .dir = dir};

	return source_open(&set, mode, topics, 2, ret_src, err);
}

static struct source *
open_source(enum source_mode mode)
{
	struct source *src = NULL;
	struct pj_error err = {0};

	if (open_mode(mode, &src, &err))
		fail_msg("open: %s", err.text);
	return src;
}

static struct source *
read_from(int64_t next, struct source_event *ret_ev)
{
	struct source *src = open_source(SOURCE_SHARE);

	*ret_ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, ret_ev, next);
	return src;
}

static void
expect_stock(struct source *src, int64_t first, size_t n)
{
	struct record **recs = mem_calloc(n, sizeof(*recs));
	size_t i;

	step_read(src, recs, n);
	for (i = 0; i < n; i++)
		assert_true(is_at(recs[i], "stock", 0, first + (int64_t)i));
	step_release(recs, n);
	free(recs);
}

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
	struct pj_error err;
	struct source *src;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 10, 3);
	src = read_from(9, &ev);
	err = step_wait_error(src, PJ_ERROR_STOP, "stock/0: offset 9 ");
	assert_non_null(strstr(err.text, "first 10"));
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
	struct source_event ev;
	struct source *src;

	make_dir("stock");
	add_lines("stock", 0, 0, 2);
	add("stock/0.ndjson", line);
	add_lines("stock", 0, 3, 1);
	src = read_from(-1, &ev);
	expect_stock(src, 0, 2);
	(void)step_wait_error(src, PJ_ERROR_STOP, text);
	(void)step_wait_error(src, PJ_ERROR_STOP, text);
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
	(void)step_wait_error(src, PJ_ERROR_STOP, "cut off");
	/* Nor is it forgotten by going elsewhere in the file. */
	(void)step_assign(src, &ev, 0);
	(void)step_wait_error(src, PJ_ERROR_STOP, "cut off");
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
	(void)step_wait_error(src, PJ_ERROR_STOP, "replaced");
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
	(void)step_wait_error(src, PJ_ERROR_STOP, "removed");
	source_close(src);
	free(path);
}

/* ---- Directories ------------------------------------------------------- */

static void
an_empty_archive_assigns_nothing_and_topics_come_later(void **state)
{
	struct source_event ev;
	struct pj_error err = {0};
	struct source *src = open_source(SOURCE_SHARE);

	(void)state;
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 0);
	(void)step_assign(src, &ev, -1);
	step_expect_none(src);
	make_dir("stock");
	add_lines("stock", 0, 0, 2);
	ev = step_wait(src, SOURCE_REVOKED);
	assert_int_equal(ev.n_partitions, 0);
	assert_int_equal(source_unassign(src, &err), 0);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 1);
	(void)step_assign(src, &ev, -1);
	expect_stock(src, 0, 2);
	source_close(src);
}

static void
a_partition_that_appears_comes_as_a_new_whole_set(void **state)
{
	struct record *rec;
	struct source_event ev;
	struct pj_error err = {0};
	struct source *src;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 2);
	src = read_from(-1, &ev);
	expect_stock(src, 0, 2);
	add_lines("stock", 1, 0, 1);
	ev = step_wait(src, SOURCE_REVOKED);
	assert_int_equal(ev.n_partitions, 1);
	/* Not before it was answered, and no records in between. */
	add_lines("stock", 0, 2, 1);
	step_expect_none(src);
	assert_int_equal(source_unassign(src, &err), 0);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 2);
	assert_int_equal(step_assign(src, &ev, 0), 2);
	while (step_take(src, &rec, 1, 300))
		record_release(rec);
	source_close(src);
}

static void
other_files_are_not_partitions(void **state)
{
	struct source_event ev;
	struct source *src;

	(void)state;
	make_dir("stock");
	make_dir("other");
	add_lines("stock", 0, 0, 1);
	add_lines("other", 0, 0, 1);
	add("stock/01.ndjson", "x\n");
	add("stock/1.ndjson~", "x\n");
	add("stock/-1.ndjson", "x\n");
	add("stock/99999999999.ndjson", "x\n");
	add("stock/README", "x\n");
	src = read_from(-1, &ev);
	assert_int_equal(ev.n_partitions, 1);
	expect_stock(src, 0, 1);
	source_close(src);
}

static void
a_directory_that_is_missing_or_none_is_told(void **state)
{
	char *right = dir;
	struct source *src;
	struct pj_error err = {0};

	(void)state;
	add("file", "x");
	dir = mem_printf("%s/nowhere", right);
	assert_int_equal(open_mode(SOURCE_ALL, &src, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, dir));
	free(dir);
	dir = mem_printf("%s/file", right);
	assert_int_equal(open_mode(SOURCE_ALL, &src, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	free(dir);
	dir = right;
}

static void
a_compressed_partition_is_told_unless_it_is_unpacked_too(void **state)
{
	struct source *src = open_source(SOURCE_SHARE);
	struct source_event ev;
	struct pj_error err = {0};

	(void)state;
	make_dir("stock");
	add("stock/0.ndjson.gz", "x");
	assert_int_equal(source_poll(src, 10, 10, &ev, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "stock/0.ndjson.gz is compressed"));
	add_lines("stock", 0, 0, 1);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 1);
	source_close(src);
}

/* ---- Sharing, fairness, waking up -------------------------------------- */

static void
a_file_held_by_another_process_comes_when_that_dies(void **state)
{
	struct source *src;
	struct source_event ev;
	struct pj_error err = {0};
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 1);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		src = open_source(SOURCE_SHARE);
		ev = step_wait(src, SOURCE_ASSIGNED);
		if (ev.n_partitions != 1 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	add_lines("stock", 1, 0, 1);
	src = open_source(SOURCE_SHARE);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 1);
	assert_int_equal(ev.partitions[0]->number, 1);
	(void)step_assign(src, &ev, 1);
	step_expect_none(src);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)step_wait(src, SOURCE_REVOKED);
	assert_int_equal(source_unassign(src, &err), 0);
	ev = step_wait(src, SOURCE_ASSIGNED);
	assert_int_equal(ev.n_partitions, 2);
	source_close(src);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void
a_long_partition_does_not_starve_the_others(void **state)
{
	struct record *recs[1024];
	struct source_event ev;
	struct source *src;
	size_t n, i, seen[3] = {0};

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 20000);
	add_lines("stock", 1, 0, 20000);
	add_lines("stock", 2, 0, 20000);
	src = read_from(-1, &ev);
	n = step_take(src, recs, 1024, 10000);
	assert_int_equal(n, 1024);
	for (i = 0; i < n; i++)
		seen[recs[i]->partition->number]++;
	for (i = 0; i < 3; i++)
		assert_true(seen[i] >= 256);
	step_release(recs, n);
	source_close(src);
}

static void *
add_later(void *arg)
{
	struct timespec ts = {0, 200 * 1000 * 1000};

	(void)arg;
	(void)nanosleep(&ts, NULL);
	add_lines("stock", 0, 0, 1);
	return NULL;
}

/* A poll with a minute to wait returns soon after the line was written. */
static void
expect_wake_up(void)
{
	struct source_event ev;
	struct pj_error err = {0};
	int64_t begin_mono_ms;
	struct source *src;
	pthread_t thread;

	make_dir("stock");
	add("stock/0.ndjson", "");
	src = read_from(-1, &ev);
	assert_int_equal(pthread_create(&thread, NULL, add_later, NULL), 0);
	begin_mono_ms = clock_mono_ms();
	assert_int_equal(source_poll(src, 60000, 10, &ev, &err), 0);
	assert_int_equal(ev.kind, SOURCE_RECORDS);
	assert_in_range(clock_mono_ms() - begin_mono_ms, 0, 20000);
	step_release(ev.recs, ev.n_recs);
	assert_int_equal(pthread_join(thread, NULL), 0);
	source_close(src);
}

static void
a_new_line_wakes_a_waiting_poll(void **state)
{
	(void)state;
	expect_wake_up();
}

/* Then it is another limit that was met, and nothing could be read. */
static bool
open_files_are_full(void)
{
	int fd = dup(STDERR_FILENO);

	if (fd >= 0)
		(void)close(fd);
	return fd < 0;
}

static void
without_inotify_new_lines_are_found_all_the_same(void **state)
{
	int fds[4096];
	size_t n = 0;

	(void)state;
	/* What a machine full of watchers looks like. */
	while (n < 4096 && (fds[n] = inotify_init1(IN_CLOEXEC)) >= 0)
		n++;
	if (n == 4096 || errno != EMFILE || open_files_are_full())
		skip();
	expect_wake_up();
	while (n > 0)
		(void)close(fds[--n]);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
		T(an_empty_archive_assigns_nothing_and_topics_come_later),
		T(a_partition_that_appears_comes_as_a_new_whole_set),
		T(other_files_are_not_partitions),
		T(a_directory_that_is_missing_or_none_is_told),
		T(a_compressed_partition_is_told_unless_it_is_unpacked_too),
		T(a_file_held_by_another_process_comes_when_that_dies),
		T(a_long_partition_does_not_starve_the_others),
		T(a_new_line_wakes_a_waiting_poll),
		T(without_inotify_new_lines_are_found_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
