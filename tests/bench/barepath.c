/* SPDX-License-Identifier: Apache-2.0 */
/*
 * barepath BROKERS TOPIC URI DATABASE COLLECTION: how soon an event can be in
 * an answer at best.
 *
 * The way of an event through the same Kafka and MongoDB, with as little beside
 * it as will answer freshness.c: from the topic's end on each event sets one
 * field of its document (no compare-and-set, no checkpoint, no recovery), a
 * change stream tells of it, and who asks for its key (a long poll) has the
 * document read. Listens on loopback; prints its port. Runs until SIGTERM.
 *
 * Exit status: 1 when Kafka or the store fails; 64 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <mongoc/mongoc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	USAGE = 64,
	WRITERS = 2,	    /* as many as projector.writers */
	PENDING_MAX = 1000, /* of one command */
	KEY_MAX = 64,
	HEAD_MAX = 1024,
	WAIT_S = 2,
	FETCH_WAIT_MS = 10,
	STREAM_WAIT_MS = 200,
};

struct change {
	char key[KEY_MAX];
	int64_t value;
};

/* A client: what it waits for. */
struct asker {
	struct path *path;
	struct asker *next;
	int fd;
	char key[KEY_MAX];
	bool rung;
};

struct path {
	mongoc_client_pool_t *pool;
	const char *database, *collection;
	/* Of everybody: */
	pthread_mutex_t lock;
	pthread_cond_t came, rang;
	struct change pending[PENDING_MAX];
	size_t n_pending;
	struct asker *askers;
};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "barepath: %s: %s\n", what, why);
	exit(1);
}

/* ---- From Kafka to the store -------------------------------------------- */

/* The text behind the name in what freshness.c sends. */
static const char *
behind(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	if (!at)
		die("event without", name);
	return at + strlen(name);
}

static void
take(struct path *path, const rd_kafka_message_t *msg)
{
	struct change change = {.value = 0};
	char text[HEAD_MAX];

	if (msg->len >= sizeof(text) || msg->key_len >= KEY_MAX)
		die("event", "too long");
	memcpy(change.key, msg->key, msg->key_len);
	memcpy(text, msg->payload, msg->len);
	text[msg->len] = '\0';
	change.value = strtoll(behind(text, "\"deliveryTip\":"), NULL, 10);
	(void)pthread_mutex_lock(&path->lock);
	while (path->n_pending == PENDING_MAX)
		(void)pthread_cond_wait(&path->came, &path->lock);
	path->pending[path->n_pending++] = change;
	(void)pthread_cond_broadcast(&path->came);
	(void)pthread_mutex_unlock(&path->lock);
}

/* From the topic's end as it is now: nobody has been answered yet. */
static rd_kafka_topic_t *
open_topic(const char *brokers, const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[200], wait[16];
	rd_kafka_topic_t *rkt;
	int64_t low, high;
	rd_kafka_t *rk;

	(void)snprintf(wait, sizeof(wait), "%d", FETCH_WAIT_MS);
	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why,
			      sizeof(why)) ||
	    rd_kafka_conf_set(conf, "fetch.wait.max.ms", wait, why,
			      sizeof(why)))
		die("consumer", why);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (!rk)
		die("consumer", why);
	rkt = rd_kafka_topic_new(rk, topic, NULL);
	if (rd_kafka_query_watermark_offsets(rk, topic, 0, &low, &high,
					     20000) ||
	    rd_kafka_consume_start(rkt, 0, high))
		die(topic, rd_kafka_err2str(rd_kafka_last_error()));
	return rkt;
}

