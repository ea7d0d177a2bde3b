/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of lib/json share: one reader, and a text's value as a line.
 * Header only, because a test is one object and the archives.
 */
#ifndef TESTS_UNIT_JSON_READ_H
#define TESTS_UNIT_JSON_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct json_reader *reader;

static int
setup(void **state)
{
	(void)state;
	reader = json_reader_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	json_reader_free(reader);
	return 0;
}

/*
 * The tape as one line: no spaces, strings raw between quotes, reals with a
 * leading ~ and as few digits as they need. Returns the node behind.
 */
static uint32_t
render(struct buf *out, const struct json_node *nodes, uint32_t at)
{
	const struct json_node *node = &nodes[at++];
	bool object = node->type == JSON_OBJECT;

	switch ((enum json_type)node->type) {
	case JSON_NULL:
		buf_addstr(out, "null");
		break;
	case JSON_FALSE:
		buf_addstr(out, "false");
		break;
	case JSON_TRUE:
		buf_addstr(out, "true");
		break;
	case JSON_INT:
		buf_printf(out, "%" PRId64, node->i);
		break;
	case JSON_REAL:
		buf_printf(out, "~%.16g", node->d);
		break;
	case JSON_STRING:
		buf_addch(out, '"');
		buf_add(out, node->str.ptr, node->str.len);
		buf_addch(out, '"');
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		buf_addch(out, object ? '{' : '[');
		for (uint32_t i = 0; i < node->count; i++) {
			if (i)
				buf_addch(out, ',');
			at = render(out, nodes, at);
			if (object) {
				buf_addch(out, ':');
				at = render(out, nodes, at);
			}
		}
		buf_addch(out, object ? '}' : ']');
		break;
	}
	assert_int_equal(at, node->skip);
	return at;
}

/* Reads from a copy of exactly that size, so that overreads are seen. */
static int
read_text(const char *s, size_t len, struct buf *ret_render,
	  struct pj_error *err)
{
	char *copy = malloc(len ? len : 1);
	const struct json_node *nodes = NULL;
	uint32_t n = 0;
	int rc;

	assert_non_null(copy);
	if (len)
		memcpy(copy, s, len);
	memset(err, 0, sizeof(*err));
	rc = json_read(reader, copy, len, &nodes, &n, err);
	if (rc == 0) {
		if (ret_render)
			assert_int_equal(render(ret_render, nodes, 0), n);
	} else {
		assert_int_equal(rc, -1);
		assert_int_equal(err->cls, PJ_ERROR_INPUT);
		assert_null(nodes);
		assert_int_equal(n, 0);
	}
	free(copy);
	return rc;
}

#endif
