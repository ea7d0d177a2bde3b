/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope, keys, times and sequences; fields: test_decode_fields.c. */
#include "tests/unit/decode_read.h"

#define DATA "\"data\":{\"shopId\":\"s\",\"productId\":\"p\"}"

/* A SoldOut with more members. */
#define SOLD_OUT(MORE) "{\"eventType\":\"SoldOut\"," DATA MORE "}"

static const struct pj_topic *const stock = &pj_topic_stock;

static void
an_envelope_gives_type_time_and_data(void **state)
{
	struct decoded *d = *state;
	const struct pj_data *data = decode_event(
		d, stock,
		"{\"eventId\":\"shop-17\",\"eventType\":\"StockChanged\","
		"\"data\":{\"shopId\":\"shop-17\",\"productId\":\"p-1\","
		"\"quantity\":-4,\"soldOut\":true},"
		"\"occurrenceDateTime\":\"2023-11-15 12:00:04\"}");

	assert_int_equal(pj_event_type(d->ev), PJ_STOCK_CHANGED);
	assert_string_equal(pj_event_type_name(d->ev), "StockChanged");
	assert_ptr_equal(pj_event_topic(d->ev), stock);
	assert_int_equal(pj_event_time_ms(d->ev), 1700017204000);
	assert_str(pj_event_local_date(d->ev), "2023-11-15");
	assert_str(pj_event_key(d->ev), "k");
	assert_str(pj_string(data, PJ_STOCK__SHOP_ID), "shop-17");
	assert_str(pj_string(data, PJ_STOCK__PRODUCT_ID), "p-1");
	assert_int_equal(pj_int(data, PJ_STOCK__QUANTITY), -4);
	assert_true(pj_bool(data, PJ_STOCK__SOLD_OUT));
	assert_int_equal(pj_has(data, PJ_STOCK__VERSION), PJ_ABSENT);
	assert_int_equal(d->ev->sequence, 0);
}

static void
members_come_in_any_order_and_unknown_ones_are_ignored(void **state)
{
	struct decoded *d = *state;
	const struct pj_data *data = decode_event(
		d, stock,
		" { \"x\":[{\"eventType\":\"y\"}], \"datb\":1, \"dat\":2,"
		"\"data\":{\"more\":{\"shopId\":1},\"productId\":\"p\","
		"\"shopId\":\"s\"}, \"eventIx\":3, \"eventTypf\":4,"
		"\"sequencf\":\"x\",\"occurrenceDateTimf\":true,"
		"\"occurenceDateTimf\":true,\"traceparent\":5,"
		"\"eventId\":{\"any\":null}, \"\":6,"
		"\"event\\u0054ype\":\"SoldOut\" } ");

	assert_int_equal(pj_event_type(d->ev), PJ_SOLD_OUT);
	assert_str(pj_string(data, PJ_STOCK__SHOP_ID), "s");
	assert_str(pj_string(data, PJ_STOCK__PRODUCT_ID), "p");
}

static void
a_local_date_is_of_its_own_event(void **state)
{
	struct decoded *d = *state;

	/* It is made once and remembered, but not for the next event. */
	(void)decode_event(d, stock,
			   SOLD_OUT(",\"occurrenceDateTime\":1700017204000"));
	assert_str(pj_event_local_date(d->ev), "2023-11-15");
	(void)decode_event(d, stock, SOLD_OUT(",\"occurrenceDateTime\":0"));
	assert_str(pj_event_local_date(d->ev), "1970-01-01");
}

/* ---- Undecodable ------------------------------------------------------- */

static void
what_is_no_strict_json_is_unreadable(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"{\"eventType\":\"SoldOut\",\"data\":{}}x",
		"{\"eventType\":\"SoldOut\",\"eventType\":\"SoldOut\"}",
		SOLD_OUT(",\"x\":\"\\ud800\""),
		SOLD_OUT(",\"x\":\"\xff\""),
		SOLD_OUT(",\"x\":9223372036854775808"),
		SOLD_OUT(",\"x\":{\"a\":1,\"a\":2}"),
		"\xef\xbb\xbf" SOLD_OUT(""),
	};
	struct decoded *d = *state;

	for (size_t i = 0; i < COUNT(texts); i++) {
		decode_text(d, stock, texts[i]);
		assert_int_equal(d->result, DECODE_UNREADABLE);
		assert_string_equal(d->cause, "JSON");
		assert_memory_equal(d->err.text, "JSON: ", 6);
	}
}

