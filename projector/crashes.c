/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/crashes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"

void
crashes_release(struct crashes *list)
{
	free(list->rows);
	list->rows = NULL;
	list->n = 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct store_crash *x = a, *y = b;
	int order;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	order = strcmp(x->topic, y->topic);
	return order ? order : strcmp(x->generation, y->generation);
}

void
crashes_set(struct crashes *list, const struct store_crash *rows, size_t n,
	    uint32_t limit)
{
	crashes_release(list);
	list->limit = limit;
	if (limit == 0)
		return;
	list->rows = mem_calloc(n, sizeof(*rows));
	for (size_t i = 0; i < n; i++)
		if (rows[i].count >= 0 && (uint32_t)rows[i].count >= limit)
			list->rows[list->n++] = rows[i];
	qsort(list->rows, list->n, sizeof(*rows), by_place);
}

/* Durable before the entry goes: an end in between counts twice, not never. */
static int
count_crash(const struct ledger_entry *e, struct store_session *ses,
	    uint32_t limit, int64_t now_at_ms, struct pj_error *err)
{
	struct store_crash crash = {
		.partition = e->partition,
		.offset = e->offset,
		.last_at_ms = now_at_ms,
	};
	int32_t count;

	static_assert(sizeof(crash.generation) == sizeof(e->generation) &&
			      sizeof(crash.topic) == sizeof(e->topic),
		      "names of one size");
	memcpy(crash.generation, e->generation, sizeof(crash.generation));
	memcpy(crash.topic, e->topic, sizeof(crash.topic));
	if (store_crash_add(ses, &crash, &count, err))
		return -1;
	log_warn("crash.counted",
		 "generation=%s at=%s/%" PRId32 "@%" PRId64 " pid=%" PRId64
		 " count=%" PRId32 " limit=%" PRIu32,
		 *e->generation ? e->generation : "-", e->topic, e->partition,
		 e->offset, e->pid, count, limit);
	return 0;
}

int
crashes_begin(struct crashes *list, struct ledger *led,
	      struct store_session *ses, uint32_t limit, int64_t now_at_ms,
	      struct pj_error *err)
{
	const struct ledger_entry *e;
	struct store_crash *rows;
	size_t n;

	while ((e = ledger_found(led, 0))) {
		if (count_crash(e, ses, limit, now_at_ms, err))
			return -1;
		ledger_forget(led);
	}
	if (store_crashes(ses, &rows, &n, err))
		return -1;
	crashes_set(list, rows, n, limit);
	free(rows);
	return 0;
}

static int
place_of(const struct store_crash *row, const struct record *rec)
{
	if (row->offset != rec->offset)
		return row->offset < rec->offset ? -1 : 1;
	if (row->partition != rec->partition->number)
		return row->partition < rec->partition->number ? -1 : 1;
	return strcmp(row->topic, rec->partition->topic);
}

static bool
is_step(const struct store_crash *row, enum step step, const char *generation)
{
	size_t len = strlen(generation);

	if (step == STEP_DECODE)
		return row->generation[0] == '\0';
	return strncmp(row->generation, generation, len) == 0 &&
	       strcmp(row->generation + len,
		      step == STEP_KEY ? LEDGER_IN_KEY : "") == 0;
}

uint32_t
crashes_find(const struct crashes *list, enum step step, const char *generation,
	     const struct record *rec)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (place_of(&list->rows[mid], rec) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < list->n && place_of(&list->rows[low], rec) == 0; low++)
		if (is_step(&list->rows[low], step, generation))
			return (uint32_t)list->rows[low].count;
	return 0;
}

static bool
is_absolved(const struct store_crash *row, const char *generation,
	    const struct record *rec)
{
	return place_of(row, rec) == 0 &&
	       (is_step(row, STEP_FOLD, generation) ||
		is_step(row, STEP_KEY, generation) ||
		(!rec->queued->discard && is_step(row, STEP_DECODE, "")));
}

bool
crashes_absolve(struct crashes *list, const char *generation,
		const struct record *rec)
{
	size_t n = 0;
	bool any;

	for (size_t i = 0; i < list->n; i++)
		if (!is_absolved(&list->rows[i], generation, rec))
			list->rows[n++] = list->rows[i];
	any = n < list->n;
	list->n = n;
	if (any)
		log_info("crash.forgotten",
			 "generation=%s at=%s/%" PRId32 "@%" PRId64 " why=%s",
			 generation, rec->partition->topic,
			 rec->partition->number, rec->offset,
			 rec->queued->discard ? "discarded" : "retried");
	return any;
}

int
crashes_forget_generation(struct store_session *ses, const char *generation,
			  struct pj_error *err)
{
	struct store_crash *rows;
	size_t n;
	int rc = 0;

	if (store_crashes(ses, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++)
		if (is_step(&rows[i], STEP_FOLD, generation) ||
		    is_step(&rows[i], STEP_KEY, generation))
			rc = store_crash_remove(ses, &rows[i], err);
	free(rows);
	return rc;
}
