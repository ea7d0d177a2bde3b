/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cli.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

static const struct cli_flag common_flags[] = {
	{"-c", "FILE", "read this configuration file"},
	{"-s", "SECTION.KEY=VALUE", "set one setting (repeatable)"},
	{"--help", NULL, "show this help"},
	{"--version", NULL, "show the version"},
	{NULL, NULL, NULL},
};

struct parse {
	const char *prog;
	const char *summary;
	const struct cli_verb *verbs;
	const struct cli_verb *group; /* of the verb, when it has one */
	const struct cli_verb *verb;  /* NULL until it was seen */
	char **argv;
	int argc, at;
	bool help, version;
	struct cli_args args;
	size_t cap_overrides, cap_positional, cap_given;
};

enum { MAX_WORD = 64 };

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/*
 * Edit distance in which a swap of neighbours counts as one; SIZE_MAX for a
 * word longer than MAX_WORD.
 */
static size_t
distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t rows[3][MAX_WORD + 1];

	if (la > MAX_WORD || lb > MAX_WORD)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *row = rows[i % 3], *last = rows[(i + 2) % 3];
		const size_t *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t same = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = min3(last[j] + 1, row[j - 1] + 1,
				      last[j - 1] + same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[la % 3][lb];
}

const char *
cli_nearest(const char *word, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t best_distance = 4;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, candidates[i]);

		/* A word that shares nothing is no suggestion. */
		if (d < best_distance && d < strlen(word) &&
		    d < strlen(candidates[i])) {
			best = candidates[i];
			best_distance = d;
		}
	}
	return best;
}

bool
cli_has(const struct cli_args *args, const char *flag)
{
	for (size_t i = 0; i < args->n_given; i++)
		if (strcmp(args->given[i].name, flag) == 0)
			return true;
	return false;
}

const char *
cli_value(const struct cli_args *args, const char *flag)
{
	for (size_t i = 0; i < args->n_given; i++)
		if (strcmp(args->given[i].name, flag) == 0)
			return args->given[i].value;
	return NULL;
}

static void
help_flags(FILE *out, const struct cli_flag *flags)
{
	for (; flags && flags->name; flags++) {
		int width = fprintf(out, "  %s%s%s", flags->name,
				    flags->value ? " " : "",
				    flags->value ? flags->value : "");

		fprintf(out, "%*s%s\n", width < 26 ? 26 - width : 2, "",
			flags->text);
	}
}

/* "projector parked list", as far as it was given. */
static void
print_words(FILE *out, const struct parse *p)
{
	fputs(p->prog, out);
	if (p->group)
		fprintf(out, " %s", p->group->name);
	if (p->verb)
		fprintf(out, " %s", p->verb->name);
}

static bool
has_flags(const struct parse *p)
{
	const struct cli_flag *of_verb = p->verb->flags;
	const struct cli_flag *of_group = p->group ? p->group->flags : NULL;

	return (of_verb && of_verb->name) || (of_group && of_group->name);
}

static void
usage_line(FILE *out, const struct parse *p)
{
	const struct cli_verb *verb = p->verb;

	fputs("usage: ", out);
	print_words(out, p);
	fprintf(out, "%s%s%s\n", has_flags(p) ? " [options]" : "",
		verb->args && *verb->args ? " " : "",
		verb->args ? verb->args : "");
}

static void
help_verbs(const struct cli_verb *v)
{
	printf("verbs:\n");
	for (; v->name; v++) {
		int width = printf("  %s%s%s", v->name,
				   v->args && *v->args ? " " : "",
				   v->args ? v->args : "");

		printf("%*s%s\n", width < 30 ? 30 - width : 2, "", v->text);
	}
	printf("\n");
}

