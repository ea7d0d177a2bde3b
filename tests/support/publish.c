/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes an archive to Kafka.
 *
 *	publish BROKERS DIR [--prefix P] [--rate N] [--transactions SEED]
 *		[--partitions keys|archive]
 *
 * Every topic below DIR (its topics must exist: kafka_admin create-topic).
 * Keys choose partitions as Kafka's Java client does; where the topic has as
 * many partitions as the archive, a record that lands elsewhere is an error.
 * --partitions archive: records go where the archive has them, as of producers
 * that choose for themselves.
 * Order within a partition, keys, headers, timestamps and tombstones are kept.
 * --rate: events per second over all topics; as fast as possible without.
 * --transactions: in transactions of random sizes; some are written, aborted
 *and written once more, some abort without a record. Exit: 0 all acknowledged;
 *1 not; 64 usage.
 */
#include <dirent.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "projector/source.h"

#define MAX_TOPICS 64
#define BATCH	   1000
#define TX_RECORDS 300 /* the most in a transaction */
#define TX_MS	   60000

struct topic {
	char *name;
	rd_kafka_topic_t *rkt;
	int archive_partitions, kafka_partitions;
	unsigned long sent;
};

struct end {
	struct partition *part;
	int64_t high;
};

struct publish {
	rd_kafka_t *rk;
	struct topic topics[MAX_TOPICS];
	size_t n_topics;
	struct end *ends;
	size_t n_ends;
	double rate;
	bool placed;			 /* --partitions archive */
	unsigned random;		 /* of --transactions; 0: none */
	struct record *held[TX_RECORDS]; /* of the transaction to come */
	size_t n_held;
	unsigned long sent, acked, failed, misplaced;
	int64_t begin_mono_ms;
};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "publish: %s: %s\n", what, why);
	exit(1);
}

/* The opaque is the partition it has to land on, plus one; 0: any. */
static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
	struct publish *pub = opaque;
	intptr_t want = (intptr_t)msg->_private;

	(void)rk;
	if (msg->err) {
		if (pub->failed++ == 0)
			fprintf(stderr, "publish: %s/%d: %s\n",
				rd_kafka_topic_name(msg->rkt),
				(int)msg->partition,
				rd_kafka_message_errstr(msg));
		return;
	}
	pub->acked++;
	if (want != 0 && want - 1 != msg->partition && pub->misplaced++ == 0)
		fprintf(stderr,
			"publish: key '%.*s' of %s landed on partition %d, not "
			"%d\n",
			(int)msg->key_len, (const char *)msg->key,
			rd_kafka_topic_name(msg->rkt), (int)msg->partition,
			(int)(want - 1));
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[200];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)))
		die(name, text);
}

static void
must(rd_kafka_error_t *error, const char *what)
{
	if (error)
		die(what, rd_kafka_error_string(error));
}

static void
connect_to(struct publish *pub, const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];

	set(conf, "bootstrap.servers", brokers);
	set(conf, "enable.idempotence", "true");
	set(conf, "acks", "all");
	set(conf, "partitioner", "murmur2_random");
	set(conf, "linger.ms", "5");
	set(conf, "message.max.bytes", "40000000");
	set(conf, "batch.num.messages", "10000");
	set(conf, "compression.type", "lz4");
	set(conf, "queue.buffering.max.messages", "500000");
	if (pub->random)
		set(conf, "transactional.id", "publish");
	rd_kafka_conf_set_opaque(conf, pub);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	pub->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!pub->rk)
		die("producer", text);
	if (pub->random)
		must(rd_kafka_init_transactions(pub->rk, TX_MS), "init");
}

static void
find_topics(struct publish *pub, const char *dir, const char **names)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	char *path;
	DIR *sub;

	if (!d)
		die(dir, "cannot be opened");
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		path = mem_printf("%s/%s", dir, entry->d_name);
		sub = opendir(path);
		free(path);
		if (!sub)
			continue;
		(void)closedir(sub);
		if (pub->n_topics == MAX_TOPICS)
			die(dir, "too many topics");
		names[pub->n_topics] = pub->topics[pub->n_topics].name =
			mem_strdup(entry->d_name);
		pub->n_topics++;
	}
	(void)closedir(d);
}

static void
open_topics(struct publish *pub, const char *prefix)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t code;
	struct topic *topic;
	char *name;
	size_t i;

	for (i = 0; i < pub->n_topics; i++) {
		topic = &pub->topics[i];
		name = mem_printf("%s%s", prefix, topic->name);
		topic->rkt = rd_kafka_topic_new(pub->rk, name, NULL);
		if (!topic->rkt)
			die(name, rd_kafka_err2str(rd_kafka_last_error()));
		code = rd_kafka_metadata(pub->rk, 0, topic->rkt, &md, 20000);
		if (code)
			die(name, rd_kafka_err2str(code));
		if (md->topic_cnt != 1 || md->topics[0].err)
			die(name, rd_kafka_err2str(md->topics[0].err));
		topic->kafka_partitions = md->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(md);
		free(name);
	}
}

