/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "queryapi/http_response.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void
http_response_release(struct http_response *res)
{
	buf_release(&res->fields);
	buf_release(&res->body);
}

void
http_response_field(struct http_response *res, const char *name,
		    const char *fmt, ...)
{
	size_t from;
	va_list ap;
	int n;

	buf_addstr(&res->fields, name);
	buf_addstr(&res->fields, ": ");
	from = res->fields.len;
	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	buf_reserve(&res->fields, (size_t)n + 1);
	va_start(ap, fmt);
	(void)vsnprintf(res->fields.data + from, (size_t)n + 1, fmt, ap);
	va_end(ap);
	res->fields.len += (size_t)n;
	/* A line break from a value would be a response of somebody's own. */
	assert(!memchr(res->fields.data + from, '\r', (size_t)n));
	assert(!memchr(res->fields.data + from, '\n', (size_t)n));
	buf_add(&res->fields, "\r\n", 2);
}

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{200, "OK"},
	{204, "No Content"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{505, "HTTP Version Not Supported"},
};

const char *
http_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

void
http_head_begin(struct buf *out, int status, const struct http_reply *how)
{
	if (status == 200)
		buf_addstr(out, "HTTP/1.1 200 OK\r\nDate: ");
	else
		buf_printf(out, "HTTP/1.1 %d %s\r\nDate: ", status,
			   http_reason(status));
	buf_addstr(out, how->date);
	buf_add(out, "\r\n", 2);
}

void
http_head_end(struct buf *out, const struct http_reply *how)
{
	if (how->more)
		buf_addstr(out, how->more);
	if (how->request_id) {
		buf_addstr(out, "X-Request-Id: ");
		buf_addstr(out, how->request_id);
		buf_add(out, "\r\n", 2);
	}
	if (how->close)
		buf_addstr(out, "Connection: close\r\n");
	else if (how->say_keep_alive)
		buf_addstr(out, "Connection: keep-alive\r\n");
	buf_add(out, "\r\n", 2);
}

void
http_response_write(struct buf *out, const struct http_response *res,
		    const struct http_reply *how)
{
	buf_reserve(out, 512 + res->fields.len + res->body.len);
	http_head_begin(out, res->status, how);
	if (res->type)
		buf_printf(out,
			   "Content-Type: %s\r\nContent-Length: %zu\r\n"
			   "X-Content-Type-Options: nosniff\r\n",
			   res->type, res->body.len);
	if (res->fields.len)
		buf_add(out, res->fields.data, res->fields.len);
	http_head_end(out, how);
	if (res->type && !how->head_only && res->body.len)
		buf_add(out, res->body.data, res->body.len);
}

/* In place of `len` bytes from `from` on. */
static void
splice(struct buf *out, size_t from, size_t len, const char *text)
{
	size_t text_len = strlen(text), behind = out->len - from - len;

	buf_reserve(out, text_len);
	memmove(out->data + from + text_len, out->data + from + len,
		behind + 1);
	memcpy(out->data + from, text, text_len);
	out->len = from + text_len + behind;
}

/* Where the text stands in the head, or NULL. */
static const char *
find_in_head(const struct buf *out, const char *text)
{
	const char *end = memmem(out->data, out->len, "\r\n\r\n", 4);

	return memmem(out->data, (size_t)(end - out->data), text, strlen(text));
}

void
http_head_close(struct buf *out)
{
	static const char open[] = "\r\nCache-Control: public,";
	const char *at = find_in_head(out, open);

	if (at)
		splice(out, (size_t)(at - out->data), sizeof(open) - 1,
		       "\r\nCache-Control: private,");
}

void
http_head_own(struct buf *out, const char *more)
{
	static const char name[] = "\r\nCache-Control: ";
	const char *at = find_in_head(out, name);
	size_t from, len = 0;

	if (at) {
		from = (size_t)(at - out->data);
		len = (size_t)((const char *)memmem(at + 2, out->len - from - 2,
						    "\r\n", 2) -
			       at);
	} else {
		at = memmem(out->data, out->len, "\r\n\r\n", 4);
		from = (size_t)(at - out->data);
	}
	splice(out, from, len, "\r\nCache-Control: private, no-store");
	at = memmem(out->data, out->len, "\r\n\r\n", 4);
	splice(out, (size_t)(at - out->data) + 2, 0, more);
}

void
http_date(char out[HTTP_DATE_MAX], long long at_s)
{
	/* strftime's names depend on the locale; these do not. */
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t at = (time_t)at_s;
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)snprintf(
		out, HTTP_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100,
		months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
		(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		(unsigned)tm.tm_sec % 100);
}
