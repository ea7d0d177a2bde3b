/* SPDX-License-Identifier: Apache-2.0 */
/* What people are shown of the audit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "projector/parked_print.h"

static const struct pj_str headers[2] = {{"trace", 5}, {"t-1", 3}};

/* An entry as the store gives it: of what was retried without the bytes. */
static struct store_audit
entry_of(const char *action, bool whole)
{
	struct store_audit entry = {.action = action,
				    .reason = "late",
				    .by = "me@here",
				    .at_ms = 1700000001000,
				    .row = {.unit_type = "document",
					    .unit = {"s-1", 3},
					    .topic = "stock",
					    .partition = 3,
					    .offset = 17,
					    .timestamp_ms = 1700000000000,
					    .type = "Changed",
					    .cause = "missing field",
					    .detail = "",
					    .key_null = !whole,
					    .value_null = !whole}};

	if (whole) {
		entry.row.key = (struct pj_str){"s-1", 3};
		entry.row.value = (struct pj_str){"{\"a\":1}", 7};
		entry.row.headers = headers;
		entry.row.n_headers = 1;
	}
	return entry;
}

static json_t *
audit_json(const struct store_audit *entry)
{
	struct parked_print print = {.reader = archive_reader_new(),
				     .projection = "stock",
				     .number = 1};
	struct buf out = BUF_INIT;
	json_t *root;

	print_audit_json(&out, &print, entry);
	root = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	buf_release(&out);
	archive_reader_free(print.reader);
	return root;
}

static const char *
string_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

static void
what_is_kept_whole_is_shown_whole(void **state)
{
	static const char *const actions[] = {"discarded", "cleared"};

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		struct store_audit entry = entry_of(actions[i], true);
		json_t *root = audit_json(&entry);
		struct buf text = BUF_INIT;

		assert_string_equal(string_of(root, "action"), actions[i]);
		assert_string_equal(string_of(root, "key"), "s-1");
		assert_int_equal(json_integer_value(json_object_get(
					 json_object_get(root, "value"), "a")),
				 1);
		assert_string_equal(
			string_of(json_object_get(root, "headers"), "trace"),
			"t-1");
		json_decref(root);
		print_audit_text(&text, &entry);
		assert_non_null(strstr(text.data, "  header   trace: t-1\n"));
		assert_non_null(strstr(text.data, "  key      s-1\n"));
		assert_non_null(strstr(text.data, "  value    {\"a\":1}\n"));
		buf_release(&text);
	}
}

/* A null key or value would be one of the record's. */
static void
of_what_was_retried_no_bytes_are_shown(void **state)
{
	struct store_audit entry = entry_of("retried", false);
	json_t *root = audit_json(&entry);
	struct buf text = BUF_INIT;

	(void)state;
	assert_string_equal(string_of(root, "action"), "retried");
	assert_int_equal(json_integer_value(json_object_get(root, "offset")),
			 17);
	assert_null(json_object_get(root, "key"));
	assert_null(json_object_get(root, "value"));
	json_decref(root);
	print_audit_text(&text, &entry);
	assert_non_null(strstr(text.data, "stock/3@17"));
	assert_null(strstr(text.data, "  key "));
	assert_null(strstr(text.data, "  value "));
	buf_release(&text);
}

/* Of a generation as a whole, not of a record. */
static void
an_adoption_names_the_code_alone(void **state)
{
	struct store_audit entry = entry_of("adopted", false);
	json_t *root;

	(void)state;
	entry.row.unit_type = "generation";
	entry.row.detail = "code-2";
	root = audit_json(&entry);
	assert_string_equal(string_of(root, "detail"), "code-2");
	assert_string_equal(string_of(root, "reason"), "late");
	assert_null(json_object_get(root, "offset"));
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_whole_is_shown_whole),
		cmocka_unit_test(of_what_was_retried_no_bytes_are_shown),
		cmocka_unit_test(an_adoption_names_the_code_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
