/* SPDX-License-Identifier: Apache-2.0 */
/* Takes connections and finished fetches, gives both to connection.c. */
#define _GNU_SOURCE /* accept4, which saves a call per connection */
#include "queryapi/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "queryapi/connection.h"
#include "queryapi/gather.h"
#include "queryapi/guard.h"

/* Without descriptors accept() fails at once and for ever: look again later. */
enum { NO_DESCRIPTORS_MS = 100, BEAT_MS = 250 };
/* Refused clients that are being told so; beyond, they are just closed. */
enum { REFUSED_MAX = 64 };
/* Taken in by a loop that stops, from a queue of that many. */
enum { LAST_ACCEPTS_MAX = 1024 };

bool
loop_workers_are_full(const struct loop_shared *sh)
{
	uint32_t wait_ms = sh->set->queryapi.queue_wait_ms;

	return queue_len(sh->jobs) >= sh->set->queryapi.queue_depth ||
	       (wait_ms && queue_waited_ms(sh->jobs) >= wait_ms);
}

const char *
loop_date(struct loop *lp)
{
	int64_t s = clock_wall_ms() / 1000;

	if (s != lp->date_s) {
		http_date(lp->date, s);
		lp->date_s = s;
	}
	return lp->date;
}

/* 64 random bits per loop and a counter: unique, and cheap. */
void
loop_request_id(struct loop *lp, char out[FETCH_REQUEST_ID_MAX])
{
	static const char hex[] = "0123456789abcdef";
	uint64_t parts[2] = {lp->id_seed, ++lp->id_counter};

	for (size_t i = 0; i < 32; i++)
		out[i] = hex[parts[i / 16] >> (60 - 4 * (i % 16)) & 15];
	out[32] = '\0';
}

void
loop_forget(struct loop *lp)
{
	if (lp->stopping && lp->n_connections == 0)
		(void)event_base_loopbreak(lp->base);
}

void
loop_wake(struct loop *lp)
{
	uint64_t one = 1;

	/* Full (EAGAIN) means awake already. */
	if (write(lp->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void
loop_arrive(struct load_wait *wait)
{
	struct loop *lp = wait->loop;
	bool first;

	(void)pthread_mutex_lock(&lp->lock);
	first = !lp->completed && !lp->arrived;
	wait->next = lp->arrived;
	lp->arrived = wait;
	(void)pthread_mutex_unlock(&lp->lock);
	if (first)
		loop_wake(lp);
}

void
loop_complete(struct fetch *fetch)
{
	struct loop *lp = fetch->loop;
	bool first;

	(void)pthread_mutex_lock(&lp->lock);
	first = !lp->completed && !lp->arrived;
	fetch->next = lp->completed;
	lp->completed = fetch;
	(void)pthread_mutex_unlock(&lp->lock);
	if (first)
		loop_wake(lp);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *lp = arg;

	(void)fd;
	(void)what;
	atomic_store(&lp->beat_mono_ms, clock_mono_ms());
	if (!catalog_store_is_well(lp->shared->catalog))
		connection_fail_waiting(lp);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct loop *lp = arg;

	(void)fd;
	(void)what;
	(void)event_add(lp->accept_ev, NULL);
}

/* No descriptor left: the reserve one lets the client be closed instead of
 * left hanging; then accepting rests. */
static void
out_of_descriptors(struct loop *lp)
{
	struct timeval tv = {0, NO_DESCRIPTORS_MS * 1000};
	int fd;

	metrics_count(&lp->met->refused);
	(void)pthread_mutex_lock(&lp->shared->accept_lock);
	if (lp->reserve_fd >= 0)
		(void)close(lp->reserve_fd);
	fd = accept4(lp->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		(void)close(fd);
	lp->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)pthread_mutex_unlock(&lp->shared->accept_lock);
	(void)event_del(lp->accept_ev);
	(void)event_add(lp->resume_ev, &tv);
}

/* False when nobody waits to be accepted (or nobody can be). */
static bool
accept_one(struct loop *lp)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct admission_address addr;
	enum admission_result why;
	int fd, why_not;

	(void)pthread_mutex_lock(&lp->shared->accept_lock);
	fd = accept4(lp->listen_fd, (struct sockaddr *)&from, &len,
		     SOCK_CLOEXEC | SOCK_NONBLOCK);
	why_not = errno;
	(void)pthread_mutex_unlock(&lp->shared->accept_lock);
	if (fd < 0) {
		if (why_not == EMFILE || why_not == ENFILE ||
		    why_not == ENOBUFS || why_not == ENOMEM)
			out_of_descriptors(lp);
		return false; /* or another loop was faster */
	}
	metrics_count(&lp->met->accepted);
	admission_address_of((struct sockaddr *)&from, &addr);
	why = admission_enter(lp->shared->admission, &addr);
	if (why != ADMISSION_OK && lp->n_refused >= REFUSED_MAX) {
		metrics_count(&lp->met->refused);
		(void)close(fd);
		return true;
	}
	connection_open(lp, fd, &addr, why);
	return true;
}

/* One connection per wake-up: see loop.h. */
static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)accept_one(arg);
}

static void
begin_stop(struct loop *lp)
{
	int64_t left_ms =
		atomic_load(&lp->shared->stop_by_mono_ms) - clock_mono_ms();
	struct timeval tv = {0, 1000};

	if (lp->stopping)
		return;
	/* Who was let in by the system may have asked already. */
	for (int i = 0; i < LAST_ACCEPTS_MAX && accept_one(lp); i++)
		;
	lp->stopping = true;
	(void)event_del(lp->accept_ev);
	(void)event_del(lp->resume_ev);
	(void)close(lp->listen_fd);
	lp->listen_fd = -1;
	if (left_ms > 0) {
		tv.tv_sec = (time_t)(left_ms / 1000);
		tv.tv_usec = (suseconds_t)(left_ms % 1000 * 1000);
	}
	(void)event_base_loopexit(lp->base, &tv);
	connection_stop_all(lp);
	loop_forget(lp);
}

