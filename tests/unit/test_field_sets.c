/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of fields as declared, and what of an entry is sent of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "queryapi/answer.h"
#include "queryapi/field_sets.h"

#define FIELDS                                                                 \
	"\"fields\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"bc\"}]"
#define SETS(text) "{" FIELDS ",\"fieldSets\":[" text "]}"

static struct field_sets
sets_of(const char *text)
{
	json_t *reader = json_loads(text, 0, NULL);
	struct field_sets sets;

	assert_non_null(reader);
	field_sets_read(&sets, reader);
	json_decref(reader);
	return sets;
}

static void
sets_are_read_as_they_are_declared(void **state)
{
	struct field_sets sets =
		sets_of(SETS("{\"name\":\"card\",\"fields\":[\"b\",\"a\"]},"
			     "{\"name\":\"x_1\",\"fields\":[\"bc\"]}"));

	(void)state;
	assert_int_equal(sets.n, 2);
	assert_string_equal(sets.rows[0].name, "card");
	assert_int_equal(sets.rows[0].n_fields, 2);
	assert_string_equal(sets.rows[0].fields[0].ptr, "b");
	assert_int_equal(sets.rows[1].fields[0].len, 2);
	assert_int_equal(field_sets_find(&sets, PJ_STR("card")), 1);
	assert_int_equal(field_sets_find(&sets, PJ_STR("x_1")), 2);
	assert_int_equal(field_sets_find(&sets, PJ_STR("car")), 0);
	assert_int_equal(field_sets_find(&sets, PJ_STR("cards")), 0);
	assert_int_equal(field_sets_find(&sets, PJ_STR("")), 0);
	field_sets_release(&sets);
}

static void
what_is_no_set_is_left_out(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		SETS("1"),
		SETS("{\"name\":\"Card\",\"fields\":[\"a\"]}"),
		SETS("{\"name\":1,\"fields\":[\"a\"]}"),
		SETS("{\"name\":\"card\"}"),
		SETS("{\"name\":\"card\",\"fields\":[]}"),
		SETS("{\"name\":\"card\",\"fields\":[\"a\",\"c\"]}"),
		SETS("{\"name\":\"card\",\"fields\":[\"a\",1]}"),
		SETS("{\"name\":\"card\",\"fields\":[\"_m\"]}"),
	};
	struct field_sets sets;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sets = sets_of(bad[i]);
		assert_int_equal(sets.n, 0);
		assert_int_equal(sets.id, 0);
		field_sets_release(&sets);
	}
	field_sets_read(&sets, NULL);
	assert_int_equal(sets.n, 0);
	field_sets_release(&sets);
	sets = sets_of(SETS("{\"name\":\"s\",\"fields\":[\"a\"]},"
			    "{\"name\":\"s\",\"fields\":[\"b\"]}"));
	assert_int_equal(sets.n, 1);
	assert_string_equal(sets.rows[0].fields[0].ptr, "a");
	field_sets_release(&sets);
}

static void
of_more_sets_than_eight_the_first_are_taken(void **state)
{
#define ONE(c) "{\"name\":\"" c "\",\"fields\":[\"a\"]}"
	struct field_sets sets = sets_of(
		SETS(ONE("a") "," ONE("b") "," ONE("c") "," ONE("d") "," ONE(
			"e") "," ONE("f") "," ONE("g") "," ONE("h") "," ONE("i")));

	(void)state;
	assert_int_equal(sets.n, FIELD_SETS_MAX);
	assert_int_equal(field_sets_find(&sets, PJ_STR("i")), 0);
	field_sets_release(&sets);
}

static void
another_declaration_is_another_id_and_another_mark(void **state)
{
	static const char *const texts[] = {
		SETS("{\"name\":\"s\",\"fields\":[\"a\",\"b\"]}"),
		SETS("{\"name\":\"s\",\"fields\":[\"a\",\"bc\"]}"),
		SETS("{\"name\":\"s\",\"fields\":[\"a\"]}"),
		SETS("{\"name\":\"s_b\",\"fields\":[\"a\"]}"),
		SETS("{\"name\":\"s\",\"fields\":[\"a\"]},"
		     "{\"name\":\"b\",\"fields\":[\"bc\"]}"),
	};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	struct field_sets sets[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		sets[i] = sets_of(texts[i]);
		for (size_t j = 0; j < i; j++)
			assert_false(sets[i].id == sets[j].id);
	}
	assert_string_not_equal(sets[0].rows[0].mark, sets[1].rows[0].mark);
	assert_string_not_equal(sets[1].rows[0].mark, sets[2].rows[0].mark);
	/* Another set beside it does not change what this one's bytes are. */
	assert_string_equal(sets[2].rows[0].mark, sets[4].rows[0].mark);
	assert_int_equal(strncmp(sets[3].rows[0].mark, "s_b-", 4), 0);
	for (size_t i = 0; i < N; i++)
		field_sets_release(&sets[i]);
}

