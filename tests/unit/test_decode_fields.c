/* SPDX-License-Identifier: Apache-2.0 */
/* Data against the topics' tables. */
#include "tests/unit/decode_read.h"

#include <stdio.h>

#include "lib/buf.h"

static const struct pj_topic *const shop = &pj_topic_shop;

static void
a_required_field_that_is_missing_or_null_is_a_fault(void **state)
{
	struct decoded *d = *state;

	decode_fault(d, shop,
		     "{\"eventType\":\"ShopRegistered\",\"data\":{\"shopId\":"
		     "\"s\"}}",
		     DECODE_INVALID, "missing field", "field name: missing");
	assert_str(pj_string(pj_event_data(d->ev), PJ_SHOP__SHOP_ID), "s");
	decode_fault(d, shop,
		     "{\"eventType\":\"ShopRegistered\",\"data\":{\"name\":null"
		     ",\"shopId\":\"s\"}}",
		     DECODE_INVALID, "missing field", "field name: null");
	assert_str(pj_string(pj_event_data(d->ev), PJ_SHOP__SHOP_ID), "s");
	assert_int_equal(pj_has(pj_event_data(d->ev), PJ_SHOP__NAME),
			 PJ_ABSENT);
	decode_fault(d, shop, "{\"eventType\":\"ShopOpened\",\"data\":{}}",
		     DECODE_INVALID, "missing field", "field shopId: missing");
}

static void
an_optional_null_is_absent_but_removes_in_a_change(void **state)
{
	struct decoded *d = *state;
	const struct pj_data *data = decode_event(
		d, shop,
		"{\"eventType\":\"ShopRegistered\",\"data\":{\"shopId\":\"s\","
		"\"name\":\"n\",\"category\":null}}");

	assert_int_equal(pj_has(data, PJ_SHOP__CATEGORY), PJ_ABSENT);
	data = decode_event(
		d, shop,
		"{\"eventType\":\"ShopInfoChanged\",\"data\":{\"shopId\":\"s\","
		"\"category\":null,\"address\":\"a\"}}");
	assert_int_equal(pj_has(data, PJ_SHOP__CATEGORY), PJ_NULL);
	assert_int_equal(pj_has(data, PJ_SHOP__ADDRESS), PJ_VALUE);
	assert_int_equal(pj_has(data, PJ_SHOP__NAME), PJ_ABSENT);
	assert_int_equal(pj_string(data, PJ_SHOP__CATEGORY).len, 0);
	assert_null(event_data_value(data, PJ_SHOP__CATEGORY).tape);
	/* What registration requires cannot be removed. */
	decode_fault(d, shop,
		     "{\"eventType\":\"ShopInfoChanged\",\"data\":{\"shopId\":"
		     "\"s\",\"name\":null}}",
		     DECODE_INVALID, "missing field", "field name: null");
	data = decode_event(d, &pj_topic_review,
			    "{\"eventType\":\"ReviewEdited\",\"data\":{"
			    "\"reviewId\":\"r\",\"shopId\":\"s\",\"rating\":5,"
			    "\"previousRating\":4,\"text\":null}}");
	assert_int_equal(pj_has(data, PJ_REVIEW__TEXT), PJ_NULL);
}

static void
a_field_the_type_does_not_list_is_not_looked_at(void **state)
{
	struct decoded *d = *state;
	const struct pj_data *data =
		decode_event(d, &pj_topic_stock,
			     "{\"eventType\":\"SoldOut\",\"data\":{"
			     "\"shopId\":\"s\",\"productId\":\"p\","
			     "\"quantity\":\"many\",\"soldOut\":1}}");

	assert_int_equal(pj_has(data, PJ_STOCK__QUANTITY), PJ_ABSENT);
	assert_int_equal(pj_int(data, PJ_STOCK__QUANTITY), 0);
	assert_int_equal(pj_has(data, PJ_STOCK__SOLD_OUT), PJ_ABSENT);
	assert_int_equal(pj_has(data, 63), PJ_ABSENT);
}

/* ---- Types of values --------------------------------------------------- */

/* One value in one field of the topic's first type, else well made. */
static void
try_value(struct decoded *d, const struct pj_topic *topic, const char *before,
	  const char *field, const char *value)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "{\"eventType\":\"%s\",\"data\":{%s\"%s\":%s}}",
		   topic->types[0].name, before, field, value);
	decode_text(d, topic, text.data);
	buf_release(&text);
}

