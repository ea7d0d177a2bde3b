/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the read API that say who may read: addresses, tokens, origins.
 * FILE in an expected text stands for the file's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/settings.h"

#define HASH	    "0123456789abcdefABCDEF000000000000000000000000000000000000000000"
#define TOKEN(more) "token web { sha256 = \"" HASH "\" " more " }"

static struct settings *set;
static struct pj_error err;
static char file[] = "/tmp/test_settings_queryapi.XXXXXX";

static int
load(const char *text, const char *const *overrides, size_t n)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	assert_false(fputs(text, out) < 0);
	assert_int_equal(fclose(out), 0);
	settings_free(set);
	set = NULL;
	return settings_load(file, overrides, n, &set, &err);
}

static void
assert_loads(const char *text)
{
	if (load(text, NULL, 0))
		fail_msg("%s: %s", text, err.text);
}

static void
assert_refused(const char *text, const char *expected)
{
	size_t len = strlen(file);

	if (load(text, NULL, 0) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	if (strncmp(expected, "FILE", 4) == 0) {
		assert_memory_equal(err.text, file, len);
		assert_string_equal(err.text + len, expected + 4);
	} else {
		assert_string_equal(err.text, expected);
	}
}

static int
setup(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 || close(fd) != 0;
}

static int
teardown(void **state)
{
	(void)state;
	settings_free(set);
	return unlink(file);
}

static void
an_open_address_is_a_choice_somebody_made(void **state)
{
	static const char *const loopback[] = {"127.0.0.1:8080", "127.9.9.9:0",
					       "localhost:1", "[::1]:65535",
					       "[::ffff:127.0.0.1]:80"};
	static const char *const open[] = {
		"0.0.0.0:8080",		 "[::]:8080", "10.0.0.1:80",
		"127.0.0.1.evil.com:80", "shop:80",   "[::ffff:10.0.0.1]:80"};
	static const char *const wrong[] = {
		"8080",	       ":8080",	      "localhost",     "localhost:",
		"::1:8080",    "[::1]",	      "[::1:8080",     "host:65536",
		"host:8o",     "300.1.1.1:1", "[127.0.0.1]:1", "a b:1",
		"host:000080", "[]:1"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(*loopback); i++) {
		(void)snprintf(text, sizeof(text),
			       "queryapi { listen = \"%s\" }", loopback[i]);
		assert_loads(text);
		assert_string_equal(set->queryapi.listen, loopback[i]);
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++) {
		(void)snprintf(text, sizeof(text),
			       "queryapi {\n listen = \"%s\" }", open[i]);
		assert_refused(text, "FILE:2: queryapi.listen: not a "
				     "loopback address: a token \"NAME\" "
				     "section (queryapi token makes one), or "
				     "queryapi.public = true, allows it");
		(void)snprintf(text, sizeof(text),
			       "queryapi { listen = \"%s\" }\n" TOKEN(""),
			       open[i]);
		assert_loads(text);
		(void)snprintf(text, sizeof(text),
			       "queryapi { listen = \"%s\" public = true }",
			       open[i]);
		assert_loads(text);
		(void)snprintf(text, sizeof(text),
			       "projector { admin_listen = \"%s\" }", open[i]);
		assert_loads(text);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		(void)snprintf(text, sizeof(text),
			       "queryapi {\n public = true\n listen = \"%s\" }",
			       wrong[i]);
		assert_refused(text, "FILE:3: queryapi.listen: must be "
				     "host:port, with IPv6 as [::1]:8080");
	}
	assert_refused("queryapi {\n admin_listen = \"0.0.0.0:1\" }",
		       "FILE:2: queryapi.admin_listen: not a loopback "
		       "address; queryapi.public = true allows it");
	assert_loads("projector { admin_listen = \"\" }");
	assert_refused("queryapi {\n admin_listen = \"127.0.0.1:8080\" }",
		       "FILE:2: queryapi.admin_listen: the same address as "
		       "queryapi.listen");
	assert_loads("queryapi { listen = \"127.0.0.1:0\" "
		     "admin_listen = \"127.0.0.1:0\" }");
	/* A token is not what the admin listener asks for. */
	assert_refused(
		"queryapi {\n admin_listen = \"0.0.0.0:1\" }\n" TOKEN(""),
		"FILE:2: queryapi.admin_listen: not a loopback "
		"address; queryapi.public = true allows it");
}

static void
a_token_has_a_hash_and_a_scope(void **state)
{
	(void)state;
	assert_loads(TOKEN("views = {shop, \"stock\"} key_prefix = \"s-1:\" "
			   "rate = 7"));
	assert_int_equal(set->n_tokens, 1);
	assert_string_equal(set->tokens[0].name, "web");
	assert_string_equal(set->tokens[0].sha256, HASH);
	assert_int_equal(set->tokens[0].n_views, 2);
	assert_string_equal(set->tokens[0].views[1], "stock");
	assert_string_equal(set->tokens[0].key_prefix, "s-1:");
	assert_int_equal(set->tokens[0].rate, 7);
	assert_loads(TOKEN(""));
	assert_int_equal(set->tokens[0].n_views, 0);
	assert_string_equal(set->tokens[0].key_prefix, "");
}

static void
a_token_without_a_hash_is_refused_and_no_hash_is_shown(void **state)
{
	static const char *const bad[] = {
		"token web { }", "token web { sha256 = \"\" }",
		"token web { sha256 = \"0123\" }",
		"token web { sha256 = \"" HASH "0\" }"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i], "FILE:1: token 'web'.sha256: must be 64 "
				       "hexadecimal digits (queryapi token "
				       "makes a token and its hash)");
	assert_refused(TOKEN("views = {Shop}"),
		       "FILE:1: token 'web'.views: not a view's name");
}

