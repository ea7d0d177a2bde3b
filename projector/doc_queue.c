/* SPDX-License-Identifier: Apache-2.0 */
/* What a document knows of records that came out of order or wait. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/doc_data.h"

/* ---- Applied out of order --------------------------------------------------
 *
 * No offset is ever taken out again, not even one far below the checkpoint of
 * its projection, fenced and durable as that may be. A later owner begins at or
 * above that checkpoint and would not miss it. An earlier one would: it was
 * paused in the middle of a retry, with the record in memory. Who came after it
 * has applied the record, moved the checkpoint and, say, taken the offset out.
 * Going on, the earlier one loses its compare-and-set, loads the document anew
 * and folds the record again: positions do not judge it, for other keys have
 * moved them, its epoch is looked at with the next checkpoint only, and its
 * next compare-and-set holds. Only the offset says that it was there already.
 *
 * In a unit the same goes for what was given up, of which no document knows: an
 * owner that was replaced between its claim and its load of the units would
 * feed the record from the log, and nothing would catch it.
 *
 * So their number is bounded (DOC_LATE_MAX), and found by halving.
 */

/* Index of the offset, or of the first behind it. */
static uint32_t
late_index(const struct pj_doc *doc, int32_t source, int64_t offset)
{
	uint32_t low = 0, high = doc->n_late;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct bsonjson_position *at = &doc->late[mid];

		if (at->source < source ||
		    (at->source == source && at->offset < offset))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool
doc_is_late_full(const struct pj_doc *doc)
{
	return doc->n_late >= DOC_LATE_MAX;
}

bool
doc_has_late(const struct pj_doc *doc, int32_t source, int64_t offset)
{
	uint32_t i = late_index(doc, source, offset);

	return i < doc->n_late && doc->late[i].source == source &&
	       doc->late[i].offset == offset;
}

void
doc_set_late(struct pj_doc *doc, int32_t source, int64_t offset)
{
	uint32_t i = late_index(doc, source, offset);

	if (doc_has_late(doc, source, offset))
		return;
	MEM_GROW(doc->late, doc->n_late, doc->cap_late);
	memmove(doc->late + i + 1, doc->late + i,
		(doc->n_late - i) * sizeof(*doc->late));
	doc->late[i] = (struct bsonjson_position){source, offset};
	doc->n_late++;
}

/* ---- Queues
 * ------------------------------------------------------------------ */

static uint32_t
queue_index(const struct pj_doc *doc, int32_t source)
{
	uint32_t i = 0;

	while (i < doc->n_queues && doc->queues[i].source < source)
		i++;
	return i;
}

static struct doc_queue *
find_queue(const struct pj_doc *doc, int32_t source)
{
	uint32_t i = queue_index(doc, source);

	return i < doc->n_queues && doc->queues[i].source == source
		       ? &doc->queues[i]
		       : NULL;
}

const struct doc_queue *
doc_queue(const struct pj_doc *doc, int32_t source)
{
	return find_queue(doc, source);
}

bool
doc_has_queues(const struct pj_doc *doc)
{
	return doc->n_queues > 0;
}

void
doc_add_queue(struct pj_doc *doc, const struct doc_queue *queue)
{
	uint32_t i = queue_index(doc, queue->source);

	assert(!find_queue(doc, queue->source));
	MEM_GROW(doc->queues, doc->n_queues, doc->cap_queues);
	memmove(doc->queues + i + 1, doc->queues + i,
		(doc->n_queues - i) * sizeof(*doc->queues));
	doc->queues[i] = *queue;
	doc->n_queues++;
}

void
doc_enqueue(struct pj_doc *doc, int32_t source, int64_t offset)
{
	struct doc_queue *queue = find_queue(doc, source);

	if (!queue) {
		doc_add_queue(doc,
			      &(struct doc_queue){source, offset, offset, 1});
		return;
	}
	assert(offset > queue->tail);
	queue->tail = offset;
	queue->n++;
}

void
doc_dequeue(struct pj_doc *doc, int32_t source, int64_t offset)
{
	struct doc_queue *queue = find_queue(doc, source);
	size_t i;

	assert(queue && offset >= queue->first && offset <= queue->tail);
	if (offset < queue->tail) {
		/* Where the next one is only its row knows: at or above. */
		queue->first = offset + 1;
		queue->n--;
		return;
	}
	i = (size_t)(queue - doc->queues);
	memmove(queue, queue + 1, (doc->n_queues - i - 1) * sizeof(*queue));
	doc->n_queues--;
}
