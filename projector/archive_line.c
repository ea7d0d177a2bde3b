/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line's own members are read strictly, its value not at all: the value is
 * cut out by counting brackets, and the rest, with null in its place, is
 * ordinary JSON.
 */
#include "projector/archive_line.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "projector/archive_reader.h"

enum { TOPIC_MAX = 249 }; /* Kafka's own limit */

struct archive_reader *
archive_reader_new(void)
{
	struct archive_reader *reader = mem_calloc(1, sizeof(*reader));

	reader->json = json_reader_new();
	return reader;
}

void
archive_reader_free(struct archive_reader *reader)
{
	if (!reader)
		return;
	json_reader_free(reader->json);
	buf_release(&reader->rest);
	buf_release(&reader->bytes);
	free(reader->headers);
	free(reader);
}

/* ---- Finding the value ------------------------------------------------- */

static bool
line_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *
line_space(const char *p, const char *end)
{
	while (p < end && line_is_space(*p))
		p++;
	return p;
}

/* p is at the opening quote; behind the closing one, or NULL. */
static const char *
line_string(const char *p, const char *end)
{
	const char *start = ++p;

	while (p < end) {
		const char *quote = memchr(p, '"', (size_t)(end - p));
		const char *back = quote;

		if (!quote)
			return NULL;
		while (back > start && back[-1] == '\\')
			back--;
		p = quote + 1;
		if ((quote - back) % 2 == 0)
			return p;
		start = p; /* what was counted is not counted again */
	}
	return NULL;
}

/* p is at a bracket; behind the one that closes it, or NULL. */
static const char *
line_brackets(const char *p, const char *end)
{
	size_t depth = 0;

	while (p && p < end) {
		switch (*p) {
		case '"':
			p = line_string(p, end);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return p + 1;
			break;
		default:
			break;
		}
		p++;
	}
	return NULL;
}

/* Behind any value, well made or not; NULL when the line ends first. */
static const char *
line_value(const char *p, const char *end)
{
	const char *start = p;

	if (p == end)
		return NULL;
	if (*p == '"')
		return line_string(p, end);
	if (*p == '{' || *p == '[')
		return line_brackets(p, end);
	while (p < end && *p != ',' && *p != '}')
		p++;
	while (p > start && line_is_space(p[-1]))
		p--;
	return p;
}

enum line_found { VALUE_FOUND, VALUE_NONE, VALUE_BROKEN };

/*
 * Finds the first member `value`. What is odd elsewhere ends the search: the
 * strict reader finds it again and says so.
 */
static enum line_found
line_find_value(const char *line, size_t len, struct pj_str *ret_value)
{
	static const char name[] = "\"value\"";
	const char *end = line + len;
	const char *p = line_space(line, end);

	while (p < end && (*p == '{' || *p == ',')) {
		const char *start = line_space(p + 1, end);
		bool is_value;

		if (start == end || *start != '"')
			return VALUE_NONE;
		p = line_string(start, end);
		if (!p)
			return VALUE_NONE;
		is_value = (size_t)(p - start) == sizeof(name) - 1 &&
			   !memcmp(start, name, sizeof(name) - 1);
		p = line_space(p, end);
		if (p == end || *p != ':')
			return VALUE_NONE;
		start = line_space(p + 1, end);
		p = line_value(start, end);
		if (is_value) {
			if (!p || p == start)
				return VALUE_BROKEN;
			*ret_value =
				(struct pj_str){start, (size_t)(p - start)};
			return VALUE_FOUND;
		}
		if (!p)
			return VALUE_NONE;
		p = line_space(p, end);
	}
	return VALUE_NONE;
}

/* ---- Reading ----------------------------------------------------------- */

static int
line_fail(struct pj_error *err, const char *name, const char *what)
{
	return pj_error_set(err, PJ_ERROR_INPUT, "archive line: %s: %s", name,
			    what);
}

