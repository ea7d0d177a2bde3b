/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the source adapters share; for source*.c only.
 *
 * An adapter embeds struct source as its first member and gives the size of
 * its own per-partition struct, whose first member is struct partition.
 */
#ifndef PROJECTOR_SOURCE_IMPL_H
#define PROJECTOR_SOURCE_IMPL_H

#include "projector/source.h"

struct source_ops {
	void (*close)(struct source *src);
	int (*poll)(struct source *src, int timeout_ms, size_t max_recs,
		    struct source_event *ret_event, struct pj_error *err);
	int (*assign)(struct source *src,
		      const struct source_position *positions, size_t n,
		      struct pj_error *err);
	int (*unassign)(struct source *src, struct pj_error *err);
	int (*pause)(struct source *src, bool paused, struct pj_error *err);
	int (*watermarks)(struct source *src, const struct partition *part,
			  int timeout_ms, int64_t *ret_low, int64_t *ret_high,
			  struct pj_error *err);
	/* See source_written(); NULL: never anything. */
	int64_t (*written)(const struct source *src,
			   const struct partition *part);
	/* Makes every partition known with source_partition(). */
	int (*discover)(struct source *src, int timeout_ms,
			struct pj_error *err);
	/* Fills in src->described, which is n_topics long. */
	int (*describe)(struct source *src, int timeout_ms,
			struct pj_error *err);
	void (*mirror)(struct source *src,
		       const struct source_position *positions, size_t n);
};

/* Where the dance of source.h stands. */
enum source_state {
	SOURCE_IDLE,	/* nothing handed out */
	SOURCE_OFFERED, /* ASSIGNED given, not answered yet */
	SOURCE_ACTIVE,	/* answered by source_assign(): records flow */
	SOURCE_LEAVING, /* REVOKED given, not answered yet */
};

struct source_stop {
	struct partition *part;
	struct pj_error why;
};

struct source {
	const struct source_ops *ops;
	enum source_mode mode;
	enum source_state state;
	uint32_t assignment; /* number of the newest source_assign() */
	bool paused;

	char **topics;
	size_t n_topics;

	/* Every partition seen so far; they live as long as the source. */
	struct partition **parts;
	size_t n_parts, cap_parts;
	size_t part_size;

	/* The set of the last ASSIGNED. */
	struct partition **mine;
	size_t n_mine, cap_mine;

	/* SOURCE_GIVEN: the set of the next ASSIGNED. */
	struct partition **given;
	size_t n_given, cap_given;
	bool given_is_new; /* not handed out yet */

	/* What stopped under this assignment, in the order it was found. */
	struct source_stop *stops;
	size_t n_stops, n_stops_told, cap_stops;

	struct record **recs; /* lent to the caller by an event */
	size_t cap_recs;
	struct partition **listed;	/* lent by source_partitions() */
	struct source_topic *described; /* lent by source_topics() */
};

/* Copies the topics. */
void
source_init(struct source *src, const struct source_ops *ops,
	    enum source_mode mode, size_t part_size, const char *const *topics,
	    size_t n_topics);
void
source_release(struct source *src);

/* The partition, made when it is new (zeroed but for struct partition). */
struct partition *
source_partition(struct source *src, const char *topic, int32_t number);

/* Empties the set, then adds to it: what the next ASSIGNED hands out. */
void
source_mine_clear(struct source *src);
void
source_mine_add(struct source *src, struct partition *part);

/* The events of the dance; each moves the state. */
void
source_offer(struct source *src, struct source_event *ret_event);
void
source_revoke(struct source *src, struct source_event *ret_event);

/*
 * SOURCE_GIVEN: the event that is due, if any. All of `given` can be read.
 */
bool
source_given_dance(struct source *src, struct source_event *ret_event);

/* The adapter has found a named stop; from then on it delivers nothing of it.
 */
void
source_stop(struct source *src, struct partition *part,
	    const struct pj_error *why);
/* Gives SOURCE_STOPPED when there is one to tell. */
bool
source_tell_stop(struct source *src, struct source_event *ret_event);
static inline bool
source_has_stop_to_tell(const struct source *src)
{
	return src->n_stops_told < src->n_stops;
}

int
source_kafka_open(const struct source_settings *settings, enum source_mode mode,
		  const char *const *topics, size_t n_topics,
		  struct source **ret_source, struct pj_error *err);
int
source_archive_open(const struct source_settings *settings,
		    enum source_mode mode, const char *const *topics,
		    size_t n_topics, struct source **ret_source,
		    struct pj_error *err);

#endif
