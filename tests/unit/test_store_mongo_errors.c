/* SPDX-License-Identifier: Apache-2.0 */
/* MongoDB's codes and labels to classes, and what a URI may not say. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/store_mongo.h"

struct code_case {
	uint32_t domain;
	uint32_t code;
	const char *label; /* NULL: none */
	enum pj_error_class want;
};

static enum pj_error_class
class_of(uint32_t domain, uint32_t code, const char *label)
{
	bson_error_t error = {.domain = domain, .code = code};
	bson_t reply = BSON_INITIALIZER, labels;
	enum pj_error_class cls;

	if (label) {
		bson_append_array_begin(&reply, "errorLabels", -1, &labels);
		bson_append_utf8(&labels, "0", 1, label, -1);
		bson_append_array_end(&reply, &labels);
	}
	cls = mongo_error_class(&error, &reply);
	bson_destroy(&reply);
	return cls;
}

static const struct code_case code_cases[] = {
	/* Elections, shutdown, time-outs. */
	{MONGOC_ERROR_SERVER, 6, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 50, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 64, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 91, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 189, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 10107, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 11600, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 11602, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 13435, NULL, PJ_ERROR_RETRY},
	/* Nobody foresaw it: an outage. */
	{MONGOC_ERROR_SERVER, 987654, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 0, NULL, PJ_ERROR_RETRY},
	/* A person has to act. */
	{MONGOC_ERROR_SERVER, 13, NULL, PJ_ERROR_CONFIG},
	{MONGOC_ERROR_SERVER, 18, NULL, PJ_ERROR_CONFIG},
	{MONGOC_ERROR_SERVER, 20, NULL, PJ_ERROR_CONFIG},
	{MONGOC_ERROR_SERVER, 73, NULL, PJ_ERROR_CONFIG},
	/* Our command is wrong. */
	{MONGOC_ERROR_SERVER, 2, NULL, PJ_ERROR_FATAL},
	{MONGOC_ERROR_SERVER, 9, NULL, PJ_ERROR_FATAL},
	{MONGOC_ERROR_SERVER, 15, NULL, PJ_ERROR_FATAL},
	{MONGOC_ERROR_SERVER, 40415, NULL, PJ_ERROR_FATAL},
	/* The server's label is stronger than the code. */
	{MONGOC_ERROR_SERVER, 2, "RetryableWriteError", PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 13, "TransientTransactionError", PJ_ERROR_RETRY},
	{MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_TOO_BIG, "NetworkError",
	 PJ_ERROR_RETRY},
	{MONGOC_ERROR_SERVER, 13, "SomethingElse", PJ_ERROR_CONFIG},
	/* The client's own. */
	{MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_FAILURE,
	 NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, NULL, PJ_ERROR_RETRY},
	{MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_SESSION_FAILURE, NULL,
	 PJ_ERROR_RETRY},
	{MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, NULL,
	 PJ_ERROR_CONFIG},
	{MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_TOO_BIG, NULL,
	 PJ_ERROR_FATAL},
	{MONGOC_ERROR_SCRAM, 1, NULL, PJ_ERROR_CONFIG},
	{MONGOC_ERROR_SASL, 1, NULL, PJ_ERROR_CONFIG},
	{MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION, NULL,
	 PJ_ERROR_CONFIG},
	{MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY, NULL,
	 PJ_ERROR_RETRY},
	{MONGOC_ERROR_BSON, 1, NULL, PJ_ERROR_FATAL},
	{MONGOC_ERROR_COMMAND, MONGOC_ERROR_COMMAND_INVALID_ARG, NULL,
	 PJ_ERROR_FATAL},
};

static void
each_code_has_its_class(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(code_cases) / sizeof(code_cases[0]); i++) {
		enum pj_error_class cls =
			class_of(code_cases[i].domain, code_cases[i].code,
				 code_cases[i].label);

		if (cls != code_cases[i].want)
			fail_msg("domain %u code %u label %s: class %d, not %d",
				 code_cases[i].domain, code_cases[i].code,
				 code_cases[i].label ? code_cases[i].label
						     : "-",
				 (int)cls, (int)code_cases[i].want);
	}
}