/* The member's node, or NULL. */
static const struct json_node *
line_member(const struct json_node *tape, const char *name)
{
	uint32_t at = json_member(tape, 0, name, strlen(name));

	return at ? &tape[at] : NULL;
}

static int
line_int(const struct json_node *tape, const char *name, int64_t max,
	 int64_t *ret, struct pj_error *err)
{
	const struct json_node *node = line_member(tape, name);

	if (!node)
		return line_fail(err, name, "missing");
	if (node->type != JSON_INT || node->i < 0 || node->i > max)
		return line_fail(err, name, "not an integer in range");
	*ret = node->i;
	return 0;
}

static int
line_base64(struct archive_reader *reader, const struct json_node *node,
	    const char *name, struct pj_str *ret, struct pj_error *err)
{
	size_t start = reader->bytes.len;

	if (node->type != JSON_STRING ||
	    base64_decode(&reader->bytes, node->str.ptr, node->str.len) < 0)
		return line_fail(err, name, "not a base64 string");
	*ret = (struct pj_str){reader->bytes.data + start,
			       reader->bytes.len - start};
	return 0;
}

static int
line_numbers(const struct json_node *tape, struct archive_line *out,
	     struct pj_error *err)
{
	const struct json_node *topic = line_member(tape, "topic");
	const struct json_node *time = line_member(tape, "timestamp");
	int64_t partition;

	if (!topic || topic->type != JSON_STRING || topic->str.len == 0 ||
	    topic->str.len > TOPIC_MAX || topic->has_nul)
		return line_fail(err, "topic", "missing, or no topic name");
	if (line_int(tape, "partition", INT32_MAX, &partition, err) < 0 ||
	    line_int(tape, "offset", INT64_MAX, &out->offset, err) < 0)
		return -1;
	if (time && time->type != JSON_INT && time->type != JSON_NULL)
		return line_fail(err, "timestamp", "not an integer");
	out->topic = topic->str;
	out->partition = (int32_t)partition;
	out->timestamp_ms = time && time->type == JSON_INT ? time->i : -1;
	return 0;
}

static int
line_key(struct archive_reader *reader, const struct json_node *tape,
	 struct archive_line *out, struct pj_error *err)
{
	const struct json_node *key = line_member(tape, "key");
	const struct json_node *base64 = line_member(tape, "keyBase64");

	if (key && base64)
		return line_fail(err, "keyBase64", "there is a key already");
	out->key_null = !base64 && (!key || key->type == JSON_NULL);
	out->key = PJ_STR("");
	if (base64)
		return line_base64(reader, base64, "keyBase64", &out->key, err);
	if (out->key_null)
		return 0;
	if (key->type != JSON_STRING)
		return line_fail(err, "key", "neither a string nor null");
	out->key = key->str;
	return 0;
}

/* Takes the value that was cut out, or one in another spelling. */
static int
line_payload(struct archive_reader *reader, const struct json_node *tape,
	     const struct pj_str *cut, struct archive_line *out,
	     struct pj_error *err)
{
	const struct json_node *value = line_member(tape, "value");
	const struct json_node *base64 = line_member(tape, "valueBase64");

	if (value && base64)
		return line_fail(err, "valueBase64",
				 "there is a value already");
	out->value_null = false;
	if (base64)
		return line_base64(reader, base64, "valueBase64", &out->value,
				   err);
	if (!value)
		return line_fail(err, "value", "missing");
	out->value = cut ? *cut
			 : (struct pj_str){reader->rest.data + value->at,
					   value->end - value->at};
	if (out->value.len == 4 && !memcmp(out->value.ptr, "null", 4)) {
		out->value_null = true;
		out->value = PJ_STR("");
	}
	return 0;
}

static void
reader_add_header(struct archive_reader *reader, struct pj_str name,
		  struct pj_str value)
{
	MEM_GROW(reader->headers, reader->n_headers, reader->cap_headers);
	reader->headers[reader->n_headers++] =
		(struct record_header){name, value};
}

