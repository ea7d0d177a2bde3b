/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive adapter on many files: directories where they come and go, locks
 * that other processes hold, and waking up for new lines.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include "tests/component/source_archive_files.h"

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

static void
a_damaged_file_stops_its_partition_alone(void **state)
{
	struct source_event ev, stop;
	struct record *rec;
	struct source *src;
	int i;

	(void)state;
	make_dir("stock");
	add_lines("stock", 0, 0, 1);
	add_lines("stock", 1, 0, 0);
	src = read_from(-1, &ev);
	expect_stock(src, 0, 1);
	add("stock/0.ndjson", "damaged\n");
	stop = step_wait_stop(src, "archive stock/0.ndjson, byte ");
	assert_int_equal(stop.stopped->number, 0);
	add_lines("stock", 0, 1, 3);
	for (i = 0; i < 3; i++) {
		add_lines("stock", 1, i, 1);
		step_read(src, &rec, 1);
		assert_true(is_at(rec, "stock", 1, i));
		record_release(rec);
	}
	step_expect_none(src);
	source_close(src);
}

static void
a_given_file_that_is_not_there_is_waited_for(void **state)
{
	static const struct source_name name = {"stock", 3};
	struct source *src = open_source(SOURCE_GIVEN);
	struct source_event ev;
	struct record *rec;

	(void)state;
	source_give(src, &name, 1);
	(void)step_wait_error(src, PJ_ERROR_RETRY, "stock/3.ndjson");
	make_dir("stock");
	add_lines("stock", 3, 0, 1);
	ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, &ev, -1);
	step_read(src, &rec, 1);
	assert_true(is_at(rec, "stock", 3, 0));
	record_release(rec);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_empty_archive_assigns_nothing_and_topics_come_later),
		T(a_partition_that_appears_comes_as_a_new_whole_set),
		T(other_files_are_not_partitions),
		T(a_directory_that_is_missing_or_none_is_told),
		T(a_compressed_partition_is_told_unless_it_is_unpacked_too),
		T(a_file_held_by_another_process_comes_when_that_dies),
		T(a_long_partition_does_not_starve_the_others),
		T(a_damaged_file_stops_its_partition_alone),
		T(a_given_file_that_is_not_there_is_waited_for),
		T(a_new_line_wakes_a_waiting_poll),
		T(without_inotify_new_lines_are_found_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
