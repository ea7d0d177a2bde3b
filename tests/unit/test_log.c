/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

static int real_stderr = -1;
static int pipe_fds[2];
static char got[8192];

/* Lines are short of a pipe's capacity, so writing never waits. */
static void
capture_start(void)
{
	assert_int_equal(pipe(pipe_fds), 0);
	real_stderr = dup(STDERR_FILENO);
	assert_true(real_stderr >= 0);
	assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	(void)close(pipe_fds[1]);
}

static const char *
capture_end(void)
{
	size_t len = 0;
	ssize_t n;

	(void)dup2(real_stderr, STDERR_FILENO);
	(void)close(real_stderr);
	while ((n = read(pipe_fds[0], got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(pipe_fds[0]);
	got[len] = '\0';
	return got;
}

/* "ts=2026-01-02T03:04:05.678Z" */
static void
assert_timestamp(const char *s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	for (size_t i = 0; form[i]; i++) {
		if (form[i] == 'd')
			assert_in_range(s[i], '0', '9');
		else
			assert_int_equal(s[i], form[i]);
	}
}

static void
a_logfmt_line_has_a_fixed_head_and_then_the_fields(void **state)
{
	const char *line;

	(void)state;
	log_setup("projector", LOG_INFO, LOG_LOGFMT);
	capture_start();
	log_info("batch.written", "docs=%d ms=%d", 3, 12);
	log_warn("bare", "%s", "");
	line = capture_end();
	assert_memory_equal(line, "ts=", 3);
	assert_timestamp(line + 3);
	line += 3 + 24;
	assert_memory_equal(
		line,
		" level=info prog=projector event=batch.written docs=3 "
		"ms=12\nts=",
		63);
	assert_string_equal(line + 63 + 24,
			    " level=warn prog=projector event=bare\n");
}

static void
lines_below_the_level_are_not_written(void **state)
{
	const char *line;

	(void)state;
	log_setup("projector", LOG_WARN, LOG_LOGFMT);
	assert_false(log_enabled(LOG_DEBUG));
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_WARN));
	assert_true(log_enabled(LOG_ERROR));
	capture_start();
	log_debug("a", "x=1");
	log_info("b", "x=1");
	log_error("c", "x=1");
	line = capture_end();
	assert_null(strstr(line, "event=a"));
	assert_null(strstr(line, "event=b"));
	assert_non_null(strstr(line, "level=error prog=projector event=c x=1"));
}

/* Reads the one captured line back with a JSON reader. */
static json_t *
captured_json(const char *fields)
{
	const char *line;
	json_t *json;

	log_setup("queryapi", LOG_INFO, LOG_JSON);
	capture_start();
	log_info("some.event", "%s", fields);
	line = capture_end();
	assert_true(strlen(line) <= 2048);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	return json;
}

static void
a_json_line_is_json_whatever_the_fields(void **state)
{
	static const struct {
		const char *fields, *want;
	} cases[] = {
		{"", ""},
		{"a=1", "a=1"},
		{"a=1 b=\"x \\\"y\\\"\"", "a=1 b=\"x \\\"y\\\"\""},
		{"a=\xeb\xb0\xb0 b", "a=\xeb\xb0\xb0 b"},
		{"two\nlines\t\x01\x7f", "two\nlines\t\x01\x7f"},
		/* Bytes that are no UTF-8 become the character they spell. */
		{"x=\xff\xc3(", "x=\xc3\xbf\xc3\x83("},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = captured_json(cases[i].fields);

		assert_timestamp(
			json_string_value(json_object_get(json, "ts")));
		assert_string_equal(
			json_string_value(json_object_get(json, "level")),
			"info");
		assert_string_equal(
			json_string_value(json_object_get(json, "prog")),
			"queryapi");
		assert_string_equal(
			json_string_value(json_object_get(json, "event")),
			"some.event");
		assert_string_equal(
			json_string_value(json_object_get(json, "msg")),
			cases[i].want);
		json_decref(json);
	}
}

static void
a_json_line_that_is_cut_is_still_json(void **state)
{
	static const char *const pieces[] = {
		"a",  "\xc3\xa9", "\xeb\xb0\xb0", "\xf0\x9f\x98\x80",
		"\"", "\n",	  "\x01",	  "\xff"};
	char fields[6000];

	(void)state;
	for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
		/* Shifted, so that each limit falls into the character. */
		for (size_t shift = 0; shift < 6; shift++) {
			size_t n = strlen(pieces[k]);
			const char *msg;
			json_t *json;

			memset(fields, 'x', sizeof(fields));
			for (size_t at = shift; at + n < sizeof(fields);
			     at += n)
				memcpy(fields + at, pieces[k], n);
			fields[sizeof(fields) - 1] = '\0';
			json = captured_json(fields);
			msg = json_string_value(json_object_get(json, "msg"));
			/* What is left is the beginning, not less than 200. */
			assert_true(strlen(msg) >= 200);
			if (*pieces[k] != '\xff')
				assert_memory_equal(msg, fields, strlen(msg));
			json_decref(json);
		}
	}
}

