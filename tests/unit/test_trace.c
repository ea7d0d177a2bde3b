/* SPDX-License-Identifier: Apache-2.0 */
/* traceparent: W3C Trace Context, sections 3.2 and 4.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queryapi/trace.h"

#define ID   "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static bool
read_it(const char *first, const char *second, char id[TRACE_ID_MAX])
{
	static struct http_request req;

	req.n_headers = second ? 2 : 1;
	req.headers[0].name = (struct pj_str){"TraceParent", 11};
	req.headers[0].value = (struct pj_str){first, strlen(first)};
	req.headers[1].name = (struct pj_str){"traceparent", 11};
	if (second)
		req.headers[1].value = (struct pj_str){second, strlen(second)};
	return trace_id_of(&req, id);
}

static void
a_valid_traceparent_gives_its_trace(void **state)
{
	static const char *const rows[] = {
		"00-" ID "-" SPAN "-01",
		"00-" ID "-" SPAN "-00",
		"00-" ID "-" SPAN "-ff",
		/* A version to come is read as far as we know it. */
		"01-" ID "-" SPAN "-01",
		"cc-" ID "-" SPAN "-01-what-ever=else",
	};
	char id[TRACE_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!read_it(rows[i], NULL, id))
			fail_msg("refused: %s", rows[i]);
		assert_string_equal(id, ID);
	}
}

static void
anything_else_is_as_if_it_had_not_been_sent(void **state)
{
	static const char *const rows[] = {
		"",
		"00",
		"00-" ID "-" SPAN,
		"00-" ID "-" SPAN "-0",
		"00-" ID "-" SPAN "-01-x",
		"00-" ID "-" SPAN "-011",
		"cc-" ID "-" SPAN "-01x",
		"ff-" ID "-" SPAN "-01",
		"0g-" ID "-" SPAN "-01",
		"00-" ID "-" SPAN "-0G",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-" ID "-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
		"00-0af7651916cd43dd8448eb211c80319-c" SPAN "-01",
		"00_" ID "-" SPAN "-01",
	};
	char id[TRACE_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (read_it(rows[i], NULL, id))
			fail_msg("taken: %s", rows[i]);
		assert_string_equal(id, "");
	}
	assert_false(
		read_it("00-" ID "-" SPAN "-01", "00-" ID "-" SPAN "-01", id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_valid_traceparent_gives_its_trace),
		cmocka_unit_test(anything_else_is_as_if_it_had_not_been_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
