/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/feed.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/store_watch.h"
#include "queryapi/rounds.h"

/*
 * The second is how far a stream may be behind a poll: longer, and readers
 * would take what is old for new. The first bounds how long a stop waits.
 */
enum { WAIT_MS = 200, LATE_MS = 1000, AGAIN_MS = 250, WAKE_EVERY_MS = 1000 };

struct feed {
	struct catalog *catalog;
	struct loads *loads;
	struct watchers *watchers;
	struct rounds *rounds;

	/* The thread's. */
	struct store_session *ses;
	struct store_watch *watch;
	struct snapshot *followed; /* the picture whose views are */
	bool said_lost;

	/* The catalog's thread's: the picture that is to be reached. */
	struct snapshot *goal;
	int64_t goal_at_mono_ms;
	int64_t woke_mono_ms;

	atomic_bool distrusted; /* by the catalog: begin anew */
	_Atomic bool following;
	_Atomic uint64_t documents, checkpoints, followings, lost;
};

static void
prove(void *arg, const struct snapshot *snap);

struct feed *
feed_new(struct catalog *cat, struct loads *lds, struct watchers *wts)
{
	struct feed *feed = mem_calloc(1, sizeof(*feed));

	feed->catalog = cat;
	feed->loads = lds;
	feed->watchers = wts;
	catalog_on_look(cat, prove, feed);
	return feed;
}

void
feed_free(struct feed *feed)
{
	if (!feed)
		return;
	snapshot_unref(feed->goal);
	free(feed);
}

void
feed_figures(const struct feed *feed, struct feed_figures *ret)
{
	*ret = (struct feed_figures){
		.following = atomic_load(&feed->following),
		.documents = atomic_load(&feed->documents),
		.checkpoints = atomic_load(&feed->checkpoints),
		.followings = atomic_load(&feed->followings),
		.lost = atomic_load(&feed->lost),
	};
}

/* ---- Proof, in the catalog's thread ------------------------------------ */

static bool
has_reached(const struct snapshot *snap)
{
	for (size_t v = 0; v < snap->n_views; v++) {
		const struct snapshot_checkpoints *list = &snap->checkpoints[v];
		const struct served *srv = snap->views[v].served;

		for (size_t i = 0; i < list->n; i++)
			if (list->rows[i].source <
				    SERVED_CHUNK * SERVED_CHUNKS &&
			    served_next(srv, list->rows[i].source) <
				    list->rows[i].next)
				return false;
	}
	return true;
}

static void
note_proof(const struct snapshot *snap, int64_t at_mono_ms)
{
	for (size_t v = 0; v < snap->n_views; v++) {
		struct served *srv = snap->views[v].served;
		uint64_t since = atomic_load(&srv->since);

		if (!since)
			continue;
		atomic_store(&srv->proven_since, since);
		atomic_store(&srv->proven_mono_ms, at_mono_ms);
	}
}

/* Nobody tells what changes, so whoever waits has to look for it. */
static void
wake_by_and_by(struct feed *feed, int64_t now_mono_ms)
{
	if (now_mono_ms - feed->woke_mono_ms < WAKE_EVERY_MS)
		return;
	feed->woke_mono_ms = now_mono_ms;
	watchers_tell_all(feed->watchers);
}

static void
prove(void *arg, const struct snapshot *snap)
{
	struct feed *feed = arg;
	int64_t now = clock_mono_ms();

	if (!atomic_load(&feed->following)) {
		snapshot_unref(feed->goal);
		feed->goal = NULL;
		wake_by_and_by(feed, now);
		return;
	}
	if (!feed->goal) {
		feed->goal = snapshot_ref((struct snapshot *)(uintptr_t)snap);
		feed->goal_at_mono_ms = now;
	}
	if (has_reached(feed->goal)) {
		note_proof(feed->goal, feed->goal_at_mono_ms);
		snapshot_unref(feed->goal);
		feed->goal = NULL;
	} else if (now - feed->goal_at_mono_ms > LATE_MS &&
		   !atomic_load(&feed->distrusted)) {
		/* Now, not when the thread comes back from the store. And
		 * before it is told: what it follows behind that stays. */
		catalog_unfollow(feed->catalog);
		atomic_store(&feed->distrusted, true);
		log_warn("feed.late",
			 "ms=%d text=\"the stream of changes is behind the "
			 "store: what is cached is read again\"",
			 (int)(now - feed->goal_at_mono_ms));
	}
}

/* ---- The thread -------------------------------------------------------- */

static void
say_lost(struct feed *feed, const struct pj_error *err)
{
	char quoted[PJ_ERROR_TEXT * 2];

	if (!feed->said_lost)
		log_warn("feed.lost",
			 "text=%s do=\"every read asks the store until it is "
			 "followed again\"",
			 log_quote(quoted, sizeof(quoted), err->text,
				   strlen(err->text)));
	feed->said_lost = true;
}

static void
let_go(struct feed *feed)
{
	if (!feed->watch)
		return;
	catalog_unfollow(feed->catalog);
	atomic_store(&feed->following, false);
	store_watch_close(feed->watch);
	feed->watch = NULL;
	snapshot_unref(feed->followed);
	feed->followed = NULL;
}

static bool
same_views(const struct snapshot *a, const struct snapshot *b)
{
	if (a->n_views != b->n_views)
		return false;
	for (size_t v = 0; v < a->n_views; v++)
		if (a->views[v].served != b->views[v].served)
			return false;
	return true;
}

static int
open_session(struct feed *feed, struct pj_error *err)
{
	struct store *store = catalog_store(feed->catalog);

	if (feed->ses)
		return 0;
	if (!store)
		return pj_error_set(err, PJ_ERROR_RETRY,
				    "the store has not been reached yet");
	return store_session_open(store, &feed->ses, err);
}

