/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/parked_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "lib/utf8.h"

static void
add_string(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	bsonjson_string(out, text, strlen(text));
}

static void
add_date(struct buf *out, const char *name, int64_t ms)
{
	buf_printf(out, ",\"%s\":", name);
	bsonjson_date(out, ms);
}

/* "2023-11-15T03:00:04.000Z" for people: without the quotes. */
static void
add_time(struct buf *out, int64_t ms)
{
	struct buf date = BUF_INIT;

	bsonjson_date(&date, ms);
	if (date.data[0] == '"')
		buf_add(out, date.data + 1, date.len - 2);
	else
		buf_addstr(out, "-");
	buf_release(&date);
}

/*
 * Bytes of others on somebody's terminal: as they are when they are printable
 * text, else in base64.
 */
static void
add_bytes(struct buf *out, struct pj_str s)
{
	bool plain = true;

	for (size_t i = 0; plain && i < s.len;) {
		unsigned char c = (unsigned char)s.ptr[i];
		size_t n = utf8_char(s.ptr + i, s.len - i);

		plain = n > 0 && c != 0x7f &&
			(c >= 0x20 || c == '\n' || c == '\t') &&
			/* C1 controls */
			!(c == 0xc2 && (unsigned char)s.ptr[i + 1] < 0xa0);
		i += n;
	}
	if (plain) {
		buf_add(out, s.ptr, s.len);
		return;
	}
	buf_addstr(out, "base64:");
	base64_encode(out, s.ptr, s.len);
}

void
print_text(struct buf *out, const char *text)
{
	add_bytes(out, (struct pj_str){text, strlen(text)});
}

static char *
key_of(const char *unit_type, struct pj_str unit, const char *topic,
       int32_t partition, int64_t offset)
{
	struct buf key = BUF_INIT;

	buf_reserve(&key, 1);
	parked_key(&key, unit_type, unit, topic, partition, offset);
	return buf_detach(&key, NULL);
}

/* ---- Queues ---------------------------------------------------------------
 */

void
print_place_json(struct buf *out, const struct parked_print *print,
		 const char *key, const char *topic, int32_t partition,
		 int64_t offset)
{
	buf_printf(out, "{\"projection\":\"%s\",\"generation\":%" PRId32,
		   print->projection, print->number);
	add_string(out, "key", key);
	add_string(out, "topic", topic);
	buf_printf(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64,
		   partition, offset);
}

void
print_queue_json(struct buf *out, const struct parked_print *print,
		 const struct parked_queue *q, bool with_orphan)
{
	char *key = key_of(q->unit_type, q->unit, q->topic, q->partition,
			   q->offset);

	print_place_json(out, print, key, q->topic, q->partition, q->offset);
	add_string(out, "type", q->type);
	add_string(out, "cause", q->cause);
	add_date(out, "at", q->parked_at_ms);
	buf_printf(out, ",\"queued\":%" PRId64, q->n - 1);
	if (with_orphan)
		buf_printf(out, ",\"orphan\":%s", q->orphan ? "true" : "false");
	buf_addstr(out, "}\n");
	free(key);
}

void
print_queue_head(struct buf *out)
{
	buf_printf(out, "%-28s %-16s %4s %12s %6s %-24s %-20s %s\n", "KEY",
		   "TOPIC", "PART", "OFFSET", "QUEUED", "AT", "TYPE", "CAUSE");
}

void
print_queue_text(struct buf *out, const struct parked_queue *q)
{
	char *key = key_of(q->unit_type, q->unit, q->topic, q->partition,
			   q->offset);
	struct buf cell = BUF_INIT;

	print_text(&cell, key);
	buf_printf(out, "%-28s %-16s %4" PRId32 " %12" PRId64 " %6" PRId64 " ",
		   cell.data, q->topic, q->partition, q->offset, q->n - 1);
	buf_clear(&cell);
	add_time(&cell, q->parked_at_ms);
	buf_printf(out, "%-24s ", cell.data);
	buf_clear(&cell);
	print_text(&cell, q->type);
	buf_printf(out, "%-20s %s%s\n", *q->type ? cell.data : "-", q->cause,
		   q->orphan ? " (orphan)" : "");
	buf_release(&cell);
	free(key);
}

/* ---- Records --------------------------------------------------------------
 */

/* The row as a record of the log; *ret_headers is freed by free(). */
static void
to_record(const struct store_parked *row, struct partition *part,
	  struct record *rec, struct record_header **ret_headers)
{
	struct record_header *headers =
		mem_calloc(row->n_headers, sizeof(*headers));

	for (size_t i = 0; i < row->n_headers; i++) {
		headers[i].name = row->headers[2 * i];
		headers[i].value = row->headers[2 * i + 1];
	}
	memset(part, 0, sizeof(*part));
	(void)snprintf(part->topic, sizeof(part->topic), "%s", row->topic);
	part->number = row->partition;
	memset(rec, 0, sizeof(*rec));
	rec->partition = part;
	rec->offset = row->offset;
	rec->timestamp_ms = row->timestamp_ms;
	rec->key_null = row->key_null;
	rec->value_null = row->value_null;
	rec->key = row->key;
	rec->value = row->value;
	rec->headers = headers;
	rec->n_headers = row->n_headers;
	*ret_headers = headers;
}

