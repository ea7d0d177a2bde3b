/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a following begins (catalog.h, served.h), on a store that
 * looks back at it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/settings.h"
#include "queryapi/catalog.h"
#include "tests/component/store_double.h"

static struct catalog *cat;
static struct store_session *ses;
static struct served *served;
static uint64_t seen_since;
static int64_t seen_next;

/* In the middle of a look: checkpoints are read, documents may be, too. */
static void
look_back(void)
{
	seen_since = atomic_load(&served->since);
	seen_next = served_next(served, 0);
}

static int
setup(void **state)
{
	static const struct store_settings how = {.type = STORE_LMDB};
	static const struct settings set;
	struct pj_error err;

	(void)state;
	DOUBLE_SET(dbl.next = 10);
	cat = catalog_new(&how, &set);
	assert_int_equal(catalog_start(cat, &err), 0);
	/* Only what the test asks for from here on. */
	assert_true(catalog_stop(cat, INT64_MAX));
	assert_int_equal(store_session_open(catalog_store(cat), &ses, &err), 0);
	served = served_find(catalog_served(cat), "shop.1");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dbl.on_checkpoints = NULL;
	store_session_close(ses);
	catalog_free(cat);
	return 0;
}

static void
nothing_is_current_while_another_following_begins(void **state)
{
	struct snapshot *snap = NULL;
	struct pj_error err;

	(void)state;
	assert_int_equal(catalog_follow(cat, ses, &snap, &err), 0);
	snapshot_unref(snap);
	assert_int_equal(atomic_load(&served->since), 1);
	assert_int_equal(served_next(served, 0), 10);
	/* A checkpoint that the first following never told: whatever was read
	 * in it may be older. */
	DOUBLE_SET(dbl.next = 20; dbl.on_checkpoints = look_back);
	assert_int_equal(catalog_follow(cat, ses, &snap, &err), 0);
	snapshot_unref(snap);
	assert_int_equal(seen_since, 0);
	assert_int_equal(seen_next, 10);
	assert_int_equal(atomic_load(&served->since), 2);
	assert_int_equal(served_next(served, 0), 20);
}

static void
a_look_tells_no_checkpoint_of_what_is_followed(void **state)
{
	struct snapshot *snap = NULL;
	struct pj_error err;

	(void)state;
	assert_int_equal(catalog_follow(cat, ses, &snap, &err), 0);
	snapshot_unref(snap);
	/* The stream tells it, behind the documents that it covers. */
	DOUBLE_SET(dbl.next = 20);
	assert_int_equal(catalog_look(cat, ses, &err), 0);
	assert_int_equal(served_next(served, 0), 10);
	catalog_unfollow(cat);
	assert_int_equal(catalog_look(cat, ses, &err), 0);
	assert_int_equal(served_next(served, 0), 20);
}

static int
setup_away(void **state)
{
	int rc;

	DOUBLE_SET(dbl.away = true);
	rc = setup(state);
	DOUBLE_SET(dbl.away = false);
	return rc;
}

static void
a_look_makes_the_store_well_whoever_looks(void **state)
{
	struct pj_error err;

	(void)state;
	assert_false(catalog_store_is_well(cat));
	assert_int_equal(catalog_look(cat, ses, &err), 0);
	assert_true(catalog_store_is_well(cat));
}

#define LOOKED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOOKED(nothing_is_current_while_another_following_begins),
		LOOKED(a_look_tells_no_checkpoint_of_what_is_followed),
		cmocka_unit_test_setup_teardown(
			a_look_makes_the_store_well_whoever_looks, setup_away,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
