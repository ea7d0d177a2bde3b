/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/deadletter.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "projector/deadletter_impl.h"
#include "projector/source_kafka.h"

enum { LOG_EVERY_MS = 5000 };

struct deadletter {
	rd_kafka_t *rk;
	char *prefix, *group;
	char *topic;		   /* with the prefix */
	struct log_gate send_gate; /* of the thread that sends */
	struct log_gate gate;	   /* of librdkafka's background thread */
	atomic_uint_fast64_t delivered, failed;
};

/* What is good for a copy; users may set them otherwise. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{"client.id", "shopview"},
	/* Big records of several MB are parked too; the broker's limit
	 * decides. */
	{"message.max.bytes", "67108864"},
	/* A broker that is away for longer is not waited for. */
	{"message.timeout.ms", "60000"},
	{"reconnect.backoff.max.ms", "1000"},
	{"log.connection.close", "false"},
};

/* What deadletter.h promises. */
static const struct {
	const char *name, *value;
} fixed[] = {
	{"acks", "all"},
	{"enable.idempotence", "true"},
	{"partitioner", "murmur2_random"},
};

/* ---- What became of copies --------------------------------------------- */

static void
log_failure(struct log_gate *gate, const char *name, const char *why,
	    uint64_t n_failed)
{
	char quoted_name[400], quoted[600];
	unsigned long missed;

	if (!log_gate_open(gate, LOG_EVERY_MS, &missed))
		return;
	log_warn(
		"deadletter.failed",
		"record=%s error=%s failed=%" PRIu64 " unsaid=%lu",
		log_quote(quoted_name, sizeof(quoted_name), name, strlen(name)),
		log_quote(quoted, sizeof(quoted), why, strlen(why)), n_failed,
		missed);
}

static void
on_delivered(struct deadletter *dl, const rd_kafka_message_t *msg)
{
	char name[360];
	uint64_t n;

	if (!msg->err) {
		atomic_fetch_add(&dl->delivered, 1);
		return;
	}
	n = atomic_fetch_add(&dl->failed, 1) + 1;
	deadletter_name(msg, name, sizeof(name));
	log_failure(&dl->gate, name, rd_kafka_err2str(msg->err), n);
}

/* librdkafka's background thread. */
static void
on_event(rd_kafka_t *rk, rd_kafka_event_t *ev, void *opaque)
{
	const rd_kafka_message_t *msg;

	(void)rk;
	if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_DR)
		while ((msg = rd_kafka_event_message_next(ev)))
			on_delivered(opaque, msg);
	/* Errors of the client itself: its log says them. */
	rd_kafka_event_destroy(ev);
}

/* Levels are syslog's; any thread. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	char quoted[1024];

	(void)rk;
	/* Properties of consumers are told to be of no use here. */
	if (strcmp(facility, "CONFWARN") == 0)
		level = 7;
	log_quote(quoted, sizeof(quoted), text, strlen(text));
	log_line(level <= 4 ? LOG_WARN : LOG_DEBUG, "kafka.client",
		 "facility=%s text=%s", facility, quoted);
}

/* ---- Opening and closing ----------------------------------------------- */

static int
configure(rd_kafka_conf_t *conf, const struct source_settings *source,
	  struct pj_error *err)
{
	char kib[16];

	(void)snprintf(kib, sizeof(kib), "%d", (int)DEADLETTER_QUEUE_KIB);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (kafka_conf_set(conf, defaults[i].name, defaults[i].value,
				   err))
			return -1;
	if (kafka_conf_set_users(conf, source->properties, err))
		return -1;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (kafka_conf_set(conf, fixed[i].name, fixed[i].value, err))
			return -1;
	if (kafka_conf_set(conf, "queue.buffering.max.kbytes", kib, err) ||
	    kafka_conf_set(conf, "bootstrap.servers", source->brokers, err))
		return -1;
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_events(conf,
				 RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
	rd_kafka_conf_set_background_event_cb(conf, on_event);
	return 0;
}

/* So that answers are taken while nobody calls. */
static void
serve_in_background(rd_kafka_t *rk)
{
	rd_kafka_queue_t *all = rd_kafka_queue_get_main(rk);
	rd_kafka_queue_t *background = rd_kafka_queue_get_background(rk);

	rd_kafka_queue_forward(all, background);
	rd_kafka_queue_destroy(background);
	rd_kafka_queue_destroy(all);
}

static int
start(struct deadletter *dl, const struct source_settings *source,
      struct pj_error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];

