/* SPDX-License-Identifier: Apache-2.0 */
/* `_m`, read from documents libbson made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bson/bson.h>

#include "lib/bsonjson.h"

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

/* ---- `_m`
 * ------------------------------------------------------------------------------
 */

static void
metadata_is_read_with_as_many_positions_as_fit(void **state)
{
	struct bsonjson_position positions[2];
	bson_t bson = BSON_INITIALIZER;
	struct bsonjson_meta meta;
	struct pj_error err;

	(void)state;
	BSON_APPEND_UTF8(&bson, "_id", "shop-1");
	append_meta(&bson);
	assert_int_equal(bsonjson_meta(bson_get_data(&bson), bson.len, &meta,
				       positions, 2, &err),
			 0);
	assert_memory_equal(meta.token, "0123456789abcdef", 16);
	assert_int_equal(meta.revision, 7);
	assert_int_equal(meta.state, 1);
	assert_int_equal(meta.updated_at_ms, 1700000000000);
	assert_int_equal(meta.n_positions, 3);
	assert_int_equal(positions[0].source, 0);
	assert_int_equal(positions[0].offset, 120934);
	assert_int_equal(positions[1].source, 3);
	assert_int_equal(positions[1].offset, 5);
	bson_destroy(&bson);
}

/* Parked queues, offsets out of order, sequences, the day it was deleted. */
static void
members_that_readers_do_not_need_are_passed_over(void **state)
{
	bson_t bson = BSON_INITIALIZER, meta, object, list;
	struct bsonjson_position position;
	struct bsonjson_meta got;
	struct pj_error err;

	(void)state;
	BSON_APPEND_UTF8(&bson, "_id", "shop-1");
	bson_append_document_begin(&bson, "_m", 2, &meta);
	bson_append_document_begin(&meta, "k", 1, &object);
	bson_append_document_begin(&object, "0", 1, &list);
	BSON_APPEND_INT64(&list, "first", 4);
	BSON_APPEND_INT64(&list, "tail", 9);
	BSON_APPEND_INT64(&list, "n", 2);
	bson_append_document_end(&object, &list);
	bson_append_document_end(&meta, &object);
	bson_append_document_begin(&meta, "o", 1, &object);
	bson_append_array_begin(&object, "3", 1, &list);
	BSON_APPEND_INT64(&list, "0", 12);
	BSON_APPEND_INT64(&list, "1", 15);
	bson_append_array_end(&object, &list);
	bson_append_document_end(&meta, &object);
	bson_append_document_begin(&meta, "s", 1, &object);
	BSON_APPEND_INT64(&object, "stock", -1);
	bson_append_document_end(&meta, &object);
	BSON_APPEND_INT64(&meta, "x", 1700000000000);
	BSON_APPEND_BINARY(&meta, "w", BSON_SUBTYPE_BINARY,
			   (const uint8_t *)"0123456789abcdef", 16);
	BSON_APPEND_INT64(&meta, "r", 7);
	BSON_APPEND_INT32(&meta, "d", 2);
	BSON_APPEND_INT64(&meta, "t", 5);
	bson_append_document_begin(&meta, "p", 1, &object);
	BSON_APPEND_INT64(&object, "3", 5);
	bson_append_document_end(&meta, &object);
	bson_append_document_end(&bson, &meta);
	assert_int_equal(bsonjson_meta(bson_get_data(&bson), bson.len, &got,
				       &position, 1, &err),
			 0);
	assert_int_equal(got.state, 2);
	assert_int_equal(got.revision, 7);
	assert_int_equal(got.n_positions, 1);
	assert_int_equal(position.source, 3);
	assert_int_equal(position.offset, 5);
	bson_destroy(&bson);
}

enum fault {
	NO_TOKEN,
	SHORT_TOKEN,
	NO_REVISION,
	TEXT_REVISION,
	BAD_STATE,
	BAD_SOURCE,
	ZERO_SOURCE,
	BIG_SOURCE,
	TEXT_OFFSET,
	TWO_POSITIONS,
	ARRAY_POSITIONS,
	NOT_AN_OBJECT,
	N_FAULTS
};

static void
append_positions(bson_t *meta, enum fault fault)
{
	const char *source = fault == BAD_SOURCE    ? "-1"
			     : fault == ZERO_SOURCE ? "01"
			     : fault == BIG_SOURCE  ? "2147483648"
						    : "1";
	bson_t positions;

	bson_append_document_begin(meta, "p", 1, &positions);
	if (fault == TEXT_OFFSET)
		BSON_APPEND_UTF8(&positions, source, "1");
	else
		BSON_APPEND_INT64(&positions, source, 1);
	bson_append_document_end(meta, &positions);
}

static void
append_bad_meta(bson_t *bson, enum fault fault)
{
	bson_t meta, empty = BSON_INITIALIZER;

	if (fault == NOT_AN_OBJECT) {
		BSON_APPEND_INT64(bson, "_m", 1);
		return;
	}
	bson_append_document_begin(bson, "_m", 2, &meta);
	if (fault != NO_TOKEN)
		BSON_APPEND_BINARY(&meta, "w", BSON_SUBTYPE_BINARY,
				   (const uint8_t *)"0123456789abcdef",
				   fault == SHORT_TOKEN ? 15 : 16);
	if (fault == TEXT_REVISION)
		BSON_APPEND_UTF8(&meta, "r", "1");
	else if (fault != NO_REVISION)
		BSON_APPEND_INT64(&meta, "r", 1);
	BSON_APPEND_INT32(&meta, "d", fault == BAD_STATE ? 3 : 0);
	BSON_APPEND_INT64(&meta, "t", 1);
	if (fault == ARRAY_POSITIONS)
		BSON_APPEND_ARRAY(&meta, "p", &empty);
	else
		append_positions(&meta, fault);
	if (fault == TWO_POSITIONS)
		append_positions(&meta, fault);
	bson_append_document_end(bson, &meta);
}

static void
metadata_that_is_not_ours_is_an_error(void **state)
{
	struct bsonjson_position positions[2];
	struct bsonjson_meta meta;
	struct pj_error err;
	int fault;

	(void)state;
	for (fault = 0; fault <= N_FAULTS; fault++) {
		bson_t bson = BSON_INITIALIZER;

		append_bad_meta(&bson, (enum fault)fault);
		/* N_FAULTS stands for none of them: the case itself is good */
		assert_int_equal(bsonjson_meta(bson_get_data(&bson), bson.len,
					       &meta, positions, 2, &err),
				 fault == N_FAULTS ? 0 : -1);
		bson_destroy(&bson);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			metadata_is_read_with_as_many_positions_as_fit),
		cmocka_unit_test(
			members_that_readers_do_not_need_are_passed_over),
		cmocka_unit_test(metadata_that_is_not_ours_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
