/* SPDX-License-Identifier: Apache-2.0 */
/* What is LMDB's own in lists: the index is exactly what the documents say. */
#include "tests/support/list_fixture.h"

#include <lmdb.h>

enum { KEYS = 40, VALUES = 4, STEPS = 3000, REOPEN_EVERY = 700 };

/* ---- Kept with the documents ----------------------------------------------
 */

/* What one key is by rights; value < 0: the document does not have the field.
 */
struct truth {
	unsigned token; /* 0: there is no document */
	bool live;
	int value;
};

struct shop_keeper {
	struct fixture *fx;
	uint32_t dice;
	unsigned tokens;
	struct truth keys[KEYS];
};

static unsigned
throw_dice(struct shop_keeper *sk, unsigned sides)
{
	sk->dice = sk->dice * 1664525 + 1013904223;
	return (sk->dice >> 8) % sides;
}

static void
purge_key(struct shop_keeper *sk, const char *key, unsigned token)
{
	struct store_purge purge = {
		LISTED, {key, strlen(key)}, token_of(token)};
	struct store_batch batch = {.purges = &purge, .n_purges = 1};

	OK(sk->fx, store_apply(sk->fx->ses, &batch, &sk->fx->err));
}

/* One write, delete, revival or purge of one key. */
static void
any_step(struct shop_keeper *sk)
{
	unsigned at = throw_dice(sk, KEYS), what = throw_dice(sk, 8);
	struct truth *t = &sk->keys[at];
	char key[8], json[32] = "{}";

	(void)sprintf(key, "k%02u", at);
	if (what == 0 && t->token) {
		purge_key(sk, key, t->token);
		*t = (struct truth){0};
		return;
	}
	/* A module may leave anything in a deleted document. */
	t->live = what != 1;
	t->value = (int)throw_dice(sk, VALUES + 1) - 1;
	if (t->value >= 0)
		(void)sprintf(json, "{\"areaId\":\"v%d\"}", t->value);
	assert_int_equal(write_listed(sk->fx, key, t->token, ++sk->tokens,
				      t->live ? 0 : READMODEL_DELETED, json),
			 STORE_APPLIED);
	t->token = sk->tokens;
}

/* Returns how many have it. */
static size_t
expect_holders(const struct shop_keeper *sk, int value)
{
	char text[8];
	struct buf keys = BUF_INIT;
	struct store_filter f;
	size_t n = 0;

	(void)sprintf(text, "v%d", value);
	f = text_filter("areaId", text);
	for (unsigned k = 0; k < KEYS; k++) {
		const struct truth *t = &sk->keys[k];

		if (!t->token || !t->live || t->value != value)
			continue;
		buf_printf(&keys, "%sk%02u", n++ ? " " : "", k);
	}
	expect_list(sk->fx, &f, 1, keys.data ? keys.data : "");
	buf_release(&keys);
	return n;
}

/* Of a database, or -1; the store must be closed. */
static int
entries_of(const struct fixture *fx, const char *name)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_stat st = {.ms_entries = 0};
	int rc;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_open(env, fx->path, MDB_RDONLY, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	rc = mdb_dbi_open(txn, name, 0, &dbi);
	if (!rc)
		assert_int_equal(mdb_stat(txn, dbi, &st), 0);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return rc ? -1 : (int)st.ms_entries;
}

static void
the_index_says_what_the_documents_say_whatever_was_written(void **state)
{
	struct fixture *fx = *state;
	struct shop_keeper sk = {.fx = fx, .dice = 20261126};
	size_t n = 0;

	make_listed(fx);
	for (unsigned i = 1; i <= STEPS; i++) {
		any_step(&sk);
		if (i % 50 == 0)
			(void)expect_holders(&sk, (int)(i / 50 % VALUES));
		if (i % REOPEN_EVERY)
			continue;
		fixture_close(fx);
		fixture_open(fx);
	}
	for (int v = 0; v < VALUES; v++)
		n += expect_holders(&sk, v);
	assert_true(n > KEYS / 4);
	fixture_close(fx);
	/* Nothing is left over: those, and the names of the two fields. */
	assert_int_equal(entries_of(fx, LISTED "#index"), (int)n + 2);
	fixture_open(fx);
}

/* ---- Who has one ----------------------------------------------------------
 */

enum { MANY = 2 * STORE_PAGE_LOOKS + 1 };

/* The last one alone has another value. */
static void
put_many(struct fixture *fx)
{
	struct store_write *writes = mem_calloc(MANY, sizeof(*writes));
	bson_t **docs = mem_calloc(MANY, sizeof(bson_t *));
	char(*keys)[16] = mem_calloc(MANY, sizeof(*keys));
	struct store_batch batch = {.writes = writes, .n_writes = MANY};

	for (unsigned i = 0; i < MANY; i++) {
		struct pj_str key = {keys[i],
				     (size_t)sprintf(keys[i], "k%06u", i)};
		bson_t fields = BSON_INITIALIZER;

		bson_append_utf8(&fields, "areaId", -1,
				 i < MANY - 1 ? "many" : "one", -1);
		docs[i] = listed_new(keys[i], 1, 0, &fields);
		writes[i] = insert_of(LISTED, key, docs[i]);
		bson_destroy(&fields);
	}
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(writes[i].outcome, STORE_APPLIED);
		bson_destroy(docs[i]);
	}
	free(writes);
	free(docs);
	free(keys);
}

