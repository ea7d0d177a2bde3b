/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an archive reader, shared by archive_line.c and
 * archive_line_write.c.
 */
#ifndef PROJECTOR_ARCHIVE_READER_H
#define PROJECTOR_ARCHIVE_READER_H

#include "lib/buf.h"
#include "lib/json.h"
#include "projector/record.h"

struct archive_reader {
	struct json_reader *json;
	struct buf rest; /* the line without its value */
	/* Decoded bytes; as large as the rest, so it never moves. */
	struct buf bytes;
	struct record_header *headers;
	size_t n_headers, cap_headers;
};

#endif
