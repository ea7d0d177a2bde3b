/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store serves, as far as it changes with a generation only: views,
 * cache policies, the OpenAPI document. Shared by all pictures (snapshot.h)
 * until a live pointer or a generation's record changes.
 *
 * Thread: immutable once finished; counted by references.
 */
#ifndef QUERYAPI_SCHEMA_H
#define QUERYAPI_SCHEMA_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/buf.h"
#include "queryapi/snapshot.h"

struct snapshot_schema {
	atomic_uint refs;
	struct snapshot_view *views; /* ascending by name */
	size_t n_views;
	struct buf openapi, openapi_gzip;
	struct etag tag;
};

/* The views with their live generations; cheap, to be compared. */
struct snapshot_schema *
schema_new(const struct store_live *live, size_t n_live,
	   const struct store_generation *gens, size_t n_gens);
bool
schema_same(const struct snapshot_schema *a, const struct snapshot_schema *b);
/* The dear part: what is made of the generations' JSON. Once, before use. */
void
schema_finish(struct snapshot_schema *sch);
/* NULL is allowed. */
void
schema_unref(struct snapshot_schema *sch);

#endif
