/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queryapi/siphash.h"

/* Appendix A of the paper: key 00 01 … 0f, message 00 01 … 0e. */
static void
the_papers_example_comes_out(void **state)
{
	const struct siphash_key key = {UINT64_C(0x0706050403020100),
					UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t message[15];

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	assert_true(siphash(&key, message, sizeof(message)) ==
		    UINT64_C(0xa129ca6149be45e5));
}

static void
length_key_and_every_byte_count(void **state)
{
	struct siphash_key key = {1, 2};
	uint8_t message[17] = {0};
	uint64_t first = siphash(&key, message, sizeof(message));

	(void)state;
	assert_true(siphash(&key, message, 16) != first);
	for (size_t i = 0; i < sizeof(message); i++) {
		message[i] = 1;
		assert_true(siphash(&key, message, sizeof(message)) != first);
		message[i] = 0;
	}
	key.k1++;
	assert_true(siphash(&key, message, sizeof(message)) != first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_papers_example_comes_out),
		cmocka_unit_test(length_key_and_every_byte_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
