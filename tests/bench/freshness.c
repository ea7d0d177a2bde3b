/* SPDX-License-Identifier: Apache-2.0 */
/*
 * freshness BROKERS TOPIC HOST:PORT KEYS RATE PROBES SECONDS: how long it takes
 * from an event to an answer that contains it.
 *
 * RATE events a second (ShopInfoChanged of keys in KEYS, one a line) are sent
 * to TOPIC on a fixed schedule. PROBES of them a second are watched: a thread
 * sends one and then asks for what is newer of its shop than it has (a long
 * poll: asking again and again would be most of the load), until it has the
 * value that the event brought. The time counts from when the event was due,
 * also when the thread was late to send it. Prints one JSON object, times in
 * microseconds.
 *
 * Exit status: 0; 1 when an event was not delivered or never seen; 64 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/histogram.h"
#include "tests/bench/keys.h"
#include "tests/bench/reply.h"

enum {
	THREADS = 25,
	ANSWER_MAX = 256 * 1024,
	WAIT_S = 2, /* of one request */
	REFUSED_NS = 500000,
	/* A probe that is not seen within this is lost. */
	PATIENCE_NS = 2000000000,
	SECOND_NS = 1000000000,
	/* The values of probes are above, of other events below; those begin
	 * elsewhere each second, so that each event changes its document. */
	READY_VALUE = 999000000,
	BASES = 900,
	BASE = 1000000,
};

struct fresh {
	rd_kafka_t *rk;
	rd_kafka_topic_t *rkt;
	struct sockaddr_in at;
	struct keys keys;
	double rate, probes, seconds;
	unsigned long base;
	int64_t begin_ns;
	atomic_ulong sent, failed, polls, refused, lost, late;
	/* Of everybody: */
	pthread_mutex_t lock;
	struct histogram seen_ns;
};

struct prober {
	struct fresh *f;
	pthread_t thread;
	unsigned number;
	int fd;
	char etag[96]; /* of what it has */
	char *answer;
};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "freshness: %s: %s\n", what, why);
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

static void
sleep_until(int64_t ns)
{
	struct timespec ts = {ns / SECOND_NS, ns % SECOND_NS};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		;
}

/* ---- Events ------------------------------------------------------------- */

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
	struct fresh *f = opaque;

	(void)rk;
	if (msg->err && f->failed++ == 0)
		fprintf(stderr, "freshness: %s\n", rd_kafka_err2str(msg->err));
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[200];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)))
		die(name, why);
}

static void
open_topic(struct fresh *f, const char *brokers, const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct rd_kafka_metadata *md;
	char why[200];

	set(conf, "bootstrap.servers", brokers);
	/* Not idempotent: that producer (2.0.2) polls without a pause while its
	 * five requests are on their way. In order, as nothing is tried again.
	 */
	set(conf, "retries", "0");
	set(conf, "partitioner", "murmur2_random");
	set(conf, "linger.ms", "2");
	rd_kafka_conf_set_opaque(conf, f);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	f->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!f->rk)
		die("producer", why);
	f->rkt = rd_kafka_topic_new(f->rk, topic, NULL);
	/* The first event is not to wait for it. */
	if (rd_kafka_metadata(f->rk, 0, f->rkt, &md, 20000))
		die(topic, "no metadata");
	rd_kafka_metadata_destroy(md);
}

/* The value is the event's own: nobody else sends it. */
static void
send_event(struct fresh *f, const struct key *key, unsigned long value)
{
	struct timespec wall;
	char text[512];
	int64_t at_ms;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	at_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
	(void)snprintf(text, sizeof(text),
		       "{\"eventId\":\"f-%lu-%" PRId64 "\",\"eventType\":"
		       "\"ShopInfoChanged\",\"data\":{\"shopId\":\"%.*s\","
		       "\"deliveryTip\":%lu},\"occurrenceDateTime\":%" PRId64
		       "}",
		       value, at_ms, (int)key->len, key->text, value, at_ms);
	if (rd_kafka_produce(f->rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
			     text, strlen(text), key->text, key->len, NULL))
		die("produce", rd_kafka_err2str(rd_kafka_last_error()));
	f->sent++;
}