static void
a_hash_is_not_printed(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_loads(TOKEN("views = {shop}"));
	assert_non_null(out);
	settings_print(set, out);
	assert_int_equal(fclose(out), 0);
	assert_null(strstr(text, "0123456789"));
	assert_non_null(strstr(text, "\tsha256 = \"***\"\n"));
	assert_non_null(strstr(text, "\tviews = {\"shop\"}\n"));
	free(text);
}

static void
the_later_list_replaces_the_earlier(void **state)
{
	const char *const args[] = {
		"queryapi.cors_origins=https://c,http://d:1"};
	const char *const none[] = {"queryapi.cors_origins="};
	const char *text =
		"queryapi { cors_origins = {\"https://a\", \"https://b\"} }";

	(void)state;
	assert_loads(text);
	assert_int_equal(set->queryapi.n_cors_origins, 2);
	assert_string_equal(set->queryapi.cors_origins[1], "https://b");
	assert_int_equal(load(text, args, 1), 0);
	assert_int_equal(set->queryapi.n_cors_origins, 2);
	assert_string_equal(set->queryapi.cors_origins[0], "https://c");
	assert_string_equal(set->queryapi.cors_origins[1], "http://d:1");
	assert_int_equal(load(text, none, 1), 0);
	assert_int_equal(set->queryapi.n_cors_origins, 0);
	assert_loads("queryapi { cors_origins = \"*\" }");
	assert_int_equal(set->queryapi.n_cors_origins, 1);
	assert_refused("queryapi {\n cors_origins = {\"https://a\", \"\"} }",
		       "FILE:2: queryapi.cors_origins: entry 2 is empty");
}

