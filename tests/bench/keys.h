/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that are asked for, most popular first, and the ETag that came with
 * each one's last answer. Thread: one.
 */
#ifndef TESTS_BENCH_KEYS_H
#define TESTS_BENCH_KEYS_H

#include <stddef.h>

enum { KEY_ETAG_MAX = 55 };

struct key {
	const char *text; /* as it stands in a target, percent-encoded */
	unsigned char len;
	unsigned char etag_len; /* 0: none was seen */
	char etag[KEY_ETAG_MAX + 1];
};

struct keys {
	char *text;
	struct key *all;
	size_t n;
};

/*
 * Reads a file with one key a line, at most `first` of them (0: all). Ends the
 * program with a message when there is none, or one that is empty, longer than
 * 255 bytes or cannot stand in a target.
 */
void
keys_read(struct keys *keys, const char *path, size_t first);
void
keys_release(struct keys *keys);

/* A longer tag than KEY_ETAG_MAX is forgotten. */
void
key_saw_etag(struct key *key, const char *etag, size_t len);

#endif