static void
without_an_object_or_a_type_it_is_unreadable(void **state)
{
	static const char no_object[] = "envelope: not a JSON object";
	static const char no_type[] =
		"field eventType: missing, empty or not a string";
	struct decoded *d = *state;

	decode_fault(d, stock, "[]", DECODE_UNREADABLE, "not an object",
		     no_object);
	decode_fault(d, stock, "null", DECODE_UNREADABLE, "not an object",
		     no_object);
	decode_fault(d, stock, "\"SoldOut\"", DECODE_UNREADABLE,
		     "not an object", no_object);
	decode_fault(d, stock, "{}", DECODE_UNREADABLE, "no event type",
		     no_type);
	decode_fault(d, stock, "{" DATA "}", DECODE_UNREADABLE, "no event type",
		     no_type);
	decode_fault(d, stock, "{\"eventType\":\"\"," DATA "}",
		     DECODE_UNREADABLE, "no event type", no_type);
	decode_fault(d, stock, "{\"eventType\":null," DATA "}",
		     DECODE_UNREADABLE, "no event type", no_type);
	decode_fault(d, stock, "{\"eventType\":7," DATA "}", DECODE_UNREADABLE,
		     "no event type", no_type);
}

static void
without_data_it_is_invalid_and_every_field_is_absent(void **state)
{
	static const char *const texts[] = {
		"{\"eventType\":\"SoldOut\",\"sequence\":3}",
		"{\"eventType\":\"SoldOut\",\"sequence\":3,\"data\":null}",
		"{\"eventType\":\"SoldOut\",\"sequence\":3,\"data\":[]}",
	};
	struct decoded *d = *state;

	for (size_t i = 0; i < COUNT(texts); i++) {
		decode_fault(d, stock, texts[i], DECODE_INVALID, "no data",
			     "field data: missing or not an object");
		assert_int_equal(pj_event_type(d->ev), PJ_SOLD_OUT);
		assert_int_equal(d->ev->sequence, 3);
		for (unsigned f = 0; f < stock->n_fields; f++) {
			const struct pj_data *data = pj_event_data(d->ev);

			assert_int_equal(pj_has(data, f), PJ_ABSENT);
			assert_str(pj_string(data, f), "");
		}
	}
}

/* ---- Types ------------------------------------------------------------- */

static void
an_unlisted_type_is_skipped_whatever_the_rest_looks_like(void **state)
{
	static const char *const texts[] = {
		"{\"eventType\":\"Other\"," DATA "}",
		"{\"eventType\":\"soldout\"," DATA "}",
		"{\"eventType\":\"SoldOut \"," DATA "}",
		"{\"eventType\":\"SoldOut\\u0000\"," DATA "}",
		"{\"eventType\":\"Other\"}",
		"{\"eventType\":\"Other\",\"data\":7}",
		"{\"eventType\":\"Other\",\"occurrenceDateTime\":\"x\"}",
		"{\"eventType\":\"Other\",\"sequence\":\"x\"}",
	};
	struct decoded *d = *state;

	for (size_t i = 0; i < COUNT(texts); i++) {
		decode_text(d, stock, texts[i]);
		assert_int_equal(d->result, DECODE_SKIP);
	}
	decode_text(d, &pj_topic_coupon,
		    "{\"eventType\":\"CouponApplied\",\"data\":{}}");
	assert_int_equal(d->result, DECODE_SKIP);
}

