/* SPDX-License-Identifier: Apache-2.0 */
/* Modules from files, and their options. */
#include "tests/unit/module_parts.h"

#include <limits.h>
#include <unistd.h>

static void
a_fitting_module_is_taken_with_its_default_options(void **state)
{
	struct module *mod = NULL;
	struct pj_error err = {0};
	struct parts p;

	(void)state;
	parts_fit(&p);
	assert_int_equal(
		module_adopt(&p.desc, "things", "things.so", NULL, &mod, &err),
		0);
	assert_string_equal(mod->desc->name, "things");
	assert_int_equal(mod->options.values[0], 2);
	assert_int_equal(mod->options.values[1], 0);
	assert_true(module_reads_topic(mod, "things"));
	assert_false(module_reads_topic(mod, "thing"));
	module_free(mod);
}

/* ---- Options ---------------------------------------------------------------
 */

/* Takes the module with one option set; returns its value or fails the call. */
static int
with_option(const char *name, const char *value, int64_t *ret_first,
	    struct pj_error *err)
{
	struct settings_pair pair = {mem_strdup(name), mem_strdup(value)};
	struct settings_projection section = {
		.name = (char[]){"things"},
		.options = &pair,
		.n_options = 1,
		.place = (char[]){"shopview.conf:20"},
	};
	struct module *mod;
	struct parts p;
	int rc;

	parts_fit(&p);
	rc = module_adopt(&p.desc, "things", "things.so", &section, &mod, err);
	if (rc == 0) {
		*ret_first = mod->options.values[0];
		module_free(mod);
	}
	free(pair.name);
	free(pair.value);
	return rc;
}

static void
an_option_is_set_up_to_its_borders(void **state)
{
	struct pj_error err;
	int64_t value = 0;

	(void)state;
	assert_int_equal(with_option("buckets", "1", &value, &err), 0);
	assert_int_equal(value, 1);
	assert_int_equal(with_option("buckets", "8", &value, &err), 0);
	assert_int_equal(value, 8);
	assert_int_equal(with_option("most", "-5", &value, &err), 0);
	assert_int_equal(value, 2);
}

static void
an_unknown_option_is_refused_with_the_nearest_name(void **state)
{
	struct pj_error err;
	int64_t value;

	(void)state;
	assert_int_equal(with_option("bucket", "2", &value, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_string_equal(err.text, "shopview.conf:20: unknown option "
				      "'bucket' of projection things (did you "
				      "mean 'buckets'?)");
	assert_int_equal(with_option("zzzzzzzz", "2", &value, &err), -1);
	assert_string_equal(err.text, "shopview.conf:20: unknown option "
				      "'zzzzzzzz' of projection things (it has "
				      "2 options)");
}

static void
an_option_that_is_no_integer_in_range_is_refused(void **state)
{
	static const char *const values[] = {
		"0",   "9",   "",
		" ",   "2 ",  "x",
		"1.5", "0x2", "99999999999999999999"};
	char want[PJ_ERROR_TEXT];
	struct pj_error err;
	int64_t value;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		assert_int_equal(
			with_option("buckets", values[i], &value, &err), -1);
		(void)snprintf(want, sizeof(want),
			       "shopview.conf:20: option buckets of "
			       "projection things: expected an integer from 1 "
			       "to 8, found '%s'",
			       values[i]);
		assert_string_equal(err.text, want);
	}
}

/* ---- Files ------------------------------------------------------------------
 */

/* The build's own modules: BUILD/tests/unit/../../projections. */
static char *
built_modules(void)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(len > 0);
	exe[len] = '\0';
	*strrchr(exe, '/') = '\0';
	return mem_printf("%s/../../projections", exe);
}

struct folder {
	char dir[32];
};

