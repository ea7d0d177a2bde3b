/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict one-pass JSON reader for events: RFC 8259, nothing more.
 *
 * Reads a text into a flat array of nodes in document order (a "tape"): a
 * container is followed by its members, `skip` leads behind it. Object members
 * are two nodes: the name (a JSON_STRING) and the value.
 *
 * Refused: anything RFC 8259 does not allow, invalid UTF-8 (overlong forms and
 * surrogates included), lone surrogate escapes, a byte order mark, duplicate
 * names in one object (after unescaping), integers outside int64, reals that
 * overflow a double, depth over JSON_MAX_DEPTH, trailing bytes. U+0000 in a
 * string is legal JSON: it is read, has_nul is set, and the caller decides.
 * Why by hand: docs/adr (no fast C JSON library is packaged in Debian 12); the
 * unit tests hold it against jansson.
 *
 * Ownership: the reader owns nodes and unescaped strings until the next
 * json_read() or json_reader_free(); strings without escapes point into the
 * text, which has to outlive the nodes. A reader is reused: no allocation per
 * event.
 * Errors: INPUT, text "JSON: <what> at byte <n>", n from 0.
 * Thread: a reader belongs to one thread at a time.
 * Limits: text < 2^31 bytes; time is linear in the text (duplicate detection
 * of large objects included).
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 100 };

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_INT,  /* no fraction, no exponent: .i; -0 is 0 */
	JSON_REAL, /* .d */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_node {
	uint8_t type;  /* enum json_type */
	bool has_nul;  /* JSON_STRING: contains U+0000 */
	uint32_t skip; /* index of the node behind this one and all below it */
	/* The value's bytes in the text, quotes included: [at, end). */
	uint32_t at, end;
	union {
		int64_t i;
		double d;
		struct pj_str str; /* JSON_STRING: unescaped UTF-8 */
		uint32_t count;	   /* JSON_ARRAY: items, JSON_OBJECT: members */
	};
};

struct json_reader; /* opaque */

struct json_reader *
json_reader_new(void);
void
json_reader_free(struct json_reader *r);

/*
 * Reads one text; *ret_nodes[0] is the root. Nodes stay valid until the next
 * call with this reader.
 */
int
json_read(struct json_reader *r, const char *text, size_t len,
	  const struct json_node **ret_nodes, uint32_t *ret_n,
	  struct pj_error *err) __attribute__((warn_unused_result));

/*
 * The value node's index of a member of the object at `object`, or 0 (the
 * root is never a member).
 */
uint32_t
json_member(const struct json_node *nodes, uint32_t object, const char *name,
	    size_t name_len);

#endif