	rd_kafka_conf_set_opaque(conf, dl);
	if (configure(conf, source, err)) {
		rd_kafka_conf_destroy(conf);
		return -1;
	}
	dl->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!dl->rk) {
		rd_kafka_conf_destroy(conf);
		return pj_error_set(err, PJ_ERROR_CONFIG, "dead_letter: %s",
				    text);
	}
	serve_in_background(dl->rk);
	return 0;
}

static void
deadletter_free(struct deadletter *dl)
{
	free(dl->prefix);
	free(dl->group);
	free(dl->topic);
	free(dl);
}

int
deadletter_open(const struct source_settings *source, const char *topic,
		struct deadletter **ret_dl, struct pj_error *err)
{
	const char *prefix = source->topic_prefix ? source->topic_prefix : "";
	struct deadletter *dl;

	if (source->type != SOURCE_KAFKA)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "dead_letter.topic: only a kafka source "
				    "has a cluster to send to");
	dl = mem_calloc(1, sizeof(*dl));
	dl->prefix = mem_strdup(prefix);
	dl->group = mem_strdup(source->group ? source->group : "");
	dl->topic = mem_printf("%s%s", prefix, topic);
	if (start(dl, source, err)) {
		deadletter_free(dl);
		return -1;
	}
	*ret_dl = dl;
	return 0;
}

void
deadletter_close(struct deadletter *dl)
{
	struct deadletter_counts counts;
	int n_left;

	if (!dl)
		return;
	(void)rd_kafka_flush(dl->rk, DEADLETTER_FLUSH_MS);
	n_left = rd_kafka_outq_len(dl->rk);
	(void)rd_kafka_purge(dl->rk, RD_KAFKA_PURGE_F_QUEUE |
					     RD_KAFKA_PURGE_F_INFLIGHT |
					     RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_destroy(dl->rk);
	counts = deadletter_counts(dl);
	if (n_left > 0 || counts.delivered > 0 || counts.failed > 0)
		log_line(n_left > 0 || counts.failed > 0 ? LOG_WARN : LOG_INFO,
			 "deadletter.done",
			 "delivered=%" PRIu64 " failed=%" PRIu64
			 " left_at_stop=%d",
			 counts.delivered, counts.failed, n_left);
	deadletter_free(dl);
}

struct deadletter_counts
deadletter_counts(struct deadletter *dl)
{
	if (!dl)
		return (struct deadletter_counts){0, 0};
	return (struct deadletter_counts){
		.delivered = atomic_load(&dl->delivered),
		.failed = atomic_load(&dl->failed),
	};
}

/* ---- Sending ----------------------------------------------------------- */

/* Empty is not absent: the pointer says which. */
static rd_kafka_resp_err_t
produce(struct deadletter *dl, const struct store_parked *row,
	rd_kafka_headers_t *hdrs)
{
	const char *key = row->key_null ? NULL : "";
	const char *value = row->value_null ? NULL : "";

	if (!row->key_null && row->key.len)
		key = row->key.ptr;
	if (!row->value_null && row->value.len)
		value = row->value.ptr;
	return rd_kafka_producev(
		dl->rk, RD_KAFKA_V_TOPIC(dl->topic),
		RD_KAFKA_V_KEY(key, row->key_null ? 0 : row->key.len),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)value,
				 row->value_null ? 0 : row->value.len),
		RD_KAFKA_V_HEADERS(hdrs),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
}

void
deadletter_send(struct deadletter *dl, const struct store_parked *row)
{
	rd_kafka_headers_t *hdrs;
	rd_kafka_resp_err_t code;
	char name[360];
	uint64_t n;

	if (!dl)
		return;
	hdrs = deadletter_headers(row, dl->prefix, dl->group);
	code = produce(dl, row, hdrs);
	if (!code)
		return; /* the headers are librdkafka's now */
	rd_kafka_headers_destroy(hdrs);
	n = atomic_fetch_add(&dl->failed, 1) + 1;
	(void)snprintf(name, sizeof(name), "%s%s/%d@%lld", dl->prefix,
		       row->topic, (int)row->partition, (long long)row->offset);
	log_failure(&dl->send_gate, name, rd_kafka_err2str(code), n);
}