static void
korean_type_names_are_aliases_composed_or_not(void **state)
{
	/* Composed, as jamo, escaped, and a syllable with a loose final. */
	static const char *const names[] = {
		"배달생성",
		"\u1107\u1162\u1103\u1161\u11af\u1109\u1162\u11bc"
		"\u1109\u1165\u11bc",
		"\\u1107\\u1162\\u1103\\u1161\\u11af\\u1109\\u1162\\u11bc"
		"\\u1109\\u1165\\u11bc",
		"\u1107\u1162\ub2e4\u11af\uc0dd\uc131",
	};
	/* One jamo more or less, and letters that only look alike. */
	static const char *const others[] = {
		"배달생",
		"배달생성성",
		"\u1107\u1162\u1103\u1161\u1109\u1162\u11bc\u1109\u1165\u11bc",
		("\u1107\u1162\u1103\u1161\u11af\u11af\u1109\u1162\u11bc"
		 "\u1109\u1165\u11bc"),
		"\u3142\u3150\u3137\u314f\u3139",
	};
	struct decoded *d = *state;
	char text[256];

	for (size_t i = 0; i < COUNT(names); i++) {
		(void)snprintf(text, sizeof(text),
			       "{\"eventType\":\"%s\",\"data\":{\"deliveryId\":"
			       "\"d\",\"orderId\":\"o\",\"shopId\":\"s\"}}",
			       names[i]);
		(void)decode_event(d, &pj_topic_delivery, text);
		assert_int_equal(pj_event_type(d->ev), PJ_DELIVERY_CREATED);
		assert_string_equal(pj_event_type_name(d->ev),
				    "DeliveryCreated");
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		(void)snprintf(text, sizeof(text),
			       "{\"eventType\":\"%s\",\"data\":{}}", others[i]);
		decode_text(d, &pj_topic_delivery, text);
		assert_int_equal(d->result, DECODE_SKIP);
	}
}

static void
every_alias_is_found_in_its_decomposed_form(void **state)
{
	static const struct {
		const char *jamo;
		int type;
	} cases[] = {
		{"\u1107\u1162\u110e\u1161\u110b\u116a\u11ab\u1105\u116d",
		 PJ_RIDER_ASSIGNED},
		{"\u1107\u1162\u110e\u1161\u110e\u1171\u1109\u1169",
		 PJ_RIDER_UNASSIGNED},
		{"\u1111\u1175\u11a8\u110b\u1165\u11b8\u110b\u116a\u11ab"
		 "\u1105\u116d",
		 PJ_PICKED_UP},
		{"\u1107\u1162\u1103\u1161\u11af\u110b\u116a\u11ab\u1105\u116d",
		 PJ_DELIVERY_COMPLETED},
		{"\u1107\u1162\u1103\u1161\u11af\u110e\u1171\u1109\u1169",
		 PJ_DELIVERY_CANCELLED},
	};
	struct decoded *d = *state;
	char text[256];

	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)snprintf(text, sizeof(text),
			       "{\"eventType\":\"%s\",\"data\":{\"deliveryId\":"
			       "\"d\",\"riderId\":\"r\"}}",
			       cases[i].jamo);
		(void)decode_event(d, &pj_topic_delivery, text);
		assert_int_equal(pj_event_type(d->ev), cases[i].type);
	}
}

/* ---- Time -------------------------------------------------------------- */

static void
the_event_time_has_two_spellings_and_three_forms(void **state)
{
	static const struct {
		const char *more;
		int64_t ms;
	} cases[] = {
		{"", RECORD_TIME},
		{",\"occurrenceDateTime\":null", RECORD_TIME},
		{",\"occurenceDateTime\":null", RECORD_TIME},
		{",\"occurrenceDateTime\":\"2023-11-15 12:00:04\"",
		 1700017204000},
		{",\"occurenceDateTime\":\"2023-11-15 12:00:04.25\"",
		 1700017204250},
		{",\"occurenceDateTime\":\"2023-11-15T03:00:04Z\"",
		 1700017204000},
		{",\"occurrenceDateTime\":1700017204001", 1700017204001},
		{",\"occurrenceDateTime\":0", 0},
		{",\"occurrenceDateTime\":-1", -1},
		/* Both: one instant, or one of them null. */
		{",\"occurenceDateTime\":1700017204000,"
		 "\"occurrenceDateTime\":\"2023-11-15 12:00:04\"",
		 1700017204000},
		{",\"occurenceDateTime\":7,\"occurrenceDateTime\":null", 7},
		{",\"occurenceDateTime\":null,\"occurrenceDateTime\":8", 8},
	};
	struct decoded *d = *state;
	char text[256];

	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)snprintf(text, sizeof(text), SOLD_OUT("%s"),
			       cases[i].more);
		(void)decode_event(d, stock, text);
		assert_int_equal(pj_event_time_ms(d->ev), cases[i].ms);
	}
}