static void
help_verb(const struct parse *p)
{
	usage_line(stdout, p);
	printf("\n%s\n\n", p->verb->text);
	if (p->verb->verbs)
		help_verbs(p->verb->verbs);
	if (has_flags(p)) {
		printf("options:\n");
		help_flags(stdout, p->verb->flags);
		help_flags(stdout, p->group ? p->group->flags : NULL);
		printf("\n");
	}
	printf("common options:\n");
	help_flags(stdout, common_flags);
}

static void
help_program(const struct parse *p)
{
	printf("usage: %s VERB [options] [arguments]\n\n%s\n\n", p->prog,
	       p->summary);
	help_verbs(p->verbs);
	printf("common options:\n");
	help_flags(stdout, common_flags);
	printf("\n%s VERB --help shows a verb's own options.\n", p->prog);
}

static void
complain(const struct parse *p, const char *what, const char *word,
	 const char *near)
{
	print_words(stderr, p);
	fprintf(stderr, ": %s '%s'", what, word);
	if (near)
		fprintf(stderr, " (did you mean '%s'?)", near);
	fprintf(stderr, "\n");
}

static void
hint(const struct parse *p)
{
	print_words(stderr, p);
	fputs(" --help shows the usage\n", stderr);
}

enum { MAX_CHOICES = 64 };

static int
unknown_verb(const struct parse *p, const struct cli_verb *v, const char *word)
{
	const char *names[MAX_CHOICES];
	size_t n = 0;

	for (; v->name && n < MAX_CHOICES; v++)
		names[n++] = v->name;
	complain(p, "unknown verb", word, cli_nearest(word, names, n));
	hint(p);
	return -1;
}

/* word: the option without its =value. */
static int
unknown_option(const struct parse *p, const char *word)
{
	const struct cli_flag *lists[] = {
		common_flags,
		p->verb ? p->verb->flags : NULL,
		p->group ? p->group->flags : NULL,
	};
	const char *names[MAX_CHOICES];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct cli_flag *flag = lists[i];
		     flag && flag->name && n < MAX_CHOICES; flag++)
			names[n++] = flag->name;
	complain(p, "unknown option", word, cli_nearest(word, names, n));
	hint(p);
	return -1;
}

/* The flag named by the first len bytes of word, or NULL. */
static const struct cli_flag *
find_flag(const struct cli_flag *flags, const char *word, size_t len)
{
	for (; flags && flags->name; flags++)
		if (strlen(flags->name) == len &&
		    memcmp(flags->name, word, len) == 0)
			return flags;
	return NULL;
}

/* The option's value: behind '=' or the next argument. */
static const char *
take_value(struct parse *p, const char *option, const char *attached)
{
	if (attached)
		return attached;
	if (p->at < p->argc)
		return p->argv[p->at++];
	complain(p, "a value is missing behind", option, NULL);
	hint(p);
	return NULL;
}

static int
take_common(struct parse *p, const struct cli_flag *flag, const char *attached)
{
	const char *value;

	if (!flag->value) {
		if (flag->name[2] == 'h')
			p->help = true;
		else
			p->version = true;
		return 0;
	}
	value = take_value(p, flag->name, attached);
	if (!value)
		return -1;
	if (flag->name[1] == 's') {
		MEM_GROW(p->args.overrides, p->args.n_overrides,
			 p->cap_overrides);
		p->args.overrides[p->args.n_overrides++] = value;
		return 0;
	}
	if (p->args.config) {
		complain(p, "option given twice:", "-c", NULL);
		return -1;
	}
	p->args.config = value;
	return 0;
}

static int
take_flag(struct parse *p, const struct cli_flag *flag, const char *attached)
{
	const char *value = NULL;

	if (flag->value) {
		value = take_value(p, flag->name, attached);
		if (!value)
			return -1;
		if (cli_has(&p->args, flag->name)) {
			complain(p, "option given twice:", flag->name, NULL);
			return -1;
		}
	}
	MEM_GROW(p->args.given, p->args.n_given, p->cap_given);
	p->args.given[p->args.n_given].name = flag->name;
	p->args.given[p->args.n_given++].value = value;
	return 0;
}

