/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as they were told (told.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queryapi/told.h"

enum { ROOM = 2000, SINCE = 5 };

static struct served_list *list;
static struct served *gen, *other;
static struct told *told;

static int
setup(void **state)
{
	(void)state;
	list = served_list_new();
	gen = served_find(list, "shop.1");
	other = served_find(list, "shop.2");
	told = told_new(ROOM);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	told_free(told);
	served_list_free(list);
	return 0;
}

static struct pj_str
text(const char *s)
{
	return (struct pj_str){s, strlen(s)};
}

/* All keys in one bucket. */
static void
put(const char *key, const char *bson)
{
	told_put(told, gen, text(key), 1, SINCE, text(bson));
}

static void
assert_takes(struct served *srv, const char *key, uint64_t since,
	     const char *bson)
{
	size_t len = 0;
	uint8_t *got = told_take(told, srv, text(key), 1, since, &len);

	if (bson) {
		assert_non_null(got);
		assert_int_equal(len, strlen(bson));
		assert_memory_equal(got, bson, len);
	} else {
		assert_null(got);
	}
	free(got);
}

static void
the_newest_is_given_once(void **state)
{
	(void)state;
	put("a", "one");
	put("b", "two");
	put("a", "three");
	assert_true(told_has(told, gen, text("a"), 1));
	assert_takes(gen, "a", SINCE, "three");
	assert_false(told_has(told, gen, text("a"), 1));
	assert_takes(gen, "a", SINCE, NULL);
	assert_takes(gen, "b", SINCE, "two");
}

static void
it_is_of_its_generation_and_following(void **state)
{
	(void)state;
	put("a", "one");
	assert_takes(other, "a", SINCE, NULL);
	assert_takes(gen, "a", SINCE + 1, NULL);
	/* It is of no use to anybody any more. */
	assert_takes(gen, "a", SINCE, NULL);
	told_put(told, gen, text("a"), 1, 0, text("one"));
	assert_takes(gen, "a", 0, NULL);
}

static void
what_was_told_first_goes_first(void **state)
{
	char bson[ROOM + 1], key[16];
	size_t kept = 0;

	(void)state;
	memset(bson, 'x', ROOM);
	bson[ROOM] = '\0';
	put("large", bson);
	assert_false(told_has(told, gen, text("large"), 1));
	bson[300] = '\0';
	for (int i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		put(key, bson);
		/* What is told again is told last. */
		put("again", bson);
	}
	assert_true(told_has(told, gen, text("again"), 1));
	for (int i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		if (told_has(told, gen, text(key), 1))
			kept++;
		else
			assert_int_equal(kept, 0);
	}
	assert_in_range(kept, 1, ROOM / 300);
	told_drop(told, gen, text("again"), 1);
	assert_takes(gen, "again", SINCE, NULL);
}

#define TOLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TOLD(the_newest_is_given_once),
		TOLD(it_is_of_its_generation_and_following),
		TOLD(what_was_told_first_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