static void
an_unreadable_time_is_a_fault_but_the_document_is_known(void **state)
{
	static const char *const times[] = {
		"\"\"",
		"\"yesterday\"",
		"1700017204000.0",
		"1.7e12",
		"true",
		"{}",
		"[]",
		"\"2023-13-01 00:00:00\"",
		"9223372036854775807",
		"\"1700017204000\"",
	};
	struct decoded *d = *state;
	char text[256];

	for (size_t i = 0; i < COUNT(times); i++) {
		(void)snprintf(text, sizeof(text),
			       SOLD_OUT(",\"occurenceDateTime\":%s"), times[i]);
		decode_fault(d, stock, text, DECODE_INVALID, "unreadable time",
			     "event time: neither yyyy-MM-dd HH:mm:ss, nor "
			     "RFC 3339, nor epoch milliseconds");
		assert_str(pj_string(pj_event_data(d->ev), PJ_STOCK__SHOP_ID),
			   "s");
		assert_int_equal(pj_event_time_ms(d->ev), 0);
		assert_int_equal(pj_event_local_date(d->ev).len, 0);
	}
	decode_fault(d, stock,
		     SOLD_OUT(",\"occurenceDateTime\":1,"
			      "\"occurrenceDateTime\":2"),
		     DECODE_INVALID, "two event times",
		     "event time: sent in two spellings that do not agree");
}

static void
without_any_time_the_record_is_at_fault(void **state)
{
	static const char sold_out[] = SOLD_OUT("");
	struct decoded *d = *state;

	decode_record(d, stock, "k", sold_out, strlen(sold_out), -1);
	assert_int_equal(d->result, DECODE_INVALID);
	assert_string_equal(d->cause, "no time");
	decode_record(d, stock, "k", NULL, 0, -1);
	assert_int_equal(d->result, DECODE_INVALID);
	assert_string_equal(d->cause, "no time");
	assert_int_equal(pj_event_type(d->ev), PJ_TOMBSTONE);
	decode_record(d, stock, "k", sold_out, strlen(sold_out), INT64_MAX);
	assert_int_equal(d->result, DECODE_INVALID);
	assert_string_equal(d->cause, "unreadable time");
}

/* ---- Sequence, keys, tombstones ---------------------------------------- */

static void
a_sequence_is_a_positive_integer(void **state)
{
	static const char *const wrong[] = {"0",   "-1",   "1.0", "\"1\"",
					    "1e0", "true", "{}"};
	struct decoded *d = *state;
	char text[256];

	(void)decode_event(d, stock, SOLD_OUT(",\"sequence\":7"));
	assert_int_equal(d->ev->sequence, 7);
	assert_int_equal(decode_last_sequence(d->dec), 7);
	(void)decode_event(d, stock, SOLD_OUT(",\"sequence\":null"));
	assert_int_equal(d->ev->sequence, 0);
	assert_int_equal(decode_last_sequence(d->dec), 0);
	assert_false(decode_sequence_is_invalid(d->dec));
	for (size_t i = 0; i < COUNT(wrong); i++) {
		(void)snprintf(text, sizeof(text), SOLD_OUT(",\"sequence\":%s"),
			       wrong[i]);
		decode_fault(d, stock, text, DECODE_INVALID, "invalid sequence",
			     "field sequence: not a positive integer");
		assert_int_equal(d->ev->sequence, 0);
		assert_true(decode_sequence_is_invalid(d->dec));
	}
	decode_text(d, stock, "{");
	assert_false(decode_sequence_is_invalid(d->dec));
}

static void
a_skipped_record_still_tells_its_sequence(void **state)
{
	struct decoded *d = *state;

	decode_text(d, stock, "{\"eventType\":\"Other\",\"sequence\":12}");
	assert_int_equal(d->result, DECODE_SKIP);
	assert_int_equal(decode_last_sequence(d->dec), 12);
	decode_text(d, stock, "{\"eventType\":\"Other\"}");
	assert_int_equal(decode_last_sequence(d->dec), 0);
	decode_text(d, stock, "{");
	assert_int_equal(decode_last_sequence(d->dec), 0);
}

