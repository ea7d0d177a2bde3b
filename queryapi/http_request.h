/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of one HTTP/1.1 request head (RFC 9112) in a byte range.
 *
 * Pure: no allocation, no state but *scanned; fuzzed (tests/fuzz/fuzz_http.c).
 * What is refused, beyond plain syntax errors: bare CR or LF, other control
 * bytes, white space before a colon, folded lines, a missing, repeated or
 * malformed Host, any Content-Length that is not one number, any
 * Transfer-Encoding (501; next to a length or in HTTP/1.0: 400). So there is
 * exactly one way to tell where a request ends, and nobody in front of us can
 * read it differently.
 *
 * Ownership: the request points into the bytes it was read from.
 */
#ifndef QUERYAPI_HTTP_REQUEST_H
#define QUERYAPI_HTTP_REQUEST_H

#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_MAX_HEADERS = 64 };

enum http_progress {
	HTTP_MORE, /* nothing wrong so far, the head has not ended */
	HTTP_DONE,
	HTTP_BAD, /* answer the refusal, then close */
};

struct http_refusal {
	int status;
	const char *detail; /* static text */
};

struct http_header {
	struct pj_str name, value; /* value: without white space around it */
};

struct http_request {
	struct pj_str method, target;
	int minor; /* 0: HTTP/1.0, else 1 */
	struct http_header headers[HTTP_MAX_HEADERS];
	size_t n_headers;
	bool keep_alive; /* the client wants to go on */
	bool expects_continue;
	uint64_t body_bytes; /* Content-Length; 0 = no body */
	size_t bytes;	     /* of the head, blank lines in front included */
};

/*
 * Reads the head at the start of data. *scanned is 0 at a request's start and
 * is kept by the caller between calls with more of the same bytes: it makes a
 * head that comes byte by byte cost linear time. max_bytes bounds the head
 * (beyond: 414 in the request line, 431 in the headers).
 */
enum http_progress
http_request_parse(const char *data, size_t len, size_t max_bytes,
		   size_t *scanned, struct http_request *ret_req,
		   struct http_refusal *ret_refusal);

/* The first header of that name (any case) at or behind *from, or NULL; *from
 * is moved behind it. */
const struct http_header *
http_request_header(const struct http_request *req, const char *name,
		    size_t *from);

/* Takes the next comma-separated member off *list, trimmed; false at its end.
 * Empty members are skipped (RFC 9110, 5.6.1). Not for quoted strings. */
bool
http_list_next(struct pj_str *list, struct pj_str *ret_member);

/* uri-host [":" port] of RFC 9110, 7.2; may be empty. */
bool
http_is_host(struct pj_str value);

/* Compares without regard to ASCII case. */
bool
http_token_is(struct pj_str token, const char *lower);

#endif
