/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/values.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/document.h"
#include "tests/sim/modules.h"
#include "tests/sim/tell.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { VALUE_MAX = 2048 };

static struct pj_str
text(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static struct pj_str
text(struct arena *arena, const char *fmt, ...)
{
	char room[VALUE_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(room, sizeof(room), fmt, ap);
	va_end(ap);
	REQUIRE(len >= 0 && (size_t)len < sizeof(room), "a value is too long");
	return arena_str(arena, (struct pj_str){room, (size_t)len});
}

/* ---- Good ones -------------------------------------------------------- */

static struct pj_str
envelope(struct arena *arena, const char *type, int64_t at_ms,
	 struct pj_str data)
{
	return text(arena,
		    "{\"eventId\":\"e\",\"eventType\":\"%s\",\"data\":%s,"
		    "\"occurrenceDateTime\":%lld}",
		    type, data.ptr, (long long)at_ms);
}

static struct pj_str
stock(struct arena *arena, struct dice *dice, const char *shop, int64_t at_ms,
      bool heavy)
{
	static const int quantities[] = {
		0, 1, 2, 2, 2, 9, CHAIN_REJECT, CHAIN_DELETE};
	static const int versions[] = {
		1, 1, 2, CHAIN_NOTHING, CHAIN_NOTHING, CHAIN_GROW};
	int quantity = quantities[dice_below(dice, COUNT(quantities))];
	int version = versions[dice_below(dice, COUNT(versions))];
	unsigned product = dice_below(dice, 2), kind = dice_below(dice, 6);

	if (heavy)
		version = CHAIN_POISON;
	if (kind == 0 && !heavy)
		return envelope(arena, "SoldOut", at_ms,
				text(arena,
				     "{\"shopId\":\"%s\",\"productId\":"
				     "\"p%u\"}",
				     shop, product));
	if (kind == 1 && !heavy)
		return envelope(arena, "Restocked", at_ms,
				text(arena,
				     "{\"shopId\":\"%s\",\"productId\":"
				     "\"p%u\",\"quantity\":%d}",
				     shop, product, quantity));
	return envelope(arena, "StockChanged", at_ms,
			text(arena,
			     "{\"shopId\":\"%s\",\"productId\":\"p%u\","
			     "\"quantity\":%d,\"version\":%d}",
			     shop, product, quantity, version));
}

static struct pj_str
review(struct arena *arena, struct dice *dice, const char *shop, int64_t at_ms)
{
	static const char *const types[] = {"ReviewPosted", "ReviewPosted",
					    "ReviewEdited", "ReviewDeleted",
					    "OwnerReplied"};
	const char *type = types[dice_below(dice, COUNT(types))];
	unsigned id = dice_below(dice, 12), rating = 1 + dice_below(dice, 10);
	unsigned before = 1 + dice_below(dice, 10);

	return envelope(arena, type, at_ms,
			text(arena,
			     "{\"reviewId\":\"r%u\",\"shopId\":\"%s\","
			     "\"rating\":%u,\"previousRating\":%u,"
			     "\"text\":\"t%u\",\"memberId\":\"m1\"}",
			     id, shop, rating, before, dice_below(dice, 3)));
}

static struct pj_str
order(struct arena *arena, struct dice *dice, const char *id, int64_t at_ms,
      const char *product)
{
	static const char *const types[] = {"OrderCreated",   "OrderCreated",
					    "OrderCreated",   "OrderAccepted",
					    "OrderCompleted", "OrderCancelled"};
	const char *type = types[dice_below(dice, COUNT(types))];
	unsigned shop = dice_below(dice, 2), total = dice_below(dice, 5000);
	bool heavy = strcmp(product, DOCUMENT_POISON) == 0;
	unsigned quantity = heavy ? 1 : dice_below(dice, 4);

	return envelope(arena, heavy ? "OrderCreated" : type, at_ms,
			text(arena,
			     "{\"orderId\":\"%s\",\"shopId\":\"s%u\","
			     "\"memberId\":\"m1\",\"totalAmount\":%u,"
			     "\"lines\":[{\"productId\":\"%s\","
			     "\"quantity\":%u,\"unitPrice\":100}]}",
			     id, shop, total, product, quantity));
}

static struct pj_str
coupon(struct arena *arena, struct dice *dice, const char *id, int64_t at_ms)
{
	static const char *const types[] = {
		"CouponPolicyCreated", "CouponIssued",	     "CouponIssued",
		"CouponUsed",	       "CouponUseCancelled", "CouponExpired"};
	const char *type = types[dice_below(dice, COUNT(types))];
	unsigned member = dice_below(dice, 3), of = dice_below(dice, 2);

	return envelope(arena, type, at_ms,
			text(arena,
			     "{\"couponId\":\"%s\",\"memberId\":\"m%u\","
			     "\"name\":\"c\",\"amount\":5,"
			     "\"totalQuantity\":3,\"orderId\":\"o%u\"}",
			     id, member, of));
}

struct pj_str
value_event(struct arena *arena, struct dice *dice, const char *topic,
	    const char *key, int64_t at_ms)
{
	static const char *const products[] = {"p0", "p1", "p2"};

	switch (topic[0]) {
	case 's':
		return stock(arena, dice, key, at_ms, false);
	case 'r':
		return review(arena, dice, key, at_ms);
	case 'o':
		return order(arena, dice, key, at_ms,
			     products[dice_below(dice, COUNT(products))]);
	default:
		return coupon(arena, dice, key, at_ms);
	}
}

struct pj_str
value_toggle(struct arena *arena, struct dice *dice, const char *topic,
	     const char *key, int64_t at_ms)
{
	unsigned product = dice_below(dice, 2);

	if (topic[0] != 's')
		return value_event(arena, dice, topic, key, at_ms);
	if (dice_percent(dice, 50))
		return envelope(arena, "SoldOut", at_ms,
				text(arena,
				     "{\"shopId\":\"%s\",\"productId\":"
				     "\"p%u\"}",
				     key, product));
	return envelope(arena, "Restocked", at_ms,
			text(arena,
			     "{\"shopId\":\"%s\",\"productId\":\"p%u\","
			     "\"quantity\":1}",
			     key, product));
}

/*
 * It stays in the document, whatever comes later: else it would be a matter of
 * the batch whether the store ever sees it.
 */
struct pj_str
value_heavy(struct arena *arena, struct dice *dice, const char *topic,
	    const char *key, int64_t at_ms)
{
	switch (topic[0]) {
	case 's':
		return stock(arena, dice, key, at_ms, true);
	case 'o':
		return order(arena, dice, key, at_ms, DOCUMENT_POISON);
	default:
		return value_event(arena, dice, topic, key, at_ms);
	}
}

/* ---- Bad ones --------------------------------------------------------- */

static struct pj_str
nested(struct arena *arena)
{
	char room[260];

	memset(room, '[', 130);
	memset(room + 130, ']', 130);
	return text(arena, "{\"eventType\":\"X\",\"data\":{\"a\":%.*s}}", 260,
		    room);
}

/* The document key can be told, and is over the limit. */
static struct pj_str
long_key(struct arena *arena, int64_t at_ms)
{
	char id[251];

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	return envelope(arena, "SoldOut", at_ms,
			text(arena, "{\"shopId\":\"%s\",\"productId\":\"%s\"}",
			     id, id));
}

/* Readable and of a listed type, but not whole. */
static struct pj_str
incomplete(struct arena *arena, const char *topic, int64_t at_ms,
	   const char *data)
{
	return envelope(arena,
			topic[0] == 's'	  ? "StockChanged"
			: topic[0] == 'r' ? "ReviewPosted"
			: topic[0] == 'o' ? "OrderCreated"
					  : "CouponUsed",
			at_ms, text(arena, "%s", data));
}

struct pj_str
value_bad(struct arena *arena, struct dice *dice, const char *topic,
	  const char *key, int64_t at_ms)
{
	switch (dice_below(dice, 10)) {
	case 0:
		return text(arena, "{\"eventType\":");
	case 1:
		return envelope(arena, "Whatever", at_ms, text(arena, "{}"));
	case 2:
		return topic[0] == 's' ? long_key(arena, at_ms)
				       : text(arena, "[]");
	case 3:
		return text(arena, "{\"eventType\":\"SoldOut\",\"data\":"
				   "{\"shopId\":\"\xff\xfe\"}}");
	case 4:
		return nested(arena);
	case 5:
		return text(arena, "{\"eventType\":\"SoldOut\",\"data\":{},"
				   "\"data\":{}}");
	case 6:
		/* The document is known, a field is at fault. */
		return incomplete(
			arena, topic, at_ms,
			text(arena,
			     "{\"shopId\":\"%s\",\"productId\":\"p1\","
			     "\"orderId\":\"%s\",\"couponId\":\"%s\","
			     "\"memberId\":[1],\"quantity\":\"many\","
			     "\"rating\":99,\"totalAmount\":{}}",
			     key, key, key)
				.ptr);
	case 7:
		return text(arena, "%s", "");
	case 8:
		return text(arena, "{\"eventType\":\"SoldOut\",\"data\":"
				   "{\"shopId\":\"a\\u0000b\"}}");
	default:
		/* Of another document than the record's key, if of any. */
		return incomplete(arena, topic, at_ms,
				  text(arena, "{\"shopId\":\"%c%c%s\"}", key[0],
				       key[1] ^ 4, key + 2)
					  .ptr);
	}
}

struct pj_str
value_numbered(struct arena *arena, struct pj_str value, int64_t sequence)
{
	if (value.len < 20 || value.ptr[value.len - 1] != '}')
		return value;
	return text(arena, "%.*s,\"sequence\":%lld}", (int)value.len - 1,
		    value.ptr, (long long)sequence);
}

struct pj_str
value_unheard(struct arena *arena, int64_t sequence)
{
	return text(arena,
		    "{\"eventType\":\"Unheard\",\"data\":{},\"sequence\":%lld}",
		    (long long)sequence);
}
