/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundled topics as tables: what producers may send, field by field.
 *
 * A row of `types` says which fields its data may have and which it must have;
 * the order of rows and fields is that of the enums in contract.h.
 */
/* Modules refer to the tables by name. */
#pragma GCC visibility push(default)
#include <projector/contract.h>
#pragma GCC visibility pop

#define N(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

/* clang-format off */
#define TOPIC(NAME, FIELDS, TYPES)                                             \
	const struct pj_topic pj_topic_##NAME = {                              \
		.size = sizeof(struct pj_topic),                               \
		.name = #NAME,                                                 \
		.fields = (FIELDS), .n_fields = N(FIELDS),                     \
		.types = (TYPES), .n_types = N(TYPES),                         \
	}
/* clang-format on */

#define SHOP(F)	    PJ_BIT(PJ_SHOP__##F)
#define PRODUCT(F)  PJ_BIT(PJ_PRODUCT__##F)
#define PRICE(F)    PJ_BIT(PJ_PRICE__##F)
#define STOCK(F)    PJ_BIT(PJ_STOCK__##F)
#define ORDER(F)    PJ_BIT(PJ_ORDER__##F)
#define LINE(F)	    PJ_BIT(PJ_LINE__##F)
#define DELIVERY(F) PJ_BIT(PJ_DELIVERY__##F)
#define REVIEW(F)   PJ_BIT(PJ_REVIEW__##F)
#define COUPON(F)   PJ_BIT(PJ_COUPON__##F)

/* ---- shop -------------------------------------------------------------- */

static const struct pj_field shop_fields[] = {
	[PJ_SHOP__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_SHOP__NAME] = {.name = "name", .type = PJ_TYPE_STRING},
	[PJ_SHOP__CATEGORY] = {.name = "category", .type = PJ_TYPE_STRING},
	[PJ_SHOP__ADDRESS] = {.name = "address", .type = PJ_TYPE_STRING},
	[PJ_SHOP__AREA_ID] = {.name = "areaId", .type = PJ_TYPE_ID},
	[PJ_SHOP__LOCATION] = {.name = "location", .type = PJ_TYPE_OBJECT},
	[PJ_SHOP__MIN_ORDER_AMOUNT] = {.name = "minOrderAmount",
				       .type = PJ_TYPE_INT},
	[PJ_SHOP__DELIVERY_TIP] = {.name = "deliveryTip", .type = PJ_TYPE_INT},
	[PJ_SHOP__HOURS] = {.name = "hours", .type = PJ_TYPE_ARRAY},
	[PJ_SHOP__IMAGE_URL] = {.name = "imageUrl", .type = PJ_TYPE_STRING},
	[PJ_SHOP__REASON] = {.name = "reason", .type = PJ_TYPE_STRING},
};

/* clang-format off */
#define SHOP_INFO                                                              \
	(SHOP(SHOP_ID) | SHOP(NAME) | SHOP(CATEGORY) | SHOP(ADDRESS) |         \
	 SHOP(AREA_ID) | SHOP(LOCATION) | SHOP(MIN_ORDER_AMOUNT) |             \
	 SHOP(DELIVERY_TIP) | SHOP(HOURS) | SHOP(IMAGE_URL))
/* clang-format on */

static const struct pj_event_type shop_types[] = {
	[PJ_SHOP_REGISTERED] =
		{
			.name = "ShopRegistered",
			.fields = SHOP_INFO,
			.required = SHOP(SHOP_ID) | SHOP(NAME),
		},
	[PJ_SHOP_INFO_CHANGED] =
		{
			.name = "ShopInfoChanged",
			.fields = SHOP_INFO,
			.required = SHOP(SHOP_ID),
			.null_removes = true,
			.not_null = SHOP(SHOP_ID) | SHOP(NAME),
		},
	[PJ_SHOP_OPENED] =
		{
			.name = "ShopOpened",
			.fields = SHOP(SHOP_ID) | SHOP(REASON),
			.required = SHOP(SHOP_ID),
		},
	[PJ_SHOP_CLOSED] =
		{
			.name = "ShopClosed",
			.fields = SHOP(SHOP_ID) | SHOP(REASON),
			.required = SHOP(SHOP_ID),
		},
	[PJ_SHOP_SUSPENDED] =
		{
			.name = "ShopSuspended",
			.fields = SHOP(SHOP_ID) | SHOP(REASON),
			.required = SHOP(SHOP_ID),
		},
	[PJ_SHOP_TERMINATED] =
		{
			.name = "ShopTerminated",
			.fields = SHOP(SHOP_ID),
			.required = SHOP(SHOP_ID),
		},
};