static struct topic *
topic_of(struct publish *pub, const struct partition *part)
{
	size_t i;

	for (i = 0; i < pub->n_topics; i++)
		if (strcmp(pub->topics[i].name, part->topic) == 0)
			return &pub->topics[i];
	die(part->topic, "is no topic of the archive");
	return NULL;
}

static rd_kafka_headers_t *
headers_of(const struct record *rec)
{
	rd_kafka_headers_t *hdrs;
	size_t i;

	if (rec->n_headers == 0)
		return NULL;
	hdrs = rd_kafka_headers_new(rec->n_headers);
	for (i = 0; i < rec->n_headers; i++)
		(void)rd_kafka_header_add(hdrs, rec->headers[i].name.ptr,
					  (ssize_t)rec->headers[i].name.len,
					  rec->headers[i].value.ptr,
					  (ssize_t)rec->headers[i].value.len);
	return hdrs;
}

/* Events go out at the times the rate says, in small steps. */
static void
keep_rate(struct publish *pub)
{
	struct timespec ts = {0, 1000 * 1000};
	double due;

	for (;;) {
		due = (double)(clock_mono_ms() - pub->begin_mono_ms) *
		      pub->rate / 1000;
		if ((double)pub->sent <= due)
			return;
		rd_kafka_poll(pub->rk, 0);
		(void)nanosleep(&ts, NULL);
	}
}

/* An empty key or value is not a null. */
static void *
bytes_of(struct pj_str bytes, bool null)
{
	if (null)
		return NULL;
	return bytes.len ? (void *)(uintptr_t)bytes.ptr : (void *)"";
}

