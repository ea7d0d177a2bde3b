/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside a document: shared by doc.c, doc_bson.c and doc_api.c. */
#ifndef PROJECTOR_DOC_DATA_H
#define PROJECTOR_DOC_DATA_H

#include "lib/bsonjson.h"
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
	/* Content changed since it was last encoded or loaded. */
	bool revised;
};

/* A topic that is not there yet; takes the name. */
void
doc_add_sequence(struct pj_doc *doc, char *topic, int64_t last);

#endif