static void
a_code_is_the_same_without_a_reply(void **state)
{
	bson_error_t error = {.domain = MONGOC_ERROR_SERVER, .code = 13};

	(void)state;
	assert_int_equal(mongo_error_class(&error, NULL), PJ_ERROR_CONFIG);
}

/* ---- Refusals ---------------------------------------------------------- */

static bool
is_refusal(const char *json)
{
	bson_error_t error;
	bson_t *entry = bson_new_from_json((const uint8_t *)json, -1, &error);
	bool refusal;

	if (!entry)
		fail_msg("%s: %s", json, error.message);
	refusal = mongo_is_refusal(entry);
	bson_destroy(entry);
	return refusal;
}

static bool
code_is_refusal(int32_t code)
{
	char json[64];

	(void)snprintf(json, sizeof(json), "{\"index\": 0, \"code\": %d}",
		       (int)code);
	return is_refusal(json);
}

static void
what_keeps_a_document_out_for_good_is_a_refusal_and_no_outage_is(void **state)
{
	static const int32_t yes[] = {
		2,   52,    57,	   10334, 17280, 17419, 17420, /* its bytes */
		121,					       /* validator */
		171, 13027, 16755, 16766, 16804, 17262,	       /* indexes */
	};
	static const int32_t no[] = {0,	 -1, 11000, 112,   50,
				     64, 91, 189,   10107, 987654};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(code_is_refusal(yes[i]));
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(code_is_refusal(no[i]));
	assert_false(is_refusal("{}"));
}

/* One of `_id` is another owner's write, or our own that was not told of. */
static void
a_duplicate_key_is_a_refusal_by_any_index_but_that_of_the_id(void **state)
{
	static const struct {
		const char *pattern;
		bool refusal;
	} cases[] = {
		{"{\"_id\": 1}", false},
		{"{\"name\": 1}", true},
		{"{\"_id\": 1, \"name\": 1}", true},
		{"{\"name\": 1, \"_id\": 1}", true},
		{"{\"_id.x\": 1}", true},
		{"{}", false},
		{"1", false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char json[160];

		(void)snprintf(json, sizeof(json),
			       "{\"code\": 11000, \"keyPattern\": %s}",
			       cases[i].pattern);
		if (is_refusal(json) != cases[i].refusal)
			fail_msg("%s", json);
	}
}

/* What the server says of a document whole may be megabytes. */
static void
a_refusal_is_told_with_its_beginning_and_its_end(void **state)
{
	enum { LEN = 5000 };
	char text[LEN + 1] = "", *told;
	bson_t entry = BSON_INITIALIZER, info, details;

	(void)state;
	for (int i = 0; i < LEN / 2; i++)
		memcpy(text + (size_t)2 * (size_t)i, "\xc3\xa9", 3);
	memcpy(text, "Can't extract geo keys: ", 24);
	memcpy(text + LEN - 10, " at index!", 11);
	bson_append_utf8(&entry, "errmsg", -1, text, -1);
	bson_append_document_begin(&entry, "errInfo", -1, &info);
	bson_append_document_begin(&info, "details", -1, &details);
	bson_append_utf8(&details, "operatorName", -1, "$jsonSchema", -1);
	bson_append_document_end(&info, &details);
	bson_append_document_end(&entry, &info);
	told = mongo_refusal_text(&entry);
	assert_true(strlen(told) < 270);
	assert_true(bson_utf8_validate(told, strlen(told), false));
	assert_int_equal(strncmp(told, "Can't extract geo keys: ", 24), 0);
	assert_non_null(strstr(told, "\xc3\xa9 ... \xc3\xa9"));
	assert_non_null(strstr(told, " at index!: $jsonSchema"));
	free(told);
	bson_destroy(&entry);
	told = mongo_refusal_text(
		&(bson_t)BSON_INITIALIZER); /* it may say nothing */
	assert_string_equal(told, "error 0");
	free(told);
}

/* ---- URIs -------------------------------------------------------------- */

static int
open_uri(const char *uri, struct pj_error *err)
{
	struct store_settings settings = {.type = STORE_MONGODB,
					  .uri = uri,
					  .database = "shopview",
					  .app_name = "test"};
	struct store *store;

	if (store_open(&settings, &store, err))
		return -1;
	store_close(store);
	return 0;
}

static void
a_uri_against_the_protocol_is_refused_by_name(void **state)
{
	static const char *const cases[][2] = {
		{"mongodb://h/?w=1", "w ("},
		{"mongodb://h/?w=0", "w ("},
		{"mongodb://h/?w=2&wtimeoutMS=5", "w ("},
		{"mongodb://h/?w=mytag", "w ("},
		{"mongodb://h/?journal=false", "journal"},
		{"mongodb://h/?readConcernLevel=local", "readConcernLevel"},
		{"mongodb://h/?readConcernLevel=linearizable",
		 "readConcernLevel"},
		{"mongodb://h/?readPreference=secondary", "readPreference"},
		{"mongodb://h/?readPreference=primaryPreferred",
		 "readPreference"},
		{"http://h/", "uri"},
		{"", "uri"},
	};
	struct pj_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (open_uri(cases[i][0], &err) == 0)
			fail_msg("%s was accepted", cases[i][0]);
		assert_int_equal(err.cls, PJ_ERROR_CONFIG);
		assert_non_null(strstr(err.text, cases[i][1]));
	}
}

