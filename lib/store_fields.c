/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store_fields.h"

#include <assert.h>
#include <string.h>

static bool
field_chars(const bson_iter_t *it, const struct field *f)
{
	uint32_t len;
	const char *text;

	if (!BSON_ITER_HOLDS_UTF8(it))
		return false;
	text = bson_iter_utf8(it, &len);
	if (len >= f->size || memchr(text, '\0', len))
		return false;
	memcpy(f->to, text, len);
	((char *)f->to)[len] = '\0';
	return true;
}

static bool
field_str(const bson_iter_t *it, const struct field *f)
{
	struct pj_str *to = f->to;
	uint32_t len;

	if (!BSON_ITER_HOLDS_UTF8(it))
		return false;
	to->ptr = bson_iter_utf8(it, &len);
	to->len = len;
	return true;
}

static bool
field_bytes(const bson_iter_t *it, const struct field *f)
{
	struct pj_str *to = f->to;
	const uint8_t *bytes;
	uint32_t len;

	if (BSON_ITER_HOLDS_NULL(it)) {
		*to = (struct pj_str){NULL, 0};
		return true;
	}
	if (!BSON_ITER_HOLDS_BINARY(it))
		return false;
	bson_iter_binary(it, NULL, &len, &bytes);
	to->ptr = (const char *)bytes;
	to->len = len;
	return true;
}

static bool
field_number(const bson_iter_t *it, int64_t min, int64_t max, int64_t *ret)
{
	if (!BSON_ITER_HOLDS_NUMBER(it))
		return false;
	if (BSON_ITER_HOLDS_DOUBLE(it)) {
		double d = bson_iter_double(it);

		/* Written so that a NaN is refused too. */
		if (!(d >= -0x1p53 && d <= 0x1p53))
			return false;
	}
	*ret = bson_iter_as_int64(it);
	return *ret >= min && *ret <= max;
}

static bool
field_one(const bson_iter_t *it, const struct field *f)
{
	int64_t n;

	switch (f->type) {
	case FIELD_CHARS:
		return field_chars(it, f);
	case FIELD_STR:
		return field_str(it, f);
	case FIELD_BYTES:
		return field_bytes(it, f);
	case FIELD_INT32:
		if (!field_number(it, INT32_MIN, INT32_MAX, &n))
			return false;
		*(int32_t *)f->to = (int32_t)n;
		return true;
	case FIELD_INT64:
		return field_number(it, INT64_MIN, INT64_MAX, f->to);
	case FIELD_ITER:
		*(bson_iter_t *)f->to = *it;
		return true;
	}
	return false;
}

int
fields_read(const uint8_t *bson, size_t len, const char *what,
	    const struct field *fields, size_t n_fields, struct pj_error *err)
{
	bson_iter_t it;
	size_t i;

	for (i = 0; i < n_fields; i++) {
		if (!bson_iter_init_from_data(&it, bson, len) ||
		    !bson_iter_find(&it, fields[i].name) ||
		    !field_one(&it, &fields[i]))
			return pj_error_set(err, PJ_ERROR_FATAL,
					    "damaged row in %s: field '%s'",
					    what, fields[i].name);
	}
	return 0;
}

void
put_text(bson_t *bson, const char *name, const char *text)
{
	bool ok = bson_append_utf8(bson, name, -1, text, -1);

	assert(ok);
	(void)ok;
}

void
put_int32(bson_t *bson, const char *name, int32_t value)
{
	bool ok = bson_append_int32(bson, name, -1, value);

	assert(ok);
	(void)ok;
}

void
put_int64(bson_t *bson, const char *name, int64_t value)
{
	bool ok = bson_append_int64(bson, name, -1, value);

	assert(ok);
	(void)ok;
}

void
put_bytes(bson_t *bson, const char *name, struct pj_str bytes, bool null)
{
	const uint8_t *data = (const uint8_t *)(bytes.ptr ? bytes.ptr : "");
	bool ok;

	if (null)
		ok = bson_append_null(bson, name, -1);
	else
		ok = bytes.len <= INT32_MAX &&
		     bson_append_binary(bson, name, -1, BSON_SUBTYPE_BINARY,
					data, (uint32_t)bytes.len);
	assert(ok);
	(void)ok;
}
