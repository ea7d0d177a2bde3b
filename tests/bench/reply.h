/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the head of an HTTP/1.1 response strictly: what a server sends is part
 * of what is measured, so anything odd is an error and not repaired.
 *
 * Framing (RFC 9112 6.3): exactly one Content-Length of digits; none is needed
 * with 204 and 304, which have no body. Transfer-Encoding is refused: every
 * server that is compared knows its length. Interim responses are refused:
 * nobody asks for one.
 */
#ifndef TESTS_BENCH_REPLY_H
#define TESTS_BENCH_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REPLY_HEAD_MAX = 16384,
	/* Content-Length has at most this many digits: 1 TB. */
	REPLY_LENGTH_DIGITS = 12,
};

struct reply {
	int status;
	size_t head_len;
	uint64_t body_len;
	bool close;	  /* Connection: close */
	const char *etag; /* with its quotes; points into the data; or NULL */
	size_t etag_len;
};

/*
 * 1: *rep is filled; 0: the head is not complete yet; -1: *why says what is
 * wrong. A head longer than REPLY_HEAD_MAX is wrong.
 */
int
reply_read(const char *data, size_t len, struct reply *rep, const char **why);

#endif
