/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/topics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"

/* Time to notice a fault, mend it and read what was left. */
#define RETENTION_MS ((int64_t)7 * 24 * 3600 * 1000)

struct topics {
	const struct settings *set;
	struct topic_fault *faults;
	size_t n_faults, cap_faults;
	/* What was logged, by topic and warning; topics keep their order. */
	bool *warned;
	size_t n_warned;
};

struct topics *
topics_new(const struct settings *set)
{
	struct topics *topics = mem_calloc(1, sizeof(*topics));

	topics->set = set;
	return topics;
}

void
topics_free(struct topics *topics)
{
	if (!topics)
		return;
	free(topics->faults);
	free(topics->warned);
	free(topics);
}

/* ---- The rules --------------------------------------------------------- */

uint32_t
topics_accepted(const struct settings *set, const char *topic)
{
	for (size_t i = 0; i < set->n_topics; i++)
		if (strcmp(set->topics[i].name, topic) == 0)
			return set->topics[i].partitions;
	return 0;
}

static int
changed(const struct source_topic *seen, int32_t known, struct pj_error *why)
{
	if (seen->n_partitions > known)
		return pj_error_set(
			why, PJ_ERROR_STOP,
			"partition count changed: topic %.80s has %" PRId32
			", it had %" PRId32
			". Later events of a key may come by another partition "
			"than earlier ones, in no order; if no key moved, set "
			"partitions = %" PRId32
			" in its topic section, else make the topic anew",
			seen->name, seen->n_partitions, known,
			seen->n_partitions);
	return pj_error_set(why, PJ_ERROR_STOP,
			    "partition count changed: topic %.80s has %" PRId32
			    ", it had %" PRId32
			    ". It was made anew, or a part of it is missing: "
			    "restore it, or set partitions = %" PRId32
			    " in its topic section and rebuild the projections",
			    seen->name, seen->n_partitions, known,
			    seen->n_partitions);
}

int
topics_judge(const struct source_topic *seen, int32_t known, uint32_t accepted,
	     struct pj_error *why)
{
	if (seen->n_partitions == 0)
		return 0;
	if (seen->compacted == SOURCE_YES)
		return pj_error_set(
			why, PJ_ERROR_STOP,
			"compacted topic: the cleanup.policy of %.100s "
			"contains compact, so the broker removes events that "
			"documents are made of; set it to delete, and rebuild "
			"from a log that still has all of them",
			seen->name);
	if (accepted != 0 && (int64_t)accepted != seen->n_partitions)
		return pj_error_set(
			why, PJ_ERROR_STOP,
			"partition count changed: topic %.80s has %" PRId32
			", partitions = %" PRIu32
			" in its topic section accepts another number; set "
			"what is right, or take it away",
			seen->name, seen->n_partitions, accepted);
	if (accepted == 0 && known != 0 && known != seen->n_partitions)
		return changed(seen, known, why);
	return 0;
}

const char *
topics_warning(const struct source_topic *seen, enum topic_warning warning,
	       char *room, size_t size)
{
	if (seen->n_partitions == 0)
		return NULL;
	switch (warning) {
	case TOPIC_UNCLEAN:
		if (seen->unclean != SOURCE_YES)
			return NULL;
		return "unclean.leader.election.enable is true: after such an "
		       "election other records may stand at offsets that were "
		       "applied";
	case TOPIC_SHORT_RETENTION:
		if (seen->retention_ms < 0 ||
		    seen->retention_ms >= RETENTION_MS)
			return NULL;
		(void)snprintf(room, size,
			       "retention.ms is %" PRId64
			       ", under 7 days: events may be removed before "
			       "they are read, and a rebuild lacks what was",
			       seen->retention_ms);
		return room;
	case TOPIC_UNKNOWN:
		if (!seen->unknown[0])
			return NULL;
		(void)snprintf(room, size,
			       "its configuration is unknown (%s): nobody "
			       "looks whether it is compacted",
			       seen->unknown);
		return room;
	case TOPIC_WARNINGS:
		break;
	}
	return NULL;
}

/* ---- Log and store ----------------------------------------------------- */

static void
warn_of(struct topics *topics, const struct source_topic *seen, size_t i)
{
	char room[400], quoted[800];

	for (unsigned w = 0; w < TOPIC_WARNINGS; w++) {
		bool *warned = &topics->warned[i * TOPIC_WARNINGS + w];
		const char *text = topics_warning(seen, (enum topic_warning)w,
						  room, sizeof(room));

		if (!text || *warned)
			continue;
		*warned = true;
		log_warn("topic.weak", "topic=%s why=%s", seen->name,
			 log_quote(quoted, sizeof(quoted), text, strlen(text)));
	}
}

/* The number the store knows; it takes over what the setting accepts. */
static int
known_partitions(const struct source_topic *seen, uint32_t accepted,
		 struct store_session *ses, int32_t *ret_known,
		 struct pj_error *err)
{
	int32_t known;

	if (store_topic_partitions(ses, seen->name, seen->n_partitions, false,
				   &known, err))
		return -1;
	if (accepted != 0 && known != seen->n_partitions) {
		log_info("topic.accepted",
			 "topic=%s partitions=%" PRId32 " before=%" PRId32,
			 seen->name, seen->n_partitions, known);
		if (store_topic_partitions(ses, seen->name, seen->n_partitions,
					   true, &known, err))
			return -1;
	}
	*ret_known = known;
	return 0;
}

static int
check_topic(struct topics *topics, const struct source_topic *seen,
	    struct store_session *ses, struct pj_error *err)
{
	uint32_t accepted = topics_accepted(topics->set, seen->name);
	struct pj_error why;
	int32_t known = 0;

	/* What is not to be read leaves nothing behind in the store. */
	if (seen->n_partitions > 0 &&
	    topics_judge(seen, known, accepted, &why) == 0 &&
	    known_partitions(seen, accepted, ses, &known, err))
		return -1;
	if (topics_judge(seen, known, accepted, &why)) {
		MEM_GROW(topics->faults, topics->n_faults, topics->cap_faults);
		topics->faults[topics->n_faults++] =
			(struct topic_fault){seen->name, why};
	}
	return 0;
}

int
topics_check(struct topics *topics, struct source *source,
	     struct store_session *ses, const struct topic_fault **ret_faults,
	     size_t *ret_n, struct pj_error *err)
{
	const struct source_topic *seen;
	size_t n;

	if (source_topics(source, TOPICS_ASK_MS, &seen, &n, err))
		return -1;
	if (!topics->warned) {
		topics->warned = mem_calloc(n, TOPIC_WARNINGS);
		topics->n_warned = n;
	}
	assert(n == topics->n_warned); /* always the same source's */
	topics->n_faults = 0;
	for (size_t i = 0; i < n; i++) {
		warn_of(topics, &seen[i], i);
		if (check_topic(topics, &seen[i], ses, err))
			return -1;
	}
	*ret_faults = topics->faults;
	*ret_n = topics->n_faults;
	return 0;
}