static void
consume(struct path *path, rd_kafka_topic_t *rkt)
{
	for (;;) {
		rd_kafka_message_t *msg = rd_kafka_consume(rkt, 0, 1000);

		if (!msg)
			continue;
		if (!msg->err)
			take(path, msg);
		else if (msg->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
			die("consume", rd_kafka_message_errstr(msg));
		rd_kafka_message_destroy(msg);
	}
}

static void
add_update(bson_t *updates, size_t i, const struct change *change)
{
	bson_t stmt, q, u, set;
	char name[16];
	const char *at;

	bson_uint32_to_string((uint32_t)i, &at, name, sizeof(name));
	bson_append_document_begin(updates, at, -1, &stmt);
	BSON_APPEND_DOCUMENT_BEGIN(&stmt, "q", &q);
	BSON_APPEND_UTF8(&q, "_id", change->key);
	bson_append_document_end(&stmt, &q);
	BSON_APPEND_DOCUMENT_BEGIN(&stmt, "u", &u);
	BSON_APPEND_DOCUMENT_BEGIN(&u, "$set", &set);
	BSON_APPEND_INT64(&set, "deliveryTip", change->value);
	bson_append_document_end(&u, &set);
	bson_append_document_end(&stmt, &u);
	bson_append_document_end(updates, &stmt);
}

static void
write_changes(mongoc_client_t *client, struct path *path,
	      const struct change *changes, size_t n)
{
	bson_t command = BSON_INITIALIZER, updates, concern;
	bson_error_t err;

	BSON_APPEND_UTF8(&command, "update", path->collection);
	BSON_APPEND_BOOL(&command, "ordered", false);
	BSON_APPEND_DOCUMENT_BEGIN(&command, "writeConcern", &concern);
	BSON_APPEND_UTF8(&concern, "w", "majority");
	BSON_APPEND_BOOL(&concern, "j", true);
	bson_append_document_end(&command, &concern);
	BSON_APPEND_ARRAY_BEGIN(&command, "updates", &updates);
	for (size_t i = 0; i < n; i++)
		add_update(&updates, i, &changes[i]);
	bson_append_array_end(&command, &updates);
	if (!mongoc_client_command_simple(client, path->database, &command,
					  NULL, NULL, &err))
		die("update", err.message);
	bson_destroy(&command);
}

/* What has come meanwhile, in one command. */
static void *
write_all(void *arg)
{
	struct path *path = arg;
	mongoc_client_t *client = mongoc_client_pool_pop(path->pool);
	struct change *mine = malloc(sizeof(path->pending));
	size_t n;

	if (!mine)
		die("memory", strerror(errno));
	for (;;) {
		(void)pthread_mutex_lock(&path->lock);
		while (path->n_pending == 0)
			(void)pthread_cond_wait(&path->came, &path->lock);
		n = path->n_pending;
		memcpy(mine, path->pending, n * sizeof(*mine));
		path->n_pending = 0;
		(void)pthread_cond_broadcast(&path->came);
		(void)pthread_mutex_unlock(&path->lock);
		write_changes(client, path, mine, n);
	}
	return NULL;
}

/* ---- From the store to who asks ----------------------------------------- */

static void
ring(struct path *path, const bson_t *event)
{
	bson_iter_t it, id;
	const char *key;

	if (!bson_iter_init(&it, event) ||
	    !bson_iter_find_descendant(&it, "documentKey._id", &id))
		return;
	key = bson_iter_utf8(&id, NULL);
	(void)pthread_mutex_lock(&path->lock);
	for (struct asker *ask = path->askers; ask; ask = ask->next)
		ask->rung |= strcmp(ask->key, key) == 0;
	(void)pthread_cond_broadcast(&path->rang);
	(void)pthread_mutex_unlock(&path->lock);
}

static void *
watch_all(void *arg)
{
	struct path *path = arg;
	bson_t *pipeline =
		BCON_NEW("pipeline", "[", "{", "$project", "{",
			 "documentKey._id", BCON_INT32(1), "}", "}", "]");
	bson_t *opts = BCON_NEW("maxAwaitTimeMS", BCON_INT64(STREAM_WAIT_MS));
	mongoc_collection_t *coll =
		mongoc_client_get_collection(mongoc_client_pool_pop(path->pool),
					     path->database, path->collection);
	mongoc_change_stream_t *stream =
		mongoc_collection_watch(coll, pipeline, opts);
	const bson_t *event;
	bson_error_t err;

	for (;;) {
		while (mongoc_change_stream_next(stream, &event))
			ring(path, event);
		if (mongoc_change_stream_error_document(stream, &err, NULL))
			die("change stream", err.message);
	}
	return NULL;
}

static int64_t
value_of(mongoc_collection_t *coll, const char *key)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(key));
	bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "readConcern", "{",
				"level", "majority", "}");
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(coll, filter, opts, NULL);
	const bson_t *found;
	int64_t value = -1;
	bson_error_t err;
	bson_iter_t it;

	if (mongoc_cursor_next(cursor, &found) &&
	    bson_iter_init_find(&it, found, "deliveryTip"))
		value = bson_iter_as_int64(&it);
	if (mongoc_cursor_error(cursor, &err))
		die("find", err.message);
	mongoc_cursor_destroy(cursor);
	bson_destroy(filter);
	bson_destroy(opts);
	return value;
}

/* False when nothing was told of it in time. */
static bool
is_told(struct asker *ask, const struct timespec *until)
{
	struct path *path = ask->path;
	bool told;
	int rc = 0;

	(void)pthread_mutex_lock(&path->lock);
	while (!ask->rung && rc == 0)
		rc = pthread_cond_timedwait(&path->rang, &path->lock, until);
	told = ask->rung;
	ask->rung = false;
	(void)pthread_mutex_unlock(&path->lock);
	return told;
}

