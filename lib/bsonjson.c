/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bsonjson.h"

#include <bson/bson.h>

#include "lib/bsonjson_text.h"
#include "lib/bsonread.h"
#include "lib/readmodel.h"
#include "lib/str.h"

enum { MAX_DEPTH = 120 };

static int
write_container(struct buf *out, const struct bsonread_element *el, int depth);

static void
write_decimal128(struct buf *out, const uint8_t *value)
{
	char text[BSON_DECIMAL128_STRING];
	bson_decimal128_t dec;

	dec.low = bsonread_u64(value);
	dec.high = bsonread_u64(value + 8);
	bson_decimal128_to_string(&dec, text);
	bsonjson_string(out, text, strlen(text));
}

static int
write_value(struct buf *out, const struct bsonread_element *el, int depth)
{
	struct pj_str text;

	switch (el->type) {
	case BSONREAD_STRING:
		text = bsonread_text(el);
		return bsonjson_text(out, text.ptr, text.len) ? 0 : -1;
	case BSONREAD_INT64:
		buf_addint(out, bsonread_i64(el->value));
		return 0;
	case BSONREAD_INT32:
		buf_addint(out, bsonread_i32(el->value));
		return 0;
	case BSONREAD_OBJECT:
	case BSONREAD_ARRAY:
		return write_container(out, el, depth + 1);
	case BSONREAD_BOOL:
		buf_addstr(out, el->value[0] ? "true" : "false");
		return 0;
	case BSONREAD_DATE:
		bsonjson_date(out, bsonread_i64(el->value));
		return 0;
	case BSONREAD_DOUBLE:
		bsonjson_number(out, bsonread_f64(el->value));
		return 0;
	case BSONREAD_DECIMAL128:
		write_decimal128(out, el->value);
		return 0;
	default:
		buf_addstr(out, "null");
		return 0;
	}
}

static int
write_name(struct buf *out, struct pj_str name)
{
	if (!bsonjson_text(out, name.ptr, name.len))
		return -1;
	buf_addch(out, ':');
	return 0;
}

/* Recursion is bounded by MAX_DEPTH. */
static int
write_container(struct buf *out, const struct bsonread_element *el, int depth)
{
	bool object = el->type == BSONREAD_OBJECT;
	struct bsonread_element child;
	struct bsonread r;
	bool first = true;
	int more;

	if (depth > MAX_DEPTH || bsonread_open(&r, el->value, el->len) < 0)
		return -1;
	buf_addch(out, object ? '{' : '[');
	while ((more = bsonread_next(&r, &child)) > 0) {
		if (!first)
			buf_addch(out, ',');
		first = false;
		if (object && write_name(out, child.name) < 0)
			return -1;
		if (write_value(out, &child, depth) < 0)
			return -1;
	}
	buf_addch(out, object ? '}' : ']');
	return more;
}

/* The element of that name on the top level: 1, 0 = there is none, -1. */
static int
find_top(const uint8_t *bson, size_t len, const char *name,
	 struct bsonread_element *el)
{
	struct bsonread r;
	int more;

	if (bsonread_open(&r, bson, len) < 0)
		return -1;
	while ((more = bsonread_next(&r, el)) > 0) {
		if (bsonread_is(el, name))
			return 1;
	}
	return more;
}

/* Fields to be written; all when there are no names. */
struct selection {
	const struct pj_str *names;
	size_t n;
};

static bool
is_selected(const struct selection *sel, struct pj_str name)
{
	if (name.len && name.ptr[0] == '_')
		return false;
	if (!sel->names)
		return true;
	for (size_t i = 0; i < sel->n; i++)
		if (str_equal(sel->names[i], name))
			return true;
	return false;
}

static int
write_document(struct buf *out, const uint8_t *bson, size_t len,
	       const struct selection *sel)
{
	struct bsonread_element el;
	struct bsonread r;
	bool first = true;
	int more = find_top(bson, len, READMODEL_ID, &el);

	if (more < 0 || bsonread_open(&r, bson, len) < 0)
		return -1;
	buf_addch(out, '{');
	if (more > 0) {
		buf_addstr(out, "\"id\":");
		if (write_value(out, &el, 1) < 0)
			return -1;
		first = false;
	}
	while ((more = bsonread_next(&r, &el)) > 0) {
		if (!is_selected(sel, el.name))
			continue;
		if (!first)
			buf_addch(out, ',');
		first = false;
		if (write_name(out, el.name) < 0 ||
		    write_value(out, &el, 1) < 0)
			return -1;
	}
	buf_addch(out, '}');
	return more;
}

static int
write_selected(struct buf *out, const uint8_t *bson, size_t len,
	       const struct selection *sel, struct pj_error *err)
{
	size_t before = out->len;

	if (write_document(out, bson, len, sel) < 0) {
		out->len = before;
		if (out->data)
			out->data[before] = '\0';
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "stored document: damaged BSON "
				    "(%zu bytes)",
				    len);
	}
	return 0;
}

int
bsonjson_write(struct buf *out, const uint8_t *bson, size_t len,
	       struct pj_error *err)
{
	const struct selection all = {NULL, 0};

	return write_selected(out, bson, len, &all, err);
}

int
bsonjson_write_fields(struct buf *out, const uint8_t *bson, size_t len,
		      const struct pj_str *names, size_t n,
		      struct pj_error *err)
{
	static const struct pj_str none = {NULL, 0};
	const struct selection some = {names ? names : &none, n};

	return write_selected(out, bson, len, &some, err);
}

/* ---- `_m` --------------------------------------------------------------- */

