/* SPDX-License-Identifier: Apache-2.0 */
/* order: one order and its state. Key orderId. */
#include <projector/storefront.h>

static const struct pj_reads reads[] = {
	{&pj_topic_order, PJ_BIT(PJ_ORDER_CREATED) | PJ_BIT(PJ_ORDER_ACCEPTED) |
				  PJ_BIT(PJ_ORDER_REJECTED) |
				  PJ_BIT(PJ_ORDER_COMPLETED) |
				  PJ_BIT(PJ_ORDER_CANCELLED)},
	{NULL, 0},
};

static const struct pj_shape line_shape[] = {
	{.name = "productId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "name", .type = PJ_SERVED_STRING},
	{.name = "quantity", .type = PJ_SERVED_INT, .required = true},
	{.name = "unitPrice", .type = PJ_SERVED_INT, .required = true},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "orderId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "memberId", .type = PJ_SERVED_STRING},
	{.name = "state", .type = PJ_SERVED_STRING, .required = true},
	{.name = "lines", .type = PJ_SERVED_LIST, .of = line_shape},
	{.name = "totalAmount", .type = PJ_SERVED_INT},
	{.name = "createdAt", .type = PJ_SERVED_DATE},
	{.name = NULL},
};

static const struct pj_index indexes[] = {{"shopId"}, {"memberId"}, {NULL}};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), PJ_ORDER__ORDER_ID));
}

static void
created(struct pj_node *root, const struct pj_event *ev)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)pj_take(root, "memberId", data, PJ_ORDER__MEMBER_ID);
	(void)pj_take(root, "lines", data, PJ_ORDER__LINES);
	(void)pj_take(root, "totalAmount", data, PJ_ORDER__TOTAL_AMOUNT);
	(void)pj_set_date_ms(root, "createdAt", pj_event_time_ms(ev));
	/* Never back to CREATED. */
	if (!pj_node_has(root, "state"))
		(void)pj_set_string(root, "state", PJ_STR("CREATED"));
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);

	(void)options;
	(void)err;
	if (pj_event_type(ev) == PJ_TOMBSTONE)
		return pj_forget(doc);
	pj_doc_revive(doc);
	(void)pj_take(root, "orderId", data, PJ_ORDER__ORDER_ID);
	(void)pj_take(root, "shopId", data, PJ_ORDER__SHOP_ID);
	switch (pj_event_type(ev)) {
	case PJ_ORDER_CREATED:
		created(root, ev);
		break;
	case PJ_ORDER_ACCEPTED:
		(void)pj_set_string(root, "state", PJ_STR("ACCEPTED"));
		break;
	case PJ_ORDER_REJECTED:
		(void)pj_set_string(root, "state", PJ_STR("REJECTED"));
		break;
	case PJ_ORDER_COMPLETED:
		(void)pj_set_string(root, "state", PJ_STR("COMPLETED"));
		break;
	case PJ_ORDER_CANCELLED:
		(void)pj_set_string(root, "state", PJ_STR("CANCELLED"));
		break;
	}
	return PJ_DONE;
}

PJ_PROJECTION(order){
	PJ_PROJECTION_HEAD,
	.name = "order",
	.version = 1,
	.summary = "An order and its state",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = reads,
	.shape = shape,
	.indexes = indexes,
	.cache = {.max_age_s = 1,
		  .stale_while_revalidate_s = 5,
		  .stale_if_error_s = 60},
	.key = key,
	.fold = fold,
};
