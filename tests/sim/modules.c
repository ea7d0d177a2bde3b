/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/modules.h"

#include <projector/projection.h>

#include <stdio.h>
#include <string.h>

#include "tests/sim/document.h"
#include "tests/sim/tell.h"

bool modules_mended;

/* Another number for every history. */
static int64_t
history(int64_t before, int64_t what)
{
	return (before * 31 + what) % 1000000007;
}

static enum pj_fold
reject(struct pj_error *err)
{
	(void)pj_error_set(err, PJ_ERROR_INPUT, "asked to");
	return PJ_REJECT;
}

/* ---- chain ------------------------------------------------------------ */

enum {
	/* What else is in the document never makes up for a filler. */
	CHAIN_FILLER = 1500,
	CHAIN_BYTES = 3000, /* one fits, `_m` and all, two do not */
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

static void
chain_serve(struct pj_node *root)
{
	(void)pj_mirror(root, "n", root, "_n");
	(void)pj_mirror(root, "hash", root, "_hash");
	(void)pj_mirror(root, "soldOut", root, "_out");
}

static enum pj_fold
chain_fold(const struct pj_options *options, const struct pj_event *ev,
	   struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	int64_t quantity = pj_int(data, PJ_STOCK__QUANTITY);
	int64_t version = pj_int(data, PJ_STOCK__VERSION);

	(void)options;
	if (pj_event_type(ev) == PJ_SOLD_OUT) {
		if (pj_get_bool(root, "_out"))
			return PJ_DONE;
		(void)pj_set_bool(root, "_out", true);
		quantity = 3;
	}
	if (pj_event_type(ev) == PJ_STOCK_CHANGED && version == CHAIN_NOTHING)
		return PJ_DONE;
	(void)pj_set_int(root, "_hash",
			 history(pj_get_int(root, "_hash"),
				 quantity * 7 + pj_event_type(ev)));
	if (pj_add(root, "_n", 1, err))
		return PJ_REJECT;
	if (quantity == CHAIN_REJECT && !modules_mended)
		return reject(err);
	if (pj_event_type(ev) == PJ_RESTOCKED)
		(void)pj_set_bool(root, "_out", false);
	if (version == CHAIN_GROW)
		chain_grow(root, ev);
	if (version == CHAIN_POISON)
		(void)pj_set_string(root, "_poison", PJ_STR(DOCUMENT_POISON));
	if (quantity == CHAIN_DELETE)
		return PJ_DELETE;
	pj_doc_revive(doc);
	chain_serve(root);
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

/* ---- trail ------------------------------------------------------------ */

static const struct pj_reads trail_reads[] = {
	{&pj_topic_review, PJ_BIT(PJ_REVIEW_POSTED) | PJ_BIT(PJ_REVIEW_EDITED) |
				   PJ_BIT(PJ_REVIEW_DELETED)},
	{NULL, 0},
};

static const struct pj_shape trail_shape[] = {
	{.name = "hash", .type = PJ_SERVED_INT},
	{.name = "last", .type = PJ_SERVED_INT},
	{.name = NULL},
};

static void
trail_key(const struct pj_options *options, const struct pj_event *ev,
	  struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), PJ_REVIEW__SHOP_ID));
}

static enum pj_fold
trail_fold(const struct pj_options *options, const struct pj_event *ev,
	   struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	int64_t rating;

	(void)options;
	if (pj_event_type(ev) == PJ_TOMBSTONE) {
		if (pj_doc_state(doc) != PJ_DOC_LIVE)
			return PJ_DONE;
		(void)pj_set_int(root, "_hash",
				 history(pj_get_int(root, "_hash"), 1009));
		return PJ_DELETE;
	}
	rating = pj_int(data, PJ_REVIEW__RATING);
	/* Two events in a row may say the same. */
	if (pj_event_type(ev) == PJ_REVIEW_DELETED &&
	    pj_get_int(root, "_last") == rating)
		return PJ_DONE;
	(void)pj_set_int(root, "_hash",
			 history(pj_get_int(root, "_hash"),
				 rating * 7 + pj_event_type(ev)));
	(void)pj_set_int(root, "_last", rating);
	if (pj_event_type(ev) == PJ_REVIEW_EDITED && rating == 10 &&
	    !modules_mended)
		return reject(err);
	pj_doc_revive(doc);
	(void)pj_mirror(root, "hash", root, "_hash");
	(void)pj_mirror(root, "last", root, "_last");
	return PJ_DONE;
}

