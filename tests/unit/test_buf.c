/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"

static void
what_was_added_stands_in_order_and_ends_in_nul(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_add(&b, "a\0b", 3);
	buf_addch(&b, 'c');
	buf_addstr(&b, "de");
	buf_add(&b, NULL, 0);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "a\0bcde", 7);
	buf_release(&b);
}

static void
integers_are_what_printf_makes_of_them(void **state)
{
	static const int64_t numbers[] = {
		0,	   -1,	      9,	 10,
		-10,	   99,	      100,	 INT32_MAX,
		INT32_MIN, INT64_MAX, INT64_MIN, 1000000000000000000};
	struct buf b = BUF_INIT;
	char want[32];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		(void)snprintf(want, sizeof(want), "%" PRId64, numbers[i]);
		buf_clear(&b);
		buf_addint(&b, numbers[i]);
		assert_string_equal(b.data, want);
		assert_int_equal(b.len, strlen(want));
	}
	buf_release(&b);
}

static void
adding_nothing_to_an_empty_buffer_makes_an_empty_text(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_addstr(&b, "");
	assert_int_equal(b.len, 0);
	assert_non_null(b.data);
	assert_string_equal(b.data, "");
	buf_release(&b);
}

static void
the_nul_is_there_at_every_length(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t len = 1; len <= 1000; len++) {
		buf_addch(&b, (char)('a' + len % 26));
		assert_int_equal(b.len, len);
		assert_true(b.cap > b.len);
		assert_int_equal(b.data[len], 0);
		assert_int_equal(strlen(b.data), len);
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(b.data[i], 'a' + (i + 1) % 26);
	buf_release(&b);
}

static void
a_cleared_buffer_is_the_empty_text_and_keeps_its_room(void **state)
{
	struct buf b = BUF_INIT;
	size_t cap;

	(void)state;
	buf_clear(&b);
	assert_null(b.data);
	buf_addstr(&b, "before");
	cap = b.cap;
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	assert_int_equal(b.cap, cap);
	buf_addstr(&b, "now");
	assert_string_equal(b.data, "now");
	buf_release(&b);
}

static void
reserved_room_is_not_content_and_is_not_moved_again(void **state)
{
	struct buf b = BUF_INIT;
	char *data;

	(void)state;
	buf_addstr(&b, "x");
	buf_reserve(&b, 5000);
	assert_int_equal(b.len, 1);
	assert_true(b.cap >= 5002);
	data = b.data;
	for (int i = 0; i < 5000; i++)
		buf_addch(&b, 'y');
	assert_ptr_equal(b.data, data);
	buf_release(&b);
}

static void
printf_appends_whatever_the_length(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_printf(&b, "%d-%s", 7, "a");
	assert_string_equal(b.data, "7-a");
	buf_printf(&b, "%s", "");
	assert_int_equal(b.len, 3);
	buf_printf(&b, "%0300d", 1);
	assert_int_equal(b.len, 303);
	assert_memory_equal(b.data, "7-a000", 6);
	assert_string_equal(b.data + 301, "01");
	/* Exactly as much as is free: the NUL needs its byte, too. */
	for (int n = 1; n < 200; n++) {
		buf_release(&b);
		buf_printf(&b, "%0*d", n, 0);
		assert_int_equal(b.len, n);
		assert_int_equal(strlen(b.data), n);
	}
	buf_release(&b);
}

static void
a_released_buffer_can_be_used_again(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_release(&b);
	buf_addstr(&b, "x");
	buf_release(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.cap, 0);
	buf_addstr(&b, "y");
	assert_string_equal(b.data, "y");
	buf_release(&b);
}

static void
detached_bytes_belong_to_the_caller(void **state)
{
	struct buf b = BUF_INIT;
	char *data;
	size_t len = 99;

	(void)state;
	data = buf_detach(&b, &len);
	assert_string_equal(data, "");
	assert_int_equal(len, 0);
	free(data);
	buf_addstr(&b, "mine");
	data = buf_detach(&b, &len);
	assert_int_equal(len, 4);
	assert_null(b.data);
	buf_addstr(&b, "other");
	assert_string_equal(data, "mine");
	free(data);
	free(buf_detach(&b, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_was_added_stands_in_order_and_ends_in_nul),
		cmocka_unit_test(integers_are_what_printf_makes_of_them),
		cmocka_unit_test(
			adding_nothing_to_an_empty_buffer_makes_an_empty_text),
		cmocka_unit_test(the_nul_is_there_at_every_length),
		cmocka_unit_test(
			a_cleared_buffer_is_the_empty_text_and_keeps_its_room),
		cmocka_unit_test(
			reserved_room_is_not_content_and_is_not_moved_again),
		cmocka_unit_test(printf_appends_whatever_the_length),
		cmocka_unit_test(a_released_buffer_can_be_used_again),
		cmocka_unit_test(detached_bytes_belong_to_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
