/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of one view, read consistently with the picture in hand.
 *
 * Invariants:
 *  - the picture (checkpoints included) is older than every document read;
 *  - "absent" is only said of a generation that was live after the read: a
 *    dropped generation's collection reads as empty.
 *
 * Thread: a worker.
 */
#ifndef QUERYAPI_READING_H
#define QUERYAPI_READING_H

#include <projector/error.h>

#include <stdint.h>

#include "lib/bsonjson.h"
#include "lib/store.h"
#include "queryapi/fetch.h"
#include "queryapi/http_response.h"
#include "queryapi/trace.h"
#include "queryapi/worker.h"

/* One document's protocol metadata. */
struct reading_meta {
	struct bsonjson_meta meta;
	struct bsonjson_position *positions; /* owned */
};

struct reading {
	struct snapshot *snap; /* own reference */
	int view;	       /* -1: no such view (any more) */
};

/* Takes a new picture, for a reading that is to tell positions of now. */
int
reading_look(struct worker *wrk, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Takes the worker's picture; to be released. */
void
reading_open(struct reading *rdg, struct worker *wrk, const char *view);
/* Loads; as often as needed, all from one generation. */
int
reading_load(const struct reading *rdg, struct worker *wrk,
	     struct store_doc *docs, size_t n_docs, struct pj_error *err)
	__attribute__((warn_unused_result));
/*
 * To be asked after the last load when something was absent. True: the view
 * has another generation by now; a new picture was taken and everything is to
 * be loaded again.
 */
int
reading_moved(struct reading *rdg, struct worker *wrk, bool *ret_moved,
	      struct pj_error *err) __attribute__((warn_unused_result));
void
reading_release(struct reading *rdg);

const struct snapshot_view *
reading_view(const struct reading *rdg);

int
reading_meta_of(const struct store_doc *doc, struct reading_meta *ret_meta,
		struct pj_error *err) __attribute__((warn_unused_result));
void
reading_meta_release(struct reading_meta *meta);

/*
 * Adds Projection-Position for an answer made of these documents (NULL bson =
 * absent has an empty meta). Per source, what every one of them contains: the
 * smallest of max(own offset, checkpoint − 1).
 */
void
reading_position(const struct reading *rdg, const struct reading_meta *metas,
		 size_t n, struct http_response *res);

/* Whether a topic's name needs no escape in a header's quoted string. */
bool
reading_is_quotable(const char *topic);

/* Logs (at most one a second) and counts a failed store or document. ids: of a
 * request that it failed for. */
void
reading_say_failed(struct worker *wrk, const struct trace_ids *ids,
		   const struct pj_error *err);
/* An answer for a failed store or document, counted. */
void
reading_failed(struct worker *wrk, struct fetch *fetch,
	       const struct pj_error *err);

#endif
