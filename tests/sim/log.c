/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "tests/sim/tell.h"
#include "tests/sim/values.h"

static const int64_t LOG_TIME_MS = INT64_C(1700000000000);

/* ---- Making ----------------------------------------------------------- */

/* Last sequence of each record key that was numbered. */
struct counts {
	struct pj_str key[EVENTS_MAX];
	int64_t last[EVENTS_MAX];
	size_t n;
};

static int64_t *
count_of(struct counts *counts, struct pj_str key)
{
	for (size_t i = 0; i < counts->n; i++)
		if (counts->key[i].len == key.len &&
		    memcmp(counts->key[i].ptr, key.ptr, key.len) == 0)
			return &counts->last[i];
	counts->key[counts->n] = key;
	return &counts->last[counts->n++];
}

/*
 * Numbers an event; some again with an old number, some with a number left out,
 * some without one at all.
 */
static void
number(struct log_event *ev, struct arena *arena, struct dice *dice,
       struct counts *counts)
{
	int64_t *last;
	int64_t sequence;

	if (!ev->value.ptr || !ev->key.ptr || dice_percent(dice, 10))
		return;
	last = count_of(counts, ev->key);
	sequence = *last + 1;
	if (*last && dice_percent(dice, 12))
		sequence = 1 + dice_below(dice, (unsigned)*last);
	else if (dice_percent(dice, 3))
		sequence++;
	ev->value = dice_percent(dice, 15)
			    ? value_unheard(arena, sequence)
			    : value_numbered(arena, ev->value, sequence);
	if (sequence > *last)
		*last = sequence;
}

static struct pj_str
own_key(struct arena *arena, const struct log *log, int64_t offset)
{
	char key[48];
	int len = snprintf(key, sizeof(key), "only%d-%lld", (int)log->number,
			   (long long)offset);

	return arena_str(arena, (struct pj_str){key, (size_t)len});
}

/* Some producers write keys as JSON. */
static struct pj_str
quoted(struct arena *arena, struct pj_str key)
{
	char text[64];
	int len =
		snprintf(text, sizeof(text), "\"%.*s\"", (int)key.len, key.ptr);

	return arena_str(arena, (struct pj_str){text, (size_t)len});
}

static void
make_value(struct log *log, struct log_event *ev, struct arena *arena,
	   struct dice *dice, const struct log_mix *mix)
{
	const char *topic = log->topic;
	const char *key = ev->key.ptr;
	int64_t at_ms = ev->timestamp_ms;

	if (dice_percent(dice, mix->tombstone)) {
		ev->value = (struct pj_str){NULL, 0};
	} else if (dice_percent(dice, mix->heavy)) {
		/* Another event of an order would take it out again. */
		if (topic[0] == 'o')
			ev->key = own_key(arena, log, ev->offset);
		key = ev->key.ptr;
		ev->value = value_heavy(arena, dice, topic, key, at_ms);
	} else if (dice_percent(dice, mix->bad)) {
		ev->value = value_bad(arena, dice, topic, key, at_ms);
		if (dice_percent(dice, mix->keyless))
			ev->key = (struct pj_str){NULL, 0};
	} else if (dice_percent(dice, mix->toggle)) {
		ev->value = value_toggle(arena, dice, topic, key, at_ms);
	} else {
		ev->value = value_event(arena, dice, topic, key, at_ms);
	}
}

void
log_make(struct log *log, struct arena *arena, struct dice *dice,
	 const struct log_mix *mix, unsigned events)
{
	struct counts counts = {.n = 0};
	bool numbered = dice_percent(dice, mix->numbered);

	log->end = dice_percent(dice, 50) ? 0 : 1000;
	while (log->n < events && log->n < EVENTS_MAX) {
		struct log_event *ev = &log->events[log->n++];
		char key[32];
		int len;

		ev->offset = log->end;
		ev->timestamp_ms = LOG_TIME_MS + dice_below(dice, 200000000);
		/* Transaction markers and compaction leave gaps. */
		log->end += 1;
		if (dice_percent(dice, 15))
			log->end += dice_below(dice, 3);
		/* No other partition has this key. */
		len = snprintf(key, sizeof(key), "%c%u", log->topic[0],
			       dice_below(dice, 2) * 4 + (unsigned)log->number);
		ev->key = arena_str(arena, (struct pj_str){key, (size_t)len});
		if (dice_percent(dice, 20))
			ev->header = (struct record_header){PJ_STR("h"),
							    PJ_STR("1")};
		make_value(log, ev, arena, dice, mix);
		if (numbered)
			number(ev, arena, dice, &counts);
		if (ev->key.ptr && dice_percent(dice, mix->quoted))
			ev->key = quoted(arena, ev->key);
	}
}

int64_t
log_end_now(const struct log *log)
{
	if (log->n_there == log->n)
		return log->end;
	return log->n_there ? log->events[log->n_there - 1].offset + 1
			    : log->events[0].offset;
}

/* ---- Handing out ------------------------------------------------------ */

struct log_record {
	struct record rec;
	struct record_header header;
	size_t *out; /* counts records that are not given back */
	char bytes[];
};

static void
log_record_release(struct record *rec)
{
	--*((struct log_record *)rec)->out;
	free(rec);
}

struct record *
log_record_new(const struct log_event *ev, struct partition *part,
	       uint32_t assignment, size_t *out)
{
	struct log_record *r =
		mem_calloc(1, sizeof(*r) + ev->key.len + ev->value.len);

	if (ev->key.len)
		memcpy(r->bytes, ev->key.ptr, ev->key.len);
	if (ev->value.len)
		memcpy(r->bytes + ev->key.len, ev->value.ptr, ev->value.len);
	r->header = ev->header;
	r->rec = (struct record){
		.partition = part,
		.offset = ev->offset,
		.timestamp_ms = ev->timestamp_ms,
		.assignment = assignment,
		.key_null = !ev->key.ptr,
		.value_null = !ev->value.ptr,
		.key = {ev->key.ptr ? r->bytes : NULL, ev->key.len},
		.value = {ev->value.ptr ? r->bytes + ev->key.len : NULL,
			  ev->value.len},
		.headers = &r->header,
		.n_headers = ev->header.name.len ? 1 : 0,
		.release = log_record_release,
	};
	r->out = out;
	++*out;
	return &r->rec;
}
