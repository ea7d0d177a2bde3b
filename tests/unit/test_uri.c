/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: split first, decoded afterwards, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "queryapi/uri.h"

static struct uri uri;
static char space[4096];

static int
parse(const char *target)
{
	const char *detail = NULL;
	int rc = uri_parse((struct pj_str){target, strlen(target)}, space, &uri,
			   &detail);

	assert_int_equal(rc < 0, detail != NULL);
	return rc;
}

static void
assert_str(struct pj_str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

static void
a_path_is_split_at_raw_slashes_only(void **state)
{
	(void)state;
	assert_int_equal(parse("/v1/shop/a%2Fb%3fc"), 0);
	assert_int_equal(uri.n_segments, 3);
	assert_str(uri.segments[0], "v1");
	assert_str(uri.segments[2], "a/b?c");
	assert_int_equal(uri.n_params, 0);
}

static void
empty_segments_are_kept(void **state)
{
	(void)state;
	assert_int_equal(parse("/"), 0);
	assert_int_equal(uri.n_segments, 1);
	assert_int_equal(parse("/v1//x/"), 0);
	assert_int_equal(uri.n_segments, 4);
	assert_str(uri.segments[1], "");
	assert_str(uri.segments[3], "");
}

static void
more_segments_than_any_route_has_are_told(void **state)
{
	(void)state;
	assert_int_equal(parse("/1/2/3/4/5/6/7/8"), 0);
	assert_int_equal(uri.n_segments, URI_MAX_SEGMENTS);
	assert_int_equal(parse("/1/2/3/4/5/6/7/8/9/10"), 0);
	assert_int_equal(uri.n_segments, URI_MAX_SEGMENTS + 1);
}

static void
names_in_any_script_are_read(void **state)
{
	(void)state;
	assert_int_equal(parse("/%EA%B0%80"), 0);
	assert_str(uri.segments[0], "\xea\xb0\x80");
	assert_int_equal(parse("/a+b:c@d!$&'()*,;=~"), 0);
	assert_str(uri.segments[0], "a+b:c@d!$&'()*,;=~");
}

static void
what_is_no_path_is_refused(void **state)
{
	static const char *const bad[] = {
		"",	   "x",
		"*",	   "/a%",
		"/a%2",	   "/a%zz",
		"/a%-1",   "/a%00b",
		"/%00",	   "/%ff",
		"/%c0%af", "/%ed%a0%80",
		"/%ea%b0", "/%f4%90%80%80",
		"/a/./b",  "/a/../b",
		"/..",	   "/%2e%2E/b",
		"/a/.%2e", "/a#b",
		"/a b",	   "/a\"",
		"/a<b>",   "/a\\b",
		"/a|b",	   "/a[1]",
		"/{x}",	   "/\xea\xb0\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i]) == 0)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(parse("/..."), 0);
	assert_int_equal(parse("/.a"), 0);
}

/* RFC 9112, 3.2.2; RFC 9110, 4.2. */
static void
an_absolute_target_is_its_path_when_its_host_can_be_one(void **state)
{
	static const char *const bad[] = {
		"http:/a",	"http:a/b",	"http://",	"http:///a",
		"http://:80/a", "ftp://a/b",	"http://u@a/b", "http://a:b/c",
		"://a/b",	"http://a b/c", "http://[::1/b"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i]) == 0)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(parse("HTTPS://a:1/v/w?x=1"), 0);
	assert_int_equal(uri.n_segments, 2);
	assert_int_equal(uri.n_params, 1);
	assert_int_equal(parse("http://[::1]"), 0);
	assert_int_equal(uri.n_segments, 1);
	assert_int_equal(uri.segments[0].len, 0);
	assert_int_equal(parse("http://a?x=/b"), 0);
	assert_int_equal(uri.n_segments, 1);
	assert_int_equal(uri.n_params, 1);
}

static void
parameters_keep_their_raw_value(void **state)
{
	(void)state;
	assert_int_equal(parse("/v?i%64s=a%2Cb,c&x&y=1=2?/"), 0);
	assert_int_equal(uri.n_params, 3);
	assert_str(uri.params[0].name, "ids");
	assert_str(uri.params[0].raw, "a%2Cb,c");
	assert_str(uri.params[1].name, "x");
	assert_int_equal(uri.params[1].raw.len, 0);
	assert_str(uri.params[2].raw, "1=2?/");
	assert_int_equal(parse("/v?"), 0);
	assert_int_equal(uri.n_params, 0);
}

static void
a_parameter_may_come_once(void **state)
{
	(void)state;
	assert_int_equal(parse("/v?a=1&b=2&a=3"), -1);
	assert_int_equal(parse("/v?a=1&%61=3"), -1);
	assert_int_equal(parse("/v?&&"), -1);
}

static void
sixteen_parameters_are_enough(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	buf_addstr(&text, "/v?p0");
	for (int i = 1; i < URI_MAX_PARAMS; i++)
		buf_printf(&text, "&p%d=%d", i, i);
	assert_int_equal(parse(text.data), 0);
	buf_addstr(&text, "&more");
	assert_int_equal(parse(text.data), -1);
	buf_release(&text);
}

static void
bad_queries_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("/v?a=#"), -1);
	assert_int_equal(parse("/v?a=[]"), -1);
	assert_int_equal(parse("/v?%=1"), -1);
	assert_int_equal(parse("/v?%ff=1"), -1);
}

static void
a_list_item_is_decoded_by_itself(void **state)
{
	const char *detail = NULL;
	struct pj_str text;

	(void)state;
	assert_int_equal(uri_decode((struct pj_str)PJ_STR("a%2Cb%25"), space,
				    &text, &detail),
			 0);
	assert_str(text, "a,b%");
	assert_int_equal(
		uri_decode((struct pj_str)PJ_STR("%e"), space, &text, &detail),
		-1);
	assert_non_null(detail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_split_at_raw_slashes_only),
		cmocka_unit_test(empty_segments_are_kept),
		cmocka_unit_test(more_segments_than_any_route_has_are_told),
		cmocka_unit_test(names_in_any_script_are_read),
		cmocka_unit_test(what_is_no_path_is_refused),
		cmocka_unit_test(
			an_absolute_target_is_its_path_when_its_host_can_be_one),
		cmocka_unit_test(parameters_keep_their_raw_value),
		cmocka_unit_test(a_parameter_may_come_once),
		cmocka_unit_test(sixteen_parameters_are_enough),
		cmocka_unit_test(bad_queries_are_refused),
		cmocka_unit_test(a_list_item_is_decoded_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
