/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log that test_core.c projects: seeded records of four topics, good and
 * bad, and the modules that read them.
 *
 * `chain` is a module of the test's own. What it keeps depends on every event
 * and on their order, it has events that change nothing, that are rejected, and
 * that make its document too large or unstorable for good.
 */
#ifndef TESTS_COMPONENT_CORE_LOG_H
#define TESTS_COMPONENT_CORE_LOG_H

#include <projector/contract.h>
#include <projector/projection.h>

#include "tests/component/fake_store.h"
#include "projector/decode.h"
#include "projector/module.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- chain: order-sensitive -------------------------------------------- */

enum {
	CHAIN_REJECT = -13, /* quantities with a meaning */
	CHAIN_DELETE = -7,
	CHAIN_NOTHING = 5, /* versions with a meaning */
	CHAIN_GROW = 66,
	CHAIN_POISON = 77,
	/* What else is in the document never makes up for a filler. */
	CHAIN_FILLER = 390,
	CHAIN_BYTES = 800, /* one fits, two do not */
};

static const struct pj_reads chain_reads[] = {
	{&pj_topic_stock,
	 PJ_BIT(PJ_STOCK_CHANGED) | PJ_BIT(PJ_SOLD_OUT) | PJ_BIT(PJ_RESTOCKED)},
	{NULL, 0},
};

static const struct pj_shape chain_shape[] = {
	{.name = "n", .type = PJ_SERVED_INT},
	{.name = "hash", .type = PJ_SERVED_INT},
	{.name = "soldOut", .type = PJ_SERVED_BOOL},
	{.name = NULL},
};

static void
chain_key(const struct pj_options *options, const struct pj_event *ev,
	  struct pj_keys *keys)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)options;
	pj_key2(keys, pj_string(data, PJ_STOCK__SHOP_ID),
		pj_string(data, PJ_STOCK__PRODUCT_ID));
}

/* Stays for good, whatever comes later. */
static void
chain_grow(struct pj_node *root, const struct pj_event *ev)
{
	char filler[CHAIN_FILLER], name[32];

	memset(filler, '-', sizeof(filler));
	(void)snprintf(name, sizeof(name), "_g%lld",
		       (long long)pj_event_time_ms(ev));
	(void)pj_set_string(root, name,
			    (struct pj_str){filler, sizeof(filler)});
	/* What comes next may then be no change, or be one after all. */
	(void)pj_set_bool(root, "_out", true);
}

static enum pj_fold
chain_fold(const struct pj_options *options, const struct pj_event *ev,
	   struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	int64_t quantity = pj_int(data, PJ_STOCK__QUANTITY);
	int64_t version = pj_int(data, PJ_STOCK__VERSION);
	int64_t hash = pj_get_int(root, "_hash");

	(void)options;
	if (pj_event_type(ev) == PJ_SOLD_OUT) {
		if (pj_get_bool(root, "_out"))
			return PJ_DONE;
		(void)pj_set_bool(root, "_out", true);
		quantity = 3;
	}
	if (pj_event_type(ev) == PJ_STOCK_CHANGED && version == CHAIN_NOTHING)
		return PJ_DONE;
	hash = (hash * 31 + quantity * 7 + pj_event_type(ev)) % 1000000007;
	(void)pj_set_int(root, "_hash", hash);
	if (pj_add(root, "_n", 1, err))
		return PJ_REJECT;
	if (quantity == CHAIN_REJECT)
		return pj_error_set(err, PJ_ERROR_INPUT, "asked to"), PJ_REJECT;
	if (pj_event_type(ev) == PJ_RESTOCKED)
		(void)pj_set_bool(root, "_out", false);
	if (version == CHAIN_GROW)
		chain_grow(root, ev);
	if (version == CHAIN_POISON)
		(void)pj_set_string(root, "_poison", PJ_STR(FAKE_POISON));
	if (quantity == CHAIN_DELETE)
		return PJ_DELETE;
	pj_doc_revive(doc);
	(void)pj_mirror(root, "n", root, "_n");
	(void)pj_mirror(root, "hash", root, "_hash");
	(void)pj_mirror(root, "soldOut", root, "_out");
	return PJ_DONE;
}

PJ_PROJECTION(chain){
	PJ_PROJECTION_HEAD,
	.name = "chain",
	.version = 1,
	.summary = "Every event counts, and its place",
	.reads = chain_reads,
	.shape = chain_shape,
	.max_bytes = CHAIN_BYTES,
	.key = chain_key,
	.fold = chain_fold,
};

/* ---- Modules ------------------------------------------------------------ */

const struct pj_projection *
pj_projection_stock(void);
const struct pj_projection *
pj_projection_review_summary(void);
const struct pj_projection *
pj_projection_sales(void);
const struct pj_projection *
pj_projection_member_coupons(void);
const struct pj_projection *
pj_projection_coupon(void);
const struct pj_projection *
pj_projection_order(void);

enum { MODULES = 7 };

