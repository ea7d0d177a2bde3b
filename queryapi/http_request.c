/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes bytes of one connection, gives a request or a refusal.
 * Next: routes.c.
 */
#include "queryapi/http_request.h"

#include <string.h>

/* RFC 9112, 2.2: at least one empty line in front is to be ignored. */
enum { BLANK_LINES_MAX = 4 };

static enum http_progress
refuse(struct http_refusal *ret, int status, const char *detail)
{
	ret->status = status;
	ret->detail = detail;
	return HTTP_BAD;
}

static bool
is_tchar(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
http_token_is(struct pj_str token, const char *name)
{
	size_t i;

	for (i = 0; i < token.len; i++)
		if (!name[i] || lower(token.ptr[i]) != lower(name[i]))
			return false;
	return !name[i];
}

static struct pj_str
trim(const char *from, const char *to)
{
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	return (struct pj_str){from, (size_t)(to - from)};
}

const struct http_header *
http_request_header(const struct http_request *req, const char *name,
		    size_t *from)
{
	while (*from < req->n_headers) {
		const struct http_header *h = &req->headers[(*from)++];

		if (http_token_is(h->name, name))
			return h;
	}
	return NULL;
}

bool
http_list_next(struct pj_str *list, struct pj_str *ret_member)
{
	while (list->len) {
		const char *end = list->ptr + list->len;
		const char *comma = memchr(list->ptr, ',', list->len);
		struct pj_str member = trim(list->ptr, comma ? comma : end);

		list->ptr = comma ? comma + 1 : end;
		list->len = (size_t)(end - list->ptr);
		if (member.len) {
			*ret_member = member;
			return true;
		}
	}
	return false;
}

/*
 * Looks for the empty line that ends the head; refuses bytes that no head may
 * contain as soon as they are seen, so a client that speaks something else is
 * told at once. *ret_end is behind the empty line.
 */
static enum http_progress
find_end(const char *data, size_t start, size_t len, size_t *scanned,
	 size_t *ret_end, struct http_refusal *ret)
{
	for (size_t i = *scanned > start ? *scanned : start; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '\r') {
			if (i + 1 == len) {
				*scanned = i;
				return HTTP_MORE;
			}
			if (data[i + 1] != '\n')
				return refuse(ret, 400, "bare CR");
		} else if (c == '\n') {
			if (i == start || data[i - 1] != '\r')
				return refuse(ret, 400, "bare LF");
			if (i >= start + 3 && data[i - 2] == '\n') {
				*ret_end = i + 1;
				return HTTP_DONE;
			}
		} else if ((c < ' ' && c != '\t') || c == 0x7f) {
			return refuse(ret, 400, "control byte in the head");
		}
	}
	*scanned = len;
	return HTTP_MORE;
}

static enum http_progress
parse_version(const char *v, size_t len, struct http_request *req,
	      struct http_refusal *ret)
{
	if (len != 8 || memcmp(v, "HTTP/", 5) != 0 || !is_digit(v[5]) ||
	    v[6] != '.' || !is_digit(v[7]))
		return refuse(ret, 400, "request line without HTTP version");
	if (v[5] != '1')
		return refuse(ret, 505, "only HTTP/1.1 and HTTP/1.0");
	/* RFC 9110, 2.5: a higher minor version is read as ours. */
	req->minor = v[7] == '0' ? 0 : 1;
	return HTTP_DONE;
}

static enum http_progress
parse_request_line(const char *line, const char *end, struct http_request *req,
		   struct http_refusal *ret)
{
	const char *p = line;

	while (p < end && is_tchar((unsigned char)*p))
		p++;
	if (p == line || p == end || *p != ' ')
		return refuse(ret, 400, "malformed method");
	req->method = (struct pj_str){line, (size_t)(p - line)};
	line = ++p;
	while (p<end && * p> ' ' && *p < 0x7f)
		p++;
	if (p == line || p == end || *p != ' ')
		return refuse(ret, 400, "malformed request target");
	req->target = (struct pj_str){line, (size_t)(p - line)};
	p++;
	return parse_version(p, (size_t)(end - p), req, ret);
}

static enum http_progress
parse_header(const char *line, const char *end, struct http_request *req,
	     struct http_refusal *ret)
{
	const char *p = line;

	if (*line == ' ' || *line == '\t')
		return refuse(ret, 400, "folded header line");
	while (p < end && is_tchar((unsigned char)*p))
		p++;
	if (p == line)
		return refuse(ret, 400, "empty or malformed header name");
	if (p == end || *p != ':')
		return refuse(ret, 400, "header name not ended by a colon");
	if (req->n_headers == HTTP_MAX_HEADERS)
		return refuse(ret, 431, "more than 64 header lines");
	req->headers[req->n_headers].name =
		(struct pj_str){line, (size_t)(p - line)};
	req->headers[req->n_headers].value = trim(p + 1, end);
	req->n_headers++;
	return HTTP_DONE;
}

