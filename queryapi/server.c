/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/queue.h"
#include "lib/store_page.h"
#include "queryapi/admin.h"
#include "queryapi/admission.h"
#include "queryapi/cache.h"
#include "queryapi/catalog.h"
#include "queryapi/feed.h"
#include "queryapi/guard.h"
#include "queryapi/listener.h"
#include "queryapi/loads.h"
#include "queryapi/loop.h"
#include "queryapi/metrics.h"
#include "queryapi/tls.h"
#include "queryapi/worker.h"

/* What the other threads get to end in, behind the loops. */
enum { STOP_GRACE_MS = 500 };
/* Room of the loads' own in the workers' queue: one job per generation. */
enum { LOAD_JOBS_MAX = 1024 };

struct server {
	const struct settings *set;
	struct store_settings store;
	struct metrics metrics;
	struct loop_shared shared;
	struct loop *loops;
	size_t n_loops; /* initialised */
	size_t n_running;
	struct workers *workers;
	struct admin *admin;
	int data_fd, admin_fd;
	char data_address[LISTENER_ADDRESS_MAX];
	char admin_address[LISTENER_ADDRESS_MAX];
};

const char *
server_data_address(const struct server *srv)
{
	return srv->data_address;
}

const char *
server_admin_address(const struct server *srv)
{
	return srv->admin_address;
}

static size_t
loops_wanted(const struct settings *set)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (set->queryapi.loops)
		return set->queryapi.loops;
	return cores > 0 ? (size_t)cores : 1;
}

static int
open_listeners(struct server *srv, struct pj_error *err)
{
	const struct settings *set = srv->set;

	if (listener_open(set->queryapi.listen,
			  set->queryapi.public || set->n_tokens, &srv->data_fd,
			  srv->data_address, err) < 0 ||
	    listener_open(set->queryapi.admin_listen, set->queryapi.public,
			  &srv->admin_fd, srv->admin_address, err) < 0)
		return -1;
	log_info("listen", "listener=data address=%s", srv->data_address);
	log_info("listen", "listener=admin address=%s", srv->admin_address);
	return 0;
}

static void
log_certificate(struct server *srv)
{
	char until[TLS_DATE_MAX];

	tls_not_after(srv->shared.tls, until);
	log_info("tls.certificate", "not_after=%s", until);
}

static const char *
text_of(const struct pj_error *err, char out[2 * PJ_ERROR_TEXT])
{
	return log_quote(out, 2 * PJ_ERROR_TEXT, err->text, strlen(err->text));
}

void
server_reload_take(struct server *srv, struct settings *fresh)
{
	struct guard *grd = srv->shared.guard;
	char quoted[2 * PJ_ERROR_TEXT];
	struct pj_error err;

	if (fresh && guard_replace_take(grd, fresh, &err) < 0)
		log_error("reload.refused", "text=%s", text_of(&err, quoted));
	log_info("reload", "tokens=%zu", guard_count(grd));
	if (!srv->shared.tls)
		return;
	if (tls_reload(srv->shared.tls, &err) < 0)
		log_error("tls.refused", "text=%s", text_of(&err, quoted));
	log_certificate(srv);
}