static void
every_type_takes_its_own_values_only(void **state)
{
	static const char shop_ok[] = "\"shopId\":\"s\",\"name\":\"n\",";
	static const char stock_ok[] =
		"\"shopId\":\"s\",\"productId\":\"p\",\"quantity\":1,";
	static const char coupon_ok[] =
		"\"couponId\":\"c\",\"name\":\"n\",\"amount\":1,"
		"\"totalQuantity\":1,";
	static const struct {
		const struct pj_topic *topic;
		const char *before, *field;
		const char *good, *bad; /* separated by blanks */
		const char *text;	/* for the first bad one */
	} cases[] = {
		{&pj_topic_shop, shop_ok, "category",
		 "\"\" \"a\\u0000b\" \"1\"", "1 true {} [] 1.5",
		 "field category: integer, not a string"},
		{&pj_topic_shop, shop_ok, "areaId", "\"a\" \"\\u00e9\"",
		 "1 true {} []", "field areaId: integer, not a string"},
		{&pj_topic_shop, shop_ok, "deliveryTip",
		 "0 -1 9223372036854775807 -9223372036854775808",
		 "\"1\" 1.0 1e2 true {} []",
		 "field deliveryTip: string, not an integer"},
		{&pj_topic_shop, shop_ok, "location",
		 "{} {\"lat\":\"\\u0000\",\"lng\":{\"x\":[1.5]}}",
		 "[] 1 \"{}\" false", "field location: array, not an object"},
		{&pj_topic_shop, shop_ok, "hours", "[] [1,\"a\",null,{}]",
		 "{} 1 \"[]\"", "field hours: object, not an array"},
		{&pj_topic_stock, stock_ok, "soldOut", "true false",
		 "1 \"true\" {} []", "field soldOut: integer, not a boolean"},
		{&pj_topic_coupon, coupon_ok, "opensAt",
		 "0 \"2023-11-15T03:00:04Z\" 1700017204000", "true 1.5 {} []",
		 "field opensAt: boolean, not a time"},
	};
	struct decoded *d = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char list[128];
		char *rest = strcpy(list, cases[i].good);

		for (char *value; (value = strtok_r(rest, " ", &rest));) {
			try_value(d, cases[i].topic, cases[i].before,
				  cases[i].field, value);
			if (d->result != DECODE_EVENT)
				fail_msg("%s %s: %s", cases[i].field, value,
					 d->err.text);
		}
		rest = strcpy(list, cases[i].bad);
		for (char *value; (value = strtok_r(rest, " ", &rest));) {
			try_value(d, cases[i].topic, cases[i].before,
				  cases[i].field, value);
			if (d->result != DECODE_INVALID)
				fail_msg("%s %s was taken", cases[i].field,
					 value);
			assert_string_equal(d->cause, "wrong type");
			if (value == list)
				assert_string_equal(d->err.text, cases[i].text);
		}
	}
}

static void
an_id_is_not_empty_at_most_256_bytes_and_without_nul(void **state)
{
	struct decoded *d = *state;
	char id[2 + 257 + 1];

	memset(id, 'x', sizeof(id));
	id[0] = '"';
	id[257] = '"';
	id[258] = '\0';
	try_value(d, shop, "\"name\":\"n\",", "shopId", id);
	assert_int_equal(d->result, DECODE_EVENT);
	assert_int_equal(pj_string(pj_event_data(d->ev), PJ_SHOP__SHOP_ID).len,
			 256);
	id[257] = 'x';
	id[258] = '"';
	id[259] = '\0';
	try_value(d, shop, "\"name\":\"n\",", "shopId", id);
	assert_int_equal(d->result, DECODE_INVALID);
	assert_string_equal(d->err.text, "field shopId: longer than 256 bytes");
	try_value(d, shop, "\"name\":\"n\",", "shopId", "\"\"");
	assert_string_equal(d->err.text, "field shopId: empty");
	assert_string_equal(d->cause, "invalid id");
	try_value(d, shop, "\"name\":\"n\",", "shopId", "\"a\\u0000\"");
	assert_string_equal(d->err.text, "field shopId: contains U+0000");
	assert_int_equal(pj_has(pj_event_data(d->ev), PJ_SHOP__SHOP_ID),
			 PJ_ABSENT);
}

static void
a_rating_is_1_to_10(void **state)
{
	static const char before[] = "\"reviewId\":\"r\",\"shopId\":\"s\",";
	struct decoded *d = *state;

	for (int i = -1; i <= 12; i++) {
		char number[16];
		bool fine = i >= 1 && i <= 10;

		(void)snprintf(number, sizeof(number), "%d", i);
		try_value(d, &pj_topic_review, before, "rating", number);
		assert_int_equal(d->result,
				 fine ? DECODE_EVENT : DECODE_INVALID);
		assert_int_equal(
			pj_int(pj_event_data(d->ev), PJ_REVIEW__RATING),
			fine ? i : 0);
	}
	assert_string_equal(d->cause, "invalid rating");
	assert_string_equal(d->err.text, "field rating: not within 1 to 10");
}

