/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out: heads, problems, tags, codings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <zlib.h>

#include "queryapi/etag.h"
#include "queryapi/gzip.h"
#include "queryapi/http_request.h"
#include "queryapi/http_response.h"
#include "queryapi/problem.h"

static void
dates_are_written_as_in_the_rfc(void **state)
{
	char date[HTTP_DATE_MAX];

	(void)state;
	http_date(date, 784111777);
	assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
	http_date(date, 951827696);
	assert_string_equal(date, "Tue, 29 Feb 2000 12:34:56 GMT");
}

static void
head_and_body_are_one_piece(void **state)
{
	struct http_response res = HTTP_RESPONSE_INIT;
	struct http_reply how = {.date = "D", .request_id = "r1"};
	struct buf out = BUF_INIT;

	(void)state;
	res.status = 200;
	res.type = "application/json";
	buf_addstr(&res.body, "{}");
	http_response_field(&res, "ETag", "\"%d.%d\"", 1, 2);
	http_response_write(&out, &res, &how);
	assert_string_equal(out.data, "HTTP/1.1 200 OK\r\n"
				      "Date: D\r\n"
				      "Content-Type: application/json\r\n"
				      "Content-Length: 2\r\n"
				      "X-Content-Type-Options: nosniff\r\n"
				      "ETag: \"1.2\"\r\n"
				      "X-Request-Id: r1\r\n"
				      "\r\n{}");
	buf_release(&out);
	http_response_release(&res);
}

static void
head_requests_get_the_length_without_the_body(void **state)
{
	struct http_response res = HTTP_RESPONSE_INIT;
	struct http_reply how = {.date = "D", .head_only = true, .close = true};
	struct buf out = BUF_INIT;

	(void)state;
	res.status = 404;
	res.type = "text/plain";
	buf_addstr(&res.body, "12345");
	http_response_write(&out, &res, &how);
	assert_non_null(strstr(out.data, "Content-Length: 5\r\n"));
	assert_non_null(strstr(out.data, "Connection: close\r\n"));
	assert_string_equal(out.data + out.len - 4, "\r\n\r\n");
	buf_release(&out);
	http_response_release(&res);
}

static void
not_modified_has_neither_body_nor_length(void **state)
{
	struct http_response res = HTTP_RESPONSE_INIT;
	struct http_reply how = {.date = "D", .say_keep_alive = true};
	struct buf out = BUF_INIT;

	(void)state;
	res.status = 304;
	http_response_write(&out, &res, &how);
	assert_string_equal(out.data, "HTTP/1.1 304 Not Modified\r\nDate: D\r\n"
				      "Connection: keep-alive\r\n\r\n");
	buf_release(&out);
	http_response_release(&res);
}

static void
every_problem_is_json_with_its_status(void **state)
{
	(void)state;
	for (int kind = PROBLEM_BAD_REQUEST; kind <= PROBLEM_VERSION; kind++) {
		struct http_response res = HTTP_RESPONSE_INIT;
		json_t *body;

		problem_write(&res, (enum problem)kind, "id1", "a \"detail\"");
		body = json_loadb(res.body.data, res.body.len, 0, NULL);
		assert_non_null(body);
		assert_int_equal(
			json_integer_value(json_object_get(body, "status")),
			res.status);
		assert_string_equal(
			json_string_value(json_object_get(body, "title")),
			http_reason(res.status));
		assert_string_not_equal(http_reason(res.status), "");
		assert_string_equal(
			json_string_value(json_object_get(body, "detail")),
			"a \"detail\"");
		assert_int_equal(res.status == 503,
				 res.fields.data &&
					 strstr(res.fields.data,
						"Retry-After: 1\r\n") != NULL);
		json_decref(body);
		http_response_release(&res);
	}
}

static void
a_problem_takes_the_place_of_what_was_there(void **state)
{
	struct http_response res = HTTP_RESPONSE_INIT;
	struct http_response alone = HTTP_RESPONSE_INIT;

	(void)state;
	res.status = 200;
	res.type = "application/json";
	http_response_field(&res, "Content-Encoding", "gzip");
	buf_addstr(&res.body, "{}");
	problem_write(&res, PROBLEM_TIMEOUT, "id1", "too late");
	problem_write(&alone, PROBLEM_TIMEOUT, "id1", "too late");
	assert_int_equal(res.status, 503);
	assert_string_equal(res.type, alone.type);
	assert_string_equal(res.fields.data, alone.fields.data);
	assert_string_equal(res.body.data, alone.body.data);
	http_response_release(&res);
	http_response_release(&alone);
}