/* The events that nobody watches; keys beyond those of the probes. */
static void
send_others(struct fresh *f)
{
	double every_ns = SECOND_NS / (f->rate - f->probes);
	unsigned long total =
		(unsigned long)(f->seconds * SECOND_NS / every_ns);
	const struct key *key;

	for (unsigned long i = 0; i < total; i++) {
		int64_t due = f->begin_ns + (int64_t)((double)i * every_ns);

		if (due > now_ns())
			sleep_until(due);
		key = &f->keys.all[THREADS + i % (f->keys.n - THREADS)];
		send_event(f, key, f->base + i);
		(void)rd_kafka_poll(f->rk, 0);
	}
}

/* ---- Answers ------------------------------------------------------------ */

static void
connect_to(struct prober *p)
{
	int on = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 ||
	    connect(p->fd, (struct sockaddr *)&p->f->at, sizeof(p->f->at)) <
		    0 ||
	    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		die("connect", strerror(errno));
}

/* The whole answer to one request. */
static void
receive(struct prober *p, struct reply *rep)
{
	const char *why = NULL;
	size_t have = 0;
	ssize_t got;
	int rc = 0;

	while (rc == 0 || have < rep->head_len + rep->body_len) {
		got = recv(p->fd, p->answer + have, ANSWER_MAX - 1 - have, 0);
		if (got <= 0)
			die("recv", got < 0 ? strerror(errno) : "hung up");
		have += (size_t)got;
		if (rc == 0)
			rc = reply_read(p->answer, have, rep, &why);
		if (rc < 0)
			die("answer", why);
	}
	p->answer[have] = '\0';
}

