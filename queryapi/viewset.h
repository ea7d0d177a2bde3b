/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store serves, as far as it changes with a generation only: views,
 * cache policies, the OpenAPI document. Shared by all pictures (snapshot.h)
 * until a live pointer or a generation's record changes.
 *
 * Thread: immutable once finished; counted by references.
 */
#ifndef QUERYAPI_VIEWSET_H
#define QUERYAPI_VIEWSET_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/buf.h"
#include "queryapi/snapshot.h"

struct viewset {
	atomic_uint refs;
	struct snapshot_view *views; /* ascending by name */
	size_t n_views;
	struct buf openapi, openapi_gzip;
	struct etag tag;
};

/* The views with their live generations; cheap, to be compared. */
struct viewset *
viewset_new(const struct store_live *live, size_t n_live,
	    const struct store_generation *gens, size_t n_gens,
	    struct served_list *list);
bool
viewset_same(const struct viewset *a, const struct viewset *b);
/* The dear part: what is made of the generations' JSON. Once, before use. The
 * settings (or NULL) lend the pages. */
void
viewset_finish(struct viewset *sch, const struct settings *set);
/* NULL is allowed. */
void
viewset_unref(struct viewset *sch);

#endif
