/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that tests of the event source have in common (cmocka included). */
#ifndef TESTS_SUPPORT_SOURCE_STEPS_H
#define TESTS_SUPPORT_SOURCE_STEPS_H

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "projector/source.h"

/* Long: machines are slow; a test that waits for it has failed. */
#define STEP_TIMEOUT_MS 30000
#define STEP_POSITIONS	64

/* Polls until the kind comes; other kinds but NOTHING and RETRY fail. */
static inline struct source_event
step_wait(struct source *src, enum source_event_kind kind)
{
	int64_t end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	struct source_event ev = {0};
	struct pj_error err = {0};

	while (clock_mono_ms() < end_mono_ms) {
		if (source_poll(src, 50, 1000, &ev, &err)) {
			if (err.cls != PJ_ERROR_RETRY)
				fail_msg("poll: %s", err.text);
			continue;
		}
		if (ev.kind == kind)
			return ev;
		if (ev.kind != SOURCE_NOTHING)
			fail_msg("event %d instead of %d", (int)ev.kind,
				 (int)kind);
	}
	fail_msg("event %d did not come: %s", (int)kind, err.text);
	return ev;
}

/* Assigns all partitions at the same offset. */
static inline uint32_t
step_assign(struct source *src, const struct source_event *ev, int64_t next)
{
	struct source_position pos[STEP_POSITIONS];
	struct pj_error err = {0};
	uint32_t assignment = 0;
	size_t i;

	assert_in_range(ev->n_partitions, 0, STEP_POSITIONS);
	for (i = 0; i < ev->n_partitions; i++)
		pos[i] = (struct source_position){ev->partitions[i], next};
	if (source_assign(src, pos, ev->n_partitions, &assignment, &err))
		fail_msg("assign: %s", err.text);
	return assignment;
}

/* Takes the next records, at most max; 0 when quiet_ms pass without any. */
static inline size_t
step_take(struct source *src, struct record **ret_recs, size_t max,
	  int quiet_ms)
{
	int64_t end_mono_ms = clock_mono_ms() + quiet_ms;
	struct source_event ev = {0};
	struct pj_error err = {0};

	do {
		if (source_poll(src, 20, max, &ev, &err)) {
			if (err.cls != PJ_ERROR_RETRY)
				fail_msg("poll: %s", err.text);
			continue;
		}
		if (ev.kind == SOURCE_RECORDS) {
			assert_in_range(ev.n_recs, 1, max);
			memcpy(ret_recs, ev.recs, ev.n_recs * sizeof(*ev.recs));
			return ev.n_recs;
		}
		if (ev.kind != SOURCE_NOTHING)
			fail_msg("event %d among records", (int)ev.kind);
	} while (clock_mono_ms() < end_mono_ms);
	return 0;
}

/* Exactly n records, which the caller releases. */
static inline void
step_read(struct source *src, struct record **ret_recs, size_t n)
{
	size_t got = 0, more;

	while (got < n) {
		more = step_take(src, ret_recs + got, n - got, STEP_TIMEOUT_MS);
		if (more == 0)
			fail_msg("%zu records instead of %zu", got, n);
		got += more;
	}
}

static inline void
step_release(struct record **recs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		record_release(recs[i]);
}

static inline void
step_expect_none(struct source *src)
{
	struct record *rec;
	size_t n = step_take(src, &rec, 1, 300);

	if (n > 0)
		fail_msg("%s/%d@%lld came", rec->partition->topic,
			 (int)rec->partition->number, (long long)rec->offset);
}

/* Polls until an error of the class comes; records are let go. */
static inline struct pj_error
step_wait_error(struct source *src, enum pj_error_class cls, const char *text)
{
	int64_t end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	struct source_event ev = {0};
	struct pj_error err = {0};

	while (clock_mono_ms() < end_mono_ms) {
		if (source_poll(src, 50, 1000, &ev, &err) == 0) {
			if (ev.kind == SOURCE_RECORDS)
				step_release(ev.recs, ev.n_recs);
			continue;
		}
		if (err.cls == cls && strstr(err.text, text))
			return err;
		if (err.cls != PJ_ERROR_RETRY)
			fail_msg("class %d: %s", (int)err.cls, err.text);
	}
	fail_msg("no error of class %d with '%s'", (int)cls, text);
	return err;
}

/* Polls until a partition is told to have stopped; records are let go. */
static inline struct source_event
step_wait_stop(struct source *src, const char *text)
{
	int64_t end_mono_ms = clock_mono_ms() + STEP_TIMEOUT_MS;
	struct source_event ev = {0};
	struct pj_error err = {0};

	while (clock_mono_ms() < end_mono_ms) {
		if (source_poll(src, 50, 1000, &ev, &err)) {
			if (err.cls != PJ_ERROR_RETRY)
				fail_msg("class %d: %s", (int)err.cls,
					 err.text);
			continue;
		}
		if (ev.kind == SOURCE_RECORDS)
			step_release(ev.recs, ev.n_recs);
		if (ev.kind != SOURCE_STOPPED)
			continue;
		assert_int_equal(ev.why.cls, PJ_ERROR_STOP);
		assert_non_null(strstr(ev.why.text, text));
		return ev;
	}
	fail_msg("no partition stopped with '%s': %s", text, err.text);
	return ev;
}

static inline bool
is_at(const struct record *rec, const char *topic, int partition,
      int64_t offset)
{
	return strcmp(rec->partition->topic, topic) == 0 &&
	       rec->partition->number == partition && rec->offset == offset;
}

static inline bool
str_is(struct pj_str str, const char *text)
{
	return str.len == strlen(text) && memcmp(str.ptr, text, str.len) == 0;
}

#endif
