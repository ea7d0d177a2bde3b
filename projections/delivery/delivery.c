/* SPDX-License-Identifier: Apache-2.0 */
/* delivery: one delivery, its state and its story. Key deliveryId. */
#include <projector/storefront.h>

#include <string.h>

enum { HISTORY_MAX = 50 };

static const struct pj_reads reads[] = {
	{&pj_topic_delivery,
	 PJ_BIT(PJ_DELIVERY_CREATED) | PJ_BIT(PJ_RIDER_ASSIGNED) |
		 PJ_BIT(PJ_RIDER_UNASSIGNED) | PJ_BIT(PJ_PICKED_UP) |
		 PJ_BIT(PJ_DELIVERY_COMPLETED) | PJ_BIT(PJ_DELIVERY_CANCELLED) |
		 PJ_BIT(PJ_ETA_CHANGED)},
	{NULL, 0},
};

static const struct pj_shape history_shape[] = {
	{.name = "type", .type = PJ_SERVED_STRING, .required = true},
	{.name = "at", .type = PJ_SERVED_DATE, .required = true},
	{.name = "riderId", .type = PJ_SERVED_STRING},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "deliveryId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "orderId", .type = PJ_SERVED_STRING},
	{.name = "shopId", .type = PJ_SERVED_STRING},
	{.name = "areaId", .type = PJ_SERVED_STRING},
	{.name = "riderId", .type = PJ_SERVED_STRING},
	{.name = "state", .type = PJ_SERVED_STRING},
	{.name = "eta", .type = PJ_SERVED_DATE},
	{.name = "createdAt", .type = PJ_SERVED_DATE},
	{.name = "assignedAt", .type = PJ_SERVED_DATE},
	{.name = "pickedUpAt", .type = PJ_SERVED_DATE},
	{.name = "completedAt", .type = PJ_SERVED_DATE},
	{.name = "cancelledAt", .type = PJ_SERVED_DATE},
	{.name = "history",
	 .type = PJ_SERVED_LIST,
	 .of = history_shape,
	 .required = true},
	{.name = NULL},
};

static const struct pj_index indexes[] = {{"shopId"}, {"state"}, {NULL}};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), PJ_DELIVERY__DELIVERY_ID));
}

static void
enter_history(struct pj_node *root, const struct pj_event *ev)
{
	const char *type = pj_event_type_name(ev);
	struct pj_node *item = pj_capped_push_back(
		pj_make_array(root, "history"), HISTORY_MAX);

	(void)pj_set_string(item, "type", (struct pj_str){type, strlen(type)});
	(void)pj_set_date_ms(item, "at", pj_event_time_ms(ev));
	if (pj_event_type(ev) == PJ_RIDER_ASSIGNED)
		(void)pj_take(item, "riderId", pj_event_data(ev),
			      PJ_DELIVERY__RIDER_ID);
}

static bool
is_final(const struct pj_node *root)
{
	struct pj_str state = pj_get_string(root, "state");

	return (state.len == 9 && !memcmp(state.ptr, "COMPLETED", 9)) ||
	       (state.len == 9 && !memcmp(state.ptr, "CANCELLED", 9));
}

static void
created(struct pj_node *root, const struct pj_event *ev)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)pj_take(root, "orderId", data, PJ_DELIVERY__ORDER_ID);
	(void)pj_take(root, "shopId", data, PJ_DELIVERY__SHOP_ID);
	(void)pj_take(root, "areaId", data, PJ_DELIVERY__AREA_ID);
	(void)pj_set_date_ms(root, "createdAt", pj_event_time_ms(ev));
	if (!pj_node_has(root, "state"))
		(void)pj_set_string(root, "state", PJ_STR("CREATED"));
}

static void
move_on(struct pj_node *root, const struct pj_event *ev)
{
	const struct pj_data *data = pj_event_data(ev);
	int64_t at = pj_event_time_ms(ev);

	switch (pj_event_type(ev)) {
	case PJ_RIDER_ASSIGNED:
		(void)pj_set_string(root, "state", PJ_STR("ASSIGNED"));
		(void)pj_take(root, "riderId", data, PJ_DELIVERY__RIDER_ID);
		(void)pj_set_date_ms(root, "assignedAt", at);
		break;
	case PJ_RIDER_UNASSIGNED:
		(void)pj_set_string(root, "state", PJ_STR("CREATED"));
		(void)pj_unset(root, "riderId");
		break;
	case PJ_PICKED_UP:
		(void)pj_set_string(root, "state", PJ_STR("PICKED_UP"));
		(void)pj_set_date_ms(root, "pickedUpAt", at);
		break;
	case PJ_DELIVERY_COMPLETED:
		(void)pj_set_string(root, "state", PJ_STR("COMPLETED"));
		(void)pj_set_date_ms(root, "completedAt", at);
		break;
	case PJ_DELIVERY_CANCELLED:
		(void)pj_set_string(root, "state", PJ_STR("CANCELLED"));
		(void)pj_set_date_ms(root, "cancelledAt", at);
		break;
	case PJ_ETA_CHANGED:
		(void)pj_take(root, "eta", data, PJ_DELIVERY__ETA);
		break;
	}
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	struct pj_node *root = pj_doc_root(doc);

	(void)options;
	(void)err;
	if (pj_event_type(ev) == PJ_TOMBSTONE)
		return pj_forget(doc);
	pj_doc_revive(doc);
	(void)pj_take(root, "deliveryId", pj_event_data(ev),
		      PJ_DELIVERY__DELIVERY_ID);
	/* Final states stay; what comes later is only told. */
	if (pj_event_type(ev) == PJ_DELIVERY_CREATED)
		created(root, ev);
	else if (!is_final(root))
		move_on(root, ev);
	enter_history(root, ev);
	return PJ_DONE;
}

PJ_PROJECTION(delivery){
	PJ_PROJECTION_HEAD,
	.name = "delivery",
	.version = 1,
	.summary = "A delivery, its state and its story",
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
