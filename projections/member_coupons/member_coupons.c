/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_coupons: the coupons of a member. Key memberId. The topic is keyed by
 * coupon, so several partitions (and owners) feed one document.
 */
#include <projector/storefront.h>

#include <string.h>

static const struct pj_reads reads[] = {
	{&pj_topic_coupon, PJ_BIT(PJ_COUPON_ISSUED) | PJ_BIT(PJ_COUPON_USED) |
				   PJ_BIT(PJ_COUPON_USE_CANCELLED)},
	{NULL, 0},
};

static const struct pj_shape coupon_shape[] = {
	{.name = "couponId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "state", .type = PJ_SERVED_STRING, .required = true},
	{.name = "issuedAt", .type = PJ_SERVED_DATE},
	{.name = "usedAt", .type = PJ_SERVED_DATE},
	{.name = "orderId", .type = PJ_SERVED_STRING},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "memberId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "coupons",
	 .type = PJ_SERVED_LIST,
	 .of = coupon_shape,
	 .required = true},
	{.name = "live", .type = PJ_SERVED_INT, .required = true},
	{.name = NULL},
};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), PJ_COUPON__MEMBER_ID));
}

static bool
is_issued(const struct pj_node *item)
{
	struct pj_str state = pj_get_string(item, "state");

	return state.len == 6 && memcmp(state.ptr, "ISSUED", 6) == 0;
}

static void
apply(struct pj_node *item, const struct pj_event *ev)
{
	const struct pj_data *data = pj_event_data(ev);
	int type = pj_event_type(ev);

	if (type == PJ_COUPON_USED) {
		(void)pj_set_string(item, "state", PJ_STR("USED"));
		(void)pj_set_date_ms(item, "usedAt", pj_event_time_ms(ev));
		if (pj_has(data, PJ_COUPON__ORDER_ID) == PJ_VALUE)
			(void)pj_take(item, "orderId", data,
				      PJ_COUPON__ORDER_ID);
		else
			(void)pj_unset(item, "orderId");
		return;
	}
	(void)pj_set_string(item, "state", PJ_STR("ISSUED"));
	(void)pj_unset(item, "usedAt");
	(void)pj_unset(item, "orderId");
	if (type == PJ_COUPON_ISSUED)
		(void)pj_set_date_ms(item, "issuedAt", pj_event_time_ms(ev));
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	struct pj_node *item;
	int64_t before;

	(void)options;
	(void)pj_take(root, "memberId", data, PJ_COUPON__MEMBER_ID);
	item = pj_keyed_make(pj_make_array(root, "coupons"), "couponId",
			     pj_string(data, PJ_COUPON__COUPON_ID));
	before = is_issued(item);
	apply(item, ev);
	return pj_add(root, "live", is_issued(item) - before, err) ? PJ_REJECT
								   : PJ_DONE;
}

PJ_PROJECTION(member_coupons){
	PJ_PROJECTION_HEAD,
	.name = "member_coupons",
	.version = 1,
	.summary = "The coupons of a member",
	.reads = reads,
	.shape = shape,
	.cache = {.max_age_s = 1,
		  .stale_while_revalidate_s = 5,
		  .stale_if_error_s = 60},
	.key = key,
	.fold = fold,
};
