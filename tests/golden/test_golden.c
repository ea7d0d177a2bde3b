/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every golden case, replayed in every way that must not matter.
 *
 *	whole               as the case has it
 *	stored each time    all documents encoded and loaded after each record
 *	split everywhere    encoded and loaded once, at every possible place
 *	repeated tails      the newest records come again and again
 *	interleaved         sources meet in random orders, each keeping its own
 *
 * test_golden [PREFIX]: only cases whose name begins with it
 * ("stock/", "sales/overflow"). GOLDEN_SEED=N: only that interleaving.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/fold.h"
#include "projector/replay.h"
#include "tests/golden/golden_case.h"
#include "tests/golden/modules_table.h"

enum {
	INTERLEAVINGS = 24,
	TOPICS_MAX = 16,
	EXCERPT = 60, /* bytes shown around a difference */
};

/* ---- Randomness: seeded, the same everywhere -------------------------------
 */

static uint32_t
below(uint64_t *state, uint32_t limit)
{
	/* splitmix64 */
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * limit >> 32);
}

/* ---- One replay of a case --------------------------------------------------
 */

struct trial {
	const struct golden_case *c;
	const char *way;
	char detail[64];
	struct module *mod;
	struct zone *zone;
	struct decode_topic topics[TOPICS_MAX];
	size_t n_topics;
	struct replay *rep;
	char **parked; /* ascending, each once */
	size_t n_parked, parked_cap;
};

static void
trial_fail(const struct trial *t, const char *why)
{
	fail_msg("%s, %s%s: %s", t->c->dir, t->way, t->detail, why);
}

static void
note_parked(void *arg, const struct record *rec,
	    const struct replay_parked *parked)
{
	struct trial *t = arg;
	size_t at = 0;
	bool queued = strcmp(parked->cause, fold_cause(FOLD_QUEUED)) == 0;
	char *place = mem_printf("%s/%" PRId32 "@%" PRId64 "%s",
				 rec->partition->topic, rec->partition->number,
				 rec->offset, queued ? " behind" : "");

	while (at < t->n_parked && strcmp(t->parked[at], place) < 0)
		at++;
	if (at < t->n_parked && strcmp(t->parked[at], place) == 0) {
		free(place);
		return;
	}
	MEM_GROW(t->parked, t->n_parked, t->parked_cap);
	memmove(t->parked + at + 1, t->parked + at,
		(t->n_parked - at) * sizeof(*t->parked));
	t->parked[at] = place;
	t->n_parked++;
}