PJ_PROJECTION(trail){
	PJ_PROJECTION_HEAD,
	.name = "trail",
	.version = 1,
	.summary = "The history of a record key",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = trail_reads,
	.shape = trail_shape,
	.key = trail_key,
	.fold = trail_fold,
};

/* ---- fan -------------------------------------------------------------- */

static const struct pj_reads fan_reads[] = {
	{&pj_topic_coupon, PJ_BIT(PJ_COUPON_ISSUED) | PJ_BIT(PJ_COUPON_USED) |
				   PJ_BIT(PJ_COUPON_USE_CANCELLED)},
	{NULL, 0},
};

static const struct pj_shape fan_shape[] = {
	{.name = "sum", .type = PJ_SERVED_INT},
	{.name = NULL},
};

static void
fan_key(const struct pj_options *options, const struct pj_event *ev,
	struct pj_keys *keys)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)options;
	pj_key(keys, pj_string(data, PJ_COUPON__MEMBER_ID));
	if (pj_event_type(ev) == PJ_COUPON_USED)
		pj_key2(keys, PJ_STR("order"),
			pj_string(data, PJ_COUPON__ORDER_ID));
}

/* A part per coupon, which is the record's key. */
static enum pj_fold
fan_fold(const struct pj_options *options, const struct pj_event *ev,
	 struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	struct pj_str coupon = pj_string(data, PJ_COUPON__COUPON_ID);
	struct pj_node *part;
	int64_t before, after;

	(void)options;
	part = pj_map_object(pj_make_object(root, "_parts"), PJ_ORDER_BYTES,
			     coupon);
	before = pj_get_int(part, "hash");
	after = history(before,
			pj_event_type(ev) * 7 + pj_event_time_ms(ev) % 1000);
	(void)pj_set_int(part, "hash", after);
	if (pj_add(root, "sum", after - before, err))
		return PJ_REJECT;
	if (pj_event_type(ev) == PJ_COUPON_USE_CANCELLED &&
	    pj_event_time_ms(ev) % 5 == 0 && !modules_mended)
		return reject(err);
	return PJ_DONE;
}

PJ_PROJECTION(fan){
	PJ_PROJECTION_HEAD,
	.name = "fan",
	.version = 1,
	.summary = "Histories of record keys, in documents of many",
	.reads = fan_reads,
	.shape = fan_shape,
	.key = fan_key,
	.fold = fan_fold,
};

/* ---- All -------------------------------------------------------------- */

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

void
modules_load(struct modules *all)
{
	static const struct pj_projection *(*const make[MODULES])(void) = {
		pj_projection_chain,
		pj_projection_trail,
		pj_projection_fan,
		pj_projection_stock,
		pj_projection_review_summary,
		pj_projection_sales,
		pj_projection_member_coupons,
		pj_projection_coupon,
		pj_projection_order,
	};
	static const struct pj_topic *const topics[MODULE_TOPICS] = {
		&pj_topic_stock, &pj_topic_review, &pj_topic_order,
		&pj_topic_coupon};
	struct pj_error err;

	REQUIRE(zone_load("Asia/Seoul", &all->zone, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < MODULES; i++)
		REQUIRE(module_adopt(make[i](), make[i]()->name, "linked", NULL,
				     &all->mod[i], &err) == 0,
			"%s", err.text);
	for (size_t i = 0; i < MODULE_TOPICS; i++)
		all->topics[i] = (struct decode_topic){
			topics[i], DECODE_ENVELOPE, all->zone};
}

void
modules_free(struct modules *all)
{
	for (size_t i = 0; i < MODULES; i++)
		module_free(all->mod[i]);
	zone_free(all->zone);
}

const struct decode_topic *
modules_topic(const struct modules *all, const char *name)
{
	for (size_t i = 0; i < MODULE_TOPICS; i++)
		if (strcmp(all->topics[i].topic->name, name) == 0)
			return &all->topics[i];
	return NULL;
}
