/* SPDX-License-Identifier: Apache-2.0 */
/* Private to deadletter*.c. */
#ifndef PROJECTOR_DEADLETTER_IMPL_H
#define PROJECTOR_DEADLETTER_IMPL_H

#include <librdkafka/rdkafka.h>

#include "lib/store.h"

/* The headers of a copy; the caller's. prefix: before the topic's name. */
rd_kafka_headers_t *
deadletter_headers(const struct store_parked *row, const char *prefix,
		   const char *group);

/* Writes "topic/partition@offset" from the headers of a copy. */
void
deadletter_name(const rd_kafka_message_t *msg, char *out, size_t size);

#endif
