/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cli.h"

/* What the verb saw, as one line of text. */
static char seen[512];

static void
note(const char *before, const char *text, const char *after)
{
	size_t at = strlen(seen);

	(void)snprintf(seen + at, sizeof(seen) - at, "%s%s%s", before, text,
		       after);
}

static int
record(const struct cli_args *args)
{
	if (args->config)
		note("c=", args->config, " ");
	for (size_t i = 0; i < args->n_overrides; i++)
		note("s=", args->overrides[i], " ");
	for (size_t i = 0; i < args->n_positional; i++)
		note("<", args->positional[i], "> ");
	if (cli_has(args, "--json"))
		note("", "json", " ");
	if (cli_has(args, "--to"))
		note("to=", cli_value(args, "--to"), " ");
	if (cli_has(args, "--since"))
		note("since=", cli_value(args, "--since"), " ");
	return 65;
}

static const struct cli_flag export_flags[] = {
	{"--to", "DIR", "where to"},
	{"--json", NULL, "machine output"},
	{NULL, NULL, NULL},
};
static const struct cli_flag parked_flags[] = {
	{"--since", "TIME", "not before"},
	{NULL, NULL, NULL},
};
static const struct cli_verb parked_verbs[] = {
	{"list", "NAME [KEY]", "what is parked", NULL, 1, 2, record, NULL},
	{"export", "NAME", "the same, elsewhere", export_flags, 1, 1, record,
	 NULL},
	{NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};
static const struct cli_verb verbs[] = {
	{"parked", "list|export NAME", "what could not be applied",
	 parked_flags, 0, 0, NULL, parked_verbs},
	{"run", "", "project until stopped", NULL, 0, 0, record, NULL},
	{"export", "TOPIC [TOPIC...]", "write an archive", export_flags, 1, 3,
	 record, NULL},
	{"rebuild", "NAME", "create, catch up, verify, promote", NULL, 1, 1,
	 record, NULL},
	{NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};

static char out[8192], errors[8192];

/* fd goes into a file until take_back(). */
static int
divert(int fd, FILE *into)
{
	int keep = dup(fd);

	assert_true(keep >= 0);
	assert_int_equal(dup2(fileno(into), fd), fd);
	return keep;
}

static void
take_back(int fd, int keep, FILE *from, char text[8192])
{
	size_t n;

	assert_int_equal(dup2(keep, fd), fd);
	(void)close(keep);
	rewind(from);
	n = fread(text, 1, 8191, from);
	text[n] = '\0';
	(void)fclose(from);
}

/* line: the arguments, separated by blanks. */
static int
call(const char *line)
{
	FILE *o = tmpfile(), *e = tmpfile();
	char *words = strdup(line), *save = NULL;
	char name[] = "projector";
	char *argv[16] = {name};
	int argc = 1, keep_out, keep_err, ret;

	assert_non_null(o);
	assert_non_null(e);
	assert_non_null(words);
	for (char *word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		assert_true(argc < 15);
		argv[argc++] = word;
	}
	(void)fflush(stdout);
	keep_out = divert(STDOUT_FILENO, o);
	keep_err = divert(STDERR_FILENO, e);
	seen[0] = '\0';
	ret = cli_main(name, "Turns events into documents.", verbs, argc, argv);
	(void)fflush(stdout);
	take_back(STDOUT_FILENO, keep_out, o, out);
	take_back(STDERR_FILENO, keep_err, e, errors);
	free(words);
	return ret;
}

static bool
starts(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void
assert_usage(int ret, const char *expected)
{
	assert_int_equal(ret, CLI_USAGE);
	assert_string_equal(seen, "");
	assert_string_equal(out, "");
	assert_string_equal(errors, expected);
}

static void
a_verb_gets_its_arguments_and_gives_the_status(void **state)
{
	(void)state;
	assert_int_equal(call("run"), 65);
	assert_string_equal(seen, "");
	assert_string_equal(errors, "");
	assert_int_equal(call("export a --to d b --json"), 65);
	assert_string_equal(seen, "<a> <b> json to=d ");
	assert_int_equal(call("export --to=d=e a"), 65);
	assert_string_equal(seen, "<a> to=d=e ");
}

static void
common_options_stand_before_or_behind_the_verb(void **state)
{
	(void)state;
	assert_int_equal(call("-c f -s a.b=c run -s d.e=f"), 65);
	assert_string_equal(seen, "c=f s=a.b=c s=d.e=f ");
	assert_int_equal(call("run -cf -sa.b=c"), 65);
	assert_string_equal(seen, "c=f s=a.b=c ");
}

static void
two_dashes_end_options_and_one_is_an_argument(void **state)
{
	(void)state;
	assert_int_equal(call("export - -- --to -c"), 65);
	assert_string_equal(seen, "<-> <--to> <-c> ");
	assert_int_equal(call("rebuild -- --help"), 65);
	assert_string_equal(seen, "<--help> ");
}

static void
version_names_the_program(void **state)
{
	(void)state;
	assert_int_equal(call("--version"), 0);
	assert_string_equal(out, "projector " SHOPVIEW_VERSION "\n");
	assert_string_equal(errors, "");
	assert_string_equal(seen, "");
}

static void
help_is_output_not_an_error(void **state)
{
	(void)state;
	assert_int_equal(call("--help"), 0);
	assert_string_equal(errors, "");
	assert_non_null(strstr(out, "Turns events into documents."));
	assert_non_null(strstr(out, "\n  rebuild NAME "));
	assert_non_null(strstr(out, "\n  -s SECTION.KEY=VALUE "));
	assert_int_equal(call("rebuild --help"), 0);
	assert_true(starts(out, "usage: projector rebuild NAME\n"));
	assert_null(strstr(out, "--to"));
	assert_int_equal(call("--help export"), 0);
	assert_true(starts(out, "usage: projector export [options] TOPIC "
				"[TOPIC...]\n"));
	assert_non_null(strstr(out, "\n  --to DIR "));
	assert_string_equal(seen, "");
}

static void
an_unknown_verb_names_the_nearest(void **state)
{
	(void)state;
	assert_usage(call("rebiuld x"),
		     "projector: unknown verb 'rebiuld' (did you mean "
		     "'rebuild'?)\nprojector --help shows the usage\n");
	assert_usage(call("xyz"), "projector: unknown verb 'xyz'\n"
				  "projector --help shows the usage\n");
	assert_usage(call(""), "projector: a verb is missing\n"
			       "projector --help shows the usage\n");
}

static void
an_unknown_option_names_the_nearest(void **state)
{
	(void)state;
	assert_usage(call("export --jsno x"),
		     "projector export: unknown option '--jsno' (did you mean "
		     "'--json'?)\nprojector export --help shows the usage\n");
	assert_usage(call("export --tp=x"),
		     "projector export: unknown option '--tp' (did you mean "
		     "'--to'?)\nprojector export --help shows the usage\n");
	/* A verb's own option is none of another's. */
	assert_usage(call("run --json"),
		     "projector run: unknown option '--json'\n"
		     "projector run --help shows the usage\n");
	assert_usage(call("-x run"), "projector: unknown option '-x' (did "
				     "you mean '-c'?)\n"
				     "projector --help shows the usage\n");
}

static void
what_is_given_twice_or_half_is_refused(void **state)
{
	(void)state;
	assert_usage(call("-c a run -c b"),
		     "projector run: option given twice: '-c'\n");
	assert_usage(call("export --to a --to b"),
		     "projector export: option given twice: '--to'\n");
	assert_usage(call("run -s"),
		     "projector run: a value is missing behind '-s'\n"
		     "projector run --help shows the usage\n");
	assert_usage(call("export --json=yes"),
		     "projector export: no value may follow '--json'\n");
}

static void
the_number_of_arguments_is_checked(void **state)
{
	(void)state;
	assert_usage(call("rebuild"),
		     "projector rebuild: an argument is missing\n"
		     "usage: projector rebuild NAME\n");
	assert_usage(call("rebuild a b"),
		     "projector rebuild: unexpected argument 'b'\n"
		     "usage: projector rebuild NAME\n");
	assert_usage(call("run now"),
		     "projector run: unexpected argument 'now'\n"
		     "usage: projector run\n");
}

static void
a_verb_of_a_group_is_like_any_other(void **state)
{
	(void)state;
	assert_int_equal(call("-c f parked list stock a"), 65);
	assert_string_equal(seen, "c=f <stock> <a> ");
	assert_int_equal(call("parked -s a.b=c export stock --to d"), 65);
	assert_string_equal(seen, "s=a.b=c <stock> to=d ");
	/* Names are looked up in the group alone. */
	assert_usage(call("parked run"),
		     "projector parked: unknown verb 'run'\n"
		     "projector parked --help shows the usage\n");
	assert_usage(call("parked lits stock"),
		     "projector parked: unknown verb 'lits' (did you mean "
		     "'list'?)\nprojector parked --help shows the usage\n");
	assert_usage(call("list stock"), "projector: unknown verb 'list'\n"
					 "projector --help shows the usage\n");
}

static void
options_of_a_group_are_those_of_its_verbs(void **state)
{
	(void)state;
	assert_int_equal(call("parked export a --since 2h --to d"), 65);
	assert_string_equal(seen, "<a> to=d since=2h ");
	assert_int_equal(call("parked --since 2h list a"), 65);
	assert_string_equal(seen, "<a> since=2h ");
	assert_usage(call("parked list a --snice x"),
		     "projector parked list: unknown option '--snice' (did you "
		     "mean '--since'?)\n"
		     "projector parked list --help shows the usage\n");
	assert_usage(call("run --since 2h"),
		     "projector run: unknown option '--since'\n"
		     "projector run --help shows the usage\n");
	assert_int_equal(call("parked list --help"), 0);
	assert_true(starts(out, "usage: projector parked list [options] "
				"NAME [KEY]\n"));
	assert_non_null(strstr(out, "\n  --since TIME "));
	assert_int_equal(call("parked --help"), 0);
	assert_non_null(strstr(out, "\n  --since TIME "));
}

static void
a_group_alone_is_no_command(void **state)
{
	(void)state;
	assert_usage(call("parked"),
		     "projector parked: a verb is missing\n"
		     "projector parked --help shows the usage\n");
	assert_usage(call("parked list"),
		     "projector parked list: an argument is missing\n"
		     "usage: projector parked list [options] NAME "
		     "[KEY]\n");
	assert_usage(call("parked list --to x"),
		     "projector parked list: unknown option '--to'\n"
		     "projector parked list --help shows the usage\n");
}

static void
help_of_a_group_lists_its_verbs(void **state)
{
	(void)state;
	assert_int_equal(call("parked --help"), 0);
	assert_true(starts(out, "usage: projector parked [options] "
				"list|export NAME\n"));
	assert_non_null(strstr(out, "\nverbs:\n  list NAME [KEY] "));
	assert_int_equal(call("parked export --help"), 0);
	assert_true(
		starts(out, "usage: projector parked export [options] NAME\n"));
	assert_non_null(strstr(out, "\n  --to DIR "));
	assert_int_equal(call("--help"), 0);
	assert_non_null(strstr(out, "\n  parked list|export NAME "));
	assert_string_equal(seen, "");
}

static void
the_nearest_word_is_within_three_edits(void **state)
{
	static const char *const words[] = {"brokers", "group", "type", "dir"};
	char lengthy[200];

	(void)state;
	assert_string_equal(cli_nearest("brokres", words, 4), "brokers");
	assert_string_equal(cli_nearest("broker", words, 4), "brokers");
	assert_string_equal(cli_nearest("xbrokexx", words, 4), "brokers");
	assert_string_equal(cli_nearest("rid", words, 4), "dir");
	assert_string_equal(cli_nearest("tpye", words, 4), "type");
	assert_null(cli_nearest("brxxxxrs", words, 4));
	/* Nothing in common is no neighbour, however short. */
	assert_null(cli_nearest("xyz", words, 4));
	assert_null(cli_nearest("", words, 4));
	assert_null(cli_nearest("dir", words, 0));
	memset(lengthy, 'a', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	assert_null(cli_nearest(lengthy, words, 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_verb_gets_its_arguments_and_gives_the_status),
		cmocka_unit_test(
			common_options_stand_before_or_behind_the_verb),
		cmocka_unit_test(two_dashes_end_options_and_one_is_an_argument),
		cmocka_unit_test(version_names_the_program),
		cmocka_unit_test(help_is_output_not_an_error),
		cmocka_unit_test(an_unknown_verb_names_the_nearest),
		cmocka_unit_test(an_unknown_option_names_the_nearest),
		cmocka_unit_test(what_is_given_twice_or_half_is_refused),
		cmocka_unit_test(the_number_of_arguments_is_checked),
		cmocka_unit_test(a_verb_of_a_group_is_like_any_other),
		cmocka_unit_test(options_of_a_group_are_those_of_its_verbs),
		cmocka_unit_test(a_group_alone_is_no_command),
		cmocka_unit_test(help_of_a_group_lists_its_verbs),
		cmocka_unit_test(the_nearest_word_is_within_three_edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
