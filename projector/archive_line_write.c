/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a record so that archive_line_read() gives the same bytes back.
 */
#include "projector/archive_line.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/bsonjson.h"
#include "lib/json.h"
#include "lib/str.h"
#include "lib/utf8.h"
#include "projector/archive_reader.h"

static bool
is_utf8(struct pj_str s)
{
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_char(s.ptr + i, s.len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static bool
is_edge(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Can the value stand in the line as it is? It has to be one line of strict
 * JSON; white space around it and the word null would be read as something
 * else.
 */
static bool
is_plain_value(struct archive_reader *reader, struct pj_str value)
{
	const struct json_node *tape;
	struct pj_error err;
	uint32_t n;

	return value.len > 0 && !is_edge(value.ptr[0]) &&
	       !is_edge(value.ptr[value.len - 1]) &&
	       !memchr(value.ptr, '\n', value.len) &&
	       !memchr(value.ptr, '\r', value.len) &&
	       json_read(reader->json, value.ptr, value.len, &tape, &n, &err) ==
		       0 &&
	       tape[0].type != JSON_NULL;
}

static void
write_base64(struct buf *out, struct pj_str bytes)
{
	buf_addch(out, '"');
	base64_encode(out, bytes.ptr, bytes.len);
	buf_addch(out, '"');
}

static void
write_key(struct buf *out, const struct record *rec)
{
	if (rec->key_null) {
		buf_addstr(out, ",\"key\":null");
	} else if (is_utf8(rec->key)) {
		buf_addstr(out, ",\"key\":");
		bsonjson_string(out, rec->key.ptr, rec->key.len);
	} else {
		buf_addstr(out, ",\"keyBase64\":");
		write_base64(out, rec->key);
	}
}

static void
write_header_value(struct buf *out, struct pj_str value)
{
	if (value.ptr)
		bsonjson_string(out, value.ptr, value.len);
	else
		buf_addstr(out, "null");
}

/* All values of the name that first comes at `first`. */
static void
write_header(struct buf *out, const struct record *rec, size_t first)
{
	const struct record_header *head = &rec->headers[first];
	size_t n = 0;

	for (size_t i = first; i < rec->n_headers; i++)
		n += str_equal(head->name, rec->headers[i].name);
	bsonjson_string(out, head->name.ptr, head->name.len);
	buf_addch(out, ':');
	if (n > 1)
		buf_addch(out, '[');
	write_header_value(out, head->value);
	for (size_t i = first + 1; i < rec->n_headers && n > 1; i++) {
		if (!str_equal(head->name, rec->headers[i].name))
			continue;
		buf_addch(out, ',');
		write_header_value(out, rec->headers[i].value);
	}
	if (n > 1)
		buf_addch(out, ']');
}

static bool
is_first_of_name(const struct record *rec, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (str_equal(rec->headers[i].name, rec->headers[index].name))
			return false;
	}
	return true;
}

static void
write_headers_base64(struct buf *out, const struct record *rec)
{
	buf_addstr(out, ",\"headersBase64\":[");
	for (size_t i = 0; i < rec->n_headers; i++) {
		const struct record_header *head = &rec->headers[i];

		buf_addstr(out, i ? ",[" : "[");
		write_base64(out, head->name);
		buf_addch(out, ',');
		if (head->value.ptr)
			write_base64(out, head->value);
		else
			buf_addstr(out, "null");
		buf_addch(out, ']');
	}
	buf_addch(out, ']');
}

static void
write_headers(struct buf *out, const struct record *rec)
{
	bool any = false;

	for (size_t i = 0; i < rec->n_headers; i++) {
		if (is_utf8(rec->headers[i].name) &&
		    is_utf8(rec->headers[i].value))
			continue;
		write_headers_base64(out, rec);
		return;
	}
	buf_addstr(out, ",\"headers\":{");
	for (size_t i = 0; i < rec->n_headers; i++) {
		if (!is_first_of_name(rec, i))
			continue;
		if (any)
			buf_addch(out, ',');
		any = true;
		write_header(out, rec, i);
	}
	buf_addch(out, '}');
}

void
archive_line_write(struct buf *out, struct archive_reader *reader,
		   const struct record *rec)
{
	const char *topic = rec->partition->topic;

	buf_addstr(out, "{\"topic\":");
	bsonjson_string(out, topic, strlen(topic));
	buf_printf(out,
		   ",\"partition\":%" PRId32 ",\"offset\":%" PRId64
		   ",\"timestamp\":%" PRId64,
		   rec->partition->number, rec->offset, rec->timestamp_ms);
	write_key(out, rec);
	write_headers(out, rec);
	if (rec->value_null) {
		buf_addstr(out, ",\"value\":null");
	} else if (is_plain_value(reader, rec->value)) {
		buf_addstr(out, ",\"value\":");
		buf_add(out, rec->value.ptr, rec->value.len);
	} else {
		buf_addstr(out, ",\"valueBase64\":");
		write_base64(out, rec->value);
	}
	buf_add(out, "}\n", 2);
}
