/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The working set: the documents this process holds in memory.
 *
 * An entry is one document of one lane with everything that is under way for
 * it. Invariants (protocol rule 4): at most one write in flight and one pending
 * state per document; the bytes of a sent token are kept until it is known what
 * became of them; folding goes on meanwhile.
 *
 *	base ──flight──▶ what the store holds next ──changed──▶ doc, in memory
 *
 * Beside the documents it holds the parking units of lone records and record
 * keys (docs/adr/0011): each is a document without content in a collection of
 * its own, whose `_m.k` says what waits. One mechanism writes both.
 *
 * Ownership: the working set owns entries and documents; records in an entry's
 * lists are borrowed from offsets.c and counted there as pending.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_WORKSET_H
#define PROJECTOR_WORKSET_H

#include <projector/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/bsonjson.h"
#include "lib/store.h"
#include "projector/doc.h"
#include "projector/lane.h"
#include "projector/record.h"

struct records {
	struct record **recs;
	size_t n, cap;
};

void
records_add(struct records *list, struct record *rec);
void
records_release(struct records *list);
/* Appends all of `from` and empties it. */
void
records_move(struct records *list, struct records *from);

/* A write that was sent: one immutable string of bytes under one token. */
struct flight {
	struct entry *entry;
	uint8_t *bytes;
	size_t len;
	struct store_token token;
	struct store_token base;
	bool insert;  /* the store held nothing; base is unused */
	bool revised; /* more than metadata changes with it */
	bool refused;
	char *why; /* the store's word on that, or NULL */
	bool resent;
	int64_t sent_mono_ms;
	struct records recs;	 /* whose changes are in it */
	struct lane_tally tally; /* and what they come to */
};

void
flight_free(struct flight *flight);

enum entry_list {
	LIST_NONE,
	LIST_LOAD,     /* waits for a load (or a verify) to be sent */
	LIST_LOADING,  /* in a load job */
	LIST_ROWS,     /* waits until its parked rows are durable */
	LIST_DIRTY,    /* has changes that may be sent */
	LIST_URGENT,   /* the same, and lost to another owner: alone, first */
	LIST_HELD,     /* the same, and has to let other owners have a turn */
	LIST_UNITS,    /* the same, and has to let units go before it */
	LIST_RESEND,   /* its flight has to be sent again as it is */
	LIST_SENT,     /* its flight is in an apply job */
	LIST_DRAIN,    /* waits for the next rows of its parked queue */
	LIST_DRAINING, /* in a rows job */
	LIST_MAX,
};

/* What somebody asked for a parked queue (protocol rule 11). */
struct drain {
	char request[33];
	struct partition *part; /* the queue is of this source */
	char unit_type[16];	/* names the rows, with unit */
	char *unit;
	size_t unit_len;
	bool discard;	/* the head is to be given up; then cleared */
	int64_t offset; /* and this is it */
	char *reason, *by;
	uint64_t n_applied, n_discarded, n_cleared;
	unsigned n_out;	    /* records out of the queue that are under way */
	unsigned n_unparks; /* rows that are still to go, or to be told */
	bool given_up; /* what was asked to be given up has left the queue */
	/*
	 * Rows that a crash left behind, of records that are out of the queue:
	 * they are looked for first, from here on, until `swept`.
	 */
	int64_t sweep_from;
	bool swept;
	/*
	 * One was refused again, or the lane has stopped: none behind it is
	 * folded. Why:
	 */
	bool refused;
	int64_t refused_at;
	char why[PJ_ERROR_TEXT];
};

void
drain_free(struct drain *drain);

struct entry {
	struct lane *lane;
	bool unit; /* a parking unit: key is readmodel_unit_key() */
	bool lone; /* ... of one record alone */
	struct pj_str key;
	uint64_t hash;
	struct entry *chain;

	struct pj_doc *doc; /* NULL until loaded */
	bool stored;	    /* the store holds a document: base is its token */
	struct store_token base;
	struct flight *flight;	/* sent, not yet resolved */
	int64_t absent_mono_ms; /* when the store last said it has none */

	/*
	 * Folded into doc, not yet sent: what changed it, and what changed
	 * nothing as long as the former stands.
	 */
	struct records changed;
	struct records backlog; /* not yet folded: the document is not here */
	/*
	 * One record per write: a write of this document was refused, and the
	 * record that makes it so has to be found.
	 */
	bool careful;
	struct record *refused; /* that one: to be parked, not folded */
	char *why;		/* the last write was refused, or NULL */
	/*
	 * Its parked rows that are not yet durable. Until they are, no write of
	 * the document goes out: its positions would pass the parked records,
	 * and after a crash nobody would look at them again.
	 */
	unsigned rows;
	bool open; /* a unit that is one of the batch's open_units */
	TAILQ_ENTRY(entry) open_link;
	struct lane_tally
		tally; /* of doc and not yet sent: a reload forgets it */
	/*
	 * Whose rows were durable before, ascending: while anything is under
	 * way, they may be folded, and parked, once more.
	 */
	struct bsonjson_position *told;
	uint32_t n_told, cap_told;
	struct drain *drain; /* NULL: nobody asked */

	/* Protocol rule 7; of a document that others write, too. */
	bool shared;
	uint8_t recent;	 /* the last eight writes: 1 = lost */
	unsigned losses; /* in a row */
	int64_t hold_ms; /* doubles while more than half are lost */
	int64_t held_until_mono_ms;

	enum entry_list list;
	TAILQ_ENTRY(entry) link;
	TAILQ_ENTRY(entry) lru;
	size_t memory; /* as last counted */
};

TAILQ_HEAD(entries, entry);

struct workset {
	struct entry **buckets;
	size_t n_buckets, n_entries;
	size_t n_units[LANES_MAX]; /* of those, by lane */
	size_t memory;
	size_t unit_memory; /* of it: never evicted */
	uint64_t seed;
	struct entries lists[LIST_MAX];
	size_t n_in_list[LIST_MAX];
	struct entries lru; /* least recently used first */
};

void
workset_init(struct workset *set, uint64_t seed);
/* Frees every entry; flights that are in a job stay the job's. */
void
workset_clear(struct workset *set);
void
workset_release(struct workset *set);

/* The entry, or NULL. Moves it to the recently used end. */
struct entry *
workset_find(struct workset *set, const struct lane *lane, bool unit,
	     struct pj_str key);
/* A new entry without a document; in no list. */
struct entry *
workset_add(struct workset *set, struct lane *lane, bool unit,
	    struct pj_str key);

void
workset_move(struct workset *set, struct entry *e, enum entry_list list);
/* Counts the document's memory anew, after a fold or a load. */
void
workset_count(struct workset *set, struct entry *e);
/* The row of this record is durable: true, when that is news. */
bool
workset_tell(struct entry *e, int32_t source, int64_t offset);
/* Nothing is under way: what comes now is new. */
void
workset_forget_told(struct entry *e);
/*
 * Drops documents that nothing is under way for, oldest first, down to max.
 * Units stay: they are the table of what has to queue, and of what has.
 */
void
workset_evict(struct workset *set, size_t max_memory);

#endif