TOPIC(shop, shop_fields, shop_types);

/* ---- product ----------------------------------------------------------- */

static const struct pj_field product_fields[] = {
	[PJ_PRODUCT__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_PRODUCT__PRODUCT_ID] = {.name = "productId", .type = PJ_TYPE_ID},
	[PJ_PRODUCT__NAME] = {.name = "name", .type = PJ_TYPE_STRING},
	[PJ_PRODUCT__PRICE] = {.name = "price", .type = PJ_TYPE_INT},
	[PJ_PRODUCT__CATEGORY_ID] = {.name = "categoryId", .type = PJ_TYPE_ID},
	[PJ_PRODUCT__IMAGE_URL] = {.name = "imageUrl", .type = PJ_TYPE_STRING},
	[PJ_PRODUCT__DESCRIPTION] = {.name = "description",
				     .type = PJ_TYPE_STRING},
	[PJ_PRODUCT__OPTIONS] = {.name = "options", .type = PJ_TYPE_ARRAY},
};

#define PRODUCT_KEY (PRODUCT(SHOP_ID) | PRODUCT(PRODUCT_ID))
/* clang-format off */
#define PRODUCT_INFO                                                           \
	(PRODUCT_KEY | PRODUCT(NAME) | PRODUCT(PRICE) |                        \
	 PRODUCT(CATEGORY_ID) | PRODUCT(IMAGE_URL) | PRODUCT(DESCRIPTION) |    \
	 PRODUCT(OPTIONS))
/* clang-format on */

static const struct pj_event_type product_types[] = {
	[PJ_PRODUCT_REGISTERED] =
		{
			.name = "ProductRegistered",
			.fields = PRODUCT_INFO,
			.required =
				PRODUCT_KEY | PRODUCT(NAME) | PRODUCT(PRICE),
		},
	[PJ_PRODUCT_INFO_CHANGED] =
		{
			.name = "ProductInfoChanged",
			.fields = PRODUCT_INFO,
			.required = PRODUCT_KEY,
			.null_removes = true,
			.not_null =
				PRODUCT_KEY | PRODUCT(NAME) | PRODUCT(PRICE),
		},
	[PJ_PRODUCT_HIDDEN] =
		{
			.name = "ProductHidden",
			.fields = PRODUCT_KEY,
			.required = PRODUCT_KEY,
		},
	[PJ_PRODUCT_SHOWN] =
		{
			.name = "ProductShown",
			.fields = PRODUCT_KEY,
			.required = PRODUCT_KEY,
		},
	[PJ_PRODUCT_DELETED] =
		{
			.name = "ProductDeleted",
			.fields = PRODUCT_KEY,
			.required = PRODUCT_KEY,
		},
};

TOPIC(product, product_fields, product_types);

/* ---- price ------------------------------------------------------------- */

static const struct pj_field price_fields[] = {
	[PJ_PRICE__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_PRICE__PRODUCT_ID] = {.name = "productId", .type = PJ_TYPE_ID},
	[PJ_PRICE__PRICE] = {.name = "price", .type = PJ_TYPE_INT},
	[PJ_PRICE__SALE_PRICE] = {.name = "salePrice", .type = PJ_TYPE_INT},
};

#define PRICE_MUST (PRICE(SHOP_ID) | PRICE(PRODUCT_ID) | PRICE(PRICE))

static const struct pj_event_type price_types[] = {
	[PJ_PRICE_CHANGED] =
		{
			.name = "PriceChanged",
			.fields = PRICE_MUST | PRICE(SALE_PRICE),
			.required = PRICE_MUST,
		},
};

TOPIC(price, price_fields, price_types);

/* ---- stock ------------------------------------------------------------- */

