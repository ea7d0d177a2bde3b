/* SPDX-License-Identifier: Apache-2.0 */
/* When views are the same as before, and need not be made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "queryapi/viewset.h"

static struct store_live live = {.projection = "shop", .number = 1};

static struct store_generation
generation(void)
{
	static char reader[] = "{\"fields\":[]}";

	return (struct store_generation){.projection = "shop",
					 .number = 1,
					 .version = 1,
					 .collection = "shop.1",
					 .reader_json = reader};
}

/* Whether the live one, changed so, is still the same. */
static bool
stays(const struct store_live *other_live, const struct store_generation *other)
{
	struct store_generation gen = generation();
	struct viewset *a = viewset_new(&live, 1, &gen, 1, NULL);
	struct viewset *b = viewset_new(other_live, 1, other, 1, NULL);
	bool same = viewset_same(a, b);

	assert_int_equal(a->n_views, 1);
	viewset_unref(a);
	viewset_unref(b);
	return same;
}

static void
any_part_of_a_generation_makes_other_views(void **state)
{
	static char reader[] = "{}";
	struct store_generation gen = generation();
	struct store_live second = {.projection = "shop", .number = 2};
	struct store_live none = {.projection = "shop", .number = 0};

	(void)state;
	assert_true(stays(&live, &gen));
	assert_false(stays(&none, &gen));
	gen.number = 2;
	assert_false(stays(&second, &gen));
	gen = generation();
	gen.version = 2;
	assert_false(stays(&live, &gen));
	gen = generation();
	strcpy(gen.collection, "shop.1b");
	assert_false(stays(&live, &gen));
	gen = generation();
	gen.reader_json = reader;
	assert_false(stays(&live, &gen));
	gen.reader_json = NULL;
	assert_false(stays(&live, &gen));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_part_of_a_generation_makes_other_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
