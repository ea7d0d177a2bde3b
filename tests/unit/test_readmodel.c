/* SPDX-License-Identifier: Apache-2.0 */
/* Names on which both programs must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"

static char *
unit_text(const char *bytes, size_t len)
{
	struct buf out = BUF_INIT;

	readmodel_add_unit(&out, (struct pj_str){bytes, len});
	return out.data ? buf_detach(&out, NULL) : mem_strdup("");
}

static char *
unit_key(const char *generation, int32_t source, const char *type,
	 const char *unit)
{
	struct buf out = BUF_INIT;

	readmodel_unit_key(&out, generation, source, type,
			   (struct pj_str){unit, strlen(unit)});
	return buf_detach(&out, NULL);
}

static void
a_unit_is_hexadecimal_and_sorts_by_its_bytes(void **state)
{
	char *empty = unit_text("", 0), *zero = unit_text("\0", 1);
	char *a = unit_text("a!/", 3), *high = unit_text("\xff", 1);

	(void)state;
	assert_string_equal(empty, "");
	assert_string_equal(zero, "00");
	assert_string_equal(a, "61212f");
	assert_string_equal(high, "ff");
	free(empty);
	free(zero);
	free(a);
	free(high);
}

static void
a_unit_of_any_length_has_a_bounded_name_of_its_own(void **state)
{
	char bytes[1000], *plain, *hashed, *other;

	(void)state;
	memset(bytes, 'u', sizeof(bytes));
	plain = unit_text(bytes, READMODEL_UNIT_PLAIN);
	hashed = unit_text(bytes, sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 'v';
	other = unit_text(bytes, sizeof(bytes));
	assert_null(strchr(plain, '~'));
	assert_non_null(strchr(hashed, '~'));
	assert_true(strlen(hashed) <= strlen(plain));
	assert_string_not_equal(hashed, other);
	/* Both begin alike: they are found by a scan of that beginning. */
	assert_memory_equal(hashed, other, strcspn(other, "~"));
	free(plain);
	free(hashed);
	free(other);
}

static void
units_of_other_sources_types_and_generations_are_others(void **state)
{
	char *keys[] = {
		unit_key("stock.1", 2, "key", "a"),
		unit_key("stock.1", 3, "key", "a"),
		unit_key("stock.1", 2, "record", "a"),
		unit_key("stock.11", 2, "key", "a"),
		unit_key("stock.1", 2, "key", "b"),
	};
	size_t n = sizeof(keys) / sizeof(keys[0]);

	(void)state;
	assert_string_equal(keys[0], "stock.1!2!key!61");
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(keys[i], keys[j]);
	for (size_t i = 0; i < n; i++)
		free(keys[i]);
}

static void
a_projection_name_can_be_part_of_a_path(void **state)
{
	(void)state;
	assert_true(readmodel_is_projection_name("a"));
	assert_true(readmodel_is_projection_name("shop_products2"));
	assert_true(readmodel_is_projection_name(
		"a2345678901234567890123456789012"));
	assert_false(readmodel_is_projection_name(
		"a23456789012345678901234567890123"));
	assert_false(readmodel_is_projection_name(""));
	assert_false(readmodel_is_projection_name("2a"));
	assert_false(readmodel_is_projection_name("A"));
	assert_false(readmodel_is_projection_name("a-b"));
	assert_false(readmodel_is_projection_name("../a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unit_is_hexadecimal_and_sorts_by_its_bytes),
		cmocka_unit_test(
			a_unit_of_any_length_has_a_bounded_name_of_its_own),
		cmocka_unit_test(
			units_of_other_sources_types_and_generations_are_others),
		cmocka_unit_test(a_projection_name_can_be_part_of_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
