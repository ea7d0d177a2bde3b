/* SPDX-License-Identifier: Apache-2.0 */
#include "decode_read.h"

#include "projector/router.h"

const struct pj_projection *
pj_projection_stock(void);
const struct pj_projection *
pj_projection_shop(void);
const struct pj_projection *
pj_projection_shop_products(void);
const struct pj_projection *
pj_projection_sales(void);
const struct pj_projection *
pj_projection_order(void);

/* ---- A module with as many keys as the quantity says --------------------- */

static const struct pj_reads many_reads[] = {
	{&pj_topic_stock, PJ_BIT(PJ_RESTOCKED)},
	{NULL, 0},
};

static const struct pj_shape many_shape[] = {
	{.name = "n", .type = PJ_SERVED_INT},
	{.name = NULL},
};

static void
many_key(const struct pj_options *options, const struct pj_event *ev,
	 struct pj_keys *keys)
{
	const struct pj_data *data = pj_event_data(ev);
	char text[32];

	(void)options;
	for (int64_t i = 0; i < pj_int(data, PJ_STOCK__QUANTITY); i++) {
		int len = snprintf(text, sizeof(text), "k%d", (int)i);

		pj_key(keys, (struct pj_str){text, (size_t)len});
		pj_key(keys, PJ_STR("k0"));
	}
}

static enum pj_fold
many_fold(const struct pj_options *options, const struct pj_event *ev,
	  struct pj_doc *doc, struct pj_error *err)
{
	(void)options;
	(void)ev;
	(void)err;
	(void)pj_set_int(pj_doc_root(doc), "n", 1);
	return PJ_DONE;
}

PJ_PROJECTION(many){
	PJ_PROJECTION_HEAD,  .name = "many",
	.version = 1,	     .summary = "As many documents as asked for",
	.reads = many_reads, .shape = many_shape,
	.key = many_key,     .fold = many_fold,
};

/* ---- Fixture --------------------------------------------------------------
 */

enum { STOCK, SHOP, SHOP_PRODUCTS, SALES, ORDER, MANY, LANES };

static struct lanes lanes;
static struct module *mods[LANES];
static struct router *router;
static const struct route *routes;
static size_t n_routes;

static int
setup(void **state)
{
	static const struct pj_projection *(*const make[LANES])(void) = {
		pj_projection_stock,	     pj_projection_shop,
		pj_projection_shop_products, pj_projection_sales,
		pj_projection_order,	     pj_projection_many,
	};
	struct pj_error err;

	memset(&lanes, 0, sizeof(lanes));
	for (unsigned i = 0; i < LANES; i++) {
		if (module_adopt(make[i](), make[i]()->name, "linked", NULL,
				 &mods[i], &err))
			fail_msg("%s", err.text);
		lanes.lane[i].mod = mods[i];
		lanes.lane[i].index = lanes.n++;
	}
	router = router_new(&lanes);
	return decoded_setup(state);
}

static int
teardown(void **state)
{
	router_free(router);
	for (unsigned i = 0; i < LANES; i++)
		module_free(mods[i]);
	return decoded_teardown(state);
}

static void
route(struct decoded *d, const struct pj_topic *topic, const char *value)
{
	decode_text(d, topic, value);
	assert_non_null(d->ev);
	router_route(router, d->ev, NULL, NULL, &routes, &n_routes);
}

static void
assert_route(size_t i, unsigned lane, enum route_kind kind, const char *key)
{
	assert_true(i < n_routes);
	assert_int_equal(routes[i].lane->index, lane);
	assert_int_equal(routes[i].kind, kind);
	assert_str(routes[i].key, key);
}

/* ---- Routes ---------------------------------------------------------------
 */

static void
an_event_goes_to_every_lane_that_lists_it_in_their_order(void **state)
{
	route(*state, &pj_topic_stock,
	      "{\"eventType\":\"SoldOut\",\"data\":{\"shopId\":\"s\","
	      "\"productId\":\"p\"}}");
	assert_int_equal(n_routes, 2);
	assert_route(0, STOCK, ROUTE_DOCUMENT, "s:p");
	assert_route(1, SHOP_PRODUCTS, ROUTE_DOCUMENT, "s");
}

static void
a_type_that_a_lane_does_not_list_does_not_go_there(void **state)
{
	/* sales reads creations and cancellations only. */
	route(*state, &pj_topic_order,
	      "{\"eventType\":\"OrderAccepted\",\"data\":{\"orderId\":\"o\","
	      "\"shopId\":\"s\"}}");
	assert_int_equal(n_routes, 1);
	assert_route(0, ORDER, ROUTE_DOCUMENT, "o");
}

