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
 * Ownership: the working set owns entries and documents; records in an entry's
 * lists are borrowed from offsets.c and counted there as pending.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_WORKSET_H
#define PROJECTOR_WORKSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

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
	bool insert; /* the store held nothing; base is unused */
	bool refused;
	bool resent;
	struct records recs; /* whose changes are in it */
};

void
flight_free(struct flight *flight);

enum entry_list {
	LIST_NONE,
	LIST_LOAD,    /* waits for a load (or a verify) to be sent */
	LIST_LOADING, /* in a load job */
	LIST_ROWS,    /* waits until its parked rows are durable */
	LIST_DIRTY,   /* has changes that may be sent */
	LIST_RESEND,  /* its flight has to be sent again as it is */
	LIST_SENT,    /* its flight is in an apply job */
	LIST_MAX,
};

struct entry {
	struct lane *lane;
	struct pj_str key;
	uint64_t hash;
	struct entry *chain;

	struct pj_doc *doc; /* NULL until loaded */
	bool stored;	    /* the store holds a document: base is its token */
	struct store_token base;
	struct flight *flight; /* sent, not yet resolved */

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
	/*
	 * Its parked rows that are not yet durable. Until they are, no write of
	 * the document goes out: its positions would pass the parked records,
	 * and after a crash nobody would look at them again.
	 */
	unsigned rows;

	enum entry_list list;
	TAILQ_ENTRY(entry) link;
	TAILQ_ENTRY(entry) lru;
	size_t memory; /* as last counted */
};

TAILQ_HEAD(entries, entry);

struct workset {
	struct entry **buckets;
	size_t n_buckets, n_entries;
	size_t memory;
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
workset_find(struct workset *set, const struct lane *lane, struct pj_str key);
/* A new entry without a document; in no list. */
struct entry *
workset_add(struct workset *set, struct lane *lane, struct pj_str key);

void
workset_move(struct workset *set, struct entry *e, enum entry_list list);
/* Counts the document's memory anew, after a fold or a load. */
void
workset_count(struct workset *set, struct entry *e);
/* Drops entries that nothing is under way for, oldest first, down to max. */
void
workset_evict(struct workset *set, size_t max_memory);

#endif
