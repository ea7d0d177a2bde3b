/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the store front's contract that more than one view applies.
 *
 * Where several topics feed one document each topic owns a part, an object that
 * only its own events change; what is served is derived from the parts, so any
 * interleaving of topics gives the same document. A part is made by the first
 * event of its topic, which is a change.
 *
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_STOREFRONT_H
#define PROJECTOR_STOREFRONT_H

#include <projector/contract.h>
#include <projector/document.h>
#include <projector/projection.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * What a tombstone does to a document fed by one topic: a live one is forgotten
 * and deleted, any other stays as it is. fold() returns the result.
 */
enum pj_fold
pj_forget(struct pj_doc *doc);

/* shopId and productId, which topics product, price and stock all carry. */
void
pj_product_ids(const struct pj_event *ev, struct pj_str *ret_shop,
	       struct pj_str *ret_product);

/* ---- All types of a topic, for pj_reads --------------------------------- */

#define PJ_PRODUCT_TYPES                                                       \
	(PJ_BIT(PJ_PRODUCT_REGISTERED) | PJ_BIT(PJ_PRODUCT_INFO_CHANGED) |     \
	 PJ_BIT(PJ_PRODUCT_HIDDEN) | PJ_BIT(PJ_PRODUCT_SHOWN) |                \
	 PJ_BIT(PJ_PRODUCT_DELETED))
#define PJ_STOCK_TYPES                                                         \
	(PJ_BIT(PJ_STOCK_CHANGED) | PJ_BIT(PJ_SOLD_OUT) | PJ_BIT(PJ_RESTOCKED))

/* ---- One event into the part of its topic ------------------------------ */

/* price, salePrice: no salePrice in the event means no sale. */
void
pj_price_take(struct pj_node *part, const struct pj_event *ev);

/*
 * soldOut, and quantity unless `sold_out_only`: no soldOut in the event means
 * quantity <= 0.
 */
void
pj_stock_take(struct pj_node *part, const struct pj_event *ev,
	      bool sold_out_only);

/*
 * Registered fields, hidden, complete; `card` leaves out description and
 * options. ProductDeleted leaves only `deleted`; until the next
 * ProductRegistered, which starts clean, other events are ignored.
 */
void
pj_product_take(struct pj_node *part, const struct pj_event *ev, bool card);
/* True when the part says so; false for NULL. */
bool
pj_product_is_deleted(const struct pj_node *part);

/* ---- What is served of the parts ----------------------------------------- */

/* Mirrors names (NULL-ended) of a part into obj; a NULL part has none. */
void
pj_serve(struct pj_node *obj, const struct pj_node *part,
	 const char *const *names);
/* `price` (the price part's, else the product part's) and `salePrice`. */
void
pj_serve_price(struct pj_node *obj, const struct pj_node *product,
	       const struct pj_node *price);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
