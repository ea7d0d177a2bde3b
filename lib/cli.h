/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line both programs share: PROGRAM VERB [options] [arguments].
 * A verb may be a group of others: PROGRAM GROUP VERB [options] [arguments].
 *
 * Common options, before or after the verb: -c FILE, -s section.key=value
 * (repeatable), --help, --version. A verb's own flags are declared in its row.
 * An unknown verb or option names the nearest known one and exits 64.
 */
#ifndef LIB_CLI_H
#define LIB_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum cli_exit {
	CLI_DONE = 0,
	CLI_FATAL = 1,
	CLI_USAGE = 64,
	CLI_STOP = 65,
	CLI_CONFIG = 78,
};

struct cli_flag {
	const char *name;  /* "--json"; NULL ends the list */
	const char *value; /* NULL: a switch; else the value's name, "DIR" */
	const char *text;
};

struct cli_args {
	const char *config; /* -c; NULL = none given */
	const char **overrides;
	size_t n_overrides;
	const char **positional;
	size_t n_positional;
	/* flags of the verb that were given */
	struct cli_given {
		const char *name;
		const char *value;
	} * given;
	size_t n_given;
};

struct cli_verb {
	const char *name; /* NULL ends the table */
	const char *args; /* shown in help: "NAME [KEY...]" */
	const char *text;
	const struct cli_flag *flags; /* NULL = none; a group's: of all */
	size_t min_positional, max_positional;
	/* Returns the exit status. */
	int (*run)(const struct cli_args *args);
	/* Of a group, which has no run(). */
	const struct cli_verb *verbs;
};

/* Parses, runs the verb, frees, returns the exit status. */
int
cli_main(const char *prog, const char *summary, const struct cli_verb *verbs,
	 int argc, char **argv);

/* True when the switch was given. */
bool
cli_has(const struct cli_args *args, const char *flag);
/* The flag's value, or NULL. */
const char *
cli_value(const struct cli_args *args, const char *flag);

/* The candidate closest to `word` (edit distance <= 3), or NULL. */
const char *
cli_nearest(const char *word, const char *const *candidates, size_t n);

#endif
