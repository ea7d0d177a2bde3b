/* SPDX-License-Identifier: Apache-2.0 */
/* How old an answer may be, and what it says of its position (answer.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "queryapi/answer.h"
#include "queryapi/position.h"

enum { SOURCES = 100, ENTRIES = 50, ROUNDS = 500 };
/* About as long as such an answer takes. */
enum { LASTS_US = 300 };

static struct served_list *list;
static struct served *gen;

static int
setup(void **state)
{
	(void)state;
	list = served_list_new();
	gen = served_find(list, "shop.1");
	served_follow(gen, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	served_list_free(list);
	return 0;
}

/* Of so many sources, the newest event of each at offset 1. */
static struct entry *
make(enum entry_state what, int32_t n_sources, int64_t at_mono_ms)
{
	struct entry_position pos[SOURCES];

	for (int32_t i = 0; i < n_sources; i++)
		pos[i] = (struct entry_position){i, 1, {"s/0", 3}};
	return entry_new(&(struct entry_parts){
		.served = gen,
		.key = {"a", 1},
		.state = what,
		.revision = 7,
		.generation = 1,
		.positions = pos,
		.n_positions = (size_t)n_sources,
		.json = {"{}", 2},
		.coded = true,
		.since = atomic_load(&gen->since),
		.at_mono_ms = at_mono_ms,
	});
}

/* The age it may be served with, or -1. */
static int64_t
age_of(struct entry *ent, uint32_t stale_if_error_s, int64_t now_mono_ms)
{
	struct snapshot_view view = {
		.policy = {.stale_if_error_s = stale_if_error_s}};
	int64_t age_s = -2;

	return answer_may_be_stale(ent, &view, now_mono_ms, &age_s) ? age_s
								    : -1;
}

static void
a_document_is_served_stale_for_as_long_as_its_view_allows(void **state)
{
	struct entry *ent = make(ENTRY_DOCUMENT, 1, 5000);

	(void)state;
	assert_int_equal(age_of(ent, 300, 5000), 0);
	assert_int_equal(age_of(ent, 300, 305999), 300);
	assert_int_equal(age_of(ent, 300, 306000), -1);
	assert_int_equal(age_of(ent, 0, 5000), -1);
	/* While it was followed it was the newest: of this following alone. */
	atomic_store(&gen->proven_mono_ms, 105000);
	atomic_store(&gen->proven_since, 1);
	assert_int_equal(age_of(ent, 300, 405999), 300);
	assert_int_equal(age_of(ent, 300, 406000), -1);
	/* But not since a newer one was told. */
	atomic_store(&ent->superseded_mono_ms, 55000);
	assert_int_equal(age_of(ent, 300, 355999), 300);
	assert_int_equal(age_of(ent, 300, 356000), -1);
	atomic_store(&ent->superseded_mono_ms, 0);
	atomic_store(&gen->proven_since, 2);
	assert_int_equal(age_of(ent, 300, 306000), -1);
	entry_unref(ent);
}

/* How old it may be given while the newer one is read, or -1. */
static int64_t
superseded_age_of(const struct entry *ent, uint32_t while_revalidate_s,
		  uint32_t limit_ms, int64_t now_mono_ms)
{
	struct snapshot_view view = {
		.policy = {.stale_while_revalidate_s = while_revalidate_s}};
	int64_t age_s = -2;

	return answer_may_be_superseded(ent, &view, limit_ms, now_mono_ms,
					&age_s)
		       ? age_s
		       : -1;
}

static void
a_superseded_document_is_given_as_view_and_settings_allow(void **state)
{
	struct entry *ent = make(ENTRY_DOCUMENT, 1, 5000);
	struct entry *deleted = make(ENTRY_DELETED, 1, 5000);

	(void)state;
	/* None is newer. */
	assert_int_equal(superseded_age_of(ent, 30, 60000, 5000), -1);
	atomic_store(&ent->superseded_mono_ms, 7000);
	atomic_store(&deleted->superseded_mono_ms, 7000);
	assert_int_equal(superseded_age_of(ent, 30, 60000, 7000), 0);
	assert_int_equal(superseded_age_of(ent, 30, 60000, 36999), 29);
	assert_int_equal(superseded_age_of(ent, 30, 60000, 37000), -1);
	assert_int_equal(superseded_age_of(ent, 30, 1000, 7999), 0);
	assert_int_equal(superseded_age_of(ent, 30, 1000, 8000), -1);
	assert_int_equal(superseded_age_of(ent, 0, 60000, 7000), -1);
	assert_int_equal(superseded_age_of(ent, 30, 0, 7000), -1);
	assert_int_equal(superseded_age_of(deleted, 30, 60000, 7000), -1);
	/* Nobody tells any more, or another stream. */
	served_follow(gen, 0);
	assert_int_equal(superseded_age_of(ent, 30, 60000, 7000), -1);
	served_follow(gen, 2);
	assert_int_equal(superseded_age_of(ent, 30, 60000, 7000), -1);
	entry_unref(ent);
	entry_unref(deleted);
}

static void
that_there_is_none_is_never_served_stale(void **state)
{
	static const enum entry_state states[] = {ENTRY_DELETED, ENTRY_PARKED,
						  ENTRY_ABSENT};

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct entry *ent = make(states[i], 1, 5000);

		assert_int_equal(age_of(ent, 300, 5000), -1);
		entry_unref(ent);
	}
}

/* ---- Preconditions ------------------------------------------------------ */