static const struct pj_field stock_fields[] = {
	[PJ_STOCK__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_STOCK__PRODUCT_ID] = {.name = "productId", .type = PJ_TYPE_ID},
	[PJ_STOCK__QUANTITY] = {.name = "quantity", .type = PJ_TYPE_INT},
	[PJ_STOCK__SOLD_OUT] = {.name = "soldOut", .type = PJ_TYPE_BOOL},
	[PJ_STOCK__VERSION] = {.name = "version", .type = PJ_TYPE_INT},
};

#define STOCK_KEY (STOCK(SHOP_ID) | STOCK(PRODUCT_ID))

static const struct pj_event_type stock_types[] = {
	[PJ_STOCK_CHANGED] =
		{
			.name = "StockChanged",
			.fields = STOCK_KEY | STOCK(QUANTITY) |
				  STOCK(SOLD_OUT) | STOCK(VERSION),
			.required = STOCK_KEY | STOCK(QUANTITY),
		},
	[PJ_SOLD_OUT] =
		{
			.name = "SoldOut",
			.fields = STOCK_KEY,
			.required = STOCK_KEY,
		},
	[PJ_RESTOCKED] =
		{
			.name = "Restocked",
			.fields = STOCK_KEY | STOCK(QUANTITY),
			.required = STOCK_KEY | STOCK(QUANTITY),
		},
};

TOPIC(stock, stock_fields, stock_types);

/* ---- order ------------------------------------------------------------- */

static const struct pj_field line_fields[] = {
	[PJ_LINE__PRODUCT_ID] = {.name = "productId", .type = PJ_TYPE_ID},
	[PJ_LINE__NAME] = {.name = "name", .type = PJ_TYPE_STRING},
	[PJ_LINE__QUANTITY] = {.name = "quantity", .type = PJ_TYPE_INT},
	[PJ_LINE__UNIT_PRICE] = {.name = "unitPrice", .type = PJ_TYPE_INT},
};

static const struct pj_field order_fields[] = {
	[PJ_ORDER__ORDER_ID] = {.name = "orderId", .type = PJ_TYPE_ID},
	[PJ_ORDER__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_ORDER__MEMBER_ID] = {.name = "memberId", .type = PJ_TYPE_ID},
	[PJ_ORDER__LINES] =
		{
			.name = "lines",
			.type = PJ_TYPE_LIST,
			.items = line_fields,
			.n_items = N(line_fields),
			.items_required = LINE(PRODUCT_ID) | LINE(QUANTITY) |
					  LINE(UNIT_PRICE),
		},
	[PJ_ORDER__TOTAL_AMOUNT] = {.name = "totalAmount", .type = PJ_TYPE_INT},
	[PJ_ORDER__REASON] = {.name = "reason", .type = PJ_TYPE_STRING},
};

#define ORDER_KEY (ORDER(ORDER_ID) | ORDER(SHOP_ID))

static const struct pj_event_type order_types[] = {
	[PJ_ORDER_CREATED] =
		{
			.name = "OrderCreated",
			.fields = ORDER_KEY | ORDER(MEMBER_ID) | ORDER(LINES) |
				  ORDER(TOTAL_AMOUNT),
			.required =
				ORDER_KEY | ORDER(LINES) | ORDER(TOTAL_AMOUNT),
		},
	[PJ_ORDER_ACCEPTED] =
		{
			.name = "OrderAccepted",
			.fields = ORDER_KEY,
			.required = ORDER_KEY,
		},
	[PJ_ORDER_REJECTED] =
		{
			.name = "OrderRejected",
			.fields = ORDER_KEY,
			.required = ORDER_KEY,
		},
	[PJ_ORDER_COMPLETED] =
		{
			.name = "OrderCompleted",
			.fields = ORDER_KEY,
			.required = ORDER_KEY,
		},
	[PJ_ORDER_CANCELLED] =
		{
			.name = "OrderCancelled",
			.fields = ORDER_KEY | ORDER(TOTAL_AMOUNT) |
				  ORDER(LINES) | ORDER(REASON),
			.required = ORDER_KEY | ORDER(TOTAL_AMOUNT),
		},
};

TOPIC(order, order_fields, order_types);

/* ---- delivery ---------------------------------------------------------- */