/* A source index as a field name: digits, no zero in front. */
static int
read_source(struct pj_str name, int32_t *ret_source)
{
	int64_t n = 0;
	size_t i;

	if (name.len == 0 || name.len > 10 ||
	    (name.len > 1 && name.ptr[0] == '0'))
		return -1;
	for (i = 0; i < name.len; i++) {
		if (name.ptr[i] < '0' || name.ptr[i] > '9')
			return -1;
		n = n * 10 + (name.ptr[i] - '0');
	}
	if (n > INT32_MAX)
		return -1;
	*ret_source = (int32_t)n;
	return 0;
}

static int
read_integer(const struct bsonread_element *el, int64_t *ret)
{
	if (el->type == BSONREAD_INT64)
		*ret = bsonread_i64(el->value);
	else if (el->type == BSONREAD_INT32)
		*ret = bsonread_i32(el->value);
	else
		return -1;
	return 0;
}

static int
read_positions(const struct bsonread_element *el, struct bsonjson_meta *meta,
	       struct bsonjson_position *positions, size_t max)
{
	struct bsonread_element pos;
	struct bsonread r;
	int more;

	if (el->type != BSONREAD_OBJECT || meta->n_positions > 0 ||
	    bsonread_open(&r, el->value, el->len) < 0)
		return -1;
	while ((more = bsonread_next(&r, &pos)) > 0) {
		struct bsonjson_position got;

		if (read_source(pos.name, &got.source) < 0 ||
		    read_integer(&pos, &got.offset) < 0)
			return -1;
		if (meta->n_positions < max)
			positions[meta->n_positions] = got;
		meta->n_positions++;
	}
	return more;
}

enum { SEEN_W = 1, SEEN_R = 2, SEEN_D = 4, SEEN_ALL = 7 };

static int
read_meta_field(const struct bsonread_element *el, struct bsonjson_meta *meta,
		struct bsonjson_position *positions, size_t max, int *seen)
{
	int64_t n;

	if (bsonread_is(el, "w")) {
		/* int32 length, subtype, bytes */
		if (el->type != BSONREAD_BINARY ||
		    el->len != 5 + sizeof(meta->token))
			return -1;
		memcpy(meta->token, el->value + 5, sizeof(meta->token));
		*seen |= SEEN_W;
	} else if (bsonread_is(el, "r")) {
		if (read_integer(el, &meta->revision) < 0)
			return -1;
		*seen |= SEEN_R;
	} else if (bsonread_is(el, "d")) {
		if (read_integer(el, &n) < 0 || n < READMODEL_LIVE_DOC ||
		    n > READMODEL_META_ONLY)
			return -1;
		meta->state = (int32_t)n;
		*seen |= SEEN_D;
	} else if (bsonread_is(el, "t")) {
		return read_integer(el, &meta->updated_at_ms);
	} else if (bsonread_is(el, "p")) {
		return read_positions(el, meta, positions, max);
	} else if (bsonread_is(el, "k")) {
		meta->parked = true;
	}
	return 0;
}

static int
read_meta(const uint8_t *bson, size_t len, struct bsonjson_meta *meta,
	  struct bsonjson_position *positions, size_t max)
{
	struct bsonread_element el;
	struct bsonread r;
	int seen = 0;
	int more;

	if (find_top(bson, len, READMODEL_META, &el) <= 0 ||
	    el.type != BSONREAD_OBJECT ||
	    bsonread_open(&r, el.value, el.len) < 0)
		return -1;
	while ((more = bsonread_next(&r, &el)) > 0) {
		if (read_meta_field(&el, meta, positions, max, &seen) < 0)
			return -1;
	}
	return more < 0 || seen != SEEN_ALL ? -1 : 0;
}

int
bsonjson_meta(const uint8_t *bson, size_t len, struct bsonjson_meta *ret_meta,
	      struct bsonjson_position *positions, size_t max,
	      struct pj_error *err)
{
	struct bsonjson_meta meta = {0};

	if (read_meta(bson, len, &meta, positions, max) < 0)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "stored document: no valid _m "
				    "(%zu bytes)",
				    len);
	*ret_meta = meta;
	return 0;
}

/* {"3":{"first":120,"tail":131,"n":2},…} */
static int
read_queue(const struct bsonread_element *el, struct bsonjson_position *ret)
{
	struct bsonread_element member;
	struct bsonread r;
	int more, found = -1;

	if (read_source(el->name, &ret->source) < 0 ||
	    el->type != BSONREAD_OBJECT ||
	    bsonread_open(&r, el->value, el->len) < 0)
		return -1;
	while ((more = bsonread_next(&r, &member)) > 0)
		if (bsonread_is(&member, "first"))
			found = read_integer(&member, &ret->offset);
	return more < 0 ? -1 : found;
}

int
bsonjson_parked(const uint8_t *bson, size_t len,
		struct bsonjson_position *ret_first, size_t max)
{
	struct bsonread_element meta, el;
	struct bsonread r;
	int more = 0, n = 0;

	if (find_top(bson, len, READMODEL_META, &meta) <= 0 ||
	    meta.type != BSONREAD_OBJECT ||
	    bsonread_open(&r, meta.value, meta.len) < 0)
		return -1;
	while ((more = bsonread_next(&r, &el)) > 0 && !bsonread_is(&el, "k"))
		;
	if (more <= 0 || el.type != BSONREAD_OBJECT ||
	    bsonread_open(&r, el.value, el.len) < 0)
		return -1;
	while ((more = bsonread_next(&r, &el)) > 0) {
		struct bsonjson_position got;

		if (read_queue(&el, &got) < 0)
			return -1;
		if ((size_t)n < max)
			ret_first[n] = got;
		n++;
	}
	return more < 0 ? -1 : n;
}