static void
assert_unchanged(struct entry *ent, const char *tags, const char *tag)
{
	struct snapshot_view view = {.cache_control = "no-cache"};
	struct conditions cond = {.gzip = true,
				  .if_none_match = {tags, strlen(tags)}};
	struct http_reply how = {.date = "D"};
	struct answer ans = {.view = &view, .cond = &cond, .how = &how};
	struct buf out = BUF_INIT, want = BUF_INIT;
	bool current;

	assert_true(answer_is_unchanged(ent, &cond, 0));
	assert_int_equal(answer_entry(&out, ent, &ans, &current), 304);
	buf_printf(&want, "\r\nETag: %s\r\n", tag);
	assert_non_null(strstr(out.data, want.data));
	buf_release(&out);
	buf_release(&want);
}

static void
whatever_there_is_has_the_tag_that_a_200_of_it_would_have(void **state)
{
	struct entry *small = make(ENTRY_DOCUMENT, 1, 0);
	struct entry *large = entry_new(&(struct entry_parts){
		.served = gen,
		.key = {"b", 1},
		.state = ENTRY_DOCUMENT,
		.revision = 7,
		.generation = 1,
		.json = {"{}", 2},
		.gzip = {"gzipped", 7},
		.coded = true,
		.since = 1,
	});

	(void)state;
	assert_unchanged(small, "*", "\"1.7\"");
	assert_unchanged(small, "\"1.7-gzip\", \"1.7\"", "\"1.7\"");
	assert_unchanged(large, "*", "\"1.7-gzip\"");
	assert_unchanged(large, "\"1.7\", \"1.7-gzip\"", "\"1.7-gzip\"");
	/* Both are of it, so either will do. */
	assert_unchanged(large, "\"1.7\"", "\"1.7\"");
	entry_unref(small);
	entry_unref(large);
}

/* ---- A change in the middle of an answer ------------------------------- */

static struct entry *shown[ENTRIES];
static volatile sig_atomic_t round_now, done;

/* As the feed: first the document's change, then the checkpoint behind it. In
 * a signal's handler, so that it comes between any two instructions. */
static void
change(int sig)
{
	(void)sig;
	atomic_store(&shown[0]->gone, true);
	(void)served_advance(gen, SOURCES - 1, 10 * (round_now + 1));
	done = 1;
}

static int64_t
largest(const char *list_text)
{
	int64_t most = -1;

	for (const char *at = list_text; (at = strchr(at, '@')); at++) {
		int64_t n = strtoll(at + 1, NULL, 10);

		most = n > most ? n : most;
	}
	return most;
}

static void
what_a_change_takes_out_meanwhile_is_told_no_newer_position(void **state)
{
	struct sigaction act = {.sa_handler = change};
	struct buf out = BUF_INIT;
	uint32_t dice = 1;
	int64_t told;

	(void)state;
	assert_true(served_advance(gen, SOURCES - 1, 10));
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	for (int r = 1; r <= ROUNDS; r++) {
		struct itimerval in = {.it_value = {0, 0}};

		for (size_t i = 0; i < ENTRIES; i++)
			shown[i] = make(ENTRY_DOCUMENT, SOURCES, 0);
		buf_clear(&out);
		round_now = r;
		done = 0;
		dice = dice * 1664525 + 1013904223;
		in.it_value.tv_usec = 1 + (suseconds_t)(dice >> 16) % LASTS_US;
		assert_int_equal(setitimer(ITIMER_REAL, &in, NULL), 0);
		(void)position_write(&out, shown, ENTRIES);
		told = largest(out.data);
		/* It contains what was there before the change, or says less.
		 */
		if (told > 10 * r - 1)
			fail_msg("round %d: %d", r, (int)told);
		while (!done)
			;
		for (size_t i = 0; i < ENTRIES; i++)
			entry_unref(shown[i]);
	}
	buf_release(&out);
}

/* ---- What was told ------------------------------------------------------ */

static void
assert_told(struct entry *ent, const char *position)
{
	struct buf out = BUF_INIT, want = BUF_INIT;

	(void)position_write(&out, &ent, 1);
	buf_printf(&want, "Projection-Position: \"%s\"\r\n", position);
	assert_string_equal(out.data, want.data);
	buf_release(&out);
	buf_release(&want);
}

static void
what_was_told_of_an_entry_is_told_of_it_when_it_is_stale(void **state)
{
	struct entry *told = make(ENTRY_DOCUMENT, 1, 0);
	struct entry *untold = make(ENTRY_DOCUMENT, 1, 0);

	(void)state;
	assert_told(told, "s/0@1");
	assert_true(served_advance(gen, 0, 10));
	assert_told(told, "s/0@9");
	served_follow(gen, 0);
	/* Nobody knows what came since. */
	assert_true(served_advance(gen, 0, 50));
	assert_told(told, "s/0@9");
	assert_told(untold, "s/0@1");
	entry_unref(told);
	entry_unref(untold);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_document_is_served_stale_for_as_long_as_its_view_allows),
		SERVED(a_superseded_document_is_given_as_view_and_settings_allow),
		SERVED(that_there_is_none_is_never_served_stale),
		SERVED(whatever_there_is_has_the_tag_that_a_200_of_it_would_have),
		SERVED(what_a_change_takes_out_meanwhile_is_told_no_newer_position),
		SERVED(what_was_told_of_an_entry_is_told_of_it_when_it_is_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
