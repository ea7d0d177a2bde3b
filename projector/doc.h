/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a document: load, fold bracket, encode.
 *
 * A document is a mutable tree, kept in memory between events and serialised
 * once per write. Every change goes through the setters of
 * <projector/document.h>, which keep an undo log between doc_begin() and
 * doc_end().
 *
 * Metadata (`_m`, lib/store.h): write token, revision, state, newest event
 * time, positions, sequences, parked queues.
 *
 * Ownership: doc_new() and doc_load() give a document that doc_free() frees.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_DOC_H
#define PROJECTOR_DOC_H

#include <projector/document.h>
#include <projector/projection.h>

#include "lib/buf.h"
#include "lib/store.h"

/* The document as it is before any event. */
struct pj_doc *
doc_new(const struct pj_shape *shape, struct pj_str key);

/* From the store's bytes. Errors: FATAL, when they are no such document. */
int
doc_load(const struct pj_shape *shape, struct pj_str key, const uint8_t *bson,
	 size_t len, struct pj_doc **ret_doc, struct pj_error *err)
	__attribute__((warn_unused_result));
void
doc_free(struct pj_doc *doc);

/* ---- Fold bracket ------------------------------------------------------ */

/* True when `offset` of this source is applied already (protocol rule 1). */
bool
doc_has_applied(const struct pj_doc *doc, int32_t source, int64_t offset);

/* How many sources have fed it; *ret_known: this one is among them. */
uint32_t
doc_n_sources(const struct pj_doc *doc, int32_t source, bool *ret_known);

enum doc_change {
	DOC_UNCHANGED, /* nothing to write */
	DOC_CHANGED,
	DOC_REJECTED, /* the document is as it was before doc_begin() */
};

void
doc_begin(struct pj_doc *doc);

/*
 * Ends the bracket with the fold's result. CHANGED when any setter really
 * changed something, even if a later one changed it back (rule 2), or when the
 * state changed; then `t` becomes the larger of itself and the event's time,
 * an unknown document becomes live, PJ_DELETE takes the served fields away.
 * UNCHANGED and CHANGED move p[source] to offset; `t` does not move without a
 * change. PJ_REJECT, and a setter that met an undeclared served name (*err is
 * filled then), undo everything.
 */
enum doc_change
doc_end(struct pj_doc *doc, enum pj_fold result, int32_t source, int64_t offset,
	int64_t event_time_ms, struct pj_error *err);

/* The same without moving any position: of a record applied out of order. */
enum doc_change
doc_end_late(struct pj_doc *doc, enum pj_fold result, int64_t event_time_ms,
	     struct pj_error *err);

/* ---- Metadata alone (protocol rule 12): outside of a bracket ----------- */

/* Moves p[source] forward. */
void
doc_set_position(struct pj_doc *doc, int32_t source, int64_t offset);

/* A record was discarded whose sequence nobody could read: any may follow. */
enum { DOC_SEQUENCE_UNKNOWN = -1 };

/* The last sequence applied of the topic; 0 = none yet. */
int64_t
doc_sequence(const struct pj_doc *doc, const char *topic);
void
doc_set_sequence(struct pj_doc *doc, const char *topic, int64_t sequence);

/* ---- Applied out of order (`_m.o`) --------------------------------------- */

/*
 * Of all sources of one document, or unit; they are never forgotten, and
 * written with every change of it (750 KB then). What would be one more waits
 * on.
 */
enum { DOC_LATE_MAX = 50000 };

bool
doc_is_late_full(const struct pj_doc *doc);
bool
doc_has_late(const struct pj_doc *doc, int32_t source, int64_t offset);
void
doc_set_late(struct pj_doc *doc, int32_t source, int64_t offset);

/* ---- Parked queues (`_m.k`), one per source ------------------------------ */

/*
 * Records of the source from `first` to `tail` wait in the store's parked
 * rows; all later ones queue behind them. n: how many there are.
 */
struct doc_queue {
	int32_t source;
	int64_t first, tail, n;
};

/* The source's queue, or NULL. Borrowed until the document changes. */
const struct doc_queue *
doc_queue(const struct pj_doc *doc, int32_t source);
/* Appends the record: begins a queue, or moves its tail. */
void
doc_enqueue(struct pj_doc *doc, int32_t source, int64_t offset);
/* The head, at `offset`, is done with: the queue ends when it was the tail. */
void
doc_dequeue(struct pj_doc *doc, int32_t source, int64_t offset);
bool
doc_has_queues(const struct pj_doc *doc);

/* ---- Life ---------------------------------------------------------------- */

/*
 * Of a document that is not there: revisions go on from the highest that ever
 * was of a purged one, so that a revived key repeats no entity tag.
 */
void
doc_set_revision_floor(struct pj_doc *doc, int64_t revision);
/* A deleted document that has no time of deletion gets this one (wall time). */
void
doc_stamp_deleted(struct pj_doc *doc, int64_t now_at_ms);
/* Content changed since it was last encoded or loaded: else only `_m` did. */
bool
doc_is_revised(const struct pj_doc *doc);

/* ---- Bytes ------------------------------------------------------------- */

/*
 * Appends the stored form under a new token: `_id`, served fields in the
 * shape's order, `updatedAt` (live documents only), `_` parts, `_m`. Counts the
 * revision up if a bracket ended with DOC_CHANGED since the last time; else the
 * content is the same and metadata alone is new.
 */
void
doc_encode(struct pj_doc *doc, const struct store_token *token,
	   struct buf *out);

/* The token the store holds as far as we know; zeros = absent. */
const struct store_token *
doc_token(const struct pj_doc *doc);
int64_t
doc_revision(const struct pj_doc *doc);

/* About how much memory the document takes. */
size_t
doc_memory(const struct pj_doc *doc);

#endif
