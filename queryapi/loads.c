/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the loads; load_run.c carries them out. */
#include "queryapi/loads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "queryapi/loads_impl.h"
#include "queryapi/loop.h"

enum { LOADS_BUCKETS = 4096 };
/* A store that gives older documents than it has told of is not believed for
 * ever: what it gives is served, but not kept. */
enum { ROUNDS_MAX = 4 };
/* What nobody has asked for so long is not read before somebody does. */
enum { AHEAD_MS = 20000 };
/* As many of those go with what somebody waits for. */
enum { AHEAD_BESIDE = 16 };

struct loads {
	struct cache *cache;
	struct queue *jobs;
	struct loads_limits limits;
	uint32_t gzip_min_bytes;

	pthread_mutex_t lock; /* all below, and struct served's share */
	struct load *table[LOADS_BUCKETS];
	struct loads_figures figures;
};

struct loads *
loads_new(struct cache *cache, struct queue *jobs,
	  const struct loads_limits *limits, uint32_t gzip_min_bytes)
{
	struct loads *lds = mem_calloc(1, sizeof(*lds));

	lds->cache = cache;
	lds->jobs = jobs;
	lds->limits = *limits;
	lds->gzip_min_bytes = gzip_min_bytes;
	(void)pthread_mutex_init(&lds->lock, NULL);
	return lds;
}

/* To their loops: the result is for those who still wait. */
static void
send_back(struct load_wait *wait, enum load_result result, struct entry *ent)
{
	struct load_wait *next;

	for (; wait; wait = next) {
		next = wait->next;
		wait->result = result;
		wait->entry = ent ? entry_ref(ent) : NULL;
		loop_arrive(wait);
	}
}

void
loads_free(struct loads *lds)
{
	if (!lds)
		return;
	for (size_t i = 0; i < LOADS_BUCKETS; i++) {
		struct load *load, *next;

		for (load = lds->table[i]; load; load = next) {
			next = load->chain;
			send_back(load->waits, LOAD_STORE, NULL);
			free(load);
		}
	}
	(void)pthread_mutex_destroy(&lds->lock);
	free(lds);
}

uint32_t
loads_gzip_min_bytes(const struct loads *lds)
{
	return lds->gzip_min_bytes;
}

/* ---- By the lock ------------------------------------------------------- */

static struct load **
find(struct loads *lds, const struct served *srv, struct pj_str key,
     uint64_t hash)
{
	struct load **link = &lds->table[hash % LOADS_BUCKETS];

	for (; *link; link = &(*link)->chain)
		if ((*link)->hash == hash && (*link)->served == srv &&
		    str_equal((*link)->key, key))
			break;
	return link;
}

/* One call is enough: who answers it calls again when too much is left. */
static bool
call_worker(struct loads *lds, struct served *srv)
{
	struct load_call *call;

	if (srv->called)
		return true;
	call = mem_alloc(sizeof(*call));
	*call = (struct load_call){{load_call_run}, lds, srv};
	srv->called = queue_try_push(lds->jobs, &call->job);
	if (srv->called)
		lds->figures.called++;
	else
		free(call);
	return srv->called;
}

static size_t *
count_of(struct loads *lds, const struct load *load)
{
	return load->queue == &load->served->ahead ? &lds->figures.waiting_ahead
						   : &lds->figures.waiting;
}

static void
add_pending(struct loads *lds, struct load *load)
{
	struct served *srv = load->served;

	load->at_work = false;
	load->queue = load->ahead && !load->waits ? &srv->ahead : &srv->asked;
	load->pending_mono_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(load->queue, load, pending);
	++*count_of(lds, load);
}

static void
drop_pending(struct loads *lds, struct load *load)
{
	TAILQ_REMOVE(load->queue, load, pending);
	--*count_of(lds, load);
}

static void
take_off(struct loads *lds, struct load *load)
{
	*find(lds, load->served, load->key, load->hash) = load->chain;
}

static struct load *
load_new(struct served *srv, struct pj_str key, uint64_t hash,
	 const struct trace_ids *ids)
{
	size_t request = strlen(ids->request) + 1;
	size_t trace = strlen(ids->trace) + 1;
	struct load *load =
		mem_alloc(sizeof(*load) + key.len + request + trace);
	char *bytes = (char *)(load + 1);

	memset(load, 0, sizeof(*load));
	memcpy(bytes, key.ptr, key.len);
	load->ids.request = memcpy(bytes + key.len, ids->request, request);
	load->ids.trace = memcpy(bytes + key.len + request, ids->trace, trace);
	load->served = srv;
	load->hash = hash;
	load->key = (struct pj_str){bytes, key.len};
	load->least = -1;
	return load;
}

/* It may have arrived since the caller looked. */
static struct entry *
look_again(struct loads *lds, const struct served *srv, struct pj_str key,
	   uint64_t hash, const struct entry_want *want, size_t reader)
{
	struct entry *ent;

	cache_turn_begin(lds->cache, reader);
	ent = cache_get(lds->cache, srv, key, hash);
	ent = ent && entry_is_current(ent) && entry_has(ent, want)
		      ? entry_ref(ent)
		      : NULL;
	cache_turn_end(lds->cache, reader);
	return ent;
}

