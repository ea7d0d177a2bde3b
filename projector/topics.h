/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether topics are still what delivery rests on: asked once at each start of
 * reading, before the first record.
 *
 * Named stops, which a person has to decide (protocol rules 8 and 10):
 *
 *	compacted topic           the broker removes events that documents need
 *	partition count changed   a key's events may now come by two partitions,
 *	                          without order between them
 *
 * The number a topic had when it was first read is kept in the store, one for
 * all processes; topic.NAME.partitions accepts another one. What only weakens
 * the log (unclean elections, short retention, settings that cannot be read) is
 * logged, once per topic and process.
 *
 * Ownership: what is returned belongs to the struct topics, until the next
 * topics_check() or topics_free().
 * Thread: one at a time.
 */
#ifndef PROJECTOR_TOPICS_H
#define PROJECTOR_TOPICS_H

#include <projector/error.h>

#include "lib/settings.h"
#include "lib/store.h"
#include "projector/source.h"

struct topics;

struct topics *
topics_new(const struct settings *set);
void
topics_free(struct topics *topics);

/* A topic that must not be read as it is; why is a STOP. */
struct topic_fault {
	const char *topic;
	struct pj_error why;
};

/*
 * Asks log and store; with the same source each time. Topics that do not exist
 * yet have no faults. Errors: of source_topics() and store_topic_partitions().
 * Takes up to TOPICS_ASK_MS.
 */
enum { TOPICS_ASK_MS = 5000 };
int
topics_check(struct topics *topics, struct source *source,
	     struct store_session *ses, const struct topic_fault **ret_faults,
	     size_t *ret_n, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- The rules alone, for `projector check` ------------------------------ */

/*
 * known: how many partitions the store knows, 0 = none yet; accepted:
 * topic.NAME.partitions. Errors: STOP.
 */
int
topics_judge(const struct source_topic *seen, int32_t known, uint32_t accepted,
	     struct pj_error *why) __attribute__((warn_unused_result));
/* The setting; 0 = not set. */
uint32_t
topics_accepted(const struct settings *set, const char *topic);

enum topic_warning {
	TOPIC_UNCLEAN,
	TOPIC_SHORT_RETENTION,
	TOPIC_UNKNOWN,
	TOPIC_WARNINGS,
};
/* The warning's text, or NULL when there is nothing to warn of. */
const char *
topics_warning(const struct source_topic *seen, enum topic_warning warning,
	       char *room, size_t size);

#endif
