/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sales: what a shop sold on a day. Key shopId:yyyy-mm-dd, the day of the event
 * in the topic's zone. The topic is keyed by order, so many partitions feed one
 * document; every event only adds.
 */
#include <projector/storefront.h>

static const struct pj_reads reads[] = {
	{&pj_topic_order,
	 PJ_BIT(PJ_ORDER_CREATED) | PJ_BIT(PJ_ORDER_CANCELLED)},
	{NULL, 0},
};

static const struct pj_shape product_shape[] = {
	{.name = "units", .type = PJ_SERVED_INT, .required = true},
	{.name = "amount", .type = PJ_SERVED_INT, .required = true},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "date", .type = PJ_SERVED_STRING, .required = true},
	{.name = "orders", .type = PJ_SERVED_INT, .required = true},
	{.name = "cancelled", .type = PJ_SERVED_INT, .required = true},
	{.name = "grossAmount", .type = PJ_SERVED_INT, .required = true},
	{.name = "cancelledAmount", .type = PJ_SERVED_INT, .required = true},
	{.name = "units", .type = PJ_SERVED_INT, .required = true},
	{.name = "products",
	 .type = PJ_SERVED_MAP,
	 .of = product_shape,
	 .required = true},
	{.name = NULL},
};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key2(keys, pj_string(pj_event_data(ev), PJ_ORDER__SHOP_ID),
		pj_event_local_date(ev));
}

static int
add_line(struct pj_node *root, const struct pj_data *line, struct pj_error *err)
{
	int64_t quantity = pj_int(line, PJ_LINE__QUANTITY);
	struct pj_node *product;
	int64_t amount;

	if (pj_product(quantity, pj_int(line, PJ_LINE__UNIT_PRICE), &amount,
		       err))
		return -1;
	product =
		pj_map_object(pj_make_object(root, "products"), PJ_ORDER_BYTES,
			      pj_string(line, PJ_LINE__PRODUCT_ID));
	if (pj_add(product, "units", quantity, err) ||
	    pj_add(product, "amount", amount, err))
		return -1;
	return pj_add(root, "units", quantity, err);
}

static int
add_order(struct pj_node *root, const struct pj_data *data,
	  struct pj_error *err)
{
	size_t n = pj_list_len(data, PJ_ORDER__LINES);

	if (pj_add(root, "orders", 1, err) ||
	    pj_add(root, "grossAmount", pj_int(data, PJ_ORDER__TOTAL_AMOUNT),
		   err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_line(root, pj_list_at(data, PJ_ORDER__LINES, i), err))
			return -1;
	return 0;
}

static int
add_cancellation(struct pj_node *root, const struct pj_data *data,
		 struct pj_error *err)
{
	if (pj_add(root, "cancelled", 1, err))
		return -1;
	return pj_add(root, "cancelledAmount",
		      pj_int(data, PJ_ORDER__TOTAL_AMOUNT), err);
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	static const char *const counters[] = {"orders",      "cancelled",
					       "grossAmount", "cancelledAmount",
					       "units",	      NULL};
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	int rc;

	(void)options;
	(void)pj_take(root, "shopId", data, PJ_ORDER__SHOP_ID);
	(void)pj_set_string(root, "date", pj_event_local_date(ev));
	for (const char *const *name = counters; *name; name++)
		if (!pj_node_has(root, *name))
			(void)pj_set_int(root, *name, 0);
	(void)pj_make_object(root, "products");
	if (pj_event_type(ev) == PJ_ORDER_CREATED)
		rc = add_order(root, data, err);
	else
		rc = add_cancellation(root, data, err);
	return rc ? PJ_REJECT : PJ_DONE;
}

PJ_PROJECTION(sales){
	PJ_PROJECTION_HEAD,
	.name = "sales",
	.version = 1,
	.summary = "What a shop sold on a day",
	.reads = reads,
	.shape = shape,
	.cache = {.max_age_s = 5,
		  .stale_while_revalidate_s = 30,
		  .stale_if_error_s = 300},
	.key = key,
	.fold = fold,
};
