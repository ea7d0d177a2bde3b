/* SPDX-License-Identifier: Apache-2.0 */
/* shop: the shop itself. Key shopId. */
#include <projector/storefront.h>

static const struct pj_reads reads[] = {
	{&pj_topic_shop,
	 PJ_BIT(PJ_SHOP_REGISTERED) | PJ_BIT(PJ_SHOP_INFO_CHANGED) |
		 PJ_BIT(PJ_SHOP_OPENED) | PJ_BIT(PJ_SHOP_CLOSED) |
		 PJ_BIT(PJ_SHOP_SUSPENDED) | PJ_BIT(PJ_SHOP_TERMINATED)},
	{NULL, 0},
};

static const struct pj_shape shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "name", .type = PJ_SERVED_STRING},
	{.name = "category", .type = PJ_SERVED_STRING},
	{.name = "address", .type = PJ_SERVED_STRING},
	{.name = "areaId", .type = PJ_SERVED_STRING},
	{.name = "location", .type = PJ_SERVED_OBJECT},
	{.name = "minOrderAmount", .type = PJ_SERVED_INT},
	{.name = "deliveryTip", .type = PJ_SERVED_INT},
	{.name = "hours", .type = PJ_SERVED_LIST},
	{.name = "imageUrl", .type = PJ_SERVED_STRING},
	{.name = "status", .type = PJ_SERVED_STRING},
	{.name = "complete", .type = PJ_SERVED_BOOL, .required = true},
	{.name = NULL},
};

static const struct pj_index indexes[] = {
	{"areaId"}, {"category"}, {"status"}, {NULL}};

/* What a list of shops shows of each. */
static const char *const card[] = {"name",	     "category",    "location",
				   "minOrderAmount", "deliveryTip", "imageUrl",
				   "status",	     NULL};
static const struct pj_field_set field_sets[] = {{"card", card}, {NULL, NULL}};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), PJ_SHOP__SHOP_ID));
}

static void
take_fields(struct pj_node *root, const struct pj_data *data)
{
	static const struct {
		const char *name;
		unsigned field;
	} fields[] = {
		{"name", PJ_SHOP__NAME},
		{"category", PJ_SHOP__CATEGORY},
		{"address", PJ_SHOP__ADDRESS},
		{"areaId", PJ_SHOP__AREA_ID},
		{"location", PJ_SHOP__LOCATION},
		{"minOrderAmount", PJ_SHOP__MIN_ORDER_AMOUNT},
		{"deliveryTip", PJ_SHOP__DELIVERY_TIP},
		{"hours", PJ_SHOP__HOURS},
		{"imageUrl", PJ_SHOP__IMAGE_URL},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		(void)pj_take(root, fields[i].name, data, fields[i].field);
}

static void
apply(struct pj_node *root, const struct pj_event *ev)
{
	const struct pj_data *data = pj_event_data(ev);
	int type = pj_event_type(ev);

	(void)pj_take(root, "shopId", data, PJ_SHOP__SHOP_ID);
	if (!pj_node_has(root, "complete"))
		(void)pj_set_bool(root, "complete", false);
	switch (type) {
	case PJ_SHOP_REGISTERED:
		take_fields(root, data);
		if (!pj_node_has(root, "status"))
			(void)pj_set_string(root, "status",
					    PJ_STR("REGISTERED"));
		(void)pj_set_bool(root, "complete", true);
		break;
	case PJ_SHOP_INFO_CHANGED:
		take_fields(root, data);
		break;
	case PJ_SHOP_OPENED:
		(void)pj_set_string(root, "status", PJ_STR("OPEN"));
		break;
	case PJ_SHOP_CLOSED:
		(void)pj_set_string(root, "status", PJ_STR("CLOSED"));
		break;
	case PJ_SHOP_SUSPENDED:
		(void)pj_set_string(root, "status", PJ_STR("SUSPENDED"));
		break;
	}
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	struct pj_node *root = pj_doc_root(doc);
	int type = pj_event_type(ev);

	(void)options;
	(void)err;
	if (type == PJ_TOMBSTONE)
		return pj_forget(doc);
	/* Terminated: only a registration begins anew. */
	if (pj_get_bool(root, "_terminated") && type != PJ_SHOP_REGISTERED)
		return PJ_DONE;
	if (type == PJ_SHOP_TERMINATED) {
		pj_doc_clear(doc);
		(void)pj_set_bool(root, "_terminated", true);
		return PJ_DELETE;
	}
	(void)pj_unset(root, "_terminated");
	pj_doc_revive(doc);
	apply(root, ev);
	return PJ_DONE;
}

PJ_PROJECTION(shop){
	PJ_PROJECTION_HEAD,
	.name = "shop",
	.version = 1,
	.summary = "A shop: who, where, open or not",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = reads,
	.shape = shape,
	.indexes = indexes,
	.cache = {.max_age_s = 5,
		  .stale_while_revalidate_s = 30,
		  .stale_if_error_s = 300},
	.key = key,
	.fold = fold,
	.field_sets = field_sets,
};
