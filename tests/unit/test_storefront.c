/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that several bundled views share, one event into one part. */
#include "tests/unit/decode_read.h"

#include <projector/storefront.h>

#include "lib/bsonjson.h"
#include "projector/doc.h"

/* What is served of a part is seen through a shape that serves all of it. */
static const struct pj_shape shape[] = {
	{.name = "part", .type = PJ_SERVED_OBJECT},
	{.name = "name", .type = PJ_SERVED_STRING},
	{.name = "price", .type = PJ_SERVED_INT},
	{.name = "salePrice", .type = PJ_SERVED_INT},
	{.name = NULL},
};

struct bench {
	struct decoded *d;
	struct pj_doc *doc;
	int64_t offset;
};

static int
bench_setup(void **state)
{
	struct bench *b = mem_calloc(1, sizeof(*b));
	void *decoded;

	(void)decoded_setup(&decoded);
	b->d = decoded;
	b->doc = doc_new(shape, PJ_STR("k"));
	*state = b;
	return 0;
}

static int
bench_teardown(void **state)
{
	struct bench *b = *state;
	void *decoded = b->d;

	doc_free(b->doc);
	(void)decoded_teardown(&decoded);
	free(b);
	return 0;
}

static void
begin(struct bench *b)
{
	doc_begin(b->doc);
}

static enum doc_change
end(struct bench *b, enum pj_fold result)
{
	struct pj_error err;

	return doc_end(b->doc, result, 0, b->offset++, RECORD_TIME, &err);
}

static struct pj_node *
part(struct bench *b)
{
	return pj_make_object(pj_doc_root(b->doc), "part");
}

/* The document without id and updatedAt. */
static void
assert_served(struct bench *b, const char *want)
{
	static const struct store_token token;
	struct buf bson = BUF_INIT, json = BUF_INIT;
	struct pj_error err;
	char *tail;

	doc_encode(b->doc, &token, &bson);
	assert_int_equal(
		bsonjson_write(&json, (uint8_t *)bson.data, bson.len, &err), 0);
	tail = strstr(json.data, ",\"updatedAt\"");
	assert_non_null(tail);
	*tail = '\0';
	assert_string_equal(json.data + strlen("{\"id\":\"k\","), want);
	buf_release(&bson);
	buf_release(&json);
}

#define EVENT(type, data) "{\"eventType\":\"" type "\",\"data\":{" data "}}"
#define IDS		  "\"shopId\":\"s\",\"productId\":\"p\""

typedef void (*take_fn)(struct pj_node *part, const struct pj_event *ev);

static enum doc_change
take(struct bench *b, const struct pj_topic *topic, take_fn fn,
     const char *event)
{
	(void)decode_event(b->d, topic, event);
	begin(b);
	fn(part(b), b->d->ev);
	return end(b, PJ_DONE);
}

static void
stock_whole(struct pj_node *p, const struct pj_event *ev)
{
	pj_stock_take(p, ev, false);
}
static void
stock_sold_out(struct pj_node *p, const struct pj_event *ev)
{
	pj_stock_take(p, ev, true);
}
static void
product_whole(struct pj_node *p, const struct pj_event *ev)
{
	pj_product_take(p, ev, false);
}
static void
product_card(struct pj_node *p, const struct pj_event *ev)
{
	pj_product_take(p, ev, true);
}

/* ---- Tombstones --------------------------------------------------------- */

