/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "queryapi/admin_page.h"
#include "queryapi/metrics.h"
#include "queryapi/status.h"

enum { HEADER_MAX_BYTES = 8192, BODY_MAX_BYTES = 0, TIMEOUT_S = 10 };
enum { ACCEPT_REST_MS = 100 };

struct admin {
	struct loop_shared *shared;
	const struct loop *loops;
	size_t n_loops;
	struct snapshot_hold hold;
	int64_t started_mono_ms;
	struct event_base *base;
	struct evhttp *http;
	struct event *wake_ev;
	int wake_fd;
	pthread_t thread;
};

static void
answer(struct evhttp_request *req, int status, const char *type,
       const void *data, size_t len)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();

	if (!body)
		abort(); /* out of memory: lib/mem.h */
	(void)evbuffer_add(body, data, len);
	(void)evhttp_add_header(headers, "Content-Type", type);
	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
	(void)evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	(void)evhttp_add_header(headers, "Content-Security-Policy",
				"default-src 'none'; connect-src 'self'; "
				"style-src 'unsafe-inline'; "
				"script-src 'unsafe-inline'");
	evhttp_send_reply(req, status, NULL, body);
	evbuffer_free(body);
}

static void
answer_text(struct evhttp_request *req, int status, const char *text)
{
	answer(req, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void
on_livez(struct evhttp_request *req, void *arg)
{
	struct admin *adm = arg;
	bool alive = status_is_alive(adm->loops, adm->n_loops);

	answer_text(req, alive ? 200 : 503,
		    alive ? "ok\n" : "an event loop does not turn\n");
}

static void
on_readyz(struct evhttp_request *req, void *arg)
{
	struct admin *adm = arg;
	struct buf text = BUF_INIT;
	const char *unready;

	catalog_update(adm->shared->catalog, &adm->hold);
	unready = status_unready(adm->shared, adm->hold.snap);
	buf_printf(&text, "%s\n", unready ? unready : "ok");
	answer_text(req, unready ? 503 : 200, text.data);
	buf_release(&text);
}

static void
on_metrics(struct evhttp_request *req, void *arg)
{
	struct admin *adm = arg;
	struct buf text = BUF_INIT;
	struct metrics_sum sum;

	catalog_update(adm->shared->catalog, &adm->hold);
	metrics_sum(adm->shared->metrics, &sum);
	metrics_write(&sum, &text);
	status_metrics(adm->shared, adm->hold.snap, &text);
	answer(req, 200, "text/plain; version=0.0.4; charset=utf-8", text.data,
	       text.len);
	buf_release(&text);
}

static void
on_status(struct evhttp_request *req, void *arg)
{
	struct admin *adm = arg;
	struct buf text = BUF_INIT;

	catalog_update(adm->shared->catalog, &adm->hold);
	status_write(adm->shared, adm->hold.snap, adm->started_mono_ms, &text);
	answer(req, 200, "application/json", text.data, text.len);
	buf_release(&text);
}

static void
on_page(struct evhttp_request *req, void *arg)
{
	(void)arg;
	answer(req, 200, "text/html; charset=utf-8", admin_page,
	       sizeof(admin_page) - 1);
}

static void
on_other(struct evhttp_request *req, void *arg)
{
	(void)arg;
	answer_text(req, 404, "no such page\n");
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)event_base_loopbreak(((struct admin *)arg)->base);
}

static void *
admin_thread(void *arg)
{
	(void)event_base_dispatch(((struct admin *)arg)->base);
	return NULL;
}

static void
admin_free(struct admin *adm)
{
	if (adm->http)
		evhttp_free(adm->http);
	if (adm->wake_ev)
		event_free(adm->wake_ev);
	if (adm->base)
		event_base_free(adm->base);
	if (adm->wake_fd >= 0)
		(void)close(adm->wake_fd);
	snapshot_unref(adm->hold.snap);
	free(adm);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)evconnlistener_enable(arg);
}

/* Without descriptors accept() fails at once and for ever: look again later. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct timeval tv = {0, ACCEPT_REST_MS * 1000};

	(void)arg; /* evhttp's */
	(void)evconnlistener_disable(listener);
	(void)event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT,
			      on_resume, listener, &tv);
}

static int
set_up(struct admin *adm, int fd)
{
	struct evhttp_bound_socket *bound;

	adm->base = event_base_new();
	adm->http = adm->base ? evhttp_new(adm->base) : NULL;
	adm->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!adm->http || adm->wake_fd < 0)
		return -1;
	adm->wake_ev =
		event_new(adm->base, adm->wake_fd, EV_READ, on_wake, adm);
	if (!adm->wake_ev || event_add(adm->wake_ev, NULL) < 0)
		return -1;
	evhttp_set_allowed_methods(adm->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(adm->http, HEADER_MAX_BYTES);
	evhttp_set_max_body_size(adm->http, BODY_MAX_BYTES);
	evhttp_set_timeout(adm->http, TIMEOUT_S);
	if (evhttp_set_cb(adm->http, "/livez", on_livez, adm) < 0 ||
	    evhttp_set_cb(adm->http, "/readyz", on_readyz, adm) < 0 ||
	    evhttp_set_cb(adm->http, "/metrics", on_metrics, adm) < 0 ||
	    evhttp_set_cb(adm->http, "/status", on_status, adm) < 0 ||
	    evhttp_set_cb(adm->http, "/", on_page, adm) < 0)
		return -1;
	evhttp_set_gencb(adm->http, on_other, adm);
	bound = evhttp_accept_socket_with_handle(adm->http, fd);
	if (!bound)
		return -1;
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound),
				    on_accept_error);
	return 0;
}

int
admin_start(struct loop_shared *shared, const struct loop *loops,
	    size_t n_loops, int *fd, struct admin **ret_adm,
	    struct pj_error *err)
{
	struct admin *adm = mem_calloc(1, sizeof(*adm));

	adm->shared = shared;
	adm->loops = loops;
	adm->n_loops = n_loops;
	adm->wake_fd = -1;
	adm->started_mono_ms = clock_mono_ms();
	if (set_up(adm, *fd) == 0) {
		*fd = -1; /* evhttp's now */
		if (pthread_create(&adm->thread, NULL, admin_thread, adm) ==
		    0) {
			*ret_adm = adm;
			return 0;
		}
	}
	admin_free(adm);
	return pj_error_set(err, PJ_ERROR_FATAL,
			    "cannot start the admin listener: %s",
			    strerror(errno));
}

void
admin_stop(struct admin *adm)
{
	uint64_t one = 1;

	if (write(adm->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		(void)pthread_join(adm->thread, NULL);
	admin_free(adm);
}
