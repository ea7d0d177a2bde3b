/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the fixed collections, to BSON and back; the same in both adapters.
 *
 * Encoders make a new row, freed by store_row_release(). Readers borrow: what
 * they point to lives as long as the BSON they were given.
 * Errors: readers say FATAL for a row that is not of the expected shape.
 */
#ifndef LIB_STORE_ROWS_H
#define LIB_STORE_ROWS_H

#include "lib/store_impl.h"

/* Takes the id; `bson` begins with it. */
void
row_begin(struct store_row *ret_row, char *id);
void
store_row_release(struct store_row *row);
/* A new row at the end, empty. */
struct store_row *
store_rows_add(struct store_rows *rows);
void
store_rows_release(struct store_rows *rows);

/* Adds a change; its text or bytes are borrowed until the row is written. */
void
row_set_int32(struct store_row *row, const char *field, int32_t value);
void
row_set_int64(struct store_row *row, const char *field, int64_t value);
void
row_set_text(struct store_row *row, const char *field, const char *text);
void
row_set_bytes(struct store_row *row, const char *field, struct pj_str bytes);
void
row_add(struct store_row *row, const char *field, int64_t value);
void
row_raise(struct store_row *row, const char *field, int64_t value);
/* Adds a condition. */
void
row_if(struct store_row *row, const char *field, int64_t value);
void
row_if_at_most(struct store_row *row, const char *field, int64_t value);

/* "stock/3", freed by free(). */
char *
rows_source_id(const char *topic, int32_t partition);
void
rows_source(struct store_row *ret_row, const char *topic, int32_t partition,
	    int32_t index);
int
rows_source_read(const uint8_t *bson, size_t len, struct store_source_row *ret,
		 struct pj_error *err) __attribute__((warn_unused_result));

/* "stock.3/7", freed by free(). */
char *
rows_checkpoint_id(const char *generation, int32_t source);
/* Moves it on: where the epoch is the same, and never down. */
void
rows_checkpoint(struct store_row *ret_row, const struct store_checkpoint *cp);
/* Counts its epoch up for the owner (borrowed), or makes it. */
void
rows_claim(struct store_row *ret_row, const char *generation, int32_t source,
	   const struct store_owner *owner);
/* ret_owner: zeros when nobody ever claimed it; may be NULL. */
int
rows_checkpoint_read(const uint8_t *bson, size_t len,
		     struct store_checkpoint *ret,
		     struct store_owner *ret_owner, struct pj_error *err)
	__attribute__((warn_unused_result));

void
rows_generation(struct store_row *ret_row, const struct store_generation *gen);
/* ret->reader_json is the caller's. */
int
rows_generation_read(const uint8_t *bson, size_t len,
		     struct store_generation *ret, struct pj_error *err)
	__attribute__((warn_unused_result));

void
rows_live(struct store_row *ret_row, const char *projection, int32_t number);
int
rows_live_read(const uint8_t *bson, size_t len, struct store_live *ret,
	       struct pj_error *err) __attribute__((warn_unused_result));

/* ---- Parked ------------------------------------------------------------ */

/*
 * "<generation>!<unit type>!<unit>!<topic>!<partition>!<offset>": '!' sorts
 * before every byte of the parts, partition and offset are zero-padded, and the
 * unit is as readmodel_add_unit() writes it, so that ids sort by unit and
 * coordinates.
 */
void
rows_parked(struct store_row *ret_row, const struct store_parked *parked);

/* Of one that is there; borrows its texts. */
void
rows_refusal(struct store_row *ret_row, const struct store_refusal *refusal);

/* Where a parked row is, whatever is in it; freed by free(). */
char *
rows_parked_id(const char *generation, const char *unit_type,
	       struct pj_str unit, const char *topic, int32_t partition,
	       int64_t offset);

/* Ids as bounds of a scan. */
struct parked_range {
	char *after, *end; /* freed by free() */
};
/* Of one unit's rows of one topic-partition, at or above `from`. */
void
rows_parked_queue_range(struct parked_range *ret, const char *generation,
			const char *unit_type, struct pj_str unit,
			const char *topic, int32_t partition, int64_t from);
/* Of a generation, or of one of its units (unit_type NULL: of all). */
void
rows_parked_range(struct parked_range *ret, const char *generation,
		  const char *unit_type, const struct pj_str *unit);

/* headers: freed by free(). */
int
rows_parked_read(const uint8_t *bson, size_t len, struct store_parked *ret,
		 struct pj_str **ret_headers, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * What became of a parked row. Its id is the parked row's and the time that was
 * parked at: told twice it is one entry, and a record that is parked again
 * later gets another.
 */
void
rows_audit(struct store_row *ret_row, const struct store_parked *parked,
	   const struct store_unpark *unpark);
/* ret->row.headers: freed by free(). */
int
rows_audit_read(const uint8_t *bson, size_t len, struct store_audit *ret,
		struct pj_str **ret_headers, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Only its id and time. */
int
rows_audit_at(const uint8_t *bson, size_t len, struct pj_str *ret_id,
	      int64_t *ret_at_ms, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
