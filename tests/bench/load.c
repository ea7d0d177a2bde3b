/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "tests/bench/reply.h"

enum {
	/* What one read takes; a body goes through it and is not kept. */
	PIECE = 256 * 1024,
	SECOND_NS = 1000000000,
};

struct conn {
	struct load *load;
	struct event *ev;
	struct conn *next_free;
	struct key *key; /* of a single get */
	int64_t begin_ns;
	uint64_t body_left;
	size_t n_head; /* bytes of a head that is not whole */
	bool busy, in_body, close, refused;
	char head[REPLY_HEAD_MAX];
};

struct load {
	const struct load_settings *set;
	struct keys *keys;
	struct choice *choice;
	struct dice dice; /* who sends If-None-Match */
	struct load_result *res;
	struct event_base *base;
	struct event *timer;
	struct conn *conns, *free_conns;
	size_t n_busy;
	struct buf before, after, request; /* the text around the keys */
	int64_t begin_ns, end_ns, last_ns;
	char *piece;
};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "loadgen: %s: %s\n", what, why);
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

/* ---- Requests ----------------------------------------------------------- */

/* Identity, so that every server sends the same bytes. */
static const char browser_lines[] =
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
	"Firefox/128.0\r\n"
	"Accept: application/json, text/plain, */*\r\n"
	"Accept-Language: ko-KR,ko;q=0.8,en-US;q=0.5,en;q=0.3\r\n"
	"Accept-Encoding: identity\r\n"
	"Referer: https://shops.example/area/mapo\r\n"
	"Cookie: visit=7f0a51c2d39b4be6; seen=12; theme=light\r\n";

static void
prepare_text(struct load *load)
{
	const struct load_settings *set = load->set;
	const char *hole = strstr(set->target, "{}");
	size_t before =
		hole ? (size_t)(hole - set->target) : strlen(set->target);

	buf_printf(&load->before, "GET %.*s", (int)before, set->target);
	buf_printf(&load->after, "%s HTTP/1.1\r\nHost: %s:%u\r\n",
		   hole ? hole + 2 : "", set->host, set->port);
	if (set->browser)
		buf_addstr(&load->after, browser_lines);
}

static void
write_request(struct load *load, struct conn *c)
{
	const struct load_settings *set = load->set;
	bool hole = strstr(set->target, "{}") != NULL;
	struct buf *req = &load->request;
	struct key *key = NULL;

	buf_clear(req);
	buf_add(req, load->before.data, load->before.len);
	for (unsigned i = 0; i < set->batch; i++) {
		key = &load->keys->all[choice_next(load->choice)];
		if (i > 0)
			buf_addch(req, ',');
		if (hole)
			buf_add(req, key->text, key->len);
	}
	c->key = set->batch == 1 ? key : NULL;
	buf_add(req, load->after.data, load->after.len);
	if (set->conditional > 0 && c->key && key->etag_len > 0 &&
	    dice_share(&load->dice) * 100 < set->conditional) {
		load->res->conditional++;
		buf_addstr(req, "If-None-Match: ");
		buf_add(req, key->etag, key->etag_len);
		buf_addstr(req, "\r\n");
	}
	buf_addstr(req, "\r\n");
}

/* ---- Connections -------------------------------------------------------- */

static int
connect_to(const struct load_settings *set)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)set->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || inet_pton(AF_INET, set->host, &at.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die(set->host, errno ? strerror(errno) : "no IPv4 address");
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("socket", strerror(errno));
	return fd;
}

static void
readable(evutil_socket_t fd, short what, void *arg);

static void
conn_open(struct conn *c)
{
	c->ev = event_new(c->load->base, connect_to(c->load->set),
			  EV_READ | EV_PERSIST, readable, c);
	if (!c->ev || event_add(c->ev, NULL) < 0)
		die("libevent", "no event");
}

static void
conn_close(struct conn *c)
{
	int fd = event_get_fd(c->ev);

	event_free(c->ev);
	(void)close(fd);
	c->ev = NULL;
}

static void
conn_idle(struct conn *c)
{
	c->busy = c->in_body = c->close = false;
	c->n_head = 0;
	c->next_free = c->load->free_conns;
	c->load->free_conns = c;
}

static void
conn_again(struct conn *c)
{
	conn_close(c);
	conn_open(c);
	c->load->res->reconnects++;
}

static void
next_requests(struct load *load);

/* The request on it has failed, if there is one. */
static void
conn_failed(struct conn *c, uint64_t *counter, const char *why)
{
	struct load_result *res = c->load->res;

	if (!c->busy) {
		/* Between requests a server may close. */
		conn_again(c);
		return;
	}
	++*counter;
	if (!*res->first_fault)
		(void)snprintf(res->first_fault, sizeof(res->first_fault), "%s",
			       why);
	c->load->n_busy--;
	conn_again(c);
	conn_idle(c);
	next_requests(c->load);
}

static void
conn_answered(struct conn *c)
{
	struct load *load = c->load;
	int64_t now = now_ns();

	histogram_add(&load->res->latency_ns, now - c->begin_ns);
	if (!c->refused)
		histogram_add(&load->res->given_ns, now - c->begin_ns);
	load->res->answered++;
	load->last_ns = now;
	load->n_busy--;
	if (c->close)
		conn_again(c);
	conn_idle(c);
	next_requests(load);
}

static void
take_body(struct conn *c, size_t len)
{
	if (len > c->body_left) {
		conn_failed(c, &c->load->res->malformed,
			    "more than the answer's length");
		return;
	}
	c->body_left -= len;
	c->load->res->body_bytes += len;
	if (c->body_left == 0)
		conn_answered(c);
}