static int
start_loops(struct server *srv, size_t n, struct pj_error *err)
{
	srv->loops = mem_calloc(n, sizeof(*srv->loops));
	for (size_t i = 0; i < n; i++) {
		srv->n_loops++;
		if (loop_init(&srv->loops[i], &srv->shared, i, srv->data_fd,
			      err) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (loop_start(&srv->loops[i], err) < 0)
			return -1;
		srv->n_running++;
	}
	return 0;
}

static int
start_all(struct server *srv, struct pj_error *err)
{
	const struct settings *set = srv->set;
	size_t n = loops_wanted(set);

	metrics_init(&srv->metrics, n);
	srv->shared.set = set;
	(void)pthread_mutex_init(&srv->shared.accept_lock, NULL);
	srv->shared.metrics = &srv->metrics;
	srv->shared.jobs = queue_new(set->queryapi.queue_depth + LOAD_JOBS_MAX);
	srv->shared.cache = cache_new(set->queryapi.cache_bytes, n);
	srv->shared.admission =
		admission_new(set->queryapi.max_connections,
			      set->queryapi.max_connections_per_address);
	srv->shared.guard = guard_new(set);
	srv->store = settings_store(set, true, "shopview-queryapi");
	srv->store.read_ms = STORE_PAGE_MS;
	srv->shared.catalog = catalog_new(&srv->store, set);
	srv->shared.loads =
		loads_new(srv->shared.cache, srv->shared.jobs,
			  &(struct loads_limits){set->queryapi.queue_depth,
						 set->queryapi.queue_wait_ms},
			  set->queryapi.gzip_min_bytes);
	srv->shared.watchers = watchers_new(srv->shared.cache, n);
	srv->shared.feed = feed_new(srv->shared.catalog, srv->shared.loads,
				    srv->shared.watchers);
	if (tls_new(set, &srv->shared.tls, err) < 0)
		return -1;
	if (srv->shared.tls)
		log_certificate(srv);
	if (open_listeners(srv, err) < 0 ||
	    catalog_start(srv->shared.catalog, err) < 0 ||
	    feed_start(srv->shared.feed, err) < 0)
		return -1;
	srv->workers = workers_start(set->queryapi.workers, srv->shared.jobs,
				     srv->shared.catalog, &srv->metrics, err);
	if (!srv->workers || start_loops(srv, n, err) < 0)
		return -1;
	/* The loops watch descriptors of their own. */
	(void)close(srv->data_fd);
	srv->data_fd = -1;
	return admin_start(&srv->shared, srv->loops, srv->n_loops,
			   &srv->admin_fd, &srv->admin, err);
}

static void
server_free(struct server *srv)
{
	/* What still waits goes to its loop, and there it ends. */
	loads_free(srv->shared.loads);
	for (size_t i = 0; i < srv->n_loops; i++)
		loop_release(&srv->loops[i]);
	free(srv->loops);
	watchers_free(srv->shared.watchers);
	cache_free(srv->shared.cache);
	feed_free(srv->shared.feed);
	catalog_free(srv->shared.catalog);
	admission_free(srv->shared.admission);
	guard_free(srv->shared.guard);
	tls_free(srv->shared.tls);
	queue_free(srv->shared.jobs);
	(void)pthread_mutex_destroy(&srv->shared.accept_lock);
	metrics_release(&srv->metrics);
	if (srv->data_fd >= 0)
		(void)close(srv->data_fd);
	if (srv->admin_fd >= 0)
		(void)close(srv->admin_fd);
	free(srv);
}

int
server_start(const struct settings *set, struct server **ret_srv,
	     struct pj_error *err)
{
	struct server *srv = mem_calloc(1, sizeof(*srv));

	srv->set = set;
	srv->data_fd = srv->admin_fd = -1;
	if (start_all(srv, err) < 0) {
		(void)server_stop(srv);
		return -1;
	}
	*ret_srv = srv;
	return 0;
}

bool
server_stop(struct server *srv)
{
	int64_t until = clock_mono_ms() + srv->set->queryapi.stop_timeout_ms;
	bool ended = true;

	atomic_store(&srv->shared.stop_by_mono_ms, until);
	atomic_store(&srv->shared.stopping, true);
	for (size_t i = 0; i < srv->n_running; i++)
		loop_wake(&srv->loops[i]);
	for (size_t i = 0; i < srv->n_running; i++)
		loop_join(&srv->loops[i]);
	/* Nobody waits for an answer any more; still, fetches go back to loops
	 * until the last worker has ended. */
	until = clock_mono_ms() + STOP_GRACE_MS;
	ended = catalog_stop(srv->shared.catalog, until);
	ended = feed_stop(srv->shared.feed, until) && ended;
	if (srv->workers)
		ended = workers_stop(srv->workers, until) && ended;
	if (srv->admin)
		admin_stop(srv->admin);
	if (ended)
		server_free(srv);
	return ended;
}
