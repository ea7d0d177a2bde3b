/* SPDX-License-Identifier: Apache-2.0 */
/* BSON made by libbson, JSON read by jansson: lib/bsonjson between the two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bson/bson.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t random_state = 42;

static uint64_t
next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- Helpers
 * ----------------------------------------------------------------- */

static void
assert_json(const bson_t *bson, const char *want)
{
	struct pj_error err = {0};
	struct buf out = BUF_INIT;

	assert_int_equal(
		bsonjson_write(&out, bson_get_data(bson), bson->len, &err), 0);
	assert_string_equal(out.data, want);
	buf_release(&out);
}

static void
assert_refused(const bson_t *bson)
{
	struct pj_error err = {0};
	struct buf out = BUF_INIT;

	buf_addstr(&out, "before");
	assert_int_equal(
		bsonjson_write(&out, bson_get_data(bson), bson->len, &err), -1);
	assert_string_equal(out.data, "before");
	assert_int_equal(out.len, 6);
	assert_int_equal(err.cls, PJ_ERROR_FATAL);
	buf_release(&out);
}

/* ---- Documents
 * ---------------------------------------------------------------- */

static void
the_id_comes_first_and_host_names_are_left_out(void **state)
{
	bson_t bson = BSON_INITIALIZER;

	(void)state;
	BSON_APPEND_UTF8(&bson, "name", "김밥");
	BSON_APPEND_INT32(&bson, "_m", 1);
	BSON_APPEND_UTF8(&bson, "_id", "shop-1");
	BSON_APPEND_UTF8(&bson, "_part", "x");
	BSON_APPEND_INT64(&bson, "", 2);
	assert_json(&bson, "{\"id\":\"shop-1\",\"name\":\"김밥\",\"\":2}");
	bson_destroy(&bson);
}

static void
of_some_fields_only_those_are_written_in_stored_order(void **state)
{
	static const struct pj_str names[] = {
		{"name", 4}, {"n", 1}, {"_m", 2}, {"_id", 3}, {"none", 4}};
	static const struct {
		size_t n;
		const char *want;
	} cases[] = {
		{5, "{\"id\":\"a\",\"n\":{\"name\":1},\"name\":\"A\"}"},
		{1, "{\"id\":\"a\",\"name\":\"A\"}"},
		{0, "{\"id\":\"a\"}"},
	};
	struct pj_error err = {0};
	bson_t bson = BSON_INITIALIZER, child;

	(void)state;
	BSON_APPEND_DOCUMENT_BEGIN(&bson, "n", &child);
	BSON_APPEND_INT64(&child, "name", 1);
	bson_append_document_end(&bson, &child);
	BSON_APPEND_UTF8(&bson, "names", "x");
	BSON_APPEND_INT32(&bson, "_m", 1);
	BSON_APPEND_UTF8(&bson, "name", "A");
	BSON_APPEND_UTF8(&bson, "_id", "a");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = BUF_INIT;

		assert_int_equal(bsonjson_write_fields(
					 &out, bson_get_data(&bson), bson.len,
					 cases[i].n ? names : NULL, cases[i].n,
					 &err),
				 0);
		assert_string_equal(out.data, cases[i].want);
		buf_release(&out);
	}
	bson_destroy(&bson);
}

/* Random documents: the same as taking the others out of the whole. */
static void
some_fields_are_the_whole_without_the_others(void **state)
{
	static const char *const all[] = {"a", "b", "c", "d", "e", "f"};

	(void)state;
	for (int round = 0; round < 500; round++) {
		bson_t bson = BSON_INITIALIZER, child;
		struct buf whole = BUF_INIT, part = BUF_INIT;
		struct pj_str names[COUNT(all)];
		uint64_t has = next_random(), wanted = next_random();
		struct pj_error err = {0};
		json_t *want, *got;
		size_t n = 0;

		BSON_APPEND_UTF8(&bson, "_id", "k");
		for (size_t i = 0; i < COUNT(all); i++) {
			if (!(has >> i & 1))
				continue;
			BSON_APPEND_DOCUMENT_BEGIN(&bson, all[i], &child);
			BSON_APPEND_INT64(&child, all[i],
					  (int64_t)(next_random() >> 1));
			bson_append_document_end(&bson, &child);
		}
		for (size_t i = 0; i < COUNT(all); i++)
			if (wanted >> i & 1)
				names[n++] = (struct pj_str){all[i], 1};
		assert_int_equal(bsonjson_write(&whole, bson_get_data(&bson),
						bson.len, &err),
				 0);
		assert_int_equal(
			bsonjson_write_fields(&part, bson_get_data(&bson),
					      bson.len, names, n, &err),
			0);
		want = json_loads(whole.data, 0, NULL);
		for (size_t i = 0; i < COUNT(all); i++)
			if (!(wanted >> i & 1))
				(void)json_object_del(want, all[i]);
		got = json_loads(part.data, 0, NULL);
		assert_true(json_equal(got, want));
		json_decref(got);
		json_decref(want);
		buf_release(&whole);
		buf_release(&part);
		bson_destroy(&bson);
	}
}