static void
a_null_value_forgets_a_live_document_and_no_other(void **state)
{
	struct bench *b = *state;

	begin(b);
	assert_int_equal(pj_forget(b->doc), PJ_DONE);
	assert_int_equal(end(b, PJ_DONE), DOC_UNCHANGED);
	assert_int_equal(pj_doc_state(b->doc), PJ_DOC_UNKNOWN);

	begin(b);
	(void)pj_set_int(pj_doc_root(b->doc), "price", 1);
	(void)pj_set_int(pj_doc_root(b->doc), "_kept", 1);
	assert_int_equal(end(b, PJ_DONE), DOC_CHANGED);
	begin(b);
	assert_int_equal(pj_forget(b->doc), PJ_DELETE);
	assert_int_equal(end(b, PJ_DELETE), DOC_CHANGED);
	assert_int_equal(pj_doc_state(b->doc), PJ_DOC_DELETED);
	assert_false(pj_node_has(pj_doc_root(b->doc), "_kept"));

	begin(b);
	assert_int_equal(pj_forget(b->doc), PJ_DONE);
	assert_int_equal(end(b, PJ_DONE), DOC_UNCHANGED);
	assert_int_equal(pj_doc_state(b->doc), PJ_DOC_DELETED);
}

/* ---- Ids ------------------------------------------------------------------
 */

static void
shop_and_product_are_found_in_all_three_topics(void **state)
{
	static const struct {
		const struct pj_topic *topic;
		const char *event;
	} events[] = {
		{&pj_topic_product, EVENT("ProductHidden", IDS)},
		{&pj_topic_price, EVENT("PriceChanged", IDS ",\"price\":1")},
		{&pj_topic_stock, EVENT("SoldOut", IDS)},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(events); i++) {
		struct pj_str shop, product;

		(void)decode_event(b->d, events[i].topic, events[i].event);
		pj_product_ids(b->d->ev, &shop, &product);
		assert_str(shop, "s");
		assert_str(product, "p");
	}
}

/* ---- Price ----------------------------------------------------------------
 */

static void
a_price_without_sale_ends_the_sale(void **state)
{
	const struct pj_topic *topic = &pj_topic_price;
	struct bench *b = *state;

	(void)take(b, topic, pj_price_take,
		   EVENT("PriceChanged", IDS ",\"price\":9,\"salePrice\":7"));
	assert_served(b, "\"part\":{\"price\":9,\"salePrice\":7}");
	assert_int_equal(
		take(b, topic, pj_price_take,
		     EVENT("PriceChanged", IDS ",\"price\":9,\"salePrice\":7")),
		DOC_UNCHANGED);
	assert_int_equal(take(b, topic, pj_price_take,
			      EVENT("PriceChanged", IDS ",\"price\":9")),
			 DOC_CHANGED);
	assert_served(b, "\"part\":{\"price\":9}");
	(void)take(b, topic, pj_price_take,
		   EVENT("PriceChanged", IDS ",\"price\":9,\"salePrice\":7"));
	(void)take(
		b, topic, pj_price_take,
		EVENT("PriceChanged", IDS ",\"price\":8,\"salePrice\":null"));
	assert_served(b, "\"part\":{\"price\":8}");
}

/* ---- Stock ----------------------------------------------------------------
 */