static void
add_wait(struct load *load, struct load_wait *wait)
{
	wait->load = load;
	wait->prev = NULL;
	wait->next = load->waits;
	if (load->waits)
		load->waits->prev = wait;
	load->waits = wait;
}

/* Of a view's loads the oldest leads; its call may be younger, when a worker
 * has left some over. Others' calls are ahead of a new one. */
static bool
is_late(struct loads *lds, const struct served *srv)
{
	const struct load *first = TAILQ_FIRST(&srv->asked);
	int64_t limit_ms = lds->limits.wait_ms;

	return limit_ms &&
	       ((first &&
		 clock_mono_ms() - first->pending_mono_ms >= limit_ms) ||
		queue_waited_ms(lds->jobs) >= limit_ms);
}

static bool
is_full(struct loads *lds, const struct served *srv)
{
	return lds->figures.waiting >= lds->limits.waiting || is_late(lds, srv);
}

/* Somebody asks for what is on its way. */
static void
rejoin(struct loads *lds, struct load *load, bool gzip, bool look)
{
	lds->figures.joined++;
	/* One that is at work before or without has to be done again. */
	load->again |= !look || (gzip && !load->coding);
	/* What nobody was given does not count against the store. */
	if (!load->waits)
		load->rounds = 0;
}

static bool
is_ahead(const struct load *load)
{
	return !load->at_work && load->queue == &load->served->ahead;
}

/* Into the queue where it belongs by now. */
static void
add_again(struct loads *lds, struct load *load)
{
	drop_pending(lds, load);
	add_pending(lds, load);
}

static enum load_join
join(struct loads *lds, struct served *srv, struct pj_str key, uint64_t hash,
     bool gzip, bool look, bool first, struct load_wait *wait)
{
	struct load **link = find(lds, srv, key, hash), *load = *link;

	if ((!load || is_ahead(load)) && first && is_full(lds, srv))
		return LOAD_FULL;
	if (!load) {
		if (!call_worker(lds, srv))
			return LOAD_FULL;
		load = *link = load_new(srv, key, hash, &wait->ids);
		add_pending(lds, load);
	} else {
		rejoin(lds, load, gzip, look);
	}
	load->gzip |= gzip;
	add_wait(load, wait);
	if (is_ahead(load))
		add_again(lds, load);
	return LOAD_JOINED;
}

bool
loads_leave(struct loads *lds, struct load_wait *wait)
{
	struct load *load;
	bool had;

	(void)pthread_mutex_lock(&lds->lock);
	load = wait->load;
	had = load != NULL;
	if (had) {
		if (wait->prev)
			wait->prev->next = wait->next;
		else
			load->waits = wait->next;
		if (wait->next)
			wait->next->prev = wait->prev;
	}
	if (load && !load->waits && !load->at_work && load->ahead) {
		add_again(lds, load);
	} else if (load && !load->waits && !load->at_work) {
		drop_pending(lds, load);
		take_off(lds, load);
		free(load);
	}
	(void)pthread_mutex_unlock(&lds->lock);
	return had;
}

enum load_join
loads_join(struct loads *lds, struct served *srv, struct pj_str key,
	   uint64_t hash, const struct entry_want *want, bool look, bool first,
	   size_t reader, struct load_wait *wait, struct entry **ret_entry)
{
	enum load_join how = LOAD_THERE;

	(void)pthread_mutex_lock(&lds->lock);
	*ret_entry =
		look ? look_again(lds, srv, key, hash, want, reader) : NULL;
	if (!*ret_entry)
		how = join(lds, srv, key, hash, want->gzip, look, first, wait);
	(void)pthread_mutex_unlock(&lds->lock);
	return how;
}

/* Hits are counted, but have no time: one since the last look is as good as
 * now. */
static void
note_use(struct entry *ent, int64_t now_mono_ms)
{
	if (atomic_exchange(&ent->freq, 0))
		ent->used_mono_ms = now_mono_ms;
}

/*
 * What was of use lately is read again at once, so that who asks next finds it;
 * a load that is there already goes on without who asked for it. It has a queue
 * of its own, out of the way of those who wait.
 */
static bool
read_ahead(struct loads *lds, struct served *srv, int64_t revision,
	   const struct entry *before)
{
	static const struct trace_ids nobody = {"-", ""};
	struct load **link = find(lds, srv, before->key, before->hash);
	struct load *load = *link;

	if (load) {
		load->ahead = true;
		load->used_mono_ms = before->used_mono_ms;
		return true;
	}
	if (clock_mono_ms() - before->used_mono_ms > AHEAD_MS)
		return false;
	if (lds->figures.waiting_ahead >= lds->limits.waiting ||
	    !call_worker(lds, srv))
		return false;
	load = *link = load_new(srv, before->key, before->hash, &nobody);
	load->ahead = true;
	load->used_mono_ms = before->used_mono_ms;
	load->gzip = before->coded;
	load->least = revision;
	add_pending(lds, load);
	lds->figures.ahead++;
	return true;
}