static int
folder_setup(void **state)
{
	struct folder *f = mem_calloc(1, sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_module.XXXXXX");
	*state = f;
	return mkdtemp(f->dir) ? 0 : -1;
}

static int
folder_teardown(void **state)
{
	static const char *const names[] = {"empty", "text", "renamed",
					    "readme", "stock"};
	struct folder *f = *state;

	for (size_t i = 0; i < COUNT(names); i++) {
		char *path = mem_printf("%s/%s.so", f->dir, names[i]);

		(void)unlink(path);
		free(path);
	}
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static void
write_text(const struct folder *f, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", f->dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void
assert_not_loaded(const char *dir, const char *name, const char *want)
{
	struct module *mod = NULL;
	struct pj_error err = {0};

	assert_int_equal(module_load(dir, name, NULL, &mod, &err), -1);
	assert_null(mod);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	if (!strstr(err.text, want))
		fail_msg("\"%s\" does not say \"%s\"", err.text, want);
	assert_null(strchr(err.text, '\n'));
}

static void
every_bundled_module_loads_from_its_file(void **state)
{
	char *dir = built_modules();
	struct pj_error err;
	char **names;
	size_t n;

	(void)state;
	if (module_names(dir, &names, &n, &err))
		fail_msg("%s", err.text);
	assert_true(n >= 10);
	for (size_t i = 0; i < n; i++) {
		struct module *mod;

		if (i)
			assert_true(strcmp(names[i - 1], names[i]) < 0);
		if (module_load(dir, names[i], NULL, &mod, &err))
			fail_msg("%s", err.text);
		assert_string_equal(mod->desc->name, names[i]);
		/* A build without sources' hashes could not tell a change. */
		assert_int_equal(strlen(mod->desc->source_hash), 64);
		module_free(mod);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(dir);
}

static void
a_file_that_is_missing_or_no_module_is_refused(void **state)
{
	const struct folder *f = *state;
	char *missing = mem_printf("no projection 'emtpy' in %s (did you mean "
				   "'empty'?)",
				   f->dir);
	char *empty = mem_printf("%s/empty.so", f->dir);
	char *text = mem_printf("%s/text.so", f->dir);

	write_text(f, "empty.so", "");
	write_text(f, "text.so",
		   "this is no shared object, and long enough "
		   "to hold the header of one, which it is not");
	assert_not_loaded(f->dir, "emtpy", missing);
	assert_not_loaded(f->dir, "empty", empty);
	assert_not_loaded(f->dir, "text", text);
	free(missing);
	free(empty);
	free(text);
}

static void
a_module_under_another_name_lacks_its_entry_function(void **state)
{
	const struct folder *f = *state;
	char *dir = built_modules();
	char *from = mem_printf("%s/stock.so", dir);
	char *to = mem_printf("%s/renamed.so", f->dir);
	char *want = mem_printf(
		"%s: expected the function pj_projection_renamed, found none",
		to);

	assert_int_equal(symlink(from, to), 0);
	assert_not_loaded(f->dir, "renamed", want);
	free(want);
	free(to);
	free(from);
	free(dir);
}

/* FOLDER/NAME.so, a copy as far as anybody can tell. */
static void
put_stock(const struct folder *f, const char *name)
{
	char *dir = built_modules();
	char *from = mem_printf("%s/stock.so", dir);
	char *to = mem_printf("%s/%s.so", f->dir, name);

	assert_int_equal(symlink(from, to), 0);
	free(to);
	free(from);
	free(dir);
}

static void
two_files_that_bring_one_projection_are_a_named_stop(void **state)
{
	const struct folder *f = *state;
	struct pj_error err;
	char want[PJ_ERROR_TEXT];

	put_stock(f, "stock");
	write_text(f, "text.so", "no module, and claims nothing");
	if (module_check_claims(f->dir, "stock", &err))
		fail_msg("%s", err.text);
	put_stock(f, "renamed");
	assert_int_equal(module_check_claims(f->dir, "stock", &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_STOP);
	(void)snprintf(want, sizeof(want),
		       "two modules claim the name of projection stock: "
		       "%s/stock.so and %s/renamed.so; take one of them away",
		       f->dir, f->dir);
	assert_string_equal(err.text, want);
}

static void
a_name_that_is_none_never_becomes_a_path(void **state)
{
	static const char *const names[] = {
		"",	    "../stock",
		"stock.so", "Stock",
		"9",	    "_x",
		"a-b",	    "abcdefghijklmnopqrstuvwxyz0123456"};
	char want[128];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		(void)snprintf(want, sizeof(want),
			       "projection '%s': a name is [a-z][a-z0-9_]"
			       "{0,31}",
			       names[i]);
		assert_not_loaded("/nowhere", names[i], want);
	}
}

static void
a_directory_without_modules_is_refused(void **state)
{
	const struct folder *f = *state;
	struct pj_error err;
	char want[96];
	char **names;
	size_t n;

	assert_int_equal(module_names("/nowhere/at/all", &names, &n, &err), -1);
	assert_string_equal(err.text,
			    "projector.modules: cannot read "
			    "'/nowhere/at/all': No such file or directory");
	assert_int_equal(module_names(f->dir, &names, &n, &err), -1);
	(void)snprintf(want, sizeof(want),
		       "projector.modules: no module in '%s'", f->dir);
	assert_string_equal(err.text, want);
}

/* ---- Code hash
 * --------------------------------------------------------------- */

static void
hash_of(const struct parts *p, const char *option, char out[65])
{
	struct settings_pair pair = {(char[]){"buckets"}, mem_strdup(option)};
	struct settings_projection section = {
		.name = (char[]){"things"}, .options = &pair, .n_options = 1};
	struct module *mod;
	struct pj_error err;

	if (module_adopt(&p->desc, "things", "f", &section, &mod, &err))
		fail_msg("%s", err.text);
	module_code_hash(mod, NULL, out);
	module_free(mod);
	free(pair.value);
}

static void
the_code_hash_changes_with_sources_options_and_version(void **state)
{
	char first[65], other[65];
	struct parts p;

	(void)state;
	parts_fit(&p);
	p.desc.source_hash = "one";
	hash_of(&p, "2", first);
	hash_of(&p, "2", other);
	assert_string_equal(first, other);
	hash_of(&p, "3", other);
	assert_string_not_equal(first, other);
	p.desc.source_hash = "two";
	hash_of(&p, "2", other);
	assert_string_not_equal(first, other);
	p.desc.source_hash = "one";
	p.desc.version = 2;
	hash_of(&p, "2", other);
	assert_string_not_equal(first, other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_fitting_module_is_taken_with_its_default_options),
		cmocka_unit_test(an_option_is_set_up_to_its_borders),
		cmocka_unit_test(
			an_unknown_option_is_refused_with_the_nearest_name),
		cmocka_unit_test(
			an_option_that_is_no_integer_in_range_is_refused),
		cmocka_unit_test(every_bundled_module_loads_from_its_file),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_missing_or_no_module_is_refused,
			folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(
			two_files_that_bring_one_projection_are_a_named_stop,
			folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(
			a_module_under_another_name_lacks_its_entry_function,
			folder_setup, folder_teardown),
		cmocka_unit_test(a_name_that_is_none_never_becomes_a_path),
		cmocka_unit_test_setup_teardown(
			a_directory_without_modules_is_refused, folder_setup,
			folder_teardown),
		cmocka_unit_test(
			the_code_hash_changes_with_sources_options_and_version),
	};

	return cmocka_run_group_tests_name("module", tests, NULL, NULL);
}
