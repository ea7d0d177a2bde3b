/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One response, and its bytes on the wire.
 *
 * A response is made by whoever knows the answer (a handler on the loop, a
 * worker) and written by the connection, which adds what only it knows: date,
 * request id, whether the connection goes on.
 */
#ifndef QUERYAPI_HTTP_RESPONSE_H
#define QUERYAPI_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

struct http_response {
	int status;
	const char *type;  /* Content-Type, static; NULL = no content at all */
	struct buf fields; /* whole lines "Name: value\r\n" */
	struct buf body;
};

/* What the connection adds. */
struct http_reply {
	const char *date;	/* http_date() */
	const char *request_id; /* NULL: none yet */
	const char *more;	/* whole lines, or NULL */
	bool close;		/* the connection ends behind this */
	bool say_keep_alive;	/* an HTTP/1.0 client asked for it */
	bool head_only;		/* HEAD: no body, same fields */
};

#define HTTP_RESPONSE_INIT ((struct http_response){0, NULL, BUF_INIT, BUF_INIT})

void
http_response_release(struct http_response *res);

/* Adds a field; a value never contains CR or LF (asserted). */
void
http_response_field(struct http_response *res, const char *name,
		    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Appends head and body, contiguous: more than one write per response meets
 * Nagle and delayed ACK.
 */
void
http_response_write(struct buf *out, const struct http_response *res,
		    const struct http_reply *how);

/* The same in pieces: status line and date, then fields by the caller, then
 * what the connection adds and the blank line. */
void
http_head_begin(struct buf *out, int status, const struct http_reply *how);
void
http_head_end(struct buf *out, const struct http_reply *how);

/*
 * For servers that want a token: no shared cache may keep what is in out,
 * whoever wrote its Cache-Control (RFC 9111, 3.5).
 */
void
http_head_close(struct buf *out);

/*
 * Of an answer for one client alone: "private, no-store" whatever it said
 * before, and more lines ("" or whole ones).
 */
void
http_head_own(struct buf *out, const char *more);

/* "OK"; "" for a status this program never sends. */
const char *
http_reason(int status);

enum { HTTP_DATE_MAX = 32 };
/* "Sun, 06 Nov 1994 08:49:37 GMT" */
void
http_date(char out[HTTP_DATE_MAX], long long at_s);

#endif