static void
nobody_reads_it_is_no_route(void **state)
{
	route(*state, &pj_topic_coupon,
	      "{\"eventType\":\"CouponExpired\",\"data\":{\"couponId\":"
	      "\"c\"}}");
	assert_int_equal(n_routes, 0);
}

static void
parts_of_a_key_are_escaped_so_that_no_two_meet(void **state)
{
	route(*state, &pj_topic_stock,
	      "{\"eventType\":\"SoldOut\",\"data\":{\"shopId\":\"a:b%\","
	      "\"productId\":\"%3A:\"}}");
	assert_route(0, STOCK, ROUTE_DOCUMENT, "a%3Ab%25:%253A%3A");
	/* A key of one part is the part. */
	assert_route(1, SHOP_PRODUCTS, ROUTE_DOCUMENT, "a:b%");
}

static void
the_day_in_a_key_is_the_topics_local_day(void **state)
{
	route(*state, &pj_topic_order,
	      "{\"eventType\":\"OrderCancelled\",\"data\":{\"orderId\":\"o\","
	      "\"shopId\":\"s\",\"totalAmount\":1},\"occurrenceDateTime\":"
	      "\"2023-11-15T20:00:00Z\"}");
	assert_int_equal(n_routes, 2);
	assert_route(0, SALES, ROUTE_DOCUMENT, "s:2023-11-16");
}

static void
a_key_with_a_missing_id_is_unknown_where_it_is_missing(void **state)
{
	route(*state, &pj_topic_stock,
	      "{\"eventType\":\"SoldOut\",\"data\":{\"shopId\":\"s\"}}");
	assert_int_equal(n_routes, 2);
	assert_route(0, STOCK, ROUTE_UNKNOWN_KEY, "");
	assert_route(1, SHOP_PRODUCTS, ROUTE_DOCUMENT, "s");
}

static void
a_key_of_480_bytes_is_the_longest(void **state)
{
	char value[800], a[241], b[242];

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	for (int longer = 0; longer < 2; longer++) {
		(void)snprintf(value, sizeof(value),
			       "{\"eventType\":\"SoldOut\",\"data\":{\"shopId\""
			       ":\"%.240s\",\"productId\":\"%.*s\"}}",
			       a, 239 + longer, b);
		route(*state, &pj_topic_stock, value);
		assert_int_equal(routes[0].kind,
				 longer ? ROUTE_LONG_KEY : ROUTE_DOCUMENT);
		assert_int_equal(routes[0].key.len, 480 + longer);
		assert_int_equal(routes[1].kind, ROUTE_DOCUMENT);
	}
}

static void
a_tombstone_goes_to_the_record_keys_document_only(void **state)
{
	struct decoded *d = *state;

	decode_record(d, &pj_topic_shop, "shop-1", NULL, 0, RECORD_TIME);
	router_route(router, d->ev, NULL, NULL, &routes, &n_routes);
	assert_int_equal(n_routes, 1);
	assert_route(0, SHOP, ROUTE_DOCUMENT, "shop-1");
	decode_record(d, &pj_topic_order, "o", NULL, 0, RECORD_TIME);
	router_route(router, d->ev, NULL, NULL, &routes, &n_routes);
	assert_int_equal(n_routes, 1); /* sales has another key */
	assert_route(0, ORDER, ROUTE_DOCUMENT, "o");
}

/* No text, or longer than any document's. */
static void
a_record_key_that_no_document_can_have_names_none(void **state)
{
	static const char other[] = "{\"eventType\":\"Other\",\"sequence\":1}";
	char key[READMODEL_KEY_MAX + 2] = "";
	struct decoded *d = *state;
	const char *const keys[] = {NULL, "", "\"\"", "\xff", "\"a\\u0000b\"",
				    key};

	memset(key, 'k', READMODEL_KEY_MAX);
	for (int longer = 0; longer < 2; longer++) {
		decode_record(d, &pj_topic_shop, key, NULL, 0, RECORD_TIME);
		router_route(router, d->ev, NULL, NULL, &routes, &n_routes);
		assert_int_equal(n_routes, longer ? 0 : 1);
		key[READMODEL_KEY_MAX] = 'k';
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		decode_record(d, &pj_topic_shop, keys[i], NULL, 0, RECORD_TIME);
		router_route(router, d->ev, NULL, NULL, &routes, &n_routes);
		assert_int_equal(n_routes, 0);
		decode_record(d, &pj_topic_shop, keys[i], other, strlen(other),
			      RECORD_TIME);
		assert_int_equal(d->result, DECODE_SKIP);
		router_route_sequence(router, "shop",
				      decode_key(d->dec, d->rec.key), &routes,
				      &n_routes);
		assert_int_equal(n_routes, 0);
	}
}

