/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kafka adapter's own; for source_kafka*.c, their tests and deadletter.c,
 * which shares the user's properties.
 *
 *	source_kafka.c         open, close, poll
 *	source_kafka_record.c  messages as records, without copying
 *	source_kafka_group.c   rebalance, assign, pause, mirror
 *	source_kafka_log.c     what the log holds: partitions, watermarks
 *	source_kafka_topics.c  how topics are configured
 *	source_kafka_conf.c    configuration
 *	source_kafka_errors.c  the one table of codes and classes
 *
 * Thread: the pipeline thread; librdkafka calls the rebalance and error
 * callbacks from within rd_kafka_consumer_poll(), so also there. Only the log
 * callback runs anywhere, and source_close() has a helper thread.
 */
#ifndef PROJECTOR_SOURCE_KAFKA_H
#define PROJECTOR_SOURCE_KAFKA_H

#include <librdkafka/rdkafka.h>

#include <stdatomic.h>

#include "projector/source_impl.h"

/* SOURCE_ALL: new partitions are seen within this time. */
#define KAFKA_DISCOVER_PERIOD_MS 60000

struct kafka_part {
	struct partition part; /* first */
	int64_t next;	       /* lowest offset still wanted; -1 = first */
	bool read_before;      /* librdkafka may remember its old start */
	bool paused;	       /* told so to librdkafka */
	bool suspect;	       /* reported out of range, not yet verified */
	bool stopped;	       /* nothing more until the next assign */
};

struct kafka_record;

/* Records that are not in use, and all that were ever made. */
struct kafka_pool {
	struct kafka_record *free;
	struct kafka_record **slabs;
	size_t n_slabs, cap_slabs;
	size_t n_out;
};

struct kafka {
	struct source src; /* first */
	rd_kafka_t *rk;
	char *prefix;
	size_t prefix_len;
	int slot_fd; /* holds the made-up instance id's slot; or -1 */

	/* What callbacks have seen and source_poll() has not told yet. */
	bool revoke_pending;
	rd_kafka_topic_partition_list_t *assign_pending;
	struct pj_error pending;     /* cls NONE: none */
	struct pj_error fatal;	     /* sticky */
	struct kafka_part *last;     /* whose message came last */
	int64_t verify_at_mono_ms;   /* next try for suspects */
	int64_t discover_at_mono_ms; /* SOURCE_ALL: next look for partitions */
	bool any_suspect;

	struct kafka_pool pool;

	atomic_bool closing;
};

/* ---- errors ------------------------------------------------------------ */

/* What a code of librdkafka or of a broker means to us. */
enum pj_error_class
kafka_error_class(rd_kafka_resp_err_t code);
/* "cls, code, text" with the code's own class. */
int
kafka_error_set(struct pj_error *err, rd_kafka_resp_err_t code, const char *fmt,
		...) __attribute__((format(printf, 3, 4)));
/* Keeps the worse of the two for the next source_poll(). */
void
kafka_note(struct kafka *k, const struct pj_error *err);
void
kafka_on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque);
/* A message that is an error. */
void
kafka_on_error_message(struct kafka *k, const rd_kafka_message_t *msg);

/* ---- configuration ----------------------------------------------------- */

/* instance_id NULL: no static membership. */
int
kafka_conf(const struct source_settings *settings, enum source_mode mode,
	   const char *instance_id, rd_kafka_conf_t **ret_conf,
	   struct pj_error *err);
int
kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
	       struct pj_error *err);
/* NULL-ended pairs; the protected ones are refused. */
int
kafka_conf_set_users(rd_kafka_conf_t *conf, const char *const *pairs,
		     struct pj_error *err);
/* Why users may not set the property, or NULL when they may. */
const char *
kafka_protected(const char *property);
/*
 * Makes up an instance id that no other process of this machine uses now and
 * that the next one to run in its place gets again. *ret_fd holds it.
 */
int
kafka_instance_id(const char *group, char **ret_id, int *ret_fd,
		  struct pj_error *err);

/* ---- records ----------------------------------------------------------- */

/* Takes the message over; NULL = dropped, or an error that was noted. */
struct record *
kafka_record_take(struct kafka *k, rd_kafka_message_t *msg);
void
kafka_pool_release(struct kafka_pool *pool);

/* ---- group ------------------------------------------------------------- */

void
kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
		   rd_kafka_topic_partition_list_t *parts, void *opaque);
/* As a partition is when it is handed out. */
void
kafka_part_reset(struct partition *part);
/* Gives the pending event of the dance, if there is one. */
bool
kafka_dance(struct kafka *k, struct source_event *ret_event);
int
kafka_assign(struct source *src, const struct source_position *positions,
	     size_t n, struct pj_error *err);
/* Points librdkafka at `next` of all partitions that are not stopped. */
int
kafka_assign_again(struct kafka *k, struct pj_error *err);
int
kafka_unassign(struct source *src, struct pj_error *err);
int
kafka_pause(struct source *src, bool paused, struct pj_error *err);
/* A named stop of one partition: nothing more of it is fetched. */
void
kafka_stop(struct kafka *k, struct kafka_part *part,
	   const struct pj_error *why);
void
kafka_mirror(struct source *src, const struct source_position *positions,
	     size_t n);

/* ---- log --------------------------------------------------------------- */

/* "prefix" + topic; valid until the next call in this thread. */
const char *
kafka_topic(const struct kafka *k, const char *topic);
/* Fills in the first or last offsets of all partitions of the list. */
int
kafka_offsets(struct kafka *k, rd_kafka_topic_partition_list_t *list,
	      int64_t logical, int timeout_ms, struct pj_error *err);
int
kafka_watermarks(struct source *src, const struct partition *part,
		 int timeout_ms, int64_t *ret_low, int64_t *ret_high,
		 struct pj_error *err);
int64_t
kafka_written(const struct source *src, const struct partition *part);
int
kafka_discover(struct source *src, int timeout_ms, struct pj_error *err);
/*
 * The topic's metadata, for rd_kafka_metadata_destroy(); errors of the topic
 * itself are errors.
 */
int
kafka_metadata(struct kafka *k, const char *topic, int timeout_ms,
	       const struct rd_kafka_metadata **ret_md, struct pj_error *err);
int
kafka_describe(struct source *src, int timeout_ms, struct pj_error *err);
/* Takes over what a topic's configuration entry says, if it is of interest. */
void
kafka_describe_entry(struct source_topic *topic, const char *name,
		     const char *value);
/* SOURCE_ALL: looks for partitions now and then; true = the set has grown. */
bool
kafka_has_grown(struct kafka *k);
/*
 * Tells truth from noise for partitions reported out of range: they stop, or
 * reading goes on where it was.
 */
void
kafka_verify(struct kafka *k);

#endif
