/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of an archive file, read and written.
 *
 *	{"topic":"stock","partition":0,"offset":12,"timestamp":1700000000000,
 *	 "key":"shop-1","headers":{},"value":{…}}
 *
 * (on one line). `value` null = tombstone; `valueBase64` / `keyBase64` carry
 * bytes that are not JSON / UTF-8; a missing or null key is no key. A value is
 * taken as its raw bytes: what is wrong inside it (duplicate names, numbers out
 * of range) is the record's fault and not the line's, so the line is only
 * scanned for where the value begins and ends. Headers: an object of strings or
 * null, or of arrays of them for a repeated name. Where a header is not UTF-8,
 * `headersBase64` has all of them as a list of [name, value or null]. Other
 * members are ignored.
 *
 * Written and read again, a record is the same to the byte, except that headers
 * of one name come to stand together.
 *
 * Errors: INPUT, naming what is wrong with the line.
 */
#ifndef PROJECTOR_ARCHIVE_LINE_H
#define PROJECTOR_ARCHIVE_LINE_H

#include <projector/error.h>
#include <projector/event.h>

#include "lib/buf.h"
#include "projector/record.h"

struct archive_line {
	struct pj_str topic; /* in the reader */
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* -1: none */
	bool key_null, value_null;
	struct pj_str key, value; /* in the reader, or in the line itself */
	struct record_header *headers;
	size_t n_headers;
};

struct archive_reader;

struct archive_reader *
archive_reader_new(void);
void
archive_reader_free(struct archive_reader *reader);

/*
 * Reads one line (no newline at its end). *out borrows the line's bytes and
 * the reader's memory until the next call.
 */
int
archive_line_read(struct archive_reader *reader, const char *line, size_t len,
		  struct archive_line *out, struct pj_error *err)
	__attribute__((warn_unused_result));

/* Appends the record as a line, newline included; topic without prefix. */
void
archive_line_write(struct buf *out, struct archive_reader *reader,
		   const struct record *rec);

#endif
