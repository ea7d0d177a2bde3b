/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that do not fit: each refusal is one line that names file, field,
 * what was expected and what was found.
 */
#include "tests/unit/module_parts.h"

static void
assert_refused(const struct parts *p, const char *want)
{
	struct module *mod = NULL;
	struct pj_error err = {0};

	assert_int_equal(module_adopt(&p->desc, "things", "dir/things.so", NULL,
				      &mod, &err),
			 -1);
	assert_null(mod);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_string_equal(err.text, want);
}

/* ---- Version and size ---------------------------------------------------- */

static void
another_abi_major_is_refused(void **state)
{
	struct parts p;

	(void)state;
	parts_fit(&p);
	p.desc.abi = 2u << 16;
	assert_refused(&p, "dir/things.so: abi: expected 1.0 to 1.1, found "
			   "2.0; rebuild the module");
	p.desc.abi = 0;
	assert_refused(&p, "dir/things.so: abi: expected 1.0 to 1.1, found "
			   "0.0; rebuild the module");
}

static void
a_newer_abi_minor_is_refused(void **state)
{
	struct parts p;

	(void)state;
	parts_fit(&p);
	p.desc.abi = PJ_ABI + 1;
	assert_refused(&p, "dir/things.so: abi: expected 1.0 to 1.1, found "
			   "1.2; rebuild the module");
}

static void
a_descriptor_below_the_first_size_is_refused(void **state)
{
	char want[160];
	struct parts p;

	(void)state;
	parts_fit(&p);
	p.desc.size = offsetof(struct pj_projection, field_sets) - 1;
	(void)snprintf(want, sizeof(want),
		       "dir/things.so: size: expected at least %zu, found %zu",
		       offsetof(struct pj_projection, field_sets),
		       offsetof(struct pj_projection, field_sets) - 1);
	assert_refused(&p, want);
}

static void
the_abi_is_told_before_anything_that_depends_on_it(void **state)
{
	struct parts p;

	(void)state;
	parts_fit(&p);
	memset(&p.desc, 0xff, sizeof(p.desc));
	assert_refused(&p, "dir/things.so: abi: expected 1.0 to 1.1, found "
			   "65535.65535; rebuild the module");
}

static void
a_descriptor_of_the_first_size_is_not_read_beyond_it(void **state)
{
	enum { SIZE_1_0 = offsetof(struct pj_projection, field_sets) };
	/* What ends where it says, so that a sanitizer sees who goes on. */
	struct pj_projection *old = malloc(SIZE_1_0);
	struct module *mod = NULL;
	struct pj_error err = {0};
	struct parts p;
	char *json;

	(void)state;
	parts_fit(&p);
	p.desc.abi = UINT32_C(1) << 16;
	p.desc.size = SIZE_1_0;
	p.field_sets[0].name = "Not looked at";
	memcpy(old, &p.desc, SIZE_1_0);
	assert_int_equal(
		module_adopt(&p.desc, "things", "things.so", NULL, &mod, &err),
		0);
	assert_null(mod->desc->field_sets);
	module_free(mod);
	assert_int_equal(
		module_adopt(old, "things", "things.so", NULL, &mod, &err), 0);
	json = module_reader_json(mod);
	assert_non_null(strstr(json, "\"fieldSets\":[],"));
	free(json);
	module_free(mod);
	free(old);
}

static void
sets_of_fields_are_told_to_readers(void **state)
{
	struct module *mod = NULL;
	struct pj_error err = {0};
	struct parts p;
	char *json;

	(void)state;
	parts_fit(&p);
	assert_int_equal(
		module_adopt(&p.desc, "things", "things.so", NULL, &mod, &err),
		0);
	json = module_reader_json(mod);
	assert_non_null(strstr(json, "\"fieldSets\":[{\"name\":\"card\","
				     "\"fields\":[\"b\",\"updatedAt\"]}]"));
	free(json);
	module_free(mod);
}

static void
a_larger_descriptor_of_the_same_version_is_taken(void **state)
{
	struct {
		struct parts p;
		char more[32];
	} larger;
	struct module *mod;
	struct pj_error err;

	(void)state;
	parts_fit(&larger.p);
	memset(larger.more, 0x55, sizeof(larger.more));
	larger.p.desc.size += sizeof(larger.more);
	assert_int_equal(
		module_adopt(&larger.p.desc, "things", "f", NULL, &mod, &err),
		0);
	module_free(mod);
}

/* ---- The rest of the descriptor -------------------------------------------
 */