static void
a_key_is_raw_bytes_or_the_string_of_a_json_string(void **state)
{
	static const struct {
		const char *key, *want;
	} cases[] = {
		{"shop-1", "shop-1"},
		{"\"shop-1\"", "shop-1"},
		{"\"a\\u0062\\n\\\"\"", "ab\n\""},
		{"", ""},
		{"\"\"", ""},
		{"\"", "\""},
		{"\"a", "\"a"},
		{"a\"", "a\""},
		{"\"a\"b\"", "\"a\"b\""},
		{"\"a\\\"", "\"a\\\""},
		{"\"\xff\"", "\"\xff\""},
		{"\xff", "\xff"},
		{"17", "17"},
		{" \"a\"", " \"a\""},
	};
	struct decoded *d = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pj_str key = {cases[i].key, strlen(cases[i].key)};

		assert_str(decode_key(d->dec, key), cases[i].want);
		decode_record(d, stock, cases[i].key, SOLD_OUT(""),
			      strlen(SOLD_OUT("")), RECORD_TIME);
		assert_str(pj_event_key(d->ev), cases[i].want);
	}
}

static void
asking_for_another_key_leaves_the_events_key_alone(void **state)
{
	struct decoded *d = *state;

	decode_record(d, stock, "\"\\u0061bc\"", SOLD_OUT(""),
		      strlen(SOLD_OUT("")), RECORD_TIME);
	assert_str(decode_key(d->dec, PJ_STR("\"\\u0078yz\"")), "xyz");
	assert_str(pj_event_key(d->ev), "abc");
	decode_record(d, stock, NULL, SOLD_OUT(""), strlen(SOLD_OUT("")),
		      RECORD_TIME);
	assert_int_equal(pj_event_key(d->ev).len, 0);
}

static void
a_null_value_is_a_tombstone_at_the_records_time(void **state)
{
	struct decoded *d = *state;

	decode_record(d, stock, "\"s:p\"", NULL, 0, 1700017204000);
	assert_int_equal(d->result, DECODE_EVENT);
	assert_int_equal(pj_event_type(d->ev), PJ_TOMBSTONE);
	assert_string_equal(pj_event_type_name(d->ev), "");
	assert_null(pj_event_data(d->ev));
	assert_int_equal(pj_event_time_ms(d->ev), 1700017204000);
	assert_str(pj_event_local_date(d->ev), "2023-11-15");
	assert_str(pj_event_key(d->ev), "s:p");
	assert_int_equal(d->ev->sequence, 0);
	/* An empty value is none. */
	decode_record(d, stock, "s", "", 0, 1700017204000);
	assert_int_equal(d->result, DECODE_UNREADABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_gives_type_time_and_data),
		cmocka_unit_test(
			members_come_in_any_order_and_unknown_ones_are_ignored),
		cmocka_unit_test(a_local_date_is_of_its_own_event),
		cmocka_unit_test(what_is_no_strict_json_is_unreadable),
		cmocka_unit_test(without_an_object_or_a_type_it_is_unreadable),
		cmocka_unit_test(
			without_data_it_is_invalid_and_every_field_is_absent),
		cmocka_unit_test(
			an_unlisted_type_is_skipped_whatever_the_rest_looks_like),
		cmocka_unit_test(korean_type_names_are_aliases_composed_or_not),
		cmocka_unit_test(every_alias_is_found_in_its_decomposed_form),
		cmocka_unit_test(
			the_event_time_has_two_spellings_and_three_forms),
		cmocka_unit_test(
			an_unreadable_time_is_a_fault_but_the_document_is_known),
		cmocka_unit_test(without_any_time_the_record_is_at_fault),
		cmocka_unit_test(a_sequence_is_a_positive_integer),
		cmocka_unit_test(a_skipped_record_still_tells_its_sequence),
		cmocka_unit_test(
			a_key_is_raw_bytes_or_the_string_of_a_json_string),
		cmocka_unit_test(
			asking_for_another_key_leaves_the_events_key_alone),
		cmocka_unit_test(
			a_null_value_is_a_tombstone_at_the_records_time),
	};

	return cmocka_run_group_tests(tests, decoded_setup, decoded_teardown);
}
