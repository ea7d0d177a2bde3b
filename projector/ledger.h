/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash ledger: a file that names, at every moment, the record that the
 * pipeline thread is just decoding, routing or folding.
 *
 * It is a shared file mapping, so the last store before the end is in it
 * whatever the end was: SIGSEGV, abort(), exit() out of a module, kill -9, the
 * kernel's memory killer. The next ledger_open() in the same directory finds
 * the entry unfinished, and whoever opened it counts a crash at that record in
 * the store (crashes.h).
 *
 * What it proves: the process ended between the ledger_begin() and the
 * ledger_end() of that record. Not that the record is at fault: a kill -9
 * from outside hits an innocent one, so it takes several ends at one record to
 * condemn it. An end that this program chose (stop.h) is not counted, unless it
 * was chosen because the very record did not come to its end.
 * What it does not prove: nothing is known after a power cut, a restart of the
 * machine (the kernel's boot id is compared) or the loss of the directory; then
 * nothing is counted. Ends outside of a record leave no trace here.
 *
 * An exit() within a record is turned into exit status 1 and a log line.
 *
 * Several threads of a process may each keep one, on the thread that opens it.
 * A fault or an abort() on one of them counts against its record alone; a kill,
 * or a stack overflow, against those of all.
 *
 * One file per pipeline thread: "ledger-STORE-N", held by flock(). Several
 * processes may share a directory; entries of another store are left alone, for
 * its crashes are counted there. N is the lowest free number.
 *
 * Ownership: ledger_close() frees. Errors: CONFIG (the directory cannot be had,
 * all numbers are taken), FATAL (no room). The first one opened puts handlers
 * before those of the fatal signals and of exit().
 * Threads: ledger_begin() and ledger_end() belong to the pipeline thread;
 * ledger_seq() and ledger_read() any; the marks are for signal handlers.
 * Limits: 64 open ledgers per directory and store, 8 per process.
 */
#ifndef PROJECTOR_LEDGER_H
#define PROJECTOR_LEDGER_H

#include <projector/error.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "projector/lane.h"
#include "projector/record.h"

enum { LEDGER_SLOTS = 64, LEDGERS_OPEN_MAX = 8 };

/* Behind a generation's name: it was in the module's key(), not in fold(). */
#define LEDGER_IN_KEY ":key"

/* A record that was being worked on. */
struct ledger_entry {
	char topic[sizeof(((struct partition *)0)->topic)];
	/* "stock.3", "stock.3:key", or "" while it was decoded. */
	char generation[READMODEL_GENERATION_ID_MAX];
	int32_t partition;
	int64_t offset;
	int64_t pid, started_at_ms; /* of the process, for people */
};

/* The file. Its layout is named by `magic`; another one is an empty file. */
struct ledger_page {
	char magic[16];
	char boot[40]; /* the kernel's boot id */
	int64_t pid, started_at_ms;
	/* Odd: within the record named below. Never the same odd twice. */
	_Atomic uint64_t seq;
	_Atomic uint32_t chosen; /* the end was this program's own choice */
	uint32_t step;		 /* enum step */
	uint32_t lane;		 /* but for STEP_DECODE */
	int32_t partition;
	int64_t offset;
	char topic[sizeof(((struct partition *)0)->topic)];
	char lanes[LANES_MAX][READMODEL_GENERATION_ID_MAX];
};

struct ledger {
	struct ledger_page *page;
	uint64_t seq;		      /* as in the page */
	const struct partition *part; /* whose topic is in the page */
	int fd;
	struct ledger_found *found; /* what earlier processes left */
	size_t n_found;
};

/*
 * The directory is made when absent. store: names the store that crashes are
 * counted in; any text, only compared.
 */
int
ledger_open(const char *dir, const char *store, struct ledger **ret_led,
	    struct pj_error *err) __attribute__((warn_unused_result));
/* A clean end. What was found and not forgotten is found again. */
void
ledger_close(struct ledger *led);

/*
 * The i-th unfinished entry that was found at open, or NULL. Nobody else finds
 * it until it is forgotten or this ledger is closed.
 */
const struct ledger_entry *
ledger_found(const struct ledger *led, size_t i);
/* It is counted durably: clears the first one in its file. */
void
ledger_forget(struct ledger *led);

/*
 * Before the first record, and whenever a lane's generation or the partitions
 * have changed: which lanes there are.
 */
void
ledger_lanes(struct ledger *led, const struct lanes *lanes);

/*
 * From here on it is this record, in this step and lane (of ledger_lanes();
 * NULL: STEP_DECODE); also moves on from an unfinished one. A few nanoseconds,
 * no system call. led may be NULL: then nothing is written down.
 */
static inline void
ledger_begin(struct ledger *led, enum step step, const struct lane *lane,
	     const struct record *rec)
{
	struct ledger_page *page;

	if (!led)
		return;
	page = led->page;
	led->seq += led->seq & 1;
	atomic_store_explicit(&page->seq, led->seq, memory_order_release);
	/*
	 * An end of this thread sees its stores in program order; that is all
	 * the entry needs, so the compiler alone has to be told.
	 */
	atomic_signal_fence(memory_order_seq_cst);
	if (led->part != rec->partition) {
		led->part = rec->partition;
		memcpy(page->topic, led->part->topic, sizeof(page->topic));
		page->partition = led->part->number;
	}
	page->step = step;
	page->lane = lane ? lane->index : 0;
	page->offset = rec->offset;
	led->seq++;
	atomic_store_explicit(&page->seq, led->seq, memory_order_release);
}

/* Nothing is being worked on. */
static inline void
ledger_end(struct ledger *led)
{
	if (!led || !(led->seq & 1))
		return;
	led->seq++;
	atomic_store_explicit(&led->page->seq, led->seq, memory_order_release);
}

/* Odd while within a record; another number for each. */
static inline uint64_t
ledger_seq(const struct ledger *led)
{
	return atomic_load_explicit(&led->page->seq, memory_order_acquire);
}

/* The record of this number; false when it is over. */
bool
ledger_read(const struct ledger *led, uint64_t seq,
	    struct ledger_entry *ret_entry);

/*
 * For signal handlers, over all open ledgers of the process. The end is asked
 * for: notes where they stand. Then, before _exit(): the end is our choice, so
 * nothing is counted, except where a ledger still stands at that same record:
 * it kept the process from ending.
 */
void
ledger_mark(void);
void
ledger_absolve(void);

/*
 * The process is about to be ended because of the record of this one: the
 * others' are not to be counted.
 */
void
ledger_accuse(const struct ledger *led);

#endif
