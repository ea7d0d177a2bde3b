/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base64.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 4648, section 10. */
static void
the_standards_examples_hold_in_both_directions(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = BUF_INIT;

		buf_addstr(&out, "-");
		base64_encode(&out, cases[i].bytes, strlen(cases[i].bytes));
		assert_string_equal(out.data + 1, cases[i].text);
		buf_clear(&out);
		buf_addstr(&out, "-");
		assert_int_equal(base64_decode(&out, cases[i].text,
					       strlen(cases[i].text)),
				 0);
		assert_string_equal(out.data + 1, cases[i].bytes);
		buf_release(&out);
	}
}

static void
every_byte_survives(void **state)
{
	unsigned char bytes[256];
	struct buf text = BUF_INIT;
	struct buf back = BUF_INIT;

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	base64_encode(&text, bytes, sizeof(bytes));
	assert_int_equal(base64_decode(&back, text.data, text.len), 0);
	assert_int_equal(back.len, sizeof(bytes));
	assert_memory_equal(back.data, bytes, sizeof(bytes));
	buf_release(&text);
	buf_release(&back);
}

static void
what_is_not_canonical_is_refused_and_leaves_the_buffer_alone(void **state)
{
	static const char *const texts[] = {
		"Z",	    "Zg",     "Zg=",	  "Zg===",	"=",	"====",
		"Z===",	    "Zh==",   "Zm9=",	  "Zm9v\n",	"Zm 9", "Zm-_",
		"Zg==Zg==", "Zm9vZg", "Zm9v=Zg=", "\xc3\xa9zz",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buf out = BUF_INIT;

		buf_addstr(&out, "before");
		assert_int_equal(
			base64_decode(&out, texts[i], strlen(texts[i])), -1);
		assert_int_equal(out.len, 6);
		buf_release(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_standards_examples_hold_in_both_directions),
		cmocka_unit_test(every_byte_survives),
		cmocka_unit_test(
			what_is_not_canonical_is_refused_and_leaves_the_buffer_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
