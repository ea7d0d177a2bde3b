/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/mem.h"

int
dir_make(const char *path)
{
	char *copy = mem_strdup(path);
	char *at = copy;
	int rc = 0;

	do {
		at = strchr(at + 1, '/');
		if (at)
			*at = '\0';
		if (mkdir(copy, 0770) && errno != EEXIST)
			rc = errno;
		if (at)
			*at = '/';
	} while (at && !rc);
	free(copy);
	return rc;
}