static void
deeper_names_that_begin_with_an_underscore_are_served(void **state)
{
	bson_t bson = BSON_INITIALIZER, child;

	(void)state;
	BSON_APPEND_DOCUMENT_BEGIN(&bson, "products", &child);
	BSON_APPEND_INT64(&child, "_id", 1);
	BSON_APPEND_INT64(&child, "_m", 2);
	bson_append_document_end(&bson, &child);
	assert_json(&bson, "{\"products\":{\"_id\":1,\"_m\":2}}");
	bson_destroy(&bson);
}

static void
every_type_has_its_json(void **state)
{
	bson_decimal128_t dec;
	bson_oid_t oid;
	bson_t bson = BSON_INITIALIZER, scope = BSON_INITIALIZER, child;

	(void)state;
	bson_oid_init_from_string(&oid, "0123456789abcdef01234567");
	BSON_APPEND_INT32(&bson, "i32", INT32_MIN);
	BSON_APPEND_INT64(&bson, "i64", INT64_MIN);
	BSON_APPEND_INT64(&bson, "max", INT64_MAX);
	BSON_APPEND_DOUBLE(&bson, "d", 9.04);
	BSON_APPEND_BOOL(&bson, "t", true);
	BSON_APPEND_BOOL(&bson, "f", false);
	BSON_APPEND_NULL(&bson, "null");
	BSON_APPEND_DATE_TIME(&bson, "at", 1700017204000);
	assert_true(bson_decimal128_from_string("12.340", &dec));
	BSON_APPEND_DECIMAL128(&bson, "dec", &dec);
	assert_true(bson_decimal128_from_string("-1E-6176", &dec));
	BSON_APPEND_DECIMAL128(&bson, "small", &dec);
	assert_true(bson_decimal128_from_string("NaN", &dec));
	BSON_APPEND_DECIMAL128(&bson, "nan", &dec);
	bson_append_array_begin(&bson, "a", 1, &child);
	BSON_APPEND_INT64(&child, "0", 1);
	BSON_APPEND_UTF8(&child, "1", "x");
	bson_append_array_end(&bson, &child);
	bson_append_document_begin(&bson, "o", 1, &child);
	bson_append_document_end(&bson, &child);
	BSON_APPEND_OID(&bson, "oid", &oid);
	BSON_APPEND_BINARY(&bson, "bin", BSON_SUBTYPE_BINARY, oid.bytes, 12);
	BSON_APPEND_REGEX(&bson, "re", "^a", "i");
	BSON_APPEND_CODE(&bson, "code", "x");
	BSON_APPEND_SYMBOL(&bson, "sym", "x");
	BSON_APPEND_CODE_WITH_SCOPE(&bson, "scope", "x", &scope);
	BSON_APPEND_DBPOINTER(&bson, "ptr", "c", &oid);
	BSON_APPEND_TIMESTAMP(&bson, "ts", 1, 2);
	BSON_APPEND_UNDEFINED(&bson, "undef");
	BSON_APPEND_MINKEY(&bson, "min");
	BSON_APPEND_MAXKEY(&bson, "maxkey");
	assert_json(&bson,
		    "{\"i32\":-2147483648,\"i64\":-9223372036854775808,"
		    "\"max\":9223372036854775807,\"d\":9.04,\"t\":true,"
		    "\"f\":false,\"null\":null,"
		    "\"at\":\"2023-11-15T03:00:04.000Z\",\"dec\":\"12.340\","
		    "\"small\":\"-1E-6176\",\"nan\":\"NaN\",\"a\":[1,\"x\"],"
		    "\"o\":{},\"oid\":null,\"bin\":null,\"re\":null,"
		    "\"code\":null,\"sym\":null,\"scope\":null,\"ptr\":null,"
		    "\"ts\":null,\"undef\":null,\"min\":null,"
		    "\"maxkey\":null}");
	bson_destroy(&bson);
}

static void
nested_begin(bson_t *levels, int n)
{
	int i;

	bson_init(&levels[0]);
	for (i = 1; i < n; i++)
		bson_append_array_begin(&levels[i - 1], "0", 1, &levels[i]);
	for (i = n - 1; i > 0; i--)
		bson_append_array_end(&levels[i - 1], &levels[i]);
}