static const struct pj_projection *
find_module(const char *name)
{
	for (const struct modules_row *row = modules_table; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row->entry();
	return NULL;
}

static void
trial_begin(struct trial *t, const struct golden_case *c, const char *way)
{
	const struct pj_projection *desc = find_module(c->projection);
	struct pj_error err = {.text = "no such module"};

	*t = (struct trial){.c = c, .way = way};
	if (!desc || module_adopt(desc, c->projection, c->projection,
				  &c->options, &t->mod, &err))
		trial_fail(t, err.text);
	if (zone_load("Asia/Seoul", &t->zone, &err))
		trial_fail(t, err.text);
	for (const struct pj_reads *r = desc->reads; r->topic; r++) {
		assert_in_range(t->n_topics, 0, TOPICS_MAX - 1);
		t->topics[t->n_topics++] = (struct decode_topic){
			.topic = r->topic,
			.format = DECODE_ENVELOPE,
			.zone = t->zone,
		};
	}
	t->rep = replay_new(t->mod, t->topics, t->n_topics, note_parked, t);
}

static void
feed(struct trial *t, size_t i)
{
	const struct golden_line *line = &t->c->lines[i];
	struct pj_error err;

	if (replay_line(t->rep, line->text, line->len, &err))
		trial_fail(t, err.text);
}

static void
store_and_load(struct trial *t)
{
	struct pj_error err;

	if (replay_store_and_load(t->rep, &err))
		trial_fail(t, err.text);
}

/* ---- What came of it -------------------------------------------------------
 */

static bool
is_listed(char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

/* Where two documents with the same id part, if there is such a pair. */
static void
show_first_difference(const char *want, char *const *got, size_t n_got)
{
	size_t id = strcspn(want, ",") + 1;

	for (size_t i = 0; i < n_got; i++) {
		size_t at = 0, from;

		if (strncmp(want, got[i], id) != 0)
			continue;
		while (want[at] && want[at] == got[i][at])
			at++;
		from = at > EXCERPT / 2 ? at - EXCERPT / 2 : 0;
		print_error("  at byte %zu:\n"
			    "    expected …%.*s…\n    found    …%.*s…\n",
			    at, EXCERPT, want + from, EXCERPT, got[i] + from);
		return;
	}
}

static void
show_difference(char *const *want, size_t n_want, char *const *got,
		size_t n_got)
{
	bool any = false;

	for (size_t i = 0; i < n_want; i++) {
		if (is_listed(got, n_got, want[i]))
			continue;
		any = true;
		print_error("- %s\n", want[i]);
		show_first_difference(want[i], got, n_got);
	}
	for (size_t i = 0; i < n_got; i++) {
		if (is_listed(want, n_want, got[i]))
			continue;
		any = true;
		print_error("+ %s\n", got[i]);
	}
	if (!any)
		print_error("  the same, in another order or number\n");
}

static void
compare(const struct trial *t, const char *what, char *const *want,
	size_t n_want, char *const *got, size_t n_got)
{
	bool same = n_want == n_got;

	for (size_t i = 0; same && i < n_want; i++)
		same = strcmp(want[i], got[i]) == 0;
	if (same)
		return;
	print_error("%s, %s%s: %s (- expected, + found)\n", t->c->dir, t->way,
		    t->detail, what);
	show_difference(want, n_want, got, n_got);
	trial_fail(t, what);
}

static char **
served(struct trial *t, size_t *ret_n)
{
	struct buf out = BUF_INIT;
	struct pj_error err;
	char **docs = NULL;
	size_t n = 0, cap = 0;

	if (replay_print(t->rep, true, &out, &err))
		trial_fail(t, err.text);
	for (char *at = out.data; at && *at;) {
		size_t len = strcspn(at, "\n");

		MEM_GROW(docs, n, cap);
		docs[n] = golden_canonical(at, len);
		if (!docs[n++])
			trial_fail(t, "what is served is no JSON");
		at += len + 1;
	}
	buf_release(&out);
	*ret_n = n;
	return docs;
}

static void
free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

/* Compares and frees. */
static void
trial_end(struct trial *t)
{
	const struct golden_case *c = t->c;
	size_t n;
	char **docs = served(t, &n);

	compare(t, "documents differ", c->expected, c->n_expected, docs, n);
	compare(t, "parked records differ", c->parked, c->n_parked, t->parked,
		t->n_parked);
	free_strings(docs, n);
	free_strings(t->parked, t->n_parked);
	replay_free(t->rep);
	zone_free(t->zone);
	module_free(t->mod);
}

/* ---- The ways --------------------------------------------------------------
 */

static void
replay_whole(const struct golden_case *c)
{
	struct trial t;

	trial_begin(&t, c, "whole");
	for (size_t i = 0; i < c->n_lines; i++)
		feed(&t, i);
	trial_end(&t);
}

static void
replay_stored_each_time(const struct golden_case *c)
{
	struct trial t;

	trial_begin(&t, c, "stored each time");
	for (size_t i = 0; i < c->n_lines; i++) {
		feed(&t, i);
		store_and_load(&t);
	}
	trial_end(&t);
}

static void
replay_split_everywhere(const struct golden_case *c)
{
	for (size_t split = 1; split < c->n_lines; split++) {
		struct trial t;

		trial_begin(&t, c, "split everywhere");
		(void)snprintf(t.detail, sizeof(t.detail), ", after line %zu",
			       split);
		for (size_t i = 0; i < c->n_lines; i++) {
			if (i == split)
				store_and_load(&t);
			feed(&t, i);
		}
		trial_end(&t);
	}
}

static void
replay_repeated_tails(const struct golden_case *c)
{
	uint64_t random = c->n_lines;
	struct trial t;

	trial_begin(&t, c, "repeated tails");
	for (size_t i = 0; i < c->n_lines; i++) {
		size_t back = below(&random, 8);

		feed(&t, i);
		for (size_t j = i > back ? i - back : 0; j <= i; j++)
			feed(&t, j);
	}
	store_and_load(&t);
	for (size_t i = 0; i < c->n_lines; i++)
		feed(&t, i);
	trial_end(&t);
}

/* Drawn by how many lines each has left: every interleaving is as likely. */
static int
draw_source(const size_t *left, size_t pick)
{
	int source = 0;

	while (pick >= left[source])
		pick -= left[source++];
	return source;
}

static void
replay_interleaved(const struct golden_case *c, uint64_t seed)
{
	size_t *left = mem_calloc((size_t)c->n_sources, sizeof(*left));
	size_t *next = mem_calloc((size_t)c->n_sources, sizeof(*next));
	uint64_t random = seed;
	struct trial t;

	trial_begin(&t, c, "interleaved");
	(void)snprintf(t.detail, sizeof(t.detail), ", GOLDEN_SEED=%" PRIu64,
		       seed);
	for (size_t i = 0; i < c->n_lines; i++)
		left[c->lines[i].source]++;
	for (size_t n = c->n_lines; n > 0; n--) {
		int s = draw_source(left, below(&random, (uint32_t)n));

		while (c->lines[next[s]].source != s)
			next[s]++;
		feed(&t, next[s]++);
		left[s]--;
		if (below(&random, 8) == 0)
			store_and_load(&t);
	}
	trial_end(&t);
	free(next);
	free(left);
}

static void
a_case_gives_its_documents_however_it_is_replayed(void **state)
{
	const struct golden_case *c = *state;
	const char *seed = getenv("GOLDEN_SEED");

	replay_whole(c);
	replay_stored_each_time(c);
	replay_split_everywhere(c);
	replay_repeated_tails(c);
	if (c->ordered || c->n_sources < 2)
		return;
	if (seed) {
		replay_interleaved(c, strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= INTERLEAVINGS; i++)
		replay_interleaved(c, i);
}

/* ---- The cases -------------------------------------------------------------
 */

static void
every_module_has_a_case(void **state)
{
	const struct golden_cases *cases = *state;

	for (const struct modules_row *row = modules_table; row->name; row++) {
		bool found = false;

		for (size_t i = 0; i < cases->n && !found; i++)
			found = strcmp(cases->all[i]->projection, row->name) ==
				0;
		if (!found)
			fail_msg("projection %s has no golden case", row->name);
	}
}

int
main(int argc, char **argv)
{
	const char *prefix = argc > 1 ? argv[1] : "";
	struct golden_cases cases;
	struct CMUnitTest *tests;
	size_t n = 0;
	int failed;

	cases_find(prefix, &cases);
	if (cases.n == 0) {
		fprintf(stderr, "golden: no case begins with '%s'\n", prefix);
		return 1;
	}
	tests = mem_calloc(cases.n + 1, sizeof(*tests));
	for (size_t i = 0; i < cases.n; i++)
		tests[n++] = (struct CMUnitTest){
			.name = cases.all[i]->name,
			.test_func =
				a_case_gives_its_documents_however_it_is_replayed,
			.initial_state = cases.all[i],
		};
	if (!*prefix)
		tests[n++] = (struct CMUnitTest){
			.name = "every_module_has_a_case",
			.test_func = every_module_has_a_case,
			.initial_state = &cases,
		};
	failed = _cmocka_run_group_tests("golden", tests, n, NULL, NULL);
	free(tests);
	cases_release(&cases);
	return failed;
}