bool
http_is_host(struct pj_str v)
{
	size_t i = 0;

	if (v.len && v.ptr[0] == '[') {
		const char *close = memchr(v.ptr, ']', v.len);

		if (!close)
			return false;
		for (i = 1; v.ptr + i < close; i++)
			if (!v.ptr[i] ||
			    !strchr("0123456789abcdefABCDEF:.vV", v.ptr[i]))
				return false;
		i++;
	} else {
		for (; i < v.len && v.ptr[i] != ':'; i++) {
			unsigned char c = (unsigned char)v.ptr[i];

			if (!is_tchar(c) && (!c || !strchr("();=,", c)))
				return false;
			if (c && strchr("#^`|", c))
				return false;
		}
	}
	if (i == v.len)
		return true;
	if (v.ptr[i++] != ':')
		return false;
	for (; i < v.len; i++)
		if (!is_digit(v.ptr[i]))
			return false;
	return true;
}

static enum http_progress
check_host(const struct http_request *req, struct http_refusal *ret)
{
	size_t from = 0;
	const struct http_header *host =
		http_request_header(req, "host", &from);

	if (!host)
		return req->minor == 0
			       ? HTTP_DONE
			       : refuse(ret, 400, "Host header missing");
	if (!http_is_host(host->value))
		return refuse(ret, 400, "malformed Host header");
	if (http_request_header(req, "host", &from))
		return refuse(ret, 400, "more than one Host header");
	return HTTP_DONE;
}

static enum http_progress
check_framing(struct http_request *req, struct http_refusal *ret)
{
	size_t from = 0, from_te = 0;
	const struct http_header *length =
		http_request_header(req, "content-length", &from);
	bool coded = http_request_header(req, "transfer-encoding", &from_te);

	if (coded && (length || req->minor == 0))
		return refuse(ret, 400,
			      "Transfer-Encoding beside Content-Length or in "
			      "HTTP/1.0");
	if (coded)
		return refuse(ret, 501, "no transfer coding is supported");
	if (!length)
		return HTTP_DONE;
	if (http_request_header(req, "content-length", &from))
		return refuse(ret, 400, "more than one Content-Length");
	if (length->value.len < 1 || length->value.len > 18)
		return refuse(ret, 400, "malformed Content-Length");
	for (size_t i = 0; i < length->value.len; i++) {
		if (!is_digit(length->value.ptr[i]))
			return refuse(ret, 400, "malformed Content-Length");
		req->body_bytes = req->body_bytes * 10 +
				  (uint64_t)(length->value.ptr[i] - '0');
	}
	return HTTP_DONE;
}

static enum http_progress
check_connection(struct http_request *req, struct http_refusal *ret)
{
	const struct http_header *h;
	bool close = false, keep = false;

	for (size_t from = 0;
	     (h = http_request_header(req, "connection", &from));) {
		struct pj_str list = h->value, option;

		while (http_list_next(&list, &option)) {
			close |= http_token_is(option, "close");
			keep |= http_token_is(option, "keep-alive");
		}
	}
	req->keep_alive = !close && (req->minor == 1 || keep);
	for (size_t from = 0;
	     req->minor == 1 &&
	     (h = http_request_header(req, "expect", &from));) {
		if (!http_token_is(h->value, "100-continue"))
			return refuse(ret, 417, "unknown expectation");
		req->expects_continue = true;
	}
	return HTTP_DONE;
}

static enum http_progress
parse_head(const char *p, const char *end, struct http_request *req,
	   struct http_refusal *ret)
{
	enum http_progress got;
	const char *eol = memchr(p, '\r', (size_t)(end - p));

	got = parse_request_line(p, eol, req, ret);
	for (p = eol + 2; got == HTTP_DONE && *p != '\r'; p = eol + 2) {
		eol = memchr(p, '\r', (size_t)(end - p));
		got = parse_header(p, eol, req, ret);
	}
	if (got == HTTP_DONE)
		got = check_host(req, ret);
	if (got == HTTP_DONE)
		got = check_framing(req, ret);
	if (got == HTTP_DONE)
		got = check_connection(req, ret);
	return got;
}

enum http_progress
http_request_parse(const char *data, size_t len, size_t max_bytes,
		   size_t *scanned, struct http_request *ret_req,
		   struct http_refusal *ret_refusal)
{
	enum http_progress got;
	size_t start = 0, end = 0, limit;

	while (start + 1 < len && data[start] == '\r' &&
	       data[start + 1] == '\n') {
		start += 2;
		if (start > 2 * BLANK_LINES_MAX)
			return refuse(ret_refusal, 400,
				      "empty lines instead of a request");
	}
	limit = start + max_bytes;
	got = find_end(data, start, len < limit ? len : limit, scanned, &end,
		       ret_refusal);
	if (got == HTTP_MORE && len >= limit) {
		if (memchr(data + start, '\n', max_bytes))
			return refuse(ret_refusal, 431, "headers too large");
		return refuse(ret_refusal, 414, "request line too long");
	}
	if (got != HTTP_DONE)
		return got;
	memset(ret_req, 0, offsetof(struct http_request, headers));
	ret_req->n_headers = 0;
	ret_req->keep_alive = ret_req->expects_continue = false;
	ret_req->body_bytes = 0;
	ret_req->bytes = end;
	return parse_head(data + start, data + end, ret_req, ret_refusal);
}
