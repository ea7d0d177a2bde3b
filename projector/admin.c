/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/admin_page.h"

enum {
	HEADER_MAX_BYTES = 8192,
	BODY_MAX_BYTES = 4096, /* read, so that a POST gets its 405 */
	TIMEOUT_S = 5,
	ALIVE_WITHIN_MS = 30000,
	/* A tick comes every second, and only after the store answered. */
	READY_WITHIN_MS = 5000,
};

struct admin {
	pthread_mutex_t lock;
	struct figures *newest; /* under the lock; NULL: shown already */

	/* The admin thread's own. */
	struct figures *shown;
	int64_t started_mono_ms, started_at_ms;
	struct event_base *base;
	struct evhttp *http;
	struct event *wake_ev;
	int wake_fd;
	pthread_t thread;
};

/* ---- Answers ----------------------------------------------------------- */

static void
answer(struct evhttp_request *req, int status, const char *type,
       const void *data, size_t len)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();
	char length[24];

	if (!body)
		abort(); /* out of memory: lib/mem.h */
	(void)snprintf(length, sizeof(length), "%zu", len);
	(void)evhttp_add_header(headers, "Content-Length", length);
	if (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD)
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

/* The newest figures; only this thread frees what it shows. */
static const struct figures *
look(struct admin *adm)
{
	struct figures *newest;

	(void)pthread_mutex_lock(&adm->lock);
	newest = adm->newest;
	adm->newest = NULL;
	(void)pthread_mutex_unlock(&adm->lock);
	if (newest) {
		figures_free(adm->shown);
		adm->shown = newest;
	}
	return adm->shown;
}

static struct figures_now
now_of(const struct admin *adm)
{
	struct figures_now now = {
		.mono_ms = clock_mono_ms(),
		.started_mono_ms = adm->started_mono_ms,
		.started_at_ms = adm->started_at_ms,
	};

	if (adm->shown->taken_mono_ms == 0)
		now.unready = "the pipeline has not begun yet";
	else if (!adm->shown->reading)
		now.unready = "no partition is being read: none is assigned, "
			      "or the store has not given positions yet";
	else if (adm->shown->store_away)
		now.unready = "the store does not answer";
	else if (figures_age_ms(adm->shown, &now) > READY_WITHIN_MS)
		now.unready = "no tick of the pipeline for over 5 s";
	return now;
}

static void
on_livez(struct admin *adm, struct evhttp_request *req)
{
	const struct figures *fig = look(adm);
	struct figures_now now = now_of(adm);
	bool alive = figures_age_ms(fig, &now) <= ALIVE_WITHIN_MS;

	answer_text(req, alive ? 200 : 503,
		    alive ? "ok\n" : "the pipeline has not ticked for 30 s\n");
}

static void
on_readyz(struct admin *adm, struct evhttp_request *req)
{
	struct buf text = BUF_INIT;
	struct figures_now now;

	(void)look(adm);
	now = now_of(adm);
	buf_printf(&text, "%s\n", now.unready ? now.unready : "ok");
	answer_text(req, now.unready ? 503 : 200, text.data);
	buf_release(&text);
}

static void
on_metrics(struct admin *adm, struct evhttp_request *req)
{
	const struct figures *fig = look(adm);
	struct figures_now now = now_of(adm);
	struct buf text = BUF_INIT;

	figures_metrics(fig, &now, &text);
	answer(req, 200, "text/plain; version=0.0.4; charset=utf-8", text.data,
	       text.len);
	buf_release(&text);
}

static void
on_status(struct admin *adm, struct evhttp_request *req)
{
	const struct figures *fig = look(adm);
	struct figures_now now = now_of(adm);
	struct buf text = BUF_INIT;

	figures_json(fig, &now, &text);
	answer(req, 200, "application/json", text.data, text.len);
	buf_release(&text);
}

static void
on_page(struct admin *adm, struct evhttp_request *req)
{
	(void)adm;
	answer(req, 200, "text/html; charset=utf-8", admin_page,
	       sizeof(admin_page) - 1);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	static const struct {
		const char *path;
		void (*handler)(struct admin *adm, struct evhttp_request *req);
	} routes[] = {
		{"/livez", on_livez},	  {"/readyz", on_readyz},
		{"/metrics", on_metrics}, {"/status", on_status},
		{"/", on_page},
	};
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const char *path =
		evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));

	for (size_t i = 0; path && i < sizeof(routes) / sizeof(*routes); i++) {
		if (strcmp(path, routes[i].path) != 0)
			continue;
		if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
			routes[i].handler(arg, req);
			return;
		}
		(void)evhttp_add_header(evhttp_request_get_output_headers(req),
					"Allow", "GET, HEAD");
		answer_text(req, 405, "only GET and HEAD\n");
		return;
	}
	answer_text(req, 404, "no such page\n");
}

