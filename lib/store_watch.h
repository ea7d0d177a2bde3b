/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store port's watch: what changes, in the order in which it became
 * durable. A part of lib/store.h; sessions, errors and ownership are said
 * there.
 */
#ifndef LIB_STORE_WATCH_H
#define LIB_STORE_WATCH_H

#include "lib/store.h"

enum store_news_kind {
	STORE_NEWS_NONE,       /* nothing, for as long as was to be waited */
	STORE_NEWS_DOCUMENT,   /* one document was written or taken away */
	STORE_NEWS_CHECKPOINT, /* a checkpoint was written */
	STORE_NEWS_CATALOG,    /* a live pointer or a generation's record */
	STORE_NEWS_ANYTHING,   /* whatever there is may have changed */
};

struct store_news {
	enum store_news_kind kind;
	char collection[64]; /* document: its generation's */
	struct pj_str key;   /* document; borrowed until the next call */
	int64_t revision;    /* document; -1: it is gone, or none was told */
	char generation[64]; /* checkpoint */
	int32_t source;
	int64_t next;
};

struct store_watch;

/*
 * Begins to watch the documents of these collections, and all checkpoints and
 * live pointers. Whatever this store's sessions do not see in a read that
 * begins after this returned, the watch tells. Documents come before the
 * checkpoints that cover them; majority writes only. mongodb: a change stream,
 * so a replica set is needed (CONFIG otherwise). lmdb: it is only told that
 * something was committed.
 * The session is the watch's until it is closed. wait_ms: the longest that
 * store_watch_next() waits, but for outages.
 */
int
store_watch_open(struct store_session *ses, const char *const *collections,
		 size_t n, int wait_ms, struct store_watch **ret_watch,
		 struct pj_error *err) __attribute__((warn_unused_result));
/*
 * The next of it, or STORE_NEWS_NONE. On failure (any class) something may have
 * been missed: close, open another, and take all that is known for old.
 */
int
store_watch_next(struct store_watch *watch, struct store_news *ret_news,
		 struct pj_error *err) __attribute__((warn_unused_result));
/* NULL is allowed. */
void
store_watch_close(struct store_watch *watch);

/*
 * Counts what was committed by anybody, where asking costs next to nothing
 * (lmdb): what was read before it moved may be old, whether the watch has told
 * so or not. mongodb: always 0. Thread: any.
 */
uint64_t
store_commits(struct store *store);
/*
 * The same count as of what a read that begins now is sure to see: a commit
 * counts a moment before it can be read.
 */
int
store_commits_seen(struct store_session *ses, uint64_t *ret_commits,
		   struct pj_error *err) __attribute__((warn_unused_result));

#endif