static void
sold_out_is_said_or_follows_from_the_quantity(void **state)
{
	static const struct {
		const char *event;
		const char *served;
	} steps[] = {
		{EVENT("StockChanged", IDS ",\"quantity\":1"),
		 "\"part\":{\"quantity\":1,\"soldOut\":false}"},
		{EVENT("StockChanged", IDS ",\"quantity\":0"),
		 "\"part\":{\"quantity\":0,\"soldOut\":true}"},
		{EVENT("StockChanged", IDS ",\"quantity\":-3,\"soldOut\":null"),
		 "\"part\":{\"quantity\":-3,\"soldOut\":true}"},
		{EVENT("StockChanged", IDS ",\"quantity\":0,\"soldOut\":false"),
		 "\"part\":{\"quantity\":0,\"soldOut\":false}"},
		{EVENT("StockChanged", IDS ",\"quantity\":5,\"soldOut\":true"),
		 "\"part\":{\"quantity\":5,\"soldOut\":true}"},
		{EVENT("Restocked", IDS ",\"quantity\":-1"),
		 "\"part\":{\"quantity\":-1,\"soldOut\":false}"},
		{EVENT("SoldOut", IDS),
		 "\"part\":{\"quantity\":-1,\"soldOut\":true}"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(steps); i++) {
		(void)take(b, &pj_topic_stock, stock_whole, steps[i].event);
		assert_served(b, steps[i].served);
	}
}

static void
a_part_that_is_sold_out_alone_does_not_see_quantities(void **state)
{
	struct bench *b = *state;

	(void)take(b, &pj_topic_stock, stock_sold_out,
		   EVENT("StockChanged", IDS ",\"quantity\":5"));
	assert_served(b, "\"part\":{\"soldOut\":false}");
	assert_int_equal(take(b, &pj_topic_stock, stock_sold_out,
			      EVENT("StockChanged", IDS ",\"quantity\":4")),
			 DOC_UNCHANGED);
	assert_int_equal(take(b, &pj_topic_stock, stock_sold_out,
			      EVENT("StockChanged", IDS ",\"quantity\":0")),
			 DOC_CHANGED);
}

/* ---- Product ---------------------------------------------------------------
 */

static void
an_event_before_the_registration_makes_an_incomplete_part(void **state)
{
	struct bench *b = *state;

	(void)take(b, &pj_topic_product, product_whole,
		   EVENT("ProductHidden", IDS));
	assert_served(b, "\"part\":{\"hidden\":true,\"complete\":false}");
	(void)take(
		b, &pj_topic_product, product_whole,
		EVENT("ProductRegistered", IDS ",\"name\":\"n\",\"price\":3"));
	assert_served(b, "\"part\":{\"hidden\":true,\"complete\":true,"
			 "\"name\":\"n\",\"price\":3}");
}

static void
changed_information_removes_by_null_and_keeps_what_is_absent(void **state)
{
	struct bench *b = *state;

	(void)take(b, &pj_topic_product, product_whole,
		   EVENT("ProductRegistered",
			 IDS ",\"name\":\"n\",\"price\":3,\"categoryId\":"
			     "\"c\",\"imageUrl\":\"u\""));
	(void)take(b, &pj_topic_product, product_whole,
		   EVENT("ProductInfoChanged", IDS ",\"categoryId\":null,"
						   "\"price\":4"));
	assert_served(b, "\"part\":{\"name\":\"n\",\"price\":4,"
			 "\"imageUrl\":\"u\",\"hidden\":false,"
			 "\"complete\":true}");
	/* Registering again overwrites what it carries; null is absent. */
	(void)take(b, &pj_topic_product, product_whole,
		   EVENT("ProductRegistered",
			 IDS ",\"name\":\"m\",\"price\":5,\"imageUrl\":null"));
	assert_served(b, "\"part\":{\"name\":\"m\",\"price\":5,"
			 "\"imageUrl\":\"u\",\"hidden\":false,"
			 "\"complete\":true}");
}

static void
a_card_leaves_description_and_options_out(void **state)
{
	static const char event[] =
		EVENT("ProductRegistered",
		      IDS ",\"name\":\"n\",\"price\":3,\"description\":\"d\","
			  "\"options\":[1]");
	struct bench *b = *state;

	(void)take(b, &pj_topic_product, product_card, event);
	assert_served(b, "\"part\":{\"name\":\"n\",\"price\":3,"
			 "\"hidden\":false,\"complete\":true}");
	(void)take(b, &pj_topic_product, product_whole, event);
	assert_served(b, "\"part\":{\"name\":\"n\",\"price\":3,"
			 "\"hidden\":false,\"complete\":true,"
			 "\"description\":\"d\",\"options\":[1]}");
}

static void
a_deleted_product_wakes_by_registration_only_and_clean(void **state)
{
	static const char *const ignored[] = {
		EVENT("ProductHidden", IDS),
		EVENT("ProductInfoChanged", IDS ",\"price\":9"),
		EVENT("ProductDeleted", IDS),
	};
	struct bench *b = *state;

	assert_false(pj_product_is_deleted(NULL));
	(void)take(b, &pj_topic_product, product_whole,
		   EVENT("ProductRegistered",
			 IDS ",\"name\":\"n\",\"price\":3,\"categoryId\":"
			     "\"c\""));
	(void)take(b, &pj_topic_product, product_whole,
		   EVENT("ProductHidden", IDS));
	(void)take(b, &pj_topic_product, product_whole,
		   EVENT("ProductDeleted", IDS));
	assert_served(b, "\"part\":{\"deleted\":true}");
	for (size_t i = 0; i < COUNT(ignored); i++)
		assert_int_equal(
			take(b, &pj_topic_product, product_whole, ignored[i]),
			DOC_UNCHANGED);
	(void)take(
		b, &pj_topic_product, product_whole,
		EVENT("ProductRegistered", IDS ",\"name\":\"m\",\"price\":4"));
	assert_served(b, "\"part\":{\"name\":\"m\",\"price\":4,"
			 "\"hidden\":false,\"complete\":true}");
}

/* ---- Serving ----------------------------------------------------------------
 */

static void
the_price_part_goes_before_the_products_own_price(void **state)
{
	struct bench *b = *state;
	struct pj_node *root = pj_doc_root(b->doc), *product, *price;

	begin(b);
	product = pj_make_object(root, "_product");
	(void)pj_set_int(product, "price", 5);
	(void)pj_set_int(product, "salePrice", 1); /* not a product's to say */
	pj_serve_price(root, NULL, NULL);
	assert_false(pj_node_has(root, "price"));
	pj_serve_price(root, product, NULL);
	assert_int_equal(pj_get_int(root, "price"), 5);
	assert_false(pj_node_has(root, "salePrice"));
	price = pj_make_object(root, "_price");
	(void)pj_set_int(price, "price", 6);
	(void)pj_set_int(price, "salePrice", 4);
	pj_serve_price(root, pj_get_node(root, "_product"), price);
	assert_int_equal(pj_get_int(root, "price"), 6);
	assert_int_equal(pj_get_int(root, "salePrice"), 4);
	assert_int_equal(end(b, PJ_DONE), DOC_CHANGED);
	assert_served(b, "\"price\":6,\"salePrice\":4");
}

static void
what_a_part_does_not_have_is_not_served(void **state)
{
	static const char *const names[] = {"name", "price", NULL};
	struct bench *b = *state;
	struct pj_node *root = pj_doc_root(b->doc), *own;

	begin(b);
	(void)pj_set_string(root, "name", PJ_STR("old"));
	(void)pj_set_int(root, "price", 1);
	own = pj_make_object(root, "_part");
	(void)pj_set_int(own, "price", 2);
	pj_serve(root, own, names);
	assert_false(pj_node_has(root, "name"));
	assert_int_equal(pj_get_int(root, "price"), 2);
	pj_serve(root, NULL, names);
	assert_false(pj_node_has(root, "price"));
	(void)end(b, PJ_DONE);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_null_value_forgets_a_live_document_and_no_other),
		TEST(shop_and_product_are_found_in_all_three_topics),
		TEST(a_price_without_sale_ends_the_sale),
		TEST(sold_out_is_said_or_follows_from_the_quantity),
		TEST(a_part_that_is_sold_out_alone_does_not_see_quantities),
		TEST(an_event_before_the_registration_makes_an_incomplete_part),
		TEST(changed_information_removes_by_null_and_keeps_what_is_absent),
		TEST(a_card_leaves_description_and_options_out),
		TEST(a_deleted_product_wakes_by_registration_only_and_clean),
		TEST(the_price_part_goes_before_the_products_own_price),
		TEST(what_a_part_does_not_have_is_not_served),
	};

	return cmocka_run_group_tests_name("storefront", tests, NULL, NULL);
}
