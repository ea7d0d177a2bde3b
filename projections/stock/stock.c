/* SPDX-License-Identifier: Apache-2.0 */
/* stock: what is left of a product. Key shopId:productId. */
#include <projector/storefront.h>

static const struct pj_reads reads[] = {
	{&pj_topic_stock, PJ_STOCK_TYPES},
	{NULL, 0},
};

static const struct pj_shape shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "productId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "quantity", .type = PJ_SERVED_INT},
	{.name = "soldOut", .type = PJ_SERVED_BOOL, .required = true},
	{.name = "version", .type = PJ_SERVED_INT},
	{.name = NULL},
};

static const struct pj_index indexes[] = {{"shopId"}, {NULL}};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)options;
	pj_key2(keys, pj_string(data, PJ_STOCK__SHOP_ID),
		pj_string(data, PJ_STOCK__PRODUCT_ID));
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);

	(void)options;
	(void)err;
	(void)pj_take(root, "shopId", data, PJ_STOCK__SHOP_ID);
	(void)pj_take(root, "productId", data, PJ_STOCK__PRODUCT_ID);
	(void)pj_take(root, "version", data, PJ_STOCK__VERSION);
	pj_stock_take(root, ev, false);
	return PJ_DONE;
}

PJ_PROJECTION(stock){
	PJ_PROJECTION_HEAD,
	.name = "stock",
	.version = 1,
	.summary = "What is left of each product",
	.reads = reads,
	.shape = shape,
	.indexes = indexes,
	.cache = {.max_age_s = 1,
		  .stale_while_revalidate_s = 5,
		  .stale_if_error_s = 60},
	.key = key,
	.fold = fold,
};
