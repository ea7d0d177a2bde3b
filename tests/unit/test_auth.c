/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: what is one, whose it is, what it reaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queryapi/auth.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

/* SHA-256 of "abc" (FIPS 180-4's first example), and of the empty text. */
static struct settings_token tokens[] = {
	{.name = TEXT("none"),
	 .sha256 = TEXT("e3b0c44298fc1c149afbf4c8996fb924"
			"27ae41e4649b934ca495991b7852b855"),
	 .key_prefix = TEXT("")},
	{.name = TEXT("abc"),
	 .sha256 = TEXT("BA7816BF8F01CFEA414140DE5DAE2223"
			"b00361a396177a9cb410ff61f20015ad"),
	 .key_prefix = TEXT("s-1:")},
};

static enum auth_result
check(const char *first, const char *second, size_t *ret_index)
{
	static struct http_request req;
	struct settings set = {.tokens = tokens, .n_tokens = 2};
	struct auth *auth = auth_new(&set);
	enum auth_result got;

	req.n_headers = second ? 2 : first ? 1 : 0;
	for (size_t i = 0; i < req.n_headers; i++) {
		const char *value = i ? second : first;

		req.headers[i].name = (struct pj_str){"Authorization", 13};
		req.headers[i].value = (struct pj_str){value, strlen(value)};
	}
	got = auth_check(auth, &req, ret_index);
	auth_free(auth);
	return got;
}

static void
a_token_is_found_by_its_hash(void **state)
{
	size_t index = 9;

	(void)state;
	assert_int_equal(check("Bearer abc", NULL, &index), AUTH_OK);
	assert_int_equal(index, 1);
	assert_int_equal(check("bEARER  abc", NULL, &index), AUTH_OK);
}

static void
what_is_no_token_is_told_apart(void **state)
{
	size_t index;

	(void)state;
	assert_int_equal(check(NULL, NULL, &index), AUTH_MISSING);
	assert_int_equal(check("", NULL, &index), AUTH_MISSING);
	assert_int_equal(check("Basic abc", NULL, &index), AUTH_MISSING);
	assert_int_equal(check("Bearerabc", NULL, &index), AUTH_MISSING);
	assert_int_equal(check("Bearer\tabc", NULL, &index), AUTH_MISSING);
	/* Not even where somebody configured the hash of nothing. */
	assert_int_equal(check("Bearer", NULL, &index), AUTH_MALFORMED);
	assert_int_equal(check("Bearer ==", NULL, &index), AUTH_MALFORMED);
	assert_int_equal(check("Bearer a b", NULL, &index), AUTH_MALFORMED);
	assert_int_equal(check("Bearer a=b", NULL, &index), AUTH_MALFORMED);
	assert_int_equal(check("Bearer abc", "Bearer abc", &index),
			 AUTH_MALFORMED);
	assert_int_equal(check("Bearer abd", NULL, &index), AUTH_UNKNOWN);
	assert_int_equal(check("Bearer abc=", NULL, &index), AUTH_UNKNOWN);
}

static void
every_digit_of_a_hash_counts(void **state)
{
	static char hash[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb"
			     "410ff61f20015ad";
	struct settings_token tok = {.name = TEXT("abc"), .sha256 = hash};
	struct settings set = {.tokens = &tok, .n_tokens = 1};
	struct http_request req = {.n_headers = 1};

	(void)state;
	req.headers[0].name = (struct pj_str){"Authorization", 13};
	req.headers[0].value = (struct pj_str){"Bearer abc", 10};
	for (size_t i = 0; i < sizeof(hash); i++) {
		char was = hash[i];
		struct auth *auth;
		size_t index;

		/* The last round leaves it as it is. */
		if (was)
			hash[i] = was == '0' ? '1' : '0';
		auth = auth_new(&set);
		assert_int_equal(auth_check(auth, &req, &index),
				 was ? AUTH_UNKNOWN : AUTH_OK);
		auth_free(auth);
		hash[i] = was;
	}
}

static struct pj_str
str(const char *s)
{
	return (struct pj_str){s, strlen(s)};
}

static void
a_scope_is_whole_views_and_the_front_of_keys(void **state)
{
	char *views[] = {TEXT("shop"), TEXT("stock")};
	struct settings_token tok = {
		.views = views, .n_views = 2, .key_prefix = TEXT("s-1:")};

	(void)state;
	assert_true(auth_may_view(&tok, str("stock")));
	assert_false(auth_may_view(&tok, str("shop2")));
	assert_false(auth_may_view(&tok, str("sho")));
	assert_false(auth_may_view(&tok, str("")));
	assert_true(auth_may_key(&tok, str("s-1:")));
	assert_true(auth_may_key(&tok, str("s-1:7")));
	assert_false(auth_may_key(&tok, str("s-1")));
	assert_false(auth_may_key(&tok, str("s-10:7")));
	tok.n_views = 0;
	tok.key_prefix = TEXT("");
	assert_true(auth_may_view(&tok, str("any")));
	assert_true(auth_may_key(&tok, str("any")));
}

static void
a_made_token_is_256_random_bits_in_base64url(void **state)
{
	char text[AUTH_TOKEN_TEXT], hash[AUTH_HASH_TEXT];
	char other[AUTH_TOKEN_TEXT], other_hash[AUTH_HASH_TEXT];

	(void)state;
	assert_int_equal(auth_make_token(text, hash), 0);
	assert_int_equal(auth_make_token(other, other_hash), 0);
	assert_int_equal(strlen(text), 3 + 43);
	assert_memory_equal(text, "sv_", 3);
	assert_int_equal(strspn(text + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "abcdefghijklmnopqrstuvwxyz"
					  "0123456789-_"),
			 43);
	assert_int_equal(strlen(hash), 64);
	assert_string_not_equal(text, other);
	assert_string_not_equal(hash, other_hash);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_found_by_its_hash),
		cmocka_unit_test(what_is_no_token_is_told_apart),
		cmocka_unit_test(every_digit_of_a_hash_counts),
		cmocka_unit_test(a_scope_is_whole_views_and_the_front_of_keys),
		cmocka_unit_test(a_made_token_is_256_random_bits_in_base64url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