static int
line_header(struct archive_reader *reader, struct pj_str name,
	    const struct json_node *node, struct pj_error *err)
{
	if (node->type != JSON_STRING && node->type != JSON_NULL)
		return line_fail(err, "headers",
				 "a value is neither a string nor null");
	reader_add_header(reader, name,
			  node->type == JSON_STRING ? node->str
						    : (struct pj_str){NULL, 0});
	return 0;
}

static int
line_headers(struct archive_reader *reader, const struct json_node *tape,
	     struct pj_error *err)
{
	uint32_t object = json_member(tape, 0, "headers", 7);

	if (!object || tape[object].type == JSON_NULL)
		return 0;
	if (tape[object].type != JSON_OBJECT)
		return line_fail(err, "headers", "not an object");
	for (uint32_t at = object + 1; at < tape[object].skip;
	     at = tape[at + 1].skip) {
		const struct json_node *node = &tape[at + 1];

		if (node->type != JSON_ARRAY) {
			if (line_header(reader, tape[at].str, node, err) < 0)
				return -1;
			continue;
		}
		for (uint32_t i = at + 2; i < node->skip; i = tape[i].skip) {
			if (line_header(reader, tape[at].str, &tape[i], err) <
			    0)
				return -1;
		}
	}
	return 0;
}

static int
line_headers_base64(struct archive_reader *reader, const struct json_node *tape,
		    struct pj_error *err)
{
	static const char member[] = "headersBase64";
	uint32_t list = json_member(tape, 0, member, sizeof(member) - 1);

	if (!list)
		return 0;
	if (tape[list].type != JSON_ARRAY)
		return line_fail(err, member, "not an array");
	for (uint32_t at = list + 1; at < tape[list].skip; at = tape[at].skip) {
		struct pj_str name;
		struct pj_str value = {NULL, 0};

		if (tape[at].type != JSON_ARRAY || tape[at].count != 2)
			return line_fail(err, member, "no [name, value]");
		/* A string has no members, so the value is two behind. */
		if (line_base64(reader, &tape[at + 1], member, &name, err) < 0)
			return -1;
		if (tape[at + 2].type != JSON_NULL &&
		    line_base64(reader, &tape[at + 2], member, &value, err) < 0)
			return -1;
		reader_add_header(reader, name, value);
	}
	return 0;
}

int
archive_line_read(struct archive_reader *reader, const char *line, size_t len,
		  struct archive_line *out, struct pj_error *err)
{
	const struct json_node *tape;
	struct archive_line read = {0};
	struct pj_error why;
	struct pj_str cut = {NULL, 0};
	enum line_found found = line_find_value(line, len, &cut);
	uint32_t n;

	if (found == VALUE_BROKEN)
		return line_fail(err, "value", "empty or not ended");
	buf_clear(&reader->rest);
	buf_clear(&reader->bytes);
	reader->n_headers = 0;
	if (found == VALUE_FOUND) {
		const char *behind = cut.ptr + cut.len;

		buf_add(&reader->rest, line, (size_t)(cut.ptr - line));
		buf_add(&reader->rest, "null", 4);
		buf_add(&reader->rest, behind, (size_t)(line + len - behind));
	} else {
		buf_add(&reader->rest, line, len);
	}
	buf_reserve(&reader->bytes, reader->rest.len);
	if (json_read(reader->json, reader->rest.data, reader->rest.len, &tape,
		      &n, &why) < 0)
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "archive line: %s (the value counted as "
				    "null)",
				    why.text);
	if (tape[0].type != JSON_OBJECT)
		return line_fail(err, "line", "not a JSON object");
	if (line_numbers(tape, &read, err) < 0 ||
	    line_key(reader, tape, &read, err) < 0 ||
	    line_payload(reader, tape, found == VALUE_FOUND ? &cut : NULL,
			 &read, err) < 0 ||
	    line_headers(reader, tape, err) < 0 ||
	    line_headers_base64(reader, tape, err) < 0)
		return -1;
	read.headers = reader->headers;
	read.n_headers = reader->n_headers;
	*out = read;
	return 0;
}
