/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive that a test writes by hand, and a source that reads it. Included
 * by tests/component/test_source_archive*.c only (after cmocka).
 */
#ifndef TESTS_COMPONENT_SOURCE_ARCHIVE_FILES_H
#define TESTS_COMPONENT_SOURCE_ARCHIVE_FILES_H

#include "tests/support/scratch.h"
#include "tests/support/source_steps.h"

static char *dir;

static inline int
setup(void **state)
{
	(void)state;
	dir = scratch_make();
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static inline char *
path_of(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static inline void
make_dir(const char *name)
{
	char *path = path_of(name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static inline void
add(const char *name, const char *text)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static inline void
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

static inline int
open_mode(enum source_mode mode, struct source **ret_src, struct pj_error *err)
{
	static const char *const topics[] = {"stock", "price"};
	struct source_settings set = {.type = SOURCE_ARCHIVE, .dir = dir};

	return source_open(&set, mode, topics, 2, ret_src, err);
}

static inline struct source *
open_source(enum source_mode mode)
{
	struct source *src = NULL;
	struct pj_error err = {0};

	if (open_mode(mode, &src, &err))
		fail_msg("open: %s", err.text);
	return src;
}

static inline struct source *
read_from(int64_t next, struct source_event *ret_ev)
{
	struct source *src = open_source(SOURCE_SHARE);

	*ret_ev = step_wait(src, SOURCE_ASSIGNED);
	(void)step_assign(src, ret_ev, next);
	return src;
}

static inline void
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

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