static void
a_hundred_and_twenty_levels_are_the_limit(void **state)
{
	struct pj_error err;
	struct buf out = BUF_INIT;
	bson_t levels[121];

	(void)state;
	nested_begin(levels, 120);
	assert_int_equal(bsonjson_write(&out, bson_get_data(&levels[0]),
					levels[0].len, &err),
			 0);
	buf_release(&out);
	bson_destroy(&levels[0]);
	nested_begin(levels, 121);
	assert_refused(&levels[0]);
	bson_destroy(&levels[0]);
}

static void
invalid_utf8_is_refused(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"a\xff",
		"\xc0\x80",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xe0\x9f\xbf",
		"12345678\xec\x9d",
		"\xf0\x8f\xbf\xbf",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		bson_t value = BSON_INITIALIZER, name = BSON_INITIALIZER;

		BSON_APPEND_UTF8(&value, "a", bad[i]);
		BSON_APPEND_INT64(&name, bad[i], 1);
		assert_refused(&value);
		assert_refused(&name);
		bson_destroy(&value);
		bson_destroy(&name);
	}
}

/* ---- Against jansson
 * ------------------------------------------------------------ */

static void
append_random(bson_t *bson, const char *name, int depth)
{
	static const char *const strings[] = {
		"",
		"plain",
		"quote \" and \\ here",
		"\b\f\n\r\t\x01\x1f\x7f",
		"배달완료 🍜 ü, a text of some length",
		"exactly8",
		"sixteen bytes \"!",
	};
	double d;
	uint64_t r = next_random();
	bson_t child;
	int i, n = (int)(r >> 40) % 6;
	char key[16];

	switch (r % (depth > 4 ? 6 : 8)) {
	case 0:
		BSON_APPEND_UTF8(bson, name, strings[(r >> 8) % 7]);
		break;
	case 1:
		BSON_APPEND_INT64(bson, name,
				  (int64_t)next_random() >> (r >> 58));
		break;
	case 2:
		r = next_random();
		memcpy(&d, &r, sizeof(d));
		BSON_APPEND_DOUBLE(bson, name, isfinite(d) ? d : 0.5);
		break;
	case 3:
		BSON_APPEND_DOUBLE(bson, name, (double)(r >> 40) / 100);
		break;
	case 4:
		BSON_APPEND_BOOL(bson, name, (r >> 8) & 1);
		break;
	case 5:
		BSON_APPEND_NULL(bson, name);
		break;
	default:
		if (r & 1)
			bson_append_array_begin(bson, name, -1, &child);
		else
			bson_append_document_begin(bson, name, -1, &child);
		for (i = 0; i < n; i++) {
			(void)snprintf(key, sizeof(key), "%d%s", i,
				       r & 1 ? "" : "\"_");
			append_random(&child, key, depth + 1);
		}
		if (r & 1)
			bson_append_array_end(bson, &child);
		else
			bson_append_document_end(bson, &child);
		break;
	}
}

static void
assert_same_value(bson_iter_t *iter, const json_t *json);

static void
assert_same_members(bson_iter_t *iter, json_t *json)
{
	void *at = json_object_iter(json);
	size_t i = 0;

	while (bson_iter_next(iter)) {
		if (json_is_array(json)) {
			assert_same_value(iter, json_array_get(json, i++));
			continue;
		}
		assert_non_null(at);
		assert_string_equal(json_object_iter_key(at),
				    bson_iter_key(iter));
		assert_same_value(iter, json_object_iter_value(at));
		at = json_object_iter_next(json, at);
	}
	assert_null(at);
	if (json_is_array(json))
		assert_int_equal(i, json_array_size(json));
}

static void
assert_same_value(bson_iter_t *iter, const json_t *json)
{
	bson_iter_t child;
	double got;

	switch (bson_iter_type(iter)) {
	case BSON_TYPE_UTF8:
		assert_string_equal(json_string_value(json),
				    bson_iter_utf8(iter, NULL));
		break;
	case BSON_TYPE_INT64:
		assert_true(json_is_integer(json));
		assert_int_equal(json_integer_value(json),
				 bson_iter_int64(iter));
		break;
	case BSON_TYPE_DOUBLE:
		assert_true(json_is_number(json));
		got = json_number_value(json);
		assert_true(got == bson_iter_double(iter));
		break;
	case BSON_TYPE_BOOL:
		assert_true(json_is_boolean(json));
		assert_int_equal(json_is_true(json), bson_iter_bool(iter));
		break;
	case BSON_TYPE_NULL:
		assert_true(json_is_null(json));
		break;
	default:
		assert_int_equal(json_is_array(json),
				 bson_iter_type(iter) == BSON_TYPE_ARRAY);
		assert_true(bson_iter_recurse(iter, &child));
		assert_same_members(&child, (json_t *)json);
		break;
	}
}

