/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of a test's own (cmocka included). It needs _XOPEN_SOURCE 700
 * before the first header.
 */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mem.h"

/* The caller removes it with scratch_remove(). */
static inline char *
scratch_make(void)
{
	char *dir = mem_strdup("/tmp/shopview-test-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline int
scratch_remove_one(const char *path, const struct stat *st, int type,
		   struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* And what is in it; frees the name. */
static inline void
scratch_remove(char *dir)
{
	(void)nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(dir);
}

#endif
