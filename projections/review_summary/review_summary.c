/* SPDX-License-Identifier: Apache-2.0 */
/*
 * review_summary: ratings of a shop and its newest reviews. Key shopId.
 *
 * `_removed` remembers the newest removed ids, so that a removal counts once.
 */
#include <projector/storefront.h>

#include <stdio.h>

enum { RECENT_MAX = 10, REMOVED_MAX = 200 };

static const struct pj_reads reads[] = {
	{&pj_topic_review, PJ_BIT(PJ_REVIEW_POSTED) | PJ_BIT(PJ_REVIEW_EDITED) |
				   PJ_BIT(PJ_REVIEW_DELETED) |
				   PJ_BIT(PJ_REVIEW_BLINDED) |
				   PJ_BIT(PJ_OWNER_REPLIED)},
	{NULL, 0},
};

static const struct pj_shape recent_shape[] = {
	{.name = "reviewId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "rating", .type = PJ_SERVED_INT, .required = true},
	{.name = "text", .type = PJ_SERVED_STRING},
	{.name = "memberId", .type = PJ_SERVED_STRING},
	{.name = "postedAt", .type = PJ_SERVED_DATE, .required = true},
	{.name = "reply", .type = PJ_SERVED_STRING},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "count", .type = PJ_SERVED_INT, .required = true},
	{.name = "sum", .type = PJ_SERVED_INT, .required = true},
	{.name = "average",
	 .type = PJ_SERVED_NUMBER,
	 .required = true,
	 .nullable = true},
	{.name = "histogram", .type = PJ_SERVED_MAP, .required = true},
	{.name = "recent",
	 .type = PJ_SERVED_LIST,
	 .of = recent_shape,
	 .required = true},
	{.name = NULL},
};

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), PJ_REVIEW__SHOP_ID));
}

/* Moves `count` reviews of this rating in (1) or out (-1). */
static int
count_rating(struct pj_node *root, int64_t rating, int64_t count,
	     struct pj_error *err)
{
	char name[8];
	int len = snprintf(name, sizeof(name), "%d", (int)rating);

	if (pj_add(root, "sum", count * rating, err))
		return -1;
	return pj_map_add(pj_make_object(root, "histogram"), PJ_ORDER_NUMERIC,
			  (struct pj_str){name, (size_t)len}, count, err);
}

/* sum / count, half up (away from zero), two decimals. */
static void
set_average(struct pj_node *root)
{
	__extension__ typedef __int128 wide;
	wide sum = pj_get_int(root, "sum");
	wide count = pj_get_int(root, "count");
	bool negative = (sum < 0) != (count < 0);
	wide hundredths;

	if (count == 0) {
		(void)pj_set_null(root, "average");
		return;
	}
	sum = sum < 0 ? -sum : sum;
	count = count < 0 ? -count : count;
	hundredths = (sum * 200 + count) / (count * 2);
	if (negative)
		hundredths = -hundredths;
	(void)pj_set_number(root, "average", (double)hundredths / 100.0);
}

static int
posted(struct pj_node *root, const struct pj_event *ev, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *item;

	if (pj_add(root, "count", 1, err) ||
	    count_rating(root, pj_int(data, PJ_REVIEW__RATING), 1, err))
		return -1;
	item = pj_capped_push_front(pj_make_array(root, "recent"), RECENT_MAX);
	(void)pj_take(item, "reviewId", data, PJ_REVIEW__REVIEW_ID);
	(void)pj_take(item, "rating", data, PJ_REVIEW__RATING);
	(void)pj_take(item, "text", data, PJ_REVIEW__TEXT);
	(void)pj_take(item, "memberId", data, PJ_REVIEW__MEMBER_ID);
	(void)pj_set_date_ms(item, "postedAt", pj_event_time_ms(ev));
	return 0;
}

static struct pj_node *
find_recent(struct pj_node *root, const struct pj_data *data)
{
	return pj_list_find(pj_make_array(root, "recent"), "reviewId",
			    pj_string(data, PJ_REVIEW__REVIEW_ID));
}

static int
edited(struct pj_node *root, const struct pj_data *data, struct pj_error *err)
{
	int64_t before = pj_int(data, PJ_REVIEW__PREVIOUS_RATING);
	int64_t after = pj_int(data, PJ_REVIEW__RATING);
	struct pj_node *item;

	if (before != after && (count_rating(root, before, -1, err) ||
				count_rating(root, after, 1, err)))
		return -1;
	item = find_recent(root, data);
	if (item) {
		(void)pj_take(item, "rating", data, PJ_REVIEW__RATING);
		(void)pj_take(item, "text", data, PJ_REVIEW__TEXT);
	}
	return 0;
}

static int
removed(struct pj_node *root, const struct pj_data *data, struct pj_error *err)
{
	struct pj_str id = pj_string(data, PJ_REVIEW__REVIEW_ID);

	if (!pj_remember(pj_make_array(root, "_removed"), id, REMOVED_MAX))
		return 0;
	/* Posted twice, it is there twice; none of it may be seen any more. */
	while (pj_list_remove(pj_make_array(root, "recent"), "reviewId", id))
		continue;
	if (pj_add(root, "count", -1, err))
		return -1;
	return count_rating(root, pj_int(data, PJ_REVIEW__RATING), -1, err);
}

static void
replied(struct pj_node *root, const struct pj_data *data)
{
	struct pj_node *item = find_recent(root, data);

	if (item)
		(void)pj_take(item, "reply", data, PJ_REVIEW__TEXT);
}

/* Without a document there is nothing for these to change. */
static bool
makes_document(const struct pj_event *ev)
{
	const struct pj_data *data = pj_event_data(ev);
	int type = pj_event_type(ev);

	if (type == PJ_OWNER_REPLIED)
		return false;
	return type != PJ_REVIEW_EDITED ||
	       pj_int(data, PJ_REVIEW__RATING) !=
		       pj_int(data, PJ_REVIEW__PREVIOUS_RATING);
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	int rc = 0;

	(void)options;
	if (pj_event_type(ev) == PJ_TOMBSTONE)
		return pj_forget(doc);
	if (pj_doc_state(doc) != PJ_DOC_LIVE && !makes_document(ev))
		return PJ_DONE;
	pj_doc_revive(doc);
	(void)pj_take(root, "shopId", data, PJ_REVIEW__SHOP_ID);
	(void)pj_make_object(root, "histogram");
	(void)pj_make_array(root, "recent");
	switch (pj_event_type(ev)) {
	case PJ_REVIEW_POSTED:
		rc = posted(root, ev, err);
		break;
	case PJ_REVIEW_EDITED:
		rc = edited(root, data, err);
		break;
	case PJ_REVIEW_DELETED:
	case PJ_REVIEW_BLINDED:
		rc = removed(root, data, err);
		break;
	case PJ_OWNER_REPLIED:
		replied(root, data);
		break;
	}
	if (rc || pj_add(root, "count", 0, err))
		return PJ_REJECT;
	set_average(root);
	return PJ_DONE;
}

PJ_PROJECTION(review_summary){
	PJ_PROJECTION_HEAD,
	.name = "review_summary",
	.version = 1,
	.summary = "Ratings of a shop and its newest reviews",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = reads,
	.shape = shape,
	.cache = {.max_age_s = 5,
		  .stale_while_revalidate_s = 30,
		  .stale_if_error_s = 300},
	.key = key,
	.fold = fold,
};
