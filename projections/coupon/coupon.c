/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coupon: a coupon policy and how much of it is gone. Key couponId. It counts
 * what others decided; it never decides who gets a coupon.
 */
#include <projector/storefront.h>

static const struct pj_reads reads[] = {
	{&pj_topic_coupon,
	 PJ_BIT(PJ_COUPON_POLICY_CREATED) | PJ_BIT(PJ_COUPON_ISSUED) |
		 PJ_BIT(PJ_COUPON_ISSUE_REJECTED) | PJ_BIT(PJ_COUPON_USED) |
		 PJ_BIT(PJ_COUPON_USE_CANCELLED) | PJ_BIT(PJ_COUPON_EXPIRED)},
	{NULL, 0},
};

static const struct pj_shape shape[] = {
	{.name = "couponId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "name", .type = PJ_SERVED_STRING},
	{.name = "shopId", .type = PJ_SERVED_STRING},
	{.name = "amount", .type = PJ_SERVED_INT},
	{.name = "totalQuantity", .type = PJ_SERVED_INT},
	{.name = "issued", .type = PJ_SERVED_INT, .required = true},
	{.name = "rejected", .type = PJ_SERVED_INT, .required = true},
	{.name = "used", .type = PJ_SERVED_INT, .required = true},
	{.name = "remaining", .type = PJ_SERVED_INT},
	{.name = "state", .type = PJ_SERVED_STRING, .required = true},
	{.name = "opensAt", .type = PJ_SERVED_DATE},
	{.name = "closesAt", .type = PJ_SERVED_DATE},
	{.name = NULL},
};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), PJ_COUPON__COUPON_ID));
}

static int
apply(struct pj_node *root, const struct pj_event *ev, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);

	switch (pj_event_type(ev)) {
	case PJ_COUPON_POLICY_CREATED:
		(void)pj_take(root, "name", data, PJ_COUPON__NAME);
		(void)pj_take(root, "shopId", data, PJ_COUPON__SHOP_ID);
		(void)pj_take(root, "amount", data, PJ_COUPON__AMOUNT);
		(void)pj_take(root, "totalQuantity", data,
			      PJ_COUPON__TOTAL_QUANTITY);
		(void)pj_take(root, "opensAt", data, PJ_COUPON__OPENS_AT);
		(void)pj_take(root, "closesAt", data, PJ_COUPON__CLOSES_AT);
		return 0;
	case PJ_COUPON_ISSUED:
		return pj_add(root, "issued", 1, err);
	case PJ_COUPON_ISSUE_REJECTED:
		return pj_add(root, "rejected", 1, err);
	case PJ_COUPON_USED:
		return pj_add(root, "used", 1, err);
	case PJ_COUPON_USE_CANCELLED:
		return pj_add(root, "used", -1, err);
	case PJ_COUPON_EXPIRED:
		(void)pj_set_bool(root, "_expired", true);
		return 0;
	}
	return 0;
}

/* remaining and state follow from the rest. */
static int
derive(struct pj_node *root, struct pj_error *err)
{
	int64_t remaining = 1;

	if (pj_node_has(root, "totalQuantity")) {
		if (pj_sum(pj_get_int(root, "totalQuantity"),
			   -pj_get_int(root, "issued"), &remaining, err))
			return -1;
		(void)pj_set_int(root, "remaining", remaining);
	}
	if (pj_get_bool(root, "_expired"))
		(void)pj_set_string(root, "state", PJ_STR("EXPIRED"));
	else if (remaining <= 0)
		(void)pj_set_string(root, "state", PJ_STR("EXHAUSTED"));
	else
		(void)pj_set_string(root, "state", PJ_STR("OPEN"));
	return 0;
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	static const char *const counters[] = {"issued", "rejected", "used",
					       NULL};
	struct pj_node *root = pj_doc_root(doc);

	(void)options;
	if (pj_event_type(ev) == PJ_TOMBSTONE)
		return pj_forget(doc);
	pj_doc_revive(doc);
	(void)pj_take(root, "couponId", pj_event_data(ev),
		      PJ_COUPON__COUPON_ID);
	for (const char *const *name = counters; *name; name++)
		if (!pj_node_has(root, *name))
			(void)pj_set_int(root, *name, 0);
	return apply(root, ev, err) || derive(root, err) ? PJ_REJECT : PJ_DONE;
}

PJ_PROJECTION(coupon){
	PJ_PROJECTION_HEAD,
	.name = "coupon",
	.version = 1,
	.summary = "A coupon policy and how much of it is gone",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = reads,
	.shape = shape,
	.cache = {.max_age_s = 1,
		  .stale_while_revalidate_s = 5,
		  .stale_if_error_s = 60},
	.key = key,
	.fold = fold,
};
