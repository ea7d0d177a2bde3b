/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that does what a test says: goes away, hangs, moves its live pointer
 * in the middle of a read. It takes the port's place at link time; all it holds
 * is one view, "shop", of one source, "shop/0", and, if told, another, "stock".
 */
#ifndef TESTS_STORE_DOUBLE_H
#define TESTS_STORE_DOUBLE_H

#include <bson/bson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/mem.h"
#include "lib/store.h"
#include "lib/store_watch.h"

static struct {
	pthread_mutex_t lock; /* all */
	pthread_cond_t changed;
	bool away;	   /* every call: RETRY */
	bool hangs;	   /* loads wait ... */
	int let;	   /* ... but for so many */
	const char *hung;  /* NULL, or the only collection whose loads do */
	bool stock;	   /* the second view is there */
	bool looks_hang;   /* so does the catalog */
	int waiting;	   /* loads that do */
	int loads;	   /* that went through */
	int most;	   /* keys of one of them */
	bool damaged;	   /* documents are no BSON */
	bool meager;	   /* a load gives one and leaves out the rest */
	bool move_on_load; /* generation 1 is dropped under the next load */
	int32_t live;
	int64_t next;		/* checkpoint */
	int64_t next_on_load;	/* 0, or what a load makes of it */
	char loaded[1024];	/* keys, each ended by a space, the first */
	int64_t revision;	/* of every document */
	int64_t revision_after; /* 0, or what a load makes of it */
	const char *cache;	/* the views' policy: reader_json's member */
	/* What the stream tells next; the stream empties it. */
	struct store_news news;
	bool stream_breaks;
	bool opening_hangs; /* of another one */
	int openings;	    /* of streams, tried so far */
	int watches;	    /* streams opened so far */
	int asked;	    /* how often a stream was asked for what is next */
	void (*on_checkpoints)(void); /* NULL, or called as they are read */
} dbl = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.live = 1,
	.next = 10,
	.revision = 7,
	.cache = "",
};

/* For tests: changes a knob. */
#define DOUBLE_SET(what)                                                       \
	do {                                                                   \
		(void)pthread_mutex_lock(&dbl.lock);                           \
		what;                                                          \
		(void)pthread_cond_broadcast(&dbl.changed);                    \
		(void)pthread_mutex_unlock(&dbl.lock);                         \
	} while (0)

/* For tests: one of its numbers. */
static inline int
double_get(const int *number)
{
	int n;

	(void)pthread_mutex_lock(&dbl.lock);
	n = *number;
	(void)pthread_mutex_unlock(&dbl.lock);
	return n;
}

static int
double_enter(struct pj_error *err)
{
	(void)pthread_mutex_lock(&dbl.lock);
	if (!dbl.away)
		return 0;
	(void)pthread_mutex_unlock(&dbl.lock);
	return pj_error_set(err, PJ_ERROR_RETRY, "double: away");
}

static int
double_leave(void)
{
	(void)pthread_mutex_unlock(&dbl.lock);
	return 0;
}

int
store_open(const struct store_settings *settings, struct store **ret_store,
	   struct pj_error *err)
{
	(void)settings;
	(void)err;
	*ret_store = mem_alloc(1);
	return 0;
}

void
store_close(struct store *store)
{
	free(store);
}

int
store_session_open(struct store *store, struct store_session **ret_session,
		   struct pj_error *err)
{
	(void)store;
	(void)err;
	*ret_session = mem_alloc(1);
	return 0;
}

void
store_session_close(struct store_session *ses)
{
	free(ses);
}