static void
a_date_in_data_has_the_event_times_forms(void **state)
{
	static const char before[] = "\"couponId\":\"c\",\"name\":\"n\","
				     "\"amount\":1,\"totalQuantity\":1,";
	struct decoded *d = *state;

	try_value(d, &pj_topic_coupon, before, "opensAt",
		  "\"2023-11-15 12:00:04\"");
	assert_int_equal(pj_date_ms(pj_event_data(d->ev), PJ_COUPON__OPENS_AT),
			 1700017204000);
	try_value(d, &pj_topic_coupon, before, "opensAt", "-5");
	assert_int_equal(pj_date_ms(pj_event_data(d->ev), PJ_COUPON__OPENS_AT),
			 -5);
	try_value(d, &pj_topic_coupon, before, "opensAt", "\"soon\"");
	assert_int_equal(d->result, DECODE_INVALID);
	assert_string_equal(d->cause, "unreadable time");
	assert_string_equal(d->err.text, "field opensAt: not a time");
	try_value(d, &pj_topic_coupon, before, "opensAt",
		  "9223372036854775807");
	assert_int_equal(d->result, DECODE_INVALID);
}

static void
a_kept_value_is_handed_on_as_it_stands_unless_a_name_has_a_nul(void **state)
{
	static const char before[] = "\"shopId\":\"s\",\"name\":\"n\",";
	struct decoded *d = *state;
	struct event_value value;

	try_value(d, shop, before, "hours", "[{\"a\":\"\\u0000\"},2]");
	assert_int_equal(d->result, DECODE_EVENT);
	value = event_data_value(pj_event_data(d->ev), PJ_SHOP__HOURS);
	assert_int_equal(value.tape[value.index].type, JSON_ARRAY);
	assert_int_equal(value.tape[value.index].count, 2);
	assert_int_equal(event_data_type(pj_event_data(d->ev), PJ_SHOP__HOURS),
			 PJ_TYPE_ARRAY);
	assert_ptr_equal(event_data_field(pj_event_data(d->ev), PJ_SHOP__HOURS),
			 &shop->fields[PJ_SHOP__HOURS]);
	assert_int_equal(event_data_n_fields(pj_event_data(d->ev)),
			 shop->n_fields);
	try_value(d, shop, before, "hours", "[{\"a\":[{\"\\u0000\":1}]}]");
	assert_int_equal(d->result, DECODE_INVALID);
	assert_string_equal(d->cause, "invalid name");
	try_value(d, shop, before, "location", "{\"a\":1,\"b\\u0000\":1}");
	assert_int_equal(d->result, DECODE_INVALID);
}

/* ---- Lists ------------------------------------------------------------- */

#define ORDER(LINES)                                                           \
	"{\"eventType\":\"OrderCreated\",\"data\":{\"orderId\":\"o\","         \
	"\"shopId\":\"s\",\"totalAmount\":5,\"lines\":" LINES "}}"

static void
list_items_are_read_by_their_own_table(void **state)
{
	struct decoded *d = *state;
	const struct pj_data *data = decode_event(
		d, &pj_topic_order,
		ORDER("[{\"productId\":\"a\",\"quantity\":2,\"unitPrice\":3,"
		      "\"more\":1},{\"unitPrice\":-4,\"name\":null,"
		      "\"quantity\":0,\"productId\":\"b\"}]"));
	const struct pj_data *line;

	assert_int_equal(pj_list_len(data, PJ_ORDER__LINES), 2);
	line = pj_list_at(data, PJ_ORDER__LINES, 0);
	assert_str(pj_string(line, PJ_LINE__PRODUCT_ID), "a");
	assert_int_equal(pj_int(line, PJ_LINE__QUANTITY), 2);
	assert_int_equal(pj_int(line, PJ_LINE__UNIT_PRICE), 3);
	assert_int_equal(pj_has(line, PJ_LINE__NAME), PJ_ABSENT);
	line = pj_list_at(data, PJ_ORDER__LINES, 1);
	assert_str(pj_string(line, PJ_LINE__PRODUCT_ID), "b");
	assert_int_equal(pj_int(line, PJ_LINE__UNIT_PRICE), -4);
	assert_int_equal(pj_has(line, PJ_LINE__NAME), PJ_ABSENT);
	assert_null(pj_list_at(data, PJ_ORDER__LINES, 2));
	data = decode_event(d, &pj_topic_order, ORDER("[]"));
	assert_int_equal(pj_has(data, PJ_ORDER__LINES), PJ_VALUE);
	assert_int_equal(pj_list_len(data, PJ_ORDER__LINES), 0);
}