static int
open_watch(struct feed *feed, const struct snapshot *snap, struct pj_error *err)
{
	const char **names = mem_calloc(snap->n_views + 1, sizeof(*names));
	int rc;

	for (size_t v = 0; v < snap->n_views; v++)
		names[v] = snap->views[v].collection;
	rc = store_watch_open(feed->ses, names, snap->n_views, WAIT_MS,
			      &feed->watch, err);
	free(names);
	return rc;
}

/* Follows the views of the newest picture; when the look behind the stream's
 * beginning finds others, those. */
static int
follow(struct feed *feed, struct pj_error *err)
{
	struct snapshot_hold hold = {NULL, 0};
	struct snapshot *snap = NULL;
	int rc = -1;

	/* Before following: see prove(). */
	atomic_store(&feed->distrusted, false);
	if (open_session(feed, err) < 0)
		return -1;
	catalog_update(feed->catalog, &hold);
	if (!hold.snap && catalog_look(feed->catalog, feed->ses, err) < 0)
		return -1;
	catalog_update(feed->catalog, &hold);
	if (open_watch(feed, hold.snap, err) < 0)
		goto out;
	if (catalog_follow(feed->catalog, feed->ses, &snap, err) < 0) {
		let_go(feed);
		goto out;
	}
	feed->followed = snap;
	if (!same_views(hold.snap, snap)) {
		let_go(feed);
		rc = 0;
		goto out;
	}
	atomic_store(&feed->following, true);
	(void)atomic_fetch_add(&feed->followings, 1);
	if (feed->said_lost || atomic_load(&feed->followings) == 1)
		log_info("feed.following", "views=%zu", snap->n_views);
	feed->said_lost = false;
	/* What changed while nobody told. */
	watchers_tell_all(feed->watchers);
	rc = 0;
out:
	snapshot_unref(hold.snap);
	return rc;
}

/* The generation of a collection that is followed; their names are the same. */
static struct served *
served_of(const struct feed *feed, const char *collection)
{
	for (size_t v = 0; v < feed->followed->n_views; v++)
		if (strcmp(feed->followed->views[v].collection, collection) ==
		    0)
			return feed->followed->views[v].served;
	return NULL;
}

/* A live pointer moved, a generation was declared anew, or a record changed
 * that does not concern us. */
static int
look_for_views(struct feed *feed, struct pj_error *err)
{
	struct snapshot_hold hold = {NULL, 0};

	if (catalog_look(feed->catalog, feed->ses, err) < 0)
		return -1;
	catalog_update(feed->catalog, &hold);
	if (!same_views(feed->followed, hold.snap)) {
		let_go(feed);
	} else if (feed->followed->viewset != hold.snap->viewset) {
		/* Declared anew: parts have other tags, though no document
		 * changed. */
		snapshot_unref(feed->followed);
		feed->followed = snapshot_ref(hold.snap);
		watchers_tell_all(feed->watchers);
	}
	snapshot_unref(hold.snap);
	return 0;
}

static void
take_document(struct feed *feed, const struct store_news *news)
{
	struct served *srv = served_of(feed, news->collection);

	(void)atomic_fetch_add(&feed->documents, 1);
	if (!srv)
		return;
	loads_note(feed->loads, srv, news);
	watchers_tell_key(feed->watchers, srv, news->key);
}

static void
take_checkpoint(struct feed *feed, const struct store_news *news)
{
	struct served *srv =
		served_find(catalog_served(feed->catalog), news->generation);

	(void)atomic_fetch_add(&feed->checkpoints, 1);
	if (!served_advance(srv, news->source, news->next))
		return;
	watchers_tell_checkpoint(feed->watchers, srv, news->source, news->next);
}

static int
take(struct feed *feed, const struct store_news *news, struct pj_error *err)
{
	switch (news->kind) {
	case STORE_NEWS_NONE:
		return 0;
	case STORE_NEWS_DOCUMENT:
		take_document(feed, news);
		return 0;
	case STORE_NEWS_CHECKPOINT:
		take_checkpoint(feed, news);
		return 0;
	case STORE_NEWS_CATALOG:
		return look_for_views(feed, err);
	case STORE_NEWS_ANYTHING:
		let_go(feed);
		return 0;
	}
	return 0;
}

static int
turn(struct feed *feed, struct pj_error *err)
{
	struct store_news news;

	if (atomic_load(&feed->distrusted))
		let_go(feed);
	if (!feed->watch)
		return follow(feed, err);
	if (store_watch_next(feed->watch, &news, err) < 0)
		return -1;
	catalog_note_answer(feed->catalog);
	return take(feed, &news, err);
}

/* A round: what to rest behind it. */
static int
feed_turn(void *arg)
{
	struct feed *feed = arg;
	struct pj_error err;

	if (turn(feed, &err) == 0)
		return 0;
	(void)atomic_fetch_add(&feed->lost, feed->watch != NULL);
	say_lost(feed, &err);
	let_go(feed);
	return AGAIN_MS;
}

static void
feed_end(void *arg)
{
	struct feed *feed = arg;

	let_go(feed);
	if (feed->ses)
		store_session_close(feed->ses);
	feed->ses = NULL;
}

int
feed_start(struct feed *feed, struct pj_error *err)
{
	return rounds_start(&feed->rounds, feed_turn, feed_end, feed,
			    "the feed", err);
}

bool
feed_stop(struct feed *feed, int64_t until_mono_ms)
{
	if (!rounds_stop(feed->rounds, until_mono_ms))
		return false;
	feed->rounds = NULL;
	return true;
}
