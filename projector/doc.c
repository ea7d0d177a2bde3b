/* SPDX-License-Identifier: Apache-2.0 */
/* Modules call what is declared there by name. */
#pragma GCC visibility push(default)
#include <projector/document.h>
#pragma GCC visibility pop

#include "projector/doc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/doc_data.h"

/* About what a topic's name takes. */
enum { TOPIC_NAME_BYTES = 16 };

struct pj_doc *
doc_new(const struct pj_shape *shape, struct pj_str key)
{
	struct pj_doc *doc = mem_calloc(1, sizeof(*doc));

	node_tree_init(&doc->tree, shape);
	doc->key.ptr = mem_strndup(key.ptr, key.len);
	doc->key.len = key.len;
	doc->state = PJ_DOC_UNKNOWN;
	doc->newest_ms = INT64_MIN;
	return doc;
}

void
doc_free(struct pj_doc *doc)
{
	if (!doc)
		return;
	node_tree_release(&doc->tree);
	for (uint32_t i = 0; i < doc->n_sequences; i++)
		free(doc->sequences[i].topic);
	free(doc->sequences);
	free((char *)doc->key.ptr);
	free(doc->positions);
	free(doc->late);
	free(doc->queues);
	free(doc);
}

size_t
doc_memory(const struct pj_doc *doc)
{
	return sizeof(*doc) + doc->key.len + 1 + doc->tree.memory +
	       doc->cap_positions * sizeof(*doc->positions) +
	       doc->cap_late * sizeof(*doc->late) +
	       doc->cap_queues * sizeof(*doc->queues) +
	       doc->cap_sequences *
		       (sizeof(*doc->sequences) + TOPIC_NAME_BYTES);
}

const struct store_token *
doc_token(const struct pj_doc *doc)
{
	return &doc->token;
}

int64_t
doc_revision(const struct pj_doc *doc)
{
	return doc->revision;
}

/* ---- Positions ------------------------------------------------------------
 */

