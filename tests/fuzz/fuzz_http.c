/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the way from bytes to a request: head, target, parameters, lists.
 *
 * Checked beside memory: the answer does not depend on how the bytes are cut
 * into reads; everything handed out lies in the input (or the lent space); what
 * is called done has exactly one Host, no coding, no control byte.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queryapi/auth.h"
#include "queryapi/content.h"
#include "queryapi/cors.h"
#include "queryapi/etag.h"
#include "queryapi/gzip.h"
#include "queryapi/http_request.h"
#include "queryapi/trace.h"
#include "queryapi/uri.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_MAX = 1024 };

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static void
inside(struct pj_str s, const char *from, size_t len)
{
	want(s.len == 0 || (s.ptr >= from && s.len <= len &&
			    (size_t)(s.ptr - from) <= len - s.len));
	for (size_t i = 0; i < s.len; i++)
		want((unsigned char)s.ptr[i] >= ' ' || s.ptr[i] == '\t');
}

/* The same, in reads of one byte. */
static enum http_progress
in_pieces(const char *text, size_t size, struct http_request *req,
	  struct http_refusal *no)
{
	enum http_progress got = HTTP_MORE;
	size_t scanned = 0;

	for (size_t n = 1; n <= size && got == HTTP_MORE; n++)
		got = http_request_parse(text, n, HEAD_MAX, &scanned, req, no);
	return got;
}

static void
look_at_target(struct pj_str target)
{
	char *space = mem_alloc(target.len);
	const char *detail = NULL;
	struct uri uri;

	if (uri_parse(target, space, &uri, &detail) < 0) {
		want(detail != NULL);
		free(space);
		return;
	}
	want(uri.n_segments >= 1 && uri.n_segments <= URI_MAX_SEGMENTS + 1 &&
	     uri.n_params <= URI_MAX_PARAMS);
	for (size_t i = 0; i < uri.n_segments && i < URI_MAX_SEGMENTS; i++)
		want(!memchr(uri.segments[i].ptr, '\0', uri.segments[i].len));
	for (size_t i = 0; i < uri.n_params; i++) {
		struct pj_str raw = uri.params[i].raw, text;
		char *room = mem_alloc(raw.len + 1);

		inside(raw, target.ptr, target.len);
		if (uri_decode(raw, room, &text, &detail) == 0)
			want(text.len <= raw.len);
		free(room);
	}
	free(space);
}

static bool
is_lower_hex(const char *s)
{
	return strspn(s, "0123456789abcdef") == strlen(s);
}

/* Those with a grammar of their own. */
static void
look_at_fields(const struct http_request *req)
{
	char *origins[] = {(char *)(uintptr_t) "https://a"};
	static struct settings_token token = {
		.sha256 =
			(char *)(uintptr_t) "ca978112ca1bbdcafac231b39a23dc4d"
					    "a786eff8147c4e72b9807785afee48bb",
		.key_prefix = (char *)(uintptr_t) "",
	};
	struct settings set = {.tokens = &token, .n_tokens = 1};
	struct auth *auth = auth_new(&set);
	char trace[TRACE_ID_MAX];
	size_t which = 7;

	set.queryapi.cors_origins = origins;
	set.queryapi.n_cors_origins = 1;
	if (trace_id_of(req, trace))
		want(strlen(trace) == 32 && is_lower_hex(trace));
	else
		want(trace[0] == '\0');
	/* The hash is that of "a": nothing else gets in. */
	want(auth_check(auth, req, &which) == AUTH_OK ? which == 0
						      : which == 7);
	want(!cors_origin(&set, req) || cors_origin(&set, req) == origins[0]);
	for (size_t i = 0; i < req->n_headers; i++)
		(void)content_is_json(req->headers[i].value);
	auth_free(auth);
}

static void
look_at_request(const struct http_request *req, const char *text, size_t size)
{
	struct etag tag;
	size_t hosts = 0;

	want(req->bytes <= size && req->n_headers <= HTTP_MAX_HEADERS);
	want(memcmp(text + req->bytes - 4, "\r\n\r\n", 4) == 0);
	inside(req->method, text, size);
	inside(req->target, text, size);
	etag_of_document(&tag, 1, 2);
	for (size_t i = 0; i < req->n_headers; i++) {
		const struct http_header *h = &req->headers[i];

		inside(h->name, text, size);
		inside(h->value, text, size);
		want(h->name.len > 0);
		hosts += http_token_is(h->name, "host");
		want(!http_token_is(h->name, "transfer-encoding"));
		(void)etag_match(&tag, h->value, false, false);
	}
	want(hosts == 1 || (hosts == 0 && req->minor == 0));
	(void)gzip_is_accepted(req);
	look_at_fields(req);
	look_at_target(req->target);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_request whole, pieces;
	struct http_refusal no = {0, NULL}, no2 = {0, NULL};
	const char *text = (const char *)data;
	size_t scanned = 0;
	enum http_progress got;

	got = http_request_parse(text, size, HEAD_MAX, &scanned, &whole, &no);
	want(size == 0 || in_pieces(text, size, &pieces, &no2) == got);
	if (got == HTTP_BAD) {
		want(no.detail && no.status >= 400 && no.status == no2.status);
	} else if (got == HTTP_DONE) {
		want(whole.bytes == pieces.bytes &&
		     whole.n_headers == pieces.n_headers &&
		     whole.keep_alive == pieces.keep_alive &&
		     whole.body_bytes == pieces.body_bytes);
		look_at_request(&whole, text, size);
	}
	return 0;
}
