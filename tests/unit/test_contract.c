/* SPDX-License-Identifier: Apache-2.0 */
#include <projector/contract.h>

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct pj_topic *const topics[] = {
	&pj_topic_shop,	 &pj_topic_product,  &pj_topic_price,  &pj_topic_stock,
	&pj_topic_order, &pj_topic_delivery, &pj_topic_review, &pj_topic_coupon,
};

static const struct pj_topic *
topic_named(const char *name)
{
	for (size_t i = 0; i < COUNT(topics); i++) {
		if (strcmp(topics[i]->name, name) == 0)
			return topics[i];
	}
	fail_msg("no topic %s", name);
	return NULL;
}

static int
type_named(const struct pj_topic *topic, const char *name)
{
	for (unsigned i = 0; i < topic->n_types; i++) {
		if (strcmp(topic->types[i].name, name) == 0)
			return (int)i;
	}
	fail_msg("%s has no type %s", topic->name, name);
	return -1;
}

static int
field_named(const struct pj_field *fields, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return (int)i;
	}
	fail_msg("no field %s", name);
	return -1;
}

/* ---- Numbers and names ------------------------------------------------- */

/* MIN_ORDER_AMOUNT → minOrderAmount, or MinOrderAmount. */
static void
camel(const char *constant, bool upper, char *out)
{
	for (; *constant; constant++) {
		if (*constant == '_') {
			upper = true;
			continue;
		}
		*out++ = (char)(upper ? *constant : tolower(*constant));
		upper = false;
	}
	*out = '\0';
}

struct named {
	const struct pj_topic *topic;
	const char *constant;
	unsigned number;
};

#define T(TOPIC, CONSTANT)                                                     \
	{                                                                      \
		&pj_topic_##TOPIC, #CONSTANT, PJ_##CONSTANT                    \
	}
#define F(TOPIC, PREFIX, CONSTANT)                                             \
	{                                                                      \
		&pj_topic_##TOPIC, #CONSTANT, PJ_##PREFIX##__##CONSTANT        \
	}

static void
every_type_number_is_the_position_of_the_type_of_that_name(void **state)
{
	static const struct named types[] = {
		T(shop, SHOP_REGISTERED),
		T(shop, SHOP_INFO_CHANGED),
		T(shop, SHOP_OPENED),
		T(shop, SHOP_CLOSED),
		T(shop, SHOP_SUSPENDED),
		T(shop, SHOP_TERMINATED),
		T(product, PRODUCT_REGISTERED),
		T(product, PRODUCT_INFO_CHANGED),
		T(product, PRODUCT_HIDDEN),
		T(product, PRODUCT_SHOWN),
		T(product, PRODUCT_DELETED),
		T(price, PRICE_CHANGED),
		T(stock, STOCK_CHANGED),
		T(stock, SOLD_OUT),
		T(stock, RESTOCKED),
		T(order, ORDER_CREATED),
		T(order, ORDER_ACCEPTED),
		T(order, ORDER_REJECTED),
		T(order, ORDER_COMPLETED),
		T(order, ORDER_CANCELLED),
		T(delivery, DELIVERY_CREATED),
		T(delivery, RIDER_ASSIGNED),
		T(delivery, RIDER_UNASSIGNED),
		T(delivery, PICKED_UP),
		T(delivery, DELIVERY_COMPLETED),
		T(delivery, DELIVERY_CANCELLED),
		T(delivery, ETA_CHANGED),
		T(review, REVIEW_POSTED),
		T(review, REVIEW_EDITED),
		T(review, REVIEW_DELETED),
		T(review, REVIEW_BLINDED),
		T(review, OWNER_REPLIED),
		T(coupon, COUPON_POLICY_CREATED),
		T(coupon, COUPON_ISSUED),
		T(coupon, COUPON_ISSUE_REJECTED),
		T(coupon, COUPON_USED),
		T(coupon, COUPON_USE_CANCELLED),
		T(coupon, COUPON_EXPIRED),
	};
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		char name[64];

		camel(types[i].constant, true, name);
		assert_int_equal(types[i].number,
				 type_named(types[i].topic, name));
	}
	for (size_t i = 0; i < COUNT(topics); i++)
		n += topics[i]->n_types;
	assert_int_equal(n, COUNT(types));
}