static void
jansson_reads_back_what_libbson_made(void **state)
{
	int round;

	(void)state;
	for (round = 0; round < 3000; round++) {
		bson_t bson = BSON_INITIALIZER;
		struct buf out = BUF_INIT;
		struct pj_error err = {0};
		bson_iter_t iter;
		json_t *json;
		int i;
		char name[16];

		for (i = 0; i < 4; i++) {
			(void)snprintf(name, sizeof(name), "f%d", i);
			append_random(&bson, name, 1);
		}
		assert_int_equal(bsonjson_write(&out, bson_get_data(&bson),
						bson.len, &err),
				 0);
		json = json_loadb(out.data, out.len, JSON_ALLOW_NUL, NULL);
		assert_non_null(json);
		assert_true(bson_iter_init(&iter, &bson));
		assert_same_members(&iter, json);
		json_decref(json);
		buf_release(&out);
		bson_destroy(&bson);
	}
}

/* ---- Damage
 * ---------------------------------------------------------------------- */

/* Any answer will do, but what is accepted must be JSON. */
static void
try_bytes(const uint8_t *bytes, size_t len, bool must_fail)
{
	/* a copy of just that size, so that a read behind it is seen */
	uint8_t *copy = mem_alloc(len);
	struct bsonjson_position positions[2];
	struct bsonjson_meta meta;
	struct buf out = BUF_INIT;
	struct pj_error err;
	json_t *json;

	memcpy(copy, bytes, len);
	if (bsonjson_write(&out, copy, len, &err) == 0) {
		assert_false(must_fail);
		json = json_loadb(out.data, out.len, JSON_ALLOW_NUL, NULL);
		assert_non_null(json);
		json_decref(json);
	} else {
		assert_int_equal(out.len, 0);
	}
	if (bsonjson_meta(copy, len, &meta, positions, 2, &err) == 0)
		assert_false(must_fail);
	buf_release(&out);
	free(copy);
}

static void
append_meta(bson_t *bson)
{
	bson_t meta, positions;

	bson_append_document_begin(bson, "_m", 2, &meta);
	BSON_APPEND_BINARY(&meta, "w", BSON_SUBTYPE_BINARY,
			   (const uint8_t *)"0123456789abcdef", 16);
	BSON_APPEND_INT64(&meta, "r", 7);
	BSON_APPEND_INT32(&meta, "d", 1);
	BSON_APPEND_INT64(&meta, "t", 1700000000000);
	bson_append_document_begin(&meta, "p", 1, &positions);
	BSON_APPEND_INT64(&positions, "0", 120934);
	BSON_APPEND_INT64(&positions, "3", 5);
	BSON_APPEND_INT64(&positions, "2147483647", 6);
	bson_append_document_end(&meta, &positions);
	bson_append_document_end(bson, &meta);
}

static void
damaged_bytes_are_never_read_past_their_end(void **state)
{
	static const uint8_t flips[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	bson_decimal128_t dec = {1, 2};
	int round;

	(void)state;
	for (round = 0; round < 12; round++) {
		bson_t bson = BSON_INITIALIZER;
		uint8_t *bytes;
		size_t len, i, k;

		BSON_APPEND_UTF8(&bson, "_id", "shop-1");
		append_random(&bson, "a", 1);
		append_random(&bson, "b", 1);
		BSON_APPEND_REGEX(&bson, "re", "^a", "i");
		BSON_APPEND_DECIMAL128(&bson, "dec", &dec);
		append_meta(&bson);
		len = bson.len;
		bytes = mem_alloc(len);
		memcpy(bytes, bson_get_data(&bson), len);
		for (i = 0; i < len; i++) {
			uint8_t was = bytes[i];

			try_bytes(bytes, i, true);
			for (k = 0; k < COUNT(flips); k++) {
				bytes[i] = flips[k];
				try_bytes(bytes, len, false);
				bytes[i] = (uint8_t)(was ^ (1u << k));
				try_bytes(bytes, len, false);
			}
			bytes[i] = was;
		}
		/* cut short, with a length that fits again */
		for (i = len - 1; i >= 5; i--) {
			uint32_t cut = BSON_UINT32_TO_LE((uint32_t)i);

			memcpy(bytes, &cut, 4);
			bytes[i - 1] = 0;
			try_bytes(bytes, i, false);
		}
		free(bytes);
		bson_destroy(&bson);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_id_comes_first_and_host_names_are_left_out),
		cmocka_unit_test(
			of_some_fields_only_those_are_written_in_stored_order),
		cmocka_unit_test(some_fields_are_the_whole_without_the_others),
		cmocka_unit_test(
			deeper_names_that_begin_with_an_underscore_are_served),
		cmocka_unit_test(every_type_has_its_json),
		cmocka_unit_test(a_hundred_and_twenty_levels_are_the_limit),
		cmocka_unit_test(invalid_utf8_is_refused),
		cmocka_unit_test(jansson_reads_back_what_libbson_made),
		cmocka_unit_test(damaged_bytes_are_never_read_past_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
