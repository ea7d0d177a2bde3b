/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main() for fuzz targets without the fuzzer: runs each file, and each file
 * directly in each directory, given as arguments. Needs no clang, so every
 * build replays the corpus.
 *
 * Exit status: 0 all replayed, 1 unreadable or a directory without files (a
 * corpus that went missing must not pass), 64 no arguments. A defect aborts.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/mem.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf in = BUF_INIT;
	uint8_t *exact = NULL;
	char chunk[65536];
	size_t n;
	int rc = -1;

	if (!f)
		goto out;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&in, chunk, n);
	if (ferror(f))
		goto out;
	/* A block of exactly that size, so that sanitizers see overreads. */
	exact = mem_alloc(in.len);
	if (in.len)
		memcpy(exact, in.data, in.len);
	(void)LLVMFuzzerTestOneInput(exact, in.len);
	rc = 0;
out:
	if (rc != 0)
		perror(path);
	if (f)
		(void)fclose(f);
	free(exact);
	buf_release(&in);
	return rc;
}

/* Returns how many files were replayed, or -1. */
static long
replay_directory(const char *path)
{
	struct dirent **entries = NULL;
	struct stat st;
	int n = scandir(path, &entries, NULL, alphasort);
	long replayed = 0;

	if (n < 0) {
		perror(path);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char *file = mem_printf("%s/%s", path, entries[i]->d_name);

		if (replayed >= 0 && entries[i]->d_name[0] != '.' &&
		    !(stat(file, &st) == 0 && S_ISDIR(st.st_mode)))
			replayed = replay_file(file) == 0 ? replayed + 1 : -1;
		free(file);
		free(entries[i]);
	}
	free(entries);
	if (replayed == 0) {
		fprintf(stderr, "%s: no inputs\n", path);
		return -1;
	}
	return replayed;
}

int
main(int argc, char **argv)
{
	struct stat st;
	long total = 0;
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE|DIRECTORY...\n", argv[0]);
		return 64;
	}
	for (int i = 1; i < argc; i++) {
		long n;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			n = replay_directory(argv[i]);
		else
			n = replay_file(argv[i]) == 0 ? 1 : -1;
		if (n < 0)
			failed = 1;
		else
			total += n;
	}
	printf("%ld passed, %d failed\n", total, failed);
	return failed;
}