struct core_modules {
	struct module *mod[MODULES];
	struct decode_topic topics[4];
	struct zone *zone;
};

static inline void
core_modules_load(struct core_modules *all)
{
	static const struct pj_projection *(*const make[MODULES])(void) = {
		pj_projection_chain,	      pj_projection_stock,
		pj_projection_review_summary, pj_projection_sales,
		pj_projection_member_coupons, pj_projection_coupon,
		pj_projection_order,
	};
	static const struct pj_topic *const topics[] = {
		&pj_topic_stock, &pj_topic_review, &pj_topic_order,
		&pj_topic_coupon};
	struct pj_error err;

	if (zone_load("Asia/Seoul", &all->zone, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < MODULES; i++)
		if (module_adopt(make[i](), make[i]()->name, "linked", NULL,
				 &all->mod[i], &err))
			fail_msg("%s", err.text);
	for (size_t i = 0; i < COUNT(topics); i++)
		all->topics[i] = (struct decode_topic){
			topics[i], DECODE_ENVELOPE, all->zone};
}

static inline void
core_modules_free(struct core_modules *all)
{
	for (size_t i = 0; i < MODULES; i++)
		module_free(all->mod[i]);
	zone_free(all->zone);
}

/* ---- Records ------------------------------------------------------------ */

enum { LOGS_MAX = 12, EVENTS_MAX = 48 };

struct log_event {
	int64_t offset;
	int64_t timestamp_ms;
	char key[64];
	char *value; /* NULL: a tombstone */
};

struct log {
	const char *topic;
	int32_t number;
	int32_t source;
	struct log_event events[EVENTS_MAX];
	size_t n;
	int64_t end;
};

#define LOG_TIME INT64_C(1700000000000)

static inline char *
log_value(const char *type, int64_t at_ms, char *data)
{
	char *value = mem_printf("{\"eventId\":\"e\",\"eventType\":\"%s\","
				 "\"data\":%s,\"occurrenceDateTime\":%lld}",
				 type, data, (long long)at_ms);

	free(data);
	return value;
}

static inline char *
log_stock(struct dice *dice, const char *shop, int64_t at_ms, bool heavy)
{
	static const int quantities[] = {
		0, 1, 2, 2, 2, 9, CHAIN_REJECT, CHAIN_DELETE};
	static const int versions[] = {
		1, 1, 2, CHAIN_NOTHING, CHAIN_NOTHING, CHAIN_GROW};
	int quantity = quantities[dice_below(dice, COUNT(quantities))];
	int version = versions[dice_below(dice, COUNT(versions))];
	unsigned product = dice_below(dice, 2);

	if (heavy && dice_percent(dice, 8))
		version = CHAIN_POISON;
	switch (dice_below(dice, 6)) {
	case 0:
		return log_value("SoldOut", at_ms,
				 mem_printf("{\"shopId\":\"%s\",\"productId\":"
					    "\"p%u\"}",
					    shop, product));
	case 1:
		return log_value("Restocked", at_ms,
				 mem_printf("{\"shopId\":\"%s\",\"productId\":"
					    "\"p%u\",\"quantity\":%d}",
					    shop, product, quantity));
	default:
		return log_value("StockChanged", at_ms,
				 mem_printf("{\"shopId\":\"%s\",\"productId\":"
					    "\"p%u\",\"quantity\":%d,"
					    "\"version\":%d}",
					    shop, product, quantity, version));
	}
}

static inline char *
log_review(struct dice *dice, const char *shop, int64_t at_ms)
{
	static const char *const types[] = {"ReviewPosted", "ReviewPosted",
					    "ReviewEdited", "ReviewDeleted",
					    "OwnerReplied"};
	const char *type = types[dice_below(dice, COUNT(types))];

	return log_value(
		type, at_ms,
		mem_printf("{\"reviewId\":\"r%u\",\"shopId\":\"%s\","
			   "\"rating\":%u,\"previousRating\":%u,"
			   "\"text\":\"t%u\",\"memberId\":\"m1\"}",
			   dice_below(dice, 12), shop, 1 + dice_below(dice, 10),
			   1 + dice_below(dice, 10), dice_below(dice, 3)));
}

static inline char *
log_order(struct dice *dice, const char *order, int64_t at_ms)
{
	static const char *const types[] = {"OrderCreated",   "OrderCreated",
					    "OrderCreated",   "OrderAccepted",
					    "OrderCompleted", "OrderCancelled"};

	return log_value(types[dice_below(dice, COUNT(types))], at_ms,
			 mem_printf("{\"orderId\":\"%s\",\"shopId\":\"s%u\","
				    "\"memberId\":\"m1\",\"totalAmount\":%u,"
				    "\"lines\":[{\"productId\":\"p%u\","
				    "\"quantity\":%u,\"unitPrice\":100}]}",
				    order, dice_below(dice, 2),
				    dice_below(dice, 5000), dice_below(dice, 3),
				    dice_below(dice, 4)));
}

/* An order of its own that no document can hold: lines stay in `sales`. */
static inline char *
log_order_poison(const char *order, int64_t at_ms)
{
	return log_value("OrderCreated", at_ms,
			 mem_printf("{\"orderId\":\"%s\",\"shopId\":\"s0\","
				    "\"totalAmount\":1,\"lines\":["
				    "{\"productId\":\"" FAKE_POISON "\","
				    "\"quantity\":1,\"unitPrice\":1}]}",
				    order));
}

static inline char *
log_coupon(struct dice *dice, const char *coupon, int64_t at_ms)
{
	static const char *const types[] = {
		"CouponPolicyCreated", "CouponIssued",	     "CouponIssued",
		"CouponUsed",	       "CouponUseCancelled", "CouponExpired"};

	return log_value(types[dice_below(dice, COUNT(types))], at_ms,
			 mem_printf("{\"couponId\":\"%s\",\"memberId\":"
				    "\"m%u\",\"name\":\"c\",\"amount\":5,"
				    "\"totalQuantity\":3,\"orderId\":\"o%u\"}",
				    coupon, dice_below(dice, 3),
				    dice_below(dice, 2)));
}

/* A value that is at fault; each kind ends in a parked row or is skipped. */
static inline char *
log_bad(struct dice *dice, const char *topic, int64_t at_ms)
{
	char id[251];

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	switch (dice_below(dice, 4)) {
	case 0:
		return mem_strdup("{\"eventType\":");
	case 1:
		return log_value("Whatever", at_ms, mem_strdup("{}"));
	case 2:
		if (strcmp(topic, "stock") == 0)
			return log_value("SoldOut", at_ms,
					 mem_printf("{\"shopId\":\"%s\","
						    "\"productId\":\"%s\"}",
						    id, id));
		return mem_strdup("[]");
	default:
		/* Required fields are missing, the document's id among them. */
		return log_value(strcmp(topic, "stock") == 0	? "StockChanged"
				 : strcmp(topic, "review") == 0 ? "ReviewPosted"
				 : strcmp(topic, "order") == 0	? "OrderCreated"
								: "CouponUsed",
				 at_ms, mem_strdup("{\"shopId\":\"s1\"}"));
	}
}

static inline void
log_event_make(struct log *log, struct dice *dice, bool bad, bool heavy)
{
	struct log_event *ev = &log->events[log->n++];
	unsigned id = dice_below(dice, 2) * 4 + (unsigned)log->number;
	int64_t at_ms = LOG_TIME + dice_below(dice, 200000000);

	ev->offset = log->end;
	ev->timestamp_ms = at_ms;
	/* Gaps: transaction markers and compaction leave them. */
	log->end += 1 + (dice_percent(dice, 15) ? dice_below(dice, 3) : 0);
	(void)snprintf(ev->key, sizeof(ev->key), "%c%u", log->topic[0], id);
	if (heavy && log->topic[0] == 'o' && dice_percent(dice, 8)) {
		(void)snprintf(ev->key, sizeof(ev->key), "only%lld",
			       (long long)ev->offset);
		ev->value = log_order_poison(ev->key, at_ms);
	} else if (bad && dice_percent(dice, 10))
		ev->value = log_bad(dice, log->topic, at_ms);
	else if (bad && dice_percent(dice, 4))
		ev->value = NULL;
	else if (strcmp(log->topic, "stock") == 0)
		ev->value = log_stock(dice, ev->key, at_ms, heavy);
	else if (strcmp(log->topic, "review") == 0)
		ev->value = log_review(dice, ev->key, at_ms);
	else if (strcmp(log->topic, "order") == 0)
		ev->value = log_order(dice, ev->key, at_ms);
	else
		ev->value = log_coupon(dice, ev->key, at_ms);
}

static inline void
log_release(struct log *log)
{
	for (size_t i = 0; i < log->n; i++)
		free(log->events[i].value);
}

/* ---- A record as a source hands it out ---------------------------------- */

struct log_record {
	struct record rec;
	size_t *out; /* counts records that are not given back */
	char bytes[];
};

static inline void
log_record_release(struct record *rec)
{
	--*((struct log_record *)rec)->out;
	free(rec);
}

static inline struct record *
log_record_new(const struct log_event *ev, struct partition *part, size_t *out)
{
	size_t key = strlen(ev->key);
	size_t value = ev->value ? strlen(ev->value) : 0;
	struct log_record *r = mem_calloc(1, sizeof(*r) + key + value);

	memcpy(r->bytes, ev->key, key);
	if (value)
		memcpy(r->bytes + key, ev->value, value);
	r->rec = (struct record){
		.partition = part,
		.offset = ev->offset,
		.timestamp_ms = ev->timestamp_ms,
		.value_null = !ev->value,
		.key = {r->bytes, key},
		.value = {ev->value ? r->bytes + key : NULL, value},
		.release = log_record_release,
	};
	r->out = out;
	++*out;
	return &r->rec;
}

#endif