/* What is newer than the last answer, NUL-terminated; "": nothing yet. */
static const char *
ask(struct prober *p, const struct key *key)
{
	struct reply rep;
	char text[500];

	(void)snprintf(text, sizeof(text),
		       "GET /v1/shop/%.*s?wait=%d HTTP/1.1\r\nHost: bench\r\n"
		       "If-None-Match: %s\r\n\r\n",
		       (int)key->len, key->text, WAIT_S, p->etag);
	if (send(p->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		die("send", strerror(errno));
	receive(p, &rep);
	p->f->polls++;
	if (rep.status == 200 && rep.etag && rep.etag_len < sizeof(p->etag)) {
		memcpy(p->etag, rep.etag, rep.etag_len);
		p->etag[rep.etag_len] = '\0';
		return p->answer + rep.head_len;
	}
	if (rep.status == 503) { /* refused for a moment */
		p->f->refused++;
		sleep_until(now_ns() + REFUSED_NS);
	} else if (rep.status != 304) {
		die(text, "answered none of 200, 304 and 503");
	}
	return "";
}

/* False when the answer does not have the value by then. */
static bool
is_seen(struct prober *p, const struct key *key, unsigned long value,
	int64_t until_ns)
{
	char want[64];

	(void)snprintf(want, sizeof(want), "\"deliveryTip\":%lu,", value);
	while (!strstr(ask(p, key), want))
		if (now_ns() > until_ns)
			return false;
	return true;
}

static void
probe(struct prober *p, int64_t due_ns, unsigned long value)
{
	const struct key *key = &p->f->keys.all[p->number];
	struct fresh *f = p->f;

	send_event(f, key, value);
	if (!is_seen(p, key, value, due_ns + PATIENCE_NS)) {
		f->lost++;
		return;
	}
	(void)pthread_mutex_lock(&f->lock);
	histogram_add(&f->seen_ns, now_ns() - due_ns);
	(void)pthread_mutex_unlock(&f->lock);
}

static void *
probe_all(void *arg)
{
	struct prober *p = arg;
	double every_ns = SECOND_NS / p->f->probes * THREADS;
	int64_t first =
		p->f->begin_ns + (int64_t)(every_ns * p->number / THREADS);
	int64_t end = p->f->begin_ns + (int64_t)(p->f->seconds * SECOND_NS);

	for (unsigned long i = 0;; i++) {
		int64_t due = first + (int64_t)((double)i * every_ns);

		if (due >= end)
			return NULL;
		if (due > now_ns())
			sleep_until(due);
		else
			p->f->late++;
		probe(p, due, 1000000000UL + i * THREADS + p->number);
	}
}

static void
print(struct fresh *f)
{
	const struct histogram *h = &f->seen_ns;

	printf("{\"events\":%lu,\"undelivered\":%lu,\"probes\":%" PRIu64
	       ",\"lost\":%lu,\"sent_late\":%lu,\"polls\":%lu,"
	       "\"refused\":%lu,\"fresh_us\":{"
	       "\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
	       "\"max\":%.1f}}\n",
	       atomic_load(&f->sent), atomic_load(&f->failed), h->n,
	       atomic_load(&f->lost), atomic_load(&f->late),
	       atomic_load(&f->polls), atomic_load(&f->refused),
	       (double)histogram_at(h, 0.5) / 1000,
	       (double)histogram_at(h, 0.9) / 1000,
	       (double)histogram_at(h, 0.99) / 1000,
	       (double)histogram_at(h, 0.999) / 1000, (double)h->max / 1000);
}

static void
run(struct fresh *f)
{
	static struct prober probers[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		probers[i] = (struct prober){
			.f = f, .number = i, .etag = "\"none\""};
		probers[i].answer = malloc(ANSWER_MAX);
		if (!probers[i].answer)
			die("memory", strerror(errno));
		connect_to(&probers[i]);
		send_event(f, &f->keys.all[i], READY_VALUE + i);
	}
	/* What is missing is missed before the clock runs. */
	for (unsigned i = 0; i < THREADS; i++)
		if (!is_seen(&probers[i], &f->keys.all[i], READY_VALUE + i,
			     now_ns() + 10 * (int64_t)PATIENCE_NS))
			die("start", "an event is not readable after 20 s");
	f->begin_ns = now_ns() + SECOND_NS / 10;
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&probers[i].thread, NULL, probe_all,
				   &probers[i]) != 0)
			die("thread", "cannot be started");
	send_others(f);
	for (unsigned i = 0; i < THREADS; i++) {
		(void)pthread_join(probers[i].thread, NULL);
		(void)close(probers[i].fd);
		free(probers[i].answer);
	}
	if (rd_kafka_flush(f->rk, 20000))
		die("flush", "events are not delivered");
}

int
main(int argc, char **argv)
{
	static struct fresh f = {.lock = PTHREAD_MUTEX_INITIALIZER};
	char host[64] = "";
	unsigned port = 0;

	if (argc != 8 || sscanf(argv[3], "%63[0-9.]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &f.at.sin_addr) != 1)
		goto usage;
	f.at.sin_family = AF_INET;
	f.at.sin_port = htons((uint16_t)port);
	f.rate = strtod(argv[5], NULL);
	f.probes = strtod(argv[6], NULL);
	f.seconds = strtod(argv[7], NULL);
	if (f.probes < 1 || f.rate <= f.probes || f.seconds < 1)
		goto usage;
	f.base = (unsigned long)(time(NULL) % BASES) * BASE;
	keys_read(&f.keys, argv[4], 0);
	if (f.keys.n <= THREADS)
		die(argv[4], "holds too few keys");
	open_topic(&f, argv[1], argv[2]);
	run(&f);
	print(&f);
	rd_kafka_topic_destroy(f.rkt);
	rd_kafka_destroy(f.rk);
	keys_release(&f.keys);
	return f.failed == 0 && f.lost == 0 ? 0 : 1;
usage:
	fprintf(stderr, "usage: freshness BROKERS TOPIC HOST:PORT KEYS RATE "
			"PROBES SECONDS\n");
	return 64;
}
