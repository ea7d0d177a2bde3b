/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shop_products: the cards of a shop's products. Key shopId, or shopId:n with
 * n = FNV-1a 32 of productId mod `buckets` when there is more than one bucket.
 *
 * `_cards` holds {p: product part, r: price part, s: stock part} per product;
 * `products` is what is listed of it, kept in step card by card.
 */
#include <projector/storefront.h>

#include <stdio.h>
#include <string.h>

static const struct pj_reads reads[] = {
	{&pj_topic_product, PJ_PRODUCT_TYPES},
	{&pj_topic_price, PJ_BIT(PJ_PRICE_CHANGED)},
	{&pj_topic_stock, PJ_STOCK_TYPES},
	{NULL, 0},
};

static const struct pj_shape card_shape[] = {
	{.name = "productId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "name", .type = PJ_SERVED_STRING},
	{.name = "price", .type = PJ_SERVED_INT},
	{.name = "salePrice", .type = PJ_SERVED_INT},
	{.name = "categoryId", .type = PJ_SERVED_STRING},
	{.name = "imageUrl", .type = PJ_SERVED_STRING},
	{.name = "soldOut", .type = PJ_SERVED_BOOL},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "count", .type = PJ_SERVED_INT, .required = true},
	{.name = "products",
	 .type = PJ_SERVED_LIST,
	 .of = card_shape,
	 .required = true},
	{.name = NULL},
};

enum { BUCKETS };

static const struct pj_option option_table[] = {
	[BUCKETS] = {.name = "buckets",
		     .min = 1,
		     .max = 65536,
		     .def = 1,
		     .text = "documents a shop's products are spread over",
		     .splits_key = true},
	{.name = NULL},
};

static uint32_t
fnv1a_32(struct pj_str s)
{
	uint32_t h = UINT32_C(2166136261);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * UINT32_C(16777619);
	return h;
}

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	int64_t buckets = options->values[BUCKETS];
	struct pj_str shop, product;
	char bucket[16];
	int len;

	pj_product_ids(ev, &shop, &product);
	if (buckets == 1 || shop.len == 0) {
		pj_key(keys, shop);
		return;
	}
	len = snprintf(bucket, sizeof(bucket), "%u",
		       (unsigned)(fnv1a_32(product) % (uint32_t)buckets));
	pj_key2(keys, shop, (struct pj_str){bucket, (size_t)len});
}

static void
serve_card(struct pj_node *root, struct pj_node *card, struct pj_str product_id)
{
	static const char *const of_product[] = {"name", "categoryId",
						 "imageUrl", NULL};
	static const char *const of_stock[] = {"soldOut", NULL};
	struct pj_node *list = pj_make_array(root, "products");
	const struct pj_node *product = pj_get_node(card, "p");
	struct pj_node *item;

	if (!product || !pj_get_bool(product, "complete") ||
	    pj_get_bool(product, "hidden")) {
		(void)pj_keyed_remove(list, "productId", product_id);
	} else {
		item = pj_keyed_make(list, "productId", product_id);
		pj_serve(item, product, of_product);
		pj_serve_price(item, product, pj_get_node(card, "r"));
		pj_serve(item, pj_get_node(card, "s"), of_stock);
	}
	(void)pj_set_int(root, "count", (int64_t)pj_node_len(list));
}

static const char *
part_of(const struct pj_event *ev)
{
	const struct pj_topic *topic = pj_event_topic(ev);

	return topic == &pj_topic_product ? "p"
	       : topic == &pj_topic_price ? "r"
					  : "s";
}

/* A null value clears the topic's part of every product of the shop. */
static enum pj_fold
clear_parts(struct pj_doc *doc, const struct pj_event *ev)
{
	struct pj_node *root = pj_doc_root(doc);
	struct pj_node *cards = pj_get_node(root, "_cards");
	const char *part = part_of(ev);
	bool main_topic = pj_event_topic(ev) == &pj_topic_product;
	bool cleared = false;

	for (size_t i = 0; cards && i < pj_node_len(cards); i++) {
		struct pj_node *card = pj_node_at(cards, i);

		if (!pj_unset(card, part))
			continue;
		cleared = true;
		if (!main_topic && pj_doc_state(doc) == PJ_DOC_LIVE)
			serve_card(root, card, pj_map_name_at(cards, i));
	}
	return main_topic && cleared ? PJ_DELETE : PJ_DONE;
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	struct pj_node *root = pj_doc_root(doc);
	struct pj_str shop_id, product_id;
	struct pj_node *card, *part;

	(void)options;
	(void)err;
	if (pj_event_type(ev) == PJ_TOMBSTONE)
		return clear_parts(doc, ev);
	pj_product_ids(ev, &shop_id, &product_id);
	card = pj_map_object(pj_make_object(root, "_cards"), PJ_ORDER_BYTES,
			     product_id);
	part = pj_make_object(card, part_of(ev));
	if (pj_event_topic(ev) == &pj_topic_product)
		pj_product_take(part, ev, true);
	else if (pj_event_topic(ev) == &pj_topic_price)
		pj_price_take(part, ev);
	else
		pj_stock_take(part, ev, true);
	/* Deleted by a null value: only the main topic starts it afresh. */
	if (pj_doc_state(doc) == PJ_DOC_DELETED &&
	    pj_event_topic(ev) != &pj_topic_product)
		return PJ_DONE;
	pj_doc_revive(doc);
	(void)pj_set_string(root, "shopId", shop_id);
	serve_card(root, card, product_id);
	return PJ_DONE;
}

PJ_PROJECTION(shop_products){
	PJ_PROJECTION_HEAD,
	.name = "shop_products",
	.version = 1,
	.summary = "The cards of a shop's products",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = reads,
	.shape = shape,
	.options = option_table,
	.cache = {.max_age_s = 2,
		  .stale_while_revalidate_s = 30,
		  .stale_if_error_s = 300},
	.key = key,
	.fold = fold,
};