static void
a_page_names_its_views_in_order(void **state)
{
	const char *const later[] = {"page.shop.parts=stock"};
	const char *const new[] = {"page.two.parts=a,b"};

	(void)state;
	assert_loads("page shop { parts = {\"shop\", stock} }");
	assert_int_equal(set->n_pages, 1);
	assert_string_equal(set->pages[0].name, "shop");
	assert_int_equal(set->pages[0].n_parts, 2);
	assert_string_equal(set->pages[0].parts[0], "shop");
	assert_string_equal(set->pages[0].parts[1], "stock");
	assert_int_equal(set->queryapi.part_timeout_ms, 250);
	assert_int_equal(load("page shop { parts = {\"shop\"} }", later, 1), 0);
	assert_int_equal(set->pages[0].n_parts, 1);
	assert_string_equal(set->pages[0].parts[0], "stock");
	assert_int_equal(load("page shop { parts = {a} }", new, 1), 0);
	assert_int_equal(set->n_pages, 2);
	assert_loads("page p { parts = {a, b, c, d, e, f, g, h} }");
	assert_loads("");
	assert_int_equal(set->n_pages, 0);
}

static void
a_page_that_cannot_be_is_refused_where_it_stands(void **state)
{
	static const char names[] =
		"a name is a lower-case letter, then up to 31 of a-z, 0-9 and "
		"_";
	char text[256];

	(void)state;
	(void)snprintf(text, sizeof(text), "FILE:2: page 'Shop': %s", names);
	assert_refused("\npage Shop { parts = {shop} }", text);
	assert_refused("page shop {\n parts = {shop, stock, shop} }",
		       "FILE:2: page 'shop'.parts: a view is here twice");
	assert_refused("page shop { }",
		       "FILE:1: page 'shop'.parts: a page has 1 to 8 views");
	assert_refused("page shop {\n parts = {} }",
		       "FILE:2: page 'shop'.parts: a page has 1 to 8 views");
	assert_refused("page p { parts = {a, b, c, d, e, f, g, h, i} }",
		       "FILE:1: page 'p'.parts: a page has 1 to 8 views");
	assert_refused("page shop {\n\n parts = {Shop} }",
		       "FILE:3: page 'shop'.parts: not a view's name");
	assert_refused("page shop { parts = {pages} }",
		       "FILE:1: page 'shop'.parts: not a view's name");
	assert_refused("page a { parts = {x} }\npage a { parts = {y} }",
		       "FILE:2: page 'a' is here a second time (first in line "
		       "1)");
}

static void
a_part_is_waited_for_less_than_a_request(void **state)
{
	(void)state;
	assert_refused("page a { parts = {x} }\n"
		       "queryapi {\n part_timeout_ms = 5s }",
		       "FILE:3: queryapi.part_timeout_ms: must be less than "
		       "request_timeout_ms");
	/* Without pages nobody waits for parts. */
	assert_loads("queryapi { request_timeout_ms = 100ms }");
	assert_loads("page a { parts = {x} }\n"
		     "queryapi { request_timeout_ms = 251ms }");
}

static void
an_origin_that_no_browser_sends_is_refused(void **state)
{
	static const char *const bad[] = {
		"https://A", "https://a/",	 "a",		"null",
		"https://",  "*\", \"https://a", "https://a b", "https://*.b"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text),
			       "queryapi { cors_origins = {\"%s\"} }", bad[i]);
		assert_refused(text,
			       "FILE:1: queryapi.cors_origins: either \"*\" "
			       "alone, or origins in lower case without a "
			       "path, as \"https://shop.example:8443\"");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_address_is_a_choice_somebody_made),
		cmocka_unit_test(a_token_has_a_hash_and_a_scope),
		cmocka_unit_test(
			a_token_without_a_hash_is_refused_and_no_hash_is_shown),
		cmocka_unit_test(a_hash_is_not_printed),
		cmocka_unit_test(the_later_list_replaces_the_earlier),
		cmocka_unit_test(an_origin_that_no_browser_sends_is_refused),
		cmocka_unit_test(a_page_names_its_views_in_order),
		cmocka_unit_test(
			a_page_that_cannot_be_is_refused_where_it_stands),
		cmocka_unit_test(a_part_is_waited_for_less_than_a_request),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