/* An archive line without its end. */
static void
open_line(struct buf *out, const struct parked_print *print,
	  const struct store_parked *row)
{
	struct record_header *headers;
	struct partition part;
	struct record rec;

	to_record(row, &part, &rec, &headers);
	archive_line_write(out, print->reader, &rec);
	free(headers);
	out->len -= strlen("}\n");
	out->data[out->len] = '\0';
}

static void
add_story(struct buf *out, const struct parked_print *print,
	  const struct store_parked *row)
{
	char *key = key_of(row->unit_type, row->unit, row->topic,
			   row->partition, row->offset);

	buf_printf(out, ",\"projection\":\"%s\",\"generation\":%" PRId32,
		   print->projection, print->number);
	add_string(out, "unit", key);
	add_string(out, "type", row->type);
	add_string(out, "cause", row->cause);
	add_string(out, "detail", row->detail);
	add_date(out, "at", row->parked_at_ms);
	if (row->n_refused) {
		buf_printf(out, ",\"refused\":%" PRId64, row->n_refused);
		add_date(out, "refusedAt", row->refused_at_ms);
	}
	free(key);
}

void
print_record_json(struct buf *out, const struct parked_print *print,
		  const struct store_parked *row)
{
	open_line(out, print, row);
	add_story(out, print, row);
	buf_addstr(out, "}\n");
}

static void
add_line(struct buf *out, const char *name, struct pj_str bytes, bool null)
{
	buf_printf(out, "  %-8s ", name);
	if (null)
		buf_addstr(out, "null");
	else
		add_bytes(out, bytes);
	buf_addch(out, '\n');
}

static void
add_head(struct buf *out, const struct store_parked *row)
{
	buf_printf(out, "%s/%" PRId32 "@%" PRId64 " ", row->topic,
		   row->partition, row->offset);
	print_text(out, *row->type ? row->type : "-");
	buf_printf(out, ": %s", row->cause);
	if (*row->detail) {
		buf_addstr(out, ": ");
		print_text(out, row->detail);
	}
	buf_addch(out, '\n');
}

static void
add_whole(struct buf *out, const struct store_parked *row)
{
	buf_addstr(out, "  time     ");
	add_time(out, row->timestamp_ms);
	buf_addstr(out, "\n  parked   ");
	add_time(out, row->parked_at_ms);
	buf_addch(out, '\n');
	if (row->n_refused) {
		buf_addstr(out, "  refused  ");
		add_time(out, row->refused_at_ms);
		buf_printf(out, ", %" PRId64 " times by then\n",
			   row->n_refused);
	}
	for (size_t i = 0; i < row->n_headers; i++) {
		buf_addstr(out, "  header   ");
		add_bytes(out, row->headers[2 * i]);
		buf_addstr(out, ": ");
		if (row->headers[2 * i + 1].ptr)
			add_bytes(out, row->headers[2 * i + 1]);
		else
			buf_addstr(out, "null");
		buf_addch(out, '\n');
	}
	add_line(out, "key", row->key, row->key_null);
	add_line(out, "value", row->value, row->value_null);
}

void
print_record_text(struct buf *out, const struct store_parked *row)
{
	add_head(out, row);
	add_whole(out, row);
}

/* ---- Audit ----------------------------------------------------------------
 */

/*
 * Of what was retried the log has the bytes and the document the effect. Of all
 * else the audit may be the only one that still has them.
 */
static bool
is_whole(const struct store_audit *entry)
{
	return strcmp(entry->action, "retried") != 0;
}

/* Not of a record, but of the generation as a whole. */
static bool
is_adoption(const struct store_audit *entry)
{
	return strcmp(entry->row.unit_type, "generation") == 0;
}

static void
open_audit(struct buf *out, const struct parked_print *print,
	   const struct store_audit *entry)
{
	const struct store_parked *row = &entry->row;

	if (is_adoption(entry)) {
		buf_printf(out,
			   "{\"projection\":\"%s\",\"generation\":%" PRId32,
			   print->projection, print->number);
		add_string(out, "detail", row->detail);
		return;
	}
	if (is_whole(entry)) {
		open_line(out, print, row);
	} else {
		buf_addstr(out, "{\"topic\":");
		bsonjson_string(out, row->topic, strlen(row->topic));
		buf_printf(out,
			   ",\"partition\":%" PRId32 ",\"offset\":%" PRId64
			   ",\"timestamp\":%" PRId64,
			   row->partition, row->offset, row->timestamp_ms);
	}
	add_story(out, print, row);
}

void
print_audit_json(struct buf *out, const struct parked_print *print,
		 const struct store_audit *entry)
{
	open_audit(out, print, entry);
	add_string(out, "action", entry->action);
	add_string(out, "reason", entry->reason);
	add_string(out, "by", entry->by);
	add_date(out, "doneAt", entry->at_ms);
	buf_addstr(out, "}\n");
}

void
print_audit_text(struct buf *out, const struct store_audit *entry)
{
	add_time(out, entry->at_ms);
	buf_printf(out, " %s by ", entry->action);
	print_text(out, *entry->by ? entry->by : "-");
	if (*entry->reason) {
		buf_addstr(out, ": ");
		print_text(out, entry->reason);
	}
	buf_addstr(out, "\n  ");
	if (is_adoption(entry)) {
		buf_printf(out, "code %s\n", entry->row.detail);
		return;
	}
	add_head(out, &entry->row);
	if (is_whole(entry))
		add_whole(out, &entry->row);
}