static void
without_data_only_those_that_list_the_type_cannot_tell_the_key(void **state)
{
	route(*state, &pj_topic_order, "{\"eventType\":\"OrderAccepted\"}");
	assert_int_equal(n_routes, 1);
	assert_route(0, ORDER, ROUTE_UNKNOWN_KEY, "");
	route(*state, &pj_topic_order, "{\"eventType\":\"OrderCreated\"}");
	assert_int_equal(n_routes, 2);
	assert_route(0, SALES, ROUTE_UNKNOWN_KEY, "");
	assert_route(1, ORDER, ROUTE_UNKNOWN_KEY, "");
}

static void
the_same_key_twice_counts_once_within_a_lane(void **state)
{
	route(*state, &pj_topic_stock,
	      "{\"eventType\":\"Restocked\",\"data\":{\"shopId\":\"k0\","
	      "\"productId\":\"p\",\"quantity\":2}}");
	assert_int_equal(n_routes, 4);
	assert_route(1, SHOP_PRODUCTS, ROUTE_DOCUMENT, "k0");
	/* The key of another lane is another document. */
	assert_route(2, MANY, ROUTE_DOCUMENT, "k0");
	assert_route(3, MANY, ROUTE_DOCUMENT, "k1");
}

/* Bars one lane; keeps account of whom it was asked about. */
static bool
enters_but_shop_products(void *arg, const struct lane *lane)
{
	unsigned *asked = arg;

	asked[lane->index]++;
	return lane->index != SHOP_PRODUCTS;
}

static void
a_barred_lane_gets_the_event_without_a_key_and_the_others_as_ever(void **state)
{
	struct decoded *d = *state;
	unsigned asked[LANES] = {0};

	decode_text(d, &pj_topic_stock,
		    "{\"eventType\":\"Restocked\",\"data\":{\"shopId\":\"s\","
		    "\"productId\":\"p\",\"quantity\":2}}");
	router_route(router, d->ev, enters_but_shop_products, asked, &routes,
		     &n_routes);
	assert_int_equal(n_routes, 4);
	assert_route(0, STOCK, ROUTE_DOCUMENT, "s:p");
	assert_route(1, SHOP_PRODUCTS, ROUTE_BARRED, "");
	assert_route(2, MANY, ROUTE_DOCUMENT, "k0");
	assert_route(3, MANY, ROUTE_DOCUMENT, "k1");
	/* Of those that do not read it nothing is called. */
	for (unsigned i = 0; i < LANES; i++)
		assert_int_equal(asked[i],
				 i == STOCK || i == SHOP_PRODUCTS || i == MANY);
}

static void
many_keys_of_one_event_are_all_right(void **state)
{
	char key[16];

	route(*state, &pj_topic_stock,
	      "{\"eventType\":\"Restocked\",\"data\":{\"shopId\":\"s\","
	      "\"productId\":\"p\",\"quantity\":500}}");
	assert_int_equal(n_routes, 2 + 500);
	assert_route(0, STOCK, ROUTE_DOCUMENT, "s:p");
	for (size_t i = 0; i < 500; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		assert_route(2 + i, MANY, ROUTE_DOCUMENT, key);
	}
}

static void
nothing_is_left_of_the_event_before(void **state)
{
	many_keys_of_one_event_are_all_right(state);
	an_event_goes_to_every_lane_that_lists_it_in_their_order(state);
	nobody_reads_it_is_no_route(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_goes_to_every_lane_that_lists_it_in_their_order),
		TEST(a_type_that_a_lane_does_not_list_does_not_go_there),
		TEST(nobody_reads_it_is_no_route),
		TEST(parts_of_a_key_are_escaped_so_that_no_two_meet),
		TEST(the_day_in_a_key_is_the_topics_local_day),
		TEST(a_key_with_a_missing_id_is_unknown_where_it_is_missing),
		TEST(a_key_of_480_bytes_is_the_longest),
		TEST(a_tombstone_goes_to_the_record_keys_document_only),
		TEST(a_record_key_that_no_document_can_have_names_none),
		TEST(without_data_only_those_that_list_the_type_cannot_tell_the_key),
		TEST(the_same_key_twice_counts_once_within_a_lane),
		TEST(many_keys_of_one_event_are_all_right),
		TEST(a_barred_lane_gets_the_event_without_a_key_and_the_others_as_ever),
		TEST(nothing_is_left_of_the_event_before),
	};

	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