static int
take_option(struct parse *p, const char *word)
{
	bool is_long = word[1] == '-';
	const char *attached = NULL;
	size_t len = strlen(word);
	const struct cli_flag *flag;
	char *name;

	if (is_long && strchr(word, '=')) {
		len = (size_t)(strchr(word, '=') - word);
		attached = word + len + 1;
	} else if (!is_long && len > 2 && find_flag(common_flags, word, 2)) {
		/* -cFILE */
		len = 2;
		attached = word + 2;
	}
	flag = find_flag(common_flags, word, len);
	if (!flag && p->verb)
		flag = find_flag(p->verb->flags, word, len);
	if (!flag && p->group)
		flag = find_flag(p->group->flags, word, len);
	if (!flag) {
		name = mem_strndup(word, len);
		(void)unknown_option(p, name);
		free(name);
		return -1;
	}
	if (attached && !flag->value) {
		complain(p, "no value may follow", flag->name, NULL);
		return -1;
	}
	if (flag >= common_flags &&
	    flag < common_flags + sizeof(common_flags) / sizeof(*common_flags))
		return take_common(p, flag, attached);
	return take_flag(p, flag, attached);
}

static int
take_word(struct parse *p, const char *word)
{
	const struct cli_verb *verbs = p->verb ? p->verb->verbs : p->verbs;

	if (!verbs) {
		MEM_GROW(p->args.positional, p->args.n_positional,
			 p->cap_positional);
		p->args.positional[p->args.n_positional++] = word;
		return 0;
	}
	for (const struct cli_verb *v = verbs; v->name; v++) {
		if (strcmp(v->name, word) == 0) {
			p->group = p->verb;
			p->verb = v;
			return 0;
		}
	}
	return unknown_verb(p, verbs, word);
}

static int
parse(struct parse *p)
{
	bool options = true;

	while (p->at < p->argc) {
		const char *word = p->argv[p->at++];
		int ret;

		if (options && strcmp(word, "--") == 0) {
			options = false;
			continue;
		}
		/* A lone "-" is an argument. */
		if (options && word[0] == '-' && word[1])
			ret = take_option(p, word);
		else
			ret = take_word(p, word);
		if (ret)
			return -1;
		/* Whoever asks for help need not get the rest right. */
		if (p->help && p->verb)
			return 0;
	}
	return 0;
}

static int
check_count(const struct parse *p)
{
	size_t n = p->args.n_positional;

	if (n >= p->verb->min_positional && n <= p->verb->max_positional)
		return 0;
	if (n > p->verb->max_positional) {
		complain(p, "unexpected argument",
			 p->args.positional[p->verb->max_positional], NULL);
	} else {
		print_words(stderr, p);
		fputs(": an argument is missing\n", stderr);
	}
	usage_line(stderr, p);
	return -1;
}

static int
act(struct parse *p)
{
	if (parse(p))
		return CLI_USAGE;
	if (p->help) {
		if (p->verb)
			help_verb(p);
		else
			help_program(p);
	} else if (p->version) {
		printf("%s %s\n", p->prog, SHOPVIEW_VERSION);
	} else if (!p->verb || p->verb->verbs) {
		print_words(stderr, p);
		fputs(": a verb is missing\n", stderr);
		hint(p);
		return CLI_USAGE;
	} else if (check_count(p)) {
		return CLI_USAGE;
	} else {
		return p->verb->run(&p->args);
	}
	return fflush(stdout) ? CLI_FATAL : CLI_DONE;
}

int
cli_main(const char *prog, const char *summary, const struct cli_verb *verbs,
	 int argc, char **argv)
{
	struct parse p = {
		.prog = prog,
		.summary = summary,
		.verbs = verbs,
		.argv = argv,
		.argc = argc,
		.at = 1,
	};
	int ret = act(&p);

	free(p.args.overrides);
	free(p.args.positional);
	free(p.args.given);
	return ret;
}
