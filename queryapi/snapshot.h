/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture of what the store serves: views, their live generations, sources
 * and checkpoints. Immutable once made, counted by references.
 *
 * Invariant: its checkpoints were read before any document that is read with
 * the picture in hand. So whatever a checkpoint covers is in that document,
 * and a checkpoint may be told as the document's position.
 *
 * Thread: any, through a reference of one's own.
 */
#ifndef QUERYAPI_SNAPSHOT_H
#define QUERYAPI_SNAPSHOT_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/readmodel.h"
#include "lib/store.h"
#include "queryapi/etag.h"
#include "queryapi/field_sets.h"
#include "queryapi/filters.h"
#include "queryapi/policy.h"
#include "queryapi/served.h"

/* A view and its live generation. */
struct snapshot_view {
	char name[33];
	int32_t generation;
	int32_t version; /* of the document */
	char generation_id[READMODEL_GENERATION_ID_MAX];
	char collection[64];
	struct served *served; /* NULL when read without a list */
	struct policy policy;
	char cache_control[POLICY_TEXT_MAX]; /* policy_write() */
	struct filters filters;		     /* what lists may be asked by */
	struct field_sets sets;		     /* parts that are ready */
	char *reader_json;		     /* as stored; may be NULL */
	bool readable;			     /* reader_json could be read */
};

/* The next offset of one source, by generation. */
struct snapshot_checkpoint {
	int32_t source;
	int64_t next; /* 0: nothing was applied yet */
};
struct snapshot_checkpoints {
	struct snapshot_checkpoint *rows; /* ascending by source */
	size_t n;
};

struct viewset; /* opaque: shared by pictures with the same views */

struct snapshot {
	const struct snapshot_view *views; /* ascending by name */
	size_t n_views;
	const struct snapshot_checkpoints *checkpoints; /* one per view */
	const struct store_source_row *sources;		/* ascending by index */
	size_t n_sources;
	/* /openapi.json, ready in both codings */
	struct pj_str openapi, openapi_gzip;
	struct etag openapi_tag;
	struct viewset *viewset;
};

struct settings;

/* Reads a picture; `before` (or NULL) lends what did not change. The list (or
 * NULL) lends the views' generations, the settings (or NULL) the pages that its
 * OpenAPI document tells of. */
int
snapshot_read(struct store_session *ses, struct served_list *list,
	      const struct settings *set, const struct snapshot *before,
	      struct snapshot **ret_snap, struct pj_error *err)
	__attribute__((warn_unused_result));
struct snapshot *
snapshot_ref(struct snapshot *snap);
/* NULL is allowed. */
void
snapshot_unref(struct snapshot *snap);

/* The view's index, or -1. */
int
snapshot_view(const struct snapshot *snap, const char *name, size_t len);
/* The source's row, or NULL. */
const struct store_source_row *
snapshot_source(const struct snapshot *snap, int32_t index);
const struct store_source_row *
snapshot_source_of(const struct snapshot *snap, struct pj_str topic,
		   int32_t partition);
/* The checkpoint in that source, or 0. */
int64_t
snapshot_checkpoints_next(const struct snapshot_checkpoints *list,
			  int32_t source);
/* The view's checkpoint in that source, or 0. */
int64_t
snapshot_next(const struct snapshot *snap, int view, int32_t source);
/* Whether the view's generation reads that source. */
bool
snapshot_reads(const struct snapshot *snap, int view, int32_t source);
/* Whether it reads the source's topic, or could: the picture does not know the
 * source. */
bool
snapshot_reads_topic(const struct snapshot *snap, int view, int32_t source);

#endif
