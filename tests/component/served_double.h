/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole read side in this process, on the store of store_double.h, and a
 * client that asks it one thing per connection.
 */
#ifndef TESTS_SERVED_DOUBLE_H
#define TESTS_SERVED_DOUBLE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "queryapi/server.h"
#include "tests/component/store_double.h"

enum { PATIENCE_MS = 20000 };

static struct settings set;
static struct server *srv;

/* Settings and store, for start_prepared(). */
static inline void
prepare(void)
{
	memset(&set, 0, sizeof(set));
	set.store.path = mem_strdup("/nonexistent");
	set.queryapi.listen = mem_strdup("127.0.0.1:0");
	set.queryapi.admin_listen = mem_strdup("127.0.0.1:0");
	set.queryapi.tls_certificate = mem_strdup("");
	set.queryapi.loops = set.queryapi.workers = 1;
	set.queryapi.max_connections = 100;
	set.queryapi.max_connections_per_address = 100;
	set.queryapi.header_bytes = 8192;
	set.queryapi.header_timeout_ms = set.queryapi.idle_timeout_ms = 10000;
	set.queryapi.request_timeout_ms = 10000;
	set.queryapi.queue_depth = 2;
	set.queryapi.cache_bytes = 1 << 20;
	set.queryapi.superseded_ms = 60000;
	set.queryapi.stop_timeout_ms = 200;
	set.queryapi.stream_heartbeat_ms = 15000;
	DOUBLE_SET(dbl.hung = NULL; dbl.stock = false;
		   dbl.away = dbl.hangs = dbl.looks_hang = dbl.damaged = false;
		   dbl.opening_hangs = false; dbl.let = 0;
		   dbl.move_on_load = dbl.meager = false; dbl.live = 1;
		   dbl.next = 10; dbl.next_on_load = 0;
		   dbl.loads = dbl.most = 0; dbl.loaded[0] = '\0';
		   dbl.revision = 7; dbl.revision_after = 0; dbl.watches = 0;
		   dbl.cache = "");
}

static inline int
start_prepared(void)
{
	struct pj_error err;

	if (server_start(&set, &srv, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static inline int
start(void **state)
{
	(void)state;
	prepare();
	return start_prepared();
}

static inline void
release_settings(void)
{
	free(set.store.path);
	free(set.queryapi.listen);
	free(set.queryapi.admin_listen);
	free(set.queryapi.tls_certificate);
}

static inline int
stop(void **state)
{
	(void)state;
	DOUBLE_SET(dbl.hangs = dbl.looks_hang = dbl.opening_hangs = false);
	assert_true(server_stop(srv));
	release_settings();
	return 0;
}

/* -1: it was refused. */
static inline int
reach(const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* On a connection of its own; read_answer() reads to that one's end. */
static inline int
send_text(const char *address, const char *text)
{
	int fd = reach(address);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

/* `lines`: more of the head, each with its end. */
static inline int
ask_with(const char *address, const char *target, const char *lines)
{
	struct buf text = BUF_INIT;
	int fd;

	buf_printf(&text,
		   "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n",
		   target, lines);
	fd = send_text(address, text.data);
	buf_release(&text);
	return fd;
}

static int
ask(const char *address, const char *target)
{
	return ask_with(address, target, "");
}

/* Reads to the end; returns the status. The text stays until the next call. */
static char answer[65536];
static int
read_answer(int fd)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
		n += (size_t)got;
	answer[n] = '\0';
	(void)close(fd);
	return n > 12 ? atoi(answer + 9) : 0;
}

static inline bool
metric_is(const char *line)
{
	return read_answer(ask(server_admin_address(srv), "/metrics")) == 200 &&
	       strstr(answer, line);
}

static inline bool
is_following(void)
{
	return metric_is("\nshopview_feed_following 1\n");
}

/* The stream tells; returns when the feed has done what follows from it, and
 * asks for more. */
static inline void
tell(const struct store_news *news)
{
	int asked;

	(void)pthread_mutex_lock(&dbl.lock);
	dbl.news = *news;
	(void)pthread_cond_broadcast(&dbl.changed);
	while (dbl.news.kind != STORE_NEWS_NONE)
		(void)pthread_cond_wait(&dbl.changed, &dbl.lock);
	asked = dbl.asked;
	while (dbl.asked == asked)
		(void)pthread_cond_wait(&dbl.changed, &dbl.lock);
	(void)pthread_mutex_unlock(&dbl.lock);
}

static inline void
tell_document(const char *key, int64_t revision)
{
	tell(&(struct store_news){.kind = STORE_NEWS_DOCUMENT,
				  .collection = "shop.1",
				  .key = {key, strlen(key)},
				  .revision = revision});
}

static inline void
tell_checkpoint(int64_t next)
{
	tell(&(struct store_news){.kind = STORE_NEWS_CHECKPOINT,
				  .generation = "shop.1",
				  .next = next});
}

static inline int
get(const char *target)
{
	return read_answer(ask(server_data_address(srv), target));
}

static inline bool
has_etag(const char *target, const char *etag)
{
	return get(target) == 200 && strstr(answer, etag);
}

static inline bool
is_gzipped(const char *target)
{
	assert_int_equal(read_answer(ask_with(server_data_address(srv), target,
					      "Accept-Encoding: gzip\r\n")),
			 200);
	return strstr(answer, "\r\nContent-Encoding: gzip\r\n") != NULL;
}

static inline int
readyz(void)
{
	return read_answer(ask(server_admin_address(srv), "/readyz"));
}

static void
pause_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&ts, NULL);
}

#define WAIT_FOR(condition)                                                    \
	do {                                                                   \
		int64_t until_ms = clock_mono_ms() + PATIENCE_MS;              \
		while (!(condition)) {                                         \
			if (clock_mono_ms() > until_ms)                        \
				fail_msg("in vain: %s", #condition);           \
			pause_ms(5);                                           \
		}                                                              \
	} while (0)

#endif