static void
an_unknown_set_is_refused_by_naming_those_there_are(void **state)
{
	struct field_sets sets =
		sets_of(SETS("{\"name\":\"card\",\"fields\":[\"a\"]},"
			     "{\"name\":\"row\",\"fields\":[\"b\"]}"));
	struct field_sets none = {NULL, 0, 0};
	struct pj_error err;
	size_t set = 9;

	(void)state;
	assert_int_equal(field_sets_ask(&sets, PJ_STR("row"), &set, &err), 0);
	assert_int_equal(set, 2);
	assert_int_equal(field_sets_ask(&sets, PJ_STR("x"), &set, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_INPUT);
	assert_string_equal(err.text,
			    "unknown set of fields: this view has card, row");
	assert_int_equal(field_sets_ask(&none, PJ_STR("x"), &set, &err), -1);
	assert_string_equal(err.text,
			    "unknown set of fields: this view has none");
	field_sets_release(&sets);
}

/* ---- Entries ------------------------------------------------------------ */

static struct entry *
entry_of(const struct field_sets *sets, enum entry_state what)
{
	static const struct pj_str json[] = {PJ_STR("{\"id\":\"k\",\"a\":1}"),
					     PJ_STR("{\"id\":\"k\"}")};

	return entry_new(&(struct entry_parts){
		.key = PJ_STR("k"),
		.state = what,
		.revision = 17,
		.generation = 3,
		.json = PJ_STR("{\"id\":\"k\",\"a\":1,\"b\":2}"),
		.gzip = PJ_STR("zip"),
		.coded = true,
		.sets = sets,
		.set_json = json,
	});
}

static void
assert_has(struct pj_str text, const char *part)
{
	char copy[512];

	assert_true(text.len < sizeof(copy));
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	assert_non_null(strstr(copy, part));
}

static void
an_entry_has_each_set_beside_the_whole(void **state)
{
	struct field_sets sets =
		sets_of(SETS("{\"name\":\"card\",\"fields\":[\"a\"]},"
			     "{\"name\":\"none\",\"fields\":[\"b\"]}"));
	struct entry *ent = entry_of(&sets, ENTRY_DOCUMENT);
	char want[128];

	(void)state;
	assert_int_equal(ent->n_sets, 2);
	assert_int_equal(entry_json(ent, 0).len, 22);
	assert_int_equal(entry_json(ent, 1).len, 16);
	assert_memory_equal(entry_json(ent, 2).ptr, "{\"id\":\"k\"}", 10);
	assert_int_equal(entry_json(ent, 3).len, 0);
	(void)snprintf(want, sizeof(want), "\"3.17-%s\"", sets.rows[0].mark);
	assert_string_equal(ent->sets[0].tag, want);
	assert_has(ent->sets[1].head, "\r\nContent-Length: 10\r\n");
	assert_has(ent->sets[0].head, want);
	assert_memory_equal(ent->gzip_head.ptr, "Content-Type:", 13);
	entry_unref(ent);
	ent = entry_of(&sets, ENTRY_DELETED);
	assert_int_equal(ent->n_sets, 0);
	assert_int_equal(entry_json(ent, 1).len, 0);
	entry_unref(ent);
	field_sets_release(&sets);
}

static void
an_entry_is_of_no_use_to_who_knows_other_sets(void **state)
{
	struct field_sets sets =
		sets_of(SETS("{\"name\":\"card\",\"fields\":[\"a\"]}"));
	struct entry *ent = entry_of(&sets, ENTRY_DOCUMENT);
	struct entry_want want = {true, sets.id};

	(void)state;
	assert_true(entry_has(ent, &want));
	want.sets_id++;
	assert_false(entry_has(ent, &want));
	want.sets_id = 0; /* the whole */
	assert_true(entry_has(ent, &want));
	entry_unref(ent);
	field_sets_release(&sets);
}

static void
a_part_and_the_whole_never_share_a_tag(void **state)
{
	struct field_sets sets =
		sets_of(SETS("{\"name\":\"card\",\"fields\":[\"a\"]}"));
	struct entry *ent = entry_of(&sets, ENTRY_DOCUMENT);
	struct conditions cond = {.if_none_match = PJ_STR("\"3.17\"")};

	(void)state;
	assert_true(answer_is_unchanged(ent, &cond, 0));
	assert_false(answer_is_unchanged(ent, &cond, 1));
	cond.if_none_match =
		(struct pj_str){ent->sets[0].tag, strlen(ent->sets[0].tag)};
	assert_false(answer_is_unchanged(ent, &cond, 0));
	assert_true(answer_is_unchanged(ent, &cond, 1));
	entry_unref(ent);
	field_sets_release(&sets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_read_as_they_are_declared),
		cmocka_unit_test(what_is_no_set_is_left_out),
		cmocka_unit_test(of_more_sets_than_eight_the_first_are_taken),
		cmocka_unit_test(
			another_declaration_is_another_id_and_another_mark),
		cmocka_unit_test(
			an_unknown_set_is_refused_by_naming_those_there_are),
		cmocka_unit_test(an_entry_has_each_set_beside_the_whole),
		cmocka_unit_test(an_entry_is_of_no_use_to_who_knows_other_sets),
		cmocka_unit_test(a_part_and_the_whole_never_share_a_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