static void
a_fault_in_an_item_is_the_lists_and_says_where(void **state)
{
	static const char good[] =
		"{\"productId\":\"a\",\"quantity\":2,\"unitPrice\":3}";
	static const struct {
		const char *item, *cause, *text;
	} cases[] = {
		{"7", "wrong type", "field lines[1]: integer, not an object"},
		{"null", "wrong type", "field lines[1]: null, not an object"},
		{"{\"productId\":\"a\",\"quantity\":2}", "missing field",
		 "field lines[1].unitPrice: missing"},
		{"{\"productId\":\"a\",\"quantity\":null,\"unitPrice\":3}",
		 "missing field", "field lines[1].quantity: null"},
		{"{\"productId\":\"a\",\"quantity\":2.5,\"unitPrice\":3}",
		 "wrong type",
		 "field lines[1].quantity: number with a fraction or exponent, "
		 "not an integer"},
		{"{\"productId\":\"\",\"quantity\":2,\"unitPrice\":3}",
		 "invalid id", "field lines[1].productId: empty"},
		{"{\"productId\":\"a\",\"quantity\":2,\"unitPrice\":3,"
		 "\"name\":4}",
		 "wrong type", "field lines[1].name: integer, not a string"},
	};
	struct decoded *d = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text), ORDER("[%s,%s,%s]"), good,
			       cases[i].item, good);
		decode_fault(d, &pj_topic_order, text, DECODE_INVALID,
			     cases[i].cause, cases[i].text);
		assert_int_equal(pj_has(pj_event_data(d->ev), PJ_ORDER__LINES),
				 PJ_ABSENT);
		assert_str(pj_string(pj_event_data(d->ev), PJ_ORDER__ORDER_ID),
			   "o");
	}
	decode_fault(d, &pj_topic_order, ORDER("{}"), DECODE_INVALID,
		     "wrong type", "field lines: object, not an array");
	/* A cancellation need not have lines, but those it has are read. */
	decode_fault(
		d, &pj_topic_order,
		"{\"eventType\":\"OrderCancelled\",\"data\":{\"orderId\":"
		"\"o\",\"shopId\":\"s\",\"totalAmount\":5,\"lines\":[{}]}}",
		DECODE_INVALID, "missing field",
		"field lines[0].productId: missing");
}

static void
a_list_may_be_long(void **state)
{
	enum { N = 20000 };
	struct decoded *d = *state;
	struct buf text = BUF_INIT;
	const struct pj_data *data;

	for (int round = 0; round < 3; round++) {
		buf_clear(&text);
		buf_addstr(&text, "{\"eventType\":\"OrderCreated\",\"data\":{"
				  "\"orderId\":\"o\",\"shopId\":\"s\","
				  "\"totalAmount\":5,\"lines\":[");
		for (int i = 0; i < N; i++)
			buf_printf(&text,
				   "%s{\"productId\":\"p%d\",\"quantity\":%d,"
				   "\"unitPrice\":1}",
				   i ? "," : "", i, i);
		buf_addstr(&text, "]}}");
		data = decode_event(d, &pj_topic_order, text.data);
		assert_int_equal(pj_list_len(data, PJ_ORDER__LINES), N);
		for (int i = 0; i < N; i++)
			assert_int_equal(
				pj_int(pj_list_at(data, PJ_ORDER__LINES,
						  (size_t)i),
				       PJ_LINE__QUANTITY),
				i);
		/* A short one in between uses the memory again. */
		data = decode_event(d, &pj_topic_order, ORDER("[]"));
		assert_str(pj_string(data, PJ_ORDER__ORDER_ID), "o");
	}
	buf_release(&text);
}

/* ---- Several faults, several topics ------------------------------------ */