/* ---- The listener and its thread --------------------------------------- */

static void
on_library_log(int severity, const char *msg)
{
	char text[512];

	if (severity >= EVENT_LOG_WARN)
		log_warn("libevent", "text=%s",
			 log_quote(text, sizeof(text), msg, strlen(msg)));
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
	figures_free(adm->newest);
	figures_free(adm->shown);
	(void)pthread_mutex_destroy(&adm->lock);
	free(adm);
}

/*
 * A connection that closes with its bufferevent. Left to itself evhttp closes
 * first and takes the number off epoll later: by then it may be the number of a
 * file that another thread opened.
 */
static struct bufferevent *
make_connection(struct event_base *base, void *arg)
{
	(void)arg;
	return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static int
set_up(struct admin *adm)
{
	adm->base = event_base_new();
	adm->http = adm->base ? evhttp_new(adm->base) : NULL;
	adm->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!adm->http || adm->wake_fd < 0)
		return -1;
	adm->wake_ev =
		event_new(adm->base, adm->wake_fd, EV_READ, on_wake, adm);
	if (!adm->wake_ev || event_add(adm->wake_ev, NULL) < 0)
		return -1;
	/* All there are: left to evhttp, the others would get a 501. */
	evhttp_set_allowed_methods(
		adm->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
				   EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
				   EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
				   EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(adm->http, HEADER_MAX_BYTES);
	evhttp_set_max_body_size(adm->http, BODY_MAX_BYTES);
	evhttp_set_timeout(adm->http, TIMEOUT_S);
	evhttp_set_bevcb(adm->http, make_connection, NULL);
	evhttp_set_gencb(adm->http, on_request, adm);
	return 0;
}

/* Where it really listens: numeric, with the port that was free. */
static void
print_address(evutil_socket_t fd, char out[ADMIN_ADDRESS_MAX])
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[INET6_ADDRSTRLEN + 20] = "?", port[8] = "?";

	(void)getsockname(fd, (struct sockaddr *)&sa, &len);
	(void)getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port,
			  sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(out, ADMIN_ADDRESS_MAX,
		       sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		       port);
}

static int
bind_to(struct admin *adm, const char *address,
	char ret_address[ADMIN_ADDRESS_MAX])
{
	const char *colon = strrchr(address, ':');
	struct evhttp_bound_socket *bound;
	unsigned long port;
	size_t len;
	char *host;
	int why;

	errno = EINVAL;
	if (!colon || (port = strtoul(colon + 1, NULL, 10)) > UINT16_MAX)
		return -1;
	len = (size_t)(colon - address);
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']')
		host = mem_strndup(address + 1, len - 2);
	else
		host = mem_strndup(address, len);
	errno = 0;
	bound = evhttp_bind_socket_with_handle(adm->http, host, (uint16_t)port);
	why = errno;
	free(host);
	errno = why;
	if (!bound)
		return -1;
	print_address(evhttp_bound_socket_get_fd(bound), ret_address);
	return 0;
}

/* Signals are for the pipeline thread: its waits are to be cut short. */
static int
start_thread(struct admin *adm)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&adm->thread, NULL, admin_thread, adm);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = rc;
	return rc ? -1 : 0;
}

int
admin_open(const char *address, struct admin **ret_adm,
	   char ret_address[ADMIN_ADDRESS_MAX], struct pj_error *err)
{
	struct admin *adm = mem_calloc(1, sizeof(*adm));
	char bound[ADMIN_ADDRESS_MAX];

	event_set_log_callback(on_library_log);
	(void)pthread_mutex_init(&adm->lock, NULL);
	adm->shown = figures_new();
	adm->wake_fd = -1;
	adm->started_mono_ms = clock_mono_ms();
	adm->started_at_ms = clock_wall_ms();
	if (set_up(adm) || bind_to(adm, address, bound) || start_thread(adm)) {
		(void)pj_error_set(err, PJ_ERROR_RETRY,
				   "cannot listen on %.200s: %s", address,
				   errno ? strerror(errno) : "no such address");
		admin_free(adm);
		return -1;
	}
	memcpy(ret_address, bound, sizeof(bound));
	*ret_adm = adm;
	return 0;
}

void
admin_publish_take(struct admin *adm, struct figures *fig)
{
	struct figures *unseen;

	(void)pthread_mutex_lock(&adm->lock);
	unseen = adm->newest;
	adm->newest = fig;
	(void)pthread_mutex_unlock(&adm->lock);
	figures_free(unseen);
}

void
admin_close(struct admin *adm)
{
	uint64_t one = 1;

	if (!adm)
		return;
	/* The counter is at zero, so this cannot be refused. */
	if (write(adm->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		abort();
	(void)pthread_join(adm->thread, NULL);
	admin_free(adm);
}