/* Index of the source, or of the first above it. */
static uint32_t
position_index(const struct pj_doc *doc, int32_t source)
{
	uint32_t low = 0;
	uint32_t high = doc->n_positions;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (doc->positions[mid].source < source)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool
doc_has_applied(const struct pj_doc *doc, int32_t source, int64_t offset)
{
	uint32_t i = position_index(doc, source);

	return i < doc->n_positions && doc->positions[i].source == source &&
	       offset <= doc->positions[i].offset;
}

uint32_t
doc_n_sources(const struct pj_doc *doc, int32_t source, bool *ret_known)
{
	uint32_t i = position_index(doc, source);

	*ret_known = i < doc->n_positions && doc->positions[i].source == source;
	return doc->n_positions;
}

void
doc_set_position(struct pj_doc *doc, int32_t source, int64_t offset)
{
	uint32_t i = position_index(doc, source);
	struct bsonjson_position *at;

	if (i < doc->n_positions && doc->positions[i].source == source) {
		if (offset > doc->positions[i].offset)
			doc->positions[i].offset = offset;
		return;
	}
	if (doc->n_positions == doc->cap_positions) {
		/* one or two sources are the rule */
		doc->cap_positions = doc->cap_positions * 2 + 1;
		doc->positions =
			mem_reallocarray(doc->positions, doc->cap_positions,
					 sizeof(*doc->positions));
	}
	at = doc->positions + i;
	memmove(at + 1, at, (doc->n_positions - i) * sizeof(*at));
	*at = (struct bsonjson_position){source, offset};
	doc->n_positions++;
}

/* ---- Sequences --------------------------------------------------------------
 */

static struct doc_sequence *
find_sequence(const struct pj_doc *doc, const char *topic)
{
	for (uint32_t i = 0; i < doc->n_sequences; i++)
		if (strcmp(doc->sequences[i].topic, topic) == 0)
			return &doc->sequences[i];
	return NULL;
}

int64_t
doc_sequence(const struct pj_doc *doc, const char *topic)
{
	const struct doc_sequence *found = find_sequence(doc, topic);

	return found ? found->last : 0;
}

void
doc_add_sequence(struct pj_doc *doc, char *topic, int64_t last)
{
	if (doc->n_sequences == doc->cap_sequences) {
		/* one topic is the rule */
		doc->cap_sequences = doc->cap_sequences * 2 + 1;
		doc->sequences =
			mem_reallocarray(doc->sequences, doc->cap_sequences,
					 sizeof(*doc->sequences));
	}
	doc->sequences[doc->n_sequences++] = (struct doc_sequence){topic, last};
}

void
doc_set_sequence(struct pj_doc *doc, const char *topic, int64_t sequence)
{
	struct doc_sequence *found = find_sequence(doc, topic);

	assert(!doc->tree.open);
	if (found)
		found->last = sequence;
	else
		doc_add_sequence(doc, mem_strdup(topic), sequence);
}

/* ---- Fold bracket -----------------------------------------------------------
 */

void
doc_begin(struct pj_doc *doc)
{
	node_tree_open(&doc->tree);
	doc->before = doc->state;
	doc->revived = false;
}

static enum doc_change
reject(struct pj_doc *doc)
{
	node_tree_close(&doc->tree, true);
	doc->state = doc->before;
	return DOC_REJECTED;
}

static bool
is_faulty(const struct pj_doc *doc, enum pj_fold result, struct pj_error *err)
{
	const char *fault = doc->tree.fault;

	/* What is served of a deleted document would silently be lost. */
	if (!fault && doc->tree.served && doc->state == PJ_DOC_DELETED &&
	    result != PJ_DELETE)
		fault = "served field changed on a deleted document";
	if (!fault)
		return false;
	(void)pj_error_set(err, PJ_ERROR_INPUT, "document \"%.*s\": %s",
			   (int)doc->key.len, doc->key.ptr, fault);
	return true;
}

static void
drop_served(struct pj_node *root)
{
	while (root->n > 0) {
		struct pj_str name = node_text_str(&root->entries[0].name);

		if (name.len && name.ptr[0] == '_')
			break;
		node_remove(root, 0);
	}
}

enum doc_change
doc_end_late(struct pj_doc *doc, enum pj_fold result, int64_t event_time_ms,
	     struct pj_error *err)
{
	bool changed;

	assert(doc->tree.open);
	if (result == PJ_REJECT || is_faulty(doc, result, err))
		return reject(doc);
	changed = doc->tree.changed || doc->revived;
	if (result == PJ_DELETE) {
		changed |= doc->state != PJ_DOC_DELETED;
		drop_served(doc->tree.root);
		doc->state = PJ_DOC_DELETED;
	} else if (changed && doc->state == PJ_DOC_UNKNOWN) {
		doc->state = PJ_DOC_LIVE;
	}
	node_tree_close(&doc->tree, false);
	if (doc->state != PJ_DOC_DELETED)
		doc->deleted_at_ms = 0;
	if (!changed)
		return DOC_UNCHANGED;
	doc->revised = true;
	if (event_time_ms > doc->newest_ms)
		doc->newest_ms = event_time_ms;
	return DOC_CHANGED;
}

enum doc_change
doc_end(struct pj_doc *doc, enum pj_fold result, int32_t source, int64_t offset,
	int64_t event_time_ms, struct pj_error *err)
{
	enum doc_change change = doc_end_late(doc, result, event_time_ms, err);

	if (change != DOC_REJECTED)
		doc_set_position(doc, source, offset);
	return change;
}

void
doc_stamp_deleted(struct pj_doc *doc, int64_t now_at_ms)
{
	if (doc->state == PJ_DOC_DELETED && doc->deleted_at_ms == 0)
		doc->deleted_at_ms = now_at_ms;
}

void
doc_set_revision_floor(struct pj_doc *doc, int64_t revision)
{
	if (revision > doc->revision)
		doc->revision = revision;
}

bool
doc_is_revised(const struct pj_doc *doc)
{
	return doc->revised;
}

/* ---- What a fold sees
 * --------------------------------------------------------- */

enum pj_doc_state
pj_doc_state(const struct pj_doc *doc)
{
	return doc->state;
}

struct pj_str
pj_doc_key(const struct pj_doc *doc)
{
	return doc->key;
}

struct pj_node *
pj_doc_root(struct pj_doc *doc)
{
	return doc->tree.root;
}

void
pj_doc_revive(struct pj_doc *doc)
{
	assert(doc->tree.open);
	if (doc->state != PJ_DOC_DELETED)
		return;
	doc->state = PJ_DOC_LIVE;
	doc->revived = true;
}

void
pj_doc_clear(struct pj_doc *doc)
{
	(void)node_clear(doc->tree.root);
}
