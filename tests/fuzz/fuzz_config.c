/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration reader. Input: a file's text; behind a NUL, one -s argument
 * each, separated by NULs.
 *
 * What must hold: libconfuse takes every text that the scan takes; an error is
 * one printable line of class CONFIG; settings that load print as a file that
 * loads to the same.
 */
#define _GNU_SOURCE /* memfd_create */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/settings_table.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_OVERRIDES = 8 };

static void
require(int holds, const char *what, const char *detail)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n%s\n", what, detail);
	abort();
}

static void
require_error(const struct pj_error *err)
{
	require(err->cls == PJ_ERROR_CONFIG, "class of the error", err->text);
	require(err->text[0] != '\0', "an error without text", "");
	for (const char *c = err->text; *c; c++)
		require((unsigned char)*c >= 0x20 && *c != 0x7f,
			"control byte in the error", err->text);
}

static void
scan_and_parse_agree(const char *text, size_t len)
{
	struct config scanned = {0}, parsed = {0};
	struct buf clean = BUF_INIT;
	struct pj_error err = {0}, scan_err = {0};
	int scan, parse;

	scan = config_scan("f", text, len, settings_sections, &scanned, &clean,
			   &scan_err);
	parse = config_parse("f", text, len, settings_sections, &parsed, &err);
	require(scan == parse, "libconfuse refuses what the scan takes",
		err.text);
	if (scan) {
		require_error(&err);
	} else {
		require(scanned.n_items == parsed.n_items, "items", text);
		for (size_t i = 0; i < parsed.n_items; i++)
			require(scanned.items[i].n_values ==
					parsed.items[i].n_values,
				"values", text);
	}
	buf_release(&clean);
	config_release(&scanned);
	config_release(&parsed);
}

/* The text as a file that leaves nothing behind. */
static struct settings *
load(const char *text, size_t len, const char *const *overrides, size_t n,
     struct pj_error *err)
{
	static int fd = -1;
	static char path[64];
	struct settings *set = NULL;

	if (fd < 0) {
		fd = memfd_create("fuzz_config", MFD_CLOEXEC);
		require(fd >= 0, "memfd_create", "");
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		require(setenv("FUZZ_SET", "a \"b\" ${c} 'd' }", 1) == 0,
			"setenv", "");
	}
	require(ftruncate(fd, 0) == 0 &&
			pwrite(fd, text, len, 0) == (ssize_t)len,
		"memfd", "");
	if (settings_load(path, overrides, n, &set, err))
		return NULL;
	return set;
}

static char *
printed(const struct settings *set, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	require(out != NULL, "open_memstream", "");
	settings_print(set, out);
	require(fclose(out) == 0, "open_memstream", "");
	return text;
}

static void
loads_again(const struct settings *set)
{
	struct pj_error err = {0};
	size_t one_len, two_len;
	char *one = printed(set, &one_len), *two;
	struct settings *again = load(one, one_len, NULL, 0, &err);

	require(again != NULL, err.text, one);
	two = printed(again, &two_len);
	require(one_len == two_len && memcmp(one, two, one_len) == 0,
		"printed, loaded, printed: not the same", one);
	settings_free(again);
	free(one);
	free(two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_alloc(size + 1);
	const char *overrides[MAX_OVERRIDES];
	struct pj_error err = {0};
	struct settings *set;
	size_t len, n = 0;

	scan_and_parse_agree((const char *)data, size);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	len = strlen(text);
	for (size_t at = len + 1; at < size && n < MAX_OVERRIDES;
	     at += strlen(text + at) + 1)
		overrides[n++] = text + at;
	set = load(text, len, overrides, n, &err);
	if (set)
		loads_again(set);
	else
		require_error(&err);
	settings_free(set);
	free(text);
	return 0;
}