static const struct pj_field delivery_fields[] = {
	[PJ_DELIVERY__DELIVERY_ID] = {.name = "deliveryId", .type = PJ_TYPE_ID},
	[PJ_DELIVERY__ORDER_ID] = {.name = "orderId", .type = PJ_TYPE_ID},
	[PJ_DELIVERY__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_DELIVERY__AREA_ID] = {.name = "areaId", .type = PJ_TYPE_ID},
	[PJ_DELIVERY__RIDER_ID] = {.name = "riderId", .type = PJ_TYPE_ID},
	[PJ_DELIVERY__REASON] = {.name = "reason", .type = PJ_TYPE_STRING},
	[PJ_DELIVERY__ETA] = {.name = "eta", .type = PJ_TYPE_DATE},
};

/* Names some producers use; NFC. */
static const char *const delivery_created[] = {"배달생성", NULL};
static const char *const rider_assigned[] = {"배차완료", NULL};
static const char *const rider_unassigned[] = {"배차취소", NULL};
static const char *const picked_up[] = {"픽업완료", NULL};
static const char *const delivery_completed[] = {"배달완료", NULL};
static const char *const delivery_cancelled[] = {"배달취소", NULL};

#define DELIVERY_STEP (DELIVERY(DELIVERY_ID) | DELIVERY(REASON))

static const struct pj_event_type delivery_types[] = {
	[PJ_DELIVERY_CREATED] =
		{
			.name = "DeliveryCreated",
			.aliases = delivery_created,
			.fields = DELIVERY(DELIVERY_ID) | DELIVERY(ORDER_ID) |
				  DELIVERY(SHOP_ID) | DELIVERY(AREA_ID),
			.required = DELIVERY(DELIVERY_ID) | DELIVERY(ORDER_ID) |
				    DELIVERY(SHOP_ID),
		},
	[PJ_RIDER_ASSIGNED] =
		{
			.name = "RiderAssigned",
			.aliases = rider_assigned,
			.fields = DELIVERY(DELIVERY_ID) | DELIVERY(RIDER_ID),
			.required = DELIVERY(DELIVERY_ID) | DELIVERY(RIDER_ID),
		},
	[PJ_RIDER_UNASSIGNED] =
		{
			.name = "RiderUnassigned",
			.aliases = rider_unassigned,
			.fields = DELIVERY_STEP,
			.required = DELIVERY(DELIVERY_ID),
		},
	[PJ_PICKED_UP] =
		{
			.name = "PickedUp",
			.aliases = picked_up,
			.fields = DELIVERY_STEP,
			.required = DELIVERY(DELIVERY_ID),
		},
	[PJ_DELIVERY_COMPLETED] =
		{
			.name = "DeliveryCompleted",
			.aliases = delivery_completed,
			.fields = DELIVERY_STEP,
			.required = DELIVERY(DELIVERY_ID),
		},
	[PJ_DELIVERY_CANCELLED] =
		{
			.name = "DeliveryCancelled",
			.aliases = delivery_cancelled,
			.fields = DELIVERY_STEP,
			.required = DELIVERY(DELIVERY_ID),
		},
	[PJ_ETA_CHANGED] =
		{
			.name = "EtaChanged",
			.fields = DELIVERY(DELIVERY_ID) | DELIVERY(ETA),
			.required = DELIVERY(DELIVERY_ID) | DELIVERY(ETA),
		},
};

TOPIC(delivery, delivery_fields, delivery_types);

/* ---- review ------------------------------------------------------------ */

static const struct pj_field review_fields[] = {
	[PJ_REVIEW__REVIEW_ID] = {.name = "reviewId", .type = PJ_TYPE_ID},
	[PJ_REVIEW__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_REVIEW__RATING] = {.name = "rating", .type = PJ_TYPE_RATING},
	[PJ_REVIEW__TEXT] = {.name = "text", .type = PJ_TYPE_STRING},
	[PJ_REVIEW__MEMBER_ID] = {.name = "memberId", .type = PJ_TYPE_ID},
	[PJ_REVIEW__IMAGE_URLS] = {.name = "imageUrls", .type = PJ_TYPE_ARRAY},
	[PJ_REVIEW__PREVIOUS_RATING] = {.name = "previousRating",
					.type = PJ_TYPE_RATING},
};

#define REVIEW_KEY   (REVIEW(REVIEW_ID) | REVIEW(SHOP_ID))
#define REVIEW_RATED (REVIEW_KEY | REVIEW(RATING))