static void
a_logfmt_line_is_cut_at_a_character_and_ends_in_a_newline(void **state)
{
	char fields[6000];
	static char prog[300];
	const char *line;

	(void)state;
	/* The fields alone have a limit, and with a long head the line. */
	memset(prog, 'p', sizeof(prog) - 1);
	for (size_t shift = 0; shift < 6; shift++) {
		log_setup(shift < 3 ? "p" : prog, LOG_INFO, LOG_LOGFMT);
		for (size_t i = 0; i < sizeof(fields); i++)
			fields[i] = i < shift ? 'x'
					      : "\xeb\xb0\xb0"[(i - shift) % 3];
		fields[sizeof(fields) - 1] = '\0';
		capture_start();
		log_info("e", "%s", fields);
		line = capture_end();
		assert_in_range(strlen(line), 1500, 2048);
		assert_string_equal(line + strlen(line) - 4, "\xeb\xb0\xb0\n");
	}
}

static void
a_value_is_quoted_only_when_it_has_to_be(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *want;
	} cases[] = {
		{"plain-1.5/x", 11, "plain-1.5/x"},
		{"\xeb\xb0\xb0", 3, "\xeb\xb0\xb0"},
		{"", 0, "\"\""},
		{"two words", 9, "\"two words\""},
		{"a=b", 3, "\"a=b\""},
		{"say \"x\"", 7, "\"say \\\"x\\\"\""},
		{"back\\slash", 10, "\"back\\\\slash\""},
		{"line\nbreak", 10, "\"line\\nbreak\""},
		{"nul\0", 4, "\"nul\\u0000\""},
		{"\t\x1b\x7f", 3, "\"\\u0009\\u001b\\u007f\""},
		{"\xff", 1, "\"\\u00ff\""},
		{"\xeb\xb0", 2, "\"\\u00eb\\u00b0\""},
		{"only this", 4, "only"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			log_quote(out, sizeof(out), cases[i].in, cases[i].len),
			cases[i].want);
}

static void
a_value_is_cut_to_fit_and_stays_quoted(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(log_quote(out, 8, "abcdefg", 7), "abcdefg");
	assert_string_equal(log_quote(out, 7, "abcdefg", 7), "\"abcd\"");
	assert_string_equal(log_quote(out, 8, "a b c d e", 9), "\"a b c\"");
	/* No half escape and no half character. */
	assert_string_equal(log_quote(out, 8, "a b\n\n\n", 6), "\"a b\\n\"");
	assert_string_equal(log_quote(out, 8, "a b\x01", 4), "\"a b\"");
	assert_string_equal(log_quote(out, 8, "a b\xeb\xb0\xb0", 6), "\"a b\"");
	assert_string_equal(log_quote(out, 3, "a b", 3), "\"\"");
	assert_string_equal(log_quote(out, 2, "a b", 3), "");
	assert_string_equal(log_quote(out, 1, "a b", 3), "");
}

static void
a_gate_lets_one_through_and_counts_the_rest(void **state)
{
	struct log_gate gate = {0};
	unsigned long missed = 7;

	(void)state;
	assert_true(log_gate_open(&gate, 3600000, &missed));
	assert_int_equal(missed, 0);
	missed = 7;
	for (int i = 0; i < 5; i++)
		assert_false(log_gate_open(&gate, 3600000, &missed));
	assert_int_equal(missed, 7);
	/* As if the time were over. */
	gate.next_mono_ms = 0;
	assert_true(log_gate_open(&gate, 3600000, &missed));
	assert_int_equal(missed, 5);
	gate.next_mono_ms = 0;
	assert_true(log_gate_open(&gate, 3600000, &missed));
	assert_int_equal(missed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_logfmt_line_has_a_fixed_head_and_then_the_fields),
		cmocka_unit_test(lines_below_the_level_are_not_written),
		cmocka_unit_test(a_json_line_is_json_whatever_the_fields),
		cmocka_unit_test(a_json_line_that_is_cut_is_still_json),
		cmocka_unit_test(
			a_logfmt_line_is_cut_at_a_character_and_ends_in_a_newline),
		cmocka_unit_test(a_value_is_quoted_only_when_it_has_to_be),
		cmocka_unit_test(a_value_is_cut_to_fit_and_stays_quoted),
		cmocka_unit_test(a_gate_lets_one_through_and_counts_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
