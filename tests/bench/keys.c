/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"

static void
die(const char *path, const char *why)
{
	fprintf(stderr, "loadgen: %s: %s\n", path, why);
	exit(64);
}

static char *
read_whole(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	struct buf text = BUF_INIT;
	char part[65536];
	size_t got;

	if (!f)
		die(path, "cannot be read");
	buf_add(&text, "", 0);
	while ((got = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&text, part, got);
	(void)fclose(f);
	return buf_detach(&text, ret_len);
}

void
keys_read(struct keys *keys, const char *path, size_t first)
{
	size_t len, cap = 0, n;
	const char *at, *end;

	*keys = (struct keys){0};
	keys->text = read_whole(path, &len);
	for (at = keys->text; *at && (first == 0 || keys->n < first);
	     at = end + (*end == '\n')) {
		n = strcspn(at, "\n\r\t #?/");
		end = at + n;
		if (n == 0 || n > 255 || (*end && *end != '\n'))
			die(path, "holds a line that is no key");
		MEM_GROW(keys->all, keys->n, cap);
		keys->all[keys->n++] =
			(struct key){.text = at, .len = (unsigned char)n};
	}
	if (keys->n == 0)
		die(path, "holds no key");
}

void
keys_release(struct keys *keys)
{
	free(keys->all);
	free(keys->text);
	*keys = (struct keys){0};
}

void
key_saw_etag(struct key *key, const char *etag, size_t len)
{
	if (len > KEY_ETAG_MAX)
		len = 0;
	if (len)
		memcpy(key->etag, etag, len);
	key->etag_len = (unsigned char)len;
}
