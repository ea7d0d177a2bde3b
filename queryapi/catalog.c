/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/catalog.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/store_watch.h"
#include "queryapi/rounds.h"

/* A promoted generation is served within the first. The second is how long a
 * client may wait for a store that hangs: a busy one answers somebody. */
enum { LOOK_EVERY_MS = 250, WELL_FOR_MS = 1000, NOTE_EVERY_MS = 50 };

struct catalog {
	const struct store_settings *settings;
	const struct settings *set;
	struct rounds *rounds;
	struct store *_Atomic store;
	struct store_session *ses; /* the thread's */
	void (*looked)(void *arg, const struct snapshot *snap);
	void *looked_arg;
	struct served_list *served;
	/* Held over a whole look: pictures are published in the order in which
	 * they were read. Also over following and what it says of positions. */
	pthread_mutex_t look_lock;
	uint64_t followings;	      /* by look_lock */
	_Atomic uint64_t commits;     /* before the last following began */
	bool said_away, said_reached; /* the thread's */
	struct snapshot_hold hold;    /* the thread's */
	/* mono time of the last answer; 0 = the last look failed */
	_Atomic int64_t well_at_mono_ms;
	_Atomic int64_t answered_mono_ms;

	pthread_mutex_t lock; /* all below; a leaf */
	struct snapshot *snap;
	struct pj_error trouble;
	_Atomic uint64_t serial; /* of snap; read without the lock */
};

struct catalog *
catalog_new(const struct store_settings *settings, const struct settings *set)
{
	struct catalog *cat = mem_calloc(1, sizeof(*cat));

	cat->settings = settings;
	cat->set = set;
	cat->served = served_list_new();
	(void)pthread_mutex_init(&cat->look_lock, NULL);
	(void)pthread_mutex_init(&cat->lock, NULL);
	return cat;
}

static void
publish(struct catalog *cat, struct snapshot *snap)
{
	struct snapshot *before;

	(void)pthread_mutex_lock(&cat->lock);
	before = cat->snap;
	cat->snap = snap;
	(void)atomic_fetch_add(&cat->serial, 1);
	cat->trouble.text[0] = '\0';
	(void)pthread_mutex_unlock(&cat->lock);
	snapshot_unref(before);
}

static int
try_open(struct catalog *cat, struct pj_error *err)
{
	struct store *store = atomic_load(&cat->store);

	if (!store) {
		if (store_open(cat->settings, &store, err) < 0)
			return -1;
		atomic_store(&cat->store, store);
	}
	if (!cat->ses && store_session_open(store, &cat->ses, err) < 0)
		return -1;
	return 0;
}

static void
say_changes(const struct snapshot *before, const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_views; i++) {
		const struct snapshot_view *view = &snap->views[i];
		int was = before ? snapshot_view(before, view->name,
						 strlen(view->name))
				 : -1;

		if (was >= 0 &&
		    before->views[was].generation == view->generation)
			continue;
		log_info("view.live", "view=%s generation=%d version=%d",
			 view->name, (int)view->generation, (int)view->version);
		if (!view->readable)
			log_warn("view.unreadable",
				 "view=%s text=\"the generation's description "
				 "is no JSON object: served without schema\"",
				 view->name);
	}
}

/* ---- Looks, by look_lock ----------------------------------------------- */

static void
advance(const struct snapshot *snap, size_t view)
{
	const struct snapshot_checkpoints *list = &snap->checkpoints[view];

	for (size_t i = 0; i < list->n; i++)
		(void)served_advance(snap->views[view].served,
				     list->rows[i].source, list->rows[i].next);
}

static int
read_picture(struct catalog *cat, struct store_session *ses,
	     struct snapshot **ret_snap, struct pj_error *err)
{
	struct snapshot *snap;

	/* Published only by the lock's holder, so it stays meanwhile. */
	if (snapshot_read(ses, cat->served, cat->set, cat->snap, &snap, err) <
	    0)
		return -1;
	say_changes(cat->snap, snap);
	*ret_snap = snapshot_ref(snap);
	publish(cat, snap);
	/* Whoever looked: the feed may be the first. */
	atomic_store(&cat->well_at_mono_ms, clock_mono_ms());
	atomic_store(&cat->answered_mono_ms, clock_mono_ms());
	return 0;
}

int
catalog_look(struct catalog *cat, struct store_session *ses,
	     struct pj_error *err)
{
	struct snapshot *snap = NULL;
	int rc;

	(void)pthread_mutex_lock(&cat->look_lock);
	rc = read_picture(cat, ses, &snap, err);
	for (size_t v = 0; rc == 0 && v < snap->n_views; v++)
		if (!atomic_load(&snap->views[v].served->since))
			advance(snap, v);
	(void)pthread_mutex_unlock(&cat->look_lock);
	snapshot_unref(snap);
	return rc;
}

int
catalog_follow(struct catalog *cat, struct store_session *ses,
	       struct snapshot **ret_snap, struct pj_error *err)
{
	struct snapshot *snap = NULL;
	uint64_t commits;
	int rc;