/* The document that it has of doc->key. */
static void
double_document(struct store_doc *doc)
{
	bson_t b = BSON_INITIALIZER, m, p;
	uint8_t token[STORE_TOKEN_BYTES] = {1};

	bson_append_utf8(&b, "_id", -1, doc->key.ptr, (int)doc->key.len);
	bson_append_document_begin(&b, "_m", -1, &m);
	bson_append_binary(&m, "w", -1, BSON_SUBTYPE_BINARY, token,
			   sizeof(token));
	bson_append_int64(&m, "r", -1, dbl.revision);
	bson_append_int32(&m, "d", -1, 0);
	bson_append_int64(&m, "t", -1, 0);
	bson_append_document_begin(&m, "p", -1, &p);
	bson_append_int64(&p, "0", -1, 4);
	bson_append_document_end(&m, &p);
	bson_append_document_end(&b, &m);
	doc->len = b.len;
	doc->bson = mem_alloc(b.len);
	memcpy(doc->bson, bson_get_data(&b), b.len);
	if (dbl.damaged)
		doc->bson[0]++;
	bson_destroy(&b);
}

int
store_load(struct store_session *ses, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	bool dropped;

	(void)ses;
	(void)pthread_mutex_lock(&dbl.lock);
	dbl.waiting++;
	(void)pthread_cond_broadcast(&dbl.changed);
	while (dbl.hangs && !dbl.let &&
	       (!dbl.hung || strcmp(dbl.hung, collection) == 0))
		(void)pthread_cond_wait(&dbl.changed, &dbl.lock);
	dbl.let -= dbl.let > 0;
	dbl.waiting--;
	(void)pthread_mutex_unlock(&dbl.lock);
	if (double_enter(err) < 0)
		return -1;
	dbl.loads++;
	if ((int)n_docs > dbl.most)
		dbl.most = (int)n_docs;
	if (dbl.move_on_load)
		dbl.live = 2;
	if (dbl.next_on_load)
		dbl.next = dbl.next_on_load;
	dropped = dbl.live == 2 && strcmp(collection, "shop.1") == 0;
	for (size_t i = 0; i < n_docs; i++) {
		docs[i].bson = NULL;
		docs[i].left_out = dbl.meager && i > 0;
		if (docs[i].left_out)
			continue;
		if (strlen(dbl.loaded) + docs[i].key.len + 2 <
		    sizeof(dbl.loaded)) {
			strncat(dbl.loaded, docs[i].key.ptr, docs[i].key.len);
			strcat(dbl.loaded, " ");
		}
		if (!dropped && docs[i].key.ptr[0] != '-')
			double_document(&docs[i]);
	}
	if (dbl.revision_after)
		dbl.revision = dbl.revision_after;
	return double_leave();
}

int
store_sources(struct store_session *ses, struct store_source_row **ret_rows,
	      size_t *ret_n, struct pj_error *err)
{
	(void)ses;
	if (double_enter(err) < 0)
		return -1;
	*ret_rows = mem_calloc(1, sizeof(**ret_rows));
	strcpy((*ret_rows)[0].topic, "shop");
	*ret_n = 1;
	return double_leave();
}

int
store_checkpoints(struct store_session *ses, const char *generation,
		  struct store_checkpoint **ret_rows, size_t *ret_n,
		  struct pj_error *err)
{
	(void)ses;
	(void)generation;
	if (double_enter(err) < 0)
		return -1;
	*ret_rows = mem_calloc(1, sizeof(**ret_rows));
	strcpy((*ret_rows)[0].generation, dbl.live == 1 ? "shop.1" : "shop.2");
	(*ret_rows)[0].next = dbl.next;
	*ret_n = 1;
	if (dbl.on_checkpoints)
		dbl.on_checkpoints();
	return double_leave();
}

int
store_generations(struct store_session *ses, struct store_generation **ret_rows,
		  size_t *ret_n, struct pj_error *err)
{
	static const char *const collections[] = {"shop.1", "shop.2",
						  "stock.1"};

	(void)ses;
	if (double_enter(err) < 0)
		return -1;
	*ret_rows = mem_calloc(3, sizeof(**ret_rows));
	for (int32_t i = 0; i < 3; i++) {
		struct store_generation *gen = &(*ret_rows)[i];

		strcpy(gen->projection, i == 2 ? "stock" : "shop");
		gen->number = i == 1 ? 2 : 1;
		gen->version = 1;
		strcpy(gen->collection, collections[i]);
		gen->reader_json = mem_printf("{\"fields\":[]%s}", dbl.cache);
	}
	*ret_n = 3;
	return double_leave();
}

