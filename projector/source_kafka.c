/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/source_kafka.h"

/*
 * Leaving the group takes a round trip; 2.0.2 is known to hang here. A second
 * less than source_close() promises.
 */
#define CLOSE_TIMEOUT_S 2

static int
take_error(struct kafka *k, struct pj_error *err)
{
	if (k->fatal.cls) {
		*err = k->fatal;
	} else {
		*err = k->pending;
		k->pending.cls = PJ_ERROR_NONE;
	}
	return -1;
}

/* Takes what is there, waiting only for the first thing that happens. */
static size_t
fill(struct kafka *k, int timeout_ms, size_t max_recs)
{
	int64_t end_mono_ms = clock_mono_ms() + timeout_ms;
	int64_t left = timeout_ms;
	rd_kafka_message_t *msg;
	struct record *rec;
	size_t n = 0;

	while (n < max_recs) {
		msg = rd_kafka_consumer_poll(k->rk, n > 0 ? 0 : (int)left);
		if (!msg)
			break; /* time is up, or a callback has yielded */
		rec = kafka_record_take(k, msg);
		if (rec) {
			k->src.recs[n++] = rec;
			continue;
		}
		if (k->pending.cls || k->fatal.cls || k->any_suspect ||
		    source_has_stop_to_tell(&k->src))
			break;
		if (n == 0) {
			left = end_mono_ms - clock_mono_ms();
			if (left <= 0)
				break;
		}
	}
	return n;
}

/* SOURCE_ALL: the group's part in the dance is played by the metadata. */
static int
dance_all(struct kafka *k, int timeout_ms, struct source_event *ret_event,
	  struct pj_error *err)
{
	size_t i;

	if (k->src.state == SOURCE_ACTIVE && kafka_has_grown(k)) {
		source_revoke(&k->src, ret_event);
		return 1;
	}
	if (k->src.state != SOURCE_IDLE)
		return 0;
	if (kafka_discover(&k->src, timeout_ms > 0 ? timeout_ms : 1, err)) {
		/* Callbacks may know better why. */
		(void)fill(k, 0, 1);
		if (k->fatal.cls || k->pending.cls > err->cls)
			return take_error(k, err);
		k->pending.cls = PJ_ERROR_NONE;
		return -1;
	}
	source_mine_clear(&k->src);
	for (i = 0; i < k->src.n_parts; i++) {
		kafka_part_reset(k->src.parts[i]);
		source_mine_add(&k->src, k->src.parts[i]);
	}
	k->discover_at_mono_ms = clock_mono_ms() + KAFKA_DISCOVER_PERIOD_MS;
	source_offer(&k->src, ret_event);
	return 1;
}

/* SOURCE_GIVEN: played by source_give(). */
static bool
given_dance(struct kafka *k, struct source_event *ret_event)
{
	size_t i;

	if (!source_given_dance(&k->src, ret_event))
		return false;
	if (ret_event->kind == SOURCE_ASSIGNED)
		for (i = 0; i < k->src.n_mine; i++)
			kafka_part_reset(k->src.mine[i]);
	return true;
}

/* What callbacks and a look at the log have found; true: *ret is the answer. */
static bool
tell(struct kafka *k, struct source_event *ret_event, struct pj_error *err,
     int *ret)
{
	kafka_verify(k);
	*ret = 0;
	if (k->pending.cls)
		*ret = take_error(k, err);
	else if (!source_tell_stop(&k->src, ret_event))
		return false;
	return true;
}

static int
kafka_poll(struct source *src, int timeout_ms, size_t max_recs,
	   struct source_event *ret_event, struct pj_error *err)
{
	struct kafka *k = (struct kafka *)src;
	size_t n;
	int told;

	if (k->fatal.cls)
		return take_error(k, err);
	if (src->mode == SOURCE_GIVEN && given_dance(k, ret_event))
		return 0;
	if (kafka_dance(k, ret_event))
		return 0;
	if (src->mode == SOURCE_ALL) {
		told = dance_all(k, timeout_ms, ret_event, err);
		if (told)
			return told < 0 ? -1 : 0;
	}
	if (tell(k, ret_event, err, &told))
		return told;
	n = fill(k, timeout_ms, max_recs);
	if (n > 0) {
		*ret_event = (struct source_event){
			.kind = SOURCE_RECORDS, .recs = src->recs, .n_recs = n};
		return 0;
	}
	if (k->fatal.cls)
		return take_error(k, err);
	if (kafka_dance(k, ret_event))
		return 0;
	if (tell(k, ret_event, err, &told))
		return told;
	*ret_event = (struct source_event){.kind = SOURCE_NOTHING};
	return 0;
}

/* ---- Closing in bounded time ------------------------------------------- */

struct closer {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done; /* under lock */
	struct kafka *k;
	bool destroy;
};

static void
kafka_free(struct kafka *k)
{
	if (k->assign_pending)
		rd_kafka_topic_partition_list_destroy(k->assign_pending);
	if (k->slot_fd >= 0)
		(void)close(k->slot_fd);
	kafka_pool_release(&k->pool);
	source_release(&k->src);
	free(k->prefix);
	free(k);
}