static const struct named all_fields[] = {
	F(shop, SHOP, SHOP_ID),
	F(shop, SHOP, NAME),
	F(shop, SHOP, CATEGORY),
	F(shop, SHOP, ADDRESS),
	F(shop, SHOP, AREA_ID),
	F(shop, SHOP, LOCATION),
	F(shop, SHOP, MIN_ORDER_AMOUNT),
	F(shop, SHOP, DELIVERY_TIP),
	F(shop, SHOP, HOURS),
	F(shop, SHOP, IMAGE_URL),
	F(shop, SHOP, REASON),
	F(product, PRODUCT, SHOP_ID),
	F(product, PRODUCT, PRODUCT_ID),
	F(product, PRODUCT, NAME),
	F(product, PRODUCT, PRICE),
	F(product, PRODUCT, CATEGORY_ID),
	F(product, PRODUCT, IMAGE_URL),
	F(product, PRODUCT, DESCRIPTION),
	F(product, PRODUCT, OPTIONS),
	F(price, PRICE, SHOP_ID),
	F(price, PRICE, PRODUCT_ID),
	F(price, PRICE, PRICE),
	F(price, PRICE, SALE_PRICE),
	F(stock, STOCK, SHOP_ID),
	F(stock, STOCK, PRODUCT_ID),
	F(stock, STOCK, QUANTITY),
	F(stock, STOCK, SOLD_OUT),
	F(stock, STOCK, VERSION),
	F(order, ORDER, ORDER_ID),
	F(order, ORDER, SHOP_ID),
	F(order, ORDER, MEMBER_ID),
	F(order, ORDER, LINES),
	F(order, ORDER, TOTAL_AMOUNT),
	F(order, ORDER, REASON),
	F(delivery, DELIVERY, DELIVERY_ID),
	F(delivery, DELIVERY, ORDER_ID),
	F(delivery, DELIVERY, SHOP_ID),
	F(delivery, DELIVERY, AREA_ID),
	F(delivery, DELIVERY, RIDER_ID),
	F(delivery, DELIVERY, REASON),
	F(delivery, DELIVERY, ETA),
	F(review, REVIEW, REVIEW_ID),
	F(review, REVIEW, SHOP_ID),
	F(review, REVIEW, RATING),
	F(review, REVIEW, TEXT),
	F(review, REVIEW, MEMBER_ID),
	F(review, REVIEW, IMAGE_URLS),
	F(review, REVIEW, PREVIOUS_RATING),
	F(coupon, COUPON, COUPON_ID),
	F(coupon, COUPON, NAME),
	F(coupon, COUPON, AMOUNT),
	F(coupon, COUPON, TOTAL_QUANTITY),
	F(coupon, COUPON, SHOP_ID),
	F(coupon, COUPON, OPENS_AT),
	F(coupon, COUPON, CLOSES_AT),
	F(coupon, COUPON, MEMBER_ID),
	F(coupon, COUPON, REASON),
	F(coupon, COUPON, ORDER_ID),
};

static void
every_field_number_is_the_position_of_the_field_of_that_name(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(all_fields); i++) {
		const struct pj_topic *topic = all_fields[i].topic;
		char name[64];

		camel(all_fields[i].constant, false, name);
		assert_int_equal(
			all_fields[i].number,
			field_named(topic->fields, topic->n_fields, name));
	}
	for (size_t i = 0; i < COUNT(topics); i++)
		n += topics[i]->n_fields;
	assert_int_equal(n, COUNT(all_fields));
}

static void
a_lines_fields_stand_at_their_numbers(void **state)
{
	const struct pj_field *lines = &pj_topic_order.fields[PJ_ORDER__LINES];

	(void)state;
	assert_int_equal(lines->n_items, 4);
	assert_string_equal(lines->items[PJ_LINE__PRODUCT_ID].name,
			    "productId");
	assert_string_equal(lines->items[PJ_LINE__NAME].name, "name");
	assert_string_equal(lines->items[PJ_LINE__QUANTITY].name, "quantity");
	assert_string_equal(lines->items[PJ_LINE__UNIT_PRICE].name,
			    "unitPrice");
	assert_int_equal(lines->items_required,
			 PJ_BIT(PJ_LINE__PRODUCT_ID) |
				 PJ_BIT(PJ_LINE__QUANTITY) |
				 PJ_BIT(PJ_LINE__UNIT_PRICE));
}

/* ---- Rules, as the contract words them --------------------------------- */

