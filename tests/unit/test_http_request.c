/* SPDX-License-Identifier: Apache-2.0 */
/* The request reader: what it reads, what it refuses, and that neither depends
 * on how the bytes come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "queryapi/http_request.h"

enum { MAX_BYTES = 8192 };

static struct http_request req;
static struct http_refusal no;

/* In a block of exactly that size, so that sanitizers see overreads. */
static enum http_progress
parse_bytes(const char *data, size_t len)
{
	static char *copy;
	size_t scanned = 0;

	free(copy);
	copy = mem_alloc(len + 1);
	copy = mem_realloc(copy, len ? len : 1);
	memcpy(copy, data, len);
	no.status = 0;
	return http_request_parse(copy, len, MAX_BYTES, &scanned, &req, &no);
}

static enum http_progress
parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void
assert_str(struct pj_str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

static void
assert_refused(const char *text, int status)
{
	if (parse(text) != HTTP_BAD || no.status != status)
		fail_msg("%d instead of %d for: %s", no.status, status, text);
}

static void
a_request_is_read_whole(void **state)
{
	static const char text[] = "GET /v1/shop/1?x=y HTTP/1.1\r\n"
				   "Host: api.example:8080\r\n"
				   "Accept:\t */* \t\r\n"
				   "Empty:\r\n\r\nGET ";
	size_t from = 0;

	(void)state;
	assert_int_equal(parse(text), HTTP_DONE);
	assert_str(req.method, "GET");
	assert_str(req.target, "/v1/shop/1?x=y");
	assert_int_equal(req.minor, 1);
	assert_int_equal(req.n_headers, 3);
	assert_str(req.headers[1].value, "*/*");
	assert_str(req.headers[2].value, "");
	assert_int_equal(req.bytes, sizeof(text) - 1 - 4);
	assert_true(req.keep_alive);
	assert_non_null(http_request_header(&req, "ACCEPT", &from));
	assert_null(http_request_header(&req, "accept", &from));
}

static void
every_cut_of_a_request_asks_for_more(void **state)
{
	static const char text[] = "\r\nGET / HTTP/1.1\r\nHost: a\r\nB: c\r\n"
				   "\r\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(parse_bytes(text, len), HTTP_MORE);
	assert_int_equal(parse(text), HTTP_DONE);
}

static void
byte_by_byte_gives_the_same_as_whole(void **state)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\r\n\r\nHEAD /x HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\n\r\n",
		"GET / HTTP/1.1\r\rHost: a\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		enum http_progress whole = parse(texts[i]);
		enum http_progress got = HTTP_MORE;
		int status = no.status;
		size_t scanned = 0;

		no.status = 0;
		for (size_t n = 1; n <= strlen(texts[i]) && got == HTTP_MORE;
		     n++)
			got = http_request_parse(texts[i], n, MAX_BYTES,
						 &scanned, &req, &no);
		assert_int_equal(got, whole);
		assert_int_equal(no.status, status);
	}
}

static void
a_malformed_request_line_is_refused(void **state)
{
	(void)state;
	assert_refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400);
	assert_refused("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	assert_refused(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET /\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET\r\nHost: a\r\n\r\n", 400);
	assert_refused("G\"T / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET / http/1.1\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET / HTTP/11\r\nHost: a\r\n\r\n", 400);
	assert_refused("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400);
}