static void
find_the_one(struct fixture *fx, size_t pages)
{
	struct store_filter one = text_filter("areaId", "one");
	struct walk walk = {0};

	walk_list(fx, &one, 1, 20, &walk);
	assert_int_equal(walk.n, 1);
	assert_string_equal(walk.keys[0], "k020000");
	assert_int_equal(walk.pages, pages);
	walk_release(&walk);
}

static void
a_value_is_found_by_the_index_at_once(void **state)
{
	struct fixture *fx = *state;
	struct store_filter both[2] = {text_filter("areaId", "many"),
				       text_filter("category", "x")};
	struct walk walk = {0};

	make_listed(fx);
	put_many(fx);
	find_the_one(fx, 1);
	/* Of two the rarer leads: nobody has it. */
	walk_list(fx, both, 2, 20, &walk);
	assert_int_equal(walk.n, 0);
	assert_int_equal(walk.pages, 1);
	put_listed(fx, "k999999", 1, 0,
		   "{\"areaId\":\"many\",\"category\":\"x\"}");
	walk_list(fx, both, 2, 20, &walk);
	assert_int_equal(walk.n, 1);
	assert_int_equal(walk.pages, 2);
	walk_release(&walk);
}

static void
without_an_index_a_page_ends_after_so_many_looks(void **state)
{
	struct fixture *fx = *state;

	put_many(fx);
	find_the_one(fx, 3);
}

static void
a_collection_with_documents_never_gets_an_index(void **state)
{
	struct fixture *fx = *state;
	struct store_filter x = text_filter("areaId", "x");

	put_listed(fx, "a", 1, 0, "{\"areaId\":\"x\"}");
	make_listed(fx);
	put_listed(fx, "b", 1, 0, "{\"areaId\":\"x\"}");
	expect_list(fx, &x, 1, "a b");
	fixture_close(fx);
	assert_int_equal(entries_of(fx, LISTED), 2);
	assert_int_equal(entries_of(fx, LISTED "#index"), -1);
	fixture_open(fx);
	expect_list(fx, &x, 1, "a b");
}

static void
a_generation_without_filters_has_no_index(void **state)
{
	struct fixture *fx = *state;
	struct store_generation gen = {.projection = "shop",
				       .number = 1,
				       .collection = LISTED,
				       .reader_json = (char *)(uintptr_t) "{}"};
	bool created;

	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	put_listed(fx, "a", 1, 0, "{\"areaId\":\"x\"}");
	expect_list(fx, NULL, 0, "a");
	fixture_close(fx);
	assert_int_equal(entries_of(fx, LISTED "#index"), -1);
	fixture_open(fx);
}

static void
fields_beyond_what_an_index_takes_are_looked_for_without(void **state)
{
	struct fixture *fx = *state;
	char json[512], longest[80];
	size_t len = 0;
	struct store_filter f;
	struct store_generation gen = {.projection = "shop",
				       .number = 1,
				       .collection = LISTED,
				       .reader_json = json};
	bool created;

	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	len = (size_t)sprintf(json, "{\"filters\":[\"%s\"", longest);
	for (int i = 0; i < STORE_FILTERS_MAX + 1; i++)
		len += (size_t)sprintf(json + len, ",\"f%d\"", i);
	(void)sprintf(json + len, "]}");
	OK(fx, store_generation_create(fx->ses, &gen, &created, &fx->err));
	(void)sprintf(json, "{\"%s\":\"x\",\"f7\":\"x\",\"f8\":\"x\"}",
		      longest);
	put_listed(fx, "a", 1, 0, json);
	put_listed(fx, "b", 1, 0, "{}");
	f = text_filter(longest, "x");
	expect_list(fx, &f, 1, "a");
	f = text_filter("f7", "x");
	expect_list(fx, &f, 1, "a");
	f = text_filter("f8", "x");
	expect_list(fx, &f, 1, "a");
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_setup_lmdb, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_index_says_what_the_documents_say_whatever_was_written),
		TEST(a_value_is_found_by_the_index_at_once),
		TEST(without_an_index_a_page_ends_after_so_many_looks),
		TEST(a_collection_with_documents_never_gets_an_index),
		TEST(a_generation_without_filters_has_no_index),
		TEST(fields_beyond_what_an_index_takes_are_looked_for_without),
	};

	return cmocka_run_group_tests_name("store lmdb index", tests, NULL,
					   NULL);
}