/* Each spoils one thing. */
static void
no_name(struct parts *p)
{
	p->desc.name = NULL;
}
static void
other_name(struct parts *p)
{
	p->desc.name = "thing";
}
static void
version_zero(struct parts *p)
{
	p->desc.version = 0;
}
static void
version_huge(struct parts *p)
{
	p->desc.version = UINT32_C(1) << 31;
}
static void
no_summary(struct parts *p)
{
	p->desc.summary = NULL;
}
static void
no_key_function(struct parts *p)
{
	p->desc.key = NULL;
}
static void
no_fold_function(struct parts *p)
{
	p->desc.fold = NULL;
}
static void
no_reads(struct parts *p)
{
	p->desc.reads = NULL;
}
static void
no_topic(struct parts *p)
{
	p->reads[0].topic = NULL;
}
static void
no_types_read(struct parts *p)
{
	p->reads[0].types = 0;
}
static void
unknown_type_read(struct parts *p)
{
	p->reads[0].types = 4;
}
static void
topic_twice(struct parts *p)
{
	p->reads[1] = p->reads[0];
}
static void
topic_of_another_size(struct parts *p)
{
	p->topic.size = 8;
}
static void
topic_without_name(struct parts *p)
{
	p->topic.name = "";
}
static void
too_many_fields(struct parts *p)
{
	p->topic.n_fields = 65;
}
static void
too_many_types(struct parts *p)
{
	p->topic.n_types = 65;
}
static void
field_without_name(struct parts *p)
{
	p->fields[1].name = NULL;
}
static void
field_of_no_type(struct parts *p)
{
	p->fields[1].type = 99;
}
static void
list_without_items(struct parts *p)
{
	p->fields[2].n_items = 0;
}
static void
list_requires_unknown_item(struct parts *p)
{
	p->fields[2].items_required = 2;
}
static void
type_without_name(struct parts *p)
{
	p->types[1].name = NULL;
}
static void
type_with_unknown_field(struct parts *p)
{
	p->types[0].fields = 8;
}
static void
type_requires_unlisted_field(struct parts *p)
{
	p->types[1].required = 2;
}
static void
no_shape(struct parts *p)
{
	p->desc.shape = NULL;
}
static void
shape_with_own_name(struct parts *p)
{
	p->shape[1].name = "_b";
}
static void
shape_with_updated_at(struct parts *p)
{
	p->shape[1].name = "updatedAt";
}
static void
shape_twice(struct parts *p)
{
	p->shape[1].name = "a";
}
static void
index_of_nothing(struct parts *p)
{
	p->indexes[0].field = "c";
}
static void
index_of_a_list(struct parts *p)
{
	p->shape[1].type = PJ_SERVED_LIST;
	p->indexes[0].field = p->shape[1].name;
}
static void
index_named_like_a_parameter(struct parts *p)
{
	p->shape[1].name = "limit";
	p->indexes[0].field = "limit";
}
static void
index_named_like_an_operator(struct parts *p)
{
	p->shape[1].name = "$where";
	p->indexes[0].field = "$where";
}
static void
set_named_oddly(struct parts *p)
{
	p->field_sets[0].name = "Card";
}
static void
set_of_nothing(struct parts *p)
{
	p->set_fields[0] = NULL;
}
static void
set_without_a_list(struct parts *p)
{
	p->field_sets[0].fields = NULL;
}
static void
set_of_an_unknown_field(struct parts *p)
{
	p->set_fields[1] = "c";
}
static void
set_of_the_id(struct parts *p)
{
	p->set_fields[1] = "id";
}
static void
set_with_a_field_twice(struct parts *p)
{
	p->set_fields[2] = "b";
}
static void
set_twice(struct parts *p)
{
	p->field_sets[1] = p->field_sets[0];
}
static void
nine_sets(struct parts *p)
{
	static const char *const names[] = {"a", "b", "c", "d", "e",
					    "f", "g", "h", "i"};

	for (size_t i = 0; i < COUNT(names); i++)
		p->field_sets[i] =
			(struct pj_field_set){names[i], p->set_fields};
}
static void
index_named_like_the_sets_parameter(struct parts *p)
{
	p->shape[1].name = "fields";
	p->indexes[0].field = "fields";
	p->set_fields[0] = "fields";
}
static void
default_out_of_range(struct parts *p)
{
	p->options[0].def = 9;
}

