/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds lib/json against jansson: same texts accepted, same values read.
 *
 * Both call their types JSON_OBJECT and so on; here jansson's are JANSSON_….
 * Header only, because a test is one object and the archives.
 *
 * Intended differences, limits and one slip of the oracle:
 * - depth: ours is JSON_MAX_DEPTH, jansson's 2048;
 * - U+0000 in a name: ours reads it, jansson 2.14 refuses it;
 * - a NUL byte right behind a number or a word: jansson overlooks it, ours
 *   refuses it, as RFC 8259 has no place for one.
 */
#ifndef TESTS_FUZZ_JSON_ORACLE_H
#define TESTS_FUZZ_JSON_ORACLE_H

#define JSON_OBJECT  JANSSON_OBJECT
#define JSON_ARRAY   JANSSON_ARRAY
#define JSON_STRING  JANSSON_STRING
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL    JANSSON_REAL
#define JSON_TRUE    JANSSON_TRUE
#define JSON_FALSE   JANSSON_FALSE
#define JSON_NULL    JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"

enum oracle_verdict {
	ORACLE_BOTH_ACCEPT,
	ORACLE_BOTH_REFUSE,
	ORACLE_EXCUSED, /* an intended difference */
	ORACLE_DIFFER,
};

/* One reading of ours. */
struct oracle_doc {
	const char *text;
	size_t len;
	const struct json_node *nodes;
	uint32_t n;
};

static inline bool
oracle_same_string(const struct json_node *node, const char *s, size_t len)
{
	bool nul = memchr(s, '\0', len) != NULL;

	return node->type == JSON_STRING && node->str.len == len &&
	       memcmp(node->str.ptr, s, len) == 0 && node->has_nul == nul;
}

/* Offsets frame the value: its first byte says what it is. */
static inline bool
oracle_is_framed(const struct oracle_doc *doc, uint32_t at, char first,
		 char last)
{
	const struct json_node *node = &doc->nodes[at];

	return node->at < node->end && node->end <= doc->len &&
	       doc->text[node->at] == first && doc->text[node->end - 1] == last;
}

static bool
oracle_same_value(const struct oracle_doc *doc, uint32_t at, json_t *want);

static inline bool
oracle_same_object(const struct oracle_doc *doc, uint32_t at, json_t *want)
{
	const struct json_node *node = &doc->nodes[at];
	uint32_t next = at + 1;
	void *iter = json_object_iter(want);

	if (node->type != JSON_OBJECT || !oracle_is_framed(doc, at, '{', '}') ||
	    node->count != json_object_size(want))
		return false;
	for (; iter; iter = json_object_iter_next(want, iter)) {
		const char *name = json_object_iter_key(iter);
		size_t len = strlen(name);

		if (next + 1 >= node->skip ||
		    !oracle_is_framed(doc, next, '"', '"') ||
		    doc->nodes[next].skip != next + 1 ||
		    !oracle_same_string(&doc->nodes[next], name, len) ||
		    json_member(doc->nodes, at, name, len) != next + 1 ||
		    !oracle_same_value(doc, next + 1,
				       json_object_iter_value(iter)))
			return false;
		next = doc->nodes[next + 1].skip;
	}
	return next == node->skip;
}

static inline bool
oracle_same_array(const struct oracle_doc *doc, uint32_t at, json_t *want)
{
	const struct json_node *node = &doc->nodes[at];
	uint32_t next = at + 1;

	if (node->type != JSON_ARRAY || !oracle_is_framed(doc, at, '[', ']') ||
	    node->count != json_array_size(want))
		return false;
	for (size_t i = 0; i < json_array_size(want); i++) {
		if (next >= node->skip ||
		    !oracle_same_value(doc, next, json_array_get(want, i)))
			return false;
		next = doc->nodes[next].skip;
	}
	return next == node->skip;
}

static bool
oracle_same_value(const struct oracle_doc *doc, uint32_t at, json_t *want)
{
	const struct json_node *node = &doc->nodes[at];
	double real;

	switch (json_typeof(want)) {
	case JANSSON_OBJECT:
		return oracle_same_object(doc, at, want);
	case JANSSON_ARRAY:
		return oracle_same_array(doc, at, want);
	case JANSSON_STRING:
		return node->skip == at + 1 &&
		       oracle_is_framed(doc, at, '"', '"') &&
		       oracle_same_string(node, json_string_value(want),
					  json_string_length(want));
	case JANSSON_INTEGER:
		return node->skip == at + 1 && node->type == JSON_INT &&
		       node->i == json_integer_value(want);
	case JANSSON_REAL:
		/* Bit for bit: -0.0 is not 0.0. */
		real = json_real_value(want);
		return node->skip == at + 1 && node->type == JSON_REAL &&
		       memcmp(&node->d, &real, sizeof(real)) == 0;
	case JANSSON_TRUE:
		return node->type == JSON_TRUE &&
		       oracle_is_framed(doc, at, 't', 'e');
	case JANSSON_FALSE:
		return node->type == JSON_FALSE &&
		       oracle_is_framed(doc, at, 'f', 'e');
	case JANSSON_NULL:
		return node->type == JSON_NULL &&
		       oracle_is_framed(doc, at, 'n', 'l');
	}
	return false;
}

static inline bool
oracle_is_container(json_t *value)
{
	return json_typeof(value) == JANSSON_OBJECT ||
	       json_typeof(value) == JANSSON_ARRAY;
}

static inline unsigned
oracle_depth(json_t *value)
{
	unsigned deepest = 0, depth;
	const char *name;
	size_t i;
	json_t *item;

	if (!oracle_is_container(value))
		return 0;
	if (json_typeof(value) == JANSSON_OBJECT) {
		json_object_foreach(value, name, item)
		{
			depth = oracle_depth(item);
			deepest = depth > deepest ? depth : deepest;
		}
	} else {
		json_array_foreach(value, i, item)
		{
			depth = oracle_depth(item);
			deepest = depth > deepest ? depth : deepest;
		}
	}
	return deepest + 1;
}

/* Reads a text both ways; *ret_ours has our reading when both accept. */
static inline enum oracle_verdict
oracle_compare(struct json_reader *r, const char *text, size_t len,
	       struct oracle_doc *ret_ours)
{
	struct oracle_doc doc = {text, len, NULL, 0};
	struct pj_error err = {0};
	json_error_t theirs_err;
	json_t *theirs;
	int ours;
	enum oracle_verdict verdict = ORACLE_DIFFER;

	ours = json_read(r, text, len, &doc.nodes, &doc.n, &err);
	theirs = json_loadb(text, len,
			    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY |
				    JSON_ALLOW_NUL,
			    &theirs_err);
	if (ours == 0 && theirs) {
		if (doc.nodes[0].skip == doc.n &&
		    oracle_same_value(&doc, 0, theirs)) {
			*ret_ours = doc;
			verdict = ORACLE_BOTH_ACCEPT;
		}
	} else if (ours != 0 && !theirs) {
		verdict = ORACLE_BOTH_REFUSE;
	} else if (ours == 0 && json_error_code(&theirs_err) ==
					json_error_null_byte_in_key) {
		verdict = ORACLE_EXCUSED;
	} else if (ours != 0 && memchr(text, '\0', len)) {
		verdict = ORACLE_EXCUSED;
	} else if (ours != 0 && theirs &&
		   oracle_depth(theirs) > JSON_MAX_DEPTH &&
		   strstr(err.text, "nested too deep")) {
		verdict = ORACLE_EXCUSED;
	}
	json_decref(theirs);
	return verdict;
}

#endif
