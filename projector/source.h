/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event source port: an ordered, partitioned log that is read by position.
 *
 * Two adapters, one contract (tests/component/test_source.c runs against
 * both): source_kafka.c and source_archive.c. A source delivers records of the
 * partitions it was told to read, in offset order per partition, from exactly
 * the offset it was told; it never commits by itself, never skips and never
 * decides where to start: the checkpoints in the store do (next == -1 = from
 * the partition's first record). What only a person can decide (a start outside
 * the log, a file that was cut) stops the partition it was found in, by name:
 * SOURCE_STOPPED, in one line that names topic, partition, offsets and what to
 * do. The others go on.
 *
 * The dance: source_poll() gives SOURCE_ASSIGNED with the partitions that are
 * now ours; the pipeline answers with source_assign(). It gives SOURCE_REVOKED;
 * the pipeline flushes what it can in bounded time, forgets, and answers with
 * source_unassign(). In between, no records of the old assignment come any
 * more. Every record carries the number of the assignment it was read under.
 *
 * Thread: the pipeline thread, for everything here.
 * Errors: RETRY (log away; poll again: the source keeps its membership), CONFIG
 * (unknown broker property, refused credentials), FATAL; STOP only from
 * source_watermarks() (a file whose ends cannot be read).
 */
#ifndef PROJECTOR_SOURCE_H
#define PROJECTOR_SOURCE_H

#include <projector/error.h>

#include <stdbool.h>
#include <stdint.h>

#include "projector/record.h"

enum source_type { SOURCE_ARCHIVE, SOURCE_KAFKA };

struct source_settings {
	enum source_type type;
	const char *dir;	  /* archive */
	const char *brokers;	  /* kafka */
	const char *group;	  /* kafka */
	const char *instance_id;  /* kafka: group.instance.id; NULL = made up
				   * from group, host and a free slot */
	const char *topic_prefix; /* kafka: before every topic name */
	/* kafka: librdkafka properties passed through, NULL-ended pairs */
	const char *const *properties;
};

/* How partitions are come by. */
enum source_mode {
	SOURCE_SHARE, /* kafka: group member; archive: lock per file */
	SOURCE_ALL,   /* every partition, no membership, no locks */
	/*
	 * What source_give() names, no membership, no locks: for a second
	 * reader of partitions that this process owns already.
	 */
	SOURCE_GIVEN,
};

struct source;

/* Topics: contract names, without prefix. Does not wait for a broker. */
int
source_open(const struct source_settings *settings, enum source_mode mode,
	    const char *const *topics, size_t n_topics,
	    struct source **ret_source, struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * Within 3 s; leaves the group politely when it can. Records are
 * released before; with records still out, their memory is left alone.
 */
void
source_close(struct source *src);

struct source_name {
	const char *topic; /* one of the source's topics */
	int32_t number;
};

/*
 * SOURCE_GIVEN: exactly what is to be read from now on. The dance follows
 * (SOURCE_REVOKED first when something was given before); the partitions it
 * hands out are this source's own. Names are copied. A file that is not there
 * is a RETRY error of source_poll().
 */
void
source_give(struct source *src, const struct source_name *names, size_t n);

enum source_event_kind {
	SOURCE_NOTHING,	 /* the timeout passed */
	SOURCE_RECORDS,	 /* recs[0..n) */
	SOURCE_ASSIGNED, /* partitions[0..n): everything that is ours now */
	SOURCE_REVOKED,	 /* everything that was ours */
	SOURCE_STOPPED,	 /* one partition, `stopped`, and why */
};

struct source_event {
	enum source_event_kind kind;
	struct record **recs; /* the source's array, until the next poll */
	size_t n_recs;	      /* the records are the caller's to release */
	struct partition **partitions;
	size_t n_partitions;
	struct partition *stopped;
	struct pj_error why; /* STOP */
};

/*
 * Waits up to timeout_ms for the first thing that happens, then takes what is
 * there already, up to max_recs records. A partition that stopped delivers
 * nothing more until the next source_assign(); that is told once for each
 * assignment, behind the last of its records, paused or not.
 */
int
source_poll(struct source *src, int timeout_ms, size_t max_recs,
	    struct source_event *ret_event, struct pj_error *err)
	__attribute__((warn_unused_result));

struct source_position {
	struct partition *partition;
	int64_t next; /* offset; -1 = the first there is */
};

/*
 * Answers SOURCE_ASSIGNED, and later moves to other positions (a projection
 * that has to be read again): all partitions of the assignment at once. Records
 * polled afterwards carry a new assignment number.
 */
int
source_assign(struct source *src, const struct source_position *positions,
	      size_t n, uint32_t *ret_assignment, struct pj_error *err)
	__attribute__((warn_unused_result));
int
source_unassign(struct source *src, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Stops (and goes on with) delivery while membership is kept; holds for later
 * assignments too, until called with false.
 */
int
source_pause(struct source *src, bool paused, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * First offset there is and next offset to be written (read_committed: the last
 * stable offset), asked of the log now. May take timeout_ms.
 */
int
source_watermarks(struct source *src, const struct partition *part,
		  int timeout_ms, int64_t *ret_low, int64_t *ret_high,
		  struct pj_error *err) __attribute__((warn_unused_result));

/*
 * Next offset to be written, transactions that are open included, when
 * everything that may be read was handed out; -1 when there is more to read, or
 * nobody knows. What the last answer of the log said: does not ask.
 */
int64_t
source_written(const struct source *src, const struct partition *part);

/*
 * Every partition of the topics, for status, check and rebuild, by topic and
 * number. The partitions belong to the source; so does the array, until the
 * next call. May take timeout_ms.
 */
int
source_partitions(struct source *src, int timeout_ms,
		  struct partition ***ret_parts, size_t *ret_n,
		  struct pj_error *err) __attribute__((warn_unused_result));

enum source_answer { SOURCE_UNKNOWN, SOURCE_NO, SOURCE_YES };

/* A topic as the log describes it now. */
struct source_topic {
	const char *name;	      /* without prefix; the source's */
	int32_t n_partitions;	      /* 0 = there is no such topic (yet) */
	enum source_answer compacted; /* by cleanup.policy, alone or among
				       * others */
	enum source_answer unclean;   /* unclean.leader.election.enable */
	int64_t retention_ms;	      /* -1 = for ever, -2 = unknown */
	char unknown[160]; /* why something is unknown; "" = nothing is */
};

/*
 * All topics, in the order of source_open(). What the log does not tell (not
 * authorised, not supported, no answer in time) is unknown and no error. The
 * array belongs to the source, until the next call. May take timeout_ms.
 */
int
source_topics(struct source *src, int timeout_ms,
	      const struct source_topic **ret_topics, size_t *ret_n,
	      struct pj_error *err) __attribute__((warn_unused_result));

/*
 * Tells the log's own tools where we are (Kafka's group offset, for lag
 * displays only). Asynchronous, best effort.
 */
void
source_mirror(struct source *src, const struct source_position *positions,
	      size_t n);

#endif
