/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/deadletter_impl.h"

#define SPRING	"kafka_dlt-"
#define CONNECT "__connect.errors."

static void
add(rd_kafka_headers_t *hdrs, const char *name, const void *value, size_t len)
{
	(void)rd_kafka_header_add(hdrs, name, -1, value, (ssize_t)len);
}

static void
add_text(rd_kafka_headers_t *hdrs, const char *name, const char *text)
{
	add(hdrs, name, text, strlen(text));
}

static void
add_number(rd_kafka_headers_t *hdrs, const char *name, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	add_text(hdrs, name, text);
}

/* Java's ByteBuffer.putInt() and putLong(). */
static void
add_big_endian(rd_kafka_headers_t *hdrs, const char *name, uint64_t number,
	       size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(number >> (8 * (width - 1 - i)));
	add(hdrs, name, bytes, width);
}

/* "missing field" → "shopview.parked.missing_field" */
static char *
class_of(const char *cause)
{
	char *name = mem_printf("shopview.parked.%s", cause);
	char *s = name + strlen("shopview.parked.");

	for (; *s; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
		else if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789", *s))
			*s = '_';
	}
	return name;
}

/* Some details begin with their cause already. */
static char *
message_of(const struct store_parked *row)
{
	size_t len = strlen(row->cause);

	if (!row->detail[0])
		return mem_strdup(row->cause);
	if (strncmp(row->detail, row->cause, len) == 0 &&
	    row->detail[len] == ':')
		return mem_strdup(row->detail);
	return mem_printf("%s: %s", row->cause, row->detail);
}

static void
add_original(rd_kafka_headers_t *hdrs, const struct store_parked *row)
{
	for (size_t i = 0; i < row->n_headers; i++) {
		const struct pj_str *name = &row->headers[2 * i];
		const struct pj_str *value = &row->headers[2 * i + 1];
		/* A name without a byte in it may have no address either. */
		const char *at = name->len ? name->ptr : "";

		(void)rd_kafka_header_add(hdrs, at, (ssize_t)name->len,
					  value->ptr, (ssize_t)value->len);
	}
}

static void
add_spring(rd_kafka_headers_t *hdrs, const struct store_parked *row,
	   const char *topic, const char *group)
{
	bool timed = row->timestamp_ms >= 0;

	add_text(hdrs, SPRING "original-topic", topic);
	add_big_endian(hdrs, SPRING "original-partition",
		       (uint64_t)row->partition, 4);
	add_big_endian(hdrs, SPRING "original-offset", (uint64_t)row->offset,
		       8);
	add_big_endian(hdrs, SPRING "original-timestamp",
		       (uint64_t)row->timestamp_ms, 8);
	add_text(hdrs, SPRING "original-timestamp-type",
		 timed ? "CreateTime" : "NoTimestampType");
	add_text(hdrs, SPRING "original-consumer-group", group);
}

static void
add_connect(rd_kafka_headers_t *hdrs, const struct store_parked *row,
	    const char *topic)
{
	add_text(hdrs, CONNECT "topic", topic);
	add_number(hdrs, CONNECT "partition", row->partition);
	add_number(hdrs, CONNECT "offset", row->offset);
	add_text(hdrs, CONNECT "connector.name", row->generation);
	add_text(hdrs, CONNECT "task.id", "0");
	/* A record whose type nobody could tell was not read. */
	add_text(hdrs, CONNECT "stage",
		 row->type[0] ? "TASK_PUT" : "VALUE_CONVERTER");
	add_text(hdrs, CONNECT "class.name", "shopview.projector");
}

rd_kafka_headers_t *
deadletter_headers(const struct store_parked *row, const char *prefix,
		   const char *group)
{
	rd_kafka_headers_t *hdrs = rd_kafka_headers_new(row->n_headers + 17);
	char *topic = mem_printf("%s%s", prefix, row->topic);
	char *class = class_of(row->cause);
	char *message = message_of(row);

	add_original(hdrs, row);
	add_spring(hdrs, row, topic, group);
	add_text(hdrs, SPRING "exception-fqcn", class);
	add_text(hdrs, SPRING "exception-message", message);
	add_connect(hdrs, row, topic);
	add_text(hdrs, CONNECT "exception.class.name", class);
	add_text(hdrs, CONNECT "exception.message", message);
	free(message);
	free(class);
	free(topic);
	return hdrs;
}

/* Ours are texts, each cut to fit. */
static void
get_text(const rd_kafka_headers_t *hdrs, const char *name, char *out,
	 size_t size)
{
	const void *value = NULL;
	size_t len = 0;

	if (rd_kafka_header_get_last(hdrs, name, &value, &len))
		len = 0;
	(void)snprintf(out, size, "%.*s", (int)len,
		       value ? (const char *)value : "");
}

void
deadletter_name(const rd_kafka_message_t *msg, char *out, size_t size)
{
	char topic[300] = "", partition[24] = "", offset[24] = "";
	rd_kafka_headers_t *hdrs;

	if (rd_kafka_message_headers(msg, &hdrs) == 0) {
		get_text(hdrs, CONNECT "topic", topic, sizeof(topic));
		get_text(hdrs, CONNECT "partition", partition,
			 sizeof(partition));
		get_text(hdrs, CONNECT "offset", offset, sizeof(offset));
	}
	(void)snprintf(out, size, "%s/%s@%s", topic, partition, offset);
}