static void
the_first_fault_is_told_and_healthy_fields_can_be_read(void **state)
{
	struct decoded *d = *state;
	const struct pj_data *data;

	decode_fault(d, shop,
		     "{\"eventType\":\"ShopRegistered\",\"data\":{"
		     "\"category\":1,\"shopId\":\"s\",\"address\":2,"
		     "\"areaId\":\"x\"}}",
		     DECODE_INVALID, "wrong type",
		     "field category: integer, not a string");
	data = pj_event_data(d->ev);
	assert_str(pj_string(data, PJ_SHOP__SHOP_ID), "s");
	assert_str(pj_string(data, PJ_SHOP__AREA_ID), "x");
	assert_int_equal(pj_has(data, PJ_SHOP__CATEGORY), PJ_ABSENT);
	assert_int_equal(pj_has(data, PJ_SHOP__ADDRESS), PJ_ABSENT);
	decode_fault(d, shop,
		     "{\"eventType\":\"ShopRegistered\",\"data\":{"
		     "\"category\":1,\"shopId\":\"s\"},"
		     "\"occurrenceDateTime\":\"\"}",
		     DECODE_INVALID, "unreadable time",
		     "event time: neither yyyy-MM-dd HH:mm:ss, nor RFC 3339, "
		     "nor epoch milliseconds");
	data = pj_event_data(d->ev);
	assert_str(pj_string(data, PJ_SHOP__SHOP_ID), "s");
	assert_int_equal(pj_has(data, PJ_SHOP__CATEGORY), PJ_ABSENT);
}

static void
one_decoder_reads_many_topics_each_by_its_own_table(void **state)
{
	struct decoded *d = *state;

	for (int i = 0; i < 3; i++) {
		const struct pj_data *data =
			decode_event(d, &pj_topic_price,
				     "{\"eventType\":\"PriceChanged\",\"data\":"
				     "{\"shopId\":\"s\",\"productId\":\"p\","
				     "\"price\":7}}");

		assert_int_equal(pj_int(data, PJ_PRICE__PRICE), 7);
		data = decode_event(
			d, &pj_topic_product,
			"{\"eventType\":\"ProductRegistered\",\"data\":{"
			"\"shopId\":\"s\",\"productId\":\"p\",\"name\":\"n\","
			"\"price\":8}}");
		assert_int_equal(pj_int(data, PJ_PRODUCT__PRICE), 8);
		decode_text(d, &pj_topic_stock,
			    "{\"eventType\":\"PriceChanged\",\"data\":{}}");
		assert_int_equal(d->result, DECODE_SKIP);
	}
}

static void
a_table_of_64_fields_is_read_by_name(void **state)
{
	static char names[64][4];
	static struct pj_field fields[64];
	static const struct pj_event_type type = {
		.name = "T", .fields = UINT64_MAX, .required = PJ_BIT(63)};
	static struct pj_topic topic = {.size = sizeof(topic),
					.name = "wide",
					.fields = fields,
					.n_fields = 64,
					.types = &type,
					.n_types = 1};
	struct decoded *d = *state;
	struct buf text = BUF_INIT;
	const struct pj_data *data;

	buf_addstr(&text, "{\"eventType\":\"T\",\"data\":{\"zz\":1");
	for (unsigned i = 0; i < 64; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%u", i);
		fields[i].name = names[i];
		fields[i].type = PJ_TYPE_INT;
		buf_printf(&text, ",\"%s\":%u", names[i], i * 3);
	}
	buf_addstr(&text, "}}");
	data = decode_event(d, &topic, text.data);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(pj_int(data, i), i * 3);
	decode_fault(d, &topic, "{\"eventType\":\"T\",\"data\":{\"f62\":1}}",
		     DECODE_INVALID, "missing field", "field f63: missing");
	buf_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_required_field_that_is_missing_or_null_is_a_fault),
		cmocka_unit_test(
			an_optional_null_is_absent_but_removes_in_a_change),
		cmocka_unit_test(
			a_field_the_type_does_not_list_is_not_looked_at),
		cmocka_unit_test(every_type_takes_its_own_values_only),
		cmocka_unit_test(
			an_id_is_not_empty_at_most_256_bytes_and_without_nul),
		cmocka_unit_test(a_rating_is_1_to_10),
		cmocka_unit_test(a_date_in_data_has_the_event_times_forms),
		cmocka_unit_test(
			a_kept_value_is_handed_on_as_it_stands_unless_a_name_has_a_nul),
		cmocka_unit_test(list_items_are_read_by_their_own_table),
		cmocka_unit_test(
			a_fault_in_an_item_is_the_lists_and_says_where),
		cmocka_unit_test(a_list_may_be_long),
		cmocka_unit_test(
			the_first_fault_is_told_and_healthy_fields_can_be_read),
		cmocka_unit_test(
			one_decoder_reads_many_topics_each_by_its_own_table),
		cmocka_unit_test(a_table_of_64_fields_is_read_by_name),
	};

	return cmocka_run_group_tests(tests, decoded_setup, decoded_teardown);
}
