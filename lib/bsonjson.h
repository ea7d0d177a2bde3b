/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored document as readers see it: BSON in, JSON out, in one pass.
 *
 * Top level: `_id` becomes `id` (always first), other names beginning with `_`
 * are left out; deeper names come from data and are always written. Order as
 * stored. Dates: RFC 3339 UTC with milliseconds ("2023-11-15T03:00:04.000Z",
 * years 0000–9999, outside: null). int32, int64: integers. Doubles: the
 * shortest decimal that reads back the same ("9.04", "10", "1e+300"); NaN and
 * infinities: null. Decimal128: its string in quotes. Binary, regex and the
 * other types no projection writes: null. Strings: `"`, `\`, control bytes
 * escaped, everything else as it is.
 * Why by hand: libbson's writer took 58 µs per 5.7 KB document and cannot leave
 * fields out.
 *
 * Errors: FATAL when the bytes are no valid BSON (bounds are checked at every
 * step: a damaged store must not crash the reader) or deeper than 120.
 */
#ifndef LIB_BSONJSON_H
#define LIB_BSONJSON_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

/* Appends the JSON object; on failure *out is as it was. */
int
bsonjson_write(struct buf *out, const uint8_t *bson, size_t len,
	       struct pj_error *err) __attribute__((warn_unused_result));

/*
 * The same of some fields only: `id`, then those of these names on the top
 * level, in stored order. What is left out is only looked through as far as it
 * takes to find the next one.
 */
int
bsonjson_write_fields(struct buf *out, const uint8_t *bson, size_t len,
		      const struct pj_str *names, size_t n,
		      struct pj_error *err) __attribute__((warn_unused_result));

/* Appends one JSON string, quotes included; s is valid UTF-8. */
void
bsonjson_string(struct buf *out, const char *s, size_t len);

/* Appends "2023-11-15T03:00:04.000Z" with quotes, or null when out of range. */
void
bsonjson_date(struct buf *out, int64_t ms);

/* Appends a double as above. */
void
bsonjson_number(struct buf *out, double d);

/* The protocol's view of a stored document, read from `_m`. */
struct bsonjson_meta {
	uint8_t token[16];
	int64_t revision;
	int32_t state; /* READMODEL_LIVE_DOC … */
	int64_t updated_at_ms;
	/* Source index → offset pairs, in stored order; at most max were kept.
	 */
	size_t n_positions;
	bool parked; /* records of it wait: bsonjson_parked() */
};
struct bsonjson_position {
	int32_t source;
	int64_t offset;
};

/* Reads `_m`; n_positions tells how many there are, even beyond max. */
int
bsonjson_meta(const uint8_t *bson, size_t len, struct bsonjson_meta *ret_meta,
	      struct bsonjson_position *positions, size_t max,
	      struct pj_error *err) __attribute__((warn_unused_result));

/*
 * Of a document whose meta is `parked`: the sources of which records wait, and
 * the offset of the first of each. How many there are, even beyond max; -1:
 * damaged.
 */
int
bsonjson_parked(const uint8_t *bson, size_t len,
		struct bsonjson_position *ret_first, size_t max);

#endif
