/* SPDX-License-Identifier: Apache-2.0 */
/*
 * product: one product in full. Key shopId:productId. Parts: `_product`,
 * `_price`, `_stock`, one per topic.
 */
#include <projector/storefront.h>

static const struct pj_reads reads[] = {
	{&pj_topic_product, PJ_PRODUCT_TYPES},
	{&pj_topic_price, PJ_BIT(PJ_PRICE_CHANGED)},
	{&pj_topic_stock, PJ_STOCK_TYPES},
	{NULL, 0},
};

static const struct pj_shape shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "productId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "name", .type = PJ_SERVED_STRING},
	{.name = "price", .type = PJ_SERVED_INT},
	{.name = "salePrice", .type = PJ_SERVED_INT},
	{.name = "categoryId", .type = PJ_SERVED_STRING},
	{.name = "imageUrl", .type = PJ_SERVED_STRING},
	{.name = "description", .type = PJ_SERVED_STRING},
	{.name = "options", .type = PJ_SERVED_LIST},
	{.name = "quantity", .type = PJ_SERVED_INT},
	{.name = "soldOut", .type = PJ_SERVED_BOOL},
	{.name = "hidden", .type = PJ_SERVED_BOOL, .required = true},
	{.name = "complete", .type = PJ_SERVED_BOOL, .required = true},
	{.name = NULL},
};

static const struct pj_index indexes[] = {{"shopId"}, {NULL}};

/* What a menu shows of each product. */
static const char *const card[] = {"shopId",   "name",	  "price",  "salePrice",
				   "imageUrl", "soldOut", "hidden", NULL};
static const struct pj_field_set field_sets[] = {{"card", card}, {NULL, NULL}};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	struct pj_str shop, product;

	(void)options;
	pj_product_ids(ev, &shop, &product);
	pj_key2(keys, shop, product);
}

/* Served fields are a function of the parts. */
static void
serve(struct pj_node *root, const struct pj_event *ev)
{
	static const char *const of_product[] = {"name",     "categoryId",
						 "imageUrl", "description",
						 "options",  NULL};
	static const char *const of_stock[] = {"quantity", "soldOut", NULL};
	const struct pj_node *product = pj_get_node(root, "_product");
	struct pj_str shop_id, product_id;

	pj_product_ids(ev, &shop_id, &product_id);
	(void)pj_set_string(root, "shopId", shop_id);
	(void)pj_set_string(root, "productId", product_id);
	pj_serve(root, product, of_product);
	pj_serve_price(root, product, pj_get_node(root, "_price"));
	pj_serve(root, pj_get_node(root, "_stock"), of_stock);
	(void)pj_set_bool(root, "hidden",
			  product && pj_get_bool(product, "hidden"));
	(void)pj_set_bool(root, "complete",
			  product && pj_get_bool(product, "complete"));
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_topic *topic = pj_event_topic(ev);
	struct pj_node *root = pj_doc_root(doc);
	const struct pj_node *product;

	(void)options;
	(void)err;
	if (topic == &pj_topic_product)
		pj_product_take(pj_make_object(root, "_product"), ev, false);
	else if (topic == &pj_topic_price)
		pj_price_take(pj_make_object(root, "_price"), ev);
	else
		pj_stock_take(pj_make_object(root, "_stock"), ev, false);
	product = pj_get_node(root, "_product");
	if (pj_product_is_deleted(product))
		return PJ_DELETE;
	pj_doc_revive(doc);
	serve(root, ev);
	return PJ_DONE;
}

PJ_PROJECTION(product){
	PJ_PROJECTION_HEAD,
	.name = "product",
	.version = 1,
	.summary = "A product in full, with its price and stock",
	.reads = reads,
	.shape = shape,
	.indexes = indexes,
	.cache = {.max_age_s = 2,
		  .stale_while_revalidate_s = 30,
		  .stale_if_error_s = 300},
	.key = key,
	.fold = fold,
	.field_sets = field_sets,
};