	if (store_commits_seen(ses, &commits, err) < 0)
		return -1;
	(void)pthread_mutex_lock(&cat->look_lock);
	/* Before anything is said of positions: no entry is current now. */
	served_list_unfollow(cat->served);
	rc = read_picture(cat, ses, &snap, err);
	if (rc == 0) {
		cat->followings++;
		atomic_store(&cat->commits, commits);
		for (size_t v = 0; v < snap->n_views; v++) {
			advance(snap, v);
			served_follow(snap->views[v].served, cat->followings);
		}
		*ret_snap = snap;
	}
	(void)pthread_mutex_unlock(&cat->look_lock);
	return rc;
}

bool
catalog_is_told(struct catalog *cat)
{
	struct store *store = atomic_load(&cat->store);

	return store && store_commits(store) == atomic_load(&cat->commits);
}

void
catalog_unfollow(struct catalog *cat)
{
	(void)pthread_mutex_lock(&cat->look_lock);
	served_list_unfollow(cat->served);
	(void)pthread_mutex_unlock(&cat->look_lock);
}

/* ---- The thread -------------------------------------------------------- */

static void
look(struct catalog *cat)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	char quoted[PJ_ERROR_TEXT * 2];

	if (try_open(cat, &err) == 0 &&
	    catalog_look(cat, cat->ses, &err) == 0) {
		catalog_update(cat, &cat->hold);
		if (cat->said_away || !cat->said_reached)
			log_info("store.reached", "views=%zu",
				 cat->hold.snap->n_views);
		cat->said_away = false;
		cat->said_reached = true;
		if (cat->looked)
			cat->looked(cat->looked_arg, cat->hold.snap);
		return;
	}
	atomic_store(&cat->well_at_mono_ms, 0);
	(void)pthread_mutex_lock(&cat->lock);
	cat->trouble = err;
	(void)pthread_mutex_unlock(&cat->lock);
	if (!cat->said_away)
		log_warn("store.away", "text=%s",
			 log_quote(quoted, sizeof(quoted), err.text,
				   strlen(err.text)));
	cat->said_away = true;
}

static int
catalog_turn(void *arg)
{
	look(arg);
	return LOOK_EVERY_MS;
}

static void
catalog_end(void *arg)
{
	struct catalog *cat = arg;

	if (cat->ses)
		store_session_close(cat->ses);
	cat->ses = NULL;
	snapshot_unref(cat->hold.snap);
	cat->hold.snap = NULL;
}

void
catalog_on_look(struct catalog *cat,
		void (*looked)(void *arg, const struct snapshot *snap),
		void *arg)
{
	cat->looked = looked;
	cat->looked_arg = arg;
}

struct served_list *
catalog_served(struct catalog *cat)
{
	return cat->served;
}

int
catalog_start(struct catalog *cat, struct pj_error *err)
{
	struct store *store;

	if (store_open(cat->settings, &store, err) == 0)
		atomic_store(&cat->store, store);
	else if (err->cls == PJ_ERROR_CONFIG)
		return -1;
	return rounds_start(&cat->rounds, catalog_turn, catalog_end, cat,
			    "the catalog", err);
}

bool
catalog_stop(struct catalog *cat, int64_t until_mono_ms)
{
	if (!rounds_stop(cat->rounds, until_mono_ms))
		return false;
	cat->rounds = NULL;
	return true;
}

void
catalog_free(struct catalog *cat)
{
	if (!cat)
		return;
	snapshot_unref(cat->snap);
	served_list_free(cat->served);
	(void)pthread_mutex_destroy(&cat->look_lock);
	if (atomic_load(&cat->store))
		store_close(atomic_load(&cat->store));
	(void)pthread_mutex_destroy(&cat->lock);
	free(cat);
}

bool
catalog_is_beyond(const struct catalog *cat, const struct snapshot_hold *hold)
{
	return atomic_load_explicit(&cat->serial, memory_order_acquire) !=
	       hold->serial;
}

void
catalog_update(struct catalog *cat, struct snapshot_hold *hold)
{
	struct snapshot *before = NULL;

	if (!catalog_is_beyond(cat, hold))
		return;
	(void)pthread_mutex_lock(&cat->lock);
	before = hold->snap;
	hold->snap = snapshot_ref(cat->snap);
	hold->serial = atomic_load(&cat->serial);
	(void)pthread_mutex_unlock(&cat->lock);
	snapshot_unref(before);
}

struct store *
catalog_store(struct catalog *cat)
{
	return atomic_load(&cat->store);
}

bool
catalog_store_is_well(struct catalog *cat)
{
	int64_t at = atomic_load(&cat->well_at_mono_ms);

	return at && clock_mono_ms() - at <= WELL_FOR_MS;
}

int64_t
catalog_answered_mono_ms(struct catalog *cat)
{
	return atomic_load(&cat->answered_mono_ms);
}

void
catalog_note_answer(struct catalog *cat)
{
	int64_t at = atomic_load(&cat->well_at_mono_ms);
	int64_t now = clock_mono_ms();

	atomic_store(&cat->answered_mono_ms, now);
	/* A failed look is only made good by a look. */
	if (at && now - at > NOTE_EVERY_MS)
		(void)atomic_compare_exchange_strong(&cat->well_at_mono_ms, &at,
						     now);
}

void
catalog_trouble(struct catalog *cat, struct pj_error *ret_err)
{
	(void)pthread_mutex_lock(&cat->lock);
	*ret_err = cat->trouble;
	(void)pthread_mutex_unlock(&cat->lock);
}