static void
other_major_versions_are_505_and_minor_ones_are_ours(void **state)
{
	(void)state;
	assert_refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	assert_refused("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505);
	assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
	assert_int_equal(parse("GET / HTTP/1.9\r\nHost: a\r\n\r\n"), HTTP_DONE);
	assert_int_equal(req.minor, 1);
}

static void
bytes_that_no_head_may_contain_are_refused_at_once(void **state)
{
	static const char tls[] = "\x16\x03\x01\x02";

	(void)state;
	assert_int_equal(parse_bytes(tls, 4), HTTP_BAD);
	assert_int_equal(parse_bytes("GET /\0 HTTP", 11), HTTP_BAD);
	assert_refused("GET / HTTP/1.1\n", 400);
	assert_refused("\n", 400);
	assert_refused("GET / HTTP/1.1\rX", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n", 400);
}

static void
malformed_header_lines_are_refused(void **state)
{
	(void)state;
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\n(x): y\r\n\r\n", 400);
	assert_int_equal(
		parse("GET / HTTP/1.1\r\nHost: a\r\nX: \xff\t\xfe\r\n\r\n"),
		HTTP_DONE);
}

static void
exactly_one_wellformed_host_is_wanted(void **state)
{
	(void)state;
	assert_refused("GET / HTTP/1.1\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400);
	assert_refused("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400);
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost:\r\n\r\n"), HTTP_DONE);
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
			 HTTP_DONE);
	assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n"), HTTP_DONE);
}

static void
framing_has_one_reading_or_none(void **state)
{
#define HEAD "GET / HTTP/1.1\r\nHost: a\r\n"
	(void)state;
	assert_int_equal(parse(HEAD "Content-Length: 012\r\n\r\n"), HTTP_DONE);
	assert_int_equal(req.body_bytes, 12);
	assert_refused(HEAD "Content-Length: +5\r\n\r\n", 400);
	assert_refused(HEAD "Content-Length: -5\r\n\r\n", 400);
	assert_refused(HEAD "Content-Length:\r\n\r\n", 400);
	assert_refused(HEAD "Content-Length: 5, 5\r\n\r\n", 400);
	assert_refused(HEAD "Content-Length: 0x5\r\n\r\n", 400);
	assert_refused(HEAD "Content-Length: 9999999999999999999\r\n\r\n", 400);
	assert_refused(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
		       400);
	assert_refused(HEAD "Transfer-Encoding: chunked\r\n\r\n", 501);
	assert_refused(HEAD "Transfer-Encoding: identity\r\n\r\n", 501);
	assert_refused(HEAD "Transfer-Encoding: chunked\r\n"
			    "Content-Length: 5\r\n\r\n",
		       400);
	assert_refused("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		       400);
#undef HEAD
}

static void
persistence_follows_version_and_options(void **state)
{
	static const struct {
		const char *text;
		bool keep;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		 false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
		 false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n"
		 "Connection: close\r\n\r\n",
		 false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
		 true},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text), HTTP_DONE);
		assert_int_equal(req.keep_alive, rows[i].keep);
	}
}

static void
only_one_expectation_is_known(void **state)
{
	(void)state;
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\n"
			       "Expect: 100-Continue\r\n\r\n"),
			 HTTP_DONE);
	assert_true(req.expects_continue);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417);
	assert_int_equal(parse("GET / HTTP/1.0\r\nExpect: x\r\n\r\n"),
			 HTTP_DONE);
}

static void
the_head_is_bounded_in_bytes_and_lines(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	buf_addstr(&text, "GET /");
	while (text.len < MAX_BYTES)
		buf_addch(&text, 'a');
	assert_refused(text.data, 414);
	buf_clear(&text);
	buf_addstr(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	while (text.len < MAX_BYTES - 4)
		buf_addch(&text, 'a');
	buf_addstr(&text, "\r\n\r\n");
	assert_int_equal(parse(text.data), HTTP_DONE);
	text.len -= 4;
	buf_addstr(&text, "a\r\n\r\n");
	assert_refused(text.data, 431);
	buf_clear(&text);
	buf_addstr(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < HTTP_MAX_HEADERS; i++)
		buf_addstr(&text, "a: b\r\n");
	buf_addstr(&text, "\r\n");
	assert_int_equal(parse(text.data), HTTP_DONE);
	text.len -= 2;
	buf_addstr(&text, "a: b\r\n\r\n");
	assert_refused(text.data, 431);
	buf_release(&text);
}

static void
list_members_are_trimmed_and_empty_ones_skipped(void **state)
{
	struct pj_str list = PJ_STR(" a ,, b\t,c, "), member;

	(void)state;
	assert_true(http_list_next(&list, &member));
	assert_str(member, "a");
	assert_true(http_list_next(&list, &member));
	assert_str(member, "b");
	assert_true(http_list_next(&list, &member));
	assert_str(member, "c");
	assert_false(http_list_next(&list, &member));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_whole),
		cmocka_unit_test(every_cut_of_a_request_asks_for_more),
		cmocka_unit_test(byte_by_byte_gives_the_same_as_whole),
		cmocka_unit_test(a_malformed_request_line_is_refused),
		cmocka_unit_test(
			other_major_versions_are_505_and_minor_ones_are_ours),
		cmocka_unit_test(
			bytes_that_no_head_may_contain_are_refused_at_once),
		cmocka_unit_test(malformed_header_lines_are_refused),
		cmocka_unit_test(exactly_one_wellformed_host_is_wanted),
		cmocka_unit_test(framing_has_one_reading_or_none),
		cmocka_unit_test(persistence_follows_version_and_options),
		cmocka_unit_test(only_one_expectation_is_known),
		cmocka_unit_test(the_head_is_bounded_in_bytes_and_lines),
		cmocka_unit_test(
			list_members_are_trimmed_and_empty_ones_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
