/* SPDX-License-Identifier: Apache-2.0 */
/* The part of test_store.c that is about many documents at once. */
#ifndef TESTS_STORE_CONTRACT_MANY_H
#define TESTS_STORE_CONTRACT_MANY_H

#include "tests/support/store_fixture.h"

#define DOCS "stock.1"

/* ---- Bulks ------------------------------------------------------------- */

enum { BULK = 2500, BULK_STEP = 100 };

struct bulk {
	struct store_write writes[BULK];
	struct store_doc docs[BULK];
	bson_t *bsons[BULK];
	char keys[BULK][16];
};

static struct bulk *
bulk_new(unsigned token)
{
	struct bulk *b = mem_calloc(1, sizeof(*b));
	size_t i;

	for (i = 0; i < BULK; i++) {
		struct pj_str key = {b->keys[i], 0};

		key.len = (size_t)sprintf(b->keys[i], "key-%05zu",
					  (i * 7919) % BULK);
		b->bsons[i] = doc_new(key, token, 0, 100);
		b->docs[i].key = key;
		b->writes[i] = insert_of(DOCS, key, b->bsons[i]);
		b->writes[i].base = token_of(1);
	}
	return b;
}

static void
bulk_free(struct bulk *b)
{
	size_t i;

	for (i = 0; i < BULK; i++) {
		bson_destroy(b->bsons[i]);
		free(b->docs[i].bson);
	}
	free(b);
}

static void
bulk_apply(struct fixture *fx, struct bulk *b)
{
	struct store_batch batch = {.writes = b->writes, .n_writes = BULK};

	OK(fx, store_apply(fx->ses, &batch, &fx->err));
}

static void
a_bulk_applies_whole_and_loads_in_the_order_asked(void **state)
{
	struct fixture *fx = *state;
	struct bulk *b = bulk_new(1);
	size_t i;

	bulk_apply(fx, b);
	for (i = 0; i < BULK; i++)
		assert_int_equal(b->writes[i].outcome, STORE_APPLIED);
	OK(fx, store_load(fx->ses, DOCS, b->docs, BULK, &fx->err));
	for (i = 0; i < BULK; i++) {
		assert_int_equal(b->docs[i].len, b->bsons[i]->len);
		assert_memory_equal(b->docs[i].bson, bson_get_data(b->bsons[i]),
				    b->docs[i].len);
	}
	bulk_free(b);
}

/* Every write says APPLIED only if its token is stored, and misses never do. */
static void
misses_in_a_bulk_are_never_applied_and_hits_always_stored(void **state)
{
	struct fixture *fx = *state;
	struct bulk *first = bulk_new(1), *second = bulk_new(2);
	size_t i, n_applied = 0;

	bulk_apply(fx, first);
	for (i = 0; i < BULK; i++) {
		second->writes[i].insert = false;
		if (i % BULK_STEP == 0 && i < BULK / 2)
			second->writes[i].base = token_of(99);
	}
	bulk_apply(fx, second);
	for (i = 0; i < BULK; i++) {
		bool miss = i % BULK_STEP == 0 && i < BULK / 2;
		enum store_outcome outcome = second->writes[i].outcome;

		assert_int_equal(
			stored_token(fx, fx->ses, DOCS, second->docs[i].key),
			miss ? 1 : 2);
		assert_true(outcome == STORE_UNKNOWN ||
			    (outcome == STORE_APPLIED && !miss));
		n_applied += outcome == STORE_APPLIED;
	}
	/* The commands without a miss are proved. */
	assert_true(n_applied >= BULK / 5);
	bulk_free(first);
	bulk_free(second);
}

enum { HEAVY = 40 };

/* Returns how many are still to be asked for, moved to the front. */
static size_t
load_some(struct fixture *fx, struct store_doc *docs, size_t n, size_t *n_found)
{
	size_t i, left = 0, bytes = 0;

	OK(fx, store_load(fx->ses, DOCS, docs, n, &fx->err));
	for (i = 0; i < n; i++) {
		if (docs[i].left_out) {
			assert_null(docs[i].bson);
			docs[left++] = docs[i];
			continue;
		}
		/* Every key with a '1' in front was written. */
		assert_int_equal(docs[i].bson != NULL,
				 docs[i].key.ptr[0] == '1');
		bytes += docs[i].len;
		*n_found += docs[i].bson != NULL;
		free(docs[i].bson);
	}
	assert_true(left < n);
	assert_true(bytes < STORE_LOAD_BYTES + (2 << 20));
	return left;
}