void
store_generations_free(struct store_generation *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(rows[i].reader_json);
	free(rows);
}

int
store_live(struct store_session *ses, struct store_live **ret_rows,
	   size_t *ret_n, struct pj_error *err)
{
	(void)ses;
	(void)pthread_mutex_lock(&dbl.lock);
	while (dbl.looks_hang)
		(void)pthread_cond_wait(&dbl.changed, &dbl.lock);
	(void)pthread_mutex_unlock(&dbl.lock);
	if (double_enter(err) < 0)
		return -1;
	*ret_rows = mem_calloc(2, sizeof(**ret_rows));
	strcpy((*ret_rows)[0].projection, "shop");
	(*ret_rows)[0].number = dbl.live;
	strcpy((*ret_rows)[1].projection, "stock");
	(*ret_rows)[1].number = 1;
	*ret_n = dbl.stock ? 2 : 1;
	return double_leave();
}

int
store_parked_has(struct store_session *ses, const char *generation,
		 struct pj_str unit, bool *ret_has, struct pj_error *err)
{
	(void)ses;
	(void)generation;
	(void)unit;
	if (double_enter(err) < 0)
		return -1;
	*ret_has = false;
	return double_leave();
}

int
store_parked_count(struct store_session *ses, const char *generation,
		   int64_t *ret_n, struct pj_error *err)
{
	(void)ses;
	(void)generation;
	if (double_enter(err) < 0)
		return -1;
	*ret_n = 0;
	return double_leave();
}

uint64_t
store_commits(struct store *store)
{
	(void)store;
	return 0;
}

int
store_commits_seen(struct store_session *ses, uint64_t *ret_commits,
		   struct pj_error *err)
{
	(void)ses;
	(void)err;
	*ret_commits = 0;
	return 0;
}

int
store_watch_open(struct store_session *ses, const char *const *collections,
		 size_t n, int wait_ms, struct store_watch **ret_watch,
		 struct pj_error *err)
{
	(void)ses;
	(void)collections;
	(void)n;
	(void)wait_ms;
	(void)pthread_mutex_lock(&dbl.lock);
	dbl.openings++;
	while (dbl.opening_hangs)
		(void)pthread_cond_wait(&dbl.changed, &dbl.lock);
	(void)pthread_mutex_unlock(&dbl.lock);
	if (double_enter(err) < 0)
		return -1;
	dbl.watches++;
	*ret_watch = mem_alloc(1);
	return double_leave();
}

int
store_watch_next(struct store_watch *watch, struct store_news *ret_news,
		 struct pj_error *err)
{
	struct timespec until;
	bool broken;

	(void)watch;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 10000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&dbl.lock);
	dbl.asked++;
	(void)pthread_cond_broadcast(&dbl.changed);
	while (dbl.looks_hang)
		(void)pthread_cond_wait(&dbl.changed, &dbl.lock);
	(void)pthread_mutex_unlock(&dbl.lock);
	if (double_enter(err) < 0)
		return -1;
	if (dbl.news.kind == STORE_NEWS_NONE && !dbl.stream_breaks)
		(void)pthread_cond_timedwait(&dbl.changed, &dbl.lock, &until);
	*ret_news = dbl.news;
	dbl.news.kind = STORE_NEWS_NONE;
	broken = dbl.stream_breaks;
	dbl.stream_breaks = false;
	(void)pthread_cond_broadcast(&dbl.changed);
	if (broken)
		(void)pj_error_set(err, PJ_ERROR_RETRY, "double: broken");
	(void)double_leave();
	return broken ? -1 : 0;
}

void
store_watch_close(struct store_watch *watch)
{
	free(watch);
}

#endif
