/* SPDX-License-Identifier: Apache-2.0 */
/* What a client asks for: positions, and how long it would wait for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "queryapi/minimum.h"
#include "queryapi/prefer.h"

static int
next_of(const char *text, struct pj_str *list, struct minimum_position *pos)
{
	*list = (struct pj_str){text, strlen(text)};
	return minimum_next(list, pos);
}

static void
positions_are_taken_one_by_one(void **state)
{
	struct minimum_position pos;
	struct pj_str list;

	(void)state;
	assert_int_equal(
		next_of(" \"a.b_c-d/12@0\" ,, \"x/y/0@7\"", &list, &pos), 1);
	assert_int_equal(pos.topic.len, 7);
	assert_memory_equal(pos.topic.ptr, "a.b_c-d", 7);
	assert_int_equal(pos.partition, 12);
	assert_int_equal(pos.offset, 0);
	assert_int_equal(minimum_next(&list, &pos), 1);
	assert_int_equal(pos.topic.len, 3); /* the last '/' counts */
	assert_int_equal(pos.offset, 7);
	assert_int_equal(minimum_next(&list, &pos), 0);
	assert_int_equal(
		next_of("\"t/2147483647@9223372036854775806\"", &list, &pos),
		1);
	assert_int_equal(pos.partition, INT32_MAX);
	assert_true(pos.offset == INT64_MAX - 1);
}

static void
what_is_no_position_is_told_so(void **state)
{
	static const char *const bad[] = {
		"t/0@1",      "\"t/0@1",       "\"t/0@1\" \"u/0@1\"",
		"\"t/0@\"",   "\"t/@1\"",      "\"/0@1\"",
		"\"t0@1\"",   "\"t/0\"",       "\"t/0@+1\"",
		"\"t/-0@1\"", "\"t/0@0x1\"",   "\"t/0@1 \"",
		"\"",	      "\"\"",	       "\"t/2147483648@1\"",
		"a",	      "\"t/0@1\\\"\"", "\"t/0@9223372036854775807\"",
	};
	struct minimum_position pos;
	struct pj_str list;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (next_of(bad[i], &list, &pos) != -1)
			fail_msg("taken: %s", bad[i]);
}

static int
wait_of(const char *fields)
{
	struct http_request req;
	struct http_refusal no;
	size_t scanned = 0;
	char head[512];
	int len = snprintf(head, sizeof(head),
			   "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

	assert_int_equal(http_request_parse(head, (size_t)len, sizeof(head),
					    &scanned, &req, &no),
			 HTTP_DONE);
	return prefer_wait_s(&req);
}

static void
a_wait_is_found_among_what_else_is_preferred(void **state)
{
	(void)state;
	assert_int_equal(wait_of(""), -1);
	assert_int_equal(wait_of("Prefer: wait=7\r\n"), 7);
	assert_int_equal(wait_of("Prefer: WAIT = \"7\" ;x=1\r\n"), 7);
	assert_int_equal(wait_of("Prefer: return=minimal, wait=0\r\n"), 0);
	assert_int_equal(wait_of("Prefer: a\r\nPrefer: wait=3, wait=4\r\n"), 3);
	assert_int_equal(wait_of("Prefer: wait=61\r\n"), PREFER_WAIT_MAX_S);
	assert_int_equal(wait_of("Prefer: wait=99999999999999999999\r\n"),
			 PREFER_WAIT_MAX_S);
	assert_int_equal(wait_of("Prefer: a=\"b, wait=9, c\"\r\n"), -1);
	assert_int_equal(wait_of("Prefer: a=\"b\\\", wait=9\", wait=2\r\n"), 2);
	assert_int_equal(wait_of("Prefer: wait\r\n"), -1);
	assert_int_equal(wait_of("Prefer: wait=\r\n"), -1);
	assert_int_equal(wait_of("Prefer: wait=1.5\r\n"), -1);
	assert_int_equal(wait_of("Prefer: wait=\"7\r\n"), -1);
	assert_int_equal(wait_of("Prefer: xwait=7\r\n"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_are_taken_one_by_one),
		cmocka_unit_test(what_is_no_position_is_told_so),
		cmocka_unit_test(a_wait_is_found_among_what_else_is_preferred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
