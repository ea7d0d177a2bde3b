/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as records. The bytes stay librdkafka's: a record keeps the message
 * until it is released. Records come from slabs and go back to a free list, so
 * that the steady state allocates nothing of ours.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/source_kafka.h"

#define SLAB_RECORDS 1024

struct kafka_record {
	struct record rec; /* first */
	struct kafka *k;
	rd_kafka_message_t *msg;
	struct record_header *headers;
	struct kafka_record *next_free;
};

static void
record_free(struct record *rec)
{
	struct kafka_record *kr = (struct kafka_record *)rec;
	struct kafka_pool *pool = &kr->k->pool;

	rd_kafka_message_destroy(kr->msg);
	free(kr->headers);
	kr->msg = NULL;
	kr->headers = NULL;
	kr->next_free = pool->free;
	pool->free = kr;
	pool->n_out--;
}

static struct kafka_record *
pool_get(struct kafka *k)
{
	struct kafka_pool *pool = &k->pool;
	struct kafka_record *slab, *kr;
	size_t i;

	if (!pool->free) {
		slab = mem_calloc(SLAB_RECORDS, sizeof(*slab));
		MEM_GROW(pool->slabs, pool->n_slabs, pool->cap_slabs);
		pool->slabs[pool->n_slabs++] = slab;
		for (i = SLAB_RECORDS; i > 0; i--) {
			slab[i - 1].k = k;
			slab[i - 1].next_free = pool->free;
			pool->free = &slab[i - 1];
		}
	}
	kr = pool->free;
	pool->free = kr->next_free;
	pool->n_out++;
	return kr;
}

void
kafka_pool_release(struct kafka_pool *pool)
{
	size_t i;

	assert(pool->n_out == 0);
	for (i = 0; i < pool->n_slabs; i++)
		free(pool->slabs[i]);
	free(pool->slabs);
	*pool = (struct kafka_pool){0};
}

static void
take_headers(struct kafka_record *kr)
{
	rd_kafka_headers_t *hdrs;
	struct record_header *head;
	const char *name;
	const void *value;
	size_t size, n, i;

	if (rd_kafka_message_headers(kr->msg, &hdrs))
		return;
	n = rd_kafka_header_cnt(hdrs);
	kr->headers = mem_calloc(n + 1, sizeof(*head));
	for (i = 0; i < n; i++) {
		if (rd_kafka_header_get_all(hdrs, i, &name, &value, &size))
			break;
		head = &kr->headers[i];
		head->name = (struct pj_str){name, strlen(name)};
		head->value = (struct pj_str){value, value ? size : 0};
	}
	kr->rec.headers = kr->headers;
	kr->rec.n_headers = i;
}

static bool
is_of(const struct kafka *k, const struct kafka_part *part,
      const rd_kafka_message_t *msg, const char *topic)
{
	return part->part.number == msg->partition &&
	       strncmp(topic, k->prefix, k->prefix_len) == 0 &&
	       strcmp(part->part.topic, topic + k->prefix_len) == 0;
}

/* Messages come in runs of one partition. */
static struct kafka_part *
find_part(struct kafka *k, const rd_kafka_message_t *msg)
{
	const char *topic = rd_kafka_topic_name(msg->rkt);
	struct kafka_part *part;
	size_t i;

	if (k->last && is_of(k, k->last, msg, topic))
		return k->last;
	for (i = 0; i < k->src.n_mine; i++) {
		part = (struct kafka_part *)k->src.mine[i];
		if (is_of(k, part, msg, topic))
			return k->last = part;
	}
	return NULL;
}

static struct record *
wrap(struct kafka *k, struct kafka_part *part, rd_kafka_message_t *msg)
{
	struct kafka_record *kr = pool_get(k);
	rd_kafka_timestamp_type_t type;
	int64_t timestamp_ms = rd_kafka_message_timestamp(msg, &type);

	kr->msg = msg;
	kr->rec = (struct record){
		.partition = &part->part,
		.offset = msg->offset,
		.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
					? -1
					: timestamp_ms,
		.assignment = k->src.assignment,
		.key_null = !msg->key,
		.value_null = !msg->payload,
		.key = {msg->key, msg->key ? msg->key_len : 0},
		.value = {msg->payload, msg->payload ? msg->len : 0},
		.release = record_free,
	};
	take_headers(kr);
	return &kr->rec;
}

struct record *
kafka_record_take(struct kafka *k, rd_kafka_message_t *msg)
{
	struct kafka_part *part;

	if (msg->err) {
		kafka_on_error_message(k, msg);
		goto drop;
	}
	/* Of no assignment, or of one that ends: the dance drops it. */
	if (k->src.state != SOURCE_ACTIVE || k->revoke_pending)
		goto drop;
	part = find_part(k, msg);
	/* Below `next` = delivered before, or read under an older position. */
	if (!part || part->stopped || part->suspect || msg->offset < part->next)
		goto drop;
	part->next = msg->offset + 1;
	return wrap(k, part, msg);
drop:
	rd_kafka_message_destroy(msg);
	return NULL;
}
