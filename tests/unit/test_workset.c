/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mem.h"
#include "projector/workset.h"

enum { MANY = 5000 }; /* several times the first table */

static const struct pj_shape shape[] = {
	{.name = "text", .type = PJ_SERVED_STRING},
	{.name = NULL},
};

struct things {
	struct workset set;
	struct lane lanes[2];
};

static int
setup(void **state)
{
	struct things *t = mem_calloc(1, sizeof(*t));

	t->lanes[1].index = 1;
	workset_init(&t->set, 12345);
	*state = t;
	return 0;
}

static int
teardown(void **state)
{
	struct things *t = *state;

	workset_release(&t->set);
	free(t);
	return 0;
}

static struct pj_str
key_of(unsigned number)
{
	static char text[32];
	int len = snprintf(text, sizeof(text), "key-%u", number);

	return (struct pj_str){text, (size_t)len};
}

static struct entry *
add(struct things *t, unsigned number)
{
	return workset_add(&t->set, &t->lanes[0], false, key_of(number));
}

static struct entry *
find(struct things *t, unsigned number)
{
	return workset_find(&t->set, &t->lanes[0], false, key_of(number));
}

static void
give_document(struct things *t, struct entry *e, size_t bytes)
{
	char *text = mem_calloc(1, bytes + 1);

	memset(text, 'x', bytes);
	e->doc = doc_new(shape, e->key);
	doc_begin(e->doc);
	(void)pj_set_string(pj_doc_root(e->doc), "text",
			    (struct pj_str){text, bytes});
	workset_count(&t->set, e);
	free(text);
}

static void
an_entry_is_found_by_lane_and_key(void **state)
{
	struct things *t = *state;
	struct entry *a =
		workset_add(&t->set, &t->lanes[0], false, PJ_STR("a"));
	struct entry *other =
		workset_add(&t->set, &t->lanes[1], false, PJ_STR("a"));

	assert_ptr_equal(
		workset_find(&t->set, &t->lanes[0], false, PJ_STR("a")), a);
	assert_ptr_equal(
		workset_find(&t->set, &t->lanes[1], false, PJ_STR("a")), other);
	assert_null(workset_find(&t->set, &t->lanes[0], false, PJ_STR("ab")));
	assert_null(workset_find(&t->set, &t->lanes[0], false,
				 (struct pj_str){"a\0", 2}));
	assert_int_equal(a->list, LIST_NONE);
	assert_null(a->doc);
}

static void
the_key_is_a_copy(void **state)
{
	struct things *t = *state;
	char key[] = "abc";
	struct entry *e = workset_add(&t->set, &t->lanes[0], false,
				      (struct pj_str){key, 3});

	key[0] = 'x';
	assert_ptr_equal(
		workset_find(&t->set, &t->lanes[0], false, PJ_STR("abc")), e);
}

static void
many_entries_are_all_found_while_the_table_grows(void **state)
{
	struct things *t = *state;

	for (unsigned i = 0; i < MANY; i++)
		(void)add(t, i);
	assert_int_equal(t->set.n_entries, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		struct entry *e = find(t, i);

		assert_non_null(e);
		assert_int_equal(e->key.len, key_of(i).len);
		assert_memory_equal(e->key.ptr, key_of(i).ptr, e->key.len);
	}
	assert_null(find(t, MANY));
}

static void
lists_are_first_in_first_out_and_counted(void **state)
{
	struct things *t = *state;
	struct entry *a = add(t, 1), *b = add(t, 2), *c = add(t, 3);

	workset_move(&t->set, a, LIST_DIRTY);
	workset_move(&t->set, b, LIST_DIRTY);
	workset_move(&t->set, c, LIST_DIRTY);
	assert_int_equal(t->set.n_in_list[LIST_DIRTY], 3);
	assert_ptr_equal(TAILQ_FIRST(&t->set.lists[LIST_DIRTY]), a);
	/* To where it is already: it keeps its place. */
	workset_move(&t->set, a, LIST_DIRTY);
	assert_ptr_equal(TAILQ_FIRST(&t->set.lists[LIST_DIRTY]), a);
	workset_move(&t->set, a, LIST_SENT);
	assert_ptr_equal(TAILQ_FIRST(&t->set.lists[LIST_DIRTY]), b);
	workset_move(&t->set, b, LIST_NONE);
	assert_int_equal(t->set.n_in_list[LIST_DIRTY], 1);
	assert_int_equal(t->set.n_in_list[LIST_SENT], 1);
	assert_int_equal(t->set.n_in_list[LIST_NONE], 0);
}

static void
eviction_takes_the_least_recently_used_first(void **state)
{
	struct things *t = *state;
	size_t one;

	for (unsigned i = 0; i < 4; i++)
		give_document(t, add(t, i), 1000);
	one = t->set.memory / 4;
	assert_non_null(find(t, 0)); /* used again */
	workset_evict(&t->set, t->set.memory);
	assert_int_equal(t->set.n_entries, 4);
	workset_evict(&t->set, 2 * one);
	assert_int_equal(t->set.n_entries, 2);
	assert_null(find(t, 1));
	assert_null(find(t, 2));
	assert_non_null(find(t, 0));
	assert_non_null(find(t, 3));
	workset_evict(&t->set, 0);
	assert_int_equal(t->set.n_entries, 0);
	assert_int_equal(t->set.memory, 0);
}