static const struct pj_event_type review_types[] = {
	[PJ_REVIEW_POSTED] =
		{
			.name = "ReviewPosted",
			.fields = REVIEW_RATED | REVIEW(TEXT) |
				  REVIEW(MEMBER_ID) | REVIEW(IMAGE_URLS),
			.required = REVIEW_RATED,
		},
	[PJ_REVIEW_EDITED] =
		{
			.name = "ReviewEdited",
			.fields = REVIEW_RATED | REVIEW(PREVIOUS_RATING) |
				  REVIEW(TEXT),
			.required = REVIEW_RATED | REVIEW(PREVIOUS_RATING),
			.null_removes = true,
			.not_null = REVIEW_RATED,
		},
	[PJ_REVIEW_DELETED] =
		{
			.name = "ReviewDeleted",
			.fields = REVIEW_RATED,
			.required = REVIEW_RATED,
		},
	[PJ_REVIEW_BLINDED] =
		{
			.name = "ReviewBlinded",
			.fields = REVIEW_RATED,
			.required = REVIEW_RATED,
		},
	[PJ_OWNER_REPLIED] =
		{
			.name = "OwnerReplied",
			.fields = REVIEW_KEY | REVIEW(TEXT),
			.required = REVIEW_KEY | REVIEW(TEXT),
		},
};

TOPIC(review, review_fields, review_types);

/* ---- coupon ------------------------------------------------------------ */

static const struct pj_field coupon_fields[] = {
	[PJ_COUPON__COUPON_ID] = {.name = "couponId", .type = PJ_TYPE_ID},
	[PJ_COUPON__NAME] = {.name = "name", .type = PJ_TYPE_STRING},
	[PJ_COUPON__AMOUNT] = {.name = "amount", .type = PJ_TYPE_INT},
	[PJ_COUPON__TOTAL_QUANTITY] = {.name = "totalQuantity",
				       .type = PJ_TYPE_INT},
	[PJ_COUPON__SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[PJ_COUPON__OPENS_AT] = {.name = "opensAt", .type = PJ_TYPE_DATE},
	[PJ_COUPON__CLOSES_AT] = {.name = "closesAt", .type = PJ_TYPE_DATE},
	[PJ_COUPON__MEMBER_ID] = {.name = "memberId", .type = PJ_TYPE_ID},
	[PJ_COUPON__REASON] = {.name = "reason", .type = PJ_TYPE_STRING},
	[PJ_COUPON__ORDER_ID] = {.name = "orderId", .type = PJ_TYPE_ID},
};

#define COUPON_MEMBER (COUPON(COUPON_ID) | COUPON(MEMBER_ID))

static const struct pj_event_type coupon_types[] = {
	[PJ_COUPON_POLICY_CREATED] =
		{
			.name = "CouponPolicyCreated",
			.fields = COUPON(COUPON_ID) | COUPON(NAME) |
				  COUPON(AMOUNT) | COUPON(TOTAL_QUANTITY) |
				  COUPON(SHOP_ID) | COUPON(OPENS_AT) |
				  COUPON(CLOSES_AT),
			.required = COUPON(COUPON_ID) | COUPON(NAME) |
				    COUPON(AMOUNT) | COUPON(TOTAL_QUANTITY),
		},
	[PJ_COUPON_ISSUED] =
		{
			.name = "CouponIssued",
			.fields = COUPON_MEMBER,
			.required = COUPON_MEMBER,
		},
	[PJ_COUPON_ISSUE_REJECTED] =
		{
			.name = "CouponIssueRejected",
			.fields = COUPON_MEMBER | COUPON(REASON),
			.required = COUPON_MEMBER,
		},
	[PJ_COUPON_USED] =
		{
			.name = "CouponUsed",
			.fields = COUPON_MEMBER | COUPON(ORDER_ID),
			.required = COUPON_MEMBER,
		},
	[PJ_COUPON_USE_CANCELLED] =
		{
			.name = "CouponUseCancelled",
			.fields = COUPON_MEMBER | COUPON(ORDER_ID),
			.required = COUPON_MEMBER,
		},
	[PJ_COUPON_EXPIRED] =
		{
			.name = "CouponExpired",
			.fields = COUPON(COUPON_ID),
			.required = COUPON(COUPON_ID),
		},
};

TOPIC(coupon, coupon_fields, coupon_types);