struct ruled {
	const char *topic;
	const char *type;
	const char *fields; /* `!` = required */
};

#define SHOP_INFO                                                              \
	"category address areaId location minOrderAmount deliveryTip hours "   \
	"imageUrl"
#define PRODUCT_INFO "categoryId imageUrl description options"

static const struct ruled rules[] = {
	{"shop", "ShopRegistered", "shopId! name! " SHOP_INFO},
	{"shop", "ShopInfoChanged", "shopId! name " SHOP_INFO},
	{"shop", "ShopOpened", "shopId! reason"},
	{"shop", "ShopClosed", "shopId! reason"},
	{"shop", "ShopSuspended", "shopId! reason"},
	{"shop", "ShopTerminated", "shopId!"},
	{"product", "ProductRegistered",
	 "shopId! productId! name! price! " PRODUCT_INFO},
	{"product", "ProductInfoChanged",
	 "shopId! productId! name price " PRODUCT_INFO},
	{"product", "ProductHidden", "shopId! productId!"},
	{"product", "ProductShown", "shopId! productId!"},
	{"product", "ProductDeleted", "shopId! productId!"},
	{"price", "PriceChanged", "shopId! productId! price! salePrice"},
	{"stock", "StockChanged",
	 "shopId! productId! quantity! soldOut version"},
	{"stock", "SoldOut", "shopId! productId!"},
	{"stock", "Restocked", "shopId! productId! quantity!"},
	{"order", "OrderCreated",
	 "orderId! shopId! memberId lines! totalAmount!"},
	{"order", "OrderAccepted", "orderId! shopId!"},
	{"order", "OrderRejected", "orderId! shopId!"},
	{"order", "OrderCompleted", "orderId! shopId!"},
	{"order", "OrderCancelled",
	 "orderId! shopId! totalAmount! lines reason"},
	{"delivery", "DeliveryCreated", "deliveryId! orderId! shopId! areaId"},
	{"delivery", "RiderAssigned", "deliveryId! riderId!"},
	{"delivery", "RiderUnassigned", "deliveryId! reason"},
	{"delivery", "PickedUp", "deliveryId! reason"},
	{"delivery", "DeliveryCompleted", "deliveryId! reason"},
	{"delivery", "DeliveryCancelled", "deliveryId! reason"},
	{"delivery", "EtaChanged", "deliveryId! eta!"},
	{"review", "ReviewPosted",
	 "reviewId! shopId! rating! text memberId imageUrls"},
	{"review", "ReviewEdited",
	 "reviewId! shopId! rating! previousRating! text"},
	{"review", "ReviewDeleted", "reviewId! shopId! rating!"},
	{"review", "ReviewBlinded", "reviewId! shopId! rating!"},
	{"review", "OwnerReplied", "reviewId! shopId! text!"},
	{"coupon", "CouponPolicyCreated",
	 "couponId! name! amount! totalQuantity! shopId opensAt closesAt"},
	{"coupon", "CouponIssued", "couponId! memberId!"},
	{"coupon", "CouponIssueRejected", "couponId! memberId! reason"},
	{"coupon", "CouponUsed", "couponId! memberId! orderId"},
	{"coupon", "CouponUseCancelled", "couponId! memberId! orderId"},
	{"coupon", "CouponExpired", "couponId!"},
};

static void
read_rule(const struct ruled *rule, uint64_t *ret_fields, uint64_t *ret_must)
{
	const struct pj_topic *topic = topic_named(rule->topic);
	char text[256];
	char *rest = text;

	*ret_fields = *ret_must = 0;
	assert_true(strlen(rule->fields) < sizeof(text));
	strcpy(text, rule->fields);
	for (char *name; (name = strtok_r(rest, " ", &rest));) {
		size_t len = strlen(name);
		bool must = name[len - 1] == '!';
		int field;

		if (must)
			name[len - 1] = '\0';
		field = field_named(topic->fields, topic->n_fields, name);
		*ret_fields |= PJ_BIT(field);
		if (must)
			*ret_must |= PJ_BIT(field);
	}
}

static void
every_type_lists_and_requires_what_the_contract_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++) {
		const struct pj_topic *topic = topic_named(rules[i].topic);
		const struct pj_event_type *type =
			&topic->types[type_named(topic, rules[i].type)];
		uint64_t fields;
		uint64_t must;

		read_rule(&rules[i], &fields, &must);
		if (type->fields != fields || type->required != must)
			fail_msg("%s: other fields", type->name);
	}
}