/* The entry that is older than that; it stays while the newer one is read. */
static void
supersede(struct loads *lds, struct served *srv, struct pj_str key,
	  uint64_t hash, int64_t revision)
{
	int64_t now = clock_mono_ms();
	struct entry *before =
		cache_supersede_take(lds->cache, srv, key, hash, revision, now);

	if (!before)
		return;
	note_use(before, now);
	if (revision < 0 || !read_ahead(lds, srv, revision, before))
		cache_drop(lds->cache, before);
	entry_unref(before);
}

void
loads_note(struct loads *lds, struct served *srv, const struct store_news *news)
{
	uint64_t hash = cache_hash(lds->cache, srv, news->key);
	struct load *load;

	(void)pthread_mutex_lock(&lds->lock);
	load = *find(lds, srv, news->key, hash);
	if (load && news->revision > load->least)
		load->least = news->revision;
	if (load && news->revision < 0) {
		/* One that comes back may have any revision. */
		load->least = -1;
		load->again = true;
	}
	supersede(lds, srv, news->key, hash, news->revision);
	(void)pthread_mutex_unlock(&lds->lock);
}

/* ---- For workers ------------------------------------------------------- */

/* What was told of a checkpoint comes behind what it covers, and what is told
 * is noted by the lock: so this is in what is taken with it. */
static void
note_reached(struct loads_taken *taken)
{
	for (size_t i = 0; i < taken->reached.n; i++) {
		struct snapshot_checkpoint *row = &taken->reached.rows[i];

		row->next = served_next(taken->served, row->source);
	}
	taken->since = atomic_load(&taken->served->since);
	taken->at_mono_ms = clock_mono_ms();
}

static void
take_from(struct loads *lds, struct load_queue *queue, size_t most,
	  struct loads_taken *taken)
{
	struct load *load;

	while (taken->n < most && (load = TAILQ_FIRST(queue))) {
		drop_pending(lds, load);
		/* What was told before the store is asked is in the answer. */
		load->again = false;
		load->at_work = true;
		load->coding = load->gzip;
		taken->load[taken->n] = load;
		taken->docs[taken->n++] = (struct store_doc){.key = load->key};
	}
}

void
loads_take(struct loads *lds, struct loads_taken *taken)
{
	struct served *srv = taken->served;

	(void)pthread_mutex_lock(&lds->lock);
	srv->called = false;
	lds->figures.called--;
	note_reached(taken);
	take_from(lds, &srv->asked,
		  TAILQ_EMPTY(&srv->ahead) ? LOADS_AT_ONCE
					   : LOADS_AT_ONCE - AHEAD_BESIDE,
		  taken);
	take_from(lds, &srv->ahead,
		  taken->n ? taken->n + AHEAD_BESIDE : LOADS_AT_ONCE, taken);
	lds->figures.keys += taken->n;
	lds->figures.calls += taken->n > 0;
	/* Fails only when the queue is closed: loads_free() sees to the rest.
	 */
	if (!TAILQ_EMPTY(&srv->asked) || !TAILQ_EMPTY(&srv->ahead))
		(void)call_worker(lds, srv);
	(void)pthread_mutex_unlock(&lds->lock);
}

void
loads_end(struct loads *lds, struct load *load, enum load_result result,
	  struct entry *ent)
{
	bool old;

	(void)pthread_mutex_lock(&lds->lock);
	old = result == LOAD_DONE &&
	      (load->again || ent->revision < load->least);
	/* For somebody, or who asks next: of one that all have left nothing is
	 * kept. */
	if (old && (load->waits || load->ahead) &&
	    ++load->rounds < ROUNDS_MAX && call_worker(lds, load->served)) {
		add_pending(lds, load);
		(void)pthread_mutex_unlock(&lds->lock);
		entry_unref(ent);
		return;
	}
	take_off(lds, load);
	for (struct load_wait *wait = load->waits; wait; wait = wait->next)
		wait->load = NULL;
	if (old) {
		/* What is told of checkpoints from now on is not in it. */
		atomic_store(&ent->since, 0);
		/* Who gets it is not to see an older one thereafter. */
		if (load->waits)
			supersede(lds, load->served, load->key, load->hash, -1);
	} else if (result == LOAD_DONE) {
		ent->used_mono_ms =
			load->waits ? clock_mono_ms() : load->used_mono_ms;
		ent = cache_put_take(lds->cache, ent);
	}
	(void)pthread_mutex_unlock(&lds->lock);
	send_back(load->waits, result, ent);
	entry_unref(ent);
	free(load);
}

void
loads_figures(struct loads *lds, struct loads_figures *ret)
{
	(void)pthread_mutex_lock(&lds->lock);
	*ret = lds->figures;
	(void)pthread_mutex_unlock(&lds->lock);
}
