/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundled topics of a store front: names, event types, fields.
 *
 * The numbers below are positions in the tables of projector/contract.c; a unit
 * test holds the two together. New types and fields go to the end of a list.
 */
#ifndef PROJECTOR_CONTRACT_H
#define PROJECTOR_CONTRACT_H

#include <projector/event.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The tables themselves; defined by the host. */
extern const struct pj_topic pj_topic_shop;
extern const struct pj_topic pj_topic_product;
extern const struct pj_topic pj_topic_price;
extern const struct pj_topic pj_topic_stock;
extern const struct pj_topic pj_topic_order;
extern const struct pj_topic pj_topic_delivery;
extern const struct pj_topic pj_topic_review;
extern const struct pj_topic pj_topic_coupon;

/* ---- shop --------------------------------------------------------- */

enum {
	PJ_SHOP_REGISTERED,
	PJ_SHOP_INFO_CHANGED,
	PJ_SHOP_OPENED,
	PJ_SHOP_CLOSED,
	PJ_SHOP_SUSPENDED,
	PJ_SHOP_TERMINATED,
};

enum {
	PJ_SHOP__SHOP_ID,
	PJ_SHOP__NAME,
	PJ_SHOP__CATEGORY,
	PJ_SHOP__ADDRESS,
	PJ_SHOP__AREA_ID,
	PJ_SHOP__LOCATION,
	PJ_SHOP__MIN_ORDER_AMOUNT,
	PJ_SHOP__DELIVERY_TIP,
	PJ_SHOP__HOURS,
	PJ_SHOP__IMAGE_URL,
	PJ_SHOP__REASON,
};

/* ---- product ------------------------------------------------------ */

enum {
	PJ_PRODUCT_REGISTERED,
	PJ_PRODUCT_INFO_CHANGED,
	PJ_PRODUCT_HIDDEN,
	PJ_PRODUCT_SHOWN,
	PJ_PRODUCT_DELETED,
};

enum {
	PJ_PRODUCT__SHOP_ID,
	PJ_PRODUCT__PRODUCT_ID,
	PJ_PRODUCT__NAME,
	PJ_PRODUCT__PRICE,
	PJ_PRODUCT__CATEGORY_ID,
	PJ_PRODUCT__IMAGE_URL,
	PJ_PRODUCT__DESCRIPTION,
	PJ_PRODUCT__OPTIONS,
};

/* ---- price -------------------------------------------------------- */

enum {
	PJ_PRICE_CHANGED,
};

enum {
	PJ_PRICE__SHOP_ID,
	PJ_PRICE__PRODUCT_ID,
	PJ_PRICE__PRICE,
	PJ_PRICE__SALE_PRICE,
};

/* ---- stock -------------------------------------------------------- */

enum {
	PJ_STOCK_CHANGED,
	PJ_SOLD_OUT,
	PJ_RESTOCKED,
};

enum {
	PJ_STOCK__SHOP_ID,
	PJ_STOCK__PRODUCT_ID,
	PJ_STOCK__QUANTITY,
	PJ_STOCK__SOLD_OUT,
	PJ_STOCK__VERSION,
};

/* ---- order -------------------------------------------------------- */

enum {
	PJ_ORDER_CREATED,
	PJ_ORDER_ACCEPTED,
	PJ_ORDER_REJECTED,
	PJ_ORDER_COMPLETED,
	PJ_ORDER_CANCELLED,
};

enum {
	PJ_ORDER__ORDER_ID,
	PJ_ORDER__SHOP_ID,
	PJ_ORDER__MEMBER_ID,
	PJ_ORDER__LINES,
	PJ_ORDER__TOTAL_AMOUNT,
	PJ_ORDER__REASON,
};

/* Fields of an item of `lines`. */
enum {
	PJ_LINE__PRODUCT_ID,
	PJ_LINE__NAME,
	PJ_LINE__QUANTITY,
	PJ_LINE__UNIT_PRICE,
};

/* ---- delivery ----------------------------------------------------- */

enum {
	PJ_DELIVERY_CREATED,
	PJ_RIDER_ASSIGNED,
	PJ_RIDER_UNASSIGNED,
	PJ_PICKED_UP,
	PJ_DELIVERY_COMPLETED,
	PJ_DELIVERY_CANCELLED,
	PJ_ETA_CHANGED,
};

enum {
	PJ_DELIVERY__DELIVERY_ID,
	PJ_DELIVERY__ORDER_ID,
	PJ_DELIVERY__SHOP_ID,
	PJ_DELIVERY__AREA_ID,
	PJ_DELIVERY__RIDER_ID,
	PJ_DELIVERY__REASON,
	PJ_DELIVERY__ETA,
};

/* ---- review ------------------------------------------------------- */

enum {
	PJ_REVIEW_POSTED,
	PJ_REVIEW_EDITED,
	PJ_REVIEW_DELETED,
	PJ_REVIEW_BLINDED,
	PJ_OWNER_REPLIED,
};

enum {
	PJ_REVIEW__REVIEW_ID,
	PJ_REVIEW__SHOP_ID,
	PJ_REVIEW__RATING,
	PJ_REVIEW__TEXT,
	PJ_REVIEW__MEMBER_ID,
	PJ_REVIEW__IMAGE_URLS,
	PJ_REVIEW__PREVIOUS_RATING,
};

/* ---- coupon ------------------------------------------------------- */

enum {
	PJ_COUPON_POLICY_CREATED,
	PJ_COUPON_ISSUED,
	PJ_COUPON_ISSUE_REJECTED,
	PJ_COUPON_USED,
	PJ_COUPON_USE_CANCELLED,
	PJ_COUPON_EXPIRED,
};

enum {
	PJ_COUPON__COUPON_ID,
	PJ_COUPON__NAME,
	PJ_COUPON__AMOUNT,
	PJ_COUPON__TOTAL_QUANTITY,
	PJ_COUPON__SHOP_ID,
	PJ_COUPON__OPENS_AT,
	PJ_COUPON__CLOSES_AT,
	PJ_COUPON__MEMBER_ID,
	PJ_COUPON__REASON,
	PJ_COUPON__ORDER_ID,
};

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
