/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dead-letter topic: copies of parked records, for tools that watch one.
 *
 * A copy only. The store has the parked record, and what is done about it is
 * done there; so sending never waits, never fails and never holds a position
 * back. A copy may come twice (parked again after a crash) or not at all (topic
 * refused, broker away for over a minute, queue full, process killed): that is
 * counted and logged.
 *
 * A copy has the record's key, value and headers, the time it was sent as its
 * timestamp, and behind its own headers those of two conventions; readers take
 * the last of a name:
 *
 * Spring Kafka (DeadLetterPublishingRecoverer.java and KafkaHeaders.java of
 * github.com/spring-projects/spring-kafka at 11e1bd98, 2.8)
 *
 *	kafka_dlt-original-topic            text, as the broker calls it
 *	kafka_dlt-original-partition        4 bytes, big endian
 *	kafka_dlt-original-offset           8 bytes, big endian
 *	kafka_dlt-original-timestamp        8 bytes, big endian; -1 none
 *	kafka_dlt-original-timestamp-type   CreateTime (the broker's default; a
 *	                                    row does not keep it) or
 *	                                    NoTimestampType
 *	kafka_dlt-original-consumer-group   source.group
 *	kafka_dlt-exception-fqcn            shopview.parked.CAUSE, in small
 *	                                    letters, digits and '_'
 *	kafka_dlt-exception-message         CAUSE: DETAIL
 *
 * Kafka Connect (DeadLetterQueueReporter.java of github.com/apache/kafka at
 * 0390deff), all texts, __connect.errors. before each
 *
 *	topic, partition, offset            as above
 *	connector.name                      the generation, stock.1
 *	task.id                             0
 *	stage                               VALUE_CONVERTER when the record
 *	                                    could not be read, else TASK_PUT
 *	class.name                          shopview.projector
 *	exception.class.name                as kafka_dlt-exception-fqcn
 *	exception.message                   as kafka_dlt-exception-message
 *
 * The partition is that of Java's producer: murmur2 of the key, or any.
 *
 * Ownership: what is sent is copied. All functions take NULL and do nothing:
 * there is no dead-letter topic.
 * Thread: one for all calls; librdkafka's background thread takes the broker's
 * answers.
 * Limits: DEADLETTER_QUEUE_KIB wait for the broker, beyond copies are dropped;
 * closing takes DEADLETTER_FLUSH_MS for what waits.
 */
#ifndef PROJECTOR_DEADLETTER_H
#define PROJECTOR_DEADLETTER_H

#include <projector/error.h>

#include <stdint.h>

#include "lib/store.h"
#include "projector/source.h"

enum {
	DEADLETTER_QUEUE_KIB = 16384,
	DEADLETTER_FLUSH_MS = 1000,
};

struct deadletter;

/*
 * topic: without source's prefix, which is put before it. Does not wait for a
 * broker. Errors: CONFIG (no kafka source, unknown or wrong property).
 */
int
deadletter_open(const struct source_settings *source, const char *topic,
		struct deadletter **ret_dl, struct pj_error *err)
	__attribute__((warn_unused_result));
void
deadletter_close(struct deadletter *dl);

/* Once for a row that is durable. */
void
deadletter_send(struct deadletter *dl, const struct store_parked *row);

struct deadletter_counts {
	uint64_t delivered; /* the broker has it */
	uint64_t failed;    /* it will not */
};

/* Since it was opened; thread: any. */
struct deadletter_counts
deadletter_counts(struct deadletter *dl);

#endif