static void
send_one(struct publish *pub, const struct record *rec)
{
	struct topic *topic = topic_of(pub, rec->partition);
	bool same = topic->kafka_partitions == topic->archive_partitions;
	int32_t number = rec->partition->number;
	bool placed = same && (rec->key_null || pub->placed);
	rd_kafka_headers_t *hdrs = headers_of(rec);
	rd_kafka_resp_err_t code;

	do {
		/* A record without key is put where it was. */
		code = rd_kafka_producev(
			pub->rk, RD_KAFKA_V_RKT(topic->rkt),
			RD_KAFKA_V_PARTITION(placed ? number
						    : RD_KAFKA_PARTITION_UA),
			RD_KAFKA_V_KEY(bytes_of(rec->key, rec->key_null),
				       rec->key.len),
			RD_KAFKA_V_VALUE(bytes_of(rec->value, rec->value_null),
					 rec->value.len),
			RD_KAFKA_V_TIMESTAMP(
				rec->timestamp_ms < 0 ? 0 : rec->timestamp_ms),
			RD_KAFKA_V_HEADERS(hdrs),
			RD_KAFKA_V_OPAQUE(
				(void *)(intptr_t)(same ? number + 1 : 0)),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(pub->rk, 50);
	} while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (code)
		die(topic->name, rd_kafka_err2str(code));
	topic->sent++;
	pub->sent++;
	if (pub->rate > 0)
		keep_rate(pub);
	else if (pub->sent % 1024 == 0)
		rd_kafka_poll(pub->rk, 0);
}

static void
send_transaction(struct publish *pub, bool commit)
{
	size_t i;

	must(rd_kafka_begin_transaction(pub->rk), "begin");
	for (i = 0; i < pub->n_held; i++)
		send_one(pub, pub->held[i]);
	/* An abort drops what is not in the log yet. */
	if (rd_kafka_flush(pub->rk, TX_MS))
		die("transaction", "not flushed in time");
	must(commit ? rd_kafka_commit_transaction(pub->rk, TX_MS)
		    : rd_kafka_abort_transaction(pub->rk, TX_MS),
	     commit ? "commit" : "abort");
}

/* Sends what is held, after anything that must not be seen. */
static void
transact(struct publish *pub)
{
	unsigned choice = (unsigned)rand_r(&pub->random) % 10;
	size_t n = pub->n_held;

	if (choice < 3)
		send_transaction(pub, false);
	if (choice == 3) {
		pub->n_held = 0;
		send_transaction(pub, false);
		pub->n_held = n;
	}
	send_transaction(pub, true);
	while (pub->n_held > 0)
		record_release(pub->held[--pub->n_held]);
}

static void
send_or_hold_take(struct publish *pub, struct record *rec)
{
	if (!pub->random) {
		send_one(pub, rec);
		record_release(rec);
		return;
	}
	pub->held[pub->n_held++] = rec;
	if (pub->n_held == TX_RECORDS ||
	    rand_r(&pub->random) % (TX_RECORDS / 2) == 0)
		transact(pub);
}

/* The archive as it is now: what is written meanwhile is left alone. */
static size_t
begin(struct publish *pub, struct source *src)
{
	struct source_position *pos;
	struct source_event ev;
	struct pj_error err;
	uint32_t assignment;
	int64_t low;
	size_t i, open = 0;

	if (source_poll(src, 1000, BATCH, &ev, &err))
		die("archive", err.text);
	pub->ends = mem_calloc(ev.n_partitions + 1, sizeof(*pub->ends));
	pub->n_ends = ev.n_partitions;
	pos = mem_calloc(ev.n_partitions + 1, sizeof(*pos));
	for (i = 0; i < ev.n_partitions; i++) {
		pub->ends[i].part = ev.partitions[i];
		if (source_watermarks(src, ev.partitions[i], 1000, &low,
				      &pub->ends[i].high, &err))
			die("archive", err.text);
		topic_of(pub, ev.partitions[i])->archive_partitions++;
		open += pub->ends[i].high > low;
		pos[i] = (struct source_position){ev.partitions[i], -1};
	}
	if (source_assign(src, pos, ev.n_partitions, &assignment, &err))
		die("archive", err.text);
	free(pos);
	return open;
}

static void
send_all(struct publish *pub, struct source *src)
{
	size_t open = begin(pub, src), i, j;
	struct source_event ev;
	struct pj_error err;

	pub->begin_mono_ms = clock_mono_ms();
	while (open > 0) {
		if (source_poll(src, 1000, BATCH, &ev, &err))
			die("archive", err.text);
		if (ev.kind == SOURCE_STOPPED)
			die("archive", ev.why.text);
		if (ev.kind != SOURCE_RECORDS)
			die("archive", "it changes while it is published");
		for (i = 0; i < ev.n_recs; i++) {
			for (j = 0; pub->ends[j].part != ev.recs[i]->partition;)
				j++;
			open -= ev.recs[i]->offset + 1 == pub->ends[j].high;
			if (ev.recs[i]->offset < pub->ends[j].high)
				send_or_hold_take(pub, ev.recs[i]);
			else
				record_release(ev.recs[i]);
		}
	}
	if (pub->n_held > 0)
		transact(pub);
}

static int
report(const struct publish *pub)
{
	int64_t ms = clock_mono_ms() - pub->begin_mono_ms;
	size_t i;

	for (i = 0; i < pub->n_topics; i++)
		printf("%s %lu\n", pub->topics[i].name, pub->topics[i].sent);
	printf("total %lu in %lld ms\n", pub->acked, (long long)ms);
	if (pub->acked == pub->sent && !pub->failed && !pub->misplaced)
		return 0;
	fprintf(stderr, "publish: %lu sent, %lu acknowledged, %lu misplaced\n",
		pub->sent, pub->acked, pub->misplaced);
	return 1;
}

static int
usage(void)
{
	fprintf(stderr, "usage: publish BROKERS DIR [--prefix P] [--rate N] "
			"[--transactions SEED] [--partitions keys|archive]\n");
	return 64;
}

int
main(int argc, char **argv)
{
	struct publish pub = {0};
	const char *names[MAX_TOPICS], *prefix = "";
	struct source_settings settings = {.type = SOURCE_ARCHIVE};
	struct source *src;
	struct pj_error err;
	size_t i;
	int arg, status;

	if (argc < 3 || argc % 2 == 0)
		return usage();
	for (arg = 3; arg < argc; arg += 2) {
		if (strcmp(argv[arg], "--prefix") == 0)
			prefix = argv[arg + 1];
		else if (strcmp(argv[arg], "--rate") == 0)
			pub.rate = strtod(argv[arg + 1], NULL);
		else if (strcmp(argv[arg], "--transactions") == 0)
			pub.random = (unsigned)atoi(argv[arg + 1]) + 1;
		else if (strcmp(argv[arg], "--partitions") == 0)
			pub.placed = strcmp(argv[arg + 1], "archive") == 0;
		else
			return usage();
	}
	settings.dir = argv[2];
	find_topics(&pub, argv[2], names);
	if (source_open(&settings, SOURCE_ALL, names, pub.n_topics, &src, &err))
		die("archive", err.text);
	connect_to(&pub, argv[1]);
	open_topics(&pub, prefix);
	send_all(&pub, src);
	if (rd_kafka_flush(pub.rk, 120000))
		fprintf(stderr, "publish: not all was acknowledged in time\n");
	status = report(&pub);
	source_close(src);
	for (i = 0; i < pub.n_topics; i++) {
		rd_kafka_topic_destroy(pub.topics[i].rkt);
		free(pub.topics[i].name);
	}
	rd_kafka_destroy(pub.rk);
	free(pub.ends);
	return status;
}