static void
take_fetches(struct fetch *fetches)
{
	struct fetch *ordered = NULL;

	/* The list is newest first. */
	while (fetches) {
		struct fetch *fetch = fetches;

		fetches = fetch->next;
		fetch->next = ordered;
		ordered = fetch;
	}
	while (ordered) {
		struct fetch *fetch = ordered;

		ordered = fetch->next;
		connection_complete(fetch);
	}
}

static void
take_arrived(struct load_wait *arrived)
{
	while (arrived) {
		struct load_wait *wait = arrived;
		struct gather *gat;

		arrived = wait->next;
		gat = gather_arrive(wait);
		if (gat)
			connection_gathered(gat);
	}
}

static void
take_rung(struct loop *lp)
{
	struct watch *watch;

	while ((watch = watchers_take(lp->shared->watchers, lp)))
		connection_rung(watch);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *lp = arg;
	struct fetch *fetches;
	struct load_wait *arrived;
	uint64_t n;

	(void)what;
	if (read((int)fd, &n, sizeof(n)) < 0)
		return;
	(void)pthread_mutex_lock(&lp->lock);
	fetches = lp->completed;
	arrived = lp->arrived;
	lp->completed = NULL;
	lp->arrived = NULL;
	(void)pthread_mutex_unlock(&lp->lock);
	take_arrived(arrived);
	take_fetches(fetches);
	take_rung(lp);
	if (atomic_load(&lp->shared->stopping))
		begin_stop(lp);
}

static struct event *
new_event(struct loop *lp, int fd, short what, event_callback_fn fn)
{
	struct event *ev = event_new(lp->base, fd, what, fn, lp);

	if (!ev)
		abort(); /* out of memory: lib/mem.h */
	return ev;
}

int
loop_init(struct loop *lp, struct loop_shared *shared, size_t index,
	  int listen_fd, struct pj_error *err)
{
	memset(lp, 0, sizeof(*lp));
	(void)pthread_mutex_init(&lp->lock, NULL);
	lp->shared = shared;
	lp->index = index;
	lp->met = &shared->metrics->sets[index];
	lp->date_s = -1;
	guard_update(shared->guard, &lp->tokens);
	lp->base = event_base_new();
	lp->listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
	lp->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	lp->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!lp->base || lp->listen_fd < 0 || lp->reserve_fd < 0 ||
	    lp->wake_fd < 0 ||
	    getrandom(&lp->id_seed, sizeof(lp->id_seed), 0) !=
		    (ssize_t)sizeof(lp->id_seed))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot make event loop %zu: %s", index,
				    strerror(errno));
	lp->space = mem_alloc(shared->set->queryapi.header_bytes);
	lp->accept_ev =
		new_event(lp, lp->listen_fd, EV_READ | EV_PERSIST, on_accept);
	lp->resume_ev = new_event(lp, -1, 0, on_resume);
	lp->tick_ev = new_event(lp, -1, EV_PERSIST, on_tick);
	lp->wake_ev = new_event(lp, lp->wake_fd, EV_READ | EV_PERSIST, on_wake);
	atomic_init(&lp->beat_mono_ms, clock_mono_ms());
	return 0;
}

static void *
loop_thread(void *arg)
{
	struct loop *lp = arg;
	struct timeval tv = {0, BEAT_MS * 1000};

	(void)event_add(lp->accept_ev, NULL);
	(void)event_add(lp->wake_ev, NULL);
	(void)event_add(lp->tick_ev, &tv);
	(void)event_base_dispatch(lp->base);
	if (lp->n_connections)
		log_warn("stop.cut", "connections=%zu", lp->n_connections);
	connection_drop_all(lp);
	/* libevent closes what was freed in the turn after. */
	(void)event_base_loop(lp->base, EVLOOP_NONBLOCK);
	return NULL;
}

int
loop_start(struct loop *lp, struct pj_error *err)
{
	if (pthread_create(&lp->thread, NULL, loop_thread, lp) != 0)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot start a loop thread");
	return 0;
}

static void
free_event(struct event *ev)
{
	if (ev)
		event_free(ev);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void
loop_release(struct loop *lp)
{
	while (lp->completed) {
		struct fetch *fetch = lp->completed;

		lp->completed = fetch->next;
		fetch_free(fetch);
	}
	while (lp->arrived) {
		struct load_wait *wait = lp->arrived;

		/* Every connection is gone, so this frees. */
		lp->arrived = wait->next;
		(void)gather_arrive(wait);
	}
	free_event(lp->accept_ev);
	free_event(lp->resume_ev);
	free_event(lp->tick_ev);
	free_event(lp->wake_ev);
	if (lp->base)
		event_base_free(lp->base);
	close_fd(lp->listen_fd);
	close_fd(lp->reserve_fd);
	close_fd(lp->wake_fd);
	snapshot_unref(lp->hold.snap);
	tokens_unref(lp->tokens.tokens);
	buf_release(&lp->out);
	buf_release(&lp->more);
	free(lp->space);
	(void)pthread_mutex_destroy(&lp->lock);
}

void
loop_join(struct loop *lp)
{
	(void)pthread_join(lp->thread, NULL);
}