static void
answer(struct asker *ask, mongoc_collection_t *coll, int64_t had)
{
	char text[HEAD_MAX], body[HEAD_MAX / 4] = "";
	struct timespec until;
	int64_t value;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	do
		value = value_of(coll, ask->key);
	while (value == had && is_told(ask, &until));
	if (value != had)
		(void)snprintf(body, sizeof(body),
			       "{\"deliveryTip\":%" PRId64 ",\"id\":\"%s\"}",
			       value, ask->key);
	(void)snprintf(text, sizeof(text),
		       "HTTP/1.1 %s\r\nETag: \"%" PRId64
		       "\"\r\nContent-Length: %zu\r\n\r\n%s",
		       *body ? "200 OK" : "304 Not Modified", value,
		       strlen(body), body);
	if (send(ask->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		die("send", strerror(errno));
}

/* Reads a request's key and the value its client has; false: it went away. */
static bool
read_request(struct asker *ask, int64_t *ret_had)
{
	char head[HEAD_MAX];
	size_t have = 0, len;
	const char *key;
	ssize_t got;

	do {
		got = recv(ask->fd, head + have, sizeof(head) - 1 - have, 0);
		if (got <= 0)
			return false;
		have += (size_t)got;
		head[have] = '\0';
	} while (!strstr(head, "\r\n\r\n"));
	key = behind(head, "GET /v1/shop/");
	len = strcspn(key, "?");
	(void)pthread_mutex_lock(&ask->path->lock);
	(void)snprintf(ask->key, sizeof(ask->key), "%.*s", (int)len, key);
	ask->rung = false;
	(void)pthread_mutex_unlock(&ask->path->lock);
	*ret_had = strtoll(behind(head, "If-None-Match: \""), NULL, 10);
	return true;
}

static void
forget(struct asker *ask)
{
	struct path *path = ask->path;
	struct asker **at = &path->askers;

	(void)pthread_mutex_lock(&path->lock);
	while (*at != ask)
		at = &(*at)->next;
	*at = ask->next;
	(void)pthread_mutex_unlock(&path->lock);
	(void)close(ask->fd);
	free(ask);
}

static void *
answer_all(void *arg)
{
	struct asker *ask = arg;
	mongoc_client_pool_t *pool = ask->path->pool;
	mongoc_client_t *client = mongoc_client_pool_pop(pool);
	mongoc_collection_t *coll = mongoc_client_get_collection(
		client, ask->path->database, ask->path->collection);
	int64_t had;

	while (read_request(ask, &had))
		answer(ask, coll, had);
	mongoc_collection_destroy(coll);
	mongoc_client_pool_push(pool, client);
	forget(ask);
	return NULL;
}

/* ---- Start --------------------------------------------------------------- */

static void
start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg) || pthread_detach(thread))
		die("thread", "cannot be started");
}

static void *
accept_all(void *arg)
{
	struct path *path = arg;
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(fd, 64) || getsockname(fd, (struct sockaddr *)&at, &len))
		die("listen", strerror(errno));
	printf("%u\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	for (;;) {
		struct asker *ask = calloc(1, sizeof(*ask));

		if (!ask)
			die("memory", strerror(errno));
		ask->path = path;
		ask->fd = accept(fd, NULL, NULL);
		if (ask->fd < 0 || setsockopt(ask->fd, IPPROTO_TCP, TCP_NODELAY,
					      &on, sizeof(on)))
			die("accept", strerror(errno));
		(void)pthread_mutex_lock(&path->lock);
		ask->next = path->askers;
		path->askers = ask;
		(void)pthread_mutex_unlock(&path->lock);
		start(answer_all, ask);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	static struct path path = {.lock = PTHREAD_MUTEX_INITIALIZER,
				   .came = PTHREAD_COND_INITIALIZER,
				   .rang = PTHREAD_COND_INITIALIZER};
	rd_kafka_topic_t *rkt;
	mongoc_uri_t *uri;

	if (argc != 6) {
		fprintf(stderr, "usage: barepath BROKERS TOPIC URI DATABASE "
				"COLLECTION\n");
		return USAGE;
	}
	mongoc_init();
	uri = mongoc_uri_new(argv[3]);
	if (!uri)
		die(argv[3], "no connection string");
	path.pool = mongoc_client_pool_new(uri);
	path.database = argv[4];
	path.collection = argv[5];
	rkt = open_topic(argv[1], argv[2]);
	for (int i = 0; i < WRITERS; i++)
		start(write_all, &path);
	start(watch_all, &path);
	start(accept_all, &path);
	consume(&path, rkt);
}
