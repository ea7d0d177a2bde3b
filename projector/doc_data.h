/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside a document: shared by doc.c, doc_bson.c and doc_api.c. */
#ifndef PROJECTOR_DOC_DATA_H
#define PROJECTOR_DOC_DATA_H

#include "lib/bsonjson.h"
#include "lib/bsonread.h"
#include "projector/doc.h"
#include "projector/node.h"

struct pj_doc {
	struct node_tree tree;
	struct pj_str key; /* malloc'ed */
	enum pj_doc_state state;
	enum pj_doc_state before; /* as of doc_begin() */
	bool revived;		  /* in this bracket */
	struct store_token token;
	int64_t revision;
	int64_t newest_ms; /* INT64_MIN: no event changed it yet */
	/* ascending by source */
	struct bsonjson_position *positions;
	uint32_t n_positions, cap_positions;
	/* one per topic that numbers its events, in order of appearance */
	struct doc_sequence {
		char *topic;
		int64_t last;
	} * sequences;
	uint32_t n_sequences, cap_sequences;
	/* applied out of order; ascending by source, then offset */
	struct bsonjson_position *late;
	uint32_t n_late, cap_late;
	/* ascending by source */
	struct doc_queue *queues;
	uint32_t n_queues, cap_queues;
	int64_t deleted_at_ms; /* wall time; of a deleted document only */
	/* Content changed since it was last encoded or loaded. */
	bool revised;
};

/* A topic that is not there yet; takes the name. */
void
doc_add_sequence(struct pj_doc *doc, char *topic, int64_t last);
/* A queue of a source that has none yet. */
void
doc_add_queue(struct pj_doc *doc, const struct doc_queue *queue);

/* ---- `_m` (doc_meta.c) -----------------------------------------------------
 */

void
doc_put_meta(struct buf *out, const struct pj_doc *doc);
/* What basics leave out; -1: damaged. */
int
doc_load_meta(struct pj_doc *doc, const struct bsonread_element *meta)
	__attribute__((warn_unused_result));
/* Token, revision, state, time, positions. */
int
doc_load_basics(struct pj_doc *doc, const uint8_t *bson, size_t len,
		struct pj_error *err) __attribute__((warn_unused_result));

#endif