static void
a_load_takes_no_more_than_its_bytes_and_leaves_the_rest_for_the_next(
	void **state)
{
	struct fixture *fx = *state;
	struct store_doc docs[2 * HEAVY] = {0};
	char keys[2 * HEAVY][16];
	size_t i, n = 2 * HEAVY, n_found = 0, n_calls = 0;

	for (i = 0; i < n; i++) {
		docs[i].key.ptr = keys[i];
		docs[i].key.len = (size_t)sprintf(keys[i], "%zu-%zu", i % 2, i);
		if (i % 2 == 1) {
			bson_t *bson = doc_new(docs[i].key, 1, 0, 1 << 20);

			assert_int_equal(
				write_one(fx,
					  insert_of(DOCS, docs[i].key, bson)),
				STORE_APPLIED);
			bson_destroy(bson);
		}
	}
	for (; n; n_calls++)
		n = load_some(fx, docs, n, &n_found);
	assert_int_equal(n_found, HEAVY);
	assert_int_equal(n_calls, 2);
}

/* ---- Scans ------------------------------------------------------------- */

struct seen {
	char text[512];
	size_t n, stop_at;
};

static bool
see(void *arg, const uint8_t *bson, size_t len)
{
	struct seen *seen = arg;
	bson_iter_t it;

	assert_true(bson_iter_init_from_data(&it, bson, len));
	assert_true(bson_iter_find(&it, "_id"));
	strcat(seen->text, bson_iter_utf8(&it, NULL));
	strcat(seen->text, " ");
	return ++seen->n != seen->stop_at;
}

static void
scan_goes_by_bytes_begins_behind_and_ends_early(void **state)
{
	struct fixture *fx = *state;
	struct seen all = {0}, behind = {0}, two = {0}, between = {0};
	struct seen none = {0};

	assert_int_equal(put_new(fx, DOCS, PJ_STR("b"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("\xc3\xa9"), 1),
			 STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("a10"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("a"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("B"), 1), STORE_APPLIED);
	assert_int_equal(put_new(fx, DOCS, PJ_STR("a2"), 1), STORE_APPLIED);
	OK(fx, store_scan(fx->ses, DOCS, PJ_STR(""), see, &all, &fx->err));
	assert_string_equal(all.text, "B a a10 a2 b \xc3\xa9 ");
	OK(fx, store_scan(fx->ses, DOCS, PJ_STR("a"), see, &behind, &fx->err));
	assert_string_equal(behind.text, "a10 a2 b \xc3\xa9 ");
	OK(fx,
	   store_scan(fx->ses, DOCS, PJ_STR("a1"), see, &between, &fx->err));
	assert_string_equal(between.text, "a10 a2 b \xc3\xa9 ");
	two.stop_at = 2;
	OK(fx, store_scan(fx->ses, DOCS, PJ_STR(""), see, &two, &fx->err));
	assert_string_equal(two.text, "B a ");
	OK(fx, store_scan(fx->ses, "no.1", PJ_STR(""), see, &none, &fx->err));
	assert_int_equal(none.n, 0);
}

struct rewriting {
	struct fixture *fx;
	struct store_session *other;
	size_t n;
};

static bool
rewrite(void *arg, const uint8_t *bson, size_t len)
{
	struct rewriting *r = arg;
	bson_iter_t it;
	struct pj_str key;
	uint32_t n;

	assert_true(bson_iter_init_from_data(&it, bson, len));
	assert_true(bson_iter_find(&it, "_id"));
	key.ptr = bson_iter_utf8(&it, &n);
	key.len = n;
	if (r->n++ % 100 == 0)
		assert_int_equal(put_over(r->fx, DOCS, key, 1, 2),
				 STORE_APPLIED);
	return true;
}

static void
a_scan_gives_every_document_once_while_its_callback_writes(void **state)
{
	struct fixture *fx = *state;
	struct rewriting r = {.fx = fx, .other = fixture_session(fx)};
	struct bulk *b = bulk_new(1);

	bulk_apply(fx, b);
	OK(fx, store_scan(r.other, DOCS, PJ_STR(""), rewrite, &r, &fx->err));
	assert_int_equal(r.n, BULK);
	store_session_close(r.other);
	bulk_free(b);
}

#endif
