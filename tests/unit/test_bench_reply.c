/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: read strictly, or refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/bench/reply.h"

#define OK_LINE "HTTP/1.1 200 OK\r\n"
#define LENGTH	"Content-Length: 5\r\n"

static struct reply rep;

static int
reads(const char *text)
{
	const char *why = NULL;
	int rc = reply_read(text, strlen(text), &rep, &why);

	assert_int_equal(rc < 0, why != NULL);
	return rc;
}

static void
refuses(const char *text, const char *want)
{
	const char *why = NULL;

	if (reply_read(text, strlen(text), &rep, &why) != -1)
		fail_msg("taken: %s", text);
	assert_string_equal(why, want);
}

static void
a_whole_head_is_read(void **state)
{
	static const char text[] =
		OK_LINE "Content-Type: application/json\r\n"
			"content-length:\t2048\r\nETag: \"3.17\"\r\n\r\n{";

	(void)state;
	assert_int_equal(reads(text), 1);
	assert_int_equal(rep.status, 200);
	assert_int_equal(rep.body_len, 2048);
	assert_int_equal(rep.head_len, strlen(text) - 1);
	assert_int_equal(rep.etag_len, 6);
	assert_memory_equal(rep.etag, "\"3.17\"", 6);
	assert_false(rep.close);
}

static void
every_part_of_a_head_waits_for_the_rest(void **state)
{
	static const char text[] = OK_LINE LENGTH "\r\n";
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < strlen(text); i++)
		assert_int_equal(reply_read(text, i, &rep, &why), 0);
	assert_int_equal(reads(text), 1);
}

static void
a_304_has_no_body_whatever_its_length_says(void **state)
{
	(void)state;
	assert_int_equal(reads("HTTP/1.1 304 Not Modified\r\n"
			       "Content-Length: 2048\r\n\r\n"),
			 1);
	assert_int_equal(rep.body_len, 0);
	assert_int_equal(reads("HTTP/1.1 304 \r\n\r\n"), 1);
	assert_int_equal(rep.body_len, 0);
}

static void
a_close_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(reads(OK_LINE LENGTH "connection: Close\r\n\r\n"), 1);
	assert_true(rep.close);
	assert_int_equal(reads(OK_LINE LENGTH "Connection: keep-alive\r\n\r\n"),
			 1);
	assert_false(rep.close);
}

static void
framing_that_is_not_one_length_is_refused(void **state)
{
	(void)state;
	refuses(OK_LINE "\r\n", "no Content-Length");
	refuses(OK_LINE LENGTH LENGTH "\r\n", "two Content-Length");
	refuses(OK_LINE "Transfer-Encoding: chunked\r\n\r\n",
		"Transfer-Encoding");
	refuses(OK_LINE "Content-Length: +5\r\n\r\n",
		"Content-Length is no number");
	refuses(OK_LINE "Content-Length: 5 \r\n\r\n",
		"Content-Length is no number");
	refuses(OK_LINE "Content-Length:\r\n\r\n",
		"Content-Length is no number");
	refuses(OK_LINE "Content-Length: 1234567890123\r\n\r\n",
		"Content-Length is no number");
}

static void
odd_lines_are_refused(void **state)
{
	(void)state;
	refuses("HTTP/1.0 200 OK\r\n\r\n", "no status line");
	refuses("HTTP/1.1 20x OK\r\n\r\n", "no status line");
	refuses("HTTP/1.1 200\r\n\r\n", "no status line");
	refuses("\r\n\r\n", "no status line");
	refuses("HTTP/1.1 100 Continue\r\n\r\n", "an interim response");
	refuses(OK_LINE "no colon\r\n\r\n", "a malformed header line");
	refuses(OK_LINE " folded: x\r\n\r\n", "a malformed header name");
	refuses(OK_LINE "name : x\r\n\r\n", "a malformed header name");
	refuses(OK_LINE ": x\r\n\r\n", "a malformed header name");
	refuses(OK_LINE "a: b\rc\r\n\r\n", "a malformed header line");
	refuses(OK_LINE "a: b\nc: d\r\n\r\n", "a line without CR");
}

static void
a_head_without_end_is_refused(void **state)
{
	static char text[REPLY_HEAD_MAX + 100];
	const char *why = NULL;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, OK_LINE "x: ", 20);
	assert_int_equal(reply_read(text, REPLY_HEAD_MAX - 1, &rep, &why), 0);
	assert_int_equal(reply_read(text, REPLY_HEAD_MAX, &rep, &why), -1);
	assert_string_equal(why, "the head is too long");
	/* Its end is there, but behind the limit. */
	memcpy(text + sizeof(text) - 5, "\r\n\r\n", 5);
	assert_int_equal(reply_read(text, sizeof(text) - 1, &rep, &why), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_head_is_read),
		cmocka_unit_test(every_part_of_a_head_waits_for_the_rest),
		cmocka_unit_test(a_304_has_no_body_whatever_its_length_says),
		cmocka_unit_test(a_close_is_noticed),
		cmocka_unit_test(framing_that_is_not_one_length_is_refused),
		cmocka_unit_test(odd_lines_are_refused),
		cmocka_unit_test(a_head_without_end_is_refused),
	};

	return cmocka_run_group_tests_name("bench_reply", tests, NULL, NULL);
}
