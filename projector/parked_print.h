/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parked queues and records as people and programs read them.
 *
 * Ownership: the caller's buffer; a reader belongs to one thread at a time.
 */
#ifndef PROJECTOR_PARKED_PRINT_H
#define PROJECTOR_PARKED_PRINT_H

#include "lib/buf.h"
#include "lib/store.h"
#include "projector/archive_line.h"
#include "projector/parked_list.h"

struct parked_print {
	struct archive_reader *reader;
	const char *projection;
	int32_t number; /* of the generation */
};

/*
 * Text of others, for somebody's terminal: as it is, or "base64:…" when it
 * holds what does not print.
 */
void
print_text(struct buf *out, const char *text);

/* Opens an object: projection, generation, key, topic, partition, offset. */
void
print_place_json(struct buf *out, const struct parked_print *print,
		 const char *key, const char *topic, int32_t partition,
		 int64_t offset);

/* One line, newline included; with_orphan: says whether it is one. */
void
print_queue_json(struct buf *out, const struct parked_print *print,
		 const struct parked_queue *queue, bool with_orphan);
void
print_queue_text(struct buf *out, const struct parked_queue *queue);
void
print_queue_head(struct buf *out); /* of the columns of text */

/* An archive line that says more: unit, type, cause, detail, at. */
void
print_record_json(struct buf *out, const struct parked_print *print,
		  const struct store_parked *row);
void
print_record_text(struct buf *out, const struct store_parked *row);

void
print_audit_json(struct buf *out, const struct parked_print *print,
		 const struct store_audit *entry);
void
print_audit_text(struct buf *out, const struct store_audit *entry);

#endif