static void
a_uri_that_says_what_the_protocol_does_is_accepted(void **state)
{
	static const char *const uris[] = {
		"mongodb://127.0.0.1:1/?replicaSet=rs0",
		"mongodb://127.0.0.1:1/?w=majority&journal=true"
		"&readConcernLevel=majority&readPreference=primary",
		"mongodb://127.0.0.1:1/?maxPoolSize=5&compressors=zlib"
		"&appName=mine&retryWrites=false",
	};
	struct pj_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
		if (open_uri(uris[i], &err))
			fail_msg("%s: %s", uris[i], err.text);
}

static void
a_refused_uri_is_not_told_in_the_error(void **state)
{
	struct pj_error err;

	(void)state;
	assert_int_equal(open_uri("mongodb://me:s3cr3t@h/?w=1", &err), -1);
	assert_null(strstr(err.text, "s3cr3t"));
	assert_int_equal(open_uri("mongodb://me:s3cr3t@h:x/", &err), -1);
	assert_null(strstr(err.text, "s3cr3t"));
	assert_int_equal(open_uri("mongodb://me:s3cr3t%zz@h/", &err), -1);
	assert_null(strstr(err.text, "s3cr3t"));
}

static void
a_store_opens_without_a_server_and_its_first_call_is_an_outage(void **state)
{
	struct store_settings settings = {
		.type = STORE_MONGODB,
		.uri = "mongodb://127.0.0.1:1/"
		       "?serverSelectionTimeoutMS=100&replicaSet=rs0",
		.database = "shopview"};
	struct store_doc doc = {.key = {"a", 1}};
	struct store *store;
	struct store_session *ses;
	struct pj_error err = {0};

	(void)state;
	assert_int_equal(store_open(&settings, &store, &err), 0);
	assert_int_equal(store_session_open(store, &ses, &err), 0);
	assert_int_equal(store_load(ses, "stock.1", &doc, 1, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_RETRY);
	assert_int_equal(store_check(ses, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_RETRY);
	store_session_close(ses);
	store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_its_class),
		cmocka_unit_test(a_code_is_the_same_without_a_reply),
		cmocka_unit_test(
			what_keeps_a_document_out_for_good_is_a_refusal_and_no_outage_is),
		cmocka_unit_test(
			a_duplicate_key_is_a_refusal_by_any_index_but_that_of_the_id),
		cmocka_unit_test(
			a_refusal_is_told_with_its_beginning_and_its_end),
		cmocka_unit_test(a_uri_against_the_protocol_is_refused_by_name),
		cmocka_unit_test(
			a_uri_that_says_what_the_protocol_does_is_accepted),
		cmocka_unit_test(a_refused_uri_is_not_told_in_the_error),
		cmocka_unit_test(
			a_store_opens_without_a_server_and_its_first_call_is_an_outage),
	};

	return cmocka_run_group_tests_name("store_mongo_errors", tests, NULL,
					   NULL);
}