static void *
closer_run(void *arg)
{
	struct closer *cl = arg;

	(void)rd_kafka_consumer_close(cl->k->rk);
	if (cl->destroy)
		rd_kafka_destroy_flags(cl->k->rk,
				       RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	(void)pthread_mutex_lock(&cl->lock);
	cl->done = true;
	(void)pthread_cond_signal(&cl->cond);
	(void)pthread_mutex_unlock(&cl->lock);
	/* When nobody waits any more, the rest goes with the process. */
	return NULL;
}

/* True when it ended in time; else it goes on without anybody waiting. */
static bool
closer_wait(struct closer *cl, pthread_t thread)
{
	struct timespec ts;
	bool done;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += CLOSE_TIMEOUT_S;
	(void)pthread_mutex_lock(&cl->lock);
	while (!cl->done)
		if (pthread_cond_timedwait(&cl->cond, &cl->lock, &ts))
			break;
	done = cl->done;
	(void)pthread_mutex_unlock(&cl->lock);
	if (done)
		(void)pthread_join(thread, NULL);
	else
		(void)pthread_detach(thread);
	return done;
}

static void
kafka_close(struct source *src)
{
	struct kafka *k = (struct kafka *)src;
	struct closer *cl = mem_calloc(1, sizeof(*cl));
	pthread_condattr_t attr;
	pthread_t thread;
	bool done;

	atomic_store(&k->closing, true);
	cl->k = k;
	/* A message still out there would be freed under its holder. */
	cl->destroy = k->pool.n_out == 0;
	(void)pthread_mutex_init(&cl->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&cl->cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (pthread_create(&thread, NULL, closer_run, cl))
		return; /* no threads left: the process is about to end */
	done = closer_wait(cl, thread);
	if (!done) {
		log_warn("kafka.close", "abandoned_after_s=%d",
			 CLOSE_TIMEOUT_S);
		return;
	}
	if (cl->destroy)
		kafka_free(k);
	(void)pthread_mutex_destroy(&cl->lock);
	(void)pthread_cond_destroy(&cl->cond);
	free(cl);
}

/* ---- Opening ----------------------------------------------------------- */

static const struct source_ops kafka_ops = {
	.close = kafka_close,
	.poll = kafka_poll,
	.assign = kafka_assign,
	.unassign = kafka_unassign,
	.pause = kafka_pause,
	.watermarks = kafka_watermarks,
	.written = kafka_written,
	.discover = kafka_discover,
	.describe = kafka_describe,
	.mirror = kafka_mirror,
};

/* Levels are syslog's; any thread. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	char quoted[1024];

	(void)rk;
	log_quote(quoted, sizeof(quoted), text, strlen(text));
	/* librdkafka repeats connection trouble; source_poll() tells once. */
	log_line(level <= 4 ? LOG_WARN : LOG_DEBUG, "kafka.client",
		 "facility=%s text=%s", facility, quoted);
}

static int
subscribe(struct kafka *k, struct pj_error *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;
	size_t i;

	list = rd_kafka_topic_partition_list_new((int)k->src.n_topics);
	for (i = 0; i < k->src.n_topics; i++)
		rd_kafka_topic_partition_list_add(
			list, kafka_topic(k, k->src.topics[i]),
			RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(k->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code)
		return kafka_error_set(err, code, "kafka: subscribe: %s",
				       rd_kafka_err2str(code));
	return 0;
}

static int
start(struct kafka *k, const struct source_settings *settings,
      const char *instance_id, struct pj_error *err)
{
	rd_kafka_conf_t *conf;
	char text[200];

	if (kafka_conf(settings, k->src.mode, instance_id, &conf, err))
		return -1;
	rd_kafka_conf_set_opaque(conf, k);
	rd_kafka_conf_set_rebalance_cb(conf, kafka_on_rebalance);
	rd_kafka_conf_set_error_cb(conf, kafka_on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	k->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!k->rk) {
		rd_kafka_conf_destroy(conf);
		/* Else the machine is at fault: threads, descriptors, time. */
		return pj_error_set(
			err,
			rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG
				? PJ_ERROR_CONFIG
				: PJ_ERROR_FATAL,
			"kafka: %s", text);
	}
	(void)rd_kafka_poll_set_consumer(k->rk);
	return 0;
}

int
source_kafka_open(const struct source_settings *settings, enum source_mode mode,
		  const char *const *topics, size_t n_topics,
		  struct source **ret_source, struct pj_error *err)
{
	struct kafka *k = mem_calloc(1, sizeof(*k));
	char *made_up = NULL;
	const char *instance_id = settings->instance_id;
	int status = -1;

	source_init(&k->src, &kafka_ops, mode, sizeof(struct kafka_part),
		    topics, n_topics);
	k->slot_fd = -1;
	k->prefix = mem_strdup(settings->topic_prefix ? settings->topic_prefix
						      : "");
	k->prefix_len = strlen(k->prefix);
	if (mode != SOURCE_SHARE) {
		instance_id = NULL;
	} else if (!instance_id) {
		if (kafka_instance_id(settings->group, &made_up, &k->slot_fd,
				      err))
			goto out;
		instance_id = made_up;
	}
	if (start(k, settings, instance_id, err))
		goto out;
	if (mode == SOURCE_SHARE && subscribe(k, err))
		goto out;
	*ret_source = &k->src;
	status = 0;
out:
	free(made_up);
	if (status && k->rk)
		kafka_close(&k->src);
	else if (status)
		kafka_free(k);
	return status;
}
