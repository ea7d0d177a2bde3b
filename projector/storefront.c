/* SPDX-License-Identifier: Apache-2.0 */
#include <projector/storefront.h>

enum pj_fold
pj_forget(struct pj_doc *doc)
{
	if (pj_doc_state(doc) != PJ_DOC_LIVE)
		return PJ_DONE;
	pj_doc_clear(doc);
	return PJ_DELETE;
}

void
pj_product_ids(const struct pj_event *ev, struct pj_str *ret_shop,
	       struct pj_str *ret_product)
{
	const struct pj_data *data = pj_event_data(ev);
	const struct pj_topic *topic = pj_event_topic(ev);

	if (topic == &pj_topic_product) {
		*ret_shop = pj_string(data, PJ_PRODUCT__SHOP_ID);
		*ret_product = pj_string(data, PJ_PRODUCT__PRODUCT_ID);
	} else if (topic == &pj_topic_price) {
		*ret_shop = pj_string(data, PJ_PRICE__SHOP_ID);
		*ret_product = pj_string(data, PJ_PRICE__PRODUCT_ID);
	} else {
		*ret_shop = pj_string(data, PJ_STOCK__SHOP_ID);
		*ret_product = pj_string(data, PJ_STOCK__PRODUCT_ID);
	}
}

void
pj_price_take(struct pj_node *part, const struct pj_event *ev)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)pj_take(part, "price", data, PJ_PRICE__PRICE);
	if (pj_has(data, PJ_PRICE__SALE_PRICE) == PJ_VALUE)
		(void)pj_take(part, "salePrice", data, PJ_PRICE__SALE_PRICE);
	else
		(void)pj_unset(part, "salePrice");
}

void
pj_stock_take(struct pj_node *part, const struct pj_event *ev,
	      bool sold_out_only)
{
	const struct pj_data *data = pj_event_data(ev);
	bool sold_out = pj_event_type(ev) == PJ_SOLD_OUT;

	if (pj_event_type(ev) == PJ_STOCK_CHANGED)
		sold_out = pj_has(data, PJ_STOCK__SOLD_OUT) == PJ_VALUE
				   ? pj_bool(data, PJ_STOCK__SOLD_OUT)
				   : pj_int(data, PJ_STOCK__QUANTITY) <= 0;
	if (!sold_out_only)
		(void)pj_take(part, "quantity", data, PJ_STOCK__QUANTITY);
	(void)pj_set_bool(part, "soldOut", sold_out);
}

static void
take_product(struct pj_node *part, const struct pj_data *data, bool card)
{
	(void)pj_take(part, "name", data, PJ_PRODUCT__NAME);
	(void)pj_take(part, "price", data, PJ_PRODUCT__PRICE);
	(void)pj_take(part, "categoryId", data, PJ_PRODUCT__CATEGORY_ID);
	(void)pj_take(part, "imageUrl", data, PJ_PRODUCT__IMAGE_URL);
	if (card)
		return;
	(void)pj_take(part, "description", data, PJ_PRODUCT__DESCRIPTION);
	(void)pj_take(part, "options", data, PJ_PRODUCT__OPTIONS);
}

bool
pj_product_is_deleted(const struct pj_node *part)
{
	return part && pj_get_bool(part, "deleted");
}

void
pj_product_take(struct pj_node *part, const struct pj_event *ev, bool card)
{
	int type = pj_event_type(ev);

	if (type == PJ_PRODUCT_DELETED) {
		if (pj_product_is_deleted(part))
			return;
		(void)pj_clear(part);
		(void)pj_set_bool(part, "deleted", true);
		return;
	}
	if (pj_product_is_deleted(part)) {
		if (type != PJ_PRODUCT_REGISTERED)
			return;
		(void)pj_clear(part);
	}
	if (type == PJ_PRODUCT_REGISTERED || type == PJ_PRODUCT_INFO_CHANGED)
		take_product(part, pj_event_data(ev), card);
	if (type == PJ_PRODUCT_HIDDEN || type == PJ_PRODUCT_SHOWN ||
	    !pj_node_has(part, "hidden"))
		(void)pj_set_bool(part, "hidden", type == PJ_PRODUCT_HIDDEN);
	if (type == PJ_PRODUCT_REGISTERED || !pj_node_has(part, "complete"))
		(void)pj_set_bool(part, "complete",
				  type == PJ_PRODUCT_REGISTERED);
}

void
pj_serve(struct pj_node *obj, const struct pj_node *part,
	 const char *const *names)
{
	for (; *names; names++) {
		if (part)
			(void)pj_mirror(obj, *names, part, *names);
		else
			(void)pj_unset(obj, *names);
	}
}

void
pj_serve_price(struct pj_node *obj, const struct pj_node *product,
	       const struct pj_node *price)
{
	static const char *const price_name[] = {"price", NULL};
	static const char *const sale_name[] = {"salePrice", NULL};

	pj_serve(obj, price ? price : product, price_name);
	pj_serve(obj, price, sale_name);
}