static const struct {
	void (*spoil)(struct parts *p);
	const char *said; /* behind "dir/things.so: " */
} cases[] = {
	{no_name, "name: expected things, found none"},
	{other_name, "name: expected things, found thing"},
	{version_zero, "version: expected 1 or more, found 0"},
	{version_huge, "version: expected 1 or more, found 2147483648"},
	{no_summary, "summary: expected text, found none"},
	{no_key_function, "key: expected a function, found none"},
	{no_fold_function, "fold: expected a function, found none"},
	{no_reads, "reads: expected a topic, found none"},
	{no_topic, "reads: expected a topic, found none"},
	{no_types_read,
	 "reads: expected types of the 2 of topic things, found none"},
	{unknown_type_read, "reads: expected types of the 2 of topic "
			    "things, found others"},
	{topic_twice, "reads: expected each topic once, found things "
		      "twice"},
	{topic_of_another_size, "size of a topic: expected 48, found 8"},
	{topic_without_name,
	 "name of a topic: expected 1 to 249 bytes, found none"},
	{too_many_fields, "fields of a topic or list: expected 1 to "
			  "64, found 65"},
	{too_many_types, "things: expected 1 to 64 event types, found 65"},
	{field_without_name, "name of a field: expected text, found none at 1"},
	{field_of_no_type, "b: expected a type of enum pj_type, found 99"},
	{list_without_items, "fields of a topic or list: expected 1 "
			     "to 64, found 0"},
	{list_requires_unknown_item,
	 "c: expected required items among 1 fields, found others"},
	{type_without_name,
	 "things: expected a name of event type 1, found none"},
	{type_with_unknown_field,
	 "Made: expected fields among the topic's 3, found others"},
	{type_requires_unlisted_field,
	 "Gone: expected required and not_null among its fields, "
	 "found others"},
	{no_shape, "shape: expected a field, found none"},
	{shape_with_own_name, "shape: expected names other than id, "
			      "updatedAt and _…, found _b"},
	{shape_with_updated_at, "shape: expected names other than id, "
				"updatedAt and _…, found updatedAt"},
	{shape_twice, "shape: expected each name once, found a twice"},
	{index_of_nothing, "indexes: expected fields of the shape, found c"},
	{index_of_a_list, "indexes: expected a string, an int or a bool, "
			  "found b of another type"},
	{index_named_like_a_parameter,
	 "indexes: expected names without '.' and '$', not ids, limit, "
	 "cursor or fields, found limit"},
	{index_named_like_an_operator,
	 "indexes: expected names without '.' and '$', not ids, limit, "
	 "cursor or fields, found $where"},
	{index_named_like_the_sets_parameter,
	 "indexes: expected names without '.' and '$', not ids, limit, "
	 "cursor or fields, found fields"},
	{set_named_oddly, "field_sets: expected names [a-z][a-z0-9_]{0,31}, "
			  "found 'Card'"},
	{set_of_nothing, "field_sets: expected a field in card, found none"},
	{set_without_a_list,
	 "field_sets: expected a field in card, found none"},
	{set_of_an_unknown_field,
	 "field_sets: expected fields of the shape in card, found c"},
	{set_of_the_id,
	 "field_sets: expected fields of the shape in card, found id"},
	{set_with_a_field_twice,
	 "field_sets: expected each field once in card, found b twice"},
	{set_twice, "field_sets: expected each name once, found card twice"},
	{nine_sets, "field_sets: expected at most 8, found more"},
	{default_out_of_range,
	 "buckets: expected a default from 1 to 8, found 9"},
};

static void
what_does_not_fit_is_refused_by_name(void **state)
{
	char want[PJ_ERROR_TEXT];
	struct parts p;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		parts_fit(&p);
		cases[i].spoil(&p);
		(void)snprintf(want, sizeof(want), "dir/things.so: %s",
			       cases[i].said);
		assert_refused(&p, want);
	}
}

static void
no_descriptor_at_all_is_refused(void **state)
{
	struct module *mod;
	struct pj_error err;

	(void)state;
	assert_int_equal(
		module_adopt(NULL, "things", "things.so", NULL, &mod, &err),
		-1);
	assert_string_equal(err.text, "things.so: descriptor: expected one, "
				      "found NULL");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_abi_major_is_refused),
		cmocka_unit_test(a_newer_abi_minor_is_refused),
		cmocka_unit_test(a_descriptor_below_the_first_size_is_refused),
		cmocka_unit_test(
			the_abi_is_told_before_anything_that_depends_on_it),
		cmocka_unit_test(
			a_descriptor_of_the_first_size_is_not_read_beyond_it),
		cmocka_unit_test(sets_of_fields_are_told_to_readers),
		cmocka_unit_test(
			a_larger_descriptor_of_the_same_version_is_taken),
		cmocka_unit_test(what_does_not_fit_is_refused_by_name),
		cmocka_unit_test(no_descriptor_at_all_is_refused),
	};

	return cmocka_run_group_tests_name("module_check", tests, NULL, NULL);
}
