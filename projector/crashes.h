/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Condemned records: those that ended the process as often as
 * projector.crash_limit says. They are parked instead of being folded.
 *
 * Counts live in the store, so that they follow a partition to whoever owns it
 * next; the ledger only tells which record it was. Rows are by generation: new
 * code in a new generation gets a new chance. Rows without a generation (the
 * end came while it was decoded) concern all of them. Those of a module's key()
 * have LEDGER_IN_KEY behind the generation: there, the document is not known.
 *
 * Ownership: crashes_release() frees what a zeroed list holds.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_CRASHES_H
#define PROJECTOR_CRASHES_H

#include <projector/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/store.h"
#include "projector/ledger.h"
#include "projector/queued.h"
#include "projector/record.h"

struct crashes {
	struct store_crash *rows; /* ascending by place, then generation */
	size_t n;
	uint32_t limit;
};

void
crashes_release(struct crashes *list);

/* Takes over those of the rows that were counted at least limit (0: none). */
void
crashes_set(struct crashes *list, const struct store_crash *rows, size_t n,
	    uint32_t limit);

/*
 * Before reading starts: counts in the store what the ledger found, clearing
 * its entries one by one, then reads the list. On failure what is not counted
 * is kept; a count in doubt (RETRY) may be counted twice when this is called
 * again.
 */
int
crashes_begin(struct crashes *list, struct ledger *led,
	      struct store_session *ses, uint32_t limit, int64_t now_at_ms,
	      struct pj_error *err) __attribute__((warn_unused_result));

/* How often it ended the process there, if that is condemned; else 0. */
uint32_t
crashes_find(const struct crashes *list, enum step step, const char *generation,
	     const struct record *rec);

/*
 * Whether the record is condemned in this step of this generation ("" for
 * STEP_DECODE). One that a person has asked to be tried once more, out of its
 * queue, is tried, once. One that is given up is not tried in any way.
 */
static inline bool
crashes_condemns(const struct crashes *list, enum step step,
		 const char *generation, const struct record *rec)
{
	bool retried = rec->queued && !rec->queued->discard;

	return list->n > 0 && crashes_find(list, step, generation, rec) >
				      (retried ? list->limit : 0);
}

/*
 * The record was applied once more, or given up: takes it off the list for this
 * generation; applied, for the decoding too. True when it was on it.
 */
bool
crashes_absolve(struct crashes *list, const char *generation,
		const struct record *rec);

/* Other code is to have a try: forgets in the store what the generation's has
 * done. */
int
crashes_forget_generation(struct store_session *ses, const char *generation,
			  struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