static void
what_something_is_under_way_for_is_never_evicted(void **state)
{
	struct things *t = *state;

	for (unsigned i = 0; i < LIST_MAX; i++) {
		give_document(t, add(t, i), 100);
		workset_move(&t->set, find(t, i), (enum entry_list)i);
	}
	workset_evict(&t->set, 0);
	assert_int_equal(t->set.n_entries, LIST_MAX - 1);
	assert_null(find(t, LIST_NONE));
	for (unsigned i = LIST_NONE + 1; i < LIST_MAX; i++)
		assert_int_equal(find(t, i)->list, i);
}

/* One that the store has and we have not would be taken for a new one. */
static void
a_unit_is_never_evicted_nor_keeps_documents_out(void **state)
{
	struct things *t = *state;
	struct entry *unit =
		workset_add(&t->set, &t->lanes[0], true, PJ_STR("u"));
	size_t units = t->set.unit_memory;

	assert_int_equal(units, t->set.memory);
	(void)add(t, 1);
	(void)add(t, 2);
	workset_evict(&t->set, t->set.memory - units);
	assert_int_equal(t->set.n_entries, 3);
	workset_evict(&t->set, 0);
	assert_int_equal(t->set.n_entries, 1);
	assert_int_equal(t->set.n_units[0], 1);
	assert_int_equal(t->set.memory, units);
	assert_ptr_equal(workset_find(&t->set, &t->lanes[0], true, PJ_STR("u")),
			 unit);
	workset_clear(&t->set);
	assert_int_equal(t->set.unit_memory, 0);
	assert_int_equal(t->set.n_units[0], 0);
}

static void
memory_follows_documents_as_they_grow_and_go(void **state)
{
	struct things *t = *state;
	struct entry *e = add(t, 1);
	size_t bare = t->set.memory, with;

	assert_true(bare > 0);
	give_document(t, e, 10000);
	with = t->set.memory;
	assert_true(with >= bare + 10000);
	workset_count(&t->set, e);
	assert_int_equal(t->set.memory, with);
	doc_free(e->doc);
	e->doc = NULL;
	workset_count(&t->set, e);
	assert_int_equal(t->set.memory, bare);
}

static void
clearing_leaves_a_sent_flight_to_its_job(void **state)
{
	struct things *t = *state;
	struct entry *sent = add(t, 1), *loading = add(t, 2);
	struct flight *flight = mem_calloc(1, sizeof(*flight));

	flight->bytes = mem_alloc(3);
	memcpy(flight->bytes, "abc", 3);
	sent->flight = flight;
	workset_move(&t->set, sent, LIST_SENT);
	/* Being verified: nobody else has this one. */
	loading->flight = mem_calloc(1, sizeof(*flight));
	workset_move(&t->set, loading, LIST_LOADING);
	workset_clear(&t->set);
	assert_memory_equal(flight->bytes, "abc", 3);
	flight_free(flight);
	assert_int_equal(t->set.n_entries, 0);
	assert_int_equal(t->set.memory, 0);
	assert_null(find(t, 1));
	for (int i = 0; i < LIST_MAX; i++)
		assert_int_equal(t->set.n_in_list[i], 0);
	/* It goes on being usable. */
	loading = add(t, 1);
	assert_ptr_equal(find(t, 1), loading);
}

static void
records_keep_their_order_when_they_move(void **state)
{
	struct record recs[40];
	struct records a = {NULL, 0, 0}, b = {NULL, 0, 0}, none = {NULL, 0, 0};

	(void)state;
	for (int i = 0; i < 20; i++)
		records_add(&a, &recs[i]);
	for (int i = 20; i < 40; i++)
		records_add(&b, &recs[i]);
	records_move(&a, &none);
	records_move(&a, &b);
	assert_int_equal(a.n, 40);
	assert_int_equal(b.n, 0);
	for (int i = 0; i < 40; i++)
		assert_ptr_equal(a.recs[i], &recs[i]);
	records_move(&b, &a);
	assert_int_equal(a.n, 0);
	assert_int_equal(b.n, 40);
	assert_ptr_equal(b.recs[39], &recs[39]);
	records_release(&a);
	records_release(&b);
	assert_null(b.recs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_is_found_by_lane_and_key),
		TEST(the_key_is_a_copy),
		TEST(many_entries_are_all_found_while_the_table_grows),
		TEST(lists_are_first_in_first_out_and_counted),
		TEST(eviction_takes_the_least_recently_used_first),
		TEST(what_something_is_under_way_for_is_never_evicted),
		TEST(a_unit_is_never_evicted_nor_keeps_documents_out),
		TEST(memory_follows_documents_as_they_grow_and_go),
		TEST(clearing_leaves_a_sent_flight_to_its_job),
		TEST(records_keep_their_order_when_they_move),
	};

	return cmocka_run_group_tests_name("workset", tests, NULL, NULL);
}