static const char *
match(const char *list, bool gzip, bool strong)
{
	static struct etag tag;

	etag_of_document(&tag, 3, 17);
	return etag_match(&tag, (struct pj_str){list, strlen(list)}, gzip,
			  strong);
}

static void
either_coding_of_a_tag_matches(void **state)
{
	(void)state;
	assert_string_equal(match("\"3.17\"", false, false), "\"3.17\"");
	assert_string_equal(match("\"3.17-gzip\"", false, false),
			    "\"3.17-gzip\"");
	assert_string_equal(match("\"x\", W/\"3.17\" ,\"y\"", true, false),
			    "\"3.17\"");
	assert_string_equal(match("\"3.17\",\"3.17-gzip\"", true, false),
			    "\"3.17-gzip\"");
	assert_string_equal(match("\"3.17-gzip\",\"3.17\"", false, false),
			    "\"3.17\"");
	assert_string_equal(match(" * ", false, false), "\"3.17\"");
	assert_string_equal(match("\"a,b\",\"3.17\"", false, false),
			    "\"3.17\"");
}

static void
other_and_malformed_tags_match_nothing(void **state)
{
	static const char *const none[] = {
		"",	      "\"3.16\"",	"\"13.17\"",
		"3.17",	      "\"3.17",		"\"3.17\"x",
		"w/\"3.17\"", "* , \"3.17\"",	"\"3.17-br\"",
		"\"\"",	      "\"3.17\" \"a\"", "\"1.3.17\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_null(match(none[i], false, false));
	assert_null(match("W/\"3.17\"", false, true));
	assert_non_null(match("W/\"x\", \"3.17\"", false, true));
}

static bool
accepts(const char *lines)
{
	static struct http_request req;
	struct http_refusal no;
	struct buf text = BUF_INIT;
	size_t scanned = 0;
	bool yes;

	buf_printf(&text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
	assert_int_equal(http_request_parse(text.data, text.len, 8192, &scanned,
					    &req, &no),
			 HTTP_DONE);
	yes = gzip_is_accepted(&req);
	buf_release(&text);
	return yes;
}

#define AE "Accept-Encoding: "
static void
gzip_is_sent_to_those_who_prefer_it(void **state)
{
	(void)state;
	assert_true(accepts(AE "gzip\r\n"));
	assert_true(accepts(AE "br, GZIP;q=0.5\r\n"));
	assert_true(accepts(AE "x-gzip\r\n"));
	assert_true(accepts(AE "*\r\n"));
	assert_true(accepts(AE "br\r\n" AE "gzip ; Q=0.001\r\n"));
	assert_true(accepts(AE "identity;q=0.5, gzip;q=0.5\r\n"));
	assert_false(accepts(""));
	assert_false(accepts(AE "\r\n"));
	assert_false(accepts(AE "gzip;q=0\r\n"));
	assert_false(accepts(AE "gzip;q=0.000\r\n"));
	assert_false(accepts(AE "*, gzip;q=0\r\n"));
	assert_false(accepts(AE "identity, gzip;q=0.9\r\n"));
	assert_false(accepts(AE "gzip;q=2\r\n"));
	assert_false(accepts(AE "gzip;q=0.1234\r\n"));
	assert_false(accepts(AE "deflate, br\r\n"));
}

static void
gzip_bytes_come_back_whole_and_repeat(void **state)
{
	struct gzip *gz = gzip_new();
	struct buf once = BUF_INIT, again = BUF_INIT;
	char text[5000], back[6000];
	z_stream z = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * i % 23);
	gzip_write(gz, &once, text, sizeof(text));
	gzip_write(gz, &again, text, sizeof(text));
	assert_int_equal(once.len, again.len);
	assert_memory_equal(once.data, again.data, once.len);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)once.data;
	z.avail_in = (uInt)once.len;
	z.next_out = (Bytef *)back;
	z.avail_out = sizeof(back);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, sizeof(text));
	assert_memory_equal(back, text, sizeof(text));
	(void)inflateEnd(&z);
	buf_release(&once);
	buf_release(&again);
	gzip_free(gz);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_written_as_in_the_rfc),
		cmocka_unit_test(head_and_body_are_one_piece),
		cmocka_unit_test(head_requests_get_the_length_without_the_body),
		cmocka_unit_test(not_modified_has_neither_body_nor_length),
		cmocka_unit_test(every_problem_is_json_with_its_status),
		cmocka_unit_test(a_problem_takes_the_place_of_what_was_there),
		cmocka_unit_test(either_coding_of_a_tag_matches),
		cmocka_unit_test(other_and_malformed_tags_match_nothing),
		cmocka_unit_test(gzip_is_sent_to_those_who_prefer_it),
		cmocka_unit_test(gzip_bytes_come_back_whole_and_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
