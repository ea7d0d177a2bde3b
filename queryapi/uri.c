/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/uri.h"

#include <stdbool.h>
#include <string.h>

#include "lib/str.h"
#include "lib/utf8.h"
#include "queryapi/http_request.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* pchar of RFC 3986 without the escape; `also` are the component's own. */
static bool
is_pchar(char c, const char *also)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z'))
		return true;
	return c && (strchr("-._~!$&'()*+,;=:@", c) || strchr(also, c));
}

static bool
is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_char(s + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

int
uri_decode(struct pj_str raw, char *out, struct pj_str *ret_text,
	   const char **ret_detail)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.len; i++) {
		int hi, lo;

		if (raw.ptr[i] != '%') {
			out[n++] = raw.ptr[i];
			continue;
		}
		hi = raw.len - i > 2 ? hex_value(raw.ptr[i + 1]) : -1;
		lo = raw.len - i > 2 ? hex_value(raw.ptr[i + 2]) : -1;
		if (hi < 0 || lo < 0) {
			*ret_detail = "'%' without two hexadecimal digits";
			return -1;
		}
		if (hi == 0 && lo == 0) {
			*ret_detail = "%00 is not allowed";
			return -1;
		}
		out[n++] = (char)(hi << 4 | lo);
		i += 2;
	}
	if (!is_utf8(out, n)) {
		*ret_detail = "not UTF-8 once percent-decoded";
		return -1;
	}
	*ret_text = (struct pj_str){out, n};
	return 0;
}

static int
check_chars(struct pj_str s, const char *also, const char **ret_detail)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '%' && !is_pchar(s.ptr[i], also)) {
			*ret_detail = "a character that has to be "
				      "percent-encoded";
			return -1;
		}
	}
	return 0;
}

static bool
is_dots(struct pj_str s)
{
	return (s.len == 1 && s.ptr[0] == '.') ||
	       (s.len == 2 && s.ptr[0] == '.' && s.ptr[1] == '.');
}

/* path begins with '/'. Decoded segments go to *space, which is moved on. */
static int
parse_path(struct pj_str path, char **space, struct uri *uri,
	   const char **ret_detail)
{
	const char *p = path.ptr, *end = path.ptr + path.len;

	while (p < end) {
		const char *from = ++p;
		struct pj_str text;

		p = memchr(from, '/', (size_t)(end - from));
		if (!p)
			p = end;
		if (uri_decode((struct pj_str){from, (size_t)(p - from)},
			       *space, &text, ret_detail) < 0)
			return -1;
		if (is_dots(text)) {
			*ret_detail = "dot segment in the path";
			return -1;
		}
		*space += text.len;
		if (uri->n_segments < URI_MAX_SEGMENTS)
			uri->segments[uri->n_segments++] = text;
		else
			uri->n_segments = URI_MAX_SEGMENTS + 1;
	}
	return 0;
}

static int
add_param(struct pj_str piece, char **space, struct uri *uri,
	  const char **ret_detail)
{
	const char *eq = memchr(piece.ptr, '=', piece.len);
	struct pj_str raw = {piece.ptr,
			     eq ? (size_t)(eq - piece.ptr) : piece.len};
	struct uri_param par = {.raw = {NULL, 0}};

	if (eq)
		par.raw = (struct pj_str){eq + 1, piece.len - raw.len - 1};
	if (uri_decode(raw, *space, &par.name, ret_detail) < 0)
		return -1;
	*space += par.name.len;
	for (size_t i = 0; i < uri->n_params; i++) {
		if (str_equal(uri->params[i].name, par.name)) {
			*ret_detail = "a query parameter given twice";
			return -1;
		}
	}
	if (uri->n_params == URI_MAX_PARAMS) {
		*ret_detail = "more than 16 query parameters";
		return -1;
	}
	uri->params[uri->n_params++] = par;
	return 0;
}

static int
parse_query(struct pj_str query, char **space, struct uri *uri,
	    const char **ret_detail)
{
	const char *p = query.ptr, *end = query.ptr + query.len;

	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *to = amp ? amp : end;

		if (add_param((struct pj_str){p, (size_t)(to - p)}, space, uri,
			      ret_detail) < 0)
			return -1;
		p = amp ? amp + 1 : end;
	}
	return 0;
}

/* RFC 9110, 4.2: no userinfo (it would be '@'), no empty host. */
static int
skip_authority(struct pj_str *target, const char **ret_detail)
{
	static const char *const schemes[] = {"http", "https"};
	const char *mark = memchr(target->ptr, ':', target->len);
	struct pj_str scheme, host;
	bool known = false;

	if (!mark || target->len - (size_t)(mark - target->ptr) < 3 ||
	    memcmp(mark, "://", 3) != 0)
		goto wrong;
	scheme = (struct pj_str){target->ptr, (size_t)(mark - target->ptr)};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		known |= http_token_is(scheme, schemes[i]);
	host = (struct pj_str){mark + 3, target->len - scheme.len - 3};
	target->ptr = host.ptr;
	target->len = host.len;
	while (target->len && *target->ptr != '/' && *target->ptr != '?') {
		target->ptr++;
		target->len--;
	}
	host.len = (size_t)(target->ptr - host.ptr);
	if (known && host.len && host.ptr[0] != ':' && http_is_host(host))
		return 0;
wrong:
	*ret_detail = "the request target is neither a path nor a http URI "
		      "with a host";
	return -1;
}

int
uri_parse(struct pj_str target, char *space, struct uri *ret_uri,
	  const char **ret_detail)
{
	static const struct pj_str root = {"/", 1};
	struct pj_str path, query = {NULL, 0};
	const char *mark;

	if ((target.len == 0 || target.ptr[0] != '/') &&
	    skip_authority(&target, ret_detail) < 0)
		return -1;
	path = target;
	mark = memchr(target.ptr, '?', target.len);
	if (mark) {
		path.len = (size_t)(mark - target.ptr);
		query = (struct pj_str){mark + 1, target.len - path.len - 1};
	}
	/* RFC 9110, 4.2.3: no path is "/". */
	if (path.len == 0)
		path = root;
	ret_uri->n_segments = ret_uri->n_params = 0;
	if (check_chars(path, "/", ret_detail) < 0 ||
	    check_chars(query, "/?", ret_detail) < 0 ||
	    parse_path(path, &space, ret_uri, ret_detail) < 0 ||
	    parse_query(query, &space, ret_uri, ret_detail) < 0)
		return -1;
	return 0;
}

bool
uri_is_named(const struct uri_param *param, const char *name)
{
	return str_is(param->name, name);
}