static void
take_head(struct conn *c, const char *data, size_t len)
{
	struct load_result *res = c->load->res;
	size_t room = sizeof(c->head) - c->n_head;
	const char *why = NULL;
	struct reply rep;
	int rc;

	/* The usual answer comes whole and is read where it is. */
	if (c->n_head == 0) {
		rc = reply_read(data, len, &rep, &why);
	} else {
		memcpy(c->head + c->n_head, data, len < room ? len : room);
		rc = reply_read(c->head, c->n_head + (len < room ? len : room),
				&rep, &why);
	}
	if (rc < 0) {
		conn_failed(c, &res->malformed, why);
		return;
	}
	if (rc == 0) {
		if (c->n_head == 0)
			memcpy(c->head, data, len);
		c->n_head += len;
		return;
	}
	res->by_status[rep.status]++;
	res->head_bytes += rep.head_len;
	if (c->key && rep.etag)
		key_saw_etag(c->key, rep.etag, rep.etag_len);
	c->in_body = true;
	c->close = rep.close;
	c->refused = rep.status == 503;
	c->body_left = rep.body_len;
	take_body(c, c->n_head + len - rep.head_len);
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t got = recv(fd, c->load->piece, PIECE, 0);

	(void)what;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		conn_failed(c, &c->load->res->hung_up,
			    got < 0 ? strerror(errno) : "hung up");
	else if (!c->busy)
		die("server", "it sends what nobody asked for");
	else if (c->in_body)
		take_body(c, (size_t)got);
	else
		take_head(c, c->load->piece, (size_t)got);
}

/* ---- The schedule ------------------------------------------------------- */

static int64_t
due_ns(const struct load *load, uint64_t i)
{
	return load->begin_ns +
	       (int64_t)((double)i * SECOND_NS / load->set->rate);
}

static bool
is_over(const struct load *load, int64_t now)
{
	const struct load_settings *set = load->set;

	if (set->requests > 0 && load->res->sent >= set->requests)
		return true;
	return (set->rate > 0 ? due_ns(load, load->res->sent) : now) >=
	       load->end_ns;
}

static void
send_one(struct load *load, int64_t begin_ns)
{
	struct conn *c = load->free_conns;
	ssize_t sent;

	load->free_conns = c->next_free;
	write_request(load, c);
	c->busy = true;
	c->begin_ns = begin_ns;
	load->n_busy++;
	load->res->sent++;
	sent = send(event_get_fd(c->ev), load->request.data, load->request.len,
		    MSG_NOSIGNAL);
	/* A broken connection shows itself when it is read. */
	if (sent >= 0 && (size_t)sent != load->request.len)
		die("socket", "it takes no whole request");
}

static void
set_timer(struct load *load, int64_t ns)
{
	struct timeval tv = {ns / SECOND_NS, ns % SECOND_NS / 1000};

	if (event_add(load->timer, &tv) < 0)
		die("libevent", "no timer");
}

/* Sends what is due now, as far as connections are free. */
static void
next_requests(struct load *load)
{
	int64_t now = now_ns(), due;

	while (load->free_conns && !is_over(load, now)) {
		due = load->set->rate > 0 ? due_ns(load, load->res->sent) : now;
		if (due > now) {
			set_timer(load, due - now);
			return;
		}
		send_one(load, due);
	}
	if (!is_over(load, now))
		return;
	if (load->n_busy == 0)
		(void)event_base_loopbreak(load->base);
}

static void
timer_fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	next_requests(arg);
}

static void
grace_is_over(evutil_socket_t fd, short what, void *arg)
{
	struct load *load = arg;

	(void)fd;
	(void)what;
	load->res->unanswered += load->n_busy;
	/* What was due and found no connection. */
	for (; !is_over(load, now_ns()); load->res->sent++)
		load->res->unanswered++;
	(void)event_base_loopbreak(load->base);
}

static struct event_base *
new_base(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base;

	/* Milliseconds are too coarse for a schedule. */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER |
					   EVENT_BASE_FLAG_NO_CACHE_TIME);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (!base)
		die("libevent", "no base");
	return base;
}

static void
set_up(struct load *load)
{
	unsigned n = load->set->connections;

	load->base = new_base();
	load->timer = event_new(load->base, -1, 0, timer_fired, load);
	load->piece = mem_alloc(PIECE);
	load->conns = mem_calloc(n, sizeof(*load->conns));
	prepare_text(load);
	for (unsigned i = 0; i < n; i++) {
		load->conns[i].load = load;
		conn_open(&load->conns[i]);
		conn_idle(&load->conns[i]);
	}
}

static void
tear_down(struct load *load)
{
	for (unsigned i = 0; i < load->set->connections; i++)
		conn_close(&load->conns[i]);
	event_free(load->timer);
	event_base_free(load->base);
	free(load->conns);
	free(load->piece);
	buf_release(&load->before);
	buf_release(&load->after);
	buf_release(&load->request);
}

void
load_run(const struct load_settings *set, struct keys *keys,
	 struct choice *choice, struct load_result *res)
{
	struct load load = {.set = set,
			    .keys = keys,
			    .choice = choice,
			    .dice = {choice->dice.state ^ 0x5eed},
			    .res = res};
	struct timeval last = {(time_t)set->seconds + LOAD_GRACE_S, 0};

	*res = (struct load_result){0};
	set_up(&load);
	load.last_ns = load.begin_ns = now_ns();
	load.end_ns = load.begin_ns + (int64_t)(set->seconds * SECOND_NS);
	if (event_base_once(load.base, -1, EV_TIMEOUT, grace_is_over, &load,
			    &last) < 0)
		die("libevent", "no timer");
	next_requests(&load);
	(void)event_base_dispatch(load.base);
	res->seconds = (double)(load.last_ns - load.begin_ns) / SECOND_NS;
	tear_down(&load);
}
