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

void
store_row_release(struct store_row *row);

/* "stock/3", freed by free(). */
char *
rows_source_id(const char *topic, int32_t partition);
void
rows_source(struct store_row *ret_row, const char *topic, int32_t partition,
	    int32_t index);
int
rows_source_read(const uint8_t *bson, size_t len, struct store_source_row *ret,
		 struct pj_error *err) __attribute__((warn_unused_result));

void
rows_checkpoint(struct store_row *ret_row, const struct store_checkpoint *cp);
int
rows_checkpoint_read(const uint8_t *bson, size_t len,
		     struct store_checkpoint *ret, struct pj_error *err)
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

/* The ids of a generation, or of one of its units, as bounds of a scan. */
struct parked_range {
	char *after, *end; /* freed by free() */
};
void
rows_parked_range(struct parked_range *ret, const char *generation,
		  const char *unit_type, const struct pj_str *unit);

/* headers: freed by free(). */
int
rows_parked_read(const uint8_t *bson, size_t len, struct store_parked *ret,
		 struct pj_str **ret_headers, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