static void
null_removes_only_in_changes_and_never_what_registration_requires(void **state)
{
	static const struct {
		const char *topic, *change, *origin;
	} pairs[] = {
		{"shop", "ShopInfoChanged", "ShopRegistered"},
		{"product", "ProductInfoChanged", "ProductRegistered"},
		{"review", "ReviewEdited", "ReviewPosted"},
	};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		const struct pj_topic *topic = topic_named(pairs[i].topic);
		const struct pj_event_type *change =
			&topic->types[type_named(topic, pairs[i].change)];
		const struct pj_event_type *origin =
			&topic->types[type_named(topic, pairs[i].origin)];

		assert_true(change->null_removes);
		assert_int_equal(change->not_null, origin->required);
	}
	for (size_t i = 0; i < COUNT(topics); i++) {
		for (unsigned k = 0; k < topics[i]->n_types; k++)
			n += topics[i]->types[k].null_removes;
	}
	assert_int_equal(n, COUNT(pairs));
}

static enum pj_type
type_of(const char *name)
{
	static const struct {
		const char *names;
		enum pj_type type;
	} kinds[] = {
		{" minOrderAmount deliveryTip price salePrice quantity version "
		 "totalAmount unitPrice amount totalQuantity ",
		 PJ_TYPE_INT},
		{" rating previousRating ", PJ_TYPE_RATING},
		{" soldOut ", PJ_TYPE_BOOL},
		{" eta opensAt closesAt ", PJ_TYPE_DATE},
		{" location ", PJ_TYPE_OBJECT},
		{" hours options imageUrls ", PJ_TYPE_ARRAY},
		{" lines ", PJ_TYPE_LIST},
		{" name category address imageUrl reason description text ",
		 PJ_TYPE_STRING},
	};
	size_t len = strlen(name);
	char word[64] = " ";

	if (len > 2 && strcmp(name + len - 2, "Id") == 0)
		return PJ_TYPE_ID;
	strcat(strcat(word, name), " ");
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (strstr(kinds[i].names, word))
			return kinds[i].type;
	}
	fail_msg("%s is in no list", name);
	return PJ_TYPE_STRING;
}

static void
every_field_has_the_type_its_kind_has_in_the_contract(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(topics); i++) {
		const struct pj_topic *topic = topics[i];

		assert_int_equal(topic->size, sizeof(*topic));
		for (unsigned k = 0; k < topic->n_fields; k++) {
			const struct pj_field *field = &topic->fields[k];

			assert_int_equal(field->type, type_of(field->name));
			for (unsigned m = 0; m < field->n_items; m++)
				assert_int_equal(field->items[m].type,
						 type_of(field->items[m].name));
		}
	}
}

static void
korean_names_are_aliases_of_the_delivery_types(void **state)
{
	static const struct {
		const char *alias, *name;
	} pairs[] = {
		{"배달생성", "DeliveryCreated"},
		{"배차완료", "RiderAssigned"},
		{"배차취소", "RiderUnassigned"},
		{"픽업완료", "PickedUp"},
		{"배달완료", "DeliveryCompleted"},
		{"배달취소", "DeliveryCancelled"},
	};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		int type = type_named(&pj_topic_delivery, pairs[i].name);
		const char *const *aliases =
			pj_topic_delivery.types[type].aliases;

		assert_non_null(aliases);
		assert_string_equal(aliases[0], pairs[i].alias);
		assert_null(aliases[1]);
	}
	for (size_t i = 0; i < COUNT(topics); i++) {
		for (unsigned k = 0; k < topics[i]->n_types; k++)
			n += topics[i]->types[k].aliases != NULL;
	}
	assert_int_equal(n, COUNT(pairs));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_type_number_is_the_position_of_the_type_of_that_name),
		cmocka_unit_test(
			every_field_number_is_the_position_of_the_field_of_that_name),
		cmocka_unit_test(a_lines_fields_stand_at_their_numbers),
		cmocka_unit_test(
			every_type_lists_and_requires_what_the_contract_says),
		cmocka_unit_test(
			null_removes_only_in_changes_and_never_what_registration_requires),
		cmocka_unit_test(
			every_field_has_the_type_its_kind_has_in_the_contract),
		cmocka_unit_test(
			korean_names_are_aliases_of_the_delivery_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
