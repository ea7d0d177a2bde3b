/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/reply.h"

#include <string.h>
#include <strings.h>

struct line {
	const char *ptr;
	size_t len;
};

static int
wrong(const char **why, const char *text)
{
	*why = text;
	return -1;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110 5.6.2 */
static bool
is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~' ||
		    strchr("\"(),/:;<=>?@[\\]{}", s[i]))
			return false;
	return len > 0;
}

/* No control character but tab: a bare CR, LF or NUL ends no line. */
static bool
is_text(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

/* "HTTP/1.1 200 OK"; the reason may be empty, its blank not (RFC 9112 4). */
static int
read_status(struct line line, struct reply *rep, const char **why)
{
	const char *s = line.ptr;

	if (line.len < 13 || memcmp(s, "HTTP/1.1 ", 9) != 0 ||
	    !is_digit(s[9]) || !is_digit(s[10]) || !is_digit(s[11]) ||
	    s[12] != ' ' || !is_text(s, line.len))
		return wrong(why, "no status line");
	rep->status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
	if (rep->status < 200)
		return wrong(why, "an interim response");
	return 0;
}

static bool
is_named(struct line name, const char *want)
{
	return name.len == strlen(want) &&
	       strncasecmp(name.ptr, want, name.len) == 0;
}

static int
read_length(struct line value, bool *seen, struct reply *rep, const char **why)
{
	if (*seen)
		return wrong(why, "two Content-Length");
	*seen = true;
	if (value.len == 0 || value.len > REPLY_LENGTH_DIGITS)
		return wrong(why, "Content-Length is no number");
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.ptr[i]))
			return wrong(why, "Content-Length is no number");
		rep->body_len =
			rep->body_len * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	return 0;
}

static int
read_field(struct line line, bool *has_length, struct reply *rep,
	   const char **why)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	struct line name, value;

	if (!colon || !is_text(line.ptr, line.len))
		return wrong(why, "a malformed header line");
	name = (struct line){line.ptr, (size_t)(colon - line.ptr)};
	if (!is_token(name.ptr, name.len))
		return wrong(why, "a malformed header name");
	value = (struct line){colon + 1, line.len - name.len - 1};
	while (value.len > 0 && (*value.ptr == ' ' || *value.ptr == '\t')) {
		value.ptr++;
		value.len--;
	}
	if (is_named(name, "Content-Length"))
		return read_length(value, has_length, rep, why);
	if (is_named(name, "Transfer-Encoding"))
		return wrong(why, "Transfer-Encoding");
	if (is_named(name, "Connection"))
		rep->close = is_named(value, "close");
	if (is_named(name, "ETag")) {
		rep->etag = value.ptr;
		rep->etag_len = value.len;
	}
	return 0;
}

int
reply_read(const char *data, size_t len, struct reply *rep, const char **why)
{
	size_t limit = len < REPLY_HEAD_MAX ? len : REPLY_HEAD_MAX, at = 0;
	bool has_length = false;
	struct line line;
	const char *end;
	int rc;

	*rep = (struct reply){0};
	for (;;) {
		line.ptr = data + at;
		end = memchr(line.ptr, '\n', limit - at);
		if (!end)
			return len < REPLY_HEAD_MAX
				       ? 0
				       : wrong(why, "the head is too long");
		if (end == line.ptr || end[-1] != '\r')
			return wrong(why, "a line without CR");
		line.len = (size_t)(end - line.ptr) - 1;
		at += line.len + 2;
		if (line.len == 0)
			break;
		rc = rep->status == 0 ? read_status(line, rep, why)
				      : read_field(line, &has_length, rep, why);
		if (rc < 0)
			return -1;
	}
	if (rep->status == 0)
		return wrong(why, "no status line");
	if (rep->status == 304 || rep->status == 204)
		rep->body_len = 0;
	else if (!has_length)
		return wrong(why, "no Content-Length");
	rep->head_len = at;
	return 1;
}
