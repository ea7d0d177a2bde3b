/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of one answer, brought together: from the cache, or by loads.
 *
 * All are of one picture, so an answer never mixes generations of a view; when
 * one has moved meanwhile, all are asked for again.
 *
 * One with patience is answered with what is there when that is over, or when
 * the store is away; its other slots stay empty.
 *
 * An answer that is being compressed is a gather, too (compress.c): of one slot
 * without a view, whose wait is the coding's instead of a load's.
 *
 * Ownership: the connection's that waits for it (`conn`); when that is gone, of
 * the loads, or the coding, that come back yet. gather_let_go() sees to it.
 * Thread: the loop.
 */
#ifndef QUERYAPI_GATHER_H
#define QUERYAPI_GATHER_H

#include <stdatomic.h>

#include "queryapi/conditions.h"
#include "queryapi/loads.h"
#include "queryapi/snapshot.h"

struct connection;
struct exchange;

struct gather_slot {
	int view; /* of the picture; -1: it has none, the slot stays empty */
	struct pj_str key;
	struct entry *entry; /* a reference */
	struct load_wait wait;
	bool waiting;
};

struct gather {
	struct loop *loop;
	struct connection *conn; /* NULL: nobody waits */
	atomic_bool let_go;	 /* the same, for workers */
	struct snapshot *snap;	 /* a reference */
	struct conditions cond;	 /* kept */
	/* Answers: everything is there. */
	void (*finish)(struct gather *gat, struct exchange *ex);
	void *more;		       /* finish's own */
	void (*free_more)(void *more); /* NULL: free() */
	enum load_result worst;
	int rounds;
	struct trace_ids ids; /* the connection's, for gather_begin() */
	bool exact;	      /* what the store was asked before will not do */
	bool before;	      /* what is superseded will do */
	bool told;  /* what was read before will do: catalog_is_told() */
	bool coded; /* entries are sent with their own gzip, if they have one */
	uint32_t patience_ms; /* 0: none, every slot is needed */
	size_t n_stale;	      /* slots with what is not the newest */
	int64_t age_s;	      /* of the oldest of them */
	/* The part that is asked for of all slots, which are of one view then
	 * (gather_ask_set()): 1 + its index in the picture; 0: the whole. */
	size_t set;
	char set_name[FIELD_SET_NAME_MAX];
	size_t n, n_waiting;
	char *key_bytes; /* what the slots' keys point into */
	struct gather_slot slots[];
};

enum gather_progress {
	GATHER_THERE,	/* every slot has its entry */
	GATHER_WAITING, /* it comes back by gather_arrive() */
	GATHER_FULL,	/* too much waits */
};

/* Takes over what cond owns. */
struct gather *
gather_new(struct loop *lp, struct snapshot *snap, struct conditions *cond,
	   size_t n, size_t key_bytes);
/* Of documents of that view only this set of fields; 0: all of them. */
void
gather_ask_set(struct gather *gat, int view, size_t set);
/* Nobody waits any more; frees it now or when its last wait is back. */
void
gather_let_go(struct gather *gat);

/* Looks for what is missing. */
enum gather_progress
gather_begin(struct gather *gat);
/* The same from the cache alone, however old (answer_may_be_stale()); false:
 * something that is needed is missing or too old. With patience only what is
 * not there yet is looked for. */
bool
gather_stale(struct gather *gat);
/* Another picture: nothing of the old one stays. False: a view that is needed
 * has gone, or (gather_lost_set()) its set of fields. */
bool
gather_restart(struct gather *gat, struct snapshot *snap);

bool
gather_lost_set(const struct gather *gat);
/* All of it is there: what is waited for is how it will be sent. */
bool
gather_is_whole(const struct gather *gat);

/* Something newer than one of its entries is known. */
bool
gather_has_old(const struct gather *gat);

/* A load or a coding came back; the gather when it was its last wait and
 * somebody waits for the answer. */
struct gather *
gather_arrive(struct load_wait *wait);

const struct snapshot_view *
gather_view(const struct gather *gat, size_t slot);

#endif
